import io
import json
import re
import shutil
import subprocess
import sys

import keras
import nbformat
import pandas
import pytest

from tutorial_utils import __main__ as main
from tutorial_utils import _files
from tutorial_utils.course import execution
from tutorial_utils.data import layouts


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of two tiny chapters and a lab; TUTORIAL_RUNS points beside it."""
    for name, code in [("01_one", "x = 1"), ("02_two", "assert dataset == 'leaves', 'other photos'")]:
        cells = [nbformat.v4.new_code_cell("dataset, run_dir = 'leaves', ''", metadata={"tags": ["parameters"]})]
        cells.append(nbformat.v4.new_code_cell(code))
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / f"{name}.ipynb")
    (tmp_path / "labs").mkdir()
    shutil.copy(tmp_path / "01_one.ipynb", tmp_path / "labs" / "deeper.ipynb")
    monkeypatch.setenv("TUTORIAL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(_files, "notebooks_folder", lambda: tmp_path)
    return tmp_path


def test_the_course_says_where_things_are(course, capsys):
    assert main.main(["course"]) == 0
    said = capsys.readouterr().out
    assert str(course / "runs") in said
    assert (course / "runs" / "01_one" / "01_one.ipynb").is_file()
    assert (course / "runs" / "02_two" / "02_two.ipynb").is_file()
    assert not (course / "runs" / "labs").exists()


def test_the_course_runs_the_labs_instead(course, capsys):
    assert main.main(["course", "--labs"]) == 0
    assert f"Each lab's run folder is {course / 'runs' / 'labs'}/<lab>:" in capsys.readouterr().out
    assert (course / "runs" / "labs" / "deeper" / "deeper.ipynb").is_file()
    assert not (course / "runs" / "01_one").exists()


def test_a_failing_chapter_ends_with_status_1_and_keeps_what_ran(course, capsys):
    assert main.main(["course", "--dataset", "mine"]) == 1
    assert "AssertionError: other photos" in capsys.readouterr().err
    assert (course / "runs" / "02_two" / "02_two.ipynb").is_file()


def test_no_chapters_is_said(tmp_path):
    with pytest.raises(ValueError, match="There are no chapters"):
        execution.chapters(tmp_path)


def test_the_report_names_the_fallback():
    row = {"chapter": "03_x", "seconds": 60.0, "metrics_backbone": "efficientnet_lite0"}
    row |= {"metrics_backbone_requested": "mobilenet_v2", "metrics_test_accuracy": 0.8}
    row |= {"metrics_test_accuracy_low": 0.7, "metrics_test_accuracy_high": 0.875}
    text = execution.summarize([row])
    assert "80.0 % (70.0 to 87.5)" in text
    assert "mobilenet_v2 not available; efficientnet_lite0 used instead" in text


def test_doctor_from_the_command_line(capsys):
    assert main.main(["doctor"]) == 0
    assert "efficientnet_lite0" in capsys.readouterr().out


def test_an_audit_tells_a_clean_folder_from_others(tmp_path, make_photo, capsys):
    """25 photos a class of random pixels: nothing to find; then one is emptied, and one copied to the other class."""
    for number in range(50):
        make_photo(tmp_path / "photos" / "ab"[number % 2] / f"{number:02d}.png", size=(80, 80), seed=number)
    assert main.main(["audit", str(tmp_path / "photos")]) == 0
    assert (
        capsys.readouterr().out == f"2 classes from the folders a, b: 50 photos.\n{layouts.NO_GROUPS}\nNothing found.\n"
    )
    (tmp_path / "photos" / "a" / "00.png").write_bytes(b"")
    shutil.copy(tmp_path / "photos" / "a" / "02.png", tmp_path / "photos" / "b" / "02.png")
    assert main.main(["audit", str(tmp_path / "photos")]) == 1
    said = capsys.readouterr().out
    assert "error: empty (1)" in said
    assert "    a/00.png" in said
    assert "a/02.png <- b/02.png" in said
    assert main.main(["audit", str(tmp_path / "photos"), "--csv"]) == 1
    table = pandas.read_csv(io.StringIO(capsys.readouterr().out))
    assert table["kind"].tolist() == ["empty", "label_conflict", "label_conflict"]


def test_an_audit_that_cannot_run_says_why(tmp_path, capsys):
    assert main.main(["audit", str(tmp_path / "none")]) == 2
    assert "There is no folder" in capsys.readouterr().err


def test_a_deep_audit_doubts_a_label_and_names_a_shortcut(tmp_path, make_photo, capsys):
    """Two classes that differ in color, border and all, 12 photos each, and one green photo among the brown ones."""
    for number in range(12):
        for label, color in [("green", (0, 150 + 5 * number, 0)), ("brown", (130 + 5 * number, 60, 0))]:
            make_photo(tmp_path / "photos" / label / f"{(7 * number) % 12}.png", color, size=(80, 80))
    make_photo(tmp_path / "photos" / "brown" / "odd.png", (0, 172, 0), size=(80, 80))
    assert main.main(["audit", "--deep", str(tmp_path / "photos")]) == 1
    said = capsys.readouterr().out
    assert "suspect_label (1)" in said
    assert "brown/odd.png <- green" in said
    assert "eight pixels of the border" in said
    assert "a shortcut" in next(line for line in said.splitlines() if "eight pixels" in line)


def test_a_deep_audit_of_too_few_photos_says_so(tmp_path, make_photo, capsys):
    make_photo(tmp_path / "photos" / "a" / "1.png", seed=1)
    make_photo(tmp_path / "photos" / "b" / "1.png", seed=2)
    assert main.main(["audit", "--deep", str(tmp_path / "photos")]) == 1
    said = capsys.readouterr()
    assert "All photos of the class 'a' belong to one group" in said.err
    assert "few (2)" in said.out  # what the files tell is not lost


def test_series_are_proposed_and_written_when_told_to(tmp_path, make_photo, capsys, monkeypatch):
    monkeypatch.setenv("TUTORIAL_RUNS", str(tmp_path / "runs"))
    for number in range(12):
        for label in ("a", "b"):
            name = f"plant{number}_{1}" if number else "plant1_2"
            make_photo(tmp_path / "photos" / label / f"{name}.png", size=(80, 80), seed=10 * number + ord(label))
    folder = str(tmp_path / "photos")
    assert main.main(["audit", folder, "--groups"]) == 1
    said = capsys.readouterr().out
    assert "4 of 24 photos seem to stand in 2 series" in said
    assert (tmp_path / "runs" / "audit" / "series.png").stat().st_size > 1000
    assert not (tmp_path / "photos" / "groups.csv").exists()
    assert main.main(["audit", folder, "--write-groups"]) == 1
    assert layouts.load_folder(folder)["group"].nunique() == 22
    assert main.main(["audit", folder, "--groups"]) == 2
    assert "brings its own groups" in capsys.readouterr().err


def test_advice_that_cannot_be_given_says_why(tmp_path, make_photo, capsys):
    assert main.main(["advise", str(tmp_path / "none")]) == 2
    assert "There is no folder" in capsys.readouterr().err
    for name in "ab":
        make_photo(tmp_path / "photos" / name / "1.png")
    assert main.main(["advise", str(tmp_path / "photos")]) == 2
    assert "class" in capsys.readouterr().err


@pytest.mark.slow
def test_advice_for_a_folder(class_folders, capsys):
    assert main.main(["advise", str(class_folders), "--image-size", "32"]) == 0
    said = capsys.readouterr().out
    assert "the 4 test photos stay closed" in said
    assert "A head on all layers, cross-validated by group: 100.0 % right" in said
    assert "Fine-tuning all layers from there takes about" in said


def test_fetch_says_what_is_there_and_what_cannot_be_had(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TUTORIAL_OFFLINE", "1")
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path))
    assert main.main(["fetch", "efficientnet_lite0"]) == 0
    assert "efficientnet_lite0: weights " in capsys.readouterr().out
    assert main.main(["fetch", "efficientnet_lite0", "beans"]) == 1
    told = capsys.readouterr()
    assert "efficientnet_lite0: weights" in told.out
    assert "beans: train.zip is not on this machine" in told.err


def test_fetch_of_an_unknown_name_fetches_nothing(capsys):
    assert main.main(["fetch", "efficientnet_lite0", "beens"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "Not known: beens. Data sets: " in told.err


WITHOUT_TENSORFLOW = """
import json, sys
sys.modules["tensorflow"] = sys.modules["keras"] = None  # whoever imports them fails
from tutorial_utils import __main__

