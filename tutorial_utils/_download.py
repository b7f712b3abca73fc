"""Files from the network: over https, resumed after a break, kept only if their sha256 is right."""

import glob
import http.client
import os
import pathlib
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

from . import _files

TRIES = 4
WAIT = 2.0  # seconds before the second try, twice that before the third, ...
TIMEOUT = 30  # seconds without a byte
_BLOCK = 2**18
_LOCAL = ("127.0.0.1", "localhost", "::1")  # may be plain http: nothing of it crosses a network


class DownloadError(OSError):
    """A file that could not be had; says what was tried and what to do by hand."""


def folder():
    """Return the folder that keeps downloads (TUTORIAL_CACHE moves it)."""
    return _files.cache_folder() / "downloads"


def fetch(url, sha256, size, progress=None):
    """Return the path of a file of the network, fetched once and then kept in `folder()`.

    url : https; sha256 : 64 hex digits that its bytes must have; size : its bytes, none more are ever read
    progress : function that is called with the number of bytes that are there, each time some have come
    A broken download goes on where it broke, in this call or in the next. Two processes may fetch the same file.
    Raises DownloadError, with the address and what to do by hand, if the file cannot be had or is another.
    """
    name = pathlib.PurePosixPath(urllib.parse.urlsplit(url).path).name
    path = folder() / f"{sha256[:16]}-{name}"
    by_hand = f"By hand: fetch {url} and save it as {path}."
    if path.is_file():  # it may have been put there by hand
        if path.stat().st_size == size and _files.sha256(path) == sha256:
            return path
        raise DownloadError(f"{path} is not the expected file (its size or sha256 differs). Delete it, and try again.")
    if os.environ.get("TUTORIAL_OFFLINE") == "1":
        raise DownloadError(f"{name} is not here yet, and TUTORIAL_OFFLINE=1 forbids to fetch it. {by_hand}")
    _check_address(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(path.name + ".part")  # what an earlier call left; only one process can take it
    mine = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    any(_rename(left, mine) for left in (waiting, *_abandoned(path)))
    mine.touch()  # makes it, or says that it is in use again
    try:
        _fill(url, mine, size, progress or (lambda count: None), by_hand)
        if _files.sha256(mine) != sha256:
            mine.unlink()
            raise DownloadError(f"{url} gave a file that is not the expected one (its sha256 differs). {by_hand}")
        os.replace(mine, path)
    finally:
        if mine.exists() and mine.stat().st_size:
            os.replace(mine, waiting)
        mine.unlink(missing_ok=True)
    return path


def _fill(url, path, size, progress, by_hand):
    """Append to `path` until it holds `size` bytes; try again when the line breaks, as long as more bytes come."""
    for attempt in range(TRIES):
        try:
            _append(url, path, size, progress)
            problem = "the server sent less than the whole file"
        except (OSError, http.client.HTTPException, ValueError) as error:
            problem = getattr(error, "reason", None) or error
        if path.stat().st_size == size:
            return
        if isinstance(problem, DownloadError):
            raise problem
        if attempt + 1 < TRIES:
            time.sleep(WAIT * 2**attempt)
    here = f"{path.stat().st_size:,} of {size:,} bytes are kept; the next call goes on there."
    raise DownloadError(f"{url} could not be fetched ({problem}). {here} {by_hand}")


def _append(url, path, size, progress):
    there = path.stat().st_size
    if there > size:
        there = _empty(path)
    headers = {"Range": f"bytes={there}-"} if there else {}
    request = urllib.request.Request(url, headers={"User-Agent": "tutorial_utils", **headers})
    with _OPENER.open(request, timeout=TIMEOUT) as answer, open(path, "ab") as file:
        goes_on = answer.status == 206 and (answer.headers.get("Content-Range") or "").startswith(f"bytes {there}-")
        if there and not goes_on:  # the server sends the file from its start
            file.truncate(0)
            there = 0
        while block := answer.read(min(_BLOCK, size + 1 - there)):
            there += len(block)
            if there > size:
                file.truncate(0)
                raise DownloadError(f"{url} gives more than the {size:,} bytes that the file has.")
            file.write(block)
            progress(there)


def _empty(path):
    os.truncate(path, 0)
    return 0


def _abandoned(path):
    """Return the beginnings of `path` that a killed process left: no byte has come for twice the time that we wait."""
    parts = path.parent.glob(f"{glob.escape(path.name)}.*.part")
    return [part for part in parts if 0 < _modified(part) < time.time() - 2 * TIMEOUT]


def _modified(path):
    """Return when a file was changed last, 0 if it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0


def _rename(source, target):
    try:
        os.rename(source, target)
    except FileNotFoundError:
        return False
    return True


def _check_address(url):
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOCAL:
        raise DownloadError(f"{url} is not an https address; it is not fetched.")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow to https addresses only."""

    def redirect_request(self, request, fp, code, msg, headers, newurl):
        """Refuse an address that `fetch` itself would refuse."""
        _check_address(newurl)
        return super().redirect_request(request, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_Redirects)
