import io
import json
import os
import re
import shutil

import nbformat
import pytest

from tutorial_utils import __main__ as main
from tutorial_utils.course import benchmark_tables, train

CODE = {  # what the stand-in's second stage does, by the backbone that it is given
    "good": "metrics = {'n_test': 40, 'test_accuracy': 0.9, 'test_accuracy_low': 0.8, 'test_accuracy_high': 0.95}",
    "refused": "raise ValueError('too few photos')",
    "broken": "1 / 0",
    "dead": "import os; os._exit(1)",
}


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """A stand-in for chapter 8 with two stages, which takes what it does from its parameters."""
    monkeypatch.setenv("TUTORIAL_RUNS", str(tmp_path / "runs"))
    cells = [
        nbformat.v4.new_code_cell(
            "dataset = backbone = effort = run_dir = ''\nseed = 0", metadata={"tags": ["parameters"]}
        ),
        nbformat.v4.new_markdown_cell("# 8. Title"),
        nbformat.v4.new_code_cell("import json, pathlib"),
        nbformat.v4.new_markdown_cell("## Is the folder fit to learn from?\n\nWords."),
        nbformat.v4.new_code_cell("given = dict(dataset=dataset, effort=effort, seed=seed)"),
        nbformat.v4.new_markdown_cell("### A part of it"),
        nbformat.v4.new_code_cell("print('noise')"),
        nbformat.v4.new_markdown_cell("## The first model"),
        nbformat.v4.new_code_cell(f"exec({CODE!r}[backbone])"),
        nbformat.v4.new_code_cell(
            "pathlib.Path(run_dir, 'metrics.json').write_text(json.dumps(metrics | given))\n"
            "pathlib.Path(run_dir, 'report.html').write_text('')"
        ),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = tmp_path / "08.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    monkeypatch.setattr(train, "chapter", lambda: path)
    return path


def test_a_model_is_trained_and_the_verdict_said(notebook, class_folders, tmp_path, capsys):
    assert main.main(["train", str(class_folders), "--backbone", "good", "--seed", "3"]) == 0
    told = capsys.readouterr()
    run = tmp_path / "runs" / "photos"
    assert "2 classes from the folders healthy, ill: 20 photos." in told.out
    assert "On 40 test photos the model is right on 90.0 %" in told.out
    assert f"{run / 'report.html'}   the report" in told.out
    assert "try_me.html" not in told.out  # it was not made
    assert f"Ask it: python -m tutorial_utils predict {run} PHOTOS" in told.out
    assert re.findall(r"^(.*) \(about \d+ s left\)$", told.err, re.MULTILINE) == [
        "Is the folder fit to learn from",
        "The first model",
    ]
    assert "noise" not in told.out + told.err
    assert (run / "metrics.json").read_text().endswith(f'"dataset": "{class_folders}", "effort": "quick", "seed": 3}}')


def test_other_photos_of_the_same_name_take_no_run_folder_away(notebook, class_folders, tmp_path, capsys):
    shutil.copytree(class_folders, tmp_path / "other" / "photos")
    run = tmp_path / "runs" / "photos"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"parameters": {"dataset": str(tmp_path / "other" / "photos")}}))
    assert main.main(["train", str(class_folders), "--backbone", "good"]) == 2
    assert re.search(r"holds a model of other photos, .*--run-dir", capsys.readouterr().err)
    assert main.main(["train", str(tmp_path / "other" / "photos"), "--backbone", "good"]) == 0


def test_the_folder_of_the_shell_has_a_name_too(notebook, class_folders, tmp_path, monkeypatch):
    monkeypatch.chdir(class_folders)
    assert main.main(["train", ".", "--backbone", "good"]) == 0
    assert (tmp_path / "runs" / "photos" / "metrics.json").is_file()


def test_a_run_folder_may_have_braces(notebook, class_folders, tmp_path):
    assert main.main(["train", str(class_folders), "--backbone", "good", "--run-dir", str(tmp_path / "{a}")]) == 0
    assert (tmp_path / "{a}" / "08.ipynb").is_file()


