import subprocess
import sys

import numpy as np
import pandas
import PIL.Image
import pytest

from tests.data import hostile
from tutorial_utils.data import audit, image_stats, splits

UNREADABLE = {"missing", "empty", "not_a_photo", "heif", "too_large", "truncated", "incomplete", "floating", "damaged"}


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    corpus = hostile.corpus()
    for name, (content, _) in corpus.items():
        (folder / name).write_bytes(content)
    return folder, corpus


def table(paths, labels=None):
    labels = ["a"] * len(paths) if labels is None else labels
    paths = [str(path) for path in paths]
    return pandas.DataFrame({"path": paths, "label": pandas.Categorical(labels), "group": paths})


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))


def kinds_of(findings):
    named = findings[findings["path"] != ""]
    return {path: set(group["kind"]) for path, group in named.groupby("path")}


def test_says_what_is_the_matter_with_each_of_many_odd_files(odd_files, tmp_path):
    """In a process of its own, which shows that nothing else is said, by Python or by a library under it."""
    folder, corpus = odd_files
    assert len(corpus) >= 60
    table([folder / name for name in corpus]).to_pickle(tmp_path / "photos.pkl")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code = (
        "import pandas, sys; from tutorial_utils.data import audit; photos = pandas.read_pickle(sys.argv[1]);"
        "audit.audit_photos(photos, progress=False).to_pickle(sys.argv[2])"
    )
    command = [sys.executable, "-W", "always", "-c", code, str(tmp_path / "photos.pkl"), str(tmp_path / "found.pkl")]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    found = kinds_of(pandas.read_pickle(tmp_path / "found.pkl"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    wrong = {}
    for name, (_, expected) in corpus.items():
        said = found.get(str(folder / name), set())
        right = len(said) == 1 and said <= UNREADABLE if expected == {"unreadable"} else said == expected
        if not right:
            wrong[name] = (said, expected)
    assert not wrong


ORDINARY = {
    "problem": "",
    "format": "JPEG",
    "mode": "RGB",
    "width": 100,
    "height": 100,
    "animated": False,
    "orientation": 1,
    "brightness": 120.0,
    "contrast": 40.0,
    "sharpness": 0.8,
    "highest": 250,
}
NONE = pandas.DataFrame({"first": [], "second": [], "similarity": []}, dtype=int)


def findings_of(paths, labels=None, pairs=NONE, **changes):
    """Return the findings on photos that nothing is wrong with but, in the first, `changes`."""
    stats = pandas.DataFrame([ORDINARY | changes, *[ORDINARY] * (len(paths) - 1)])
    return audit.audit_photos(table(paths, labels), stats, pairs=pairs)


@pytest.mark.parametrize(
    ("kind", "column", "wrong", "right"),
    [
        ("small", "width", 63, 64),
        ("small", "height", 63, 64),
        ("long", "width", 401, 400),
        ("long", "height", 401, 400),
        ("dark", "brightness", 15.9, 16),
        ("bright", "brightness", 240.1, 240),
        ("plain", "contrast", 3.9, 4),
        ("blurred", "sharpness", 0.199, 0.2),  # a quarter of the others' 0.8
        ("extension", "format", "PNG", "MPO"),
        ("cmyk", "mode", "CMYK", "YCbCr"),
        ("palette", "mode", "P", "L"),
        ("alpha", "mode", "RGBA", "RGBX"),
        ("deep", "mode", "I;16", "L"),
        ("animated", "animated", True, False),
        ("turned", "orientation", 3, 1),
        ("truncated", "problem", "truncated", ""),
    ],
)
def test_where_a_photo_becomes_a_finding(kind, column, wrong, right):
    names = [f"{number}.JPG" for number in range(20)]
    assert findings_of(names, **{column: wrong})[["path", "kind"]].to_numpy().tolist() == [["0.JPG", kind]]
    assert not len(findings_of(names, **{column: right}))


def test_of_one_photos_pixels_one_thing_is_said():
    names = [f"{number}.jpg" for number in range(20)]
    assert findings_of(names, brightness=0, contrast=0, sharpness=0)["kind"].tolist() == ["dark"]
    assert findings_of(names, problem="damaged", brightness=np.nan, width=np.nan)["kind"].tolist() == ["damaged"]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((20, 60), []), ((20, 61), [("uneven", "a (20)")]), ((19, 57), [("few", "a (19)")]), ((60, 20), [])],
)
def test_classes_of_few_photos_are_told(counts, expected):
    labels = np.repeat(["a", "b"], counts)
    found = findings_of([f"{number}.jpg" for number in range(len(labels))], labels)
    assert list(zip(found["kind"], found["other"], strict=True)) == expected
    assert (found["path"] == "").all()


