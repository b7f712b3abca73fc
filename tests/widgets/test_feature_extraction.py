"""The controls of chapter 3 are moved without a browser: what is shown follows."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests.widgets.boxes import find
from tutorial_utils.widgets import controls, feature_extraction

LABELS = np.array([0] * 6 + [1] * 4 + [2] * 2)


def test_more_photos_are_the_same_and_some_more():
    few, more = (feature_extraction.sample_rows(LABELS, number, seed=1) for number in (3, 5))
    assert np.bincount(LABELS[few]).tolist() == [3, 3, 2]
    assert np.bincount(LABELS[more]).tolist() == [5, 4, 2]
    assert set(few) < set(more)


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [
        (np.repeat([0, 1], 84), [3, 5, 10, 20, 40, 84]),
        (np.repeat([0, 1], 500), [3, 5, 10, 20, 40, 200]),  # 400 of both classes
        (np.repeat(np.arange(100), 9), [3, 4]),
        (np.repeat([0, 1], 2), [3]),
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
    sliders = {slider.description: slider for slider in find(box, "SelectionSlider")}
    assert list(sliders) == ["photos a class", "hidden units", "learning rate"]
    assert "10 photos a class, 32 hidden units, rate 0.001" in view.value
    sliders["photos a class"].value = 3
    sliders["learning rate"].value = 3e-2
    assert "3 photos a class, 32 hidden units, rate 0.03" in view.value
    assert "validation accuracy 100.0 % right" in view.value
    assert "n = 8" in view.value


def test_no_training_outlasts_its_second(tables, monkeypatch):
    """Without any time one epoch is still made, so that there is a curve."""
    monkeypatch.setattr(feature_extraction, "SECONDS", 0)
    _, history = feature_extraction.train_small(*tables, number=5, units=2, rate=1e-3)
    assert history.index.tolist() == [0, 1]


def test_the_chosen_prediction_is_shown():
    images = np.zeros((2, 4, 4, 3), np.uint8)
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]])
    box = feature_extraction.browse_predictions(images, np.array([0, 1]), probabilities, ["ill", "well"])
    (slider,), (view,) = find(box, "IntSlider"), find(box, "HTML")
    slider.value = 1
    assert "Photo 1 of class well; the model says ill" in view.value


@pytest.mark.parametrize("count", [2, 6, 40])
def test_the_map_keeps_neighbors_together(count):
    """Two crowds far apart: each photo's nearest on the map is of its own crowd."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(count, 8)) * 0.1
    features[count // 2 :] += 10
    places = feature_extraction.tsne_map(features)
    assert places.shape == (count, 2)
    distance = np.linalg.norm(places[:, None] - places, axis=2) + 1e9 * np.eye(count)
    if count > 2:
        assert ((distance.argmin(axis=1) < count // 2) == (np.arange(count) < count // 2)).all()


def test_a_chosen_point_shows_its_photo(tmp_path, make_photo):
    paths = [make_photo(tmp_path / f"{number}.png", seed=number) for number in range(3)]
    box = feature_extraction.browse_map(np.array([[0, 0], [1, 2], [3, 1]]), [0, 1, 1], ["ill", "well"], paths)
    (picture,), (view,) = find(box, "Picture"), find(box, "HTML")
    assert 'alt="Photo 0 of the class ill"' in view.value
    picture.chosen = 2
    assert 'alt="Photo 2 of the class well"' in view.value
    picture.chosen = -1
    assert view.value == controls.NOTHING
    paths[1].unlink()
    picture.chosen = 1
    assert "There is no file" in view.value  # and the control lives on
    picture.chosen = 0
    assert 'alt="Photo 0 of the class ill"' in view.value


def test_of_many_classes_some_are_named_and_the_rest_is_gray():
    names = [f"class_{number:03d}" for number in range(120)]
    ax, alt = feature_extraction.draw_map(np.random.default_rng(0).random((240, 2)), np.arange(240) % 120, names)
    legend = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert legend == [*names[::4], "the other 90"]
    looks = [(line.get_marker(), line.get_color()) for line in ax.lines]
    assert len(set(looks)) == len(looks)  # no two classes look the same
    assert [len(line.get_xdata()) for line in ax.lines] == [2] * 30 + [180]
    assert alt.endswith("240 photos of 120 classes as points")
    ax.figure.canvas.draw()
    box = ax.figure.get_tightbbox()
    assert box.y0 > -0.05  # the legend lies within the figure
    plt.close(ax.figure)


def test_a_head_of_many_classes_is_drawn():
    rng = np.random.default_rng(0)
    names, labels = [f"class_{number:03d}" for number in range(40)], np.arange(120) % 40
    table = (rng.normal(size=(120, 8)).astype("float32"), labels)
    assert feature_extraction.photos_a_class(labels) == [3]
    figure, alt = feature_extraction.draw_head(table, table, names)
    assert "validation accuracy" in alt
    plt.close(figure)


def test_the_likeliest_of_many_classes_have_bars(monkeypatch):
    names = [f"class_{number:03d}" for number in range(120)]
    probabilities = np.arange(1, 121)[None] / np.arange(1, 121).sum()
    drawn = []
    monkeypatch.setattr(controls.plots, "as_html", lambda figure, alt: drawn.append(figure) or alt)
    feature_extraction.browse_predictions(np.zeros((1, 8, 8, 3), "uint8"), np.array([119]), probabilities, names)
    bars = drawn[0].axes[1]
    assert [label.get_text() for label in bars.get_yticklabels()] == names[-10:]
    plt.close(drawn[0])


def test_names_of_classes_come_out_as_they_are():
    """A leading _ means "not in the legend" to Matplotlib, and two dollars a formula."""
    names = ["_other", "$1", "$5", "a|b", "<i>x", "nan"]
    ax, _ = feature_extraction.draw_map(np.random.default_rng(0).random((12, 2)), np.arange(12) % 6, names)
    legend = ax.figure.legends[0].get_texts()
    assert [text.get_text() for text in legend] == names
    assert not any(text.get_parse_math() for text in legend)
    plt.close(ax.figure)


def test_a_step_of_descent_by_hand():
    """At weight 0 each photo gets 1/2: the loss is log 2, the slope -(1 + 2 + 3 + 1 + 2 - 0.5) / 12."""
    loss, slope = feature_extraction._descent_loss(0.0)
    assert loss == pytest.approx(np.log(2))
    assert slope == pytest.approx(-8.5 / 12)
    figure, alt = feature_extraction.draw_descent(0.1, steps=1, start=0.0)
    np.testing.assert_allclose(figure.axes[0].lines[1].get_xdata(), [0, 0.85 / 12])
    assert alt.startswith("Learning rate 0.1: loss 0.69 at the start, ")
    plt.close(figure)


def test_the_rate_of_descent_is_moved_and_too_large_a_one_goes_up():
    box = feature_extraction.explore_descent()
    (slider,), (view,) = find(box, "SelectionSlider"), find(box, "HTML")
    assert "Learning rate 1: loss 3.10 at the start, 0.27 after 12 steps" in view.value
    slider.value = 0.03
    small = view.value
    slider.value = 30.0
    assert "Learning rate 30" in view.value
    assert view.value != small
