"""What every control is made with, moved without a browser."""

import ipywidgets

from tutorial_utils.course import clicks, widgets


def test_a_view_follows_its_controls():
    slider = ipywidgets.IntSlider(2)
    picture = clicks.Picture(places=[[0, 0], [1, 1]], texts=["left", "right"])
    view = widgets.view(lambda number, place: f"{number} at {place}", number=slider, place=picture)
    assert view.value == "2 at -1"
    slider.value, picture.chosen = 3, 1
    assert view.value == "3 at 1"


def test_what_goes_wrong_is_said_and_the_control_lives_on():
    def show(number):
        if number == 0:
            raise ValueError("Expected a number; got <none>.")
        return str(number)

    slider = ipywidgets.IntSlider(0)
    view = widgets.view(show, number=slider)
    assert view.value == "<p>Expected a number; got &lt;none&gt;.</p>"
    slider.value = 4
    assert view.value == "4"
