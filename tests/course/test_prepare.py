"""Broken folders, each with the sentence that its owner must be told; one that is fit; the deep audit."""

import shutil

import matplotlib.pyplot as plt
import numpy as np
import pandas
import pytest
from IPython.core.interactiveshell import InteractiveShell

from tutorial_utils.course import prepare
from tutorial_utils.data import audit, images, layouts
from tutorial_utils.models import backbones


@pytest.fixture
def folder(tmp_path, make_photo):
    """Two classes, good and ill, of twelve photos each, all different."""
    for number in range(24):
        make_photo(tmp_path / "photos" / ["good", "ill"][number % 2] / f"{number:02d}.png", size=(80, 80), seed=number)
    return tmp_path / "photos"


def no_classes(folder):
    for path in sorted(folder.glob("*/*.png")):
        path.rename(folder / path.name)
    shutil.rmtree(folder / "good")
    shutil.rmtree(folder / "ill")


def one_class(folder):
    shutil.rmtree(folder / "ill")


def empty_class(folder):
    (folder / "mildew").mkdir()


def folder_in_a_class(folder):
    (folder / "ill" / "more").mkdir()
    shutil.copy(next((folder / "ill").glob("*.*")), folder / "ill" / "more")


def other_columns(folder):
    (folder / "groups.csv").write_text("name,plant\na,b\n")


def missing_photo(folder):
    (folder / "groups.csv").write_text("class,file,group\nill,gone.png,1\n")


def cut_off(folder):
    for path in [*sorted(folder.glob("*/*.png"))[::2], folder / "ill" / "03.png"]:
        path.write_bytes(path.read_bytes()[:200])


def no_photos_of_a_class(folder):
    shutil.rmtree(folder / "ill")
    for number in range(8):
        (folder / "ill").mkdir(exist_ok=True)
        (folder / "ill" / f"{number}.jpg").write_text("<!DOCTYPE html><title>404</title>")


def two_plants_a_class(folder):
    rows = [
        f"{path.parent.name},{path.name},{path.parent.name} {place % 2}" for place, path in enumerate(photos(folder))
    ]
    (folder / "groups.csv").write_text("\n".join(["class,file,group", *rows]))


def four_photos(folder):
    for path in sorted((folder / "ill").iterdir())[4:]:
        path.unlink()


def one_picture(folder):
    first, *others = sorted((folder / "ill").iterdir())
    for path in others:
        shutil.copy(first, path)


def both_classes(folder):
    for path in (folder / "good").iterdir():
        shutil.copy(path, folder / "ill")


def photos(folder):
    return sorted(path for path in folder.glob("*/*.png") if path.parent.name == "good") + sorted(
        path for path in folder.glob("*/*.png") if path.parent.name == "ill"
    )


BROKEN = [
    (no_classes, "at least two class folders"),
    (one_class, "found only good"),
    (empty_class, "mildew holds no photos"),
    (folder_in_a_class, "ill holds photos, and so does ill/more"),
    (other_columns, "needs the columns class,file,group"),
    (missing_photo, "gone.png"),
    (cut_off, "13 of 24 photos cannot be used. Was the folder copied whole?"),
    (no_photos_of_a_class, "The class 'ill' would have no photo left"),
    (two_plants_a_class, "train, val and test need at least one group each"),
    (four_photos, "Too few usable photos in 'ill' (4); a model"),
    (one_picture, "Too few usable photos in 'ill' (1); a model"),
    (both_classes, "The class 'good' would have no photo left"),
]


@pytest.mark.parametrize(("spoil", "words"), BROKEN, ids=[spoil.__name__ for spoil, _ in BROKEN])
def test_a_broken_folder_stops_with_a_sentence_and_a_page(folder, tmp_path, spoil, words):
    spoil(folder)
    before = sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    with pytest.raises(prepare.NotFit, match="not fit to learn from") as stop:
        prepare.prepare_photos(folder, tmp_path / "run", progress=False)
    assert words in str(stop.value)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "not fit to learn from yet" in page
    assert words.replace("'", "&#39;") in page
    assert "Traceback" not in page
    assert sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file()) == before


def test_what_was_found_stands_on_the_page(folder, tmp_path):
    cut_off(folder)
    with pytest.raises(prepare.NotFit):
        prepare.prepare_photos(folder, tmp_path, progress=False)
    page = (tmp_path / "report.html").read_text()
    assert "the file ends before the picture does" in page
    assert "and 10 more" in page  # of thirteen files, three are named
    assert len(pandas.read_csv(tmp_path / "dropped.csv")) == 13


