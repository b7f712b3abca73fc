"""Scores, with expected values worked by hand, by scikit-learn, or from the papers that the functions cite."""

import numpy as np
import pytest
import sklearn.metrics

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
    assert (score.n, score.groups) == (n, n)


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


def test_a_higher_level_gives_a_wider_interval():
    """To be surer, say less."""
    narrow, wide = (metrics.accuracy(*answers(15, 20), level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.level == 0.99


@pytest.mark.parametrize(("alike", "low", "high"), [(True, 0.3, 0.7), (False, 0.35, 0.65)])
def test_paired_difference_draws_whole_groups(alike, low, high):
    """Ten plants of two photos: model a wins both photos of five, the models tie on the others.

    At 80 %, t(9) = 1.383 times root(10/9) leaves 7.2 % on either side; of ten plants drawn, at most 2 are won in
    5.5 % of the draws, at most 3 in 17.2 %: 3 of 10. As 20 photos, t(19) = 1.328 leaves 8.7 %; at most 6 are won in
    5.8 %, at most 7 in 13.2 %: 7 of 20.
    """
    labels, b = np.zeros(20, int), np.repeat([1, 0], 10)
    groups = np.repeat(np.arange(10), 2) if alike else None
    difference = metrics.paired_difference(labels, labels, b, groups, level=0.8)
    assert difference[:3] == pytest.approx((0.5, low, high))
    assert difference[3:] == (20, 10 if alike else 20, 0.8, "points")


@pytest.mark.parametrize("groups", [["plant"] * 20, np.arange(20) % 9])
def test_few_groups_do_not_tell_two_models_apart(groups):
    """One plant or nine: nothing is known of others, so the difference could be anything."""
    a, b = np.zeros(20, int), np.repeat([0, 1], 10)
    assert metrics.paired_difference(a, a, b, groups)[:3] == (0.5, -1, 1)
    assert metrics.paired_difference(a, b, a, np.arange(20) % 10).high < 0


def test_two_models_right_on_the_same_photos_do_not_differ():
    labels = np.arange(20) % 3
    assert metrics.paired_difference(labels, labels, labels)[:3] == (0, 0, 0)


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


NAMES = ["healthy", "rust", "blight"]


def test_scores_agree_with_scikit_learn_on_random_cases():
    rng = np.random.default_rng(0)
    for _ in range(100):
        classes, n = int(rng.integers(2, 7)), int(rng.integers(1, 60))
        labels, predicted = rng.integers(classes, size=(2, n))
        probabilities = rng.dirichlet(np.ones(classes), n)
        found = metrics.score_table(labels, predicted, classes, probabilities=probabilities, k=2, repeats=1)["value"]
        options = dict(labels=range(classes), zero_division=0)
        present = np.unique(labels)
        precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(labels, predicted, **options)
        expected = {
            "accuracy": sklearn.metrics.accuracy_score(labels, predicted),
            "balanced accuracy": recall[present].mean(),  # balanced_accuracy_score warns of classes without photos
            "macro precision": precision.mean(),
            "macro recall": recall.mean(),
            "macro F1": f1.mean(),
            "top 2": 1.0,
        }
        if classes > 2:
            expected["top 2"] = sklearn.metrics.top_k_accuracy_score(labels, probabilities, k=2, labels=range(classes))
        assert found.to_dict() == pytest.approx(expected, abs=1e-12)
        table = metrics.class_table(labels, predicted, range(classes), repeats=1)
        np.testing.assert_allclose(table[["precision", "recall", "f1"]].T, [precision, recall, f1])


def test_the_top_of_fewer_classes_is_all_of_them():
    """Two classes have no third: the right one is always among both. Of the top 1 a tie goes to the first."""
    probabilities = [[0.5, 0.5], [0.2, 0.8], [0.9, 0.1]]
    for k, right in ((3, 1), (2, 1), (1, 1 / 3)):
        table = metrics.score_table([1, 1, 1], [0, 1, 0], 2, probabilities=probabilities, k=k)
        assert table.loc[f"top {min(k, 2)}", "value"] == pytest.approx(right)
    assert len(metrics.score_table([0, 1], [0, 1], 2)) == 5  # without probabilities there is no top
    with pytest.raises(ValueError, match="k must be at least 1; got 0"):
        metrics.score_table([1, 1, 1], [0, 1, 0], 2, probabilities=probabilities, k=0)


def test_a_class_that_is_never_predicted_and_one_without_photos():
    """Healthy: 3 of 4 right, 1 of the 2 rust taken for it. Rust: never predicted. Blight: no photo, predicted twice.

    Wilson's interval of 3 of 4 is 30.1 to 95.4 %.
    """
    labels, predicted = [0, 0, 0, 0, 1, 1], [0, 0, 0, 2, 0, 2]
    table = metrics.class_table(labels, predicted, NAMES)
    assert table["n"].tolist() == [4, 2, 0]
    for score in ("precision", "recall", "f1"):
        assert table[score].tolist() == [0.75, 0, 0]
        few = ["f1_low", "f1_high"] if score == "f1" else []
        assert table.loc["healthy", few].tolist() == [0, 1][: len(few)]
    for ends in (["recall_low", "recall_high"], ["precision_low", "precision_high"]):
        assert table.loc["healthy", ends].tolist() == pytest.approx([0.3006, 0.9544], abs=1e-4)
    assert table.loc["blight", ["recall_low", "recall_high"]].tolist() == [0, 1]
    assert table.loc["rust", ["precision_low", "precision_high"]].tolist() == [0, 1]
    assert metrics.score_table(labels, predicted, 3)["value"]["balanced accuracy"] == pytest.approx(0.375)
    alike = metrics.class_table(labels, predicted, NAMES, groups=["plant"] * 6)
    assert alike.loc["healthy", ["recall_low", "recall_high"]].tolist() == [0, 1]


def test_few_groups_have_no_interval_and_a_sentence():
    labels, predicted, groups = [0, 1, 0, 1], [0, 1, 1, 1], ["a", "a", "b", "b"]
    table = metrics.score_table(labels, predicted, 2, groups)
    assert table.loc["macro F1", ["low", "high"]].tolist() == [0, 1]
    assert "2 groups only" in metrics.too_few_groups(groups)
    assert "9 groups only" in metrics.too_few_groups(range(9))
    assert metrics.too_few_groups(range(10)) == ""


def test_the_same_photos_get_the_same_intervals():
    """Draws of a seed, 0 unless another is named."""
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(3, size=(2, 60))
    for score, last in ((metrics.score_table, 3), (metrics.class_table, NAMES), (metrics.confused_pairs, NAMES)):
        first = score(labels, predicted, last)
        assert first.equals(score(labels, predicted, last, repeats=1000, seed=0))
        assert not first.equals(score(labels, predicted, last, seed=1))
    first = metrics.paired_difference(labels, predicted, labels)
    assert first == metrics.paired_difference(labels, predicted, labels, repeats=1000, seed=0)


def test_a_pair_by_chance_does_not_lead():
    """Blight and rust: 8 of 40 photos mixed up, each in another plant. Healthy and blight: 9, all of one plant."""
    labels = np.repeat([0, 1, 2], [40, 20, 20])
    predicted, groups = labels.copy(), np.arange(80)
    predicted[40:48] = 2
    predicted[:9], groups[:9] = 2, 0
    table = metrics.confused_pairs(labels, predicted, NAMES, groups)
    assert table.loc[0, ["first", "second", "count"]].tolist() == ["rust", "blight", 8]
    assert table.loc[0, "cost"] == pytest.approx(8 / 40)
    assert table.loc[1, ["first", "second", "count"]].tolist() == ["healthy", "blight", 9]
    assert len(table) == 2  # healthy and rust are never mixed up


def test_a_pair_is_named_by_the_mistake_that_is_made_more_often():
    """Healthy and rust once each way: the first class first. Two blight are taken for rust, and one rust for blight."""
    labels, predicted = [0, 1, 2, 2, 1, 0], [1, 0, 1, 1, 2, 0]
    table = metrics.confused_pairs(labels, predicted, NAMES)
    rows = table[["first", "second", "count"]].to_numpy().tolist()
    assert rows == [["blight", "rust", 3], ["healthy", "rust", 2]]
    assert table["cost"].tolist() == [3 / 4, 2 / 4]
    assert table["high"].tolist() == [1, 1]


def test_a_mistake_that_costs_more_leads():
    """Two of ten each way; taking an ill leaf for a healthy one costs five times as much."""
    labels = np.repeat([0, 1, 2], 30)
    predicted = labels.copy()
    predicted[30:36], predicted[36:44] = 0, 2
    assert metrics.confused_pairs(labels, predicted, NAMES).loc[0, "second"] == "blight"
    cost = [[0, 1, 1], [5, 0, 1], [5, 1, 0]]
    dear = metrics.confused_pairs(labels, predicted, NAMES, cost=cost)
    assert dear.loc[0, ["first", "second"]].tolist() == ["rust", "healthy"]
    assert dear.loc[0, "cost"] == pytest.approx(6 * 5 / 60)
    few = metrics.confused_pairs(labels, predicted, NAMES, groups=labels, cost=cost)
    assert few["high"].tolist() == [5, 1]  # what a photo of the pair costs at most


def test_the_interval_of_macro_f1_holds_the_truth_nineteen_times_in_twenty():
    """75 plants of 4 photos that are alike; by photo the interval is too narrow. Fixed seed."""
    rng, groups = np.random.default_rng(1), np.repeat(np.arange(75), 4)
    held, tries, truth = {"groups": 0, "photos": 0}, 150, None
    for number in range(-1, tries):
        plants = 20_000 if number < 0 else 75
        labels = np.repeat(rng.integers(3, size=plants), 4)
        ease = np.repeat(rng.beta(0.8, 0.2, plants), 4)
        predicted = np.where(rng.random(4 * plants) >= ease, (labels + 1) % 3, labels)
        if number < 0:
            truth = sklearn.metrics.f1_score(labels, predicted, average="macro")
            continue
        for name, given in {"groups": groups, "photos": None}.items():
            row = metrics.score_table(labels, predicted, 3, given, repeats=400).loc["macro F1"]
            held[name] += row["low"] <= truth <= row["high"]
    assert 0.92 * tries <= held["groups"]
    assert held["photos"] < 0.90 * tries


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
def test_predict_keeps_labels_and_probabilities_together_in_one_pass(progress, capsys):
    """A second pass would come in another order; a bar is shown only where it is asked for."""
    batches = Reshuffled()
    labels, probabilities = metrics.predict(Reader(), batches, **({"progress": True} if progress else {}))
    assert ("predict" in capsys.readouterr().err) == progress
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
        (lambda: metrics.accuracy([0], [0], level=95), "level between 0 and 1; got 95"),
        (lambda: metrics.paired_difference([0], [0], [0], repeats=0), "repeats of at least 1; got 0"),
        (lambda: metrics.paired_difference([0], [0], [0, 1]), "2 predicted_b"),
        (lambda: metrics.confusion([0, 3], [0, 1], 3), "labels 0 ... 2; got 0 ... 3"),
        (lambda: metrics.confusion([0], [0], 1), "at least 2 classes; got 1"),
        (lambda: metrics.class_table([0], [2], ["a", "b"]), "predicted 0 ... 1; got 2"),
        (lambda: metrics.confused_pairs([0, 1], [0, 1], NAMES, cost=[[0, 1]]), "a row and a column for each of 3"),
        (lambda: metrics.predict(Reader(), []), "at least one batch"),
        (lambda: metrics.predict(Reader(), [(np.zeros((2, 1, 1, 3)), np.zeros(3, int))]), "3 labels"),
        (lambda: metrics.predict(Reader(), [(np.zeros((2, 1, 1, 3)), np.eye(2))]), "class numbers"),
    ],
)
def test_bad_arguments_are_named(call, message):
    """Each message names what came."""
    with pytest.raises(ValueError, match=message):
        call()
