"""A run's report: one page that needs nothing else, to read on a phone, to print, to hand on (chapter 6)."""

import datetime
import pathlib
import shlex
from typing import NamedTuple

import pandas

from .. import _files
from . import run_folder
from .rendering import render
from .summary import EvaluationSummary, verdict


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
    table: pandas.DataFrame | None = None


def write_report(run, title, sections, command=None, day=None):
    """Write report.html into a run folder, atomically, and return its path.

    run : a run folder that run_folder.finish has filled: metrics.json and run.json are read
    sections : Sections in reading order; above them stands the verdict of the run's numbers
    command : how to make this run again, None: not said; day : datetime.date, None: today
    The page asks nothing of any address: pictures are inside, it has no script and no font of its own.
    Raises ValueError for a run that is not finished, a figure that is not there or has no text, a title that is empty.
    """
    run = pathlib.Path(run)
    if not str(title).strip() or not all(str(section.heading).strip() for section in sections):
        raise ValueError("Expected a title, and a heading for every section; got an empty one.")
    metrics, record = run_folder.read_run(run)
    summary = EvaluationSummary.from_metrics(metrics)
    text = render(
        "report.html.j2",
        title=title,
        sections=[section._replace(figure=_path(run, section.figure)) for section in sections],
        summary=summary,
        verdict=verdict(summary),
        metrics=metrics,
        record=record,
        command=command,
        day=day or datetime.date.today(),
    )
    return _files.write_text(run / "report.html", text)


def command(chapter, parameters):
    """Return the shell command that executes a chapter again with these parameters (str).

    chapter : name of its notebook, without folder and suffix; parameters : dict, as in run.json
    """
    pairs = " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in parameters.items())
    return f"papermill notebooks/{chapter}.ipynb {chapter}.ipynb {pairs}"


def _path(run, figure):
    if figure is None:
        return None
    path = run / "figures" / figure
    if path.name != figure or not path.is_file():
        there = ", ".join(sorted(one.name for one in (run / "figures").glob("*.png"))) or "none"
        raise ValueError(f"There is no figure {figure!r} in {run / 'figures'}; there are: {there}.")
    return path
