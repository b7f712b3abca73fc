"""What the tests in a browser share."""

import pytest

from tests.browser import lab
from tutorial_utils.course import npm_packages


@pytest.fixture(scope="session")
def chromium():
    """Path of Chromium or Chrome; the test skips where there is none."""
    path = lab.browser()
    if path is None:
        pytest.skip("needs a browser: install chromium")
    return path


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core, which judges how usable a page is for those who do not see it or use no mouse."""
    integrity = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
    package = npm_packages.Package("axe-core", "4.14.1", integrity, {"axe.min.js": "axe.min.js"})
    try:
        return (npm_packages.fetch([package]) / "axe.min.js").read_text(encoding="utf-8")
    except npm_packages.NotThere as reason:
        pytest.skip(str(reason))
