"""The exercises of every chapter: enough of them, each checked, each with a wrong answer of its own.

That the solutions are right and that each wrong answer gets its message is seen where the chapters run small
(test_chapters); that unanswered ones stop nothing, where they run at their defaults.
"""

import nbformat
import pytest

from notebooks.source import derive
from tests.notebooks import solved
from tests.notebooks.test_chapters import CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_three_exercises_and_each_knows_a_wrong_answer(root, chapter):
    path = solved.source(root, chapter)
    assert len(solved.solutions(path)) >= 3
    found = [call for cell in solved.code_cells(path) for call in solved.checks(cell.source)]
    questions = [solved.question(call) for call in found]
    assert len(set(questions)) == len(questions) >= 3
    without = [solved.question(call) for call in found if not solved.wrong_answers(call)]
    assert not without, f"no wrong answer of its own: {without}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_check_follows_every_solution(root, chapter):
    """Walk the cells: between one solution and the next, or the end, stands a check."""
    waiting = []
    for cell in solved.code_cells(solved.source(root, chapter)):
        if "solution" in cell.metadata.get("tags", []):
            assert not waiting, f"no check between {waiting} and the next solution"
            waiting = [cell.source]
        elif solved.checks(cell.source):
            waiting = []
    assert not waiting, f"no check after {waiting}"


@pytest.mark.parametrize(
    "code",
    [
        "if ready:\n    exercises.check('Q', a, 1)",
        "from tutorial_utils.course.exercises import check\ncheck('Q', a, 1)",
        "said = exercises.check('Q', a, 1)",
        "exercises.check('Q', a, 1, wrong=usual)",
        "exercises.check('Q', a, 1, wrong=[usual, (2, 'No.')])",
        "exercises.check('Q', a, 1, **more)",
        "exercises.check(title, a, 1)",
    ],
)
def test_a_check_in_another_form_is_refused(code):
    with pytest.raises(ValueError, match="Write"):
        solved.checks(code)


def run(code, **names):
    exec(code, names)


def test_a_probe_passes_where_the_check_answers_as_written(capsys):
    run(solved.asked("exercises.check('Q', a, b, wrong=[(b + 1, 'One more.'), (2, f'Half of {b}.')])"), a=4, b=4)
    assert '"wrong": 2, "recognized": 2' in capsys.readouterr().out


def test_a_wrong_answer_that_is_right_in_a_small_run_is_passed_over(capsys):
    run(solved.asked("exercises.check('Q', a, 4, wrong=[(b, 'All.'), (2, 'Half.')])"), a=4, b=4)
    assert '"wrong": 2, "recognized": 1' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("exercises.check('Q', 3, 4, wrong=[(5, 'One more.')])", "solution itself is not right"),
        ("exercises.check('Q', 4, 4, tolerance=1, wrong=[(8, 'Twice.'), (7, 'Other.')])", "should be told: 'Other.'"),
        ("exercises.check('Q', 4, 4, wrong=[(4, 'Never seen.')])", "no wrong answer is wrong"),
        ("exercises.check('Q', 4, 4, wrong=[(5, '')])", "has no message"),
    ],
)
def test_a_probe_fails_where_a_check_does_not_answer_as_written(code, said):
    with pytest.raises(AssertionError, match=said):
        run(solved.asked(code))


def test_the_solved_notebook_is_the_chapter_with_its_solutions(root):
    """One probe after each cell that checks; nothing else differs but the cells to write in."""
    chapter = CHAPTERS[-1]
    plain = derive.derive(solved.source(root, chapter))
    made = solved.notebook(root, chapter)
    nbformat.validate(made)
    kept = [cell for cell in made.cells if not cell.id.endswith("-probe")]
    assert [cell.id for cell in kept] == [cell.id for cell in plain.cells]
    changed = [old for new, old in zip(kept, plain.cells, strict=True) if new.source != old.source]
    assert all("exercise" in cell.metadata["tags"] for cell in changed)
    assert len(changed) == len(solved.solutions(solved.source(root, chapter)))
    assert len(made.cells) - len(kept) == sum("exercises.check(" in cell.source for cell in kept)
