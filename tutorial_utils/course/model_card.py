"""A model card: what a model is, how good, on what, what it must not be used for, and how to run it (chapter 8).

It is plain Markdown. Its commands need none of this package: only TensorFlow, LiteRT or ONNX Runtime, and Pillow to
read photos (tests/course/test_card_commands.py pastes them into such environments).
Source of the idea: Mitchell et al. (2019), arXiv:1810.03993.
"""

import datetime
import importlib.resources
import json
import pathlib
import re
import string

import numpy as np
import pandas

from .. import _files
from ..data import catalog, splits
from . import sentences

FILES = {  # what a run folder may hold, and what it is for
    "model.keras": "to train on, or to run with TensorFlow",
    "model.tflite": "LiteRT, 32-bit numbers: phones, small computers, any program",
    "model_float16.tflite": "the same, weights of 16 bits",
    "model_int8.tflite": "the same, weights and sums of 8 bits: smallest",
    "model.onnx": "ONNX Runtime: servers, browsers, other languages",
    "labels.txt": "the classes, in the order of the model's answers",
    "predictions.csv": "what the model says of each test photo",
    "report.html": "one page with the pictures",
}
RUN = ("tensorflow", "litert", "onnx")  # how it can be run: course/card_NAME.txt
_NEEDS = {"tensorflow": "model.keras", "litert": "model.tflite", "onnx": "model.onnx"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!$&])")


def write_model_card(run, title, license, backbone, exports, classes, looks="", avoid=(), day=None):
    """Write model_card.md into a run folder, atomically, and return its path.

    run : a run folder that run_folder.finish has filled, with splits.csv
    title : what the model tells apart, plain text; license : of the photos, or "" where it is not known
    backbone : from backbones.get, for its source and its license
    exports : DataFrame indexed by file name: `megabytes`, `milliseconds`, `largest_difference`, `accuracy`, `lost`
    classes : DataFrame as from scores.class_table; looks : what is known of where it looks, plain text
    avoid : sentences, plain text, of what this model in particular must not be used for
    Raises ValueError for an empty title, or a run that is not finished.
    """
    run = pathlib.Path(run)
    if not str(title).strip():
        raise ValueError("Expected a title: what the model tells apart; got an empty one.")
    metrics, record = (_read(run / name) for name in ("metrics.json", "run.json"))
    day = day or datetime.date.today()
    about = {"metrics": metrics, "record": record, "license": license, "backbone": backbone, "exports": exports}
    sections = {
        "What it is": _what(metrics, classes),
        "How good it is": _good(metrics, classes),
        "The photos": _photos(run, metrics, record, license),
        "What it looks at": text(looks or "This was not measured."),
        "What it must not be used for": _avoid(metrics, avoid),
        "Files": _files_table(run, exports),
        "How to run it": _how(run, metrics["image_size"]),
        "How it was made": _made(metrics, record, backbone, day),
        "Share it": _share(title, about, day),
    }
    body = "\n\n".join(f"## {heading}\n\n{content}" for heading, content in sections.items())
    return _files.write_text(run / "model_card.md", f"# {text(title)}\n\n{body}\n")


def text(plain):
    """Return plain text as Markdown that shows it as it is; an empty line still parts paragraphs."""
    return _SPECIAL.sub(r"\\\1", str(plain).strip())


def _what(metrics, classes):
    names = ", ".join(text(name) for name in classes.index)
    size = metrics["image_size"]
    return (
        f"A network that names one of {len(classes)} classes for a photo: {names}.\n\n"
        f"It takes raw pixels, 0 to 255, RGB, {size} x {size} (photos x height x width x 3, 32-bit floats), and gives "
        "a probability for each class, in the order of `labels.txt`. Scaling the pixels, and the temperature that "
        "makes its confidence honest, are inside the model. For every photo it names one of its classes: it cannot "
        "say that a photo shows none of them."
    )


def _good(metrics, classes):
    shown = (100 * classes[["recall", "recall_low", "recall_high", "precision"]]).round(1)
    shown.columns = ["found (%)", "from", "to", "right when named (%)"]
    shown.insert(0, "test photos", classes["n"].astype(int))
    intro = "By class: how many of its photos are found (95 % interval), and how often the answer is right."
    return f"{text(sentences.verdict(metrics))}\n\n{intro}\n\n{table(shown.rename_axis('class'))}"


def _photos(run, metrics, record, license):
    kept = pandas.read_csv(run / "splits.csv", dtype=str, keep_default_na=False)
    counts = pandas.crosstab(kept["label"], kept["split"]).reindex(columns=splits.NAMES).rename_axis("class")
    name = pathlib.Path(str(metrics["dataset"])).name
    said = (
        f"Data set: {text(name)}, {len(kept):,} photos in {kept['group'].nunique():,} groups (photos of one plant or "
        "object, and copies of a photo, share a group). No group is on two sides of the split; the test photos were "
        f"opened once, after every choice had been made. Fingerprint: `{record['photos_fingerprint'][:16]}`."
    )
    if metrics.get("taken_out"):
        said += f" Before, {metrics['taken_out']:,} photos were taken out that cannot be used, or are there twice."
    if metrics.get("shortcuts"):
        said += f" {text(metrics['shortcuts'])}"
    owner = f"License of the photos: {text(license)}" if license else _UNKNOWN_LICENSE
    return f"{said}\n\n{table(counts)}\n\n{owner}"


_UNKNOWN_LICENSE = (
    "License of the photos: not known to the program that wrote this card. Write it here before you share the model."
)


