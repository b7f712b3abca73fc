import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tutorial_utils.models import backbones, heads, training


@pytest.fixture
def tiny():
    """A tiny backbone with two BatchNormalization layers, so that a test takes no time."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="first")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.5)(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Conv2D(5, 3, padding="same", name="second")(x)
    x = keras.layers.BatchNormalization(momentum=0.5)(x)
    base = keras.Model(inputs, x)
    return backbones.Backbone("tiny", "tiny", base, lambda images: images / 255.0, "none", "", "", "")


def data(seed=0, classes=3):
    rng = np.random.default_rng(seed)
    labels = np.arange(24) % classes
    images = rng.uniform(0, 255, (24, 8, 8, 3)).astype("float32") * (labels + 1)[:, None, None, None] / classes
    return images, labels


def test_unfreeze_sets_every_flag_from_a_count(tiny):
    """Six layers: input, conv, norm, relu, conv, norm. The last three hold one conv that may learn."""
    assert heads.unfreeze(tiny.base, last=3) == 1
    assert [layer.trainable for layer in tiny.base.layers] == [False, False, False, True, True, False]
    assert heads.unfreeze(tiny.base) == 2
    assert heads.unfreeze(tiny.base, last=3) == 1  # going back works, too
    heads.freeze(tiny.base)
    assert tiny.base.trainable_weights == []
    assert heads.unfreeze(tiny.base) == 2


@pytest.mark.parametrize("last", [-1, 7, 1.5, "all"])
def test_unfreeze_refuses_counts_that_make_no_sense(tiny, last):
    with pytest.raises(ValueError, match="last must be a whole number from 0 to 6"):
        heads.unfreeze(tiny.base, last=last)


def test_statistics_of_normalization_stay_bit_for_bit(tiny):
    images, labels = data()
    model = heads.build_classifier(tiny, heads.dense_head(5, 3), 32)
    images = np.repeat(np.repeat(images, 4, axis=1), 4, axis=2)
    heads.unfreeze(tiny.base)
    before = heads.batch_norm_statistics(tiny.base)
    kernel = tiny.base.get_layer("first").get_weights()[0]
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    model.fit(images, labels, epochs=2, verbose=0)
    after = heads.batch_norm_statistics(tiny.base)
    assert len(before) == 4
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
    assert not np.array_equal(kernel, tiny.base.get_layer("first").get_weights()[0])


@pytest.mark.parametrize("classes", [2, 3])
def test_the_logistic_head_is_logistic_regression_on_standardized_features(classes):
    import sklearn.linear_model
    import sklearn.pipeline
    import sklearn.preprocessing

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


def test_the_joined_model_says_what_its_parts_say(tiny):
    images, _ = data()
    images = np.repeat(np.repeat(images, 4, axis=1), 4, axis=2)
    head = heads.dense_head(5, 3, seed=1)
    model = heads.build_classifier(tiny, head, 32)
    features = np.asarray(tiny.base(images / 255.0, training=False)).mean(axis=(1, 2))
    np.testing.assert_allclose(model.predict(images, verbose=0), head.predict(features, verbose=0), atol=1e-5)
    np.testing.assert_allclose(model.predict(images, verbose=0).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["vgg16", "efficientnet_lite0"])
def test_a_saved_model_loads_where_the_course_is_not_installed(name, tmp_path):
    """A process that cannot import tutorial_utils gives the same probabilities."""
    backbone = backbones.Backbone(name, name, backbones.build(name), backbones.preprocessing(name), "", "", "", "")
    channels = backbone.base.output_shape[-1]
    model = heads.build_classifier(backbone, heads.dense_head(channels, 2), 32)
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    code = (
        "import sys; sys.modules['tutorial_utils'] = None; import keras, numpy as np; "
        "model = keras.models.load_model('model.keras'); "
        "np.save('said.npy', model.predict(np.load('images.npy'), verbose=0))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "said.npy"), model.predict(images, verbose=0), atol=1e-6)


def test_a_base_is_cut_where_no_shortcut_leads_round():
    """input - a - b - (b + c) - d: after c a shortcut from b is still under way, so no cut there."""
    inputs = keras.Input((8, 8, 3))
    a = keras.layers.Conv2D(4, 3, padding="same", name="a")(inputs)
    b = keras.layers.Conv2D(4, 3, padding="same", name="b")(a)
    c = keras.layers.Conv2D(4, 3, padding="same", name="c")(b)
    c = keras.layers.ReLU(name="relu")(c)
    total = keras.layers.Add(name="sum")([b, c])
    base = keras.Model(inputs, keras.layers.Conv2D(2, 3, name="d")(total))
    assert heads.find_cuts(base) == {"a": 5, "b": 4, "sum": 1}
    assert heads.nearest_cut(base, 2) == ("sum", 1)
    assert heads.nearest_cut(base, 3) == ("b", 4)
    images = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3)).astype("float32")
    for name in ("a", "b", "sum"):
        prefix, suffix = heads.split_base(base, name)
        np.testing.assert_allclose(suffix(prefix(images)), base(images), atol=1e-6)
    with pytest.raises(ValueError, match="cut must be one of 'a', 'b', 'sum'; got 'c'"):
        heads.split_base(base, "c")


def test_a_base_that_cannot_be_cut_is_refused():
    inputs = keras.Input((8, 8, 3))
    a = keras.layers.Conv2D(3, 3, padding="same")(inputs)
    base = keras.Model(inputs, keras.layers.Add()([inputs, a]), name="loop")
    with pytest.raises(ValueError, match="loop cannot be cut"):
        heads.nearest_cut(base, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("efficientnet_lite0", ("block10_add", 46)),
        ("mobilenet_v2", ("block_11_add", 47)),
        ("resnet50", ("conv4_block4_out", 52)),
    ],
)
def test_about_fifty_layers_end_at_a_block(name, expected):
    assert heads.nearest_cut(backbones.build(name), 50) == expected


QUICK = ("mobilenet_v2", "resnet50", "efficientnet_b0", "efficientnet_lite0", "vgg16")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in backbones.NAMES]
)
def test_fine_tuning_moves_no_statistics_in_any_backbone(name):
    """Random weights, two photos, every layer unfrozen, one epoch: other weights move, the statistics do not."""
    base = backbones.build(name)
    backbone = backbones.Backbone(name, name, base, backbones.preprocessing(name), "none", "", "", "")
    model = heads.build_classifier(backbone, heads.dense_head(base.output_shape[-1], 2, units=4), 32)
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    photos = tf.data.Dataset.from_tensors((images, np.array([0, 1])))
    before, weights, after = heads.batch_norm_statistics(base), model.get_weights(), []

    def note(epoch, logs):  # before the better epoch's weights are put back
        after.append((heads.batch_norm_statistics(base), model.get_weights()))

    tf.config.run_functions_eagerly(True)  # one step: tracing it would take longer than the step
    try:
        options = dict(epochs=1, learning_rate=1e-2, decay=False)
        options["callbacks"] = [keras.callbacks.LambdaCallback(on_epoch_end=note)]
        training.fine_tune(model, base, photos, photos, **options)
    finally:
        tf.config.run_functions_eagerly(False)
    ((statistics, learned),) = after
    layers = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(before) == len(statistics) == 2 * len(layers)
    assert (len(layers) > 0) == (not name.startswith("vgg"))
    for old, new in zip(before, statistics, strict=True):
        np.testing.assert_array_equal(old, new)
    assert sum(not np.array_equal(old, new) for old, new in zip(weights, learned, strict=True)) > len(base.layers) / 9


def test_a_temperature_inside_the_model_is_that_of_calibration_and_loads_without_this_package(tmp_path):
    from tutorial_utils.evaluation import calibration

    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.add(keras.layers.Softmax())
    images = np.random.default_rng(0).uniform(0, 3, (20, 4, 4, 3)).astype("float32")
    cooled = heads.add_temperature(model, 2.5)
    before, after = model.predict_on_batch(images), cooled.predict_on_batch(images)
    np.testing.assert_allclose(after, calibration.apply_temperature(before, 2.5), atol=1e-6)
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
    assert after.max() < before.max()
    cooled.save(tmp_path / "cooled.keras")
    script = (
        "import sys, keras, numpy as np; model = keras.models.load_model(sys.argv[1]); "
        "images = np.random.default_rng(0).uniform(0, 3, (20, 4, 4, 3)).astype('float32'); "
        "np.save(sys.argv[2], model.predict_on_batch(images)); assert 'tutorial_utils' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "cooled.keras", tmp_path / "said.npy"], check=True)
    np.testing.assert_allclose(np.load(tmp_path / "said.npy"), after, atol=1e-6)


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match="above 0"):
        heads.add_temperature(keras.Sequential([keras.Input((2,)), keras.layers.Softmax()]), temperature)
