"""The controls of chapter 6: the photos of a cell of the confusion matrix, a threshold, a saliency map, the errors."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable

from ..data.images import read_image
from ..evaluation import diagnostic_plots, metrics, plots
from . import clickable
from .controls import confidence_slider, live_box, live_view, slider

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
    many = len(class_names) > plots.MOST_NAMED
    cells = np.flatnonzero(counts) if many else np.arange(counts.size)  # row by row; of many, those that hold photos
    matrix = _matrix(counts, class_names, cells)

    def show(place):
        true, said = divmod(cells[place], len(class_names))
        here = np.flatnonzero((labels == true) & (predicted == said))
        here = here[np.argsort(-confidence[here], kind="stable")]
        title = matrix.texts[place]
        if not len(here):
            return f"<p>{title}</p>"
        sure = [f"{confidence[place]:.0%} sure" for place in here[:most]]
        title += f", the {most} surest" if len(here) > most else ""
        photos = [read_image(path, SIDE) for path in paths[here[:most]]]
        return plots.photo_grid(photos, sure, columns=most, title=title), title

    return ipywidgets.VBox([matrix, live_view(show, place=matrix)])


def _matrix(counts, class_names, cells):
    """Return the drawn matrix with a place for each of the cells, int (cells,); the largest mistake is chosen.

    A place is the cell's box, or, where cells are too small to be hit, its center: a click chooses the nearest.
    """
    many = len(class_names) > plots.MOST_NAMED
    true, said = np.divmod(cells, len(class_names))
    places = np.stack([said, true], axis=1) + 0.5 if many else np.stack([said, true, said + 1, true + 1], axis=1)
    texts = [
        _cell(counts[one, other], class_names[one], class_names[other]) for one, other in zip(true, said, strict=True)
    ]
    ax = plt.subplots(figsize=(9, 7.6), layout="constrained")[1] if many else None  # without the list of mistakes
    ax = plots.plot_confusion(counts, class_names, ax, title="Choose a cell: its photos are shown below")
    matrix = clickable.picture(ax, places, texts, "Confusion matrix, true class by row, predicted by column")
    matrix.chosen = int(np.where(true == said, 0, counts.flat[cells]).argmax())
    return matrix


def _cell(count, true, said):
    photos = f"{count} photo{'' if count == 1 else 's'}"
    return f"{true}, found: {photos}" if true == said else f"{true}, taken for {said}: {photos}"


def explore_threshold(answers, class_names, chosen):
    """Return menus of photos and classes and a slider over the confidence below which the model gives no answer.

    answers : {which photos: (labels int (photos,), probabilities float (photos, classes))}, the first shown first
    chosen : the threshold in use, 0-1, where the slider starts; infinite: none
    """
    classes = [("all classes", ALL), *((name, number) for number, name in enumerate(class_names))]

    def show(which, number, threshold):
        number = None if number == ALL else number
        name = f"{which} photos, {'all classes' if number is None else class_names[number]}"
        return draw_threshold(*answers[which], threshold, chosen, number, name)

    return live_box(
        show,
        which=ipywidgets.Dropdown(options=list(answers), description="photos"),
        number=ipywidgets.Dropdown(options=classes, description="class"),
        threshold=confidence_slider(chosen),
    )


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


def explore_saliency(images, maps, texts, masks=None, start=0.5):
    """Return a menu of photos and a slider over how strongly the saliency map covers the chosen one.

    images : pixels 0-255 (photos, height, width, 3); maps : float (photos, h, w), 0-1; texts : one a photo
    masks : bool (photos, h, w): a box to tick draws their outlines; None: no such box
    """
    options = [(text, place) for place, text in enumerate(texts)]
    controls = {
        "photo": ipywidgets.Dropdown(options=options, description="photo", layout={"width": "26em"}),
        "strength": slider("strength of the map", start, 0, 1, step=0.1, width="26em"),
    }
    if masks is not None:
        controls["outline"] = ipywidgets.Checkbox(True, description="outline of the lesions", indent=False)

    def show(photo, strength, outline=False):
        return draw_saliency(images[photo], maps[photo], strength, masks[photo] if outline else None, texts[photo])

    return live_box(show, per_row=3, **controls)


def draw_saliency(image, saliency, strength, mask=None, title=""):
    """Return (Figure, alt text): a photo (height, width, 3), and the photo under its map (h, w), so strong (0-1).

    mask : bool (h, w), drawn as an outline on both; None: no outline
    """
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.2), layout="constrained")
    diagnostic_plots.draw_photo(axes[0], image, mask=mask, gray=False)
    diagnostic_plots.draw_photo(axes[1], image, saliency, mask, strength, gray=False)
    colors = ScalarMappable(cmap=diagnostic_plots.COLORS)  # of the map alone, however weak it is drawn
    figure.colorbar(colors, ax=axes[1], shrink=0.8, ticks=[0, 0.5, 1], label="share of the map's highest value")
    axes[0].set_title("the photo", fontsize=9)
    axes[1].set_title(f"strength {strength:.0%}", fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure, f"{title}: the photo, and the photo under its saliency map at a strength of {strength:.0%}"


def browse_errors(errors):
    """Return a menu of what was taken for what, the most frequent first, and a slider over its photos, surest first.

    errors : from error_analysis.find_errors
    """
    table = errors.table
    if not len(table):
        return ipywidgets.HTML("Every photo is right: there is no error to look at.")
    pairs = table.groupby(["true", "predicted"]).size().sort_values(ascending=False, kind="stable")
    options = [(f"all {len(table)} errors", ())]  # a menu whose value is None shows no choice
    options += [(f"{true}, taken for {said}: {count}", (true, said)) for (true, said), count in pairs.items()]
    menu = ipywidgets.Dropdown(options=options, description="errors", layout={"width": "26em"})
    number = slider("photo", 1, 1, len(table))

    def of_pair(pair):
        here = (table["true"] == pair[0]) & (table["predicted"] == pair[1]) if pair else table["place"] >= 0
        return np.flatnonzero(here)

    def follow(change):
        number.value = 1
        number.max = len(of_pair(change["new"]))

    def show(pair, number):
        rows = of_pair(pair)
        place = rows[min(number, len(rows)) - 1]
        row = table.iloc[place]
        title = f"Error {min(number, len(rows))} of {len(rows)}"
        alt = f"{title}: {row['true']}, taken for {row['predicted']}, {row['confidence']:.0%} sure; photos like it"
        return diagnostic_plots.plot_errors(errors.only([place]), read_image, title=title), alt

    menu.observe(follow, "value")
    return live_box(show, pair=menu, number=number)
