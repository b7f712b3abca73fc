"""Each control of chapter 4 is moved without a browser; what it shows must follow."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas
import pytest

from tests.widgets.boxes import find
from tutorial_utils.widgets import controls, fine_tuning


@pytest.fixture
def base():
    layers = [keras.Input((2,)), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    return keras.Sequential(layers)


def test_shares_of_weights_by_hand(base):
    """Dense 2 x 3 + 3 = 9, normalization 12 (never learns), Dense 3 + 1 = 4: 25 weights in all."""
    flags = [layer.trainable for layer in base.layers]
    np.testing.assert_allclose(fine_tuning.learning_shares(base), [0, 4 / 25, 4 / 25, 13 / 25])
    assert [layer.trainable for layer in base.layers] == flags


def test_the_share_follows_the_slider(base):
    box = fine_tuning.explore_unfreezing(base, start=1)
    (slider,), (view,) = find(box, "IntSlider"), find(box, "HTML")
    assert "last 1 of 3 layers: 16.0 %" in view.value
    slider.value = 3
    assert "last 3 of 3 layers: 52.0 %" in view.value


@pytest.fixture
def curves():
    """Losses of epochs 0 to 2 for the head alone and the last 10 layers, at two rates; frozen is 1.0."""
    ends = {(0, 1e-5): 0.98, (0, 1e-3): 0.9, (10, 1e-5): 0.8, (10, 1e-3): 1.5}
    table = pandas.DataFrame({cell: [1.0, 0.95, end] for cell, end in ends.items()})
    return table.rename_axis(["last layers that learn", "rate"], axis=1)


def test_the_chosen_cell_is_set_against_the_frozen_model(curves):
    box = fine_tuning.explore_grid(curves, error=0.05)
    (chart,), (view,) = find(box, "Picture"), find(box, "HTML")
    assert chart.texts[chart.chosen] == "last 10 layers, rate 0.00001: 0.80"  # the lowest
    assert 'validation loss 0.80 in the last epoch, 0.20 below frozen"' in view.value
    chart.chosen = 3
    assert "last 10 layers, rate 0.001: validation loss 1.50 in the last epoch, 0.50 above frozen" in view.value
    chart.chosen = 0
    assert "head only, rate 0.00001: validation loss 0.98" in view.value
    assert "0.02 below frozen; less than the standard error" in view.value
    chart.chosen = -1
    assert view.value == controls.NOTHING


def test_the_map_has_a_box_for_each_cell_row_by_row(curves):
    (chart,) = find(fine_tuning.explore_grid(curves, error=0.05), "Picture")
    last = "last 10 layers"
    expected = ["head only, rate 0.00001", "head only, rate 0.001", f"{last}, rate 0.00001", f"{last}, rate 0.001"]
    assert [text.split(":")[0] for text in chart.texts] == expected
    left, top, right, bottom = np.array(chart.places).T
    assert left[0] == left[2] < right[0] == pytest.approx(left[1], abs=1e-3)
    assert top[0] == top[1] < bottom[0] == pytest.approx(top[2], abs=1e-3)


def test_a_training_that_was_ruined_is_drawn_all_the_same(curves):
    curves.loc[1:, (10, 1e-3)] = np.nan
    box = fine_tuning.explore_grid(curves, error=0.05)
    (chart,), (view,) = find(box, "Picture"), find(box, "HTML")
    chart.chosen = 3
    assert "which is no number" in view.value


def test_a_base_that_cannot_be_cut_has_a_single_row(curves):
    (chart,) = find(fine_tuning.explore_grid(curves[[0]], error=0.05), "Picture")
    assert len(chart.places) == 2


@pytest.fixture
def weights():
    """Two layers; the usual recipe has moved the second only, by 1 of a size of 10: 10 %."""
    before = {"first": np.full(4, 2.0), "second": np.full(2, 10.0)}
    usual = {"first": before["first"], "second": before["second"] + 1}
    stronger = {"first": before["first"] + 0.5, "second": before["second"] + 1}
    shares = {"usual": np.array([0.0, 10.0]), "stronger": np.array([25.0, 10.0])}
    return before, {"usual": usual, "stronger": stronger}, shares


def test_the_chosen_layer_is_shown_and_the_first_with_its_filters(weights):
    pictures = [np.full((3, 3, 3), 100)] * 4
    box = fine_tuning.explore_changes(*weights, pictures)
    (chart,), (view,) = find(box, "Picture"), find(box, "HTML")
    assert "layer 1 of 2, first: usual 0.00 %, stronger 25.00 %" in view.value
    assert "Filters of the first layer" in view.value
    chart.chosen = 1
    assert "layer 2 of 2, second: usual 10.00 %, stronger 10.00 %" in view.value
    assert "Filters" not in view.value


def test_the_moves_are_drawn_in_thousandths(weights):
    before, after, _ = weights
    figure = fine_tuning.draw_weight_changes(before, after, "first", "first")
    usual, stronger = (patch.get_data() for patch in figure.axes[0].patches)
    assert usual.values.max() == 0  # none moved
    assert stronger.values.max() == 100  # all by the same
    assert stronger.edges[-1] == 500
    plt.close(figure)


def test_if_nothing_has_changed_it_says_so(weights):
    before, _, shares = weights
    same = {name: before for name in shares}
    none = {name: np.zeros(2) for name in shares}
    (view,) = find(fine_tuning.explore_changes(before, same, none, [np.full((3, 3, 3), 100)] * 2), "HTML")
    assert "usual 0.00 %, stronger 0.00 %" in view.value


def test_the_schedule_marks_its_height():
    rate = keras.optimizers.schedules.CosineDecay(3e-6, 8, warmup_target=3e-4, warmup_steps=2)
    figure, alt = fine_tuning.draw_schedule(rate, 10)
    assert alt == "Learning rate by step: it rises to 0.0003 at step 2 of 10, then falls to 0"
    curve, top = figure.axes[0].lines
    assert curve.get_ydata()[[0, 2, 10]] == pytest.approx([3e-6, 3e-4, 0], abs=1e-9)
    assert list(top.get_xdata()) == [2]
    plt.close(figure)


def test_recipes_are_drawn_from_the_frozen_model_on():
    figure, alt = fine_tuning.draw_recipes({"usual": {"val_accuracy": [0.6]}, "stronger": {"val_accuracy": [0.9]}}, 0.5)
    usual, stronger, _ = figure.axes[0].lines
    assert list(usual.get_ydata()) == pytest.approx([50, 60])
    assert list(stronger.get_ydata()) == pytest.approx([50, 90])
    assert alt.endswith("from 50% when frozen; at the end: usual 60%, stronger 90%")
    plt.close(figure)


@pytest.fixture
def sweep():
    """Three batches; the running mean ends at twice its lowest."""
    return pandas.DataFrame({"rate": [1e-4, 1e-3, 1e-2], "loss": [1.0, 1.0, 3.0], "smoothed": [1.0, 1.0, 2.0]})


def test_a_sweep_marks_the_rate_where_it_was_too_high_and_nothing_else(sweep):
    figure, alt = fine_tuning.draw_sweeps({"one": sweep, "two": sweep}, {"one": 1e-2, "two": None}, title="A sweep")
    lines = {line.get_label(): line.get_xdata() for line in figure.axes[0].lines}
    plt.close(figure)
    assert list(lines["one: mean 1.5 times its lowest"]) == [1e-2, 1e-2]
    assert "two: mean 1.5 times its lowest" not in lines
    assert alt == "A sweep: loss of each batch and its running mean against the learning rate, one, two"


def test_each_run_is_a_dot_above_its_rate_beside_the_frozen_loss():
    figure, alt = fine_tuning.draw_losses_by_rate({1e-2: [4.0, 5.0], 1e-4: [1.0, 1.5]}, before=1.25, steps=15)
    lines = [line.get_xydata().tolist() for line in figure.axes[0].lines if line.get_marker() == "o"]
    frozen = figure.axes[0].lines[0].get_ydata()
    plt.close(figure)
    assert lines == [[[1e-4, 1.0], [1e-4, 1.5]], [[1e-2, 4.0], [1e-2, 5.0]]]
    assert set(frozen) == {1.25}
    assert alt.endswith("1.25 for the frozen model; after 15 steps: 4.00 to 5.00 at 0.01, 1.00 to 1.50 at 0.0001")


def test_a_layer_that_has_not_moved_is_drawn_on_the_left_only():
    moves = {"careful": np.array([0.0, 0.002])}
    figure, _ = fine_tuning.draw_layer_changes(moves, {"careful": np.array([0.0, 10.0])}, title="Changes")
    left, right = (ax.lines[0].get_ydata() for ax in figure.axes)
    plt.close(figure)
    assert left.tolist() == [0, 2]  # thousandths
    assert np.isnan(right[0])
    assert right[1] == 10


def test_the_strongest_filters_are_shown_in_one_scale():
    before = np.zeros((3, 3, 3, 4))
    before[..., 1], before[..., 2] = -1, 0.5
    pictures = fine_tuning.filter_pictures(before, 2 * before, most=2)  # after: twice as large
    assert [picture.flat[0] for picture in pictures] == [63.75, 159.375, 0, 191.25]


def test_a_gain_is_drawn_in_points_with_its_interval_in_the_row_of_its_set():
    rows = [("near", 0.02, -0.01, 0.05), ("far", 0.01, 0.0, 0.02), ("near", 0.04, 0.02, 0.06)]
    table = pandas.DataFrame(rows, columns=["set", "gain", "gain_low", "gain_high"])
    figure, _ = fine_tuning.draw_gains(table, "Gains")
    ax = figure.axes[0]
    points = [container[0].get_xydata() for container in ax.containers]
    bars = ax.containers[0][2][0].get_segments()  # of "near"
    plt.close(figure)
    np.testing.assert_allclose(points[0], [[2, -0.065], [4, 0.065]])
    np.testing.assert_allclose(points[1], [[1, 1]])
    np.testing.assert_allclose(bars[0][:, 0], [-1, 5])
