"""A training that cannot be lost: its state is on disk after every epoch, and the same training goes on from there.

The state is one file, replaced whole: a kill at any moment leaves the last epoch's state or this one's, never half.
Whether it is the same training, its key says: all that Keras's get_config tells, and what the caller adds.
"""

import hashlib
import inspect
import json
import os
import pathlib
import re
import types
import warnings

import keras
import numpy as np
import tensorflow as tf

from .. import _check, _files
from ..data import pipeline

_VERSION = 3  # of the file
_LIBRARIES = {"keras", "keras_hub", "tensorflow", "tutorial_utils"}
_WATCHERS = (
    keras.callbacks.BackupAndRestore,
    keras.callbacks.CSVLogger,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.TensorBoard,
)
_NUMBERS = (bool, int, float, type(None), np.generic)
_LEFT_OUT = {"build_input_shape", "input_layers", "name", "output_layers", "seed", "trainable"}
_UNTOLD = " (no get_config)"  # follows the name of what cannot tell how it is set


class Checkpoint:
    """The state of one training on disk: `<run_dir>/trainings/<name>.npz`.

    run_dir : the folder of the run; name : of the training in it
    about : dict of plain values, what the training depends on, as from `describe`
    key : a text or a dict of plain values: what it depends on besides
    The state of another training is not gone on with: what differs is printed, the file becomes `<name>.before.npz`,
    and the training starts anew; with the old values again, the old file is found again. Raises ValueError where only
    the caller can know whether the state is of this training, and gives no key.
    """

    def __init__(self, run_dir, name, about, key=None):
        folder = _files.run_path(run_dir) / "trainings"
        self.name, self.path = _check.file_name("name", name), folder / f"{name}.npz"
        try:
            self.key = {} if key is None else dict(_flat("key", json.loads(json.dumps(key))))
        except TypeError:
            raise ValueError(f"key must be a text or a dict of plain values; got {key!r}.") from None
        self.about = json.loads(_json(about))
        _files.sweep(folder)
        self.state, self.arrays = self._find(folder / f"{name}.before.npz")

    @property
    def epochs(self):
        """How many epochs are done."""
        return self.state.get("epochs", 0)

    def _find(self, before):
        """Return (state, arrays) of this very training, ({}, {}) if there is none yet."""
        files = sorted(filter(os.path.isfile, (self.path, before)), key=os.path.getmtime, reverse=True)
        found = [_read(path) for path in files]
        for path, (state, arrays) in zip(files, found, strict=True):
            if self._is_ours(state, path):
                self.path = path
                os.utime(path)  # the one that was used last is not given up for a third
                if state["key"] != self.key:
                    self._save({**state, "key": self.key}, arrays)
                return state, arrays
        state = found[0][0] if found else {}
        if state:
            known = state.get("version") == _VERSION
            reason = _difference(state, vars(self)) if known else "another version of the course made its state"
            print(f"{self.name}: {reason}; so it starts anew.")
            if files[0] == self.path:
                os.replace(self.path, before)
        return {}, {}

    def _is_ours(self, state, path):
        if state.get("version") != _VERSION or state["about"] != self.about:
            return False
        untold = [f"{name}: {value}" for name, value in self.about.items() if str(value).endswith(_UNTOLD)]
        if untold and not self.key:
            raise ValueError(
                f"Only you can know whether {path} is the state of this very training, because of {'; '.join(untold)}. "
                "If it is, give key=, a text or dict that you change whenever one of these changes, and the training "
                "goes on; if not, give another name=."
            )
        return state["key"] == self.key or bool(untold and not state["key"])  # the first key answers the above

    def keep(self, epochs, best, model, callbacks):
        """Put the state after so many epochs on disk: of a compiled model, its BestEpoch and the other callbacks.

        Raises OSError in plain words if the disk is full; the last good state is still there then.
        """
        optimizer = [keras.ops.convert_to_numpy(variable) for variable in model.optimizer.variables]
        come, lists = dict(self.state.get("callbacks", {})), {"weights": model.get_weights(), "optimizer": optimizer}
        for name, callback in _kept(callbacks).items():
            attributes = _come_to(callback)
            lists |= {f"{name}/{each}": value for each, value in attributes.items() if isinstance(value, list)}
            come[name] = {each: "weights" if isinstance(value, list) else value for each, value in attributes.items()}
        self._write({"epochs": epochs, "stopped": bool(model.stop_training), "callbacks": come}, best, lists)

    def finish(self, best):
        """Note that the training has come to its end: of its weights, those of the best epoch are kept."""
        self._write({"epochs": self.epochs, "finished": True}, best, {})

    def _write(self, state, best, lists):
        about = {"version": _VERSION, "about": self.about, "key": self.key, "rows": best.rows, "kept": best.kept}
        lists = {"best": best.weights or [], **lists}
        arrays = {f"{name}/{place}": value for name, values in lists.items() for place, value in enumerate(values)}
        self._save({**about, **state}, arrays)
        self.state, self.arrays = state, {}

    def _save(self, state, arrays):
        text = np.frombuffer(_json(state).encode(), np.uint8)
        try:
            _files.replace_with(self.path, lambda part: np.savez(part, state=text, **arrays), durable=True)
        except OSError as error:
            done = f"its state after epoch {self.epochs}" if self.epochs else "no state of it yet"
            raise OSError(
                f"The training's state cannot be written to {self.path} ({error.strerror or error}). On disk is "
                f"{done}. Make room and run this again: it goes on from there."
            ) from None

    def restore(self, best, model, callbacks):
        """Put the state back into a compiled model whose optimizer is built, its BestEpoch and the other callbacks."""
        self.restore_best(best)
        model.set_weights(self._list("weights"))
        for variable, value in zip(model.optimizer.variables, self._list("optimizer"), strict=True):
            variable.assign(value)
        for name, callback in _kept(callbacks).items():
            for attribute, value in self.state["callbacks"].get(name, {}).items():
                setattr(callback, attribute, self._list(f"{name}/{attribute}") if value == "weights" else value)

    def restore_best(self, best):
        """Put the history and the best epoch's weights back into a BestEpoch."""
        best.rows, best.kept = self.state["rows"], self.state["kept"]
        best.weights = self._list("best") or None  # none, if no epoch had a loss that is a number

    def _list(self, name):
        count = sum(key.rpartition("/")[0] == name for key in self.arrays)
        return [self.arrays[f"{name}/{place}"] for place in range(count)]


