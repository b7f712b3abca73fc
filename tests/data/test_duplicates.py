import itertools

import numpy as np
import pandas
import PIL.Image
import pytest

from tests.data import hostile
from tutorial_utils.data import duplicates, image_stats

SIDE = image_stats.SIDE
ALTERED = {
    "turned": lambda image: image.transpose(PIL.Image.Transpose.ROTATE_90),
    "mirrored": lambda image: image.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT),
    "transposed": lambda image: image.transpose(PIL.Image.Transpose.TRANSVERSE),
    "smaller": lambda image: image.resize((80, 60)),
    "cropped": lambda image: image.crop((2, 4, 154, 118)),
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))


def thumbnails(seeds):
    return [image_stats.thumbnail(hostile.picture(seed=seed)) for seed in seeds]


def pairs_of(found):
    return found[["first", "second"]].to_numpy().tolist()


@pytest.mark.parametrize("way", ALTERED)
def test_finds_a_photo_that_was(way):
    altered = image_stats.thumbnail(ALTERED[way](hostile.picture(seed=7)))
    found = duplicates.find_near_duplicates([*thumbnails(range(30)), altered], progress=False)
    assert pairs_of(found) == [[7, 30]]
    assert found["similarity"].between(duplicates.THRESHOLD, 1).all()


def stretched(rows, share, place):
    """Return the rows' pixels of a crop that leaves `share` of them, `place` 0 ... 1 from the start, stretched anew."""
    at = place * (1 - share) * SIDE + (np.arange(SIDE) + 0.5) * share - 0.5
    return np.stack([np.interp(at, np.arange(SIDE), row) for row in rows])


def test_all_crops_in_all_positions_are_the_same_picture():
    """Made from the thumbnail itself, all but rounding is the same: 8 positions of the whole and of 18 crops."""
    original, *others = thumbnails(range(9))
    crops = [original]
    for share, down, across in itertools.product((0.95, 0.9), (0, 0.5, 1), (0, 0.5, 1)):
        crops.append(stretched(stretched(original, share, across).T, share, down).T)
    ways = [np.rot90(each, turns) for crop in crops for each in (crop, crop.T) for turns in range(4)]
    for ways_of_a_crop in np.array_split(ways, 19):
        found = duplicates.find_near_duplicates([original, *ways_of_a_crop, *others], progress=False)
        same = found[found["first"] == 0]
        assert same["second"].tolist() == list(range(1, 9))
        assert same["similarity"].min() > 0.99999
        assert found["second"].max() < 9


def test_a_background_that_all_share_makes_no_duplicates():
    """The same board under 30 leaves that cover a part of it: what all have in common counts for nothing."""
    (board,), leaves = thumbnails([99]), thumbnails(range(30))
    photos = np.stack([board] * 30).astype(float)
    for photo, leaf in zip(photos, leaves, strict=True):
        photo[14:34, 14:34] = leaf[14:34, 14:34]
    assert duplicates.find_near_duplicates(photos, progress=False).empty
    darker = 0.8 * photos[3] + 3
    assert pairs_of(duplicates.find_near_duplicates([*photos, darker], progress=False)) == [[3, 30]]


def test_plain_pictures_are_no_duplicates_of_each_other():
    plain = [np.full((SIDE, SIDE), gray, np.uint8) for gray in (10, 10, 200)]
    assert duplicates.find_near_duplicates(plain, progress=False).empty
    assert duplicates.find_near_duplicates([], progress=False).empty


