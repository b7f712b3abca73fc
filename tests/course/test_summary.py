"""Sentences from numbers: each comes only with its numbers, and says no more than they do."""

import dataclasses
import json
import math

import numpy as np
import pandas
import pytest

from tutorial_utils.course.summary import EvaluationSummary, verdict
from tutorial_utils.evaluation.intervals import Interval

SCORE = {"n_test": 268, "test_accuracy": 0.873, "test_accuracy_low": 0.821, "test_accuracy_high": 0.914}
TELLS_NOTHING = "these photos do not tell"


def said_of(numbers):
    return verdict(EvaluationSummary.from_metrics(numbers))


def test_no_numbers_no_words():
    assert said_of({}) == ""
    assert said_of({"dataset": "leaves", "test_accuracy": 0.9}) == ""  # without n and interval, no claim
    assert said_of(dict.fromkeys([*SCORE, "temperature", "most_confused", "unknown_kept"])) == ""
    assert said_of(SCORE | {"test_accuracy_low": float("nan")}) == ""


def test_a_score_comes_with_n_and_interval():
    assert said_of(SCORE) == (
        "On 268 test photos the model is right on 87.3 %; on new photos of their kind it is probably right on "
        "82.1 to 91.4 % (95 % interval)."
    )


@pytest.mark.parametrize(
    ("majority", "said"),
    [(0.82, "That is better than always"), (0.83, TELLS_NOTHING), (0.92, "That is worse than always")],
)
def test_a_baseline_is_beaten_only_outside_the_interval(majority, said):
    assert said in said_of(SCORE | {"accuracy_majority": majority})


def test_with_few_groups_nothing_is_called_better():
    many = SCORE | {
        "accuracy_majority": 0.2,
        "most_confused": "rust / blight",
        "most_confused_share_low": 0.1,
        **triple("heat_inside_ratio", 2, 1.5, 2.5),
        **triple("unknown_auc_noise", 0.9, 0.8, 0.95),
        **triple("calibration_error", 0.1, 0.05, 0.15),
    }
    said = said_of(many | {"enough_groups": False})
    assert said.count(TELLS_NOTHING) == 5
    assert "every interval here is rough" in said
    assert TELLS_NOTHING not in said_of(many | {"enough_groups": True})


def test_a_score_of_photos_each_taken_for_itself_says_so():
    said = said_of(SCORE | {"grouped": False})
    assert said.endswith("each is taken for itself: if some do, this score is too good.")
    assert said_of(SCORE | {"grouped": True}) == said_of(SCORE)


