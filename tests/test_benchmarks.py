import json
import pathlib
import re
import subprocess
import sys

import pandas
import pytest

from benchmarks import grid, recipe, results, scaling, tuned, ways
from tests.course import test_experiments
from tutorial_utils.data import images


def run(way, number, head, finetune, right):
    return {
        "way": way,
        "round": number,
        "head": head,
        "finetune": finetune,
        "right": right,
        "photos": [7, 8, 9, 10],
        "peak_memory_mb": 1000 + number,
        "disk_mb": 5,
    }


def test_ratios_are_taken_within_a_round():
    """Round 0: 60 / 2 and 100 / 50 seconds; round 1: 80 / 4 and 120 / 40. Ours has one photo of four more right.

    A head on all layers takes 5 and 10 seconds, and has one photo more right in round 0, as many in round 1.
    """
    runs = [
        run("tutorial", 0, 60, 100, "1100"),
        run("ours", 0, 2, 50, "1110"),
        run("layers", 0, 5, 0, "1111"),
        run("layers", 1, 10, 0, "1110"),
        {"way": "one_pass", "round": 0, "head": 1.6, "disk_mb": 0, "peak_memory_mb": 1},
        run("tutorial", 1, 80, 120, "1100"),
        run("ours", 1, 4, 40, "1110"),
    ]
    found = recipe.summary(runs)
    assert (found["head_speedup_low"], found["head_speedup"], found["head_speedup_high"]) == (20, 25, 30)
    assert found["finetune_speedup"] == pytest.approx((2 + 3) / 2)
    assert found["recipe_speedup"] == pytest.approx((160 / 5 + 200 / 10) / 2)
    assert found["head_over_one_pass"] == pytest.approx(2 / 1.6)
    assert found["accuracy_gain"] == 3 / 8
    assert found["accuracy_gain_over_stored"] == 1 / 8
    assert found["rounds"] == 2
    assert found["ways"]["ours"]["test_accuracy"] == 0.75
    assert found["ways"]["ours"]["recipe"] == 48  # the median of 52 and 44
    assert found["peak_memory_mb"] == 1001
    table = results.table(found)
    assert "| stored activations | 3 | 45 | 48 | 1001 | 5 | 75.0 (" in table


def test_times_a_photo_are_medians_over_the_rounds():
    parts = [{"photos": n, "milliseconds_a_photo": ms, "peak_memory_mb": mb} for n, ms, mb in [(5, 4, 90), (9, 6, 95)]]
    parts += [{"photos": 5, "milliseconds_a_photo": ms, "peak_memory_mb": mb} for ms, mb in [(9, 91), (5, 89)]]
    few, many = scaling.medians(parts)
    assert few == {
        "photos": 5,
        "milliseconds_a_photo": 5,
        "milliseconds_a_photo_low": 4,
        "milliseconds_a_photo_high": 9,
        "peak_memory_mb": 91,
    }
    assert (many["photos"], many["milliseconds_a_photo"]) == (9, 6)


def test_photos_come_again_under_other_names_as_other_photos(class_folders, tmp_path):
    recipe.lay_out(class_folders, 50, 0, tmp_path / "laid")
    found = [path for table in ways.tables(tmp_path / "laid") for path in table["path"]]
    assert len(found) == 50
    contents = {pathlib.Path(path).read_bytes() for path in found}
    assert len(contents) > 20  # the class folders hold 20 photos, some with equal bytes
    assert images.read_image(found[-1], 16).shape == (16, 16, 3)


def test_results_keep_what_other_benchmarks_found(tmp_path):
    results.add({"a": 1, "b": 1}, tmp_path / "results.json")
    results.add({"b": 2}, tmp_path / "results.json")
    assert results.read(tmp_path / "results.json") == {"a": 1, "b": 2}
    assert results.read(tmp_path / "none.json") == {}


def test_the_page_is_that_of_the_results_and_the_readme_quotes_it(root):
    page = (root / "benchmarks" / "results.md").read_text(encoding="utf-8")
    found = results.read()
    assert page == results.page(found)
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert results.table(found) in readme
    for phase in ("head", "finetune", "recipe"):
        assert f"{found[phase + '_speedup']:.1f} times" in readme


def test_a_grid_is_timed_twice_and_nothing_of_it_runs_twice(tmp_path):
    notebook = test_experiments.write(tmp_path / "07_tiny.ipynb")
    runs, told = grid.measure(notebook, tmp_path / "grid", vary={"width": [1, 13]}, seeds=(0,), workers=2)
    assert (told["runs"], told["ended_well"], told["run_twice"]) == (2, 1, 1)  # what failed is tried again
    assert runs["metrics_score"].tolist()[0] == 10
    assert told["seconds"] > 0


def test_no_table_holds_a_path_of_the_machine_that_made_it(root):
    for path in (root / "benchmarks").glob("*.csv"):
        assert not re.search(r"(^|,)(/|[A-Z]:)", path.read_text(encoding="utf-8"), re.MULTILINE), path.name


def test_scores_of_a_split_are_those_of_its_photos():
    """Forty photos in twenty groups: of four, three are right after fine-tuning, one before, so 50 points more."""
    groups = [letter for letter in "abcdefghijklmnopqrst" for _ in range(2)]
    rows = pandas.DataFrame({"group": groups, "frozen": [0, 0, 0, 1] * 10, "tuned": [1, 1, 0, 1] * 10, "last": 0})
    cell = dict(set="leaves", backbone="efficientnet_lite0", image_size=128, seconds=7)
    table = tuned.by_seed(pandas.concat([rows.assign(seed=seed, **cell) for seed in (0, 1)]))
    assert table["seed"].tolist() == [0, 1]
    assert (
        table[["n_test", "seconds", "last", "frozen", "tuned", "gain"]].to_numpy().tolist()
        == [[40, 7, 0, 0.25, 0.75, 0.5]] * 2
    )
    assert (table["gain_low"].between(0, 0.5, inclusive="neither")).all()
    assert (table["gain_high"].between(0.5, 1, inclusive="neither")).all()


@pytest.mark.slow
def test_the_comparison_runs_and_goes_on_where_it_stopped(root, class_folders, tmp_path):
    """Small photos of two colors: the ratios mean nothing here, the machinery does."""
    command = [sys.executable, "-m", "benchmarks.recipe", "--photos", 40, "--image-size", 32, "--rounds", 1]
    command += ["--dataset", class_folders, "--results", tmp_path / "results.json", "--ways", "ours", "one_pass"]
    for ways_of_run, count in ([], 2), (["tutorial"], 3):
        process = subprocess.run([*map(str, command), *ways_of_run], capture_output=True, text=True, cwd=root)
        assert process.returncode == 0, process.stderr[-3000:]
        found = json.loads((tmp_path / "results.json").read_text())
        assert len(found["runs"]) == count
    assert found["head_speedup"] > 0
    assert found["ways"]["ours"]["test_accuracy"] == 1
    assert (tmp_path / "results.png").stat().st_size > 10_000
