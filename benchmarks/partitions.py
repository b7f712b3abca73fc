"""What a second Dask worker brings: the features of a large photos table, with one worker of one thread and with two.

    python -m benchmarks.partitions FOLDER ... [--photos 4000] [--image-size 128] [--rounds 3]

The photos of all folders together, `--photos` of them. Every round computes them twice, in turn, each time into an
empty cache; starting the workers, loading TensorFlow and converting the network happen before the clock starts. Writes
benchmarks/partitions.csv.
"""

import argparse
import os
import tempfile
import time

import pandas

from . import results


def seconds(photos, workers, image_size):
    """Return the seconds that so many workers of one thread take for the features of a photos table."""
    from tutorial_utils.models import backbones, partitions

    borrowed = backbones.get("efficientnet_lite0", fallback=None)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TUTORIAL_CACHE"] = cache  # the workers start with it
        import dask.distributed

        with (
            dask.distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
            dask.distributed.Client(cluster) as client,
        ):
            few = photos[["path"]].iloc[:workers]
            for worker in client.scheduler_info()["workers"]:
                warm = (few, borrowed.name, image_size, {"progress": False})
                client.submit(partitions._one, *warm, workers=[worker], pure=False).result()
            started = time.perf_counter()
            partitions.stored(client, photos, borrowed, image_size, progress=False)
            return time.perf_counter() - started


def main():
    """Measure, keep and print."""
    from tutorial_utils.data import catalog

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="folders of class folders, or data sets' names")
    parser.add_argument("--photos", type=int, default=4000)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    photos = pandas.concat([catalog.load_photos(folder)[["path"]] for folder in arguments.folders], ignore_index=True)
    photos, rows = photos.iloc[: arguments.photos], []
    for number in range(arguments.rounds):
        took = {workers: seconds(photos, workers, arguments.image_size) for workers in (1, 2)}
        about = {"round": number, "photos": len(photos), "image_size": arguments.image_size}
        rows.append(about | {"one_worker": took[1], "two_workers": took[2], "ratio": took[1] / took[2]})
        print(rows[-1], flush=True)
    results.keep_table("partitions", pandas.DataFrame(rows).round(2), "python -m benchmarks.partitions")


if __name__ == "__main__":
    main()