def status(command):
    try:
        return __main__.main(command.split())
    except SystemExit as stop:
        return stop.code

print(json.dumps({command: status(command) for command in sys.argv[1:]}))
"""


def test_what_needs_no_tensorflow_loads_none(class_folders, tmp_path):
    """TensorFlow takes seconds to load, and cannot be had everywhere."""
    expected = {"--help": 0, "audit --help": 0, f"audit {class_folders}": 1, "audit nowhere": 2, "compare nowhere": 2}
    expected |= {"predict nowhere photo.jpg": 2, "fetch leaves": 0, "nonsense": 2}
    arguments = [sys.executable, "-c", WITHOUT_TENSORFLOW, *expected]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == expected


@pytest.mark.parametrize(
    ("command", "status"), [("predict model.keras photos", 0), ("audit --deep photos", 1), ("advise photos", 2)]
)
def test_tensorflow_adds_no_lines_to_an_answer(tmp_path, make_photo, command, status):
    """Two photos are too few to advise on, and few enough to find: what is said of them stands alone."""
    for name in "ab":
        make_photo(tmp_path / "photos" / name / "1.png", seed=ord(name))
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, activation="softmax")]
    keras.Sequential([keras.Input((32, 32, 3)), *layers]).save(tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("a\nb\n")
    arguments = [sys.executable, "-m", "tutorial_utils", *command.split()]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    noise = re.compile(r"oneDNN|absl|cpu_feature|XNNPACK|[IWE]0000 |tensorflow", re.IGNORECASE)
    assert not [line for line in (done.stdout + done.stderr).splitlines() if noise.search(line)]


def test_every_command_says_what_it_is_for(capsys):
    for command in ("course", "doctor", "audit", "advise", "fetch", "predict", "compare"):
        with pytest.raises(SystemExit) as stop:
            main.main([command, "--help"])
        assert stop.value.code == 0
        said = capsys.readouterr().out
        assert f"python -m tutorial_utils {command}" in said
        assert len(said.splitlines()) >= 4


def test_a_doctor_without_tensorflow_says_so_and_does_not_die(tmp_path):
    code = (
        "import sys; sys.modules['tensorflow'] = None;"
        "from tutorial_utils import __main__; sys.exit(__main__.main(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    row = next(line for line in done.stdout.splitlines() if "TensorFlow and Keras load" in line)
    assert "False" in row
    assert "Traceback" not in done.stderr
