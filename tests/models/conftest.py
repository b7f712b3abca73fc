"""A base as small as one with blocks can be."""

import keras
import numpy as np
import pytest

from tutorial_utils.models import backbones


def _toy_base():
    """Return a stem; a projection of 4 channels without a shortcut; a block with one; a last convolution of 6."""
    layers, pixels = keras.layers, keras.Input((None, None, 3), name="photo")

    def convolution(x, channels, name, side=3, strides=1):
        x = layers.Conv2D(channels, side, strides, padding="same", name=f"{name}_conv")(x)
        return layers.BatchNormalization(name=f"{name}_bn")(x)

    x = layers.ReLU(name="stem_relu")(convolution(pixels, 5, "stem", strides=2))
    x = layers.Dropout(0.5, name="drop")(convolution(x, 4, "project", side=1))
    y = layers.ReLU(name="expand_relu")(convolution(x, 7, "expand", side=1))
    y = layers.Dropout(0.5, name="drop_back")(convolution(y, 4, "back", side=1))
    x = layers.Add(name="added")([x, y])
    x = convolution(layers.ZeroPadding2D(1, name="pad")(x), 6, "last", strides=2)
    return keras.Model(pixels, layers.ReLU(name="last_relu")(x), name="toy_base")


@pytest.fixture
def toy():
    """A Backbone of three blocks, 4, 4 and 6 channels: 28 numbers. Its weights and statistics are random."""
    keras.utils.set_random_seed(0)
    base, rng = _toy_base(), np.random.default_rng(0)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
    return backbones.Backbone("toy", "toy", base, lambda images: images / 255.0, "none", "", "", "")
