import keras
import numpy as np
import pandas
import pytest
import tensorflow as tf

from tutorial_utils.models import lr_finder


@pytest.fixture
def task():
    """256 points in two clouds, in batches of 32, and a linear model."""
    keras.utils.set_random_seed(0)
    labels = np.arange(256) % 2
    points = np.random.default_rng(0).normal(size=(256, 4)).astype("float32") + 2 * labels[:, None]
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    return model, tf.data.Dataset.from_tensor_slices((points, labels)).batch(32)


def test_the_rate_grows_by_the_same_factor_and_the_model_ends_as_it_began(task):
    model, batches = task
    before = model.get_weights()
    table = lr_finder.find_learning_rate(model, batches, 1e-5, 1e-1, steps=41)
    assert np.allclose(table["rate"], 10.0 ** np.linspace(-5, -1, 41)[: len(table)])
    assert len(table) > 30
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_loss_of_each_step_is_its_batchs_own(task):
    """The first step's rate changes next to nothing, so its loss is that of the untouched model on the first batch."""
    model, batches = task
    images, labels = next(iter(batches))
    probabilities = model.predict_on_batch(images)
    by_hand = -np.log(probabilities[np.arange(32), labels]).mean()
    table = lr_finder.find_learning_rate(model, batches, 1e-9, 1e-8, steps=10)
    assert table["loss"][0] == pytest.approx(by_hand, rel=1e-5)
    images, labels = next(iter(batches.skip(1)))
    probabilities = model.predict_on_batch(images)
    assert table["loss"][1] == pytest.approx(-np.log(probabilities[np.arange(32), labels]).mean(), rel=1e-5)


def test_smoothing_by_hand(task):
    """0.1 a and then (0.9 * 0.1 a + 0.1 b) / (1 - 0.81): the weights of two losses are 0.09 / 0.19 and 0.1 / 0.19."""
    table = lr_finder.find_learning_rate(*task, steps=10)
    first, second = table["loss"][:2]
    assert table["smoothed"][0] == pytest.approx(first)
    assert table["smoothed"][1] == pytest.approx((0.09 * first + 0.1 * second) / 0.19)


def test_the_search_ends_when_the_loss_explodes(task):
    table = lr_finder.find_learning_rate(*task, 1e-3, 1e6, steps=60)
    assert len(table) < 60
    assert not table["smoothed"].iloc[-1] <= lr_finder.DIVERGED * table["smoothed"].min()


def test_too_high_is_where_the_loss_has_climbed_after_its_lowest():
    table = pandas.DataFrame({"rate": [1, 2, 4, 8, 16, 32], "smoothed": [5.0, 5.0, 2.0, 2.9, 3.1, np.nan]})
    assert lr_finder.first_too_high(table) == 16  # 3.1 is more than 1.5 times 2.0, and 2.9 is not
    assert lr_finder.first_too_high(table, factor=10) == 32  # no number at all is too high too
    assert lr_finder.first_too_high(table.iloc[:3]) is None


@pytest.mark.parametrize(("given", "words"), [({"steps": 3}, "steps"), ({"lowest": 1, "highest": 0.1}, "lowest")])
def test_bad_arguments(task, given, words):
    with pytest.raises(ValueError, match=words):
        lr_finder.find_learning_rate(*task, **given)
