"""Which photos are wrong, and which training photos are like them: angles that can be done by hand."""

import numpy as np
import pytest

from tutorial_utils.data import layouts
from tutorial_utils.evaluation import error_analysis


def errors(class_folders, wrong=(0, 1, 10), **options):
    """Twenty photos, ten healthy, ten ill; 0 and 1 are taken for ill, 10 for healthy, the latter surest.

    Each photo's features point a little further round than the one before; their lengths say nothing.
    """
    photos = layouts.load_folder(class_folders)
    labels = photos["label"].cat.codes.to_numpy()
    probabilities = np.where(labels[:, None] == np.arange(2), 0.9, 0.1)
    for place, ill in [(0, 0.6), (1, 0.8), (10, 0.05)]:
        if place in wrong:
            probabilities[place] = 1 - ill, ill
    angles = np.linspace(0, 1, 20)
    rows = np.column_stack([np.cos(angles), np.sin(angles)]) * np.arange(1, 21)[:, None]
    return error_analysis.find_errors(photos, labels, probabilities, photos, rows, rows, **options)


def test_the_surest_error_comes_first(class_folders):
    found = errors(class_folders)
    assert found.table["place"].tolist() == [10, 1, 0]
    assert found.table["true"].tolist() == ["ill", "healthy", "healthy"]
    assert found.table["predicted"].tolist() == ["healthy", "ill", "ill"]
    assert found.table["confidence"].tolist() == [0.95, 0.8, 0.6]
    assert found.maps is None


def test_each_error_has_its_map_and_the_training_photos_most_like_it(class_folders):
    """Angles grow evenly, so a photo is most like itself, then like its neighbors: ill 10 like healthy 9 and ill 11."""
    found = errors(class_folders, saliency_of=lambda wrong: np.ones((len(wrong), 2, 2)) * wrong[:, None, None])
    assert found.maps[:, 0, 0].tolist() == [10, 1, 0]
    assert found.near[0][0] == found.table["path"].iloc[0]
    assert found.near_labels[0][0] == "ill"
    assert sorted(found.near_labels[0]) == ["healthy", "ill", "ill"]
    assert found.near_labels[2] == ["healthy"] * 3
    last = found.only([2])
    assert last.table["place"].tolist() == [0]
    assert (last.near, last.near_labels) == ([found.near[2]], [found.near_labels[2]])
    assert last.maps.tolist() == [[[0, 0], [0, 0]]]
    assert errors(class_folders).only([0]).maps is None
    assert len(errors(class_folders, count=30).near[0]) == 20  # all there are


def test_without_an_error_there_is_nothing(class_folders):
    found = errors(class_folders, wrong=(), saliency_of=lambda wrong: pytest.fail("there is no photo to explain"))
    assert (len(found.table), found.near, found.maps) == (0, [], None)


def test_the_nearest_photos_point_the_same_way():
    """At 45 degrees from both axes; the cosine of 45 degrees is 0.7071. A photo of no features is at right angles."""
    known = np.array([[1.0, 0], [0, 5.0], [3.0, 3.0]])
    distances, places = error_analysis.nearest_photos(np.array([[2, 2], [9.0, 0], [0, 0]]), known, 2)
    assert places[:2, 0].tolist() == [2, 0]
    assert places[1, 1] == 2
    np.testing.assert_allclose(distances, [[0, 1 - 0.5**0.5], [0, 1 - 0.5**0.5], [1, 1]], atol=1e-12)
    assert error_analysis.nearest_photos(known, known)[1].tolist() == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("features", "known", "message"),
    [
        (np.ones((2, 3, 3, 4)), np.ones((9, 4)), "Expected features .* Pool the maps"),
        (np.ones((2, 4)), np.empty((0, 4)), "Expected known .* at least one photo"),
        ([[np.nan, 1]], np.ones((9, 2)), "features as finite numbers"),
        (np.ones((2, 3)), np.ones((9, 4)), "as many channels .* 4; got 3"),
        (np.ones((2, 3)), np.ones((4, 3)), "number of known photos, 4; got 5"),
    ],
)
def test_what_cannot_be_compared_is_refused(features, known, message):
    with pytest.raises(ValueError, match=message):
        error_analysis.nearest_photos(features, known, count=5)
