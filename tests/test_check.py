import numpy as np
import pytest

from tutorial_utils import _check


@pytest.mark.parametrize("value", [7, np.int64(7), np.uint8(7)])
def test_a_whole_number_of_any_kind_comes_back_as_an_int(value):
    assert type(_check.integer("seed", value, 0, 7)) is int


@pytest.mark.parametrize("value", [True, np.True_, 7.0, np.float64(7), "7", None, 8, -1])
def test_what_is_no_whole_number_of_the_range_is_named(value):
    with pytest.raises(ValueError, match=r"seed must be a whole number from 0 to 7; got "):
        _check.integer("seed", value, 0, 7)
