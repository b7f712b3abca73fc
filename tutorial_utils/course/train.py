"""Chapter 8 on a folder, with one line of progress in the place of a notebook: `python -m tutorial_utils train`."""

import json
import os
import pathlib
import shlex
import subprocess
import sys
import threading
import time

import nbformat
import papermill
import tqdm

from .. import _check, _files
from ..data import catalog
from . import benchmark_tables, execution
from .summary import EvaluationSummary, verdict

EFFORTS = ("quick", "best")
_REFUSALS = ("NotFit", "PhotoError", "StoreFull", "ValueError")  # what was given is of no use; the message says why
_SLOWEST = 0.3  # of the pace that was measured: stages that an earlier run has done say little of those that follow


class Stopped(RuntimeError):
    """A cell of the chapter failed for a reason that lies in the code or the machine, not in what was given."""


def train(dataset, run_dir=None, tell=print, **parameters):
    """Run chapter 8 on photos; return the run folder (Path). What was done before a stop is not done again.

    dataset : a data set's name or a folder, as for catalog.load_photos, which is asked first: what cannot be read
        stops here, in a second
    run_dir : the run folder; None: runs/<name of the photos>, unless that holds a model of other photos
    tell : function of a line of text; parameters : of the chapter, such as backbone and effort
    Raises ValueError for photos or parameters that are of no use, Stopped for a cell that fails otherwise.
    """
    effort = parameters.get("effort", "quick")
    _check.choice("effort", effort, EFFORTS)
    photos = catalog.load_photos(dataset, check_photos=False, tell=tell)
    # absolute: the notebook runs in a folder of its own
    where = str(dataset) if dataset in catalog.names() else os.path.abspath(os.path.expanduser(dataset))
    run = _run_folder(where) if run_dir is None else pathlib.Path(run_dir).expanduser().absolute()
    notebook = chapter()
    given = {**parameters, "effort": effort, "dataset": where, "run_dir": str(run)}
    with Progress(notebook, effort, len(photos)) as progress:
        try:
            execution.run_notebook(notebook, run / notebook.name, given, False, on_cell_start=progress.start_cell)
        except papermill.PapermillExecutionError as error:
            if error.ename in _REFUSALS:
                raise ValueError(error.evalue) from None
            what = f"A cell failed with {error.ename}: {error.evalue}"
            raise Stopped(f"{what}\nThe notebook as far as it ran: {run / notebook.name}") from None
        except RuntimeError as error:  # nbclient's DeadKernelError
            raise Stopped(
                f"The process that trains has died ({error}); most often memory was short. Close other programs, or "
                "give a smaller --image-size. The same command goes on where it was."
            ) from None
    return run


def _run_folder(dataset):
    """Return the run folder for photos that no other is named for."""
    run = _files.run_path(f"runs/{catalog.short_name(dataset)}")
    record = run / "run.json"
    there = json.loads(record.read_text(encoding="utf-8"))["parameters"]["dataset"] if record.is_file() else dataset
    if there != dataset:
        raise ValueError(f"{run} holds a model of other photos, {there}. Give this one a folder with --run-dir.")
    return run


def chapter():
    """Return the path of chapter 8's notebook."""
    return _files.notebooks_folder() / "08_your_own_photos.ipynb"


def closing_words(run):
    """Return what a finished run says at the end (str): the verdict, and where things are."""
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    summary = EvaluationSummary.from_metrics(metrics)
    lines = [verdict(summary).split("\n\n")[0], ""]
    if metrics.get("effort") == "quick" and summary.other_effort:
        lines += [f"{summary.other_effort} To do it: --effort best", ""]
    for name, what in (
        ("report.html", "the report"),
        ("model_card.md", "the model card"),
        ("try_me.html", "a page to try it on photos: open it, or send it to someone"),
    ):
        if (run / name).is_file():
            lines.append(f"  {run / name}   {what}")
    quoted = subprocess.list2cmdline([str(run)]) if os.name == "nt" else shlex.quote(str(run))
    lines.append(f"\nAsk it: python -m tutorial_utils predict {quoted} PHOTOS")
    return "\n".join(lines)


class Progress:
    """One line that says which part of a notebook runs, and about how long the rest takes; `with Progress(...) as p`.

    notebook : path; its headings are the stages. effort, photos : by which benchmarks/stages.csv, which says what
        share of the time each stage takes, is read
    On a terminal the line is drawn anew each second; elsewhere each stage is a line.
    """

    def __init__(self, notebook, effort, photos, stream=None):
        self._stage_of = stages(nbformat.read(notebook, as_version=4))
        self._left = _expected(effort, photos)  # {stage: seconds}, those that have not begun
        self._stream = sys.stderr if stream is None else stream
        self._started, self._now, self._pace, self._ended = time.perf_counter(), None, 1.0, threading.Event()
        self._spent = 0.0  # of the expected seconds, those of stages that have ended

    def __enter__(self):
        self._bar = None
        if self._stream.isatty():
            form = "{desc}: {percentage:3.0f} % |{bar}| {postfix}"
            self._bar = tqdm.tqdm(total=100, file=self._stream, bar_format=form, leave=False)
            self._thread = threading.Thread(target=self._draw_on, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        if self._bar is not None:
            self._thread.join()
            self._bar.close()

    def start_cell(self, cell, cell_index=None):
        """Note that a cell starts: a hook of nbclient."""
        stage = self._stage_of.get(cell["id"])
        if stage is None or stage == self._now:
            return
        if self._now is not None:
            self._spent += self._current
            if self._spent > 0:
                self._pace = max(_SLOWEST, (time.perf_counter() - self._started) / self._spent)  # here, of these photos
        self._current, self._since = self._left.pop(stage, 0.0), time.perf_counter()
        self._now = stage
        if self._bar is None:
            print(f"{stage} ({_duration(self.seconds_left())} left)", file=self._stream, flush=True)

    def seconds_left(self):
        """Return about how many seconds are left."""
        inside = time.perf_counter() - self._since if self._now else 0
        return max(0.0, self._current * self._pace - inside) + sum(self._left.values()) * self._pace

    def _draw_on(self):
        while not self._ended.wait(0.5):
            if self._now is None:
                continue
            left, passed = self.seconds_left(), time.perf_counter() - self._started
            self._bar.n = min(99, 100 * passed / max(passed + left, 1e-9))
            self._bar.set_description_str(self._now, refresh=False)
            self._bar.set_postfix_str(f"{_duration(left)} left", refresh=False)
            self._bar.refresh()


def stages(notebook):
    """Return {cell id: heading above it} of the code cells of a notebook that stand below a second-level heading.

    notebook : from nbformat
    """
    found, heading = {}, None
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = next((line[3:] for line in cell.source.splitlines() if line.startswith("## ")), heading)
        elif heading is not None:
            found[cell["id"]] = heading.rstrip("?")
    return found


def _expected(effort, photos):
    """Return {stage: seconds} that the chapter took on two cores for about so many photos, in proportion."""
    table, _ = benchmark_tables.read_table("stages")
    table = table[table["effort"] == effort] if (table["effort"] == effort).any() else table
    size = min(table["photos"].unique(), key=lambda each: abs(each - photos))
    near = table[table["photos"] == size].groupby("stage", sort=False)["seconds"].mean()
    return (near * max(1.0, photos / size)).to_dict()


def _duration(seconds):
    return f"about {max(1, round(seconds))} s" if seconds < 90 else f"about {seconds / 60:.0f} min"
