import pandas
import pytest

from tutorial_utils.data import manifests

ROWS = [("cat", "a.jpg", "g1"), ("dog", "b.jpg", "g2")]


def text(separator=",", blank="", name=str):
    """ROWS as a table."""
    rows = [("class", "file", "group"), *((kind, name(file), group) for kind, file, group in ROWS)]
    return "".join((separator + blank).join(row) + "\r\n" for row in rows)


@pytest.mark.parametrize(
    "data",
    [
        text().encode(),
        text(";").encode(),
        text("\t").encode("utf-16"),
        text().encode("utf-8-sig"),
        text(",", " ").encode(),
        text(name=str.upper).encode(),
    ],
)
def test_groups_are_read_as_programs_save_them(tmp_path, data):
    (tmp_path / "groups.csv").write_bytes(data)
    paths = [str(tmp_path / kind / file) for kind, file, _ in ROWS] + [str(tmp_path / "dog" / "c.jpg")]
    groups, lines = manifests.read_groups(tmp_path / "groups.csv", tmp_path, paths)
    assert groups == ["g1", "g2", paths[2]]
    assert lines == []


def test_a_name_in_another_form_of_unicode_is_the_same_name(tmp_path):
    (tmp_path / "groups.csv").write_text("class,file,group\nblüte,1.jpg,g\n", encoding="utf-8")
    path = str(tmp_path / "blu\u0308te" / "1.jpg")
    assert manifests.read_groups(tmp_path / "groups.csv", tmp_path, [path])[0] == ["g"]


def test_a_name_that_two_photos_bear_in_another_case_is_not_guessed(tmp_path):
    (tmp_path / "groups.csv").write_text("class,file,group\ncat,A.JPG,g\n")
    paths = [str(tmp_path / "cat" / name) for name in ("a.jpg", "a.JPG")]
    with pytest.raises(ValueError, match=r"1 file\(s\) that are not there, the first .*A\.JPG"):
        manifests.read_groups(tmp_path / "groups.csv", tmp_path, paths)


def test_older_windows_programs_are_named(tmp_path):
    (tmp_path / "t.csv").write_bytes("file,name\n1,Blüte\n".encode("cp1252"))
    table, lines = manifests.read_table(tmp_path / "t.csv")
    assert table["name"].tolist() == ["Blüte"]
    assert lines == ["t.csv is not in UTF-8; it was read as cp1252, the way of older Windows programs."]


def test_groups_csv_with_other_columns(tmp_path):
    (tmp_path / "groups.csv").write_text("name,plant\na,b\n")
    with pytest.raises(ValueError, match="needs the columns class,file,group; it has name,plant"):
        manifests.read_groups(tmp_path / "groups.csv", tmp_path, [])


def test_an_empty_group_is_the_photo_alone(tmp_path):
    (tmp_path / "groups.csv").write_text("class,file,group\ncat,a.jpg,\n")
    path = str(tmp_path / "cat" / "a.jpg")
    assert manifests.read_groups(tmp_path / "groups.csv", tmp_path, [path])[0] == [path]


@pytest.mark.parametrize("name", ["a.jpg", "a", "images/a.jpg", "images\\a.jpg", "./images/a", "/kaggle/images/A.JPG"])
def test_a_photo_is_found_however_it_is_named(tmp_path, name):
    (tmp_path / "t.csv").write_text(f"file,label\n{name},x\nb,y\n")
    paths = [str(tmp_path / "images" / each) for each in ("a.jpg", "b.jpg")]
    labels, _ = manifests.find_labels(tmp_path / "t.csv", paths, tmp_path)
    assert labels == {paths[0]: "x", paths[1]: "y"}


def test_columns_of_0_and_1_name_the_class(tmp_path):
    (tmp_path / "t.csv").write_text("id,rust,scab\na,1,0\nb,0,1\nc,0,0\n")
    paths = [str(tmp_path / f"{name}.jpg") for name in "abc"]
    labels, lines = manifests.find_labels(tmp_path / "t.csv", paths, tmp_path)
    assert labels == {paths[0]: "rust", paths[1]: "scab"}
    assert lines[1] == "1 rows name no class and are left out, the first: c."


def test_two_classes_for_a_photo_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("id,rust,scab\na,1,0\nb,1,1\n")
    with pytest.raises(ValueError, match=r"1 photos more than one class, the first in row 3"):
        manifests.find_labels(tmp_path / "t.csv", [str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")], tmp_path)


def test_a_column_that_is_not_there(tmp_path):
    (tmp_path / "t.csv").write_text("id,rust\na,1\n")
    with pytest.raises(ValueError, match="no column 'scab' for the class; it has rust"):
        manifests.find_labels(tmp_path / "t.csv", [str(tmp_path / "a.jpg")], tmp_path, "scab")


def test_a_file_that_is_no_table(tmp_path):
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(ValueError, match=r"t\.csv cannot be read as a table"):
        manifests.read_table(tmp_path / "t.csv")


def test_an_excel_file_needs_its_package(tmp_path, monkeypatch):
    monkeypatch.setattr(manifests.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="pip install openpyxl"):
        manifests.read_table(tmp_path / "t.xlsx")


def test_texts_stay_texts(tmp_path):
    (tmp_path / "t.csv").write_text("file,label\n007,nan\n008,yes\n")
    table, _ = manifests.read_table(tmp_path / "t.csv")
    pandas.testing.assert_frame_equal(table, pandas.DataFrame({"file": ["007", "008"], "label": ["nan", "yes"]}))
