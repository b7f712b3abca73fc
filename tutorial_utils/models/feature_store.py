"""Rows of numbers on disk, one a photo, found by content: safe against kills, flipped bytes and a second writer.

A store is a folder of shards. A shard is a file of three parts: the sha256 of all that follows, a line of JSON
(which photos, which type and shape), the rows themselves. It is written in one atomic step under a name made from
its photos, so that two processes that store the same photos write the same file.
"""

import functools
import hashlib
import json
import math
import os
import shutil

import numpy as np

from .. import _files
from ..data import image_stats

SHARD_ROWS = 256  # at most; a kill loses no more work than one shard
SHARD_BYTES = 32 * 2**20
_DIGEST = 65  # bytes of the first line: 64 hex digits, line feed


class StoreFull(ValueError):
    """What is asked for would not fit; says how much it is, how much there is, and what to do."""


def root():
    """Return the folder that holds every store (TUTORIAL_CACHE moves it)."""
    return _files.cache_folder() / "activations"


def clear_cache():
    """Delete what the package has computed: stored activations, converted networks (litert) and image_stats.

    Generated and downloaded photos stay. What is needed again is computed again.
    """
    for folder in (root(), _files.cache_folder() / "litert", image_stats.cache_folder()):
        shutil.rmtree(folder, ignore_errors=True)


