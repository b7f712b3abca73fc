import subprocess
import sys

import keras
import numpy as np
import pandas
import pytest
import sklearn.linear_model
import sklearn.pipeline
import sklearn.preprocessing

from tutorial_utils.data import splits
from tutorial_utils.evaluation import calibration
from tutorial_utils.models import backbones, heads


@pytest.fixture
def tiny():
    """A base of one convolution, so that a test takes no time."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    base = keras.Model(inputs, keras.layers.Conv2D(5, 3, padding="same")(inputs))
    return backbones.Backbone("tiny", "tiny", base, lambda images: images / 255.0, "none", "", "", "")


@pytest.mark.parametrize("classes", [2, 3])
def test_the_logistic_head_is_logistic_regression_on_standardized_features(classes):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % classes
    features = rng.normal(labels[:, None], 1.5, (60, 7))
    features = features / features.std(axis=0) * [10, 10, 10, 10, 10, 20, 100] + 3  # none varies less than the median
    reference = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(), sklearn.linear_model.LogisticRegression(C=0.1, max_iter=2000)
    ).fit(features, labels)
    head = heads.logistic_head(features, labels, classes, C=0.1)
    said = head.predict(features.astype("float32"), verbose=0)
    np.testing.assert_allclose(said, reference.predict_proba(features), atol=1e-4)


def test_a_head_may_have_several_hidden_layers():
    """5 features, hidden layers of 4 and 3 units, 2 classes: 5 * 4 + 4, 4 * 3 + 3, 3 * 2 + 2 weights."""
    head = heads.dense_head(5, 2, units=(4, 3))
    assert head.count_params() == 24 + 15 + 8
    assert [type(layer).__name__ for layer in head.layers] == ["Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert heads.dense_head(5, 2, units=()).count_params() == 12
    for alike in (heads.dense_head(5, 2, units=(4, 3)), heads.dense_head(5, 2, units=[4, 3], seed=0)):
        np.testing.assert_array_equal(alike.get_weights()[2], head.get_weights()[2])


def test_a_feature_that_hardly_varies_gets_no_huge_weight():
    """Divided by its own deviation, 0.0001, the last feature would get a weight in the thousands."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    features = rng.normal(labels[:, None], 1, (60, 5)) * [1, 1, 1, 1, 1e-4]
    kernel, _ = heads.logistic_head(features, labels, 2).get_weights()
    assert np.abs(kernel).max() < 1


def test_the_logistic_head_takes_a_feature_that_never_varies():
    features = np.c_[np.ones(6), np.arange(6.0)]
    head = heads.logistic_head(features, [0, 0, 0, 1, 1, 1], 2)
    assert np.isfinite(head.predict(features, verbose=0)).all()


def test_the_logistic_head_needs_every_class():
    with pytest.raises(ValueError, match="every class from 0 to 2"):
        heads.logistic_head(np.ones((4, 2)), [0, 0, 1, 1], 3)


def test_cross_validated_probabilities_are_those_of_a_head_that_saw_no_photo_of_the_group():
    """Each half of the plants is predicted by the logistic head of the other half, one feature hardly varying."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 4)
    photos = pandas.DataFrame({"label": pandas.Categorical.from_codes(groups % 3, ["a", "b", "c"]), "group": groups})
    features = rng.normal(size=(48, 5)) * [1, 1, 1, 1, 1e-4] + (groups % 3)[:, None] / 2
    said = heads.cross_val_probabilities(photos, features, seed=3, folds=2)
    for learn, ask in splits.group_k_fold(photos, 2, 3).split(photos, photos["label"], photos["group"]):
        head = heads.logistic_head(features[learn], groups[learn] % 3, 3)
        np.testing.assert_allclose(said[ask], head.predict(features[ask], verbose=0), atol=1e-5)


def test_the_joined_model_says_what_its_parts_say(tiny):
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    head = heads.dense_head(5, 3, seed=1)
    features = np.asarray(tiny.base(images / 255.0, training=False)).mean(axis=(1, 2))
    said = heads.build_classifier(tiny, head, 32).predict(images, verbose=0)
    np.testing.assert_allclose(said, head.predict(features, verbose=0), atol=1e-5)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)


def test_a_saved_model_loads_where_the_course_is_not_installed(tmp_path):
    """A process that cannot import tutorial_utils gives the same probabilities, at another temperature too."""
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    expected = {}
    for name in ("vgg16", "efficientnet_lite0"):
        backbone = backbones.Backbone(name, name, backbones.build(name), backbones.preprocessing(name), "", "", "", "")
        model = heads.build_classifier(backbone, heads.dense_head(backbone.base.output_shape[-1], 2), 32)
        model = heads.add_temperature(model, 2.5)
        model.save(tmp_path / f"{name}.keras")
        expected[name] = model.predict(images, verbose=0)
    code = (
        "import sys; sys.modules['tutorial_utils'] = None; import keras, numpy as np, pathlib\n"
        "for path in pathlib.Path().glob('*.keras'):\n"
        "    said = keras.models.load_model(path).predict(np.load('images.npy'), verbose=0)\n"
        "    np.save(f'{path.stem}.npy', said)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    for name, said in expected.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), said, atol=1e-6)


def test_a_temperature_inside_the_model_is_that_of_calibration():
    softmax = keras.Sequential([keras.Input((3,)), keras.layers.Softmax()])
    logits = np.random.default_rng(0).uniform(0, 3, (20, 3)).astype("float32")
    before, after = (model.predict_on_batch(logits) for model in (softmax, heads.add_temperature(softmax, 2.5)))
    np.testing.assert_allclose(after, calibration.apply_temperature(before, 2.5), atol=1e-6)
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
    assert after.max() < before.max()


def test_a_temperature_needs_no_layer_more_where_a_dense_softmax_comes_last():
    """The weights of a copy are divided, in the nested head too; not where the output comes from what follows it."""
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="softmax")])
    pixels = keras.Input((3,), name="pixels")
    model = keras.Model(pixels, inner(pixels))
    photos = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    before = model.predict_on_batch(photos)
    cooled = heads.add_temperature(model, 2.5)
    assert len(cooled.weights) == len(model.weights)
    assert [layer.name for layer in cooled.layers] == [layer.name for layer in model.layers]
    expected = calibration.apply_temperature(before, 2.5)
    np.testing.assert_allclose(cooled.predict_on_batch(photos), expected, atol=1e-6)
    np.testing.assert_array_equal(model.predict_on_batch(photos), before)
    pairs = keras.Model(
        pixels, keras.ops.reshape(keras.ops.sum(keras.ops.reshape(inner(pixels), (-1, 2, 2)), -1), (-1, 2))
    )
    expected = calibration.apply_temperature(pairs.predict_on_batch(photos), 2.5)
    np.testing.assert_allclose(heads.add_temperature(pairs, 2.5).predict_on_batch(photos), expected, atol=1e-6)


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match="above 0"):
        heads.add_temperature(keras.Sequential([keras.Input((2,)), keras.layers.Softmax()]), temperature)
