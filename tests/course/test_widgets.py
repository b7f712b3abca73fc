"""Each control is moved without a browser; what it shows must follow."""

import keras
import numpy as np
import pandas
import pytest

from tutorial_utils.course import widgets
from tutorial_utils.data import catalog, folders


def parts(box):
    """Return all widgets inside a box, flat."""
    children = getattr(box, "children", ())
    return [box] + [part for child in children for part in parts(child)]


def find(box, kind):
    return [part for part in parts(box) if type(part).__name__ == kind]


def test_the_chosen_card_is_shown():
    box = widgets.browse_cards(catalog.cards())
    (menu,), (view,) = find(box, "Dropdown"), find(box, "HTML")
    menu.value = "solar_cells"
    assert "electroluminescence" in view.value
    menu.value = "leaves"
    assert "rust" in view.value


def test_the_chosen_group_is_shown(class_folders):
    photos = folders.load(class_folders)
    photos["group"] = [f"plant {number // 5}" for number in range(20)]
    box = widgets.browse_groups(photos)
    (menu,), (slider,), (view,) = find(box, "Dropdown"), find(box, "IntSlider"), find(box, "HTML")
    assert slider.max == 2
    assert 'alt="5 photos of plant 1 of the class healthy"' in view.value
    menu.value = "ill"
    slider.value = 2
    assert 'alt="5 photos of plant 2 of the class ill"' in view.value


def test_the_chosen_prediction_is_shown():
    images = np.zeros((2, 4, 4, 3), np.uint8)
    box = widgets.browse_predictions(images, np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), ["ill", "well"])
    (slider,), (view,) = find(box, "IntSlider"), find(box, "HTML")
    slider.value = 1
    assert "Photo 1 of class well; the model says ill" in view.value


@pytest.fixture
def base():
    layers = [keras.Input((2,)), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    return keras.Sequential(layers)


def test_shares_of_weights_by_hand(base):
    """Dense 2 x 3 + 3 = 9, normalization 12 (never learns), Dense 3 + 1 = 4: 25 weights in all."""
    flags = [layer.trainable for layer in base.layers]
    np.testing.assert_allclose(widgets.learning_shares(base), [0, 4 / 25, 4 / 25, 13 / 25])
    assert [layer.trainable for layer in base.layers] == flags


def test_the_share_follows_the_slider(base):
    box = widgets.explore_unfreezing(base, start=1)
    (slider,), (view,) = find(box, "IntSlider"), find(box, "HTML")
    slider.value = 3
    assert "last 3 of 3 layers: 52.0 %" in view.value


@pytest.mark.parametrize(
    ("patience", "expected"),
    [(1, (3, 2)), (3, (5, 2)), (4, (6, 6)), (9, (6, 6))],
)
def test_where_early_stopping_stops(patience, expected):
    assert widgets.stopping_epoch([0.9, 0.7, 0.8, 0.75, 0.72, 0.6], patience) == expected


def test_stopping_agrees_with_keras():
    losses = [0.9, 0.7, 0.8, 0.75, 0.72, 0.6]

    class Script(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = losses[epoch]

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=3)
    record = model.fit(np.ones((2, 1)), np.ones((2, 1)), epochs=6, verbose=0, callbacks=[Script(), stop])
    assert (len(record.epoch), stop.best_epoch + 1) == widgets.stopping_epoch(losses, 3)


def test_patience_is_drawn_anew():
    history = pandas.DataFrame({"loss": [1, 0.8, 0.6], "val_loss": [0.9, 0.7, 0.8]}, index=[1, 2, 3])
    box = widgets.explore_patience(history, start=2)
    (slider,), (view,) = find(box, "IntSlider"), find(box, "HTML")
    slider.value = 1
    assert "patience 1 stops after 3 and keeps 2" in view.value


def test_the_photos_of_a_cell_are_shown(class_folders):
    paths = folders.load(class_folders)["path"].iloc[[0, 1, 10]].to_numpy()
    box = widgets.browse_confusion(paths, [0, 0, 1], [0, 1, 1], ["healthy", "ill"])
    (true, said), (view,) = find(box, "Dropdown"), find(box, "HTML")
    true.value, said.value = 0, 1
    assert "healthy, taken for ill: 1 photos" in view.value
    true.value, said.value = 1, 0
    assert view.value == "ill, taken for healthy: 0 photos"


def test_what_goes_wrong_is_said_and_the_control_lives_on(tmp_path):
    paths = [str(tmp_path / "gone.png"), str(tmp_path / "gone too.png")]
    box = widgets.browse_confusion(paths, [0, 1], [0, 0], ["a", "b"])
    (view,), (true, _) = find(box, "HTML"), find(box, "Dropdown")
    assert "gone.png" in view.value
    true.value = 1
    assert "gone too.png" in view.value
