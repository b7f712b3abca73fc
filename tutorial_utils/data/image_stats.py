"""What can be said of each photo by looking at it once: a row per photo, whatever is wrong with its file.

What was seen stays in the cache, photo by photo, until the file changes: the next chapter needs no second look.
"""

import concurrent.futures
import contextlib
import hashlib
import io
import json
import os
import pathlib

import numpy as np
import pandas
import PIL.Image
import tqdm.auto

from .. import _check, _files, _machine
from . import images

VERSION = 3  # of what is said of a photo; raise it when that changes
SEEN = 96  # pixels of the side at which brightness and sharpness are measured: about what a network uses
SIDE = 48  # pixels of a thumbnail's side
CACHED_FILES = 200  # of all data sets together; of the others, those used longest ago are deleted

_WINDOW = 64  # photos that wait for a processor core at a time, so that memory does not grow with their number
_ARRAYS = ("color", "border", "thumbnail")  # of a row; all else is plain values


def compute_stats(photos, progress=True):
    """Return a DataFrame, one row a photo, in the order and with the index of the photos table (chapter 2).

    Columns: `path`; `problem` (a PhotoError's kind, "" for a photo that can be read) and `reason`; `bytes`, `sha256`;
    `format`, `mode`, `width`, `height`, `animated`, `orientation`, `profile`, `taken` as in images.Header; `highest`,
    the brightest value of a photo of more than 8 bits, as it is read (0-255);
    `brightness` and `contrast` (mean and deviation of the gray, 0-255), `sharpness` (deviation of its Laplacian over
    its own); `color` (mean R, G, B), `border` (corners and middles of the sides, R, G, B, 0-255), `thumbnail`
    (see there). Where a photo cannot be read, what needs its pixels is missing.
    Photos whose files have not changed are not opened again: what was seen comes from the cache folder.
    """
    _check.columns(photos, ["path"])
    paths = [str(pathlib.Path(path)) for path in photos["path"]]
    rows = _find_rows(list(dict.fromkeys(paths)), progress)
    table = pandas.DataFrame([rows[path] for path in paths], index=photos.index, columns=list(_EMPTY))
    return table.assign(taken=pandas.to_datetime(table["taken"], format="%Y:%m:%d %H:%M:%S", errors="coerce"))


def thumbnail(image):
    """Return the gray thumbnail of a photo, uint8 (SIDE, SIDE). image : a PIL image, upright."""
    return np.asarray(image.convert("L").resize((SIDE, SIDE), PIL.Image.Resampling.BOX))


def _look_at(paths, progress):
    """Return the rows of the photos, dicts like _EMPTY."""
    windows = [paths[start : start + _WINDOW] for start in range(0, len(paths), _WINDOW)]
    bar = tqdm.auto.tqdm(total=len(paths), desc="looking at photos", unit="photo", disable=not (progress and paths))
    rows = []
    with bar, concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        ahead = []
        for window in [*windows, []]:
            gray = np.zeros((len(window), SEEN, SEEN), np.uint8)
            ahead.append((pool.map(_read_photo, window, gray), gray))  # threads fill this; we measure the one before
            if len(ahead) > 1:
                rows += _measure_gray(*ahead.pop(0))
                bar.update(len(rows) - bar.n)
    return rows


