"""Chapters and labs with their outputs, executed anew only where something that they compute with has changed.

An executed chapter or lab is kept in book/_executed with its execution.fingerprint, to which belong the parameters,
MobileNetV2's weights and the chapters whose runs it uses. Prose does not: outputs are laid into the notebook as it is
now. The run folders are book/_runs, so no other run is touched.
"""

import concurrent.futures
import json
import multiprocessing
import os
import pathlib
import re

import nbformat

from tutorial_utils.course import execution

BOOK = pathlib.Path(__file__).resolve().parent
ROOT = BOOK.parent
_USES = re.compile(r'run_folder\.find_run\(\s*run,\s*"(\w+)"')


def chapters(parameters=None, kept=BOOK / "_executed", run_dir=BOOK / "_runs", notebooks=None, at_once=1):
    """Return {chapter or "labs/<lab>": notebook with outputs}, in reading order; what is not in `kept` is executed.

    parameters : dict for every chapter's parameters cell, such as a smaller sample; None: the chapters' own. Each
        set of parameters has folders of its own in `kept` and `run_dir`.
    at_once : how many notebooks are executed at a time; with more than one, the seconds that chapters print are larger
    """
    sample = "-".join(f"{name}-{value}" for name, value in sorted((parameters or {}).items())) or "whole"
    kept, run_dir = kept / sample, run_dir / sample
    paths = [*execution.chapters(notebooks), *execution.labs(notebooks)]
    fresh = {path: nbformat.read(path, as_version=4) for path in paths}
    keys = _keys(fresh, parameters or {})
    stale = [path for path in fresh if _kept(kept / f"{_name(path)}.ipynb", keys[_name(path)]) is None]
    stale.sort(key=lambda path: bool(_used(fresh[path])))  # those that wait for others come last; else as they are read
    running = {}
    with _pool(at_once) as pool:
        for path in stale:
            for chapter in _used(fresh[path]) & set(running):
                running[chapter].result()  # whose run this chapter reads
            running[_name(path)] = pool.submit(_keep, path, parameters, run_dir, kept, keys[_name(path)])
            if path == next(iter(fresh)):
                running[_name(path)].result()  # alone: on a fresh machine it paints the leaves that all others need
        for chapter in running.values():
            chapter.result()  # raises what went wrong
    return {
        _name(path): with_outputs(notebook, nbformat.read(kept / f"{_name(path)}.ipynb", as_version=4))
        for path, notebook in fresh.items()
    }


def _name(path):
    """Return the name that a notebook has in the book: "01_setup", "labs/leakage"."""
    return f"labs/{path.stem}" if path.parent.name == "labs" else path.stem


class _Here(concurrent.futures.Executor):
    """Calls at once, in this process, what is submitted."""

    def submit(self, function, *arguments):
        future = concurrent.futures.Future()
        future.set_result(function(*arguments))
        return future


def _pool(at_once):
    if at_once == 1:
        return _Here()
    return concurrent.futures.ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn"))


def _keys(notebooks, parameters):
    """Return {chapter: key} of {path: notebook}, in reading order: what the outputs depend on."""
    keys = {}
    for path, notebook in notebooks.items():
        used = [keys.get(chapter) for chapter in sorted(_used(notebook))]
        keys[_name(path)] = execution.fingerprint(notebook, parameters, used, _weights())
    return keys


def _used(notebook):
    """Return the names of the chapters whose runs a chapter looks for (set)."""
    return {name for cell in notebook.cells if cell.cell_type == "code" for name in _USES.findall(cell.source)}


def _weights():
    """Return the names of MobileNetV2's weights in Keras's cache: without them chapters take another network."""
    home = os.environ.get("KERAS_HOME")
    folder = pathlib.Path(home).expanduser() if home else pathlib.Path.home() / ".keras"
    return sorted(path.name for path in (folder / "models").glob("mobilenet_v2_*"))


def _kept(path, key):
    """Return the executed chapter that is kept, or None if there is none or it has another key."""
    if not path.is_file():
        return None
    executed = nbformat.read(path, as_version=4)
    return executed if executed.metadata.get("book", {}).get("key") == key else None


def _keep(path, parameters, run_dir, kept, key):
    """Execute a chapter and keep it, with its key, in the folder `kept`."""
    executed = _execute(path, parameters, run_dir)
    executed.metadata["book"] = {"key": key}
    kept = kept / f"{_name(path)}.ipynb"
    kept.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(executed, kept)


def _execute(path, parameters, run_dir):
    """Execute a chapter; return it without the cell that papermill adds and without this machine's paths."""
    run = run_dir / _name(path)
    execution.execute_chapters([path], run.parent, parameters)
    executed = nbformat.read(run / path.name, as_version=4)
    executed.cells = [cell for cell in executed.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    text = nbformat.writes(executed)
    for folder, name in [(run_dir, "runs"), (ROOT, "."), (pathlib.Path.home(), "~")]:
        text = re.sub(rf"{re.escape(json.dumps(str(folder))[1:-1])}(?![\w-])", name, text)
    return nbformat.reads(text, as_version=4)


def with_outputs(notebook, executed):
    """Return the notebook as it is now with the outputs of the same code and the saved state of its widgets."""
    fresh = [cell for cell in notebook.cells if cell.cell_type == "code"]
    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    for cell, source in zip(fresh, ran, strict=True):
        cell.outputs, cell.execution_count = source.outputs, source.execution_count
    if "widgets" in executed.metadata:
        notebook.metadata["widgets"] = executed.metadata["widgets"]
    return notebook
