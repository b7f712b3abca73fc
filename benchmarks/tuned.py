"""What the recipe reaches: a head on all layers, and fine-tuning from it; the test photos opened once at the end.

    python -m benchmarks.tuned FOLDER ... [--seeds 5] [--image-size 224]

Each set as it is usually scored: solar_cells 75 to 25, magnetic_tile in five folds by group, pooled, any other 70 to 10
to 20 by group. Validation photos, always taken from those to learn from, choose the epoch and nothing else does. A row
a test photo and seed is kept (tuned_photos.csv): its group, of a path the last two parts, and which ways were right. So
the seeds can be pooled, all answers about a photo and its group drawn together. tuned.csv, a row a set and seed, is
made of it.
"""

import argparse
import pathlib
import time

import numpy as np
import pandas

from . import cells, results

FOLDED = ("magnetic_tile",)
QUARTERED = ("solar_cells",)


def rounds(name, photos, seed):
    """Yield (train, validation, test), photos tables, for each round that is pooled into one score."""
    from tutorial_utils.data import image_stats, splits

    if name not in (*FOLDED, *QUARTERED):
        assigned = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos, progress=False))
        yield tuple(splits.subset(assigned, part) for part in splits.NAMES)
        return

    def take(table, rows):
        return table.iloc[rows].reset_index(drop=True)

    outer = splits.group_k_fold(photos, 5 if name in FOLDED else 4, seed)
    for place, (rest, asked) in enumerate(outer.split(photos, photos["label"], photos["group"])):
        if name in QUARTERED and place:
            return
        left = take(photos, rest)
        learn, check = next(splits.group_k_fold(left, 7, seed).split(left, left["label"], left["group"]))
        yield take(left, learn), take(left, check), take(photos, asked)


def measure(photos, set, backbone, image_size, seed):
    """Train each way on every round of one split; return a row a test photo.

    last, frozen : a head on the last layer and one on all of them; tuned : fine-tuned from the latter. 1 where it is
        right. seconds : of all fine-tuning of the split
    """
    import keras

    from tutorial_utils.data import pipeline
    from tutorial_utils.evaluation import metrics
    from tutorial_utils.models import backbones, training

    borrowed = backbones.get(backbone, fallback=None)
    weights, rows, seconds = borrowed.base.get_weights(), [], 0
    for train, validation, test in rounds(set, photos, seed):
        keras.utils.set_random_seed(seed)
        borrowed.base.set_weights(weights)
        test_batches, said = pipeline.batches(test, image_size), {}
        for name, layers in (("last", "last"), ("frozen", "all")):
            model, _ = training.train_frozen(borrowed, train, validation, image_size, layers=layers, seed=seed)
            labels, said[name] = metrics.predict(model, test_batches)
        started = time.perf_counter()
        batches = training.augmented_batches(train, image_size, seed)
        training.fine_tune(model, borrowed.base, batches, pipeline.batches(validation, image_size))
        seconds += time.perf_counter() - started
        said["tuned"] = metrics.predict(model, test_batches)[1]
        right = {name: (each.argmax(axis=1) == labels).astype(int) for name, each in said.items()}
        rows += [
            {"group": "/".join(pathlib.PurePath(group).parts[-2:])}
            | {name: int(each[place]) for name, each in right.items()}
            for place, group in enumerate(test["group"])
        ]
    return [row | {"seconds": round(seconds)} for row in rows]


def by_seed(rows):
    """Return a row a set and seed of the rows of `measure`: accuracies, and the paired gain of fine-tuning."""
    found = []
    for cell, some in rows.groupby(["set", "backbone", "image_size", "seed"], sort=False):
        row = dict(zip(["set", "backbone", "image_size", "seed"], cell, strict=True))
        row |= {"n_test": len(some), "seconds": some["seconds"].iloc[0], "last": some["last"].mean()}
        found.append(row | _scores(some))
    return pandas.DataFrame(found)


def _scores(rows):
    """Return accuracies with intervals, and by how much fine-tuned is above frozen."""
    from tutorial_utils.evaluation import metrics

    ones, row = np.ones(len(rows), int), {}
    for name in ("frozen", "tuned"):
        score = metrics.accuracy(ones, rows[name].to_numpy(), rows["group"])
        row |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
    gain = metrics.paired_difference(ones, rows["tuned"].to_numpy(), rows["frozen"].to_numpy(), rows["group"])
    return row | {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}


def main():
    """Measure what is not yet kept, and print the accuracies with the seeds pooled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cells.seeded_options(parser, 5)
    arguments = parser.parse_args()
    command = "python -m benchmarks.tuned"
    rows = cells.run("tuned_photos", cells.seeded(arguments), measure, arguments, command)
    results.keep_table("tuned", by_seed(rows), command, show=False)
    pooled = {name: {"last": some["last"].mean()} | _scores(some) for name, some in rows.groupby("set")}
    print((100 * pandas.DataFrame(pooled).T).round(1).to_string())


if __name__ == "__main__":
    main()
