"""Which layers of a base may learn, and where a base can be cut so that the frozen layers run once per photo."""

import keras

from .. import _check


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
    """Return the model from the activations at the cut `name` to probabilities; it shares base and head.

    Raises ValueError for a head on all layers: those before the cut are not among the activations.
    """
    _, suffix = split_base(base, name)
    if head.input_shape[-1] != suffix.output_shape[-1]:
        raise ValueError(
            f"Expected a head on the last layer, of {suffix.output_shape[-1]} numbers; got one of "
            f"{head.input_shape[-1]}. A head on all layers is tuned with training.fine_tune."
        )
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
