"""What the ways of Teachable Machine and fastai give on the same photos, beside `train`, quick and best.

    python -m benchmarks.others FOLDER ... [--seed 0]

Neither program runs here, so their recipes are rebuilt in Keras on the course's own base, EfficientNet-Lite0 at 224 px,
and its split by group: what differs is the recipe. Each way learns from the training photos, validates on the
validation photos and is asked about the test photos once. Writes others.csv, a row a set and way.

Teachable Machine (its library for images, 0.8): the square in the middle of each photo, mirrored by nobody; features
of the frozen base, pooled; Dense(100, ReLU), Dense(classes) without a bias; Adam 0.001, batches of 16, 50 epochs.
fastai (vision_learner, fine_tune(4)): mean and maximum of the last map, BatchNormalization, dropout 0.25, Dense(512),
BatchNormalization, dropout 0.5, Dense(classes); photos flipped, turned, zoomed and lit otherwise; one epoch of the head
at 0.002, then four of everything, the head at 0.001, the second half of the base at a tenth of that and the first at a
hundredth, one cycle each; BatchNormalization learns throughout.
"""

import argparse
import time

import numpy as np
import pandas

from . import cells, results

SIZE, BACKBONE = 224, "efficientnet_lite0"


def teachable_machine(parts, seed):
    """Return (probabilities of the test photos, seconds)."""
    import keras
    import PIL.Image

    from tutorial_utils.data import images, pipeline
    from tutorial_utils.models import backbones, features

    keras.utils.set_random_seed(seed)
    started = time.perf_counter()
    base = features.extractor(backbones.get(BACKBONE, fallback=None), SIZE)

    def square(path):
        photo = images.read_image(path)
        side = min(photo.shape[:2])
        top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
        image = PIL.Image.fromarray(photo[top : top + side, left : left + side])
        return np.asarray(image.resize((SIZE, SIZE), PIL.Image.Resampling.BILINEAR))

    rows = [base.predict(np.stack([square(path) for path in part["path"]]), verbose=0) for part in parts]
    classes = len(parts[0]["label"].cat.categories)
    scaled = keras.initializers.VarianceScaling()
    head = keras.Sequential(
        [
            keras.Input((rows[0].shape[1],)),
            keras.layers.Dense(100, activation="relu", kernel_initializer=scaled),
            keras.layers.Dense(classes, activation="softmax", use_bias=False, kernel_initializer=scaled),
        ]
    )
    head.compile(keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    labels = [pipeline.labels(part) for part in parts]
    head.fit(rows[0], labels[0], validation_data=(rows[1], labels[1]), batch_size=16, epochs=50, verbose=0)
    seconds = time.perf_counter() - started
    return head.predict(rows[2], verbose=0), seconds


def fastai(parts, seed):
    """Return (probabilities of the test photos, seconds)."""
    import keras

    from tutorial_utils.data import pipeline
    from tutorial_utils.models import backbones

    keras.utils.set_random_seed(seed)
    started = time.perf_counter()
    borrowed, layers = backbones.get(BACKBONE, fallback=None), keras.layers
    change = keras.Sequential(
        [
            layers.RandomFlip("horizontal", seed=seed),
            layers.RandomRotation(10 / 360, fill_mode="reflect", seed=seed),
            layers.RandomZoom((-0.1, 0), fill_mode="reflect", seed=seed),
            layers.RandomBrightness(0.1, value_range=(0, 255), seed=seed),
            layers.RandomContrast(0.1, value_range=(0, 255), seed=seed),
        ]
    )
    train = pipeline.batches(parts[0], SIZE, 32, shuffle=True, augmentation=change, seed=seed)
    validation, test = (pipeline.batches(part, SIZE) for part in parts[1:])
    pixels, base = keras.Input((SIZE, SIZE, 3)), borrowed.base
    maps = base(borrowed.preprocess(pixels))
    x = layers.Concatenate()([layers.GlobalMaxPooling2D()(maps), layers.GlobalAveragePooling2D()(maps)])
    x = layers.Dropout(0.25, seed=seed)(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dense(512, activation="relu", use_bias=False)(x)
    x = layers.Dropout(0.5, seed=seed)(layers.BatchNormalization(momentum=0.9)(x))
    classes = len(parts[0]["label"].cat.categories)
    model = keras.Model(pixels, layers.Dense(classes, activation="softmax", use_bias=False)(x))
    base.trainable = True
    for layer in base.layers:
        layer.trainable = True
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9
    half = len(base.layers) // 2
    normalization = [layer for layer in base.layers if isinstance(layer, layers.BatchNormalization)]
    early = [weight for layer in base.layers[:half] for weight in layer.trainable_variables]
    late = [weight for layer in base.layers[half:] for weight in layer.trainable_variables]
    of_base = {id(weight) for weight in (*early, *late)}
    head = [weight for weight in model.trainable_variables if id(weight) not in of_base]
    shifts = [weight for layer in normalization for weight in layer.trainable_variables]
    _learn(model, train, [(2e-3, [*head, *shifts])], epochs=1)
    _learn(model, train, [(1e-3, head), (1e-4, late), (1e-5, early)], epochs=4)
    model.predict(validation, verbose=0)  # fastai validates, and takes time for it
    seconds = time.perf_counter() - started
    return model.predict(test, verbose=0), seconds


def _learn(model, batches, groups, epochs):
    """Train groups of weights, (highest rate, weights) each, for one cycle of some epochs."""
    import keras
    import tensorflow as tf

    steps = epochs * int(batches.cardinality())
    rises, optimizers = max(1, steps // 4), []
    for rate, weights in groups:
        schedule = keras.optimizers.schedules.CosineDecay(
            rate / 25, steps - rises, warmup_target=rate, warmup_steps=rises
        )
        optimizers.append(keras.optimizers.AdamW(schedule, weight_decay=0.01))
        optimizers[-1].build(weights)
    every = [weight for _, weights in groups for weight in weights]
    loss_of = keras.losses.SparseCategoricalCrossentropy()

    @tf.function(reduce_retracing=True)
    def step(images, labels):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        gradients, first = tape.gradient(loss, [weight.value for weight in every]), 0
        for optimizer, (_, weights) in zip(optimizers, groups, strict=True):
            optimizer.apply(gradients[first : first + len(weights)], weights)
            first += len(weights)

    for _ in range(epochs):
        for images, labels in batches:
            step(images, labels)


HELD = {  # what the user has in hand at the end
    "Teachable Machine's": "a model for TensorFlow.js, a page on a server; no test score",
    "fastai's": "a .pkl that fastai opens; accuracy on the validation photos",
    "train, quick": "a page, report, card, four exports; the test score with its interval",
    "train, best": "the same",
}


def measure(where, name, seed):
    """Return the rows of a set: each way's minutes and its accuracy on the same test photos."""
    from tutorial_utils.data import catalog, image_stats, pipeline, splits
    from tutorial_utils.evaluation import metrics

    photos = catalog.load_photos(where)
    photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos, progress=False))
    parts, rows = [splits.subset(photos, part) for part in splits.NAMES], []
    for way, run in (("Teachable Machine's", teachable_machine), ("fastai's", fastai)):
        said, seconds = run(parts, seed)
        score = metrics.accuracy(pipeline.labels(parts[2]), said.argmax(axis=1), parts[2]["group"])
        rows.append({"set": name, "way": way, "minutes": seconds / 60, "accuracy": score.value})
        rows[-1] |= {"low": score.low, "high": score.high, "photos": score.n}
    ours = cells.kept("own_photos").query("set == @name")
    for row in ours.itertuples():
        rows.append({"set": name, "way": f"train, {row.effort}", "minutes": row.minutes, "accuracy": row.test_accuracy})
        rows[-1] |= {"low": row.test_accuracy_low, "high": row.test_accuracy_high, "photos": row.n_test}
    return [row | {"in hand": HELD[row["way"]]} for row in rows]


def main():
    """Measure the sets that are named; those of `train` are read from own_photos.csv."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="folders of class folders, or data sets' names")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = [row for name, where in cells.sets(arguments).items() for row in measure(where, name, arguments.seed)]
    results.keep_table("others", pandas.DataFrame(rows), "python -m benchmarks.others")


if __name__ == "__main__":
    main()
