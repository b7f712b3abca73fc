"""A model that knows red from green is asked about photos, some of which are none."""

import io

import keras
import numpy as np
import pandas
import PIL.Image
import pytest

from tutorial_utils import __main__ as main
from tutorial_utils.course import predictor, run_folder
from tutorial_utils.models import export, features

COLORS = {"green": (0, 255, 0), "red": (255, 0, 0), "blue": (0, 0, 255)}


@pytest.fixture
def run(tmp_path):
    """A run folder: probabilities are softmax of (green, red) / 255 * 4, after a map that repeats the pixels."""
    pixels = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(3, 1, use_bias=False, name="same")(pixels)
    mean = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(mean))
    model.get_layer("same").set_weights([np.eye(3).reshape(1, 1, 3, 3)])
    model.layers[-1].set_weights([np.array([[0, 4], [4, 0], [0, 0]]) / 255, np.zeros(2)])
    folder = tmp_path / "run"
    folder.mkdir()
    model.save(folder / "model.keras")
    (folder / "labels.txt").write_text("green\nred\n")
    return folder


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    for place, color in {"a.png": "red", "b.PNG": "green", "deeper/c.png": "blue"}.items():
        PIL.Image.new("RGB", (12, 10), COLORS[color]).save(folder / place, "PNG")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "notes.txt").write_text("not a photo")
    return folder


@pytest.fixture
def red_or_green():
    """Softmax of (green, red) / 25."""
    pixels = keras.Input((8, 8, 3))
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(pixels, dense(keras.layers.GlobalAveragePooling2D()(pixels)))
    dense.set_weights([np.array([[0, 1], [1, 0], [0, 0]]) / 25, np.zeros(2)])
    return predictor.make_predictor(model, ["green", "red"])


def answers(run, paths, **options):
    return pandas.concat(
        predictor.predict_photos(predictor.load_predictor(run), paths, progress=False, **options), ignore_index=True
    )


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_each_photo_has_a_row_in_its_order(run, photos, batch_size):
    """Red: logits (0, 4), so it is sure by 1 / (1 + e^-4) = 0.982; blue: (0, 0), even."""
    paths, others = predictor.find_photos([photos])
    assert others == 1
    assert [path.removeprefix(str(photos)) for path in paths] == ["/a.png", "/b.PNG", "/broken.jpg", "/deeper/c.png"]
    table = answers(run, paths, batch_size=batch_size)
    assert table["path"].tolist() == paths
    assert table["class"].tolist() == ["red", "green", "", "green"]
    np.testing.assert_allclose(table["confidence"], [0.98201, 0.98201, np.nan, 0.5], atol=1e-4)
    np.testing.assert_allclose(table["p: green"], [0.01799, 0.98201, np.nan, 0.5], atol=1e-4)
    assert table["unknown"].tolist() == [""] * 4
    assert "broken.jpg" in table["problem"][2]
    assert (table["problem"][[0, 1, 3]] == "").all()


def test_a_photo_unlike_all_that_was_learned_is_marked(run, photos):
    """Learned from: red and green, 255 each; at right angles to both, blue is 1.41 away, they are 0."""
    predictor.save_ood_reference(run, [[255, 0, 0], [0, 255, 0]], ood_threshold=1.0, n_neighbors=1)
    table = answers(run, predictor.find_photos([photos])[0])
    assert table["unknown"].tolist() == ["no", "no", "", "yes"]


def test_the_reference_of_an_earlier_run_folder_is_read(run, photos):
    """As it has been written since the first run folders that had one."""
    features = np.array([[255, 0, 0], [0, 255, 0]], np.float16)
    np.savez_compressed(run / "known.npz", features=features, limit=1.0, nearest=1)
    assert answers(run, predictor.find_photos([photos])[0])["unknown"].tolist() == ["no", "no", "", "yes"]


def test_a_model_of_all_layers_marks_unlike_photos_by_its_last_map(run, photos):
    """The first map is of one channel, the last holds the colors; the head takes the means of the last alone."""
    pixels = keras.Input((8, 8, 3))
    first = keras.layers.AveragePooling2D(2)(pixels)
    maps = keras.Model(pixels, [keras.layers.Conv2D(1, 1)(pixels), first])
    images = keras.Input((8, 8, 3))
    head = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(images, head(features.mean_and_deviation(maps(images))))
    kernel = np.zeros((8, 2))
    kernel[2:5] = np.array([[0, 4], [4, 0], [0, 0]]) / 255
    head.set_weights([kernel, np.zeros(2)])
    model.save(run / "model.keras")
    predictor.save_ood_reference(run, [[255, 0, 0], [0, 255, 0]], ood_threshold=1.0, n_neighbors=1)
    table = answers(run, predictor.find_photos([photos])[0])
    assert table["class"].tolist()[:2] == ["red", "green"]
    assert table["unknown"].tolist() == ["no", "no", "", "yes"]


