"""A training that is broken off and run again ends as the unbroken one, to the last bit; another one never goes on."""

import contextlib
import itertools
import os
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tutorial_utils.data import layouts, pipeline
from tutorial_utils.models import checkpoints, training

EPOCHS = 5


class BreakOff(keras.callbacks.Callback):
    """Raise KeyboardInterrupt, as Ctrl-C does, in the middle of an epoch, counted from 0; note those that begin."""

    only_watches = True

    def __init__(self, at=None):
        super().__init__()
        self.at, self.begun = at, []

    def on_epoch_begin(self, epoch, logs=None):
        self.begun.append(epoch)

    def on_train_batch_end(self, batch, logs=None):
        if self.begun[-1] == self.at and batch == 1:
            raise KeyboardInterrupt


class BreakOffLate(BreakOff):
    """Raise it when logs and savers have written, and before the state is."""

    def on_train_batch_end(self, batch, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.at:
            raise KeyboardInterrupt


@pytest.fixture
def photos(class_folders):
    return layouts.load_folder(class_folders)


def train(photos, run_dir=None, at=None, callbacks=(), rate=0.01, seed=3):
    """Train a tiny network with dropout on shuffled, flipped photos; return (history, weights, epochs begun)."""
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(4, 3, strides=8)]
    layers += [keras.layers.Flatten(), keras.layers.Dropout(0.3, seed=seed)]
    model = keras.Sequential([*layers, keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.AdamW(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    change = pipeline.augmentation(seed)
    batches = pipeline.batches(photos, 32, batch_size=8, shuffle=True, augmentation=change, seed=seed)
    watch, history = BreakOff(at), None
    options = dict(callbacks=[*callbacks, watch], run_dir=run_dir, name="tiny")
    with contextlib.suppress(KeyboardInterrupt):
        history = training.fit(model, batches, pipeline.batches(photos, 32), EPOCHS, **options)
    return history, model.get_weights(), watch.begun


def same(one, two):
    (history, weights, _), (other, others, _) = one, two
    assert history.equals(other)
    for ours, theirs in zip(weights, others, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_training_that_was_broken_off_ends_as_the_unbroken_one(photos, tmp_path):
    unbroken = train(photos)
    assert train(photos, tmp_path, at=2)[2] == [0, 1, 2]
    assert train(photos, tmp_path, at=3)[2] == [2, 3]
    resumed = train(photos, tmp_path)
    assert resumed[2] == [3, 4]
    same(resumed, unbroken)
    again = train(photos, tmp_path)  # it is only read
    assert again[2] == []
    same(again, unbroken)
    assert not unbroken[0].equals(train(photos, seed=4)[0])  # and another seed would draw something else


@pytest.mark.parametrize(
    "callback",
    [
        lambda: keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=10, patience=2, restore_best_weights=True),
        lambda: keras.callbacks.ReduceLROnPlateau(monitor="val_loss", min_delta=10, patience=1, factor=0.1),
    ],
)
def test_callbacks_of_keras_go_on_where_they_were(photos, tmp_path, callback):
    """No epoch reaches the delta, so the first waits for two epochs and ends; the second cuts the rate in each."""
    whole = train(photos, callbacks=[callback()])
    train(photos, tmp_path, at=2, callbacks=[callback()])
    resumed = train(photos, tmp_path, callbacks=[callback()])
    assert resumed[2][0] == 2
    assert len(whole[0]) == len(resumed[0]) == (4 if "Early" in type(callback()).__name__ else EPOCHS + 1)
    same(resumed, whole)
    assert train(photos, tmp_path, callbacks=[callback()])[2] == []


def points(seed=0, told=True):
    """Return batches of two of four points; told : whether they say what they depend on."""
    batches = tf.data.Dataset.from_tensor_slices((np.ones((4, 3)), np.zeros((4, 3)))).batch(2)
    return pipeline.steady(batches, pipeline.Passes(4, False, seed)) if told else batches


def own_loss(labels, said):
    return keras.ops.mean(keras.ops.square(labels - said))


class OwnLoss(keras.losses.Loss):
    """Its get_config is Keras's, which does not know the factor."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, labels, said):
        return self.factor * own_loss(labels, said)


class Drop(keras.callbacks.Callback):
    """Multiply the rate at one epoch; count the epochs."""

    def __init__(self, epoch=1, factor=0.5):
        super().__init__()
        self.epoch, self.factor, self.count = epoch, factor, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.count += 1
        if self.count == self.epoch:
            self.model.optimizer.learning_rate.assign(self.model.optimizer.learning_rate * self.factor)


class OwnModel(keras.Model):
    """A model that is no chain of layers to Keras."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3, kernel_initializer="ones")

    def call(self, x):
        return 2 * self.dense(x)


def network(dropout=0.2, activation="relu", l2=0.01, learns=(True, True), optimizer=None, loss="mse", **options):
    """Return a compiled network of two Dense layers of the same shape; its weights are always the same."""
    dense = dict(activation=activation, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(l2))
    first, second = (keras.layers.Dense(3, trainable=each, **dense) for each in learns)
    model = keras.Sequential([keras.Input((3,)), first, keras.layers.Dropout(dropout), second])
    model.compile(optimizer or keras.optimizers.SGD(0.1), loss=loss, **options)
    return model


def described(callbacks=(), model=None, data=None, **options):
    return checkpoints.describe(model or network(**options), data or points(), points(), callbacks, epochs=3)


def compiled(model):
    model.compile("sgd", loss="mse")
    return model


def with_shortcut(start):
    """Return a model of two layers with a shortcut that starts at the input, 0, or after the first layer, 1."""
    x = [keras.Input((3,))]
    for _ in range(2):
        x.append(keras.layers.Dense(3, kernel_initializer="ones")(x[-1]))
    return compiled(keras.Model(x[0], keras.layers.add([x[-1], x[start]])))


def falls(rate):
    return keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(rate, 10))


def stops(*patience):
    return [keras.callbacks.EarlyStopping(patience=each) for each in patience]


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"optimizer": keras.optimizers.SGD(0.3)}, "optimizer learning_rate is 0.3, was 0.1"),
        ({"optimizer": keras.optimizers.Nadam(0.1)}, {"optimizer": keras.optimizers.Adamax(0.1)}, "'Adamax', was"),
        ({"optimizer": falls(0.1)}, {"optimizer": falls(0.2)}, "initial_learning_rate is 0.2, was 0.1"),
        ({}, {"loss": "mae"}, "loss is 'mae', was 'mse'"),
        ({"loss": keras.losses.Huber(1.0)}, {"loss": keras.losses.Huber(2.0)}, "delta is 2.0, was 1.0"),
        ({}, {"loss_weights": [0.5]}, "loss weights"),
        ({}, {"dropout": 0.5}, "layer 3 (Dropout) rate is 0.5, was 0.2"),
        ({}, {"activation": "tanh"}, "layer 2 (Dense) activation is 'tanh', was 'relu'"),
        ({}, {"l2": 0.1}, "layer 2 (Dense) kernel_regularizer l2 is 0.1, was 0.01"),
        ({"learns": (True, False)}, {"learns": (False, True)}, "trainable variables changed"),
        ({"model": with_shortcut(0)}, {"model": with_shortcut(1)}, "connections changed"),
        ({"callbacks": stops(5, 6)}, {"callbacks": stops(5, 7)}, "callback 2 patience is 7, was 6"),
        ({"callbacks": [Drop(factor=0.5)]}, {"callbacks": [Drop(factor=0.1)]}, "callback 1 factor is 0.1, was 0.5"),
        ({}, {"callbacks": stops(5)}, "callback 1 kind is new"),
        ({}, {"data": points(seed=1)}, "training data data_seed is 1, was 0"),
    ],
)
def test_whatever_keras_tells_is_noticed_and_named(before, now, told):
    one, other = ({"about": described(**each), "key": {}} for each in (before, now))
    assert told in checkpoints._difference(one, other)


