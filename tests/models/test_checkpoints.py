"""A training that is broken off and run again ends as the unbroken one, to the last bit."""

import os
import runpy
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tutorial_utils.data import layouts, pipeline
from tutorial_utils.models import checkpoints, training

EPOCHS = 6


class BreakOff(keras.callbacks.Callback):
    """Raise KeyboardInterrupt in the middle of an epoch, as Ctrl-C does."""

    def __init__(self, at):
        super().__init__()
        self._at, self.begun = at, []

    def on_epoch_begin(self, epoch, logs=None):
        self.begun.append(epoch)

    def on_train_batch_end(self, batch, logs=None):
        if self.begun[-1] == self._at and batch == 1:
            raise KeyboardInterrupt


@pytest.fixture
def photos(class_folders):
    return layouts.load_folder(class_folders)


def train(photos, run_dir=None, at=None, callbacks=(), rate=0.01, seed=3):
    """Train a tiny network with dropout on shuffled, flipped photos; return (history, weights, epochs begun)."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=8),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3, seed=seed),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.AdamW(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    change = pipeline.augmentation(seed)
    batches = pipeline.batches(photos, 32, batch_size=8, shuffle=True, augmentation=change, seed=seed)
    watch = BreakOff(at)
    options = dict(callbacks=[*callbacks, watch], run_dir=run_dir, name="tiny")
    try:
        history = training.fit(model, batches, pipeline.batches(photos, 32), EPOCHS, **options)
    except KeyboardInterrupt:
        history = None
    return history, model.get_weights(), watch.begun


def same(one, two):
    (history, weights, _), (other, others, _) = one, two
    assert history.equals(other)
    for ours, theirs in zip(weights, others, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def unbroken(photos):
    return train(photos)


def test_a_training_that_was_broken_off_ends_as_the_unbroken_one(photos, unbroken, tmp_path):
    assert train(photos, tmp_path, at=2)[2] == [0, 1, 2]
    assert train(photos, tmp_path, at=4)[2] == [2, 3, 4]
    resumed = train(photos, tmp_path)
    assert resumed[2] == [4, 5]
    same(resumed, unbroken)


def test_another_seed_draws_something_else(photos, unbroken):
    assert not unbroken[0].equals(train(photos, seed=4)[0])


def test_a_finished_training_is_not_run_again(photos, unbroken, tmp_path):
    train(photos, tmp_path)
    again = train(photos, tmp_path)
    assert again[2] == []
    same(again, unbroken)


def test_a_changed_parameter_is_named_and_the_old_training_found_again(photos, unbroken, tmp_path, capsys):
    train(photos, tmp_path, at=3)
    capsys.readouterr()
    changed = train(photos, tmp_path, rate=0.02)
    assert "learning_rate is 0.02" in capsys.readouterr().out
    assert changed[2] == list(range(EPOCHS))
    same(changed, train(photos, rate=0.02))
    resumed = train(photos, tmp_path)
    assert resumed[2] == [3, 4, 5]
    same(resumed, unbroken)
    assert train(photos, tmp_path, rate=0.02)[2] == []


def small(run_dir, callbacks=(), dropout=0.2, loss="mse", learns=(True, True)):
    """Train two layers of the same shape for three epochs; return how many epochs were begun."""
    layers = [keras.layers.Dense(2, kernel_initializer="ones", trainable=each) for each in learns]
    model = keras.Sequential([keras.Input((2,)), layers[0], keras.layers.Dropout(dropout), layers[1]])
    model.compile(keras.optimizers.SGD(0.01), loss=loss)
    batches = tf.data.Dataset.from_tensor_slices((np.ones((4, 2)), np.zeros((4, 2)))).batch(4)
    watch = BreakOff(None)
    training.fit(model, batches, batches, 3, [*callbacks, watch], run_dir=run_dir, name="small")
    return len(watch.begun)


def stops(*patience):
    return [keras.callbacks.EarlyStopping(patience=each) for each in patience]


def schedule(factor):
    def rate(epoch, now):
        return now * factor

    return [keras.callbacks.LearningRateScheduler(rate)]


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"dropout": 0.5}, "layer 2 (Dropout) rate is 0.5, was 0.2"),
        ({}, {"loss": "mae"}, "loss is 'mean_absolute_error', was 'mean_squared_error'"),
        ({"learns": (True, False)}, {"learns": (False, True)}, "layers that learn changed"),
        ({"callbacks": schedule(1)}, {"callbacks": schedule(0.5)}, "LearningRateScheduler's schedule changed"),
        ({"callbacks": stops(5, 6)}, {"callbacks": stops(5, 7)}, "EarlyStopping 2's patience is 7, was 6"),
    ],
)
def test_whatever_the_result_depends_on_is_noticed_and_named(tmp_path, capsys, before, now, told):
    """The same model made again is only read, though Keras calls its layers by other names then."""
    assert small(tmp_path, **before) == 3
    assert small(tmp_path, **before) == 0
    assert "finished before, so it is only read" in capsys.readouterr().out
    assert small(tmp_path, **now) == 3
    assert f"{told}; so it starts anew" in capsys.readouterr().out
    assert small(tmp_path, **before) == 0


SCRIPT = """
import sys
import keras, numpy, tensorflow
from tutorial_utils.models import training

