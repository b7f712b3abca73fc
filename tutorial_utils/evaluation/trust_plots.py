"""Figures of chapter 6: what is mixed up, whether confidence is honest, what answers cost, what more photos bring."""

import matplotlib.pyplot as plt
import numpy as np

from .plots import PALETTE

DIAGONAL = {"color": PALETTE["black"], "linestyle": ":", "linewidth": 1.2}


def plot_confused_pairs(table, title=None, most=8):
    """Return a Figure of what is mixed up: the pairs of scores.confused_pairs, each with its interval.

    table : as from scores.confused_pairs, at a cost of 1 a mistake; the first `most` rows are drawn, from the top
    Raises ValueError if there is no pair.
    """
    rows = table.head(most)
    if not len(rows):
        raise ValueError("Expected at least one pair that is mixed up; got none. Every photo is right.")
    names = [f"{row.first} / {row.second}\n{row.count} photos" for row in rows.itertuples(index=False, name="Row")]
    figure, ax = plt.subplots(figsize=(6.8, 1.4 + 0.48 * len(rows)), layout="constrained")
    value, low, high = (100 * rows[name].to_numpy(float) for name in ("cost", "low", "high"))
    places = np.arange(len(rows))
    if np.isfinite(low).all():
        ax.errorbar(value, places, xerr=[value - low, high - value], fmt="o", color=PALETTE["blue"], capsize=4)
    else:
        ax.plot(value, places, "o", color=PALETTE["blue"])  # too few groups for an interval
    ax.set_yticks(places, names, fontsize=9)
    ax.set(ylim=(len(rows) - 0.5, -0.6), xlabel="mistaken for each other (% of the pair's photos)", ylabel="classes")
    ax.set_xlim(left=min(0, ax.get_xlim()[0]))
    ax.grid(axis="x", alpha=0.3)
    ax.set_title(title or "Pairs that are mixed up, with 95 % intervals")
    return figure


def plot_reliability(tables, title=None):
    """Return a Figure of accuracy against confidence, a panel for each model, with the photos of each bin below.

    tables : {name: DataFrame of calibration.reliability}
    On the dotted line a model is as sure as it is right; below it, too sure. Bars: 95 % intervals.
    Raises ValueError if there is no table.
    """
    if not tables:
        raise ValueError("Expected at least one table of calibration.reliability; got none.")
    figure, axes = plt.subplots(
        2, len(tables), squeeze=False, sharex=True, sharey="row", layout="constrained",
        figsize=(4 * len(tables) + 0.6, 4.6), height_ratios=[3, 1],
    )  # fmt: skip
    for (name, table), (top, below) in zip(tables.items(), axes.T, strict=True):
        confidence, accuracy = 100 * table["confidence"], 100 * table["accuracy"]
        ends = [accuracy - 100 * table["low"], 100 * table["high"] - accuracy]
        top.plot([0, 100], [0, 100], **DIAGONAL)
        top.errorbar(confidence, accuracy, yerr=ends, fmt="o-", color=PALETTE["blue"], capsize=3)
        top.set(title=name, ylim=(0, 102))
        top.grid(alpha=0.3)
        middle = 50 * (table["from"] + table["to"])
        below.bar(middle, table["n"], 90 * (table["to"] - table["from"]), color=PALETTE["sky"])
        below.set(xlabel="confidence (%)", xlim=(0, 101))
        below.grid(axis="y", alpha=0.3)
    axes[0, 0].set_ylabel("accuracy (%)")
    axes[1, 0].set_ylabel("photos")
    figure.suptitle(title or "As sure as right? On the dotted line", fontsize=12)
    return figure


