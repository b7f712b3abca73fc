"""Files that break naive readers, each with what the audit must say of it: {name: (bytes, kinds)}."""

import io
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.ImageCms

RNG = np.random.default_rng(0)


def picture(width=160, height=120, seed=0):
    """A photo-like picture: smooth shapes with some detail."""
    rng = np.random.default_rng(seed)
    coarse = PIL.Image.fromarray(rng.integers(0, 256, (8, 10, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), PIL.Image.Resampling.BICUBIC), np.int16)
    return PIL.Image.fromarray(np.clip(smooth + rng.integers(-40, 41, smooth.shape), 0, 255).astype(np.uint8))


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, data, depth=8, color=2, extra=b""):
    """A PNG whose header says what it likes."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def exif(orientation, taken=None):
    tags = PIL.Image.Exif()
    tags[0x0112] = orientation
    if taken:
        tags.get_ifd(0x8769)[0x9003] = taken
    return tags


def corpus():
    """Return {file name: (bytes, kinds that must be found, no others)}."""
    photo, found = picture(), {}
    jpeg, whole_png = saved(photo, "JPEG"), saved(photo, "PNG")
    rgba = photo.convert("RGBA")
    rgba.putalpha(120)
    lossless = {"WEBP": {"lossless": True}}

    def add(name, content, *kinds):
        assert name not in found
        found[name] = (content, set(kinds))

    # nothing wrong, whatever it looks like
    for suffix, kind in [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("bmp", "BMP"), ("tif", "TIFF")]:
        add(f"good.{suffix}", saved(picture(seed=ord(suffix[0])), kind, **lossless.get(kind, {})))
    add("UPPER.JPG", saved(picture(seed=1), "JPEG"))
    add("ünïcödé 日本.jpg", saved(picture(seed=2), "JPEG"))
    add("a name, with 'quotes' & commas.jpg", saved(picture(seed=3), "JPEG"))
    add("-rf.jpg", saved(picture(seed=4), "JPEG"))
    add("long" + "g" * 190 + ".jpg", saved(picture(seed=5), "JPEG"))
    add("gray.png", saved(picture(seed=6).convert("L"), "PNG"))
    add("progressive.jpg", saved(picture(seed=7), "JPEG", progressive=True))
    add("tail.jpg", saved(picture(seed=8), "JPEG") + b"and more bytes after the end")
    srgb = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    add("profile.jpg", saved(picture(seed=9), "JPEG", icc_profile=srgb))
    add("bad_profile.jpg", saved(picture(seed=10), "JPEG", icc_profile=b"no profile at all"))
    add("interlaced.png", saved(picture(seed=11), "PNG", interlace=1))
    add("one_bit.png", saved(picture(seed=12).convert("1"), "PNG"))
    add("lzw.tif", saved(picture(seed=13), "TIFF", compression="tiff_lzw"))
    add("jpeg_inside.tif", saved(picture(seed=14), "TIFF", compression="jpeg"))
    add("comment.jpg", saved(picture(seed=15), "JPEG", comment="<script>alert(1)</script>"))
    # read, with a note
    add("cmyk.jpg", saved(picture(seed=20).convert("CMYK"), "JPEG"), "cmyk")
    add("cmyk.tif", saved(picture(seed=21).convert("CMYK"), "TIFF"), "cmyk")
    add("palette.png", saved(picture(seed=22).convert("P"), "PNG"), "palette")
    add("palette.gif", saved(picture(seed=23), "GIF"), "palette")
    add("clear_color.png", saved(picture(seed=24).convert("P"), "PNG", transparency=0), "palette")
    add("alpha.png", saved(rgba, "PNG"), "alpha")
    add("alpha.webp", saved(_clear(picture(seed=25)), "WEBP", lossless=True), "alpha")
    add("gray_alpha.png", saved(picture(seed=26).convert("LA"), "PNG"), "alpha")
    add("deep.png", saved(PIL.Image.fromarray(_deep(27)), "PNG"), "deep")
    add("deep.tif", saved(PIL.Image.fromarray(_deep(28)), "TIFF"), "deep")
    frames = [picture(seed=30), picture(seed=31)]
    add("moving.gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), "animated", "palette")
    add("moving.png", saved(frames[1], "PNG", save_all=True, append_images=frames[:1]), "animated")
    add("pages.tif", saved(picture(seed=32), "TIFF", save_all=True, append_images=[frames[0]]), "animated")
    for orientation in range(2, 9):
        add(f"turned{orientation}.jpg", saved(picture(seed=40 + orientation), "JPEG", exif=exif(orientation)), "turned")
    add("turned99.jpg", saved(picture(seed=49), "JPEG", exif=exif(99)))
    add("lies.png", saved(picture(seed=50), "JPEG"), "extension")
    add("lies.jpg", saved(picture(seed=51), "PNG"), "extension")
    add("lies.txt", saved(picture(seed=52), "WEBP", lossless=True), "extension")
    add("no_suffix", saved(picture(seed=53), "JPEG"), "extension")
    add("tiny.png", saved(PIL.Image.new("RGB", (1, 1), "red"), "PNG"), "small", "plain")
    add("small.jpg", saved(picture(40, 50, seed=54), "JPEG"), "small")
    add("strip.jpg", saved(picture(900, 70, seed=55), "JPEG"), "long")
    add("tower.jpg", saved(picture(70, 900, seed=56), "JPEG"), "long")
    add("black.jpg", saved(PIL.Image.new("RGB", (160, 120)), "JPEG"), "dark")
    add("white.jpg", saved(PIL.Image.new("RGB", (160, 120), "white"), "JPEG"), "bright")
    add("plain.jpg", saved(PIL.Image.new("RGB", (160, 120), (90, 120, 80)), "JPEG"), "plain")
    add("blurred.jpg", saved(picture(seed=57).resize((5, 4)).resize((160, 120), 3), "JPEG"), "blurred")
    # cannot be read
    add("empty.jpg", b"", "empty")
    add("text.jpg", b"hello, I am a text", "not_a_photo")
    add("html.jpg", b"<!DOCTYPE html><title>404</title>", "not_a_photo")
    add("zip.png", b"PK\x03\x04" + bytes(100), "not_a_photo")
    add("zeros.jpg", bytes(5000), "not_a_photo")
    add("noise.jpg", RNG.bytes(5000), "not_a_photo")
    add("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "other_kind")
    add("paper.pdf", b"%PDF-1.7\n", "other_kind")
    add("ppm.jpg", saved(photo, "PPM"), "not_a_photo")
    add("eps.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_a_photo")
    add("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), "unreadable")
    for share in (0.02, 0.3, 0.6, 0.95):
        add(f"cut{share}.jpg", jpeg[: int(share * len(jpeg))], "unreadable")
        add(f"cut{share}.png", whole_png[: int(share * len(whole_png))], "unreadable")
    add("bomb.png", png(60_000, 60_000, zlib.compress(bytes(1000))), "too_large")
    add("no_width.png", png(0, 10, zlib.compress(b"\0")), "unreadable")
    add("short_data.png", png(100, 100, zlib.compress(bytes(50))), "unreadable")
    add("bad_zlib.png", png(100, 100, b"this is not deflate"), "unreadable")
    broken = bytearray(whole_png)
    broken[len(broken) // 2] ^= 0xFF
    add("flipped.png", bytes(broken), "unreadable")
    add("float.tif", saved(PIL.Image.fromarray(np.ones((80, 80), np.float32)), "TIFF"), "floating")
    add("header_only.jpg", jpeg[:20], "unreadable")
    add("bad_gif.gif", b"GIF89a\xff\xff\xff\xff\x00\x00\x00", "unreadable")
    add("bad_tiff.tif", b"II*\0\xff\xff\xff\xff", "unreadable")
    add("bad_webp.webp", b"RIFF\xff\xff\xff\xffWEBPVP8 ", "unreadable")
    add("bad_bmp.bmp", b"BM" + bytes(60), "unreadable")
    return found


def _clear(image):
    image = image.convert("RGBA")
    image.putalpha(60)
    return image


def _deep(seed):
    return np.asarray(picture(seed=seed).convert("L"), np.uint16) * 257
