"""The benchmarks of chapter 8, on a few photos."""

import importlib.util

import pytest
from papermill.exceptions import PapermillExecutionError

from benchmarks import own_photos, predicting
from tests.course.test_summary import filled


@pytest.mark.skipif(importlib.util.find_spec("elpv_dataset") is None, reason="needs the package elpv-dataset")
def test_the_ratio_is_of_the_same_photos():
    found = predicting.ratio(40, 64, 1)
    parts = found["decode_seconds"] + found["forward_seconds"]
    assert found["ratio"] == pytest.approx(found["predict_seconds"] / parts)


def test_a_chapter_that_fails_stops_the_benchmark_with_its_words(tmp_path):
    with pytest.raises(PapermillExecutionError, match="There is no folder"):
        own_photos.measure("none", str(tmp_path / "none"), tmp_path / "runs")


def test_what_the_benchmark_keeps_is_what_the_chapter_writes():
    written = {"backbone", "image_size", *filled().as_metrics()}  # the first two by run_folder.finish
    assert set(own_photos.KEPT) <= written
