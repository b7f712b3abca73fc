"""The control of chapter 8: the finished model predicts one photo after the other, or says "I don't know"."""

import textwrap

import ipywidgets
import matplotlib.pyplot as plt

from ..course.predictor import predict_photos
from ..data.images import read_image
from ..evaluation import plots
from .controls import confidence_slider, live_box, photo_chooser

SIDE = 224  # pixels of a photo in the figure


def explore_predictor(predictor, paths, names=None, start=0.5):
    """Return a menu of photos, a place to drop photos of one's own, and a slider: below it the answer is "unsure".

    predictor : from predictor.load_predictor or predictor.make_predictor; paths : (photos,), the first is shown first
    names : one text a photo; None: the files' names
    start : how sure the model must be to answer, 0-1; infinite: 0.5
    """
    chooser, photo = photo_chooser(paths, names)

    def show(photo, threshold):
        return draw_prediction(predictor, photo, threshold)

    return ipywidgets.VBox([chooser, live_box(show, per_row=1, photo=photo, threshold=confidence_slider(start))])


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
    alt = f"A photo and the model's answer: {said}"
    if row["problem"]:
        figure, ax = plt.subplots(figsize=(8.2, 1))
        ax.set_axis_off()
        ax.set_title("\n".join(textwrap.wrap(said, 80)), fontsize=11)
        return figure, alt
    probabilities = row[[f"p: {name}" for name in predictor.class_names]].to_numpy(float)
    return plots.plot_answer(read_image(path, SIDE), probabilities, predictor.class_names, said, threshold), alt
