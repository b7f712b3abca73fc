"""Does a photo show anything that the model has learned? A model names one of its classes for every photo (chapter 6).

A score says how strange a photo is, higher for stranger: how far its features lie from those of all training photos.
NumPy arrays in, no TensorFlow needed.
"""

import numpy as np
import scipy.optimize
import scipy.stats

from . import error_analysis, metrics
from .intervals import Interval, group_numbers

NEAREST = 5  # the distance to this training photo counts (benchmarks/unknown.csv)
KEEP = 0.95  # share of known photos that a threshold lets pass
_TINY = 1e-12


def knn_distance(features, training, nearest=NEAREST):
    """Return how far each photo lies from what was learned: the distance to its `nearest`-th nearest training photo.

    features : float (photos, channels), what the model's base makes of the photos, pooled (models.features)
    training : float (training photos, channels), the same of the photos that it learned from
    Both are scaled to length 1 first, so that a distance lies in [0, 2]: 0 is the same direction, 1.41 a right angle.
    Returns float (photos,). Raises ValueError for other shapes, values that are no numbers, or fewer training photos
    than `nearest`.
    Source: Sun et al. (2022), arXiv:2204.06507, section 3.
    """
    distances, _ = error_analysis.nearest_photos(features, training, nearest)  # 1 - cosine
    return np.sqrt(2 * distances[:, -1])


def score_threshold(scores, keep=KEEP):
    """Return the score above which a photo counts as unknown: so that the share `keep` of known photos stays below.

    scores : float (photos,), of known photos that the model did not learn from: the validation photos
    keep : a fraction between 0 and 1
    Of n scores it is the one at place (n + 1) * keep in ascending order, rounded up: on average over such validation
    photos, at least `keep` of new known ones pass. Fewer than keep / (1 - keep) photos (19 for 0.95) cannot promise
    that; then it is the highest score.
    Raises ValueError for no scores, scores that are no numbers, or another `keep`.
    Source: Vovk et al. (2005), split conformal; Angelopoulos and Bates (2021), arXiv:2107.07511, section 1.
    """
    scores = _scores("scores", scores)
    if not 0 < keep < 1:
        raise ValueError(f"keep must be a share of known photos between 0 and 1; got {keep!r}.")
    place = int(np.ceil((len(scores) + 1) * keep - 1e-9))
    return float(np.sort(scores)[min(place, len(scores)) - 1])


def acceptance_rate(scores, limit, groups=None, level=0.95):
    """Return the share of photos whose score is at most `limit`, an Interval.

    scores : float (photos,); limit : from `score_threshold`
    groups : (photos,), photos of one plant share theirs, or None
    Of known photos: what the limit leaves of them. Of unknown ones: those that it misses. The interval is that of
    metrics.accuracy.
    """
    strange = (_scores("scores", scores) > limit).astype(int)
    found = metrics.accuracy(np.zeros(len(strange), int), strange, groups, level)
    return found._replace(unit="% taken for known")


def auroc(known, unknown, known_groups=None, unknown_groups=None, level=0.95):
    """Return the chance that an unknown photo scores higher than a known one, an Interval; equal scores count half.

    known, unknown : float (photos,) each, scores such as `knn_distance`; 0.5 is guessing, 1 is never wrong
    known_groups, unknown_groups : (photos,) each; photos of one plant, or of one other data set, share theirs; or None
    The interval is Newcombe's, which stays honest at an area of 1. Where photos share groups, their numbers are divided
    by the design effect that the groups have on their side's part of the variance, and Student's t, with the smaller
    of the two numbers of groups less one, takes the normal's place. A single shared group says nothing: 0 to 1.
    Raises ValueError for no photos, or scores that are no numbers.
    Source: Newcombe (2006), Statistics in Medicine 25, 559-573, method 5; Obuchowski (1997), Biometrics 53, 567-578.
    """
    known, unknown = _scores("known", known), _scores("unknown", unknown)
    parts = _below(known, unknown), _below(unknown, known)  # (photos,) each: how often it wins against the other side
    value, quantile = float(parts[1].mean()), scipy.stats.norm.ppf((1 + level) / 2)
    groups = group_numbers(known_groups, len(known)), group_numbers(unknown_groups, len(unknown))
    counts = [int(of.max()) + 1 for of in groups]
    shared = [count < len(of) for count, of in zip(counts, groups, strict=True)]
    low, high = 0.0, 1.0
    if any(shared):
        quantile = scipy.stats.t.ppf((1 + level) / 2, min(counts) - 1)
    if np.isfinite(quantile):
        sizes = [_effective(part, of) for part, of in zip(parts, groups, strict=True)]
        low, high = _low_end(value, *sizes, quantile), 1 - _low_end(1 - value, *sizes, quantile)
    n = len(known) + len(unknown)
    return Interval(value, float(low), float(high), n, sum(counts), level, "area under the ROC curve")


def _below(scores, others):
    """Return for each score the share of `others` that lie below it, equal ones counted half."""
    others = np.sort(others)
    return (np.searchsorted(others, scores, "left") + np.searchsorted(others, scores, "right")) / (2 * len(others))


def _effective(part, group_of):
    """Return how many independent photos tell as much about the area as these, in their groups."""
    n, count = len(part), int(group_of.max()) + 1
    residuals = part - part.mean()
    if count == n:
        return n
    if not np.abs(residuals).max() > _TINY:  # no difference shows how alike the photos of a group are
        return count
    by_group = np.bincount(group_of, weights=residuals)
    effect = (count / (count - 1) * (by_group**2).sum()) / (n / (n - 1) * (residuals**2).sum())
    return n / max(1.0, effect)


def _low_end(value, m, n, quantile):
    """Return the area below `value` that lies `quantile` standard errors from it, its own ones."""
    if value <= 0:
        return 0.0
    star = (m + n) / 2 - 1

    def gap(area):
        bends = 1 + star * (1 - area) / (2 - area) + star * area / (1 + area)
        return (value - area) ** 2 - quantile**2 * area * (1 - area) * bends / (m * n)

    return scipy.optimize.brentq(gap, 0.0, min(value, 1 - _TINY))


def _scores(name, scores):
    """Return scores as float64 (photos,), or raise ValueError."""
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or not scores.size or not np.isfinite(scores).all():
        raise ValueError(
            f"Expected {name} as finite numbers, one for each of at least one photo; got shape {scores.shape}."
        )
    return scores
