"""How Keras's objects are set, as plain values by name: without the names that Keras numbers anew ("dense_3")."""

import collections
import hashlib
import json
import math
import warnings

import keras

from . import functions

_MANY = 20  # layers; of a model inside the model that has more, only that its layers changed is told
_LEFT_OUT = {  # of a layer's configuration
    *("module", "registered_name", "shared_object_id", "build_config", "build_input_shape", "compile_config"),
    "trainable",  # settings.about tells which weights learn
    "seed",  # what is drawn depends on the seed of the batches (checkpoints.SameDraws)
}
_OF_A_MODEL = ("name", "layers", "input_layers", "output_layers")


def of(thing):
    """Return how an object of Keras is set, as a flat dict: what it tells, else its public plain attributes."""
    return _plain(_canonical(functions.told(thing) or _attributes(thing)))


def loss_weights(model):
    """Return the weights of a compiled model's losses; None if there are none, or some metric cannot tell its own."""
    return (_told_by(model.get_compile_config) or {}).get("loss_weights")


def of_layers(model):
    """Return the settings of a model's layers, their order and connections as a flat dict, by place and class.

    Of a model inside this one that has many layers, as a borrowed base has, all settings are one digest.
    """
    config = _told_by(model.get_config, model)
    if not _is_model(config):  # a subclassed model; or some layer cannot tell, and the connections are not known
        layers = [
            (layer, _told_by(lambda layer=layer: keras.saving.serialize_keras_object(layer))) for layer in model.layers
        ]
        kept = [told or {"class_name": type(layer).__name__, "config": _attributes(layer)} for layer, told in layers]
        config = {**config, "layers": kept}
    return _of_layers(config)


def digest(config):
    """Return the sha256 (hex) of lists and dicts of plain values."""
    return hashlib.sha256(_json(config).encode()).hexdigest()


def plain(name, value):
    """Return a plain value, or a list of them, as a dict of one short value."""
    return _plain({name: value})


def _told_by(ask, thing=None):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a lambda cannot be loaded: nothing is saved here
            return ask()
    except functions.CANNOT_TELL:
        return None if thing is None else _attributes(thing)


def _attributes(thing):
    found = {name: value for name, value in vars(thing).items() if name[0] != "_" and name != "name"}
    return {name: value for name, value in found.items() if isinstance(value, functions.PLAIN)}


def _of_layers(config, before=""):
    """before : what the names begin with."""
    kinds = [layer["class_name"] for layer in config["layers"]]
    found = {f"{before}layers": _short(", ".join(kinds)), f"{before}connections": digest(_connections(config))}
    own = _plain(_canonical(_without(config, *_OF_A_MODEL)))
    found |= {f"{before}model's {name}": value for name, value in own.items()}
    count = collections.Counter()
    for kind, layer in zip(kinds, config["layers"], strict=True):
        sort = "input" if kind == "InputLayer" else "layer"
        count[sort] += 1
        name, inner = f"{before}{sort} {count[sort]} ({kind})", layer["config"]
        if not _is_model(inner):
            settings = _plain(_canonical(_without(inner, "name")))
            found |= {f"{name} {setting}": value for setting, value in settings.items()}
        elif len(inner["layers"]) <= _MANY:
            found |= _of_layers(inner, f"{name} ")
        else:
            count["base"] += 1
            number = f" ({count['base']})" if count["base"] > 1 else ""
            found[f"{before}the base's layers{number}"] = digest(_canonical(inner))
    return found


def _is_model(config):
    layers = config.get("layers")
    return isinstance(layers, list) and all(isinstance(layer, dict) and "class_name" in layer for layer in layers)


def _connections(config):
    """Return what goes into each layer of a model, and what goes in and comes out, with places for names."""
    names = [layer.get("name", layer["config"].get("name")) for layer in config["layers"]]
    places = {name: place for place, name in enumerate(names)}
    ends = [_numbered(config.get(name), places) for name in ("input_layers", "output_layers")]
    return [[_canonical(layer.get("inbound_nodes"), places) for layer in config["layers"]], *ends]


def _canonical(value, places=None):
    """Return a configuration without the names that Keras numbers: a layer is called by its place in its model.

    places : dict, the place of each layer by its name
    """
    if isinstance(value, (list, tuple)):
        return [_canonical(each, places) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__keras_tensor__":
        return _numbered(value["config"]["keras_history"], places)
    if value.get("class_name") == "__lambda__":
        return "a function"  # whose code is told of by itself
    if _is_model(value):
        rest = _canonical(_without(value, *_OF_A_MODEL))
        layers = [[layer["class_name"], _canonical(_without(layer["config"], "name"))] for layer in value["layers"]]
        return {**rest, "layers": layers, "connections": _connections(value)}
    left_out = {*_LEFT_OUT, "name"} if "trainable" in value else _LEFT_OUT  # of a layer inside a layer
    kept = {name: each for name, each in value.items() if name not in left_out}
    drawn = {name for name in kept if name.endswith("_initializer")}  # what it drew is in the weights at the start
    return {name: _canonical(each, places) for name, each in kept.items() if name not in drawn}


def _numbered(value, places):
    if isinstance(value, (list, tuple)):
        return [_numbered(each, places) for each in value]
    if isinstance(value, dict):
        return {name: _numbered(each, places) for name, each in value.items()}
    return places.get(value, value) if isinstance(value, str) else value


def _without(config, *names):
    return {name: value for name, value in config.items() if name not in names}


def _plain(config):
    """Return a configuration as a flat dict of plain values."""
    flat = {}
    for name, value in config.items():
        if isinstance(value, dict) and "class_name" in value:
            flat[name], value = value["class_name"], value.get("config")
        if isinstance(value, dict):
            flat |= _plain({f"{name} {inner}": each for inner, each in value.items()})
        elif isinstance(value, float):
            flat[name] = float(f"{value:.6g}") if math.isfinite(value) else str(value)
        else:
            flat[name] = value if isinstance(value, (int, type(None))) else _short(value)
    return flat


def _short(value, limit=60):
    text = value if isinstance(value, str) else _json(value)
    return text if len(text) <= limit else hashlib.sha256(text.encode()).hexdigest()


def _json(value):
    return json.dumps(value, default=lambda each: type(each).__name__)  # an object's text may hold its address
