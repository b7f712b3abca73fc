"""More than one number: scores of all classes and of each, pairs that are mixed up, two models compared (chapter 6).

Each comes with an interval that takes whole groups: photos of one plant tell less than as many plants. NumPy arrays in.
"""

import numpy as np
import pandas as pd
import scipy.stats

from . import metrics

REPEATS = 1000  # draws of the bootstrap
FEW_GROUPS = 10  # below, a bootstrap over groups draws almost the same few again and again


def score_table(labels, predicted, classes, groups=None, probabilities=None, k=3, level=0.95, repeats=REPEATS, seed=0):
    """Return the scores of a classifier over all classes, as a DataFrame: `value`, `low`, `high`, fractions.

    labels, predicted : int (photos,), 0 ... classes - 1; groups : (photos,), photos of one plant share theirs, or None
    probabilities : float (photos, classes), for the row of the top k: the true class is among the k that come first
    Rows: accuracy (its interval is that of metrics.accuracy), balanced accuracy (mean recall of the classes that have
    photos), macro precision, macro recall, macro F1 (means over all classes; 0 where nothing can be divided), top k.
    Intervals are bootstraps over groups, with percentiles moved outwards as Student's t is wider than the normal. NaN
    with fewer than FEW_GROUPS groups: see `too_few_groups`.
    Raises ValueError for no photos, unequal lengths, or numbers outside the classes.
    Source: Efron and Tibshirani (1993), chapter 13; Hesterberg (2015), The American Statistician 69, section 5.3.
    """
    counts, weights = _drawn(labels, predicted, classes, groups, repeats, seed)
    right, true, said = _sums(counts)  # (1 + repeats, classes) each
    recall, precision, f1 = _divided(right, true), _divided(right, said), _divided(2 * right, true + said)
    present = true > 0
    found = {
        "balanced accuracy": np.where(present, recall, 0).sum(axis=1) / np.maximum(present.sum(axis=1), 1),
        "macro precision": precision.mean(axis=1),
        "macro recall": recall.mean(axis=1),
        "macro F1": f1.mean(axis=1),
    }
    rows = {"accuracy": metrics.accuracy(labels, predicted, groups, level)[:3]}
    rows |= {name: bootstrap_ends(values, weights.shape[1], level) for name, values in found.items()}
    if probabilities is not None:
        rows[f"top {k}"] = _top(labels, probabilities, k, groups, level)
    return pd.DataFrame(rows, index=["value", "low", "high"]).T.rename_axis("score")


def class_table(labels, predicted, class_names, groups=None, level=0.95, repeats=REPEATS, seed=0):
    """Return precision, recall and F1 of every class with intervals, as a DataFrame, one row a class.

    The arguments are those of `overall`. Columns: `n` (photos), and for each score itself, `_low` and `_high`; the
    interval of recall is that of metrics.accuracy on the photos of the class, of precision on those that were taken
    for it, of F1 a bootstrap over groups. A class without photos, or never predicted, scores 0, from 0 to 1.
    """
    table = metrics.per_class(labels, predicted, class_names)
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    counts, weights = _drawn(labels, predicted, len(class_names), groups, repeats, seed)
    right, true, said = _sums(counts)
    f1 = _divided(2 * right, true + said)
    columns = {"n": table["n"]}
    for score, of in {"precision": predicted, "recall": labels}.items():
        ends = [_of_class(labels, predicted, of == number, groups, level) for number in range(len(class_names))]
        columns |= {score: table[score]} | _low_and_high(score, ends)
    ends = [bootstrap_ends(f1[:, number], weights.shape[1], level)[1:] for number in range(len(class_names))]
    return pd.DataFrame(columns | {"f1": table["f1"]} | _low_and_high("f1", ends), index=table.index)


