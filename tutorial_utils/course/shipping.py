"""What leaves with a model besides the model: what it said of the test photos, and the sha256 of every file (ch. 8)."""

import json
import pathlib

import numpy as np
import pandas

from .. import _files
from ..evaluation import metrics
from . import model_card, predictor

KEEP = ("model.keras", "labels.txt", predictor.KNOWN)  # and the exports: whose sha256 is kept


def keep_predictions(run, judge, photos):
    """Write predictions.csv into a run folder: what a Judge says of each photo, a row each; return the DataFrame.

    photos : photos table, such as the test photos. The columns are those of predictor.predict_photos, with `true` (the class
        that the photo stands in) after `path`
    """
    tables = list(predictor.predict_photos(judge, list(photos["path"]), progress=False))
    found = pandas.concat(tables, ignore_index=True)
    found.insert(1, "true", photos["label"].astype(str).to_numpy())
    text = found.to_csv(index=False, lineterminator="\n", float_format="%.6f")
    _files.write_text(pathlib.Path(run) / "predictions.csv", text)
    return found


def keep_hashes(run, files):
    """Write the sha256 of files of a finished run folder into its run.json, as `files_sha256`; return them (dict).

    files : names in the run folder; those that are not there are passed over
    """
    run = pathlib.Path(run)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    there = dict.fromkeys(name for name in [*KEEP, *files] if (run / name).is_file())
    record["files_sha256"] = {name: _files.sha256(run / name) for name in there}
    _files.write_json(run / "run.json", record)
    return record["files_sha256"]


def scored(table, asked, labels, groups=None):
    """Return the table of export.compare_exports with what each export costs in accuracy.

    asked : as from export.run_exports; labels : int (photos,); groups : as for metrics.accuracy
    Adds `accuracy`, `lost` (that of the Keras model minus it, a fraction), `lost_low` and `lost_high` (95 % interval).
    """
    labels, rows = np.asarray(labels), {}
    ours = asked["keras"][0].argmax(axis=1)
    for kind, (shares, _) in asked.items():
        theirs = shares.argmax(axis=1)
        lost = metrics.paired_difference(labels, ours, theirs, groups)
        right = float((theirs == labels).mean())
        rows[kind] = {"accuracy": right, "lost": lost.value, "lost_low": lost.low, "lost_high": lost.high}
    return table.join(pandas.DataFrame(rows).T)


WORDS = (
    "Time is that of one photo at a time, the exports on one processor core. The largest difference is that of a "
    "probability from what Keras gives; points lost are points of accuracy on the test photos, with a 95 % interval."
)


def in_words(table):
    """Return the table of `scored` as a reader should see it: names with units, texts in the place of numbers."""
    lost = [
        f"{100 * row.lost:+.1f} ({100 * row.lost_low:+.1f} to {100 * row.lost_high:+.1f})" for row in table.itertuples()
    ]
    return pandas.DataFrame(
        {
            "size (MB)": table["megabytes"].map("{:.1f}".format).replace("nan", ""),
            "time a photo (ms)": table["milliseconds"].map("{:.1f}".format),
            "largest difference": table["largest_difference"].map("{:.0e}".format),
            "same class (%)": (100 * table["same_class"]).map("{:.1f}".format),
            "accuracy (%)": (100 * table["accuracy"]).map("{:.1f}".format),
            "points lost": lost,
        }
    )


def by_file(table, files):
    """Return such a table indexed by file name, as model_card.write_model_card takes it, with today's sizes. files : {kind: path}."""
    kept = table[table.index.isin(list(files))]
    sizes = [pathlib.Path(files[kind]).stat().st_size / 1e6 for kind in kept.index]
    return kept.assign(megabytes=sizes).set_axis([pathlib.Path(files[kind]).name for kind in kept.index])


def lacking(run):
    """Return the names of card.FILES that a run folder lacks (list)."""
    return [name for name in model_card.FILES if not (pathlib.Path(run) / name).is_file()]
