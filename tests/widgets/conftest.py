import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    """A figure that a control leaves open would appear under the next cell that runs."""
    before = plt.get_fignums()  # of other tests
    yield
    assert plt.get_fignums() == before
