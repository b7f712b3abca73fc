"""Chapter 8 at its defaults on given folders: what a reader gets who runs it on photos of their own.

    python -m benchmarks.own_photos FOLDER ... [--runs FOLDER]

Each set is one run of the chapter, `dataset` and nothing else, in a kernel of its own; its run folder is kept, so that
the same command goes on where a training was stopped. Writes own_photos.csv, a row a set. `minutes` are those of
the clock, `processor_minutes` those of all cores together: on two cores that nobody else uses, the clock shows between
half of them and all.
"""

import argparse
import json
import pathlib
import resource
import time

import pandas

from tutorial_utils import _files

from . import cells, results

CHAPTER = "08_your_own_photos"
KEPT = ["backbone", "image_size", "strategy", "taken_out", "n_test", "test_accuracy", "test_accuracy_low"]
KEPT += ["test_accuracy_high", "accuracy_majority", "calibration_error", "frame_accuracy", "known_kept"]
KEPT += ["coverage", "risk", "float32_difference", "float32_same_class", "onnx_difference", "onnx_same_class"]
KEPT += [f"{kind}_lost{end}" for kind in ("float16", "int8") for end in ("", "_low", "_high")]
KEPT += [f"{kind}_{what}" for kind in ("float32", "float16", "int8", "onnx") for what in ("megabytes", "milliseconds")]


def measure(name, where, runs):
    """Run the chapter on a set; return its row. Raises papermill.PapermillExecutionError if a cell fails."""
    from tutorial_utils.course import execution

    run = pathlib.Path(runs) / name
    run.mkdir(parents=True, exist_ok=True)
    notebook = _files.project_root() / "notebooks" / f"{CHAPTER}.ipynb"
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    execution.run_notebook(notebook, run / notebook.name, {"dataset": str(where), "run_dir": str(run)})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    row = {"set": name, "minutes": (time.perf_counter() - started) / 60, "processor_minutes": spent / 60}
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return row | {key: metrics.get(key) for key in KEPT}


def main():
    """Measure the sets that are named, one after the other; a row is kept as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="folders of class folders, or data sets' names")
    parser.add_argument("--runs", default=_files.cache_folder() / "benchmarks" / "own_photos", help="keeps the runs")
    arguments = parser.parse_args()
    for name, where in cells.sets(arguments).items():
        row = measure(name, where, arguments.runs)
        table = cells.kept("own_photos")
        table = table[table["set"] != name] if len(table) else table
        table = pandas.concat([table, pandas.DataFrame([row])], ignore_index=True)
        results.keep_table("own_photos", table, "python -m benchmarks.own_photos", show=False)
        print(f"{name}: {100 * row['test_accuracy']:.1f} % right, {row['minutes']:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
