"""Do more photos cost more each? Storing 1,000 and 20,000 photos, and a head for 600 after a changed knob.

    python -m benchmarks.scaling --photos 1000 20000 --image-size 224

Each number of photos is stored in processes of their own, in alternation, with an empty cache but the converted network
at hand.
"""

import argparse
import json
import pathlib
import shutil
import tempfile
import time

import numpy as np
import tqdm

from . import recipe, results, ways


def store(folder, image_size, count):
    """Store `count` photos here, the same mixture whatever the count; return the time a photo and the peak memory."""
    import pandas

    from tutorial_utils.models import backbones, features

    photos = pandas.concat(ways.tables(folder)).sample(frac=1, random_state=0)
    borrowed = backbones.get("efficientnet_lite0")
    features.stored(photos.tail(8), borrowed, image_size)  # converts the network
    started = time.perf_counter()
    rows = features.stored(photos.head(count), borrowed, image_size)
    seconds = time.perf_counter() - started
    assert rows[:].shape == (count, 1280)
    found = {"photos": count, "milliseconds_a_photo": 1000 * seconds / count}
    return {**found, "peak_memory_mb": results.peak_memory_mb()}


def retrain(image_size, count=600, repeats=5):
    """Return the median seconds that either head takes for `count` photos after a knob has been turned."""
    from tutorial_utils.data import catalog, pipeline
    from tutorial_utils.models import backbones, features, heads, training

    photos = catalog.load_photos("leaves").iloc[:count]
    photos = photos.assign(label=photos["label"].cat.remove_unused_categories())
    x = features.stored(photos, backbones.get("efficientnet_lite0"), image_size)[:]
    y, classes = pipeline.labels(photos), len(photos["label"].cat.categories)
    seconds = {"logistic": [], "dense": []}
    for turn in range(repeats + 1):  # the first turn starts the libraries up and is left out
        started = time.perf_counter()
        heads.logistic_head(x, y, classes, C=0.01 * (turn + 1))
        seconds["logistic"].append(time.perf_counter() - started)
        started = time.perf_counter()
        head = heads.dense_head(x.shape[1], classes, seed=turn)
        training.train_head(head, (x, y), (x[:60], y[:60]), learning_rate=1e-3 / (turn + 1), seed=turn)
        seconds["dense"].append(time.perf_counter() - started)
    return {name: float(np.median(each[1:])) for name, each in seconds.items()}


def medians(parts):
    """Return one entry for each number of photos: the median time, its range over the rounds, the highest peak."""
    found = []
    for count in dict.fromkeys(part["photos"] for part in parts):
        mine = [part for part in parts if part["photos"] == count]
        times = [part["milliseconds_a_photo"] for part in mine]
        row = {"photos": count, "milliseconds_a_photo": float(np.median(times))}
        row |= {"milliseconds_a_photo_low": min(times), "milliseconds_a_photo_high": max(times)}
        found.append({**row, "peak_memory_mb": max(part["peak_memory_mb"] for part in mine)})
    return found


def main():
    """Print what was found and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, nargs="+", default=[1000, 20000])
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3, help="times that each number is stored, in alternation")
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
        size = ["--image-size", arguments.image_size]
        try:
            recipe.lay_out("solar_cells", max(arguments.photos) + 8, 0, folder)
            turns = tqdm.tqdm(arguments.photos * arguments.rounds, unit="run")
            parts = [results.in_own_process("scaling", *size, "--folder", folder, "--photos", n) for n in turns]
        finally:
            shutil.rmtree(folder)
        found = {"scaling": medians(parts)}
        found["head_retrain_seconds"] = results.in_own_process("scaling", *size, "--retrain")
        del found["head_retrain_seconds"]["disk_mb"]
        results.add(found, arguments.results)
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
