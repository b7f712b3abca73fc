"""A head on a borrowed base, and which of the base's layers may learn."""

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
    """Return a head that is solved for, not trained: logistic regression as one Dense layer (chapter 3).

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
    solved = sklearn.linear_model.LogisticRegression(C=C, max_iter=2000).fit((features - mean) / scale, labels)
    coefficients, intercepts = solved.coef_, solved.intercept_
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


def find_cuts(base):
    """Return {layer name: layers after it} where a base can be cut in two, in order (chapter 4).

    After such a layer everything passes through its one output; no shortcut leads round it. Cuts between a
    convolution and its BatchNormalization or activation are left out, and so is the input.
    """
    layers = base.get_config()["layers"]
    place = {layer["name"]: number for number, layer in enumerate(layers)}
    last_use = list(range(len(layers)))
    for number, layer in enumerate(layers):
        for name in _inputs(layer["inbound_nodes"]):
            last_use[place[name]] = max(last_use[place[name]], number)
    found, reach = {}, 0  # reach: the last layer that uses anything from before this one
    for number in range(1, len(layers) - 1):
        reach = max(reach, last_use[number - 1])
        convolution_next = hasattr(base.layers[number + 1], "kernel_size")
        if reach <= number and convolution_next:
            found[layers[number]["name"]] = len(layers) - 1 - number
    return found


def nearest_cut(base, last=50):
    """Return (layer name, layers after it) of the cut that leaves about `last` layers to learn.

    Of two cuts that are equally near, the later one. Raises ValueError if the base has no cut.
    """
    _check.integer("last", last, 1, len(base.layers))
    found = find_cuts(base)
    if not found:
        raise ValueError(f"{base.name} cannot be cut: shortcuts lead round each of its layers. Train it whole.")
    name = min(found, key=lambda name: (abs(found[name] - last), found[name]))
    return name, found[name]


def split_base(base, name):
    """Return (prefix, suffix) of a base at the cut `name`; both share the base's layers, none is copied.

    prefix : preprocessed images to the cut's output; suffix : that to the base's feature map
    """
    _check.choice("cut", name, tuple(find_cuts(base)))
    middle = base.get_layer(name).output
    return keras.Model(base.inputs[0], middle, name="prefix"), keras.Model(middle, base.outputs[0], name="suffix")


def build_suffix_classifier(base, head, name):
    """Return the model from the activations at the cut `name` to probabilities; it shares base and head."""
    _, suffix = split_base(base, name)
    maps = keras.Input(suffix.input_shape[1:], name="activations")
    x = keras.layers.GlobalAveragePooling2D()(suffix(maps, training=False))  # (batch, channels)
    return keras.Model(maps, head(x), name="suffix_classifier")


def _inputs(nodes):
    """Yield the names of the layers whose outputs a layer's configuration takes in."""
    if isinstance(nodes, dict) and nodes.get("class_name") == "__keras_tensor__":
        yield nodes["config"]["keras_history"][0]
    elif isinstance(nodes, dict):
        for value in nodes.values():
            yield from _inputs(value)
    elif isinstance(nodes, (list, tuple)):
        for value in nodes:
            yield from _inputs(value)


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
