"""Scores, with expected values worked by hand or taken from the papers that the functions cite."""

import subprocess
import sys

import numpy as np
import pytest

from tutorial_utils.evaluation import metrics


def answers(right, n):
    """Return labels and predictions of n photos, the first `right` of them predicted right."""
    return np.zeros(n, int), (np.arange(n) >= right).astype(int)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_accuracy_of_independent_photos_has_wilsons_interval(right, n, low, high):
    """Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3."""
    score = metrics.accuracy(*answers(right, n))
    assert score[:3] == pytest.approx((right / n, low, high), abs=5e-5)
    assert (score.n, score.n_groups) == (n, n)


def test_groups_of_one_photo_change_nothing():
    """One photo a plant is the same as independent photos."""
    labels, predicted = answers(15, 20)
    assert metrics.accuracy(labels, predicted, np.arange(20)) == metrics.accuracy(labels, predicted)


def test_accuracy_by_group_counts_photos_of_one_plant_for_less():
    """Four plants of two photos, two right and two wrong: design effect 8/3, so 8 photos tell like 3.

    Residuals 1, 1, -1, -1: variance 4/3 * 4/64 = 1/12, against 1/32. t(3) = 3.182 in every table, and at a
    half Wilson's interval is 0.5 +- t / (2 sqrt(n + t**2)) = 0.5 +- 0.4392.
    """
    labels, predicted = answers(4, 8)
    score = metrics.accuracy(labels, predicted, groups=["a", "a", "b", "b", "c", "c", "d", "d"])
    assert score[:5] == pytest.approx((0.5, 0.0608, 0.9392, 8, 4), abs=1e-4)


def test_plants_more_alike_than_chance_do_not_make_photos_count_for_more():
    """Each plant one photo right, one wrong: design effect 0, counted as 1; t(3), n = 8, half 0.3737."""
    score = metrics.accuracy([0] * 8, [0, 1] * 4, groups=[1, 1, 2, 2, 3, 3, 4, 4])
    assert score[:3] == pytest.approx((0.5, 0.1263, 0.8737), abs=1e-4)


@pytest.mark.parametrize(("right", "low", "high"), [(144, 0.8973, 1.0), (0, 0.0, 0.1027)])
def test_without_a_single_difference_each_group_counts_once(right, low, high):
    """36 plants, t(35) = 2.0301: Wilson's end is 36 / (36 + 2.0301**2) = 0.8973."""
    score = metrics.accuracy(*answers(right, 144), groups=np.repeat(np.arange(36), 4))
    assert score[1:3] == pytest.approx((low, high), abs=1e-4)


def test_one_shared_group_says_nothing_about_others():
    """Between plants there is nothing to compare."""
    assert metrics.accuracy(*answers(3, 4), groups=["plant"] * 4)[1:3] == (0.0, 1.0)


def held(mean, plants, size, likeness):
    """Return how many of 1,000 simulated test sets have the true accuracy in their interval, by group and by photo.

    Each plant is as easy as a beta distribution makes it, so that its photos' answers correlate by `likeness`.
    """
    rng, groups, labels = np.random.default_rng(0), np.repeat(np.arange(plants), size), np.zeros(plants * size, int)
    found = {"by group": 0, "by photo": 0}
    for _ in range(1000):
        ease = np.full(plants, mean)
        if likeness:
            spread = (1 - likeness) / likeness
            ease = rng.beta(mean * spread, (1 - mean) * spread, plants)
        predicted = (rng.random(len(labels)) >= np.repeat(ease, size)).astype(int)
        for name, chosen in (("by group", groups), ("by photo", None)):
            score = metrics.accuracy(labels, predicted, chosen)
            found[name] += score.low <= mean <= score.high
    return found


@pytest.mark.parametrize(("mean", "likeness"), [(0.8, 0.3), (0.9, 0.6)])
def test_the_interval_by_group_holds_the_truth_nineteen_times_in_twenty(mean, likeness):
    """36 plants of 4 photos; Wilson alone misses more."""
    found = held(mean, 36, 4, likeness)
    assert found["by group"] >= 930
    assert found["by photo"] < 900


@pytest.mark.parametrize("mean", [0.7, 0.9, 0.95])
@pytest.mark.parametrize("photos", [150, 300])
def test_wilsons_interval_holds_the_truth_of_independent_photos(mean, photos):
    found = held(mean, photos, 1, 0)
    assert 930 <= found["by photo"] <= 970
    assert found["by group"] == found["by photo"]


