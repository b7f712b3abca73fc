"""A model card: what a model is, how good, on what, what it must not be used for, and how to run it (chapter 8).

It is plain Markdown. Its commands need none of this package: only TensorFlow, LiteRT or ONNX Runtime, and Pillow to
read photos (tests/course/test_card_commands.py pastes them into such environments).
Source of the idea: Mitchell et al. (2019), arXiv:1810.03993.
"""

import datetime
import pathlib

import pandas

from .. import _files
from ..data import catalog, splits
from ..evaluation import metrics, plots
from ..models import export
from . import run_folder
from .rendering import percent, render
from .summary import EvaluationSummary, verdict

FILES = {  # what a run folder may hold, and what it is for
    "model.keras": "to train on, or to run with TensorFlow",
    "model.tflite": "LiteRT, 32-bit numbers: phones, small computers, any program",
    "model_float16.tflite": "the same, weights of 16 bits",
    "model_int8.tflite": "the same, weights and sums of 8 bits: smallest",
    "model.onnx": "ONNX Runtime: servers, browsers, other languages",
    "labels.txt": "the classes, in the order of the model's answers",
    "predictions.csv": "what the model says of each test photo",
    "report.html": "one page with the pictures",
    "try_me.html": "the model in one page: opens from disk on a laptop or an Android phone; an iPhone shows files "
    "without their scripts, so put it on any web server for that",
}
RUNTIMES = {  # how it can be run: a heading, what to install, and the file that it needs
    "tensorflow": ("With TensorFlow", "pip install tensorflow pillow", "model.keras"),
    "litert": ("With LiteRT", "pip install ai-edge-litert pillow", "model.tflite"),
    "onnx": ("With ONNX Runtime", "pip install onnxruntime pillow", "model.onnx"),
}
_LIMITS = (
    "Photos of another kind: another place, camera, season or subject than those it was made with. The score says "
    "nothing about them; collect some and test again.",
    "Deciding alone where a wrong answer harms somebody. A person should look, above all where it is unsure.",
    "Counting how frequent a class is, without correcting for its mistakes.",
)
_OFTEN = 0.9  # share of a class's test photos that has to be found before its absence means anything
EXPORT_NOTE = (
    "Time is that of one photo at a time, the exports on one processor core. The largest difference is that of a "
    "probability from what Keras gives; points lost are points of accuracy on the test photos, with a 95 % interval."
)


def write_model_card(run, title, license, backbone, exports, classes, looks="", avoid=(), day=None):
    """Write model_card.md into a run folder, atomically, and return its path.

    run : a run folder that run_folder.finish has filled, with splits.csv
    title : what the model tells apart, plain text; license : of the photos, or "" where it is not known
    backbone : from backbones.get, for its source and its license
    exports : DataFrame as from `score_exports`; classes : DataFrame as from metrics.class_table; of more
        than plots.MOST_NAMED classes the tables have those that are found least
    looks : what is known of where it looks, plain text
    avoid : sentences, plain text, of what this model in particular must not be used for
    Raises ValueError for an empty title, or a run that is not finished.
    """
    run = pathlib.Path(run)
    if not str(title).strip():
        raise ValueError("Expected a title: what the model tells apart; got an empty one.")
    found, record = run_folder.read_run(run)
    summary = EvaluationSummary.from_metrics(found)
    photos = pandas.read_csv(run / "splits.csv", dtype=str, keep_default_na=False)
    counts = pandas.crosstab(photos["label"], photos["split"]).reindex(columns=splits.NAMES, fill_value=0)
    names, many = list(classes.index), len(classes) > plots.MOST_NAMED
    if many:  # tables of so many rows are not read
        classes = classes.sort_values("recall", kind="stable").head(plots.MOST_NAMED)
        counts = counts.reindex(classes.index, fill_value=0)
    text = render(
        "model_card.md.j2", title=title, dataset=catalog.short_name(found["dataset"]), license=license,
        backbone=backbone, looks=looks, limits=limits(summary, avoid), metrics=found, record=record, summary=summary,
        verdict=verdict(summary), class_names=names, many=many, classes=_found_by_class(classes),
        splits=counts.rename_axis("class"),
        n_photos=len(photos), n_groups=photos["group"].nunique(), exports=_by_file(run, exports),
        files={name: use for name, use in FILES.items() if name == "report.html" or (run / name).is_file()},
        commands=[command(name, found["image_size"]) for name, how in RUNTIMES.items() if (run / how[2]).is_file()],
        day=day or datetime.date.today(),
    )  # fmt: skip
    return _files.write_text(run / "model_card.md", text)


