"""Figures of the course: each with a title, labeled axes, units, and a text for those who cannot see it."""

import base64
import html
import io
import math
import textwrap
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import MaxNLocator
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .. import _files

plt.rcParams["text.parse_math"] = False  # names of classes and files may hold dollars

# Colors that people with any color vision can tell apart: Okabe and Ito (2008), Color Universal Design.
PALETTE = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "red": "#D55E00",
    "yellow": "#F0E442",
    "black": "#000000",
}

MOST_NAMED = 30  # classes that a figure can name one by one


def named_places(count, most=MOST_NAMED):
    """Return the places of the classes that a figure names, int (at most `most`,): all, or some evenly spread.

    count : number of classes, 1 or more
    """
    return np.arange(0, count, -(-count // most))


def photo_grid(images, titles=None, columns=6, title=None, size=1.6):
    """Return a Figure of photos in rows, each with its own title.

    images : list or array of (height, width, 3) or (height, width), 0-255; sizes may differ
    titles : one text a photo, or None
    columns : photos a row at most; size : inches a photo
    Raises ValueError for no images, pixels that are not 0-255, or another number of titles.
    """
    pictures = [_pixels(image) for image in images]
    if not pictures:
        raise ValueError("Expected at least one image; got none. Is the selection of photos empty?")
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"Expected a title for each of {len(pictures)} images; got {len(titles)}.")
    names = [_wrapped(name, round(15 * size / 1.6)) for name in ([] if titles is None else titles)]
    lines = max((name.count("\n") + 1 for name in names), default=0)
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    figure, axes = plt.subplots(
        rows, columns, squeeze=False, layout="constrained",
        figsize=(columns * size, rows * (size + 0.16 * lines) + 0.4),
        subplot_kw={"xticks": [], "yticks": []},  # nobody sees them, but to lay them out takes as long as all the rest
    )  # fmt: skip
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, picture in zip(axes.flat, pictures, strict=False):  # the last row may be short
        ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
    for ax, name in zip(axes.flat, names, strict=False):
        ax.set_title(name, fontsize=8)
    heading = title or f"{len(pictures)} photos"
    figure.suptitle("\n".join(textwrap.wrap(heading, max(20, round(11 * columns * size)))), fontsize=11)
    return figure


def plot_history(history_table, title=None):
    """Return a Figure of a training run: loss on the left, accuracy on the right, epoch by epoch.

    history_table : DataFrame, one row an epoch, any of the columns loss, val_loss, accuracy, val_accuracy
        (fractions); where a column phase changes, a line with the new phase's name
    A ring marks each panel's best validation epoch. Epochs count from 1, or are the index if it is named
    "epoch" (training.fit: 0 is the state before training).
    Raises ValueError if there is no epoch or none of the columns.
    """
    panels = {
        "loss": ("loss (cross-entropy, nats)", 1, "lowest", "{:.3f}"),
        "accuracy": ("accuracy (%)", 100, "highest", "{:.1f} %"),
    }
    drawn = [name for name in panels if {name, f"val_{name}"} & set(history_table.columns)]
    if not drawn or not len(history_table):
        raise ValueError(
            "Expected a row an epoch and columns among loss, val_loss, accuracy, val_accuracy; got "
            f"{len(history_table)} rows of {list(history_table.columns)}. Use pd.DataFrame(history.history)."
        )
    figure, axes = plt.subplots(1, len(drawn), squeeze=False, layout="constrained", figsize=(4.8 * len(drawn), 3.6))
    for ax, name in zip(axes.flat, drawn, strict=True):
        _history_panel(ax, history_table, name, *panels[name])
    figure.suptitle(title or f"Training history, {_epochs(history_table)[-1]} epochs", fontsize=12)
    return figure


def plot_answer(image, probabilities, class_names, title=None, threshold=None, most=10):
    """Return a Figure of a photo and what a model says of it: the likeliest classes as bars, the likeliest on top.

    image : pixels 0-255 (height, width, 3); probabilities : (classes,); most : bars at most
    threshold : how sure the model must be to answer, 0-1: a dashed line across the bars; None: no line
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.2), layout="constrained", width_ratios=[1, 1.6])
    axes[0].imshow(_pixels(image))
    axes[0].set(xticks=[], yticks=[])
    order = np.argsort(-np.asarray(probabilities), kind="stable")[:most]
    enough = [probabilities[place] >= (threshold or 0) for place in order]
    colors = [PALETTE["blue" if each else "sky"] for each in enough]
    names = [shortened(class_names[place]) for place in order]
    bars = axes[1].barh(range(len(order)), 100 * np.asarray(probabilities)[order], color=colors)
    axes[1].set_yticks(range(len(order)), names)
    axes[1].bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    axes[1].invert_yaxis()
    label = "probability (%)"
    if threshold is not None:
        axes[1].axvline(100 * threshold, color=PALETTE["black"], linewidth=1, linestyle="--")
        label += "; dashed: how sure it must be"
    axes[1].set(xlabel=label, ylabel="class", xlim=(0, 108))
    axes[1].set_title("what the model says", fontsize=9)
    figure.suptitle("\n".join(textwrap.wrap(title or "", 80)), fontsize=11)
    return figure


def plot_confusion(counts, class_names, ax=None, title=None):
    """Draw which classes are taken for which, and return the Axes.

    counts : int (classes, classes), rows true, columns predicted, from metrics.confusion
    Numbers are photos; the shade is the share of the true class, so a rare class reads like a common one. Above
    MOST_NAMED classes (fewer in a small ax) there is no room for numbers and all names; then the most frequent mistakes
    are drawn below, unless ax is given.
    Raises ValueError if counts is not square with one row a class name.
    """
    counts, classes = np.asarray(counts), len(class_names)
    if counts.shape != (classes, classes):
        raise ValueError(
            f"Expected counts with a row and a column for each of {classes} class names; "
            f"got shape {counts.shape}. Count with metrics.confusion(labels, predicted, len(class_names))."
        )
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)  # (classes, classes), 0-100
    square = ax is None  # square cells in a given ax would push its texts into its neighbor's
    most = MOST_NAMED if ax is None else min(MOST_NAMED, int(ax.get_window_extent().height / ax.figure.dpi / 0.3))
    many = classes > most
    names = [shortened(name) if many else str(name) for name in class_names]
    if ax is None and many:
        _, (ax, below) = plt.subplots(2, 1, figsize=(8.4, 12.4), height_ratios=[1.5, 1], layout="constrained")
        _list_mistakes(below, counts, names)
    elif ax is None:
        side = min(max(3.2, 0.5 * classes), 9) + 0.06 * max(map(len, names))  # inches: cells, then room for the names
        _, ax = plt.subplots(figsize=(side + 1.9, side + 0.5), layout="constrained")
    sns.heatmap(
        share, annot=False if many else counts, fmt="d", cmap="Blues", vmin=0, vmax=100, square=square,
        linewidths=0 if many else 0.5, ax=ax, xticklabels=False, yticklabels=False, annot_kws={"fontsize": 9},
        cbar_kws={"label": "share of the true class (%)", "shrink": 0.8},
    )  # fmt: skip
    _name_cells(ax, names, most)
    ax.set(xlabel="predicted class", ylabel="true class")
    ax.set_title(title or f"Confusion matrix, n = {counts.sum()} photos")
    return ax


def plot_class_counts(counts, ax=None, title=None):
    """Draw how many photos each class has, and return the Axes.

    counts : Series of int, indexed by class name; above MOST_NAMED classes the smallest and the largest are drawn
    Raises ValueError if there is no class.
    """
    if not len(counts):
        raise ValueError("Expected the number of photos of at least one class; got none. Use value_counts().")
    if ax is None:
        _, ax = plt.subplots(figsize=(4.6, 1 + 0.18 * min(len(counts), MOST_NAMED)), layout="constrained")
    heading, rows = "Photos of each class", np.arange(min(len(counts), MOST_NAMED))
    if len(counts) > MOST_NAMED:
        half, counts = MOST_NAMED // 2, counts.sort_values(kind="stable")
        heading = f"Photos of each class: of {len(counts)},\nthe {half} smallest and the {half} largest"
        counts = pandas.concat([counts.iloc[:half], counts.iloc[-half:]])
        rows[half:] += 1  # a gap
    ax.barh(rows, counts, color=PALETTE["blue"])
    ax.set_yticks(rows, [shortened(name) for name in counts.index], fontsize=8 if len(counts) > 12 else None)
    ax.invert_yaxis()
    ax.set(xlabel="photos", ylabel="class")
    ax.set_title(title or heading)
    return ax


def plot_intervals(names, accuracies, ax=None, title=None, chance=None):
    """Draw the accuracy of a few models, each with its interval, and return the Axes.

    names : one text a model, drawn from top to bottom
    accuracies : one Interval a model, from metrics.accuracy
    chance : accuracy of guessing, a fraction such as 1 / classes, as a dashed line; None: no line
    Raises ValueError for no models, or another number of names than of accuracies.
    """
    if not len(names) or len(names) != len(accuracies):
        raise ValueError(
            f"Expected a name for each accuracy, and at least one; got {len(names)} names and "
            f"{len(accuracies)} accuracies. Give one metrics.accuracy a model."
        )
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 1.5 + 0.5 * len(names)), layout="constrained")
    rows = np.arange(len(names))
    value, low, high = 100 * np.array([(one.value, one.low, one.high) for one in accuracies]).T  # (models,)
    ax.errorbar(value, rows, xerr=[value - low, high - value], fmt="o", color=PALETTE["blue"], capsize=4)
    for row, one in zip(rows, value, strict=True):
        ax.annotate(f"{one:.1f}", (one, row), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=9)
    label = "accuracy (%)"
    if chance is not None:
        ax.axvline(100 * chance, color=PALETTE["red"], linestyle="--")
        label += f"\ndashed line: chance, {100 * chance:.1f} %"  # a legend could hide an interval
    ax.set_yticks(rows, [_with_n(name, one) for name, one in zip(names, accuracies, strict=True)], fontsize=9)
    ax.set(ylim=(len(names) - 0.5, -0.6), xlabel=label, ylabel="model")
    ax.grid(axis="x", alpha=0.3)
    ax.set_title(title or f"Accuracy with its {100 * accuracies[0].level:g} % interval")
    return ax


def plot_repeats(names, scores, ax=None, title=None, label="way"):
    """Draw accuracies that were measured several times, a row of dots for each way, and return the Axes (lab leakage).

    names : one text a way, drawn from top to bottom; scores : fractions (ways, repeats); label : of the ways' axis
    Raises ValueError for no scores, or another number of names than of rows.
    """
    scores = 100 * np.asarray(scores, float)
    if scores.ndim != 2 or not scores.size or len(names) != len(scores):
        raise ValueError(f"Expected a row of scores for each of {len(names)} names; got shape {scores.shape}.")
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 1.3 + 0.5 * len(names)), layout="constrained")
    for row, values in enumerate(scores):
        ax.plot(values, np.full(len(values), row), "o", color=PALETTE["blue"], alpha=0.7)
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.5, -0.5), xlabel="accuracy (%)", ylabel=label)
    ax.grid(axis="x", alpha=0.3)
    ax.set_title(title or f"Accuracy of {scores.shape[1]} repeats each")
    return ax


def plot_blocks(accuracies, together=None, chance=None, title=None):
    """Draw the accuracy of a head on each block of a base, first to last, with intervals; return the Axes (chapter 3).

    accuracies : one Interval a block, from metrics.accuracy
    together : the Interval of a head on all blocks, as a band across; chance : as for `plot_intervals`
    Raises ValueError for no blocks.
    """
    if not len(accuracies):
        raise ValueError("Expected an accuracy for each block; got none. Give one metrics.accuracy a block.")
    _, ax = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
    blocks = np.arange(1, len(accuracies) + 1)
    value, low, high = 100 * np.array([(one.value, one.low, one.high) for one in accuracies]).T  # (blocks,)
    ax.errorbar(
        blocks, value, yerr=[value - low, high - value], fmt="o-", color=PALETTE["blue"], capsize=3, label="block alone"
    )
    if together is not None:
        ax.axhspan(100 * together.low, 100 * together.high, color=PALETTE["orange"], alpha=0.2)
        ax.axhline(100 * together.value, color=PALETTE["orange"], label=f"all blocks, {100 * together.value:.1f} %")
    if chance is not None:
        ax.axhline(100 * chance, color=PALETTE["red"], linestyle="--", label=f"chance, {100 * chance:.1f} %")
    ax.set_xticks(blocks, blocks, fontsize=9)
    ax.set(xlabel="block, from the pixels to the end of the base", ylabel="accuracy (%)")
    ax.grid(axis="y", alpha=0.3)
    ax.figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    ax.set_title(title or f"Accuracy by block, with {100 * accuracies[0].level:g} % intervals")
    return ax


def plot_value_map(values, label, ax=None, title=None, form="{:.2f}"):
    """Draw a table of numbers as a map, each number written in its cell, and return the Axes (chapter 4).

    values : DataFrame of floats; the names of its index and columns become those of the axes. NaN: an empty cell
    label : what the numbers are, with their unit
    The colors are viridis: light is more, also without color, as its lightness grows evenly.
    Raises ValueError if there is no number.
    """
    numbers = values.to_numpy(float)
    if not np.isfinite(numbers).any():
        raise ValueError(f"Expected a table with a number in it; got shape {values.shape}. Was anything measured?")
    rows, columns = numbers.shape
    if ax is None:
        _, ax = plt.subplots(figsize=(2.6 + 1.1 * columns, 1.4 + 0.5 * rows), layout="constrained")
    texts = np.array([[form.format(one) if np.isfinite(one) else "" for one in row] for row in numbers])
    sns.heatmap(
        np.where(np.isfinite(numbers), numbers, np.nan), annot=texts, fmt="", cmap="viridis", linewidths=0.5, ax=ax,
        xticklabels=[str(name) for name in values.columns], yticklabels=[str(name) for name in values.index],
        annot_kws={"fontsize": 10}, cbar_kws={"label": label},
    )  # fmt: skip
    ax.set_yticklabels(ax.get_yticklabels(), rotation=0)
    ax.set(xlabel=values.columns.name or "", ylabel=values.index.name or "")
    ax.set_title(title or label)
    return ax


class Strategy(NamedTuple):
    """A way to train: what it says in a legend or a sentence, and how its line is drawn."""

    text: str
    color: str  # of PALETTE
    line: str
    marker: str


STRATEGIES = {
    "scratch": Strategy("training from scratch", "black", ":", "v"),
    "head": Strategy("a head on the last layer", "green", "--", "^"),
    "layers": Strategy("a head on all layers", "blue", "-", "o"),
    "tuned": Strategy("fine-tuning all layers", "orange", "-", "s"),
}


def plot_by_photos(table, title=None, columns=3):
    """Return a Figure of accuracy by photos a class (chapter 4): a panel a set, a line a strategy, a band over seeds.

    table : DataFrame, one row a training: set, photos_per_class, strategy (of STRATEGIES), seed, accuracy (fraction)
    Lines are means over the seeds, each a draw of photos; bands go from the lowest to the highest. What is not there is
    not drawn.
    Raises ValueError if there is nothing to draw.
    """
    rows = table[table["strategy"].isin(list(STRATEGIES)) & table["accuracy"].notna()]
    if not len(rows):
        raise ValueError(f"Expected rows of a strategy among {', '.join(STRATEGIES)}; got {len(table)} rows without.")
    sets = list(dict.fromkeys(rows["set"]))
    columns = min(columns, len(sets))
    figure, axes = plt.subplots(
        math.ceil(len(sets) / columns), columns, squeeze=False, sharey=True, layout="constrained",
        figsize=(max(6.4, 3.1 * columns), 1.2 + 2.6 * math.ceil(len(sets) / columns)),
    )  # fmt: skip
    for ax in axes.flat[len(sets) :]:
        ax.set_axis_off()
    numbers = sorted(rows["photos_per_class"].unique())
    for place, (ax, name) in enumerate(zip(axes.flat, sets, strict=False)):
        _number_panel(ax, rows[rows["set"] == name], numbers)
        ax.set_title(str(name), fontsize=10)
        if place % columns == 0:
            ax.set_ylabel("accuracy (%)")
        if place + columns >= len(sets):  # no panel below
            ax.set_xlabel("photos a class (log scale)")
    drawn = [strategy for strategy in STRATEGIES if (rows["strategy"] == strategy).any()]
    lines = [
        plt.Line2D(
            [], [], color=PALETTE[one.color], linestyle=one.line, marker=one.marker, markersize=4, label=one.text
        )
        for one in (STRATEGIES[strategy] for strategy in drawn)
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=2 if columns < 3 else 4, fontsize=9)
    figure.suptitle(title or "Accuracy by photos a class; bands: lowest to highest draw", fontsize=12)
    return figure


def show(figure, alt, path=None):
    """Display a figure with a text for those who cannot see it, then close it; with path, save it too.

    alt : what a reader should learn from the figure, in a sentence or two
    path : where to save a PNG, which carries alt as its Description; folders are made, and a reader never
        sees half a file
    Raises ValueError if alt is empty.

    JupyterLab 4.6 draws image/png without any alt, and so does nbconvert's lab template. So the notebook gets
    an HTML <img alt> beside it, which both prefer, as MyST-NB does; what takes no HTML finds image/png, its
    alt in the metadata.
    """
    from IPython.display import display

    if not str(alt).strip():
        raise ValueError(
            "Expected alt, a sentence that says what the figure shows; got an empty one. "
            "Write what a reader should learn from it."
        )
    picture = _Picture(figure, " ".join(str(alt).split()))
    plt.close(figure)  # or the inline backend shows it again, without its text
    if path is not None:
        _files.write_bytes(path, picture.png)
    display(picture)


def as_html(figure, alt):
    """Return a figure as an HTML <img> with its alt text (str), and close it: for controls that redraw.

    It is never wider than its place: JupyterLab sees to that in outputs, but not in widgets.
    """
    picture = _Picture(figure, alt)
    plt.close(figure)
    return picture.html.replace("<img ", '<img style="max-width: 100%" ', 1)


class _Picture:
    """A drawn figure as Jupyter's front ends want it; its repr is the text, for a terminal."""

    def __init__(self, figure, alt):
        self.png, self.alt = _png(figure, alt), alt

    def __repr__(self):
        return self.alt

    @property
    def encoded(self):
        return base64.b64encode(self.png).decode("ascii")

    @property
    def html(self):
        return f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{self.encoded}">'

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"text/html": self.html, "image/png": self.encoded, "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}


def _png(figure, alt):
    """Return a figure as a PNG (bytes), cut to what is drawn; its Description is alt.

    It is drawn once and then cut: `savefig` draws twice, first to find the edges, and a reader at a control waits.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = figure.get_tightbbox(canvas.get_renderer())  # inches, from the lower left corner
    buffer = io.BytesIO()
    if drawn.x0 < 0 or drawn.y0 < 0 or drawn.x1 > figure.get_figwidth() or drawn.y1 > figure.get_figheight():
        figure.savefig(buffer, format="png", bbox_inches="tight", metadata={"Description": alt})
        return buffer.getvalue()
    pixels = np.asarray(canvas.buffer_rgba())  # (height, width, 4)
    margin = plt.rcParams["savefig.pad_inches"]
    left, right = (figure.dpi * edge for edge in (drawn.x0 - margin, drawn.x1 + margin))
    top, bottom = (len(pixels) - figure.dpi * edge for edge in (drawn.y1 + margin, drawn.y0 - margin))
    cut = pixels[max(0, math.floor(top)) : math.ceil(bottom), max(0, math.floor(left)) : math.ceil(right)]
    about = PngInfo()
    about.add_itxt("Description", alt)
    Image.fromarray(cut).save(buffer, "PNG", pnginfo=about)
    return buffer.getvalue()


def _epochs(table):
    """Return each row's epoch number (rows,)."""
    return table.index.to_numpy(int) if table.index.name == "epoch" else np.arange(1, len(table) + 1)


def _history_panel(ax, table, name, label, scale, best, form):
    """Draw one measure of a training run: training, validation, best epoch, phases."""
    epochs = _epochs(table)
    for column, text, color, style in (
        (name, "training", PALETTE["blue"], "-o"),
        (f"val_{name}", "validation", PALETTE["red"], "-s"),
    ):
        if column in table:
            values = scale * table[column].to_numpy(float)
            ax.plot(epochs, values, style, color=color, label=text, markersize=3)
    if f"val_{name}" in table and table[f"val_{name}"].notna().any():
        values = scale * table[f"val_{name}"].to_numpy(float)
        at = int(np.nanargmin(values) if best == "lowest" else np.nanargmax(values))
        ax.plot(
            epochs[at], values[at], "o", color=PALETTE["black"], fillstyle="none", markersize=10,
            label=f"{best} validation: epoch {epochs[at]} ({form.format(values[at])})",
        )  # fmt: skip
    if "phase" in table:
        _phase_lines(ax, table["phase"].astype(str).to_numpy(), first=epochs[0])
    ax.set(xlabel="epoch", ylabel=label, xlim=(epochs[0] - 0.5, epochs[-1] + 0.5))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)


