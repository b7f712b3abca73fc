"""What each way to train is worth for how many photos, each really trained.

    python -m benchmarks.strategies FOLDER ... [--seeds 3] [--ways head tuned]

For each set, number of photos a class and seed: as many photos as asked are drawn, a fifth of which validates. The
test photos are those of groups that were not drawn, at most 800, and no more of a class than its share of
these: the more there are, the less chance decides which strategy looks best. They are opened once for each strategy:
a head on the last layer (head), the last layers fine-tuned from it (last), a head on all layers (layers) and all layers
fine-tuned from that (tuned), a small network from scratch (scratch). Rows of `all` are of all layers fine-tuned from a
head on the last one, for eight epochs at least, as fine-tuning was before.
"""

import argparse
import time

from . import cells

NUMBERS = (5, 10, 25, 50, 100)  # photos a class, where there are as many
ASKED = 800  # test photos, at most
LAYERS = (16, 32, 64, 128)  # filters of the network from scratch, that of chapter 3
SCRATCH = 96  # pixels: its own size, on which a small network learns more in the same time
STEPS = 200  # of training from scratch, at least


def draw(photos, number, seed):
    """Return (train, validation, others): `number` photos a class, a fifth of which validates; others share no group.

    photos : photos table; None if a class has too few photos when a fifth of the set is set aside
    others : the photos of groups that were not drawn; those with the split "test" could not be drawn
    """
    from tutorial_utils.data import image_stats, splits

    assigned = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos, progress=False))
    drawn = splits.sample_per_class(assigned[assigned["split"] != "test"], number, seed=seed)
    if drawn["label"].value_counts().min() < number:
        return None
    learn, ask = next(splits.group_k_fold(drawn, 5, seed).split(drawn, drawn["label"], drawn["group"]))
    others = assigned[~assigned["group"].isin(drawn["group"])]
    return (*(drawn.iloc[rows].reset_index(drop=True) for rows in (learn, ask)), others)


def measure(photos, set, backbone, image_size, photos_per_class, seed, strategy):
    """Train one way on one draw of photos; return its rows in a list, one if there are too few."""
    import keras

    from tutorial_utils.data import pipeline, splits
    from tutorial_utils.evaluation import metrics
    from tutorial_utils.models import backbones

    found = draw(photos, photos_per_class, seed)
    if found is None:
        return [{"n_train": 0}]
    train, validation, others = found
    test = splits.sample_per_class(others, ASKED // len(others["label"].cat.categories), seed=seed)
    borrowed = backbones.get(backbone, fallback=None)
    keras.utils.set_random_seed(seed)
    rows, started = [], time.perf_counter()
    for name, model in WAYS[strategy](borrowed, train, validation, image_size, seed):
        seconds = time.perf_counter() - started
        labels, probabilities = metrics.predict(model, pipeline.batches(test, model.input_shape[1]))
        score = metrics.accuracy(labels, probabilities.argmax(axis=1), test["group"])
        sizes = {"n_train": len(train), "n_val": len(validation), "n_test": len(test)}
        scores = {"accuracy": score.value, "low": score.low, "high": score.high}
        rows.append({"strategy": name, **sizes, **scores, "seconds": round(seconds, 1)})
    return rows


def _head(backbone, train, validation, image_size, seed):
    from tutorial_utils.models import training

    model, _ = training.train_frozen(backbone, train, validation, image_size, seed=seed)
    yield "head", model


def _last(backbone, train, validation, image_size, seed):
    from tutorial_utils.models import training

    model, _ = training.train_frozen(backbone, train, validation, image_size, seed=seed)
    head = model.layers[-1]
    training.fine_tune_stored(backbone, head, train, validation, image_size, views=4, seed=seed)
    yield "last", model


def _tuned(backbone, train, validation, image_size, seed):
    from tutorial_utils.data import pipeline
    from tutorial_utils.models import training

    model, _ = training.train_frozen(backbone, train, validation, image_size, layers="all", seed=seed)
    yield "layers", model
    batches = training.augmented_batches(train, image_size, seed)
    training.fine_tune(model, backbone.base, batches, pipeline.batches(validation, image_size))
    yield "tuned", model


def _scratch(backbone, train, validation, image_size, seed, side=SCRATCH):
    import keras

    from tutorial_utils.data import pipeline
    from tutorial_utils.models import training

    model = keras.Sequential([keras.Input((side, side, 3)), keras.layers.Rescaling(1 / 127.5, offset=-1)])
    for filters in LAYERS:
        model.add(keras.layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dropout(0.2, seed=seed))
    model.add(keras.layers.Dense(len(train["label"].cat.categories), activation="softmax"))
    model.compile(keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    change = pipeline.augmentation(seed)
    size = training.batch_size(len(train))
    batches = pipeline.batches(train, side, size, shuffle=True, augmentation=change, seed=seed)
    epochs = max(20, -(-STEPS // int(batches.cardinality())))
    training.fit(model, batches, pipeline.batches(validation, side), epochs)
    yield "scratch", model


WAYS = {"head": _head, "last": _last, "tuned": _tuned, "scratch": _scratch}  # the second last gives `layers` too


def main():
    """Measure what is not yet kept, keep each run as it ends, and print the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="these only")
    cells.options(parser)
    arguments = parser.parse_args()
    # the small numbers of every set first, so that a table that is cut short is still one of all sets
    grid = [
        {"set": name, "backbone": arguments.backbone, "image_size": arguments.image_size}
        | {"photos_per_class": number, "seed": seed, "strategy": strategy}
        for seed in range(arguments.seeds)
        for number in NUMBERS
        for name in cells.sets(arguments)
        for strategy in arguments.ways
    ]
    table = cells.run("strategies", grid, measure, arguments, "python -m benchmarks.strategies")
    means = table.groupby(["set", "photos_per_class", "strategy"])["accuracy"].mean().unstack()
    print((100 * means).round(1).to_string())


if __name__ == "__main__":
    main()