def limits(summary, avoid=()):
    """Return what a model must not be used for, as sentences of plain text (list of str).

    summary : its EvaluationSummary; avoid : sentences about this model in particular
    """
    sentences = [*_LIMITS, *avoid]
    if summary.lowest_recall is not None and summary.lowest_recall_value < _OFTEN:
        found = percent(summary.lowest_recall_value)
        sentences.append(f"Ruling out {summary.lowest_recall}: of its test photos it finds only {found}.")
    return sentences


def command(runtime, image_size):
    """Return (heading, install command, Python code) of one of RUNTIMES, for photos so many pixels wide."""
    heading, install, _ = RUNTIMES[runtime]
    return heading, install, render("command.md.j2", runtime=runtime, size=image_size)


def license_of(dataset):
    """Return the license of a data set of the catalog as its card has it; "" for a folder."""
    return str(catalog.cards().get(str(dataset), {}).get("license", ""))


def missing_files(run):
    """Return the names of FILES that a run folder lacks (list)."""
    return [name for name in FILES if not (pathlib.Path(run) / name).is_file()]


def score_exports(answers, files, labels, groups=None):
    """Return the table of export.compare_exports with what each export costs in accuracy.

    answers : as from export.run_exports; files : {kind: path}
    labels : int (photos,); groups : as for metrics.accuracy
    Adds `accuracy`, `lost` (that of the Keras model minus it, a fraction), `lost_low` and `lost_high` (95 % interval).
    """
    predicted, rows = {kind: probabilities.argmax(axis=1) for kind, (probabilities, _) in answers.items()}, {}
    for kind, theirs in predicted.items():
        lost = metrics.paired_difference(labels, predicted["keras"], theirs, groups)
        rows[kind] = {"accuracy": (theirs == labels).mean(), "lost": lost.value}
        rows[kind] |= {"lost_low": lost.low, "lost_high": lost.high}
    return export.compare_exports(answers, files).join(pandas.DataFrame(rows).T)


def format_exports(table):
    """Return the table of `score_exports` as a reader should see it: names with units, texts for numbers."""
    lost = 100 * table[["lost", "lost_low", "lost_high"]]
    return pandas.DataFrame(
        {
            "size (MB)": table["megabytes"].map("{:.1f}".format).replace("nan", ""),
            "time a photo (ms)": table["milliseconds"].map("{:.1f}".format),
            "largest difference": table["largest_difference"].map("{:.0e}".format),
            "same class (%)": (100 * table["same_class"]).map("{:.1f}".format),
            "accuracy (%)": (100 * table["accuracy"]).map("{:.1f}".format),
            "points lost": [f"{value:+.1f} ({low:+.1f} to {high:+.1f})" for value, low, high in lost.to_numpy()],
        }
    )


def _found_by_class(classes):
    shown = (100 * classes[["recall", "recall_low", "recall_high", "precision"]]).round(1)
    shown.columns = ["found (%)", "from", "to", "right when named (%)"]
    shown.insert(0, "test photos", classes["n"].astype(int))
    return shown.rename_axis("class")


def _by_file(run, exports):
    """Return the exports that a run folder holds, indexed by file name, with today's sizes."""
    names = pandas.Index([export.NAMES[kind] for kind in exports.index])
    here = [(run / name).is_file() for name in names]
    kept = exports.set_axis(names)[here]
    return kept.assign(megabytes=[(run / name).stat().st_size / 1e6 for name in kept.index])
