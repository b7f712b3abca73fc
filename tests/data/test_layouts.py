import pandas
import pytest

from tutorial_utils.data import layouts


def test_a_folder_becomes_a_table(class_folders):
    photos = layouts.load_folder(class_folders)
    assert list(photos.columns) == ["path", "label", "group"]
    assert photos["label"].value_counts().to_dict() == {"healthy": 10, "ill": 10}
    assert list(photos["label"].cat.categories) == ["healthy", "ill"]
    assert (photos["group"] == photos["path"]).all()


def test_groups_csv_says_what_belongs_together(class_folders):
    rows = [("healthy", "0.png", "plant 1"), ("healthy", "1.png", "plant 1")]
    pandas.DataFrame(rows, columns=["class", "file", "group"]).to_csv(class_folders / "groups.csv", index=False)
    photos = layouts.load_folder(class_folders)
    assert (photos["group"] == "plant 1").sum() == 2
    assert photos["group"].nunique() == 19


def test_a_relative_folder_starts_at_the_working_directory_else_at_the_project(
    class_folders, tmp_path, root, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert layouts.find_folder("photos") == class_folders.resolve()
    assert layouts.find_folder("tests/data") == root / "tests" / "data"
    with pytest.raises(ValueError, match=r"looked for .*/nowhere and .*/nowhere\)"):
        layouts.find_folder("nowhere")


def test_hidden_files_and_folders_are_left_out(class_folders):
    (class_folders / ".git").mkdir()
    (class_folders / "ill" / ".DS_Store").write_bytes(b"x")
    (class_folders / "ill" / "Thumbs.db").write_bytes(b"x")
    assert len(layouts.load_folder(class_folders)) == 20


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(ValueError, match=r"There is no folder .*nowhere"):
        layouts.load_folder(tmp_path / "nowhere")


def test_no_class_folders(tmp_path, make_photo):
    make_photo(tmp_path / "photo.png")
    with pytest.raises(ValueError, match="at least two class folders"):
        layouts.load_folder(tmp_path)


def test_one_class(tmp_path, make_photo):
    make_photo(tmp_path / "rust" / "photo.png")
    with pytest.raises(ValueError, match="found only rust"):
        layouts.load_folder(tmp_path)


def test_an_empty_class(class_folders):
    (class_folders / "mildew").mkdir()
    with pytest.raises(ValueError, match="mildew holds no photos"):
        layouts.load_folder(class_folders)


def test_a_file_that_is_no_photo(class_folders):
    (class_folders / "ill" / "notes.txt").write_text("rust, I think")
    with pytest.raises(ValueError, match=r"notes\.txt is not a photo"):
        layouts.load_folder(class_folders)


def test_a_folder_inside_a_class_folder(class_folders):
    (class_folders / "ill" / "more").mkdir()
    with pytest.raises(ValueError, match="move its photos up"):
        layouts.load_folder(class_folders)


def test_groups_csv_with_other_columns(class_folders):
    (class_folders / "groups.csv").write_text("name,plant\na,b\n")
    with pytest.raises(ValueError, match="needs the columns class,file,group"):
        layouts.load_folder(class_folders)


def test_groups_csv_that_names_a_missing_photo(class_folders):
    (class_folders / "groups.csv").write_text("class,file,group\nill,gone.png,1\n")
    with pytest.raises(ValueError, match=r"gone\.png"):
        layouts.load_folder(class_folders)


def test_an_empty_group_is_the_photo_alone(class_folders):
    (class_folders / "groups.csv").write_text(
        "class,file,group\nill,0.png,\nhealthy,0.png,\nill,1.png,p\nill,2.png,p\n"
    )
    photos = layouts.load_folder(class_folders)
    assert photos["group"].nunique() == 19
