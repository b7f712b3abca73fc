import hashlib
import json

import keras
import numpy as np
import pandas
import pytest

from tutorial_utils.course import model_card, predictor, shipping
from tutorial_utils.models import export


@pytest.fixture
def photos(tmp_path, make_photo):
    """Two red photos and a green one, the green one in the wrong class."""
    colors = {"a.png": (255, 0, 0), "b.png": (250, 0, 0), "c.png": (0, 255, 0)}
    paths = [str(make_photo(tmp_path / name, color)) for name, color in colors.items()]
    return pandas.DataFrame({"path": paths, "label": pandas.Categorical(["red"] * 3, categories=["green", "red"])})


@pytest.fixture
def judge():
    """Green if there is more green than red, else red."""
    pixels = keras.Input((8, 8, 3))
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(pixels, dense(keras.layers.GlobalAveragePooling2D()(pixels)))
    dense.set_weights([np.array([[0, 1], [1, 0], [0, 0]]) / 25, np.zeros(2)])
    return predictor.make_predictor(model, ["green", "red"])


def test_predictions_have_the_true_class_beside_the_answer(tmp_path, judge, photos):
    shipping.keep_predictions(tmp_path, judge, photos)
    table = pandas.read_csv(tmp_path / "predictions.csv", keep_default_na=False)
    assert list(table.columns) == [
        "path", "true", "class", "confidence", "unknown", "problem", "p: green", "p: red",
    ]  # fmt: skip
    assert table["true"].tolist() == ["red"] * 3
    assert table["class"].tolist() == ["red", "red", "green"]
    np.testing.assert_allclose(table["p: green"] + table["p: red"], 1, atol=1e-5)


def test_the_sha256_of_what_is_there_stands_in_run_json(tmp_path):
    (tmp_path / "run.json").write_text('{"seed": 3}')
    (tmp_path / "model.keras").write_bytes(b"abc")
    (tmp_path / "model.tflite").write_bytes(b"")
    shipping.keep_hashes(tmp_path, ["model.tflite", "model.onnx"])
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["seed"] == 3
    assert record["files_sha256"] == {
        "model.keras": hashlib.sha256(b"abc").hexdigest(), "model.tflite": hashlib.sha256(b"").hexdigest(),
    }  # fmt: skip


def test_what_an_export_loses_is_counted_in_photos(tmp_path):
    """Four photos, all right by Keras, one of them wrong by the smaller form: a quarter is lost."""
    ours, labels = np.eye(2)[[0, 0, 1, 1]], np.array([0, 0, 1, 1])
    theirs = np.eye(2)[[0, 1, 1, 1]]
    (tmp_path / "small.tflite").write_bytes(bytes(500_000))
    asked, files = {"keras": (ours, 5.0), "int8": (theirs, 1.0)}, {"int8": tmp_path / "small.tflite"}
    table = shipping.scored(export.compare_exports(asked, files), asked, labels)
    assert table.loc["keras", ["accuracy", "lost"]].tolist() == [1, 0]
    assert table.loc["int8", ["accuracy", "lost", "same_class", "milliseconds"]].tolist() == [0.75, 0.25, 0.75, 1]
    assert table.loc["int8", "lost_low"] <= 0.25 <= table.loc["int8", "lost_high"]
    shown = shipping.in_words(table)
    assert shown.loc["int8", ["size (MB)", "same class (%)", "accuracy (%)"]].tolist() == ["0.5", "75.0", "75.0"]
    assert shown.loc["int8", "points lost"].startswith("+25.0 (")
    assert shown.loc["keras", ["size (MB)", "largest difference"]].tolist() == ["", "0e+00"]
    named = shipping.by_file(table, files)
    assert named.index.tolist() == ["small.tflite"]
    assert named["megabytes"].tolist() == [0.5]


def test_what_a_run_folder_lacks_is_told(tmp_path):
    for name in list(model_card.FILES)[1:]:
        (tmp_path / name).write_bytes(b"")
    assert shipping.lacking(tmp_path) == [next(iter(model_card.FILES))]
