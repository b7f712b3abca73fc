"""Is a confident answer a right one? Confidence against accuracy, and what to do where they differ (chapter 6).

Confidence is the probability of the class that comes first. NumPy arrays in, no TensorFlow needed.
"""

import numpy as np
import pandas as pd
import scipy.optimize
from scipy.special import logsumexp, softmax

from . import metrics
from .intervals import REPEATS, bootstrap, draw_groups, group_numbers

BINS = 10
_SMALLEST = 1e-12  # probability whose logarithm is still taken
_COLDEST, _HOTTEST = 0.05, 20.0  # temperatures that are tried


def reliability(probabilities, labels, bins=BINS):
    """Return how often a model is right where it is how sure, as a DataFrame, one row a bin that holds photos.

    probabilities : float (photos, classes), each row sums to 1; labels : int (photos,), 0 ... classes - 1
    bins : equal steps of confidence from 0 to 1; a confidence on an edge belongs to the bin below
    Columns: `from`, `to` (edges), `n` (photos), `confidence` (their mean), `accuracy`, `low`, `high` (Wilson's 95 %
    interval of the accuracy). Raises ValueError if lengths differ or values are not probabilities.
    Source: Guo et al. (2017), arXiv:1706.04599, section 2.
    """
    confidence, right = _judged(probabilities, labels)
    place = _bins_of(confidence, bins)
    rows = []
    for number in np.unique(place):
        here = place == number
        score = metrics.accuracy(np.zeros(here.sum(), int), (~right[here]).astype(int))
        edges = {"from": number / bins, "to": (number + 1) / bins}
        rows.append(edges | {"n": score.n, "confidence": confidence[here].mean(), "accuracy": score.value})
        rows[-1] |= {"low": score.low, "high": score.high}
    return pd.DataFrame(rows)


def calibration_error(probabilities, labels, groups=None, bins=BINS, level=0.95, repeats=REPEATS, seed=0):
    """Return how far a classifier's confidence is from its accuracy: the expected calibration error, an Interval.

    probabilities, labels, bins : as for `reliability`; groups : (photos,), photos of one plant share theirs, or None
    The value is the mean over the bins of |accuracy - confidence|, weighted by their photos: 0.05 is off by 5 points.
    Few photos alone make the error larger than it is, and each draw of the bootstrap over groups does so once more, so
    the draws are moved back (intervals.bootstrap, unbiased). Fewer than FEW_GROUPS groups: 0 to 1.
    Raises ValueError if lengths differ or values are not probabilities.
    Source: Guo et al. (2017), arXiv:1706.04599, section 2.
    """
    errors, n_groups = _drawn_errors([probabilities], labels, groups, bins, repeats, seed)
    return bootstrap(errors[:, 0], len(labels), n_groups, level, "points off", unbiased=True)


def calibration_difference(probabilities, others, labels, groups=None, bins=BINS, level=0.95, repeats=REPEATS, seed=0):
    """Return the calibration error of the first probabilities minus that of the others, on the same photos.

    The arguments are those of `calibration_error`. Below 0: the first are the better calibrated.
    """
    errors, n_groups = _drawn_errors([probabilities, others], labels, groups, bins, repeats, seed)
    change = errors[:, 0] - errors[:, 1]
    return bootstrap(change, len(labels), n_groups, level, "points", lowest=-1.0, unbiased=True)


def fit_temperature(probabilities, labels, groups=None, cautious=True):
    """Return the temperature, above 0, that the labels ask for: the nearest to 1 that is about as good as the best.

    probabilities : float (photos, classes) of photos that the model did not learn from: the validation photos
    groups : (photos,), photos of one plant share theirs, or None where photos are independent
    cautious : False for the best temperature itself, which few photos can mislead (benchmarks/calibrated.csv)
    Above 1 the model was too sure, below 1 not sure enough. See `apply_temperature`. The best has the lowest loss with
    Firth's correction, which keeps it from running to 0 where all photos are right. From there 1 / temperature goes
    one standard error toward 1, not beyond: the simplest of those that the photos do not tell apart. A single
    group, or answers that are all equally unsure, say nothing: 1.
    Source: Guo et al. (2017), arXiv:1706.04599, section 4.2; Firth (1993), Biometrika 80, 27-38; the one-standard-error
    rule: Hastie et al. (2009), section 7.10; standard errors by group: Liang and Zeger (1986), Biometrika 73, 13-22.
    """
    _judged(probabilities, labels)  # raises ValueError for what are no probabilities
    logs, place = _logs(probabilities), np.arange(len(labels))

    def loss(log_temperature):
        scaled = logs / np.exp(log_temperature)
        told = np.log(max(_told(scaled), np.finfo(float).tiny)) + 2 * log_temperature  # about 1 / temperature
        return np.sum(logsumexp(scaled, axis=1) - scaled[place, labels]) - told / 2

    if np.ptp(logs, axis=1).max() < _SMALLEST:
        return 1.0
    edges = np.log([_COLDEST, _HOTTEST])
    factor = 1 / float(np.exp(scipy.optimize.minimize_scalar(loss, bounds=edges, method="bounded").x))
    if cautious:
        error = _standard_error(factor, logs, labels, group_numbers(groups, len(labels)))
        factor = 1 + np.sign(factor - 1) * max(0.0, abs(factor - 1) - error)
    return float(1 / factor)


