"""Scores of a classifier, each with an interval that respects groups: of all classes, of each, of two models compared.

NumPy arrays in, no TensorFlow needed (chapters 1 and 6).
"""

import numpy as np
import pandas as pd
import scipy.sparse
from scipy.special import ndtri, stdtrit

from .intervals import FEW_GROUPS, REPEATS, Interval, bootstrap, check_level, draw_groups, group_numbers


def predict(model, batches, progress=False):
    """Return the true labels and the model's probabilities, collected in one pass over the batches.

    One pass, because a shuffled dataset comes in another order the second time, and labels of one pass beside
    predictions of another make a good model look random (chapter 6).

    model : has predict_on_batch, as every Keras model has: compiled, several times faster than calling the
        model, and traced again for a smaller last batch once at most
    batches : yields (images, labels): (batch, height, width, 3) and int (batch,); a tf.data.Dataset or a list
    progress : show a progress bar
    Returns labels int (photos,), probabilities float32 (photos, classes).
    Raises ValueError for no batches, or where labels and probabilities do not fit each other.
    """
    if progress:
        from tqdm.auto import tqdm

        batches = tqdm(batches, desc="predict", unit="batch")
    pairs = [(np.asarray(labels), np.asarray(model.predict_on_batch(images))) for images, labels in batches]
    if not pairs:
        raise ValueError("Expected at least one batch of (images, labels); got none. Is the split empty?")
    labels, probabilities = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    if probabilities.ndim != 2 or len(probabilities) != len(labels):
        raise ValueError(
            f"Expected probabilities (photos, classes), a row for each of {len(labels)} labels; "
            f"got shape {probabilities.shape}. End the model in a softmax over the classes."
        )
    (labels,) = _same_length(probabilities.shape[1], labels=labels)
    return labels, probabilities.astype("float32")


def accuracy(labels, predicted, groups=None, level=0.95):
    """Return the share of photos predicted right, an Interval that respects groups.

    labels, predicted : int (photos,), 0 ... classes - 1
    groups : (photos,) one name or number a photo; photos of one plant share theirs. None: all independent
    level : the interval's confidence, between 0 and 1
    Raises ValueError for no photos, unequal lengths, labels that are no class numbers, level outside 0 ... 1.

    Independent photos: the score interval of Wilson (1927), JASA 22, 209-212.
    Shared groups: four photos of one plant tell less than four plants, so n becomes n / design effect (Rao
    and Scott 1992, Biometrics 48, 577-585), never more than n, and Student's t with groups - 1 degrees of
    freedom takes the normal's place (as in Korn and Graubard 1998, Survey Methodology 24, 193-201), both
    inside Wilson's formula. All right, or all wrong: the photos do not show how alike a group is, so each
    group counts once, which is cautious. A single shared group says nothing of others: 0 to 1.
    """
    labels, predicted = _same_length(labels=labels, predicted=predicted)
    level, right = check_level(level), labels == predicted
    n, value = len(right), float(right.mean())
    group_of = group_numbers(groups, n)
    count = int(group_of.max()) + 1
    if count == n:
        low, high = _wilson(value, n, ndtri((1 + level) / 2))
    elif count == 1:
        low, high = 0.0, 1.0
    else:
        n_effective = count if value in (0.0, 1.0) else n / max(1.0, _design_effect(right, group_of))
        low, high = _wilson(value, n_effective, stdtrit(count - 1, (1 + level) / 2))
    return Interval(value, low, high, n, count, level)


def paired_difference(labels, predicted_a, predicted_b, groups=None, level=0.95, repeats=REPEATS, seed=0):
    """Return how much more often model a is right than model b on the same photos, an Interval in points.

    labels, predicted_a, predicted_b : int (photos,), 0 ... classes - 1
    groups : (photos,) one name or number a photo, or None where photos are independent
    repeats : draws of the bootstrap; whole groups are drawn, so a plant's photos stay together
    Fractions in [-1, 1]; an interval that holds 0 means that these photos do not tell the two apart, and so do
    fewer than FEW_GROUPS groups: -1 to 1. Two models right on the same photos of enough groups get 0, 0, 0.
    Raises ValueError for no photos, unequal lengths, labels that are no class numbers, level outside 0 ... 1,
    repeats below 1.
    """
    labels, a, b = _same_length(labels=labels, predicted_a=predicted_a, predicted_b=predicted_b)
    gain = (labels == a).astype(int) - (labels == b)  # (photos,) -1, 0, 1
    group_of = group_numbers(groups, len(gain))
    gains, sizes = np.bincount(group_of, weights=gain), np.bincount(group_of)  # (groups,)
    drawn = draw_groups(len(sizes), repeats, seed)
    return bootstrap(drawn @ gains / (drawn @ sizes), len(gain), len(sizes), level, "points", lowest=-1.0)


