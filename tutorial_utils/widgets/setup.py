"""The controls of chapter 1: the data sets of the catalog, a photo of one's own, a convolution to move."""

import pathlib

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas

from ..data.images import read_image
from ..evaluation import plots
from .controls import WIDE, live_box, photo_chooser, slider


def browse_cards(cards):
    """Return a menu of the data sets of the catalog; the chosen card stands below. cards : catalog.cards()."""

    def show(name):
        card = cards[name]
        classes = "".join(f"<li><b>{name}</b>: {text}</li>" for name, text in card["classes"].items())
        about = f"{card['photos']} photos; groups: {card['groups']}; {card['license']}"
        return f"<p><b>{card['title']}</b><br>{about}<br>From: {card['source']}</p><ul>{classes}</ul>"

    start = "leaves" if "leaves" in cards else next(iter(cards))
    return live_box(show, name=ipywidgets.Dropdown(options=list(cards), value=start, description="data set"))


def cards_table(cards):
    """Return a DataFrame of the catalog's data sets, one a row: what a printed page shows beside `browse_cards`."""
    columns = ["title", "photos", "groups", "license"]
    return pandas.DataFrame([{name: card[name] for name in columns} for card in cards.values()], index=list(cards))


def explore_answers(model, class_names, paths):
    """Return a menu of photos and a button for one's own: the model names the chosen one.

    model : a Keras model, pixels 0-255 (batch, side, side, 3) to probabilities; paths : of the photos in the menu
    """
    upload, menu = photo_chooser(paths)

    def show(photo):
        image = read_image(photo, model.input_shape[1])
        probabilities = model.predict(image[None], verbose=0)[0]
        best = class_names[probabilities.argmax()]
        said = f"{pathlib.Path(photo).name}: {best}, {probabilities.max():.0%} sure"
        return plots.plot_answer(image, probabilities, class_names, said), f"A photo and the model's answer: {said}"

    return ipywidgets.VBox([upload, live_box(show, photo=menu)])


WEIGHTS = {  # of a convolution, and what it finds
    "vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "spots": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "nothing (it blurs)": [[1 / 9] * 3] * 3,
}


def explore_convolution(gray):
    """Return a menu of weights and two sliders that move their window over a photo.

    gray : brightness of a photo, float (height, width), 0-255
    """
    height, width = gray.shape

    def show(weights, row, column):
        return draw_convolution(gray, weights, row, column)

    menu = ipywidgets.Dropdown(options=list(WEIGHTS), description="weights find", style=WIDE)
    row = slider("row", height // 2, 1, height - 2)
    return live_box(show, weights=menu, row=row, column=slider("column", width // 3, 1, width - 2))


def strongest_edge(gray):
    """Return (row, column) of where a photo gets brighter most from left to right; not at its border.

    gray : brightness, float (height, width), 0-255
    """
    jump = gray[1:-1, 2:] - gray[1:-1, :-2]  # right minus left of each place
    return tuple(int(place) + 1 for place in np.unravel_index(jump.argmax(), jump.shape))


def draw_convolution(gray, name, row, column):
    """Return (Figure, alt text): a photo with a window, the window's numbers times the weights, and the result.

    name : a key of WEIGHTS; row, column : of the middle of the window, not at the border
    """
    weights = np.array(WEIGHTS[name])
    window = gray[row - 1 : row + 2, column - 1 : column + 2]
    windows = np.lib.stride_tricks.sliding_window_view(gray, (3, 3))  # (height - 2, width - 2, 3, 3)
    result = (windows * weights).sum(axis=(2, 3))
    total = result[row - 1, column - 1]
    figure, axes = plt.subplots(1, 4, figsize=(10.5, 3), layout="constrained", width_ratios=[1.3, 1, 1, 1.3])
    for ax, title in zip(axes, ["photo, and the window", "brightness", "times weights", "result"], strict=True):
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=9)
    axes[0].imshow(gray, cmap="gray", vmin=0, vmax=255)
    axes[0].add_patch(
        plt.Rectangle((column - 4, row - 4), 8, 8, fill=False, color=plots.PALETTE["orange"], linewidth=2)
    )
    _numbers(axes[1], window, "{:.0f}", 0, 255)
    _numbers(axes[2], weights, "{:.2g}", -1.5 * np.abs(weights).max(), 1.5 * np.abs(weights).max())
    limit = np.abs(result).max() or 1
    axes[3].imshow(result, cmap="PuOr_r", vmin=-limit, vmax=limit)
    axes[3].plot(column - 1, row - 1, "o", color=plots.PALETTE["orange"], markeredgecolor="black")
    said = f"Weights for {name}, at row {row}, column {column}: the products add up to {total:.0f}"
    figure.suptitle(said, fontsize=11)
    return figure, said


def _numbers(ax, values, form, low, high):
    """Draw a small table of numbers on shades of gray."""
    ax.imshow(values, cmap="gray", vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(values):
        color = "white" if value < (low + high) / 2 else "black"
        ax.text(column, row, form.format(value), ha="center", va="center", fontsize=9, color=color)


def draw_feature_maps(image, early, late, count=6):
    """Return a Figure of a photo, some feature maps of an early layer and some of a late one, a row each.

    image : pixels 0-255 (h, w, 3); early, late : feature maps (h, w, channels). Those that vary most are drawn
    """
    pictures, titles = [], []
    for name, maps in (("early", early), ("late", late)):
        chosen = np.argsort(-maps.std(axis=(0, 1)), kind="stable")[:count]
        pictures += [image, *[_stretched(maps[..., channel]) for channel in chosen]]
        titles += ["the photo", *[f"{name} map {channel}" for channel in chosen]]
    return plots.photo_grid(
        pictures, titles, columns=count + 1, title="What the base sees: bright where its pattern is"
    )


def _stretched(values):
    """Return a feature map as gray, uint8: its lowest value black, its highest white."""
    low, high = values.min(), values.max()
    return (255 * (values - low) / (high - low or 1)).astype(np.uint8)
