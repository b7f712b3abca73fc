"""Photos with changed, missing and doubled bytes: each is read or refused with a PhotoError, and no more happens."""

import collections
import subprocess
import sys

import hostile
import numpy as np
import pytest

COUNT = 20_000
CODE = """
import pathlib, sys
from tutorial_utils.data import photos

root, seen = pathlib.Path(sys.argv[1]), {}
for path in sorted(root.iterdir()):
    try:
        image = photos.read_photo(path, 64)
        assert image.shape == (64, 64, 3)
        kind = "read"
    except photos.PhotoError as error:
        assert path.name in str(error)
        kind = error.kind
    seen[kind] = seen.get(kind, 0) + 1
print(seen)
"""


def mutated(content, rng):
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


@pytest.mark.slow
def test_no_bytes_crash_the_reader(tmp_path):
    rng = np.random.default_rng(0)
    whole = [content for content, kinds in hostile.corpus().values() if content and "too_large" not in kinds]
    done, headers = collections.Counter(), 0
    for batch in range(COUNT // 2000):
        folder = tmp_path / f"{batch}"
        folder.mkdir()
        for number in range(2000):
            content = whole[int(rng.integers(len(whole)))]
            changed = mutated(content, rng)
            headers += changed[:64] == content[:64]
            (folder / f"{number:04d}.jpg").write_bytes(changed)
        process = subprocess.run([sys.executable, "-c", CODE, folder], capture_output=True, text=True, timeout=300)
        assert process.returncode == 0, (folder, process.returncode, process.stderr[-3000:])
        said = process.stderr.splitlines()
        odd = [line for line in said if not line.startswith(("JPEGLib: ", "tempfile.tif: "))]  # libtiff's own words
        assert odd == []
        done.update(eval(process.stdout))
    assert sum(done.values()) == COUNT
    assert headers > COUNT / 2
    assert done["read"] > COUNT / 10
    assert done["damaged"] + done["truncated"] > COUNT / 10