class Keeper(keras.callbacks.Callback):
    """Keep a training's state after every epoch, and take it up again at the start; the last of the callbacks.

    checkpoint : a Checkpoint; best : the training's BestEpoch; callbacks : those before this one
    """

    def __init__(self, checkpoint, best, callbacks):
        super().__init__()
        self.checkpoint, self.best, self.callbacks = checkpoint, best, callbacks
        for log in (each for each in callbacks if isinstance(each, keras.callbacks.CSVLogger) and checkpoint.state):
            _cut(log, checkpoint.epochs)
            log.append = True

    def on_train_begin(self, logs=None):
        """Take up the state on disk, if there is one: the other callbacks have just begun anew."""
        if self.checkpoint.state:
            self.checkpoint.restore(self.best, self.model, self.callbacks)

    def on_epoch_end(self, epoch, logs=None):
        """Put the state on disk."""
        self.checkpoint.keep(epoch + 1, self.best, self.model, self.callbacks)


class SameDraws(keras.callbacks.Callback):
    """Let what an epoch draws at random depend on the seed and the epoch alone: order, flips and turns, dropout.

    train : a dataset with `passes`, as from pipeline.batches, whose seed it is; any other keeps its own order
    """

    def __init__(self, train=None, seed=0):
        super().__init__()
        self.passes = getattr(train, "passes", None)
        self.seed = self.passes.seed if self.passes is not None else seed

    def on_epoch_begin(self, epoch, logs=None):
        """Set the number of the pass that comes, and let the model's own random layers draw what is theirs."""
        if self.passes is not None:
            self.passes.next = epoch
        pipeline.restart_random_layers(self.model.variables, self.seed, epoch)


