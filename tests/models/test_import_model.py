"""Models that plain Keras scripts made, in a process that never heard of this package, and what becomes of them."""

import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest

from tutorial_utils.data import layouts, pipeline
from tutorial_utils.evaluation import metrics, saliency
from tutorial_utils.models import heads, import_model
from tutorial_utils.models.import_model import check_import, load_model

NAMES = ["dark", "middle", "bright"]
SCRIPT = '''
import sys
import keras

def classes(images, slope, start, activation="softmax"):
    """Dark below a third of the brightness, bright above two thirds; slope and start say how brightness comes in."""
    x = keras.layers.GlobalAveragePooling2D()(images)  # (batch, 3)
    dense = keras.layers.Dense(3, activation=activation)
    y = dense(x)
    kernel = [[0, 20 * slope / 3, 40 * slope / 3]] * 3
    dense.set_weights([keras.ops.convert_to_numpy(kernel), keras.ops.convert_to_numpy(start)])
    return y

def one_unit(images, activation):
    dense = keras.layers.Dense(1, activation=activation)
    y = dense(keras.layers.GlobalAveragePooling2D()(images))
    dense.set_weights([keras.ops.convert_to_numpy([[20 / 3]] * 3), keras.ops.convert_to_numpy([-10.0])])
    return y

class Twice(keras.layers.Layer):
    def call(self, images):
        return 2 * images

images = keras.Input((8, 8, 3))
plain = [0.0, -20 / 3, -20.0]
rescaled = keras.layers.Rescaling(1 / 255)(images)
keras.Model(images, classes(rescaled, 1, plain)).save("inside.keras")
unit = keras.Model(images, classes(images, 1, plain))
unit.save("unit.keras")
unit.save("unit.h5")
unit.save_weights("only.weights.h5")
unit.export("saved", verbose=False)
keras.Model(images, classes(images, 0.5, [0.0, 10 / 3, 0.0], None)).save("signed_logits.keras")
keras.Model(images, one_unit(images, "sigmoid")).save("sigmoid.keras")
keras.Model(images, one_unit(images, None)).save("one_logit.keras")
keras.Model(images, classes(keras.layers.Lambda(lambda x: x / 255)(images), 1, plain)).save("lambda.keras")
keras.Model(images, classes(keras.layers.Lambda(lambda x: x / 255)(images), 1, plain)).save("lambda.h5")
keras.Model(images, classes(Twice()(images), 1, plain)).save("own.keras")
keras.Model(images, classes(Twice()(images), 1, plain)).save("own.h5")
some = keras.Input((None, None, 3))
keras.Model(some, classes(some, 1, plain)).save("any_size.keras")
gray = keras.Input((8, 8, 1))
keras.Model(gray, classes(keras.layers.Concatenate()([gray] * 3), 1, plain)).save("gray.keras")
flat = keras.Input((192,))
keras.Model(flat, keras.layers.Dense(3)(flat)).save("flat.keras")
wide = keras.Input((8, 6, 3))
keras.Model(wide, classes(wide, 1, plain)).save("wide.keras")
keras.Model([images, gray], classes(images, 1, plain)).save("two_inputs.keras")
keras.Model(images, keras.layers.Conv2D(3, 1)(images)).save("no_pooling.keras")
keras.Sequential([keras.layers.Conv2D(3, 1), keras.layers.Dense(3)]).save("unused.keras")
convolved = keras.layers.Conv2D(3, 3, padding="same", activation="relu")(rescaled)
keras.Model(images, one_unit(convolved, "sigmoid")).save("convolved.keras")
assert "tutorial_utils" not in sys.modules
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, check=True, capture_output=True)
    return folder


def flat(*values, side=8):
    """Return photos of one brightness each, float32 (photos, side, side, 3)."""
    return np.stack([np.full((side, side, 3), value, "float32") for value in values])


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("inside.keras", {}),
        ("unit.keras", {"pixels": "0-1"}),
        ("unit.h5", {"pixels": "0-1"}),
        ("signed_logits.keras", {"pixels": "-1..1", "output": "logits"}),
        ("any_size.keras", {"pixels": "0-1", "image_size": 32}),
    ],
)
def test_the_same_model_in_five_forms_says_the_same(folder, tmp_path, name, declared):
    """Brightness 0.2, 0.5, 0.9 of 1: logits 0, 20 (b - 1/3), 40 (b - 1/2), done by hand."""
    model = load_model(folder / name, NAMES, **declared)
    side = declared.get("image_size", 8)
    assert model.input_shape == (None, side, side, 3)
    logits = np.array([[0, -8 / 3, -12], [0, 10 / 3, 0], [0, 34 / 3, 16]])
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    photos = flat(51, 127.5, 229.5, side=side)
    np.testing.assert_allclose(model.predict(photos, verbose=0), expected, atol=1e-4)
    model.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(again.predict(photos, verbose=0), expected, atol=1e-4)


@pytest.mark.parametrize(("name", "output"), [("sigmoid.keras", "probabilities"), ("one_logit.keras", "logits")])
def test_one_unit_is_the_second_of_two_classes(folder, name, output):
    """Brightness 0.6 is a logit of 20 (0.6 - 0.5) = 2, and the sigmoid of 2 is 0.8808."""
    model = load_model(folder / name, ["dark", "bright"], pixels="0-1", output=output)
    said = model.predict(flat(153, 0), verbose=0)
    np.testing.assert_allclose(said, [[0.1192, 0.8808], [1, 0]], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lambda.keras", r"holds a Lambda layer.* it is not run.*Rescaling"),
        ("lambda.h5", r"holds a Lambda layer.* it is not run"),
        ("own.keras", r"holds Twice, which is no part of Keras"),
        ("own.h5", r"holds Twice, which is no part of Keras"),
        ("only.weights.h5", r"holds weights without the network.*Load them into it"),
        ("saved", r"is a SavedModel folder.*save it again.*model\.save"),
        ("nowhere.keras", r"There is no file .*nowhere\.keras"),
        ("gray.keras", r"model of color photos.*takes \(None, 8, 8, 1\) in gray"),
        ("flat.keras", r"model of color photos.*takes \(None, 192\)"),
        ("wide.keras", r"square photos.*takes 8 x 6 pixels.*Resizing"),
        ("two_inputs.keras", r"one input and one output.*has 2 and 1"),
        ("no_pooling.keras", r"Expected outputs \(batch, classes\)"),
        ("unused.keras", r"before it was used once"),
        ("any_size.keras", r"photos of any size.*image_size=224"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(folder, name, message):
    with pytest.raises(ValueError, match=message):
        load_model(folder / name, NAMES)


def test_files_that_are_not_what_they_are_called(folder, tmp_path):
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(ValueError, match=r"called \.keras but is no whole file.*b'hello'.*Fetch it again"):
        load_model(tmp_path / "text.keras", NAMES)
    (tmp_path / "half.keras").write_bytes((folder / "unit.keras").read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"half\.keras is called \.keras but is no whole file"):
        load_model(tmp_path / "half.keras", NAMES)
    (tmp_path / "model.xyz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"Expected a model file, \.keras or \.h5; got model\.xyz"):
        load_model(tmp_path / "model.xyz", NAMES)


@pytest.mark.parametrize("name", ["MODEL.KERAS", "MODEL.H5", "old.keras", "new.h5", "model.hdf5"])
def test_a_file_is_known_by_what_is_in_it(folder, tmp_path, name):
    zipped = name in ("MODEL.KERAS", "new.h5")
    shutil.copyfile(folder / ("unit.keras" if zipped else "unit.h5"), tmp_path / name)
    said = load_model(tmp_path / name, NAMES, pixels="0-1").predict(flat(51, 229.5), verbose=0)
    np.testing.assert_array_equal(said.argmax(axis=1), [0, 2])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.pth", "a file of PyTorch, a pickle, which can run any program.*Judge it where it was made"),
        ("export.PKL", "of fastai or scikit-learn, a pickle"),
        ("model.tflite", "a LiteRT file. Give the Keras model.*run folder"),
        ("model.onnx", "an ONNX file. Give the Keras model.*run folder"),
        ("converted_keras.zip", "a zip. Unpack it and give the model in it.*keras_model.h5"),
    ],
)
def test_files_of_other_programs_are_named_and_never_opened(tmp_path, name, message):
    with zipfile.ZipFile(tmp_path / name, "w") as file:  # as PyTorch's are
        file.writestr("data.pkl", "cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path / name, NAMES)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "declared", "message"),
    [
        ("inside.keras", {"pixels": "0..1"}, "pixels must be one of '0-255', .*'torch'; got '0..1'"),
        ("inside.keras", {"output": "scores"}, "output must be one of"),
        ("any_size.keras", {"image_size": 7}, r"image_size must be a whole number from 32"),
        ("inside.keras", {"class_names": ["a", "b"]}, "has 3 outputs; got 2 class_names.*One is missing.*background"),
        ("inside.keras", {"class_names": list("abcd")}, "has 3 outputs; got 4 class_names.*One is too many"),
        ("inside.keras", {"class_names": list("abcde")}, "has 3 outputs; got 5 class_names.*each output"),
        ("sigmoid.keras", {}, "has 1 output; got 3 class_names.*second of two classes: give two names"),
        ("inside.keras", {"class_names": ["a", "b", "a"]}, "a comes more than once"),
        ("inside.keras", {"class_names": None}, r"class_names must be two names or more.*got \[None\]"),
        ("inside.keras", {"class_names": "labels"}, r"labels cannot be read \(FileNotFoundError\)"),
        ("signed_logits.keras", {}, r'Expected probabilities.*say output="logits"'),
        ("inside.keras", {"output": "logits"}, r'already gives probabilities.*Say output="probabilities"'),
    ],
)
def test_a_wrong_declaration_is_named(folder, name, declared, message):
    with pytest.raises(ValueError, match=message):
        load_model(folder / name, **{"class_names": NAMES, **declared})


def test_names_from_a_file(folder, tmp_path):
    (tmp_path / "labels.txt").write_text("\ufeffdark\n middle \n\nbright\n", encoding="utf-8")
    assert import_model.read_class_names(tmp_path / "labels.txt") == NAMES
    assert load_model(folder / "inside.keras", str(tmp_path / "labels.txt")).output_shape == (None, 3)


def test_numbers_before_the_names_are_left_out(tmp_path):
    """As Teachable Machine writes them. A run folder's classes are called as their folders are, numbers and all."""
    labels = tmp_path / "labels.txt"
    labels.write_text("0 cat\n1 big dog\n", encoding="utf-8")
    assert import_model.read_class_names(labels) == ["cat", "big dog"]
    (tmp_path / "run.json").write_text("{}")
    assert import_model.read_class_names(labels) == ["0 cat", "1 big dog"]
    (tmp_path / "run.json").unlink()
    for text in ("0 cat\ndog\n", "1 cat\n2 dog\n", "0 spots\n1 spots\n"):  # no numbering, or names by it only
        labels.write_text(text)
        assert import_model.read_class_names(labels) == text.splitlines()


def test_the_classes_of_a_run_are_read_as_they_were_written(tmp_path):
    names = ["1 cat", "$1", "a|b", "<i>x", "nan", "big\u2028dog", "dog "]
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "labels.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    assert import_model.read_class_names(tmp_path / "labels.txt") == names


@pytest.mark.parametrize("name", ["caffe", "torch"])
def test_pixels_by_name_are_those_of_keras_applications(tmp_path, name):
    images = keras.Input((4, 4, 3))
    dense = keras.layers.Dense(3, activation="softmax", kernel_initializer=keras.initializers.RandomNormal(0, 0.01))
    model = keras.Model(images, dense(keras.layers.Flatten()(images)))
    model.save(tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3)).astype("float32")
    told = keras.applications.imagenet_utils.preprocess_input(pixels.copy(), mode=name)
    imported = load_model(tmp_path / "model.keras", NAMES, pixels=name)
    expected = model.predict(told, verbose=0)
    np.testing.assert_allclose(imported.predict(pixels, verbose=0), expected, atol=1e-5)
    imported.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(again.predict(pixels, verbose=0), expected, atol=1e-5)


def test_a_softmax_of_16_bits_is_accepted_and_adds_up_again(tmp_path):
    images = keras.Input((4, 4, 3))
    dense = keras.layers.Dense(50, activation="softmax", dtype="float16")
    keras.Model(images, dense(keras.layers.GlobalAveragePooling2D()(images))).save(tmp_path / "half.keras")
    model = load_model(tmp_path / "half.keras", [f"class {number}" for number in range(50)], pixels="0-1")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3))
    said = model.predict(pixels, verbose=0)
    assert said.dtype == np.float32
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)


def test_photos_are_put_into_the_models_order():
    photos = pd.DataFrame({"path": list("abc"), "label": pd.Categorical(["bright", "dark", "middle"])})
    assert photos["label"].cat.codes.tolist() == [0, 1, 2]
    ordered = import_model.align_classes(photos, NAMES)
    assert ordered["label"].cat.codes.tolist() == [2, 0, 1]
    assert ordered["label"].tolist() == photos["label"].tolist()
    assert photos["label"].cat.codes.tolist() == [0, 1, 2]  # the table that was given stays as it was
    with pytest.raises(ValueError, match="only in class_names: Dark; only in the photos: dark"):
        import_model.align_classes(photos, ["Dark", "middle", "bright"])


def test_a_folder_of_photos_from_end_to_end(folder, tmp_path, make_photo):
    """The folder's classes come in alphabetical order, the model's do not; every photo is named correctly."""
    for name, gray in {"dark": 20, "middle": 128, "bright": 240}.items():
        for number in range(4):
            make_photo(tmp_path / "photos" / name / f"{number}.png", (gray + number,) * 3)
    photos = import_model.align_classes(layouts.load_folder(tmp_path / "photos"), NAMES)
    model = load_model(folder / "any_size.keras", NAMES, pixels="0-1", image_size=32)
    batches = pipeline.batches(photos, model.input_shape[1])
    labels, probabilities = metrics.predict(model, batches)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), labels)
    assert check_import(model, batches, NAMES, photos["group"]) == []
    mistaken = load_model(folder / "any_size.keras", NAMES, image_size=32)
    (said, _) = check_import(mistaken, batches, NAMES, photos["group"])
    assert 'Load it again with pixels="0-1"' in said


def test_heat_maps_and_temperatures_take_such_a_model(folder):
    model = load_model(folder / "convolved.keras", ["dark", "bright"])
    photos = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    said = model.predict(photos, verbose=0)
    maps, rest = saliency.split_model(model)
    np.testing.assert_allclose(rest(maps(photos)), said, atol=1e-5)
    assert saliency.grad_cam((maps, rest), photos, said.argmax(axis=1)).shape == (2, 8, 8)
    warm = heads.add_temperature(model, 2.0).predict(photos, verbose=0)
    np.testing.assert_array_equal(warm.argmax(axis=1), said.argmax(axis=1))


def test_the_size_in_the_file_counts(folder):
    assert load_model(folder / "inside.keras", NAMES, image_size=224).input_shape[1] == 8


def photos(count=30, classes=3):
    """Return batches of photos, equally many of each brightness: (images, labels) of ten each."""
    labels = np.arange(count) % classes
    images = flat(*(255 * (labels + 0.5) / classes))
    return [(images[at : at + 10], labels[at : at + 10]) for at in range(0, count, 10)]


def test_nothing_is_said_of_a_model_that_was_declared_as_it_is(folder):
    assert check_import(load_model(folder / "unit.keras", NAMES, pixels="0-1"), photos(), NAMES) == []


def test_wrong_pixels_are_noticed_and_the_right_ones_named(folder):
    """Taken as 0-255, every photo is far above two thirds: a third is right, and all answers are "bright"."""
    scaled, same = check_import(load_model(folder / "unit.keras", NAMES), photos(), NAMES)
    assert 'with pixels="0-1" the model is right on 100.0% of these 30 photos' in scaled
    assert 'with pixels="0-255", as it was loaded, on 33.3%' in scaled
    assert "one and the same answer, bright, for all of these 30 photos of 3 classes" in same
    (scaled,) = check_import(load_model(folder / "unit.keras", NAMES, pixels="-1..1"), photos(), NAMES)
    assert 'Load it again with pixels="0-1"' in scaled


def test_photos_of_few_groups_tell_nothing(folder):
    """Two of three photos gain. In six groups of one plant each, 6 to 0 has chance 2 / 2**6 = 0.031, above 0.0125."""
    model = load_model(folder / "unit.keras", NAMES)
    assert not any("scaled" in said for said in check_import(model, photos(), NAMES, np.arange(30) // 5))
    eight = np.arange(30) // 4  # 2 / 2**8 = 0.008
    assert any("scaled" in said for said in check_import(model, photos(), NAMES, eight))


def test_another_order_of_the_names_is_noticed(folder):
    """The model's first output is "dark", but is called "bright": the middle third is still right."""
    names = NAMES[::-1]
    batches = [(images, 2 - labels) for images, labels in photos(60)]
    (said,) = check_import(load_model(folder / "unit.keras", names, pixels="0-1"), batches, names)
    assert "in another order: as dark, middle, bright they fit 100.0% of the photos, as they were given 33.3%" in said


def test_a_model_that_guesses_is_not_called_badly_declared(folder):
    """Labels by lot: of 40 draws few get a sentence, as each kind of sentence has a chance of one in twenty."""
    model, fired = load_model(folder / "unit.keras", NAMES, pixels="0-1"), 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        batch = flat(*rng.uniform(0, 255, 60)), rng.integers(0, 3, 60)
        fired += bool(check_import(model, [batch], NAMES))
    assert fired <= 6


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("sigmoid.keras", {"pixels": "0-1"}, []),
        ("sigmoid.keras", {}, ['pixels="0-1"', "one and the same answer"]),
        ("sigmoid.keras", {"pixels": "0-1", "output": "logits"}, ["one and the same answer", "between 0 and 1"]),
        ("one_logit.keras", {"pixels": "0-1", "output": "logits"}, []),
    ],
)
def test_one_unit_is_checked_too(folder, name, declared, expected):
    names = ["dark", "bright"]
    said = check_import(load_model(folder / name, names, **declared), photos(classes=2), names)
    assert len(said) == len(expected)
    assert all(part in sentence for part, sentence in zip(expected, said, strict=True))


def test_what_does_not_fit_the_model_is_refused(folder):
    model = load_model(folder / "unit.keras", NAMES, pixels="0-1")
    with pytest.raises(ValueError, match=r"Expected a model from import_model\.load_model"):
        check_import(keras.models.load_model(folder / "unit.keras", compile=False), photos(), NAMES)
    with pytest.raises(ValueError, match="tells 3 classes apart; got 2"):
        check_import(model, photos(), ["a", "b"])
    with pytest.raises(ValueError, match="at least one batch"):
        check_import(model, [], NAMES)
    with pytest.raises(ValueError, match=r"labels 0 \.\.\. 2; got 0 \.\.\. 3"):
        check_import(model, photos(classes=4), NAMES)
    with pytest.raises(ValueError, match="a group for each of 30 photos"):
        check_import(model, photos(), NAMES, groups=[1, 2])
