"""Would more photos help? A curve through the error at growing numbers of photos, and a forecast (chapter 6)."""

import numpy as np
import scipy.stats

from .intervals import Interval


def forecast_accuracy(photos, accuracies, n_test, at, level=0.9):
    """Return the accuracy to expect at some number of photos, an Interval, from accuracies at smaller numbers.

    photos : float (measurements,), how many photos each was learned from, at least two different numbers
    accuracies : float (measurements,), fractions; n_test : int, how many test photos each accuracy was measured on
    at : the number of photos to forecast for
    The error is taken to fall as a power of the number of photos: a straight line through both logarithms, never a
    rising one. The interval holds a new measurement on as many test photos: the line's own uncertainty, the scatter of
    the measurements about it (at least what so few test photos bring about), with Student's t. A curve that
    still grows steeper, far from its power law, is forecast too low (benchmarks/forecasts.csv, magnetic_tile).
    Raises ValueError for fewer than three measurements, or accuracies that are no fractions.
    Source: Hestness et al. (2017), arXiv:1712.00409, section 2; Draper and Smith (1998), section 1.4.
    """
    photos, accuracies = np.asarray(photos, float), np.asarray(accuracies, float)
    _check(photos, accuracies)
    errors = (n_test * (1 - accuracies) + 0.5) / (n_test + 1)  # half a photo more: no error of 0
    x, y = np.log(photos), np.log(errors)
    slope = min(0.0, float(np.cov(x, y, bias=True)[0, 1] / x.var()))
    middle, free = float(y.mean()), len(x) - 2
    scatter = ((y - middle - slope * (x - x.mean())) ** 2).sum() / free
    center = middle + slope * (np.log(at) - x.mean())
    chance = (1 - np.exp(center)) / (np.exp(center) * n_test)  # variance of a measured error's logarithm
    distance = 1 / len(x) + (np.log(at) - x.mean()) ** 2 / (len(x) * x.var())
    half = scipy.stats.t.ppf((1 + level) / 2, free) * np.sqrt(max(scatter, chance) * (1 + distance))
    value, low, high = (float(1 - np.exp(one)) for one in (center, center + half, center - half))
    return Interval(value, max(0.0, low), high, n_test, n_test, level, "% right expected")


def _check(photos, accuracies):
    if photos.shape != accuracies.shape or photos.ndim != 1 or len(photos) < 3:
        raise ValueError(
            f"Expected at least three measurements, an accuracy for each number; got shapes {photos.shape} and "
            f"{accuracies.shape}."
        )
    if len(set(photos.tolist())) < 2 or photos.min() <= 0:
        raise ValueError("Expected at least two different numbers of photos, all above 0.")
    if not (accuracies.min() >= 0 and accuracies.max() <= 1):
        raise ValueError(f"Expected accuracies as fractions, 0 to 1; got up to {accuracies.max():g}.")
