"""Download an archive; unpack it without trusting it: inside its folder, no links, bounded, all of it or nothing."""

import contextlib
import functools
import gzip
import os
import pathlib
import re
import shutil
import stat
import struct
import tarfile
import urllib.parse
import uuid
import zipfile
import zlib

from .. import _files, _machine

MOST_FILES = 100_000
MOST_BYTES = 4 * 2**30  # of all files together, unpacked
_MOST_AT_ONCE = 2**20  # bytes; nothing that an archive says makes us hold more in memory than a few of these
_WINDOWS = os.name == "nt"
_RESERVED = {"con", "prn", "aux", "nul", *(f"{kind}{number}" for kind in ("com", "lpt") for number in range(1, 10))}
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, OSError)
_BROKEN += (NotImplementedError, RuntimeError, ValueError, IndexError, OverflowError, MemoryError)


class DownloadError(OSError):
    """A file that could not be downloaded; says why, and how to get it by hand."""


class ArchiveError(ValueError):
    """An archive that is damaged, or that would do what photos have no need of; says which entry and why."""


def fetch(url, sha256):
    """Return the path of a file from the network, downloaded once into `downloads/` of the cache folder.

    url : https; sha256 : 64 hex digits, which the file's bytes must have
    A file that was saved there by hand counts if its sha256 is right. Two processes may fetch the same file.
    Raises DownloadError, with the address and what to do by hand.
    """
    name = pathlib.PurePosixPath(urllib.parse.urlsplit(url).path).name
    path = _files.cache_folder() / "downloads" / f"{sha256[:16]}-{name}"
    if path.is_file() and _files.sha256(path) == sha256:
        return path
    by_hand = f"To do it by hand, download {url} and save it as {path}"
    if _machine.is_offline():
        here = "is damaged (its sha256 is wrong)" if path.is_file() else "is not on this machine"
        raise DownloadError(f"{name} {here}, and TUTORIAL_OFFLINE forbids downloads. {by_hand}")
    try:
        _download(url, sha256, path)
    except (OSError, ValueError) as error:
        raise DownloadError(f"{name} could not be downloaded: {str(error).rstrip('.')}. {by_hand}") from error
    return path


def _download(url, sha256, path):
    import pooch  # here: half a second, which only a download is worth
    import requests  # which pooch downloads with

    def check_redirect(response, **_):
        _check_address(urllib.parse.urljoin(response.url, response.headers.get("Location", "")))

    _check_address(url)
    options = {"chunk_size": 2**18, "timeout": (5, 30), "hooks": {"response": check_redirect}}  # seconds: connect, read
    try:
        pooch.retrieve(url, sha256, path.name, path.parent, downloader=pooch.HTTPDownloader(True, **options))
    except (requests.ConnectionError, requests.Timeout) as error:
        raise OSError("the server does not answer; check the network") from error


