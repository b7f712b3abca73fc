"""Heads: the layers on top of a backbone that turn its features into probabilities."""

import keras
import numpy as np
import sklearn.linear_model

from .. import _check


def dense_head(channels, classes, units=128, dropout=0.2, seed=0):
    """Return the usual head: Dense(units) with ReLU, dropout, softmax over the classes (chapter 3).

    units : of the hidden layer, or a sequence: of several hidden layers, each followed by dropout
    Takes features (batch, channels); returns probabilities (batch, classes). Its weights are drawn by `seed`.
    """
    widths = [units] if isinstance(units, int) else list(units)
    start = [keras.initializers.GlorotUniform(seed=_check.seed(seed) + step) for step in range(len(widths) + 1)]
    layers = [keras.Input((channels,))]
    for step, width in enumerate(widths):
        layers.append(keras.layers.Dense(width, activation="relu", kernel_initializer=start[step]))
        layers.append(keras.layers.Dropout(dropout, seed=seed + step))
    layers.append(keras.layers.Dense(classes, activation="softmax", kernel_initializer=start[-1]))
    return keras.Sequential(layers, name="head")


def logistic_head(features, labels, classes, C=0.03):
    """Return logistic regression, fitted by scikit-learn, as a head of one Dense layer (chapter 3).

    features : float (photos, channels); labels : int (photos,), 0 ... classes - 1, every class present
    C : inverse strength of the L2 penalty on standardized features; smaller holds the weights closer to 0
    Standardization is folded into the layer, so the head takes plain features and returns probabilities. A feature
    that hardly varies is divided by the median deviation of all features, not by its own: divided by almost nothing
    it would get a huge weight, and fine-tuning, which moves the features, would throw the probabilities about.
    """
    labels = np.asarray(labels)
    if sorted(set(labels.tolist())) != list(range(classes)):
        raise ValueError(f"labels must hold every class from 0 to {classes - 1}; got {sorted(set(labels.tolist()))}.")
    features = np.asarray(features, np.float64)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    varies = deviation[deviation > 1e-6 * deviation.max()]
    scale = np.maximum(deviation, np.median(varies) if len(varies) else 1)
    fitted = sklearn.linear_model.LogisticRegression(C=C, max_iter=2000).fit((features - mean) / scale, labels)
    coefficients, intercepts = fitted.coef_, fitted.intercept_
    if classes == 2:  # scikit-learn gives one row for two classes: half of it each way is the same softmax
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    kernel = (coefficients / scale).T  # (channels, classes)
    head = keras.Sequential([keras.Input((len(mean),)), keras.layers.Dense(classes, activation="softmax")], name="head")
    head.layers[-1].set_weights([kernel, intercepts - mean @ kernel])
    return head


def build_classifier(backbone, head, image_size):
    """Return one model from pixels 0-255 (batch, image_size, image_size, 3) to probabilities (batch, classes).

    backbone : from backbones.get; head : a model from features to probabilities. Both are shared, not copied.
    """
    images = keras.Input((_check.image_size(image_size), image_size, 3), name="pixels")
    x = backbone.base(backbone.preprocess(images), training=False)  # (batch, h, w, channels)
    x = keras.layers.GlobalAveragePooling2D()(x)  # (batch, channels)
    return keras.Model(images, head(x), name=f"{backbone.name}_classifier")


def add_temperature(model, temperature):
    """Return a model whose probabilities are those of `model` at another temperature; it shares all layers (chapter 6).

    model : pixels to probabilities (batch, classes); temperature : above 0, from calibration.fit_temperature
    The order of the classes stays, so no prediction changes. It saves, loads and exports like any other model.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0; got {temperature!r}.")
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    logits = keras.ops.log(keras.ops.clip(model(pixels, training=False), 1e-12, 1.0)) / float(temperature)
    return keras.Model(pixels, keras.ops.softmax(logits, axis=-1), name=f"{model.name}_calibrated")
