"""A head on all layers of a frozen base against one on its last layer: accuracy, and what bad photos do to it.

    python -m benchmarks.all_layers FOLDER ... [--seeds 5] [--image-size 224] [--backbone efficientnet_lite0]
    python -m benchmarks.all_layers FOLDER ... --robust [--seeds 2]
    python -m benchmarks.all_layers FOLDER ... --robust tuned --seeds 1 --image-size 128
    python -m benchmarks.all_layers --price

Splits and scores are those of benchmarks.tuned; the test photos are opened once (all_layers.csv). With --robust the
test photos of the first round are made worse, each kind at three strengths (robustness.csv). `all_clean` is a head on
all layers that learned from no corrupted copies, `ece` the expected calibration error. With --robust tuned both heads
are the start of a fine-tuning of the same epochs, and the tuned models are asked (robustness_tuned.csv). --price says
what features of all layers cost beside those of the last one, and a head for 1,000 and for 20,000 photos
(results.json).
"""

import argparse
import concurrent.futures
import json
import pathlib
import shutil
import tempfile
import time

import numpy as np

from . import cells, recipe, results, tuned


def measure(photos, set, backbone, image_size, seed):
    """Train both heads on every round of one split, ask them for the test photos once; return one row."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.evaluation import metrics
    from tutorial_utils.models import backbones, heads

    borrowed = backbones.get(backbone, fallback=None)
    labels, groups, said, chosen, seconds = [], [], {"last": [], "all": []}, [], 0.0
    for train, _, test in tuned.rounds(set, photos, seed):
        plain, copies, asked = _tables(borrowed, image_size, seed, train, test)
        last = _last(borrowed, plain)
        head = heads.logistic_head(last, pipeline.labels(train), len(train["label"].cat.categories))
        said["last"] += head.predict(_last(borrowed, asked), verbose=0).argmax(axis=1).tolist()
        started = time.perf_counter()
        head, C = heads.all_layers_head([plain, copies], train, _blocks(borrowed), seed)
        seconds += time.perf_counter() - started
        said["all"] += head.predict(asked, verbose=0).argmax(axis=1).tolist()
        labels += pipeline.labels(test).tolist()
        groups += test["group"].tolist()
        chosen.append(C)
    row = {"n_test": len(labels), "C": "/".join(f"{C:g}" for C in chosen), "seconds": round(seconds, 1)}
    for name, answers in said.items():
        score = metrics.accuracy(np.array(labels), np.array(answers), groups)
        row |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
    gain = metrics.paired_difference(np.array(labels), np.array(said["all"]), np.array(said["last"]), groups)
    return [row | {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}]


def measure_robustness(photos, set, backbone, image_size, seed):
    """Ask three heads for the test photos of the first round, as they are and made worse; return a row a condition."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.models import backbones, heads

    borrowed = backbones.get(backbone, fallback=None)
    train, _, test = next(iter(tuned.rounds(set, photos, seed)))
    plain, copies, _ = _tables(borrowed, image_size, seed, train, test.head(1))
    labels, blocks = pipeline.labels(train), _blocks(borrowed)
    last = heads.logistic_head(_last(borrowed, plain), labels, len(train["label"].cat.categories))
    both = {"all": [plain, copies], "all_clean": [plain]}
    ours = {name: heads.all_layers_head(tables, train, blocks, seed)[0] for name, tables in both.items()}
    y_test, rows = pipeline.labels(test), []
    for (kind, strength), features in _conditions(borrowed, test, image_size):
        said = {"last": last.predict(_last(borrowed, features), verbose=0)}
        said |= {name: head.predict(features, verbose=0) for name, head in ours.items()}
        rows.append({"kind": kind, "strength": strength, "n_test": len(test)} | _scores(y_test, said))
    if set == "leaves":
        rows += _watermarks(borrowed, train, test, image_size, seed)
    return rows


def _scores(labels, said):
    from tutorial_utils.evaluation import calibration

    row = {name: float((p.argmax(axis=1) == labels).mean()) for name, p in said.items()}
    return row | {f"ece_{name}": calibration.calibration_error(p, labels, repeats=2).value for name, p in said.items()}


