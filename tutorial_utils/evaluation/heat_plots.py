"""Figures of chapter 6: where a model looks, beside where it should, and what its heat maps are worth."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable

from .plots import PALETTE
from .scores import FEW_GROUPS

COLORS = "inferno"  # its lightness grows evenly, so it reads without color too
MASK = PALETTE["sky"]


def plot_saliency(images, heats, titles=None, masks=None, title=None, truth="lesions", size=1.9):
    """Return a Figure: photos in a row, below them their masks, and the photos under each kind of heat map.

    images : pixels 0-255 (photos, height, width, 3)
    heats : {name: float (photos, h, w)}, each map drawn from 0 to its highest value, stretched to the photo
    titles : one text a photo, or None
    masks : bool (photos, h, w), drawn in a row named `truth` and as outlines on the heat; or None
    size : inches a photo
    Raises ValueError for no photos, no maps, or another number of maps, masks or titles than of photos.
    """
    images = np.asarray(images)
    _check_numbers(images, heats, titles, masks)
    rows = ["photo", *([] if masks is None else [truth]), *heats]
    figure, axes = plt.subplots(
        len(rows), len(images), squeeze=False, layout="constrained",
        figsize=(size * len(images) + 1.3, size * len(rows) + (0.9 if titles is None else 1.5)),
    )  # fmt: skip
    for place, image in enumerate(images):
        mask = None if masks is None else np.asarray(masks[place], bool)
        for ax, name in zip(axes[:, place], rows, strict=True):
            _panel(ax, image, None if name not in heats else heats[name][place], mask if name != "photo" else None)
        if titles is not None:
            lines = [textwrap.fill(line, round(13 * size)) for line in str(titles[place]).split("\n")]
            axes[0, place].set_title("\n".join(lines), fontsize=8)
    for ax, name in zip(axes[:, 0], rows, strict=True):
        ax.set_ylabel(textwrap.fill(name, round(10 * size)), fontsize=9)
    bar = figure.colorbar(ScalarMappable(cmap=COLORS), ax=axes[-len(heats) :], shrink=0.8, ticks=[0, 0.5, 1])
    bar.set_label("heat, as a share of the map's highest")
    figure.suptitle(title or "Where the model looks", fontsize=12)
    return figure


def plot_saliency_scores(tables, measure="heat inside", title=None):
    """Return a Figure of how much more of each kind of map lies inside the masks than if it were spread evenly.

    tables : {name: DataFrame of heat.score_maps}, drawn from the top, above the map that is always hot in the middle
    measure : "heat inside" or "pointing", as in heat.score_maps; the dashed line, at 1, is what random gives
    Raises ValueError if there is no table.
    """
    if not tables:
        raise ValueError("Expected at least one table of heat.score_maps; got none.")
    first = next(iter(tables.values()))
    rows = {name: table.loc[(measure, "times random")] for name, table in tables.items()}
    rows["hot in the middle,\nwhatever the photo"] = first.loc[(measure, "center, times random")]
    figure, ax = plt.subplots(figsize=(6.8, 1.5 + 0.5 * len(rows)), layout="constrained")
    for place, (value, low, high) in enumerate(row[["value", "low", "high"]] for row in rows.values()):
        color = PALETTE["blue"] if place < len(tables) else PALETTE["black"]
        ends = [[value - low], [high - value]]  # NaN with too few groups: then no bar is drawn
        ax.errorbar(value, place, xerr=ends, fmt="o", color=color, capsize=4)
        ax.annotate(f"{value:.1f}", (value, place), (0, 6), textcoords="offset points", ha="center", fontsize=9)
    ax.axvline(1, color=PALETTE["red"], linestyle="--")
    ax.set_yticks(range(len(rows)), list(rows), fontsize=9)
    what = {"heat inside": "heat that lies inside", "pointing": "hottest places that lie inside"}[measure]
    ax.set(ylim=(len(rows) - 0.5, -0.6), xlabel=f"{what}, times what random gives (dashed line)", ylabel="heat map")
    ax.set_xlim(left=min(0, ax.get_xlim()[0]))
    ax.grid(axis="x", alpha=0.3)
    n, groups = (int(first[column].iloc[0]) for column in ("n", "groups"))
    few = ", too few for intervals" if groups < FEW_GROUPS else ""
    ax.set_title(title or f"Is the heat where it should be? n = {n} photos in {groups} groups{few}")
    return figure


def _panel(ax, image, heat, mask):
    """Draw a photo; or the photo in gray, below its heat with the mask as an outline, or below its filled mask."""
    ax.set(xticks=[], yticks=[])
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    if heat is None and mask is None:
        ax.imshow(np.round(image).astype(np.uint8))
        return
    ax.imshow(image.astype(float).mean(axis=-1), cmap="gray", vmin=0, vmax=255)
    if heat is not None:
        ax.imshow(heat, cmap=COLORS, vmin=0, vmax=max(heat.max(), 1e-12), alpha=0.7, extent=extent)
    if mask is not None and mask.any() and not mask.all():
        ax.contour(mask.astype(float), [0.5], colors=MASK, linewidths=0.8, extent=extent, origin="upper")
        if heat is None:
            ax.contourf(mask.astype(float), [0.5, 1.5], colors=MASK, alpha=0.7, extent=extent, origin="upper")


def _check_numbers(images, heats, titles, masks):
    if images.ndim != 4 or not len(images) or not heats:
        raise ValueError(
            f"Expected images (photos, height, width, 3) and at least one kind of heat map; got {images.shape} and "
            f"{len(heats)} kinds."
        )
    parts = {**heats, "masks": masks, "titles": titles}
    for name, part in parts.items():
        if part is not None and len(part) != len(images):
            raise ValueError(f"Expected one of {name!r} for each of {len(images)} images; got {len(part)}.")
