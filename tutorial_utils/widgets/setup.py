"""The controls that show what a base sees: which photos it finds alike (chapter 1), a map of them all (chapter 3)."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import sklearn.decomposition
import sklearn.manifold
import threadpoolctl

from ..data.images import read_image
from ..evaluation import plots
from . import clickable
from .controls import WIDE, live_view

MARKERS = "osD^vP*X"


def browse_alike(images, labels, class_names, alike, taken, start=0):
    """Return a slider over photos and a menu of descriptions, with the photos that are most alike by each.

    The arguments are those of `draw_alike`; all of it is known before, so that moving only draws.
    """

    def show(photo, name):
        return plots.as_html(*draw_alike(images, labels, class_names, {name: alike[name]}, taken, photo))

    options = {"min": 0, "max": len(images) - 1, "description": "photo", "continuous_update": False, "style": WIDE}
    slider = ipywidgets.IntSlider(start, **options)
    menu = ipywidgets.Dropdown(options=list(alike), description="described by", style=WIDE)
    return ipywidgets.VBox([ipywidgets.HBox([slider, menu]), live_view(show, photo=slider, name=menu)])


def draw_alike(images, labels, class_names, alike, taken, photo):
    """Return (Figure, alt text): a photo, what it is taken for, and the photos most alike; a row a description.

    images : uint8 (photos, h, w, 3); labels : int (photos,)
    alike : {name of a description: int (photos, count)}, as from `nearest`
    taken : {name of a description: uint8 (photos, h, w, 3)}, what each photo looks like to it, as from `taken_for`
    """
    pictures, titles, said = [], [], []
    own = class_names[labels[photo]]
    for name, near in ((name, near[photo]) for name, near in alike.items()):
        pictures += [images[photo], taken[name][photo], *images[near]]
        titles += [f"photo: {own}", name, *(class_names[one] for one in labels[near])]
        said.append(f"of the {len(near)} most alike by {name}, {(labels[near] == labels[photo]).sum()} are {own}")
    alt = f"Photo {photo}: {'; '.join(said)}"
    title = alt if len(said) == 1 else f"Photo {photo}, and the photos most alike by each description"
    return plots.photo_grid(pictures, titles, columns=2 + near.size, title=title, size=1.4), alt


def nearest(rows, groups, count=5):
    """Return the photos whose descriptions are most alike, int (photos, at most count), the most alike first.

    rows : float (photos, numbers); alike is the cosine of two rows, less the mean of all
    groups : (photos,); photos of the same group are left out, for they are alike whatever describes them
    """
    rows, (_, group_of) = np.asarray(rows, np.float64), np.unique(np.asarray(groups, str), return_inverse=True)
    rows = rows - rows.mean(axis=0)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    alike = np.where(group_of[:, None] == group_of, -np.inf, rows @ rows.T)  # (photos, photos)
    count = min(count, int(np.isfinite(alike).sum(axis=1).min()))
    return np.argsort(-alike, axis=1, kind="stable")[:, :count]


def taken_for(images, given, own):
    """Return the photos that a network takes `images` for when they reach it through `given`, uint8 as `images`.

    own : the preprocessing that the network was trained with; given : the one that is used; functions of pixels 0-255,
        float (photos, h, w, 3). `own` shifts, scales and mixes colors, so four colors tell all that it does
    """
    ask = np.float32([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]).reshape(4, 1, 1, 3)
    black, *ends = np.asarray(own(ask), np.float64).reshape(4, 3)
    change = (np.array(ends) - black) / 255  # (3, 3): what one step of red, of green, of blue changes
    reached = np.asarray(given(np.asarray(images, np.float32)), np.float64)
    return np.clip(np.round((reached - black) @ np.linalg.inv(change)), 0, 255).astype(np.uint8)


def neighbor_map(features, seed=0):
    """Return a place for each photo, float (photos, 2), such that photos with like features lie near each other.

    features : float (photos, channels). t-SNE (van der Maaten and Hinton 2008, JMLR 9) on the first
    50 principal components of the standardized features. Only who is near whom means something: not the axes, and not
    how far apart two crowds are. Fewer than 8 photos get the first two components.
    """
    features = np.asarray(features, np.float64)
    scaled = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-3)
    count = max(1, min(50, len(scaled) - 1, scaled.shape[1]))
    rows = sklearn.decomposition.PCA(count, random_state=seed).fit_transform(scaled)
    if len(rows) < 8:
        return np.pad(rows, ((0, 0), (0, 1)))[:, :2]
    method = sklearn.manifold.TSNE(init="pca", perplexity=min(30, (len(rows) - 1) / 3), max_iter=500, random_state=seed)
    with threadpoolctl.threadpool_limits(1):  # threads that wait for each other on a busy machine cost minutes
        return method.fit_transform(rows)


def browse_map(places, labels, class_names, paths, start=0):
    """Return a map of photos where a click on a point, or the arrow keys, show its photo beside it.

    places : float (photos, 2), as from `neighbor_map`; labels : int (photos,); paths : (photos,)
    """
    texts = [f"photo {photo}: {class_names[label]}" for photo, label in enumerate(labels)]
    ax, alt = draw_map(places, labels, class_names)
    picture = clickable.picture(ax, places, texts, alt)
    picture.chosen = start

    def show(photo):
        if photo < 0:
            return "<p>Click a point, or walk with the arrow keys.</p>"
        figure = plots.photo_grid([read_image(paths[photo], 224)], title=texts[photo], size=2.4)
        return plots.as_html(figure, f"Photo {photo} of the class {class_names[labels[photo]]}")

    layout = ipywidgets.Layout(flex_flow="row wrap")
    return ipywidgets.HBox([picture, live_view(show, photo=picture)], layout=layout)


def draw_map(places, labels, class_names, title="Photos with like features lie near each other"):
    """Return (Axes, alt text) of a map of photos, a mark and a color a class."""
    labels, colors = np.asarray(labels), [color for color in plots.PALETTE.values() if color != plots.PALETTE["yellow"]]
    _, ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
    for number, name in enumerate(class_names):
        of = labels == number
        marker = MARKERS[(number + number // len(colors)) % len(MARKERS)]
        ax.plot(*places[of].T, marker, color=colors[number % len(colors)], markersize=5, alpha=0.8, label=name)
    ax.set(title=title, xlabel="first direction of the map (no unit)", ylabel="second direction (no unit)")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.figure.legend(loc="outside right upper", fontsize=8, title="class")
    return ax, f"{title}: {len(labels)} photos of {len(class_names)} classes as points"
