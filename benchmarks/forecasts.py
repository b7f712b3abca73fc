"""Does a forecast of what more photos bring hold? From up to half of the training photos to all of them.

    python -m benchmarks.forecasts FOLDER ... [--seeds 3] [--image-size 128]

The logistic head on features of the frozen EfficientNet-Lite0 learns from a sixteenth, an eighth, a quarter and a half
of the training photos, drawn in whole groups. From these accuracies learning_curve.forecast_accuracy says what twice as
many photos as the half will bring, on the same test photos; then the head learns from all. Drawn "of all": five draws
of each share from all training photos. Drawn "of a half", which is what a reader can do who has no more: one half, and
three draws of each smaller share from within it, four halves. Once for all classes, once for the photos of the two
classes that the heads on half of the photos mix up most. Writes benchmarks/forecasts.csv.
"""

import argparse

import numpy as np
import pandas

from tutorial_utils.evaluation import learning_curve, metrics

from . import results, trust

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)  # of all training photos
DRAWS = 5
HALVES, DRAWS_OF_HALF = 4, 3


def draw(labels, groups, share, seed=0):
    """Return the rows of about `share` of the photos of each class, in whole groups, int (rows,), ascending.

    labels : int (photos,); groups : (photos,); share : above 0, up to 1
    The groups of a class come in an order drawn by `seed`, until they hold its share; each class has at least one. The
    same seed makes a larger share hold the smaller one, which splits.sample_per_class does not promise.
    """
    rng, kept = np.random.default_rng(seed), []
    for label in np.unique(labels):
        here = np.flatnonzero(labels == label)
        names, group_of = np.unique(groups[here], return_inverse=True)
        place = rng.permutation(len(names))[group_of]  # (photos of the class,)
        before = np.append(0, np.cumsum(np.bincount(place)))  # photos in the groups before each place
        kept.append(here[before[place] < share * len(here) - 1e-9])
    return np.sort(np.concatenate(kept))


def learned(train, test, rows):
    """Return (photos learned from, predicted classes of the test photos) of a head that learns from some rows."""
    solved = trust.head(trust.Part(*(each[rows] for each in train)))
    return len(rows), trust.logits(solved, test.features).argmax(axis=1)


def of_all(train, test):
    """Return [(share, photos learned from, predicted classes)] of draws from all training photos."""
    draws = [(share, draw(train.labels, train.groups, share, n)) for share in SHARES for n in range(DRAWS)]
    return [(share, *learned(train, test, rows)) for share, rows in draws]


def of_a_half(train, test, seed):
    """Return the same of one half of the training photos, and of draws from within it."""
    half = draw(train.labels, train.groups, SHARES[-1], seed)
    found = [(SHARES[-1], *learned(train, test, half))]
    for share in SHARES[:-1]:
        for n in range(DRAWS_OF_HALF):
            part = draw(train.labels[half], train.groups[half], share / SHARES[-1], DRAWS_OF_HALF * seed + n)
            found.append((share, *learned(train, test, half[part])))
    return found


def pair(found, labels):
    """Return the two classes (numbers) that are mixed up most by the heads on half of the photos, ascending."""
    classes = int(labels.max()) + 1
    counts = sum(metrics.confusion(labels, said, classes) for share, _, said in found if share == SHARES[-1])
    both = np.triu(counts + counts.T, k=1)  # each pair once
    return [int(number) for number in np.unravel_index(both.argmax(), both.shape)]


def case(found, everything, labels, here):
    """Return the forecast for the test photos `here` beside what was measured, as a dict."""
    (photos, said), right = everything, [(said == labels)[here].mean() for _, _, said in found]
    told = learning_curve.forecast_accuracy([number for _, number, _ in found], right, int(here.sum()), photos)
    half = [(number, score) for (share, number, _), score in zip(found, right, strict=True) if share == SHARES[-1]]
    measured = float((said == labels)[here].mean())
    return {
        "test_photos": int(here.sum()),
        "half": round(np.mean([number for number, _ in half])),
        "accuracy_half": np.mean([score for _, score in half]),
        "all": photos,
        "forecast": told.value,
        "low": told.low,
        "high": told.high,
        "measured": measured,
        "inside": told.low <= measured <= told.high,
    }


def rows_of(train, test, names):
    """Return the rows of one split as a list of dicts."""
    everything = learned(train, test, np.arange(len(train.labels)))
    ways = [("of all", of_all(train, test))]
    ways += [("of a half", of_a_half(train, test, number)) for number in range(HALVES)]
    rows = []
    for drawn, found in ways:
        two = pair(found, test.labels)
        asked = {"": np.ones(len(test.labels), bool)}
        if len(names) > 2:  # else the pair is all there is
            asked[" / ".join(names[number] for number in two)] = np.isin(test.labels, two)
        for which, here in asked.items():
            about = {"drawn": drawn, "asked": "pair" if which else "all classes", "pair": which}
            rows.append(about | case(found, everything, test.labels, here))
    return rows


def main():
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    trust.options(parser)
    arguments, rows = parser.parse_args(), []
    for where in arguments.folders:
        for seed in range(arguments.seeds):
            about = {"set": trust.name(where), "seed": seed}
            train, _, test = trust.frozen(where, seed, arguments.image_size)
            names = list(trust.table(where)["label"].cat.categories)
            rows += [about | row for row in rows_of(train, test, names)]
            print(*about.values(), flush=True)
    kept = pandas.DataFrame(rows).round(4)
    results.keep_table("forecasts", kept, "python -m benchmarks.forecasts", show=False)
    off = {name: (kept[name] - kept["measured"]).abs() for name in ("forecast", "accuracy_half")}
    summary = kept.assign(**off, width=kept["high"] - kept["low"], cases=1).groupby(["asked", "drawn"])
    print(summary.agg(dict(cases="sum", inside="sum", forecast="mean", accuracy_half="mean", width="mean")).round(3))
    print(kept.groupby(["asked", "drawn", "set"])["inside"].agg(["sum", "size"]).unstack("set"))


if __name__ == "__main__":
    main()