def test_predictions_have_the_true_class_beside_the_answer(tmp_path, red_or_green, make_photo):
    """Two red photos and a green one, which stands in the wrong class."""
    colors = {"a.png": (255, 0, 0), "b.png": (250, 0, 0), "c.png": (0, 255, 0)}
    paths = [str(make_photo(tmp_path / name, color)) for name, color in colors.items()]
    labels = pandas.Categorical(["red"] * 3, categories=["green", "red"])
    predictor.save_predictions(tmp_path, red_or_green, pandas.DataFrame({"path": paths, "label": labels}))
    table = pandas.read_csv(tmp_path / "predictions.csv", keep_default_na=False)
    assert list(table.columns) == [
        "path", "true", "class", "confidence", "unknown", "problem", "p: green", "p: red",
    ]  # fmt: skip
    assert table["true"].tolist() == ["red"] * 3
    assert table["class"].tolist() == ["red", "red", "green"]
    np.testing.assert_allclose(table["p: green"] + table["p: red"], 1, atol=1e-5)


def test_patterns_and_files_are_found_once(photos):
    pattern, file = str(photos / "*.png"), str(photos / "a.png")
    assert predictor.find_photos([file, pattern, file]) == ([file], 0)
    assert predictor.find_photos([str(photos / "**" / "*.png")])[0][-1].endswith("c.png")
    assert predictor.find_photos([photos / "x*.png"]) == (
        [str(photos / "x*.png")],
        0,
    )  # a row that says so, not silence


def test_the_command_prints_a_row_each_and_ends_with_1_for_a_bad_photo(run, photos, capsys):
    assert main.main(["predict", str(run), str(photos), "--csv"]) == 1
    told = capsys.readouterr()
    table = pandas.read_csv(io.StringIO(told.out))
    assert table["class"].tolist()[:2] == ["red", "green"]
    assert "1 of 4 photos could not be read" in told.err
    assert main.main(["predict", str(run / "model.keras"), str(photos / "a.png")]) == 0
    assert capsys.readouterr().out == f"{photos / 'a.png'}: red 98%\n"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: (run / "labels.txt").unlink(), "--class-names"),
        (lambda run: (run / "labels.txt").write_text("a\nb\nc\n"), "3"),
        (lambda run: (run / "model.keras").unlink(), "no saved Keras model"),
        (lambda run: (run / "model.keras").write_bytes(b"no zip"), "model.keras"),
    ],
)
def test_what_cannot_be_asked_says_why_and_ends_with_2(run, photos, spoil, words, capsys):
    spoil(run)
    assert main.main(["predict", str(run), str(photos)]) == 2
    assert words in capsys.readouterr().err


def test_an_empty_folder_ends_with_2(run, tmp_path, capsys):
    (tmp_path / "none").mkdir()
    assert main.main(["predict", str(run), str(tmp_path / "none")]) == 2
    assert "There are no photos" in capsys.readouterr().err


def test_an_export_in_its_run_folder_is_run_and_a_stranger_is_not(run, photos, capsys):
    model = keras.models.load_model(run / "model.keras")
    exported = run / "model.tflite"
    exported.write_bytes(export.to_litert(model))
    for name in ("run.json", "metrics.json"):
        (run / name).write_text("{}")
    assert main.main(["predict", str(exported), str(photos / "a.png")]) == 2
    assert "no export that a run.json beside it lists" in capsys.readouterr().err
    run_folder.record_hashes(run, ["model.tflite"])
    table = answers(exported, [str(photos / "a.png"), str(photos / "b.PNG")])
    expected = answers(run, [str(photos / "a.png"), str(photos / "b.PNG")])
    pandas.testing.assert_frame_equal(table, expected, check_exact=False, atol=1e-5)


def test_a_range_that_begins_with_a_minus_can_be_typed(run, photos, capsys):
    """Pixels of -1..1 are nearly nothing to this model: softmax of about 0.03."""
    for given in (["--pixels", "-1..1"], ["--pixels=-1..1"]):
        assert main.main(["predict", str(run), str(photos / "a.png"), *given]) == 0
        assert capsys.readouterr().out == f"{photos / 'a.png'}: red 51%\n"


@pytest.mark.parametrize(
    ("name", "words"), [("learner.pkl", "a pickle"), ("net.pth", "PyTorch"), ("other.onnx", "run.json")]
)
def test_a_file_of_another_program_is_named(tmp_path, name, words, capsys):
    (tmp_path / name).write_bytes(b"\x80\x04")
    assert main.main(["predict", str(tmp_path / name), "photo.png"]) == 2
    assert words in capsys.readouterr().err
