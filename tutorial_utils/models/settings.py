"""What a training depends on, as plain values by name: whatever changes is noticed, and told of in plain words.

The names that Keras numbers anew ("dense_3"), places in memory and Python's own hashes stay out of it, so the same
training is recognized when its model is built again, in this process or in another.
"""

import collections
import hashlib
import inspect

import keras
import numpy as np
import tensorflow as tf

from . import configs, functions

_WATCHERS = (keras.callbacks.CSVLogger, keras.callbacks.ModelCheckpoint, keras.callbacks.TensorBoard)
_TOLD = 4  # differences in one sentence


def about(model, train, validation, callbacks=(), **values):
    """Return a dict of plain values: all that fitting a compiled model depends on.

    train, validation : datasets with `passes`; values : the other arguments that matter
    What a model reports of itself (metrics) and callbacks that only watch change no training and are left out.
    """
    found = {**values, **_callbacks(callbacks), **_layers(model), "weights at the start": _digest(model.get_weights())}
    found |= _told("loss", keras.losses.get(model.loss) if isinstance(model.loss, str) else model.loss)
    found |= _told("loss weights", configs.loss_weights(model))
    found |= _told("optimizer", model.optimizer)
    for part, dataset in {"training": train, "validation": validation}.items():
        if hasattr(dataset, "passes"):
            found |= {f"{part} {name}": value for name, value in dataset.passes.about().items()}
    return found | {"Keras": keras.__version__, "TensorFlow": tf.__version__}


def difference(before, now):
    """Return in words in what two dicts of plain values differ: with both values where they are short."""
    told, both = [], {**before, **now}
    for name in both:
        is_in = [name in each for each in (before, now)]
        if not all(is_in) and any(name.startswith((f"{other}'s ", f"the code of {other}")) for other in both):
            continue  # where a callback is new, so are its settings
        if not all(is_in):
            told.append(f"{name} is {'new' if is_in[1] else 'left out'}")
        elif before[name] != now[name]:
            values = f"is {now[name]!r}, was {before[name]!r}"
            told.append(f"{name} {values if len(values) < 90 else 'changed'}")
    rest = len(told) - _TOLD
    return "; ".join(told[:_TOLD] + [f"and {rest} more"] * (rest > 0))


def only_watches(callback):
    """Return whether a callback leaves the training alone: those of Keras that do, any with `only_watches` set."""
    return isinstance(callback, _WATCHERS) or getattr(callback, "only_watches", False)


def arguments(callback):
    """Return the names of what a callback is made with."""
    return list(inspect.signature(type(callback).__init__).parameters)[1:]  # the first is self


def _callbacks(callbacks):
    """Return what callbacks were made with, as a flat dict: those of one class are told apart by their order."""
    found, count = {}, collections.Counter()
    for place, callback in enumerate((each for each in callbacks if not only_watches(each)), 1):
        kind = type(callback).__name__
        count[kind] += 1
        name = kind if count[kind] == 1 else f"{kind} {count[kind]}"
        found[name] = f"callback {place}"
        records = functions.changes(type(callback))
        for argument in (each for each in arguments(callback) if each not in records):
            value = vars(callback).get(argument)
            value = abs(value) if argument == "min_delta" else value  # EarlyStopping turns its sign
            if argument != "verbose" and not _is_path(value):
                found |= _told(f"{name}'s {argument}", value)
        if functions.is_own(type(callback)):
            found[f"the code of {name}"] = functions.digest(type(callback))
    return found


def _is_path(value):
    """Return whether a value says where a file is: where a callback writes changes no training."""
    return hasattr(value, "__fspath__") or (isinstance(value, str) and ("/" in value or "\\" in value))


def _layers(model):
    """Return the settings of a model's layers, their order and connections, and which of them learn, as a flat dict."""
    place = {id(weight): number for number, weight in enumerate(model.weights)}
    learn = [place.get(id(weight)) for weight in model.trainable_variables]
    layers = list(model._flatten_layers())
    flags = [layer.trainable for layer in layers if layer.weights]  # BatchNormalization asks for its own
    code = {}
    for layer in layers:
        for name, part in _brought(layer):
            code.setdefault(f"the code of {name}", []).append(functions.digest(part))
    code = {name: configs.digest(digests) for name, digests in code.items()}
    return {"layers that learn": configs.digest([learn, flags]), **configs.of_layers(model), **code}


def _brought(thing):
    """Yield (name, class, function or object) of what an object of Keras brings along that is not Keras's own."""
    kind = type(thing)
    if functions.is_own(kind):
        yield kind.__name__, kind
    for name, value in sorted(vars(thing).items()):
        is_setting = callable(value) and not isinstance(value, (keras.Layer, type)) and not hasattr(kind, name)
        if is_setting and functions.is_own(value):
            yield f"{kind.__name__}'s {name}", value


def _told(name, value):
    """Return what a value is, as a flat dict by name: a plain one, a function, an object of Keras, or several."""
    several = isinstance(value, (list, tuple))
    if all(isinstance(each, functions.PLAIN) for each in (value if several else [value])):
        return configs.plain(name, value)
    if several or isinstance(value, dict):
        parts = value if isinstance(value, dict) else dict(enumerate(value, 1))
        return {key: each for part in parts for key, each in _told(f"{name} {part}", parts[part]).items()}
    if isinstance(value, keras.Layer) or not (callable(value) or hasattr(value, "get_config")):
        return {name: functions.digest(value)}
    if not hasattr(value, "get_config"):
        found = {name: getattr(value, "__name__", type(value).__name__)}
        return found | ({f"the code of {name}": functions.digest(value)} if functions.is_own(value) else {})
    found = {name: type(value).__name__}
    found |= {f"{name}'s {inner}": each for inner, each in configs.of(value).items()}
    return found | {f"the code of {name} ({part})": functions.digest(each) for part, each in _brought(value)}


def _digest(arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
