"""A training that cannot be lost: its state is on disk after every epoch, and the same training goes on from there.

The state is one file, replaced whole: a kill at any moment leaves the last epoch's state or this one's, never half.
"""

import hashlib
import inspect
import json
import os

import keras
import numpy as np
import tensorflow as tf

from .. import _check, _files
from ..data import pipeline

_VERSION = 1  # of the file
_PLAIN = (bool, int, float, type(None))
_WATCHERS = (keras.callbacks.CSVLogger, keras.callbacks.ModelCheckpoint, keras.callbacks.TensorBoard)


class Checkpoint:
    """The state of one training on disk: `<run_dir>/trainings/<name>.npz`.

    run_dir : the folder of the run; name : of the training in it
    about : dict of plain values, all that the training's result depends on
    A training that is about something else is not gone on with: what differs is printed, the file becomes
    `<name>.before.npz`, and the training starts anew; with the old values again, the old file is found again.
    """

    def __init__(self, run_dir, name, about):
        _check.file_name("name", name)
        folder = _files.run_path(run_dir) / "trainings"
        self.path, self.before = folder / f"{name}.npz", folder / f"{name}.before.npz"
        self.about = json.loads(json.dumps(about))
        self.state, self.arrays = self._find()

    @property
    def epochs(self):
        """How many epochs are done."""
        return self.state.get("epochs", 0)

    @property
    def stopped(self):
        """Whether a callback has ended the training."""
        return self.state.get("stopped", False)

    @property
    def finished(self):
        """Whether the training has come to its end."""
        return self.state.get("finished", False)

    def _find(self):
        """Return (state, arrays) of this very training, ({}, {}) if there is none yet."""
        found = {path: _read(path) for path in (self.path, self.before) if path.is_file()}
        for path, (state, arrays) in found.items():
            if state.get("about") == self.about:
                if path == self.before:
                    _swap(self.path, self.before)
                return state, arrays
        if self.path in found and found[self.path][0]:
            print(f"{self.path.stem}: {_difference(found[self.path][0]['about'], self.about)}; so it starts anew.")
            os.replace(self.path, self.before)
        return {}, {}

    def keep(self, epochs, best, model, callbacks, begun):
        """Put the state after so many epochs on disk: of a compiled model, its BestEpoch and the other callbacks.

        begun : what each of the callbacks had come to when the training began

        Raises OSError in plain words if the disk is full; the last good state is still there then.
        """
        numbers, lists = _changed(callbacks, begun)
        lists |= {"weights": model.get_weights(), "optimizer": _values(model.optimizer.variables)}
        self._write({"epochs": epochs, "stopped": bool(model.stop_training), "callbacks": numbers}, best, lists)

    def finish(self, best):
        """Note that the training has come to its end: of its weights, those of the best epoch are kept."""
        self._write({"epochs": self.epochs, "finished": True}, best, {})

    def _write(self, state, best, lists):
        history = {"rows": best.rows, "kept": best.kept}
        state = {"version": _VERSION, "about": self.about, "history": history, **state}
        lists = {"best": best.weights or [], **lists}
        arrays = {f"{name}/{place}": value for name, values in lists.items() for place, value in enumerate(values)}
        text = np.frombuffer(json.dumps(state, default=float).encode(), np.uint8)
        try:
            _files.replace_with(self.path, lambda part: _savez(part, {"state": text, **arrays}), durable=True)
        except OSError as error:
            done = f"its state after epoch {self.epochs}" if self.state else "no state of it yet"
            raise OSError(
                f"The training's state cannot be written to {self.path} ({error.strerror or error}). On disk is "
                f"{done}. Make room and run this again: it goes on from there."
            ) from None
        self.state, self.arrays = state, {}

    def restore(self, model, callbacks):
        """Put the state back into a compiled model whose optimizer is built, and into the callbacks."""
        model.set_weights(self._list("weights"))
        for variable, value in zip(model.optimizer.variables, self._list("optimizer"), strict=True):
            variable.assign(value)
        for place, (callback, kept) in enumerate(zip(callbacks, self.state["callbacks"], strict=True)):
            for name, value in kept["numbers"].items():
                setattr(callback, name, value)
            for name in kept["arrays"]:
                setattr(callback, name, self._list(f"callback{place}/{name}"))

    def restore_best(self, best):
        """Put the history and the best epoch's weights back into a BestEpoch."""
        history = self.state["history"]
        best.rows, best.kept = history["rows"], history["kept"]
        best.weights = self._list("best") or None  # none, if no epoch had a loss that is a number

    def _list(self, name):
        count = sum(key.rpartition("/")[0] == name for key in self.arrays)
        return [self.arrays[f"{name}/{place}"] for place in range(count)]