def plot_risk_and_coverage(table, chosen=None, title=None):
    """Return a Figure of how many answers are wrong, by the share of photos that is answered.

    table : as from calibration.risk_and_coverage; chosen : (coverage, risk) of the threshold in use, or None
    """
    figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    ax.plot(100 * table["coverage"], 100 * table["risk"], drawstyle="steps-post", color=PALETTE["blue"])
    if chosen is not None:
        x, y = 100 * chosen[0], 100 * chosen[1]
        ax.plot(x, y, "o", color=PALETTE["orange"], markersize=9)
        left = x > 50
        ax.annotate(
            f"answers {x:.0f} %,\nwrong in {y:.1f} % of these", (x, y), (-10 if left else 10, 14),
            textcoords="offset points", ha="right" if left else "left", fontsize=9,
        )  # fmt: skip
    ax.set(xlabel="photos that are answered, the surest first (%)", ylabel="of these, wrong (%)", xlim=(0, 101))
    ax.set_ylim(bottom=0)
    ax.margins(y=0.25)
    ax.grid(alpha=0.3)
    ax.set_title(title or "Answer only when sure: what it costs, what it brings")
    return figure


def plot_learning_curve(photos, accuracies, forecasts, title=None):
    """Return a Figure of accuracy at growing numbers of photos, and of what is forecast beyond.

    photos, accuracies : (measurements,); fractions
    forecasts : list of growth.Forecast, in the order of their photos, at least two; the band is their interval
    """
    figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
    ahead = [one.photos for one in forecasts]
    low, value, high = (100 * np.array([getattr(one, name) for one in forecasts]) for name in ("low", "value", "high"))
    level = f"{100 * forecasts[0].level:g} % of single measurements"
    ax.fill_between(ahead, low, high, color=PALETTE["sky"], alpha=0.35, linewidth=0, label=f"band for {level}")
    ax.plot(ahead, value, color=PALETTE["blue"], label="curve through the error")
    ax.plot(photos, 100 * np.asarray(accuracies), "o", color=PALETTE["black"], markersize=4, label="measured")
    last = forecasts[-1]
    ax.errorbar(
        [last.photos], [100 * last.value], yerr=[[value[-1] - low[-1]], [high[-1] - value[-1]]], fmt="D",
        color=PALETTE["orange"], capsize=4, label=f"forecast: {100 * last.value:.0f} % at {last.photos:,.0f} photos",
    )  # fmt: skip
    ax.set_xscale("log")
    ticks = sorted({int(number) for number in photos} | {int(last.photos)})
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks], fontsize=8)
    ax.set_xticks([], minor=True)
    ax.set(xlabel="training photos (log scale)", ylabel="accuracy (%)")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, loc="lower right")
    ax.set_title(title or "Would more photos help?")
    return figure


def plot_ood_scores(scores, threshold, title=None):
    """Return a Figure of how strange photos look to a model: the known ones above, strangers below.

    scores : {name: float (photos,)}, larger is stranger; threshold : above it a photo counts as unknown
    A line shows the middle half of the photos, dots all (at most 200) of them.
    Raises ValueError if there is no group of photos.
    """
    if not scores:
        raise ValueError("Expected the scores of at least one group of photos; got none.")
    figure, ax = plt.subplots(figsize=(6.8, 1.5 + 0.5 * len(scores)), layout="constrained")
    rng = np.random.default_rng(0)
    for place, values in enumerate(scores.values()):
        values = np.asarray(values, float)
        color = PALETTE["blue"] if place == 0 else PALETTE["orange"]
        shown = values if len(values) <= 200 else rng.choice(values, 200, replace=False)
        ax.plot(shown, place + rng.uniform(-0.16, 0.16, len(shown)), "o", color=color, markersize=3, alpha=0.5)
        ax.plot(np.quantile(values, [0.25, 0.75]), [place, place], color=PALETTE["black"], linewidth=3)
    ax.axvline(threshold, color=PALETTE["red"], linestyle="--")
    unknown = [f"{name}\n{np.mean(np.asarray(values) > threshold):.0%} unknown" for name, values in scores.items()]
    ax.set_yticks(range(len(scores)), unknown, fontsize=9)
    ax.set(ylim=(len(scores) - 0.5, -0.5), ylabel="photos", xlabel="how strange (dashed line: the threshold)")
    ax.grid(axis="x", alpha=0.3)
    ax.set_title(title or "Known photos and strangers")
    return figure
