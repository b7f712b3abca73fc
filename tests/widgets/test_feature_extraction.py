"""The controls of chapter 3 are moved without a browser: the head is trained anew, and what is shown follows."""

import numpy as np
import pytest

from tests.widgets.boxes import find
from tutorial_utils.widgets import feature_extraction

LABELS = np.array([0] * 6 + [1] * 4 + [2] * 2)


@pytest.mark.parametrize(
    ("number", "counts"),
    [(1, [1, 1, 1]), (3, [3, 3, 2]), (10, [6, 4, 2])],
)
def test_as_many_photos_of_each_class(number, counts):
    rows = feature_extraction.first_of_each(LABELS, number)
    assert np.bincount(LABELS[rows]).tolist() == counts


def test_more_photos_are_the_same_and_some_more():
    few, more = (set(feature_extraction.first_of_each(LABELS, number, seed=1)) for number in (2, 4))
    assert few < more


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [
        (np.repeat([0, 1], 84), [2, 5, 10, 20, 40, 84]),
        (np.repeat([0, 1], 500), [2, 5, 10, 20, 40, 200]),  # 400 of both classes
        (np.repeat(np.arange(100), 9), [2, 4]),
        (np.repeat([0, 1], 2), [2]),
    ],
)
def test_how_many_photos_there_are_to_choose_from(labels, numbers):
    assert feature_extraction.photos_a_class(labels) == numbers


@pytest.fixture
def tables():
    """Two classes that one feature tells apart, ten photos each: (train, validation)."""
    features = np.tile(np.float32([[1, 0], [-1, 0]]), (10, 1))
    labels = np.tile([0, 1], 10)
    return (features, labels), (features[:8], labels[:8])


def test_moved_the_head_is_trained_anew(tables):
    box = feature_extraction.explore_head(*tables, ["ill", "well"])
    (view,) = find(box, "HTML")
    controls = {slider.description: slider for slider in find(box, "SelectionSlider")}
    assert list(controls) == ["photos a class", "hidden units", "learning rate", "dropout"]
    assert "10 photos a class, 32 hidden units, rate 0.001, dropout 0.2" in view.value
    controls["photos a class"].value = 2
    controls["learning rate"].value = 3e-2
    assert "2 photos a class, 32 hidden units, rate 0.03, dropout 0.2" in view.value
    assert "validation accuracy 100.0 % right" in view.value
    assert "n = 8" in view.value


def test_no_training_outlasts_its_second(tables, monkeypatch):
    """Without any time one epoch is still made, so that there is a curve."""
    monkeypatch.setattr(feature_extraction, "SECONDS", 0)
    _, history = feature_extraction.train_small(*tables, number=5, units=2, rate=1e-3, dropout=0)
    assert history.index.tolist() == [0, 1]


def test_the_chosen_prediction_is_shown():
    images = np.zeros((2, 4, 4, 3), np.uint8)
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]])
    box = feature_extraction.browse_predictions(images, np.array([0, 1]), probabilities, ["ill", "well"])
    (slider,), (view,) = find(box, "IntSlider"), find(box, "HTML")
    slider.value = 1
    assert "Photo 1 of class well; the model says ill" in view.value