def apply_temperature(probabilities, temperature):
    """Return the probabilities (photos, classes) at another temperature: softmax of their logarithms divided by it.

    The order of the classes stays, so no prediction changes.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0; got {temperature!r}.")
    return softmax(_logs(probabilities) / temperature, axis=1)


def risk_and_coverage(probabilities, labels):
    """Return what "answer only when surer than ..." brings, as a DataFrame, one row a threshold, from strict to lax.

    Columns: `threshold` (of confidence; a photo at it is answered), `coverage` (share of photos that is answered),
    `risk` (share of those that is wrong), `answered` (photos). Photos of equal confidence are answered together.
    Source: El-Yaniv and Wiener (2010), JMLR 11, section 2.
    """
    confidence, right = _judged(probabilities, labels)
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    risk = np.cumsum(~right[order]) / answered
    last = np.append(np.diff(confidence[order]) != 0, True)  # the last photo of each confidence
    table = {"threshold": confidence[order], "coverage": answered / len(order), "risk": risk, "answered": answered}
    return pd.DataFrame(table)[last].reset_index(drop=True)


def threshold_for(probabilities, labels, wanted):
    """Return the lowest threshold of confidence from which on at most the share `wanted` of the answers is wrong.

    probabilities, labels : of the validation photos; wanted : a fraction, 0 up to 1
    Returns a row of `risk_and_coverage`; None if even the surest answers are wrong more often.
    """
    if not 0 <= wanted < 1:
        raise ValueError(f"wanted must be a share of wrong answers, from 0 up to 1; got {wanted!r}.")
    table = risk_and_coverage(probabilities, labels)
    good = table[table["risk"] <= wanted]
    return good.iloc[-1] if len(good) else None


def _judged(probabilities, labels):
    """Return (confidence, right) of each photo, or raise ValueError for what are no probabilities."""
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    if probabilities.ndim != 2 or len(probabilities) != len(labels) or not len(labels):
        raise ValueError(
            f"Expected probabilities (photos, classes) and a label for each photo; got shapes {probabilities.shape} "
            f"and {labels.shape}."
        )
    sums = probabilities.sum(axis=1)
    if not (probabilities.min() >= 0 and np.abs(sums - 1).max() < 1e-3):  # also if any is no number
        raise ValueError(
            f"Expected probabilities (0-1, rows summing to 1); got values from {probabilities.min():.2f} and sums from "
            f"{sums.min():.2f} to {sums.max():.2f}. Apply softmax to logits first."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError(f"Expected labels as class numbers, 0 ... {probabilities.shape[1] - 1}; got {labels[:5]} ...")
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels


def _bins_of(confidence, bins):
    return np.clip(np.ceil(np.round(confidence * bins, 9)).astype(int) - 1, 0, bins - 1)


def _drawn_errors(several, labels, groups, bins, repeats, seed):
    """Return (errors, groups): float (1 + repeats, len(several)), of all photos, then of draws; how many groups."""
    judged = [_judged(probabilities, labels) for probabilities in several]
    group_of = group_numbers(groups, len(labels))
    count = int(group_of.max()) + 1
    drawn, sizes = draw_groups(count, repeats, seed), np.bincount(group_of)
    errors = []
    for confidence, right in judged:
        gaps = np.zeros((count, bins))  # sum of right - confidence
        np.add.at(gaps, (group_of, _bins_of(confidence, bins)), right - confidence)
        errors.append(np.abs(drawn @ gaps).sum(axis=1) / (drawn @ sizes))
    return np.stack(errors, axis=1), count


def _logs(probabilities):
    return np.log(np.maximum(np.asarray(probabilities, np.float64), _SMALLEST))


def _told(logits):
    """Return how much logits (photos, classes) tell about the factor before them: Fisher's information."""
    shares = softmax(logits, axis=1)
    means = (shares * logits).sum(axis=1, keepdims=True)
    return float((shares * (logits - means) ** 2).sum())


def _standard_error(factor, logits, labels, group_of):
    """Return the standard error of the factor that multiplies logits (photos, classes); infinite for one group."""
    count = int(group_of.max()) + 1
    if count == 1:
        return np.inf
    scaled = factor * logits
    shares = softmax(scaled, axis=1)
    slopes = scaled[np.arange(len(labels)), labels] - (shares * scaled).sum(axis=1)  # of each photo's log likelihood
    by_group = np.bincount(group_of, weights=slopes)
    told = max(_told(scaled), np.finfo(float).tiny)
    return factor * np.sqrt(count / (count - 1) * (by_group**2).sum()) / told
