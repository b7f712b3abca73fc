"""The controls of chapter 5: the curves of a training while it runs, and what callbacks would have done in one."""

import functools
import time

import IPython
import ipywidgets
import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas
from IPython.display import HTML, display
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..evaluation import plots
from .controls import live_box, option_slider, slider

DELTAS = [0.0, 0.001, 0.003, 0.01, 0.03, 0.1]  # nats
FACTORS = [0.1, 0.2, 0.5, 0.8]
_PANELS = {"loss": "loss (cross-entropy, nats)", "accuracy": "accuracy (%)"}
_LINES = {"": ("training", "blue", "-o"), "val_": ("validation", "red", "-s")}


class LivePlot(keras.callbacks.Callback):
    """Draw loss and accuracy into an HTML widget while a training runs (chapter 5).

    title : stands above the curves; path : where the finished picture is saved as a PNG, None for nowhere
    seconds : so long between two drawings at least; the last epoch is always drawn
    When the training ends, the finished picture takes the widget's place, so that a saved notebook shows it; a
    training that is interrupted leaves what was drawn last. Outside a notebook nothing is drawn but the file.
    `drawings` is how many seconds each drawing took; `history` the scores, a DataFrame indexed by epoch.
    """

    only_watches = True  # so a training may be gone on with that had none (models/checkpoints)

    def __init__(self, title="Training", path=None, seconds=1.0):
        super().__init__()
        self.title, self.path, self.seconds = title, path, seconds
        self.drawings = []
        self._rows, self._curves = {}, None
        self._view, self._place = None, None

    @property
    def history(self):
        """The scores so far, a DataFrame indexed by epoch, from 1."""
        return pandas.DataFrame.from_dict(self._rows, orient="index").rename_axis("epoch")

    def on_train_begin(self, logs=None):
        """Put an empty view under the cell."""
        self._rows, self._curves, self._drawn, self.drawings = {}, None, -self.seconds, []
        if _in_notebook():
            self._view = ipywidgets.HTML("Waiting for the end of the first epoch.", layout={"width": "100%"})
            self._place = display(self._view, display_id=True)

    def on_epoch_end(self, epoch, logs=None):
        """Note the scores of the epoch that has ended; draw them if it is time."""
        self._rows[epoch + 1] = {name: float(value) for name, value in (logs or {}).items()}
        if self._view is not None and time.monotonic() - self._drawn >= self.seconds:
            self._draw()

    def on_train_end(self, logs=None):
        """Put the finished picture in the place of the view."""
        if self._place is not None:
            self._place.update(HTML(""))
        if self._view is not None:
            self._view.close()
        if self._panels() and (self._view is not None or self.path is not None):
            plots.show(plots.plot_history(self.history, self.title), self._alt(), self.path)
        self._view = self._place = None

    def _panels(self):
        names = {name.removeprefix("val_") for row in self._rows.values() for name in row}
        return [name for name in _PANELS if name in names]

    def _draw(self):
        started = time.monotonic()
        if self._curves is None and self._panels():
            self._curves = _Curves(self._panels(), self.title, max(self.params.get("epochs") or 0, 2))
        if self._curves is not None:
            self._view.value = plots.as_html(self._curves.redrawn(self.history), self._alt())
        self._drawn = time.monotonic()
        self.drawings.append(self._drawn - started)

    def _alt(self):
        last = self.history.index[-1]
        scores = [f"{name.replace('val_', 'validation ')} {value:.3f}" for name, value in self._rows[last].items()]
        return f"{self.title}: the curves by epoch; after epoch {last}: {', '.join(scores)}"


class _Curves:
    """One figure whose lines grow: that takes half the time of a new one. epochs : how far the axis goes."""

    def __init__(self, panels, title, epochs):
        self.figure = Figure(figsize=(4.8 * len(panels), 3.6))
        self.figure.suptitle(title, fontsize=12)
        self.lines = {}
        axes = self.figure.subplots(1, len(panels), squeeze=False).flat
        for ax, panel in zip(axes, panels, strict=True):
            for prefix, (label, color, style) in _LINES.items():
                (line,) = ax.plot([], [], style, color=plots.PALETTE[color], label=label, markersize=3)
                self.lines[prefix + panel] = line
            ax.set(xlabel="epoch", ylabel=_PANELS[panel], xlim=(0.5, epochs + 0.5))
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            ax.grid(alpha=0.3)
            ax.legend(fontsize=8, loc="upper right" if panel == "loss" else "lower right")

    def redrawn(self, history):
        """Return the Figure with all epochs of a history."""
        for name, line in self.lines.items():
            if name in history:
                scale = 100 if name.endswith("accuracy") else 1
                line.set_data(history.index, scale * history[name])
        for ax in self.figure.axes:
            ax.relim()
            ax.autoscale_view(scalex=False)
        return self.figure


def _in_notebook():
    """Return whether a notebook's kernel runs this."""
    return hasattr(IPython.get_ipython(), "kernel")


