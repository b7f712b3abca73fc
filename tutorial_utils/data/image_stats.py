"""What can be said of each photo by looking at it once: one row of facts a photo, whatever is wrong with its file."""

import concurrent.futures
import pathlib

import numpy as np
import pandas
import PIL.Image
import tqdm.auto

from .. import _check, _files, _machine
from . import duplicates
from .images import Header, PhotoError, decode

SEEN = 96  # pixels of the side at which brightness and sharpness are measured: about what a network uses

_WINDOW = 64  # photos that wait for a processor core at a time, so that memory does not grow with their number


def compute_stats(photos, progress=True):
    """Return a DataFrame of facts, one row a photo, in the order and with the index of the photos table.

    Columns: `path`; `problem` (a PhotoError's kind, "" for a photo that can be read) and `reason`; `bytes`, `sha256`;
    `format`, `mode`, `width`, `height`, `animated`, `orientation`, `profile`, `taken` as in photos.Header;
    `brightness` and `contrast` (mean and deviation of the gray, 0-255), `sharpness` (deviation of its Laplacian over
    its own); `color` (mean R, G, B), `border` (corners and middles of the sides, R, G, B, 0-255), `thumbnail`
    (copies.thumbnail). Where a photo cannot be read, what needs its pixels is missing.
    """
    _check.columns(photos, ["path"])
    paths = list(photos["path"])
    windows = [paths[start : start + _WINDOW] for start in range(0, len(paths), _WINDOW)]
    bar = tqdm.auto.tqdm(total=len(paths), desc="looking at photos", unit="photo", disable=not progress)
    rows = []
    with bar, concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        ahead = []
        for window in [*windows, []]:
            gray = np.zeros((len(window), SEEN, SEEN), np.uint8)
            ahead.append((pool.map(_look, window, gray), gray))  # the threads fill this one, we measure the one before
            if len(ahead) > 1:
                rows += _measured(*ahead.pop(0))
                bar.update(len(rows) - bar.n)
    table = pandas.DataFrame(rows, index=photos.index, columns=list(_EMPTY))
    return table.assign(taken=pandas.to_datetime(table["taken"], format="%Y:%m:%d %H:%M:%S", errors="coerce"))


def _look(path, gray):
    """Return the facts of one file as a dict, as described at `of`; draw it small into `gray`, uint8 (SEEN, SEEN)."""
    path = pathlib.Path(path)
    found = {**_EMPTY, "path": str(path)}
    try:
        content = path.read_bytes()
        found |= {"bytes": len(content), "sha256": _files.sha256_of(content)}
        image, header = decode(path, content)
    except PhotoError as error:
        return found | {"problem": error.kind, "reason": str(error)}
    except OSError as error:
        return found | {"problem": "missing", "reason": f"{path} cannot be opened ({error.strerror})."}
    small = image.convert("L").resize((SEEN, SEEN), PIL.Image.Resampling.BOX)
    gray[:] = small
    down, across = ([0, size // 2, size - 1] for size in (image.height, image.width))
    around = [(x, y) for row, y in enumerate(down) for column, x in enumerate(across) if (row, column) != (1, 1)]
    return found | {
        **header._asdict(),
        "color": np.asarray(image.resize((8, 8), PIL.Image.Resampling.BOX, reducing_gap=2.0), np.float32).mean(
            axis=(0, 1)
        ),
        "border": np.array([image.getpixel(place) for place in around], np.uint8),
        "thumbnail": duplicates.thumbnail(small),
    }


def _measured(rows, gray):
    """Return the rows as a list, with what their gray pictures tell: all at once, which threads do no faster.

    rows : what `_look` gives; gray : uint8 (photos, SEEN, SEEN)
    """
    rows = list(rows)  # waits until `gray` is drawn
    gray = gray.astype(np.float32)
    around = gray[:, :-2, 1:-1] + gray[:, 2:, 1:-1] + gray[:, 1:-1, :-2] + gray[:, 1:-1, 2:]
    laplacian = 4 * gray[:, 1:-1, 1:-1] - around
    brightness, contrast = gray.mean(axis=(1, 2)), gray.std(axis=(1, 2))
    sharpness = laplacian.std(axis=(1, 2)) / np.maximum(contrast, 1)
    for row, *values in zip(rows, brightness, contrast, sharpness, strict=True):
        if not row["problem"]:
            row |= zip(("brightness", "contrast", "sharpness"), map(float, values), strict=True)
    return rows


_EMPTY = {
    "path": "",
    "problem": "",
    "reason": "",
    "bytes": 0,
    "sha256": "",
    **dict.fromkeys(Header._fields),
    "brightness": np.nan,
    "contrast": np.nan,
    "sharpness": np.nan,
    "color": None,
    "border": None,
    "thumbnail": None,
}
