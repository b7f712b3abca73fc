"""Grids of a tiny notebook that really runs, each in a process of its own."""

import json
import os
import signal
import threading
import time

import nbformat
import pytest

from tutorial_utils.course import comparison, execution, experiments

PARAMETERS = 'seed = 0\nwidth = 3\nrate = 0.1\nname = "a"\nrun_dir = "runs/x"\nsome = None'
CODE = """import json, pathlib
assert width != 13, "thirteen is unlucky"
pathlib.Path(run_dir, "metrics.json").write_text(json.dumps({"score": 10 * width + seed}))
with open(pathlib.Path(run_dir).parent / "log", "a") as log:
    log.write(f"{width} {seed}\\n")"""


def write(path, code=CODE, prose="Which width is best?"):
    cells = [nbformat.v4.new_markdown_cell(prose)]
    cells += [nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(code)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "_package_digest", lambda: "as it is")
    return write(tmp_path / "07_tiny.ipynb")


@pytest.fixture
def quick(monkeypatch):
    """Runs end at once, in this process; returns what was run: [(width, seed)]."""
    ran = []

    def run_once(notebook, run, setting, stop=None):
        run.mkdir()
        ran.append((setting["width"], setting["seed"]))
        score = setting["width"] / 10 + setting["seed"] / 100
        told = {experiments._ASKED: setting, experiments._ENDED: {"ok": True, "reason": "", "run_seconds": 1.0}}
        for name, content in (told | {"metrics.json": {"test_accuracy": score}}).items():
            (run / name).write_text(json.dumps(content))

    monkeypatch.setattr(experiments, "run_once", run_once)
    return ran


def ran(folder):
    log = folder / "log"
    return sorted(log.read_text().splitlines()) if log.exists() else []


def test_each_combination_runs_once_and_a_failure_stops_no_other(notebook, tmp_path):
    folder = tmp_path / "grid"
    table = experiments.run_grid(notebook, folder, {"width": [2, 13]}, seeds=(0, 1), fixed={"name": "b"})
    good, bad = table[table["ok"]], table[~table["ok"]]
    assert good[["width", "seed", "metrics_score"]].to_numpy().tolist() == [[2, 0, 20], [2, 1, 21]]
    assert (good["name"] == "b").all()
    assert bad["reason"].tolist() == ["AssertionError: thirteen is unlucky"] * 2
    assert (folder / bad.index[0] / experiments.OUTPUT).is_file()
    assert ran(folder) == ["2 0", "2 1"]

    again = experiments.run_grid(notebook, folder, {"width": [2]}, seeds=(0, 1), fixed={"name": "b"})
    assert again.equals(good.dropna(axis=1, how="all")[again.columns])
    assert ran(folder) == ["2 0", "2 1"]  # nothing ran twice


def test_runs_are_read_in_the_order_in_which_they_were_first_asked_for(notebook, tmp_path, quick):
    """Their names are hashes; what is named first is the baseline of a comparison."""
    widths = [5, 9, 1, 7, 3, 8, 2]
    experiments.run_grid(notebook, tmp_path / "grid", {"width": widths[:4]})
    experiments.run_grid(notebook, tmp_path / "grid", {"width": widths[::-1]})
    assert experiments.read_runs(tmp_path / "grid")["width"].tolist() == widths[:4] + widths[:3:-1]
    (tmp_path / "grid" / experiments._ORDER).unlink()  # a folder of runs from elsewhere
    assert sorted(experiments.read_runs(tmp_path / "grid")["width"]) == sorted(widths)


def test_a_grid_of_before_is_read_in_its_order(notebook, tmp_path, quick):
    names = experiments.run_grid(notebook, tmp_path / "grid", {"width": [5, 9, 1]}).index
    (tmp_path / "grid" / experiments._ORDER).write_text(json.dumps(list(names[::-1])))  # names were all that was kept
    assert experiments.read_runs(tmp_path / "grid")["width"].tolist() == [1, 9, 5]


def test_other_words_in_the_notebook_make_no_further_seeds(notebook, tmp_path, quick):
    """Two widths, three seeds; then the prose is written anew and the grid is called again."""
    grid = dict(vary={"width": [2, 4]}, seeds=(0, 1, 2))
    experiments.run_grid(notebook, tmp_path / "grid", **grid)
    write(notebook, prose="Which of the widths is better?")
    experiments.run_grid(notebook, tmp_path / "grid", **grid)
    assert len(quick) == 6
    assert comparison.settings(experiments.read_runs(tmp_path / "grid"), ["width"])["seeds"].tolist() == [3, 3]


def change_the_code(notebook, monkeypatch):
    write(notebook, CODE + "\nscore = 2")


