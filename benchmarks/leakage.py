"""How much a random split flatters, where photos share a plant or an object.

    python -m benchmarks.leakage FOLDER ...

The same frozen features and the same classifier, once with photos held back at random, once group by group, each
photo held back once, five shuffles. Near-copies share a group. Writes benchmarks/leakage.csv.
"""

import argparse
import pathlib

import numpy as np
import pandas

from tutorial_utils.data import catalog, duplicates, image_stats
from tutorial_utils.evaluation import metrics
from tutorial_utils.models import backbones, features, heads

from . import results

SEEDS = range(5)


def gap(table, rows):
    """Return (accuracy by photo, accuracy by group, their Difference, the difference of each seed).

    table : photos table with its groups; rows : features, float (photos, channels)
    """
    labels = table["label"].cat.codes.to_numpy()
    ways = {}
    for name in ("path", "group"):
        told = [heads.cross_val_probabilities(table.assign(group=table[name]), rows, seed) for seed in SEEDS]
        ways[name] = np.stack([each.argmax(axis=1) for each in told])  # (seeds, photos)
    count = len(SEEDS)
    repeated = np.tile(labels, count), ways["path"].ravel(), ways["group"].ravel()
    difference = metrics.paired_difference(*repeated, np.tile(table["group"], count))
    right = {name: (told == labels).mean(axis=1) for name, told in ways.items()}  # (seeds,)
    return right["path"].mean(), right["group"].mean(), difference, right["path"] - right["group"]


def main():
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="folders of class folders, or data sets' names")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    arguments = parser.parse_args()
    backbone, found = backbones.get(arguments.backbone, fallback=None), []
    for name in arguments.folders:
        table = catalog.load_photos(name)
        table = table.assign(
            group=duplicates.merge_groups(table["group"], duplicates.find_duplicates(image_stats.compute_stats(table)))
        )
        rows = features.stored(table, backbone, arguments.image_size)[:]
        by_photo, by_group, difference, seeds = gap(table, rows)
        points = [by_photo, by_group, *difference[:3], seeds.min(), seeds.max()]
        found.append([pathlib.Path(name).name, len(table), table["group"].nunique(), *(100 * each for each in points)])
    columns = ["set", "photos", "groups", "right, random split (%)", "right, by group (%)"]
    columns += ["difference (points)", "low", "high", "smallest of the seeds", "largest"]
    results.keep_table("leakage", pandas.DataFrame(found, columns=columns).round(2), "python -m benchmarks.leakage")


if __name__ == "__main__":
    main()
