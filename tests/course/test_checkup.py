import numpy as np
import pandas

from tutorial_utils.course import checkup
from tutorial_utils.data import folders
from tutorial_utils.models import backbones


def test_a_folder_is_examined_whole(class_folders):
    """Ten green and ten brown photos of 8 x 6 pixels, one of them empty, one in the wrong class."""
    (class_folders / "ill" / "0.png").write_bytes(b"")
    wrong = class_folders / "ill" / "wrong.png"
    wrong.write_bytes((class_folders / "healthy" / "5.png").read_bytes() + b" ")
    photos = folders.load(class_folders, check=False)
    findings, cues = checkup.examine(photos, backbones.get("efficientnet_lite0"), 32, progress=False)
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
    cues = checkup.cues(photos, None, said).set_index("cue")
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
