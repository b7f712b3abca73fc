"""What every test shares: no downloads, run folders away from the checkout, real photos where they are."""

import http.server
import os
import pathlib
import threading

import matplotlib
import numpy as np
import PIL.Image
import pytest

matplotlib.use("Agg")
os.environ.setdefault("TUTORIAL_OFFLINE", "1")  # tests never download; cached weights are used where they are
ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture
def root():
    """The checkout."""
    return ROOT


@pytest.fixture
def shared():
    """The folder of real photos that TUTORIAL_SHARED names (.ci/run sets it); the test skips without it."""
    folder = os.environ.get("TUTORIAL_SHARED")
    if not folder or not pathlib.Path(folder).is_dir():
        pytest.skip("needs the real photos that the environment variable TUTORIAL_SHARED points to")
    return pathlib.Path(folder)


@pytest.fixture
def mobilenet_weights():
    """Path of cached MobileNetV2 weights; the test skips where KERAS_HOME holds none."""
    from tutorial_utils.models import backbones

    path = backbones.cache_path("mobilenet_v2")
    if not path.is_file():
        pytest.skip("needs MobileNetV2 weights in the Keras cache (KERAS_HOME)")
    return path


@pytest.fixture
def make_photo():
    """Return a function that writes a tiny photo of one color, or of random pixels, and returns its path."""

    def make(path, color=None, size=(8, 6), seed=0, **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        image = PIL.Image.fromarray(pixels) if color is None else PIL.Image.new("RGB", size, color)
        image.save(path, **options)
        return path

    return make


@pytest.fixture
def class_folders(tmp_path, make_photo):
    """A folder with two classes of ten tiny photos each."""
    for place, (name, color) in enumerate([("healthy", (0, 160, 0)), ("ill", (160, 60, 0))]):
        for number in range(10):
            shade = tuple(min(255, value + 5 * number) for value in color)
            make_photo(tmp_path / "photos" / name / f"{number}.png", shade, seed=place)
    return tmp_path / "photos"


@pytest.fixture
def serve():
    """Return a function that starts a server on this machine, for whose requests it calls `answer(request)`.

    It returns the server's address; `request` is an http.server.BaseHTTPRequestHandler.
    """
    servers = []

    def start(answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            do_GET = do_HEAD = answer

            def log_message(self, *_):
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _mutated(content, rng):
    """Return the bytes with one to eight changes; two times in three the first 64 bytes are left as they are."""
    content = bytearray(content)
    start = 64 if rng.random() < 2 / 3 else 0
    for _ in range(rng.integers(1, 9)):
        if len(content) <= start + 8:
            break
        place = int(rng.integers(start, len(content)))
        change = rng.integers(4)
        if change == 0:
            content[place] = int(rng.integers(256))
        elif change == 1:
            content[place : place + 4] = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
        elif change == 2:
            del content[place : place + int(rng.integers(1, 200))]
        else:
            content[place:place] = content[place : place + int(rng.integers(1, 200))]
    return bytes(content)


@pytest.fixture
def mutated():
    """Return a function that changes a file's bytes, for fuzzing."""
    return _mutated
