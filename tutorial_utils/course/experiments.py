"""A chapter run many times: parameters, times values, times seeds, each run in a process of its own (chapter 7)."""

import ast
import concurrent.futures
import hashlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import nbformat
import pandas
import papermill
import tqdm.auto

from .. import _files, _machine
from . import execution

OUTPUT = "executed.ipynb"  # the notebook of a run, as far as it ran
ENDS = ("ok", "reason", "run_seconds")  # what is told of how a run ended
_ENDED = "ended.json"  # written last: how a run ended
_ASKED = "asked.json"  # what it was asked for
_ORDER = "order.json"  # of a grid: its runs as they were first asked for, and the fingerprint of what each executed
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_grid(notebook, folder, vary, seeds=(0,), fixed=None, workers=None, client=None):
    """Run a notebook for every combination of values and seeds; return those of `read_runs(folder)` asked for here.

    notebook : path of a notebook with a cell tagged `parameters`, `seed` and `run_dir` among them
    folder : where each run gets a folder of its own, named by what it was asked for
    vary : {parameter: list of values}; fixed : {parameter: value} for all runs
    workers : processes at a time, None: one a processor core; each computes on one core, so that the results do not
        depend on how many there are
    client : a dask.distributed.Client: the runs are spread over its workers, which must see the same folders and have
        tutorial_utils installed
    A finished run is not run again; a failed one is, and so is one whose parameters or whose code, the package's
    included, have changed (execution.fingerprint). A failed run stops no other: its notebook and one line of reason are
    kept. After Ctrl-C the same call goes on.
    Raises ValueError before anything starts for a parameter that the notebook does not have, or of another type.
    """
    notebook, folder, fixed = pathlib.Path(notebook).resolve(), _files.run_path(folder), fixed or {}
    settings = _settings(vary, seeds, fixed)
    _check_parameters(notebook, settings)
    latest = execution.fingerprint(nbformat.read(notebook, as_version=4))
    asked = {_name(latest, each): each for each in settings}
    left = {name: each for name, each in asked.items() if not _finished(folder / name)}
    _, earlier = _order(folder)
    _files.write_json(folder / _ORDER, {"latest": latest, "runs": earlier | dict.fromkeys(asked, latest)})
    with tqdm.auto.tqdm(total=len(asked), initial=len(asked) - len(left), unit="run") as bar:
        for _ in _run_all([(notebook, folder / name, each) for name, each in left.items()], workers, client):
            bar.update()
    return read_runs(folder).loc[list(asked)]


def plan_grid(notebook, vary, seeds=(0,), fixed=None):
    """Return what `run_grid` would run, a DataFrame with one row a run: its parameters. Nothing is started.

    Arguments and errors as for `run_grid`.
    """
    settings = _settings(vary, seeds, fixed or {})
    _check_parameters(pathlib.Path(notebook), settings)
    return pandas.DataFrame(settings)


def read_runs(folder):
    """Return the runs of a folder as a DataFrame indexed by the run's name: its parameters, how it ended, its metrics.

    They come in the order in which they were first asked for, so a comparison's baseline is what was named first.
    Columns: the parameters; `ok` (bool), `reason` (why it failed, else ""), `run_seconds`; and the numbers and words
    of each run's metrics.json, with "metrics_" before. Runs that have not ended are not among them, and neither are
    those of an earlier state of the notebook or the package than the latest call ran: a line says how many there are.
    """
    folder, rows = _files.run_path(folder), {}
    latest, order = _order(folder)
    ended = sorted(path.parent.name for path in folder.glob(f"*/{_ENDED}"))
    for name in dict.fromkeys([*order, *ended]):
        if name in ended and order.get(name) == latest:
            row = _read_json(folder / name / _ASKED) | _read_json(folder / name / _ENDED)
            row.pop("run_dir", None)  # where it ran, which the folder says
            rows[name] = row | (execution.read_metrics(folder / name) if row["ok"] else {})
    if len(rows) < len(ended):
        print(f"{len(ended) - len(rows)} runs of an earlier state of the notebook or the package are left out.")
    return pandas.DataFrame.from_dict(rows, orient="index")


def _settings(vary, seeds, fixed):
    both = sorted((set(vary) & set(fixed)) | ({"seed", "run_dir"} & {*vary, *fixed}))
    if both:
        raise ValueError(f"Name each parameter once: {', '.join(both)}. Seeds go into `seeds`; run_dir is set here.")
    values = [list(values) for values in vary.values()]
    combinations = [dict(zip(vary, chosen, strict=True)) for chosen in itertools.product(*values)]
    return [_absolute({**fixed, **chosen, "seed": seed}) for chosen in combinations for seed in seeds]


def _absolute(setting):
    """Return a setting whose `dataset`, if it is a folder, means the same wherever the notebook runs."""
    dataset = setting.get("dataset")
    if isinstance(dataset, (str, os.PathLike)) and pathlib.Path(dataset).is_dir():
        return setting | {"dataset": str(pathlib.Path(dataset).resolve())}
    return setting


