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
