"""Models that Keras 2 saved, in Keras 3: the configuration is translated, then the weights are put in.

No code from the file is run: what the configuration names is looked up in `keras.layers`, and Lambda is refused.
"""

import collections
import contextlib
import io
import json
import re
import zipfile

import h5py
import keras
import numpy as np

_GONE = {"groups": 1, "sparse": False, "ragged": False, "optional": False}  # left out if they say nothing
_TRAINING = ("_initializer", "_regularizer", "_constraint")  # endings of options that only a training needs
_PROGRAMS = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}  # they bring program code
_MODELS = {"Functional", "Model", "Sequential"}
_OPERATIONS = {  # Keras 2 made a layer of each operator between a tensor and a number (or a number for each channel)
    "math.truediv": lambda y: {"scale": (1 / np.asarray(y)).tolist(), "offset": 0.0},
    "math.multiply": lambda y: {"scale": y, "offset": 0.0},
    "math.subtract": lambda y: {"scale": 1.0, "offset": (-np.asarray(y)).tolist()},
    "math.add": lambda y: {"scale": 1.0, "offset": y},
    "__operators__.add": lambda y: {"scale": 1.0, "offset": y},
    "nn.bias_add": lambda y: {"scale": 1.0, "offset": y},
}
_REVERSED = [{"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}]  # images[..., ::-1]


def version(path):
    """Return the version of Keras that saved a model file (.keras, .h5), as text; "" if the file does not say."""
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            return _text(file.attrs.get("keras_version", ""))
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read("metadata.json")).get("keras_version", "")


def load_model(path):
    """Return the model in a file of Keras 2, .keras or .h5, as a model of Keras 3 with the same weights.

    Raises ValueError for a part that Keras 3 lacks or computes differently, or weights that do not fit the layers.
    """
    with _opened(path) as (config, weights):
        if config is None:
            raise ValueError("No model config found in the file.")
        model = keras.saving.deserialize_keras_object(_model(config), safe_mode=True)
        if not model.built:
            return model
        if "model_weights" in weights:
            _fill_from_h5(model, config, weights["model_weights"])
        else:
            _fill_from_keras(model, config, weights)
        return model


def reverse_channels(offset=(0.0, 0.0, 0.0), **options):
    """Return a layer from RGB (batch, h, w, 3) to BGR plus an offset, a built-in one: it saves and loads anywhere."""
    kernel, bias = (keras.initializers.Constant(values) for values in (np.eye(3)[::-1].tolist(), list(offset)))
    return keras.layers.Dense(3, kernel_initializer=kernel, bias_initializer=bias, trainable=False, **options)


@contextlib.contextmanager
def _opened(path):
    """Yield (configuration or None, HDF5 file with the weights)."""
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            config = file.attrs.get("model_config")
            yield config and json.loads(config), file
    else:
        with zipfile.ZipFile(path) as file, h5py.File(io.BytesIO(file.read("model.weights.h5"))) as weights:
            yield json.loads(file.read("config.json")), weights


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def _model(data):
    """Return the configuration of a model, and of the models in it, as Keras 3 writes it."""
    config = _listed(data)
    layers = [_layer(layer) for layer in config["layers"]]
    if data["class_name"] == "Sequential":
        shape = _input_shape(data)
        if shape and layers[0]["class_name"] != "InputLayer":
            layers.insert(0, _built_in("InputLayer", {"batch_shape": shape, "name": f"{config['name']}_input"}))
        inner = {"name": _name(config["name"]), "layers": layers}
        return {"module": "keras", "class_name": "Sequential", "config": inner, "registered_name": None}
    inner = {"name": _name(config["name"]), "layers": layers}
    first = _first_calls(config)
    for layer, was in zip(layers, config["layers"], strict=True):
        layer["inbound_nodes"] = [_call(node, first) for node in was["inbound_nodes"]]
    for side in ("input_layers", "output_layers"):
        references = [_reference(reference, first) for reference in config[side]]
        inner[side] = references[0] if len(references) == 1 else references
    return {"module": "keras", "class_name": "Model", "config": inner, "registered_name": None}


def _listed(data):
    """Return the inner configuration of a model; the oldest files have a mere list of layers there."""
    config = data["config"]
    return {"name": "sequential", "layers": config} if isinstance(config, list) else config


def _input_shape(data):
    """Return the input shape of a layer or of the model that it is, or None if the file does not say."""
    if data["class_name"] not in _MODELS:
        return data["config"].get("batch_input_shape")
    config = _listed(data)
    return _input_shape(config["layers"][0]) or config.get("build_input_shape")


def _layer(data):
    kind, config = data["class_name"], data["config"]
    if kind in _MODELS:
        return {**_model(data), "name": _name(data.get("name") or config["name"])}
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        return _operation(data)
    if kind in _PROGRAMS:
        raise ValueError(f"deserialization of a `{kind}` layer is unsafe")  # Keras's words in a file of Keras 3
    if not hasattr(keras.layers, kind):
        raise ValueError(f"Unknown layer: {kind}")
    kept = {key: value for key, value in config.items() if not (key.endswith(_TRAINING) or _GONE.get(key) == value)}
    for key in ("trainable", "rng_type", "activity_regularizer"):
        kept.pop(key, None)
    shape = kept.pop("batch_input_shape", None)
    if kind == "InputLayer":
        kept["batch_shape"] = shape
    if isinstance(kept.get("dtype"), dict):
        kept["dtype"] = kept["dtype"]["config"]["name"]
    if kind == "BatchNormalization" and isinstance(kept.get("axis"), list):
        (kept["axis"],) = kept["axis"]
    if "hard_sigmoid" in str(kept.get("activation")):
        raise ValueError("hard_sigmoid, which Keras 3 computes differently")
    return _built_in(kind, kept)


def _built_in(kind, config):
    name = _name(config["name"])
    made = {"module": "keras.layers", "class_name": kind, "config": {**config, "name": name}, "registered_name": None}
    return {**made, "name": name}


def _operation(data):
    """Return the layer for an operator between a tensor and a constant: Rescaling, or Dense that reverses RGB."""
    function, name = data["config"]["function"], data["config"]["name"]
    (node,) = data["inbound_nodes"] if len(data["inbound_nodes"]) == 1 else (None,)
    options = {key: value for key, value in (node[3] if node else {}).items() if key not in ("name", "data_format")}
    if function == "__operators__.getitem" and options == {"slice_spec": _REVERSED}:
        return _built_in("Dense", reverse_channels(name=name).get_config())
    values = list(options.values())
    if function in _OPERATIONS and len(values) == 1 and np.asarray(values[0]).dtype.kind in "if":
        return _built_in("Rescaling", {"name": name, **_OPERATIONS[function](values[0])})
    raise ValueError(f"the operation tf.{function}, which is no layer")


def _first_calls(config):
    """Return {layer: number of its first call}: Keras 2 counted the making of a model inside a model as a call."""
    found = {}
    for reference in _references(config):
        found[reference[0]] = max(found.get(reference[0], 0), reference[1])
    calls = {layer.get("name"): len(layer["inbound_nodes"]) for layer in config["layers"]}
    return {name: int(last > 0 and last >= calls[name]) for name, last in found.items()}


def _references(config):
    for layer in config["layers"]:
        for node in layer["inbound_nodes"]:
            yield from [node] if isinstance(node[0], str) else node
    yield from config["output_layers"]


def _call(node, first):
    """Return a call of a layer; that of an operator is one reference, its options are in the layer now."""
    if isinstance(node[0], str):
        return [[*_reference(node, first), {}]]
    return [[*_reference(reference, first), *reference[3:]] for reference in node]


def _reference(reference, first):
    name, call, tensor = reference[:3]
    return [_name(name), call - first.get(name, 0), tensor]


def _name(name):
    return name.replace("/", "_")  # Keras 3 takes no "/" in a name


def _inner_layers(model, data):
    """Yield (layer, its configuration in the file), in the file's order, without those that hold nothing."""
    for inner in _listed(data)["layers"]:
        if inner["class_name"] not in ("InputLayer", "TFOpLambda", "SlicingOpLambda"):
            yield model.get_layer(_name(inner.get("name") or inner["config"]["name"])), inner


def _leaves(layer, data):
    if data["class_name"] not in _MODELS:
        return [(layer, data["config"].get("trainable", True))]
    return [leaf for inner in _inner_layers(layer, data) for leaf in _leaves(*inner)]


def _fill_from_h5(model, config, groups):
    """Put in the weights of an .h5 file: for each outer layer a list, what was trained first, then the rest."""
    for layer, data in _inner_layers(model, config):
        group = groups[data["config"]["name"]]
        names = [name for name in _names(group) if "StateVar" not in name]  # the state of a random number generator
        trained, fixed = [], []
        for leaf, trainable in _leaves(layer, data):
            (trained if trainable else fixed).extend(leaf.trainable_weights)
            fixed.extend(leaf.non_trainable_weights)
        _assign(trained + fixed, [group[name] for name in names], layer.name)
        for variable, name in zip(trained + fixed, names, strict=True):
            if not re.sub(r"(_\d+)?(:\d+)?$", "", name).endswith(variable.name):
                raise ValueError(f"weights of {layer.name} in another order: {name} for {variable.path}")


def _names(group):
    """Return the names of a layer's weights in an .h5 file, where a long list is kept in numbered parts."""
    attributes = sorted((name for name in group.attrs if re.fullmatch(r"weight_names\d*", name)), key=_number)
    return [_text(name) for attribute in attributes for name in group.attrs[attribute]]


def _number(text):
    return int(re.sub(r"\D", "", text) or 0)


def _fill_from_keras(model, config, group):
    """Put in the weights of a .keras file: a group for each layer, named by its class and counted."""
    used = collections.Counter()
    for inner in _listed(config)["layers"]:
        kind = _snake_case("Functional" if inner["class_name"] == "Model" else inner["class_name"])
        place = f"layers/{kind}_{used[kind]}" if used[kind] else f"layers/{kind}"
        used[kind] += 1
        found = list(_inner_layers(model, {"config": {"layers": [inner]}}))
        if not found:
            continue
        layer = found[0][0]
        if inner["class_name"] in _MODELS:
            _fill_from_keras(layer, inner, group[place])
        else:
            stored = group.get(f"{place}/vars", ())
            arrays = [stored[str(number)] for number in range(len(stored))]
            _assign(layer.trainable_weights + layer.non_trainable_weights, arrays, layer.name)


def _snake_case(name):
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _assign(variables, arrays, name):
    shapes = [[tuple(each.shape) for each in some] for some in (variables, arrays)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"weights that do not fit {name}: {shapes[1]} in the file, {shapes[0]} in Keras 3")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(np.asarray(array))
