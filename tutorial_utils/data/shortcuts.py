"""Does something that is not the subject give the class away? Cues, and what a simple model makes of each.

On a much used set of leaf photos eight pixels of the background predict the disease in every second photo (Noyan et
al. 2022). A network that meets such a cue learns it, scores well, and fails on every other photo.
"""

import pathlib

import numpy as np
import sklearn.ensemble
import sklearn.feature_extraction.text
import sklearn.linear_model
import sklearn.model_selection
import sklearn.pipeline

from .. import _check
from . import splits

CUES = {  # name: what it is; the first four must not tell the class, the last two may
    "border": "eight pixels of the border",
    "dimensions": "width, height and format of the file",
    "name": "the name of the file",
    "date": "when the photo was taken",
    "color": "the mean color",
    "bytes": "the size of the file",
}
MAY_DIFFER = ("color", "bytes")  # a disease may rightly change these
_TREES = 100


def predict_from_cue(cue, photos, stats, folds=5, seed=0):
    """Return the class that each photo seems to have by one cue alone, int (photos,); None if the cue says nothing.

    cue : a key of CUES; photos : photos table; stats : as from image_stats.compute_stats, every photo readable
    Each photo is predicted by a model that saw neither it nor any photo of its group: a random forest on numbers,
    logistic regression on pieces of names. None where all photos are alike in the cue, or none has it.
    """
    _check.choice("cue", cue, tuple(CUES))
    _check.columns(photos, ["path", "label", "group"])
    labels = photos["label"].cat.codes.to_numpy()
    values = _values(cue, photos, stats)
    if values is None or len(np.unique(values, axis=0)) < 2:
        return None
    model = _of_names(seed) if cue == "name" else _of_numbers(seed)
    parts = splits.group_k_fold(photos, folds, seed)
    return sklearn.model_selection.cross_val_predict(model, values, labels, groups=photos["group"], cv=parts)


def majority_share(photos):
    """Return the share of photos that the largest class holds: what guessing it always would get right."""
    return float(photos["label"].value_counts(normalize=True).max())


def _values(cue, photos, stats):
    if cue == "name":
        return np.array([pathlib.Path(path).stem for path in photos["path"]])
    if cue == "border":
        return np.stack(stats["border"].tolist()).reshape(len(stats), -1)
    if cue == "color":
        return np.stack(stats["color"].tolist())
    if cue == "bytes":
        return stats[["bytes"]].to_numpy(float)
    if cue == "date":
        return _dates(stats)
    formats = stats["format"].astype("category").cat.codes
    return np.column_stack([stats["width"], stats["height"], formats]).astype(float)


def _dates(stats):
    """Return year, day of the year and hour of each photo, -1 where it has no date; None if no photo has one."""
    taken = stats["taken"]
    if taken.isna().all():
        return None
    return np.nan_to_num(np.column_stack([taken.dt.year, taken.dt.day_of_year, taken.dt.hour]).astype(float), nan=-1)


def _of_numbers(seed):
    return sklearn.ensemble.RandomForestClassifier(_TREES, min_samples_leaf=2, random_state=seed)


def _of_names(seed):
    pieces = sklearn.feature_extraction.text.TfidfVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False)
    return sklearn.pipeline.make_pipeline(pieces, sklearn.linear_model.LogisticRegression(C=10, max_iter=1000))
