"""A model that knows dark from bright, declared in every way; which ways are noticed can be done by hand."""

import keras
import numpy as np
import pytest

from tutorial_utils.models import foreign_check, import_model

NAMES = ["dark", "middle", "bright"]


def thirds(path, units=3, activation="softmax"):
    """Save a model for pixels 0-1: dark below a third of the brightness, bright above two thirds; return the path."""
    images = keras.Input((8, 8, 3))
    dense = keras.layers.Dense(units, activation=activation)
    keras.Model(images, dense(keras.layers.GlobalAveragePooling2D()(images))).save(path)
    model = keras.models.load_model(path, compile=False)
    kernel, start = ([[0, 20, 40]], [0, -20 / 3, -20]) if units == 3 else ([[20]], [-10])
    model.layers[-1].set_weights([np.array(kernel * 3, "float32") / 3, np.array(start, "float32")])
    model.save(path)
    return path


def photos(count=30, classes=3):
    """Return batches of photos, a third of each brightness: (images, labels) of ten each."""
    labels = np.arange(count) % classes
    brightness = 255 * (labels + 0.5) / classes
    images = np.broadcast_to(brightness[:, None, None, None], (count, 8, 8, 3)).astype("float32")
    return [(images[at : at + 10], labels[at : at + 10]) for at in range(0, count, 10)]


def test_nothing_is_said_of_a_model_that_was_declared_as_it_is(tmp_path):
    model = import_model.load_model(thirds(tmp_path / "m.keras"), NAMES, pixels="0-1")
    assert foreign_check.check_import(model, photos(), NAMES) == []


def test_wrong_pixels_are_noticed_and_the_right_ones_named(tmp_path):
    """Taken as 0-255, every photo is far above two thirds: a third is right, and all answers are "bright"."""
    path = thirds(tmp_path / "m.keras")
    scaled, same = foreign_check.check_import(import_model.load_model(path, NAMES), photos(), NAMES)
    assert 'with pixels="0-1" the model is right on 100.0% of these 30 photos' in scaled
    assert 'with pixels="0-255", as it was loaded, on 33.3%' in scaled
    assert "one and the same answer, bright, for all of these 30 photos of 3 classes" in same
    (scaled,) = foreign_check.check_import(import_model.load_model(path, NAMES, pixels="-1..1"), photos(), NAMES)
    assert 'Load it again with pixels="0-1"' in scaled


def test_photos_of_few_groups_tell_nothing(tmp_path):
    """Two of three photos gain. In six groups of one plant each, 6 to 0 has chance 2 / 2**6 = 0.031, above 0.025."""
    model = import_model.load_model(thirds(tmp_path / "m.keras"), NAMES)
    groups = np.arange(30) // 5
    assert not any("scaled" in said for said in foreign_check.check_import(model, photos(), NAMES, groups))
    groups = np.arange(30) // 4  # eight groups: 2 / 2**8 = 0.008
    assert any("scaled" in said for said in foreign_check.check_import(model, photos(), NAMES, groups))


def test_another_order_of_the_names_is_noticed(tmp_path):
    """The model's first output is "dark", but is called "bright": the middle third is still right."""
    names = NAMES[::-1]
    model = import_model.load_model(thirds(tmp_path / "m.keras"), names, pixels="0-1")
    batches = [(images, 2 - labels) for images, labels in photos(60)]
    (said,) = foreign_check.check_import(model, batches, names)
    assert "in another order: as dark, middle, bright they fit 100.0% of the photos, as they were given 33.3%" in said


def test_a_model_that_guesses_is_not_called_badly_declared(tmp_path):
    """Labels by lot: of 40 draws few get a sentence, as each kind of sentence has a chance of one in twenty."""
    model = import_model.load_model(thirds(tmp_path / "m.keras"), NAMES, pixels="0-1")
    fired = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        images = np.broadcast_to(rng.uniform(0, 255, (60, 1, 1, 1)), (60, 8, 8, 3)).astype("float32")
        fired += bool(foreign_check.check_import(model, [(images, rng.integers(0, 3, 60))], NAMES))
    assert fired <= 6


def test_one_unit(tmp_path):
    path = thirds(tmp_path / "m.keras", units=1, activation="sigmoid")
    names = ["dark", "bright"]
    assert (
        foreign_check.check_import(import_model.load_model(path, names, pixels="0-1"), photos(classes=2), names) == []
    )
    sentences = foreign_check.check_import(import_model.load_model(path, names), photos(classes=2), names)
    assert any('Load it again with pixels="0-1"' in said for said in sentences)


def test_a_probability_declared_as_a_logit(tmp_path):
    names = ["dark", "bright"]
    path = thirds(tmp_path / "m.keras", units=1, activation="sigmoid")
    model = import_model.load_model(path, names, pixels="0-1", output="logits")
    assert any("between 0 and 1" in said for said in foreign_check.check_import(model, photos(classes=2), names))
    path = thirds(tmp_path / "l.keras", units=1, activation=None)
    model = import_model.load_model(path, names, pixels="0-1", output="logits")
    assert foreign_check.check_import(model, photos(classes=2), names) == []


def test_what_does_not_fit_is_refused(tmp_path):
    path = thirds(tmp_path / "m.keras")
    model = import_model.load_model(path, NAMES, pixels="0-1")
    with pytest.raises(ValueError, match=r"Expected a model from foreign\.load"):
        foreign_check.check_import(keras.models.load_model(path, compile=False), photos(), NAMES)
    with pytest.raises(ValueError, match="tells 3 classes apart; got 2"):
        foreign_check.check_import(model, photos(), ["a", "b"])
    with pytest.raises(ValueError, match="at least one batch"):
        foreign_check.check_import(model, [], NAMES)
    with pytest.raises(ValueError, match=r"labels 0 \.\.\. 2; got 0 \.\.\. 3"):
        foreign_check.check_import(model, photos(classes=4), NAMES)
    with pytest.raises(ValueError, match="a group for each of 30 photos"):
        foreign_check.check_import(model, photos(), NAMES, groups=[1, 2])
