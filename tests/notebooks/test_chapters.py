"""Every chapter runs small: with nbval, its exercises answered, and with papermill, as an engineer would run it.

At their defaults they run where the book is made of them: tests/browser/test_book.py.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import nbformat
import pytest

from tests.conftest import ROOT
from tests.notebooks import solved

CHAPTERS = [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
LONG = ("04", "05", "07")


def run(*command, cwd, **variables):
    """Run a command of this environment's Python; return it with its output."""
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True
    )


def papermill(root, chapter, folder, *parameters, **variables):
    """Execute a chapter from another folder; return (process, metrics or None, outputs)."""
    output, results = folder / "executed.ipynb", folder / "run"
    source = root / "notebooks" / f"{chapter}.ipynb"
    command = ["papermill", "--no-progress-bar", source, output, "-p", "run_dir", results, *parameters]
    process = run(*command, cwd=folder, **variables)
    metrics = results / "metrics.json"
    text = output.read_text(encoding="utf-8") if output.exists() else ""
    return process, json.loads(metrics.read_text()) if metrics.exists() else None, text


def small(chapter):
    """Return the options that make a chapter quick."""
    return [part for name, value in solved.small(chapter).items() for part in ("-p", name, value)]


def test_every_source_has_its_chapter(root):
    sources = [path.stem for path in sorted((root / "notebooks" / "source").glob("[0-9][0-9]_*.py"))]
    assert sources == CHAPTERS
    assert len(CHAPTERS) >= 8


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_takes_another_backbone_and_its_exercises_answer(root, chapter, tmp_path):
    """With cached MobileNetV2 weights that is MobileNetV2, else the offline backbone, asked for by name.

    Every solution is filled in, and its check must say right; each usual wrong answer must get its own message.
    """
    from tutorial_utils.models import backbones

    cached = backbones.cache_path("mobilenet_v2").is_file()
    name = "mobilenet_v2" if cached else "efficientnet_lite0"
    answered = solved.notebook(root, chapter)
    assert sum(cell.source.count("\n_probe(") for cell in answered.cells) >= 3
    solved.given(answered, **solved.small(chapter), backbone=name)
    nbformat.write(answered, tmp_path / f"{chapter}.ipynb")
    command = ["pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", tmp_path / f"{chapter}.ipynb"]
    process = run(*command, cwd=tmp_path, TUTORIAL_RUNS=tmp_path / "runs")
    assert process.returncode == 0, process.stdout[-4000:]
    metrics = json.loads((tmp_path / "runs" / chapter / "metrics.json").read_text())
    assert metrics["image_size"] == 96
    assert metrics["backbone"] == metrics.get("chosen_backbone", name)  # chapter 7 may end with another one


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """A folder of 15 real photos of each of two classes, taken from the ELPV package."""
    if importlib.util.find_spec("elpv_dataset") is None:
        pytest.skip("needs the package elpv-dataset")
    from tutorial_utils.data import catalog

    folder = tmp_path_factory.mktemp("real") / "cells"
    photos = catalog.load_photos("solar_cells", photos_per_class=15)
    for path, label in zip(photos["path"], photos["label"], strict=True):
        (folder / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / label)
    return folder


def slow_if_long(chapter):
    """Return a chapter as a parameter of a test; those that train for long are left to `make test-slow`."""
    return pytest.param(chapter, marks=pytest.mark.slow if chapter[:2] in LONG else ())


@pytest.mark.parametrize("chapter", [slow_if_long(chapter) for chapter in CHAPTERS[:-1]])  # the last: test_own_photos
def test_a_chapter_takes_a_folder_of_real_photos(root, chapter, cells, tmp_path):
    parameters = ["-p", "dataset", cells, "-p", "backbone", "efficientnet_lite0"]
    process, metrics, text = papermill(root, chapter, tmp_path, *small(chapter), *parameters)
    assert process.returncode == 0, process.stderr[-3000:]
    check_run(chapter, cells, tmp_path / "run", metrics, text)


def check_run(chapter, cells, run, metrics, text):
    """Assert what every chapter must leave and tell that ran on the folder `cells` with EfficientNet-Lite0."""
    assert metrics["backbone"] == metrics.get("chosen_backbone", "efficientnet_lite0")
    assert metrics["dataset"] == str(cells)
    if chapter[:2] > "02":
        assert 0 <= metrics["test_accuracy_low"] <= metrics["test_accuracy"] <= metrics["test_accuracy_high"] <= 1
        assert metrics["n_test"] >= 2
        assert (run / "model.keras").is_file()
    for word in ("Warning", "retracing", "oneDNN"):
        assert word not in text, f"{word} appears in the outputs of {chapter}"


def test_a_fallback_is_said_and_recorded(root, tmp_path):
    parameters = ["-p", "backbone", "vgg16"]
    process, metrics, text = papermill(
        root, "01_setup", tmp_path, *small("01_setup"), *parameters, KERAS_HOME=tmp_path, TUTORIAL_OFFLINE=1
    )
    assert process.returncode == 0, process.stderr[-3000:]
    assert (metrics["backbone"], metrics["backbone_requested"]) == ("efficientnet_lite0", "vgg16")
    assert "Going on with efficientnet_lite0" in text


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (["datset", "leaves"], "no parameter datset"),
        (["image_size", "big"], "image_size must be a whole number"),
        (["seed", "-1"], "seed must be a whole number"),
    ],
)
def test_a_wrong_parameter_stops_at_once(root, tmp_path, parameters, message):
    process, metrics, _ = papermill(root, "01_setup", tmp_path, "-p", *parameters)
    assert process.returncode == 1
    assert message in process.stderr
    assert metrics is None
    assert not (tmp_path / "run").exists()
