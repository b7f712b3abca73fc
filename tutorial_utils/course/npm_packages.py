"""Scripts for pages, fetched with npm once and checked, so that whoever opens the page fetches nothing."""

import base64
import hashlib
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
from typing import NamedTuple

from .. import _files

_QUICK = ("--loglevel=error", "--fetch-retries=1", "--fetch-timeout=60000")  # or npm waits a minute where nothing is


class Package(NamedTuple):
    """An npm package: its exact version, its integrity as npm states it, and {file in it: where it goes}."""

    name: str
    version: str
    integrity: str
    files: dict


class NotThere(RuntimeError):
    """npm is missing, or a package cannot be had or is not the one that was checked; says which and what to do."""


def fetch(packages, kept=None):
    """Return the folder of the packages' files, fetched if they are not there yet.

    packages : list of Package; kept : folder, None for one in the cache
    Raises NotThere.
    """
    kept = _files.cache_folder() / "npm" if kept is None else pathlib.Path(kept)
    for package in packages:
        mark = kept / f".{package.name.replace('/', '-')}-{package.version}"
        if not all(path.is_file() for path in (mark, *(kept / outside for outside in package.files.values()))):
            _take(package, kept)
            mark.touch()
    return kept


def _take(package, kept):
    """Fetch a package, check it, and copy its files to `kept`."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotThere(
            f"npm is needed to fetch {package.name} {package.version}, once; pages made with it need no network. "
            "Install Node.js, which brings npm, and try again."
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", *_QUICK, "--pack-destination", folder, f"{package.name}@{package.version}"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        archives = list(pathlib.Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            reason = " ".join(done.stderr.split())[-300:]
            raise NotThere(f"npm could not fetch {package.name} {package.version}: {reason}")
        found = integrity(archives[0].read_bytes())
        if found != package.integrity:
            raise NotThere(f"{package.name} {package.version} is not the package that was checked: {found}")
        with tarfile.open(archives[0]) as archive:
            for inside, outside in package.files.items():
                _files.write_bytes(kept / outside, archive.extractfile(f"package/{inside}").read())


def integrity(content):
    """Return the sha512 of some bytes as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode("ascii")
