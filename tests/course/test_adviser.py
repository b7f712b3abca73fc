import keras
import numpy as np
import pandas
import pytest

from benchmarks import adviser as benchmark
from tutorial_utils.course import adviser
from tutorial_utils.data import layouts
from tutorial_utils.models import backbones

SIGNALS = {"photos_per_class": 20, "classes": 5, "frozen": 0.7, "frozen_half": 0.6}
SIGNALS |= {"distance": 0.0, "all": 0.0, "all_loss": 0.0}


def table(gains, sets=("a", "b", "c"), noise=0.0, seeds=4):
    """Cells in which each strategy lands so far from the frozen head's 0.6; signals are noise, the same for each."""
    rng, rows = np.random.default_rng(0), []
    for name in sets:
        for number in (5, 50):
            for seed in range(seeds):
                signals = {f"trial_{signal}": rng.normal() for signal in SIGNALS}
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


def test_what_always_held_is_expected_again():
    """All layers always turned 3 right to 2 wrong into 6 to 2, twice the odds: 7 to 3 becomes 14 to 3."""
    gains = {"head": 0, "last": 9 / 13 - 0.6, "all": 0.15}  # odds of 1.5, 2.25 and 3
    expected, lead, best = adviser.predict_strategies(SIGNALS, table(gains))
    assert expected["accuracy"].tolist() == pytest.approx([7 / 10, 10.5 / 13.5, 14 / 17])
    assert (expected["high"] - expected["low"]).max() < 1e-6
    assert best == "all"
    assert lead["all"] == pytest.approx(np.log(2 / 1.5))
    assert lead["head"] < 0


def test_no_expectation_passes_one():
    expected, _, best = adviser.predict_strategies(
        SIGNALS | {"frozen": 0.97}, table({"head": 0, "last": 0.05, "all": 0.1})
    )
    assert expected["accuracy"].is_monotonic_increasing
    assert expected["high"].max() < 1
    assert best == "all"


def test_a_trial_that_broke_down_counts_as_a_bad_sign():
    assert adviser._columns(pandas.DataFrame([SIGNALS | {"all_loss": np.nan}]))[0, 2] == adviser._WORST


def test_noise_makes_it_unsure_and_the_interval_wide():
    expected, lead, _ = adviser.predict_strategies(SIGNALS, table({"head": 0, "last": 0.01, "all": 0.02}, noise=0.05))
    assert max(lead.values()) < 0
    width = expected["high"] - expected["low"]
    assert width.between(0.1, 0.5).all()  # 1.64 deviations of 0.05 each way are 0.16


def test_the_order_of_the_rows_does_not_matter():
    """The errors of two strategies are subtracted cell by cell, wherever their rows stand."""
    evidence = table({"head": 0, "last": 0.01, "all": 0.02}, noise=0.05)
    expected, lead, best = adviser.predict_strategies(SIGNALS, evidence)
    shuffled = adviser.predict_strategies(SIGNALS, evidence.sample(frac=1, random_state=1))
    pandas.testing.assert_frame_equal(shuffled[0], expected)
    assert shuffled[1] == pytest.approx(lead)
    assert shuffled[2] == best


def test_a_cell_in_which_an_accuracy_is_missing_does_not_count():
    evidence = table({"head": 0, "last": 0.01, "all": 0.02}, noise=0.05, seeds=2)
    first = (evidence["set"] == "a") & (evidence["photos_per_class"] == 5) & (evidence["seed"] == 0)
    spoiled = evidence.assign(accuracy=evidence["accuracy"].where(~first | (evidence["strategy"] != "last")))
    expected, lead, _ = adviser.predict_strategies(SIGNALS, evidence[~first])
    found, found_lead, _ = adviser.predict_strategies(SIGNALS, spoiled)
    pandas.testing.assert_frame_equal(found, expected)
    assert found_lead == pytest.approx(lead)
    assert len(benchmark.judge(spoiled)) == len(benchmark.judge(evidence)) - 1


