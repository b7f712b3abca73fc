"""Execute chapters with papermill, one after the other, and say where everything is."""

import json
import os
import pathlib
import tempfile
import time

import papermill
import traitlets.config

from .. import _files


def chapters(folder=None):
    """Return the learner's notebooks in reading order (list of Path). folder : None is notebooks/ of the project."""
    folder = _files.project_root() / "notebooks" if folder is None else pathlib.Path(folder)
    found = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise ValueError(f"There are no chapters (01_....ipynb) in {folder}. Run this in the course's folder.")
    return found


def execute_chapters(notebooks, run_dir="runs", parameters=None):
    """Execute notebooks with a progress bar each; return one dict a chapter (`chapter`, `seconds`, metrics).

    Each leaves its run folder at `run_dir`/<chapter>, the executed notebook inside it.
    parameters : dict for every notebook's parameters cell. A cell that fails raises
    papermill.PapermillExecutionError; the notebook as far as it ran is kept.
    """
    rows = []
    for notebook in notebooks:
        run = _files.run_path(pathlib.Path(run_dir) / notebook.stem)
        run.mkdir(parents=True, exist_ok=True)
        print(notebook.stem, flush=True)
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as sockets:
            papermill.execute_notebook(
                str(notebook),
                str(run / notebook.name),
                parameters={"run_dir": str(run), **(parameters or {})},
                kernel_name="python3",
                cwd=str(notebook.parent),
                config=_private_transport(sockets),
            )
        rows.append({"chapter": notebook.stem, "seconds": time.perf_counter() - started, **_metrics(run)})
    return rows


def _private_transport(folder):
    """Return the settings that let notebook and kernel talk through files where the system can: ipykernel warns
    of anything else at every start. The files are in `folder`; in the working directory, as they are by default, two
    runs at a time would hear each other."""
    private = {"transport": "tcp"} if os.name == "nt" else {"transport": "ipc", "ip": os.path.join(folder, "kernel")}
    return traitlets.config.Config({"KernelManager": private})


def _metrics(run):
    path = run / "metrics.json"
    return {f"metrics_{k}": v for k, v in json.loads(path.read_text()).items()} if path.is_file() else {}


def summarize(rows, run_dir="runs"):
    """Return the closing words of a course run: a line a chapter, and where things are (str)."""
    lines = ["", f"{'chapter':<24} {'seconds':>8}  {'backbone':<20} test accuracy (95 % interval)"]
    for row in rows:
        score = row.get("metrics_test_accuracy")
        low, high = row.get("metrics_test_accuracy_low"), row.get("metrics_test_accuracy_high")
        shown = "" if score is None else f"{100 * score:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        lines.append(f"{row['chapter']:<24} {row['seconds']:>8.0f}  {row.get('metrics_backbone', ''):<20} {shown}")
    asked = {row.get("metrics_backbone_requested") for row in rows} - {None}
    used = {row.get("metrics_backbone") for row in rows} - {None}
    if asked - used:
        lines.append(f"\n{', '.join(sorted(asked - used))} could not be had; {', '.join(sorted(used))} served instead.")
    base = _files.run_path(run_dir)
    lines += [
        f"\nIn all {sum(row['seconds'] for row in rows):.0f} seconds. Each chapter's run folder is {base}/<chapter>:",
        "  <chapter>.ipynb   the executed notebook      figures/      its pictures",
        "  metrics.json      its numbers                model.keras   its model, where it trains one",
    ]
    return "\n".join(lines)