def describe(model, train, validation, callbacks=(), **values):
    """Return what the fitting of a compiled model depends on, as a flat dict of plain values by name.

    train, validation : datasets with `passes`, as from pipeline.batches; values : the other arguments that matter
    What cannot tell how it is set ends with `_UNTOLD`: a function, an object of the reader's whose class writes no
    get_config, another dataset. Left out: the names that Keras numbers anew, initializers (the weights at the start
    are told), the seeds of layers (see SameDraws), metrics, and callbacks that only watch.
    """
    places = {id(weight): place for place, weight in enumerate(model.weights)}
    losses, deciding = keras.tree.flatten(model.loss), [each for each in callbacks if not _only_watches(each)]
    objects, kind = [*losses, model.optimizer, *model._flatten_layers(), *deciding], type(model).__name__
    told = {
        **values,
        "loss": _config(model.loss),
        "loss arguments": [getattr(loss, "_fn_kwargs", {}) for loss in losses],  # Keras 3.15: Huber hides its delta
        "loss weights": _ask(model.get_compile_config, {}).get("loss_weights"),
        "optimizer": _config(model.optimizer),
        "model": _ask(lambda: {"class_name": kind, "config": model.get_config()}, kind + _UNTOLD),
        "own objects": [type(each).__name__ + _UNTOLD for each in objects if not _tells(each)],
        "callbacks": [{"kind": type(each).__name__, **_settings(each)} for each in deciding],
        "start weights": _digest(*model.get_weights()),
        "trainable variables": _digest([places.get(id(each)) for each in model.trainable_variables]),
        "training data": _data(train),
        "validation data": _data(validation),
        **{"Keras": keras.__version__, "TensorFlow": tf.__version__},
    }
    return dict(_flat("", told))


def _config(thing):
    """Return how a thing is set, as nested plain values; its name and `_UNTOLD` if something in it cannot tell."""
    return _ask(lambda: keras.saving.serialize_keras_object(thing), type(thing).__name__ + _UNTOLD)


def _ask(get_config, otherwise):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a lambda cannot be loaded: nothing is saved here
        try:
            return get_config()
        except Exception:  # whatever goes wrong in a get_config, the caller is asked instead
            return otherwise


def _settings(callback):
    """Return what a callback says of itself, else what it was made with."""
    if hasattr(callback, "get_config"):
        return {name: _config(value) for name, value in callback.get_config().items()}
    made = {name: _config(vars(callback).get(name)) for name in _arguments(callback) if name != "verbose"}
    return made | ({"min_delta": abs(callback.min_delta)} if "min_delta" in made else {})  # Keras turns its sign


def _data(dataset):
    if dataset is None or hasattr(dataset, "passes"):
        return dataset and dataset.passes.about()
    return type(dataset).__name__ + _UNTOLD


def _tells(thing):
    """Return whether get_config tells all of an object: one that a library's class left to it knows no new settings."""
    own = getattr(type(thing), "get_config", None)
    is_object = not isinstance(thing, (str, types.FunctionType, type(None)))
    return _is_library(thing) or not is_object or (own is not None and not _is_library(own))


def _is_library(thing):
    return (getattr(thing, "__module__", None) or "").split(".")[0] in _LIBRARIES


def _flat(name, value):
    """Yield (name, plain value) for all that nested configurations tell."""
    if isinstance(value, dict) and "class_name" in value:
        yield from _flat_config(name, value["class_name"], value["config"])
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(f"{name} {key}".strip(), each)
    elif isinstance(value, (list, tuple)) and any(isinstance(each, (str, list, tuple, dict)) for each in value):
        for number, each in enumerate(value, 1):
            kind = f" ({each['class_name']})" if isinstance(each, dict) and "class_name" in each else ""
            yield from _flat(f"{name.removesuffix('s')} {number}{kind}", each)
    else:
        yield name, float(f"{value:.6g}") if isinstance(value, float) else value  # Keras keeps rates as float32


