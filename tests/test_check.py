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


@pytest.mark.parametrize("value", [0, 1, -0.1, "0.5", True, None])
def test_what_is_no_share_is_named(value):
    with pytest.raises(ValueError, match="error must be a share between 0 and 1"):
        _check.share("error", value)
    assert _check.share("error", 0.5) == 0.5


@pytest.mark.parametrize("value", ["", "deutsch", "de_DE", 'de"', 4])
def test_what_is_no_tag_of_a_language_is_named(value):
    with pytest.raises(ValueError, match=r"of_labels must be the tag of a language, such as 'de'"):
        _check.language("of_labels", value)
    assert _check.language("of_labels", "pt-BR") == "pt-BR"


@pytest.mark.parametrize("value", ["", 4.0, None])
def test_what_is_no_text_is_named(value):
    with pytest.raises(ValueError, match=r"license must be a text; got .* -r license"):
        _check.text("license", value)
    assert _check.text("license", "4.0") == "4.0"