def explore_callbacks(history, rate=None, patience=5):
    """Return sliders over EarlyStopping's patience and minimum delta, and what it would have done in a finished run.

    history : DataFrame indexed by epoch with `loss` and `val_loss`, from a run at a fixed rate that was not stopped
    rate : that run's learning rate: also sliders over ReduceLROnPlateau's patience and factor; None: none of these
    """
    stop, reduce = ("", "") if rate is None else ("EarlyStopping: ", "ReduceLROnPlateau: ")
    sliders = {
        "patience": slider(f"{stop}patience", patience, 1, 15, width="34em"),
        "min_delta": option_slider(f"{stop}minimum delta", 0.0, DELTAS, width="34em"),
    }
    if rate is not None:
        sliders |= {
            "wait": slider(f"{reduce}patience", 3, 1, 15, width="34em"),
            "factor": option_slider(f"{reduce}factor", 0.2, FACTORS, width="34em"),
        }
    return live_box(functools.partial(draw_callbacks, history, rate=rate), per_row=1, **sliders)


def draw_callbacks(history, patience, min_delta=0.0, rate=None, wait=3, factor=0.2):
    """Return (Figure, alt text): a finished run's losses, where EarlyStopping would end it and what it would keep.

    history, rate : as for `explore_callbacks`; with a rate, ReduceLROnPlateau's rates stand below
    """
    trained = history[history.index > 0]
    losses = trained["val_loss"].to_numpy()
    stopped, kept = stopping_epoch(losses, patience, min_delta)
    count = 1 if rate is None else 2
    figure, axes = plt.subplots(
        count, 1, squeeze=False, sharex=True, figsize=(6.6, 3.6 if count == 1 else 5.6), layout="constrained",
        height_ratios=[5, 3][:count],
    )  # fmt: skip
    alt = f"EarlyStopping with patience {patience} and minimum delta {min_delta:g} "
    alt += f"stops after epoch {stopped} and keeps epoch {kept}"
    _draw_stop(axes[0, 0], trained, stopped, kept)
    axes[0, 0].set_title(alt.replace(" stops", "\nstops"), fontsize=11)
    if rate is not None:
        named = f"ReduceLROnPlateau with patience {wait} and factor {factor:g}"
        alt += _draw_rates(axes[:, 0], reduced_rates(losses, rate, wait, factor)[:stopped], named)
    axes[-1, 0].set_xlabel("epoch")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=3)
    return figure, alt


def _draw_stop(ax, trained, stopped, kept):
    ax.plot(trained.index, trained["loss"], "--", color=plots.PALETTE["blue"], label="training")
    ax.plot(trained.index, trained["val_loss"], color=plots.PALETTE["orange"], label="validation")
    ax.axvline(stopped, color=plots.PALETTE["black"], linewidth=1, label=f"stops after epoch {stopped}")
    if stopped < len(trained):
        ax.axvspan(stopped, len(trained), color="0.9", label="not run")
    ax.plot(kept, trained["val_loss"].iloc[kept - 1], "o", color=plots.PALETTE["green"], label=f"keeps epoch {kept}")
    ax.set_ylabel("loss (cross-entropy, nats)")


def _draw_rates(axes, rates, named):
    """Draw the rates (epochs,) below the losses, mark from where on the losses would be others; return a sentence.

    named : the callback that lowers them
    """
    epochs, drops = 1 + np.arange(len(rates)), 1 + np.flatnonzero(np.diff(rates) < 0)  # drops: the last at the old rate
    axes[1].step(epochs, rates, where="mid", color=plots.PALETTE["blue"])
    axes[1].set(ylabel="learning rate", yscale="log")
    ends = sorted({rates.max(), rates.min()})
    axes[1].set_yticks(ends, [f"{end:g}" for end in ends])
    axes[1].minorticks_off()
    axes[1].grid(alpha=0.3)
    if not len(drops):
        said = f"{named} never lowers the rate"
        axes[1].set_title(said, fontsize=10)
        return f"; {said}"
    times = "once" if len(drops) == 1 else f"{len(drops)} times, first"
    said = f"{named} lowers the rate {times} after epoch {drops[0]}"
    axes[1].set_title(said.replace(" lowers", "\nlowers"), fontsize=10)
    for ax in axes:
        ax.axvspan(drops[0] + 0.5, epochs[-1] + 0.5, color=plots.PALETTE["purple"], alpha=0.2, linewidth=0,
                   label="a lower rate would have changed the curve here")  # fmt: skip
    return f"; {said}, to {rates[-1]:g} at the end; from the first drop on, the curve would have been another"


def stopping_epoch(losses, patience, min_delta=0.0):
    """Return (the last epoch that runs, the epoch that is kept), from 1, as keras.callbacks.EarlyStopping does."""
    best = 0
    for epoch, loss in enumerate(losses):
        if _better(loss, losses[best], min_delta):
            best = epoch
        elif epoch - best >= max(patience, 1):
            return epoch + 1, best + 1
    return len(losses), best + 1


def reduced_rates(losses, rate, patience, factor, min_delta=1e-4, lowest=1e-6):
    """Return the rate that each epoch learns with (epochs,), as keras.callbacks.ReduceLROnPlateau sets it.

    rate : that of the first epoch; lowest : the callback's min_lr; min_delta : its own, not EarlyStopping's
    """
    rates, best, waited = [], None, 0
    for loss in losses:
        rates.append(rate)
        if best is None or _better(loss, best, min_delta):
            best, waited = loss, 0
            continue
        waited += 1
        if waited >= patience and rate > lowest:
            rate, waited = max(rate * factor, lowest), 0
    return np.array(rates)


def _better(loss, best, min_delta):
    return np.float32(loss + min_delta) < np.float32(best)  # Keras compares in 32 bits
