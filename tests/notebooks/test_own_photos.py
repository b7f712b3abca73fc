"""Chapter 8 on a folder: what it leaves, and how it ends where the folder is not fit."""

import json
import pathlib
import re
import shutil
import subprocess

import pandas
import pytest

from tests.course.test_card_commands import environment
from tests.notebooks.test_chapters import cells, check_run, papermill, small  # noqa: F401
from tutorial_utils import _files
from tutorial_utils.course import model_card

CHAPTER = "08_your_own_photos"


def test_a_folder_that_is_not_fit_stops_with_a_sentence(root, class_folders, tmp_path):
    for path in sorted((class_folders / "ill").iterdir())[:8]:
        path.unlink()
    process, metrics, text = papermill(root, CHAPTER, tmp_path, "-p", "dataset", class_folders)
    assert process.returncode == 1  # a script must be able to tell that there is no model
    last = [line for line in process.stderr.splitlines() if line.strip()][-1]
    assert last.startswith("Stopped: these photos are not fit to learn from")
    assert metrics is None
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "not fit to learn from yet" in page
    failed = [
        output
        for cell in json.loads(text)["cells"]
        for output in cell.get("outputs", [])
        if output["output_type"] == "error"
    ]
    assert [len(output["traceback"]) for output in failed] == [1]  # a line, and no wall


@pytest.mark.slow
def test_a_zip_of_a_set_that_is_split_already_becomes_a_quick_model(root, cells, tmp_path):  # noqa: F811
    """Its classes have names that plots read their own way: a formula, and nothing for a legend."""
    names, sides = dict(zip(sorted(path.name for path in cells.iterdir()), ["$1", "_$2"], strict=True)), {}
    for place, path in enumerate(sorted(cells.rglob("*.png"))):
        part = ("train", "train", "train", "valid", "test")[place % 5]
        target = tmp_path / "pets" / part / names[path.parent.name] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        sides[path.name] = {"valid": "val"}.get(part, part)
    archive = shutil.make_archive(str(tmp_path / "pets"), "zip", tmp_path, "pets")
    options = ["-p", "dataset", archive, "-p", "image_size", 96, "-p", "effort", "quick"]
    process, metrics, text = papermill(root, CHAPTER, tmp_path, *options)
    assert process.returncode == 0, process.stderr[-3000:]
    kept = pandas.read_csv(tmp_path / "run" / "splits.csv")
    assert {pathlib.Path(path).name: part for path, part in zip(kept["path"], kept["split"], strict=True)} == sides
    assert "from train (18), valid (6), test (6), whose split is kept" in text
    assert metrics["strategy"] == "a head on all layers of the frozen base"
    assert (tmp_path / "run" / "labels.txt").read_text() == "$1\n_$2\n"
    assert r"one of 2 classes for a photo: \$1, \_\$2." in (tmp_path / "run" / "model_card.md").read_text()
    for word in ("Warning", "retracing"):
        assert word not in text


@pytest.mark.slow
def test_what_the_chapter_leaves_can_be_used_without_the_course(root, cells, tmp_path):  # noqa: F811
    process, metrics, text = papermill(root, CHAPTER, tmp_path, *small(CHAPTER), "-p", "dataset", cells)
    assert process.returncode == 0, process.stderr[-3000:]
    run = tmp_path / "run"
    check_run(CHAPTER, cells, run, metrics, text)
    lacking = {name for name in [*model_card.FILES, "model_card.md"] if not (run / name).is_file()}
    assert lacking <= {"try_me.html"}  # it needs npm once
    record = json.loads((run / "run.json").read_text())
    for name in ("model.keras", "model.tflite", "model_float16.tflite", "model_int8.tflite", "model.onnx"):
        assert record["files_sha256"][name] == _files.sha256(run / name)
    answers = pandas.read_csv(run / "predictions.csv", keep_default_na=False)
    assert len(answers) == metrics["n_test"]
    shutil.copy(answers["path"][0], run / "photo.jpg")
    blocks = re.findall(r"```bash\n(.*?)\n```\n\n```python\n(.*?)```", (run / "model_card.md").read_text(), re.DOTALL)
    assert len(blocks) == len(model_card.RUNTIMES)
    for number, (install, code) in enumerate(blocks):
        python = environment(tmp_path / f"alone{number}", install.removeprefix("pip install ").split())
        done = subprocess.run([python, "-c", code], cwd=run, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        answer, share = done.stdout.strip().rsplit(" ", 1)
        assert answer == answers["class"][0]
        assert float(share) == pytest.approx(answers["confidence"][0], abs=2e-4)
