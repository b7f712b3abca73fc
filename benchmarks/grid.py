"""What a grid of whole chapters costs: chapter 3 on the course's leaves, twelve settings, three seeds each.

    python -m benchmarks.grid [--workers 2] [--scratch-epochs 1]

Four bases at three image sizes. The photos are there, everything else starts from an empty cache: networks are
converted and features computed while the clock runs, by whichever run needs them first. Then the same call once more.
Writes benchmarks/grid.csv, a row a run, and benchmarks/grid_seconds.csv, what the two calls took.
"""

import argparse
import os
import pathlib
import tempfile
import time

import pandas

from tutorial_utils import _machine

from . import results

CHAPTER = pathlib.Path(__file__).resolve().parent.parent / "notebooks" / "03_feature_extraction.ipynb"
VARY = {
    "backbone": ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "mobilenet_v2"],
    "image_size": [96, 112, 128],
}
SEEDS = (0, 1, 2)
KEPT = ["seed", "ok", "reason", "run_seconds", "metrics_test_accuracy", "metrics_n_test", "metrics_model_weights"]


def began(folder):
    """Return when each run in a grid's folder last began (nanoseconds), by its name."""
    return {path.parent.name: path.stat().st_mtime_ns for path in pathlib.Path(folder).glob("*/asked.json")}


def timed(chapter, folder, **asked):
    """Return (runs, seconds) of one call of experiments.run_grid."""
    from tutorial_utils.course import experiments

    started = time.perf_counter()
    return experiments.run_grid(chapter, folder, **asked), time.perf_counter() - started


def measure(chapter, folder, **asked):
    """Return (runs, seconds): the grid as from experiments.run_grid, and what two calls of it took, a dict.

    chapter, folder, asked : what experiments.run_grid takes
    """
    runs, first = timed(chapter, folder, **asked)
    before = began(folder)
    _, again = timed(chapter, folder, **asked)
    twice = sum(before[name] != when for name, when in began(folder).items())
    about = {"runs": len(runs), "ended_well": int(runs["ok"].sum())}
    return runs, about | {"seconds": first, "seconds_again": again, "run_twice": twice}


def main():
    """Measure, keep and print."""
    from tutorial_utils.data import catalog

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=_machine.cores(), help="runs at a time")
    parser.add_argument("--scratch-epochs", type=int, default=1, help="of the network from nothing, in every run")
    arguments = parser.parse_args()
    command = f"python -m benchmarks.grid --scratch-epochs {arguments.scratch_epochs}"
    fixed = {"scratch_epochs": arguments.scratch_epochs}
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as folder:
        os.environ["TUTORIAL_CACHE"] = cache
        catalog.load_photos("leaves")
        runs, seconds = measure(CHAPTER, folder, vary=VARY, seeds=SEEDS, fixed=fixed, workers=arguments.workers)
    seconds |= fixed | {"workers": arguments.workers}
    results.keep_table("grid", runs[[*VARY, *KEPT]].round(4), command, show=False)
    results.keep_table("grid_seconds", pandas.DataFrame([seconds]).round(1), command)


if __name__ == "__main__":
    main()
