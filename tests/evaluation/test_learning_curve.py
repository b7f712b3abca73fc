import numpy as np
import pytest

from tutorial_utils.evaluation import learning_curve


def test_a_power_law_is_continued():
    """Errors of 40, 20 and 10 % at 100, 200 and 400 photos halve with every doubling: 5 % at 800."""
    found = learning_curve.forecast_accuracy([100, 200, 400], [0.6, 0.8, 0.9], asked=10**9, at=800)
    assert found.value == pytest.approx(0.95, abs=1e-6)
    assert found.high - found.low < 1e-3
    assert found[3:] == (10**9, 10**9, 0.9, "% right expected")


def test_a_curve_never_falls_with_more_photos():
    found = learning_curve.forecast_accuracy([100, 200, 400], [0.8, 0.79, 0.78], asked=500, at=800)
    assert found.value == pytest.approx(0.79, abs=0.002)  # level, at the mean
    assert found.low < 0.78 < found.high


def test_no_mistakes_at_all_are_no_certainty():
    found = learning_curve.forecast_accuracy([10, 20, 40], [1.0, 1.0, 1.0], asked=20, at=80)
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
        found = learning_curve.forecast_accuracy(numbers, measured(numbers), asked=300, at=200)
        held += found.low <= measured(200) <= found.high
    assert 0.87 * tries <= held <= 0.95 * tries


def test_a_draw_takes_whole_groups_of_each_class_until_it_has_its_share():
    """Class 0: five plants of four photos; class 1: a plant of eight, two of one. Half is 10 and 5 photos."""
    labels = np.repeat([0, 1], [20, 10])
    groups = np.r_[np.repeat(np.arange(5), 4), np.repeat([5, 6, 7], [8, 1, 1])]
    for seed in range(20):
        rows = learning_curve.subsample(labels, groups, 0.5, seed)
        whole = [np.isin(groups[labels == label], groups[rows]).sum() for label in (0, 1)]
        assert whole == np.bincount(labels[rows]).tolist()
        assert whole[0] == 12  # two plants are 8 photos, too few
        assert whole[1] in (8, 9, 10)  # the large plant is always needed; small ones may come before it
        assert set(rows) <= set(learning_curve.subsample(labels, groups, 0.8, seed))
    np.testing.assert_array_equal(learning_curve.subsample(labels, groups, 1, 0), np.arange(30))
    assert np.bincount(labels[learning_curve.subsample(labels, groups, 0.01, 0)]).min() > 0
    different = {tuple(learning_curve.subsample(labels, groups, 0.5, seed)) for seed in range(20)}
    assert len(different) > 5


@pytest.mark.parametrize(("groups", "share"), [([1, 2], 0), ([1, 2], 1.5), ([1], 0.5)])
def test_a_draw_of_another_share_is_refused(groups, share):
    with pytest.raises(ValueError, match="share above 0"):
        learning_curve.subsample([0, 1], groups, share)


@pytest.mark.parametrize(
    ("photos", "accuracies", "message"),
    [
        ([1, 2], [0.5, 0.6], "at least three"),
        ([2, 2, 2], [0.5, 0.6, 0.7], "two different numbers"),
        ([1, 2, 3], [50, 60, 70], "fractions"),
    ],
)
def test_what_gives_no_curve_is_refused(photos, accuracies, message):
    with pytest.raises(ValueError, match=message):
        learning_curve.forecast_accuracy(photos, accuracies, 100, 10)
