"""Three ways to the same model, timed in turn: what everyone copies, the TensorFlow tutorial's way, and the course's.

    python -m benchmarks.recipe --photos 2000 --image-size 224 --rounds 3

Same photos, size, epochs, batch size, seed and backbone. Each way runs in a process of its own with an empty cache, in
alternation. A phase is timed from photos on disk to trained weights: reading, tracing and converting are part of it;
importing the libraries is not. Results go to benchmarks/results.json after each round.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
WAYS = ("copied", "tutorial", "ours", "ours_2_views", "ours_4_views", "chapters")
HEAD_EPOCHS, TUNING_EPOCHS, BATCH, LAST, RATE = 20, 10, 32, 50, 1e-4


def lay_out(dataset, count, image_size, seed, folder):
    """Write `count` photos as folder/<split>/<class>/<number><suffix>; return the photos table of what was written.

    Where the data set has fewer, its photos come again under other names, a few bytes longer: image readers pass over
    what follows the picture, while a store that goes by content takes them for new photos.
    """
    from tutorial_utils.data import catalog, splits

    photos = splits.assign(catalog.load(dataset), seed=seed)
    order = np.random.default_rng([seed, 1]).permutation(len(photos))  # not the order that made the split
    for number in range(count):
        row = photos.iloc[order[number % len(photos)]]
        source = pathlib.Path(row.path)
        target = folder / row.split / row.label / f"{number:06d}{source.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        extra = b"" if number < len(photos) else f" {number}".encode()
        target.write_bytes(source.read_bytes() + extra)


def tables(folder):
    """Return the photos tables of train, val and test, as `lay_out` wrote them."""
    from tutorial_utils.data import folders, splits

    return [folders.load(folder / name) for name in splits.NAMES]


class Clock:
    """Seconds and test predictions of each phase."""

    def __init__(self):
        self.seconds = {}
        self._since = time.perf_counter()

    def phase(self, name):
        """Note the seconds since the last phase ended."""
        self.seconds[name] = time.perf_counter() - self._since

    def start(self):
        """Begin a phase."""
        self._since = time.perf_counter()


def whole_model(base, preprocess, classes, image_size, seed):
    """Return (model, head) of the usual kind: frozen base, mean, Dense(128), softmax."""
    import keras

    from tutorial_utils.models import transfer

    transfer.freeze(base)
    head = transfer.dense_head(base.output_shape[-1], classes, dropout=0, seed=seed)
    inputs = keras.Input((image_size, image_size, 3))
    x = keras.layers.GlobalAveragePooling2D()(base(preprocess(inputs), training=False))
    return keras.Model(inputs, head(x))


def two_phases(clock, model, base, train, validation, augmented):
    """Train a whole model with Keras's own fit: head, then about the last 50 layers, BatchNormalization frozen."""
    import keras

    from tutorial_utils.models import transfer

    loss = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    clock.start()
    model.compile(optimizer=keras.optimizers.Adam(1e-3), **loss)
    model.fit(train, validation_data=validation, epochs=HEAD_EPOCHS, verbose=0)
    clock.phase("head")
    _, last = transfer.cut(base, LAST)
    transfer.unfreeze(base, last)
    clock.start()
    model.compile(optimizer=keras.optimizers.Adam(RATE), **loss)
    model.fit(augmented, validation_data=validation, epochs=TUNING_EPOCHS, verbose=0)
    clock.phase("finetune")
    return model


def copied(clock, backbone, folder, image_size, seed):
    """The recipe that everyone copies, its preprocessing put right: ImageDataGenerator, whole base each epoch."""
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    def flow(name, **changes):
        generator = ImageDataGenerator(preprocessing_function=backbone.preprocess, **changes)
        options = {"target_size": (image_size,) * 2, "batch_size": BATCH, "class_mode": "sparse", "seed": seed}
        return generator.flow_from_directory(folder / name, shuffle=name == "train", **options)

    train = flow("train")
    model = whole_model(backbone.base, lambda x: x, train.num_classes, image_size, seed)
    augmented = flow("train", horizontal_flip=True, vertical_flip=True, rotation_range=36)
    two_phases(clock, model, backbone.base, train, flow("val"), augmented)
    test = flow("test")
    return model.predict(test, verbose=0), test.classes


def tutorial(clock, backbone, folder, image_size, seed):
    """The tutorial of tensorflow.org: tf.data, augmentation as layers in the fine-tuning, whole base each epoch."""
    import keras
    import tensorflow as tf

    def read(name):
        options = {"image_size": (image_size,) * 2, "batch_size": BATCH, "seed": seed, "verbose": False}
        return keras.utils.image_dataset_from_directory(folder / name, shuffle=name == "train", **options)

    train, validation, test = (read(name) for name in ("train", "val", "test"))
    classes = len(train.class_names)
    augment = keras.Sequential([keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.2)])
    model = whole_model(backbone.base, backbone.preprocess, classes, image_size, seed)
    augmented = train.map(lambda x, y: (augment(x, training=True), y))
    ahead = [each.prefetch(tf.data.AUTOTUNE) for each in (train, validation, augmented)]
    two_phases(clock, model, backbone.base, *ahead)
    labels = np.concatenate([y for _, y in test])
    return model.predict(test, verbose=0), labels


