import os
import shutil
import zipfile

import pandas
import pytest

from tutorial_utils.data import layouts, manifests, series, splits


@pytest.fixture
def classes(make_photo):
    """Return a function that writes class folders of tiny photos and returns the folder that they are in."""

    def make(folder, names=("cat", "dog"), count=3):
        for place, name in enumerate(names):
            for number in range(count):
                make_photo(folder / name / f"{number}.png", seed=100 * place + number)
        return folder

    return make


def labels(reading):
    return reading.photos["label"].value_counts().sort_index().to_dict()


def test_a_folder_becomes_a_table(class_folders):
    reading = layouts.read_folder(class_folders)
    photos = reading.photos
    assert list(photos.columns) == ["path", "label", "group"]
    assert photos["label"].value_counts().to_dict() == {"healthy": 10, "ill": 10}
    assert list(photos["label"].cat.categories) == ["healthy", "ill"]
    assert (photos["group"] == photos["path"]).all()
    assert reading.lines == ["2 classes from the folders healthy, ill: 20 photos.", layouts.NO_GROUPS]
    assert layouts.load_folder(class_folders).equals(photos)


def test_groups_csv_says_what_belongs_together(class_folders):
    rows = [("healthy", "0.png", "plant 1"), ("healthy", "1.png", "plant 1")]
    pandas.DataFrame(rows, columns=["class", "file", "group"]).to_csv(class_folders / "groups.csv", index=False)
    photos, lines, _ = layouts.read_folder(class_folders)
    assert (photos["group"] == "plant 1").sum() == 2
    assert photos["group"].nunique() == 19
    assert layouts.NO_GROUPS not in lines


def test_a_relative_folder_starts_at_the_working_directory_else_at_the_project(
    class_folders, tmp_path, root, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert layouts.find_folder("photos") == class_folders.resolve()
    assert layouts.find_folder("photos/") == class_folders.resolve()
    assert layouts.find_folder("tests/data") == root / "tests" / "data"
    with pytest.raises(ValueError, match=r"looked for .*/nowhere and .*/nowhere\)"):
        layouts.find_folder("nowhere")


def test_what_systems_and_tools_leave_is_passed_over_and_counted(class_folders):
    (class_folders / ".git").mkdir()
    for name in (".DS_Store", "._0.png", "Thumbs.db", "0.xml", "1.xml", "notes.txt", "0.AAE"):
        (class_folders / "ill" / name).write_bytes(b"x")
    (class_folders / "__MACOSX" / "ill").mkdir(parents=True)
    (class_folders / "__MACOSX" / "ill" / "0.png").write_bytes(b"x")
    (class_folders / "ill" / "@eaDir" / "0.png").mkdir(parents=True)
    (class_folders / "annotations").mkdir()
    (class_folders / "annotations" / "0.json").write_bytes(b"{}")
    reading = layouts.read_folder(class_folders)
    assert labels(reading) == {"healthy": 10, "ill": 10}
    told = reading.lines[1]
    for part in ("2 hidden", "2 .xml", "1 .aae"):
        assert part in told
    assert told.startswith("Passed over, being no photos: ")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("train", "val", "test"), "from train (6), val (6), test (6), whose split is kept."),
        (("Training", "dev", "TESTING"), "from Training (6), dev (6), TESTING (6), whose split is kept."),
        (("seg_train", "seg_val", "seg_test"), "from seg_train (6), seg_val (6), seg_test (6), whose split is kept."),
        (("train", "valid"), "from train (6), valid (6), whose split is kept; test is drawn from train."),
        (("train", "test"), "from train (6), test (6), whose split is kept; val is drawn from train."),
    ],
)
def test_a_split_is_kept(tmp_path, classes, names, told):
    for name in names:
        classes(tmp_path / name)
    reading = layouts.read_folder(tmp_path)
    assert labels(reading) == {"cat": 3 * len(names), "dog": 3 * len(names)}
    assert reading.lines == [f"2 classes, cat, dog, {told}", layouts.NO_GROUPS]
    first = reading.photos[reading.photos["path"].str.contains(f"/{names[0]}/")]
    assert set(first["split"]) == {"train"}
    assert reading.photos["split"].nunique() == len(names)


def test_a_part_whose_photos_have_no_classes_is_left_out(tmp_path, classes, make_photo):
    classes(tmp_path / "train")
    make_photo(tmp_path / "test" / "1.png")
    make_photo(tmp_path / "pred" / "1.png")
    reading = layouts.read_folder(tmp_path)
    assert labels(reading) == {"cat": 3, "dog": 3}
    assert "split" not in reading.photos
    assert reading.lines == [
        "2 classes, cat, dog, from train (6); the split is drawn from these.",
        "1 photos in pred are left out, the first: 1.png.",
        "1 photos in test have no class and are left out, the first: 1.png.",
        layouts.NO_GROUPS,
    ]


