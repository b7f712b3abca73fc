"""A training that cannot be lost: its state is on disk after every epoch, and the same training goes on from there.

The state is one file, replaced whole: a kill at any moment leaves the last epoch's state or this one's, never half.
"""

import json
import os

import keras
import numpy as np

from .. import _check, _files
from ..data import pipeline
from . import settings, watchers

_VERSION = 2  # of the file
_PLAIN = (bool, int, float, type(None))


class Checkpoint:
    """The state of one training on disk: `<run_dir>/trainings/<name>.npz`.

    run_dir : the folder of the run; name : of the training in it
    about : dict of plain values, all that the training's result depends on, as from settings.about
    A training that is about something else is not gone on with: what differs is printed, the file becomes
    `<name>.before.npz`, and the training starts anew; with the old values again, the old file is found again.
    """

    def __init__(self, run_dir, name, about):
        _check.file_name("name", name)
        folder = _files.run_path(run_dir) / "trainings"
        self.path, self.before = folder / f"{name}.npz", folder / f"{name}.before.npz"
        _files.sweep(folder)
        _end_swap(self.path, self.before)
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

    @property
    def watched(self):
        """What callbacks that only watch have come to: also of those that are not there this time."""
        return self.state.get("watched", {})

    def _find(self):
        """Return (state, arrays) of this very training, ({}, {}) if there is none yet."""
        found = {path: _read(path) for path in (self.path, self.before) if path.is_file()}
        for path, (state, arrays) in found.items():
            if state.get("version") == _VERSION and state["about"] == self.about:
                if path == self.before:
                    _swap(self.path, self.before)
                return state, arrays
        state = found.get(self.path, ({}, {}))[0]
        if state:
            known = state.get("version") == _VERSION
            reason = settings.difference(state["about"], self.about) if known else "another version made its state"
            print(f"{self.path.stem}: {reason}; so it starts anew.")
            os.replace(self.path, self.before)
        return {}, {}

    def keep(self, epochs, best, model, callbacks, begun, watched=None):
        """Put the state after so many epochs on disk: of a compiled model, its BestEpoch and the other callbacks.

        begun : what each of the callbacks had come to when the training began
        watched : what those that only watch have come to, as from watchers.come_to

        Raises OSError in plain words if the disk is full; the last good state is still there then.
        """
        numbers, lists = _changed(callbacks, begun)
        lists |= {"weights": model.get_weights(), "optimizer": _values(model.optimizer.variables)}
        state = {"epochs": epochs, "stopped": bool(model.stop_training), "callbacks": numbers}
        self._write({**state, "watched": {**self.watched, **(watched or {})}}, best, lists)

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
        self.others = [callback for callback in others if not settings.only_watches(callback)]
        self.watching = [callback for callback in others if settings.only_watches(callback)]

    def on_train_begin(self, logs=None):
        """Take up the state on disk, if there is one: the other callbacks have just begun anew."""
        self._begun = [_come_to(callback) for callback in self.others]
        self._logs = watchers.take_up(self.watching, self.checkpoint.watched)
        if self.checkpoint.state:
            self.checkpoint.restore_best(self.best)
            self.checkpoint.restore(self.model, self.others)
        elif watchers.appends(self.watching):
            self._keep(0)

    def on_epoch_end(self, epoch, logs=None):
        """Put the state on disk."""
        self._keep(epoch + 1)

    def on_train_end(self, logs=None):
        """Leave the logs as they were made."""
        watchers.leave(self.watching)

    def _keep(self, epochs):
        watched = watchers.come_to(self.watching, self._logs)
        self.checkpoint.keep(epochs, self.best, self.model, self.others, self._begun, watched)


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


def _values(variables):
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _come_to(callback):
    """Return what a callback has come to, in public attributes that it was not made with, by name."""
    given = settings.arguments(callback)
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


def _is_weights(value):
    return isinstance(value, list) and bool(value) and all(isinstance(each, np.ndarray) for each in value)


def _savez(path, arrays):
    with open(path, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _read(path):
    """Return (state, arrays) of a file, ({}, {}) if it is damaged, which is said."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = json.loads(arrays.pop("state").tobytes())
    except Exception as error:  # whatever is wrong with the file, the training is made anew
        print(f"{path} is damaged ({type(error).__name__}), so its training starts anew.")
        return {}, {}
    return state, arrays


def _swap(first, second):
    for old, new in [(first, first.with_suffix(".swap")), (second, first)]:
        if old.is_file():
            os.replace(old, new)
    _end_swap(first, second)


def _end_swap(first, second):
    """Do the last step of a swap, or undo the first if a kill came before the second."""
    third = first.with_suffix(".swap")
    if third.is_file():
        os.replace(third, second if first.is_file() else first)
