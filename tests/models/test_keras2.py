"""Files as Keras 2 wrote them: a model of Keras 3 is saved, and the file's text is put into the older form by hand."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from tutorial_utils.models import import_model, keras2

NAMES = ["a", "b", "c"]


def older(layer):
    """Return a layer's configuration in the words of Keras 2."""
    kind, config = layer["class_name"], dict(layer["config"])
    if "layers" in config:
        config["layers"] = [older(inner) for inner in config["layers"]]
        for side in ("input_layers", "output_layers"):
            if side in config:
                config[side] = [reference(config[side], config["layers"])]
        for inner in config["layers"]:
            inner["inbound_nodes"] = [[call(node, config["layers"])] for node in inner.get("inbound_nodes", [])]
    if isinstance(config.get("dtype"), dict):
        name = config["dtype"]["config"]["name"]
        config["dtype"] = name if name == "float32" else {"class_name": "Policy", "config": {"name": name}}
    if kind == "InputLayer":
        config["batch_input_shape"] = config.pop("batch_shape")
    if kind == "DepthwiseConv2D":
        config["groups"] = 1
    if kind == "BatchNormalization":
        config["axis"] = [3]
    found = {"class_name": kind, "config": config}
    return found | {key: layer[key] for key in ("name", "inbound_nodes") if key in layer}


def reference(history, layers):
    """Return a reference to a layer's call; Keras 2 began to count at 1 for a model inside a model."""
    name, number, tensor = history
    inside = any(layer["config"]["name"] == name and "layers" in layer["config"] for layer in layers)
    return [name, number + inside, tensor]


def call(node, layers):
    (tensor,), options = node["args"], {key: value for key, value in node["kwargs"].items() if value is not None}
    return [*reference(tensor["config"]["keras_history"], layers), options]


def write_h5(model, path, change=lambda config: None, version="2.15.0"):
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = older(json.loads(file.attrs["model_config"]))
        change(config)
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = version


def write_keras(model, path):
    """Write the zip of Keras 2, whose layers of weights are called by their class and counted."""
    config = older(keras.saving.serialize_keras_object(model))
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        put(model, config, file)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", content.getvalue())


def put(model, config, group):
    used = {}
    for data in config["config"]["layers"]:
        kind = {"Conv2D": "conv2d", "DepthwiseConv2D": "depthwise_conv2d", "BatchNormalization": "batch_normalization"}
        kind = kind.get(data["class_name"], data["class_name"].lower())
        used[kind] = used.get(kind, -1) + 1
        place = group.create_group(f"layers/{kind}_{used[kind]}" if used[kind] else f"layers/{kind}")
        if data["class_name"] == "InputLayer":
            continue
        layer = model.get_layer(data["config"]["name"])
        if "layers" in data["config"]:
            put(layer, data, place)
        else:
            for number, weight in enumerate(layer.get_weights()):
                place[f"vars/{number}"] = weight


