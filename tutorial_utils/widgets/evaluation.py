"""The controls of chapter 6: the photos of a cell of the confusion matrix, a threshold, the strength of a heat map."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable

from ..data.images import read_image
from ..evaluation import heat_plots, metrics, plots
from . import clickable
from .controls import WIDE, live_view

SIDE = 160  # pixels of a photo in a figure
ALL = -1  # in the place of a class: a menu whose value is None shows no choice
LOOKS = {"coverage": ("blue", ":"), "precision": ("orange", "-"), "recall": ("green", "--")}


def browse_confusion(paths, labels, predicted, class_names, confidence, most=6):
    """Return the confusion matrix, of which a cell is chosen by a click or by keys, and below it that cell's photos.

    paths : (photos,); labels, predicted : int (photos,); confidence : (photos,), 0-1, the surest are shown first
    most : how many photos are shown
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    paths, confidence = np.asarray(paths), np.asarray(confidence)
    counts = metrics.confusion(labels, predicted, len(class_names))
    matrix = _matrix(counts, class_names)

    def show(cell):
        if cell < 0:
            return "<p>Choose a cell of the matrix: its photos are shown here.</p>"
        true, said = divmod(cell, len(class_names))
        here = np.flatnonzero((labels == true) & (predicted == said))
        here = here[np.argsort(-confidence[here], kind="stable")]
        title = matrix.texts[cell]
        if not len(here):
            return f"<p>{title}</p>"
        sure = [f"{confidence[place]:.0%} sure" for place in here[:most]]
        title += f", the {most} surest" if len(here) > most else ""
        photos = [read_image(path, SIDE) for path in paths[here[:most]]]
        return plots.as_html(plots.photo_grid(photos, sure, columns=most, title=title), title)

    return ipywidgets.VBox([matrix, live_view(show, cell=matrix)])


def _matrix(counts, class_names):
    """Return the drawn matrix with a box for each cell, row by row; the largest mistake is chosen."""
    classes = range(len(class_names))
    boxes = [(said, true, said + 1, true + 1) for true in classes for said in classes]
    texts = [_cell(counts[true, said], class_names[true], class_names[said]) for true in classes for said in classes]
    ax = plots.plot_confusion(counts, class_names, title="Choose a cell: its photos are shown below")
    matrix = clickable.picture(ax, boxes, texts, "Confusion matrix, true class by row, predicted by column")
    mistakes = counts - np.diag(np.diag(counts))
    matrix.chosen = int(mistakes.argmax()) if mistakes.any() else 0
    return matrix


def _cell(count, true, said):
    photos = f"{count} photo{'' if count == 1 else 's'}"
    return f"{true}, found: {photos}" if true == said else f"{true}, taken for {said}: {photos}"


def explore_threshold(answers, class_names, chosen):
    """Return menus of photos and classes and a slider over the confidence below which the model gives no answer.

    answers : {which photos: (labels int (photos,), probabilities float (photos, classes))}, the first shown first
    chosen : the threshold in use, 0-1, where the slider starts; infinite: none
    """
    start = float(chosen) if np.isfinite(chosen) else 0.5
    which = ipywidgets.Dropdown(options=list(answers), description="photos")
    options = [("all classes", ALL), *((name, number) for number, name in enumerate(class_names))]
    of_class = ipywidgets.Dropdown(options=options, description="class")
    slider = ipywidgets.FloatSlider(
        start, min=0, max=1, step=0.01, description="answer only when at least this sure", continuous_update=False,
        style=WIDE, layout={"width": "36em"},
    )  # fmt: skip

    def show(which, number, threshold):
        number = None if number == ALL else number
        name = f"{which} photos, {'all classes' if number is None else class_names[number]}"
        return plots.as_html(*draw_threshold(*answers[which], threshold, chosen, number, name))

    view = live_view(show, which=which, number=of_class, threshold=slider)
    return ipywidgets.VBox([ipywidgets.HBox([which, of_class]), slider, view])