def change_the_package(notebook, monkeypatch):
    monkeypatch.setattr(execution, "_package_digest", lambda: "another")


@pytest.mark.parametrize("change", [change_the_code, change_the_package])
def test_runs_of_other_code_are_run_anew_and_left_out_of_the_comparison(
    notebook, tmp_path, monkeypatch, quick, capsys, change
):
    experiments.run_grid(notebook, tmp_path / "grid", {"width": [2, 4]}, seeds=(0, 1, 2))
    change(notebook, monkeypatch)
    capsys.readouterr()
    experiments.run_grid(notebook, tmp_path / "grid", {"width": [2, 4]}, seeds=(0, 1))
    assert len(quick) == 6 + 4
    assert "6 runs of an earlier state of the notebook or the package are left out." in capsys.readouterr().out
    assert comparison.settings(experiments.read_runs(tmp_path / "grid"), ["width"])["seeds"].tolist() == [2, 2]


def test_a_failed_run_is_run_again(notebook, tmp_path):
    (tmp_path / "grid").mkdir()
    first = experiments.run_grid(notebook, tmp_path / "grid", {"width": [13]})
    run = tmp_path / "grid" / first.index[0]
    before = (run / experiments._ENDED).stat().st_mtime_ns
    experiments.run_grid(notebook, tmp_path / "grid", {"width": [13]})
    assert (run / experiments._ENDED).stat().st_mtime_ns > before


@pytest.mark.parametrize(
    ("vary", "fixed", "words"),
    [
        ({"widht": [1]}, {}, "07_tiny.ipynb has no parameter widht; it knows name, rate, run_dir, seed, some, width"),
        ({"width": [1, "two"]}, {}, "width of 07_tiny.ipynb is 3 by default; got 'two'"),
        ({"width": [True]}, {}, "got True, of another type"),
        ({"width": [1.5]}, {}, "got 1.5, of another type"),
        ({"width": [1]}, {"width": 2}, "Name each parameter once: width"),
        ({"seed": [1]}, {}, "Name each parameter once: seed"),
    ],
)
def test_what_the_notebook_does_not_know_is_refused_before_anything_starts(notebook, tmp_path, vary, fixed, words):
    with pytest.raises(ValueError, match=words):
        experiments.run_grid(notebook, tmp_path / "grid", vary, fixed=fixed)
    assert not (tmp_path / "grid").exists()


def test_a_plan_names_every_run_and_starts_none(notebook, tmp_path):
    plan = experiments.plan_grid(notebook, {"width": [1, 2]}, seeds=(0, 1), fixed={"rate": 0.5})
    assert plan.to_numpy().tolist() == [[0.5, 1, 0], [0.5, 1, 1], [0.5, 2, 0], [0.5, 2, 1]]
    assert list(plan) == ["rate", "width", "seed"]
    with pytest.raises(ValueError, match="no parameter widht"):
        experiments.plan_grid(notebook, {"widht": [1]})


@pytest.mark.parametrize("value", [{"rate": 1}, {"some": "thing"}, {"some": 3}, {"width": None}])
def test_numbers_for_a_float_and_anything_for_none_are_allowed(notebook, value):
    experiments._check_parameters(notebook, [value])


def test_a_stopped_run_leaves_nothing_that_looks_finished(notebook, tmp_path):
    write(notebook, "import time\ntime.sleep(60)")
    stop, run = threading.Event(), tmp_path / "run"
    threading.Timer(1, stop.set).start()
    started = time.monotonic()
    assert experiments.run_once(notebook, run, {"width": 1, "seed": 0}, stop=stop) is False
    assert time.monotonic() - started < 30
    assert not (run / experiments._ENDED).exists()
    assert json.loads((run / experiments._ASKED).read_text())["width"] == 1


@pytest.mark.slow
def test_two_workers_of_dask_give_the_same_and_a_killed_one_costs_only_time(notebook, tmp_path):
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed")
    ours = experiments.run_grid(notebook, tmp_path / "here", {"width": [1, 2, 3]}, seeds=(0, 1))
    write(notebook, CODE + "\nimport time\ntime.sleep(2)")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = min(client.run(os.getpid).values())
        threading.Timer(3, os.kill, (victim, signal.SIGKILL)).start()
        theirs = experiments.run_grid(notebook, tmp_path / "there", {"width": [1, 2, 3]}, seeds=(0, 1), client=client)
        assert victim not in client.run(os.getpid).values()  # it did die, and another took its place
    assert theirs["ok"].all()
    assert theirs["metrics_score"].tolist() == ours["metrics_score"].tolist()