@pytest.mark.parametrize(("deviation", "found"), [(1.9, 0), (2.0, 1), (2.9, 1)])
def test_what_varies_by_two_gray_levels_is_compared(deviation, found):
    halves = np.full((SIDE, SIDE), 100.0)
    halves[:, : SIDE // 2] += 2 * deviation
    assert len(duplicates.find_near_duplicates([halves, halves], progress=False)) == found


def test_two_photos_alone_are_compared_too():
    one, other = thumbnails([1, 2])
    assert duplicates.find_near_duplicates([one, one], progress=False).to_numpy().tolist() == [[0, 1, 1]]
    assert duplicates.find_near_duplicates([one, other], progress=False).empty


def test_photos_of_all_blocks_are_compared(monkeypatch):
    monkeypatch.setattr(duplicates, "_BLOCK", 4)
    seeds = [0, 1, 2, 3, 4, 5, 1, 7, 8, 0, 5]
    found = duplicates.find_near_duplicates(thumbnails(seeds), progress=False)
    assert pairs_of(found) == [[0, 9], [1, 6], [5, 10]]


def test_frequencies_count_by_how_much_they_vary_in_the_set_and_in_photos():
    """50 photos weigh as much as the average photo, whose amplitudes fall as 1 / frequency around 0. Only one wave
    across varies, 2 and 6: the center is half of 4, the square about it 8, which an average photo has in all waves."""
    spectra = np.zeros((50, 8, 8))
    spectra[:, 0, 1] = [2, 6] * 25
    center, scale = duplicates._typical(spectra)
    usual = sum(1 / (down**2 + across**2) for down in range(8) for across in range(8) if down or across)
    assert (center[0, 1], center.sum()) == (2, 2)
    assert scale[0, 1] == pytest.approx(np.sqrt(8 / 2 + 8 / usual / 2) + 0.02 * np.sqrt(8 / 63))
    assert scale[3, 4] == pytest.approx(np.sqrt(8 / usual / 25 / 2) + 0.02 * np.sqrt(8 / 63))
    described = duplicates._describe(spectra + 1, center, scale)
    assert described.shape == (50, 63)  # without the mean brightness
    np.testing.assert_allclose(np.linalg.norm(described, axis=1), 1)


@pytest.fixture
def stats():
    """Photos 1 and 4 have the same bytes, 2 cannot be read, 3 is 0 mirrored, and 5 is another."""
    images = thumbnails([0, 1, 0, 0, 1, 3])
    images[2], images[3] = None, images[0][:, ::-1]
    sums = ["a", "b", "", "c", "b", "d"]
    return pandas.DataFrame({"problem": ["", "", "empty", "", "", ""], "sha256": sums, "thumbnail": images})


def test_the_same_bytes_and_near_duplicates_are_told_apart(stats):
    found = duplicates.find_duplicates(stats, progress=False)
    assert pairs_of(found) == [[1, 4], [0, 3]]
    assert found["similarity"][0] == 1
    assert 0.9999 < found["similarity"][1] < 1


def test_pairs_are_found_once_as_long_as_the_photos_are_the_same(stats, monkeypatch):
    first = duplicates.find_duplicates(stats, progress=False)
    searched, search = [], duplicates.find_near_duplicates
    monkeypatch.setattr(
        duplicates, "find_near_duplicates", lambda *given, **options: searched.append(1) or search(*given, **options)
    )
    pandas.testing.assert_frame_equal(duplicates.find_duplicates(stats, progress=False), first)
    assert not searched
    assert pairs_of(duplicates.find_duplicates(stats.iloc[::-1], progress=False)) == [[1, 4], [2, 5]]
    assert duplicates.find_duplicates(stats[stats["problem"] != ""], progress=False).empty
    others = stats.assign(thumbnail=[*stats["thumbnail"][:3], stats["thumbnail"][5], *stats["thumbnail"][4:]])
    assert pairs_of(duplicates.find_duplicates(others, progress=False)) == [[1, 4], [3, 5]]
    assert len(searched) == 3


def test_groups_that_share_a_pair_become_one():
    """Plants x, y, z and photo p alone; rows 1 (x) and 2 (y) are duplicates, and 2 and 5 (p): all take the name p."""
    groups = ["x", "x", "y", "y", "z", "p"]
    assert duplicates.merge_groups(groups, {"first": [1, 2], "second": [2, 5]}).tolist() == ["p"] * 4 + ["z", "p"]
    assert duplicates.merge_groups(groups, {"first": [], "second": []}).tolist() == groups
