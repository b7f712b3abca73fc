import nbformat
import pytest

from tutorial_utils import _files
from tutorial_utils.course import execution


def notebook(*sources, prose="Text."):
    cells = [nbformat.v4.new_markdown_cell(prose), *map(nbformat.v4.new_code_cell, sources)]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of one module, one card and one table."""
    for name in ("package/room.py", "package/cards/leaves.yaml", "package/benchmarks/table.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it was")
    monkeypatch.setattr(_files, "PACKAGE", tmp_path / "package")
    return tmp_path / "package"


def test_the_folder_of_the_executed_notebook_is_made(tmp_path):
    nbformat.write(notebook("print(6 * 7)"), tmp_path / "given.ipynb")
    output = tmp_path / "new" / "folder" / "done.ipynb"
    execution.run_notebook(tmp_path / "given.ipynb", output, {}, progress=False)
    assert nbformat.read(output, 4).cells[-1].outputs[0]["text"] == "42\n"


def test_prose_is_no_part_of_a_fingerprint_and_code_is(package):
    first = execution.fingerprint(notebook("x = 1"))
    assert execution.fingerprint(notebook("x = 1", prose="Better text.")) == first
    assert execution.fingerprint(notebook("x = 2")) != first
    assert execution.fingerprint(notebook("x = 1"), {"seed": 1}) != first


@pytest.mark.parametrize("name", ["room.py", "new.css", "cards/leaves.yaml", "benchmarks/table.csv"])
def test_what_the_package_holds_is_part_of_a_fingerprint(package, name):
    first = execution.fingerprint(notebook("x = 1"))
    (package / name).write_text("another")
    assert execution.fingerprint(notebook("x = 1")) != first


@pytest.mark.parametrize("name", ["chapters.csv", "labs.csv"])
def test_measured_minutes_are_no_part_of_it(package, name):
    first = execution.fingerprint(notebook("x = 1"))
    (package / "benchmarks" / name).write_text("another")
    assert execution.fingerprint(notebook("x = 1")) == first


def test_what_python_compiles_is_no_part_of_it(package):
    first = execution.fingerprint(notebook("x = 1"))
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "room.pyc").write_bytes(b"compiled")
    assert execution.fingerprint(notebook("x = 1")) == first


def test_another_version_of_a_library_is_another_fingerprint(package, monkeypatch):
    first = execution.fingerprint(notebook("x = 1"))
    monkeypatch.setattr(execution.importlib.metadata, "version", lambda name: "99")
    assert execution.fingerprint(notebook("x = 1")) != first