class Keeper(keras.callbacks.Callback):
    """Keep a training's state after every epoch, and take it up again at the start; the last of the callbacks.

    checkpoint : a Checkpoint; best : the training's BestEpoch; others : the callbacks before this one
    """

    def __init__(self, checkpoint, best, others):
        super().__init__()
        self.checkpoint, self.best = checkpoint, best
        self.others = [callback for callback in others if not _only_watches(callback)]

    def on_train_begin(self, logs=None):
        """Take up the state on disk, if there is one: the other callbacks have just begun anew."""
        self._begun = [_come_to(callback) for callback in self.others]
        if self.checkpoint.state:
            self.checkpoint.restore_best(self.best)
            self.checkpoint.restore(self.model, self.others)

    def on_epoch_end(self, epoch, logs=None):
        """Put the state on disk."""
        self.checkpoint.keep(epoch + 1, self.best, self.model, self.others, self._begun)


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


def about(model, train, validation, callbacks=(), **values):
    """Return a dict of plain values: all that fitting a compiled model depends on.

    train, validation : datasets with `passes`; values : the other arguments that matter
    """
    found = {**values, **_settings(callbacks), "weights at the start": _digest(model.get_weights())}
    found["layers that learn"] = _digest([np.array([value.shape]) for value in model.trainable_variables])
    found |= {f"optimizer's {name}": value for name, value in _plain(model.optimizer.get_config()).items()}
    found.pop("optimizer's name")  # Keras numbers it anew
    for part, dataset in {"training": train, "validation": validation}.items():
        if hasattr(dataset, "passes"):
            found |= {f"{part} {name}": value for name, value in dataset.passes.about().items()}
    return found | {"Keras": keras.__version__, "TensorFlow": tf.__version__}


def _plain(config):
    """Return a configuration as a flat dict of plain values."""
    flat = {}
    for name, value in config.items():
        if isinstance(value, dict):
            flat |= {f"{name} {inner}".replace("config ", ""): each for inner, each in _plain(value).items()}
        else:
            flat[name] = float(f"{value:.6g}") if isinstance(value, float) else value if value is None else str(value)
    return flat


def _digest(arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _values(variables):
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _settings(callbacks):
    """Return the numbers that callbacks were made with, and what they monitor, as a flat dict of plain values."""
    found = {}
    for callback in callbacks:
        if _only_watches(callback):
            continue
        kind = type(callback).__name__
        found[kind] = "used"
        for name in _arguments(callback):
            value = vars(callback).get(name)
            if isinstance(value, _PLAIN) or name in ("monitor", "mode"):
                found[f"{kind}'s {name}"] = abs(value) if name == "min_delta" else value  # EarlyStopping turns its sign
    return found


def _only_watches(callback):
    """Return whether a callback leaves the training alone: those of Keras that do, any with `only_watches` set."""
    return isinstance(callback, _WATCHERS) or getattr(callback, "only_watches", False)


def _come_to(callback):
    """Return what a callback has come to, in public attributes that it was not made with, by name."""
    given = _arguments(callback)
    found = {name: value for name, value in vars(callback).items() if name[0] != "_" and name not in given}
    return {
        name: value for name, value in found.items() if isinstance(value, (*_PLAIN, np.number)) or _is_weights(value)
    }


def _changed(callbacks, begun):
    """Return what callbacks have come to since training began: (their numbers, their lists of arrays by name).

    begun : what each had come to by then
    """
    numbers, arrays = [], {}
    for place, (callback, before) in enumerate(zip(callbacks, begun, strict=True)):
        come = _come_to(callback)
        lists = [name for name, value in come.items() if _is_weights(value)]
        arrays |= {f"callback{place}/{name}": come[name] for name in lists}
        plain = {name: value for name, value in come.items() if name not in lists}
        plain = {name: value for name, value in plain.items() if name not in before or before[name] != value}
        numbers.append({"numbers": plain, "arrays": lists})
    return numbers, arrays


def _arguments(callback):
    return inspect.signature(type(callback).__init__).parameters


def _is_weights(value):
    return isinstance(value, list) and bool(value) and all(isinstance(each, np.ndarray) for each in value)


def _savez(path, arrays):
    with open(path, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _read(path):
    """Return (state, arrays) of a file, ({}, {}) if it is damaged or of another version."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = json.loads(arrays.pop("state").tobytes())
    except Exception as error:  # whatever is wrong with the file, the training is made anew
        print(f"{path} is damaged ({type(error).__name__}), so its training starts anew.")
        return {}, {}
    return (state, arrays) if state.get("version") == _VERSION else ({}, {})


def _swap(first, second):
    third = first.with_suffix(".swap")
    for old, new in [(first, third), (second, first), (third, second)]:
        if old.is_file():
            os.replace(old, new)


def _difference(before, now):
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    told = [
        f"{name} is {now.get(name)!r}, was {before.get(name)!r}"
        if all(len(str(each.get(name))) < 40 for each in (before, now))
        else f"{name} changed"
        for name in names
    ]
    return "; ".join(told)
