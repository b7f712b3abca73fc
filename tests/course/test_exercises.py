import numpy as np
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


@pytest.mark.parametrize(
    ("answer", "said"),
    [(6, "You counted the flags"), (6.4, "You counted the flags"), (7, "7 is not it"), (12, "right"), ([1], "not it")],
)
def test_a_usual_wrong_answer_gets_its_own_message(answer, said, capsys):
    wrong = [(6, "You counted the flags."), (12, "Never shown: it is the right answer.")]
    exercises.check("Question", answer, 12, tolerance=0.5, wrong=wrong)
    assert said in capsys.readouterr().out


def test_true_is_no_number_and_one_is_not_true(capsys):
    exercises.check("Question", 1, True)
    exercises.check("Question", True, 1)
    assert capsys.readouterr().out.count("not quite") == 2


def test_an_array_is_a_wrong_answer_not_an_error(capsys):
    exercises.check("Question", np.zeros(3), 1)
    assert "not quite" in capsys.readouterr().out


def test_the_reply_in_a_notebook_has_a_mark_and_holds_no_markup_of_the_reader():
    reply = exercises.Reply("wrong", "'<b>' is not it")
    assert "✗" in reply._repr_html_()
    assert "<b>" not in reply._repr_html_()


def set_flags(*learning):
    """A function that lets the layers of these names learn, and no others."""

    def unfreeze(base, last):
        base.trainable = True
        for layer in base.layers:
            layer.trainable = layer.name in learning

    return unfreeze


@pytest.mark.parametrize(
    ("unfreeze", "said"),
    [
        (set_flags("conv_2"), "changed: conv_2; the loss fell"),
        (set_flags("conv_2", "norm_2"), "changed: conv_2, norm_2; the loss fell"),
        (set_flags("conv_1", "norm_1", "conv_2", "norm_2"), "changed: conv_1, norm_1, conv_2, norm_2; the loss fell"),
        (lambda base, last: None, "changed: nothing; the loss fell"),  # its head learns
    ],
)
def test_what_an_unfreezing_changes_is_told(unfreeze, said):
    assert exercises.changes_after(unfreeze) == said
