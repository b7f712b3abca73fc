"""What the recipe reaches: frozen and fine-tuned on the same photos, the test photos opened once at the end.

    python -m benchmarks.tuned FOLDER ... [--seeds 5] [--image-size 224] [--refit | --photos]

Each set as it is usually scored: solar_cells 75 to 25, magnetic_tile in five folds by group, pooled, any other 70 to 10
to 20 by group. Validation photos, always taken from those to learn from, choose the epoch and nothing else does.
With --refit the same recipe learns from training and validation photos together and keeps its last epoch (refit.csv).
With --photos a row a test photo and seed is kept instead (tuned_photos.csv), so that the gain can be pooled over the
seeds too, all answers about a photo and its group drawn together.
"""

import argparse
import time

import numpy as np

from . import cells

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
    """Train frozen and fine-tuned on every round of one split; return one row."""
    labels, said, groups, found = _train(photos, set, backbone, image_size, seed)
    return [_row(labels, said, groups) | found]


def measure_photos(photos, set, backbone, image_size, seed):
    """Do the same; return a row a test photo: its group, and whether each way was right."""
    labels, said, groups, _ = _train(photos, set, backbone, image_size, seed)
    return [
        {"group": group} | {name: int(answers[place] == label) for name, answers in said.items()}
        for place, (label, group) in enumerate(zip(labels, groups, strict=True))
    ]


def pooled(table):
    """Return {set: Interval} of fine-tuned minus frozen over all seeds of a table of `measure_photos`."""
    from tutorial_utils.evaluation import metrics

    return {
        name: metrics.paired_difference(np.ones(len(rows), int), rows["tuned"], rows["frozen"], rows["group"])
        for name, rows in table.groupby("set")
    }


def _train(photos, set, backbone, image_size, seed):
    """Train frozen and fine-tuned on every round of one split.

    Return (labels, {way: answers}, groups) of all test photos, as lists, and what else is known of the trainings (dict)
    """
    import keras

    from tutorial_utils.data import pipeline
    from tutorial_utils.evaluation import metrics
    from tutorial_utils.models import backbones, training

    borrowed = backbones.get(backbone, fallback=None)
    weights, labels, groups, seconds = borrowed.base.get_weights(), [], [], 0
    said = {"frozen": [], "tuned": [], "eight_ways": []}
    checked = {"val_tuned": [], "val_eight_ways": []}
    for train, validation, test in rounds(set, photos, seed):
        keras.utils.set_random_seed(seed)
        borrowed.base.set_weights(weights)
        test_batches = pipeline.batches(test, image_size)
        model, _ = training.train_frozen(borrowed, train, validation, image_size)
        frozen = metrics.predict(model, test_batches)[1].argmax(axis=1)
        started = time.perf_counter()
        batches = training.augmented_batches(train, image_size, seed)
        val_batches = pipeline.batches(validation, image_size)
        training.fine_tune(model, borrowed.base, batches, val_batches)
        seconds += time.perf_counter() - started
        said["frozen"] += frozen.tolist()
        said["tuned"] += metrics.predict(model, test_batches)[1].argmax(axis=1).tolist()
        said["eight_ways"] += eight_ways(model, test_batches)[1].tolist()
        y_val, probabilities = metrics.predict(model, val_batches)
        checked["val_tuned"] += (probabilities.argmax(axis=1) == y_val).tolist()
        y_val, answers = eight_ways(model, val_batches)
        checked["val_eight_ways"] += (answers == y_val).tolist()
        labels += pipeline.labels(test).tolist()
        groups += test["group"].tolist()
    checked = {name: float(np.mean(right)) for name, right in checked.items()}
    return labels, said, groups, {"seconds": round(seconds)} | checked


def measure_refit(photos, set, backbone, image_size, seed):
    """Train frozen and fine-tuned on training and validation photos together, on every round; return one row."""
    import keras
    import pandas

    from tutorial_utils.data import pipeline
    from tutorial_utils.evaluation import metrics
    from tutorial_utils.models import backbones, training

    borrowed = backbones.get(backbone, fallback=None)
    weights, labels, groups = borrowed.base.get_weights(), [], []
    said = {"frozen": [], "tuned": [], "eight_ways": []}
    for train, validation, test in rounds(set, photos, seed):
        keras.utils.set_random_seed(seed)
        borrowed.base.set_weights(weights)
        both = pandas.concat([train, validation], ignore_index=True)
        test_batches = pipeline.batches(test, image_size)
        model, _ = training.train_frozen(borrowed, both, validation, image_size)
        said["frozen"] += metrics.predict(model, test_batches)[1].argmax(axis=1).tolist()
        training.fine_tune(model, borrowed.base, training.augmented_batches(both, image_size, seed), None)
        said["tuned"] += metrics.predict(model, test_batches)[1].argmax(axis=1).tolist()
        said["eight_ways"] += eight_ways(model, test_batches)[1].tolist()
        labels += pipeline.labels(test).tolist()
        groups += test["group"].tolist()
    return [_row(labels, said, groups)]


def _row(labels, said, groups):
    """Return the scores of each way, and the paired gain of fine-tuned over frozen, as one row."""
    from tutorial_utils.evaluation import metrics

    row = {"n_test": len(labels)}
    for name, predicted in said.items():
        score = metrics.accuracy(np.array(labels), np.array(predicted), groups)
        row |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
    gain = metrics.paired_difference(np.array(labels), np.array(said["tuned"]), np.array(said["frozen"]), groups)
    return row | {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}


def eight_ways(model, batches):
    """Return (labels, answers) of a model that looks at each photo in all eight ways to lay it down, and averages."""
    labels, answers = [], []
    for images, some in batches:
        images = np.asarray(images)
        ways = [
            way[:, :: 1 - 2 * down, :: 1 - 2 * across]
            for way in (images, images.transpose(0, 2, 1, 3))
            for down in (0, 1)
            for across in (0, 1)
        ]
        answers += np.mean([model.predict_on_batch(way) for way in ways], axis=0).argmax(axis=1).tolist()
        labels += np.asarray(some).tolist()
    return np.array(labels), np.array(answers)


def main():
    """Measure what is not yet kept, and print the means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--refit", action="store_true", help="learn from the validation photos too")
    other.add_argument("--photos", action="store_true", help="keep a row a test photo and seed, and pool the seeds")
    cells.seeded_options(parser, 5)
    arguments = parser.parse_args()
    grid = cells.seeded(arguments)
    if arguments.photos:
        table = cells.run("tuned_photos", grid, measure_photos, arguments, "python -m benchmarks.tuned --photos")
        for name, gain in pooled(table).items():
            print(f"{name}: fine-tuned minus frozen over {table['seed'].nunique()} seeds, {gain}")
        return
    if arguments.refit:
        table = cells.run("refit", grid, measure_refit, arguments, "python -m benchmarks.tuned --refit")
    else:
        table = cells.run("tuned", grid, measure, arguments, "python -m benchmarks.tuned")
    print(
        (100 * table.groupby("set")[["frozen", "tuned", "gain", "gain_low", "gain_high"]].mean()).round(1).to_string()
    )


if __name__ == "__main__":
    main()
