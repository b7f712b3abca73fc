"""Every export of a small model answers as Keras does."""

import keras
import numpy as np
import pytest

from tutorial_utils.models import export, heads


@pytest.fixture(scope="module")
def model():
    """Pixels to three classes, as the course's models are: preprocessing, convolution, normalization, head."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(8, 3, strides=2)(x), training=False)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU(6)(x))
    return heads.add_temperature(keras.Model(pixels, keras.layers.Dense(3, activation="softmax")(x)), 0.2)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def files(model, images, tmp_path_factory):
    return export.write_exports(model, tmp_path_factory.mktemp("exports"), images)


@pytest.fixture(scope="module")
def answers(model, files, images):
    return export.run_exports(model, files, images)


def test_float32_exports_answer_as_keras_does(model, answers, images):
    for kind in {"float32", "onnx"} & set(answers):
        np.testing.assert_allclose(answers[kind][0], model.predict(images, verbose=0), atol=export.TOLERANCE)


def test_a_model_of_all_layers_is_exported_too(toy, images, tmp_path):
    """Its means and deviations are made of operations that the exports have."""
    model = heads.build_classifier(toy, heads.dense_head(28, 3, units=()), 32, layers="all")
    light = np.linspace(0.1, 1, len(images)).reshape(-1, 1, 1, 1)  # or all photos would look alike
    images = (light * images.repeat(2, axis=1).repeat(2, axis=2)).astype(np.uint8)
    files = export.write_exports(model, tmp_path, images)
    table = export.compare_exports(export.run_exports(model, files, images), files)
    exact = table.loc[[kind for kind in ("float32", "onnx") if kind in files]]
    assert (exact["largest_difference"] <= export.TOLERANCE).all()
    assert (exact["same_class"] == 1).all()
    assert model.predict(images, verbose=0).std(axis=0).max() > 100 * export.TOLERANCE


def test_the_table_tells_what_each_export_is_worth(answers, files):
    table = export.compare_exports(answers, files)
    assert list(table.index) == ["keras", *files]
    assert table.loc["keras", ["largest_difference", "same_class"]].tolist() == [0, 1]
    assert np.isnan(table.loc["keras", "megabytes"])  # no file of it was named
    assert table.loc["float32", "largest_difference"] <= export.TOLERANCE
    assert table.loc["float32", "same_class"] == 1
    assert table.loc["int8", "largest_difference"] > 0  # it is another model: whole numbers of 8 bits
    assert table.loc["int8", "same_class"] > 0.8
    assert (table.loc[list(files), "megabytes"] > 0).all()
    assert (table["milliseconds"] > 0).all()


def test_an_export_that_answers_otherwise_is_seen(model, files, images):
    """Another model's file: the classes in reverse order."""
    reverse = np.eye(3)[::-1]
    head = keras.layers.Dense(3, use_bias=False)
    turned = keras.Model(model.inputs, head(model.outputs[0]))
    head.set_weights([reverse])
    one = {"float32": files["float32"]}
    table = export.compare_exports(export.run_exports(turned, one, images), one)
    assert table.loc["float32", "largest_difference"] > 0.01
    assert table.loc["float32", "same_class"] < 1


def test_without_its_packages_onnx_is_left_out_and_so_is_that_of_an_earlier_run(model, images, tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(b"of another model")
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(export, "to_litert", lambda model, kind, examples: b"")
    assert list(export.write_exports(model, tmp_path, images)) == list(export.KINDS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(export.NAMES[kind] for kind in export.KINDS)


def test_onnx_takes_several_photos_a_call(files, images):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(files["onnx"]))
    said = session.run(None, {session.get_inputs()[0].name: images[:5].astype(np.float32)})[0]
    assert said.shape == (5, 3)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)


def test_int8_without_photos_is_refused(model):
    with pytest.raises(ValueError, match="int8 takes its ranges from photos"):
        export.to_litert(model, "int8")


def test_another_kind_is_refused(model):
    with pytest.raises(ValueError, match="float16"):
        export.to_litert(model, "float8")