def confused_pairs(labels, predicted, class_names, groups=None, cost=None, level=0.95, repeats=REPEATS, seed=0):
    """Return the pairs of classes that are mixed up, as a DataFrame, from the one that surely costs most.

    cost : float (classes, classes), what it costs to take a photo of the row's class for the column's; None: 1 each
    Columns: `first`, `second` (photos of the first are taken for the second at least as often as the other way round),
    `count` (photos, both ways), `cost` (a photo of these two classes, on average), `low`, `high` (its interval, a
    bootstrap over groups). Ordered by `low`, so that a pair that a few photos mixed up by chance does not lead.
    """
    size = len(class_names)
    cost = 1 - np.eye(size) if cost is None else np.asarray(cost, float)
    if cost.shape != (size, size):
        raise ValueError(f"cost must have a row and a column for each of {size} classes; got shape {cost.shape}.")
    counts, weights = _drawn(labels, predicted, size, groups, repeats, seed)
    rows = []
    for a, b in zip(*np.triu_indices(size, 1), strict=True):
        mixed = counts[:, a, b] * cost[a, b] + counts[:, b, a] * cost[b, a]
        value, low, high = bootstrap_ends(_divided(mixed, counts[:, [a, b]].sum(axis=(1, 2))), weights.shape[1], level)
        first, second = (a, b) if counts[0, a, b] >= counts[0, b, a] else (b, a)
        row = {"first": str(class_names[first]), "second": str(class_names[second])}
        row |= {"count": int(counts[0, a, b] + counts[0, b, a]), "cost": value, "low": low, "high": high}
        rows.append(row)
    table = pd.DataFrame(rows)
    return table[table["count"] > 0].sort_values(["low", "cost"], ascending=False, kind="stable").reset_index(drop=True)


def mcnemar(labels, predicted_a, predicted_b):
    """Return the chance that two equally good models differ on independent photos as much as these: a p-value.

    Exact: of the photos that only one of the two has right, each is as likely to be a's as b's.
    Source: McNemar (1947), Psychometrika 12, 153-157. The size of the difference, and photos that share groups:
    metrics.paired_difference.
    """
    gain = (np.asarray(labels) == predicted_a).astype(int) - (np.asarray(labels) == predicted_b)
    apart = int(np.abs(gain).sum())
    return 1.0 if not apart else float(scipy.stats.binomtest(int((gain == 1).sum()), apart).pvalue)


def too_few_groups(groups):
    """Return a sentence if photos come from too few groups for an interval, else ""."""
    count = len(set(np.asarray(groups).tolist()))
    if count >= FEW_GROUPS:
        return ""
    return (
        f"The photos come from {count} groups only: too few to say how sure these scores are (at least {FEW_GROUPS})."
    )


def bootstrap_ends(values, groups, level):
    """Return (value, low, high) of a score by a bootstrap over groups; low and high NaN with fewer than FEW_GROUPS.

    values : float (1 + repeats,), the score of all photos, then of each draw of `groups` groups with replacement
    """
    if groups < FEW_GROUPS:
        return float(values[0]), np.nan, np.nan
    t = scipy.stats.t.ppf((1 - level) / 2, groups - 1)
    outside = scipy.stats.norm.cdf(t * np.sqrt(groups / (groups - 1)))
    low, high = np.quantile(values[1:], [outside, 1 - outside])
    return float(values[0]), float(min(low, values[0])), float(max(high, values[0]))


def _drawn(labels, predicted, classes, groups, repeats, seed):
    """Return (counts, weights): confusions (1 + repeats, classes, classes), row 0 of all photos, then of draws."""
    metrics.confusion(labels, predicted, classes)  # raises ValueError for what does not fit
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    group_of = metrics.group_numbers(groups, len(labels))
    size = int(group_of.max()) + 1
    each = np.zeros((size, classes**2))
    np.add.at(each, (group_of, labels.astype(int) * classes + predicted), 1)
    rng = np.random.default_rng(seed)
    draws = [np.bincount(rng.integers(size, size=size), minlength=size) for _ in range(repeats)]
    weights = np.stack([np.ones(size), *draws])  # (1 + repeats, groups): how often each group was drawn
    return (weights @ each).reshape(-1, classes, classes), weights


def _sums(counts):
    return np.diagonal(counts, axis1=1, axis2=2), counts.sum(axis=2), counts.sum(axis=1)


def _divided(part, whole):
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) > 0)


def _of_class(labels, predicted, here, groups, level):
    if not here.any():
        return 0.0, 1.0
    some = None if groups is None else np.asarray(groups)[here]
    return metrics.accuracy(labels[here], predicted[here], some, level)[1:3]


def _low_and_high(score, ends):
    return {f"{score}_low": [low for low, _ in ends], f"{score}_high": [high for _, high in ends]}


def _top(labels, probabilities, k, groups, level):
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if not 1 <= k <= probabilities.shape[1]:
        raise ValueError(f"k must be from 1 to the number of classes, {probabilities.shape[1]}; got {k}.")
    first = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    among = (first == labels[:, None]).any(axis=1)
    return metrics.accuracy(np.zeros(len(labels), int), (~among).astype(int), groups, level)[:3]
