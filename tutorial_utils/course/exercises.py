"""Exercises answer in the notebook; an unanswered one says so and stops nothing."""

import html
import numbers

import keras
import numpy as np


def check(question, answer, expected, tolerance=0.0, explain="", wrong=()):
    """Show whether `answer` is right, and what a wrong one would mean; never raise, so that "Run All" goes on.

    answer : what the reader wrote; `...` (or a function that returns it or None) is unanswered
    expected : the right answer; numbers may differ by `tolerance`
    explain : a sentence that is shown with a right answer: why it is right
    wrong : pairs (answer, message): the usual wrong answers, each with what it would mean; the first that agrees with
        the answer is shown
    """
    from IPython.display import display

    display(_reply(question, answer, expected, tolerance, explain, wrong))


def _reply(question, answer, expected, tolerance, explain, wrong):
    if answer is None or answer is Ellipsis:
        return Reply("open", f"{question}: not answered yet. Replace the ... above and run both cells again.")
    if _agree(answer, expected, tolerance):
        return Reply("right", f"{question}: right. {explain}".rstrip())
    for usual, message in wrong:
        if _agree(answer, usual, tolerance):
            return Reply("wrong", f"{question}: not quite. {message}")
    return Reply("wrong", f"{question}: not quite, {answer!r} is not it. The hint above may help.")


def changes_after(unfreeze):
    """Return in words what three steps of training change in a small base after `unfreeze(base, 3)` (chapter 4).

    unfreeze : function of a base and a number of last layers, which sets what may learn. The base is all frozen before,
        and has conv_1, norm_1 and ReLU, then conv_2, norm_2 and ReLU; norm is BatchNormalization
    """
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 3))]
    for number in (1, 2):
        layers += [keras.layers.Conv2D(4, 3, name=f"conv_{number}")]
        layers += [keras.layers.BatchNormalization(name=f"norm_{number}"), keras.layers.ReLU()]
    base = keras.Sequential(layers)
    base.trainable = False
    unfreeze(base, 3)
    model = keras.Sequential([base, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), loss="mse")
    images, targets = np.random.default_rng(0).random((16, 8, 8, 3)), np.ones((16, 1))
    before = {weight.path: weight.numpy() for weight in base.weights}
    losses = [model.train_on_batch(images, targets) for _ in range(3)]
    moved = [weight.path.split("/")[-2] for weight in base.weights if (weight.numpy() != before[weight.path]).any()]
    changed = ", ".join(dict.fromkeys(moved)) or "nothing"  # each layer once, in order
    return f"changed: {changed}; the loss {'fell' if losses[-1] < losses[0] else 'did not fall'}"


MARKS = {"open": "…", "right": "✓", "wrong": "✗"}
COLORS = {"open": "#767676", "right": "#009e73", "wrong": "#d55e00"}  # told apart by color-blind readers too


class Reply:
    """A sentence with a mark before it and a line at its side, whose color says the same as its words."""

    def __init__(self, kind, text):
        self.kind, self.text = kind, text

    def __repr__(self):
        return self.text

    def _repr_html_(self):
        style = f"border-left: 4px solid {COLORS[self.kind]}; padding: 0.3em 0.8em; margin: 0.2em 0"
        return f'<div style="{style}">{MARKS[self.kind]} {html.escape(self.text)}</div>'


def _agree(answer, expected, tolerance):
    both = (answer, expected)
    if sum(isinstance(value, bool | np.bool_) for value in both) == 1:
        return False  # Python takes True for 1
    if all(isinstance(value, numbers.Number) for value in both):
        return bool(abs(answer - expected) <= tolerance)
    if all(isinstance(value, str) for value in both):
        return answer.strip().lower() == expected.strip().lower()
    try:
        return bool(answer == expected)
    except ValueError:  # an array against a number
        return False
