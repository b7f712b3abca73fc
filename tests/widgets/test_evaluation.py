"""Each control of chapter 6 is moved without a browser; what it shows must follow."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests.widgets.boxes import find
from tutorial_utils.data import layouts
from tutorial_utils.evaluation import error_analysis
from tutorial_utils.widgets import evaluation


def confusion(paths, most=6):
    """Three healthy photos, of which two are taken for ill, the second surer; one ill photo, found."""
    box = evaluation.browse_confusion(paths, [0, 0, 0, 1], [0, 1, 1, 1], ["healthy", "ill"], [0.9, 0.6, 0.8, 0.7], most)
    return find(box, "Picture")[0], find(box, "HTML")[0]


@pytest.fixture
def paths(class_folders):
    return layouts.load_folder(class_folders)["path"].iloc[[0, 1, 2, 10]].tolist()


def test_the_photos_of_a_cell_are_shown(paths):
    matrix, view = confusion(paths)
    assert matrix.texts == [
        "healthy, found: 1 photo", "healthy, taken for ill: 2 photos", "ill, taken for healthy: 0 photos",
        "ill, found: 1 photo",
    ]  # fmt: skip
    assert matrix.chosen == 1  # the largest mistake
    assert 'alt="healthy, taken for ill: 2 photos"' in view.value
    matrix.chosen = 2
    assert view.value == "<p>ill, taken for healthy: 0 photos</p>"
    matrix.chosen = 3
    assert 'alt="ill, found: 1 photo"' in view.value


def test_the_cells_lie_as_the_matrix_does(paths):
    matrix, _ = confusion(paths)
    left, top, _, _ = np.array(matrix.places).T
    assert left[0] == left[2] < left[1] == left[3]  # predicted, from left to right
    assert top[0] == top[1] < top[2] == top[3]  # true, from the top


def test_of_many_classes_the_cells_that_hold_photos_can_be_chosen(paths):
    names = [f"class_{number:03d}" for number in range(120)]
    box = evaluation.browse_confusion(paths, [5, 5, 7, 119], [5, 80, 7, 119], names, [0.9, 0.6, 0.8, 0.7])
    (matrix,), (view,) = find(box, "Picture"), find(box, "HTML")
    assert matrix.texts == [
        "class_005, found: 1 photo", "class_005, taken for class_080: 1 photo", "class_007, found: 1 photo",
        "class_119, found: 1 photo",
    ]  # fmt: skip
    assert matrix.chosen == 1
    assert 'alt="class_005, taken for class_080: 1 photo"' in view.value
    across, down = np.array(matrix.places).T  # centers, as cells are too small to be hit
    assert across[0] < across[2] < across[1] < across[3]
    assert down[0] == down[1] < down[2] < down[3]
    matrix.chosen = 3
    assert 'alt="class_119, found: 1 photo"' in view.value


def test_the_surest_come_first_and_no_more_than_asked(paths, monkeypatch):
    shown = []
    monkeypatch.setattr(
        evaluation.plots, "photo_grid", lambda photos, titles, **_: shown.append(titles) or plt.figure()
    )
    confusion(paths, most=1)
    assert shown == [["80% sure"]]


def test_a_photo_that_is_gone_is_said_and_the_control_lives_on(paths, tmp_path):
    paths[1] = str(tmp_path / "gone.png")
    matrix, view = confusion(paths)
    assert "gone.png" in view.value
    matrix.chosen = 3
    assert "ill, found" in view.value


LABELS = np.array([0, 0, 0, 1])
PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])  # right, right, wrong, right


@pytest.mark.parametrize(
    ("threshold", "number", "expected"),
    [
        (0.0, None, (1, 3 / 4, 3 / 4)),
        (0.7, None, (3 / 4, 2 / 3, 2 / 4)),  # a photo at the threshold is answered
        (0.75, None, (2 / 4, 1, 2 / 4)),
        (0.95, None, (0, np.nan, 0)),
        (0.0, 0, (1, 1, 2 / 3)),
        (0.65, 0, (2 / 3, 1, 1 / 3)),  # answered: right, and taken for the other
        (0.0, 1, (1, 1 / 2, 1)),
        (0.75, 1, (1, 1, 1)),
    ],
)
def test_scores_by_hand(threshold, number, expected):
    found = evaluation.scores_at(LABELS, PROBABILITIES, [threshold], number)
    np.testing.assert_allclose([found[score][0] for score in ("coverage", "precision", "recall")], expected)


def test_all_thresholds_at_once():
    found = evaluation.scores_at(LABELS, PROBABILITIES, [0.0, 0.75, 0.95])
    np.testing.assert_allclose(found["coverage"], [1, 0.5, 0])


def test_the_scores_follow_the_controls():
    answers = {"validation": (LABELS, PROBABILITIES), "test": (LABELS[:2], PROBABILITIES[:2])}
    box = evaluation.explore_threshold(answers, ["healthy", "ill"], chosen=0.7)
    (which, of_class), (slider,), (view,) = find(box, "Dropdown"), find(box, "FloatSlider"), find(box, "HTML")
    assert "validation photos, all classes, answers only when at least 70% sure" in view.value
    assert "coverage 75%, precision 67%, recall 50%" in view.value
    slider.value = 0.75
    assert "coverage 50%, precision 100%, recall 50%" in view.value
    of_class.value = 1
    of_class.index = 0
    assert of_class.index == 0
    assert "all classes" in view.value
    of_class.value = 1
    assert "validation photos, ill, answers only when at least 75% sure: coverage 100%" in view.value
    which.value = "test"
    assert "test photos, ill" in view.value
    assert "coverage no photo, precision no photo, recall no photo" in view.value


def test_without_a_threshold_in_use_the_slider_starts_in_the_middle():
    box = evaluation.explore_threshold({"test": (LABELS, PROBABILITIES)}, ["a", "b"], chosen=np.inf)
    assert find(box, "FloatSlider")[0].value == 0.5
    assert "at least 50% sure" in find(box, "HTML")[0].value


@pytest.mark.parametrize("masks", [None, np.eye(8, dtype=bool)[None].repeat(2, axis=0)])
def test_the_saliency_map_follows_the_controls(masks):
    images, maps = np.full((2, 8, 8, 3), 120.0), np.linspace(0, 1, 32).reshape(2, 4, 4)
    box = evaluation.explore_saliency(images, maps, ["rust", "mosaic"], masks, start=0.5)
    (menu,), (slider,), (view,) = find(box, "Dropdown"), find(box, "FloatSlider"), find(box, "HTML")
    assert "rust: the photo, and the photo under its saliency map at a strength of 50%" in view.value
    slider.value = 0
    menu.value = 1
    assert "mosaic: the photo, and the photo under its saliency map at a strength of 0%" in view.value
    before = view.value
    for tick in find(box, "Checkbox"):
        tick.value = False
        assert view.value != before
    assert bool(find(box, "Checkbox")) == (masks is not None)


def test_a_map_of_no_strength_is_the_photo():
    image = np.random.default_rng(0).integers(0, 255, (8, 8, 3))
    figure, _ = evaluation.draw_saliency(image, np.ones((4, 4)), strength=0)
    assert [each.get_alpha() for each in figure.axes[1].images] == [None, 0]
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), image)
    plt.close(figure)


def test_the_error_follows_its_pair_and_its_number(class_folders):
    """Of twenty photos, 0 and 1 are taken for ill, 1 more surely, and 10, the surest of all, for healthy."""
    photos = layouts.load_folder(class_folders)
    labels = photos["label"].cat.codes.to_numpy()
    probabilities = np.where(labels[:, None] == np.arange(2), 0.9, 0.1)
    probabilities[[0, 1, 10]] = [[0.4, 0.6], [0.2, 0.8], [0.95, 0.05]]
    rows = np.random.default_rng(0).normal(size=(20, 3))
    box = evaluation.browse_errors(error_analysis.find_errors(photos, labels, probabilities, photos, rows, rows))
    (menu,), (slider,), (view,) = find(box, "Dropdown"), find(box, "IntSlider"), find(box, "HTML")
    assert [text for text, _ in menu.options] == [
        "all 3 errors", "healthy, taken for ill: 2", "ill, taken for healthy: 1",
    ]  # fmt: skip
    assert "Error 1 of 3: ill, taken for healthy, 95% sure" in view.value
    slider.value = 3
    assert "Error 3 of 3: healthy, taken for ill, 60% sure" in view.value
    menu.index = 1
    assert (slider.value, slider.max) == (1, 2)
    assert "Error 1 of 2: healthy, taken for ill, 80% sure" in view.value


def test_without_an_error_it_says_so(class_folders):
    photos = layouts.load_folder(class_folders)
    labels = photos["label"].cat.codes.to_numpy()
    found = error_analysis.find_errors(photos, labels, np.eye(2)[labels], photos, np.ones((20, 1)), np.ones((20, 1)))
    assert "Every photo is right" in evaluation.browse_errors(found).value
