import numpy as np
import pytest

from tutorial_utils.evaluation import learning_curve


def test_a_power_law_is_continued():
    """Errors of 40, 20 and 10 % at 100, 200 and 400 photos halve with every doubling: 5 % at 800."""
    found = learning_curve.forecast_accuracy([100, 200, 400], [0.6, 0.8, 0.9], n_test=10**9, at=800)
    assert found.value == pytest.approx(0.95, abs=1e-6)
    assert found.high - found.low < 1e-3
    assert found[3:] == (10**9, 10**9, 0.9, "% right expected")


def test_the_interval_by_hand():
    """At logarithms 0, 1, 2 of the photos the error's are -1, -1.5, -2.3: slope -0.65, residuals -0.05, 0.1, -0.05.

    At 4 the line is at -3.55. The scatter is 0.015 with one degree of freedom, t = 6.3138; the distance from the middle
    adds 1/3 + 9/2, so half of the interval is 6.3138 root(0.015 * 5.8333) = 1.8677.
    """
    found = learning_curve.forecast_accuracy(np.exp([0, 1, 2]), 1 - np.exp([-1, -1.5, -2.3]), 10**9, np.exp(4))
    assert found[:3] == pytest.approx((1 - np.exp(-3.55), 1 - np.exp(-1.6823), 1 - np.exp(-5.4177)), abs=1e-4)


def test_few_test_photos_scatter_at_least_by_chance():
    """Always 75 % right of 99, counted as an error of (24.75 + 0.5) / 100 = 0.2525, and no scatter between the four.

    The variance of its logarithm is 0.7475 / (0.2525 * 99) = 0.0299; in the middle of four it counts 1 + 1/4 times;
    t(2) = 2.92, so half is 0.5646.
    """
    found = learning_curve.forecast_accuracy(np.exp([0, 0, 2, 2]), [0.75] * 4, 99, np.exp(1))
    ends = 1 - 0.2525 * np.exp([0, 0.5646, -0.5646])
    assert found[:3] == pytest.approx(tuple(ends), abs=1e-4)


def test_no_accuracy_lies_below_none_right():
    assert learning_curve.forecast_accuracy([10, 20, 40], [0.05, 0.0, 0.1], 20, 80).low == 0


def test_a_curve_never_falls_with_more_photos():
    found = learning_curve.forecast_accuracy([100, 200, 400], [0.8, 0.79, 0.78], n_test=500, at=800)
    assert found.value == pytest.approx(0.79, abs=0.002)  # level, at the mean
    assert found.low < 0.78 < found.high


def test_no_mistakes_at_all_are_no_certainty():
    found = learning_curve.forecast_accuracy([10, 20, 40], [1.0, 1.0, 1.0], n_test=20, at=80)
    assert found.value > 0.97
    assert found.low < 0.95


def test_the_interval_holds_what_is_then_measured():
    """Errors of 2 / n**0.5 with scatter between draws, measured on 300 photos: 90 % of the forecasts hold it."""
    rng, held, tries = np.random.default_rng(0), 0, 1000
    numbers = np.repeat([25, 50, 100], 3)

    def measured(n):
        error = 2 / np.sqrt(n) * np.exp(rng.normal(0, 0.1, np.shape(n)))
        return 1 - rng.binomial(300, np.minimum(error, 1)) / 300

    for _ in range(tries):
        found = learning_curve.forecast_accuracy(numbers, measured(numbers), n_test=300, at=200)
        held += found.low <= measured(200) <= found.high
    assert 0.87 * tries <= held <= 0.95 * tries


@pytest.mark.parametrize(
    ("photos", "accuracies", "message"),
    [
        ([1, 2], [0.5, 0.6], "at least three"),
        ([1, 2, 3], [0.5, 0.6], "at least three"),
        ([2, 2, 2], [0.5, 0.6, 0.7], "two different numbers"),
        ([0, 1, 2], [0.5, 0.6, 0.7], "all above 0"),
        ([1, 2, 3], [0.5, 0.6, 1.1], "fractions"),
        ([1, 2, 3], [-0.1, 0.6, 0.7], "fractions"),
    ],
)
def test_what_gives_no_curve_is_refused(photos, accuracies, message):
    with pytest.raises(ValueError, match=message):
        learning_curve.forecast_accuracy(photos, accuracies, 100, 10)
