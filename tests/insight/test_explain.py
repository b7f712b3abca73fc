"""Heat maps of tiny networks whose answer can be seen, and their scores by hand."""

import keras
import numpy as np
import pytest

from tutorial_utils.insight import explain


def red_or_green(nested=False, pooled_inside=False, softmax="dense"):
    """A model that adds up what is red and what is green, each in a channel of its own; two classes."""
    pixels = keras.Input((None, None, 3))
    colors = keras.layers.Conv2D(2, 4, strides=4, use_bias=False, name="colors")
    maps = colors(keras.layers.Rescaling(1 / 255)(pixels))
    if pooled_inside:
        maps = keras.layers.GlobalAveragePooling2D()(maps)
    base = keras.Model(pixels, maps)
    kernel = np.zeros((4, 4, 3, 2), np.float32)
    kernel[:, :, 0, 0] = kernel[:, :, 1, 1] = 1 / 16
    colors.set_weights([kernel])
    images = keras.Input((16, 16, 3))
    x = base(images) if nested else base.layers[-1](base.layers[-2](images))
    if not pooled_inside:
        x = keras.layers.GlobalAveragePooling2D()(x)
    head = keras.layers.Dense(2, activation="softmax" if softmax == "dense" else None)
    probabilities = head(x)
    if softmax == "layer":
        probabilities = keras.layers.Softmax()(probabilities)
    head.set_weights([50 * np.eye(2, dtype=np.float32), np.zeros(2, np.float32)])
    return keras.Model(images, probabilities)


@pytest.fixture
def corner():
    """Two photos: red in the upper left quarter, green in the lower right one; and their classes."""
    images = np.zeros((2, 16, 16, 3), np.float32)
    images[:, :8, :8, 0] = images[:, 8:, 8:, 1] = 255
    return images, np.array([0, 1])


@pytest.mark.parametrize(
    "options",
    [{}, {"nested": True}, {"nested": True, "pooled_inside": True}, {"nested": True, "softmax": "layer"}],
    ids=str,
)
def test_the_heat_is_where_the_color_of_the_class_is(options, corner):
    model = red_or_green(**options)
    before = model.predict_on_batch(corner[0])
    heat = explain.grad_cam(explain.two_stages(model), *corner)
    assert heat.shape == (2, 16, 16)
    assert heat[0, :6, :6].min() == heat[1, 10:, 10:].min() == 1
    assert heat[0, 10:, :].max() == heat[1, :6, :].max() == 0
    np.testing.assert_array_equal(model.predict_on_batch(corner[0]), before)  # it gives probabilities as before


def test_a_sure_answer_has_heat_all_the_same():
    """Logits of 50 and 0: in float32 the probability is 1, and its own gradient 0."""
    images = np.zeros((1, 16, 16, 3), np.float32)
    images[..., 0] = 255
    model = red_or_green(nested=True)
    assert model.predict_on_batch(images)[0, 0] == 1
    assert explain.grad_cam(explain.two_stages(model), images, [0]).max() == 1


def test_nothing_speaks_for_a_color_that_is_not_there():
    heat = explain.grad_cam(explain.two_stages(red_or_green()), np.zeros((1, 16, 16, 3)), [0])
    assert heat.max() == 0


def test_a_model_without_a_feature_map_is_refused():
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    maps, rest = explain.two_stages(model)  # flattened: the last map is the photo itself
    assert maps.output_shape[1:] == (4, 4, 3)
    assert rest.output_shape[1:] == (2,)
    flat = keras.Sequential([keras.Input((12,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="no feature map"):
        explain.two_stages(flat)


def test_occlusion_finds_what_the_answer_needs(corner):
    """Only the red corner is red enough: covering it takes the answer away, covering the rest does not."""
    model = red_or_green()
    images = corner[0][:1].copy()
    images[:, 8:, 8:, 1] = 200
    heat = explain.occlusion(model, images, [0], patch=4, stride=4)
    assert heat.shape == (1, 16, 16)
    assert heat[0, :8, :8].min() > heat[0, :8, 8:].max()
    assert np.unravel_index(heat[0].argmax(), (16, 16))[0] < 8


def test_scores_by_hand():
    """Photo 0: half of the heat inside, the hottest place outside. Photo 1: all inside. Photo 2: no heat."""
    heat, masks = np.zeros((3, 4, 4)), np.zeros((3, 4, 4), bool)
    masks[:, :2, :2] = True  # a quarter
    heat[0, 0, :2], heat[0, 3, 3] = 1, 2
    heat[1, 1, 1] = 1
    np.testing.assert_allclose(explain.share_inside(heat, masks), [0.5, 1, np.nan])
    np.testing.assert_allclose(explain.points_inside(heat, masks), [0, 1, np.nan])
    table = explain.score(heat, masks)
    assert table.loc[("heat inside", "map"), "value"] == pytest.approx(0.75)
    assert table.loc[("heat inside", "random"), "value"] == pytest.approx(0.25)
    assert table.loc[("heat inside", "times random"), "value"] == pytest.approx(3)
    assert table.loc[("pointing", "map"), "value"] == pytest.approx(0.5)
    assert table.loc[("pointing", "center"), "value"] == pytest.approx(0.25)  # one of the four middle places
    assert (table["n"] == 2).all()


def test_even_heat_is_worth_as_much_as_random():
    masks = np.zeros((5, 8, 8), bool)
    masks[:, :4] = True
    table = explain.score(np.ones((5, 8, 8)), masks)
    assert table.loc[("heat inside", "times random")][["value", "low", "high"]].tolist() == pytest.approx([1, 1, 1])
    assert table.loc[("pointing", "times random"), "value"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("heat", "masks", "message"),
    [
        (np.ones((1, 2, 2)), np.zeros((1, 2, 2)), "1 are empty"),
        (-np.ones((1, 2, 2)), np.ones((1, 2, 2)), "0 and up"),
        (np.ones((1, 2, 2)), np.ones((1, 3, 3)), "Expected heat and masks"),
    ],
)
def test_what_cannot_be_scored_is_refused(heat, masks, message):
    with pytest.raises(ValueError, match=message):
        explain.score(heat, masks)
