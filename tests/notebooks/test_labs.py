"""Every lab runs small, on the offline backbone, with its exercises answered.

At their defaults they run where the book is made of them: tests/browser/test_book.py.
"""

import json

import nbformat
import pytest

from tests.conftest import ROOT
from tests.notebooks import solved
from tutorial_utils.course import execution

LABS = [path.stem for path in execution.labs(ROOT / "notebooks")]


def test_every_source_has_its_lab(root):
    sources = sorted(path.stem for path in (root / "notebooks" / "source" / "labs").glob("*.py"))
    assert sources == LABS
    assert len(LABS) >= 4


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_runs_small_and_its_exercises_answer(root, lab, tmp_path):
    """Every solution is filled in, and its check must say right; each usual wrong answer must get its own message."""
    nbformat.write(solved.notebook(root, f"labs/{lab}"), tmp_path / f"{lab}.ipynb")
    given = solved.small(f"labs/{lab}") | {"backbone": "efficientnet_lite0", "run_dir": str(tmp_path / "run")}
    execution.run_notebook(tmp_path / f"{lab}.ipynb", tmp_path / "done.ipynb", given, progress=False)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["backbone"], metrics["image_size"]) == ("efficientnet_lite0", 96)
    assert not [name for name, value in metrics.items() if isinstance(value, dict | list)], "metrics are flat"
    told = (tmp_path / "done.ipynb").read_text(encoding="utf-8")
    for word in ("Warning", "retracing", "oneDNN"):
        assert word not in told, f"{word} appears in the outputs of {lab}"


@pytest.mark.parametrize("lab", LABS)
def test_each_exercise_of_a_lab_knows_a_wrong_answer(root, lab):
    path = solved.source(root, f"labs/{lab}")
    found = [call for cell in solved.code_cells(path) for call in solved.checks(cell.source)]
    assert len(found) == len(solved.solutions(path))
    assert all(solved.wrong_answers(call) for call in found)
