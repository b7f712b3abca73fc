"""Photos with changed, missing and doubled bytes: each is read or refused with a PhotoError, and no more happens."""

import collections
import subprocess
import sys

import numpy as np
import pytest

from tests.data import hostile

COUNT = 20_000
CODE = """
import pathlib, sys
from tutorial_utils.data import images

root, seen = pathlib.Path(sys.argv[1]), {}
for path in sorted(root.iterdir()):
    try:
        assert images.read_image(path, 64).shape == (64, 64, 3)
        kind = "read"
    except images.PhotoError as error:
        assert path.name in str(error)
        kind = error.kind
    seen[kind] = seen.get(kind, 0) + 1
print(seen)
"""


@pytest.mark.slow
def test_no_bytes_crash_the_reader(tmp_path, mutated):
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
