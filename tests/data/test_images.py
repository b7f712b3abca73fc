"""Expected pixels are worked by hand: plain colors, two-color pictures, the corners of a rotated one."""

import io
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest

from tests.data import hostile
from tutorial_utils.data import images
from tutorial_utils.data.images import PhotoError, decode, read_image


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "gif", "tif", "avif", "jp2"])
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


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_lays_transparency_on_white(tmp_path, mode):
    clear = PIL.Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    clear.putpixel((0, 0), (0, 0, 0, 255))
    clear.convert(mode).save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png")[..., 1].tolist() == [[0, 255], [255, 255]]


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_a_color_that_stands_for_transparent_becomes_white(tmp_path, mode):
    image = PIL.Image.new("RGB", (2, 1), (255, 0, 0))
    image.putpixel((0, 0), (0, 0, 255))
    image = image.convert(mode)
    image.save(tmp_path / "clear.png", transparency=image.getpixel((1, 0)))
    assert read_image(tmp_path / "clear.png").tolist() == [[[0, 0, 255], [255, 255, 255]]]


@pytest.mark.parametrize(("white", "kind"), [(65535, np.uint16), (131070, np.int32)])
def test_scales_deep_grays(tmp_path, white, kind):
    """Of 16 bits 65535 is white; of more, the brightest pixel. 32896 of 65535 is 128.003 of 255."""
    grays = np.array([[0, 32896 * (white // 65535), white]], kind)
    PIL.Image.fromarray(grays).save(tmp_path / "deep.tif")
    assert read_image(tmp_path / "deep.tif")[..., 0].tolist() == [[0, 128, 255]]


def test_a_dark_photo_of_16_bits_stays_dark(tmp_path):
    PIL.Image.fromarray(np.full((2, 2), 2570, np.uint16)).save(tmp_path / "deep.png")  # 10 times 257
    assert (read_image(tmp_path / "deep.png") == 10).all()


def linear_profile():
    """Return sRGB's color profile with each curve made straight: a number is the light itself."""
    profile = bytearray(PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes())
    for place in range(132, 132 + 12 * struct.unpack_from(">I", profile, 128)[0], 12):
        name, offset, _ = struct.unpack_from(">4sII", profile, place)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            profile[offset : offset + 12] = b"curv" + bytes(8)
    return bytes(profile)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_converts_an_embedded_color_profile(tmp_path, mode):
    """In a linear profile half the light is 128 of 255; in sRGB the same light is written 188 (IEC 61966-2-1)."""
    PIL.Image.new("RGB", (2, 2), (128, 128, 128)).save(tmp_path / "linear.png", icc_profile=linear_profile())
    np.testing.assert_allclose(read_image(tmp_path / "linear.png"), 188, atol=1)
    lab = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("LAB")).tobytes()  # fits neither RGB nor gray
    PIL.Image.new(mode, (2, 2), "gray").save(tmp_path / "odd.png", icc_profile=lab)
    assert (read_image(tmp_path / "odd.png") == 128).all()


def test_stretches_the_whole_photo_to_the_square(tmp_path):
    """Left half black, right half white: the same halves of the square, and no bars above and below."""
    wide = np.zeros((20, 40, 3), np.uint8)
    wide[:, 20:] = 255
    PIL.Image.fromarray(wide).save(tmp_path / "wide.png")
    square = read_image(tmp_path / "wide.png", 10)
    assert square.shape == (10, 10, 3)
    assert square[:, :4].max() == 0
    assert square[:, 6:].min() == 255


@pytest.mark.parametrize(("size", "right"), [(0, False), (1, True), (4096, True), (4097, False), (2.5, False)])
def test_a_side_is_a_number_of_pixels(tmp_path, make_photo, size, right):
    path = make_photo(tmp_path / "photo.png")
    if right:
        assert read_image(path, size).shape == (size, size, 3)
    else:
        with pytest.raises(ValueError, match="size must be a whole number from 1 to 4096"):
            read_image(path, size)


def header(image, kind, **options):
    return images.decode("photo", hostile.saved(image, kind, **options))[1]


def test_the_header_is_that_of_the_file_before_it_is_turned():
    exif = hostile.exif(6, "2026:11:23 09:35:00")
    profile = linear_profile()
    found = header(PIL.Image.new("RGB", (40, 30)), "JPEG", exif=exif, icc_profile=profile)
    assert found == ("JPEG", "RGB", 40, 30, False, 6, True, "2026:11:23 09:35:00")
    assert header(PIL.Image.new("L", (3, 4)), "PNG") == ("PNG", "L", 3, 4, False, 1, False, None)


def test_when_a_photo_was_taken_goes_before_when_it_was_written():
    exif = hostile.exif(1, "2026:11:23 09:35:00")
    exif[0x0132] = "2027:01:01 00:00:00"
    assert header(PIL.Image.new("RGB", (4, 3)), "JPEG", exif=exif).taken == "2026:11:23 09:35:00"
    del exif.get_ifd(0x8769)[0x9003]
    assert header(PIL.Image.new("RGB", (4, 3)), "JPEG", exif=exif).taken == "2027:01:01 00:00:00"


@pytest.mark.parametrize(("kind", "animated"), [("GIF", True), ("PNG", True), ("MPO", False)])
def test_a_phones_two_pictures_are_no_animation(kind, animated):
    both = [PIL.Image.new("RGB", (8, 6), color) for color in ("red", "blue")]
    found = header(both[0], kind, save_all=True, append_images=both[1:])
    assert (found.format, found.animated) == (kind, animated)


def test_resizing_averages_fine_detail(tmp_path):
    """A checkerboard of single pixels becomes even gray; without antialiasing it would stay black or white."""
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    PIL.Image.fromarray(board).save(tmp_path / "board.png")
    np.testing.assert_allclose(read_image(tmp_path / "board.png", 8)[2:-2, 2:-2], 127.5, atol=3)


PNG = hostile.saved(hostile.picture(), "PNG")


@pytest.mark.parametrize(
    ("content", "word", "kind"),
    [
        (None, "There is no file", "missing"),
        (b"", "empty", "empty"),
        (b"hello, I am a text", "not a photo", "not_a_photo"),
        (PNG[: len(PNG) // 2], "damaged", "truncated"),
        (PNG[:1000] + bytes(40) + PNG[1040:], "damaged", "damaged"),
        (hostile.png(60_000, 60_000, zlib.compress(bytes(1000))), "more pixels than are read", "too_large"),
    ],
)
def test_names_the_file_that_is_no_photo(tmp_path, content, word, kind):
    path = tmp_path / "photo.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PhotoError, match=word) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert caught.value.kind == kind


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


def with_exif(*entries):
    """A JPEG of 4 x 3 pixels whose EXIF holds (tag, type, count, 4 bytes or more) as odd programs write them."""
    body, head, place = b"", b"II*\0" + struct.pack("<IH", 8, len(entries)), 8 + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        short = len(value) <= 4
        held = value.ljust(4, b"\0") if short else struct.pack("<I", place + len(body))
        body += b"" if short else value
        head += struct.pack("<HHI", tag, kind, count) + held
    return hostile.saved(PIL.Image.new("RGB", (4, 3)), "JPEG", exif=b"Exif\0\0" + head + bytes(4) + body)


TURN = (0x112, 3, 1, struct.pack("<H", 6))


@pytest.mark.parametrize(
    ("entries", "size"),
    [
        ([TURN], (3, 4)),
        ([TURN, (0x11A, 10, 1, struct.pack("<ii", -1, 0))], (3, 4)),  # a resolution below nothing
        ([(0x10F, 5, 1, struct.pack("<II", 1, 1)), TURN], (3, 4)),  # a maker that is a fraction
        ([(0x112, 1, 1, b"\x06")], (3, 4)),  # the turn as a byte
        ([(0x112, 2, 7, b"Rotate\0")], (4, 3)),  # the turn as a word
        ([(0x112, 3, 1, struct.pack("<H", 9))], (4, 3)),  # a turn that there is not
    ],
)
def test_a_photo_with_an_odd_exif_entry_is_read_and_turned(tmp_path, entries, size):
    (tmp_path / "photo.jpg").write_bytes(with_exif(*entries))
    assert decode(tmp_path / "photo.jpg")[0].size == size


@pytest.mark.parametrize("turn", range(1, 9))
def test_each_turn_is_that_of_pillow(tmp_path, turn):
    exif = PIL.Image.Exif()
    exif[0x112] = turn
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    with PIL.Image.open(tmp_path / "photo.png") as image:
        np.testing.assert_array_equal(read_image(tmp_path / "photo.png"), PIL.ImageOps.exif_transpose(image))


@pytest.mark.parametrize(
    ("name", "start", "what"),
    [
        ("a.jxl", b"\xff\x0a" + bytes(50), "a JPEG XL photo"),
        ("b.jpg", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50), "a JPEG XL photo"),
        ("c.dcm", bytes(128) + b"DICM" + bytes(50), "a DICOM image"),
        ("d.pdf", b"%PDF-1.7\n", "a PDF document"),
        ("e.svg", b'<?xml version="1.0"?>\n<svg xmlns="...">', "an SVG drawing"),
        ("f.CR3", b"\0\0\0\x18ftypcrx " + bytes(50), "a raw photo"),
        ("g.nef", hostile.saved(PIL.Image.new("RGB", (4, 3)), "TIFF"), "a raw photo"),
    ],
)
def test_pictures_of_other_kinds_are_named_as_what_they_are(tmp_path, name, start, what):
    """A raw photo opens as its small preview: that is not the photo."""
    (tmp_path / name).write_bytes(start)
    with pytest.raises(PhotoError, match=f"{name} is {what}") as caught:
        read_image(tmp_path / name)
    assert caught.value.kind == "other_kind"


def test_a_raw_photo_under_another_name_is_not_read_as_its_preview(tmp_path):
    PIL.Image.new("RGB", (4, 3)).save(tmp_path / "photo.tif", tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(PhotoError, match="is a raw photo"):
        read_image(tmp_path / "photo.tif")


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


@pytest.mark.parametrize("pixels", [np.full((4, 4), -3, np.int32), np.full((4, 4), 0.5, np.float32)], ids=str)
def test_pixels_without_a_known_white_are_refused_with_the_step_to_take(tmp_path, pixels):
    PIL.Image.fromarray(pixels).save(tmp_path / "odd.tif")
    with pytest.raises(PhotoError, match=r"odd\.tif .*save it with 8 or 16 bits") as caught:
        read_image(tmp_path / "odd.tif")
    assert caught.value.kind == "floating"


def test_a_photo_of_200_million_pixels_is_read_smaller_where_the_format_can(tmp_path):
    PIL.Image.new("L", (16_320, 12_240), 120).save(tmp_path / "huge.jpg")
    assert read_image(tmp_path / "huge.jpg", 8).tolist() == [[[120] * 3] * 8] * 8
    (tmp_path / "huge.png").write_bytes(hostile.png(16_320, 12_240, zlib.compress(bytes(1000))))
    with pytest.raises(PhotoError, match=r"huge\.png has more pixels .*Save it smaller") as caught:
        read_image(tmp_path / "huge.png", 8)
    assert caught.value.kind == "too_large"


def _damages(content, rng):
    """Yield a JPEG with a part of its picture lost: cut and closed, zeros, another photo's bytes, some left out."""
    start = content.index(b"\xff\xda") + 14
    for _ in range(10):
        place = int(start + rng.uniform(0.05, 0.85) * (len(content) - start))
        count = int(rng.uniform(200, 1500))
        after = content[place + count :]
        yield content[:place] + b"\xff\xd9"
        yield content[:place] + bytes(min(count, len(content) - place - 2)) + after
        yield content[:place] + bytes(len(content) - place)
        yield content[:place] + content[start : start + count] + after
        yield content[:place] + after
        yield content[:place] + content[place - count : place] + content[place:]


@pytest.mark.parametrize("way", [{}, {"restart_marker_rows": 1}, {"progressive": True}, {"optimize": True}], ids=str)
def test_a_jpeg_that_has_lost_a_part_is_found_although_it_decodes(way):
    found = []
    for seed in range(5):
        content = hostile.saved(hostile.picture(320, 240, seed), "JPEG", quality=90, **way)
        images.check_complete("whole.jpg", content)
        for damaged in _damages(content, np.random.default_rng(seed)):
            try:
                decode("photo.jpg", damaged)
                images.check_complete("photo.jpg", damaged)
            except PhotoError as error:
                found.append("photo.jpg" in str(error))
            else:
                found.append(False)
    assert len(found) == 300
    assert np.mean(found) >= 0.95


@pytest.mark.parametrize("way", [{}, {"restart_marker_rows": 1}, {"progressive": True}, {"optimize": True}], ids=str)
@pytest.mark.parametrize("color", ["white", "black", "gray"])
def test_a_whole_flat_picture_has_lost_nothing(way, color):
    for mode in ("RGB", "L", "CMYK"):
        image = PIL.Image.new("RGB", (1500, 1000), color).convert(mode)
        images.check_complete("flat.jpg", hostile.saved(image, "JPEG", **way))


def test_of_whole_real_photos_none_has_lost_anything(shared):
    paths = sorted(shared.glob("data/*/**/*.jpg"))[::9]
    assert len(paths) >= 300
    for path in paths:
        images.check_complete(path, path.read_bytes())


def test_what_a_camera_writes_after_the_picture_is_not_looked_at():
    content = hostile.saved(hostile.picture(), "JPEG") + bytes(5000)
    images.check_complete("padded.jpg", content)
