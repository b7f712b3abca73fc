"""`read_image`: the one way to read pixels, in training, evaluation and prediction alike."""

import functools
import importlib.util
import io
import pathlib
import re
import struct
import warnings
import zlib
from typing import NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageCms
import simplejpeg

from .. import _check

# MPO, which some phones write, opens as JPEG
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "JPEG2000")
VERSION = 1  # of the pixels that read_image returns; raise it when they change
HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # what phones by Apple write
warnings.filterwarnings("ignore", module=r"PIL\..*")  # odd EXIF or TIFF fields: nothing that a reader can act on
MOST_PIXELS = 2 * 89_478_485  # where Pillow stops, lest a small file fill the memory; a larger JPEG is read smaller
PIL.Image.MAX_IMAGE_PIXELS = None  # so that it can be: `_open` looks at the size
PIL.Image.init()  # register the formats now: threads that opened photos at once would race to do it
_RAW = {".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"}  # what cameras call them
_DNG = 50706  # a TIFF tag that only raw photos have; such a file opens as its small preview
_OTHERS = (  # start of a file, or what stands in it; what it is; what to do
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL photo", "save it as JPEG"),
    (rb".{128}DICM", "a DICOM image", "export it as PNG from the program that shows it"),
    (rb"%PDF", "a PDF document", "export its page as PNG"),
    (rb"\s*(<\?xml.*)?<svg", "an SVG drawing", "export it as PNG"),
)
_TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270"}
_TURNS |= {7: "TRANSVERSE", 8: "ROTATE_90"}  # orientation: what makes it upright
_ORIENTATION, _EXIF, _TAKEN, _WRITTEN = 0x0112, 0x8769, 0x9003, 0x0132  # EXIF: which way up; when
_FAILURES = (  # what decoders raise when they meet bytes that no camera has written
    OSError,
    ValueError,
    SyntaxError,
    ArithmeticError,
    LookupError,
    EOFError,
    TypeError,
    AttributeError,
    NotImplementedError,
    MemoryError,
    struct.error,
    zlib.error,
    PIL.Image.DecompressionBombError,
)
_SRGB = PIL.ImageCms.createProfile("sRGB")
_LOST = re.compile(  # what libjpeg says where a part of the picture is lost; it warns of harmless things too
    r"premature end|bad Huffman code|found marker 0xd|extraneous bytes before marker 0x(?!e|fe|db)|"
    r"Unsupported (marker|JPEG process)|Invalid JPEG file structure|Bogus",
    re.IGNORECASE,
)
_ZEROS = bytes(64)  # in a row: few pictures are written so


class PhotoError(ValueError):
    """A photo that cannot be read; the message names the file and says what to do.

    kind : "missing", "empty", "not_a_photo", "heif", "other_kind", "too_large", "truncated", "incomplete", "floating"
        or "damaged"
    """

    def __init__(self, message, kind="damaged"):
        super().__init__(message)
        self.kind = kind


class Header(NamedTuple):
    """What a photo's file says of itself; width and height as stored, before it is turned upright.

    taken : when, as EXIF writes it ("2026:11:23 09:35:00"), None where it does not
    """

    format: str
    mode: str
    width: int
    height: int
    animated: bool
    orientation: int
    profile: bool
    taken: str | None


def read_image(path, size=None):
    """Read a photo as upright sRGB pixels (chapter 2).

    path : str or Path; JPEG, PNG, WebP, BMP, GIF (first frame), TIFF, AVIF, JPEG 2000 or MPO
    size : side in pixels of the square that the whole photo is stretched to; None keeps the photo's own size
    Returns uint8 (height, width, 3), 0-255. Resized by bilinear interpolation with antialiasing.
    Raises PhotoError, which names the file, for a file that is missing, damaged or no photo.
    """
    image, _ = decode(path)
    if size is not None:
        side = _check.integer("size", size, 1, 4096)
        image = image.resize((side, side), PIL.Image.Resampling.BILINEAR)
    return np.asarray(image)


def decode(path, content=None):
    """Return (image, header): the photo upright in 8-bit sRGB as a PIL image, and its Header.

    content : the file's bytes where they are at hand. Raises PhotoError as `read_image` does.
    """
    try:
        with _open(path, content) as image:
            if image.format == "PNG":
                image.load()  # before it is asked for EXIF, which reads the pixels too, and fails in silence
            header = _header(image)
            image.load()  # a TIFF is turned by that
            turn = _TURNS.get(_orientation(_tags(image)))
            return _rgb(image.transpose(PIL.Image.Transpose[turn]) if turn else image), header
    except _FAILURES as error:
        raise _error(path, error) from error


def check_header(path):
    """Raise PhotoError unless the start of the file `path` is that of a photo we read; decodes no pixels."""
    try:
        with _open(path):
            pass
    except _FAILURES as error:
        raise _error(path, error) from error


def check_complete(path, content):
    """Raise PhotoError of the kind "incomplete" for a JPEG that decodes although a part of its picture is lost.

    content : the file's bytes. Every viewer shows such a file, its lower part gray, shifted or from another photo.
    """
    if content[:3] != b"\xff\xd8\xff":
        return
    lost = "there are zeros where the picture should be" if _has_hole(content) else ""
    try:
        simplejpeg.decode_jpeg(content, "GRAY", min_height=1, min_width=1, min_factor=8, strict=True)
    except ValueError as error:
        lost = str(error) if _LOST.search(str(error)) else lost
    if lost:
        raise PhotoError(
            f"{path} has lost a part of its picture ({lost}). Copy it again, or take it out.", "incomplete"
        )


