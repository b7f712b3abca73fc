"""A training's curves, drawn while it runs: a plot of one's own for a notebook."""

import time

import IPython
import ipywidgets
import keras
import pandas
from IPython.display import HTML, display
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..evaluation import plots

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
            picture = plots.as_html(self._curves.redrawn(self.history), self._alt())
            self._view.value = picture.replace("<img ", '<img style="max-width: 100%" ', 1)  # as outputs have it
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
