"""Photos made for lessons, so that nothing is downloaded: spoiled ones, out-of-distribution images, watermarks.

A small folder with one folder per class, and the same with seven things wrong in it, are for chapter 2.
Photos on gray tables are for the lab shortcuts. Out-of-distribution images show none of the classes, whatever the
classes are; a model should not be sure of them. A watermark in the corners has nothing to do with the leaf and gives
its class away: a shortcut. Chapter 6 needs both.
"""

import colorsys
import concurrent.futures
import pathlib
import shutil

import numpy as np
import PIL.Image

from .. import _check, _machine
from ..data import splits
from ..data.images import read_image
from . import camera

OOD_KINDS = ("noise", "blank", "texture")
_PAINTED = 320  # pixels of a surface's side before it is resized: about that of a leaf photo


def write_class_folders(photos, folder, per_class, seed=0, side=256):
    """Write a few photos as PNG into one folder per class; return `folder` as a Path (chapter 2).

    photos : photos table of photos that can be read; folder : what it holds is replaced
    per_class : photos of each class, at most; side : of the square that each is resized to, in pixels
    """
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for number, row in enumerate(splits.sample_per_class(photos, per_class, seed=seed).itertuples()):
        path = folder / str(row.label).replace("/", " ") / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(read_image(row.path, side)).save(path)
    return folder


