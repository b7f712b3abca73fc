"""Logs and saved models of a training that was broken off and run again are those of the unbroken one, byte by byte."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tutorial_utils.models import training, watchers

EPOCHS = 6
SCORES = (3, 1, 2, 4, 5, 6)  # epoch 1 is the best: none after it may replace what is saved


class Scores(keras.callbacks.Callback):
    """Give each epoch a score; raise KeyboardInterrupt in one of them, as Ctrl-C does."""

    only_watches = True

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.at == (self.epoch, "within"):
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = SCORES[epoch]


class Late(Scores):
    """Comes after the logs and savers, before the state is written."""

    def on_epoch_end(self, epoch, logs=None):
        if self.at == (epoch, "after"):
            raise KeyboardInterrupt


def saver(path, **options):
    return keras.callbacks.ModelCheckpoint(str(path), monitor="score", save_weights_only=True, **options)


def fit(run, callbacks, at=None, name="one"):
    """Train one weight, two steps an epoch; `at` (epoch, "within") or (epoch, "after") breaks the training off."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    batches = tf.data.Dataset.from_tensor_slices((np.ones((4, 1)), np.zeros((4, 1)))).batch(2)
    with contextlib.suppress(KeyboardInterrupt):
        training.fit(model, batches, batches, EPOCHS, [Scores(at), *callbacks, Late(at)], run_dir=run, name=name)


def train(run, name="one", at=None, **options):
    """Fit with a log and three savers: the best epoch, each worse than all before, every third step."""
    best = saver(run / f"{name}.weights.h5", save_best_only=True, mode="min")
    each = saver(run / (name + "-{epoch}.weights.h5"), save_best_only=True, mode="max")
    often = saver(run / (name + "-{epoch}-{batch}.weights.h5"), save_freq=3, mode="min")
    log = keras.callbacks.CSVLogger(run / f"{name}.csv", **options)
    fit(run, [best, each, often, log], at, name)


def weights(path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.load_weights(path)
    return float(model.get_weights()[0][0, 0])


def written(run):
    """Return what a training has left: the log's text, and the weight in each file."""
    saved = {path.name: weights(path) for path in run.glob("*.weights.h5")}
    return {path.name: path.read_bytes() for path in run.glob("*.csv")} | saved


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    run = tmp_path_factory.mktemp("unbroken")
    train(run)
    return written(run)


def test_what_an_unbroken_training_leaves(unbroken):
    """The weight begins at 1 and is multiplied by 0.8 a step, 0.64 an epoch; the score is best in the second epoch."""
    lines = unbroken["one.csv"].decode().splitlines()
    assert lines[0] == "epoch,loss,score,val_loss"
    assert [line.split(",")[0] for line in lines[1:]] == list("012345")
    assert unbroken["one.weights.h5"] == pytest.approx(0.64**2)
    assert {name for name in unbroken if name.count("-") == 1} == {f"one-{epoch}.weights.h5" for epoch in (1, 4, 5, 6)}
    assert [unbroken[f"one-{epoch}.weights.h5"] for epoch in (1, 4)] == pytest.approx([0.64, 0.64**4])
    assert {name for name in unbroken if name.count("-") == 2} == {
        f"one-{epoch}-{batch}.weights.h5" for epoch, batch in [(2, 1), (3, 2), (5, 1), (6, 2)]
    }


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("where", ["within", "after"])
@pytest.mark.parametrize("epochs", [[0], [2, 3, 3, 5]])
def test_after_a_break_the_files_are_those_of_the_unbroken_training(tmp_path, unbroken, epochs, where, append):
    for epoch in epochs:
        train(tmp_path, at=(epoch, where), append=append)
    train(tmp_path, append=append)
    assert written(tmp_path) == unbroken
    train(tmp_path, append=append)  # it is only read
    assert written(tmp_path) == unbroken


def test_a_log_that_goes_on_in_a_file_keeps_what_was_there(tmp_path, unbroken):
    before = b"epoch,loss,score,val_loss\r\n0,1,2,3\r\n"
    (tmp_path / "one.csv").write_bytes(before)
    for epoch in (0, 4):
        train(tmp_path, at=(epoch, "after"), append=True)
    train(tmp_path, append=True)
    assert (tmp_path / "one.csv").read_bytes() == before + unbroken["one.csv"].split(b"\r\n", 1)[1]


def test_a_row_that_is_half_written_and_a_log_that_is_gone_are_made_whole(tmp_path, unbroken):
    path = tmp_path / "one.csv"
    train(tmp_path, at=(3, "within"), append=True)
    path.write_bytes(path.read_bytes() + b"3,0.0")
    train(tmp_path, at=(4, "within"), append=True)
    path.unlink()
    train(tmp_path, append=True)
    assert path.read_bytes() == unbroken["one.csv"]


def test_another_log_under_the_same_name_is_left_as_it_is(tmp_path):
    path = tmp_path / "one.csv"
    train(tmp_path, at=(4, "within"), append=True)
    path.write_bytes(b"mine\r\n")
    train(tmp_path, append=True)
    lines = path.read_text().splitlines()
    assert lines[0] == "mine"
    assert [line.split(",")[0] for line in lines[1:]] == ["4", "5"]


def test_a_log_that_is_left_out_for_a_while_keeps_its_rows(tmp_path):
    """What watches may come and go; the rows of the epochs that it saw are there still."""
    train(tmp_path, at=(2, "within"))
    fit(tmp_path, [], at=(4, "within"))
    train(tmp_path)
    rows = (tmp_path / "one.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "0", "1", "4", "5"]


def test_a_log_may_be_used_for_another_training_afterwards(tmp_path):
    train(tmp_path, at=(2, "after"))
    log = keras.callbacks.CSVLogger(tmp_path / "one.csv")
    fit(tmp_path, [log])
    fit(tmp_path, [log], name="two")
    assert (tmp_path / "one.csv").read_text().startswith("epoch,")


@pytest.mark.parametrize(
    ("name", "options", "best"),
    [
        ("one.keras", dict(monitor="val_loss"), 0.5),
        ("one.keras", dict(monitor="val_accuracy"), None),  # another score
        ("one.keras", dict(monitor="val_loss", mode="max"), None),
        ("two.keras", dict(monitor="val_loss"), None),  # another file
        ("gone/one.keras", dict(monitor="val_loss"), None),  # whose best is not there: the next epoch is to be saved
    ],
)
def test_the_best_score_is_put_back_only_where_it_is_that_of_the_file(tmp_path, name, options, best):
    for each in ("one.keras", "two.keras"):
        (tmp_path / each).touch()
    had, made = (
        keras.callbacks.ModelCheckpoint(tmp_path / path, save_best_only=True, **each)
        for path, each in [("one.keras", dict(monitor="val_loss")), (name, options)]
    )
    had.best = 0.5
    state = watchers.come_to([had], {})
    watchers.take_up([made], state)
    assert made.best == best
