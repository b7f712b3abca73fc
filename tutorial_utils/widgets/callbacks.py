"""The controls of chapter 5: what callbacks would have done in a training that is over."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from ..evaluation import plots
from .controls import WIDE, live_view

DELTAS = [0.0, 0.001, 0.003, 0.01, 0.03, 0.1]  # nats
FACTORS = [0.1, 0.2, 0.5, 0.8]


def explore_callbacks(history, rate=None, patience=5):
    """Return sliders over EarlyStopping's patience and minimum delta, and what it would have done in a finished run.

    history : DataFrame indexed by epoch with `loss` and `val_loss`, from a run at a fixed rate that was not stopped
    rate : that run's learning rate: also sliders over ReduceLROnPlateau's patience and factor; None: none of these
    """
    fixed = dict(continuous_update=False, style=WIDE, layout={"width": "34em"})
    stop = "EarlyStopping: " if rate is not None else ""
    controls = {
        "patience": ipywidgets.IntSlider(patience, min=1, max=15, description=f"{stop}patience", **fixed),
        "min_delta": ipywidgets.SelectionSlider(options=DELTAS, value=0.0, description=f"{stop}minimum delta", **fixed),
    }
    if rate is not None:
        reduce = "ReduceLROnPlateau: "
        controls |= {
            "wait": ipywidgets.IntSlider(3, min=1, max=15, description=f"{reduce}patience", **fixed),
            "factor": ipywidgets.SelectionSlider(options=FACTORS, value=0.2, description=f"{reduce}factor", **fixed),
        }

    def show(**values):
        return plots.as_html(*draw_callbacks(history, rate=rate, **values))

    return ipywidgets.VBox([*controls.values(), live_view(show, **controls)])


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
