"""The benchmarks of chapter 8, on a few photos."""

import importlib.util

import pytest

from benchmarks import own_photos, predicting
from tests.course.test_summary import filled


@pytest.mark.skipif(importlib.util.find_spec("elpv_dataset") is None, reason="needs the package elpv-dataset")
def test_the_ratio_is_of_the_same_photos():
    found = predicting.ratio(40, 64, 1)
    parts = found["decode_seconds"] + found["forward_seconds"]
    assert found["ratio"] == pytest.approx(found["predict_seconds"] / parts)


def test_photos_of_no_use_stop_the_benchmark_with_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="There is no folder"):
        own_photos.measure("none", str(tmp_path / "none"), "quick", tmp_path / "runs")


def test_what_the_benchmark_keeps_is_what_the_chapter_writes():
    written = {"backbone", "image_size", *filled().as_metrics()}  # the first two by run_folder.finish
    assert set(own_photos.KEPT) <= written
