"""The controls of chapter 3: a head that is trained anew whenever a control moves, and what it says of each photo."""

import time

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from seaborn.utils import relative_luminance

from ..evaluation import metrics, plots
from ..models import heads, training
from .controls import WIDE, live_view

EPOCHS = 20
MOST = 400  # photos that a head learns from here, of all classes together: more would take longer than a second
SECONDS = 1.0  # that a training may last
UNITS = (2, 8, 32, 128)
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
DROPOUTS = (0.0, 0.2, 0.5, 0.8)


def explore_head(train, validation, class_names, groups=None):
    """Return four controls over a head on stored features, which is trained anew whenever one moves.

    train, validation : (features, labels), float (photos, channels) and int (photos,)
    groups : of the validation photos (photos,), for the interval; None: all independent
    """
    numbers, board = photos_a_class(train[1]), _Board(class_names)

    def show(**settings):
        return plots.as_html(*draw_head(train, validation, class_names, groups, board=board, **settings))

    def slide(options, value, text):
        return ipywidgets.SelectionSlider(
            options=options, value=value, description=text, continuous_update=False, style=WIDE
        )

    controls = {
        "number": slide(numbers, numbers[-1], "photos a class"),
        "units": slide(UNITS, 32, "hidden units"),
        "rate": slide([(np.format_float_positional(rate), rate) for rate in RATES], 1e-3, "learning rate"),
        "dropout": slide(DROPOUTS, 0.2, "dropout"),
    }
    first, second, third, fourth = controls.values()
    rows = [ipywidgets.HBox([first, second]), ipywidgets.HBox([third, fourth])]
    return ipywidgets.VBox([*rows, live_view(show, **controls)])


def photos_a_class(labels):
    """Return how many photos a class there are to choose from: 2, 5, 10, ..., up to all, within MOST photos."""
    counts = np.bincount(labels)
    most = max(1, min(counts.max(), MOST // len(counts)))
    return [number for number in (2, 5, 10, 20, 40) if number < most] + [int(most)]


def draw_head(
    train, validation, class_names, groups=None, number=10, units=32, rate=1e-3, dropout=0.2, seed=0, board=None
):
    """Return (Figure, alt text): the loss curves of a head that is trained now, and its confusion matrix.

    The arguments are those of `explore_head`; number : photos a class, as far as there are so many
    board : a _Board to draw on; None: a new one
    """
    head, history = train_small(train, validation, number, units, rate, dropout, seed)
    features, labels = validation
    predicted = np.asarray(head(features, training=False)).argmax(axis=1)
    score = metrics.accuracy(labels, predicted, groups)
    text = (
        f"{number} photos a class, {units} hidden units, rate {np.format_float_positional(rate)}, dropout {dropout:g}"
    )
    counts = metrics.confusion(labels, predicted, len(class_names))
    figure = (board or _Board(class_names)).redrawn(history, counts, f"{text}\nvalidation accuracy {score}")
    best = history.index[history["kept"]][0]
    return figure, f"{text}: lowest validation loss at epoch {best} of {history.index[-1]}, validation accuracy {score}"


def train_small(train, validation, number, units, rate, dropout, seed=0):
    """Return (head, history) of a head that learned from at most `number` photos a class, for at most SECONDS."""
    features, labels = train
    rows = first_of_each(labels, number, seed)
    head = heads.dense_head(features.shape[1], int(labels.max()) + 1, units, dropout, seed)
    learned = (features[rows], labels[rows])
    history = training.train_head(head, learned, validation, EPOCHS, rate, seed, rounds=_for_a_second)
    return head, history


def first_of_each(labels, number, seed=0):
    """Return at most `number` rows of each class, drawn by `seed`; a larger number adds rows and takes none away."""
    order = np.random.default_rng(seed).permutation(len(labels))
    return np.sort(np.concatenate([order[labels[order] == label][:number] for label in np.unique(labels)]))


def _for_a_second(epochs):
    """Give the numbers of the epochs; end early rather than let a reader wait."""
    end = time.monotonic() + SECONDS
    for number in range(epochs):
        if number and time.monotonic() > end:
            return
        yield number


class _Board:
    """One figure of curves and matrix that is drawn anew in place: a new one would take longer than the training."""

    def __init__(self, class_names):
        self.figure, self.laid_out = Figure(figsize=(10, 4.1), layout="constrained"), False
        self.curves, matrix = self.figure.subplots(1, 2, width_ratios=(1, 1.1))
        blue, red, black = (plots.PALETTE[name] for name in ("blue", "red", "black"))
        (self.train,) = self.curves.plot([], [], "-o", color=blue, markersize=3, label="training")
        (self.val,) = self.curves.plot([], [], "-s", color=red, markersize=3, label="validation")
        (self.kept,) = self.curves.plot([], [], "o", color=black, fillstyle="none", markersize=10, label="kept epoch")
        self.curves.set(xlabel="epoch", ylabel="loss (cross-entropy, nats)", title="Loss", xlim=(-0.5, EPOCHS + 0.5))
        self.curves.xaxis.set_major_locator(MaxNLocator(integer=True))
        self.curves.yaxis.set_major_formatter("{x:.1f}")  # as wide for any loss, so that all keeps its place
        self.curves.grid(alpha=0.3)
        self.curves.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=3)  # no curve goes there
        blank = np.zeros((len(class_names),) * 2, int)
        self.matrix = plots.plot_confusion(blank, class_names, ax=matrix, title="Confusion matrix, validation photos")

    def redrawn(self, history, counts, title):
        """Return the Figure of a history, as from training.train_head, and of counts, int (classes, classes)."""
        self.train.set_data(history.index, history["loss"])
        self.val.set_data(history.index, history["val_loss"])
        kept = history[history["kept"]]
        self.kept.set_data(kept.index, kept["val_loss"])
        highest = np.nanmax(history[["loss", "val_loss"]].to_numpy())
        self.curves.set_ylim(0, 1.05 * highest if np.isfinite(highest) else None)
        mesh = self.matrix.collections[0]
        mesh.set_array(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
        mesh.update_scalarmappable()
        colors = mesh.get_facecolors()  # (cells, 4)
        for text, count, color in zip(self.matrix.texts, counts.ravel(), colors, strict=True):
            text.set(text=str(count), color="0.15" if relative_luminance(color) > 0.408 else "white")
        self.figure.suptitle(title, fontsize=10)
        if not self.laid_out:  # once: to find the places takes as long as to draw
            self.figure.draw_without_rendering()
            self.figure.set_layout_engine("none")
            self.laid_out = True
        return self.figure


def browse_predictions(images, labels, probabilities, class_names):
    """Return a slider over photos; each with a bar for the probability of every class.

    images : uint8 (photos, h, w, 3); labels : int (photos,); probabilities : (photos, classes)
    """

    def show(photo):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
        left.imshow(images[photo])
        left.set_axis_off()
        left.set_title(f"true class: {class_names[labels[photo]]}", fontsize=9)
        colors = [plots.PALETTE["blue"]] * len(class_names)
        colors[labels[photo]] = plots.PALETTE["orange"]
        right.barh(class_names, 100 * probabilities[photo], color=colors)
        right.invert_yaxis()
        right.set(xlim=(0, 100), xlabel="probability (%)", title="what the model says (orange: true class)")
        said = class_names[int(np.argmax(probabilities[photo]))]
        return plots.as_html(figure, f"Photo {photo} of class {class_names[labels[photo]]}; the model says {said}")

    slider = ipywidgets.IntSlider(0, min=0, max=len(images) - 1, description="photo", continuous_update=False)
    return ipywidgets.VBox([slider, live_view(show, photo=slider)])
