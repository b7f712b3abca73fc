"""Tables that a benchmark has measured and a chapter shows, each with the day and the command that makes it again."""

import io

import pandas

from .. import _files


def read_table(name):
    """Return (DataFrame, caption) of benchmarks/<name>.csv, whose first line is "# day, command"."""
    note, _, text = (_files.benchmarks_folder() / f"{name}.csv").read_text(encoding="utf-8").partition("\n")
    day, _, command = note.removeprefix("# ").partition(", ")
    return pandas.read_csv(io.StringIO(text)), f"Measured on {day} by {command}"


def show_table(name):
    """Return benchmarks/<name>.csv as a table for a notebook, with its caption."""
    frame, caption = read_table(name)
    return frame.style.format(precision=1).hide(axis="index").set_caption(caption)
