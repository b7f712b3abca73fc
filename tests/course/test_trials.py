import keras
import numpy as np
import pytest

from tutorial_utils.course import trials
from tutorial_utils.data import layouts
from tutorial_utils.models import backbones


@pytest.fixture(scope="module")
def lite0():
    return backbones.get("efficientnet_lite0")


def test_the_trials_tell_two_colors_apart_and_leave_the_base_as_it_was(class_folders, lite0):
    before = [weight.copy() for weight in lite0.base.get_weights()]
    signals, probabilities = trials.run_trials(layouts.load_folder(class_folders), lite0, 32, progress=False)
    assert set(trials.SIGNALS) <= set(signals)
    assert signals["photos_per_class"] == 10
    assert signals["frozen"] == signals["frozen_half"] == 1  # green and brown
    assert signals["all"] == 0  # nothing left to gain
    assert probabilities.argmax(axis=1).tolist() == [0] * 10 + [1] * 10
    for old, new in zip(before, lite0.base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_distance_is_that_of_the_means_in_standard_deviations(class_folders):
    """A base whose last normalization expects mean 3 and variance 4 and gets 7 in every channel: two deviations."""
    inputs = keras.Input((None, None, 3))
    sevens = keras.layers.Conv2D(2, 1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(7))
    normalization = keras.layers.BatchNormalization(epsilon=1e-9)
    base = keras.Model(inputs, normalization(sevens(inputs)))
    normalization.set_weights([np.ones(2), np.zeros(2), np.full(2, 3.0), np.full(2, 4.0)])
    backbone = backbones.Backbone("sevens", "sevens", base, lambda images: images, "none", "", "", "")
    photos = layouts.load_folder(class_folders)
    assert trials.distance(photos, backbone, 32) == pytest.approx(2, rel=1e-5)
    bare = backbone._replace(base=keras.Model(inputs, sevens(inputs)))
    assert np.isnan(trials.distance(photos, bare, 32))


def test_a_class_of_one_group_is_named(class_folders, lite0):
    photos = layouts.load_folder(class_folders)
    photos.loc[photos["label"] == "ill", "group"] = "one plant"
    with pytest.raises(ValueError, match="'ill' belong to one group"):
        trials.run_trials(photos, lite0, 32, progress=False)


def test_a_class_of_one_group_is_named_before_anything_is_computed(class_folders):
    photos = layouts.load_folder(class_folders).assign(group="one plant")
    with pytest.raises(ValueError, match=r"class .* belong to one group"):
        trials.run_trials(photos, None, 32)  # no backbone is needed to see it
