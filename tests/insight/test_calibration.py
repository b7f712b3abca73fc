"""Confidence and accuracy, with gaps that can be done by hand."""

import numpy as np
import pytest

from tutorial_utils.insight import calibration


def sure(confidences, right, classes=3):
    """Return probabilities of photos that are so sure, and labels of which so many are right."""
    rest = (1 - np.asarray(confidences, float)) / (classes - 1)
    probabilities = np.repeat(rest[:, None], classes, axis=1)
    probabilities[:, 0] = confidences
    return probabilities, np.where(right, 0, 1)


@pytest.mark.parametrize(("n_right", "expected"), [(8, 0.0), (5, 0.3), (10, 0.2)])
def test_calibration_error_is_the_gap_between_confidence_and_accuracy(n_right, expected):
    """Ten images, each predicted with confidence 0.8: the gap can be done by hand."""
    error = calibration.calibration_error(*sure([0.8] * 10, np.arange(10) < n_right))
    assert error.value == pytest.approx(expected, abs=1e-12)
    assert error.low <= error.value <= error.high


def test_gaps_of_the_bins_are_weighted_by_their_photos():
    """Four photos at 0.9, half of them right: 0.4; one at 0.6, right: 0.4; five at 0.5, two right: 0.1. In all 0.25."""
    right = [1, 1, 0, 0, 1, 1, 1, 0, 0, 0]
    probabilities, labels = sure([0.9] * 4 + [0.6] + [0.5] * 5, np.array(right, bool))
    assert calibration.calibration_error(probabilities, labels).value == pytest.approx(0.25)
    table = calibration.reliability(probabilities, labels)
    assert table["n"].tolist() == [5, 1, 4]
    assert table["accuracy"].tolist() == pytest.approx([0.4, 1, 0.5])
    assert table["to"].tolist() == pytest.approx([0.5, 0.6, 0.9])  # an edge belongs to the bin below


def test_photos_of_one_plant_tell_less():
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(25) < 0.6, 8)
    probabilities, labels = sure(np.full(200, 0.8), right)
    alone = calibration.calibration_error(probabilities, labels)
    grouped = calibration.calibration_error(probabilities, labels, groups=np.repeat(np.arange(25), 8))
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)  # about the root of 8
    assert (alone.n_groups, grouped.n_groups) == (200, 25)


def test_the_temperature_that_was_applied_is_found_again():
    """Labels drawn from the probabilities are calibrated; sharpened with temperature 0.5 they ask for 2."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 4))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (honest.cumsum(axis=1) < rng.random((len(honest), 1))).sum(axis=1)
    sharp = calibration.with_temperature(honest, 0.5)
    assert calibration.fit_temperature(sharp, labels) == pytest.approx(2, rel=0.03)
    mended = calibration.with_temperature(sharp, 2)
    np.testing.assert_allclose(mended, honest, atol=1e-6)
    np.testing.assert_array_equal(mended.argmax(axis=1), sharp.argmax(axis=1))
    gain = calibration.error_difference(mended, sharp, labels)
    assert gain.high < 0


def test_a_zero_probability_stays_finite():
    changed = calibration.with_temperature(np.array([[1.0, 0.0]]), 3)
    assert np.isfinite(changed).all()
    assert changed.argmax() == 0
    assert np.isfinite(calibration.fit_temperature(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])))


def test_risk_and_coverage_by_hand():
    """Surest first: right, then two at 0.8 of which one is wrong, then a wrong one."""
    table = calibration.risk_and_coverage(*sure([0.8, 0.9, 0.6, 0.8], [True, True, False, False]))
    assert table["threshold"].tolist() == [0.9, 0.8, 0.6]
    assert table["coverage"].tolist() == [0.25, 0.75, 1.0]
    assert table["risk"].tolist() == pytest.approx([0, 1 / 3, 0.5])


@pytest.mark.parametrize(("wanted", "threshold"), [(0.0, 0.9), (0.34, 0.8), (0.5, 0.6)])
def test_the_threshold_for_a_wanted_error_answers_as_many_as_it_may(wanted, threshold):
    found = calibration.threshold_for(*sure([0.8, 0.9, 0.6, 0.8], [True, True, False, False]), wanted)
    assert found["threshold"] == threshold


def test_no_threshold_is_good_enough_if_the_surest_is_wrong():
    assert calibration.threshold_for(*sure([0.9, 0.8], [False, True]), 0.1) is None


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([[2.0, -1.0]], [0], "got values from -1.00"),
        ([[0.5, 0.6]], [0], "sums from 1.10"),
        ([[0.5, 0.5]], [2], "0 ... 1"),
        ([[0.5, 0.5]], [0, 1], "a label for each photo"),
        ([[np.nan, 1.0]], [0], "rows summing to 1"),
    ],
)
def test_what_are_no_probabilities_is_refused(probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        calibration.reliability(np.array(probabilities), np.array(labels))
