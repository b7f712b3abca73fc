import numpy as np
import pandas
import pytest

from benchmarks import adviser as benchmark
from tutorial_utils.course import adviser, trials
from tutorial_utils.data import layouts
from tutorial_utils.models import backbones


def table(gains, sets=("a", "b", "c"), noise=0.0, seeds=4):
    """Cells in which each strategy lands so far from the frozen head's 0.6; signals are noise, the same for each."""
    rng, rows = np.random.default_rng(0), []
    for name in sets:
        for number in (5, 50):
            for seed in range(seeds):
                signals = {f"trial_{signal}": rng.normal() for signal in trials.SIGNALS}
                signals |= {
                    "trial_photos_per_class": number,
                    "trial_classes": 5,
                    "trial_frozen": 0.6,
                    "trial_frozen_half": 0.5,
                }
                cell = {"set": name, "photos_per_class": number, "seed": seed} | signals
                cell |= {"backbone": "efficientnet_lite0", "image_size": 32}
                for strategy, gain in gains.items():
                    rows.append(cell | {"strategy": strategy, "accuracy": 0.6 + gain + noise * rng.normal()})
    return pandas.DataFrame(rows)


SIGNALS = {name: 0.0 for name in trials.SIGNALS}
SIGNALS |= {"photos_per_class": 20, "classes": 5, "frozen": 0.7, "frozen_half": 0.6}


def test_what_always_held_is_expected_again():
    """All layers always turned 3 right to 2 wrong into 6 to 2, twice the odds: 7 to 3 becomes 14 to 3."""
    gains = {"head": 0, "last": 9 / 13 - 0.6, "all": 0.15}  # odds of 1.5, 2.25 and 3
    expected, lead, best = adviser.predict(SIGNALS, table(gains))
    assert expected["accuracy"].tolist() == pytest.approx([7 / 10, 10.5 / 13.5, 14 / 17])
    assert (expected["high"] - expected["low"]).max() < 1e-6
    assert best == "all"
    assert lead["all"] == pytest.approx(np.log(2 / 1.5))
    assert lead["head"] < 0


def test_no_expectation_passes_one():
    expected, _, best = adviser.predict(SIGNALS | {"frozen": 0.97}, table({"head": 0, "last": 0.05, "all": 0.1}))
    assert expected["accuracy"].is_monotonic_increasing
    assert expected["high"].max() < 1
    assert best == "all"


def test_a_trial_that_broke_down_counts_as_a_bad_sign():
    assert adviser._columns(pandas.DataFrame([SIGNALS | {"all_loss": np.nan}]))[0, 2] == adviser._WORST


def test_noise_makes_it_unsure_and_the_interval_wide():
    expected, lead, _ = adviser.predict(SIGNALS, table({"head": 0, "last": 0.01, "all": 0.02}, noise=0.05))
    assert max(lead.values()) < 0
    width = expected["high"] - expected["low"]
    assert width.between(0.1, 0.5).all()  # 1.64 deviations of 0.05 each way are 0.16


def test_evidence_without_trials_is_refused():
    bare = table({"head": 0}).drop(columns=["trial_all", "trial_distance"])
    with pytest.raises(ValueError, match="lacks trial_distance, trial_all"):
        adviser.advise(None, None, 128, evidence=bare)  # before it looks at any photo


def test_other_strategies_in_the_table_are_left_out():
    with_scratch = table({"head": 0, "last": 0.05, "all": 0.1, "scratch": -0.3})
    expected, _, _ = adviser.predict(SIGNALS, with_scratch)
    assert list(expected.index) == ["head", "last", "all"]


def test_regret_is_counted_against_the_best_in_hindsight():
    """Set a: best is all (0.8); advised head, 0.7, and all, 0.8, in its two seeds. Set b: head is best, and advised."""
    rows = [("a", 5, 0, 0.7, 0.6, 0.8, 0.7), ("a", 5, 1, 0.7, 0.6, 0.8, 0.8), ("b", 5, 0, 0.9, 0.9, 0.5, 0.9)]
    names = ["set", "photos_per_class", "seed", "head", "last", "all", "accuracy"]
    found = adviser.regrets(pandas.DataFrame(rows, columns=names))
    assert found["as advised"] == pytest.approx(100 * (0.05 + 0) / 2)
    assert found["always head"] == pytest.approx(100 * (0.1 + 0) / 2)
    assert found["always all"] == pytest.approx(100 * (0 + 0.4) / 2)