@pytest.mark.parametrize("test", ["test", "test1"])
def test_a_split_without_classes_is_not_learned_as_classes(tmp_path, make_photo, test):
    for number in range(4):
        make_photo(tmp_path / "train" / f"{'cat' if number % 2 else 'dog'}.{number}.png", seed=number)
        make_photo(tmp_path / test / f"{number}.png", seed=10 + number)
    with pytest.raises(ValueError, match=f"train and {test} in .* look like a split, not like classes"):
        layouts.read_folder(tmp_path)
    assert labels(layouts.read_folder(f"{tmp_path}/*")) == {"train": 4, test: 4}


def test_names_that_begin_with_a_class_are_seen(tmp_path, make_photo):
    for number in range(8):
        make_photo(tmp_path / "train" / f"{'cat' if number % 2 else 'dog'}.{number}.png", seed=number)
        make_photo(tmp_path / "test" / f"{number}.png", seed=10 + number)
    with pytest.raises(ValueError, match=r"names of the files begin with a class \(cat, dog\)"):
        layouts.read_folder(tmp_path)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (("train", "training"), "train and training in .* would both be the part train"),
        (("train", "test", "bus"), "train, test look like a split, and bus beside them like a class"),
    ],
)
def test_what_may_be_a_split_or_classes_stops(tmp_path, classes, folders, message):
    for name in folders:
        classes(tmp_path / name)
    with pytest.raises(ValueError, match=message):
        layouts.read_folder(tmp_path)


def test_a_class_called_train_is_a_class(tmp_path, classes):
    assert labels(layouts.read_folder(classes(tmp_path, ("bus", "train")))) == {"bus": 3, "train": 3}


def test_parts_with_other_classes_are_refused(tmp_path, classes):
    classes(tmp_path / "train", ("cat", "dog"))
    classes(tmp_path / "test", ("cat", "dogs"))
    with pytest.raises(ValueError, match="the part train has no folder for dogs"):
        layouts.read_folder(tmp_path)


def test_one_folder_too_many(tmp_path, classes):
    classes(tmp_path / "download" / "my photos")
    reading = layouts.read_folder(tmp_path / "download")
    assert labels(reading) == {"cat": 3, "dog": 3}
    assert reading.lines[1].endswith("my photos: it is the only folder in download.")