def _check_address(url):
    """Raise ValueError unless an address is https, or on this machine, so that nothing of it crosses a network."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and parts.hostname != "127.0.0.1":
        raise ValueError(f"{url} is not an https address")


def unpack(archive, folder, most_files=MOST_FILES, most_bytes=MOST_BYTES, skip=None):
    """Unpack a zip, tar or tar.gz archive as the new folder `folder`; return its path.

    skip : function from an entry's name to whether it is passed over, or None
    Everything is written beside `folder` first and put in its place at the end; a folder that is there already stays.
    Directories are made as files need them; modes, owners and times are not taken over.
    Raises ArchiveError, and leaves nothing, for an entry that points out of the folder, is a link, a device or
    encrypted, comes twice or has a name that this system cannot keep; for more than `most_files` entries or
    `most_bytes` unpacked; for a damaged archive.
    """
    archive, folder = pathlib.Path(archive), pathlib.Path(folder)
    if folder.is_dir():
        return folder
    staged = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    staged.mkdir(parents=True)
    try:
        _write_all(archive, staged, most_files, most_bytes, skip)
        with contextlib.suppress(OSError):  # another process was faster: its folder is the same
            staged.rename(folder)
        if not folder.is_dir():
            raise OSError(f"{staged} could not be renamed to {folder}.")
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return folder


def _write_all(archive, staged, most_files, most_bytes, skip):
    seen, left = set(), most_bytes
    try:
        with _open(archive, most_files, most_bytes) as entries:
            for number, (name, problem, start) in enumerate(entries):
                if number >= most_files:
                    raise ArchiveError(f"{archive} has more than {most_files:,} entries; it is not unpacked.")
                if skip is not None and skip(name):
                    continue
                problem = problem or _problem_of_name(name, seen, start is None)
                if problem:
                    raise ArchiveError(f"{archive}: the entry {name!r} {problem}. Nothing of it is unpacked.")
                if start is not None:
                    left -= _copy(start, staged / name, left)
                if left < 0:
                    raise ArchiveError(f"{archive} unpacks to more than {most_bytes:,} bytes; it is not unpacked.")
    except ArchiveError:
        raise
    except _BROKEN as error:
        raise ArchiveError(f"{archive} could not be unpacked ({type(error).__name__}: {error}).") from error


def _problem_of_name(name, seen, is_folder):
    """Return what is wrong with an entry's name, or None; remember it in `seen`."""
    parts = name.removeprefix("./").rstrip("/").split("/")
    if name in (".", "./"):
        return None  # the folder itself
    if not name or name.startswith("/") or ".." in parts or re.match("[A-Za-z]:", name):
        return "points out of the folder"
    windows = _WINDOWS and (
        re.search(r'[:*?"<>|]', name)
        or any(part != part.rstrip(" .") or part.split(".")[0].casefold() in _RESERVED for part in parts)
    )
    if windows or re.search(r"[\x00-\x1f\\]", name) or not all(parts):
        return "has a name that this system cannot keep"
    key = "/".join(parts).casefold()
    if key in seen and not is_folder:
        return "comes twice"
    seen.add(key)
    return None


def _copy(start, path, most):
    """Write what `start()` opens to the new file `path`, not much more than `most` bytes; return how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with start() as source, open(path, "xb") as target:
        while written <= most and (block := source.read(_MOST_AT_ONCE)):
            written += len(block)
            target.write(block)
    return written


@contextlib.contextmanager
def _open(archive, most_files, most_bytes):
    """Give an iterator over (name, problem or None, function that opens a file's stream) of an archive's entries."""
    with open(archive, "rb") as file:
        begin = file.read(2)
    if begin == b"PK":
        with zipfile.ZipFile(archive) as opened:
            yield _zip_entries(opened)
        return
    with (gzip.open if begin == b"\x1f\x8b" else open)(archive, "rb") as stream:
        # headers and padding are a part of the stream too: three blocks of 512 bytes a file are ample
        bounded = _Bounded(stream, most_bytes + most_files * 3 * 512)
        with tarfile.open(fileobj=bounded, mode="r:", errorlevel=2) as opened:
            yield _tar_entries(opened)


def _zip_entries(opened):
    for entry in opened.infolist():
        kind = stat.S_IFMT(entry.external_attr >> 16)
        problem = None
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            problem = "is a link or a device"
        elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            problem = "is packed in a way that can fill the memory"
        yield entry.filename, problem, None if entry.is_dir() else functools.partial(opened.open, entry)


def _tar_entries(opened):
    while entry := opened.next():
        opened.members = []  # tarfile would keep every header
        problem = None if entry.isreg() or entry.isdir() else "is a link or a device"
        yield entry.name, problem, functools.partial(opened.extractfile, entry) if entry.isreg() else None
    opened.fileobj.seek(opened.offset)  # tarfile takes a header that it cannot read for the end
    if opened.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise ArchiveError("The archive breaks off, or a header in it is damaged.")


class _Bounded:
    """What tarfile needs of a file, except that it never gives much at once, nor much in all."""

    def __init__(self, stream, most):
        self.stream, self.most = stream, most

    def read(self, size):
        """Return bytes; tarfile reads headers by this, of sizes that the archive names."""
        if not 0 <= size <= _MOST_AT_ONCE:
            raise ArchiveError(f"A header of this archive says that it is {size:,} bytes long.")
        self._check(self.tell() + size)
        return self.stream.read(size)

    def seek(self, place):
        """Go to a place; in packed archives that means to unpack up to there."""
        self._check(place)
        return self.stream.seek(place)

    def tell(self):
        """Return the place in the unpacked stream."""
        return self.stream.tell()

    def _check(self, place):
        if place > self.most + 16 * _MOST_AT_ONCE:
            raise ArchiveError(f"This archive unpacks to more than {self.most:,} bytes.")
