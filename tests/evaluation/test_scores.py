"""Scores by hand, against scikit-learn, and intervals that hold the truth as often as they say."""

import numpy as np
import pytest
import sklearn.metrics

from tutorial_utils.evaluation import scores

NAMES = ["healthy", "rust", "blight"]


def test_scores_agree_with_scikit_learn_on_a_thousand_random_cases():
    rng = np.random.default_rng(0)
    options = dict(average="macro", zero_division=0)
    for _ in range(1000):
        classes = int(rng.integers(2, 7))
        n = int(rng.integers(1, 60))
        labels, predicted = rng.integers(classes, size=(2, n))
        probabilities = rng.dirichlet(np.ones(classes), n)
        found = scores.score_table(labels, predicted, classes, probabilities=probabilities, k=2, repeats=1)["value"]
        options |= dict(labels=range(classes))
        present = np.unique(labels)
        recalls = sklearn.metrics.recall_score(labels, predicted, labels=present, average="macro")
        expected = {
            "accuracy": sklearn.metrics.accuracy_score(labels, predicted),
            "balanced accuracy": recalls,  # balanced_accuracy_score warns of classes that only predictions hold
            "macro precision": sklearn.metrics.precision_score(labels, predicted, **options),
            "macro recall": sklearn.metrics.recall_score(labels, predicted, **options),
            "macro F1": sklearn.metrics.f1_score(labels, predicted, **options),
        }
        if classes > 2:
            top = sklearn.metrics.top_k_accuracy_score(labels, probabilities, k=2, labels=range(classes))
            expected["top 2"] = top
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-12), name


def test_a_class_that_is_never_predicted_and_one_without_photos():
    """Healthy: 3 of 4 right, 1 of the 2 rust taken for it. Rust: never predicted. Blight: no photo, predicted twice."""
    labels, predicted = [0, 0, 0, 0, 1, 1], [0, 0, 0, 2, 0, 2]
    table = scores.class_table(labels, predicted, NAMES)
    assert table["n"].tolist() == [4, 2, 0]
    assert table["recall"].tolist() == [0.75, 0, 0]
    assert table["precision"].tolist() == [0.75, 0, 0]
    assert table["f1"].tolist() == [0.75, 0, 0]
    assert table.loc["blight", ["recall_low", "recall_high"]].tolist() == [0, 1]
    assert table.loc["rust", ["precision_low", "precision_high"]].tolist() == [0, 1]
    assert scores.score_table(labels, predicted, 3)["value"]["balanced accuracy"] == pytest.approx(0.375)


def test_few_groups_have_no_interval_and_a_sentence():
    labels, predicted, groups = [0, 1, 0, 1], [0, 1, 1, 1], ["a", "a", "b", "b"]
    table = scores.score_table(labels, predicted, 2, groups)
    assert np.isnan(table.loc["macro F1", ["low", "high"]].astype(float)).all()
    assert "2 groups only" in scores.too_few_groups(groups)
    assert scores.too_few_groups(range(10)) == ""


def test_a_pair_by_chance_does_not_lead():
    """Blight and rust: 8 of 40 photos mixed up, each in another plant. Healthy and blight: 9, all of one plant."""
    labels = np.repeat([0, 1, 2], [40, 20, 20])
    predicted, groups = labels.copy(), np.arange(80)
    predicted[40:48] = 2
    predicted[:9], groups[:9] = 2, 0
    table = scores.confused_pairs(labels, predicted, NAMES, groups)
    assert table.loc[0, ["first", "second", "count"]].tolist() == ["rust", "blight", 8]
    assert table.loc[0, "cost"] == pytest.approx(8 / 40)
    assert table.loc[1, ["first", "second", "count"]].tolist() == ["healthy", "blight", 9]
    assert len(table) == 2  # healthy and rust are never mixed up


def test_a_mistake_that_costs_more_leads():
    """Two of ten each way; taking an ill leaf for a healthy one costs five times as much."""
    labels = np.repeat([0, 1, 2], 30)
    predicted = labels.copy()
    predicted[30:36], predicted[36:44] = 0, 2
    assert scores.confused_pairs(labels, predicted, NAMES).loc[0, "second"] == "blight"
    cost = [[0, 1, 1], [5, 0, 1], [5, 1, 0]]
    dear = scores.confused_pairs(labels, predicted, NAMES, cost=cost)
    assert dear.loc[0, ["first", "second"]].tolist() == ["rust", "healthy"]
    assert dear.loc[0, "cost"] == pytest.approx(6 * 5 / 60)


@pytest.mark.parametrize(("only_a", "only_b", "p"), [(0, 0, 1.0), (5, 0, 0.0625), (8, 2, 0.109375), (3, 3, 1.0)])
def test_mcnemars_test_by_hand(only_a, only_b, p):
    """Of 5 photos that only a has right: 2 / 2**5. Of 10, 8 or more: 2 * 56 / 1024."""
    n = 10 + only_a + only_b
    labels = np.zeros(n, int)
    a, b = labels.copy(), labels.copy()
    b[:only_a] = 1
    a[only_a : only_a + only_b] = 1
    assert scores.mcnemar(labels, a, b) == pytest.approx(p)


def test_the_interval_of_macro_f1_holds_the_truth_nineteen_times_in_twenty():
    """75 plants of 4 photos that are alike; by photo the interval is too narrow. Fixed seed."""
    rng, groups = np.random.default_rng(1), np.repeat(np.arange(75), 4)
    held, tries = {"groups": 0, "photos": 0}, 300
    truth = None
    for number in range(-1, tries):
        plants = 20_000 if number < 0 else 75
        labels = np.repeat(rng.integers(3, size=plants), 4)
        ease = np.repeat(rng.beta(2.4, 0.6, plants), 4)
        wrong = rng.random(4 * plants) >= ease
        predicted = np.where(wrong, (labels + 1) % 3, labels)
        if number < 0:
            truth = sklearn.metrics.f1_score(labels, predicted, average="macro")
            continue
        for name, given in {"groups": groups, "photos": None}.items():
            row = scores.score_table(labels, predicted, 3, given, repeats=400).loc["macro F1"]
            held[name] += row["low"] <= truth <= row["high"]
    assert 0.92 * tries <= held["groups"]
    assert held["photos"] < 0.90 * tries


@pytest.mark.parametrize("cost", [[[0, 1]], [0, 1, 2]])
def test_a_cost_of_another_shape_is_refused(cost):
    with pytest.raises(ValueError, match="a row and a column for each of 3 classes"):
        scores.confused_pairs([0, 1], [0, 1], NAMES, cost=cost)
