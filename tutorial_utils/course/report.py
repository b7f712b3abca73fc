"""A run's report: one page that needs nothing else, to read on a phone, to print, to hand on (chapter 6)."""

import datetime
import json
import pathlib
import shlex
from typing import NamedTuple

import pandas as pd

from .. import _files
from . import page
from .sentences import has, has_interval, interval, percent, verdict

__all__ = ["Section", "command", "verdict", "write_report"]

_TOO_FEW = "The photos come from few groups: the interval is rough."


class Section(NamedTuple):
    """A part of the report. All texts are plain: no markup, whatever they hold is shown as it is.

    figure : name of a PNG in the run's folder figures/, or None
    alt : what it shows, for those who cannot see it; None: as plots.show wrote it into the PNG
    table : DataFrame, or None; its index becomes the first column, unless it only counts the rows
    """

    heading: str
    text: str = ""
    figure: str | None = None
    alt: str | None = None
    caption: str = ""
    table: pd.DataFrame | None = None


def write_report(run, title, sections, summary=None, command=None, made=None, day=None):
    """Write report.html into a run folder, atomically, and return its path.

    run : a run folder that run_folder.finish has filled: metrics.json and run.json are read
    sections : Sections in reading order; summary : the paragraph at the top, None: `verdict` of the numbers
    command : how to make this run again, None: not said; made : dict of more rows for "How this was made"
    day : datetime.date, None: today
    The page asks nothing of any address: pictures are inside, it has no script and no font of its own.
    Raises ValueError for a run that is not finished, a figure that is not there or has no text, a title that is empty.
    """
    run = pathlib.Path(run)
    if not str(title).strip() or not all(str(section.heading).strip() for section in sections):
        raise ValueError("Expected a title, and a heading for every section; got an empty one.")
    metrics, record = (_read(run / name) for name in ("metrics.json", "run.json"))
    summary = verdict(metrics) if summary is None else summary
    rows = _made(metrics, record, day or datetime.date.today()) | (made or {})
    if command:
        rows["Command"] = command
    body = [f"<header><h1>{page.text(title)}</h1>{_headline(metrics)}</header>"]
    if summary:
        body.append(f"<section><h2>In short</h2>{page.paragraphs(summary)}</section>")
    body += [_section(run, section) for section in sections]
    body.append(f"<section><h2>How this was made</h2>{page.pairs(rows)}</section>")
    return _files.write_text(run / "report.html", page.frame(title, "\n".join(body)))


def command(chapter, parameters):
    """Return the shell command that executes a chapter again with these parameters (str).

    chapter : name of its notebook, without folder and suffix; parameters : dict, as in run.json
    """
    pairs = " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in parameters.items())
    return f"papermill notebooks/{chapter}.ipynb {chapter}.ipynb {pairs}"


def _read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"There is no {path}. Call run_folder.finish first: a report shows a finished run.") from None


def _made(metrics, record, day):
    """Return {what: how} of everything that a run says of how it came about."""
    asked, used = metrics.get("backbone_requested"), metrics.get("backbone")
    other = f" (asked for: {asked}, which could not be had)" if asked not in (None, used) else ""
    size = metrics.get("image_size")
    rows = {
        "Data set": metrics.get("dataset"),
        "Fingerprint of the photos": record.get("photos_fingerprint"),
        "Backbone": used and f"{used}{other}",
        "Image size": size and f"{size} x {size} pixels",
        "Seed": metrics.get("seed"),
        "Seconds": record.get("seconds"),
        "Versions": ", ".join(f"{name} {version}" for name, version in record.get("versions", {}).items()),
        "Day": day.isoformat(),
    }
    return {name: value for name, value in rows.items() if value not in (None, "")}


def _headline(metrics):
    """Return the score as a big number, what belongs to it, and a bar from 0 to 100 %; "" without a score."""
    if not has_interval(metrics, "test_accuracy"):
        return ""
    n = f", n&nbsp;=&nbsp;{metrics['n_test']:,}&nbsp;photos" if has(metrics, "n_test") else ""
    rough = f"<p>{_TOO_FEW}</p>" if metrics.get("enough_groups") is False else ""
    return (
        f'<div class="score"><p class="big">{percent(metrics["test_accuracy"])}</p>'
        f"<p>of the test photos are named correctly<br>95 % interval {interval(metrics, 'test_accuracy')}{n}</p>"
        f"{_bar(metrics)}{rough}</div>"
    )


def _bar(metrics):
    value, low, high = (100 * metrics[f"test_accuracy{end}"] for end in ("", "_low", "_high"))
    marks = f'<rect class="band" x="{low:.2f}" y="3" width="{max(high - low, 0.6):.2f}" height="10"/>'
    marks += f'<rect class="value" x="{value - 0.4:.2f}" y="0" width="0.8" height="16"/>'
    legend = '<li><i class="value"></i>score</li><li><i class="band"></i>95 % interval</li>'
    says = f"A bar from 0 to 100 %. Score {value:.1f} %, interval {low:.1f} to {high:.1f} %"
    if has(metrics, "accuracy_majority"):
        at = 100 * metrics["accuracy_majority"]
        marks += f'<rect class="base" x="{at - 0.4:.2f}" y="0" width="0.8" height="16"/>'
        legend += f'<li><i class="base"></i>always the most frequent class, {at:.1f} %</li>'
        says += f", always naming the most frequent class {at:.1f} %"
    return (
        f'<svg role="img" aria-label="{says}." viewBox="0 0 100 16" preserveAspectRatio="none">'
        f'<rect class="track" x="0" y="6" width="100" height="4"/>{marks}</svg>'
        f'<p class="scale" aria-hidden="true"><span>0 %</span><span>50 %</span><span>100 %</span></p>'
        f'<ul class="legend">{legend}</ul>'
    )


def _section(run, section):
    parts = [f"<h2>{page.text(section.heading)}</h2>", page.paragraphs(section.text)]
    if section.figure is not None:
        parts.append(page.picture(_path(run, section.figure), section.heading, section.alt, section.caption))
    elif section.caption:
        parts.append(f'<p class="caption">{page.text(section.caption)}</p>')
    if section.table is not None:
        parts.append(page.table(section.table, section.heading))
    return f"<section>{''.join(parts)}</section>"


def _path(run, figure):
    path = run / "figures" / figure
    if path.name != figure or not path.is_file():
        there = ", ".join(sorted(one.name for one in (run / "figures").glob("*.png"))) or "none"
        raise ValueError(f"There is no figure {figure!r} in {run / 'figures'}; there are: {there}.")
    return path
