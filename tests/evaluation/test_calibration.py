"""Confidence and accuracy, with gaps that can be done by hand."""

import numpy as np
import pytest

from tutorial_utils.evaluation import calibration


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
    assert table["confidence"].tolist() == pytest.approx([0.5, 0.6, 0.9])
    assert table["from"].tolist() == pytest.approx([0.4, 0.5, 0.8])
    assert table["to"].tolist() == pytest.approx([0.5, 0.6, 0.9])  # an edge belongs to the bin below
    assert table[["low", "high"]].iloc[2].tolist() == pytest.approx([0.1500, 0.8500], abs=1e-4)  # Wilson's of 2 in 4
    assert calibration.calibration_error(probabilities, labels, bins=1).value == pytest.approx(0.17)  # 0.67 and 0.5


def test_photos_of_one_plant_tell_less():
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(25) < 0.6, 8)
    probabilities, labels = sure(np.full(200, 0.8), right)
    alone = calibration.calibration_error(probabilities, labels)
    grouped = calibration.calibration_error(probabilities, labels, groups=np.repeat(np.arange(25), 8))
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)  # about the root of 8
    assert alone == calibration.calibration_error(probabilities, labels, repeats=1000, seed=0)
    assert (alone.n, alone.groups, grouped.n, grouped.groups) == (200, 200, 200, 25)
    other, _ = sure(np.full(200, 0.4), right)
    change = calibration.calibration_difference(probabilities, other, labels)
    assert change == calibration.calibration_difference(probabilities, other, labels, level=0.95, repeats=1000, seed=0)
    assert change[:2] != calibration.calibration_difference(probabilities, other, labels, seed=1)[:2]


@pytest.mark.parametrize("groups", [["plant"] * 100, np.arange(100) % 9])
def test_few_plants_do_not_tell_how_well_a_model_is_calibrated(groups):
    """Photos of one plant, or of nine, say nothing of others: the error could be anything, and so could a change."""
    probabilities, labels = sure(np.full(100, 0.8), np.arange(100) < 50)
    error = calibration.calibration_error(probabilities, labels, groups)
    assert error[:3] == pytest.approx((0.3, 0, 1))
    assert (error.unit, error.level) == ("points off", 0.95)
    change = calibration.calibration_difference(probabilities, sure(np.full(100, 0.6), labels)[0], labels, groups)
    assert change[:3] == pytest.approx((0.2, -1, 1))
    assert change.unit == "points"


def test_what_each_draw_adds_to_the_error_is_taken_off_again():
    """Photos drawn again look worse calibrated than they are, by two points here; the ends lie about the value."""
    rng, off = np.random.default_rng(0), []
    for _ in range(30):
        honest = rng.dirichlet([1, 1, 1], 300)
        labels = (honest.cumsum(axis=1) < rng.random((300, 1))).sum(axis=1)
        error = calibration.calibration_error(honest, labels, repeats=300)
        off.append((error.low + error.high) / 2 - error.value)
    assert np.mean(off) == pytest.approx(0, abs=0.005)
    exchanged = calibration.calibration_difference(honest[:, [1, 0, 2]], honest, labels)
    assert exchanged.low > 0.1  # probabilities of two classes exchanged