def test_a_relative_folder_is_found_from_where_the_command_is_given(notebook, class_folders, tmp_path, monkeypatch):
    monkeypatch.chdir(class_folders.parent)
    assert main.main(["train", "photos", "--backbone", "good", "--run-dir", "mine"]) == 0
    assert f'"dataset": "{class_folders}"' in (class_folders.parent / "mine" / "metrics.json").read_text()


@pytest.mark.parametrize(
    ("backbone", "status", "said"),
    [
        ("refused", 2, "^too few photos$"),
        (
            "broken",
            1,
            r"^Stopped\. A cell failed with ZeroDivisionError: .*\nThe notebook as far as it ran: .*08\.ipynb$",
        ),
        ("dead", 1, r"^Stopped\. The process that trains has died .*memory.*The same command goes on"),
    ],
)
def test_what_stops_it_is_said_without_a_traceback(notebook, class_folders, capsys, backbone, status, said):
    assert main.main(["train", str(class_folders), "--backbone", backbone]) == status
    errors = capsys.readouterr().err
    assert re.search(said, errors, re.MULTILINE)
    assert "Traceback" not in errors


def test_photos_of_no_use_are_refused_before_a_notebook_is_started(notebook, tmp_path, capsys):
    assert main.main(["train", str(tmp_path / "none"), "--backbone", "good"]) == 2
    told = capsys.readouterr()
    assert "There is no folder" in told.err
    assert not (tmp_path / "runs").exists()


def test_ctrl_c_ends_with_a_sentence(notebook, class_folders, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(train.execution, "run_notebook", interrupted)
    assert main.main(["train", str(class_folders)]) == 130
    assert "Interrupted. The same command goes on where it was." in capsys.readouterr().err


def test_the_stages_that_were_measured_are_those_of_the_chapter():
    there = set(train.stages(nbformat.read(train.chapter(), as_version=4)).values())
    table, _ = benchmark_tables.read_table("stages")
    for effort in train.EFFORTS:
        assert set(table.loc[table["effort"] == effort, "stage"]) == there


def test_the_time_left_goes_by_the_pace_so_far(notebook, monkeypatch):
    """30 s are expected for the first stage, 10 for the second; the first takes 60, so the second will take 20."""
    clock = [0.0]
    monkeypatch.setattr(train.time, "perf_counter", lambda: clock[0])
    expected = {"Is the folder fit to learn from": 30.0, "The first model": 10.0}
    monkeypatch.setattr(train, "_expected", lambda *_: dict(expected))
    ids = list(train.stages(nbformat.read(notebook, as_version=4)))
    with train.Progress(notebook, "quick", 20, io.StringIO()) as progress:
        progress.start_cell({"id": ids[0]})
        assert progress.seconds_left() == 40
        clock[0] = 25
        assert progress.seconds_left() == 15
        clock[0] = 60
        assert progress.seconds_left() == 10  # it is late; what comes after is still there
        progress.start_cell({"id": ids[1]})  # a cell of the same stage
        progress.start_cell({"id": ids[2]})
        assert progress.seconds_left() == 20
        clock[0] = 70
        assert progress.seconds_left() == 10


def test_more_photos_take_longer_in_proportion():
    table, _ = benchmark_tables.read_table("stages")
    most = table["photos"].max()
    once, twice = (sum(train._expected("quick", photos).values()) for photos in (most, 2 * most))
    assert twice == pytest.approx(2 * once)


def test_on_a_terminal_the_stage_is_drawn_on_one_line(notebook, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((100, 20)))
    screen = Terminal()
    with train.Progress(notebook, "quick", 20, screen) as progress:
        progress.start_cell({"id": next(iter(train.stages(nbformat.read(notebook, as_version=4))))})
        progress._ended.wait(1.2)
    drawn = screen.getvalue()
    assert "\rIs the folder fit to learn from: " in drawn
    assert re.search(r"\d % \|.*about \d+ s left", drawn)
    assert drawn.count("\n") == 0
