"""The mistakes, seen: each wrong photo beside what the model looked at and the training photos most like it (ch. 6)."""

from typing import NamedTuple

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas

from ..data.images import read_image
from ..widgets import controls
from . import plots

SIDE = 160  # pixels of a photo in a figure
ALL = ()  # in the place of a pair of classes: a menu whose value is None shows no choice


class Mistakes(NamedTuple):
    """What is shown of the photos that a model has wrong, the surest first; `of` makes it."""

    table: pandas.DataFrame  # a row a mistake: place (among the test photos), path, true, predicted, confidence
    near: list  # of each mistake, the paths of the training photos most like it
    near_labels: list  # their class names
    heat: np.ndarray | None  # float (mistakes, height, width), 0-1, or None


def find_errors(test, labels, probabilities, train, features, train_features, heat=None, count=3):
    """Return the Mistakes of a model on test photos.

    test, train : photos tables of the same classes; labels, probabilities : of the test photos, from metrics.predict
    features, train_features : float (photos, channels), by which photos are alike
    heat : function of the places of the mistakes among the test photos, int (mistakes,), that returns heat maps
        (mistakes, height, width), 0-1; None: none are shown
    count : how many training photos to show beside each
    """
    names = np.array(test["label"].cat.categories)
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")]
    table = pandas.DataFrame(
        {
            "place": wrong,
            "path": test["path"].to_numpy()[wrong],
            "true": names[labels[wrong]],
            "predicted": names[predicted[wrong]],
            "confidence": probabilities[wrong, predicted[wrong]],
        }
    )
    places = nearest_photos(features[wrong], train_features, count)
    paths, classes = train["path"].to_numpy(), train["label"].astype(str).to_numpy()
    maps = None if heat is None or not len(wrong) else heat(wrong)
    return Mistakes(table, paths[places].tolist(), classes[places].tolist(), maps)


def nearest_photos(features, known, count=3):
    """Return the places among `known` of the rows most like each of `features`, int (photos, count), the most first.

    features, known : float (photos, channels); alike is what points the same way: the cosine of the angle between
    """
    unit = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (features, known)]
    return np.argsort(-unit[0] @ unit[1].T, axis=1, kind="stable")[:, :count]


def figure(found, most=6, title=None):
    """Return a Figure of the surest mistakes, a row each: the photo, its heat map, the training photos most like it.

    Raises ValueError if there is no mistake.
    """
    shown = range(min(most, len(found.table)))
    if not shown:
        raise ValueError("Expected at least one mistake; every photo is right. Collect harder photos.")
    columns = 1 + (found.heat is not None) + len(found.near[0])
    figure, axes = plt.subplots(
        len(shown), columns, squeeze=False, layout="constrained", figsize=(1.75 * columns, 2.05 * len(shown) + 0.6)
    )
    for row, number in zip(axes, shown, strict=True):
        _draw(row, found, number)
    figure.suptitle(title or f"The {len(shown)} surest of {len(found.table)} mistakes", fontsize=12)
    return figure


def _draw(row, found, number):
    """Draw one mistake into a row of Axes."""
    one, axes = found.table.iloc[number], list(row)
    photo = read_image(one["path"], SIDE).astype("uint8")
    axes[0].imshow(photo)
    axes[0].set_title(f"{one['true']},\ntaken for {one['predicted']},\n{one['confidence']:.0%} sure", fontsize=8)
    if found.heat is not None:
        axes[1].imshow(photo.mean(axis=2), cmap="gray", vmin=0, vmax=255)
        height, width = photo.shape[:2]
        axes[1].imshow(
            found.heat[number], cmap="magma", alpha=0.6, vmin=0, vmax=1, interpolation="bilinear",
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        )  # fmt: skip
        axes[1].set_title("what spoke for it\n(light: most)", fontsize=8)
    for ax, path, name in zip(axes[len(axes) - len(found.near[number]) :], found.near[number],
                              found.near_labels[number], strict=True):  # fmt: skip
        ax.imshow(read_image(path, SIDE).astype("uint8"))
        ax.set_title(f"training photo:\n{name}", fontsize=8)
    for ax in axes:
        ax.set_axis_off()


def browse(found):
    """Return a menu of what was taken for what, the most frequent first, and a slider over its photos, surest first."""
    if not len(found.table):
        return ipywidgets.HTML("Every photo is right: there is no mistake to look at.")
    pairs = found.table.groupby(["true", "predicted"]).size().sort_values(ascending=False, kind="stable")
    options = [(f"all {len(found.table)} mistakes", ALL)]
    options += [(f"{true}, taken for {said}: {count}", (true, said)) for (true, said), count in pairs.items()]
    menu = ipywidgets.Dropdown(options=options, description="mistakes", layout={"width": "26em"})
    slider = ipywidgets.IntSlider(1, min=1, max=len(found.table), description="photo", continuous_update=False)

    def follow(change):
        slider.value = 1
        slider.max = len(_rows(found, change["new"]))

    def show(pair, number):
        rows = _rows(found, pair)
        place = rows[min(number, len(rows)) - 1]
        one = found._replace(
            table=found.table.iloc[[place]],
            near=[found.near[place]],
            near_labels=[found.near_labels[place]],
            heat=None if found.heat is None else found.heat[[place]],
        )
        row = found.table.iloc[place]
        title = f"Mistake {min(number, len(rows))} of {len(rows)}"
        alt = f"{title}: {row['true']}, taken for {row['predicted']}, {row['confidence']:.0%} sure; photos like it"
        return plots.as_html(figure(one, title=title), alt)

    menu.observe(follow, "value")
    return ipywidgets.VBox([ipywidgets.HBox([menu, slider]), controls.view(show, pair=menu, number=slider)])


def _rows(found, pair):
    """Return the places in the table of the mistakes of one cell of the confusion matrix; ALL: of all."""
    if pair == ALL:
        return list(range(len(found.table)))
    return np.flatnonzero((found.table["true"] == pair[0]) & (found.table["predicted"] == pair[1])).tolist()