def draw_threshold(labels, probabilities, threshold, chosen, number=None, name="all classes"):
    """Return (Figure, alt text): precision, recall and coverage by threshold, one threshold marked.

    labels, probabilities, number : as for `scores_at`; chosen : the threshold in use, a dotted line
    name : which photos of which classes these are, for the title
    """
    here = {score: float(values[0]) for score, values in scores_at(labels, probabilities, [threshold], number).items()}
    figure, ax = plt.subplots(figsize=(6.6, 3.9), layout="constrained")
    steps = np.linspace(0, 1, 101)
    for score, values in scores_at(labels, probabilities, steps, number).items():
        look = dict(color=plots.PALETTE[LOOKS[score][0]], label=f"{score}: {_percent(here[score])}")
        ax.plot(100 * steps, 100 * values, LOOKS[score][1], linewidth=2, **look)
        ax.plot(100 * threshold, 100 * here[score], "o", color=look["color"])
    ax.axvline(100 * threshold, color=plots.PALETTE["black"], linewidth=1)
    if np.isfinite(chosen):
        ax.axvline(100 * chosen, color="0.7", linewidth=4, zorder=0, label=f"in use: {chosen:.0%}")
    ax.set(xlabel="answer only when at least this sure (%)", ylabel="share (%)", ylim=(-3, 103))
    ax.set_title(f"{name}: answers from {threshold:.0%} on", fontsize=11)
    ax.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside lower center", ncols=4)
    said = ", ".join(f"{score} {_percent(value)}" for score, value in here.items())
    return figure, f"{name}, answers only when at least {threshold:.0%} sure: {said}"


def scores_at(labels, probabilities, thresholds, number=None):
    """Return {score: (thresholds,)} of a model that answers only when at least so sure; fractions, NaN of no photos.

    labels : int (photos,); probabilities : float (photos, classes); number : of a class; None: all
    coverage : of the photos (of the class), those that are answered, whatever the answer
    precision : of the answers (that name the class), those that are right
    recall : of the photos (of the class), those that are answered rightly
    """
    labels, said = np.asarray(labels), probabilities.argmax(axis=1)
    answered = probabilities.max(axis=1) >= np.asarray(thresholds)[:, None]  # (thresholds, photos)
    of_class = np.full(len(labels), True) if number is None else labels == number
    named = np.full(len(labels), True) if number is None else said == number
    right = answered & of_class & (said == labels)
    return {
        "coverage": _share((answered & of_class).sum(axis=1), of_class.sum()),
        "precision": _share(right.sum(axis=1), (answered & named).sum(axis=1)),
        "recall": _share(right.sum(axis=1), of_class.sum()),
    }


def _share(part, whole):
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=np.asarray(whole) > 0)


def _percent(share):
    return f"{share:.0%}" if np.isfinite(share) else "no photo"


def explore_heat(images, heats, texts, masks=None, start=0.5):
    """Return a menu of photos and a slider over how strongly the heat map covers the chosen one.

    images : pixels 0-255 (photos, height, width, 3); heats : float (photos, h, w), 0-1; texts : one a photo
    masks : bool (photos, h, w): a box to tick draws their outlines; None: no such box
    """
    controls = {
        "photo": ipywidgets.Dropdown(
            options=[(text, place) for place, text in enumerate(texts)], description="photo", layout={"width": "26em"}
        ),
        "strength": ipywidgets.FloatSlider(
            start, min=0, max=1, step=0.1, description="strength of the heat", continuous_update=False,
            style=WIDE, layout={"width": "24em", "flex": "0 0 auto"},
        ),
    }  # fmt: skip
    if masks is not None:
        controls["outline"] = ipywidgets.Checkbox(True, description="outline of the lesions", indent=False)

    def show(photo, strength, outline=False):
        mask = masks[photo] if outline else None
        return plots.as_html(*draw_heat(images[photo], heats[photo], strength, mask, texts[photo]))

    row = ipywidgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap"})
    return ipywidgets.VBox([row, live_view(show, **controls)])


def draw_heat(image, heat, strength, mask=None, title=""):
    """Return (Figure, alt text): a photo (height, width, 3), and the photo under its heat map (h, w), so strong (0-1).

    mask : bool (h, w), drawn as an outline on both; None: no outline
    """
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.2), layout="constrained")
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    for ax in axes:
        ax.imshow(np.round(image).astype(np.uint8))
        ax.set(xticks=[], yticks=[])
        if mask is not None and mask.any() and not mask.all():
            ax.contour(mask.astype(float), [0.5], colors=heat_plots.MASK, linewidths=1, extent=extent, origin="upper")
    axes[1].imshow(heat, cmap=heat_plots.COLORS, vmin=0, vmax=1, alpha=strength, extent=extent)
    colors = ScalarMappable(cmap=heat_plots.COLORS)  # of the heat alone, however weak it is drawn
    figure.colorbar(colors, ax=axes[1], shrink=0.8, ticks=[0, 0.5, 1], label="heat, as a share of the highest")
    axes[0].set_title("the photo", fontsize=9)
    axes[1].set_title(f"strength {strength:.0%}", fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure, f"{title}: the photo, and the photo under its heat map at a strength of {strength:.0%}"
