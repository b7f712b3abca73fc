import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tutorial_utils.models import feature_store


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def kept():
    return feature_store.FeatureStore({"what": "test"}, (3,))


def rows_of(ids):
    return np.array([[len(name), ord(name[0]), 0.5] for name in ids], np.float32)


def test_rows_come_back_in_the_order_asked_for(kept):
    kept.write(["a", "bb"], rows_of(["a", "bb"]))
    kept.write(["ccc"], rows_of(["ccc"]))
    rows = feature_store.StoredFeatures(kept, ["ccc", "a", "bb", "a"])
    np.testing.assert_array_equal(rows[:], rows_of(["ccc", "a", "bb", "a"]))
    np.testing.assert_array_equal(rows[[2, 0]], rows_of(["bb", "ccc"]))
    np.testing.assert_array_equal(rows[1], rows_of(["a"])[0])
    assert rows.shape == (4, 3)
    assert len(rows) == 4


def test_what_is_there_is_not_missing(kept):
    kept.write(["a", "b"], rows_of(["a", "b"]))
    assert kept.missing(["d", "b", "c", "d"]) == ["d", "c"]


def test_another_description_is_another_store(kept):
    kept.write(["a"], rows_of(["a"]))
    for other in (
        feature_store.FeatureStore({"what": "other"}, (3,)),
        feature_store.FeatureStore({"what": "test"}, (3, 1)),
        feature_store.FeatureStore({"what": "test"}, (3,), "float16"),
    ):
        assert other.missing(["a"]) == ["a"]


@pytest.mark.parametrize("place", [0, 70, -1])
def test_a_flipped_byte_is_noticed_and_named(kept, place, capsys):
    """In the checksum, in the list of photos, in the numbers."""
    path = kept.write(["a", "b"], rows_of(["a", "b"]))
    kept.write(["c"], rows_of(["c"]))
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert kept.missing(["a", "b", "c"]) == ["a", "b"]
    assert f"{path} is damaged" in capsys.readouterr().out
    kept.write(["a", "b"], rows_of(["a", "b"]))
    np.testing.assert_array_equal(feature_store.StoredFeatures(kept, ["b", "c"])[:], rows_of(["b", "c"]))


def test_a_shard_cut_short_is_damaged(kept, capsys):
    path = kept.write(["a"], rows_of(["a"]))
    path.write_bytes(path.read_bytes()[:-4])
    assert kept.missing(["a"]) == ["a"]
    assert "damaged" in capsys.readouterr().out


def test_float16_takes_half_the_disk_and_refuses_what_it_cannot_hold():
    half = feature_store.FeatureStore({}, (1000,), "float16")
    path = half.write(["a"], np.full((1, 1000), 0.1))
    assert 2000 < path.stat().st_size < 2400
    assert feature_store.StoredFeatures(half, ["a"])[:].dtype == np.float32
    np.testing.assert_allclose(feature_store.StoredFeatures(half, ["a"])[0], 0.1, rtol=1e-3)
    with pytest.raises(ValueError, match=r"as float16\. Store them as float32"):
        half.write(["b"], np.full((1, 1000), 70000.0))


def test_rows_of_another_shape_are_refused(kept):
    with pytest.raises(ValueError, match=r"shape \(2, 3\); got \(1, 3\)"):
        kept.write(["a", "b"], rows_of(["a"]))


def test_the_limit_is_said_before_the_disk_is_full(monkeypatch):
    big = feature_store.FeatureStore({}, (10, 10, 100))  # 40,000 bytes a row
    monkeypatch.setenv("TUTORIAL_STORE_GB", "0.001")
    big.check_room(25)
    with pytest.raises(feature_store.StoreFull, match=r"26 photos need 1\.0 MB .* limit is 1\.0 MB.*TUTORIAL_STORE_GB"):
        big.check_room(26)
    big.write(["a"], np.zeros((1, 10, 10, 100)))
    with pytest.raises(feature_store.StoreFull, match=r"of which 0\.0 MB are used"):
        big.check_room(25)
    monkeypatch.setenv("TUTORIAL_STORE_GB", "much")
    with pytest.raises(ValueError, match="TUTORIAL_STORE_GB must be a number of gigabytes; got 'much'"):
        big.check_room(1)


def test_what_a_killed_process_left_is_swept_after_an_hour(kept):
    path = kept.write(["a"], rows_of(["a"]))
    fresh, old = path.with_name(".part-1.shard"), path.with_name(".part-2.shard")
    for part in (fresh, old):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    kept.sweep()
    assert fresh.exists()
    assert not old.exists()


def test_clearing_leaves_only_photos(kept, tmp_path):
    kept.write(["a"], rows_of(["a"]))
    for folder in ("litert", "image_stats", "datasets"):
        (tmp_path / "cache" / folder).mkdir()
    feature_store.clear_cache()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["datasets"]


def test_a_shard_holds_at_most_so_many_bytes():
    assert feature_store.FeatureStore({}, (1280,)).shard_rows() == feature_store.SHARD_ROWS
    assert feature_store.FeatureStore({}, (112, 112, 96)).shard_rows() == feature_store.SHARD_BYTES // (
        112 * 112 * 96 * 4
    )
    assert feature_store.FeatureStore({}, (4096, 4096)).shard_rows() == 1


SCRIPT = """
import sys
from tutorial_utils.data import layouts
from tutorial_utils.models import backbones, feature_store, features
feature_store.SHARD_ROWS = 16
photos = layouts.load_folder(sys.argv[1])
lite0 = backbones.get("efficientnet_lite0")
features.stored(photos[:1], lite0, 96, progress=False)  # converts the network
print("storing", flush=True)
rows = features.stored(photos, lite0, 96, progress=False)
print("stored", rows.shape, flush=True)
"""


def storing(folder, cache):
    """Start a process that stores a folder's features; return once it has begun to."""
    environment = {**os.environ, "TUTORIAL_CACHE": str(cache)}
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout.readline() == "storing\n"
    return process


def shards(cache):
    files = pathlib.Path(cache).glob("activations/*/*.shard")
    return {path.relative_to(cache).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def many(tmp_path, make_photo):
    for number in range(640):
        make_photo(tmp_path / "photos" / ("even", "odd")[number % 2] / f"{number}.png", size=(96, 96), seed=number)
    return tmp_path / "photos"


@pytest.mark.slow
def test_killed_ten_times_the_store_ends_the_same(many, tmp_path):
    whole = storing(many, tmp_path / "whole")
    began = time.perf_counter()
    assert whole.wait() == 0
    seconds = time.perf_counter() - began
    rng = np.random.default_rng()
    moments = rng.uniform(0, seconds, 10)
    killed = 0
    for moment in moments:
        process = storing(many, tmp_path / "killed")
        time.sleep(moment / 4)  # what was stored stays, so later runs are shorter
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    assert killed >= 3, f"too few were killed in time, at {moments}"
    assert storing(many, tmp_path / "killed").wait() == 0
    expected = shards(tmp_path / "whole")
    assert len(expected) == 1 + 639 // 16 + 1
    assert shards(tmp_path / "killed") == expected, f"killed at {moments}"


@pytest.mark.slow
def test_two_processes_at_once_end_with_one_right_store(many, tmp_path):
    both = [storing(many, tmp_path / "both") for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert storing(many, tmp_path / "one").wait() == 0
    assert shards(tmp_path / "both") == shards(tmp_path / "one")
