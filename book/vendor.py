"""Scripts that the book's pages need, fetched with npm once and checked, so that a reader fetches nothing.

The version and the sha512 of each package stand here; its files are kept in book/_vendor/vendor. anywidget's script
comes from the installed Python package, so it always fits the widgets that were saved.
"""

import base64
import hashlib
import importlib.util
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
from typing import NamedTuple

BOOK = pathlib.Path(__file__).resolve().parent
KEPT = BOOK / "_vendor" / "vendor"  # Sphinx copies _vendor to _static


class Package(NamedTuple):
    """An npm package: its exact version, its integrity as npm states it, and {file in it: where it goes}."""

    name: str
    version: str
    integrity: str
    files: dict


_ICONS = ("1551f4f60c37af51121f.woff2", "7a3337626410ca2f4071.woff2", "d878b0a6a1144760244f.woff2")

SCRIPTS = [
    Package(
        "requirejs",
        "2.3.8",
        "sha512-7/cTSLOdYkNBNJcDMWf+luFvMriVm7eYxp4BcFCsAX0wF421Vyce5SXP17c+Jd5otXKGNehIonFlyQXSowL6Mw==",
        {"require.js": "require.js"},
    ),
    Package(
        "@jupyter-widgets/html-manager",
        "1.0.15",
        "sha512-5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",
        {f"dist/{name}": f"html-manager/{name}" for name in ("embed-amd.js", *_ICONS)},
    ),
    Package(
        "mathjax",
        "4.1.3",
        "sha512-BN/8Pkgn7G1pIDYJqd9md+JHsE/jydSYbyOZnSdSA0WziuVO8mRxdYiWFumkVVly/8U+hm9DpIIoWuvySverzw==",
        {"tex-svg.js": "mathjax/tex-svg.js"},
    ),
]


class NotThere(RuntimeError):
    """npm is missing, or a package cannot be had or is not the one that was checked; says which and what to do."""


def fetch(packages=SCRIPTS, kept=KEPT):
    """Return the folder of the packages' files, fetched if they are not there yet. Raises NotThere."""
    for package in packages:
        mark = kept / f".{package.name.replace('/', '-')}-{package.version}"
        if not mark.is_file():
            _take(package, kept)
            mark.touch()
    return kept


def widgets(kept=KEPT):
    """Copy anywidget's script, as an AMD module, to where `fetch` keeps its files."""
    package = pathlib.Path(importlib.util.find_spec("anywidget").origin).parent
    kept.mkdir(parents=True, exist_ok=True)
    shutil.copy(package / "nbextension" / "index.js", kept / "anywidget.js")


def _take(package, kept):
    """Fetch a package, check it, and copy its files to `kept`."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotThere(
            f"The book needs npm to fetch {package.name} {package.version}, once; its pages then need no network. "
            "Install Node.js, which brings npm, and try again."
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--pack-destination", folder, f"{package.name}@{package.version}"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        archives = list(pathlib.Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            reason = " ".join(done.stderr.split())[-300:]
            raise NotThere(f"npm could not fetch {package.name} {package.version}: {reason}")
        found = integrity(archives[0].read_bytes())
        if found != package.integrity:
            raise NotThere(f"{package.name} {package.version} is not the package that was checked: {found}")
        _unpack(archives[0], package.files, kept)


def integrity(content):
    """Return the sha512 of some bytes as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode("ascii")


def _unpack(archive, files, kept):
    with tarfile.open(archive) as package:
        for inside, outside in files.items():
            target = kept / outside
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(package.extractfile(f"package/{inside}").read())