def test_classes_that_differ_in_case_blanks_or_form_only_are_told():
    labels = np.repeat(["Cat", "cat ", "blüte", "blu\u0308te", "dog"], 20)
    found = findings_of([f"{number}.jpg" for number in range(100)], labels)
    assert found[["kind", "other"]].to_numpy().tolist() == [["alike", "Cat / cat "], ["alike", "blu\u0308te / blüte"]]


def test_each_photo_is_named_with_the_one_that_is_most_like_it():
    pairs = pandas.DataFrame({"first": [0, 1, 0, 3], "second": [2, 2, 1, 22], "similarity": [0.96, 0.98, 1.0, 0.97]})
    names = [f"{number:02d}.jpg" for number in range(40)]
    found = findings_of(names, ["a"] * 20 + ["b"] * 20, pairs)
    assert [tuple(row) for row in found[["path", "kind", "other", "severity"]].to_numpy()] == [
        ("01.jpg", "identical", "00.jpg", "warning"),
        ("02.jpg", "similar", "01.jpg", "warning"),
        ("03.jpg", "similar_elsewhere", "22.jpg", "warning"),
        ("22.jpg", "similar_elsewhere", "03.jpg", "warning"),
    ]


def test_the_findings_in_words_name_three_files_of_a_kind():
    findings = pandas.DataFrame(
        [("/p/a/1.jpg", "similar", "/p/a/0.jpg"), *((f"/q/{n}.jpg", "dark", "") for n in range(4))],
        columns=["path", "kind", "other"],
    )
    assert audit.format_findings(findings, "/p").splitlines() == [
        "warning: similar (1)",
        "  What: nearly the same picture as another of its class.",
        "  Do:   keep both in one split.",
        "    a/1.jpg <- a/0.jpg",
        "warning: dark (4)",
        "  What: nearly black.",
        "  Do:   look at it.",
        "    /q/0.jpg",
        "    /q/1.jpg",
        "    /q/2.jpg and 1 more",
    ]
    assert "more" not in audit.format_findings(findings[:4])
    assert audit.format_findings(findings[:0]) == "Nothing found."