def _has_hole(content):
    """Return whether zeros stand in the compressed picture of a JPEG that are no flat part of it.

    A copy that ended early leaves them, or a bad disk. A flat part is written as zeros only where "as before" and "the
    rest is 0" have the first codes of their tables (ITU T.81, annex F), which these have in flat pictures.
    """
    place, firsts = 2, {}
    while content[place : place + 1] == b"\xff" and content[place + 1 : place + 2] not in (b"", b"\xda"):  # headers
        after = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if content[place + 1] == 0xC4:
            firsts |= _first_symbols(content[place + 4 : after])
        place = after
    end = content.find(b"\xff\xd9", place)  # some cameras append more
    zeros = content.find(_ZEROS, place, end if end > 0 else len(content)) > 0
    return zeros and any(firsts.get(table) for table in (0x00, 0x10))  # of the brightness: its mean, its details


def _first_symbols(segment):
    """Return {table: the symbol with its first code} of the code tables in a segment of a JPEG's headers."""
    firsts = {}
    while len(segment) > 17:
        firsts[segment[0]] = segment[17]
        segment = segment[17 + sum(segment[1:17]) :]
    return firsts


def _open(path, content=None):
    image = PIL.Image.open(path if content is None else io.BytesIO(content), formats=_formats())
    if image.format == "TIFF" and (pathlib.Path(path).suffix.lower() in _RAW or _DNG in image.tag_v2):
        image.close()
        raise PIL.UnidentifiedImageError("a raw photo")
    width, height = image.size
    if width * height > MOST_PIXELS:
        if image.format != "JPEG":
            image.close()
            raise PIL.Image.DecompressionBombError(f"{width:,} x {height:,} pixels")
        image.draft(None, (width // 4, height // 4))
    return image


@functools.cache
def _formats():
    """Return the formats to try; HEIF among them where the package pillow-heif is installed."""
    if importlib.util.find_spec("pillow_heif") is None:
        return FORMATS
    import pillow_heif

    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def _header(image):
    tags = _tags(image)
    taken = _tag(lambda: tags.get_ifd(_EXIF).get(_TAKEN)) or tags.get(_WRITTEN)
    return Header(
        image.format,
        image.mode,
        *image.size,
        bool(getattr(image, "is_animated", False)) and image.format != "MPO",
        _orientation(tags),
        bool(image.info.get("icc_profile")),
        taken if isinstance(taken, str) else None,
    )


def _tags(image):
    """Return what EXIF says of an image; nothing where it is written in a way that cannot be read."""
    return _tag(image.getexif) or PIL.Image.Exif()


def _tag(read):
    try:
        return read()
    except _FAILURES:
        return None


def _orientation(tags):
    """Return which way up a photo is, 1 (upright) to 8; some programs write the number as a byte, or a word."""
    value = tags.get(_ORIENTATION)
    value = value[0] if isinstance(value, (bytes, tuple)) and len(value) == 1 else value
    return value if value in range(1, 9) else 1


def _rgb(image):
    """Return an 8-bit sRGB image: color profile applied, 16-bit grays scaled, transparency laid on white."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        grays = np.asarray(image, dtype=np.float64)
        if image.mode == "F" or grays.min() < 0:  # whose white is nowhere written down
            raise ValueError("its pixels are floating point numbers or below zero; save it with 8 or 16 bits a channel")
        image = PIL.Image.fromarray((grays * (255 / max(grays.max(), 65535))).astype(np.uint8))
    elif image.mode in ("P", "PA", "LA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = PIL.Image.alpha_composite(PIL.Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    elif profile and image.mode in ("L", "RGB", "CMYK"):
        image = _to_srgb(image, profile)
    return image.convert("RGB")


def _to_srgb(image, profile):
    try:
        source = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return PIL.ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (OSError, PIL.ImageCms.PyCMSError):
        return image  # a profile that cannot be used: every viewer shows such a photo as sRGB


def _error(path, error):
    """Return the PhotoError for what went wrong: it names the file, says what is the matter and what to do."""
    path, text = pathlib.Path(path), str(error)
    if not path.exists():
        return PhotoError(f"There is no file {path}. Check the path, or load the folder again.", "missing")
    if path.stat().st_size == 0:
        return PhotoError(f"{path} is empty (0 bytes). Replace it or take it out of its folder.", "empty")
    if isinstance(error, PIL.UnidentifiedImageError):
        with open(path, "rb") as file:
            start = file.read(1024)
        for pattern, what, step in _OTHERS:
            if re.match(pattern, start, re.DOTALL):
                return PhotoError(f"{path} is {what}, which is not read here. To use it, {step}.", "other_kind")
        if path.suffix.lower() in _RAW or "raw photo" in text:
            message = f"{path} is a raw photo, as cameras keep them. To use it, develop it and save it as JPEG."
            return PhotoError(message, "other_kind")
        if start[4:8] == b"ftyp" and start[8:12] in HEIF and "HEIF" not in _formats():
            message = f"{path} is a HEIF photo. To read it: pip install pillow-heif, or save it as JPEG."
            return PhotoError(message, "heif")
        known = ", ".join(_formats())
        message = f"{path} is not a photo that can be read (expected {known}). Take it out of its folder."
        return PhotoError(message, "not_a_photo")
    if isinstance(error, PIL.Image.DecompressionBombError):
        return PhotoError(f"{path} has more pixels than are read at a time ({text}). Save it smaller.", "too_large")
    kind = "truncated" if "truncat" in text.lower() else "floating" if "floating" in text else "damaged"
    return PhotoError(f"{path} is damaged and cannot be read ({text}). Replace it or take it out of its folder.", kind)
