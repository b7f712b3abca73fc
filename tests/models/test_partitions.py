import os
import signal
import threading

import numpy as np
import pytest

from tutorial_utils import _machine
from tutorial_utils.data import layouts
from tutorial_utils.models import backbones, features, partitions


def test_a_limit_holds_while_it_is_set():
    before = _machine.cores()
    with _machine.limited(1):
        assert _machine.cores() == 1
        with _machine.limited(before + 5):
            assert _machine.cores() == 1
    assert _machine.cores() == before


@pytest.mark.slow
def test_two_workers_store_the_same_and_a_killed_one_costs_only_time(class_folders, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed")
    photos, borrowed = layouts.load_folder(class_folders), backbones.get("efficientnet_lite0")
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "here"))
    ours = features.stored(photos, borrowed, 64, progress=False)[:]
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "there"))  # the workers start with it
    computed = []
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = min(client.run(os.getpid).values())
        threading.Timer(2, os.kill, (victim, signal.SIGKILL)).start()  # while it loads TensorFlow
        monkeypatch.setattr(features, "_fill", _noting(features._fill, computed))
        theirs = partitions.stored(client, photos, borrowed, 64, rows=3, progress=False)[:]
        assert victim not in client.run(os.getpid).values()  # it did die, and another took its place
    np.testing.assert_array_equal(theirs, ours)
    assert computed == [0]  # nothing was left to compute here


def _noting(fill, computed):
    """Return `fill`, which also notes how many photos it found missing."""

    def noting(kept, path_of, *others):
        computed.append(len(kept.missing(path_of)))
        return fill(kept, path_of, *others)

    return noting
