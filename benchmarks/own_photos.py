"""Chapter 8 at its defaults on given folders: what a reader gets who runs it on photos of their own.

    python -m benchmarks.own_photos FOLDER ... [--effort quick best] [--runs FOLDER]

Each set is one run of the chapter for each effort, as `train` runs it; its run folder is kept, so that the same command
goes on where a training was stopped. Writes own_photos.csv, a row a set and effort, and stages.csv, a row a part
of the chapter, by which `train` says how long the rest takes. `minutes` are those of the clock, `processor_minutes`
those of all cores together: on two cores that nobody else uses, the clock shows between half of them and all.
"""

import argparse
import json
import pathlib
import resource
import time

import nbformat
import pandas

from tutorial_utils import _files

from . import cells, results

KEPT = ["backbone", "image_size", "strategy", "taken_out", "n_test", "test_accuracy", "test_accuracy_low"]
KEPT += ["test_accuracy_high", "accuracy_majority", "calibration_error", "frame_accuracy", "known_kept"]
KEPT += ["coverage", "risk", "float32_difference", "float32_same_class", "onnx_difference", "onnx_same_class"]
KEPT += [f"{kind}_lost{end}" for kind in ("float16", "int8") for end in ("", "_low", "_high")]
KEPT += [f"{kind}_{what}" for kind in ("float32", "float16", "int8", "onnx") for what in ("megabytes", "milliseconds")]


def measure(name, where, effort, runs):
    """Run the chapter on a set; return its row, and the stages' rows. Raises what train.train does."""
    from tutorial_utils.course import train

    run = pathlib.Path(runs) / name / effort
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    train.train(where, run, tell=lambda line: None, effort=effort)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    row = {"set": name, "effort": effort, "minutes": (time.perf_counter() - started) / 60}
    row |= {"processor_minutes": spent / 60}
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    notebook = nbformat.read(run / train.chapter().name, as_version=4)
    stage_of = train.stages(notebook)
    cells = [cell for cell in notebook.cells if cell["id"] in stage_of]
    stages = pandas.DataFrame(
        {"stage": stage_of[cell["id"]], "seconds": cell.metadata.papermill.duration} for cell in cells
    )
    sums = stages.groupby("stage", sort=False)["seconds"].sum().round(2).reset_index()
    photos = len(pandas.read_csv(run / "splits.csv")) + metrics["taken_out"]
    sums = sums.assign(set=name, effort=effort, photos=photos)[["set", "effort", "photos", "stage", "seconds"]]
    return row | {key: metrics.get(key) for key in KEPT}, sums


def main():
    """Measure the sets that are named, one after the other; a row is kept as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="folders of class folders, or data sets' names")
    parser.add_argument("--effort", nargs="+", choices=("quick", "best"), default=("quick", "best"))
    parser.add_argument("--runs", default=_files.cache_folder() / "benchmarks" / "own_photos", help="keeps the runs")
    arguments = parser.parse_args()
    for name, where in cells.sets(arguments).items():
        for effort in arguments.effort:
            row, stages = measure(name, where, effort, arguments.runs)
            for table, rows in (("own_photos", pandas.DataFrame([row])), ("stages", stages)):
                kept = cells.kept(table)
                others = kept[(kept["set"] != name) | (kept["effort"] != effort)] if "effort" in kept else kept[:0]
                results.keep_table(
                    table,
                    pandas.concat([others, rows], ignore_index=True),
                    "python -m benchmarks.own_photos",
                    show=False,
                )
            print(
                f"{name}, {effort}: {100 * row['test_accuracy']:.1f} % right, {row['minutes']:.1f} minutes", flush=True
            )


if __name__ == "__main__":
    main()
