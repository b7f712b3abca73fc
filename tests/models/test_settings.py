import json
import os
import runpy
import subprocess
import sys

import keras
import pytest

from tutorial_utils.models import backbones, freezing, heads, settings


def scaled_relu(x):
    return 2 * keras.ops.relu(x)


def own_loss(labels, said):
    return keras.ops.mean(keras.ops.square(labels - said))


def network(
    rate=0.2, activation="relu", l2=None, learns=(True, True), loss="sparse_categorical_crossentropy", **options
):
    """Return a compiled network of two Dense layers of the same shape; its weights are always the same."""
    same = dict(activation=activation, kernel_initializer="ones", kernel_regularizer=l2 and keras.regularizers.L2(l2))
    first, second = (keras.layers.Dense(3, trainable=each, **same) for each in learns)
    model = keras.Sequential([keras.Input((3,)), first, keras.layers.Dropout(rate), second])
    model.compile(keras.optimizers.SGD(0.1), loss=loss, **options)
    return model


def about(model=None, callbacks=(), **options):
    return settings.about(model or network(**options), None, None, callbacks, epochs=3)


def test_the_same_network_made_again_is_the_same():
    """Though Keras has numbered its layers anew; and the file's JSON keeps it as it is."""
    assert about() == about() == json.loads(json.dumps(about()))
    assert settings.difference(about(), about()) == ""


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"rate": 0.5}, "layer 2 (Dropout) rate is 0.5, was 0.2"),
        ({"l2": 0.01}, {"l2": 0.1}, "layer 1 (Dense) kernel_regularizer l2 is 0.1, was 0.01"),
        ({}, {"l2": 0.01}, "layer 1 (Dense) kernel_regularizer is 'L2', was None"),
        ({}, {"activation": "tanh"}, "layer 1 (Dense) activation is 'tanh', was 'relu'"),
        ({}, {"activation": scaled_relu}, "layer 1 (Dense) activation is 'scaled_relu', was 'relu'"),
        ({}, {"loss": "mse"}, "loss is 'mean_squared_error', was 'sparse_categorical_crossentropy'"),
        ({"loss": keras.losses.Huber(1.0)}, {"loss": keras.losses.Huber(2.0)}, "loss's delta is 2.0, was 1.0"),
        ({"loss": "mse"}, {"loss": own_loss}, "loss is 'own_loss', was 'mean_squared_error'"),
        ({}, {"loss_weights": [0.5]}, "loss weights is '[0.5]', was None"),
        ({"learns": (True, False)}, {"learns": (False, True)}, "layers that learn changed"),
    ],
)
def test_a_changed_setting_is_noticed_and_named(before, now, told):
    assert about(**now) == about(**now)
    assert told in settings.difference(about(**before), about(**now))


def test_the_metrics_of_a_model_change_no_training():
    assert about(metrics=["accuracy"]) == about()


def test_losses_of_one_name_are_told_apart_by_their_code():
    def made(factor):
        def loss(labels, said):
            return factor * own_loss(labels, said)

        return loss

    assert about(loss=made(2)) == about(loss=made(2))
    assert settings.difference(about(loss=made(2)), about(loss=made(3))) == "the code of loss changed"


def test_schedules_of_one_name_are_told_apart_by_their_code():
    def scheduler(text):
        module = {}
        exec(f"def schedule(epoch, rate): return {text}", module)  # as if the cell had been changed and run again
        return keras.callbacks.LearningRateScheduler(module["schedule"])

    one, same, other = (about(callbacks=[scheduler(text)]) for text in ("rate", "rate  # as it is", "rate / 2"))
    assert one == same
    assert settings.difference(one, other) == "the code of LearningRateScheduler's schedule changed"


def test_two_callbacks_of_one_class_are_told_apart():
    def stops(*patience):
        return [keras.callbacks.EarlyStopping(patience=each) for each in patience]

    assert about(callbacks=stops(2, 5)) == about(callbacks=stops(2, 5))
    told = settings.difference(about(callbacks=stops(2, 5)), about(callbacks=stops(3, 5)))
    assert told == "EarlyStopping's patience is 3, was 2"
    told = settings.difference(about(callbacks=stops(2, 5)), about(callbacks=stops(2, 6)))
    assert told == "EarlyStopping 2's patience is 6, was 5"
    assert settings.difference(about(callbacks=stops(2)), about(callbacks=stops(2, 5))) == "EarlyStopping 2 is new"
    assert settings.difference(about(callbacks=stops(2)), about()) == "EarlyStopping is left out"