@pytest.fixture
def folder(tmp_path):
    """Two classes of 24 photos: 0 and 1 the same bytes, 2 mirrored as 3, 4 the same bytes as 28 of the other class."""
    pictures = [hostile.picture(seed=100 + number) for number in range(48)]
    pictures[3] = pictures[2].transpose(0)
    contents = [hostile.saved(picture, "PNG") for picture in pictures]
    contents[1], contents[28] = contents[0], contents[4]
    paths = [tmp_path / f"{number:02d}.png" for number in range(48)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return table(paths, ["a"] * 24 + ["b"] * 24)


def test_finds_copies_within_and_across_classes(folder):
    found = audit.audit_photos(folder, progress=False)
    path = folder["path"]
    assert [tuple(row) for row in found[["path", "kind", "other"]].to_numpy()] == [
        (path[4], "label_conflict", path[28]),
        (path[28], "label_conflict", path[4]),
        (path[1], "identical", path[0]),
        (path[3], "similar", path[2]),
    ]


def test_finds_copies_across_splits(folder):
    split = pandas.Categorical(["train"] * 3 + ["test"] + ["train"] * 44, categories=splits.NAMES)
    found = audit.audit_photos(folder.assign(split=split), progress=False)
    assert found.loc[found["kind"] == "leak", ["path", "other"]].to_numpy().tolist() == [
        [folder["path"][3], folder["path"][2]]
    ]


def test_cleaning_takes_out_what_cannot_be_used_and_says_why(folder, tmp_path):
    (tmp_path / "05.png").write_bytes(b"")
    findings = audit.audit_photos(folder, progress=False)
    kept = audit.drop_unusable(folder, findings, tmp_path / "run")
    dropped = pandas.read_csv(tmp_path / "run" / "dropped.csv")
    numbers = [folder["path"][row] for row in (5, 4, 28, 1)]
    assert sorted(dropped["path"]) == sorted(numbers)
    assert dict(zip(dropped["path"], dropped["kind"], strict=True))[numbers[0]] == "empty"
    assert dropped.columns.tolist() == ["path", "kind", "meaning", "other"]
    assert dropped["meaning"].notna().all()
    assert sorted({*folder["path"]} - {*kept["path"]}) == sorted(numbers)
    assert all((tmp_path / f"{number:02d}.png").exists() for number in range(48))
    assert "error" not in set(audit.audit_photos(kept, progress=False)["severity"])


def test_cleaning_keeps_all_photos_where_nothing_was_found(folder, tmp_path):
    nothing = audit.audit_photos(folder, progress=False).iloc[:0]
    assert audit.drop_unusable(folder, nothing, tmp_path / "run").equals(folder)
    assert (tmp_path / "run" / "dropped.csv").read_text() == "path,kind,meaning,other\n"


def test_cleaning_never_empties_a_class(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(hostile.saved(hostile.picture(), "PNG"))
    photos = table([tmp_path / "a.png", tmp_path / "b.png"], ["a", "b"])
    with pytest.raises(ValueError, match="'a' would have no photo left"):
        audit.drop_unusable(photos, audit.audit_photos(photos, progress=False), tmp_path)
    assert not (tmp_path / "dropped.csv").exists()


def test_suspects_by_hand():
    """Means of the own class: 0.8 for 0 (0.9, 0.9, 0.6), 0.5 for 1 (0.9, 0.1). Row 4 gives class 0 the 0.9 it takes."""
    own = np.array([0.9, 0.9, 0.6, 0.9, 0.1])
    labels = np.array([0, 0, 0, 1, 1])
    probabilities = np.where(np.eye(2, dtype=bool)[labels], own[:, None], 1 - own[:, None])
    rows, likely = audit.find_label_issues(labels, probabilities)
    assert rows.tolist() == [4]
    assert likely.tolist() == [0]
    photos = table([f"{number}.png" for number in range(5)], labels.astype(str))
    stats = image_stats.compute_stats(pandas.DataFrame({"path": ["gone"] * 5}), progress=False)
    found = audit.audit_photos(photos, stats, probabilities, progress=False)
    assert found.loc[found["kind"] == "suspect_label", ["path", "other"]].to_numpy().tolist() == [["4.png", "0"]]


def test_copies_share_a_split(folder):
    """Groups of two photos, the copies in different ones: 0 and 1, 2 and 3, 4 and 28 end together, groups whole."""
    photos = folder.drop(index=[4, 28]).reset_index(drop=True)
    photos["group"] = [f"plant {(number * 7) % 23:02d}" for number in range(46)]
    stats = image_stats.compute_stats(photos, progress=False)
    for seed in range(20):
        split = splits.split(photos, seed=seed, stats=stats)
        assert split["split"][0] == split["split"][1]
        assert split["split"][2] == split["split"][3]
        assert photos["group"].nunique() - split["group"].nunique() == 2
        assert split["split"].groupby(photos["group"]).nunique().max() == 1
        assert "leak" not in set(audit.audit_photos(split, stats, progress=False)["kind"])
    apart = [seed for seed in range(20) if "leak" in set(audit.audit_photos(splits.split(photos, seed), stats)["kind"])]
    assert apart  # without the facts some splits do part the copies


def test_files_that_are_equally_broken_may_stand_in_two_splits(tmp_path, make_photo):
    photos = table([make_photo(tmp_path / f"{number}.png", seed=number, size=(80, 80)) for number in range(24)])
    photos = photos.assign(label=pandas.Categorical(["a", "b"] * 12), group=photos["path"])
    for path in photos["path"].iloc[:6]:
        open(path, "w").close()
    photos.index = range(100, 124)
    splits.split(photos, stats=image_stats.compute_stats(photos, progress=False))


def test_the_surest_suspects_come_first():
    """Own means: 0.57 and 0.45. Rows 1 and 3 give the other class 0.6 and 0.9; row 4 no more than its own, 0.5."""
    own = np.array([0.8, 0.4, 0.8, 0.1, 0.5, 0.4])
    labels = np.array([0, 0, 1, 1, 0, 1])
    probabilities = np.where(np.eye(2, dtype=bool)[labels], own[:, None], 1 - own[:, None])
    probabilities[5] = np.nan
    rows, likely = audit.find_label_issues(labels, probabilities)
    assert rows.tolist() == [3, 1]
    assert likely.tolist() == [0, 1]


def test_a_class_without_photos_makes_no_warning(recwarn):
    rows, _ = audit.find_label_issues([0, 0, 1], np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.3, 0.7, 0.0]]))
    assert len(rows) == 0
    assert not recwarn.list


@pytest.mark.parametrize(("bits", "said"), [(10, "0 to 1,023"), (12, "0 to 4,095"), (16, None)])
def test_a_16_bit_file_of_fewer_bits_is_named_with_its_range(tmp_path, bits, said):
    gray = np.asarray(hostile.picture().convert("L"), np.uint16)
    PIL.Image.fromarray(gray << (bits - 8)).save(tmp_path / "deep.png")
    found = audit.audit_photos(table([tmp_path / "deep.png"]), progress=False)
    assert found[found["kind"] == "dim"]["other"].tolist() == ([said] if said else [])


def test_a_photo_that_has_lost_its_lower_part_is_found(tmp_path):
    content = hostile.saved(hostile.picture(), "JPEG")
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2] + b"\xff\xd9")
    found = audit.audit_photos(table([tmp_path / "cut.jpg"]), progress=False)
    assert found["kind"].tolist()[0] == "incomplete"
