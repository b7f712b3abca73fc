"""What every control is made with, moved without a browser."""

import ipywidgets
import matplotlib.pyplot as plt
import pytest

from tutorial_utils.widgets import clickable, controls


def test_a_view_follows_its_controls():
    slider = ipywidgets.IntSlider(2)
    picture = clickable.Picture(places=[[0, 0], [1, 1]], texts=["left", "right"])
    view = controls.view(lambda number, place: f"{number} at {place}", number=slider, place=picture)
    assert view.value == "2 at -1"
    slider.value, picture.chosen = 3, 1
    assert view.value == "3 at 1"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("Expected a number; got <none>."), "Expected a number; got &lt;none&gt;."),
        (KeyError("rust"), "KeyError: &#x27;rust&#x27;"),
    ],
)
def test_what_goes_wrong_is_said_and_the_control_lives_on(error, said):
    """The figure that was begun is closed, or the next cell would show it."""
    before = plt.get_fignums()  # of other tests

    def show(number):
        if number == 0:
            plt.figure()
            raise error
        return str(number)

    slider = ipywidgets.IntSlider(0)
    view = controls.view(show, number=slider)
    assert view.value == f"<p>This cannot be drawn. {said}</p>"
    assert plt.get_fignums() == before
    slider.value = 4
    assert view.value == "4"
