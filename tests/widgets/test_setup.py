"""The controls of chapter 1: cards, and what a base finds alike, by hand where that can be done."""

import numpy as np
import pytest

from tests.widgets.boxes import find
from tutorial_utils.data import catalog
from tutorial_utils.models import backbones
from tutorial_utils.widgets import setup


def test_the_chosen_card_is_shown():
    box = setup.browse_cards(catalog.cards())
    (menu,), (view,) = find(box, "Dropdown"), find(box, "HTML")
    menu.value = "solar_cells"
    assert "electroluminescence" in view.value
    menu.value = "leaves"
    assert "rust" in view.value


def test_the_nearest_photos_of_other_groups_by_hand():
    """From the mean they lie at 0, 6, 21 and 188 degrees; photos 0 and 1 are of one plant, which does not count."""
    rows = np.array([[1, 0], [0.9, 0.1], [0.8, 0.3], [-2.7, -0.4]])
    near = setup.nearest_in_other_groups(rows, ["a", "a", "b", "c"], count=2)
    np.testing.assert_array_equal(near, [[2, 3], [2, 3], [1, 0], [2, 0]])


def test_no_photo_of_another_group_is_nobody():
    assert setup.nearest_in_other_groups(np.eye(3), ["a", "a", "a"]).shape == (3, 0)


@pytest.mark.parametrize("name", ["mobilenet_v2", "vgg16", "resnet50", "efficientnet_b0", "efficientnet_lite0"])
def test_given_rightly_a_photo_is_taken_for_what_it_is(name):
    own = backbones.preprocessing(name)
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(setup.photos_as_seen(images, own, own), images)


def test_divided_by_255_black_is_taken_for_gray():
    """MobileNetV2 reads x as 127.5 (x + 1): black, 0, is the gray 127.5, and white, 1, is white."""
    images = np.uint8([[[[0, 0, 0], [255, 255, 255], [0, 255, 51]]]])
    taken = setup.photos_as_seen(images, lambda images: images / 255, backbones.preprocessing("mobilenet_v2"))
    np.testing.assert_allclose(taken[0, 0], [[128] * 3, [255] * 3, [128, 255, 153]], atol=1)


def test_the_photos_most_alike_are_shown():
    images = np.zeros((3, 8, 8, 3), np.uint8)
    nearest = {"features": np.array([[1, 2], [0, 2], [0, 1]]), "pixels": np.array([[2, 1], [2, 0], [1, 0]])}
    seen = dict.fromkeys(nearest, images)
    box = setup.browse_nearest(images, np.array([0, 0, 1]), ["ill", "well"], nearest, seen)
    (slider,), (menu,), (view,) = find(box, "IntSlider"), find(box, "Dropdown"), find(box, "HTML")
    assert "Photo 0: of the 2 most alike by features, 1 are ill" in view.value
    slider.value, menu.value = 2, "pixels"
    assert "Photo 2: of the 2 most alike by pixels, 0 are well" in view.value