def test_other_strategies_in_the_table_are_left_out():
    with_scratch = table({"head": 0, "last": 0.05, "all": 0.1, "scratch": -0.3})
    expected, _, _ = adviser.predict_strategies(SIGNALS, with_scratch)
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


@pytest.fixture(scope="module")
def lite0():
    return backbones.get("efficientnet_lite0")


def test_the_trials_tell_two_colors_apart_and_leave_the_base_as_it_was(class_folders, lite0):
    before = [weight.copy() for weight in lite0.base.get_weights()]
    signals, probabilities = adviser.run_trials(layouts.load_folder(class_folders), lite0, 32, progress=False)
    assert set(SIGNALS) <= set(signals)
    assert signals["photos_per_class"] == 10
    assert signals["frozen"] == signals["frozen_half"] == 1  # green and brown
    assert signals["all"] == 0  # nothing left to gain
    assert probabilities.argmax(axis=1).tolist() == [0] * 10 + [1] * 10
    for old, new in zip(before, lite0.base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def tiny(channels, normalized=True):
    """A backbone of a single layer that gives 7 in every channel, then expects mean 3 and variance 4."""
    inputs = keras.Input((None, None, 3))
    sevens = keras.layers.Conv2D(
        channels, 1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(7)
    )
    normalization = keras.layers.BatchNormalization(epsilon=1e-9)
    base = keras.Model(inputs, normalization(sevens(inputs)) if normalized else sevens(inputs))
    if normalized:
        one = np.ones(channels)
        normalization.set_weights([one, 0 * one, 3 * one, 4 * one])
    return backbones.Backbone("sevens", "sevens", base, lambda images: images, "none", "", "", "")


def test_the_distance_is_that_of_the_means_in_standard_deviations(class_folders):
    """Mean 3 and variance 4 are expected, and 7 comes in every channel: two deviations."""
    photos = layouts.load_folder(class_folders)
    assert adviser.domain_distance(photos, tiny(2), 32) == pytest.approx(2, rel=1e-5)
    assert np.isnan(adviser.domain_distance(photos, tiny(2, normalized=False), 32))


def test_of_many_classes_three_photos_each_are_tried(tmp_path, make_photo):
    """134 classes: 400 photos would be two of each, too few to hold a group of each back."""
    for number in range(3 * 134):
        make_photo(tmp_path / f"{number % 134:03d}" / f"{number}.png", seed=number)
    signals, probabilities = adviser.run_trials(layouts.load_folder(tmp_path), tiny(2), 32, progress=False)
    assert (signals["classes"], signals["photos_per_class"]) == (134, 3)
    assert probabilities.shape == (402, 134)
    assert np.isfinite(signals["all_loss"])


def test_a_class_whose_groups_all_fall_on_one_side_is_not_tried():
    """Three plants; the two that show the disease b are held back together."""
    counts = {("0", "a"): 2, ("0", "b"): 1, ("0", "c"): 5, ("1", "b"): 5, ("1", "c"): 2, ("2", "a"): 5, ("2", "c"): 2}
    rows = [each for each, count in counts.items() for _ in range(count)]
    photos = pandas.DataFrame(rows, columns=["group", "label"]).astype({"label": "category"})
    for learn, ask in adviser._halves(photos, seed=0):
        assert (
            set(learn["label"]) == set(learn["label"].cat.categories) == set(ask["label"].cat.categories) == {"a", "c"}
        )


def test_a_class_of_one_group_is_named(class_folders, lite0):
    photos = layouts.load_folder(class_folders)
    photos.loc[photos["label"] == "ill", "group"] = "one plant"
    with pytest.raises(ValueError, match="'ill' belong to one group"):
        adviser.run_trials(photos, lite0, 32, progress=False)


def test_a_class_of_one_group_is_named_before_anything_is_computed(class_folders):
    photos = layouts.load_folder(class_folders).assign(group="one plant")
    with pytest.raises(ValueError, match=r"class .* belong to one group"):
        adviser.run_trials(photos, None, 32)  # no backbone is needed to see it
