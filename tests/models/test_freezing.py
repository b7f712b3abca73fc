import keras
import numpy as np
import pytest
import tensorflow as tf

from tutorial_utils.models import backbones, freezing, heads, training


@pytest.fixture
def base():
    """Six layers: input, convolution, normalization, ReLU, convolution, normalization."""
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.BatchNormalization()(keras.layers.Conv2D(5, 3)(x)))


def test_unfreeze_sets_every_flag_from_a_count(base):
    """The last three layers hold one convolution that may learn; normalization never may."""
    assert freezing.unfreeze(base, last=3) == 1
    assert [layer.trainable for layer in base.layers] == [False, False, False, True, True, False]
    assert freezing.unfreeze(base) == 2
    assert freezing.unfreeze(base, last=3) == 1  # going back works, too
    freezing.freeze(base)
    assert base.trainable_weights == []
    assert freezing.unfreeze(base) == 2


@pytest.mark.parametrize("last", [-1, 7, 1.5, "all"])
def test_unfreeze_refuses_counts_that_make_no_sense(base, last):
    with pytest.raises(ValueError, match="last must be a whole number from 0 to 6"):
        freezing.unfreeze(base, last=last)


def test_a_base_is_cut_where_no_shortcut_leads_round():
    """input - a - b - (b + c) - d: after c a shortcut from b is still under way, so no cut there."""
    inputs = keras.Input((8, 8, 3))
    a = keras.layers.Conv2D(4, 3, padding="same", name="a")(inputs)
    b = keras.layers.Conv2D(4, 3, padding="same", name="b")(a)
    c = keras.layers.Conv2D(4, 3, padding="same", name="c")(b)
    c = keras.layers.ReLU(name="relu")(c)
    total = keras.layers.Add(name="sum")([b, c])
    base = keras.Model(inputs, keras.layers.Conv2D(2, 3, name="d")(total))
    assert freezing.find_cuts(base) == {"a": 5, "b": 4, "sum": 1}
    assert freezing.nearest_cut(base, 2) == ("sum", 1)
    assert freezing.nearest_cut(base, 3) == ("b", 4)
    images = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3)).astype("float32")
    for name in ("a", "b", "sum"):
        prefix, suffix = freezing.split_base(base, name)
        np.testing.assert_allclose(suffix(prefix(images)), base(images), atol=1e-6)
    with pytest.raises(ValueError, match="cut must be one of 'a', 'b', 'sum'; got 'c'"):
        freezing.split_base(base, "c")


def test_a_base_that_cannot_be_cut_is_refused():
    inputs = keras.Input((8, 8, 3))
    a = keras.layers.Conv2D(3, 3, padding="same")(inputs)
    base = keras.Model(inputs, keras.layers.Add()([inputs, a]), name="loop")
    with pytest.raises(ValueError, match="loop cannot be cut"):
        freezing.nearest_cut(base, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("efficientnet_lite0", ("block10_add", 46)),
        ("mobilenet_v2", ("block_11_add", 47)),
        ("resnet50", ("conv4_block4_out", 52)),
    ],
)
def test_about_fifty_layers_end_at_a_block(name, expected):
    assert freezing.nearest_cut(backbones.build(name), 50) == expected


QUICK = ("mobilenet_v2", "resnet50", "efficientnet_b0", "efficientnet_lite0", "vgg16")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in backbones.NAMES]
)
def test_fine_tuning_moves_no_statistics_in_any_backbone(name):
    """Random weights, two photos, every layer unfrozen, one epoch: other weights move, the statistics do not."""
    base = backbones.build(name)
    backbone = backbones.Backbone(name, name, base, backbones.preprocessing(name), "none", "", "", "")
    model = heads.build_classifier(backbone, heads.dense_head(base.output_shape[-1], 2, units=4), 32)
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    photos = tf.data.Dataset.from_tensors((images, np.array([0, 1])))
    before, weights, after = freezing.batch_norm_statistics(base), model.get_weights(), []

    def note(epoch, logs):  # before the better epoch's weights are put back
        after.append((freezing.batch_norm_statistics(base), model.get_weights()))

    tf.config.run_functions_eagerly(True)  # one step: tracing it would take longer than the step
    try:
        options = dict(epochs=1, learning_rate=1e-2, decay=False)
        options["callbacks"] = [keras.callbacks.LambdaCallback(on_epoch_end=note)]
        training.fine_tune(model, base, photos, photos, **options)
    finally:
        tf.config.run_functions_eagerly(False)
    ((statistics, learned),) = after
    layers = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(before) == len(statistics) == 2 * len(layers)
    assert (len(layers) > 0) == (not name.startswith("vgg"))
    for old, new in zip(before, statistics, strict=True):
        np.testing.assert_array_equal(old, new)
    assert sum(not np.array_equal(old, new) for old, new in zip(weights, learned, strict=True)) > len(base.layers) / 9


def test_a_head_on_all_layers_is_refused_behind_a_cut():
    base = backbones.build("efficientnet_lite0")
    name, _ = freezing.nearest_cut(base)
    with pytest.raises(ValueError, match="Expected a head on the last layer, of 1280 numbers; got one of 6176"):
        freezing.build_suffix_classifier(base, heads.dense_head(6176, 2), name)
