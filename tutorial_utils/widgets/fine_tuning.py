"""The controls and pictures of chapter 4 and its labs: how many layers learn, how fast, and what has changed."""

import functools
import textwrap

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from ..evaluation import plots
from ..models import freezing
from . import clickable
from .controls import WRAP, live_box, live_view, slider

LOOKS = [("green", "^"), ("orange", "o")]  # color and marker of each training, in their order


def explore_unfreezing(base, start=50):
    """Return a slider over how many last layers learn, marked in the curve of the weights that this is.

    The flags of `base` are read to count and are put back: moving the slider changes nothing.
    """
    shares = learning_shares(base)
    layers = len(shares) - 1
    last = slider("last layers", min(start, layers), 0, layers)
    return live_box(functools.partial(draw_unfreezing, shares), last=last)


def learning_shares(base):
    """Return, for 0 ... all last layers unfrozen, the share of the base's weights that learn (layers + 1,)."""
    flags = [layer.trainable for layer in base.layers]
    freezing.unfreeze(base)
    counts = [sum(int(np.prod(w.shape)) for w in layer.trainable_weights) for layer in base.layers]
    for layer, flag in zip(base.layers, flags, strict=True):
        layer.trainable = flag
    return np.concatenate([[0], np.cumsum(counts[::-1])]) / base.count_params()


def draw_unfreezing(shares, last):
    """Return (Figure, alt text): the share of the weights that learn, by number of last layers; `last` is marked.

    shares : (layers + 1,) from `learning_shares`
    """
    layers = len(shares) - 1
    last = min(last, layers)
    said = f"last {last} of {layers} layers: {100 * shares[last]:.1f} % of the base's weights learn"
    figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
    ax.plot(100 * np.asarray(shares), color=plots.PALETTE["blue"])
    ax.plot(last, 100 * shares[last], "o", color=plots.PALETTE["orange"], markersize=9)
    ax.set(title=said, xlabel="last layers unfrozen", ylabel="weights that learn (%)")
    ax.grid(alpha=0.3)
    return figure, said


def draw_schedule(rate, steps):
    """Return (Figure, alt text): the learning rate at each step of a training; its height is marked.

    rate : a keras.optimizers.schedules.LearningRateSchedule; steps : of the whole training
    """
    numbers = np.arange(steps + 1)
    rates = np.array([float(rate(number)) for number in numbers])  # (steps + 1,)
    top = int(rates.argmax())
    figure, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
    ax.plot(numbers, rates, color=plots.PALETTE["blue"])
    ax.plot(top, rates[top], "o", color=plots.PALETTE["orange"], markersize=8)
    ax.annotate(f"{_plain(round(rates[top], 6))} at step {top}", (top, rates[top]), (8, -4), textcoords="offset points")
    ax.set(title="The rate warms up, then falls", xlabel="step (one batch)", ylabel="learning rate")
    ax.grid(alpha=0.3)
    return figure, f"Learning rate by step: it rises to {rates[top]:.1g} at step {top} of {steps}, then falls to 0"


