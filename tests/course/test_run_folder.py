import hashlib
import json

import keras
import numpy as np
import pytest

from tutorial_utils.course import run_folder
from tutorial_utils.data import layouts, splits
from tutorial_utils.models import backbones, heads


@pytest.fixture
def parameters(tmp_path):
    return dict(dataset="leaves", backbone="efficientnet_lite0", image_size=96, seed=0, run_dir=str(tmp_path / "03_x"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("dataset", "nowhere", "There is no folder nowhere"),
        ("dataset", "", "dataset must be a name"),
        ("backbone", "alexnet", "backbone must be one of"),
        ("image_size", 0, "image_size must be a whole number from 32 to 1024; got 0"),
        ("image_size", 10, "image_size must be a whole number from 32 to 1024; got 10"),
        ("image_size", 5000, "image_size must be a whole number from 32 to 1024; got 5000"),
        ("image_size", "big", "image_size must be a whole number from 32 to 1024; got 'big'"),
        ("seed", -1, "seed must be a whole number from 0"),
        ("photos_per_class", 2, "photos_per_class must be a whole number from 3"),
        ("photos_per_class", "all", "photos_per_class must be a whole number from 3"),
        ("full", "yes", "full must be True or False; got 'yes'"),
        ("full", 1, "full must be True or False; got 1"),
        ("epochs", "ten", "epochs must be a whole number from 1 to 1000; got 'ten'"),
        ("epochs", 0, "epochs must be a whole number from 1 to 1000; got 0"),
        ("epochs", 5.0, r"epochs must be a whole number from 1 to 1000; got 5\.0"),
        ("scratch_epochs", None, "scratch_epochs must be a whole number"),
        ("seeds", 2, "seeds must be a whole number from 3"),
        ("wanted_error", 1, r"wanted_error must be a share between 0 and 1, such as 0\.05; got 1"),
        ("wanted_error", "few", "wanted_error must be a share"),
        ("page_examples", -1, "page_examples must be a whole number from 1 to 20; got -1"),
        ("labels_language", "deutsch", "labels_language must be the tag of a language"),
        ("photos_license", 4.0, r"photos_license must be a text; got 4\.0\. With papermill: -r photos_license 4\.0"),
        ("effort", "some", "effort must be one of 'quick', 'best'"),
        ("photos_license", "", "photos_license must be a text; got ''"),
        ("model_path", 5, r"model_path must be a text; got 5\. With papermill: -r model_path 5"),
        ("model_path", "nowhere.keras", r"There is no file nowhere\.keras"),
        ("class_names", "nowhere.txt", r"nowhere\.txt cannot be read"),
        ("class_names", ["rust"], "class_names must be two names or more"),
        ("class_names", 7, "class_names must be two names or more"),
        ("pixels", "0..1", r"pixels must be one of '0-255', .*; got '0\.\.1'"),
        ("output", "softmax", "output must be one of 'probabilities', 'logits'; got 'softmax'"),
        ("run_dir", "", "run_dir must be a text; got ''"),
        ("run_dir", 2024, r"run_dir must be a text; got 2024\. With papermill: -r run_dir 2024"),
    ],
)
def test_a_wrong_parameter_is_named_and_nothing_is_made(parameters, tmp_path, name, value, message):
    with pytest.raises(ValueError, match=message):
        run_folder.start(**{**parameters, name: value})
    assert list(tmp_path.iterdir()) == []