def _number_panel(ax, rows, numbers):
    """Draw the strategies of one set: mean and range of the accuracy over the seeds, by photos a class."""
    for strategy, one in STRATEGIES.items():
        by = 100 * rows[rows["strategy"] == strategy].groupby("photos_per_class")["accuracy"].agg(
            ["mean", "min", "max"]
        )
        if len(by):
            ax.plot(by.index, by["mean"], one.line, color=PALETTE[one.color], marker=one.marker, markersize=4)
            ax.fill_between(by.index, by["min"], by["max"], color=PALETTE[one.color], alpha=0.18, linewidth=0)
    ax.set_xscale("log")
    ax.set_xticks(numbers, [str(number) for number in numbers])
    ax.set_xticks([], minor=True)
    ax.set_xlim(0.9 * numbers[0], 1.1 * numbers[-1])
    ax.grid(alpha=0.3)


def _phase_lines(ax, phases, first):
    """Draw a dashed line where the phase changes, and above the panel every phase's name where it starts."""
    starts = [0, *np.flatnonzero(phases[1:] != phases[:-1]) + 1]
    lengths = np.diff([*starts, len(phases)]) / len(phases)  # shares of the panel's width
    crowded = any(0.02 * len(phases[start]) > length for start, length in zip(starts, lengths, strict=True))
    for number, start in enumerate(starts):
        if start:
            ax.axvline(first + start - 0.5, color="gray", linestyle="--", linewidth=1)
        ax.annotate(
            phases[start], (first + start - 0.5, 1), xycoords=("data", "axes fraction"),
            xytext=(0, 3 + 10 * (number % 2) * crowded), textcoords="offset points", fontsize=8,
        )  # fmt: skip


