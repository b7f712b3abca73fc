"""What Keras's logs and savers have come to, so that a training that goes on continues their files as if never broken.

A ModelCheckpoint forgets with its process what the best score was, and would put the first epoch that comes in place
of a better one; a CSVLogger begins its file anew, or has the row of an epoch twice that must be made again.
"""

import collections
import os
import pathlib

import keras

_COUNTS = ("_batches_seen_since_last_saving", "_last_batch_seen")  # of a ModelCheckpoint that saves every few batches


def come_to(callbacks, begun):
    """Return what the watching callbacks have come to after an epoch, as plain values by class and place.

    begun : what `take_up` returned
    """
    return {name: _STATES[kind][0](callback, begun.get(name)) for name, kind, callback in _watching(callbacks)}


def take_up(callbacks, states):
    """Let watching callbacks that have just begun go on from their states, where those are theirs.

    states : what `come_to` returned, {} for a training that begins
    Returns, by class and place, what `come_to` needs to know.
    """
    return {name: _STATES[kind][1](callback, states.get(name)) for name, kind, callback in _watching(callbacks)}


def leave(callbacks):
    """Let logs that were taken up begin another training's file with the names of its columns."""
    for log in _logs(callbacks):
        log.append_header = True


def appends(callbacks):
    """Return whether a log goes on in a file: so that a row of a broken first epoch may be there."""
    return any(log.append for log in _logs(callbacks))


def _logs(callbacks):
    return [callback for callback in callbacks if isinstance(callback, keras.callbacks.CSVLogger)]


def _watching(callbacks):
    """Yield (name, class, callback) of the callbacks whose state is kept."""
    count = collections.Counter()
    for callback in callbacks:
        for kind in _STATES:
            if isinstance(callback, kind):
                count[kind] += 1
                yield f"{kind.__name__} {count[kind]}", kind, callback


def _saver_state(saver, _):
    counts = {name: getattr(saver, name, None) for name in _COUNTS}
    return {"best": saver.best, "about": _about(saver), **counts}


def _take_up_saver(saver, state):
    """Put back the best score, if it was one of the same kind and the file that has it is still there."""
    if state is None or state["about"] != _about(saver):
        return
    for name in _COUNTS:
        setattr(saver, name, state[name])
    if "{" in saver.filepath or os.path.exists(saver.filepath):  # a name with the epoch in it is not known here
        saver.best = state["best"]


def _about(saver):
    return [saver.monitor, saver.mode, saver.save_best_only, os.path.basename(saver.filepath)]


def _log_state(log, start):
    """Return the log's text since the training began, and where in the file that is."""
    path = pathlib.Path(log.filename)
    text = path.read_bytes()[start:] if path.is_file() else b""
    return {"start": start, "text": text.decode("latin-1")}  # bytes as they are, whatever they mean


def _take_up_log(log, state):
    """Put back the rows of the epochs that are done, each once; return where in the file the training's rows begin.

    Keras has just opened the file: without `append` it is empty now; with it, what a broken epoch wrote may be there.
    """
    path = pathlib.Path(log.filename)
    content = path.read_bytes() if path.is_file() else b""
    if state is None or not path.is_file():
        return len(content)
    start, text = state["start"], state["text"].encode("latin-1")
    there = content[start:]
    if len(content) < start or not (there.startswith(text) or text.startswith(there)):  # another file
        return len(content)
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(text)
        file.truncate()
    log.csv_file.seek(0, os.SEEK_END)
    log.append_header = not (start or text)
    return start


_STATES = {
    keras.callbacks.ModelCheckpoint: (_saver_state, _take_up_saver),
    keras.callbacks.CSVLogger: (_log_state, _take_up_log),
}