def _avoid(metrics, avoid):
    lines = [
        "Photos of another kind: another place, camera, season or subject than those above. The score says nothing "
        "of them; collect some and test anew.",
        "Deciding alone where a wrong answer harms somebody. A person should look, above all where it is unsure.",
        "Counting how frequent a class is, without correcting for its mistakes.",
        *avoid,
    ]
    if metrics.get("lowest_recall_value", 1) < 0.9:
        lines.append(
            f"Ruling out {metrics['lowest_recall']}: of its test photos it finds only "
            f"{sentences.percent(metrics['lowest_recall_value'])}."
        )
    return "\n".join(f"- {text(line)}" for line in lines)


def _files_table(run, exports):
    rows = []
    for name, use in FILES.items():
        if (run / name).is_file() or name == "report.html":  # the report is written last
            row = exports.loc[name] if name in exports.index else {}
            rows.append({"file": f"`{name}`", "what for": use, **_measured(row)})
    shown = pandas.DataFrame(rows).set_index("file")
    note = (
        "Time is that of one photo at a time on the machine that made this, the exports on one processor core. "
        "Points lost: accuracy on the test photos, against `model.keras`. Largest difference: of a probability."
    )
    return f"{table(shown, escape=False)}\n\n{note}"


def _measured(row):
    shown = {"MB": "megabytes", "ms": "milliseconds", "points lost": "lost", "largest difference": "largest_difference"}
    forms = {"MB": "{:.1f}", "ms": "{:.1f}", "points lost": "{:+.1f}", "largest difference": "{:.0e}"}
    scale = {"points lost": 100}
    return {
        name: forms[name].format(scale.get(name, 1) * row[key]) if key in row and pandas.notna(row[key]) else ""
        for name, key in shown.items()
    }


def _how(run, size):
    parts = [
        "Each of these runs by itself, in a folder that holds the named files and a photo called `photo.jpg`; nothing "
        "else needs to be installed."
    ]
    for name in RUN:
        if (run / _NEEDS[name]).is_file():
            heading, install, code = snippet(name, size)
            parts.append(f"### {heading}\n\n```bash\n{install}\n```\n\n```python\n{code}```")
    return "\n\n".join(parts)


def snippet(name, size):
    """Return (heading, install command, Python code) of one way to run a model of photos `size` pixels wide."""
    file = importlib.resources.files(__package__) / f"card_{name}.txt"
    heading, install, code = file.read_text(encoding="utf-8").split("\n", 2)
    return heading, install, string.Template(code.lstrip("\n")).substitute(size=size)


def _made(metrics, record, backbone, day):
    asked = metrics.get("backbone_requested")
    other = f" (asked for: {asked}, which could not be had)" if asked not in (None, metrics["backbone"]) else ""
    rows = {
        "base": f"{metrics['backbone']}{other}, weights from {backbone.source}",
        "license of the weights": backbone.license,
        "sha256 of the weights": record["weights_sha256"],
        "training": metrics.get("strategy", ""),
        "photos in training": metrics.get("photos_in_training", ""),
        "seed": metrics["seed"],
        "versions": ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
        "day": day.isoformat(),
        "sha256 of model.keras": record.get("files_sha256", {}).get("model.keras", ""),
    }
    return "\n".join(f"- {text(name)}: {text(value)}" for name, value in rows.items() if value not in ("", None))


def _share(title, about, day):
    return (
        "A model that others can find is worth more than one on a disk. If the license of the photos allows it, put "
        "the files where they can be fetched, and paste this entry into `gallery.md` of the course, with your name and "
        "the address:\n\n"
        f"```markdown\n{entry(title, about, day)}\n```"
    )


def entry(title, about, day):
    """Return the entry for gallery.md as Markdown; about : dict of metrics, record, license, backbone, exports."""
    metrics, exports = about["metrics"], about["exports"]
    score = f"{sentences.percent(metrics['test_accuracy'])} of {metrics['n_test']:,} test photos"
    score += f" (95 % interval {sentences.interval(metrics, 'test_accuracy')})"
    smallest = exports["megabytes"].idxmin()
    photos, license = pathlib.Path(str(metrics["dataset"])).name, about["license"] or "to be said"
    lines = [
        f"### {text(title)}",
        "",
        f"- Score: {score}",
        f"- Base: {text(metrics['backbone'])}, {metrics['image_size']} px ({about['backbone'].license})",
        f"- Photos: {text(photos)}; license: {text(license)}",
        f"- Smallest file: {smallest}, {exports.loc[smallest, 'megabytes']:.1f} MB",
        f"- Made {day.isoformat()} with chapter 8, by: YOUR NAME; files: YOUR ADDRESS",
    ]
    return "\n".join(lines)


def license_of(dataset):
    """Return the license of a data set of the catalog as its card has it; "" for a folder."""
    return str(catalog.cards().get(str(dataset), {}).get("license", ""))


def table(frame, escape=True):
    """Return a DataFrame as a Markdown table, its index first; NaN is an empty cell."""
    head = [str(frame.index.name or ""), *map(str, frame.columns)]
    right = [False, *(pandas.api.types.is_numeric_dtype(kind) for kind in frame.dtypes)]
    shown = text if escape else str
    rows = [
        [shown(index), *("" if _missing(value) else shown(value) for value in values)]
        for index, values in zip(frame.index, frame.itertuples(index=False, name=None), strict=True)
    ]
    rule = ["---:" if number else "---" for number in right]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def _missing(value):
    return isinstance(value, (float, np.floating)) and np.isnan(value)


def _read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"There is no {path}. Call run_folder.finish first: a card shows a finished run.") from None
