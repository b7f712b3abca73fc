"""What every control is made with, moved without a browser."""

import ipywidgets
import matplotlib.pyplot as plt
import pytest

from tutorial_utils.widgets import clickable, controls


def test_a_view_follows_its_controls():
    slider = ipywidgets.IntSlider(2)
    picture = clickable.Picture(places=[[0, 0], [1, 1]], texts=["left", "right"])
    view = controls.live_view(lambda number, place: f"{number} at {place}", number=slider, place=picture)
    assert view.value == controls.NOTHING
    picture.chosen = 1
    assert view.value == "2 at 1"
    slider.value = 3
    assert view.value == "3 at 1"


def test_a_box_holds_its_controls_in_rows_and_the_figure_below():
    def draw(**values):
        return plt.subplots()[0], f"values {values}"

    sliders = [controls.slider("count", 1, 0, 5), controls.slider("share", 0.5, 0, 1, step=0.1)]
    sliders.append(controls.option_slider("rate", 0.1, [0.1, 1]))
    box = controls.live_box(draw, count=sliders[0], share=sliders[1], rate=sliders[2])
    assert [type(one).__name__ for one in sliders] == ["IntSlider", "FloatSlider", "SelectionSlider"]
    first, second, view = box.children
    assert (first.children, second.children) == ((sliders[0], sliders[1]), (sliders[2],))
    sliders[0].value = 4
    assert 'alt="values {&#x27;count&#x27;: 4, &#x27;share&#x27;: 0.5, &#x27;rate&#x27;: 0.1}"' in view.value


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
    view = controls.live_view(show, number=slider)
    assert view.value == f"<p>This cannot be drawn. {said}</p>"
    assert plt.get_fignums() == before
    slider.value = 4
    assert view.value == "4"
