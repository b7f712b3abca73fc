"""The controls of chapter 5: the simulated callbacks agree with Keras, and the live plot follows its training."""

import ipywidgets
import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas
import pytest

from tests.widgets.boxes import find
from tutorial_utils.widgets import callbacks

GENERATOR = np.random.default_rng(0)
CURVES = {
    "by hand": [0.9, 0.7, 0.8, 0.75, 0.72, 0.6],
    "falls": list(np.linspace(1, 0.1, 12)),
    "rises": list(np.linspace(0.1, 1, 12)),
    "level": [0.5] * 10,
    "creeps": [1 - 0.002 * epoch for epoch in range(20)],
    "noisy": list(0.5 + np.exp(-np.arange(30) / 5) + GENERATOR.normal(0, 0.03, 30)),
    "turns": list(0.5 + np.exp(-np.arange(40) / 5) + 0.005 * np.arange(40) + GENERATOR.normal(0, 0.01, 40)),
    "ruined": [0.9, 0.8, float("nan"), float("nan"), 0.7, float("inf"), 0.6],
    "one epoch": [0.5],
}


@pytest.fixture(scope="module")
def model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), loss="mse")
    return model


def driven(model, callback, losses):
    """Hand losses to one of Keras's callbacks, as `fit` does, until it stops; return the rate that each epoch had."""
    model.optimizer.learning_rate.assign(0.01)
    model.stop_training, rates = False, []
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        rates.append(float(model.optimizer.learning_rate))
        callback.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            break
    callback.on_train_end()
    return rates


@pytest.mark.parametrize(
    ("patience", "min_delta", "expected"),
    [(1, 0, (3, 2)), (3, 0, (5, 2)), (4, 0, (6, 6)), (9, 0, (6, 6)), (4, 0.15, (6, 2)), (9, 0.25, (6, 6))],
)
def test_where_early_stopping_stops_by_hand(patience, min_delta, expected):
    assert callbacks.stopping_epoch(CURVES["by hand"], patience, min_delta) == expected


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize(("patience", "min_delta"), [(1, 0), (3, 0), (3, 0.01), (5, 0.05), (2, 0.3)])
def test_stopping_agrees_with_keras(model, name, patience, min_delta):
    stop = keras.callbacks.EarlyStopping("val_loss", min_delta, patience, restore_best_weights=True)
    epochs = len(driven(model, stop, CURVES[name]))
    assert (epochs, stop.best_epoch + 1) == callbacks.stopping_epoch(CURVES[name], patience, min_delta)


REDUCING = [(1, 0.1, 1e-6), (3, 0.2, 1e-6), (2, 0.5, 4e-3), (5, 0.8, 0)]


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize(("patience", "factor", "lowest"), REDUCING)
def test_the_rates_agree_with_keras(model, name, patience, factor, lowest):
    plateau = keras.callbacks.ReduceLROnPlateau("val_loss", factor, patience, min_lr=lowest)
    rates = callbacks.reduced_rates(CURVES[name], 0.01, patience, factor, lowest=lowest)
    np.testing.assert_allclose(driven(model, plateau, CURVES[name]), rates, rtol=1e-5)


class Script(keras.callbacks.Callback):
    """Gives every epoch the loss that the curve by hand says."""

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = CURVES["by hand"][epoch]


def test_a_real_training_under_both_goes_as_said(model):
    model.optimizer.learning_rate.assign(0.01)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=3)
    plateau = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.1, patience=2)
    x, losses = np.ones((2, 1)), CURVES["by hand"]
    record = model.fit(x, x, epochs=len(losses), verbose=0, callbacks=[Script(), plateau, stop])
    assert (len(record.epoch), stop.best_epoch + 1) == callbacks.stopping_epoch(losses, 3) == (5, 2)
    rates = callbacks.reduced_rates(losses, 0.01, patience=2, factor=0.1)
    np.testing.assert_allclose(record.history["learning_rate"], rates[:5], rtol=1e-5)


def test_the_rates_by_hand():
    """Epochs 3 and 4 are no better than the 0.7 of epoch 2: the rate of epoch 5 is the first lower one."""
    rates = callbacks.reduced_rates(CURVES["by hand"], 0.01, patience=2, factor=0.1)
    np.testing.assert_allclose(rates, [0.01] * 4 + [0.001] * 2)


@pytest.fixture
def history():
    index = pandas.RangeIndex(1, 7, name="epoch")
    return pandas.DataFrame({"loss": np.linspace(1, 0.5, 6), "val_loss": CURVES["by hand"]}, index=index)


def test_the_stop_follows_the_controls(history):
    box = callbacks.explore_callbacks(history, patience=2)
    (patience,), (delta,), (view,) = find(box, "IntSlider"), find(box, "SelectionSlider"), find(box, "HTML")
    assert "patience 2 and minimum delta 0 stops after epoch 4 and keeps epoch 2" in view.value
    patience.value = 4
    assert "patience 4 and minimum delta 0 stops after epoch 6 and keeps epoch 6" in view.value
    delta.value = 0.1
    assert "patience 4 and minimum delta 0.1 stops after epoch 6 and keeps epoch 2" in view.value
    assert "ReduceLROnPlateau" not in view.value


def test_the_rates_follow_the_controls_and_are_not_claimed_to_be_the_real_ones(history):
    box = callbacks.explore_callbacks(history, rate=0.01, patience=9)
    (_, wait), (_, factor), (view,) = find(box, "IntSlider"), find(box, "SelectionSlider"), find(box, "HTML")
    assert "lowers the rate once after epoch 5, to 0.002 at the end" in view.value
    assert "from the first drop on, the curve would have been another" in view.value
    factor.value = 0.1
    assert "lowers the rate once after epoch 5, to 0.001 at the end" in view.value
    wait.value = 1
    assert "lowers the rate 3 times, first after epoch 3, to 1e-05 at the end" in view.value
    wait.value = 6
    assert "never lowers the rate" in view.value


