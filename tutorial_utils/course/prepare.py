"""A folder loaded, audited and split, or refused with a page that says why; the deep audit (chapters 2 and 8)."""

import concurrent.futures
import pathlib
from typing import NamedTuple

import numpy as np
import pandas

from .. import _files, _machine
from ..data import audit, catalog, duplicates, image_stats, shortcuts, splits
from ..data.images import PhotoError, read_image
from ..evaluation import metrics, plots
from ..models import features, heads
from .rendering import render

FEWEST = 10  # photos a class: of fewer, one or two at most would be left to test with
MOST_LOST = 0.5  # of the photos, that may fail before the folder itself is taken for broken
FIRES = 0.25  # of the way from chance to what the frozen features reach
_NAMED = 3  # files of each kind that the page names


class NotFit(ValueError):
    """Photos of which no model should be made yet. A notebook shows its sentence alone, without a traceback.

    It is an error all the same, so that no cell after it runs and papermill ends with status 1: whoever asked for a
    model gets none, and a script must be able to tell.
    """

    def _render_traceback_(self):
        """Return what IPython prints in the place of a traceback (a list of lines)."""
        return [f"Stopped: {self}"]


class PreparedPhotos(NamedTuple):
    """The photos that can be used, and what was found on the way; `prepare_photos` makes it."""

    photos: pandas.DataFrame  # photos table with its splits; copies share a group
    stats: pandas.DataFrame  # the facts of these photos, row by row
    findings: pandas.DataFrame  # of all photos, as from audit.audit_photos
    taken_out: int  # photos


def prepare_photos(dataset, run, seed=0, photos_per_class=None, progress=True):
    """Return the PreparedPhotos of a data set or a folder; dropped.csv in the run folder says what is left out.

    run : the run folder. If the photos are not fit, report.html there says what was found and what to do, the numbers
        of an earlier run (metrics.json, run.json) are taken away, since they are of other photos, and NotFit is raised
    No file of the folder is changed.
    """
    findings = None
    try:
        photos = catalog.load_photos(dataset, seed, photos_per_class, check_photos=False)
        stats = image_stats.compute_stats(photos, progress)
        findings = audit.audit_photos(photos, stats, progress=progress)
        _check_heif(photos, findings)
        kept = audit.drop_unusable(photos, findings, run)
        _check_enough(photos, kept)
        rows = photos["path"].isin(set(kept["path"])).to_numpy()
        stats = stats[rows].reset_index(drop=True)
        return PreparedPhotos(splits.split(kept, seed, stats=stats), stats, findings, len(photos) - len(kept))
    except (ValueError, OSError) as error:
        reason = str(error)
    _stop(run, dataset, reason, findings)


def _check_heif(photos, findings):
    """Raise ValueError if so many photos are HEIF that the folder is a phone's, and not broken."""
    heif = (findings["kind"] == "heif").sum()
    if heif > MOST_LOST * len(photos):
        raise ValueError(
            f"{heif:,} of {len(photos):,} photos are HEIF, as phones by Apple keep them. Read them with: "
            "pip install pillow-heif, then start again. Or save them as JPEG."
        )


def _check_enough(photos, kept):
    """Raise ValueError if so much was taken out that the folder is broken, or a class is left with too few photos."""
    lost = len(photos) - len(kept)
    if lost > MOST_LOST * len(photos):
        raise ValueError(
            f"{lost:,} of {len(photos):,} photos cannot be used. Was the folder copied whole? Copy it again."
        )
    counts = kept["label"].value_counts()
    few = counts[counts < FEWEST].sort_values()
    if len(few):
        named = ", ".join(f"{label!r} ({count})" for label, count in few.items())
        raise ValueError(
            f"Too few usable photos in {named}; a model and an honest test need at least {FEWEST} of each class. "
            "Collect more, or leave these classes out."
        )


def _stop(run, dataset, reason, findings):
    """Write the page that says why, take the numbers of an earlier run away, and raise NotFit."""
    run = pathlib.Path(run)
    for name in ("metrics.json", "run.json", "model_card.md", "try_me.html"):
        (run / name).unlink(missing_ok=True)
    title = f"{catalog.short_name(dataset)}: not fit to learn from yet"
    found = () if findings is None else summarize_findings(findings)
    page = render("not_fit.html.j2", title=title, reason=reason, findings=found, dataset=dataset)
    path = _files.write_text(run / "report.html", page)
    raise NotFit(f"these photos are not fit to learn from. {reason} The page {path} says what was found.") from None


def summarize_findings(findings):
    """Return a DataFrame, one row a kind of finding: `severity`, `found`, `meaning`, `what to do`, `for example`."""
    rows = []
    for kind, group in findings.groupby("kind", sort=False):
        names = [pathlib.Path(path).name if path else other for path, other in zip(group["path"], group["other"])]  # noqa: B905
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        known = audit.KINDS[kind]
        rows.append((known.severity, len(group), known.meaning, known.action, ", ".join(names[:_NAMED]) + more))
    return pandas.DataFrame(rows, columns=["severity", "found", "meaning", "what to do", "for example"])