def triple(name, value, low, high):
    return {name: value, f"{name}_low": low, f"{name}_high": high}


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (
            {"most_confused": "none"},
            "It makes no mistake on these photos, so they do not show where it would make one.",
        ),
        ({"most_confused": "rust / blight"}, "The two classes that it mixes up most are rust and blight."),
        (
            {"most_confused": "rust / blight", "most_confused_share_low": 0.032},
            "The two classes that it mixes up most are rust and blight: probably on at least 3.2 % of new photos of "
            "these two.",
        ),
        (
            {"most_confused": "rust / blight", "most_confused_share_low": 0.0},
            "The two classes that it mixes up most are rust and blight; whether by more than chance, these photos do "
            "not tell.",
        ),
        (
            {"lowest_recall": "rust", "lowest_recall_value": 0.714},
            "It misses rust most: of the test photos of that class it finds 71.4 %.",
        ),
        ({"lowest_recall": "rust", "lowest_recall_value": 1.0}, "It finds every test photo of every class."),
        ({"lowest_recall": "rust"}, ""),
        (
            triple("calibration_error", 0.061, 0.04, 0.089),
            "Its confidence differs from its accuracy by 6.1 points (95 % interval 4.0 to 8.9) on average.",
        ),
        (
            triple("calibration_error", 0.03, 0.0, 0.06),
            "Its confidence is off by 3.0 points (95 % interval 0.0 to 6.0) on average; if it is off at all, these "
            "photos do not tell.",
        ),
        (
            {"temperature": 1.42},
            "On the validation photos it was too sure; a temperature of 1.42 makes up for that there.",
        ),
        (
            {"temperature": 0.7},
            "On the validation photos it was not sure enough; a temperature of 0.70 makes up for that there.",
        ),
        (
            {"temperature": 1.02},
            "On the validation photos its confidence needed hardly any correction (temperature 1.02).",
        ),
        (
            {"wanted_error": 0.05, "threshold": 0.83, "coverage": 0.74, "risk": 0.061},
            "Asked to answer only when it is at least 83.0 % sure, which kept wrong answers down to 5 % on the "
            "validation photos, it answers 74.0 % of the test photos; of these answers 6.1 % are wrong.",
        ),
        (
            {"wanted_error": 0.05, "threshold": 0.999, "coverage": 0.0, "risk": 0.0},
            "Asked to answer only when it is at least 99.9 % sure, which kept wrong answers down to 5 % on the "
            "validation photos, it answers 0.0 % of the test photos.",
        ),
        (
            {"wanted_error": 0.05, "threshold": None},
            "On the validation photos, no threshold kept wrong answers down to 5 %, so it has none.",
        ),
        ({"wanted_error": 0.05}, ""),
        (
            triple("heat_inside_ratio", 2.3, 1.9, 2.8),
            "Its saliency maps put 2.3 times as much inside the lesions as an even map would (95 % "
            "interval 1.9 to 2.8): more than chance.",
        ),
        (
            triple("unknown_auc_old_shoes", 0.9, 0.85, 0.95),
            "Out-of-distribution images (old shoes) look less familiar to it than test photos in 90.0 % of pairs "
            "(95 % interval 85.0 to 95.0 %); guessing would give half.",
        ),
        (
            {"unknown_kept": 0.12},
            "It would still name a class for 12.0 % of the out-of-distribution images, always wrongly.",
        ),
        (
            {"forecast_photos": 2400} | triple("forecast_accuracy", 0.93, 0.89, 0.955),
            "Trained on 2,400 photos, it would be expected to be right on about 93.0 % (interval 89.0 to 95.5 %); "
            "that is a forecast, not a measurement.",
        ),
    ],
)
def test_each_sentence_alone(numbers, said):
    assert said_of(numbers) == said


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (triple("heat_inside_ratio", 1.3, 0.9, 1.8), TELLS_NOTHING),
        (triple("heat_inside_ratio", 0.5, 0.3, 0.8), "less than chance, so they point elsewhere"),
        (triple("unknown_auc_noise", 0.6, 0.45, 0.7), TELLS_NOTHING),
        (
            triple("unknown_auc_noise", 0.3, 0.2, 0.4),
            "look more familiar to it than test photos: the right order in 30.0 % of pairs",
        ),
    ],
)
def test_where_an_interval_holds_chance_the_photos_do_not_tell(numbers, said):
    assert said in said_of(numbers)


@pytest.mark.parametrize(
    ("low", "said"), [(0.92, "more photos would probably help"), (0.91, "these numbers do not tell")]
)
def test_more_photos_help_only_where_the_intervals_are_apart(low, said):
    """The score's interval ends at 0.914."""
    forecast = {"forecast_photos": 900} | triple("forecast_accuracy", 0.95, low, 0.97)
    assert said in said_of(SCORE | forecast)


def test_themes_are_paragraphs():
    said = said_of(SCORE | {"accuracy_majority": 0.1, "most_confused": "none", "temperature": 1.0})
    assert [part.split()[0] for part in said.split("\n\n")] == ["On", "It", "On"]


