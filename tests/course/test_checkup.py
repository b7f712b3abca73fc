import numpy as np
import pandas

from tutorial_utils.course import checkup
from tutorial_utils.data import audit, layouts
from tutorial_utils.models import backbones


def test_a_folder_is_examined_whole(class_folders):
    """Ten green and ten brown photos of 8 x 6 pixels, one of them empty, one in the wrong class."""
    (class_folders / "ill" / "0.png").write_bytes(b"")
    wrong = class_folders / "ill" / "wrong.png"
    wrong.write_bytes((class_folders / "healthy" / "5.png").read_bytes() + b" ")
    photos = layouts.load_folder(class_folders, check=False)
    findings, cues, reason = checkup.deep_audit(photos, backbones.get("efficientnet_lite0"), 32, progress=False)
    assert reason == ""
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

    monkeypatch.setattr(checkup.shortcuts, "predict", predict)
    said = np.eye(2)[np.where(np.arange(200) < 180, labels, 1 - labels)]
    cues = checkup.shortcut_table(photos, None, said).set_index("cue")
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
    figure = checkup.plot_findings(chosen, photos)
    titles = [ax.get_title().replace("\n", " ") for ax in figure.axes]
    assert titles == ["not a photo: broken.png", "label conflict: x.jpg", "... and sick: y.jpg"]
    assert (figure.axes[0].images[0].get_array() == 128).all()
    assert figure.axes[2].images[0].get_array().shape == (70, 80, 3)


def test_a_class_of_which_nothing_can_be_read_hides_no_finding(class_folders):
    (class_folders / "lost").mkdir()
    for number in range(4):
        (class_folders / "lost" / f"{number}.png").write_bytes(b"")
    photos = layouts.load_folder(class_folders, check=False)
    findings, cues, reason = checkup.deep_audit(photos, backbones.get("efficientnet_lite0"), 32, progress=False)
    assert (findings["kind"] == "empty").sum() == 4
    assert cues is not None
    assert reason == ""
    for path in (class_folders / "ill").iterdir():
        path.write_bytes(b"")
    findings, cues, reason = checkup.deep_audit(photos, backbones.get("efficientnet_lite0"), 32, progress=False)
    assert (findings["kind"] == "empty").sum() == 14
    assert cues is None
    assert "fewer than two classes have photos that can be read" in reason


def test_a_cue_at_chance_does_not_fire_where_the_subject_does_worse(monkeypatch):
    photos = pandas.DataFrame(
        {"label": pandas.Categorical(["a"] * 150 + ["b"] * 50), "group": [str(n) for n in range(200)]}
    )
    labels = photos["label"].cat.codes.to_numpy()
    monkeypatch.setattr(checkup.shortcuts, "predict", lambda *_, **__: np.zeros(200, int))  # always the larger class
    said = np.eye(2)[np.where(np.arange(200) < 80, labels, 1 - labels)]  # 40 % right
    assert not checkup.shortcut_table(photos, None, said)["fires"].any()
