import numpy as np
import pandas as pd
import pytest

from tutorial_utils.data import audit, catalog
from tutorial_utils.data.images import PhotoError, read_image
from tutorial_utils.leaves import lessons


@pytest.mark.parametrize("kind", lessons.OOD_KINDS)
def test_ood_images_repeat_with_their_seed(kind):
    """Image number n does not depend on how many are made."""
    images = lessons.ood_images(kind, 3, 40, seed=1)
    assert (images.shape, images.dtype) == ((3, 40, 40, 3), np.uint8)
    np.testing.assert_array_equal(images[:2], lessons.ood_images(kind, 2, 40, seed=1))
    assert (images != lessons.ood_images(kind, 3, 40, seed=2)).any()
    assert (images[0] != images[1]).any()


def test_noise_is_uniform_and_a_blank_card_has_one_gray():
    noise, blank = (lessons.ood_images(kind, 4, 64) for kind in ("noise", "blank"))
    assert noise.mean() == pytest.approx(127.5, abs=1)
    assert noise.std() == pytest.approx((256**2 - 1) ** 0.5 / 12**0.5, abs=1)  # of 0 ... 255, each as likely
    assert np.ptp(blank.reshape(4, -1), axis=1).max() == 0
    assert 16 <= blank.min() <= blank.max() < 240


def test_surfaces_are_neither_black_nor_white():
    """They are painted in linear light; without its conversion to sRGB they would be far too dark."""
    images = lessons.ood_images("texture", 12, 64).astype(float)
    assert 70 < images.mean() < 190
    assert (images.std(axis=(1, 2, 3)) > 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("shoe", 1, 32), "kind must be one of 'noise'"), (("noise", 0, 32), "count"), (("noise", 1, 0), "size")],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        lessons.ood_images(*arguments)


@pytest.fixture
def gray_photos(tmp_path, make_photo):
    """Three gray photos, 100 x 50 pixels, of two classes."""
    paths = [str(make_photo(tmp_path / f"{number}.png", (128, 128, 128), size=(100, 50))) for number in range(3)]
    labels = pd.Categorical(["a", "b", "a"], categories=["a", "b"])
    return pd.DataFrame({"path": paths, "label": labels, "group": paths, "split": ["train", "train", "test"]})


def test_a_watermark_stands_in_each_corner_and_nowhere_else():
    """Of 100 x 50 pixels, a fiftieth of the shorter side is 1: 10 pixels begin at 1 and at 39 (89)."""
    image, mask = lessons.paste_in_corners(np.full((50, 100, 3), 128, np.uint8), np.full((10, 10, 3), 7, np.uint8))
    expected = np.zeros((50, 100), bool)
    for top in (1, 39):
        for left in (1, 89):
            expected[top : top + 10, left : left + 10] = True
    np.testing.assert_array_equal(mask, expected)
    assert (image[mask] == 7).all()
    assert (image[~mask] == 128).all()


@pytest.mark.parametrize("count", [2, 6, 14])
def test_each_class_has_a_watermark_of_its_own(count):
    assert len({lessons.watermark(number, count, 20).tobytes() for number in range(count)}) == count


def test_the_first_watermark_is_red_and_white_stripes():
    np.testing.assert_array_equal(lessons.watermark(0, 2, 4)[0], [[230, 23, 23], [255, 255, 255]] * 2)


def test_copies_have_their_class_in_the_corners_and_the_rest_as_it_was(gray_photos, tmp_path):
    marked = lessons.add_watermarks(gray_photos, tmp_path / "boards", relative_size=0.2)
    assert marked.drop(columns=["path", "watermark_mask"]).equals(gray_photos.drop(columns="path"))
    images = [read_image(path).astype(int) for path in marked["path"]]
    masks = [read_image(path)[..., 0] > 127 for path in marked["watermark_mask"]]
    assert images[0].shape == (50, 100, 3)
    assert masks[0].sum() == 4 * 10 * 10
    changed = np.abs(images[0] - 128).max(axis=-1) > 40
    assert changed[masks[0]].mean() > 0.9
    assert not changed[~masks[0]].any()
    assert np.abs(images[0] - images[2]).max() == 0
    assert np.abs(images[0] - images[1]).max() > 100


def test_a_watermark_may_be_that_of_another_class(gray_photos, tmp_path):
    own = lessons.add_watermarks(gray_photos, tmp_path / "own")
    other = lessons.add_watermarks(gray_photos, tmp_path / "other", classes=[1, 0, 1])
    first, second = (read_image(path) for path in (own["path"][1], other["path"][0]))
    np.testing.assert_array_equal(first, second)
    assert other["label"].equals(gray_photos["label"])


def test_each_class_lies_on_a_table_of_its_own(gray_photos, tmp_path):
    """Of 160 pixels, a tenth is 16: outside gray by class, 90 and 120, inside the photo as it is (128)."""
    laid = lessons.lay_on_tables(gray_photos, tmp_path / "tables", width=0.1)
    assert laid.drop(columns="path").equals(gray_photos.drop(columns="path"))
    for path, gray in zip(laid["path"], [90, 120, 90], strict=True):
        image = read_image(path).astype(int)
        assert image.shape == (160, 160, 3)
        assert np.abs(image[:12] - gray).max() <= 8
        assert np.abs(image[24:-24, 24:-24] - 128).max() <= 4
    swapped = lessons.lay_on_tables(gray_photos, tmp_path / "swapped", classes=[1, 0, 1], width=0.1)
    grays = [read_image(path)[:12].mean() for path in swapped["path"]]
    np.testing.assert_allclose(grays, [120, 90, 120], atol=8)
    six = pd.DataFrame({"path": gray_photos["path"][0], "label": pd.Categorical(list("abcdef"))})
    grays = [read_image(path)[0].mean() for path in lessons.lay_on_tables(six, tmp_path / "six")["path"]]
    np.testing.assert_allclose(grays, [90, 100, 110, 120, 130, 140], atol=6)
    with pytest.raises(ValueError, match=r"width must be above 0 and below 0\.5; got 0\.5"):
        lessons.lay_on_tables(gray_photos, tmp_path / "tables", width=0.5)


@pytest.mark.parametrize(
    "change", [{"relative_size": 0}, {"relative_size": 0.5}, {"classes": [0, 1]}, {"classes": [0, 1, 2]}]
)
def test_what_does_not_fit_is_refused(gray_photos, tmp_path, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        lessons.add_watermarks(gray_photos, tmp_path / "boards", **change)


def test_a_photo_that_cannot_be_read_is_named(gray_photos, tmp_path):
    with pytest.raises(PhotoError, match=r"missing\.png"):
        lessons.add_watermarks(gray_photos.assign(path=str(tmp_path / "missing.png")), tmp_path / "boards")


def test_a_spoiled_folder_has_every_kind_that_it_promises(tmp_path):
    photos = catalog.load_photos("leaves", photos_per_class=6)
    folder = lessons.write_class_folders(photos, tmp_path / "practice", per_class=5)
    assert sorted(path.name for path in folder.iterdir()) == list(photos["label"].cat.categories)
    assert all(3 <= len(list(of_class.iterdir())) <= 5 for of_class in folder.iterdir())
    spoiled = catalog.load_photos(lessons.spoil_photos(folder), check_photos=False)
    kinds = set(audit.audit_photos(spoiled, progress=False)["kind"])
    assert {"truncated", "not_a_photo", "empty", "identical", "similar_elsewhere", "dark", "small"} <= kinds
    lessons.write_class_folders(photos, tmp_path / "practice", per_class=5)
    assert not list(folder.rglob("*.jpg"))  # what it held is replaced