def test_a_forecast_for_a_head_is_not_taken_for_one_of_the_model():
    found = {"frozen_forecast": 0.8, "frozen_forecast_low": 0.7, "frozen_forecast_high": 0.9}
    said = said_of(found | {"frozen_forecast_photos": 1008})
    assert "A head on the frozen base, trained on 1,008 photos, would be expected to be right on about 80.0 %" in said
    assert said.endswith("What more photos would bring to this model itself was not measured.")


def filled():
    """A summary of which every field has a value."""
    values = {"exports": pandas.DataFrame(0.5, ["keras", "float32", "float16", "int8", "onnx"], EXPORT_COLUMNS)}
    for field in dataclasses.fields(EvaluationSummary):
        interval = Interval(0.5, 0.4, 0.6, n=10, groups=10)
        value = interval if field.type == Interval | None else {"noise": interval} if field.type == dict | None else 1
        values.setdefault(field.name, value)
    return EvaluationSummary(**values)


EXPORT_COLUMNS = ["megabytes", "milliseconds", "largest_difference", "same_class", "accuracy", "lost", "lost_low"]
EXPORT_COLUMNS += ["lost_high"]


def test_the_keys_of_metrics_json_keep_their_names():
    """A few of every kind; the run folders that people have hold them."""
    assert {
        "n_test", "test_accuracy", "test_accuracy_low", "test_accuracy_high", "accuracy_majority", "enough_groups",
        "most_confused", "most_confused_share_low", "lowest_recall", "lowest_recall_value", "calibration_error_low",
        "unknown_auc_noise", "unknown_auc_noise_high", "heat_inside_ratio", "frozen_forecast_photos", "fall_turned_low",
        "frame_accuracy", "taken_out", "float32_megabytes", "onnx_difference", "int8_lost_high", "seconds",
    } <= set(filled().as_metrics())  # fmt: skip
    assert not [name for name in filled().as_metrics() if name.startswith("keras")]


def test_what_is_written_is_plain_json_and_is_read_again():
    summary = EvaluationSummary(n_test=np.int64(9), enough_groups=np.bool_(True), risk=np.float64("nan"))
    summary.test_accuracy = pandas.Series({"value": 0.5, "low": 0.25, "high": 0.75})  # any object with these names
    summary.threshold, summary.unknown_auc = math.inf, {"noise": Interval(0.9, 0.8, 1.0, n=9, groups=9)}
    metrics = json.loads(json.dumps(summary.as_metrics(), allow_nan=False))
    assert metrics == {
        "n_test": 9, "enough_groups": True, "risk": None, "threshold": None,
        "test_accuracy": 0.5, "test_accuracy_low": 0.25, "test_accuracy_high": 0.75,
        "unknown_auc_noise": 0.9, "unknown_auc_noise_low": 0.8, "unknown_auc_noise_high": 1.0,
    }  # fmt: skip
    again = EvaluationSummary.from_metrics(metrics | {"dataset": "leaves"})
    assert again.as_metrics() == {name: value for name, value in metrics.items() if name != "risk"}
    assert (again.threshold, again.risk, again.unknown_auc["noise"].high) == (math.inf, None, 1.0)


def test_a_name_that_is_no_number_of_the_summary_is_an_error():
    with pytest.raises(AttributeError):
        EvaluationSummary().test_acuracy = 0.5


def test_the_class_found_least_and_the_pair_mixed_up_most():
    classes = pandas.DataFrame({"recall": [0.9, 0.7]}, index=["rust", "blight"])
    pairs = pandas.DataFrame({"first": ["rust"], "second": ["blight"], "low": [0.02]})
    summary = EvaluationSummary()
    summary.add_classes(classes, pairs)
    assert summary.as_metrics() == {
        "most_confused": "rust / blight", "most_confused_share_low": 0.02,
        "lowest_recall": "blight", "lowest_recall_value": 0.7,
    }  # fmt: skip
    summary.add_classes(classes, pairs.iloc[:0])
    assert (summary.most_confused, summary.as_metrics()["most_confused_share_low"]) == ("none", None)