def deep_audit(photos, backbone, image_size, seed=0, progress=True):
    """Return (findings, cues, lines): data.audit's findings with suspect labels, the table of shortcuts, sentences.

    photos : photos table; backbone : from backbones.get
    Photos that cannot be read are found and left out of what follows. Copies share a group in all cross-validation.
    lines : what copies cost across a split that the photos bring. Where too few photos are left to ask a model, the
    findings are what the files tell, cues is None and a line says why.
    """
    stats = image_stats.compute_stats(photos, progress)
    pairs = duplicates.find_duplicates(stats, progress)
    probabilities, cues, lines = None, None, []
    try:
        probabilities, cues, lines = _probe(photos, stats, pairs, backbone, image_size, seed, progress)
    except ValueError as error:
        lines = [f"Labels and shortcuts could not be judged: {error}"]
    return audit.audit_photos(photos, stats, probabilities, progress, pairs), cues, lines


def _probe(photos, stats, pairs, backbone, image_size, seed, progress):
    """Return (probabilities of all photos, NaN where there are none; cues; lines)."""
    whole = np.flatnonzero(stats["problem"] == "")
    grouped = photos.assign(group=duplicates.merge_groups(photos["group"], pairs))
    part, seen = grouped.iloc[whole].reset_index(drop=True), stats.iloc[whole].reset_index(drop=True)
    part["label"] = part["label"].cat.remove_unused_categories()
    names = list(part["label"].cat.categories)
    if len(names) < 2:
        raise ValueError("fewer than two classes have photos that can be read.")
    rows = features.stored(part, backbone, image_size, progress=progress)[:]
    said = heads.cross_val_probabilities(part, rows, seed)
    every = list(photos["label"].cat.categories)
    probabilities = np.full((len(photos), len(every)), np.nan)
    probabilities[np.ix_(whole, [every.index(name) for name in names])] = said
    known = pairs[pairs["first"].isin(whole) & pairs["second"].isin(whole)]
    places = known.assign(first=np.searchsorted(whole, known["first"]), second=np.searchsorted(whole, known["second"]))
    return probabilities, shortcut_table(part, seen, said, seed), _cost_of_copies(part, places, rows)


def _cost_of_copies(photos, pairs, rows):
    """Return a line on what copies across the split that photos bring do to a score, in a list; [] if there are none.

    rows : float (photos, channels), the features that a head learns from
    """
    if "split" not in photos:
        return []
    split, labels = photos["split"].to_numpy(str), photos["label"].cat.codes.to_numpy()
    one, other = pairs["first"].to_numpy(int), pairs["second"].to_numpy(int)
    links = [(a, b) for a, b in zip([*one, *other], [*other, *one], strict=True) if split[a] == "train"]
    copies = np.isin(np.arange(len(photos)), [b for _, b in links]) & (split == "test")
    test, train = split == "test", split == "train"
    if not copies.any() or copies.sum() == test.sum():
        return [f"All {test.sum():,} test photos have copies in train."] if copies.any() else []
    head = heads.logistic_regression().fit(rows[train], labels[train])
    right = head.predict(rows) == labels
    return [
        f"Copies across the given split: {copies.sum():,} of {test.sum():,} test photos are in train too. A head that "
        f"learns from train is right on {right[test].mean():.1%} of the test photos, and on "
        f"{right[test & ~copies].mean():.1%} of those without a copy. Our chapters move copies into one part."
    ]


def shortcut_table(photos, stats, probabilities, seed=0):
    """Return a DataFrame, one row a cue: `cue`, `accuracy`, `low`, `high`, `chance`, `subject`, `fires`.

    probabilities : from heads.cross_val_probabilities, whose accuracy is `subject`: what the pictures themselves tell
    A cue fires when the lower end of its interval is above chance by more than FIRES of the way to `subject`. Mean
    color and file size never fire, for what is to be recognized may rightly change them. A cue that no photo has, or
    that all share, has no accuracy.
    """
    labels, chance = photos["label"].cat.codes.to_numpy(), shortcuts.majority_share(photos)
    subject = metrics.accuracy(labels, probabilities.argmax(axis=1), photos["group"]).value
    found = []
    with concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        answers = list(pool.map(lambda cue: shortcuts.predict_from_cue(cue, photos, stats, seed=seed), shortcuts.CUES))
    for cue, said in zip(shortcuts.CUES, answers, strict=True):
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


def plot_photo(path, title):
    """Return a Figure of one photo, in its own shape; gray if it cannot be read."""
    return plots.photo_grid([_picture(pathlib.Path(path), 320)], columns=1, size=3.2, title=title)


def plot_series(proposed, most=6, columns=5):
    """Return a Figure of the largest proposed series, `most` of them, a row each: its first photos and what binds them.

    proposed : as from data.series.propose_series
    """
    sizes = proposed["group"].value_counts()
    columns, images, titles = min(columns, sizes.max()), [], []
    for name in sizes.index[:most]:
        rows = proposed[proposed["group"] == name].head(columns)
        blank = columns - len(rows)
        images += [*map(_picture, rows["path"]), *[np.full((8, 8, 3), 255, np.uint8)] * blank]
        titles += [f"{name}, by {rows['why'].iloc[0]}", *[_short(pathlib.Path(path)) for path in rows["path"][1:]]]
        titles += [""] * blank
    return plots.photo_grid(images, titles, columns, "Series that are proposed: one object in each row?")


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
