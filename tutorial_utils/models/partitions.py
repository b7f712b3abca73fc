"""Stored activations of a large photos table, computed by partition on the workers of a Dask cluster (chapter 7)."""

import functools

from .. import _check, _machine
from . import backbones, features

ROWS = 256  # photos of a partition: some seconds of one core


def stored(client, photos, backbone, image_size, rows=ROWS, **options):
    """Return what features.stored returns; what is not on disk yet is computed by the workers of a dask client.

    client : a dask.distributed.Client; its workers must see the photos and the cache (TUTORIAL_CACHE) under the same
        paths, and have tutorial_utils installed. Each thread of a worker computes on one processor core
    backbone : from backbones.get, unchanged: a worker borrows it by its name. (What one that has learned would need is
        not among what they compute, and is computed here.)
    rows : photos of a partition; options : of features.stored
    A worker that dies costs the partitions that it had begun, which another one computes.
    """
    _check.columns(photos, ["path"])
    _check.integer("rows", rows, 1, 10**6)
    parts = [photos[["path"]].iloc[first : first + rows] for first in range(0, len(photos), rows)]
    quiet = {**options, "progress": False}
    coming = [client.submit(_one, part, backbone.name, image_size, quiet, pure=False, retries=3) for part in parts]
    try:
        _wait(coming, len(photos), options.get("progress", True))
    finally:
        client.cancel(coming)
    return features.stored(photos, backbone, image_size, **options)


def _one(part, name, image_size, options):
    """Compute and store one partition, on one core; return how many photos it has."""
    with _machine.limited(1):
        features.stored(part, _borrowed(name), image_size, **options)
    return len(part)


@functools.cache
def _borrowed(name):
    return backbones.get(name, fallback=None)


def _wait(coming, photos, progress):
    import dask.distributed
    import tqdm.auto

    with tqdm.auto.tqdm(total=photos, desc="activations", unit="photo", disable=not progress) as bar:
        for future in dask.distributed.as_completed(coming):
            bar.update(future.result())
