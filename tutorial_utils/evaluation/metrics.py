"""Scores of a classifier, each with its interval; NumPy arrays in, no TensorFlow needed."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit


class Interval(NamedTuple):
    """A number measured on photos, with its interval; fractions. What kind of number, its subclasses say in words."""

    value: float
    low: float
    high: float
    n: int
    n_groups: int
    level: float = 0.95


class Accuracy(Interval):
    """The share of photos that were right, with its interval; fractions in [0, 1]."""

    def __str__(self):
        """Return the sentence to print under a model: score, interval, number of photos."""
        return (
            f"{100 * self.value:.1f} % right ({100 * self.level:g} % interval {100 * self.low:.1f} to "
            f"{100 * self.high:.1f} %, {_how_many(self)})"
        )


class Difference(Interval):
    """Accuracy of one model minus that of another on the same photos; fractions in [-1, 1]."""

    def __str__(self):
        """Return the sentence to print under two models: difference, interval, number of photos."""
        return (
            f"{100 * self.value:+.1f} points ({100 * self.level:g} % interval {100 * self.low:+.1f} to "
            f"{100 * self.high:+.1f}, {_how_many(self)})"
        )


class ConfusedPair(NamedTuple):
    """Two class names that are mistaken for each other, and how often, both directions together."""

    first: str
    second: str
    count: int


def accuracy(labels, predicted, groups=None, level=0.95):
    """Return the share of photos predicted right, with an interval that respects groups.

    labels, predicted : int (photos,), 0 ... classes - 1
    groups : (photos,) one name or number a photo; photos of one plant share theirs. None: all independent
    level : the interval's confidence, between 0 and 1
    Returns Accuracy(value, low, high, n, n_groups, level), fractions in [0, 1].
    Raises ValueError for no photos, unequal lengths, labels that are no class numbers, level outside 0 ... 1.

    Independent photos: the score interval of Wilson (1927), JASA 22, 209-212.
    Shared groups: four photos of one plant tell less than four plants, so n becomes n / design effect (Rao
    and Scott 1992, Biometrics 48, 577-585), never more than n, and Student's t with groups - 1 degrees of
    freedom takes the normal's place (as in Korn and Graubard 1998, Survey Methodology 24, 193-201), both
    inside Wilson's formula. All right, or all wrong: the photos do not show how alike a group is, so each
    group counts once, which is cautious. A single shared group says nothing of others: 0 to 1.
    """
    labels, predicted = _same_length(labels=labels, predicted=predicted)
    level = _level(level)
    right = labels == predicted
    n, value = len(right), float(right.mean())
    group_of = group_numbers(groups, n)
    n_groups = int(group_of.max()) + 1
    if n_groups == n:
        low, high = _wilson(value, n, ndtri((1 + level) / 2))
    elif n_groups == 1:
        low, high = 0.0, 1.0
    else:
        n_effective = n_groups if value in (0.0, 1.0) else n / max(1.0, _design_effect(right, group_of))
        low, high = _wilson(value, n_effective, stdtrit(n_groups - 1, (1 + level) / 2))
    return Accuracy(value, low, high, n, n_groups, level)


def paired_difference(labels, predicted_a, predicted_b, groups=None, level=0.95, repeats=2000, seed=0):
    """Return how much more often model a is right than model b, on the same photos.

    labels, predicted_a, predicted_b : int (photos,), 0 ... classes - 1
    groups : (photos,) one name or number a photo, or None where photos are independent
    repeats : draws of the bootstrap; whole groups are drawn, so a plant's photos stay together
    Returns Difference(value, low, high, n, n_groups, level), fractions in [-1, 1]; an interval that holds 0
    means that these photos do not tell the two apart. Two models right on the same photos get 0, 0, 0.
    Raises ValueError for no photos, unequal lengths, labels that are no class numbers, level outside 0 ... 1,
    repeats below 1.
    Source: percentile bootstrap, Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13;
    by group, Davison and Hinkley (1997), Bootstrap Methods and their Application, section 3.8.
    """
    labels, a, b = _same_length(labels=labels, predicted_a=predicted_a, predicted_b=predicted_b)
    level = _level(level)
    if repeats < 1:
        raise ValueError(f"Expected repeats of at least 1; got {repeats}. 2000 serves a 95 % interval.")
    gain = (labels == a).astype(int) - (labels == b)  # (photos,) -1, 0, 1
    group_of = group_numbers(groups, len(gain))
    gains, sizes = np.bincount(group_of, weights=gain), np.bincount(group_of)  # (groups,)
    rng = np.random.default_rng(seed)
    draws = (rng.integers(len(sizes), size=len(sizes)) for _ in range(repeats))
    differences = [gains[drawn].sum() / sizes[drawn].sum() for drawn in draws]
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(gain.mean()), float(low), float(high), len(gain), len(sizes), level)


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


def per_class(labels, predicted, class_names):
    """Return precision, recall and F1 of every class.

    labels, predicted : int (photos,), 0 ... len(class_names) - 1
    Returns a DataFrame, one row a class: precision, recall, f1 (fractions in [0, 1]) and n, its photos.
    Where nothing can be divided the score is 0.0, never NaN: the precision of a class that was never
    predicted, the recall of a class without photos (n = 0).
    Raises ValueError for no photos, unequal lengths, or a number that has no class name.
    """
    counts = confusion(labels, predicted, len(class_names))
    right, true, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)  # (classes,)
    return pd.DataFrame(
        {
            "precision": right / np.maximum(said, 1),
            "recall": right / np.maximum(true, 1),
            "f1": 2 * right / np.maximum(true + said, 1),
            "n": true,
        },
        index=pd.Index([str(name) for name in class_names], name="class"),
    )


def most_confused(counts, class_names):
    """Return the two classes that are most often mistaken for each other.

    counts : int (classes, classes), from confusion()
    Returns ConfusedPair(first, second, count): count is both directions together, and photos of the first are
    taken for the second at least as often as the other way round. Among equal pairs the earliest; None if
    there is no mistake.
    Raises ValueError if counts is not square with one row a class name.
    """
    counts = np.asarray(counts)
    if counts.shape != (len(class_names), len(class_names)):
        raise ValueError(
            f"Expected counts with a row and a column for each of {len(class_names)} class names; "
            f"got shape {counts.shape}. Count with confusion(labels, predicted, len(class_names))."
        )
    both = np.triu(counts + counts.T, k=1)  # each pair once, above the diagonal
    first, second = np.unravel_index(both.argmax(), both.shape)
    if both[first, second] == 0:
        return None
    if counts[second, first] > counts[first, second]:
        first, second = second, first
    return ConfusedPair(str(class_names[first]), str(class_names[second]), int(both.max()))


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


def _how_many(score):
    """Return "n = 144 photos in 36 groups", or "n = 144 photos" where each photo is a group of its own."""
    groups = "" if score.n_groups == score.n else f" in {score.n_groups} groups"
    return f"n = {score.n} photos{groups}"


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


def group_numbers(groups, n):
    """Return each photo's group as a number, 0 ... groups - 1; None gives each photo its own."""
    if groups is None:
        return np.arange(n)
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"Expected one group for each of {n} photos; got shape {groups.shape}. Use the column group.")
    numbers, _ = pd.factorize(groups)
    if numbers.min() < 0:
        raise ValueError(f"Expected a group for every photo; {(numbers < 0).sum()} have none. Give each its own.")
    return numbers


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


def _level(level):
    """Return level as a float, or raise ValueError unless it lies between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"Expected level between 0 and 1; got {level}. Use 0.95 for a 95 % interval.")
    return float(level)
