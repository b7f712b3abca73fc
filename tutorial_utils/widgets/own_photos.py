"""The control of chapter 8: the finished model predicts one photo after the other, or says "I don't know"."""

import pathlib
import tempfile
import textwrap

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from ..course.predictor import predict_photos
from ..data.images import read_image
from ..evaluation import plots
from .controls import confidence_slider, live_box

SIDE = 224  # pixels of a photo in the figure
MOST = 10  # classes whose bars are drawn


def explore_predictor(predictor, paths, names=None, start=0.5):
    """Return a menu of photos, a place to drop photos of one's own, and a slider: below it the answer is "unsure".

    predictor : from predictor.load_predictor or predictor.make_predictor; paths : (photos,), the first is shown first
    names : one text a photo; None: the files' names
    start : how sure the model must be to answer, 0-1; infinite: 0.5
    """
    options = list(zip(names or [pathlib.Path(path).name for path in paths], paths, strict=True))
    photo = ipywidgets.Dropdown(options=options, description="photo", layout={"width": "30em"})
    upload = ipywidgets.FileUpload(
        accept="image/*", multiple=True, description="a photo of yours", layout={"width": "14em"}
    )
    folder = tempfile.TemporaryDirectory()  # lives as long as the control

    def take(change):
        added = [(f"yours: {file['name']}", _kept(folder.name, file)) for file in change["new"]]
        if added:
            photo.options = [*added, *photo.options]
            photo.value = added[0][1]

    def show(photo, threshold):
        return draw_prediction(predictor, photo, threshold)

    upload.observe(take, "value")
    box = ipywidgets.VBox([upload, live_box(show, per_row=1, photo=photo, threshold=confidence_slider(start))])
    box.folder = folder
    return box


def _kept(folder, file):
    """Write an uploaded file into a folder, under its own name without any path, and return where it is."""
    path = pathlib.Path(folder) / pathlib.PurePosixPath(file["name"].replace("\\", "/")).name
    path.write_bytes(bytes(file["content"]))
    return str(path)


def verdict(row, threshold):
    """Return what a row of predictor.predict_photos comes to, in words: an answer, or why there is none."""
    if row["problem"]:
        return f"not read. {row['problem']}"
    if row["unknown"] == "yes":
        return f"I don't know: unlike all that I learned from (else {row['class']}, {row['confidence']:.0%} sure)"
    if row["confidence"] < threshold:
        return f"I don't know: {row['class']}, but only {row['confidence']:.0%} sure"
    return f"{row['class']}, {row['confidence']:.0%} sure"


def draw_prediction(predictor, path, threshold):
    """Return (Figure, alt text): a photo, what the model says of it, and its probabilities as bars.

    threshold : how sure it must be to answer, 0-1, a line across the bars. A photo that cannot be read says why.
    """
    row = next(predict_photos(predictor, [path], progress=False)).iloc[0]
    said = verdict(row, threshold)
    figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.2), layout="constrained", width_ratios=[1, 1.6])
    axes[0].set(xticks=[], yticks=[])
    if not row["problem"]:
        axes[0].imshow(read_image(path, SIDE))
        probabilities = row[[f"p: {name}" for name in predictor.class_names]].to_numpy(float)
        _bars(axes[1], predictor.class_names, probabilities, threshold)
    figure.suptitle("\n".join(textwrap.wrap(said, 80)), fontsize=11)
    return figure, f"A photo and the model's answer: {said}"


def _bars(ax, class_names, probabilities, threshold):
    """Draw the probabilities of the likeliest classes, the likeliest on top."""
    order = np.argsort(-probabilities, kind="stable")[:MOST]
    colors = [plots.PALETTE["blue" if probabilities[place] >= threshold else "sky"] for place in order]
    bars = ax.barh([class_names[place] for place in order], 100 * probabilities[order], color=colors)
    ax.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    ax.axvline(100 * threshold, color=plots.PALETTE["black"], linewidth=1, linestyle="--")
    ax.invert_yaxis()
    ax.set(xlabel="probability (%); dashed: how sure it must be", ylabel="class", xlim=(0, 108))
    ax.set_title("what the model says", fontsize=9)