def test_the_judged_set_is_left_out():
    """In set c all layers harm, elsewhere they help: an adviser that has not seen c recommends them there."""
    elsewhere = table({"head": 0, "last": 0.05, "all": 0.1}, sets=("a", "b"))
    here = table({"head": 0, "last": -0.2, "all": -0.3}, sets=("c",))
    judged = benchmark.judge(pandas.concat([elsewhere, here]))
    assert set(judged.loc[judged["set"] == "c", "advised"]) == {"all"}
    assert judged.loc[judged["set"] == "c", "held"].max() < 0.5


@pytest.mark.parametrize(("mixed", "named"), [(20, ["rust", "spot"]), (2, [])])
def test_the_pair_that_is_mixed_up_is_named_unless_it_may_be_chance(mixed, named):
    """40 photos each of five classes, two mistakes elsewhere a class."""
    names = ["blight", "healthy", "mosaic", "rust", "spot"]
    labels = np.repeat(np.arange(5), 40)
    said = labels.copy()
    for each in range(5):
        said[40 * each : 40 * each + 2] = [(each + 1) % 5, (each + 2) % 5]
    said[120 + 5 : 120 + 5 + mixed] = 4
    photos = pandas.DataFrame({"label": pandas.Categorical.from_codes(labels, names), "group": np.arange(200)})
    assert adviser._weakest(photos, np.eye(5)[said]) == named


def test_evidence_of_few_sets_is_called_weak():
    backbone = backbones.Backbone("efficientnet_lite0", "", None, None, "", "", "", "")
    even = pandas.DataFrame({"label": pandas.Categorical(["rust", "spot"] * 9)})
    assert "of 3 sets only" in adviser._unlike(even, {"photos_per_class": 9}, backbone, 32, table({"head": 0}))


@pytest.mark.slow
def test_advice_for_photos_that_are_easy(class_folders):
    advice = adviser.advise(
        layouts.load_folder(class_folders),
        backbones.get("efficientnet_lite0"),
        32,
        evidence=table({"head": 0, "last": -0.01, "all": -0.02}, noise=0.005),
        progress=False,
    )
    assert advice.strategy == "head"
    assert advice.learning_rate is None
    assert "a head on the frozen base" in str(advice)
    assert "With 10 photos a class" in str(advice)
    assert "guess" not in str(advice)
    shown = adviser.advice_table(advice)
    assert shown.loc["a head on the frozen base", "expected (%)"] == round(100 * advice.expected.accuracy["head"], 1)


@pytest.mark.parametrize(
    ("number", "name", "size", "words"),
    [
        (5, "efficientnet_lite0", 32, ""),
        (4, "efficientnet_lite0", 32, " 4 photos a class are too few to tell: nothing below 5 was ever tried out."),
        (5, "vgg16", 32, " All this was measured with efficientnet_lite0 at 32 pixels; for vgg16 at 32 it is a guess."),
        (51, "efficientnet_lite0", 32, " 51 photos a class are more than were ever tried out: 50 at most."),
        (5, "efficientnet_lite0", 64, "; for efficientnet_lite0 at 64 it is a guess."),
    ],
)
def test_what_the_evidence_does_not_cover_is_said(number, name, size, words):
    backbone = backbones.Backbone(name, "", None, None, "", "", "", "")
    evidence, signals = table({"head": 0}, sets="abcde"), {"photos_per_class": number}
    even = pandas.DataFrame({"label": pandas.Categorical(["rust", "spot"] * number)})
    told = adviser._unlike(even, signals, backbone, size, evidence)
    assert told.endswith(words)
    assert bool(told) == bool(words)


def test_uneven_classes_are_said_to_be_unlike_the_evidence():
    backbone = backbones.Backbone("efficientnet_lite0", "", None, None, "", "", "", "")
    photos = pandas.DataFrame({"label": pandas.Categorical(["rust"] * 30 + ["spot"] * 10)})
    told = adviser._unlike(photos, {"photos_per_class": 20}, backbone, 32, table({"head": 0}, sets="abcde"))
    assert told.endswith("here there are 30 of rust and 10 of spot.")


def test_a_pair_that_one_plant_mixed_up_is_not_named():
    """The same mistakes as of 20 photos above, but all of them, and half of each class, are of one plant."""
    names = ["blight", "healthy", "mosaic", "rust", "spot"]
    labels = np.repeat(np.arange(5), 40)
    said = labels.copy()
    said[120:140] = 4
    groups = np.where(np.arange(200) % 40 < 20, 5 * (np.arange(200) // 40), np.arange(200) + 1000)
    photos = pandas.DataFrame({"label": pandas.Categorical.from_codes(labels, names), "group": groups})
    assert adviser._weakest(photos, np.eye(5)[said]) == []
