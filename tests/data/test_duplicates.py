import hostile
import numpy as np
import PIL.Image
import pytest

from tutorial_utils.data import duplicates, image_stats

ALTERED = {
    "turned": lambda image: image.transpose(PIL.Image.Transpose.ROTATE_90),
    "mirrored": lambda image: image.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT),
    "transposed": lambda image: image.transpose(PIL.Image.Transpose.TRANSVERSE),
    "smaller": lambda image: image.resize((80, 60)),
    "cropped": lambda image: image.crop((2, 4, 154, 118)),
}


@pytest.mark.parametrize("way", ALTERED)
def test_finds_a_photo_that_was(way):
    pictures = [hostile.picture(seed=seed) for seed in range(30)]
    pictures.append(ALTERED[way](pictures[7]))
    found = duplicates.find_near_duplicates([image_stats.thumbnail(picture) for picture in pictures], progress=False)
    assert found[["first", "second"]].to_numpy().tolist() == [[7, 30]]
    assert found["similarity"].between(duplicates.THRESHOLD, 1).all()


def test_plain_pictures_are_no_copies_of_each_other():
    plain = [np.full((48, 48), gray, np.uint8) for gray in (10, 10, 200)]
    assert duplicates.find_near_duplicates(plain, progress=False).empty
    assert duplicates.find_near_duplicates([], progress=False).empty


def test_two_photos_alone_are_compared_too():
    one = image_stats.thumbnail(hostile.picture(seed=1))
    assert len(duplicates.find_near_duplicates([one, one], progress=False)) == 1
    assert duplicates.find_near_duplicates([one, image_stats.thumbnail(hostile.picture(seed=2))], progress=False).empty


def test_groups_that_share_a_pair_become_one():
    """Plants x, y, z and photo p alone; rows 1 (x) and 2 (y) are copies, and 2 and 5 (p)."""
    groups = ["x", "x", "y", "y", "z", "p"]
    merged = duplicates.merge_groups(groups, {"first": [1, 2], "second": [2, 5]})
    assert merged[0] == merged[1] == merged[2] == merged[3] == merged[5] != merged[4]
    assert duplicates.merge_groups(groups, {"first": [], "second": []}).tolist() == groups
