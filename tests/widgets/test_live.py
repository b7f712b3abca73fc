"""The live plot is driven without a browser; what its widget holds must follow."""

import ipywidgets
import keras
import numpy as np
import pytest

from tutorial_utils.widgets import live

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
    monkeypatch.setattr(live, "_in_notebook", lambda: True)
    monkeypatch.setattr(live, "display", lambda content, display_id: found.append(content) or place)
    monkeypatch.setattr(live.plots, "show", lambda figure, alt, path=None: found.append((figure, alt, path)))
    found.append(place)
    return found


def begin(plot, epochs=10):
    plot.set_params({"epochs": epochs})
    plot.on_train_begin()
    return plot


def test_the_picture_follows_the_epochs(shown):
    plot = begin(live.LivePlot("Two epochs", seconds=0))
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
    plot = begin(live.LivePlot("Done", path="curves.png", seconds=3600))
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
    history = live.LivePlot().history
    assert history.empty
    plot = live.LivePlot()
    for epoch, loss in enumerate([3.0, 2.0]):
        plot.on_epoch_end(epoch, {**SCORES, "loss": loss})
    figure = live._Curves(["loss", "accuracy"], "title", 20).redrawn(plot.history)
    left, right = figure.axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), [3.0, 2.0])
    np.testing.assert_array_equal(right.lines[1].get_ydata(), [25.0, 25.0])  # percent
    assert left.get_xlim() == (0.5, 20.5)


@pytest.mark.parametrize("logs", [{}, None, {"mae": 1.0}])
def test_scores_that_it_does_not_know_are_left_out(shown, logs):
    plot = begin(live.LivePlot(seconds=0))
    plot.on_epoch_end(0, logs)
    plot.on_train_end()
    assert len(shown) == 2  # the place and the view, no picture


def test_a_loss_that_is_no_number_is_drawn_all_the_same(shown):
    plot = begin(live.LivePlot(seconds=0))
    for epoch, loss in enumerate([1e22, float("inf"), float("nan")]):
        plot.on_epoch_end(epoch, {"loss": loss, "val_loss": loss})
    plot.on_train_end()
    assert "loss nan" in shown[-1][1]


def test_outside_a_notebook_nothing_is_drawn_but_the_file(tmp_path, capsys):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    x, y = np.ones((4, 2)), np.zeros((4, 1))
    silent = live.LivePlot(seconds=0)
    filed = live.LivePlot("In a script", tmp_path / "curves.png", seconds=0)
    model.fit(x, y, validation_data=(x, y), epochs=3, verbose=0, callbacks=[silent, filed])
    assert silent.drawings == filed.drawings == []
    assert (tmp_path / "curves.png").read_bytes()[1:4] == b"PNG"
    assert capsys.readouterr().out.startswith("In a script: the curves by epoch; after epoch 3:")
    assert list(silent.history.columns) == ["loss", "val_loss"]


def test_a_second_training_starts_a_new_picture(shown):
    plot = begin(live.LivePlot(seconds=0))
    plot.on_epoch_end(0, SCORES)
    plot.on_train_end()
    begin(plot)
    plot.on_epoch_end(0, SCORES)
    assert len(plot.history) == len(plot.drawings) == 1
