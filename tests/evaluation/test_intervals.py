"""The interval that every score comes with, and the bootstrap over groups: ends by tables of t and of the normal."""

import numpy as np
import pytest

from tutorial_utils.evaluation import intervals
from tutorial_utils.evaluation.intervals import Interval


@pytest.mark.parametrize(
    ("interval", "sentence"),
    [
        (Interval(0.875, 0.81, 0.92, 40, 9), "87.5 % right (95 % interval 81.0 to 92.0 %, n = 40 photos in 9 groups)"),
        (Interval(0.5, 0.0, 1.0, 4, 1), "50.0 % right (95 % interval 0.0 to 100.0 %, n = 4 photos in 1 group)"),
        (Interval(0.02, -0.01, 0.05, 9, 9, 0.9, "points"), "+2.0 points (90 % interval -1.0 to +5.0, n = 9 photos)"),
        (Interval(0.02, 0, 0.05, 9, 9, unit="points off"), "2.0 points off (95 % interval 0.0 to 5.0, n = 9 photos)"),
        (Interval(0.975, 0.91, 0.9934, 9, 9, unit="area"), "0.975 area (95 % interval 0.910 to 0.993, n = 9 photos)"),
    ],
)  # fmt: skip
def test_an_interval_reads_as_a_sentence(interval, sentence):
    """Score, interval, number of photos; groups only where photos share them; a difference with its sign."""
    assert str(interval) == sentence


def test_groups_become_numbers():
    assert intervals.group_numbers(["b", "a", "b"], 3).tolist() == [0, 1, 0]
    assert intervals.group_numbers(None, 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("groups", "message"), [(["a"], "one group for each of 2 photos"), (["a", None], "every photo; 1 have none")]
)
def test_a_photo_without_a_group_is_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        intervals.group_numbers(groups, 2)


def test_each_draw_holds_as_many_groups_as_there_are():
    """Drawn with replacement, a group comes once on average, and not at all in (1 - 1/5)**5 = 33 % of the draws."""
    drawn = intervals.draw_groups(5, repeats=4000, seed=1)
    assert drawn.shape == (4001, 5)
    assert (drawn[0] == 1).all()
    assert (drawn.sum(axis=1) == 5).all()
    assert drawn[1:].mean(axis=0) == pytest.approx(1, abs=0.06)  # four standard errors of 0.0141
    assert (drawn[1:] == 0).mean() == pytest.approx(0.8**5, abs=0.02)
    assert intervals.draw_groups(1, repeats=1).tolist() == [[1], [1]]


def test_draws_depend_on_the_seed_alone():
    first, again, other = (intervals.draw_groups(20, 10, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(intervals.draw_groups(20, 10), intervals.draw_groups(20, 10, seed=0))
    assert intervals.draw_groups(3).shape == (intervals.REPEATS + 1, 3)


EVENLY = np.append(0.4, np.linspace(0, 1, 1001))  # a value, and draws whose quantiles can be read off


def test_percentiles_are_moved_outwards_as_students_t_is_wider():
    """t(9) at 2.5 % is -2.262, times root(10/9) -2.385, below which lie 0.0085 of a normal; of many groups 0.025."""
    few = intervals.bootstrap(EVENLY, 40, 10)
    assert few[:6] == (0.4, pytest.approx(0.00855, abs=1e-4), pytest.approx(1 - 0.00855, abs=1e-4), 40, 10, 0.95)
    many = intervals.bootstrap(EVENLY, 40, 10**6, level=0.9, unit="points")
    assert many[1:] == (pytest.approx(0.05, abs=1e-4), pytest.approx(0.95, abs=1e-4), 40, 10**6, 0.9, "points")


def test_unbiased_draws_are_moved_back_to_the_value():
    """Their mean, 0.5, is 0.1 above the value: the ends go from 0.025 and 0.975 to -0.075, cut off at 0, and 0.875."""
    moved = intervals.bootstrap(EVENLY, 40, 10**6, unbiased=True)
    assert moved[1:3] == pytest.approx((0, 0.875), abs=1e-3)
    free = intervals.bootstrap(EVENLY, 40, 10**6, lowest=-1.0, unbiased=True)
    assert free.low == pytest.approx(-0.075, abs=1e-3)


@pytest.mark.parametrize("value", [-0.5, 1.5])
def test_the_value_never_lies_outside(value):
    found = intervals.bootstrap(np.append(value, EVENLY[1:]), 40, 10**6, lowest=-2.0, highest=2.0)
    assert found[1:3] == pytest.approx((min(value, 0.025), max(value, 0.975)), abs=1e-4)
    assert intervals.bootstrap(np.append(value, 3 + EVENLY), 40, 10**6, lowest=-2.0, highest=2.0).high == 2


@pytest.mark.parametrize(("groups", "tells"), [(1, False), (9, False), (10, True)])
def test_too_few_groups_could_be_anything(groups, tells):
    found = intervals.bootstrap(EVENLY, 40, groups, lowest=-3.0, highest=7.0)
    assert ((found.low, found.high) == (-3, 7)) != tells
    assert (found.value, found.groups) == (0.4, groups)
    assert (intervals.bootstrap(EVENLY, 40, groups)[1:3] == (0, 1)) != tells


def test_a_mean_of_few_groups_lies_in_its_interval_nineteen_times_in_twenty():
    """Twelve groups from a normal with mean 0; plain percentiles would hold it in nine times of ten."""
    rng, held = np.random.default_rng(0), 0
    for seed in range(1000):
        sums = rng.normal(size=12)
        means = intervals.draw_groups(12, 300, seed) @ sums / 12
        found = intervals.bootstrap(means, 12, 12, lowest=-9.0, highest=9.0)
        held += found.low <= 0 <= found.high
    assert 930 <= held <= 970


@pytest.mark.parametrize("level", [0, 1, 95])
def test_another_level_is_refused(level):
    with pytest.raises(ValueError, match=f"between 0 and 1; got {level}"):
        intervals.bootstrap(EVENLY, 40, 20, level)


def test_no_draw_at_all_is_refused():
    with pytest.raises(ValueError, match="repeats of at least 1; got 0"):
        intervals.draw_groups(3, repeats=0)
