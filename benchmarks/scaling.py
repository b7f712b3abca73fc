"""Do more photos cost more each? Storing 1,000 and 20,000 photos, and a head for 600 after a changed knob.

    python -m benchmarks.scaling --photos 1000 20000 --image-size 224

Each number of photos is stored in a process of its own, with an empty cache but the converted network at hand.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

from . import recipe, results, ways


def store(folder, image_size, count):
    """Store the first `count` photos here; return the time a photo and the peak memory."""
    import pandas

    from tutorial_utils.models import backbones, features

    photos = pandas.concat(ways.tables(folder))
    borrowed = backbones.get("efficientnet_lite0")
    features.stored(photos.tail(8), borrowed, image_size)  # converts the network
    started = time.perf_counter()
    rows = features.stored(photos.head(count), borrowed, image_size)
    seconds = time.perf_counter() - started
    assert rows[:].shape == (count, 1280)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in kilobytes
    return {"photos": count, "milliseconds_a_photo": 1000 * seconds / count, "peak_memory_mb": peak}


def retrain(image_size, count=600, repeats=5):
    """Return the median seconds that either head takes for `count` photos after a knob has been turned."""
    from tutorial_utils.data import catalog, pipeline
    from tutorial_utils.models import backbones, features, training, transfer

    photos = catalog.load("leaves").iloc[:count]
    photos = photos.assign(label=photos["label"].cat.remove_unused_categories())
    x = features.stored(photos, backbones.get("efficientnet_lite0"), image_size)[:]
    y, classes = pipeline.labels(photos), len(photos["label"].cat.categories)
    seconds = {"closed": [], "dense": []}
    for turn in range(repeats + 1):  # the first turn starts the libraries up and is left out
        started = time.perf_counter()
        transfer.closed_head(x, y, classes, C=0.01 * (turn + 1))
        seconds["closed"].append(time.perf_counter() - started)
        started = time.perf_counter()
        head = transfer.dense_head(x.shape[1], classes, seed=turn)
        training.train_head(head, (x, y), (x[:60], y[:60]), learning_rate=1e-3 / (turn + 1), seed=turn)
        seconds["dense"].append(time.perf_counter() - started)
    return {name: float(np.median(each[1:])) for name, each in seconds.items()}


def in_own_process(arguments, *extra):
    """Run this file with `extra` in a process of its own and return what it prints last."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "TUTORIAL_CACHE": cache, "TF_CPP_MIN_LOG_LEVEL": "2"}
        command = [sys.executable, "-m", "benchmarks.scaling", "--image-size", arguments.image_size, *extra]
        root = results.HERE.parent
        process = subprocess.run(list(map(str, command)), env=environment, cwd=root, stdout=subprocess.PIPE, text=True)
    if process.returncode:
        raise SystemExit("A part of the benchmark stopped; what it said stands above.")
    return json.loads(process.stdout.splitlines()[-1])


def main():
    """Print what was found and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, nargs="+", default=[1000, 20000])
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--results", type=pathlib.Path, default=results.PATH)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--retrain", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.retrain:
        print(json.dumps(retrain(arguments.image_size)))
    elif arguments.folder:
        print(json.dumps(store(arguments.folder, arguments.image_size, arguments.photos[0])))
    else:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="scaling-"))
        try:
            recipe.lay_out("solar_cells", max(arguments.photos) + 8, 0, folder)
            parts = [in_own_process(arguments, "--folder", folder, "--photos", count) for count in arguments.photos]
        finally:
            shutil.rmtree(folder)
        found = {"scaling": parts, "head_retrain_seconds": in_own_process(arguments, "--retrain")}
        results.add(found, arguments.results)
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