def _pixels(image):
    """Return an image as uint8, or raise ValueError unless it is one photo with values 0-255."""
    image = np.asarray(image)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(
            f"Expected an image (height, width, 3); got shape {image.shape}. Give a list of single photos."
        )
    if not image.size:
        raise ValueError(f"Expected an image with pixels; got shape {image.shape}. Is the crop empty?")
    low, high = image.min(), image.max()
    if low < 0 or high > 255 or (image.dtype.kind == "f" and 0 < high <= 1):
        raise ValueError(
            f"Expected pixels 0-255; got values from {low:.2f} to {high:.2f}. "
            "Show the photo as it was read, before any preprocessing, or scale it back."
        )
    return np.round(image).astype("uint8")


def _name_cells(ax, names, most):
    """Name the rows and columns of a matrix, at most so many."""
    places = named_places(len(names), most)
    shown = [names[place] for place in places]
    room = ax.get_window_extent().width / ax.figure.dpi / len(shown)  # inches of a name
    long = 0.1 * max(map(len, shown)) > 0.8 * room  # a letter is some 0.08 inches wide
    ax.set_xticks(places + 0.5, shown, rotation=45 if long else 0, ha="right" if long else "center",
                  rotation_mode="anchor", fontsize=9)  # fmt: skip
    ax.set_yticks(places + 0.5, shown, rotation=0, fontsize=9)


