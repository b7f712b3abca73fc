"""The controls of chapter 3: a map of the features, a head that is trained anew with every move, its predictions."""

import functools
import time

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas
import sklearn.decomposition
import sklearn.manifold
import threadpoolctl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from seaborn.utils import relative_luminance

from ..data import splits
from ..data.images import read_image
from ..evaluation import metrics, plots
from ..models import heads, training
from . import clickable
from .controls import WRAP, live_box, live_view, option_slider, slider

DESCENT_RATES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
MARKERS = "osD^vP*X"  # of the classes on the map
MOST_BARS = 10  # classes whose probability is drawn
EPOCHS = 20
MOST = 400  # photos that a head learns from here, of all classes together: more would take longer than a second
SECONDS = 1.0  # that a training may last
UNITS = (2, 8, 32, 128)
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)


def explore_descent():
    """Return a slider over learning rates: below it the steps that a head of one weight takes down its loss."""
    return live_box(draw_descent, rate=option_slider("learning rate", 1.0, DESCENT_RATES))


def draw_descent(rate, steps=12, start=-2.0):
    """Return (Figure, alt text): the loss of a head of one weight, and the steps of gradient descent on it.

    rate : learning rate, above 0; start : the weight before the first step
    The head gives the probability 1 / (1 + exp(-weight * feature)) to the second of two classes, of six photos.
    """
    path = [start]
    for _ in range(steps):
        path.append(path[-1] - rate * _descent_loss(path[-1])[1])
    path = np.array(path)
    low, high = min(-3, path.min() - 0.5), max(6, path.max() + 0.5)
    weights = np.linspace(low, high, 400)
    figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
    ax.plot(weights, [_descent_loss(weight)[0] for weight in weights], color=plots.PALETTE["blue"])
    heights = np.array([_descent_loss(weight)[0] for weight in path])
    ax.plot(path, heights, "o-", color=plots.PALETTE["red"], markersize=5, linewidth=1)
    ax.annotate("start", (path[0], heights[0]), (6, 4), textcoords="offset points")
    ax.set(xlabel="the weight", ylabel="loss (cross-entropy, nats)", ylim=(0, None))
    said = f"Learning rate {rate:g}: loss {heights[0]:.2f} at the start, {heights[-1]:.2f} after {steps} steps"
    ax.set_title(said, fontsize=11)
    return figure, said


def _descent_loss(weight):
    """Return (loss, gradient) of a head of one weight on six photos, each with one feature."""
    features, labels = np.array([1.0, 2.0, 3.0, -1.0, -2.0, 0.5]), np.array([1, 1, 1, 0, 0, 0])
    sums = weight * features
    loss = np.mean(np.logaddexp(0, sums) - labels * sums)
    return float(loss), float(np.mean((1 / (1 + np.exp(-sums)) - labels) * features))


def tsne_map(features, seed=0):
    """Return a place for each photo, float (photos, 2), such that photos with similar features lie close together.

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

    places : float (photos, 2), as from `tsne_map`; labels : int (photos,); paths : (photos,)
    """
    texts = [f"photo {photo}: {class_names[label]}" for photo, label in enumerate(labels)]
    ax, alt = draw_map(places, labels, class_names)
    picture = clickable.picture(ax, places, texts, alt)
    picture.chosen = start

    def show(photo):
        figure = plots.photo_grid([read_image(paths[photo], 224)], title=texts[photo], size=2.4)
        return figure, f"Photo {photo} of the class {class_names[labels[photo]]}"

    return ipywidgets.HBox([picture, live_view(show, photo=picture)], layout=WRAP)


