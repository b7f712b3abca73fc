"""JupyterLab in a real browser: chapters, and labs with controls, run; controls move, quizzes and exercises answer.

Small photos, few of them, and no network: what is tested is the page under a reader's hands, not the numbers on it.
Needs Chromium; skips without. TUTORIAL_SCREENSHOTS names a folder for pictures of every control, at rest and moved.
"""

import ast
import os
import pathlib
import re

import nbformat
import pytest

from notebooks.source import derive
from tests.browser import hands, lab, moved
from tests.notebooks import solved
from tests.notebooks.test_chapters import CHAPTERS

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(chromium):
    """A function that opens a page of the browser."""
    with lab.pages() as page:
        yield page


@pytest.fixture(scope="module")
def server(tmp_path_factory, chromium):
    """A JupyterLab that shows the chapters; what one run leaves, the next chapter finds."""
    folder = tmp_path_factory.mktemp("lab")
    with lab.Lab(folder, TUTORIAL_OFFLINE=1, TUTORIAL_RUNS=folder / "runs") as server:
        yield server


@pytest.fixture(scope="module", params=[*CHAPTERS, *(name for name in moved.CONTROLS if name not in CHAPTERS)])
def chapter(request):
    return request.param


in_chapters = pytest.mark.parametrize("chapter", CHAPTERS, indirect=True, scope="module")  # a lab has no quiz


@pytest.fixture(scope="module")
def started(server, page, request):
    """A function that gives a chapter's notebook, its cells set running, and sets the next chapter running as well.

    So one chapter runs on the second processor core while the other is tested.
    """
    asked = [item.callspec.params["chapter"] for item in request.session.items if in_chapter(item)]
    asked, running = list(dict.fromkeys(asked)), {}

    def start(chapter):
        for name in asked[asked.index(chapter) :][:2]:
            if name not in running:
                running[name] = opened(server, page(), name)
                running[name].start()
        return running[chapter]

    return start


def in_chapter(item):
    """Return whether a collected test of this file is one of a chapter."""
    return item.path == pathlib.Path(__file__) and "chapter" in getattr(item, "callspec", Nothing).params


class Nothing:
    """What a test without parameters has."""

    params = ()


def opened(server, page, chapter):
    """Return a chapter, with few and small photos, open in a page."""
    made = derive.derive(solved.source(ROOT, chapter))
    solved.given(made, **solved.small(chapter))
    path = server.notebooks / f"{chapter}.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(made, path)
    return lab.Notebook(page, server, f"{chapter}.ipynb")


@pytest.fixture(scope="module")
def notebook(started, chapter):
    """A chapter that was opened and run from top to bottom; its kernel ends with it."""
    notebook = started(chapter)
    errors = notebook.end()
    assert not errors, f"{chapter}: {errors}"
    yield notebook
    notebook.close()


def keep(outputs, *names):
    """Save a picture of a cell's output where TUTORIAL_SCREENSHOTS says."""
    folder = os.environ.get("TUTORIAL_SCREENSHOTS")
    if folder:
        name = re.sub(r"[^a-z0-9]+", "-", " ".join(names).lower()).strip("-")
        outputs.screenshot(path=pathlib.Path(folder) / f"{name}.png")


def test_the_table_names_every_control(notebook, chapter):
    said = moved.uncovered(chapter, {name: there for name, (_, there) in moved.found(notebook).items()})
    assert not said, "\n".join(said)


def test_no_menu_is_blank_and_no_slider_too_short_to_grasp(notebook):
    awkward = [said for cell in notebook.each_output(hands.AWKWARD) for said in cell or ()]
    assert not awkward, awkward


def test_each_control_moves_by_keys_and_by_mouse(notebook, chapter):
    problems = []
    for name, (number, _) in moved.found(notebook).items():
        outputs = notebook.output(number)
        keep(outputs, chapter, name, "at rest")
        for row in moved.CONTROLS.get(chapter, {}).get(name, ()):
            control = hands.Control(outputs, row.label, row.kind)
            for way in (control.by_keys, control.by_mouse):
                before = hands.seen(outputs)
                try:
                    way()
                    hands.changed(outputs, before, row.changes)
                    notebook.rest()
                except AssertionError as error:
                    problems.append(f"{name}, {row.label}, {way.__name__}: {error}")
                keep(outputs, chapter, name, row.label, way.__name__)
    assert not problems, "\n".join(problems)