def shuffled(model):
    """Give every weight a value of its own, so that none can be lost or exchanged without a trace."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(
            rng.uniform(0.5, 1.5, variable.shape) * rng.choice([-1, 1] if "kernel" in variable.name else [1])
        )
    return model


def base():
    images = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="first")(images)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.DepthwiseConv2D(3)(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(images, keras.layers.ReLU(6.0)(x), name="model1")


def teachable_machine():
    first = keras.Sequential([base(), keras.layers.GlobalAveragePooling2D()])
    head = [keras.Input((4,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(3, "softmax", use_bias=False)]
    return shuffled(keras.Sequential([keras.Input((8, 8, 3)), first, keras.Sequential(head)]))


def transfer(frozen=False, before=None):
    images = keras.Input((8, 8, 3))
    inner = base()
    inner.trainable = not frozen
    x = inner(before(images) if before else images, training=False)
    x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    return shuffled(keras.Model(images, keras.layers.Dense(3, "softmax")(x)))


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(0, 256, (6, 8, 8, 3)).astype("float32")


@pytest.mark.parametrize("write", [write_h5, write_keras])
def test_a_file_of_teachable_machine_needs_no_advice(tmp_path, pixels, write):
    """Pixels -1..1, names with numbers before them, and `groups` that Keras 3 does not know."""
    model, path = teachable_machine(), tmp_path / ("keras_model.h5" if write is write_h5 else "keras_model.keras")
    write(model, path)
    with pytest.raises((TypeError, ValueError), match=r"groups|Functional"):  # Keras 3 cannot read it itself
        keras.models.load_model(path, compile=False)
    (tmp_path / "labels.txt").write_text("0 cat\n1 dog\n2 bird\n")
    imported = import_model.load_model(path, tmp_path / "labels.txt")
    expected = model.predict(pixels / 127.5 - 1, verbose=0)
    assert np.ptp(expected, axis=0).max() > 0.01  # the photos get different answers
    np.testing.assert_allclose(imported.predict(pixels, verbose=0), expected, atol=1e-5)
    told = import_model.load_model(path, NAMES, pixels="0-1")  # what is said counts more
    np.testing.assert_allclose(told.predict(pixels, verbose=0), model.predict(pixels / 255, verbose=0), atol=1e-5)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("write", [write_h5, write_keras])
def test_a_base_and_a_head_keep_every_weight_in_its_place(tmp_path, pixels, write, frozen):
    """In an .h5 file the weights of a frozen base stand in another order: layer by layer, means beside factors."""
    model, path = transfer(frozen), tmp_path / ("model.h5" if write is write_h5 else "model.keras")
    write(model, path)
    expected = model.predict(pixels / 255, verbose=0)
    imported = import_model.load_model(path, NAMES, pixels="0-1")
    np.testing.assert_allclose(imported.predict(pixels, verbose=0), expected, atol=1e-5)
    imported.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(again.predict(pixels, verbose=0), expected, atol=1e-5)


def replace(name, kind, function, options):
    """Return a change that makes a layer an operator, as Keras 2 wrote `images / 127.5` inside a model."""

    def change(config):
        layers = config["config"]["layers"]
        layer = next(layer for layer in layers if layer["name"] == name)
        ((call,),) = layer["inbound_nodes"]
        layer |= {"class_name": kind, "config": {"name": name, "function": function}}
        layer["inbound_nodes"] = [[*call[:3], options]]

    return change


REVERSED = {"slice_spec": [{"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}]}


@pytest.mark.parametrize(
    ("layer", "kind", "function", "options"),
    [
        (keras.layers.Rescaling(1 / 127.5, name="op"), "TFOpLambda", "math.truediv", {"y": 127.5, "name": None}),
        (keras.layers.Rescaling(1.0, -9.0, name="op"), "TFOpLambda", "math.subtract", {"y": 9.0, "name": None}),
        (keras.layers.Rescaling(1.0, [1, 2, 3], name="op"), "TFOpLambda", "nn.bias_add", {"bias": [1, 2, 3]}),
        (keras2.reverse_channels(name="op"), "SlicingOpLambda", "__operators__.getitem", REVERSED),
    ],
)
def test_preprocess_input_inside_the_model_becomes_a_layer(tmp_path, pixels, layer, kind, function, options):
    model = transfer(before=layer)
    if kind == "SlicingOpLambda":
        layer.set_weights([np.eye(3)[::-1], np.zeros(3)])  # not the values that `shuffled` gave it
    write_h5(model, tmp_path / "model.h5", replace("op", kind, function, options))
    imported = import_model.load_model(tmp_path / "model.h5", NAMES)
    np.testing.assert_allclose(imported.predict(pixels, verbose=0), model.predict(pixels, verbose=0), atol=1e-5)


def first_becomes(kind, **options):
    def change(config):
        layer = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Rescaling")
        layer["class_name"] = kind
        layer["config"] = {"name": layer["name"], **options}

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (first_becomes("Lambda", function=["4wEA", None, None]), "holds a Lambda layer.* it is not run"),
        (first_becomes("TFSMLayer", filepath="saved"), "holds a TFSMLayer layer.* it is not run"),
        (first_becomes("TimeDistributed", layer={"class_name": "Lambda", "config": {}}), "holds Lambda, which is no"),
        (first_becomes("Mine"), "holds Mine, which is no part of Keras"),
        (first_becomes("Activation", activation="hard_sigmoid"), "saved by Keras 2.15.0.*hard_sigmoid.*tf-keras"),
        (replace("op", "TFOpLambda", "math.sin", {"name": None}), r"saved by Keras 2.15.0.*tf\.math\.sin"),
        (replace("op", "TFOpLambda", "math.add", {"y": ["input", 0, 0]}), r"tf\.math\.add"),
    ],
)
def test_what_keras_3_cannot_do_is_said_with_the_versions(tmp_path, change, message):
    write_h5(transfer(before=keras.layers.Rescaling(1.0, name="op")), tmp_path / "model.h5", change)
    with pytest.raises(ValueError, match=message):
        import_model.load_model(tmp_path / "model.h5", NAMES)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    write_h5(transfer(), tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        group = file["model_weights/model1"]
        names = list(group.attrs["weight_names"])
        swapped = [next(i for i, name in enumerate(names) if part in str(name)) for part in ("gamma", "beta")]
        names[swapped[0]], names[swapped[1]] = names[swapped[1]], names[swapped[0]]  # of one shape: only names tell
        group.attrs["weight_names"] = names
    with pytest.raises(ValueError, match=r"in another order: .*beta.* for .*gamma"):
        import_model.load_model(tmp_path / "model.h5", NAMES)


def test_16_bits_and_many_weights_are_read(tmp_path, pixels):
    """A policy in the words of Keras 2; a list of names that Keras 2 cut in two."""
    model = shuffled(
        keras.Sequential(
            [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax", dtype="mixed_float16")]
        )
    )
    write_h5(model, tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        attributes = file["model_weights"][model.layers[-1].name].attrs
        attributes["weight_names0"], attributes["weight_names1"] = ([name] for name in attributes["weight_names"])
        del attributes["weight_names"]
    imported = import_model.load_model(tmp_path / "model.h5", NAMES, pixels="0-1")
    np.testing.assert_allclose(imported.predict(pixels, verbose=0), model.predict(pixels / 255, verbose=0), atol=2e-3)