def draw_map(places, labels, class_names, title="Photos with similar features lie close together"):
    """Return (Axes, alt text) of a map of photos, a mark and a color a class; of many classes some, the rest gray."""
    labels, colors = np.asarray(labels), [color for color in plots.PALETTE.values() if color != plots.PALETTE["yellow"]]
    named = plots.named_places(len(class_names))
    _, ax = plt.subplots(figsize=(7, max(4.6, 0.8 + 0.18 * len(named))), layout="constrained")  # room for the legend
    names = [class_names[number] for number in named]
    rest = ~np.isin(labels, named)
    for place, number in enumerate(named):
        of = labels == number
        marker, color = MARKERS[place % len(MARKERS)], colors[place % len(colors)]  # 8 and 7: 56 pairs
        ax.plot(*places[of].T, marker, color=color, markersize=5, alpha=0.8)
    if rest.any():
        ax.plot(*places[rest].T, ".", color="0.7", markersize=4, zorder=1)
        names.append(f"the other {len(class_names) - len(named)}")
    ax.set(title=title, xlabel="first direction of the map (no unit)", ylabel="second direction (no unit)")
    ax.set_xticks([])
    ax.set_yticks([])
    # named one by one: else a class called _other would be missing
    ax.figure.legend(
        ax.lines, [plots.shortened(name) for name in names], loc="outside right upper", fontsize=8, title="class"
    )
    return ax, f"{title}: {len(labels)} photos of {len(class_names)} classes as points"


def explore_head(train, validation, class_names, groups=None):
    """Return three controls over a head on stored features, which is trained anew whenever one moves.

    train, validation : (features, labels), float (photos, channels) and int (photos,)
    groups : of the validation photos (photos,), for the interval; None: all independent
    """
    numbers, board = photos_a_class(train[1]), _Board(class_names)
    rates = [(np.format_float_positional(rate), rate) for rate in RATES]
    return live_box(
        functools.partial(draw_head, train, validation, class_names, groups, board=board),
        number=option_slider("photos a class", numbers[-1], numbers),
        units=option_slider("hidden units", 32, UNITS),
        rate=option_slider("learning rate", 1e-3, rates),
    )