def _list_mistakes(ax, counts, names, most=15):
    """Draw the most frequent mistakes as bars, the most frequent on top."""
    mistakes = counts - np.diag(np.diag(counts))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:most]
    order = order[mistakes.flat[order] > 0]
    pairs = [
        f"{names[true]},\ntaken for {names[said]}" for true, said in zip(*np.divmod(order, len(names)), strict=True)
    ]
    ax.barh(range(len(order)), mistakes.flat[order], color=PALETTE["blue"])
    ax.set_yticks(range(len(order)), pairs, fontsize=8)
    ax.set_ylim(most - 0.5, -0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set(xlabel="photos", ylabel="mistake", title=f"The most frequent of {mistakes.sum()} mistakes")


def shortened(name, most=26):
    """Return a name of at most `most` characters, its middle left out where it is longer."""
    name = str(name)
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


def _wrapped(name, width):
    """Return a name on lines of at most width characters, broken at spaces and after underscores."""
    lines = str(name).split("\n")
    wrapped = [textwrap.wrap(line.replace("_", "_ "), width) for line in lines]
    return "\n".join(part.replace("_ ", "_") for line in wrapped for part in line)


def _with_n(name, accuracy):
    """Return a model's name with its number of photos, and of groups where photos share them, below."""
    groups = "" if accuracy.groups == accuracy.n else f" in {accuracy.groups} groups"
    return f"{name}\nn = {accuracy.n}{groups}"