def ours(clock, backbone, folder, image_size, seed, views=1):
    """Stored activations: the base once a photo, then the head; the prefix once a photo and view, then the suffix."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.models import features, training, transfer

    train, validation, test = tables(folder)
    classes = len(train["label"].cat.categories)
    transfer.freeze(backbone.base)
    clock.start()
    kept = [(features.stored(t, backbone, image_size)[:], pipeline.labels(t)) for t in (train, validation)]
    head = transfer.dense_head(backbone.base.output_shape[-1], classes, dropout=0, seed=seed)
    training.train_head(head, *kept, epochs=HEAD_EPOCHS, seed=seed)
    clock.phase("head")
    clock.start()
    options = {"last": LAST, "views": views, "epochs": TUNING_EPOCHS, "learning_rate": RATE, "seed": seed}
    training.fine_tune_stored(backbone, head, train, validation, image_size, decay=False, **options)
    clock.phase("finetune")
    model = transfer.join(backbone, head, image_size)
    return model.predict(pipeline.batches(test, image_size), verbose=0), pipeline.labels(test)


def chapters(clock, backbone, folder, image_size, seed):
    """What chapters 3 and 4 do: the closed head, then all layers on augmented photos, where nothing can be stored."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.models import training

    train, validation, test = tables(folder)
    clock.start()
    model, _ = training.frozen(backbone, train, validation, image_size, seed=seed)
    clock.phase("head")
    clock.start()
    augmented = pipeline.batches(train, image_size, shuffle=True, augmentation=pipeline.augmentation(seed), seed=seed)
    training.fine_tune(model, backbone.base, augmented, pipeline.batches(validation, image_size))
    clock.phase("finetune")
    return model.predict(pipeline.batches(test, image_size), verbose=0), pipeline.labels(test)


def run_way(way, name, folder, image_size, seed):
    """Run one way here; return its seconds, peak memory and which test photos it has right."""
    import keras

    from tutorial_utils.models import backbones

    keras.utils.set_random_seed(seed)
    backbone = backbones.get(name, fallback=None)
    clock, views = Clock(), {"ours_2_views": 2, "ours_4_views": 4}
    if way in views or way == "ours":
        probabilities, labels = ours(clock, backbone, folder, image_size, seed, views.get(way, 1))
    else:
        function = {"copied": copied, "tutorial": tutorial, "chapters": chapters}[way]
        probabilities, labels = function(clock, backbone, folder, image_size, seed)
    right = probabilities.argmax(axis=1) == labels
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in kilobytes
    return {"way": way, **clock.seconds, "peak_memory_mb": peak, "right": right.astype(int).tolist()}


def in_own_process(way, arguments, folder):
    """Run one way in a process of its own, with an empty cache of activations; return what it says."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "TUTORIAL_CACHE": cache, "TF_CPP_MIN_LOG_LEVEL": "2"}
        command = [sys.executable, "-m", "benchmarks.recipe", "--way", way, "--folder", folder]
        command += ["--image-size", arguments.image_size, "--seed", arguments.seed, "--backbone", arguments.backbone]
        process = subprocess.run(
            list(map(str, command)), env=environment, cwd=HERE.parent, capture_output=True, text=True
        )
    if process.returncode:
        raise SystemExit(f"The way {way!r} stopped:\n{process.stderr[-3000:]}")
    return json.loads(process.stdout.splitlines()[-1])


def summary(runs, arguments):
    """Return what results.json holds: medians, ratios to the tutorial's way with their spread, accuracies."""
    from tutorial_utils.insight import metrics

    rounds = {way: [run for run in runs if run["way"] == way] for way in {run["way"] for run in runs}}
    found = {"photos": arguments.photos, "image_size": arguments.image_size, "backbone": arguments.backbone}
    found |= {"seed": arguments.seed, "dataset": str(arguments.dataset), "rounds": min(map(len, rounds.values()))}
    found["ways"] = {}
    for way, group in sorted(rounds.items()):
        right = np.array(group[0]["right"])
        score = metrics.accuracy(np.ones_like(right), right)
        row = {phase: float(np.median([run[phase] for run in group])) for phase in ("head", "finetune")}
        row["recipe"] = float(np.median([run["head"] + run["finetune"] for run in group]))
        row |= {"peak_memory_mb": max(run["peak_memory_mb"] for run in group), "test_accuracy": score.value}
        row |= {"test_accuracy_low": score.low, "test_accuracy_high": score.high}
        found["ways"][way] = row
    if {"ours", "tutorial"} <= set(rounds):
        pairs = list(zip(rounds["tutorial"], rounds["ours"], strict=False))
        for phase in ("head", "finetune", "recipe"):
            sums = [(_sum(slow, phase), _sum(fast, phase)) for slow, fast in pairs]
            ratios = [slow / fast for slow, fast in sums]
            found[f"{phase}_speedup"] = float(np.median(ratios))
            found[f"{phase}_speedup_low"], found[f"{phase}_speedup_high"] = min(ratios), max(ratios)
        found["peak_memory_mb"] = found["ways"]["ours"]["peak_memory_mb"]
    return found


def _sum(run, phase):
    return run["head"] + run["finetune"] if phase == "recipe" else run[phase]


def main():
    """Run the comparison, or with --way one part of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dataset", default="solar_cells", help="a data set's name or a folder; real photos")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(
            json.dumps(
                run_way(arguments.way, arguments.backbone, arguments.folder, arguments.image_size, arguments.seed)
            )
        )
        return
    folder, runs = pathlib.Path(tempfile.mkdtemp(prefix="recipe-")), []
    try:
        lay_out(arguments.dataset, arguments.photos, arguments.image_size, arguments.seed, folder)
        for number in range(arguments.rounds):
            for way in arguments.ways:
                runs.append(in_own_process(way, arguments, folder))
                said = {name: round(value) for name, value in runs[-1].items() if name in ("head", "finetune")}
                print(f"round {number + 1}, {way}: {said} s", flush=True)
            arguments.results.write_text(json.dumps(summary(runs, arguments), indent=2) + "\n", encoding="utf-8")
    finally:
        shutil.rmtree(folder)
    print(json.dumps(summary(runs, arguments), indent=2))


if __name__ == "__main__":
    main()
