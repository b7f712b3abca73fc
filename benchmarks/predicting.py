"""What `python -m tutorial_utils predict` costs beside one decode and one forward pass of the same photos.

    python -m benchmarks.predicting [--photos 500 2000] [--image-size 224] [--rounds 3]

The photos are those of solar_cells (real, 300 x 300). In each round, in alternation: every photo is decoded, a thread
on each core; all are passed through the model in batches of 32; and `predict` classifies them, OOD scores
included. `ratio` is the third over the sum of the first two, the median of the rounds. Memory is the peak of a
process that only predicts. Writes predicting.csv.
"""

import argparse
import concurrent.futures
import json
import time

import numpy as np
import pandas

from . import results

BATCH = 32


def made(image_size):
    """Return a Predictor like those of chapter 8: EfficientNet-Lite0 with a head, and features of 1,000 photos."""
    import keras

    from tutorial_utils.course import predictor
    from tutorial_utils.models import backbones, heads

    keras.utils.set_random_seed(0)
    head = keras.Sequential([keras.Input((1280,)), keras.layers.Dense(5, activation="softmax")], name="head")
    model = heads.build_classifier(backbones.get("efficientnet_lite0"), head, image_size)
    known = np.random.default_rng(0).random((1000, 1280), np.float32)
    loaded = predictor.make_predictor(model, list("abcde"), known, 1.0)
    loaded.predict_fn(np.zeros((BATCH, image_size, image_size, 3), np.uint8))  # traced before anything is timed
    return loaded


def paths(count):
    """Return the paths of so many photos (list of str)."""
    from tutorial_utils.data import catalog

    return catalog.load_photos("solar_cells")["path"].iloc[:count].tolist()


def ratio(count, image_size, rounds):
    """Return the medians of what each part takes, in seconds, and of the ratio, as a dict."""
    from tutorial_utils import _machine
    from tutorial_utils.course import predictor
    from tutorial_utils.data.images import read_image

    model, asked, rows = made(image_size), paths(count), []
    for _ in range(rounds):
        started = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
            images = list(pool.map(lambda path: read_image(path, image_size), asked))
        decoded = time.perf_counter()
        for first in range(0, count, BATCH):
            model.predict_fn(np.stack(images[first : first + BATCH]))
        passed = time.perf_counter()
        del images
        answered = sum(len(table) for table in predictor.predict_photos(model, asked, BATCH, progress=False))
        done = time.perf_counter()
        assert answered == count
        parts = {"decode_seconds": decoded - started, "forward_seconds": passed - decoded}
        rows.append(parts | {"predict_seconds": done - passed, "ratio": (done - passed) / (passed - started)})
    return pandas.DataFrame(rows).median().to_dict()


def memory(count, image_size):
    """Return the peak memory of this process after it has predicted so many photos, as a dict."""
    from tutorial_utils.course import predictor

    model = made(image_size)
    for _ in predictor.predict_photos(model, paths(count), BATCH, progress=False):
        pass
    return {"peak_memory_mb": results.peak_memory_mb()}


def main():
    """Measure each number of photos in processes of their own, and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help="measure this only (JSON) and print what was found")
    arguments = parser.parse_args()
    if arguments.one:
        what, *given = json.loads(arguments.one)
        print(json.dumps({"ratio": ratio, "memory": memory}[what](*given)))
        return
    rows = []
    for count in arguments.photos:
        asked = ["ratio", count, arguments.image_size, arguments.rounds], ["memory", count, arguments.image_size]
        found = [results.in_own_process("predicting", "--one", json.dumps(one), empty_cache=False) for one in asked]
        rows.append({"photos": count, "image_size": arguments.image_size, **found[0], **found[1]})
    table = pandas.DataFrame(rows).drop(columns="disk_mb").round(3)
    results.keep_table("predicting", table, "python -m benchmarks.predicting")


if __name__ == "__main__":
    main()