def photos_a_class(labels):
    """Return how many photos a class there are to choose from: 3, 5, 10, ..., up to all, within MOST photos."""
    counts = np.bincount(labels)
    most = max(3, min(counts.max(), MOST // len(counts)))
    return [number for number in (3, 5, 10, 20, 40) if number < most] + [int(most)]


def draw_head(train, validation, class_names, groups=None, number=10, units=32, rate=1e-3, seed=0, board=None):
    """Return (Figure, alt text): the loss curves of a head that is trained now, and its confusion matrix.

    The arguments are those of `explore_head`; number : photos a class, as far as there are so many
    board : a _Board to draw on; None: a new one
    """
    head, history = train_small(train, validation, number, units, rate, seed)
    features, labels = validation
    predicted = np.asarray(head(features, training=False)).argmax(axis=1)
    score = metrics.accuracy(labels, predicted, groups)
    text = f"{number} photos a class, {units} hidden units, rate {np.format_float_positional(rate)}"
    counts = metrics.confusion(labels, predicted, len(class_names))
    figure = (board or _Board(class_names)).redrawn(history, counts, f"{text}\nvalidation accuracy {score}")
    best = history.index[history["kept"]][0]
    return figure, f"{text}: lowest validation loss at epoch {best} of {history.index[-1]}, validation accuracy {score}"


def train_small(train, validation, number, units, rate, seed=0):
    """Return (head, history) of a head that learned from at most `number` photos a class, for at most SECONDS."""
    features, labels = train
    rows = sample_rows(labels, number, seed)
    head = heads.dense_head(features.shape[1], int(labels.max()) + 1, units, 0, seed)
    learned = (features[rows], labels[rows])
    history = training.train_head(head, learned, validation, EPOCHS, rate, seed, rounds=_for_a_second)
    return head, history


def sample_rows(labels, number, seed=0):
    """Return at most `number` rows of each class, drawn by `seed`; a larger number adds rows and takes none away."""
    rows = np.arange(len(labels))
    table = pandas.DataFrame({"path": rows, "label": labels, "group": rows})
    return splits.sample_per_class(table, number, seed)["path"].to_numpy()


def _for_a_second(epochs):
    """Give the numbers of the epochs; end early rather than let a reader wait."""
    end = time.monotonic() + SECONDS
    for number in range(epochs):
        if number and time.monotonic() > end:
            return
        yield number


class _Board:
    """One figure of curves and matrix that is drawn anew in place: a new one would take longer than the training."""

    def __init__(self, class_names):
        self.figure, self.laid_out = Figure(figsize=(10, 4.1), layout="constrained"), False
        self.curves, matrix = self.figure.subplots(1, 2, width_ratios=(1, 1.1))
        blue, red, black = (plots.PALETTE[name] for name in ("blue", "red", "black"))
        (self.train,) = self.curves.plot([], [], "-o", color=blue, markersize=3, label="training")
        (self.val,) = self.curves.plot([], [], "-s", color=red, markersize=3, label="validation")
        (self.kept,) = self.curves.plot([], [], "o", color=black, fillstyle="none", markersize=10, label="kept epoch")
        self.curves.set(xlabel="epoch", ylabel="loss (cross-entropy, nats)", title="Loss", xlim=(-0.5, EPOCHS + 0.5))
        self.curves.xaxis.set_major_locator(MaxNLocator(integer=True))
        self.curves.yaxis.set_major_formatter("{x:.1f}")  # as wide for any loss, so that all keeps its place
        self.curves.grid(alpha=0.3)
        self.curves.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=3)  # no curve goes there
        blank = np.zeros((len(class_names),) * 2, int)
        self.matrix = plots.plot_confusion(blank, class_names, ax=matrix, title="Confusion matrix, validation photos")

    def redrawn(self, history, counts, title):
        """Return the Figure of a history, as from training.train_head, and of counts, int (classes, classes)."""
        self.train.set_data(history.index, history["loss"])
        self.val.set_data(history.index, history["val_loss"])
        kept = history[history["kept"]]
        self.kept.set_data(kept.index, kept["val_loss"])
        highest = np.nanmax(history[["loss", "val_loss"]].to_numpy())
        self.curves.set_ylim(0, 1.05 * highest if np.isfinite(highest) else None)
        mesh = self.matrix.collections[0]
        mesh.set_array(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
        mesh.update_scalarmappable()
        colors = mesh.get_facecolors()  # (cells, 4)
        for text, count, color in zip(self.matrix.texts, counts.flat, colors, strict=False):  # of many classes no text
            text.set(text=str(count), color="0.15" if relative_luminance(color) > 0.408 else "white")
        self.figure.suptitle(title, fontsize=10)
        if not self.laid_out:  # once: to find the places takes as long as to draw
            self.figure.draw_without_rendering()
            self.figure.set_layout_engine("none")
            self.laid_out = True
        return self.figure


def browse_predictions(images, labels, probabilities, class_names):
    """Return a slider over photos; each with a bar for the probability of every class, of many the likeliest.

    images : uint8 (photos, h, w, 3); labels : int (photos,); probabilities : (photos, classes)
    """

    def show(photo):
        own, said = class_names[labels[photo]], class_names[int(np.argmax(probabilities[photo]))]
        figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
        left.imshow(images[photo])
        left.set_axis_off()
        left.set_title(f"true class: {own}", fontsize=9)
        likely = np.sort(np.argsort(-probabilities[photo], kind="stable")[:MOST_BARS])
        colors = [plots.PALETTE["orange" if class_names[place] == own else "blue"] for place in likely]
        names = [plots.shortened(class_names[place]) for place in likely]
        right.barh(range(len(likely)), 100 * probabilities[photo][likely], color=colors)
        right.set_yticks(range(len(likely)), names)
        right.invert_yaxis()
        right.set(xlim=(0, 100), xlabel="probability (%)", title="what the model says (orange: true class)")
        return figure, f"Photo {photo} of class {own}; the model says {said}"

    return live_box(show, photo=slider("photo", 0, 0, len(images) - 1))