class Drop(keras.callbacks.Callback):
    """Divide the rate at some epochs; note when."""

    def __init__(self, epochs, factor, notes=None):
        super().__init__()
        self.epochs, self.factor, self.notes = epochs, factor, [] if notes is None else notes

    def on_epoch_begin(self, epoch, logs=None):
        if epoch in self.epochs:
            self.model.optimizer.learning_rate.assign(self.model.optimizer.learning_rate * self.factor)
            self.notes.append(epoch)


def test_callbacks_of_our_own_are_told_by_what_they_are_made_with():
    one = about(callbacks=[Drop([3, 5], 0.1)])
    assert one == about(callbacks=[Drop([3, 5], 0.1, notes=[3])])  # a record is no setting
    assert settings.difference(one, about(callbacks=[Drop([3, 6], 0.1)])) == "Drop's epochs is '[3, 6]', was '[3, 5]'"
    assert settings.difference(one, about(callbacks=[Drop([3, 5], 0.2)])) == "Drop's factor is 0.2, was 0.1"


def test_the_code_of_a_callback_of_our_own_counts():
    def made(factor):
        class Own(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                self.model.optimizer.learning_rate.assign(factor)

        return [Own()]

    assert about(callbacks=made(1)) == about(callbacks=made(1))
    assert settings.difference(about(callbacks=made(1)), about(callbacks=made(2))) == "the code of Own changed"


def test_where_a_callback_writes_and_whether_it_talks_changes_no_training(tmp_path):
    one = about(callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "one")])
    assert one == about(callbacks=[keras.callbacks.BackupAndRestore(str(tmp_path / "other"))])
    one = about(callbacks=[keras.callbacks.EarlyStopping(verbose=0)])
    assert one == about(callbacks=[keras.callbacks.EarlyStopping(verbose=1)])


def test_optimizers_with_the_same_settings_are_told_apart():
    one, other = network(), network()
    one.compile(keras.optimizers.Nadam(0.1), loss="mse")
    other.compile(keras.optimizers.Adamax(0.1), loss="mse")
    assert "optimizer is 'Adamax', was 'Nadam'" in settings.difference(about(one), about(other))


