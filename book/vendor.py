"""Scripts that the book's pages need, so that a reader fetches nothing.

The version and the sha512 of each package stand here; its files are kept in book/_vendor/vendor. anywidget's script
comes from the installed Python package, so it always fits the widgets that were saved.
"""

import importlib.util
import pathlib
import shutil

from tutorial_utils.course.npm_packages import Package, fetch

BOOK = pathlib.Path(__file__).resolve().parent
KEPT = BOOK / "_vendor" / "vendor"  # Sphinx copies _vendor to _static
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


def scripts(kept=KEPT):
    """Return the folder of the scripts' files, fetched if they are not there yet. Raises npm_packages.NotThere."""
    return fetch(SCRIPTS, kept)


def widgets(kept=KEPT):
    """Copy anywidget's script, as an AMD module, to where `scripts` keeps its files."""
    package = pathlib.Path(importlib.util.find_spec("anywidget").origin).parent
    kept.mkdir(parents=True, exist_ok=True)
    shutil.copy(package / "nbextension" / "index.js", kept / "anywidget.js")
