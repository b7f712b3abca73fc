"""A picture with places: where they lie in it, and what may be chosen; the browser's part is in tests/browser."""

import io
import shutil
import subprocess

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
import pytest
import traitlets

from tutorial_utils.widgets import clickable


def pixels(picture):
    return np.asarray(PIL.Image.open(io.BytesIO(picture.png)).convert("RGB"))


def test_points_lie_where_they_are_drawn():
    """Three single red dots; the red pixels round each place must have it in their middle."""
    _, ax = plt.subplots(layout="constrained")
    points = np.array([[0, 0], [10, 2], [4, 5]])
    ax.plot(*points.T, "s", color="red", markersize=6)
    ax.set(title="Three points", xlabel="x", ylabel="y")
    picture = clickable.picture(ax, points, ["a", "b", "c"], "Three points")
    image = pixels(picture)
    red = np.argwhere((image == (255, 0, 0)).all(axis=-1)) + 0.5  # rows, columns
    for x, y in picture.places:
        place = np.array([y, x]) * image.shape[:2]
        near = red[np.abs(red - place).max(axis=1) < 10]
        np.testing.assert_allclose(near.mean(axis=0), place, atol=1)


def test_boxes_run_from_the_upper_left_whichever_way_the_axis_runs():
    """The axes fill the figure, so the shares can be done by hand."""
    figure = plt.figure()
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 4), ylim=(2, 0))
    picture = clickable.picture(ax, [[0, 0, 1, 1], [3, 1, 4, 2]], ["first", "last"], "Two cells")
    assert picture.places == [[0, 0, 0.25, 0.5], [0.75, 0.5, 1, 1]]
    assert not plt.fignum_exists(figure.number)


@pytest.fixture
def two():
    return clickable.Picture(png=b"", alt="two", places=[[0, 0], [1, 1]], texts=["left", "right"])


def test_only_a_place_can_be_chosen(two):
    two.chosen = 1
    with pytest.raises(traitlets.TraitError, match="chosen must be -1 to 1; got 2"):
        two.chosen = 2
    assert two.chosen == 1


@pytest.mark.parametrize("place", [[0.5], [0, 0, 1], [1.5, 0]])
def test_what_is_no_place_is_refused(place):
    with pytest.raises(traitlets.TraitError):
        clickable.Picture(places=[place])


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node to run the front end's own functions")
@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("hit([[0.1, 0.1], [0.9, 0.9]], 0.4, 0.4, 100, 100)", 0),
        ("hit([[0, 0, 0.5, 1], [0.5, 0, 1, 1]], 0.6, 0.1, 100, 100)", 1),
        ("hit([[0, 0, 0.5, 0.5]], 0.6, 0.6, 100, 100)", -1),  # beside every box
        ("hit([[0.5, 0], [0, 0.6]], 0, 0, 1000, 100)", 1),  # a wide picture: 500 pixels against 60
        ('led("ArrowRight", GRID, 0, 100, 100)', 1),
        ('led("ArrowDown", GRID, 1, 100, 100)', 3),
        ('led("ArrowLeft", GRID, 0, 100, 100)', 0),  # nothing lies that way
        ('led("ArrowUp", GRID, -1, 100, 100)', 0),
        ('led("PageDown", GRID, 3, 100, 100)', 3),
        ('led("End", GRID, 0, 100, 100)', 3),
        ('led("Escape", GRID, 2, 100, 100)', -1),
        ('led("a", GRID, 2, 100, 100)', "undefined"),
    ],
)
def test_the_front_end_finds_the_place(call, expected):
    script = str(clickable.Picture._esm).replace("export default", "void")
    grid = "const GRID = [[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]];"
    run = subprocess.run(
        ["node", "-e", f"{script}\n{grid}\nconsole.log(String({call}))"], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == str(expected)
