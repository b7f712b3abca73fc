import pytest

from tutorial_utils.course import exercises


@pytest.mark.parametrize(
    ("answer", "expected", "word"),
    [
        (..., 3, "not answered yet"),
        (None, 3, "not answered yet"),
        (3, 3, "right"),
        (3.2, 3, "not quite"),
        (" Group ", "group", "right"),
        ("plant", "group", "not quite"),
        (True, True, "right"),
        ("three", 3, "not quite"),
    ],
)
def test_an_exercise_answers_and_never_stops(answer, expected, word, capsys):
    exercises.check("Question", answer, expected)
    assert word in capsys.readouterr().out


def test_numbers_may_differ_by_the_tolerance(capsys):
    exercises.check("Question", 78, 78.6, tolerance=1, explain="Well done.")
    assert capsys.readouterr().out == "Question: right. Well done.\n"
