"""The table of controls, without a browser: it follows the chapters' sources."""

import pytest

from tests.browser import moved
from tests.notebooks import solved
from tests.notebooks.test_chapters import CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_table_has_the_controls_of_the_source(root, chapter):
    cells = [cell.source for cell in solved.code_cells(solved.source(root, chapter))]
    makers = [(n, code) for n, code in enumerate(cells) if (moved.maker(code) or "").startswith(("browse", "explore"))]
    assert set(moved.named(makers)) == set(moved.CONTROLS[chapter])


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("x = 1\nwidgets.browse_cards(cards)", "browse_cards"),
        ("box = explore(1)\nbox", "explore"),
        ("box = explore(1)", None),
        ("%pip install x", None),
        ("", None),
    ],
)
def test_a_control_is_named_by_the_function_whose_value_its_cell_shows(code, name):
    assert moved.maker(code) == name


def test_a_second_control_of_a_function_has_a_number():
    assert moved.named([(3, "f(1)"), (5, "f(2)"), (8, "g()")]) == {"f": 3, "f 2": 5, "g": 8}
