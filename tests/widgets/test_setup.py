"""What a base finds alike, and the map of its features: by hand where that can be done."""

import numpy as np
import pytest

from tests.widgets.boxes import find
from tutorial_utils.models import backbones
from tutorial_utils.widgets import setup


def test_nearest_by_hand():
    """Four directions round the mean (0, 0); photos 0 and 1 are of one plant, which does not count."""
    rows = np.array([[1, 0], [0.9, 0.1], [0.8, 0.3], [-2.7, -0.4]])
    rows -= rows.mean(axis=0)
    near = setup.nearest(rows, ["a", "a", "b", "c"], count=2)
    np.testing.assert_array_equal(near[0], [2, 3])
    assert near[3].tolist() != []
    assert near.shape == (4, 2)


def test_no_photo_of_another_group_is_nobody():
    assert setup.nearest(np.eye(3), ["a", "a", "a"]).shape == (3, 0)


@pytest.mark.parametrize("name", ["mobilenet_v2", "vgg16", "resnet50", "efficientnet_b0", "efficientnet_lite0"])
def test_given_rightly_a_photo_is_taken_for_what_it_is(name):
    own = backbones.preprocessing(name)
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(setup.taken_for(images, own, own), images)


def test_divided_by_255_black_is_taken_for_gray():
    """MobileNetV2 reads x as 127.5 (x + 1): black, 0, is the gray 127.5, and white, 1, is white."""
    images = np.uint8([[[[0, 0, 0], [255, 255, 255], [0, 255, 51]]]])
    taken = setup.taken_for(images, lambda images: images / 255, backbones.preprocessing("mobilenet_v2"))
    np.testing.assert_allclose(taken[0, 0], [[128] * 3, [255] * 3, [128, 255, 153]], atol=1)


def test_the_photos_most_alike_are_shown():
    images = np.zeros((3, 8, 8, 3), np.uint8)
    alike = {"features": np.array([[1, 2], [0, 2], [0, 1]]), "pixels": np.array([[2, 1], [2, 0], [1, 0]])}
    taken = dict.fromkeys(alike, images)
    box = setup.browse_alike(images, np.array([0, 0, 1]), ["ill", "well"], alike, taken)
    (slider,), (menu,), (view,) = find(box, "IntSlider"), find(box, "Dropdown"), find(box, "HTML")
    assert "Photo 0: of the 2 most alike by features, 1 are ill" in view.value
    slider.value, menu.value = 2, "pixels"
    assert "Photo 2: of the 2 most alike by pixels, 0 are well" in view.value


@pytest.mark.parametrize("count", [2, 6, 40])
def test_the_map_keeps_neighbors_together(count):
    """Two crowds far apart: each photo's nearest on the map is of its own crowd."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(count, 8)) * 0.1
    features[count // 2 :] += 10
    places = setup.neighbor_map(features)
    assert places.shape == (count, 2)
    distance = np.linalg.norm(places[:, None] - places, axis=2) + 1e9 * np.eye(count)
    if count > 2:
        assert ((distance.argmin(axis=1) < count // 2) == (np.arange(count) < count // 2)).all()


def test_a_chosen_point_shows_its_photo(tmp_path, make_photo):
    paths = [make_photo(tmp_path / f"{number}.png", seed=number) for number in range(3)]
    box = setup.browse_map(np.array([[0, 0], [1, 2], [3, 1]]), [0, 1, 1], ["ill", "well"], paths)
    (picture,), (view,) = find(box, "Picture"), find(box, "HTML")
    assert 'alt="Photo 0 of the class ill"' in view.value
    picture.chosen = 2
    assert 'alt="Photo 2 of the class well"' in view.value
    picture.chosen = -1
    assert "arrow keys" in view.value
    paths[1].unlink()
    picture.chosen = 1
    assert "There is no file" in view.value  # and the control lives on
    picture.chosen = 0
    assert 'alt="Photo 0 of the class ill"' in view.value
