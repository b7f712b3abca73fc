"""Expected pixels are worked by hand: plain colors, two-color pictures, the corners of a rotated one."""

import io

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

from tutorial_utils.data import images
from tutorial_utils.data.images import PhotoError, read_image


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "gif", "tif"])
def test_reads_every_format_as_rgb(tmp_path, make_photo, suffix):
    path = make_photo(tmp_path / f"photo.{suffix}", (200, 100, 50))
    image = read_image(path)
    assert image.shape == (6, 8, 3)
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image[3, 4], (200, 100, 50), atol=6)  # JPEG and WebP are not exact


def test_reads_the_first_picture_of_an_mpo(tmp_path):
    first, second = PIL.Image.new("RGB", (8, 6), (200, 0, 0)), PIL.Image.new("RGB", (8, 6), (0, 0, 200))
    path = tmp_path / "phone.jpg"
    first.save(path, format="MPO", save_all=True, append_images=[second])
    assert read_image(path)[0, 0, 0] > 150


def test_reads_the_first_frame_of_a_gif(tmp_path):
    red, blue = PIL.Image.new("RGB", (4, 4), (255, 0, 0)), PIL.Image.new("RGB", (4, 4), (0, 0, 255))
    red.save(tmp_path / "moving.gif", save_all=True, append_images=[blue])
    assert read_image(tmp_path / "moving.gif")[0, 0].tolist() == [255, 0, 0]


def test_turns_a_photo_upright(tmp_path):
    """Orientation 6: the camera was turned, so the stored left edge is the top edge of the scene."""
    image = PIL.Image.new("RGB", (4, 2), (0, 0, 0))
    image.putpixel((0, 0), (255, 255, 255))  # stored top left is shown top right
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    shown = read_image(tmp_path / "turned.png")
    assert shown.shape == (4, 2, 3)
    assert shown[0, 1].tolist() == [255, 255, 255]


def test_lays_transparency_on_white(tmp_path):
    PIL.Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_image(tmp_path / "clear.png") == 255).all()


def test_scales_16_bit_grays(tmp_path):
    PIL.Image.fromarray(np.full((2, 2), 32896, np.uint16)).save(tmp_path / "deep.png")  # 128.5 of 257 steps
    assert read_image(tmp_path / "deep.png")[0, 0].tolist() == [128, 128, 128]


def test_converts_an_embedded_color_profile(tmp_path):
    """In a linear profile half the light is 0.5; in sRGB the same light is written 188 (IEC 61966-2-1)."""
    lab = PIL.ImageCms.createProfile("LAB")
    srgb = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    image = PIL.Image.new("RGB", (2, 2), (120, 130, 140))
    image.save(tmp_path / "tagged.png", icc_profile=srgb)
    np.testing.assert_allclose(read_image(tmp_path / "tagged.png")[0, 0], (120, 130, 140), atol=1)
    image.save(tmp_path / "odd.png", icc_profile=PIL.ImageCms.ImageCmsProfile(lab).tobytes())  # does not fit RGB
    assert read_image(tmp_path / "odd.png")[0, 0].tolist() == [120, 130, 140]


def test_stretches_the_whole_photo_to_the_square(tmp_path):
    """Left half black, right half white: the same halves of the square, and no bars above and below."""
    wide = np.zeros((20, 40, 3), np.uint8)
    wide[:, 20:] = 255
    PIL.Image.fromarray(wide).save(tmp_path / "wide.png")
    square = read_image(tmp_path / "wide.png", 10)
    assert square.shape == (10, 10, 3)
    assert square[:, :4].max() == 0
    assert square[:, 6:].min() == 255


def test_resizing_averages_fine_detail(tmp_path):
    """A checkerboard of single pixels becomes even gray; without antialiasing it would stay black or white."""
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    PIL.Image.fromarray(board).save(tmp_path / "board.png")
    np.testing.assert_allclose(read_image(tmp_path / "board.png", 8)[2:-2, 2:-2], 127.5, atol=3)


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "empty"), (b"hello, I am a text", "not a photo"), (None, "There is no file")],
)
def test_names_the_file_that_is_no_photo(tmp_path, content, word):
    path = tmp_path / "photo.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PhotoError, match=word) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


def test_a_heif_photo_is_read_or_the_package_named(tmp_path, monkeypatch):
    path = tmp_path / "phone.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50))
    monkeypatch.setattr(images, "_formats", lambda: images.FORMATS)
    with pytest.raises(PhotoError, match="pip install pillow-heif") as caught:
        read_image(path)
    assert caught.value.kind == "heif"
    monkeypatch.undo()
    heif = pytest.importorskip("pillow_heif", reason="needs the package pillow-heif")
    heif.register_heif_opener()
    PIL.Image.new("RGB", (64, 48), (200, 100, 50)).save(path, quality=90)
    assert read_image(path).shape == (48, 64, 3)
    np.testing.assert_allclose(read_image(path)[20, 20], (200, 100, 50), atol=6)


def test_names_a_photo_that_is_cut_short(tmp_path, make_photo):
    path = make_photo(tmp_path / "photo.jpg", size=(64, 64))
    path.write_bytes(path.read_bytes()[:-400])
    images.check_header(path)  # its header is whole
    with pytest.raises(PhotoError, match="damaged"):
        read_image(path)


def test_refuses_formats_that_are_no_photos(tmp_path):
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (4, 4)).save(buffer, format="PPM")
    (tmp_path / "photo.png").write_bytes(buffer.getvalue())
    with pytest.raises(PhotoError, match="not a photo"):
        read_image(tmp_path / "photo.png")


def test_refuses_floating_point_pixels(tmp_path):
    PIL.Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(PhotoError, match=r"float\.tif .*8 or 16 bits"):
        read_image(tmp_path / "float.tif")
