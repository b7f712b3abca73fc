"""Series that were made on purpose, and names from which nobody should make any."""

import numpy as np
import pandas
import pytest

from tutorial_utils.data import image_stats, layouts, series

NONE = pandas.DataFrame({"first": [], "second": [], "similarity": []}, dtype=int)


def table(names):
    paths = [f"photos/ill/{name}" for name in names]
    return pandas.DataFrame({"path": paths, "label": pandas.Categorical(["ill"] * len(paths)), "group": paths})


def facts(count, taken=None, thumbnails=None):
    rng = np.random.default_rng(0)
    noise = list(rng.integers(0, 256, (count, 48, 48), dtype=np.uint8))
    times = pandas.to_datetime([None] * count if taken is None else taken)
    return pandas.DataFrame({"problem": "", "taken": times, "thumbnail": noise if thumbnails is None else thumbnails})


def found(names, **more):
    """Return the sets of names that are proposed as a series, and what binds each."""
    proposed = series.propose_series(table(names), facts(len(names), **more), NONE)
    return {
        frozenset(path.split("/")[-1] for path in rows["path"]): rows["why"].iloc[0]
        for _, rows in proposed.groupby("group")
    }


@pytest.mark.parametrize(
    "one",
    [
        ["plant12_1.jpg", "plant12_2.jpg"],
        ["plant12-a.jpg", "plant12-b.jpg"],
        ["IMG_0012 (1).jpg", "IMG_0012 (2).jpg"],
        ["IMG_0012~2.jpg", "IMG_0012~3.jpg"],
        ["garden_frame0012.jpg", "garden_frame0840.jpg"],
        ["leaf_jpg.rf.0a1b2c.jpg", "leaf_jpg.rf.ffee01.jpg"],
        ["leaf-flipped.jpg", "leaf_rot90.jpg"],
        ["0a1b2c3d-0000-1111-2222-0a1b2c3d4e5f___GH 12_1.jpg", "ffffffff-0000-1111-2222-0a1b2c3d4e5f___GH 12_2.jpg"],
    ],
)
def test_names_with_a_common_stem_are_one_series(one):
    assert found([*one, "other.jpg", "shed.jpg", "IMG_7000.jpg"]) == {frozenset(one): "names"}


@pytest.mark.parametrize(
    "names",
    [
        ["leaf (1).jpg", "leaf (2).jpg", "leaf (3).jpg", "leaf (4).jpg"],
        ["1.jpg", "2.jpg", "10.jpg", "11.jpg"],
        ["IMG_20240101_120000.jpg", "IMG_20240101_130000.jpg", "IMG_20240102_120000.jpg", "x.jpg"],
        ["IMG-20240101-WA0001.jpg", "IMG-20240101-WA0007.jpg", "IMG-20240101-WA0012.jpg"],
        ["set1_1.jpg", "set1_2.jpg", "set1_3.jpg", "else.jpg"],  # more than half of the class: tells nothing
    ],
)
def test_names_that_are_only_numbered_are_none(names):
    assert found(names) == {}


def test_photos_taken_within_seconds_are_one_series():
    times = ["2026-06-01 10:00:00", "2026-06-01 10:00:08", "2026-06-01 10:00:30", None, "2026-06-02 10:00:05"]
    names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert found(names, taken=times) == {frozenset({"a.jpg", "b.jpg"}): "times"}
    assert found(names, taken=["2026-06-01 10:00:00"] * 5) == {}  # a program has written them all at once


def test_running_numbers_count_where_the_pictures_are_alike():
    rng = np.random.default_rng(1)
    first = rng.integers(0, 200, (48, 48))
    close = np.clip(first + rng.integers(0, 50, first.shape), 0, 255)
    others = rng.integers(0, 256, (3, 48, 48))
    names = ["DSC_0008.jpg", "DSC_0009.jpg", "DSC_0010.jpg", "DSC_0020.jpg", "DSC_0021.jpg"]
    thumbnails = [each.astype(np.uint8) for each in (first, close, *others)]
    assert found(names, thumbnails=thumbnails) == {frozenset({"DSC_0008.jpg", "DSC_0009.jpg"}): "numbers"}


def test_what_is_proposed_is_written_read_back_and_never_written_over(tmp_path, make_photo):
    for number in range(12):
        name = f"plant{number // 2}_{number % 2}" if number < 4 else f"x{number}0000"
        make_photo(tmp_path / ["good", "ill"][number % 2] / f"{name}.png", size=(80, 80), seed=number)
        make_photo(tmp_path / "ill" / f"plant9_{number}.png", size=(80, 80), seed=100 + number) if number < 2 else None
    photos, _, root = layouts.read_folder(tmp_path)
    proposed = series.propose_series(photos, image_stats.compute_stats(photos, progress=False))
    assert len(proposed) == 2
    assert series.write_groups(proposed, root) == tmp_path / "groups.csv"
    again = layouts.load_folder(tmp_path)
    assert again.loc[again["group"] == "series 001", "path"].tolist() == proposed["path"].tolist()
    with pytest.raises(ValueError, match=r"groups\.csv already"):
        series.write_groups(proposed, root)
