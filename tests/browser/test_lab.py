"""JupyterLab in a real browser: the chapters run, their controls move, their quizzes and exercises answer.

Small photos, few of them, and no network: what is tested is the page under a reader's hands, not the numbers on it.
Needs Chromium; skips without. TUTORIAL_SCREENSHOTS names a folder for pictures of every control, at rest and moved.
"""

import ast
import os
import pathlib
import re

import nbformat
import pytest

from tests.browser import hands, lab, moved
from tests.notebooks import solved
from tests.notebooks.test_chapters import CHAPTERS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]  # one browser at a time on two cores


@pytest.fixture(scope="module")
def page(chromium):
    with lab.page() as page:
        page.set_default_timeout(20_000)
        yield page


@pytest.fixture(scope="module")
def server(tmp_path_factory, chromium):
    """A JupyterLab that shows the chapters; what one run leaves, the next chapter finds."""
    folder = tmp_path_factory.mktemp("lab")
    with lab.Lab(folder, TUTORIAL_OFFLINE=1, TUTORIAL_RUNS=folder / "runs") as server:
        yield server


@pytest.fixture(scope="module", params=CHAPTERS)
def chapter(request):
    return request.param


@pytest.fixture(scope="module")
def notebook(server, page, chapter):
    """A chapter that was opened and run from top to bottom; its kernel ends with it."""
    root = pathlib.Path(__file__).resolve().parents[2]
    made = solved.derive(root).derive(solved.source(root, chapter))
    lab.given(made, **lab.SMALL)
    nbformat.write(made, server.notebooks / f"{chapter}.ipynb")
    opened = lab.Notebook(page, server, f"{chapter}.ipynb")
    errors = opened.run_all()
    assert not errors, errors
    yield opened
    server.end_kernels()


def keep(outputs, *names):
    """Save a picture of a cell's output where TUTORIAL_SCREENSHOTS says."""
    folder = os.environ.get("TUTORIAL_SCREENSHOTS")
    if folder:
        name = re.sub(r"[^a-z0-9]+", "-", " ".join(names).lower()).strip("-")
        outputs.screenshot(path=pathlib.Path(folder) / f"{name}.png")


def test_the_table_names_every_control(notebook, chapter):
    there = {name: labels for name, (_, labels) in moved.found(notebook).items()}
    table = {name: sorted((one.label, one.kind) for one in rows) for name, rows in moved.CONTROLS[chapter].items()}
    assert there == table


def test_no_menu_is_blank_and_no_slider_too_short_to_grasp(notebook):
    awkward = [said for cell in notebook.each_output(hands.AWKWARD) for said in cell or ()]
    assert not awkward, awkward


def test_each_control_moves_by_keys_and_by_mouse(notebook, chapter):
    problems = []
    for name, (number, _) in moved.found(notebook).items():
        outputs = notebook.output(number)
        keep(outputs, chapter, name, "at rest")
        for row in moved.CONTROLS[chapter].get(name, ()):
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
    """Return (name, wrong answer, its message as a pattern, solution, question): the first that is answered by a name.

    The wrong answer is the first whose message is written out or holds values of the run only in between.
    """
    root = pathlib.Path(__file__).resolve().parents[2]
    path = solved.source(root, chapter)
    answers = {}
    for code in solved.solutions(path):
        answers |= {ast.unparse(line.targets[0]): code for line in ast.parse(code).body if isinstance(line, ast.Assign)}
    for code in (cell.source for cell in solved.code_cells(path)):
        for call in solved.checks(code):
            name = ast.unparse(call.args[1])
            if name in answers and solved.wrong_answers(call):
                answer, message = solved.wrong_answers(call)[0]
                return name, ast.unparse(answer), pattern(message), answers[name], solved.question(call)
    raise LookupError(f"{chapter}: no exercise is answered by a name and knows a wrong answer")


def pattern(message):
    """Return a regular expression for a message (ast): what an f-string fills in may be anything."""
    if isinstance(message, ast.JoinedStr):
        return "".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".*" for part in message.values)
    return re.escape(ast.literal_eval(message))


def test_an_exercise_answers_wrong_and_then_right(notebook, chapter):
    name, wrong, message, solution, question = first_exercise(chapter)
    answer, check = notebook.find(f"{name} = ..."), notebook.find(f'"{question}"')
    for code, expected in ((f"{name} = {wrong}", f"✗ {re.escape(question)}: not quite. {message}"),
                           (solution, f"✓ {re.escape(question)}: right")):  # fmt: skip
        notebook.write(answer, code)
        notebook.run(check)
        said = notebook.output(check).inner_text()
        assert re.search(expected, said), said
        keep(notebook.cell(check), chapter, "exercise", "right" if code == solution else "wrong")