def confusion(labels, predicted, classes):
    """Return how many photos of each true class (row) were predicted as each class (column).

    labels, predicted : int (photos,), 0 ... classes - 1
    classes : how many classes there are
    Returns int (classes, classes); the diagonal is what was right.
    Raises ValueError for no photos, unequal lengths, or a number outside 0 ... classes - 1.
    """
    if classes < 2:
        raise ValueError(f"Expected at least 2 classes; got {classes}. Give len(class_names).")
    labels, predicted = _same_length(classes, labels=labels, predicted=predicted)
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def score_table(labels, predicted, classes, groups=None, probabilities=None, k=3, level=0.95, repeats=REPEATS, seed=0):
    """Return the scores of a classifier over all classes, as a DataFrame: `value`, `low`, `high`, fractions.

    labels, predicted : int (photos,), 0 ... classes - 1; groups : (photos,), photos of one plant share theirs, or None
    probabilities : float (photos, classes), for the row of the top k: the true class is among the k that come first;
        with fewer classes than k, among all of them
    Rows: accuracy (its interval is that of `accuracy`), balanced accuracy (mean recall of the classes that have
    photos), macro precision, macro recall, macro F1 (means over all classes; 0 where nothing can be divided), top k.
    Intervals are bootstraps over groups: 0 to 1 with fewer than FEW_GROUPS groups, see `too_few_groups`.
    Raises ValueError for no photos, unequal lengths, or numbers outside the classes.
    """
    counts, n_groups = _drawn(labels, predicted, classes, groups, repeats, seed)
    precision, recall, f1 = _by_class(counts)  # (1 + repeats, classes) each
    present = counts.sum(axis=2) > 0  # recall is 0 elsewhere
    found = {
        "balanced accuracy": recall.sum(axis=1) / np.maximum(present.sum(axis=1), 1),
        "macro precision": precision.mean(axis=1),
        "macro recall": recall.mean(axis=1),
        "macro F1": f1.mean(axis=1),
    }
    rows = {"accuracy": accuracy(labels, predicted, groups, level)}
    rows |= {name: bootstrap(values, len(labels), n_groups, level) for name, values in found.items()}
    if probabilities is not None:
        k = min(k, classes)
        rows[f"top {k}"] = _top(labels, probabilities, k, groups, level)
    return pd.DataFrame({name: row[:3] for name, row in rows.items()}, ["value", "low", "high"]).T.rename_axis("score")


def class_table(labels, predicted, class_names, groups=None, level=0.95, repeats=REPEATS, seed=0):
    """Return precision, recall and F1 of every class with intervals, as a DataFrame, one row a class.

    The arguments are those of `score_table`. Columns: `n` (photos), and for each score itself, `_low` and `_high`; the
    interval of recall is that of `accuracy` on the photos of the class, of precision on those that were taken
    for it, of F1 a bootstrap over groups. A class without photos, or never predicted, scores 0, from 0 to 1.
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    counts, n_groups = _drawn(labels, predicted, len(class_names), groups, repeats, seed)
    f1 = _by_class(counts)[2]  # (1 + repeats, classes)
    rows = []
    for number in range(len(class_names)):
        found = {
            "precision": _of_some(labels, predicted, predicted == number, groups, level),
            "recall": _of_some(labels, predicted, labels == number, groups, level),
            "f1": bootstrap(f1[:, number], len(labels), n_groups, level)[:3],
        }
        row = {"n": int((labels == number).sum())}
        for score, (value, low, high) in found.items():
            row |= {score: value, f"{score}_low": low, f"{score}_high": high}
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index([str(name) for name in class_names], name="class"))


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
    counts, n_groups = _drawn(labels, predicted, size, groups, repeats, seed)
    rows = []
    for a, b in zip(*np.triu_indices(size, 1), strict=True):
        first, second = (a, b) if counts[0, a, b] >= counts[0, b, a] else (b, a)
        mixed = counts[:, a, b] * cost[a, b] + counts[:, b, a] * cost[b, a]
        values = _divided(mixed, counts[:, [a, b]].sum(axis=(1, 2)))
        found = bootstrap(values, len(labels), n_groups, level, highest=float(max(cost[a, b], cost[b, a])))
        row = {"first": str(class_names[first]), "second": str(class_names[second])}
        row |= {"count": int(counts[0, a, b] + counts[0, b, a])}
        rows.append(row | {"cost": found.value, "low": found.low, "high": found.high})
    table = pd.DataFrame(rows)
    return table[table["count"] > 0].sort_values(["low", "cost"], ascending=False, kind="stable").reset_index(drop=True)


def too_few_groups(groups):
    """Return a sentence if photos come from too few groups for an interval, else ""."""
    count = len(set(np.asarray(groups).tolist()))
    if count >= FEW_GROUPS:
        return ""
    return (
        f"The photos come from {count} groups only: too few to say how sure these scores are (at least {FEW_GROUPS})."
    )


def _wilson(value, n, quantile):
    """Return the ends of Wilson's interval for a share among n, for a two-sided quantile z or t."""
    squared = quantile**2 / n
    middle = (value + squared / 2) / (1 + squared)
    half = np.sqrt(squared * (value * (1 - value) + squared / 4)) / (1 + squared)
    low, high = float(middle - half), float(middle + half)
    return max(0.0, min(low, value)), min(1.0, max(high, value))  # rounding may not push value out


