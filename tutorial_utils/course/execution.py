"""Notebooks executed with papermill, chapters, labs or runs of a grid; and "has what they depend on changed since?"."""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import sys
import tempfile
import time

import papermill
import traitlets.config

from .. import _files

LIBRARIES = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "scikit-learn", "pandas", "pillow")
LIBRARIES += ("matplotlib", "ipywidgets", "anywidget")


def chapters(folder=None):
    """Return the learner's notebooks in reading order (list of Path). folder : None is notebooks/ of the project."""
    folder = _files.notebooks_folder() if folder is None else pathlib.Path(folder)
    found = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise ValueError(f"There are no chapters (01_....ipynb) in {folder}. Run this in the course's folder.")
    return found


def labs(folder=None):
    """Return the notebooks of the labs, by name (list of Path). folder : None is notebooks/ of the project."""
    return sorted(chapters(folder)[0].parent.glob("labs/*.ipynb"))


def run_notebook(notebook, output, parameters, progress=True, on_cell_start=None):
    """Execute a notebook with papermill, in its own folder and kernel; leave it with its outputs at the path `output`.

    Folders above `output` are made: papermill itself would stop there.
    parameters : dict for the notebook's parameters cell; progress : whether to show a bar over its cells
    on_cell_start : function that is called with each code cell that starts (`cell`) and its place (`cell_index`)
    Raises papermill.PapermillExecutionError if a cell fails; the notebook as far as it ran is kept.
    """
    pathlib.Path(output).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as sockets:
        papermill.execute_notebook(
            *(str(path).replace("{", "{{").replace("}", "}}") for path in (notebook, output)),  # papermill fills braces
            parameters=parameters,
            kernel_name="python3",
            cwd=str(pathlib.Path(notebook).parent),
            progress_bar=progress,
            config=_private_transport(sockets),
            on_cell_start=on_cell_start,
            extra_arguments=["--log-level=50"],  # of the kernel, which would tell a terminal that it was interrupted
            request_save_on_cell_execute=False,  # it is saved at the end, with an error too; each time costs seconds
        )


def _private_transport(folder):
    """Return the settings that let notebook and kernel talk through files where the system can: ipykernel warns
    of anything else at every start. The files are in `folder`; in the working directory, as they are by default, two
    runs at a time would hear each other."""
    private = {"transport": "tcp"} if os.name == "nt" else {"transport": "ipc", "ip": os.path.join(folder, "kernel")}
    return traitlets.config.Config({"KernelManager": private})


def execute_chapters(notebooks, run_dir="runs", parameters=None):
    """Execute chapters or labs one after the other; return one dict each (`chapter`, `seconds`, metrics).

    Each leaves its run folder at `run_dir`/<its name>, the executed notebook inside it.
    parameters, errors : as for `run_notebook`
    """
    rows = []
    for notebook in notebooks:
        run = _files.run_path(pathlib.Path(run_dir) / notebook.stem)
        run.mkdir(parents=True, exist_ok=True)
        print(notebook.stem, flush=True)
        started = time.perf_counter()
        run_notebook(notebook, run / notebook.name, {"run_dir": str(run), **(parameters or {})})
        rows.append({"chapter": notebook.stem, "seconds": time.perf_counter() - started, **read_metrics(run)})
    return rows


def read_metrics(run):
    """Return what a run folder's metrics.json holds, {"metrics_<name>": value}; {} where there is none."""
    path = run / "metrics.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {f"metrics_{name}": value for name, value in found.items()}


def summarize(rows, run_dir="runs", what="chapter"):
    """Return the closing words of a course run: a line for each `what`, and where things are (str)."""
    lines = ["", f"{what:<24} {'seconds':>8}  {'backbone':<20} test accuracy (95 % interval)"]
    for row in rows:
        score = row.get("metrics_test_accuracy")
        low, high = row.get("metrics_test_accuracy_low"), row.get("metrics_test_accuracy_high")
        shown = "" if score is None else f"{100 * score:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        lines.append(f"{row['chapter']:<24} {row['seconds']:>8.0f}  {row.get('metrics_backbone', ''):<20} {shown}")
    asked = {row.get("metrics_backbone_requested") for row in rows} - {None}
    used = {row.get("metrics_backbone") for row in rows} - {None}
    if asked - used:
        lines.append(f"\n{', '.join(sorted(asked - used))} not available; {', '.join(sorted(used))} used instead.")
    base = _files.run_path(run_dir)
    lines += [
        f"\nIn all {sum(row['seconds'] for row in rows):.0f} seconds. Each {what}'s run folder is {base}/<{what}>:",
        f"  {f'<{what}>.ipynb':<15}   the executed notebook      figures/      its pictures",
        "  metrics.json      its numbers                model.keras   its model, where it trains one",
    ]
    return "\n".join(lines)


def fingerprint(notebook, *others):
    """Return what a notebook's outputs depend on as 64 hex digits: if they change, it has to be executed again.

    notebook : from nbformat; its code counts, and its prose does not
    others : plain values that its outputs depend on too, such as its parameters
    Counted as well: the package, the cards and tables that it reads, and the versions of LIBRARIES.
    """
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    parts = [code, others, _package_digest(), [_version(name) for name in LIBRARIES]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _package_digest():
    """Return a sha256 of the files of the package, of the data sets' cards and of the kept tables."""
    package = [path for path in _files.PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    files = {*package, *_files.benchmarks_folder().glob("*.csv"), *_files.cards_folder().glob("*.yaml")}
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.name not in ("chapters.csv", "labs.csv"):  # minutes: prose
            digest.update(f"{path.name} {_files.sha256(path)}\n".encode())
    return digest.hexdigest()


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None  # one of tensorflow and tensorflow-cpu is not there


if __name__ == "__main__":  # `experiments` starts each run so, to be able to end it
    given = pathlib.Path(sys.argv[3])
    run_notebook(*sys.argv[1:3], json.loads(given.read_text(encoding="utf-8")), progress=False)
