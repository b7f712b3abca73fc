"""Is a folder fit to learn from? If it is not, a page says why and what to do, and the chapter stops (chapter 8)."""

import pathlib
from typing import NamedTuple

import pandas

from .. import _files
from ..data import audit, catalog, image_stats, splits
from . import page

FEWEST = 10  # photos a class: of fewer, one or two at most would be left to test with
MOST_LOST = 0.5  # of the photos, that may fail before the folder itself is taken for broken
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
    """The photos that can be used, and what was found on the way; `examine` makes it."""

    photos: pandas.DataFrame  # photos table with its splits; copies share a group
    stats: pandas.DataFrame  # the facts of these photos, row by row
    findings: pandas.DataFrame  # of all photos, as from audit.audit_photos
    taken_out: int  # photos


def prepare_photos(dataset, run, seed=0, photos_per_class=None, progress=True):
    """Return the Intake of a data set or a folder; leave dropped.csv in the run folder, with a reason for each photo.

    run : the run folder. If the photos are not fit, report.html there says what was found and what to do, the numbers
        of an earlier run (metrics.json, run.json) are taken away, since they are of other photos, and NotFit is raised
    No file of the folder is changed.
    """
    findings = None
    try:
        photos = catalog.load_photos(dataset, seed, photos_per_class, check_photos=False)
        stats = image_stats.compute_stats(photos, progress)
        findings = audit.audit_photos(photos, stats, progress=progress)
        kept = audit.drop_unusable(photos, findings, run)
        _check_enough(photos, kept)
        rows = photos["path"].isin(set(kept["path"])).to_numpy()
        stats = stats[rows].reset_index(drop=True)
        return PreparedPhotos(splits.split(kept, seed, stats=stats), stats, findings, len(photos) - len(kept))
    except NotFit:
        raise
    except (ValueError, OSError) as error:
        reason = str(error)
    _stop(run, dataset, reason, findings)


def _check_enough(photos, kept):
    """Raise ValueError if so much was taken out that the folder is broken, or a class is left with too few photos."""
    lost = len(photos) - len(kept)
    if lost > MOST_LOST * len(photos):
        raise ValueError(
            f"{lost:,} of {len(photos):,} photos cannot be used. Was the folder copied whole? Copy it again."
        )
    counts = kept["label"].value_counts()
    if counts.min() < FEWEST:
        raise ValueError(
            f"The class {counts.idxmin()!r} has {counts.min()} usable photo(s); a model and an honest test need at "
            f"least {FEWEST} of each class. Collect more of it, or leave the class out."
        )


def _stop(run, dataset, reason, findings):
    """Write the page that says why, take the numbers of an earlier run away, and raise NotFit."""
    run = pathlib.Path(run)
    for name in ("metrics.json", "run.json"):
        (run / name).unlink(missing_ok=True)
    path = _files.write_text(run / "report.html", _page(dataset, reason, findings))
    raise NotFit(f"these photos are not fit to learn from. {reason} The page {path} says what was found.") from None


def _page(dataset, reason, findings):
    title = f"{pathlib.Path(str(dataset)).name}: not fit to learn from yet"
    body = [f"<header><h1>{page.text(title)}</h1></header><section><h2>Why</h2>{page.paragraphs(reason)}</section>"]
    if findings is not None and len(findings):
        table = summary(findings)
        body.append(f"<section><h2>What was found in the files</h2>{page.table(table, 'Findings')}</section>")
    how = "No photo was changed, no model was made. Mend what is said above, then run the same command again."
    hint = f"python -m tutorial_utils audit {dataset} lists every finding, each file by its name."
    body.append(f"<section><h2>What now</h2>{page.paragraphs(how)}{page.paragraphs(hint)}</section>")
    return page.frame(title, "\n".join(body))


def summary(findings):
    """Return a DataFrame, one row a kind of finding: `severity`, `found`, `meaning`, `what to do`, `for example`."""
    rows = []
    for kind, group in findings.groupby("kind", sort=False):
        names = [pathlib.Path(path).name if path else other for path, other in zip(group["path"], group["other"])]  # noqa: B905
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        known = audit.KINDS[kind]
        rows.append((known.severity, len(group), known.meaning, known.action, ", ".join(names[:_NAMED]) + more))
    return pandas.DataFrame(rows, columns=["severity", "found", "meaning", "what to do", "for example"])
