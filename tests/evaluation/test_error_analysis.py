import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests.widgets.boxes import find
from tutorial_utils.data import layouts
from tutorial_utils.evaluation import error_analysis


@pytest.fixture
def found(class_folders):
    """Twenty photos, ten healthy, ten ill; healthy 0 and 1 are taken for ill, ill 10 for healthy, the latter surest."""
    photos = layouts.load_folder(class_folders)
    labels = photos["label"].cat.codes.to_numpy()
    probabilities = np.where(labels[:, None] == np.arange(2), 0.9, 0.1)
    probabilities[0], probabilities[1], probabilities[10] = (0.4, 0.6), (0.2, 0.8), (0.95, 0.05)
    angles = np.linspace(0, 1, 20)
    rows = np.column_stack([np.cos(angles), np.sin(angles)]) * np.arange(1, 21)[:, None]  # length says nothing
    return error_analysis.find_errors(
        photos, labels, probabilities, photos, rows, rows, heat=lambda wrong: np.ones((len(wrong), 2, 2))
    )


def test_the_surest_mistake_comes_first(found):
    assert found.table["place"].tolist() == [10, 1, 0]
    assert found.table["true"].tolist() == ["ill", "healthy", "healthy"]
    assert found.table["predicted"].tolist() == ["healthy", "ill", "ill"]
    assert found.table["confidence"].tolist() == [0.95, 0.8, 0.6]


def test_the_photos_most_alike_point_the_same_way(found):
    """Angles grow evenly, so a photo is most like itself, then like its neighbors, whatever the rows' lengths."""
    assert found.near[0][0] == found.table["path"].iloc[0]
    known = np.array([[1.0, 0], [0, 5.0], [3.0, 3.1]])
    assert error_analysis.nearest_photos(np.array([[0.1, 0.12], [9.0, 0.1]]), known, 2).tolist() == [[2, 1], [0, 2]]


def test_each_mistake_is_a_row_with_its_heat_and_what_is_like_it(found):
    figure = error_analysis.figure(found, most=2)
    titles = [ax.get_title() for ax in figure.axes]
    assert len(figure.axes) == 2 * (1 + 1 + 3)
    assert titles[0] == "ill,\ntaken for healthy,\n95% sure"
    assert titles[2] == f"training photo:\n{found.near_labels[0][0]}"
    assert "2 surest of 3 mistakes" in figure.get_suptitle()
    plt.close(figure)


def test_the_browser_shows_one_cell_of_the_matrix(found):
    box = error_analysis.browse(found)
    (menu,), (slider,), (view,) = find(box, "Dropdown"), find(box, "IntSlider"), find(box, "HTML")
    assert [label for label, _ in menu.options] == [
        "all 3 mistakes", "healthy, taken for ill: 2", "ill, taken for healthy: 1",
    ]  # fmt: skip
    assert slider.max == 3
    slider.value = 3
    assert "taken for ill, 60% sure" in view.value
    menu.value = ("healthy", "ill")
    assert slider.max == 2
    assert "taken for ill, 80% sure" in view.value
    menu.value = ("ill", "healthy")
    assert "taken for healthy, 95% sure" in view.value
    menu.index = 0
    assert (menu.index, menu.label, slider.max) == (0, "all 3 mistakes", 3)


def test_without_a_mistake_it_says_so(found):
    none = found._replace(table=found.table.iloc[:0])
    assert "no mistake" in error_analysis.browse(none).value
    with pytest.raises(ValueError, match="every photo is right"):
        error_analysis.figure(none)
