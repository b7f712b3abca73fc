"""The controls of chapter 1: cards, a photo of one's own, a convolution worked out by hand."""

import datetime

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests.widgets.boxes import find
from tutorial_utils.data import catalog
from tutorial_utils.widgets import setup

NOW = datetime.datetime(2026, 1, 1)


def test_the_chosen_card_is_shown():
    box = setup.browse_cards(catalog.cards())
    (menu,), (view,) = find(box, "Dropdown"), find(box, "HTML")
    menu.value = "solar_cells"
    assert "electroluminescence" in view.value
    menu.value = "leaves"
    assert "rust" in view.value
    assert list(setup.cards_table(catalog.cards()).index) == list(catalog.cards())


@pytest.fixture
def red_or_green():
    """A model that says red (1, 0) or green (0, 1) by the share of either color."""
    pixels = keras.Input((8, 8, 3))
    sums = keras.layers.Dense(2, activation="softmax", use_bias=False)
    model = keras.Model(pixels, sums(keras.layers.GlobalAveragePooling2D()(pixels)))
    sums.set_weights([np.float32([[0.1, 0], [0, 0.1], [0, 0]])])
    return model


def test_a_photo_is_named_and_so_is_one_of_ones_own(red_or_green, make_photo, tmp_path):
    paths = [
        str(make_photo(tmp_path / f"{name}.png", color)) for name, color in (("a", (250, 0, 0)), ("b", (0, 250, 0)))
    ]
    box = setup.explore_answers(red_or_green, ["red", "green"], paths)
    (menu,), (upload,), (view,) = find(box, "Dropdown"), find(box, "FileUpload"), find(box, "HTML")
    assert "a.png: red, 100% sure" in view.value
    menu.value = paths[1]
    assert "b.png: green, 100% sure" in view.value
    own = make_photo(tmp_path / "own.png", (200, 10, 0))
    upload.value = [
        {"name": "own.png", "type": "image/png", "size": 1, "content": own.read_bytes(), "last_modified": NOW}
    ]
    assert "own.png: red, 100% sure" in view.value
    upload.value = [{"name": "x.txt", "type": "", "size": 1, "content": b"no photo", "last_modified": NOW}]
    assert "This cannot be drawn." in view.value
    assert "is not a photo" in view.value


def test_a_convolution_by_hand():
    """Dark to the left, bright to the right: -20 + 90 - 40 + 180 - 20 + 90 = 280, as in the chapter's drawing."""
    gray = np.tile(np.float64([20, 20, 90, 90, 90]), (5, 1))
    figure, alt = setup.draw_convolution(gray, "vertical edges", 2, 1)
    assert "the products add up to 280" in alt
    assert [text.get_text() for text in figure.axes[1].texts] == ["20", "20", "90"] * 3
    plt.close(figure)
    for name, total in (("horizontal edges", 0), ("spots", 8 * 90 - 3 * 20 - 5 * 90), ("nothing (it blurs)", 200 / 3)):
        figure, alt = setup.draw_convolution(gray, name, 2, 2)
        assert f"add up to {total:.0f}" in alt
        plt.close(figure)


def test_the_window_is_moved():
    box = setup.explore_convolution(np.arange(100.0).reshape(10, 10))
    (menu,), sliders, (view,) = find(box, "Dropdown"), find(box, "IntSlider"), find(box, "HTML")
    assert "row 5, column 3: the products add up to 8" in view.value
    sliders[0].value, menu.value = 8, "horizontal edges"
    assert "horizontal edges, at row 8, column 3: the products add up to 80" in view.value


def test_of_the_feature_maps_those_that_vary_most_are_drawn():
    maps = np.zeros((4, 4, 3))
    maps[0, 0] = [1, 9, 5]
    figure = setup.draw_feature_maps(np.zeros((8, 8, 3), np.uint8), maps, maps[:2, :2], count=2)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["the photo", "early map 1", "early map 2", "the photo", "late map 1", "late map 2"]
    assert figure.axes[1].images[0].get_array().max() == 255
    plt.close(figure)


def test_the_strongest_edge_is_dark_to_the_left_and_bright_to_the_right():
    gray = np.full((6, 7), 50.0)
    gray[3, 4:] = 200  # 150 more than the place before; elsewhere nothing changes
    gray[1, 2] = 0  # bright to its left is no edge of this kind
    assert setup.strongest_edge(gray) == (3, 3)