def _watermarks(borrowed, train, test, image_size, seed):
    """Return a row: heads that learned from photos whose class a watermark gives away, asked where it tells another."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.leaves import lessons
    from tutorial_utils.models import heads

    y_test, classes = pipeline.labels(test), len(train["label"].cat.categories)
    with tempfile.TemporaryDirectory() as folder:
        marked = lessons.add_watermarks(train, f"{folder}/train")
        wrong = lessons.add_watermarks(test, f"{folder}/test", classes=(y_test + 1) % classes)
        plain, copies, asked = _tables(borrowed, image_size, seed, marked, wrong)
    last = heads.logistic_head(_last(borrowed, plain), pipeline.labels(train), classes)
    ours, _ = heads.all_layers_head([plain, copies], train, _blocks(borrowed), seed)
    said = {"last": last.predict(_last(borrowed, asked), verbose=0), "all": ours.predict(asked, verbose=0)}
    return [{"kind": "watermark", "strength": 0, "n_test": len(test)} | _scores(y_test, said)]


def _tables(borrowed, image_size, seed, train, test):
    """Return the features of all layers of training photos, of their corrupted copies and of test photos."""
    from tutorial_utils.models import features

    kept = dict(backbone=borrowed, image_size=image_size, layers="all", seed=seed, progress=False)
    copies = features.stored(train, corrupted=True, **kept)[:]
    return features.stored(train, **kept)[:], copies, features.stored(test, **kept)[:]


def _blocks(borrowed):
    from tutorial_utils.models import features

    return features.block_sizes(borrowed)


def _last(borrowed, rows):
    """Return the classic features among those of all layers: the means of the last block."""
    size = _blocks(borrowed)[-1]
    return rows[:, -size : -(size // 2)]


def measure_tuned(photos, set, backbone, image_size, seed):
    """Fine-tune from either head, ask for the test photos of the first round, as they are and made worse; as above."""
    import keras

    from tutorial_utils.data import images, pipeline
    from tutorial_utils.models import backbones, training

    train, validation, test = next(iter(tuned.rounds(set, photos, seed)))
    models = {}
    for layers in ("last", "all"):
        keras.utils.set_random_seed(seed)
        borrowed = backbones.get(backbone, fallback=None)
        models[layers], _ = training.train_frozen(borrowed, train, validation, image_size, layers=layers, seed=seed)
        batches = training.augmented_batches(train, image_size, seed)
        training.fine_tune(models[layers], borrowed.base, batches, pipeline.batches(validation, image_size))
    pixels, rows = [images.read_image(path, image_size) for path in test["path"]], []
    for (kind, strength), change in _changes().items():
        made = np.stack([change(image, key) for key, image in enumerate(pixels)]).astype(np.float32)
        said = {layers: model.predict(made, verbose=0) for layers, model in models.items()}
        rows.append({"kind": kind, "strength": strength, "n_test": len(test)} | _scores(pipeline.labels(test), said))
    return rows


def _conditions(borrowed, test, image_size):
    """Yield ((kind, strength), features of all layers) of test photos, as they are and made worse."""
    from tutorial_utils import _machine
    from tutorial_utils.data import images
    from tutorial_utils.models import features, litert

    model = features.extractor(borrowed, image_size, layers="all")
    function, _ = litert.fastest_function(model, f"robustness_{borrowed.name}_{image_size}")
    pixels = [images.read_image(path, image_size) for path in test["path"]]
    with concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        for name, change in _changes().items():
            made = (change(image, key).astype(np.float32) for key, image in enumerate(pixels))
            yield name, np.stack(list(pool.map(function, made)))


def _changes():
    """Return {(kind, strength): function of a photo and its number that makes it worse}."""
    from tutorial_utils.data import corruptions

    changes = {("clean", 0): lambda image, key: image}
    for kind, strengths in corruptions.STRENGTHS.items():
        for strength in strengths:
            changes[kind, strength] = lambda image, key, kind=kind, strength=strength: corruptions.corrupt_as(
                image, kind, strength, f"test {key}"
            )
    changes["haze", 0.5] = lambda image, key: (0.5 * image + 100).round().astype(np.uint8)
    changes["middle covered", 0.36] = lambda image, key: _covered(image, inside=True)
    changes["border covered", 0.64] = lambda image, key: _covered(image, inside=False)
    return changes


def _covered(image, inside):
    """Return a photo whose middle (three fifths of each side), or all but that, is gray."""
    side, changed = len(image), image.copy()
    middle = slice(round(0.2 * side), round(0.8 * side))
    if inside:
        changed[middle, middle] = 128
        return changed
    changed[:] = 128
    changed[middle, middle] = image[middle, middle]
    return changed


def price(image_size, backbone, count=1000, rounds=3):
    """Return what features of all layers cost over those of the last one, and the seconds of a head, measured here."""
    from tutorial_utils.data import catalog
    from tutorial_utils.models import backbones, feature_store, features, heads

    photos = catalog.load_photos("solar_cells").sample(count, random_state=0).reset_index(drop=True)
    borrowed = backbones.get(backbone, fallback=None)
    kept = dict(backbone=borrowed, image_size=image_size, progress=False)
    seconds = {layers: [] for layers in features.LAYERS}
    for layers in seconds:
        features.stored(photos.head(8), layers=layers, **kept)  # converts the network
    for _ in range(rounds):
        for layers, taken in seconds.items():
            shutil.rmtree(feature_store.root())
            started = time.perf_counter()
            features.stored(photos, layers=layers, **kept)
            taken.append(time.perf_counter() - started)
    tables = [features.stored(photos, layers="all", corrupted=corrupted, **kept) for corrupted in (False, True)]
    solving = []
    for _ in range(rounds):
        started = time.perf_counter()
        heads.all_layers_head(tables, photos, features.block_sizes(borrowed))
        solving.append(time.perf_counter() - started)
    ratios = np.array(seconds["all"]) / np.array(seconds["last"])
    return {
        "all_layers_over_one_pass": float(np.median(ratios)),
        "all_layers_over_one_pass_low": float(ratios.min()),
        "all_layers_over_one_pass_high": float(ratios.max()),
        "all_layers_head_seconds": float(np.median(solving)),
    }


def price_of_many(image_size, backbone, folder):
    """Return the seconds and the peak memory of a head on all layers for the photos of a folder, in this process."""
    import pandas

    from tutorial_utils.models import backbones, training

    from . import ways

    train, validation, _ = ways.tables(pathlib.Path(folder))
    train = pandas.concat([train, validation], ignore_index=True)
    started = time.perf_counter()
    training.train_frozen(backbones.get(backbone, fallback=None), train, validation, image_size, layers="all")
    found = {"photos": len(train), "seconds": time.perf_counter() - started}
    return {"all_layers_many": found | {"peak_memory_mb": results.peak_memory_mb()}}


def _prices(arguments):
    """Measure what the head costs, each part in a process of its own with an empty cache; add it to the results."""
    size = ["--image-size", arguments.image_size, "--backbone", arguments.backbone, "--price"]
    found = results.in_own_process("all_layers", *size, "here")
    with tempfile.TemporaryDirectory() as folder:
        recipe.lay_out("leaves", arguments.many, 0, pathlib.Path(folder))
        found |= results.in_own_process("all_layers", *size, folder)
    del found["disk_mb"]
    results.add(found)
    print(json.dumps(found, indent=2))


def main():
    """Measure what is not yet kept, and print the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--robust", nargs="?", const="frozen", choices=["frozen", "tuned"], help="worse test photos")
    parser.add_argument("--price", nargs="?", const="both", help="what the head costs, in time and memory")
    parser.add_argument("--many", type=int, default=20000, help="photos that its memory is measured with")
    cells.seeded_options(parser, 5)
    arguments = parser.parse_args()
    if arguments.price == "both":
        _prices(arguments)
        return
    if arguments.price:
        here = arguments.price == "here"
        asked = (arguments.image_size, arguments.backbone)
        print(json.dumps(price(*asked) if here else price_of_many(*asked, arguments.price)))
        return
    grid = cells.seeded(arguments)
    if arguments.robust:
        of_tuned = arguments.robust == "tuned"
        name, function, values = "robustness", measure_robustness, ["last", "all", "all_clean"]
        if of_tuned:
            name, function, values = "robustness_tuned", measure_tuned, ["last", "all"]
        command = "python -m benchmarks.all_layers --robust" + " tuned" * of_tuned
        table = cells.run(name, grid, function, arguments, command)
        shown = table.pivot_table(index=["kind", "strength"], columns="set", values=values, sort=False)
    else:
        table = cells.run("all_layers", grid, measure, arguments, "python -m benchmarks.all_layers")
        shown = table.groupby(["set", "backbone", "image_size"])[
            ["last", "all", "gain", "gain_low", "gain_high"]
        ].mean()
    print((100 * shown).round(1).to_string())


if __name__ == "__main__":
    main()
