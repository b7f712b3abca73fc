"""What the tests in a browser share."""

import pytest

from tests.browser import lab


@pytest.fixture(scope="session")
def chromium():
    """Path of Chromium or Chrome; the test skips where there is none."""
    path = lab.browser()
    if path is None:
        pytest.skip("needs a browser: install chromium")
    return path