def _read_photo(path, gray):
    """Return the row of one file, without what `_measure_gray` adds; draw it small into `gray`, uint8 (SEEN, SEEN)."""
    path = pathlib.Path(path)
    row = {**_EMPTY, "path": str(path)}
    try:
        content = path.read_bytes()
        row |= {"bytes": len(content), "sha256": _files.sha256_of(content)}
        image, header = images.decode(path, content)
        images.check_complete(path, content)
    except images.PhotoError as error:
        return row | {"problem": error.kind, "reason": str(error)}
    except OSError as error:
        return row | {"problem": "missing", "reason": f"{path} cannot be opened ({error.strerror})."}
    small = image.convert("L").resize((SEEN, SEEN), PIL.Image.Resampling.BOX)
    gray[:] = small
    coarse = image.resize((8, 8), PIL.Image.Resampling.BOX, reducing_gap=2.0)
    down, across = ([0, size // 2, size - 1] for size in (image.height, image.width))
    around = [(x, y) for y in down for x in across]
    del around[4]  # the middle of the photo
    return row | {
        **header._asdict(),
        "highest": image.convert("L").getextrema()[1] if header.mode.startswith("I") else None,
        "color": np.asarray(coarse, np.float32).mean(axis=(0, 1)),
        "border": np.array([image.getpixel(place) for place in around], np.uint8),
        "thumbnail": thumbnail(small),
    }


def _measure_gray(rows, gray):
    """Return the rows as a list, with what their gray pictures tell: all at once, which threads do no faster.

    rows : what `_read_photo` gives; gray : uint8 (photos, SEEN, SEEN)
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
    **dict.fromkeys(images.Header._fields),
    "highest": None,
    "brightness": np.nan,
    "contrast": np.nan,
    "sharpness": np.nan,
    "color": None,
    "border": None,
    "thumbnail": None,
}


# --- the cache -------------------------------------------------------------------------------------------


def _find_rows(paths, progress):
    """Return {path: row}: those of unchanged files from the cache, the others from looking at the photos now."""
    stamps = {path: _stamp(path) for path in paths}
    folders = [os.path.dirname(os.path.abspath(path)) for path in paths]
    where = os.path.commonprefix(folders)  # noqa: RUF071 (a name, no path: commonpath refuses photos of two drives)
    name = cache_name(f"rows {VERSION} {images.VERSION} {PIL.__version__} {where}")
    cached = _read_rows(name)
    rows = {path: cached[stamp] | {"path": path} for path, stamp in stamps.items() if stamp in cached}
    missing = [path for path in paths if path not in rows]
    rows |= zip(missing, _look_at(missing, progress), strict=True)
    seen = {stamps[path]: rows[path] for path in missing if stamps[path] and not rows[path]["problem"]}
    if seen:  # what could not be read is looked at again: a package may be installed by then, a disk be back
        _write_rows(name, cached | seen)
    return rows


def _stamp(path):
    """Return what changes with a file: its absolute path, size and times of change; None for one that is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns


def cache_name(text, *parts):
    """Return the name under which `write_cache` keeps what depends on a text and on bytes."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape"))
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:32]


def read_cache(name):
    """Return the arrays, {name: array}, that `write_cache` kept; None where there are none or the file is damaged."""
    path = cache_folder() / f"{name}.cache"
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        return None
    with contextlib.suppress(OSError):  # another user's file can be read, and not touched
        os.utime(path)
    with np.load(io.BytesIO(content[32:]), allow_pickle=False) as arrays:
        return dict(arrays)


def write_cache(name, **arrays):
    """Keep arrays for `read_cache`, atomically; delete what was not used for longest. A full disk is no error."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    content = buffer.getvalue()
    folder = cache_folder()
    with contextlib.suppress(OSError):  # the cache saves time; without it everything works
        _files.write_bytes(folder / f"{name}.cache", hashlib.sha256(content).digest() + content)
        _files.sweep(folder)
        for old in sorted(folder.glob("*.cache"), key=lambda path: path.stat().st_mtime)[:-CACHED_FILES]:
            old.unlink()


def cache_folder():
    """Return the folder of what `write_cache` keeps (TUTORIAL_CACHE moves it)."""
    return _files.cache_folder() / "image_stats"


def _read_rows(name):
    """Return the rows that `_write_rows` kept, {stamp: row}."""
    arrays = read_cache(name)
    if arrays is None:
        return {}
    plain = json.loads(arrays.pop("plain").tobytes())
    return {
        tuple(stamp): row | {column: values[place] for column, values in arrays.items()}
        for place, (stamp, row) in enumerate(plain)
    }


def _write_rows(name, rows):
    """Keep the rows, {stamp: row}, of files that are still as they were."""
    rows = {stamp: row for stamp, row in rows.items() if stamp == _stamp(stamp[0])}
    plain = [[stamp, {key: row[key] for key in row if key not in _ARRAYS}] for stamp, row in rows.items()]
    arrays = {column: np.stack([row[column] for row in rows.values()]) for column in _ARRAYS if rows}
    write_cache(name, plain=np.frombuffer(json.dumps(plain).encode(), np.uint8), **arrays)
