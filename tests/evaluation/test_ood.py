"""Scores of strangeness, with distances, places and areas that can be done by hand."""

import itertools

import numpy as np
import pytest
import scipy.stats

from tutorial_utils.evaluation import ood


def test_the_distance_is_that_to_the_kth_nearest_direction():
    """Training photos along the axes: (3, 0) is the first, (1, 1) at 45 degrees from both, (-1, 0) opposite the first.

    Of unit vectors at angle a the distance is 2 sin(a / 2): 0, 0.7654 at 45, root 2 at 90, 2 at 180 degrees.
    """
    training = [[5, 0], [0, 2]]
    photos = [[3, 0], [1, 1], [-1, 0]]
    assert ood.knn_distance(photos, training, nearest=1) == pytest.approx([0, 0.7654, 2**0.5], abs=1e-4)
    assert ood.knn_distance(photos, training, nearest=2) == pytest.approx([2**0.5, 0.7654, 2], abs=1e-4)


def test_distances_agree_with_all_pairs():
    rng = np.random.default_rng(0)
    photos, training = rng.random((210, 3)).astype("float32"), rng.random((40, 3)).astype("float32")
    each = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (photos, training)]
    pairs = np.linalg.norm(each[0][:, None] - each[1][None], axis=2)  # (photos, training photos)
    np.testing.assert_allclose(ood.knn_distance(photos, training), np.sort(pairs)[:, 4], atol=1e-5)


def test_a_photo_without_any_feature_is_at_a_right_angle_to_all():
    assert ood.knn_distance([[0, 0]], [[1, 0], [0, 1]], nearest=1) == pytest.approx([2**0.5])


@pytest.mark.parametrize(
    ("n", "keep", "place"),
    [(39, 0.95, 38), (20, 0.95, 20), (19, 0.95, 19), (5, 0.95, 5), (9, 0.5, 5), (99, 0.9501, 96)],
)
def test_the_limit_is_the_score_at_a_place_that_can_be_counted(n, keep, place):
    """Scores 1 ... n: (39 + 1) * 0.95 = 38; (20 + 1) * 0.95 = 19.95, so 20; with 5 it is the highest."""
    assert ood.score_threshold(np.random.default_rng(0).permutation(np.arange(1, n + 1)), keep) == place


def test_on_average_the_limit_keeps_what_it_promises():
    """59 validation photos: place 57 of 59; of new photos 57 / 60 = 95 % pass on average, whatever the distribution."""
    rng = np.random.default_rng(0)
    kept = [(rng.random(100) <= ood.score_threshold(rng.random(59))).mean() for _ in range(1000)]
    assert np.mean(kept) == pytest.approx(0.95, abs=0.005)


