"""Figures of chapter 6: pairs mixed up, reliability, risk and coverage, learning curve, saliency maps, errors."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable

from .intervals import FEW_GROUPS
from .plots import PALETTE

DIAGONAL = {"color": PALETTE["black"], "linestyle": ":", "linewidth": 1.2}
COLORS = "inferno"  # of saliency maps: its lightness grows evenly, so it reads without color too
MASK = PALETTE["sky"]
SIDE = 160  # pixels of a photo in a figure of errors


def plot_confused_pairs(table, title=None, most=8):
    """Return a Figure of what is mixed up: the pairs of metrics.confused_pairs, each with its interval.

    table : as from metrics.confused_pairs, at a cost of 1 a mistake; the first `most` rows are drawn, from the top
    Raises ValueError if there is no pair.
    """
    rows = table.head(most)
    if not len(rows):
        raise ValueError("Expected at least one pair that is mixed up; got none. Every photo is right.")
    names = [f"{row.first} / {row.second}\n{row.count} photos" for row in rows.itertuples(index=False, name="Row")]
    figure, ax = plt.subplots(figsize=(6.8, 1.4 + 0.48 * len(rows)), layout="constrained")
    value, low, high = (100 * rows[name].to_numpy(float) for name in ("cost", "low", "high"))
    places = np.arange(len(rows))
    ax.errorbar(value, places, xerr=[value - low, high - value], fmt="o", color=PALETTE["blue"], capsize=4)
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
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1},  # the curve may pass behind it
        )  # fmt: skip
    ax.set(xlabel="photos that are answered, the surest first (%)", ylabel="of these, wrong (%)", xlim=(0, 101))
    ax.set_ylim(bottom=0)
    ax.margins(y=0.25)
    ax.grid(alpha=0.3)
    ax.set_title(title or "Answer only when sure: what it costs, what it brings")
    return figure


def plot_learning_curve(photos, accuracies, ahead, forecasts, title=None):
    """Return a Figure of accuracy at growing numbers of photos, and of what is forecast beyond.

    photos, accuracies : (measurements,); fractions
    ahead : numbers of photos, ascending, at least two
    forecasts : an Interval of learning_curve.forecast_accuracy for each of them, drawn as a band; the last is marked
    """
    figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
    low, value, high = (100 * np.array([getattr(one, name) for one in forecasts]) for name in ("low", "value", "high"))
    level = f"{100 * forecasts[0].level:g} % of single measurements"
    ax.fill_between(ahead, low, high, color=PALETTE["sky"], alpha=0.35, linewidth=0, label=f"band for {level}")
    ax.plot(ahead, value, color=PALETTE["blue"], label="curve through the error")
    ax.plot(photos, 100 * np.asarray(accuracies), "o", color=PALETTE["black"], markersize=4, label="measured")
    last = forecasts[-1]
    ax.errorbar(
        [ahead[-1]], [100 * last.value], yerr=[[value[-1] - low[-1]], [high[-1] - value[-1]]], fmt="D",
        color=PALETTE["orange"], capsize=4, label=f"forecast: {100 * last.value:.0f} % at {ahead[-1]:,.0f} photos",
    )  # fmt: skip
    ax.set_xscale("log")
    ticks = sorted({int(number) for number in photos} | {int(ahead[-1])})
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks], fontsize=8)
    ax.set_xticks([], minor=True)
    ax.set(xlabel="training photos (log scale)", ylabel="accuracy (%)")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, loc="lower right")
    ax.set_title(title or "Would more photos help?")
    return figure


def plot_ood_scores(scores, threshold, title=None):
    """Return a Figure of out-of-distribution scores: those of known photos above, of other photos below.

    scores : {name: float (photos,)}, such as ood.knn_distance; threshold : above it a photo counts as unknown
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
    ax.set(ylim=(len(scores) - 0.5, -0.5), ylabel="photos", xlabel="score (dashed line: the threshold)")
    ax.grid(axis="x", alpha=0.3)
    ax.set_title(title or "Known and out-of-distribution photos")
    return figure


def plot_saliency(images, maps, titles=None, masks=None, title=None, truth="lesions", size=1.9):
    """Return a Figure: photos in a row, below them their masks, and the photos under each kind of saliency map.

    images : pixels 0-255 (photos, height, width, 3)
    maps : {name: float (photos, h, w)}, each map drawn from 0 to its highest value, stretched to the photo
    titles : one text a photo, or None
    masks : bool (photos, h, w), drawn in a row named `truth` and as outlines on the maps; or None
    size : inches a photo
    Raises ValueError for no photos, no maps, or another number of maps, masks or titles than of photos.
    """
    images = np.asarray(images)
    _check_numbers(images, maps, titles, masks)
    rows = ["photo", *([] if masks is None else [truth]), *maps]
    figure, axes = plt.subplots(
        len(rows), len(images), squeeze=False, layout="constrained",
        figsize=(size * len(images) + 1.3, size * len(rows) + (0.9 if titles is None else 1.5)),
    )  # fmt: skip
    for place, image in enumerate(images):
        mask = None if masks is None else np.asarray(masks[place], bool)
        for ax, name in zip(axes[:, place], rows, strict=True):
            draw_photo(ax, image, None if name not in maps else maps[name][place], mask if name != "photo" else None)
        if titles is not None:
            lines = [textwrap.fill(line, round(13 * size)) for line in str(titles[place]).split("\n")]
            axes[0, place].set_title("\n".join(lines), fontsize=8)
    for ax, name in zip(axes[:, 0], rows, strict=True):
        ax.set_ylabel(textwrap.fill(name, round(10 * size)), fontsize=9)
    bar = figure.colorbar(ScalarMappable(cmap=COLORS), ax=axes[-len(maps) :], shrink=0.8, ticks=[0, 0.5, 1])
    bar.set_label("share of the map's highest value")
    figure.suptitle(title or "Where the model looks", fontsize=12)
    return figure