def test_claims_are_asserted_at_the_defaults_of_every_notebook_and_nowhere_else(root):
    for path in (root / "notebooks").rglob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        (tagged,) = ["".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
        given = {}
        exec(tagged, {}, given)
        given["image_size"] = side = given["image_size"] or 128  # chapter 8 chooses it by the photos
        assert side == 128 or path.parent.name == "labs"
        assert run_folder.as_told(given | {"backbone": "efficientnet_lite0", "run_dir": "elsewhere"}, side), path.name
        for other in ({}, {"dataset": "photos"}, {"seed": 1}, {"image_size": 64}, {"backbone": "vgg16"}):
            assert run_folder.as_told(given | other, side) is not bool(other), path.name


def test_a_run_folder_beneath_a_file(parameters, tmp_path):
    (tmp_path / "notes.txt").write_text("a file")
    with pytest.raises(ValueError, match=r"notes\.txt.* cannot be made"):
        run_folder.start(**{**parameters, "run_dir": str(tmp_path / "notes.txt" / "run")})


def test_what_a_chapter_leaves_behind(parameters, class_folders):
    run = run_folder.start(**parameters)
    photos = splits.split(layouts.load_folder(class_folders))
    borrowed = backbones.get("efficientnet_lite0")
    run_folder.finish(run, parameters=parameters, metrics={"n_test": 4}, photos=photos, backbone=borrowed)
    assert sorted(path.name for path in run.iterdir()) == [
        "figures",
        "labels.txt",
        "metrics.json",
        "run.json",
        "splits.csv",
    ]
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["backbone"] == "efficientnet_lite0"
    assert (metrics["dataset"], metrics["image_size"], metrics["seed"], metrics["n_test"]) == ("leaves", 96, 0, 4)
    record = json.loads((run / "run.json").read_text())
    assert record["weights_sha256"] == borrowed.weights_sha256
    assert "keras" in record["versions"]
    assert (run / "labels.txt").read_text() == "healthy\nill\n"


def test_figures_of_an_earlier_run_are_taken_away_and_nobody_else_s(parameters):
    run = run_folder.start(**parameters)
    (run / "figures" / "old.png").write_bytes(b"")
    run_folder.start(**parameters)
    assert (run / "figures" / "old.png").is_file()  # there is no run.json, so they may be anyone's
    run_folder.finish(run, parameters=parameters, metrics={})
    run_folder.start(**parameters)
    assert not list((run / "figures").iterdir())


def test_the_seconds_are_those_since_the_start(parameters, monkeypatch):
    clock = iter([100.0, 107.26])
    monkeypatch.setattr(run_folder.time, "perf_counter", lambda: next(clock))
    run = run_folder.start(**parameters)
    assert run_folder.finish(run, parameters=parameters, metrics={"n_test": 3})["seconds"] == 7.3
    assert run_folder.finish(run, parameters=parameters, metrics={"seconds": 1.5})["seconds"] == 1.5


def test_another_run_is_found_only_if_everything_agrees(parameters, class_folders, capsys, tmp_path):
    run = run_folder.start(**parameters)
    photos = splits.split(layouts.load_folder(class_folders))
    borrowed = backbones.get("efficientnet_lite0")
    run_folder.finish(run, parameters=parameters, metrics={}, photos=photos, backbone=borrowed)
    here = tmp_path / "06_y"

    def find(photos=photos, **changes):
        asked = dict(photos=photos, backbone=borrowed, image_size=96, seed=0) | changes
        return run_folder.find_run(here, "03_x", **asked)

    assert find() == run
    assert find(image_size=128) is None
    assert "had other image_size" in capsys.readouterr().out
    assert find(seed=1) is None
    assert find(photos=photos.iloc[1:]) is None
    assert find(backbone=borrowed._replace(name="vgg16")) is None
    moved = photos.assign(path=[path.replace("photos", "elsewhere") for path in photos["path"]])
    (class_folders.parent / "elsewhere").symlink_to(class_folders)
    moved["group"] = moved["path"]
    assert find(photos=moved) is None
    assert "have moved since" in capsys.readouterr().out
    assert run_folder.find_run(here, "04_z", photos=photos, backbone=borrowed, image_size=96, seed=0) is None


def test_the_sha256_of_what_is_there_stands_in_run_json(tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    (tmp_path / "run.json").write_text('{"seed": 3}')
    (tmp_path / "model.keras").write_bytes(b"abc")
    hashes = {"model.keras": hashlib.sha256(b"abc").hexdigest()}
    assert run_folder.record_hashes(tmp_path, ["model.keras", "model.onnx"]) == hashes
    assert run_folder.read_run(tmp_path) == ({}, {"seed": 3, "files_sha256": hashes})


def test_a_run_that_is_not_finished_is_not_read(tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(ValueError, match=r"There is no .*run\.json\. Call run_folder\.finish first"):
        run_folder.read_run(tmp_path)


def test_the_model_is_saved_without_its_optimizer(parameters, recwarn):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(inputs))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    model.fit(x, np.arange(6) % 2, verbose=0)
    run = run_folder.start(**parameters)
    run_folder.finish(run, parameters=parameters, metrics={}, model=model)
    again = keras.models.load_model(run / "model.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    assert not [warning for warning in recwarn if "optimizer" in str(warning.message)]


def test_a_saved_model_loads_without_a_warning_though_its_head_was_compiled(parameters, recwarn):
    head = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")], name="head")
    head.compile(optimizer=keras.optimizers.AdamW(), loss="sparse_categorical_crossentropy")
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, head(keras.layers.GlobalAveragePooling2D()(images)))
    run = run_folder.start(**parameters)
    run_folder.finish(run, parameters=parameters, metrics={}, model=model)
    loaded = keras.models.load_model(run / "model.keras", compile=False)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(loaded.predict(pixels, verbose=0), model.predict(pixels, verbose=0), atol=1e-6)
    assert loaded(pixels).shape == (len(pixels), 2)  # probabilities, not a list that holds them
    cooled = heads.add_temperature(loaded, 2.0).predict(pixels, verbose=0)
    assert (cooled.max(axis=1) <= loaded.predict(pixels, verbose=0).max(axis=1)).all()
    assert [str(warning.message) for warning in recwarn if "optimizer" in str(warning.message)] == []
    head.fit(np.ones((4, 3)), np.array([0, 1, 0, 1]), verbose=0)  # the head itself can go on learning