def _design_effect(right, group_of):
    """Return how many times larger the accuracy's variance is than that of as many independent photos."""
    n, value = len(right), right.mean()
    sizes = np.bincount(group_of)  # (groups,)
    residuals = np.bincount(group_of, weights=right) - value * sizes
    variance = len(sizes) / (len(sizes) - 1) * np.sum(residuals**2) / n**2
    return variance / (value * (1 - value) / n)


def _drawn(labels, predicted, classes, groups, repeats, seed):
    """Return confusions (1 + repeats, classes, classes), the first of all photos, then of draws; and how many groups.

    scikit-learn's confusion_matrix counts one at a time; a thousand draws are one matrix product.
    """
    confusion(labels, predicted, classes)  # raises ValueError for what does not fit
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    group_of = group_numbers(groups, len(labels))
    count = int(group_of.max()) + 1
    cells = group_of, labels.astype(int) * classes + predicted
    each = scipy.sparse.coo_array((np.ones(len(labels)), cells), shape=(count, classes**2)).tocsr()
    return (draw_groups(count, repeats, seed) @ each).reshape(-1, classes, classes), count


def _by_class(counts):
    """Return (precision, recall, F1) of confusions (draws, classes, classes), each (draws, classes)."""
    right, true, said = np.diagonal(counts, axis1=1, axis2=2), counts.sum(axis=2), counts.sum(axis=1)
    return _divided(right, said), _divided(right, true), _divided(2 * right, true + said)


def _divided(part, whole):
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) > 0)


def _of_some(labels, predicted, here, groups, level):
    """Return (value, low, high) of the accuracy on the photos `here`; 0, from 0 to 1, where there are none."""
    if not here.any():
        return 0.0, 0.0, 1.0
    return accuracy(labels[here], predicted[here], None if groups is None else np.asarray(groups)[here], level)[:3]


def _top(labels, probabilities, k, groups, level):
    """Return how often the true class is among the k that come first, an Interval."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if k < 1:
        raise ValueError(f"k must be at least 1; got {k}.")
    first = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    among = (first == labels[:, None]).any(axis=1)
    return accuracy(np.zeros(len(labels), int), (~among).astype(int), groups, level)


def _same_length(classes=None, **arrays):
    """Return the arrays as int64, or raise ValueError naming the one that does not fit."""
    checked = {name: _class_numbers(name, values, classes) for name, values in arrays.items()}
    lengths = {name: len(values) for name, values in checked.items()}
    if len(set(lengths.values())) > 1:
        came = ", ".join(f"{length} {name}" for name, length in lengths.items())
        raise ValueError(f"Expected arrays of one length; got {came}. Collect them in one pass, see predict.")
    return list(checked.values())


def _class_numbers(name, values, classes):
    """Return values as int64 (photos,), or raise ValueError."""
    values = np.asarray(values)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise ValueError(
            f"Expected {name} as class numbers, int (photos,); got {values.dtype} of shape {values.shape}. "
            "From probabilities take probabilities.argmax(axis=1); from a categorical column take .cat.codes."
        )
    if not values.size:
        raise ValueError(f"Expected {name} of at least one photo; got none. Is the split empty?")
    if values.min() < 0 or (classes is not None and values.max() >= classes):
        allowed = "0 or more" if classes is None else f"0 ... {classes - 1}"
        raise ValueError(
            f"Expected {name} {allowed}; got {values.min()} ... {values.max()}. "
            "Number the classes by their place in class_names."
        )
    return values.astype(np.int64)  # codes of a categorical are int8 and would overflow