@pytest.mark.parametrize("mean", [0.7, 0.9, 0.95])
@pytest.mark.parametrize("plants", [75, 150])
def test_the_interval_by_group_holds_the_truth_of_many_plants(mean, plants):
    """Four photos each, correlation 0.4: with the design effect of 2.2, Wilson's half width is a third too short.

    It holds the truth as often as a normal variable stays within 1.96 / root(2.2) = 1.32 deviations: 81 %.
    """
    found = held(mean, plants, 4, 0.4)
    assert 930 <= found["by group"] <= 970
    assert found["by photo"] == pytest.approx(814, abs=50)  # four standard errors of 1,000 test sets


def test_an_accuracy_reads_as_a_sentence():
    """Score, interval, number of photos; groups only where photos share them."""
    score = metrics.Accuracy(0.875, 0.81, 0.921, 144, 36)
    assert str(score) == "87.5 % right (95 % interval 81.0 to 92.1 %, n = 144 photos in 36 groups)"
    alone = score._replace(n_groups=144, level=0.9)
    assert str(alone).endswith("(90 % interval 81.0 to 92.1 %, n = 144 photos)")


def test_a_higher_level_gives_a_wider_interval():
    """To be surer, say less."""
    narrow, wide = (metrics.accuracy(*answers(15, 20), level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.level == 0.99


@pytest.mark.parametrize(("groups", "low", "high"), [(["a", "a", "b", "b"], 0.0, 1.0), (None, 0.25, 0.75)])
def test_paired_difference_draws_whole_groups(groups, low, high):
    """Model a wins both photos of one plant, the models tie on the other.

    By plant the bootstrap gives 0, 1/2, 1 with chances 1/4, 1/2, 1/4, so the inner 80 % span 0 to 1; by photo
    it gives 0, 1/4, ... with chances 1/16, 4/16, 6/16, ..., so they span 1/4 to 3/4.
    """
    difference = metrics.paired_difference([0] * 4, [0, 0, 1, 1], [1, 1, 1, 1], groups, level=0.8)
    assert difference[:3] == (0.5, low, high)
    assert (difference.n, difference.n_groups) == (4, 2 if groups else 4)
    said = f"+50.0 points (80 % interval {100 * low:+.1f} to {100 * high:+.1f}, n = 4 photos"
    assert str(difference).startswith(said)


def test_paired_difference_is_signed_and_repeats_with_its_seed():
    """Model a is right 20 times of 30, model b 14 times."""
    labels = np.zeros(30, int)
    a, b = np.repeat([0, 1], [20, 10]), np.repeat([0, 1], [14, 16])
    first = metrics.paired_difference(labels, a, b, seed=1)
    turned = metrics.paired_difference(labels, b, a, seed=1)
    assert first == metrics.paired_difference(labels, a, b, seed=1)
    assert first.value == pytest.approx(0.2)
    assert turned[:3] == pytest.approx((-first.value, -first.high, -first.low))


LABELS, PREDICTED = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 0]  # class 2 is never predicted


def test_confusion_has_true_rows_and_predicted_columns():
    """Counted by hand from the six photos above."""
    counts = metrics.confusion(LABELS, PREDICTED, 3)
    np.testing.assert_array_equal(counts, [[2, 1, 0], [1, 1, 0], [1, 0, 0]])
    assert counts.dtype.kind == "i"


def test_confusion_of_small_integers_does_not_overflow():
    """Codes of a pandas categorical are int8: 20 * 21 would wrap."""
    counts = metrics.confusion(np.array([20], "int8"), np.array([20], "int8"), 21)
    assert counts[20, 20] == counts.sum() == 1


def test_per_class_scores_worked_by_hand():
    """Class a: 4 predicted, 2 right, of 3; b: 2 predicted, 1 right, of 2; c never predicted, d absent."""
    table = metrics.per_class(LABELS, PREDICTED, ["a", "b", "c", "d"])
    assert list(table.columns) == ["precision", "recall", "f1", "n"]
    assert list(table.index) == ["a", "b", "c", "d"]
    expected = [[2 / 4, 2 / 3, 4 / 7, 3], [1 / 2, 1 / 2, 1 / 2, 2], [0, 0, 0, 1], [0, 0, 0, 0]]
    np.testing.assert_allclose(table.to_numpy(), expected)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([[5, 3, 4], [3, 5, 0], [0, 0, 5]], ("a", "b", 6)),  # 3 + 3 beat the single largest, 4
        ([[5, 1, 0], [0, 5, 1], [0, 4, 5]], ("c", "b", 5)),  # c is taken for b more often than b for c
        ([[5, 0, 0], [0, 5, 0], [0, 0, 5]], None),
    ],
)
def test_most_confused_adds_both_directions(counts, expected):
    """A pair is a pair, whichever of the two was true."""
    assert metrics.most_confused(counts, ["a", "b", "c"]) == expected