class FeatureStore:
    """A folder of rows that all mean the same: `about` says what, and gives the folder its name.

    about : dict of plain values; a store with any value changed is another store
    shape : of one row; dtype : "float32" or "float16"
    """

    def __init__(self, about, shape, dtype="float32"):
        self.shape, self.dtype = tuple(map(int, shape)), np.dtype(dtype)
        text = json.dumps({**about, "shape": self.shape, "dtype": self.dtype.name}, sort_keys=True)
        self.folder = root() / hashlib.sha256(text.encode()).hexdigest()[:32]
        self._about = text

    @property
    def row_bytes(self):
        """The bytes of one row."""
        return math.prod(self.shape) * self.dtype.itemsize

    def shard_rows(self):
        """Return how many rows one shard holds."""
        return max(1, min(SHARD_ROWS, SHARD_BYTES // self.row_bytes))

    def places(self, ids):
        """Return {id: (path, row)} for those of `ids` that are stored, every shard among them checked whole."""
        wanted, found = set(ids), {}
        for path in sorted(self.folder.glob("*.shard")):
            names = self._names(path)
            if names is not None and not wanted.isdisjoint(names):
                found |= {name: (path, row) for row, name in enumerate(names) if name in wanted}
        return found

    def missing(self, ids):
        """Return those of `ids` that are not stored, each once, in order."""
        found = self.places(ids)
        return [name for name in dict.fromkeys(ids) if name not in found]

    def write(self, ids, rows):
        """Store rows (len(ids), *shape) as one shard, in one atomic step.

        Raises ValueError if a row holds a value that is no number, or too large for the store's type.
        """
        with np.errstate(over="ignore"):
            data = np.ascontiguousarray(rows, self.dtype)
        if data.shape != (len(ids), *self.shape):
            raise ValueError(f"Expected rows of shape {(len(ids), *self.shape)}; got {data.shape}.")
        if not np.isfinite(data).all():
            raise ValueError(f"Some values are infinite or no number as {self.dtype.name}. Store them as float32.")
        header = (json.dumps({"ids": list(ids), "about": json.loads(self._about)}) + "\n").encode()
        header = header.rjust(-(-(len(header) + _DIGEST) // 64) * 64 - _DIGEST)  # rows start at a multiple of 64
        body = hashlib.sha256(header)
        body.update(data.data)

        def put(part):
            with open(part, "wb") as file:
                file.write(body.hexdigest().encode() + b"\n" + header)
                file.write(data.data)

        return _files.replace_with(self.folder / f"{_name(ids)}.shard", put)

    def check_room(self, rows):
        """Raise StoreFull if `rows` more rows would pass the limit of all stores, or fill the disk."""
        need, used, limit = rows * self.row_bytes, _used(), _limit()
        existing = next(folder for folder in (self.folder, *self.folder.parents) if folder.is_dir())
        free = shutil.disk_usage(existing).free - 2**30  # a gigabyte is left to others
        if need > min(limit - used, free):
            raise StoreFull(
                f"The activations of {rows} photos need {_size(need)} in {root()}. The limit is {_size(limit)}, of "
                f"which {_size(used)} are used; the disk has {_size(max(free, 0))} free. Choose a later cut, smaller "
                'images or dtype="float16"; free space with feature_store.clear_cache(); or raise the limit with the '
                "environment variable TUTORIAL_STORE_GB."
            )

    def sweep(self):
        """Delete what a killed process left half written, once it is an hour old."""
        _files.sweep(self.folder)

    def _names(self, path):
        """Return the ids of a shard that is whole; else say so, delete it and return None."""
        try:
            status = path.stat()
            names, _ = _checked(path, status.st_size, status.st_mtime_ns)
        except FileNotFoundError:
            return None  # another process found it damaged and deleted it
        except ValueError as error:
            print(f"{path} is damaged ({error}). Its photos are computed again.")
            path.unlink(missing_ok=True)
            return None
        return names


class StoredFeatures:
    """The stored rows of some photos, in the photos' order; `rows[3]`, `rows[[5, 2]]` or `rows[:10]` reads them.

    What is read comes as float32 (n, *shape). Files are mapped into memory only while they are read.
    """

    def __init__(self, store, ids):
        found = store.places(ids)
        files = sorted({path for path, _ in found.values()})
        number = {path: place for place, path in enumerate(files)}
        self.shape = (len(ids), *store.shape)
        self.store, self.ids, self._files = store, tuple(ids), files
        self._file = np.array([number[found[name][0]] for name in ids])
        self._row = np.array([found[name][1] for name in ids])

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, which):
        one = np.ndim(which) == 0 and not isinstance(which, slice)
        files, places = np.atleast_1d(self._file[which]), np.atleast_1d(self._row[which])
        read = np.empty((len(files), *self.shape[1:]), np.float32)
        for number in np.unique(files):
            here = np.flatnonzero(files == number)
            read[here] = _map(self._files[number], self.store)[places[here]]
        return read[0] if one else read

    def __array__(self, dtype=None, copy=None):
        return self[:].astype(dtype or np.float32, copy=False)


def photo_ids(paths):
    """Return the sha256 of each file's bytes: what a photo is known by, wherever it lies."""
    return [_files.sha256(path) for path in paths]


def digest(versions):
    """Return the sha256 (hex) of what a list of StoredFeatures holds, by photos and by meaning; no row is read."""
    text = "\n".join(f"{rows.store.folder.name} {_name(rows.ids)}" for rows in versions)
    return hashlib.sha256(text.encode()).hexdigest()


def _name(ids):
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]


@functools.lru_cache(maxsize=65536)
def _checked(path, size, changed):
    """Return (ids, place of the first row) of a shard; ValueError if its bytes are not those written.

    size, changed : the file's, so that a file is read whole once and again only after it has changed
    """
    with open(path, "rb") as file:
        digest = file.read(_DIGEST).strip().decode(errors="replace")
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            raise ValueError("its checksum is wrong")
        file.seek(_DIGEST)
        header = json.loads(file.readline())
        return tuple(header["ids"]), file.tell()


def _map(path, store):
    status = os.stat(path)
    ids, start = _checked(path, status.st_size, status.st_mtime_ns)
    return np.memmap(path, store.dtype, "r", start, (len(ids), *store.shape))


def _used():
    return sum(path.stat().st_size for path in root().glob("*/*.shard"))


def _limit():
    given = os.environ.get("TUTORIAL_STORE_GB", "20")
    try:
        return int(float(given) * 1e9)
    except ValueError:
        raise ValueError(f"TUTORIAL_STORE_GB must be a number of gigabytes; got {given!r}.") from None


def _size(count):
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
