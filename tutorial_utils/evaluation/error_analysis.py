"""Which photos does a model have wrong, and which training photos are most like them (chapter 6)?

NumPy arrays in, no TensorFlow needed.
"""

from typing import NamedTuple

import numpy as np
import pandas
import sklearn.neighbors


class Errors(NamedTuple):
    """What is known of the photos that a model has wrong, the surest first; `find_errors` makes it."""

    table: pandas.DataFrame  # a row an error: place (among the test photos), path, true, predicted, confidence
    near: list  # of each error, the paths of the training photos most like it
    near_labels: list  # their class names
    maps: np.ndarray | None  # saliency maps, float (errors, height, width), 0-1, or None

    def only(self, rows):
        """Return the Errors of some rows of the table, int (rows,)."""
        maps = None if self.maps is None else self.maps[rows]
        return Errors(
            self.table.iloc[rows], [self.near[row] for row in rows], [self.near_labels[row] for row in rows], maps
        )


def find_errors(test, labels, probabilities, train, features, train_features, saliency_of=None, count=3, most=None):
    """Return the Errors of a model on test photos.

    test, train : photos tables of the same classes; labels, probabilities : of the test photos, from metrics.predict
    features, train_features : float (photos, channels), by which photos are alike
    saliency_of : function of the places of the errors among the test photos, int (errors,), that returns saliency maps
        (errors, height, width), 0-1; None: none are kept
    count : how many training photos to find for each; most : keep only so many errors, the surest; None: all
    """
    names = np.array(test["label"].cat.categories)
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:most]
    table = pandas.DataFrame(
        {
            "place": wrong,
            "path": test["path"].to_numpy()[wrong],
            "true": names[labels[wrong]],
            "predicted": names[predicted[wrong]],
            "confidence": probabilities[wrong, predicted[wrong]],
        }
    )
    if not len(wrong):
        return Errors(table, [], [], None)
    _, places = nearest_photos(features[wrong], train_features, min(count, len(train)))
    paths, classes = train["path"].to_numpy(), train["label"].astype(str).to_numpy()
    maps = None if saliency_of is None else saliency_of(wrong)
    return Errors(table, paths[places].tolist(), classes[places].tolist(), maps)


def nearest_photos(features, known, count=1):
    """Return (distances, places) of the photos among `known` that are most like each photo, the nearest first.

    features : float (photos, channels), what a base makes of photos, pooled; known : float (known photos, channels)
    distances : float (photos, count), 1 - the cosine of the angle between the two, so 0 to 2, 1 at a right angle; the
        lengths say nothing. places : int (photos, count), rows of `known`
    Raises ValueError for other shapes, values that are no numbers, or fewer known photos than `count`.
    """
    features, known = _rows("features", features), _rows("known", known)
    if features.shape[1] != known.shape[1]:
        raise ValueError(
            f"Expected features of as many channels as the known photos have, {known.shape[1]}; got "
            f"{features.shape[1]}. Take both from the same base."
        )
    if not 1 <= count <= len(known):
        raise ValueError(f"count must be from 1 to the number of known photos, {len(known)}; got {count}.")
    search = sklearn.neighbors.NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute")
    return search.fit(known).kneighbors(features)


def _rows(name, rows):
    """Return features as float64 (photos, channels), or raise ValueError."""
    rows = np.asarray(rows, np.float64)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ValueError(
            f"Expected {name} as finite numbers, float (photos, channels), at least one photo; got shape {rows.shape}. "
            "Pool the maps of a base first: maps.mean(axis=(1, 2))."
        )
    return rows
