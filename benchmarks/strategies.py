"""Which strategy is best for how many photos: a head, the last layers, or all layers, each really trained.

    python -m benchmarks.strategies FOLDER ... [--seeds 3] [--image-size 128]

For each set, number of photos a class and seed: the test photos are a fifth of the set, the same for every number; of
the rest as many photos as asked are drawn, a fifth of which validates. Every run is kept in benchmarks/strategies.csv
as it ends, and the same command goes on where it was stopped.
"""

import argparse
import json
import pathlib
import time

import pandas
import tqdm

from . import results

NUMBERS = (5, 10, 25, 50, 100)  # photos a class, where there are as many
PATH = results.HERE / "strategies.csv"
KEYS = ["set", "backbone", "image_size", "photos_per_class", "seed"]


def parts(photos, number, seed):
    """Return (train, validation, test): of `number` photos a class outside the test photos, a fifth validates.

    photos : photos table; None if a class has fewer photos outside the test
    """
    from tutorial_utils.data import facts, shortcuts, splits
    from tutorial_utils.data import photos as photo_tools

    assigned = splits.assign(photos, seed=seed, looked=facts.of(photos, progress=False))
    pool, test = assigned[assigned["split"] != "test"], splits.part(assigned, "test")
    drawn = photo_tools.sample(pool, number, seed=seed)
    if drawn["label"].value_counts().min() < number:
        return None
    learn, ask = next(shortcuts.by_group(drawn, 5, seed).split(drawn, drawn["label"], drawn["group"]))
    return (*(drawn.iloc[rows].reset_index(drop=True) for rows in (learn, ask)), test)


def run(name, backbone_name, image_size, number, seed):
    """Train each strategy on one draw of photos; return a list of rows, [] where a class has too few photos."""
    import keras

    from tutorial_utils.data import catalog, pipeline
    from tutorial_utils.insight import metrics
    from tutorial_utils.models import backbones, features, training, transfer

    found = parts(catalog.load(name), number, seed)
    if found is None:
        return []
    train, validation, test = found
    backbone = backbones.get(backbone_name, fallback=None)
    borrowed, classes = backbone.base.get_weights(), len(train["label"].cat.categories)
    val_batches, test_batches = (pipeline.batches(table, image_size) for table in (validation, test))
    augmented = pipeline.batches(
        train, image_size, shuffle=True, augmentation=pipeline.augmentation(seed=seed), seed=seed
    )

    def last(head):
        training.fine_tune_stored(backbone, head, train, validation, image_size, views=4, seed=seed)

    def every(head):
        training.fine_tune(transfer.join(backbone, head, image_size), backbone.base, augmented, val_batches)

    rows = []
    for strategy, tune in {"head": None, "last": last, "all": every}.items():
        keras.utils.set_random_seed(seed)
        started = time.perf_counter()
        backbone.base.set_weights(borrowed)
        transfer.freeze(backbone.base)
        head = transfer.closed_head(
            features.stored(train, backbone, image_size, progress=False)[:], pipeline.labels(train), classes
        )
        if tune:
            tune(head)
        seconds = time.perf_counter() - started
        labels, probabilities = metrics.predict(transfer.join(backbone, head, image_size), test_batches)
        score = metrics.accuracy(labels, probabilities.argmax(axis=1), test["group"])
        sizes = {"n_train": len(train), "n_val": len(validation), "n_test": len(test)}
        scores = {"accuracy": score.value, "low": score.low, "high": score.high}
        rows.append({"strategy": strategy, **sizes, **scores, "seconds": round(seconds, 1)})
    return rows


def kept():
    """Return the rows that were measured so far, as a DataFrame."""
    return pandas.read_csv(PATH, comment="#") if PATH.is_file() else pandas.DataFrame(columns=KEYS)


def main():
    """Measure what is not yet kept, keep each run as it ends, and print the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="folders of class folders, or data sets' names")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--one", nargs=2, type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    settings = (arguments.backbone, arguments.image_size)
    if arguments.one:
        print(json.dumps({"rows": run(arguments.folders[0], *settings, *arguments.one)}))
        return
    done = {tuple(row) for row in kept()[KEYS].itertuples(index=False)}
    # the small numbers of every set first, so that a table that is cut short is still one of all sets
    cells = [
        (folder, number, seed) for seed in range(arguments.seeds) for number in NUMBERS for folder in arguments.folders
    ]
    for folder, number, seed in tqdm.tqdm(cells, unit="cell"):
        key = (pathlib.Path(folder).name, *settings, number, seed)
        if key in done:
            continue
        where = pathlib.Path(folder).resolve() if pathlib.Path(folder).is_dir() else folder
        options = ("--backbone", settings[0], "--image-size", settings[1], "--one", number, seed)
        rows = results.in_own_process("strategies", where, *options, empty_cache=False)["rows"]
        if rows:
            new = pandas.DataFrame([dict(zip(KEYS, key, strict=True)) | row for row in rows])
            table = pandas.concat([kept(), new]) if PATH.is_file() else new
            results.keep_table("strategies", table, "python -m benchmarks.strategies", show=False)
    means = kept().groupby(["set", "photos_per_class", "strategy"])["accuracy"].mean().unstack()
    print((100 * means).round(1).to_string())


if __name__ == "__main__":
    main()