class Reshuffled:
    """Ten photos in batches of four, in another order at each pass; a photo's pixels are its label."""

    def __init__(self):
        """Start with no pass made."""
        self.rng, self.passes = np.random.default_rng(0), 0

    def __iter__(self):
        """Yield (images, labels) in a new order."""
        self.passes += 1
        order = self.rng.permutation(10)
        for start in (0, 4, 8):
            labels = order[start : start + 4]
            yield np.ones((len(labels), 2, 2, 3)) * labels[:, None, None, None], labels


class Reader:
    """A model that is always right about those pixels."""

    def predict_on_batch(self, images):
        """Return one-hot probabilities in double precision."""
        return np.eye(10)[images[:, 0, 0, 0].astype(int)]


@pytest.mark.parametrize("progress", [False, True])
def test_predict_keeps_labels_and_probabilities_together_in_one_pass(progress):
    """A second pass would come in another order."""
    batches = Reshuffled()
    labels, probabilities = metrics.predict(Reader(), batches, progress=progress)
    assert batches.passes == 1
    assert sorted(labels) == list(range(10))
    np.testing.assert_array_equal(probabilities.argmax(axis=1), labels)
    assert (probabilities.shape, probabilities.dtype, labels.dtype) == ((10, 10), np.float32, np.int64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.accuracy([], []), "at least one photo; got none"),
        (lambda: metrics.accuracy([0, 1], [0]), "got 2 labels, 1 predicted"),
        (lambda: metrics.accuracy([0, 1], [[0.9, 0.1], [0.2, 0.8]]), "argmax"),
        (lambda: metrics.accuracy(["a"], ["a"]), "class numbers"),
        (lambda: metrics.accuracy([0, -1], [0, 0]), "labels 0 or more; got -1"),
        (lambda: metrics.accuracy([0, 1], [0, 1], groups=["a"]), "one group for each of 2 photos"),
        (lambda: metrics.accuracy([0, 1], [0, 1], groups=["a", None]), "1 have none"),
        (lambda: metrics.accuracy([0], [0], level=95), "level between 0 and 1; got 95"),
        (lambda: metrics.paired_difference([0], [0], [0], repeats=0), "repeats of at least 1; got 0"),
        (lambda: metrics.paired_difference([0], [0], [0, 1]), "2 predicted_b"),
        (lambda: metrics.confusion([0, 3], [0, 1], 3), "labels 0 ... 2; got 0 ... 3"),
        (lambda: metrics.confusion([0], [0], 1), "at least 2 classes; got 1"),
        (lambda: metrics.per_class([0], [2], ["a", "b"]), "predicted 0 ... 1; got 2"),
        (lambda: metrics.most_confused(np.eye(2), ["a", "b", "c"]), r"3 class names; got shape \(2, 2\)"),
        (lambda: metrics.predict(Reader(), []), "at least one batch"),
        (lambda: metrics.predict(Reader(), [(np.zeros((2, 1, 1, 3)), np.zeros(3, int))]), "3 labels"),
        (lambda: metrics.predict(Reader(), [(np.zeros((2, 1, 1, 3)), np.eye(2))]), "class numbers"),
    ],
)
def test_bad_arguments_are_named(call, message):
    """Each message names what came."""
    with pytest.raises(ValueError, match=message):
        call()


def test_metrics_load_without_tensorflow():
    """In a process where importing TensorFlow or Keras fails."""
    code = (
        "import sys; sys.modules.update(tensorflow=None, keras=None); "
        "import tutorial_utils.evaluation.metrics as m; "
        "print(m.accuracy([0, 1], [0, 1]).value)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1.0"
