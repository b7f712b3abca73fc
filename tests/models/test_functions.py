import functools
import itertools
import math

import keras
import numpy as np
import pytest

from tutorial_utils.models import functions

RATE = 0.1


def made(source, **around):
    """Return the function `f` that some source text defines, with these names around it in its module."""
    module = {"__name__": "mine", "math": math, **around}
    exec(source, module)  # as a notebook's cell is
    return module["f"]


def digest(source, **around):
    return functions.digest(made(source, **around))


BEFORE = "def f(epoch, rate): return rate * 0.5 ** epoch"


@pytest.mark.parametrize(
    "source",
    [
        BEFORE + "  # a comment",
        "\n\n" + BEFORE,
        "def f(number, step): return step * 0.5 ** number",
        "f = lambda epoch, rate: rate * 0.5 ** epoch",
    ],
)
def test_comments_places_and_names_of_variables_tell_nothing(source):
    assert digest(source) == digest(BEFORE)


@pytest.mark.parametrize(
    "source",
    [
        "def f(epoch, rate): return rate * 0.6 ** epoch",
        "def f(epoch, rate): return rate * 0.5 * epoch",
        "def f(epoch, rate=0.5): return rate * 0.5 ** epoch",
        "def f(epoch, rate): return (lambda: rate * 0.5 ** epoch)()",
    ],
)
def test_another_code_is_another_digest(source):
    assert digest(source) != digest(BEFORE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x): return math.exp(x)", "def f(x): return math.sin(x)"),
        ("def f(x): return [1, 2][x]", "def f(x): return [1, 3][x]"),
        ("def f(x): return x in {'a', 'b'}", "def f(x): return x in {'a', 'c'}"),
        ("def f(x): return (lambda: x + 1)()", "def f(x): return (lambda: x + 2)()"),
        ("def f(*, x=1): return x", "def f(*, x=2): return x"),
        ("def f(x):\n  try: return 1 / x\n  except ValueError: pass", "def f(x):\n  return 1 / x"),
        ("def g(x): return x\ndef f(x): return g(x)", "def g(x): return -x\ndef f(x): return g(x)"),
    ],
)
def test_names_constants_and_helpers_of_the_same_module_count(one, other):
    assert digest(one) == digest(one)
    assert digest(one) != digest(other)


@pytest.mark.parametrize(
    ("value", "other"),
    [(0.1, 0.2), ("a", "b"), ((1, 2), (1, 3)), ([3], [4]), ({"a": 1}, {"a": 2}), (np.ones(2), np.zeros(2))],
)
def test_the_values_that_a_function_uses_count(value, other):
    """From its module, from the function around it, and as a default."""

    def inside(value):
        return lambda: value

    for make in (
        lambda value: made("def f(): return setting", setting=value),
        inside,
        lambda value: made("def f(x=setting): return x", setting=value),
        lambda value: functools.partial(print, value),
    ):
        assert functions.digest(make(value)) == functions.digest(make(value))
        assert functions.digest(make(value)) != functions.digest(make(other))


@pytest.mark.parametrize(
    "source",
    [
        "def f(x): notes.append(x)",
        "def f(x): notes[0] = x",
        "def f(x):\n  global count\n  count += 1",
        "def f(x): return math.exp(x)",
        "class Kind:\n  notes = []\n  def f(self, x): self.notes.append(x)\nf = Kind",
    ],
)
def test_what_a_function_notes_down_is_no_setting(source):
    first, later = {"notes": [0], "count": 0}, {"notes": [0, 5], "count": 7}
    one, other = made(source, **first), made(source, **later)
    if isinstance(other, type):
        other.notes.append(1)
    assert functions.digest(one) == functions.digest(other)


def test_a_collection_that_is_only_read_beside_one_that_is_written_counts():
    source = "def f(x):\n  if x in steps:\n    notes.append(x)"
    assert digest(source, steps=[1], notes=[]) != digest(source, steps=[2], notes=[])
    assert digest(source, steps=[1], notes=[]) == digest(source, steps=[1], notes=[3])


def test_having_been_called_often_changes_nothing():
    """Python rewrites the code of a function that is called often."""
    function = made("def f(x): return [RATE * each for each in range(x)]", RATE=RATE)
    before = functions.digest(function)
    for _ in range(5000):
        function(3)
    assert functions.digest(function) == before


def test_functions_that_name_each_other_come_to_an_end():
    source = "def f(x): return g(x)\ndef g(x): return f(x)"
    assert digest(source) == digest(source)
    assert digest(source) != digest("def f(x): return g(x)\ndef g(x): return f(x + 1)")


def test_a_collection_that_holds_itself_stops_no_training():
    ring = []
    ring.append(ring)
    assert digest("def f(): return ring", ring=ring) == digest("def f(): return ring", ring=ring)


class Falling:
    """A schedule that is an object."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, epoch, rate):
        return rate * self.factor

    def times_two(self, epoch, rate):
        return 2 * self(epoch, rate)


class FallingDeeper(Falling):
    def __call__(self, epoch, rate):
        return rate * self.factor**2


def test_objects_that_can_be_called_count_with_class_and_attributes():
    made = [Falling(0.1), Falling(0.2), FallingDeeper(0.1), Falling(0.1).times_two, Falling(0.2).times_two]
    digests = [functions.digest(each) for each in made]
    assert len(set(digests)) == len(made)
    assert functions.digest(Falling(0.1)) == digests[0]
    assert functions.digest(Falling(0.1).times_two) == digests[3]


def test_a_loss_inside_a_function_counts_with_its_settings_and_a_model_by_its_class_alone():
    def around(thing):
        return lambda labels, said: thing(labels, said)

    one, same, other = (functions.digest(around(keras.losses.Huber(delta))) for delta in (1, 1, 2))
    assert one == same
    assert one != other
    models = [keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]) for _ in range(2)]
    assert len({functions.digest(around(model)) for model in models}) == 1  # whatever Keras calls them


def test_what_keras_makes_is_not_our_own():
    assert not functions.is_own(keras.activations.relu)
    assert not functions.is_own(keras.layers.Dense)
    assert all(map(functions.is_own, [digest, Falling, Falling(1), functools.partial(print)]))


def test_every_kind_of_constant_is_told_apart():
    values = [
        1,
        1.5,
        True,
        None,
        "1",
        b"1",
        1j,
        ...,
        (1,),
        [1, 1],
        {1: 2},
        {1, 2},
        np.float32(1),
        np.ones(1),
        np.ones(2),
    ]
    for one, other in itertools.combinations(values, 2):
        assert functions.digest(one) != functions.digest(other)
