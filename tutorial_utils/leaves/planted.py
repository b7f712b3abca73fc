"""A shortcut, planted on purpose: photos as if each class had been taken on a board of its own, with printed corners.

The corners have nothing to do with the leaf, and give its class away. Chapter 6 teaches a model on such photos, and
finds out what it looks at.
"""

import colorsys
import concurrent.futures
import pathlib

import numpy as np
import PIL.Image

from .. import _check, _machine
from ..data.images import read_image


def add_watermarks(photos, folder, told=None, share=0.15):
    """Write a copy of each photo with its class's sign in all four corners; return their photos table (chapter 6).

    photos : photos table; folder : where the copies go, JPEG of the photo's own size; what it holds is replaced
    told : int (photos,), the class whose sign each photo gets; None: its own
    share : the sign's side, of the photo's shorter side; above 0, below 0.5
    Returns the table with `path` pointing to the copies, and the column `mark`: the path of a PNG of the photo's size,
    255 where the signs are, as the column `mask` has it for lesions.
    Raises PhotoError for a photo that cannot be read, ValueError for anything else that does not fit.
    """
    _check.columns(photos, ["path", "label"])
    if not 0 < share < 0.5:
        raise ValueError(f"share must be above 0 and below 0.5; got {share!r}.")
    told, count = _told(photos, told), len(photos["label"].cat.categories)
    folder = pathlib.Path(folder).expanduser()
    for kind in ("photos", "marks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)

    def write(row):
        image = read_image(photos["path"].iloc[row])
        side = max(4, round(share * min(image.shape[:2])))
        image, where = in_corners(image, sign(told[row], count, side))
        paths = folder / "photos" / f"{row:05d}.jpg", folder / "marks" / f"{row:05d}.png"
        PIL.Image.fromarray(image).save(paths[0], quality=95, subsampling=0)
        PIL.Image.fromarray(np.where(where, 255, 0).astype(np.uint8)).save(paths[1])
        return tuple(map(str, paths))

    with concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        path, where = zip(*pool.map(write, range(len(photos))), strict=True)
    return photos.assign(path=list(path), add_watermarks=list(where))


def in_corners(image, small):
    """Return (image, where): a copy with the picture `small` in each corner, and where these are, bool (height, width).

    image : uint8 (height, width, 3), 0-255; small : uint8 (side, side, 3). They stand off the border by a fiftieth.
    """
    (height, width), side = image.shape[:2], len(small)
    gap = round(0.02 * min(height, width))
    image, where = image.copy(), np.zeros((height, width), bool)
    for top in (gap, height - gap - side):
        for left in (gap, width - gap - side):
            image[top : top + side, left : left + side] = small
            where[top : top + side, left : left + side] = True
    return image, where


def sign(number, count, side):
    """Return the sign of class `number` of `count`, uint8 (side, side, 3), 0-255: a color, and a white shape on it.

    Hues are as far apart as can be; there are six shapes, so a seventh class shares its shape with the first.
    """
    across = (np.arange(side) + 0.5) / side - 0.5  # -0.5 ... 0.5
    x, y = across[None, :], across[:, None]
    stripes, bands = np.floor(4 * (x + 0.5)) % 2 == 1, np.floor(4 * (y + 0.5)) % 2 == 1
    far = np.hypot(x, y)
    shapes = (
        np.broadcast_to(stripes, (side, side)),
        stripes ^ bands,  # a chessboard
        np.floor(8 * far) % 2 == 1,  # rings
        far < 0.35,  # a disk
        (np.abs(x) < 0.12) | (np.abs(y) < 0.12),  # a plus
        np.abs(np.abs(x) - np.abs(y)) < 0.12,  # a cross
    )
    color = [round(255 * part) for part in colorsys.hsv_to_rgb(number / count, 0.9, 0.9)]
    return np.where(shapes[number % len(shapes)][..., None], 255, color).astype(np.uint8)


def _told(photos, told):
    count = len(photos["label"].cat.categories)
    told = photos["label"].cat.codes.to_numpy() if told is None else np.asarray(told)
    if told.shape != (len(photos),) or not len(told) or told.min() < 0 or told.max() >= count:
        raise ValueError(f"told must be a class, 0 ... {count - 1}, for each of {len(photos)} photos; got {told!r}.")
    return told
