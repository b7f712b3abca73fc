"""The whole audit of a folder: what its files tell, and what a frozen base tells of its labels and shortcuts."""

import pathlib

import numpy as np
import pandas
import sklearn.linear_model
import sklearn.model_selection
import sklearn.pipeline
import sklearn.preprocessing

from ..data import audit, duplicates, image_stats, shortcuts
from ..data.images import PhotoError, read_image
from ..evaluation import metrics, plots
from ..models import features

FIRES = 0.25  # of the way from chance to what the frozen features reach


def deep_audit(photos, backbone, image_size, seed=0, progress=True):
    """Return (findings, cues, reason): data.audit's findings with suspect labels, the table of shortcuts, and "".

    photos : photos table; backbone : from backbones.get
    Photos that cannot be read are found and left out of what follows. Copies share a group in all cross-validation.
    Where too few photos are left to ask a model, the findings are what the files tell, cues is None and `reason` says
    why.
    """
    stats = image_stats.compute_stats(photos, progress)
    pairs = duplicates.find_duplicates(stats, progress)
    probabilities, table, reason = None, None, ""
    try:
        probabilities, table = _ask(photos, stats, pairs, backbone, image_size, seed, progress)
    except ValueError as error:
        reason = f"Labels and shortcuts could not be judged: {error}"
    return audit.audit_photos(photos, stats, probabilities, progress, pairs), table, reason


def _ask(photos, stats, pairs, backbone, image_size, seed, progress):
    """Return (probabilities of all photos, NaN where there are none; cues)."""
    whole = np.flatnonzero(stats["problem"] == "")
    grouped = photos.assign(group=duplicates.merge_groups(photos["group"], pairs))
    part, seen = grouped.iloc[whole].reset_index(drop=True), stats.iloc[whole].reset_index(drop=True)
    part["label"] = part["label"].cat.remove_unused_categories()
    names = list(part["label"].cat.categories)
    if len(names) < 2:
        raise ValueError("fewer than two classes have photos that can be read.")
    rows = features.stored(part, backbone, image_size, progress=progress)[:]
    said = cross_val_probabilities(part, rows, seed)
    every = list(photos["label"].cat.categories)
    probabilities = np.full((len(photos), len(every)), np.nan)
    probabilities[np.ix_(whole, [every.index(name) for name in names])] = said
    return probabilities, shortcut_table(part, seen, said, seed)


def cross_val_probabilities(photos, rows, seed=0, folds=5):
    """Return probabilities, float (photos, classes), of logistic regression that saw neither photo nor its group.

    rows : features, float (photos, channels)
    """
    scaled = sklearn.preprocessing.StandardScaler()
    model = sklearn.pipeline.make_pipeline(scaled, sklearn.linear_model.LogisticRegression(C=0.01, max_iter=2000))
    parts = shortcuts.by_group(photos, folds, seed)
    labels = photos["label"].cat.codes
    options = {"groups": photos["group"], "cv": parts, "method": "predict_proba"}
    return sklearn.model_selection.cross_val_predict(model, rows, labels, **options)


def shortcut_table(photos, stats, probabilities, seed=0):
    """Return a DataFrame, one row a cue: `cue`, `accuracy`, `low`, `high`, `chance`, `subject`, `fires`.

    probabilities : those of `out_of_sample`, whose accuracy is `subject`: what the pictures themselves tell
    A cue fires when the lower end of its interval is above chance by more than FIRES of the way to `subject`. Mean
    color and file size never fire, for what is to be recognized may rightly change them. A cue that no photo has, or
    that all share, has no accuracy.
    """
    labels, chance = photos["label"].cat.codes.to_numpy(), shortcuts.majority_share(photos)
    subject = metrics.accuracy(labels, probabilities.argmax(axis=1), photos["group"]).value
    found = []
    for cue in shortcuts.CUES:
        said = shortcuts.predict_from_cue(cue, photos, stats, seed=seed)
        score = (np.nan,) * 3 if said is None else metrics.accuracy(labels, said, photos["group"])[:3]
        fires = cue not in shortcuts.MAY_DIFFER and score[1] > chance + FIRES * max(0, subject - chance)
        found.append((cue, *score, chance, subject, fires))
    return pandas.DataFrame(found, columns=["cue", "accuracy", "low", "high", "chance", "subject", "fires"])


def plot_findings(findings, photos, most=12, columns=6, title=None):
    """Return a Figure of the photos of the worst findings, about `most`, each with what was found; gray if unreadable.

    findings : as from audit.audit_photos of the photos table `photos`
    Where a finding is about two photos, the other stands after it, and the pair is shown once.
    """
    images, titles, pairs = [], [], set()
    labels = dict(zip(photos["path"], photos["label"].astype(str), strict=True))
    for row in findings[findings["path"] != ""].itertuples():
        path, other = pathlib.Path(row.path), pathlib.Path(row.other)
        if len(titles) >= most or (pair := frozenset((path, other))) in pairs:
            continue
        images.append(_picture(path))
        titles.append(f"{row.kind.replace('_', ' ')}: {_short(path)}")
        if row.kind == "suspect_label":
            titles[-1] = f"{labels[row.path]}, or {row.other}?"
        elif other.is_file():
            pairs.add(pair)
            images.append(_picture(other))
            titles.append(f"... and {labels[row.other]}: {_short(other)}")
    return plots.photo_grid(images, titles, columns, title or f"The first {len(images)} photos of what was found")


def _short(path):
    """Return a file's name, cut so that it fits above a thumbnail."""
    return path.name if len(path.name) <= 16 else f"{path.stem[:8]}...{path.suffix}"


def _picture(path, size=160):
    """Return a photo in its own shape, uint8, or a gray square if it cannot be read."""
    try:
        image = read_image(path)
    except PhotoError:
        return np.full((size, size, 3), 128, np.uint8)
    step = max(1, max(image.shape[:2]) // (2 * size))
    return image[::step, ::step]
