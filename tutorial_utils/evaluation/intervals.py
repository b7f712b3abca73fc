"""One interval for every score, and the bootstrap over groups that gives most of them theirs (chapter 6).

Photos of one plant tell less than as many plants: they are drawn together, as a group. NumPy arrays in.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.stats

REPEATS = 1000  # draws of the bootstrap
FEW_GROUPS = 10  # below, a bootstrap over groups draws almost the same few again and again


class Interval(NamedTuple):
    """A score and the interval in which it probably lies on new groups of photos.

    value, low, high : fractions where the unit begins with % or points, so 0.05 is 5 %; else numbers as they are
    n : photos; groups : the groups (plants) that they come from; level : the interval's confidence, 0 to 1
    unit : the words after the number; "points" is a difference, shown with its sign
    """

    value: float
    low: float
    high: float
    n: int
    groups: int
    level: float = 0.95
    unit: str = "% right"

    def __str__(self):
        """Return the sentence to print under a model, such as 87.5 % right (95 % interval 81.0 to 92.1 %, n = ...)."""
        scale, form = (100, ".1f") if self.unit.startswith(("%", "points")) else (1, ".3f")
        sign, percent = "+" if self.unit == "points" else "", " %" if self.unit.startswith("%") else ""
        value, low, high = (f"{scale * number:{sign}{form}}" for number in self[:3])
        groups = "" if self.groups == self.n else f" in {self.groups} group{'s' * (self.groups != 1)}"
        ends = f"{100 * self.level:g} % interval {low} to {high}{percent}"
        return f"{value} {self.unit} ({ends}, n = {self.n} photos{groups})"


def group_numbers(groups, n):
    """Return each photo's group as a number, int (n,), 0 ... groups - 1; None gives each photo its own.

    Raises ValueError for another number of groups than of photos, and for a photo without a group.
    """
    if groups is None:
        return np.arange(n)
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"Expected one group for each of {n} photos; got shape {groups.shape}. Use the column group.")
    numbers, _ = pd.factorize(groups)
    if numbers.min() < 0:
        raise ValueError(f"Expected a group for every photo; {(numbers < 0).sum()} have none. Give each its own.")
    return numbers


def draw_groups(groups, repeats=REPEATS, seed=0):
    """Return how often each group is drawn, float (1 + repeats, groups): row 0 is all photos, each group once.

    The other rows are draws of as many groups with replacement. A matrix product with sums by group, (groups, ...),
    gives the sums of each draw. Raises ValueError for repeats below 1.
    """
    if repeats < 1:
        raise ValueError(f"Expected repeats of at least 1; got {repeats}. {REPEATS} serve a 95 % interval.")
    rng = np.random.default_rng(seed)
    draws = [np.bincount(rng.integers(groups, size=groups), minlength=groups) for _ in range(repeats)]
    return np.stack([np.ones(groups), *draws])


def bootstrap(values, n, groups, level=0.95, unit="% right", lowest=0.0, highest=1.0, unbiased=False):
    """Return the Interval of a score from a bootstrap over groups.

    values : float (1 + repeats,), the score of all photos, then that of each row of `draw_groups`
    n, groups : photos, and the groups that they come from; lowest, highest : what the score can be
    unbiased : for a score that chance only ever raises, such as a calibration error: each draw raises it once more, so
        the draws are moved back by what they are above the value, on average
    The ends are percentiles, moved outwards as Student's t is wider than the normal. Fewer than FEW_GROUPS groups say
    too little of others: from lowest to highest. Raises ValueError for a level outside 0 ... 1.
    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapters 10 and 13; by group, Davison and
    Hinkley (1997), section 3.8; percentiles moved outwards, Hesterberg (2015), The American Statistician 69, 371-386,
    section 5.3.
    """
    value, draws, level = float(values[0]), np.asarray(values)[1:], check_level(level)
    if groups < FEW_GROUPS:
        return Interval(value, lowest, highest, n, groups, level, unit)
    if unbiased:
        draws = draws - (draws.mean() - value)
    t = scipy.stats.t.ppf((1 - level) / 2, groups - 1)
    outside = scipy.stats.norm.cdf(t * np.sqrt(groups / (groups - 1)))
    low, high = np.quantile(draws, [outside, 1 - outside])
    low, high = max(lowest, min(low, value)), min(highest, max(high, value))  # rounding may not push the value out
    return Interval(value, float(low), float(high), n, groups, level, unit)


def check_level(level):
    """Return level as a float, or raise ValueError unless it lies between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"Expected level between 0 and 1; got {level}. Use 0.95 for a 95 % interval.")
    return float(level)
