import keras
import numpy as np

from tutorial_utils.models import litert


def test_a_network_that_litert_cannot_take_goes_through_keras():
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, keras.ops.linalg.svd(images, compute_uv=False))
    function, means = litert.fastest_function(model, "svd")
    image = np.random.default_rng(0).uniform(0, 255, (8, 8, 3)).astype("float32")
    assert means.startswith("keras")
    np.testing.assert_allclose(function(image), np.linalg.svd(image, compute_uv=False), rtol=1e-3)


def test_a_flipped_byte_in_a_converted_network_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path))
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="relu")])
    image = np.full((8, 8, 3), 100, np.float32)
    function, means = litert.fastest_function(model, "key")
    assert means.startswith("litert")
    expected = function(image)
    path = tmp_path / "litert" / "key.tflite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    function, _ = litert.fastest_function(model, "key")
    np.testing.assert_array_equal(function(image), expected)
    assert path.read_bytes() != data