def _flat_config(name, kind, config):
    """Yield the same for an object of a class, as Keras serializes it: of a function, its name or its code."""
    if kind == "__lambda__" or not isinstance(config, dict):
        yield name, (config if isinstance(config, str) else "lambda") + _UNTOLD
        return
    yield name, config["name"] if kind == "DTypePolicy" else kind
    if "layers" in config:
        yield f"{name} connections", _connections(config)
    left_out = {*_LEFT_OUT, *(key for key in config if key.endswith("_initializer"))}
    yield from _flat(name, {key: each for key, each in config.items() if key not in left_out})


def _connections(model):
    """Return the digest of what goes into and comes out of each layer of a configuration, by place and not by name."""
    places = {f'"{layer["config"].get("name")}"': str(place) for place, layer in enumerate(model["layers"])}
    nodes = [layer.get("inbound_nodes") for layer in model["layers"]]
    text = _json([nodes, model.get("input_layers"), model.get("output_layers")])
    return _digest(re.sub(r'"[^"]*"', lambda name: places.get(name[0], name[0]), text))


def _difference(before, now):
    """Return in words in what two states' dicts `about` and `key` differ: with both values where they are short."""
    before, now = ({**each["about"], **each["key"]} for each in (before, now))
    told = []
    for name in {**before, **now}:
        if (name in before) != (name in now):
            told.append(f"{name} is {'new' if name in now else 'left out'}")
        elif before[name] != now[name]:
            values = f"is {now[name]!r}, was {before[name]!r}"
            told.append(f"{name} {values if len(values) < 90 else 'changed'}")
    return "; ".join(told[:4] + [f"and {len(told) - 4} more"] * (len(told) > 4))


def _kept(callbacks):
    """Return the callbacks whose state is kept, by name; of those that watch, ModelCheckpoints whose file is there."""
    deciding = [each for each in callbacks if not _only_watches(each)]
    savers = [each for each in callbacks if isinstance(each, keras.callbacks.ModelCheckpoint)]
    savers = [each for each in savers if "{" in each.filepath or os.path.exists(each.filepath)]
    found = {f"{type(each).__name__} {place}": each for place, each in enumerate(deciding)}
    return found | {f"{os.path.basename(each.filepath)} {each.monitor}": each for each in savers}


def _come_to(callback):
    """Return what a callback has come to, by name: its public attributes that are numbers or weights, no arguments."""
    given = _arguments(callback)
    found = {name: value for name, value in vars(callback).items() if name[0] != "_" and name not in given}
    return {name: value for name, value in found.items() if isinstance(value, _NUMBERS) or _is_weights(value)}


def _is_weights(value):
    return isinstance(value, list) and bool(value) and all(isinstance(each, np.ndarray) for each in value)


def _arguments(callback):
    """Return the names of what a callback is made with."""
    return list(inspect.signature(type(callback).__init__).parameters)[1:]  # the first is self


def _only_watches(callback):
    return isinstance(callback, _WATCHERS) or getattr(callback, "only_watches", False)


def _cut(log, epochs):
    """Take the row of the epoch that is to be made again off a CSVLogger's file."""
    content = pathlib.Path(log.filename).read_bytes() if os.path.isfile(log.filename) else b""
    *_, last = content.splitlines(keepends=True) or [b""]
    if last.startswith(f"{epochs}{log.sep}".encode()):
        os.truncate(log.filename, len(content) - len(last))


def _digest(*values):
    digest = hashlib.sha256()
    for value in values:
        digest.update(np.ascontiguousarray(value).data if isinstance(value, np.ndarray) else _json(value).encode())
    return digest.hexdigest()


def _json(value):
    return json.dumps(value, default=lambda each: each.item() if hasattr(each, "item") else type(each).__name__)


def _read(path):
    """Return (state, arrays) of a file, ({}, {}) if it is damaged, which is said."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return json.loads(arrays.pop("state").tobytes()), arrays
    except Exception as error:  # whatever is wrong with the file, the training is made anew
        print(f"{path} is damaged ({type(error).__name__}), so its training starts anew.")
        return {}, {}
