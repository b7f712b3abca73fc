"""A chapter is executed when its code or what it computes with has changed, and not when its prose has."""

import copy

import nbformat
import pytest

from book import execute


def notebook(code="x = 1", prose="Text."):
    cells = [nbformat.v4.new_markdown_cell(prose, id="prose"), nbformat.v4.new_code_cell(code, id="code")]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of two chapters, of which the second uses the first's run; `course.ran` notes what is executed."""

    class Course:
        notebooks, ran = tmp_path / "notebooks", []

        def write(self, name, **content):
            (self.notebooks / "labs").mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook(**content), self.notebooks / f"{name}.ipynb")

        def chapters(self, parameters=None):
            self.ran.clear()
            return execute.chapters(parameters, tmp_path / "kept", tmp_path / "runs", self.notebooks)

    course = Course()

    def run(paths, run_dir, parameters):
        for path in paths:
            course.ran.append(path.stem)
            made = nbformat.read(path, as_version=4)
            injected = nbformat.v4.new_code_cell("run_dir = 1", metadata={"tags": ["injected-parameters"]})
            said = f"in {run_dir}/{path.stem} of {execute.ROOT}, not {execute.ROOT}-other"
            made.cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text=said)]
            made.cells.insert(1, injected)
            made.metadata["widgets"] = {"state": path.stem}
            (run_dir / path.stem).mkdir(parents=True, exist_ok=True)
            nbformat.write(made, run_dir / path.stem / path.name)

    monkeypatch.setattr(execute.execution, "execute_chapters", run)
    monkeypatch.setattr(execute.execution, "_package_digest", lambda: "as it is")
    course.write("01_one", code="x = 1")
    course.write("02_two", code='earlier = run_folder.find_run(run, "01_one", photos=photos)')
    return course


def test_each_chapter_is_executed_once(course):
    first = course.chapters()
    assert course.ran == ["01_one", "02_two"]
    assert course.chapters() == first
    assert course.ran == []


def test_a_lab_is_executed_beside_the_chapters_and_kept_below_labs(course, tmp_path):
    course.write("labs/deeper", code="x = 3")
    lab = course.chapters()["labs/deeper"]
    assert sorted(course.ran) == ["01_one", "02_two", "deeper"]
    assert lab.cells[1].outputs[0].text.startswith("in runs/labs/deeper of .")
    assert (tmp_path / "kept" / "whole" / "labs" / "deeper.ipynb").is_file()
    course.chapters()
    assert course.ran == []
    course.write("labs/deeper", code="x = 4")
    course.chapters()
    assert course.ran == ["deeper"]


def test_outputs_are_laid_into_the_notebook_as_it_is_now(course):
    course.chapters()
    course.write("01_one", code="x = 1", prose="Better text.")
    chapter = course.chapters()["01_one"]
    assert course.ran == []
    assert [cell.source for cell in chapter.cells] == ["Better text.", "x = 1"]
    assert chapter.metadata["widgets"] == {"state": "01_one"}


def test_paths_of_this_machine_are_left_out(course):
    (output,) = course.chapters()["01_one"].cells[1].outputs
    assert output.text == f"in runs/01_one of ., not {execute.ROOT}-other"


def test_another_code_runs_the_chapter_and_those_that_use_it(course):
    course.chapters()
    course.write("02_two", code='again = run_folder.find_run(run, "01_one", photos=photos)')
    course.chapters()
    assert course.ran == ["02_two"]
    course.write("01_one", code="x = 2")
    course.chapters()
    assert course.ran == ["01_one", "02_two"]


def test_other_parameters_are_kept_apart(course):
    course.chapters()
    course.chapters({"image_size": 96})
    assert course.ran == ["01_one", "02_two"]
    course.chapters()
    assert course.ran == []


def test_a_changed_package_runs_all(course, monkeypatch):
    course.chapters()
    monkeypatch.setattr(execute.execution, "_package_digest", lambda: "another")
    course.chapters()
    assert course.ran == ["01_one", "02_two"]


def test_outputs_of_other_cells_are_refused():
    longer = copy.deepcopy(notebook())
    longer.cells.append(nbformat.v4.new_code_cell("y = 2"))
    with pytest.raises(ValueError, match="zip"):
        execute.with_outputs(notebook(), longer)


HEAD = "import pathlib, time; here = pathlib.Path(run_dir)\n"
LOOKS = HEAD + "print((here / '..' / '02_two' / 'it.txt').is_file()); (here / 'looked.txt').touch()"
USES = LOOKS + '  # run_folder.find_run(run, "02_two")'
WRITES = (
    HEAD
    + """end = time.monotonic() + 120
while not (here / '..' / '03_three' / 'looked.txt').is_file():
    assert time.monotonic() < end, 'the third chapter did not run beside this one'
    time.sleep(0.1)
(here / 'it.txt').touch()"""
)


def test_of_chapters_at_the_same_time_each_waits_for_those_whose_runs_it_uses(tmp_path):
    """Real kernels, two at a time after the first: the second ends when the third has looked; the fourth waits."""
    (tmp_path / "notebooks").mkdir()
    for name, code in {"01_one": LOOKS, "02_two": WRITES, "03_three": LOOKS, "04_four": USES}.items():
        made = notebook(code)
        made.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
        made.cells.insert(0, nbformat.v4.new_code_cell('run_dir = ""', id="given", metadata={"tags": ["parameters"]}))
        nbformat.write(made, tmp_path / "notebooks" / f"{name}.ipynb")
    found = execute.chapters(None, tmp_path / "kept", tmp_path / "runs", tmp_path / "notebooks", at_once=2)
    told = [found[name].cells[-1].outputs[0]["text"] for name in ("01_one", "03_three", "04_four")]
    assert told == ["False\n", "False\n", "True\n"]
