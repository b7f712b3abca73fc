"""A head on a borrowed base, and which of the base's layers may learn."""

import keras
import numpy as np
import sklearn.linear_model
import sklearn.preprocessing

from .. import _check


def dense_head(channels, classes, units=128, dropout=0.2, seed=0):
    """Return the usual head: Dense(units) with ReLU, dropout, softmax over the classes (chapter 3).

    Takes features (batch, channels); returns probabilities (batch, classes). Its weights are drawn by `seed`.
    """
    start = [keras.initializers.GlorotUniform(seed=_check.seed(seed) + step) for step in (0, 1)]
    return keras.Sequential(
        [
            keras.Input((channels,)),
            keras.layers.Dense(units, activation="relu", kernel_initializer=start[0]),
            keras.layers.Dropout(dropout, seed=seed),
            keras.layers.Dense(classes, activation="softmax", kernel_initializer=start[1]),
        ],
        name="head",
    )


def closed_head(features, labels, classes, C=0.01):
    """Return a head that is solved for, not trained: logistic regression as one Dense layer (chapter 3).

    features : float (photos, channels); labels : int (photos,), 0 ... classes - 1, every class present
    C : inverse strength of the L2 penalty on standardized features; smaller holds the weights closer to 0
    Standardization is folded into the layer, so the head takes plain features and returns probabilities.
    """
    labels = np.asarray(labels)
    if sorted(set(labels.tolist())) != list(range(classes)):
        raise ValueError(f"labels must hold every class from 0 to {classes - 1}; got {sorted(set(labels.tolist()))}.")
    scaler = sklearn.preprocessing.StandardScaler().fit(features)
    solved = sklearn.linear_model.LogisticRegression(C=C, max_iter=2000).fit(scaler.transform(features), labels)
    coefficients, intercepts = solved.coef_, solved.intercept_
    if classes == 2:  # scikit-learn gives one row for two classes: half of it each way is the same softmax
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    kernel = (coefficients / scaler.scale_).T  # (channels, classes)
    head = keras.Sequential(
        [keras.Input((len(scaler.mean_),)), keras.layers.Dense(classes, activation="softmax")], name="head"
    )
    head.layers[-1].set_weights([kernel, intercepts - scaler.mean_ @ kernel])
    return head


def join(backbone, head, image_size):
    """Return one model from pixels 0-255 (batch, image_size, image_size, 3) to probabilities (batch, classes).

    backbone : from backbones.get; head : a model from features to probabilities. Both are shared, not copied.
    """
    images = keras.Input((_check.image_size(image_size), image_size, 3), name="pixels")
    x = backbone.base(backbone.preprocess(images), training=False)  # (batch, h, w, channels)
    x = keras.layers.GlobalAveragePooling2D()(x)  # (batch, channels)
    return keras.Model(images, head(x), name=f"{backbone.name}_classifier")


def freeze(base):
    """Make every layer of the base keep its weights."""
    unfreeze(base, last=0)


def unfreeze(base, last=None):
    """Let the last `last` layers of the base learn (None: all) and no other; return how many hold weights.

    BatchNormalization layers never learn: their statistics fit the photos that the network was trained on
    (chapter 4). Sets every layer's flag, whatever it was before. Compile the model again afterwards.
    """
    count = len(base.layers)
    last = count if last is None else _check.integer("last", last, 0, count)
    base.trainable = last > 0
    for place, layer in enumerate(base.layers):
        learns = place >= count - last and not isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = learns
    return sum(bool(layer.trainable_weights) for layer in base.layers)


def batch_norm_statistics(base):
    """Return copies of the moving mean and variance of every BatchNormalization layer: a list of arrays."""
    layers = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    return [
        keras.ops.convert_to_numpy(weight).copy()
        for layer in layers
        for weight in (layer.moving_mean, layer.moving_variance)
    ]