def test_the_same_network_made_again_is_the_same():
    """Though Keras has numbered its layers anew; what it reports, where it logs and how it talks are left out."""
    watching = [keras.callbacks.CSVLogger("log.csv"), BreakOff(), *stops(5)]
    talking = keras.callbacks.EarlyStopping(patience=5, verbose=1)
    assert described(watching) == described([talking], metrics=["mae"])
    assert described(model=with_shortcut(1)) == described(model=with_shortcut(1))


class Halved(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that cannot tell how it is set."""

    def __call__(self, step):
        return 0.5 / (1 + step)


@pytest.mark.parametrize(
    ("given", "untold"),
    [
        (lambda: {"loss": own_loss}, "own_loss"),
        (lambda: {"loss": OwnLoss(2)}, "OwnLoss"),
        (lambda: {"activation": own_loss}, "own_loss"),
        (lambda: {"optimizer": keras.optimizers.SGD(Halved())}, "SGD"),
        (lambda: {"optimizer": keras.optimizers.SGD(lambda: 0.1)}, "lambda"),
        (lambda: {"callbacks": [Drop()]}, "Drop"),
        (lambda: {"callbacks": [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)]}, "lambda"),
        (lambda: {"callbacks": [keras.callbacks.LambdaCallback(on_epoch_end=print)]}, "print"),
        (lambda: {"model": compiled(keras.Sequential([keras.Input((3,)), keras.layers.Lambda(own_loss)]))}, "own_loss"),
        (lambda: {"model": compiled(OwnModel())}, "OwnModel"),
        (lambda: {"data": points(told=False)}, "Dataset"),
    ],
)
def test_what_has_no_get_config_is_marked(given, untold):
    marked = [value for value in described(**given()).values() if str(value).endswith("(no get_config)")]
    assert marked
    assert all(untold in value for value in marked)


def small(run_dir, callbacks=(), key=None, name="small", **options):
    """Train the small network for three epochs; return how many were begun."""
    watch = BreakOff()
    training.fit(network(**options), points(), points(), 3, [*callbacks, watch], run_dir=run_dir, name=name, key=key)
    return len(watch.begun)


RATES = {"now": 0.1}


def from_a_constant(epoch, rate):
    RATES["before"] = rate
    return RATES["now"]


def test_a_function_whose_constant_has_changed_is_asked_about(tmp_path, monkeypatch, capsys):
    """No digest of its code tells: the constant stands in a dict that the function itself stores into."""
    scheduled = [keras.callbacks.LearningRateScheduler(from_a_constant)]
    assert small(tmp_path, scheduled) == 3
    monkeypatch.setitem(RATES, "now", 0.7)
    with pytest.raises(ValueError, match=r"schedule: from_a_constant \(no get_config\).* give key="):
        small(tmp_path, scheduled)
    assert small(tmp_path, scheduled, key={"rate": 0.1}) == 0  # the caller says that it is the same training
    assert small(tmp_path, scheduled, key={"rate": 0.7}) == 3
    assert "small: key rate is 0.7, was 0.1; so it starts anew." in capsys.readouterr().out
    assert small(tmp_path, scheduled, key={"rate": 0.1}) == 0
    with pytest.raises(ValueError, match="give key="):
        small(tmp_path, scheduled)


def test_everything_in_a_key_counts_and_must_be_plain(tmp_path, capsys):
    """Also what is left out of a layer's configuration, as its seed is."""
    assert [small(tmp_path, key={"name": "a", "seed": seed}) for seed in (1, 1, 2)] == [3, 0, 3]
    assert "key seed is 2, was 1;" in capsys.readouterr().out
    with pytest.raises(ValueError, match="key must be a text or a dict of plain values"):
        small(tmp_path, key={"loss": own_loss})


def test_a_change_is_named_and_of_three_trainings_the_last_two_are_kept(tmp_path, capsys):
    assert [small(tmp_path, dropout=rate) for rate in (0.1, 0.2, 0.1, 0.3, 0.1, 0.3)] == [3, 3, 0, 3, 0, 0]
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "small: model layer 3 (Dropout) rate is 0.2, was 0.1; so it starts anew."
    assert told[2] == "small: model layer 3 (Dropout) rate is 0.3, was 0.1; so it starts anew."
    assert told[1] == told[3] == told[4] == "small: finished before, so it is only read."
    assert {path.name for path in (tmp_path / "trainings").iterdir()} == {"small.npz", "small.before.npz"}


def test_other_photos_are_another_training(photos, tmp_path, capsys):
    train(photos, tmp_path, at=2)
    assert train(photos.iloc[1:].reset_index(drop=True), tmp_path)[2][0] == 0
    assert "training data photos changed" in capsys.readouterr().out


SCRIPT = """
import sys
from tests.models import test_checkpoints as tests
print("begun:", tests.small(sys.argv[1], tests.of_all_kinds(), "constant", loss=tests.own_loss))
"""


def of_all_kinds():
    return [keras.callbacks.LearningRateScheduler(from_a_constant), Drop(), *stops(5)]


def test_a_training_that_another_process_has_finished_is_only_read(tmp_path, root):
    """With other seeds of Python's own hashes, and none of the layers that were made here before."""
    assert small(tmp_path, of_all_kinds(), "constant", loss=own_loss) == 3
    environment = {**os.environ, "PYTHONHASHSEED": "5", "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert process.stdout == "small: finished before, so it is only read.\nbegun: 0\n"


def test_the_file_of_another_version_is_said_and_kept_aside(tmp_path, capsys, monkeypatch):
    small(tmp_path)
    monkeypatch.setattr(checkpoints, "_VERSION", checkpoints._VERSION + 1)
    assert small(tmp_path) == 3
    assert "small: another version of the course made its state; so it starts anew." in capsys.readouterr().out
    assert (tmp_path / "trainings" / "small.before.npz").is_file()
    assert small(tmp_path) == 0


def test_a_damaged_file_is_said_and_the_training_starts_anew(tmp_path, capsys):
    small(tmp_path)
    (path,) = (tmp_path / "trainings").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    assert small(tmp_path) == 3
    assert "damaged" in capsys.readouterr().out


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


def test_a_full_disk_is_a_sentence_and_leaves_the_last_good_state(photos, tmp_path):
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


@pytest.mark.parametrize("name", ["", "a/b", "..", 3])
def test_a_name_must_be_good_for_a_file(name, tmp_path):
    with pytest.raises(ValueError, match="name must be"):
        checkpoints.Checkpoint(tmp_path, name, {})


class Scores(keras.callbacks.Callback):
    """Give each epoch a score; the second is the best: none after it may replace what is saved."""

    only_watches = True

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = (3, 1, 2, 4, 5)[epoch]


def logged(run, watch=None, append=False):
    """Train one weight with a log and a saver; return the log's text and the saved weight."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    path = run / "best.weights.h5"
    log = keras.callbacks.CSVLogger(run / "log.csv", append=append)
    saver = keras.callbacks.ModelCheckpoint(str(path), "score", mode="min", save_best_only=True, save_weights_only=True)
    with contextlib.suppress(KeyboardInterrupt):
        training.fit(model, points(), points(), EPOCHS, [Scores(), log, saver, watch or BreakOff()], run_dir=run)
    if path.is_file():
        model.load_weights(path)
    return (run / "log.csv").read_bytes(), model.get_weights()[0].tolist()


@pytest.mark.parametrize(("kind", "append"), [*itertools.product([BreakOff, BreakOffLate], [False, True])])
def test_after_breaks_logs_and_saved_models_are_those_of_the_unbroken_training(tmp_path, kind, append):
    (tmp_path / "unbroken").mkdir()
    unbroken = logged(tmp_path / "unbroken")
    assert [row.split(b",")[0] for row in unbroken[0].splitlines()] == [b"epoch", *b"0 1 2 3 4".split()]
    old = b"epoch,loss,score,val_loss\r\n4,1,2,3\r\n" if append else b""  # of another training
    run = tmp_path / "broken"
    run.mkdir()
    (run / "log.csv").write_bytes(old)
    for epoch in (2, 3, 3):
        logged(run, kind(epoch), append)
    log, weights = logged(run, None, append)
    assert log == (old + unbroken[0].split(b"\r\n", 1)[1] if append else unbroken[0])
    assert weights == unbroken[1]


def test_a_saved_model_that_is_gone_is_saved_again(tmp_path):
    """As on a machine that Colab takes back: its best score must not keep the next epoch from being saved."""
    logged(tmp_path, BreakOff(3))
    (tmp_path / "best.weights.h5").unlink()
    logged(tmp_path)
    assert (tmp_path / "best.weights.h5").is_file()
