"""Heads: the layers on top of a backbone that turn its features into probabilities."""

import keras
import numpy as np
import sklearn.base
import sklearn.linear_model
import sklearn.model_selection
import sklearn.pipeline

from .. import _check
from ..data import pipeline, splits


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
    Standardization is folded into the layer, so the head takes plain features and returns probabilities.
    """
    labels = np.asarray(labels)
    if sorted(set(labels.tolist())) != list(range(classes)):
        raise ValueError(f"labels must hold every class from 0 to {classes - 1}; got {sorted(set(labels.tolist()))}.")
    standardization, fitted = logistic_regression(C).fit(features, labels)
    mean, scale = standardization.mean_, standardization.scale_
    coefficients, intercepts = fitted.coef_, fitted.intercept_
    if classes == 2:  # scikit-learn gives one row for two classes: half of it each way is the same softmax
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    kernel = (coefficients / scale).T  # (channels, classes)
    head = keras.Sequential([keras.Input((len(mean),)), keras.layers.Dense(classes, activation="softmax")], name="head")
    head.layers[-1].set_weights([kernel, intercepts - mean @ kernel])
    return head


def logistic_regression(C=0.03):
    """Return the scikit-learn model of `logistic_head`, not yet fitted: standardization, then logistic regression."""
    regression = sklearn.linear_model.LogisticRegression(C=C, max_iter=2000)
    return sklearn.pipeline.make_pipeline(_Standardization(), regression)


class _Standardization(sklearn.base.TransformerMixin, sklearn.base.BaseEstimator):
    """Subtract each feature's mean, divide by its standard deviation, or by the median one if that is larger.

    Divided by almost nothing, a feature that hardly varies would get a huge weight, and fine-tuning, which moves the
    features, would throw the probabilities about.
    """

    def fit(self, features, labels=None):
        features = np.asarray(features, np.float64)
        self.mean_, deviation = features.mean(axis=0), features.std(axis=0)
        varies = deviation[deviation > 1e-6 * deviation.max()]
        self.scale_ = np.maximum(deviation, np.median(varies) if len(varies) else 1)
        return self

    def transform(self, features):
        return (np.asarray(features, np.float64) - self.mean_) / self.scale_


def cross_val_probabilities(photos, features, seed=0, folds=5):
    """Return float (photos, classes): what a logistic head says of each photo that saw neither it nor its group.

    photos : photos table; features : float (photos, channels), row by row; folds : fewer where groups are few
    Raises ValueError if all photos of a class belong to one group.
    """
    return sklearn.model_selection.cross_val_predict(
        logistic_regression(),
        features,
        pipeline.labels(photos),
        groups=photos["group"],
        cv=splits.group_k_fold(photos, folds, seed),
        method="predict_proba",
    )


def build_classifier(backbone, head, image_size):
    """Return one model from pixels 0-255 (batch, image_size, image_size, 3) to probabilities (batch, classes).

    backbone : from backbones.get; head : a model from features to probabilities. Both are shared, not copied.
    """
    images = keras.Input((_check.image_size(image_size), image_size, 3), name="pixels")
    x = backbone.base(backbone.preprocess(images), training=False)  # (batch, h, w, channels)
    x = keras.layers.GlobalAveragePooling2D()(x)  # (batch, channels)
    return keras.Model(images, head(x), name=f"{backbone.name}_classifier")


def add_temperature(model, temperature):
    """Return a model whose probabilities are those of `model` at another temperature (chapters 6 and 8).

    model : pixels to probabilities (batch, classes), unchanged; temperature : above 0, from calibration.fit_temperature
    The order of the classes stays, so no prediction changes. It saves, loads and exports like any other model.
    Where `model` ends in a Dense layer with a softmax, the weights of a copy are divided: no layer more, which an
    export in whole numbers would round. Elsewhere the probabilities go through their logarithm and another softmax.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0; got {temperature!r}.")
    last = _last_layer(model)
    if isinstance(last, keras.layers.Dense) and last.activation is keras.activations.softmax:
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        last = _last_layer(copy)
        last.set_weights([weights / temperature for weights in last.get_weights()])
        return copy
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    logits = keras.ops.log(keras.ops.clip(model(pixels, training=False), 1e-12, 1.0)) / float(temperature)
    return keras.Model(pixels, keras.ops.softmax(logits, axis=-1), name=f"{model.name}_calibrated")


def _last_layer(layer):
    """Return the layer or operation that gives a model's output, inside of a nested model too."""
    while getattr(layer, "outputs", None):
        layer = layer.outputs[0]._keras_history.operation
    return layer