def spoil_photos(folder):
    """Spoil a folder from `write_class_folders` in seven ways, as happens to people; return it (chapter 2).

    In the first class one photo is cut off, one is there twice, and a text and an empty file are named .jpg. In the
    second there are a mirrored copy of one of the first class's, a black photo and a tiny one.
    """
    one, another = sorted(path for path in folder.iterdir() if path.is_dir())[:2]
    files = sorted(one.iterdir())
    second, third = files[1 % len(files)], files[2 % len(files)]
    picture, other = PIL.Image.open(files[0]).convert("RGB"), PIL.Image.open(min(another.iterdir())).convert("RGB")
    (one / "cut_off.png").write_bytes(second.read_bytes()[: second.stat().st_size // 2])
    (one / "list.jpg").write_text("I was exported by mistake.", encoding="utf-8")
    (one / "nothing.jpg").touch()
    shutil.copy(third, one / "again.png")
    picture.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT).save(another / "mirrored.jpg", quality=70)
    PIL.Image.new("RGB", (320, 240)).save(another / "lens_cap.jpg")
    other.resize((40, 40)).save(another / "tiny.png")
    return folder


def lay_on_tables(photos, folder, classes=None, width=0.05, side=160, seed=0):
    """Write a copy of each photo with a gray border, as if each class lay on a table of its own (lab shortcuts).

    photos : photos table; folder : where the copies go, JPEG of side x side pixels
    classes : int (photos,), the class whose table each photo gets; None: its own
    width : of the border, of the side; above 0, below 0.5; seed : of the little noise in each gray
    Returns the table with `path` pointing to the copies. Tables go from dark to light, from class to class a step.
    """
    _check.columns(photos, ["path", "label"])
    if not 0 < width < 0.5:
        raise ValueError(f"width must be above 0 and below 0.5; got {width!r}.")
    classes, count = _classes(photos, classes), len(photos["label"].cat.categories)
    folder, edge = pathlib.Path(folder).expanduser(), max(1, round(width * side))
    folder.mkdir(parents=True, exist_ok=True)

    def write(row):
        noise = np.random.default_rng([_check.seed(seed), row]).integers(-3, 4, 3)
        picture = np.full((side, side, 3), 90 + 60 * int(classes[row]) // count + noise, np.uint8)
        picture[edge:-edge, edge:-edge] = read_image(photos["path"].iloc[row], side - 2 * edge)
        path = folder / f"{row:05d}.jpg"
        PIL.Image.fromarray(picture).save(path, quality=90)
        return str(path)

    with concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        return photos.assign(path=list(pool.map(write, range(len(photos)))))


def ood_images(kind, count, size, seed=0):
    """Return out-of-distribution images, uint8 (count, size, size, 3), 0-255; image n is the same for any count.

    kind : "noise" (each pixel and channel drawn from 0 ... 255), "blank" (one gray over the whole image, from nearly
        black to nearly white) or "texture" (what leaf photos are laid on, without a leaf: board, paper, soil, wood,
        concrete, cloth, gravel, plants out of focus)
    size : side of the square, in pixels
    Raises ValueError for another kind, or a count or size that is no whole number above 0.
    """
    _check.choice("kind", kind, OOD_KINDS)
    _check.integer("count", count, 1, 10**6)
    _check.integer("size", size, 1, 4096)
    seeds = np.random.SeedSequence([_check.seed(seed), OOD_KINDS.index(kind)]).spawn(count)
    return np.stack([_MAKERS[kind](np.random.default_rng(each), size) for each in seeds])


def _noise(rng, size):
    return rng.integers(0, 256, (size, size, 3), dtype=np.uint8)


def _blank(rng, size):
    return np.full((size, size, 3), rng.integers(16, 240), np.uint8)


def _texture(rng, size):
    light = camera.background(rng, (_PAINTED, _PAINTED))  # linear, 0-1
    painted = PIL.Image.fromarray((255 * light ** (1 / 2.2)).round().astype(np.uint8))  # sRGB, as in leaves.painter
    return np.asarray(painted.resize((size, size), PIL.Image.Resampling.BILINEAR))


_MAKERS = {"noise": _noise, "blank": _blank, "texture": _texture}


def add_watermarks(photos, folder, classes=None, relative_size=0.15):
    """Write a copy of each photo with its class's watermark in all four corners; return their photos table (chapter 6).

    photos : photos table; folder : where the copies go, JPEG of the photo's own size; what it holds is replaced
    classes : int (photos,), the class whose watermark each photo gets; None: its own
    relative_size : the watermark's side, of the photo's shorter side; above 0, below 0.5
    Returns the table with `path` pointing to the copies, and the column `watermark_mask`: the path of a PNG of the
    photo's size, 255 where the watermarks are, as the column `mask` has it for lesions.
    Raises PhotoError for a photo that cannot be read, ValueError for anything else that does not fit.
    """
    _check.columns(photos, ["path", "label"])
    if not 0 < relative_size < 0.5:
        raise ValueError(f"relative_size must be above 0 and below 0.5; got {relative_size!r}.")
    classes, count = _classes(photos, classes), len(photos["label"].cat.categories)
    folder = pathlib.Path(folder).expanduser()
    for kind in ("photos", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)

    def write(row):
        image = read_image(photos["path"].iloc[row])
        side = max(4, round(relative_size * min(image.shape[:2])))
        image, mask = paste_in_corners(image, watermark(classes[row], count, side))
        paths = folder / "photos" / f"{row:05d}.jpg", folder / "masks" / f"{row:05d}.png"
        PIL.Image.fromarray(image).save(paths[0], quality=95, subsampling=0)
        PIL.Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(paths[1])
        return tuple(map(str, paths))

    with concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        paths, masks = zip(*pool.map(write, range(len(photos))), strict=True)
    return photos.assign(path=list(paths), watermark_mask=list(masks))


def paste_in_corners(image, small):
    """Return (image, mask): a copy with `small` in each corner, and where these are, bool (height, width).

    image : uint8 (height, width, 3), 0-255; small : uint8 (side, side, 3). They stand off the border by a fiftieth.
    """
    (height, width), side = image.shape[:2], len(small)
    gap = round(0.02 * min(height, width))
    image, mask = image.copy(), np.zeros((height, width), bool)
    for top in (gap, height - gap - side):
        for left in (gap, width - gap - side):
            image[top : top + side, left : left + side] = small
            mask[top : top + side, left : left + side] = True
    return image, mask


def watermark(number, count, side):
    """Return the watermark of class `number` of `count`, uint8 (side, side, 3), 0-255: a color, a white shape on it.

    Hues are as far apart as can be; there are six shapes, so a seventh class shares its shape with the first.
    """
    across = (np.arange(side) + 0.5) / side - 0.5  # -0.5 ... 0.5
    x, y = across[None, :], across[:, None]
    stripes, bands = np.floor(4 * (x + 0.5)) % 2 == 1, np.floor(4 * (y + 0.5)) % 2 == 1
    radius = np.hypot(x, y)
    shapes = (
        np.broadcast_to(stripes, (side, side)),
        stripes ^ bands,  # a chessboard
        np.floor(8 * radius) % 2 == 1,  # rings
        radius < 0.35,  # a disk
        (np.abs(x) < 0.12) | (np.abs(y) < 0.12),  # a plus
        np.abs(np.abs(x) - np.abs(y)) < 0.12,  # a cross
    )
    color = [round(255 * part) for part in colorsys.hsv_to_rgb(number / count, 0.9, 0.9)]
    return np.where(shapes[number % len(shapes)][..., None], 255, color).astype(np.uint8)


def _classes(photos, classes):
    """Return the class whose watermark each photo gets, int (photos,)."""
    count = len(photos["label"].cat.categories)
    classes = photos["label"].cat.codes.to_numpy() if classes is None else np.asarray(classes)
    if classes.shape != (len(photos),) or classes.min() < 0 or classes.max() >= count:
        raise ValueError(f"classes must be 0 ... {count - 1}, one for each of {len(photos)} photos; got {classes!r}.")
    return classes