def test_a_zip_is_unpacked_once(tmp_path, classes, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    archive = shutil.make_archive(str(tmp_path / "pets"), "zip", classes(tmp_path / "photos"))
    reading = layouts.read_folder(archive)
    assert labels(reading) == {"cat": 3, "dog": 3}
    (tmp_path / "cache" / "unpacked").chmod(0o500)  # it need not be written to again
    assert layouts.read_folder(archive).photos.equals(reading.photos)


def test_a_zip_that_points_out_of_its_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../cat/1.png", "x")
    with pytest.raises(ValueError, match="points out of the folder"):
        layouts.read_folder(tmp_path / "bad.zip")


def test_classes_inside_classes_are_named_by_their_path(tmp_path, classes):
    for fruit in ("apple", "pear"):
        classes(tmp_path / fruit, ("fresh", "rotten"))
    reading = layouts.read_folder(tmp_path)
    assert labels(reading) == {f"{fruit}/{state}": 3 for fruit in ("apple", "pear") for state in ("fresh", "rotten")}
    assert reading.lines[1].endswith(f"give {tmp_path.resolve()}/*")
    assert labels(layouts.read_folder(f"{tmp_path}/*")) == {"apple": 6, "pear": 6}


def test_photos_at_two_depths_of_a_class_stop(class_folders, make_photo):
    make_photo(class_folders / "ill" / "more" / "0.png")
    with pytest.raises(ValueError, match=r"ill holds photos, and so does ill/more inside it.* give .*/\* as"):
        layouts.read_folder(class_folders)
    assert labels(layouts.read_folder(f"{class_folders}/*")) == {"healthy": 10, "ill": 11}


def test_photos_beside_the_class_folders_are_named(class_folders, make_photo):
    make_photo(class_folders / "a.png")
    assert layouts.read_folder(class_folders).lines[1] == (
        "1 photos beside the folders are left out, the first: a.png."
    )


def test_the_order_of_numbers_is_told(tmp_path, classes):
    told = layouts.read_folder(classes(tmp_path, ("1", "2", "10"))).lines[1]
    assert told == "The classes are in the order of text, not of numbers: 1, 10, 2."


def test_a_table_gives_photos_their_classes(tmp_path, make_photo):
    for number in range(4):
        make_photo(tmp_path / "images" / f"{number}.png", seed=number)
    (tmp_path / "labels.csv").write_text("id,species\n0,rose\n1,rose\n2,lily\n7,lily\n")
    reading = layouts.read_folder(tmp_path)
    assert labels(reading) == {"lily": 1, "rose": 2}
    assert reading.lines[0] == "2 classes, lily, rose: 3 photos."
    assert reading.lines[1].endswith("file in the column 'id', class in the column 'species'.")
    assert reading.lines[2] == "1 rows name no photo that is here and are left out, the first: 7."
    assert reading.lines[3].startswith("1 photos have no row and are left out")


def test_a_table_in_each_part_of_a_split(tmp_path, make_photo):
    """As Roboflow writes them."""
    for part in ("train", "valid", "test"):
        for number in range(2):
            make_photo(tmp_path / part / f"{part}{number}.png", seed=number)
        (tmp_path / part / "_classes.csv").write_text(f"filename, cat, dog\n{part}0.png, 1, 0\n{part}1.png, 0, 1\n")
    reading = layouts.read_folder(tmp_path)
    assert labels(reading) == {"cat": 3, "dog": 3}
    assert reading.photos["split"].value_counts().to_dict() == {"train": 2, "val": 2, "test": 2}


def test_of_several_tables_one_has_to_be_named(tmp_path, make_photo):
    for number in range(2):
        make_photo(tmp_path / "images" / f"{number}.png", seed=number)
    (tmp_path / "a.csv").write_text("file,label\n0,x\n1,y\n")
    (tmp_path / "b.csv").write_text("file,kind,size\n0,u,s\n1,v,t\n")
    with pytest.raises(ValueError, match="several columns that could be the class: kind, size"):
        layouts.read_folder(tmp_path / "b.csv")
    assert labels(layouts.read_folder(f"{tmp_path}/b.csv:kind")) == {"u": 1, "v": 1}
    (tmp_path / "b.csv").write_text("file,kind\n0,u\n1,v\n")
    with pytest.raises(ValueError, match=r"several tables .*: a\.csv, b\.csv"):
        layouts.read_folder(tmp_path)
    assert labels(layouts.read_folder(tmp_path / "a.csv")) == {"x": 1, "y": 1}


def test_a_table_that_names_no_photo(tmp_path, make_photo):
    make_photo(tmp_path / "0.png")
    (tmp_path / "a.csv").write_text("file,label\n8,x\n9,y\n")
    with pytest.raises(ValueError, match="names none of the 1 photos"):
        layouts.read_folder(tmp_path / "a.csv")


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


def test_empty_classes_are_all_named(class_folders):
    (class_folders / "mildew").mkdir()
    with pytest.raises(ValueError, match="the class folder mildew holds no photos"):
        layouts.load_folder(class_folders)
    (class_folders / "rust").mkdir()
    with pytest.raises(ValueError, match="the class folders mildew, rust hold no photos"):
        layouts.load_folder(class_folders)


def test_a_file_that_is_no_photo(class_folders):
    (class_folders / "ill" / "notes.jpg").write_text("rust, I think")
    with pytest.raises(ValueError, match=r"notes\.jpg is not a photo"):
        layouts.load_folder(class_folders)
    assert len(layouts.load_folder(class_folders, check=False)) == 21


def corrections(folder, text):
    (folder / "corrections.csv").write_text(text)
    return layouts.read_folder(folder)


def test_corrections_put_labels_right_and_drop_photos_and_move_none(classes, tmp_path):
    folder = classes(tmp_path / "photos")
    reading = corrections(folder, "file;label\ncat/0.png;dog\nDOG/1.PNG; drop\ngone.png;cat\n")
    assert labels(reading) == {"cat": 2, "dog": 3}
    assert reading.photos.loc[reading.photos["label"] == "dog", "path"].map(lambda path: path[-9:]).tolist() == [
        "cat/0.png",
        "dog/0.png",
        "dog/2.png",
    ]
    assert "corrections.csv: 1 photos have another class, 1 are dropped." in reading.lines
    assert "1 rows of it name no photo that is here, the first: gone.png." in reading.lines
    assert (folder / "cat" / "0.png").is_file()


def test_corrections_of_a_split_and_of_a_table(classes, tmp_path):
    for part in ("train", "test"):
        classes(tmp_path / "split" / part)
    reading = corrections(tmp_path / "split", "file,label\ntrain/cat/0.png,dog\n")
    assert labels(reading) == {"cat": 5, "dog": 7}
    (tmp_path / "split" / "train").rename(tmp_path / "images")
    rows = "".join(f"{name}/{number}.png,{name}\n" for name in ("cat", "dog") for number in range(3))
    (tmp_path / "labels.csv").write_text("file,species\n" + rows)
    (tmp_path / "corrections.csv").write_text("file,label\nimages/cat/0.png,dog\n")
    shutil.rmtree(tmp_path / "split")
    assert labels(layouts.read_folder(tmp_path / "labels.csv")) == {"cat": 2, "dog": 4}


@pytest.mark.parametrize(
    ("text", "said"),
    [("file,label\ncat/0.png,dgo\n", "the class 'dgo', which no folder has"), ("photo,class\n", "columns file,label")],
)
def test_corrections_that_mean_nothing_are_named(classes, tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        corrections(classes(tmp_path / "photos"), text)


def test_groups_without_the_column_class_name_files_by_their_path(classes, tmp_path):
    folder = classes(tmp_path / "photos")
    (folder / "groups.csv").write_text("file,group\ncat/0.png,one\ncat/1.png,one\n")
    assert (layouts.load_folder(folder)["group"] == "one").sum() == 2


def test_folders_that_differ_by_a_number_beside_a_table_of_their_photos_stop(classes, tmp_path):
    folder = classes(tmp_path, ("images_part_1", "images_part_2"))
    rows = "".join(f"{number},lesion {number},{'ab'[number % 2]}\n" for number in range(3))
    (tmp_path / "metadata.csv").write_text("image,lesion,dx\n" + rows)
    for number in range(3):  # each number stands in one folder only
        (tmp_path / f"images_part_{1 + number % 2}" / f"{number}.png").unlink()
    with pytest.raises(ValueError, match=r"differ by a number only, and metadata\.csv names .*/metadata\.csv:dx "):
        layouts.read_folder(folder)
    assert labels(layouts.read_folder(f"{folder}/metadata.csv:dx")) == {"a": 2, "b": 1}
    assert labels(layouts.read_folder(f"{folder}/*")) == {"images_part_1": 1, "images_part_2": 2}


def test_a_table_beside_class_folders_is_named(classes, tmp_path):
    folder = classes(tmp_path)
    rows = "".join(f"{name}/{number}.png,{number}\n" for name in ("cat", "dog") for number in range(3))
    (tmp_path / "extra.csv").write_text("file,age\n" + rows)
    reading = layouts.read_folder(folder)
    assert labels(reading) == {"cat": 3, "dog": 3}
    assert f"extra.csv names these photos too. To take the classes from it, give {tmp_path}/extra.csv:age" in "".join(
        reading.lines
    )


def test_a_table_may_name_photos_in_folders_that_look_like_a_split(make_photo, tmp_path):
    for number in range(4):
        make_photo(tmp_path / "train_images" / f"{number}.png", seed=number)
    make_photo(tmp_path / "test_images" / "t0.png", seed=9)
    (tmp_path / "train.csv").write_text("image,labels\n0.png,rust\n1.png,rust scab\n2.png,rust\n3.png,rust scab\n")
    reading = layouts.read_folder(tmp_path)
    assert labels(reading) == {"rust": 2, "rust scab": 2}
    assert any(line.startswith("1 photos have no row and are left out") for line in reading.lines)


def test_a_folder_of_models_is_no_class(classes, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "model.H5").write_bytes(b"no photo")
    assert labels(layouts.read_folder(classes(tmp_path))) == {"cat": 3, "dog": 3}


def test_a_zip_from_a_mac_with_odd_names_is_read(tmp_path, make_photo, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    content = make_photo(tmp_path / "one.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("set/a|b/1.png", "set/$1/2.png", "set/Icon\r", "__MACOSX/set/$1/._2.png"):
            archive.writestr(name, content)
    assert labels(layouts.read_folder(tmp_path / "set.zip")) == {"$1": 1, "a|b": 1}


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps names in Unicode")
def test_a_file_name_that_is_not_utf8_is_read_split_grouped_and_corrected(classes, tmp_path):
    folder = classes(tmp_path / "photos", count=4)
    try:
        os.rename(os.fsencode(folder / "cat" / "0.png"), os.fsencode(folder) + b"/cat/caf\xe9.png")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    photos = layouts.load_folder(folder)
    assigned = splits.split(photos, seed=0)
    splits.write_splits(assigned, tmp_path / "splits.csv")
    assert splits.read_splits(photos, tmp_path / "splits.csv")["split"].tolist() == assigned["split"].tolist()
    proposed = photos.head(2).assign(group="one")
    series.write_groups(proposed, folder)
    assert (layouts.load_folder(folder)["group"] == "one").sum() == 2
    manifests.write_corrections(folder / "corrections.csv", {"cat/caf\udce9.png": "dog"})
    assert labels(layouts.read_folder(folder)) == {"cat": 3, "dog": 5}


@pytest.mark.parametrize(("name", "content"), [("notes.xlsx", b"no Excel"), ("notes.csv", b""), ("n.tsv", b"\0\xff")])
def test_a_table_beside_class_folders_that_cannot_be_read_is_nobodys_labels(classes, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert labels(layouts.read_folder(classes(tmp_path))) == {"cat": 3, "dog": 3}
