"""The table of controls, without a browser: it follows the chapters' sources."""

import pytest

from tests.browser import moved
from tests.notebooks import solved
from tests.notebooks.test_chapters import CHAPTERS
from tests.notebooks.test_labs import LABS


@pytest.mark.parametrize("chapter", [*CHAPTERS, *(f"labs/{lab}" for lab in LABS)])
def test_the_table_has_the_controls_of_the_source(root, chapter):
    cells = [cell.source for cell in solved.code_cells(solved.source(root, chapter))]
    names = [moved.maker(code) or "" for code in cells]
    makers = [(n, cells[n]) for n, name in enumerate(names) if name.startswith(("browse", "explore"))]
    made, listed = set(moved.named(makers)), set(moved.CONTROLS.get(chapter, ()))
    assert made == listed, f"{chapter}: CONTROLS in tests/browser/moved.py differs in {sorted(made ^ listed)}"


def test_a_control_that_nobody_moves_is_named_and_one_that_is_not_there_too():
    there = {name: sorted((row.label, row.kind) for row in rows) for name, rows in moved.CONTROLS["01_setup"].items()}
    assert moved.uncovered("01_setup", there) == []
    there["browse_cards"] = [("size", "slider")]
    added, lacking = moved.uncovered("01_setup", there)
    assert added.startswith("The slider 'size' of browse_cards is not tested: add it to CONTROLS['01_setup']")
    assert lacking.endswith("names the menu 'data set' of browse_cards, which the chapter has not.")
    (first,) = moved.uncovered("99_new", {"turn": [("angle", "slider")]})
    assert first.startswith("The slider 'angle' of turn is not tested: add it to CONTROLS['99_new']")


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
