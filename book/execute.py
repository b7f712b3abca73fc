"""The chapters with their outputs, executed anew only where something that they compute with has changed.

An executed chapter is kept in book/_executed with a key made of its code, the parameters, the package, the tables and
cards that it reads, the libraries' versions, whether MobileNetV2's weights are there, and the keys of the chapters
whose runs it uses. Prose is not part of it: outputs are laid into the notebook as it is now. The run folders are
book/_runs, so no other run is touched.
"""

import concurrent.futures
import functools
import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import pathlib
import re

import nbformat

from tutorial_utils.course import execution

BOOK = pathlib.Path(__file__).resolve().parent
ROOT = BOOK.parent
_READ = [*(f"tutorial_utils/**/*.{kind}" for kind in ("py", "js", "css", "txt")), "datasets/*.yaml", "benchmarks/*.csv"]
_LIBRARIES = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "pandas", "matplotlib", "ipywidgets", "anywidget")
_USES = re.compile(r'run_folder\.find\(\s*run,\s*"(\w+)"')


def chapters(parameters=None, kept=BOOK / "_executed", run_dir=BOOK / "_runs", notebooks=None, at_once=1):
    """Return {chapter: notebook with outputs}, in reading order; what is not in `kept` is executed.

    parameters : dict for every chapter's parameters cell, such as a smaller sample; None: the chapters' own. Each
        set of parameters has folders of its own in `kept` and `run_dir`.
    at_once : how many chapters are executed at a time; with more than one, the seconds that chapters print are larger
    """
    sample = "-".join(f"{name}-{value}" for name, value in sorted((parameters or {}).items())) or "whole"
    kept, run_dir = kept / sample, run_dir / sample
    fresh = {path: nbformat.read(path, as_version=4) for path in execution.chapters(notebooks)}
    keys = _keys(fresh, parameters or {})
    stale = [path for path in fresh if _kept(kept / path.name, keys[path.stem]) is None]
    stale.sort(key=lambda path: bool(_used(fresh[path])))  # those that wait for others come last; else as they are read
    running = {}
    with _pool(at_once) as pool:
        for path in stale:
            for chapter in _used(fresh[path]) & set(running):
                running[chapter].result()  # whose run this chapter reads
            running[path.stem] = pool.submit(_keep, path, parameters, run_dir, kept, keys[path.stem])
            if path == next(iter(fresh)):
                running[path.stem].result()  # alone: on a fresh machine it paints the leaves that all others need
        for chapter in running.values():
            chapter.result()  # raises what went wrong
    return {
        path.stem: with_outputs(notebook, nbformat.read(kept / path.name, as_version=4))
        for path, notebook in fresh.items()
    }


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
    """Return {chapter: key} of {path: notebook}, in reading order."""
    keys = {}
    for path, notebook in notebooks.items():
        keys[path.stem] = key_of(notebook, parameters, keys)
    return keys


def key_of(notebook, parameters, keys):
    """Return what the outputs depend on as a sha256. keys : {chapter: key} of the chapters before."""
    used = [keys.get(chapter) for chapter in sorted(_used(notebook))]
    parts = [_code(notebook), sorted(parameters.items()), used, _surroundings(), _weights()]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def _code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def _used(notebook):
    """Return the names of the chapters whose runs a chapter looks for (set)."""
    return set(_USES.findall("\n".join(_code(notebook))))


def _weights():
    """Return the names of MobileNetV2's weights in Keras's cache: without them chapters take another network."""
    home = os.environ.get("KERAS_HOME")
    folder = pathlib.Path(home).expanduser() if home else pathlib.Path.home() / ".keras"
    return sorted(path.name for path in (folder / "models").glob("mobilenet_v2_*"))


@functools.cache
def _surroundings():
    """Return a sha256 of every file that a chapter computes with, and the libraries' versions."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _READ for path in ROOT.glob(pattern) if path.is_file()):
        if path.name != "chapters.csv":  # minutes are prose
            digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return [digest.hexdigest(), [_version(name) for name in _LIBRARIES]]


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None  # one of tensorflow and tensorflow-cpu is not there


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
    kept.mkdir(parents=True, exist_ok=True)
    nbformat.write(executed, kept / path.name)


def _execute(path, parameters, run_dir):
    """Execute a chapter; return it without the cell that papermill adds and without this machine's paths."""
    execution.execute_chapters([path], run_dir, parameters)
    executed = nbformat.read(run_dir / path.stem / path.name, as_version=4)
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