def schedule(epoch, rate):
    return rate if epoch in {0, 2} else rate / 2

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "relu", kernel_initializer="ones")])
model.compile("adam", loss=lambda labels, said: keras.ops.mean(keras.ops.abs(labels - said)))
batches = tensorflow.data.Dataset.from_tensor_slices((numpy.ones((4, 2)), numpy.zeros((4, 2)))).batch(4)
callbacks = [keras.callbacks.LearningRateScheduler(schedule)]
print(training.fit(model, batches, batches, 3, callbacks, run_dir=sys.argv[1]).to_csv())
"""


def test_a_training_that_another_process_has_finished_is_only_read(tmp_path, capsys, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(tmp_path)]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TF_CPP_MIN_LOG_LEVEL": "3"}
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    monkeypatch.setattr(sys, "argv", command[1:])
    runpy.run_path(str(script))
    assert capsys.readouterr().out == "training: finished before, so it is only read.\n" + there


def test_another_version_of_the_file_is_said_and_kept_aside(tmp_path, capsys, monkeypatch):
    small(tmp_path)
    monkeypatch.setattr(checkpoints, "_VERSION", checkpoints._VERSION + 1)
    assert small(tmp_path) == 3
    assert "small: another version made its state; so it starts anew." in capsys.readouterr().out
    assert small(tmp_path) == 0
    assert "version" not in capsys.readouterr().out
    assert (tmp_path / "trainings" / "small.before.npz").is_file()


def test_what_a_killed_process_left_half_written_is_swept_after_an_hour(tmp_path):
    """A younger file may be another process's that is writing just now."""
    small(tmp_path)
    fresh, old = (tmp_path / "trainings" / f".part-{name}.npz" for name in ("fresh", "old"))
    for part in (fresh, old):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    assert small(tmp_path) == 0
    assert fresh.exists()
    assert not old.exists()


@pytest.mark.parametrize("steps", [1, 2])
def test_a_kill_between_the_steps_of_a_swap_loses_neither_training(tmp_path, monkeypatch, steps):
    replace, done = os.replace, []

    def until_killed(old, new):
        if len(done) == steps:
            raise KeyboardInterrupt
        done.append(replace(old, new))

    for dropout in (0.2, 0.5):
        small(tmp_path, dropout=dropout)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.os, "replace", until_killed)
        with pytest.raises(KeyboardInterrupt):
            small(tmp_path, dropout=0.2)
    assert small(tmp_path, dropout=0.5) == small(tmp_path, dropout=0.2) == 0


def test_other_photos_are_another_training(photos, tmp_path, capsys):
    train(photos, tmp_path)
    train(photos.iloc[1:].reset_index(drop=True), tmp_path)
    assert "training photos changed" in capsys.readouterr().out


def test_callbacks_go_on_waiting_where_they_were(photos, tmp_path):
    """With patience 1 and a delta that no epoch reaches, EarlyStopping ends after the second epoch; so it does when
    the training is broken off between them, and its end is known when it is run a third time."""

    def stop():
        return [keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=10, patience=2)]

    whole = train(photos, callbacks=stop())
    assert whole[2] == [0, 1, 2]
    assert train(photos, tmp_path, at=2, callbacks=stop())[2] == [0, 1, 2]
    resumed = train(photos, tmp_path, callbacks=stop())
    assert resumed[2] == [2]
    same(resumed, whole)
    assert train(photos, tmp_path, callbacks=stop())[2] == []


def test_a_log_has_one_header_and_callbacks_that_only_watch_make_no_other_training(photos, tmp_path):
    """The log is added when the training goes on: it has the epochs from there, and one line of names."""

    def log():
        return [keras.callbacks.CSVLogger(tmp_path / "log.csv", append=True)]

    train(photos, tmp_path, at=2)
    assert train(photos, tmp_path, at=4, callbacks=log())[2] == [2, 3, 4]
    assert train(photos, tmp_path, callbacks=log())[2] == [4, 5]
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "2", "3", "4", "5"]


def test_a_reduced_rate_stays_reduced(photos, tmp_path):
    def reduce():
        return [keras.callbacks.ReduceLROnPlateau(monitor="val_loss", min_delta=10, patience=1, factor=0.1)]

    whole = train(photos, callbacks=reduce())
    train(photos, tmp_path, at=4, callbacks=reduce())
    same(train(photos, tmp_path, callbacks=reduce()), whole)


def test_a_damaged_file_is_said_and_the_training_starts_anew(photos, unbroken, tmp_path, capsys):
    train(photos, tmp_path, at=3)
    (path,) = (tmp_path / "trainings").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    resumed = train(photos, tmp_path)
    assert "damaged" in capsys.readouterr().out
    assert resumed[2] == list(range(EPOCHS))
    same(resumed, unbroken)


def test_a_full_disk_is_a_sentence_and_leaves_the_last_good_state(photos, unbroken, tmp_path):
    """The kernel refuses to write files above a limit, as it refuses where no room is left."""
    resource = pytest.importorskip("resource", reason="needs a system with limits for a process")
    train(photos, tmp_path, at=2)
    (path,) = (tmp_path / "trainings").iterdir()
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match=r"cannot be written.*its state after epoch 2\. Make room and run this again"):
            train(photos, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [each.name for each in (tmp_path / "trainings").iterdir()] == ["tiny.npz"]
    assert path.read_bytes() == before
    same(train(photos, tmp_path), unbroken)


def test_plain_datasets_can_be_trained_too(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizer=keras.optimizers.SGD(0.25), loss="mse")
    batches = tf.data.Dataset.from_tensor_slices((np.ones((4, 1)), np.zeros((4, 1)))).batch(4)
    training.fit(model, batches, batches, 2, run_dir=tmp_path)
    assert model.get_weights()[0] == pytest.approx(0.25)  # halved twice


@pytest.mark.parametrize("name", ["", "a/b", "..", 3])
def test_a_name_must_be_good_for_a_file(name, tmp_path):
    with pytest.raises(ValueError, match="name must be"):
        checkpoints.Checkpoint(tmp_path, name, {})
