"""The control of chapter 8 is moved without a browser; what it shows must follow."""

import datetime
import pathlib

import pytest

from tests.course.test_predictor import red_or_green  # noqa: F401
from tests.widgets.boxes import find
from tutorial_utils.course import predictor
from tutorial_utils.widgets import own_photos


@pytest.fixture
def paths(tmp_path, make_photo):
    return [str(make_photo(tmp_path / f"{name}.png", color)) for name, color in [("r", (99, 0, 0)), ("g", (0, 25, 0))]]


def control(red_or_green, paths):  # noqa: F811
    """Red 99, green 25: softmax of 99 / 25 and 0 is 98 % red, of 25 / 25 and 0 is 73 % green."""
    box = own_photos.explore_predictor(red_or_green, paths, start=0.5)
    return find(box, "Dropdown")[0], find(box, "FloatSlider")[0], find(box, "FileUpload")[0], find(box, "HTML")[0]


def test_the_answer_follows_the_photo_and_the_slider(red_or_green, paths):  # noqa: F811
    photo, slider, _, view = control(red_or_green, paths)
    assert "answer: red, 98% sure" in view.value
    photo.value = paths[1]
    assert "answer: green, 73% sure" in view.value
    slider.value = 0.9
    assert "I don&#x27;t know: green, but only 73% sure" in view.value


def dropped(name, content):
    """Return what the browser hands over when a file is dropped."""
    when = datetime.datetime(2026, 11, 26, tzinfo=datetime.UTC)
    about = {"name": name, "type": "image/png", "size": len(content), "last_modified": when}
    return ({**about, "content": memoryview(content)},)


def test_a_photo_of_ones_own_comes_first(red_or_green, paths):  # noqa: F811
    photo, _, upload, view = control(red_or_green, paths)
    upload.value = dropped("../../mine.png", pathlib.Path(paths[1]).read_bytes())
    assert photo.options[0][0] == "yours: ../../mine.png"
    assert ".." not in photo.value  # written inside the control's own folder
    assert "answer: green, 73% sure" in view.value


def test_a_file_that_is_no_photo_is_said(red_or_green, paths):  # noqa: F811
    _, _, upload, view = control(red_or_green, paths)
    upload.value = dropped("notes.txt", b"hello there")
    assert "not read." in view.value
    assert "is not a photo" in view.value


def test_a_photo_unlike_all_that_was_learned_gets_no_answer(red_or_green, paths):  # noqa: F811
    strict = red_or_green._replace(train_features=None)
    row = next(predictor.predict_photos(strict, paths[:1], progress=False)).iloc[0]
    assert own_photos.verdict(row, 0.5) == "red, 98% sure"
    row["unknown"] = "yes"
    assert own_photos.verdict(row, 0.5).startswith("I don't know: unlike all that I learned from")


def test_an_infinite_threshold_starts_in_the_middle(red_or_green, paths):  # noqa: F811
    assert find(own_photos.explore_predictor(red_or_green, paths, start=float("inf")), "FloatSlider")[0].value == 0.5
