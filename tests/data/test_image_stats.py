"""Expected numbers are worked by hand; of the cache: what has not changed is not opened again, what has changed is."""

import os

import numpy as np
import pandas
import PIL.Image
import pytest

from tutorial_utils.data import image_stats, images


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "image_stats"


def compute(*paths):
    return image_stats.compute_stats(pandas.DataFrame({"path": [str(path) for path in paths]}), progress=False)


def save(path, pixels, **options):
    PIL.Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)
    return path


@pytest.fixture
def opened(monkeypatch):
    """A list that gets the name of every photo that is opened."""
    decode, names = images.decode, []
    monkeypatch.setattr(images, "decode", lambda path, content: (names.append(path.name), decode(path, content))[1])
    return names


@pytest.fixture
def photos(tmp_path, make_photo):
    """Three photos of two folders, in PNG files of equal size."""
    options = {"size": (20, 10), "compress_level": 0}
    paths = [make_photo(tmp_path / "photos" / f"{n % 2}" / f"{n}.png", seed=n, **options) for n in range(3)]
    return pandas.DataFrame({"path": [str(path) for path in paths]})


@pytest.mark.parametrize("upright", [True, False])
def test_the_gray_of_two_halves(tmp_path, upright):
    """Left 0, right 200: the Laplacian is -200 and 200 in the two columns of 94 at the edge, so 200 sqrt(2 / 94)."""
    pixels = np.zeros((96, 96))
    pixels[:, 48:] = 200
    row = compute(save(tmp_path / "halves.png", pixels if upright else pixels.T)).iloc[0]
    assert row["brightness"] == 100
    assert row["contrast"] == 100
    assert row["sharpness"] == pytest.approx(2 * np.sqrt(2 / 94), rel=1e-5)


def test_a_nearly_plain_photo_is_not_called_sharp(tmp_path):
    """A chessboard of 100 and 101: deviation 0.5, Laplacian 4 and -4, over at least one gray level."""
    row = compute(save(tmp_path / "board.png", 100 + np.indices((96, 96)).sum(axis=0) % 2)).iloc[0]
    assert row["contrast"] == 0.5
    assert row["sharpness"] == pytest.approx(4, rel=1e-5)


@pytest.mark.parametrize("size", [(40, 30), (4032, 3024)])
def test_the_mean_color_is_that_of_small_and_large_photos(tmp_path, size):
    PIL.Image.new("RGB", size, (255, 128, 10)).save(tmp_path / "one.png")
    assert compute(tmp_path / "one.png")["color"][0].tolist() == [255, 128, 10]


def test_the_border_is_the_corners_and_the_middles_of_the_sides(tmp_path):
    rows, columns = np.indices((5, 9))
    border = compute(save(tmp_path / "one.png", np.stack([rows, columns, rows * 0], axis=-1)))["border"][0]
    middles = [[0, 0], [0, 4], [0, 8], [2, 0], [2, 8], [4, 0], [4, 4], [4, 8]]
    assert border[:, :2].tolist() == middles


@pytest.mark.parametrize("size", [(1, 1), (200, 2), (2, 200), (3, 3)])
def test_the_border_has_eight_pixels_whatever_the_size(tmp_path, size):
    PIL.Image.new("RGB", size, (9, 8, 7)).save(tmp_path / "one.png")
    assert compute(tmp_path / "one.png")["border"][0].tolist() == [[9, 8, 7]] * 8