def test_the_temperature_that_was_applied_is_found_again():
    """Labels drawn from the probabilities are calibrated; sharpened with temperature 0.5 they ask for 2."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 4))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (honest.cumsum(axis=1) < rng.random((len(honest), 1))).sum(axis=1)
    sharp = calibration.apply_temperature(honest, 0.5)
    assert calibration.fit_temperature(sharp, labels) == pytest.approx(2, rel=0.03)
    mended = calibration.apply_temperature(sharp, 2)
    np.testing.assert_allclose(mended, honest, atol=1e-6)
    np.testing.assert_array_equal(mended.argmax(axis=1), sharp.argmax(axis=1))
    gain = calibration.calibration_difference(mended, sharp, labels)
    assert gain.high < 0


def test_a_zero_probability_stays_finite():
    changed = calibration.apply_temperature(np.array([[1.0, 0.0]]), 3)
    assert np.isfinite(changed).all()
    assert changed.argmax() == 0
    assert np.isfinite(calibration.fit_temperature(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])))


@pytest.mark.parametrize("n", [20, 100])
def test_no_mistake_at_all_counts_as_half_a_photo_wrong(n):
    """All right at 0.9 of two classes: Firth's estimate is a confidence of (n + 1/2) / (n + 1), so odds of 2 n + 1.

    The logarithm of the odds, log 9, is divided by the temperature: log 9 / log(2 n + 1).
    """
    probabilities, labels = np.tile([0.9, 0.1], (n, 1)), np.zeros(n, int)
    best = calibration.fit_temperature(probabilities, labels, cautious=False)
    assert best == pytest.approx(np.log(9) / np.log(2 * n + 1), rel=1e-4)
    assert best < calibration.fit_temperature(probabilities, labels) < 1


def test_caution_is_one_standard_error_of_the_groups():
    """Each of 100 photos at 0.9, 80 right. The best has about a confidence of 0.8: 1 / temperature is log 4 / log 9.

    The logit's deviation is 1 / root(n p q) = 1 / 4, that of the factor before log 9 is 1 / (4 log 9); in groups of
    four alike photos twice that. Firth's half a photo moves all a little.
    """
    probabilities, labels = sure(np.full(100, 0.9), np.arange(100) < 80, classes=2)
    best, alone, alike = (
        1 / calibration.fit_temperature(probabilities, labels, groups, cautious)
        for groups, cautious in [(None, False), (None, True), (np.arange(100) // 4, True)]
    )
    assert best == pytest.approx(np.log(4) / np.log(9), rel=0.02)
    assert alone - best == pytest.approx(1 / (4 * np.log(9)), rel=0.05)
    assert alike - best == pytest.approx(2 / (4 * np.log(9)), rel=0.05)


def test_two_plants_tell_little():
    """Of 50 photos each at 0.9, 45 and 35 are right: in all the 80 of 100 from above.

    With z = log 4, a right photo pulls the factor's logarithm by 0.2 z, a wrong one by -0.8 z: the plants by 5 z and
    -5 z, against an information of 16 z**2. Two groups count double: root(2 * 50) / (16 log 9) = 0.2844.
    """
    probabilities, labels = sure(np.full(100, 0.9), np.arange(50).tolist() * 2 < np.repeat([45, 35], 50), classes=2)
    best = 1 / calibration.fit_temperature(probabilities, labels, cautious=False)
    alike = 1 / calibration.fit_temperature(probabilities, labels, np.repeat([0, 1], 50))
    assert alike - best == pytest.approx(0.2844, rel=0.05)


def test_a_model_that_is_sure_and_always_guesses_becomes_unsure():
    """Ten photos at 0.9, five right: the best factor is 0, its standard error 2 / (root(10) log 9) = 0.288."""
    probabilities, labels = sure(np.full(10, 0.9), np.arange(10) < 5, classes=2)
    assert calibration.fit_temperature(probabilities, labels, cautious=False) == pytest.approx(20, rel=1e-3)
    assert 1 / calibration.fit_temperature(probabilities, labels) == pytest.approx(0.288 + 1 / 20, rel=0.06)


def test_a_temperature_is_looked_for_from_a_twentieth_on():
    """All right though hardly sure: only a temperature near 0 makes it as sure as it may be."""
    probabilities, labels = sure(np.full(1000, 0.51), np.ones(1000, bool), classes=2)
    assert calibration.fit_temperature(probabilities, labels, cautious=False) == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize("temperature", [0, -1, np.nan])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match="above 0"):
        calibration.apply_temperature(np.array([[0.5, 0.5]]), temperature)


def test_where_nothing_is_told_the_temperature_stays_one():
    """A single plant; ten photos at 0.9 of which nine are right; answers that are all equally unsure."""
    probabilities, labels = sure(np.full(10, 0.9), np.arange(10) < 9, classes=2)
    assert calibration.fit_temperature(probabilities, labels) == 1
    assert calibration.fit_temperature(probabilities, labels, groups=["plant"] * 10) == 1
    assert calibration.fit_temperature(np.full((10, 2), 0.5), labels) == 1


def test_caution_raises_the_loss_of_new_photos_less_often():
    """Honest probabilities and 40 validation photos: the best temperature is off by chance, the cautious one less."""
    rng, off = np.random.default_rng(0), {True: [], False: []}
    for _ in range(200):
        logits = rng.normal(0, 2, (40, 4))
        honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        labels = (honest.cumsum(axis=1) < rng.random((40, 1))).sum(axis=1)
        for cautious in off:
            off[cautious].append(abs(np.log(calibration.fit_temperature(honest, labels, cautious=cautious))))
    assert np.mean(off[True]) < 0.5 * np.mean(off[False])


def test_risk_and_coverage_by_hand():
    """Surest first: right, then two at 0.8 of which one is wrong, then a wrong one."""
    table = calibration.risk_and_coverage(*sure([0.8, 0.9, 0.6, 0.8], [True, True, False, False]))
    assert table["threshold"].tolist() == [0.9, 0.8, 0.6]
    assert table["coverage"].tolist() == [0.25, 0.75, 1.0]
    assert table["risk"].tolist() == pytest.approx([0, 1 / 3, 0.5])
    assert table["answered"].tolist() == [1, 3, 4]


@pytest.mark.parametrize(("wanted", "threshold"), [(0.0, 0.9), (0.34, 0.8), (0.5, 0.6)])
def test_the_threshold_for_a_wanted_error_answers_as_many_as_it_may(wanted, threshold):
    found = calibration.threshold_for(*sure([0.8, 0.9, 0.6, 0.8], [True, True, False, False]), wanted)
    assert found["threshold"] == threshold


@pytest.mark.parametrize("wanted", [-0.1, 1, np.nan])
def test_a_wanted_error_that_is_no_share_is_refused(wanted):
    with pytest.raises(ValueError, match="wanted must be a share"):
        calibration.threshold_for(*sure([0.8], [True]), wanted)


def test_no_threshold_is_good_enough_if_the_surest_is_wrong():
    assert calibration.threshold_for(*sure([0.9, 0.8], [False, True]), 0.1) is None


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([[2.0, -1.0]], [0], "got values from -1.00"),
        ([[0.5, 0.6]], [0], "sums from 1.10"),
        ([[0.5, 0.505]], [0], "rows summing to 1"),
        ([[0.5, 0.5]], [2], "0 ... 1"),
        ([[0.5, 0.5]], [-1], "0 ... 1"),
        ([[0.5, 0.5]], [0.0], "class numbers"),
        ([0.5, 0.5], [0, 1], "a label for each photo"),
        (np.empty((0, 2)), np.empty(0, int), "a label for each photo"),
        ([[0.5, 0.5]], [0, 1], "a label for each photo"),
        ([[np.nan, 1.0]], [0], "rows summing to 1"),
    ],
)
def test_what_are_no_probabilities_is_refused(probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        calibration.reliability(np.array(probabilities), np.array(labels))
