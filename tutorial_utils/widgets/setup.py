"""The controls of chapter 1: the data sets of the catalog, and the nearest photos by what a base makes of them."""

import ipywidgets
import numpy as np

from ..evaluation import error_analysis, plots
from .controls import WIDE, live_box, slider


def browse_cards(cards):
    """Return a menu of the data sets of the catalog; the chosen card stands below. cards : catalog.cards()."""

    def show(name):
        card = cards[name]
        classes = "".join(f"<li><b>{name}</b>: {text}</li>" for name, text in card["classes"].items())
        about = f"{card['photos']} photos; groups: {card['groups']}; {card['license']}"
        return f"<p><b>{card['title']}</b><br>{about}<br>From: {card['source']}</p><ul>{classes}</ul>"

    start = "leaves" if "leaves" in cards else next(iter(cards))
    return live_box(show, name=ipywidgets.Dropdown(options=list(cards), value=start, description="data set"))


def browse_nearest(images, labels, class_names, nearest, seen, start=0):
    """Return a slider over photos and a menu of descriptions, with the nearest photos by each.

    The arguments are those of `draw_nearest`; all of it is known before, so that moving only draws.
    """

    def show(photo, name):
        return draw_nearest(images, labels, class_names, {name: nearest[name]}, seen, photo)

    menu = ipywidgets.Dropdown(options=list(nearest), description="described by", style=WIDE)
    return live_box(show, photo=slider("photo", start, 0, len(images) - 1), name=menu)


def draw_nearest(images, labels, class_names, nearest, seen, photo):
    """Return (Figure, alt text): a photo, what it is seen as, and the nearest photos; a row per description.

    images : uint8 (photos, h, w, 3); labels : int (photos,)
    nearest : {name of a description: int (photos, count)}, as from `nearest_in_other_groups`
    seen : {name of a description: uint8 (photos, h, w, 3)}, what each photo looks like to it, from `photos_as_seen`
    """
    pictures, titles, said = [], [], []
    own = class_names[labels[photo]]
    for name, near in ((name, near[photo]) for name, near in nearest.items()):
        pictures += [images[photo], seen[name][photo], *images[near]]
        titles += [f"photo: {own}", name, *(class_names[one] for one in labels[near])]
        said.append(f"of the {len(near)} most alike by {name}, {(labels[near] == labels[photo]).sum()} are {own}")
    alt = f"Photo {photo}: {'; '.join(said)}"
    title = alt if len(said) == 1 else f"Photo {photo}, and the photos most alike by each description"
    return plots.photo_grid(pictures, titles, columns=2 + near.size, title=title, size=1.4), alt


def nearest_in_other_groups(features, groups, count=5):
    """Return the photos whose features are nearest, int (photos, at most count), the nearest first.

    features : float (photos, channels), compared by the cosine after the mean of all was taken away
    groups : (photos,); photos of the same group are left out, for they are alike whatever describes them
    """
    features, groups = np.asarray(features, np.float64), np.asarray(groups, str)
    features = features - features.mean(axis=0)
    _, order = error_analysis.nearest_photos(features, features, count=len(features))  # (photos, photos)
    other = groups[order] != groups[:, None]
    count = min(count, int(other.sum(axis=1).min()))
    return np.array([row[keep][:count] for row, keep in zip(order, other, strict=True)], int)


def photos_as_seen(images, given, own):
    """Return the photos that a network sees when `images` reach it through another preprocessing, uint8 as `images`.

    own : the preprocessing that the network was trained with; given : the one that is used; functions of pixels 0-255,
        float (photos, h, w, 3). `own` shifts, scales and mixes colors, so four colors tell all that it does
    """
    four = np.float32([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]).reshape(4, 1, 1, 3)
    black, *ends = np.asarray(own(four), np.float64).reshape(4, 3)
    change = (np.array(ends) - black) / 255  # (3, 3): what one step of red, of green, of blue changes
    reached = np.asarray(given(np.asarray(images, np.float32)), np.float64)
    return np.clip(np.round((reached - black) @ np.linalg.inv(change)), 0, 255).astype(np.uint8)
