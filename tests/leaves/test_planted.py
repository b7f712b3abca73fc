import numpy as np
import pandas as pd
import pytest

from tutorial_utils.data.images import PhotoError, read_image
from tutorial_utils.leaves import planted


@pytest.fixture
def gray_photos(tmp_path, make_photo):
    """Three gray photos, 100 x 50 pixels, of two classes."""
    paths = [str(make_photo(tmp_path / f"{number}.png", (128, 128, 128), size=(100, 50))) for number in range(3)]
    labels = pd.Categorical(["a", "b", "a"], categories=["a", "b"])
    return pd.DataFrame({"path": paths, "label": labels, "group": paths, "split": ["train", "train", "test"]})


def test_a_sign_stands_in_each_corner_and_nowhere_else():
    """Of 100 x 50 pixels, a fiftieth of the shorter side is 1: signs of 10 pixels begin at 1 and at 39 (89)."""
    image, where = planted.in_corners(np.full((50, 100, 3), 128, np.uint8), np.full((10, 10, 3), 7, np.uint8))
    expected = np.zeros((50, 100), bool)
    for top in (1, 39):
        for left in (1, 89):
            expected[top : top + 10, left : left + 10] = True
    np.testing.assert_array_equal(where, expected)
    assert (image[where] == 7).all()
    assert (image[~where] == 128).all()


@pytest.mark.parametrize("count", [2, 6, 14])
def test_each_class_has_a_sign_of_its_own(count):
    signs = [planted.sign(number, count, 20).tobytes() for number in range(count)]
    assert len(set(signs)) == count


def test_the_first_sign_is_red_and_white_stripes():
    np.testing.assert_array_equal(planted.sign(0, 2, 4)[0], [[230, 23, 23], [255, 255, 255]] * 2)


def test_copies_have_their_class_in_the_corners_and_the_rest_as_it_was(gray_photos, tmp_path):
    marked = planted.add_watermarks(gray_photos, tmp_path / "boards", share=0.2)
    assert marked.drop(columns=["path", "mark"]).equals(gray_photos.drop(columns="path"))
    pictures = [read_image(path).astype(int) for path in marked["path"]]
    where = [read_image(path)[..., 0] > 127 for path in marked["mark"]]
    assert pictures[0].shape == (50, 100, 3)
    assert where[0].sum() == 4 * 10 * 10
    changed = np.abs(pictures[0] - 128).max(axis=-1) > 40
    assert changed[where[0]].mean() > 0.9
    assert not changed[~where[0]].any()
    assert np.abs(pictures[0] - pictures[2]).max() == 0
    assert np.abs(pictures[0] - pictures[1]).max() > 100


def test_signs_may_tell_another_class(gray_photos, tmp_path):
    own = planted.add_watermarks(gray_photos, tmp_path / "own")
    other = planted.add_watermarks(gray_photos, tmp_path / "other", told=[1, 0, 1])
    first, second = (read_image(path) for path in (own["path"][1], other["path"][0]))
    np.testing.assert_array_equal(first, second)
    assert other["label"].equals(gray_photos["label"])


@pytest.mark.parametrize(
    ("change", "message"),
    [({"share": 0}, "share"), ({"share": 0.5}, "share"), ({"told": [0, 1]}, "told"), ({"told": [0, 1, 2]}, "told")],
)
def test_what_does_not_fit_is_refused(gray_photos, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        planted.add_watermarks(gray_photos, tmp_path / "boards", **change)


def test_a_photo_that_cannot_be_read_is_named(gray_photos, tmp_path):
    with pytest.raises(PhotoError, match=r"missing\.png"):
        planted.add_watermarks(gray_photos.assign(path=str(tmp_path / "missing.png")), tmp_path / "boards")