def plot_saliency_scores(tables, measure="inside", title=None):
    """Return a Figure of how much more of each kind of map lies inside the masks than if it were spread evenly.

    tables : {name: DataFrame of saliency.score_maps}, drawn from the top, above the map that is highest in the middle
    measure : "inside" or "pointing", as in saliency.score_maps; the dashed line, at 1, is what random gives
    Raises ValueError if there is no table.
    """
    if not tables:
        raise ValueError("Expected at least one table of saliency.score_maps; got none.")
    first = next(iter(tables.values()))
    rows = {name: table.loc[(measure, "times random")] for name, table in tables.items()}
    rows["the middle,\nwhatever the photo"] = first.loc[(measure, "center, times random")]
    n, groups = (int(first[column].iloc[0]) for column in ("n", "groups"))
    few = groups < FEW_GROUPS  # the ends say nothing: then no bar is drawn
    figure, ax = plt.subplots(figsize=(6.8, 1.5 + 0.5 * len(rows)), layout="constrained")
    for place, (value, low, high) in enumerate(row[["value", "low", "high"]] for row in rows.values()):
        color = PALETTE["blue"] if place < len(tables) else PALETTE["black"]
        ends = None if few else [[value - low], [high - value]]
        ax.errorbar(value, place, xerr=ends, fmt="o", color=color, capsize=4)
        ax.annotate(f"{value:.1f}", (value, place), (0, 6), textcoords="offset points", ha="center", fontsize=9)
    ax.axvline(1, color=PALETTE["red"], linestyle="--")
    ax.set_yticks(range(len(rows)), list(rows), fontsize=9)
    what = {"inside": "share of the map inside", "pointing": "highest places inside"}[measure]
    ax.set(ylim=(len(rows) - 0.5, -0.6), xlabel=f"{what}, times what random gives (dashed line)", ylabel="saliency map")
    ax.set_xlim(left=min(0, ax.get_xlim()[0]))
    ax.grid(axis="x", alpha=0.3)
    about = f"n = {n} photos in {groups} groups{', too few for intervals' * few}"
    ax.set_title(title or f"Does the model look where it should? {about}")
    return figure


def plot_errors(errors, read, most=6, title=None):
    """Return a Figure of the surest errors, a row each: the photo, its saliency map, the training photos most like it.

    errors : from error_analysis.find_errors
    read : function of a path and a side in pixels that returns a photo, 0-255 (side, side, 3), like images.read_image
    Raises ValueError if there is no error.
    """
    shown = range(min(most, len(errors.table)))
    if not shown:
        raise ValueError("Expected at least one error; every photo is right. Collect harder photos.")
    columns = 1 + (errors.maps is not None) + len(errors.near[0])
    figure, axes = plt.subplots(
        len(shown), columns, squeeze=False, layout="constrained", figsize=(1.75 * columns, 2.05 * len(shown) + 0.6)
    )
    for (first, *others), row in zip(axes, shown, strict=True):
        one, photo = errors.table.iloc[row], read(errors.table["path"].iloc[row], SIDE)
        draw_photo(first, photo)
        first.set_title(f"{one['true']},\ntaken for {one['predicted']},\n{one['confidence']:.0%} sure", fontsize=8)
        if errors.maps is not None:
            draw_photo(others[0], photo, errors.maps[row])
            others.pop(0).set_title("what spoke for it\n(light: most)", fontsize=8)
        for ax, path, name in zip(others, errors.near[row], errors.near_labels[row], strict=True):
            draw_photo(ax, read(path, SIDE))
            ax.set_title(f"training photo:\n{name}", fontsize=8)
    figure.suptitle(title or f"The {len(shown)} surest of {len(errors.table)} errors", fontsize=12)
    return figure


def draw_photo(ax, image, saliency=None, mask=None, strength=0.7, gray=True):
    """Draw a photo on an Axes, under its saliency map with the mask as an outline, or under its filled mask.

    image : pixels 0-255 (height, width, 3); saliency : float (h, w), drawn from 0 to its highest value, or None
    mask : bool (h, w), or None; strength : how much the map covers, 0-1; gray : whether it covers the photo in gray
    """
    ax.set(xticks=[], yticks=[])
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    photo = np.round(image).astype(np.uint8)
    if gray and not (saliency is None and mask is None):
        photo = photo.mean(axis=-1)
    ax.imshow(photo, cmap="gray", vmin=0, vmax=255)
    if saliency is not None:
        ax.imshow(saliency, cmap=COLORS, vmin=0, vmax=max(saliency.max(), 1e-12), alpha=strength, extent=extent)
    if mask is not None and mask.any() and not mask.all():
        ax.contour(mask.astype(float), [0.5], colors=MASK, linewidths=0.8, extent=extent, origin="upper")
        if saliency is None and gray:
            ax.contourf(mask.astype(float), [0.5, 1.5], colors=MASK, alpha=0.7, extent=extent, origin="upper")


def _check_numbers(images, maps, titles, masks):
    if images.ndim != 4 or not len(images) or not maps:
        raise ValueError(
            f"Expected images (photos, height, width, 3) and at least one kind of saliency map; got {images.shape} and "
            f"{len(maps)} kinds."
        )
    parts = {**maps, "masks": masks, "titles": titles}
    for name, part in parts.items():
        if part is not None and len(part) != len(images):
            raise ValueError(f"Expected one of {name!r} for each of {len(images)} images; got {len(part)}.")