@in_chapters
def test_a_quiz_replies(notebook, chapter):
    """By mouse and by keys; a reply is hidden before, and read after."""
    number = next(i for i, source in enumerate(notebook.sources()) if source.startswith("## Quiz"))
    options = notebook.cell(number).locator(".jp-RenderedMarkdown details")
    verdicts = [text.strip() for text in options.locator("p").all_text_contents()]
    assert len(verdicts) == options.count() >= 12
    assert all(text.startswith(("Right. ", "Not quite. ")) for text in verdicts)
    wrong, right = (next(i for i, text in enumerate(verdicts) if text.startswith(word)) for word in ("Not", "Right"))
    for place, by_mouse in ((wrong, True), (right, False)):
        reply, summary = options.nth(place).locator("p"), options.nth(place).locator("summary")
        assert not reply.is_visible()
        if by_mouse:
            summary.click()
        else:
            summary.focus()
            notebook.page.keyboard.press("Enter")
        reply.wait_for(state="visible")
    keep(notebook.cell(number), chapter, "quiz")


def first_exercise(chapter):
    """Return (name, question, usual wrong answers [(answer, pattern of its message)], solution).

    It is the first that is answered by a name.
    """
    path = solved.source(ROOT, chapter)
    answers = {}
    for code in solved.solutions(path):
        answers |= {ast.unparse(line.targets[0]): code for line in ast.parse(code).body if isinstance(line, ast.Assign)}
    for code in (cell.source for cell in solved.code_cells(path)):
        for call in solved.checks(code):
            name = ast.unparse(call.args[1])
            if name in answers and solved.wrong_answers(call):
                wrong = [(ast.unparse(answer), pattern(message)) for answer, message in solved.wrong_answers(call)]
                return name, solved.question(call), wrong, answers[name]
    raise LookupError(f"{chapter}: no exercise is answered by a name and knows a wrong answer")


def pattern(message):
    """Return a regular expression for a message (ast): what an f-string fills in may be anything."""
    if isinstance(message, ast.JoinedStr):
        return "".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".*" for part in message.values)
    return re.escape(ast.literal_eval(message))


@in_chapters
def test_an_exercise_answers_wrong_and_then_right(notebook, chapter):
    """A usual wrong answer may be right for so few photos: then the next one is given."""
    name, question, wrong, solution = first_exercise(chapter)
    answer, check = notebook.find(f"{name} = ..."), notebook.find(f'"{question}"')

    def reply(code):
        notebook.write(answer, code)
        notebook.run(check)
        return notebook.output(check).inner_text()

    right = f"✓ {question}: right"
    said, message = next((said, message) for code, message in wrong if right not in (said := reply(f"{name} = {code}")))
    assert re.search(f"✗ {re.escape(question)}: not quite. {message}", said), said
    keep(notebook.cell(check), chapter, "exercise wrong")
    said = reply(solution)
    assert right in said, said
    keep(notebook.cell(check), chapter, "exercise right")


FAILING = """\
import ipywidgets
from tutorial_utils.widgets.controls import live_view

def show(number):
    return f'<p>whole: {6 // number}</p>'

slider = ipywidgets.IntSlider(1, min=0, max=2, description="number", continuous_update=False)
ipywidgets.VBox([slider, live_view(show, number=slider)])"""


def test_an_error_stands_in_the_place_of_the_picture_and_the_control_lives_on(server, page):
    kernel = {"kernelspec": derive.KERNEL}
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FAILING)], metadata=kernel)
    nbformat.write(made, server.notebooks / "failing.ipynb")
    notebook = lab.Notebook(page(), server, "failing.ipynb")
    assert not notebook.run_all()
    handle, shown = notebook.output(0).locator(".noUi-handle"), notebook.output(0).locator(".widget-html-content")
    handle.focus()
    for key, text in (
        ("ArrowLeft", "This cannot be drawn. ZeroDivisionError"),
        ("ArrowRight", "whole: 6"),
        ("ArrowRight", "whole: 3"),
    ):
        notebook.page.keyboard.press(key)
        shown.filter(has_text=text).wait_for()
    notebook.close()