def test_the_share_that_passes_has_the_interval_of_an_accuracy():
    """15 of 20 at most 1, the limit itself included: Wilson's 53.1 to 88.8 %; in groups of four it is wider."""
    scores = np.repeat([0.5, 1.0, 1.5], [10, 5, 5])
    passing = ood.acceptance_rate(scores, 1.0)
    assert passing[:3] == pytest.approx((0.75, 0.5313, 0.8881), abs=1e-4)
    assert passing[3:] == (20, 20, 0.95, "% taken for known")
    by_plant = ood.acceptance_rate(scores, 1.0, groups=np.arange(20) // 4)
    assert by_plant.high - by_plant.low > passing.high - passing.low


@pytest.mark.parametrize(
    ("known", "strange", "area"),
    [([1, 2], [3, 4], 1), ([1, 3], [2, 4], 0.75), ([1, 2], [2], 0.75), ([3, 4], [1, 2], 0), ([1, 1], [1, 1], 0.5)],
)
def test_the_area_is_the_share_of_pairs_in_the_right_order(known, strange, area):
    """Of the pairs 1-2, 1-4, 3-2, 3-4 three are in order; an equal pair counts half."""
    found = ood.auroc(known, strange)
    assert found.value == area
    assert 0 <= found.low <= area <= found.high <= 1


def test_areas_agree_with_all_pairs():
    rng = np.random.default_rng(0)
    known, strange = rng.integers(0, 9, 40), rng.integers(4, 13, 30)
    pairs = [(a < b) + (a == b) / 2 for a, b in itertools.product(known, strange)]
    assert ood.auroc(known, strange).value == pytest.approx(np.mean(pairs))


def test_the_ends_lie_as_many_standard_errors_away_as_asked():
    """Newcombe's method 5 with 20 photos each side, so N* = 19 in the variance, which is that at the end itself."""
    known = np.arange(20.0)
    found = ood.auroc(known, known + 5.5)  # known 6 to 19 beat the first stranger, 7 to 19 the second, ...
    assert found.value == (400 - 14 * 15 / 2) / 400
    for end in (found.low, found.high):
        variance = end * (1 - end) * (1 + 19 * (1 - end) / (2 - end) + 19 * end / (1 + end)) / 400
        assert abs(found.value - end) == pytest.approx(1.959964 * variance**0.5, rel=1e-6)


def test_photos_that_are_twice_the_same_count_once():
    """Twenty plants of two photos with one score: the design effect is 2 * 39/38, so 40 photos tell like 19.49."""
    known, plants = np.repeat(np.arange(20.0), 2), np.repeat(np.arange(20), 2)
    found, m = ood.auroc(known, np.arange(20) + 5.5, plants), 40 / (2 * 39 / 38)
    star = (m + 20) / 2 - 1
    for end in (found.low, found.high):
        variance = end * (1 - end) * (1 + star * (1 - end) / (2 - end) + star * end / (1 + end)) / (20 * m)
        assert abs(found.value - end) == pytest.approx(2.0930 * variance**0.5, rel=1e-4)  # t(19)


def test_a_perfect_separation_is_no_certainty_and_less_so_in_groups():
    """All apart: the lower end depends on the numbers; 36 plants of four photos count as 36."""
    known, strange = np.arange(144) / 144, np.arange(200) + 2.0
    alone = ood.auroc(known, strange)
    plants = ood.auroc(known, strange, np.repeat(np.arange(36), 4))
    fewer = ood.auroc(known[:36], strange)
    assert alone.value == plants.value == alone.high == plants.high == 1
    assert plants[3:] == (344, 236, 0.95, "area under the ROC curve")  # both sides together
    assert plants.low < fewer.low < alone.low < 1  # below 36 single photos: Student's t
    assert fewer.low - plants.low < 0.01


def test_one_shared_group_says_nothing_about_others():
    assert ood.auroc([1, 2, 3], [4, 5, 6], unknown_groups=["set"] * 3)[:3] == (1, 0, 1)


def test_turning_the_scores_round_mirrors_the_interval():
    rng = np.random.default_rng(0)
    known, strange, plants = rng.normal(0, 1, 60), rng.normal(1, 1, 40), np.repeat(np.arange(20), 3)
    there, back = ood.auroc(known, strange, plants), ood.auroc(-known, -strange, plants)
    assert there[:3] == pytest.approx((1 - back.value, 1 - back.high, 1 - back.low))


@pytest.mark.parametrize("true", [0.8, 0.95])
def test_the_interval_holds_the_true_area(true):
    """Normal scores of 36 plants of four alike photos and of 150 strangers; the interval by photo holds less."""
    rng, plants, held = np.random.default_rng(0), np.repeat(np.arange(36), 4), {"plants": 0, "photos": 0}
    apart = scipy.stats.norm.ppf(true) * 2**0.5
    for _ in range(1000):
        known = np.repeat(rng.normal(0, 0.8**0.5, 36), 4) + rng.normal(0, 0.2**0.5, 144)
        strange = rng.normal(apart, 1, 150)
        for name, groups in {"plants": plants, "photos": None}.items():
            found = ood.auroc(known, strange, groups)
            held[name] += found.low <= true <= found.high
    assert held["plants"] >= 930  # near 1 Newcombe's interval is on the wide side
    assert held["photos"] < held["plants"] - 50


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ood.knn_distance(np.ones((2, 3)), np.ones((4, 3))), "number of known photos, 4; got 5"),
        (lambda: ood.score_threshold([]), "at least one photo"),
        (lambda: ood.score_threshold([1.0], keep=95), "between 0 and 1; got 95"),
        (lambda: ood.score_threshold([1.0], keep=0), "between 0 and 1; got 0"),
        (lambda: ood.score_threshold([1.0], keep=1), "between 0 and 1; got 1"),
        (lambda: ood.score_threshold([[1.0]]), r"one for each .* shape \(1, 1\)"),
        (lambda: ood.auroc([1.0], [np.inf]), "unknown as finite numbers"),
        (lambda: ood.auroc([1.0, 2.0], [3.0], known_groups=["a"]), "one group for each of 2 photos"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