def draw_recipes(histories, frozen):
    """Return (Figure, alt text): accuracy on the validation photos by epoch, of each recipe, from the frozen model on.

    histories : {recipe: the dict `history` of what Keras's fit returned}; frozen : accuracy before, as a fraction
    """
    figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for (name, history), (color, marker) in zip(histories.items(), LOOKS, strict=False):
        values = 100 * np.array([frozen, *history["val_accuracy"]])
        ax.plot(values, f"{marker}-", color=plots.PALETTE[color], label=name)
    ax.axhline(100 * frozen, color=plots.PALETTE["black"], linestyle="--", linewidth=1, label="frozen")
    ax.set(title="Two recipes from the same start", xlabel="epoch (0: frozen)", ylabel="validation photos right (%)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(fontsize=9)
    ends = ", ".join(f"{name} {history['val_accuracy'][-1]:.0%}" for name, history in histories.items())
    return figure, f"Accuracy on the validation photos by epoch, from {frozen:.0%} when frozen; at the end: {ends}"


def explore_grid(curves, error):
    """Return a map of last losses, of which a cell is chosen by a click or by keys, and that training's curve.

    curves : DataFrame, a row an epoch from 0 (frozen), a column a training: (last layers, rate); validation losses
    error : the standard error of such a loss: what differs by less is luck
    """
    losses = curves.iloc[-1].unstack().rename_axis("last layers that learn").rename_axis("learning rate", axis=1)
    cells = [(last, rate) for last in losses.index for rate in losses.columns]
    boxes = [(column, row, column + 1, row + 1) for row, column in np.ndindex(losses.shape)]
    texts = [f"{_where(*cell)}: {curves[cell].iloc[-1]:.2f}" for cell in cells]
    named = losses.rename(index={0: "none"}, columns=_plain)
    ax = plots.plot_value_map(named, "validation loss (nats)", title="Choose a cell: its epochs are drawn next to it")
    chart = clickable.picture(ax, boxes, texts, "Validation loss by number of layers that learn and learning rate")
    chart.chosen = int(np.nanargmin(losses.to_numpy()))

    view = live_view(lambda cell: draw_cell(curves, error, *cells[cell]), cell=chart)
    return ipywidgets.HBox([chart, view], layout=WRAP)


def draw_cell(curves, error, last, rate):
    """Return (Figure, alt text): one training's losses by epoch, over those of all others.

    curves, error : as for `explore_grid`
    """
    curve = curves[last, rate]
    frozen, than = curve.iloc[0], _against_frozen(curve, error)
    figure, ax = plt.subplots(figsize=(4.8, 3.4), layout="constrained")
    ax.plot(curves.index, curves.to_numpy(), color="0.8", linewidth=1, zorder=1)
    ax.axhspan(frozen - error, frozen + error, color=plots.PALETTE["sky"], alpha=0.3, linewidth=0)
    ax.axhline(frozen, color=plots.PALETTE["black"], linestyle="--", linewidth=1, label="frozen")
    ax.plot(curves.index, curve, "o-", color=plots.PALETTE["orange"], label="this cell (gray: the others)")
    ax.set(xlabel="epoch (0: frozen)", ylabel="validation loss (nats)", xticks=curves.index)
    highest = max(1.5 * frozen, curve[np.isfinite(curve)].max())  # others may leave the picture
    ax.set_ylim(0.9 * np.nanmin(curves), 1.05 * highest)
    ax.set_title(f"{_where(last, rate)}:\n{curve.iloc[-1]:.2f}, {than}", fontsize=10)
    ax.legend(fontsize=8)
    return figure, f"{_where(last, rate)}: validation loss {curve.iloc[-1]:.2f} in the last epoch, {than}"


def _where(last, rate):
    return f"{f'last {last} layers' if last else 'head only'}, rate {_plain(rate)}"


def _against_frozen(curve, error):
    """Return in words how far a loss ends below or above where it began, and whether that may be luck."""
    less = float(curve.iloc[0] - curve.iloc[-1])
    if not np.isfinite(less):
        return "which is no number"
    luck = "; less than the standard error" if abs(less) < error else ""
    return f"{abs(less):.2f} {'below' if less > 0 else 'above'} frozen{luck}"


def explore_changes(before, after, shares, pictures):
    """Return the relative change of every layer, of which one is chosen by a click or by keys, and its weights' moves.

    before : {layer: its weights in one row}, from the first layer to the last; after : {training: the same}
    shares : {training: relative change of each layer in %, (layers,)}
    pictures : filters of the first layer, 0-255, those before, then as many after
    """
    names, half = list(before), len(pictures) // 2
    titles = ["before"] * half + ["after"] * half
    grid = plots.photo_grid(pictures, titles, columns=half, title="The first layer's filters", size=0.7)
    filters = plots.as_html(grid, "Filters of the first layer before and after fine-tuning")
    ax, places = _all_changes(shares)
    texts = [_changed(names, shares, layer) for layer in range(len(names))]
    chart = clickable.picture(ax, places, texts, "Relative change of each layer, from the first to the last")
    chart.chosen = 0

    def show(layer):
        changes = draw_weight_changes(before, after, names[layer], texts[layer])
        return plots.as_html(changes, texts[layer]) + ("" if layer else filters)

    return ipywidgets.HBox([chart, live_view(show, layer=chart)], layout=WRAP)


def _changed(names, shares, layer):
    changes = ", ".join(f"{training} {share[layer]:.2f} %" for training, share in shares.items())
    return f"layer {layer + 1} of {len(names)}, {names[layer]}: {changes}"


def _all_changes(shares):
    """Return (Axes, places): the relative change of each layer, and where its larger one is drawn (layers, 2)."""
    _, ax = plt.subplots(figsize=(4.8, 3.4), layout="constrained")
    layers = 1 + np.arange(len(next(iter(shares.values()))))
    for (training, share), (color, marker) in zip(shares.items(), LOOKS, strict=False):
        drawn = np.where(share > 0, share, np.nan)  # a layer that has not moved has no place on a log axis
        ax.plot(layers, drawn, marker, markersize=4, color=plots.PALETTE[color], label=training)
    highest = np.max(list(shares.values()), axis=0)  # (layers,)
    if highest.any():
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
        highest = np.maximum(highest, highest[highest > 0].min())
    ax.set(xlabel="layers that may learn, from first to last", ylabel="relative change (%, log scale)")
    ax.set_title("Choose a layer: how far its weights\nhave moved is drawn next to it", fontsize=10)
    ax.legend(fontsize=8)
    return ax, np.stack([layers, highest], axis=1)


def draw_weight_changes(before, after, name, title):
    """Return a Figure: how far the weights of one layer have moved in each training, as a distribution.

    before, after : as for `explore_changes`; name : of the layer
    """
    moves = {training: 1000 * (rows[name] - before[name]) for training, rows in after.items()}  # thousandths
    widest = max(float(np.abs(moved).max()) for moved in moves.values()) or 1.0
    figure, ax = plt.subplots(figsize=(4.8, 3.4), layout="constrained")
    for (training, moved), (color, _) in zip(moves.items(), LOOKS, strict=False):
        counts, edges = np.histogram(moved, bins=41, range=(-widest, widest))
        drawn, label = (100 * counts / len(moved), training) if moved.any() else (0 * counts, f"{training}: none moved")
        ax.stairs(drawn, edges, color=plots.PALETTE[color], linewidth=1.5, label=label)
    ax.set(xlabel="how far a weight has moved (thousandths)", ylabel=f"of its {len(before[name]):,} weights (%)")
    ax.set_title(textwrap.fill(title, 60), fontsize=10)
    ax.legend(fontsize=8, loc="upper right")
    return figure


def draw_sweeps(sweeps, marked=None, title="Raising the rate"):
    """Return (Figure, alt text): the loss of each batch and its running mean while the learning rate rises.

    sweeps : {name: DataFrame with rate, loss, smoothed}, as from lr_finder.find_learning_rate
    marked : {name: rate that lr_finder.first_too_high found in it, or None: no line}
    """
    figure, ax = plt.subplots(figsize=(6.6, 3.8), layout="constrained")
    for (name, sweep), color in zip(sweeps.items(), ["blue", "orange"], strict=False):
        look = dict(color=plots.PALETTE[color])
        ax.semilogx(sweep["rate"], sweep["loss"], ".", alpha=0.5, label=f"{name}: one batch", **look)
        ax.semilogx(sweep["rate"], sweep["smoothed"], label=f"{name}: running mean", **look)
        if (marked or {}).get(name):
            ax.axvline(marked[name], linestyle=":", label=f"{name}: mean 1.5 times its lowest", **look)
    ax.set(xlabel="learning rate (log scale)", ylabel="loss (cross-entropy, nats)", title=title)
    ax.xaxis.set_major_formatter("{x:g}")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return figure, f"{title}: loss of each batch and its running mean against the learning rate, {', '.join(sweeps)}"


def draw_losses_by_rate(losses, before, steps):
    """Return (Figure, alt text): the loss after some steps at each constant rate, and the loss before them.

    losses : {rate: losses of several runs on the same photos}; before : that of the model as it was
    """
    figure, ax = plt.subplots(figsize=(6.6, 3.4), layout="constrained")
    ax.axhline(before, linestyle="--", linewidth=1, color=plots.PALETTE["black"], label=f"frozen: {before:.2f}")
    for place, (rate, values) in enumerate(sorted(losses.items())):
        label = None if place else f"after {steps} steps, a dot for each run"
        ax.semilogx([rate] * len(values), values, "o", color=plots.PALETTE["blue"], label=label)
        highest = np.max(values, where=np.isfinite(values), initial=before)
        text = ", ".join(f"{value:.2f}" for value in values)
        ax.annotate(text, (rate, highest), (0, 8), textcoords="offset points", ha="center", fontsize=9)
    ax.set(xlabel="learning rate, constant (log scale)", ylabel="validation loss (nats)")
    ax.set_title(f"Validation loss after {steps} steps at one rate")
    ax.margins(0.15, 0.2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(fontsize=8, loc="upper left")
    said = ", ".join(f"{min(values):.2f} to {max(values):.2f} at {_plain(rate)}" for rate, values in losses.items())
    return figure, f"Validation loss, {before:.2f} for the frozen model; after {steps} steps: {said}"


def draw_layer_changes(moves, shares, title):
    """Return (Figure, alt text): how far each layer's weights have moved, and how much that is of their size.

    moves, shares : {training: numbers of each layer, first to last (layers,)}; moves in weight units, shares in %
    A layer that has not moved is not drawn on the right, whose axis is logarithmic.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.8), layout="constrained")
    for (training, moved), (color, marker) in zip(moves.items(), LOOKS, strict=False):
        look = dict(marker=marker, markersize=4, linestyle="none", color=plots.PALETTE[color])
        left.plot(1 + np.arange(len(moved)), 1000 * moved, label=training, **look)
        right.plot(1 + np.arange(len(moved)), np.where(shares[training] > 0, shares[training], np.nan), **look)
    left.set(title="How far a weight has moved", ylabel="typical change of a weight (thousandths)")
    right.set(title="Relative to the weights' size", ylabel="relative change (%, log scale)")
    if any(share.any() for share in shares.values()):
        right.set_yscale("log")
        right.yaxis.set_major_formatter("{x:g}")
    for ax in (left, right):
        ax.set_xlabel("layers that may learn, from first to last")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    figure.suptitle(title)
    return figure, f"{title}: change of each layer's weights, absolute and relative, for {' and '.join(moves)}"


def filter_pictures(before, after, most=8):
    """Return pictures (0-255) of the filters with the largest weights: those before, then the same ones after.

    before, after : kernels of a first layer (height, width, 3, filters); all share one scale, gray is 0
    """
    shown = np.argsort(-np.abs(before).sum(axis=(0, 1, 2)))[:most]
    scale = max(np.abs(kernel[..., shown]).max() for kernel in (before, after)) or 1.0
    return [127.5 + 127.5 * kernel[..., number] / scale for kernel in (before, after) for number in shown]


def draw_gains(table, title):
    """Return (Figure, alt text): how much more often the fine-tuned model was right, with interval, a line a split.

    table : DataFrame with set, gain, gain_low, gain_high (fractions), a row a split, from benchmarks/tuned.csv
    """
    sets = list(dict.fromkeys(table["set"]))
    figure, ax = plt.subplots(figsize=(6.8, 1.3 + 0.9 * len(sets)), layout="constrained")
    for place, name in enumerate(sets):
        value, low, high = 100 * table.loc[table["set"] == name, ["gain", "gain_low", "gain_high"]].to_numpy().T
        rows = place + 0.13 * (np.arange(len(value)) - (len(value) - 1) / 2)
        ax.errorbar(value, rows, xerr=[value - low, high - value], fmt="o", color=plots.PALETTE["blue"], capsize=3)
    ax.axvline(0, color=plots.PALETTE["black"], linewidth=1)
    ax.set_yticks(range(len(sets)), sets)
    ax.set(ylim=(len(sets) - 0.5, -0.5), xlabel="right more often when fine-tuned (points)", ylabel="set")
    ax.set_title(title, fontsize=11)
    return figure, f"Fine-tuned minus frozen accuracy with interval, for each split of {', '.join(sets)}"


def _plain(rate):
    return np.format_float_positional(rate, trim="-")
