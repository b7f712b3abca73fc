"""The model card of a run that is small enough to be read whole."""

import datetime
import json

import numpy as np
import pandas
import PIL.Image
import pytest
from markdown_it import MarkdownIt

from tests.data import hostile, test_images
from tutorial_utils.course import model_card
from tutorial_utils.data.images import read_image
from tutorial_utils.evaluation import metrics
from tutorial_utils.models import export

DAY = datetime.date(2026, 11, 26)


class Borrowed:
    """What the card asks of a Backbone."""

    source, license = "PyPI a_package 0.1", "Apache-2.0"


def finished(folder, names=("rust", "well"), **more):
    """Fill a run folder as run_folder.finish does, of two classes."""
    folder.mkdir(exist_ok=True)
    metrics = {"dataset": "some/where/leaves", "backbone": "lite", "image_size": 64, "seed": 3, "n_test": 200}
    metrics |= {"test_accuracy": 0.9, "test_accuracy_low": 0.85, "test_accuracy_high": 0.94, "taken_out": 2}
    metrics |= {"lowest_recall": names[0], "lowest_recall_value": 0.8}
    record = {"photos_fingerprint": "abc123def4567890" * 4, "weights_sha256": "ff00", "versions": {"keras": "3.15.1"}}
    (folder / "metrics.json").write_text(json.dumps(metrics | more))
    (folder / "run.json").write_text(json.dumps(record))
    rows = [f"{split},{name},{name}{number},{number}.png" for name in names
            for number, split in enumerate(["train", "train", "val", "test"])]  # fmt: skip
    (folder / "splits.csv").write_text("\n".join(["split,label,group,path", *rows]))
    (folder / "model.tflite").write_bytes(bytes(3_250_000))
    return folder


def written(run, names=("rust", "well"), **more):
    labels = np.repeat([0, 1], 10)
    table = metrics.class_table(labels, np.where(np.arange(20) < 2, 1, labels), list(names))
    exports = pandas.DataFrame(
        {"megabytes": np.nan, "milliseconds": [5.5, 1.5], "largest_difference": [0, 2e-6], "lost": [0, 0.005]},
        index=["keras", "float32"],
    )  # model.keras is not in the folder, so it is not among the files either
    told = dict(title="Which leaf?", license="CC0-1.0", backbone=Borrowed, exports=exports, classes=table, day=DAY)
    return model_card.write_model_card(run, **told | more).read_text()


def test_the_card_says_what_it_must(tmp_path):
    text = written(finished(tmp_path / "run"))
    for words in [
        "# Which leaf?\n",
        "names one of 2 classes for a photo: rust, well",
        "On 200 test photos the model is right on 90.0 %",
        "| rust | 10 | 80.0 |",  # of its photos are found
        "leaves, 8 photos in 8 groups",
        "2 photos that cannot be used or are duplicates were removed",
        "| rust | 2 | 1 | 1 |",
        "License of the photos: CC0-1.0",
        "Ruling out rust: of its test photos it finds only 80.0 %",
        "| `model.tflite` | LiteRT, 32-bit numbers: phones, small computers, any program | 3.2 | 1.5 | +0.5 | 2e-06 |",
        "resize((64, 64)",
        "license of the weights: Apache-2.0",
        "- Score: 90.0 % of 200 test photos (95 % interval 85.0 to 94.0 %)",
        "- Smallest file: model.tflite, 3.2 MB",
        "- Made 2026-11-26 with chapter 8",
    ]:
        assert words in text, words
    assert "some/where" not in text  # no one else's folders


def test_only_what_is_there_is_explained(tmp_path):
    text = written(finished(tmp_path / "run"))
    assert "### With LiteRT" in text
    assert "### With TensorFlow" not in text
    assert "model.onnx" not in text


def test_a_license_that_is_not_known_is_asked_for(tmp_path):
    text = written(finished(tmp_path / "run"), license="")
    assert "Write it here before you share the model" in text
    assert "license: not known" in text


def test_names_are_shown_as_they_are(tmp_path):
    names = ("*bold*_[a](b)|c", "<b>&amp;`d`</b>")
    text = written(finished(tmp_path / "run", names), names)
    shown = MarkdownIt("commonmark").enable("table").render(text)
    assert "<strong>" not in shown
    assert "<b>" not in shown
    for name in ["*bold*_[a](b)|c", "&lt;b&gt;&amp;amp;`d`&lt;/b&gt;"]:
        assert f"<td>{name}</td>" in shown
    assert shown.count("<table>") == 3  # classes, splits, files; a | in a name makes no new column
    assert {row.count("<td") for row in shown.split("<tr>")[1:] if "*bold*" in row} == {4, 6}


def test_of_many_classes_the_tables_have_those_found_least(tmp_path):
    """Class 0 is found best and class 39 least, which comes first."""
    names = [f"class_{number:02d}" for number in range(40)]
    run = finished(tmp_path / "run", names[:2])
    ends = dict(recall_low=0.1, recall_high=0.9, precision=0.5, n=4)
    table = pandas.DataFrame({"recall": np.linspace(0.8, 0.2, 40), **ends}, index=names)
    text = written(run, names[:2], classes=table)
    assert "one of 40 classes for a photo: class_00, class_01" in text.replace("\\", "")
    assert "Of the 40 classes, here and below are the 30 that are found least" in text
    rows = [line.replace("\\", "") for line in text.splitlines() if line.startswith("| class\\_")]
    assert [row.split()[1] for row in rows] == names[:9:-1] * 2