def test_no_rate_is_lowered_after_the_stop(history):
    figure, alt = callbacks.draw_callbacks(history, patience=1, rate=0.01, wait=1, factor=0.1)
    assert "stops after epoch 3" in alt
    assert "never lowers" in alt  # what the callback does after the last epoch, no epoch learns with
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_xdata(), [1, 2, 3])
    plt.close(figure)


def test_row_0_of_a_history_is_no_epoch(history):
    start = pandas.DataFrame({"loss": [np.nan], "val_loss": [0.1]}, index=[0])
    figure, alt = callbacks.draw_callbacks(pandas.concat([start, history]), patience=3)
    assert "stops after epoch 5 and keeps epoch 2" in alt
    plt.close(figure)


SCORES = {"loss": 1.0, "val_loss": 1.5, "accuracy": 0.5, "val_accuracy": 0.25}


class Place:
    """Stands for the place under a cell that IPython gives, and keeps what it is updated with."""

    def __init__(self):
        self.updates = []

    def update(self, content):
        self.updates.append(content)


@pytest.fixture
def shown(monkeypatch):
    """Let the plot believe that it is in a notebook; return what it displays."""
    found, place = [], Place()

    def show(figure, alt, path=None):
        plt.close(figure)
        found.append((figure, alt, path))

    monkeypatch.setattr(callbacks, "_in_notebook", lambda: True)
    monkeypatch.setattr(callbacks, "display", lambda content, display_id: found.append(content) or place)
    monkeypatch.setattr(callbacks.plots, "show", show)
    found.append(place)
    return found


def begin(plot, epochs=10):
    plot.set_params({"epochs": epochs})
    plot.on_train_begin()
    return plot


def test_the_picture_follows_the_epochs(shown):
    plot = begin(callbacks.LivePlot("Two epochs", seconds=0))
    plot.on_epoch_end(0, SCORES)
    place, view = shown
    assert isinstance(view, ipywidgets.HTML)
    assert 'alt="Two epochs: the curves by epoch; after epoch 1: loss 1.000, validation loss 1.500' in view.value
    first = view.value
    plot.on_epoch_end(1, {**SCORES, "val_loss": 1.25})
    assert "after epoch 2: loss 1.000, validation loss 1.250" in view.value
    assert view.value != first
    assert len(plot.drawings) == 2
    assert not place.updates


def test_the_finished_picture_takes_the_place_of_the_view(shown):
    plot = begin(callbacks.LivePlot("Done", path="curves.png", seconds=3600))
    for epoch in range(3):
        plot.on_epoch_end(epoch, SCORES)
    assert len(plot.drawings) == 1  # the first epoch is drawn at once, the others come too soon
    plot.on_train_end()
    place, view, (figure, alt, path) = shown
    assert len(place.updates) == 1
    assert view.comm is None  # closed
    assert path == "curves.png"
    assert "after epoch 3" in alt
    assert len(figure.axes[0].lines[0].get_xdata()) == 3
    assert plot.history.index.tolist() == [1, 2, 3]


def test_the_lines_hold_the_scores():
    history = callbacks.LivePlot().history
    assert history.empty
    plot = callbacks.LivePlot()
    for epoch, loss in enumerate([3.0, 2.0]):
        plot.on_epoch_end(epoch, {**SCORES, "loss": loss})
    figure = callbacks._Curves(["loss", "accuracy"], "title", 20).redrawn(plot.history)
    left, right = figure.axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), [3.0, 2.0])
    np.testing.assert_array_equal(right.lines[1].get_ydata(), [25.0, 25.0])  # percent
    assert left.get_xlim() == (0.5, 20.5)


@pytest.mark.parametrize("logs", [{}, None, {"mae": 1.0}])
def test_scores_that_it_does_not_know_are_left_out(shown, logs):
    plot = begin(callbacks.LivePlot(seconds=0))
    plot.on_epoch_end(0, logs)
    plot.on_train_end()
    assert len(shown) == 2  # the place and the view, no picture


def test_a_loss_that_is_no_number_is_drawn_all_the_same(shown):
    plot = begin(callbacks.LivePlot(seconds=0))
    for epoch, loss in enumerate([1e22, float("inf"), float("nan")]):
        plot.on_epoch_end(epoch, {"loss": loss, "val_loss": loss})
    plot.on_train_end()
    assert "loss nan" in shown[-1][1]


def test_outside_a_notebook_nothing_is_drawn_but_the_file(tmp_path, capsys):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    x, y = np.ones((4, 2)), np.zeros((4, 1))
    silent = callbacks.LivePlot(seconds=0)
    filed = callbacks.LivePlot("In a script", tmp_path / "curves.png", seconds=0)
    model.fit(x, y, validation_data=(x, y), epochs=3, verbose=0, callbacks=[silent, filed])
    assert silent.drawings == filed.drawings == []
    assert (tmp_path / "curves.png").read_bytes()[1:4] == b"PNG"
    assert capsys.readouterr().out.startswith("In a script: the curves by epoch; after epoch 3:")
    assert list(silent.history.columns) == ["loss", "val_loss"]


def test_a_second_training_starts_a_new_picture(shown):
    plot = begin(callbacks.LivePlot(seconds=0))
    plot.on_epoch_end(0, SCORES)
    plot.on_train_end()
    begin(plot)
    plot.on_epoch_end(0, SCORES)
    assert len(plot.history) == len(plot.drawings) == 1
