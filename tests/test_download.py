"""Against a server of our own that breaks off, lies about lengths and sends the wrong bytes."""

import hashlib
import http.server
import multiprocessing
import os
import threading
from typing import ClassVar

import numpy as np
import pytest

from tutorial_utils import _download
from tutorial_utils._download import DownloadError

CONTENT = np.random.default_rng(0).bytes(300_000)
SUM = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """What it does is told by the first part of the address."""

    asked: ClassVar = []  # (way, range)

    def do_GET(self):
        way, wanted = self.path.split("/")[1], self.headers.get("Range")
        self.asked.append((way, wanted))
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        turn = sum(name == way for name, _ in self.asked)
        if way == "refuses":
            self.send_error(503)
        elif way == "breaks" and turn < 3:  # whole after two breaks
            self.answer(first, CONTENT[first : first + 100_000], len(CONTENT) - first)
        elif way == "breaks_for_good":
            self.answer(first, CONTENT[first : first + 1000], len(CONTENT) - first)
        elif way == "starts_again":  # no ranges; breaks once
            self.answer(0, CONTENT[:50_000] if turn == 1 else CONTENT, len(CONTENT), ranges=False)
        elif way == "wrong":
            self.answer(first, bytes(len(CONTENT)), len(CONTENT))
        elif way == "longer":
            self.answer(first, CONTENT + b"more", len(CONTENT) + 4)
        elif way == "without_length":
            self.answer(first, CONTENT[first:], None)
        elif way == "lies":  # says half, sends half
            self.answer(0, CONTENT[: len(CONTENT) // 2], len(CONTENT) // 2, ranges=False)
        elif way == "redirects":
            self.send_response(302)
            self.send_header("Location", "http://example.org/file.zip")
            self.end_headers()
        else:
            self.answer(first, CONTENT[first:], len(CONTENT) - first)

    def answer(self, first, body, length, ranges=True):
        self.send_response(206 if first and ranges else 200)
        if first and ranges:
            self.send_header("Content-Range", f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def address(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TUTORIAL_OFFLINE", "0")
    monkeypatch.setattr(_download, "WAIT", 0.01)
    monkeypatch.setattr(Server, "asked", [])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetch(address, way, **options):
    return _download.fetch(f"{address}/{way}/photos.zip", SUM, len(CONTENT), **options)


def left():
    """The names in the folder of downloads."""
    return sorted(path.name for path in _download.folder().iterdir())


def test_a_file_is_fetched_once(address):
    seen = []
    path = fetch(address, "plain", progress=seen.append)
    assert path.read_bytes() == CONTENT
    assert path == _download.folder() / f"{SUM[:16]}-photos.zip"
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)
    assert fetch(address, "plain") == path
    assert Server.asked == [("plain", None)]
    assert left() == [path.name]


@pytest.mark.parametrize("way", ["breaks", "starts_again", "without_length"])
def test_a_broken_line_is_mended(address, way):
    assert fetch(address, way).read_bytes() == CONTENT
    assert len(left()) == 1


def test_a_break_goes_on_where_it_broke(address):
    fetch(address, "breaks")
    assert Server.asked == [("breaks", None), ("breaks", "bytes=100000-"), ("breaks", "bytes=200000-")]


def test_the_next_call_goes_on_too(address):
    with pytest.raises(DownloadError, match="4,000 of 300,000 bytes are kept"):
        fetch(address, "breaks_for_good")
    assert left() == [f"{SUM[:16]}-photos.zip.part"]
    assert fetch(address, "plain").read_bytes() == CONTENT
    assert Server.asked[-1] == ("plain", "bytes=4000-")


def test_what_a_killed_process_left_is_taken_up_once_it_is_old(address):
    path = _download.folder() / f"{SUM[:16]}-photos.zip"
    path.parent.mkdir(parents=True)
    left_behind = path.with_name(f"{path.name}.0123abcd.part")
    left_behind.write_bytes(CONTENT[:120_000])
    assert fetch(address, "plain").read_bytes() == CONTENT
    assert left_behind.exists()  # young: its process may be alive
    path.unlink()
    os.utime(left_behind, (1, 1))
    assert fetch(address, "plain").read_bytes() == CONTENT
    assert Server.asked == [("plain", None), ("plain", "bytes=120000-")]
    assert left() == [path.name]


def test_a_beginning_that_is_taken_up_is_no_longer_old(address, monkeypatch):
    """Or a second process would take it from the first before the first byte has come."""
    waiting = _download.folder() / f"{SUM[:16]}-photos.zip.part"
    waiting.parent.mkdir(parents=True)
    waiting.write_bytes(CONTENT[:1000])
    os.utime(waiting, (1, 1))
    fill, seen = _download._fill, []

    def look_and_fill(url, path, *rest):
        seen.append(_download._abandoned(waiting.with_suffix("")))
        fill(url, path, *rest)

    monkeypatch.setattr(_download, "_fill", look_and_fill)
    assert fetch(address, "plain").read_bytes() == CONTENT
    assert seen == [[]]
    assert Server.asked == [("plain", "bytes=1000-")]


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("refuses", "Service Unavailable"),
        ("wrong", "not the expected one"),
        ("longer", "more than the 300,000 bytes"),
        ("lies", "150,000 of 300,000 bytes"),
        ("redirects", "not an https address"),
    ],
)
def test_nothing_wrong_is_kept(address, way, words):
    with pytest.raises(DownloadError, match=words) as caught:
        fetch(address, way)
    assert not [name for name in left() if not name.endswith(".part")]
    if way not in ("longer", "redirects"):
        assert f"save it as {_download.folder() / (SUM[:16] + '-photos.zip')}" in str(caught.value)


def test_offline_says_what_to_do_by_hand(address, monkeypatch):
    monkeypatch.setenv("TUTORIAL_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"By hand: fetch .*photos.zip and save it as"):
        fetch(address, "plain")
    path = _download.folder() / f"{SUM[:16]}-photos.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert fetch(address, "plain") == path
    assert Server.asked == []


def test_a_wrong_file_that_was_saved_by_hand_is_named(address):
    path = _download.folder() / f"{SUM[:16]}-photos.zip"
    path.parent.mkdir(parents=True)
    path.write_text("<html>")
    with pytest.raises(DownloadError, match=r"photos.zip is not the expected file .* Delete it"):
        fetch(address, "plain")


def test_plain_http_is_not_asked_elsewhere(address):
    with pytest.raises(DownloadError, match="not an https address"):
        _download.fetch("http://example.org/photos.zip", SUM, len(CONTENT))


def _fetch_in_process(address, found):
    found.put(str(fetch(address, "plain")))


def test_two_processes_fetch_the_same_file(address):
    context, found = multiprocessing.get_context("fork"), multiprocessing.get_context("fork").SimpleQueue()
    workers = [context.Process(target=_fetch_in_process, args=(address, found)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)
        assert worker.exitcode == 0
    paths = {found.get() for _ in workers}
    assert len(paths) == 1
    assert _download.folder().joinpath(paths.pop()).read_bytes() == CONTENT
    assert len(left()) == 1