def test_the_numbers_of_an_earlier_run_go_and_its_model_stays(folder, tmp_path):
    one_class(folder)
    for name in ("metrics.json", "run.json", "model.keras"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(prepare.NotFit):
        prepare.prepare_photos(folder, tmp_path, progress=False)
    assert [(tmp_path / name).exists() for name in ("metrics.json", "run.json", "model.keras")] == [False, False, True]


def test_a_notebook_shows_the_sentence_alone(folder, tmp_path, capsys):
    one_class(folder)
    shell = InteractiveShell.instance()
    shell.user_ns.update(prepare=prepare, folder=folder, run=tmp_path)
    done = shell.run_cell("prepare.prepare_photos(folder, run, progress=False)")
    assert isinstance(done.error_in_exec, prepare.NotFit)
    said = capsys.readouterr().out.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith("Stopped: these photos are not fit to learn from. ")


def test_a_fit_folder_is_split_and_what_is_useless_is_left_out(folder, tmp_path):
    (folder / "ill" / "01.png").write_bytes(b"")
    fit = prepare.prepare_photos(folder, tmp_path, progress=False)
    assert (len(fit.photos), fit.taken_out) == (23, 1)
    assert set(fit.photos["split"]) == {"train", "val", "test"}
    assert len(fit.stats) == 23
    assert (fit.stats["problem"] == "").all()
    shown = prepare.summarize_findings(fit.findings)
    assert shown.iloc[0][["severity", "found", "for example"]].tolist() == ["error", 1, "01.png"]
    assert "few" not in shown.columns
    assert not (tmp_path / "report.html").exists()


def test_a_folder_is_examined_whole(class_folders):
    """Ten green and ten brown photos of 8 x 6 pixels, one of them empty, one in the wrong class."""
    (class_folders / "ill" / "0.png").write_bytes(b"")
    wrong = class_folders / "ill" / "wrong.png"
    wrong.write_bytes((class_folders / "healthy" / "5.png").read_bytes() + b" ")
    photos = layouts.load_folder(class_folders, check=False)
    findings, cues, lines = prepare.deep_audit(photos, backbones.get("efficientnet_lite0"), 32, progress=False)
    assert lines == []
    kinds = findings.groupby("kind")["path"].apply(list)
    assert kinds["empty"] == [str(class_folders / "ill" / "0.png")]
    assert str(wrong) in kinds["suspect_label"]
    border = cues.set_index("cue").loc["border"]
    assert border["accuracy"] > 0.8  # the color of the border is that of the photo
    assert border["chance"] == 0.5


def test_a_cue_fires_a_quarter_of_the_way_above_chance(monkeypatch):
    """Chance 0.5, subject 0.9: it fires when the lower end of the interval is above 0.6. Color never does."""
    photos = pandas.DataFrame({"label": pandas.Categorical(["a", "b"] * 100), "group": [str(n) for n in range(200)]})
    labels = photos["label"].cat.codes.to_numpy()
    right = {"border": 120, "dimensions": 140, "color": 200, "bytes": 100}  # 0.6 and 0.7: low ends 0.53 and 0.63

    def predict(cue, *_, **__):
        return np.where(np.arange(200) < right[cue], labels, 1 - labels) if cue in right else None

    monkeypatch.setattr(prepare.shortcuts, "predict_from_cue", predict)
    said = np.eye(2)[np.where(np.arange(200) < 180, labels, 1 - labels)]
    cues = prepare.shortcut_table(photos, None, said).set_index("cue")
    assert cues["fires"].to_dict() == {
        "border": False,
        "dimensions": True,
        "name": False,
        "date": False,
        "color": False,
        "bytes": False,
    }
    assert (cues["subject"] == 0.9).all()
    assert np.isnan(cues.loc["name", "accuracy"])


def test_thumbnails_show_both_photos_of_a_pair_and_gray_for_what_cannot_be_read(class_folders, make_photo):
    broken = class_folders / "healthy" / "broken.png"
    broken.write_bytes(b"no photo")
    first = make_photo(class_folders / "healthy" / "x.jpg", size=(80, 70), seed=5)
    (class_folders / "ill" / "y.jpg").write_bytes(first.read_bytes())
    photos = layouts.load_folder(class_folders, check=False)
    photos["label"] = photos["label"].cat.rename_categories({"ill": "sick"})  # a folder's name is not always the label
    findings = audit.audit_photos(photos, progress=False)
    chosen = findings[findings["path"].isin([str(broken), str(first), str(class_folders / "ill" / "y.jpg")])]
    figure = prepare.plot_findings(chosen, photos)
    titles = [ax.get_title().replace("\n", " ") for ax in figure.axes]
    assert titles == ["not a photo: broken.png", "label conflict: x.jpg", "... and sick: y.jpg"]
    assert (figure.axes[0].images[0].get_array() == 128).all()
    assert figure.axes[2].images[0].get_array().shape == (70, 80, 3)


def test_a_class_of_which_nothing_can_be_read_hides_no_finding(class_folders):
    (class_folders / "lost").mkdir()
    for number in range(4):
        (class_folders / "lost" / f"{number}.png").write_bytes(b"")
    photos = layouts.load_folder(class_folders, check=False)
    findings, cues, lines = prepare.deep_audit(photos, backbones.get("efficientnet_lite0"), 32, progress=False)
    assert (findings["kind"] == "empty").sum() == 4
    assert cues is not None
    assert lines == []
    for path in (class_folders / "ill").iterdir():
        path.write_bytes(b"")
    findings, cues, lines = prepare.deep_audit(photos, backbones.get("efficientnet_lite0"), 32, progress=False)
    assert (findings["kind"] == "empty").sum() == 14
    assert cues is None
    assert "fewer than two classes have photos that can be read" in lines[0]


def test_a_cue_at_chance_does_not_fire_where_the_subject_does_worse(monkeypatch):
    photos = pandas.DataFrame(
        {"label": pandas.Categorical(["a"] * 150 + ["b"] * 50), "group": [str(n) for n in range(200)]}
    )
    labels = photos["label"].cat.codes.to_numpy()
    monkeypatch.setattr(
        prepare.shortcuts, "predict_from_cue", lambda *_, **__: np.zeros(200, int)
    )  # always the larger class
    said = np.eye(2)[np.where(np.arange(200) < 80, labels, 1 - labels)]  # 40 % right
    assert not prepare.shortcut_table(photos, None, said)["fires"].any()


def test_copies_across_a_split_that_photos_bring_are_counted_with_what_they_do_to_the_score():
    """What tells the classes in train is missing in new photos: of these the head takes all for one class.

    So it is right on the 4 copies and on 4 of 8 others, 66.7 % and 50 %.
    """
    labels = ["a"] * 6 + ["b"] * 4 + ["b"] * 4 + ["a"] * 4 + ["b"] * 4
    photos = pandas.DataFrame({"split": ["train"] * 10 + ["test"] * 12, "label": pandas.Categorical(labels)})
    rows = np.outer([1] * 6 + [-1] * 4 + [-1] * 4 + [0] * 8, np.ones(40))
    pairs = pandas.DataFrame({"first": [6, 7, 8, 9], "second": [10, 11, 12, 13]})
    (line,) = prepare._cost_of_copies(photos, pairs, rows)
    assert line.startswith("Copies across the given split: 4 of 12 test photos are in train too.")
    assert "right on 66.7% of the test photos, and on 50.0% of those without a copy" in line
    assert prepare._cost_of_copies(photos.drop(columns="split"), pairs, rows) == []
    assert prepare._cost_of_copies(photos, pairs.iloc[:0], rows) == []


def test_proposed_series_are_shown_a_row_each(class_folders):
    proposed = (
        layouts.load_folder(class_folders)
        .iloc[[0, 1, 2, 11, 12]]
        .assign(group=["series 001"] * 3 + ["series 002"] * 2, why=["names"] * 3 + ["times"] * 2)
    )
    figure = prepare.plot_series(proposed)
    titles = [ax.get_title().replace("\n", " ") for ax in figure.axes]
    assert titles[0] == "series 001, by names"
    assert titles[3:] == ["series 002, by times", "2.png", ""]
    plt.close(figure)


def test_a_folder_of_heif_photos_is_told_what_reads_them(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "_formats", lambda: images.FORMATS)
    for path in sorted(folder.rglob("*.png"))[:16]:
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + path.read_bytes())
    with pytest.raises(prepare.NotFit, match=r"16 of 24 photos are HEIF, .* pip install pillow-heif"):
        prepare.prepare_photos(folder, tmp_path / "run", progress=False)
