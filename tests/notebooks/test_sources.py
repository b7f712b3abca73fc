"""The learner's notebooks are in step with their sources, and keep to the rules that every chapter has."""

import ast
import json
import re

import pytest

from notebooks.source import derive, drawings
from tutorial_utils.course import run_folder

ROOT_PARAMETERS = ["dataset", "backbone", "image_size", "seed", "photos_per_class", "run_dir"]


def notebooks(root):
    found = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    assert len(found) >= 6
    return [(path, json.loads(path.read_text(encoding="utf-8"))) for path in found]


def labs(root):
    found = sorted((root / "notebooks" / "labs").glob("*.ipynb"))
    assert len(found) >= 4
    return [(path, json.loads(path.read_text(encoding="utf-8"))) for path in found]


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_notebooks_are_in_step_with_their_sources(root, tmp_path):
    derive.main(tmp_path)
    there = notebooks(root) + labs(root)
    for path, _ in there:
        fresh = (tmp_path / path.relative_to(root / "notebooks")).read_bytes()
        assert path.read_bytes() == fresh, f"{path.name} differs from its source: run make notebooks"
    assert len(list(tmp_path.rglob("*.ipynb"))) == len(there)


def test_deriving_twice_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        derive.main(tmp_path / name)
    for path in (tmp_path / "one").rglob("*.ipynb"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_drawings_are_in_step_and_every_one_is_shown(root, tmp_path):
    drawings.main(tmp_path)
    kept = {path.name: path.read_bytes() for path in (root / "notebooks" / "drawings").iterdir()}
    assert kept == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    text = "".join(path.read_text(encoding="utf-8") for path, _ in notebooks(root) + labs(root))
    for name in kept:
        assert f"(drawings/{name})" in text or f"(../drawings/{name})" in text, name


def test_bookkeeping_and_checks_are_folded_everywhere():
    cell = derive.hidden("Check", "assert ready")
    assert cell.source == "# @title Check\nassert ready"
    assert cell.metadata == {"tags": ["hide-input"], "jupyter": {"source_hidden": True}, "cellView": "form"}


def visible(notebook):
    return [cell for cell in code_cells(notebook) if not cell["metadata"].get("jupyter", {}).get("source_hidden")]


def test_no_visible_cell_gives_an_answer_away(root):
    for path, notebook in notebooks(root) + labs(root):
        assert not [cell for cell in visible(notebook) if "exercises.check(" in "".join(cell["source"])], path.name


def test_readers_see_notebooks_only(root):
    assert not [*(root / "notebooks").glob("*.py"), *(root / "notebooks" / "labs").glob("*.py")]


def test_notebooks_are_committed_without_outputs(root):
    for path, notebook in notebooks(root) + labs(root):
        for cell in code_cells(notebook):
            assert cell["outputs"] == [], path.name
            assert cell["execution_count"] is None, path.name


def test_every_notebook_has_its_parameters_cell(root):
    for path, notebook in notebooks(root) + labs(root):
        tagged = [cell for cell in code_cells(notebook) if "parameters" in cell["metadata"].get("tags", [])]
        assert len(tagged) == 1, path.name
        body = ast.parse("".join(tagged[0]["source"])).body
        names = [statement.targets[0].id for statement in body]  # some have a few of their own
        assert [name for name in names if name in ROOT_PARAMETERS] == ROOT_PARAMETERS, path.name
        assert names[-1] == "run_dir", path.name
        place = path.relative_to(root / "notebooks").with_suffix("")
        assert ast.literal_eval(body[-1].value) == f"runs/{place.as_posix()}"


class Started(Exception):
    """A notebook has come as far as its run folder."""


def test_every_parameter_of_every_notebook_is_checked_before_anything_else(root, monkeypatch):
    """The cell after the parameters gives them all to run_folder.start, as they are, and each has a rule."""

    def start(**given):
        raise Started(given)

    monkeypatch.setattr(run_folder, "start", start)
    paths = sorted(path for path in (root / "notebooks").rglob("*.ipynb") if "checkpoints" not in str(path))
    assert len(paths) >= 8
    for path in paths:
        cells = ["".join(cell["source"]) for cell in code_cells(json.loads(path.read_text(encoding="utf-8")))]
        tagged = next(place for place, cell in enumerate(cells) if cell.startswith("dataset = "))
        names = {}
        exec(cells[tagged], names)
        parameters = {name: value for name, value in names.items() if not name.startswith("__")}
        with pytest.raises(Started) as started:
            exec(cells[tagged + 1], names)
        given = started.value.args[0]
        assert given.keys() == parameters.keys(), path.name
        assert given.keys() <= run_folder._RULES.keys(), path.name
        for name, value in parameters.items():
            assert value is None or given[name] == value, path.name
            with pytest.raises(ValueError, match=name):  # no parameter takes a set, as no rule does
                run_folder._RULES[name]({None})


def test_a_size_of_nothing_is_no_size_of_ones_own(root, monkeypatch):
    """Chapter 8 chooses the size where it is None, and only there."""
    for path, notebook in notebooks(root):
        cells = ["".join(cell["source"]) for cell in code_cells(notebook)]
        tagged = next(place for place, cell in enumerate(cells) if cell.startswith("dataset = "))
        names = {}
        exec(cells[tagged], names)
        names["image_size"] = 0
        with pytest.raises(ValueError, match="image_size must be a whole number from 32 to 1024; got 0"):
            exec(cells[tagged + 1], names)
        assert not (root / names["run_dir"]).exists(), path.name


def test_cells_are_short(root):
    for path, notebook in notebooks(root) + labs(root):
        lengths = sorted("".join(cell["source"]).count("\n") + 1 for cell in visible(notebook))
        assert lengths[-1] <= 25, path.name
        assert lengths[len(lengths) // 2] <= 10, path.name


def test_every_chapter_opens_its_test_set_once(root):
    for path, notebook in notebooks(root)[2:]:
        text = ["".join(cell["source"]) for cell in notebook["cells"]]
        assert sum(cell.startswith("## Open the test set, once") for cell in text) == 1, path.name


def test_a_lab_is_one_short_question(root):
    for path, notebook in labs(root):
        title = "".join(notebook["cells"][0]["source"]).splitlines()[0]
        assert title.startswith("# Lab: "), path.name
        assert title.endswith("?"), path.name
        assert len(notebook["cells"]) <= 30, path.name
        assert sum("## What you have seen" in "".join(cell["source"]) for cell in notebook["cells"]) == 1, path.name


def test_every_lab_is_linked_from_a_chapter_and_links_to_one(root):
    linked = "".join("".join(cell["source"]) for _, notebook in notebooks(root) for cell in notebook["cells"])
    for path, notebook in labs(root):
        assert f"](labs/{path.name})" in linked, f"no chapter links to labs/{path.name}"
        assert re.search(r"\]\(\.\./\d\d_\w+\.ipynb\)", "".join(notebook["cells"][0]["source"])), path.name


def test_every_link_of_a_notebook_leads_to_a_file(root):
    for path, notebook in notebooks(root) + labs(root):
        text = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)", text):
            assert (path.parent / target).is_file(), f"{path.name} links to {target}"


def test_badge_and_install_cell_name_the_repository_of_pyproject(root):
    address = derive.project()["urls"]["Repository"]
    for path, notebook in notebooks(root) + labs(root):
        title = "".join(notebook["cells"][0]["source"])
        slug = address.removeprefix("https://github.com/")
        assert f"github/{slug}/blob/main/{path.relative_to(root).as_posix()}" in title
        assert f"git+{address}" in "".join(code_cells(notebook)[0]["source"])


def test_the_install_cell_follows_the_dependencies(monkeypatch):
    """What is new among them is installed, unless it is listed as there; nothing is listed that is no dependency."""
    assert derive.lacking() == ["anywidget", "papermill", "pooch", "simplejpeg"]
    assert "%pip install --quiet anywidget papermill pooch simplejpeg\n" in derive.install_cell()
    assert set(derive.ON_COLAB.split() + derive.NOT_NEEDED.split()) < set(derive.dependencies())
    monkeypatch.setattr(derive, "dependencies", lambda: {"numpy": "numpy>=2.4", "zarr": "zarr>=3"})
    assert derive.lacking() == ["zarr"]


def test_a_solution_becomes_a_place_to_write_and_a_folded_hint():
    source = "# hint: Count them.\nanswer = len(photos)\n\n\ndef double(x):\n    return 2 * x"
    code, folded = derive.exercise(source)
    assert code.splitlines()[0] == "answer = ...  # your answer"
    assert "return" not in code
    names = {}
    exec(code, names)
    assert names["answer"] is ...
    assert names["double"](3) is None
    assert folded.startswith("<details><summary>A hint</summary>\n\nCount them.")
    assert "answer = len(photos)" in folded


def test_a_solution_without_a_hint_is_refused():
    with pytest.raises(ValueError, match="# hint:"):
        derive.exercise("answer = 1")