class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that cannot tell how it is set."""

    def __init__(self, height):
        self.height = height

    def __call__(self, step):
        return self.height / (1 + step)


def test_a_schedule_of_our_own_counts_with_its_settings():
    found = []
    for height in (1.0, 1.0, 2.0):
        model = network()
        model.compile(keras.optimizers.SGD(OwnSchedule(height)), loss="mse")
        found.append(about(model))
    assert found[0] == found[1]
    assert found[0] != found[2]


def with_shortcut(start):
    """Return a model of two layers with a shortcut that starts at the input, 0, or after the first, 1."""
    x = [keras.Input((2,))]
    for _ in range(2):
        x.append(keras.layers.Dense(2, kernel_initializer="ones")(x[-1]))
    model = keras.Model(x[0], x[-1] * 2 + x[start])
    model.compile("sgd", loss="mse")
    return model


def test_how_layers_are_connected_counts():
    assert about(with_shortcut(0)) == about(with_shortcut(0))
    assert settings.difference(about(with_shortcut(0)), about(with_shortcut(1))) == "connections changed"


class Own(keras.Model):
    """A model that is no chain of layers to Keras."""

    def __init__(self, rate, factor=1):
        super().__init__()
        self.dropout, self.dense, self.factor = keras.layers.Dropout(rate), keras.layers.Dense(2), factor

    def call(self, x, training=False):
        return self.factor * self.dense(self.dropout(x, training=training))


def test_a_layer_that_is_a_function_is_told_by_its_code():
    def made(function):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(function)])
        model.compile("sgd", loss="mse")
        return about(model)

    assert made(lambda x: x + 1) == made(lambda x: x + 1)
    assert settings.difference(made(lambda x: x + 1), made(lambda x: x + 2)) == "the code of Lambda's function changed"


class Unsaid(keras.layers.Layer):
    """A layer that cannot tell how it was made: its argument is no plain value."""

    def __init__(self, inner, factor):
        super().__init__()
        self.inner, self.factor = inner, factor

    def call(self, x):
        return self.factor * self.inner(x)


def test_a_model_with_a_layer_that_cannot_tell_how_it_was_made_can_be_trained_too():
    def made(factor):
        x = keras.Input((2,))
        model = keras.Model(x, Unsaid(object.__new__(Doubling), factor)(x))
        model.compile("sgd", loss="mse")
        return about(model)

    assert made(1) == made(1)
    assert settings.difference(made(1), made(2)) == "layer 1 (Unsaid) factor is 2, was 1"


class Doubling:
    def __call__(self, x):
        return 2 * x


def test_a_subclassed_model_is_told_by_its_layers_its_arguments_and_its_code():
    found = []
    for options in (dict(rate=0.1), dict(rate=0.1), dict(rate=0.2), dict(rate=0.1, factor=2)):
        model = Own(**options)
        model.compile("sgd", loss="mse")
        model(keras.ops.ones((1, 2)))
        model.set_weights([keras.ops.ones(weight.shape) for weight in model.weights])
        found.append(about(model))
    assert found[0] == found[1]
    assert "layer 1 (Dropout) rate is 0.2, was 0.1" in settings.difference(found[0], found[2])
    assert "model's factor is 2, was 1" in settings.difference(found[0], found[3])
    assert "the code of Own" in found[0]


def test_the_trained_layers_of_a_frozen_base_and_its_settings_are_told_in_a_word():
    """A borrowed base has some hundred layers: they are told of together, so that the file stays small."""

    def joined(base, last, dropout=0.2):
        freezing.unfreeze(base, last)
        borrowed = backbones.Backbone("tiny", "tiny", base, lambda images: images / 127.5 - 1, "", "", "", "")
        model = heads.build_classifier(borrowed, heads.dense_head(4, 2, units=3, dropout=dropout), 32)
        model.compile("sgd", loss="sparse_categorical_crossentropy")
        return about(model)

    def base(slope=0.1, layers=15):
        inputs = x = keras.Input((None, None, 3))
        for _ in range(layers):
            x = keras.layers.Conv2D(4, 1, kernel_initializer="ones", use_bias=False)(x)
            x = keras.layers.LeakyReLU(slope)(x)
        return keras.Model(inputs, x)

    shared = base()
    one = joined(shared, 4)
    assert one == joined(shared, 4)  # another head on the very same layers
    assert one == joined(base(), 4)
    assert settings.difference(one, joined(base(), 8)) == "layers that learn changed"
    assert settings.difference(one, joined(base(0.3), 4)) == "the base's layers changed"
    told = settings.difference(one, joined(base(), 4, dropout=0.5))
    assert told == "layer 5 (Sequential) layer 2 (Dropout) rate is 0.5, was 0.2"
    assert len(json.dumps(one)) < 5000
    assert len(json.dumps(joined(base(layers=60), 4))) < 5000


def test_a_long_list_of_differences_is_cut():
    before, now = ({str(number): number + shift for number in range(9)} for shift in (0, 1))
    assert settings.difference(before, now) == "0 is 1, was 0; 1 is 2, was 1; 2 is 3, was 2; 3 is 4, was 3; and 5 more"


SCRIPT = """
import json
import keras
from tutorial_utils.models import settings

class Own(keras.layers.Layer):
    kinds = frozenset({"one", "two", "three"})
    def call(self, x):
        return x if "two" in self.kinds | {"four", "five"} else -x

def schedule(epoch, rate):
    return rate if epoch in {3, 4, 5} or str(epoch) in {"a", "b", "c"} else rate / 2

inputs = keras.Input((3,))
x = keras.layers.Dense(3, kernel_initializer="ones", activation=lambda x: x + 1)(inputs) * 2
model = keras.Model(inputs, keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones"), Own()])(x))
model.compile(keras.optimizers.Adam(0.1), loss=keras.losses.Huber())
callbacks = [keras.callbacks.LearningRateScheduler(schedule), keras.callbacks.EarlyStopping()]
print(json.dumps(settings.about(model, None, None, callbacks, epochs=2)))
"""


def test_another_process_finds_the_same(tmp_path, capsys):
    """With other seeds of Python's own hashes, and without the layers that other tests have made."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONHASHSEED": "5", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(script)]
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    runpy.run_path(str(script))
    assert capsys.readouterr().out == there
