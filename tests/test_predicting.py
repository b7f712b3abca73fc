"""The benchmarks of chapter 8, on a few photos."""

import importlib.util

import pytest

from benchmarks import own_photos, predicting
from tutorial_utils.course import model_card


@pytest.mark.skipif(importlib.util.find_spec("elpv_dataset") is None, reason="needs the package elpv-dataset")
def test_the_ratio_is_of_the_same_photos():
    found = predicting.ratio(40, 64, 1)
    parts = found["decode_seconds"] + found["forward_seconds"]
    assert found["ratio"] == pytest.approx(found["predict_seconds"] / parts)


def test_a_chapter_that_fails_stops_the_benchmark_with_its_words(tmp_path):
    with pytest.raises(SystemExit, match="There is no folder"):
        own_photos.measure("none", str(tmp_path / "none"), tmp_path / "runs")


def test_what_the_benchmark_keeps_is_what_the_chapter_writes(root):
    text = (root / "notebooks" / "source" / f"{own_photos.CHAPTER}.py").read_text(encoding="utf-8")
    for name in ("taken_out", "accuracy_majority", "frame_accuracy", "known_kept", "strategy", "_same_class", "_lost"):
        assert name in text
    assert {"model.keras", "model.tflite", "model.onnx", "labels.txt", "report.html", "predictions.csv"} <= set(
        model_card.FILES
    )