def test_a_card_of_an_unfinished_run_says_so(tmp_path):
    with pytest.raises(ValueError, match=r"run_folder\.finish"):
        written(tmp_path)


def test_what_is_not_known_of_a_run_of_before_is_left_out(tmp_path):
    """A run folder without the keys that came later, and with a license and a look that hold markup."""
    text = written(finished(tmp_path / "run", taken_out=None), license="CC_BY", looks="- at *nothing*\n\n# at all")
    assert "were removed" not in text
    assert "License of the photos: CC\\_BY\n" in text
    assert "\\- at \\*nothing\\* \\# at all\n" in text
    assert "sha256 of model.keras" not in text


def test_what_an_export_loses_is_counted_in_photos(tmp_path):
    """Four photos, all right by Keras, one of them wrong by the smaller form: a quarter is lost."""
    ours, labels = np.eye(2)[[0, 0, 1, 1]], np.array([0, 0, 1, 1])
    (tmp_path / "small.tflite").write_bytes(bytes(500_000))
    answers = {"keras": (ours, 5.0), "int8": (np.eye(2)[[0, 1, 1, 1]], 1.0)}
    table = model_card.score_exports(answers, {"int8": tmp_path / "small.tflite"}, labels)
    assert table.loc["keras", ["accuracy", "lost"]].tolist() == [1, 0]
    assert table.loc["int8", ["accuracy", "lost", "same_class", "milliseconds"]].tolist() == [0.75, 0.25, 0.75, 1]
    assert table.loc["int8", "lost_low"] <= 0.25 <= table.loc["int8", "lost_high"]
    shown = model_card.format_exports(table)
    assert shown.loc["int8", ["size (MB)", "same class (%)", "accuracy (%)"]].tolist() == ["0.5", "75.0", "75.0"]
    assert shown.loc["int8", "points lost"].startswith("+25.0 (")
    assert shown.loc["keras", ["size (MB)", "largest difference"]].tolist() == ["", "0e+00"]


def test_what_a_run_folder_lacks_is_told(tmp_path):
    for name in list(model_card.FILES)[1:]:
        (tmp_path / name).write_bytes(b"")
    assert model_card.missing_files(tmp_path) == [next(iter(model_card.FILES))]
    assert set(export.NAMES.values()) <= set(model_card.FILES)


def test_an_empty_title_is_refused(tmp_path):
    with pytest.raises(ValueError, match="title"):
        written(finished(tmp_path / "run"), title=" ")


def test_the_license_of_a_catalog_set_is_known_and_that_of_a_folder_is_not():
    assert model_card.license_of("solar_cells") == "CC-BY-NC-SA-4.0"
    assert model_card.license_of("my/folder") == ""


@pytest.mark.parametrize("name", model_card.RUNTIMES)
def test_a_command_is_python_and_names_its_size(name):
    heading, install, code = model_card.command(name, 96)
    assert heading.startswith("With ")
    assert install.startswith("pip install ")
    compile(code, name, "exec")
    assert "(96, 96)" in code
    assert "{{" not in code
    assert "tutorial_utils" not in code


def _odd_photos():
    """Yield (name, function that saves a photo of that kind)."""
    photo = hostile.picture(60, 40)
    mask = PIL.Image.linear_gradient("L").resize(photo.size)
    clear = photo.convert("RGBA")
    clear.putalpha(mask)
    gray = np.asarray(photo.convert("L"), np.uint16)
    yield "transparent", lambda file: clear.save(file, "PNG")
    yield "gray and transparent", lambda file: clear.convert("LA").save(file, "PNG")
    yield "palette", lambda file: photo.quantize(16).save(file, "PNG", transparency=3)
    yield (
        "a color that stands for transparent",
        lambda file: photo.save(file, "PNG", transparency=photo.getpixel((5, 5))),
    )
    yield "16 bits", lambda file: PIL.Image.fromarray(gray * 257).save(file, "PNG")
    yield "CMYK", lambda file: photo.convert("CMYK").save(file, "JPEG")
    yield "gray", lambda file: photo.convert("L").save(file, "JPEG")
    yield "turned", lambda file: photo.save(file, "JPEG", exif=hostile.exif(6))
    yield "profile", lambda file: photo.save(file, "PNG", icc_profile=test_images.linear_profile())


@pytest.mark.parametrize(("kind", "save"), list(_odd_photos()))
def test_the_cards_code_sees_the_pixels_that_predict_sees(tmp_path, monkeypatch, kind, save):
    monkeypatch.chdir(tmp_path)
    save("photo.jpg")
    code = model_card.command("onnx", 32)[2]
    code = code[: code.index("\nprobabilities")].replace("import onnxruntime\n", "")
    lines = [line for line in code.splitlines() if not line.startswith(("model", "names"))]
    found = {}
    exec("\n".join(lines), found)  # the code of our own template
    np.testing.assert_array_equal(found["pixels"][0], read_image("photo.jpg", 32))