def test_what_the_file_says_of_itself(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2026:11:23 09:35:00"
    row = compute(save(tmp_path / "one.jpg", np.zeros((30, 40, 3)), exif=exif)).iloc[0]
    found = row[["problem", "reason", "format", "mode", "width", "height", "animated", "orientation", "profile"]]
    assert found.tolist() == ["", "", "JPEG", "RGB", 40, 30, False, 6, False]
    assert row["taken"] == pandas.Timestamp(2026, 11, 23, 9, 35)
    assert row["bytes"] == (tmp_path / "one.jpg").stat().st_size
    assert row["thumbnail"].shape == (48, 48)


def test_what_cannot_be_read_has_its_reason_and_no_numbers(tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    stats = compute(tmp_path / "gone.jpg", tmp_path, tmp_path / "text.jpg")
    assert stats["problem"].tolist() == ["missing", "missing", "not_a_photo"]
    assert all(name in reason for name, reason in zip(["gone.jpg", "cannot", "text.jpg"], stats["reason"], strict=True))
    assert stats[["width", "brightness", "sharpness", "thumbnail"]].isna().all(axis=None)
    assert stats["bytes"].tolist() == [0, 0, 5]


def test_rows_are_those_of_the_photos_table_in_its_order(tmp_path, capsys):
    """More photos than wait at a time, one of them twice."""
    paths = [save(tmp_path / f"{gray}.png", np.full((4, 4), gray)) for gray in range(150)]
    order = [*np.random.default_rng(0).permutation(150), 7]
    photos = pandas.DataFrame({"path": [str(paths[gray]) for gray in order]}, index=range(1000, 1151))
    stats = image_stats.compute_stats(photos)
    assert "| 150/150 " in capsys.readouterr().err
    assert stats["path"].equals(photos["path"])
    assert stats["brightness"].tolist() == order


# --- the cache -------------------------------------------------------------------------------------------


def test_photos_that_have_not_changed_are_not_opened_again(photos, opened):
    first = image_stats.compute_stats(photos, progress=False)
    assert len(opened) == 3
    second = image_stats.compute_stats(photos.iloc[::-1], progress=False)
    assert len(opened) == 3
    pandas.testing.assert_frame_equal(first, second.iloc[::-1])


def test_a_bar_counts_the_photos_that_are_looked_at(photos, capsys):
    image_stats.compute_stats(photos[:2], progress=False)
    assert capsys.readouterr().err == ""
    image_stats.compute_stats(photos)
    assert "| 1/1 " in capsys.readouterr().err
    image_stats.compute_stats(photos)
    assert capsys.readouterr().err == ""


def test_a_photo_that_is_new_is_the_only_one_that_is_opened(photos, opened, make_photo, tmp_path):
    image_stats.compute_stats(photos, progress=False)
    more = [*photos["path"], make_photo(tmp_path / "photos" / "0" / "new.png", seed=9)]
    compute(*more)
    compute(*more)
    assert opened[3:] == ["new.png"]


@pytest.mark.parametrize("times", ["kept", "new"])
def test_a_photo_that_has_changed_is_opened_again(photos, opened, make_photo, tmp_path, times):
    """Of the same size; even where its time of change is set back, as by some copying tools."""
    first = image_stats.compute_stats(photos, progress=False)
    path = tmp_path / "photos" / "0" / "0.png"
    before = path.stat()
    make_photo(path, size=(20, 10), seed=77, compress_level=0)
    assert path.stat().st_size == before.st_size
    if times == "kept":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = image_stats.compute_stats(photos, progress=False)
    assert opened[3:] == ["0.png"]
    assert (first["sha256"] == second["sha256"]).tolist() == [False, True, True]


def test_a_photo_that_is_gone_is_missed(photos, tmp_path):
    image_stats.compute_stats(photos, progress=False)
    (tmp_path / "photos" / "1" / "1.png").unlink()
    assert image_stats.compute_stats(photos, progress=False)["problem"].tolist() == ["", "missing", ""]


def test_a_photo_that_could_not_be_read_is_tried_again(photos, monkeypatch):
    """Such as a HEIF photo, before the package for it is installed."""

    def refuse(path, content):
        raise images.PhotoError("pip install pillow-heif", "heif")

    with monkeypatch.context() as patch:
        patch.setattr(images, "decode", refuse)
        assert (image_stats.compute_stats(photos, progress=False)["problem"] == "heif").all()
    assert (image_stats.compute_stats(photos, progress=False)["problem"] == "").all()


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-9], lambda content: b"X" + content])
def test_a_damaged_cache_is_made_anew(photos, cache, opened, damage):
    first = image_stats.compute_stats(photos, progress=False)
    (path,) = cache.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    for _ in range(2):
        pandas.testing.assert_frame_equal(image_stats.compute_stats(photos, progress=False), first)
    assert len(opened) == 6


def test_other_versions_of_the_statistics_meet_no_old_rows(photos, opened, monkeypatch):
    for module in (image_stats, images):
        image_stats.compute_stats(photos, progress=False)
        monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    image_stats.compute_stats(photos, progress=False)
    assert len(opened) == 9


def test_rows_of_deleted_photos_leave_the_cache(photos, cache, make_photo, tmp_path):
    image_stats.compute_stats(photos, progress=False)
    (path,) = cache.iterdir()
    for name in photos["path"][1:]:
        os.unlink(name)
    compute(photos["path"][0], make_photo(tmp_path / "photos" / "1" / "new.png", seed=9))
    assert len(image_stats.read_cache(path.stem)["thumbnail"]) == 2


def test_the_caches_used_longest_ago_are_deleted(cache, monkeypatch):
    monkeypatch.setattr(image_stats, "CACHED_FILES", 2)
    for time, name in enumerate("ab"):
        image_stats.write_cache(name, numbers=np.arange(time))
        os.utime(cache / f"{name}.cache", (time, time))
    assert image_stats.read_cache("a")["numbers"].tolist() == []  # now b is the one used longest ago
    image_stats.write_cache("c", numbers=np.arange(3))
    assert {path.stem for path in cache.iterdir()} == {"a", "c"}
    assert image_stats.read_cache("b") is None


def test_without_a_folder_for_the_cache_all_works(photos, cache):
    cache.parent.write_text("a file where the folder would be")
    assert (image_stats.compute_stats(photos, progress=False)["problem"] == "").all()