def _check_parameters(notebook, settings):
    """Raise ValueError for what the notebook's parameters cell does not know: papermill would only warn."""
    if not notebook.is_file():
        raise ValueError(f"There is no notebook {notebook}.")
    known = {name: _literal(each["default"]) for name, each in papermill.inspect_notebook(str(notebook)).items()}
    if not {"seed", "run_dir"} <= set(known):
        raise ValueError(f"{notebook.name} has no parameters cell with seed and run_dir: a grid cannot run it.")
    for name, value in {(name, repr(value)): value for each in settings for name, value in each.items()}.items():
        _check_one(notebook, known, name[0], value)


def _check_one(notebook, known, name, value):
    if name not in known:
        raise ValueError(f"{notebook.name} has no parameter {name}; it knows {', '.join(sorted(known))}.")
    default = known[name]
    fits = isinstance(value, type(default)) and isinstance(value, bool) == isinstance(default, bool)
    if default is not None and value is not None and not fits and not _both_numbers(default, value):
        raise ValueError(f"{name} of {notebook.name} is {default!r} by default; got {value!r}, of another type.")


def _both_numbers(default, value):
    return isinstance(default, float) and isinstance(value, (int, float)) and not isinstance(value, bool)


def _literal(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None  # a default that is computed: any type may be meant


def _name(code, setting):
    """Return a run's name: it changes with the fingerprint of its code and with every parameter."""
    asked = json.dumps([code, setting], sort_keys=True, default=str)
    return f"seed{setting['seed']}-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"


def _order(folder):
    """Return (latest, {run: fingerprint}) of a grid, in the order in which runs were first asked for; or (None, {})."""
    kept = _read_json(folder / _ORDER) if (folder / _ORDER).is_file() else []
    if isinstance(kept, list):  # the names alone, as they were kept before
        return None, dict.fromkeys(kept)
    return kept["latest"], kept["runs"]


def _finished(run):
    return (run / _ENDED).is_file() and _read_json(run / _ENDED)["ok"]


def _read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _run_all(jobs, workers, client):
    """Run jobs, arguments of `run_once`; yield each time that one ends, whether it ended well. Ctrl-C ends them all."""
    stop, options = threading.Event(), {}
    if client is None:
        pool, options = concurrent.futures.ThreadPoolExecutor(workers or _machine.cores()), {"stop": stop}
    else:
        pool = client.get_executor(pure=False, retries=3)  # runs anew what a worker that dies had begun
    coming = [pool.submit(run_once, *job, **options) for job in jobs]
    try:
        for future in concurrent.futures.as_completed(coming):
            yield future.result()
    finally:
        stop.set()
        for future in coming:
            future.cancel()
        pool.shutdown(wait=client is None)


def run_once(notebook, run, setting, stop=None):
    """Run a notebook once, in a process of its own, into the folder `run`; return whether it ended well.

    stop : threading.Event; once it is set, the process is ended and nothing is written of how
    """
    run.mkdir(parents=True, exist_ok=True)
    (run / _ENDED).unlink(missing_ok=True)
    _files.write_json(run / _ASKED, {**setting, "run_dir": str(run)})
    command = [sys.executable, "-m", execution.__name__, *map(str, (notebook, run / OUTPUT, run / _ASKED))]
    started = time.perf_counter()
    with open(run / "log.txt", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | dict.fromkeys(_THREADS, "1"), start_new_session=True
        )
        code = _wait(process, stop)
    if code is None:
        return False
    ok = code == 0
    ended = dict(zip(ENDS, (ok, "" if ok else _reason(run, code), time.perf_counter() - started), strict=True))
    _files.write_json(run / _ENDED, ended)
    return ok


def _wait(process, stop):
    """Return the exit status of a process; None if it was ended because `stop` was set, or we were interrupted."""
    try:
        while stop is None or not stop.is_set():
            try:
                return process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
    finally:
        if process.poll() is None:
            process.kill() if os.name == "nt" else os.killpg(process.pid, signal.SIGKILL)
            # its kernel sees that it is gone, and ends too
            process.wait()
    return None


def _reason(run, code):
    """Return in one line why a run failed: the error of its notebook's cell, else the last line of its log."""
    try:
        cells = nbformat.read(run / OUTPUT, as_version=4).cells
        errors = [out for cell in cells for out in cell.get("outputs", []) if out.output_type == "error"]
    except (OSError, ValueError):
        errors = []
    if errors:
        return f"{errors[0].ename}: {errors[0].evalue}".splitlines()[0]
    lines = [line for line in (run / "log.txt").read_text(encoding="utf-8").splitlines() if line.strip()]
    return f"exit status {code}: {lines[-1] if lines else 'no word'}"
