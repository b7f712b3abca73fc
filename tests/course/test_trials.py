import keras
import numpy as np
import PIL.Image
import pytest

from tutorial_utils.course import trials
from tutorial_utils.data import folders
from tutorial_utils.models import backbones


@pytest.fixture(scope="module")
def lite0():
    return backbones.get("efficientnet_lite0")


def test_the_trials_tell_two_colors_apart_and_leave_the_base_as_it_was(class_folders, lite0):
    before = [weight.copy() for weight in lite0.base.get_weights()]
    signals, probabilities = trials.run(folders.load(class_folders), lite0, 32, progress=False)
    assert set(trials.SIGNALS) <= set(signals)
    assert signals["photos_per_class"] == 10
    assert signals["frozen"] == signals["frozen_half"] == 1  # green and brown
    assert signals["last"] == 0  # nothing left to gain
    assert probabilities.argmax(axis=1).tolist() == [0] * 10 + [1] * 10
    for old, new in zip(before, lite0.base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def halves(folder, upside_down):
    """Photos that are bright above or below; each of the two is a class if `upside_down`, else by color."""
    rng = np.random.default_rng(0)
    for number in range(24):
        pixels = rng.integers(0, 60, (64, 64, 3))
        above = bool(number % 2)
        place = slice(0, 24) if above else slice(40, 64)
        ill = above if upside_down else number % 4 < 2
        pixels[place] += 150
        if not upside_down:
            pixels[:, :, 0 if ill else 1] += 45
        path = folder / ("ill" if ill else "well") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folders.load(folder)


def test_turned_photos_mislead_where_up_and_down_matter(tmp_path, lite0):
    matters = trials.turning(halves(tmp_path / "up", True), lite0, 64)
    does_not = trials.turning(halves(tmp_path / "color", False), lite0, 64)
    assert matters > 0.02
    assert matters > does_not


def test_the_distance_is_that_of_the_means_in_standard_deviations(class_folders):
    """A base whose last normalization expects mean 3 and variance 4 and gets 7 in every channel: two deviations."""
    inputs = keras.Input((None, None, 3))
    sevens = keras.layers.Conv2D(2, 1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(7))
    normalization = keras.layers.BatchNormalization(epsilon=1e-9)
    base = keras.Model(inputs, normalization(sevens(inputs)))
    normalization.set_weights([np.ones(2), np.zeros(2), np.full(2, 3.0), np.full(2, 4.0)])
    backbone = backbones.Backbone("sevens", "sevens", base, lambda images: images, "none", "", "", "")
    photos = folders.load(class_folders)
    assert trials.distance(photos, backbone, 32) == pytest.approx(2, rel=1e-5)
    bare = backbone._replace(base=keras.Model(inputs, sevens(inputs)))
    assert np.isnan(trials.distance(photos, bare, 32))


def test_a_class_of_one_group_is_named(class_folders, lite0):
    photos = folders.load(class_folders)
    photos.loc[photos["label"] == "ill", "group"] = "one plant"
    with pytest.raises(ValueError, match="'ill' belong to one group"):
        trials.run(photos, lite0, 32, progress=False)
