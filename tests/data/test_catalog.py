import hashlib
import importlib.util
import io
import pathlib
import re
import zipfile

import pandas
import pytest

from tutorial_utils.data import catalog, layouts, splits
from tutorial_utils.leaves import dataset


def test_every_card_is_complete():
    cards = catalog.cards()
    assert {"leaves", "solar_cells"} <= set(cards)
    for name, card in cards.items():
        missing = {"name", "title", "source", "license", "classes", "photos", "groups", "citation", "oddities"} - set(
            card
        )
        assert not missing, f"{name} lacks {missing}"


def test_the_leaves_card_is_true():
    card = catalog.cards()["leaves"]
    assert list(card["classes"]) == list(dataset.CLASS_NAMES)
    assert card["photos"] == 30 * dataset.PHOTOS_PER_PLANT * len(dataset.CLASS_NAMES)
    assert card["generator_version"] == dataset.VERSION


def test_solar_cells_as_published():
    """1,508 + 295 functional and 715 + 106 defective cells (Deitsch et al. 2019, table 1)."""
    if importlib.util.find_spec("elpv_dataset") is None:
        pytest.skip("needs the package elpv-dataset")
    photos = catalog.load_photos("solar_cells")
    assert photos["label"].value_counts().to_dict() == {"functional": 1803, "defective": 821}
    card = catalog.cards()["solar_cells"]
    assert card["photos"] == len(photos)
    assert list(card["classes"]) == list(photos["label"].cat.categories)


def test_a_folder_is_a_data_set(class_folders):
    sample = catalog.load_photos(str(class_folders), photos_per_class=6)
    assert len(sample) == 12
    assert sample.equals(catalog.load_photos(class_folders, 0, 6))
    assert not sample.equals(catalog.load_photos(class_folders, 1, 6))
    (class_folders / "ill" / "notes.jpg").write_text("rust, I think")
    with pytest.raises(ValueError, match="not a photo"):
        catalog.load_photos(class_folders)


def test_fingerprint_knows_bytes_labels_and_groups_but_neither_order_nor_place(tmp_path, make_photo):
    paths = [str(make_photo(tmp_path / f"{number}.png", seed=number)) for number in range(4)]
    photos = pandas.DataFrame({"path": paths, "label": pandas.Categorical(list("aabb")), "group": paths})
    mark = catalog.fingerprint(photos)
    assert catalog.fingerprint(photos.iloc[::-1]) == mark
    moved = [str(make_photo(tmp_path / "moved" / f"{number}.png", seed=number)) for number in range(4)]
    assert catalog.fingerprint(photos.assign(path=moved, group=moved)) == mark
    assert catalog.fingerprint(photos.assign(label=pandas.Categorical(list("abab")))) != mark
    assert catalog.fingerprint(photos.assign(group=["p", "p", "q", "q"])) != mark
    make_photo(tmp_path / "0.png", seed=9)
    assert catalog.fingerprint(photos) != mark


@pytest.mark.parametrize("name", ["leafs", "../nowhere"])
def test_an_unknown_data_set_is_named_with_the_known_ones(name):
    with pytest.raises(ValueError, match=rf"no folder {name}.*flowers, leaves, solar_cells"):
        catalog.load_photos(name)


@pytest.mark.parametrize("dataset", [None, "", 7.5, True])
def test_a_data_set_that_is_no_name(dataset):
    with pytest.raises(ValueError, match="dataset must be a name"):
        catalog.load_photos(dataset)


def test_a_folder_called_by_a_number_may_come_as_one(class_folders, monkeypatch):
    """Papermill makes a number of 2024."""
    class_folders.rename(class_folders.parent / "2024")
    monkeypatch.chdir(class_folders.parent)
    assert len(catalog.load_photos(2024)) == 20


def test_a_name_that_is_a_folder_too_is_told(tmp_path, monkeypatch):
    (tmp_path / "leaves").mkdir()
    monkeypatch.chdir(tmp_path)
    told = []
    catalog.load_photos("leaves", tell=told.append)
    assert told == ["leaves is the course's data set of that name. For the folder here, give ./leaves"]


def test_how_a_folder_was_read_is_told(class_folders):
    told = []
    catalog.load_photos(class_folders, tell=told.append)
    assert told == ["2 classes from the folders healthy, ill: 20 photos.", layouts.NO_GROUPS]


@pytest.mark.parametrize(
    ("dataset", "name"),
    [("leaves", "leaves"), ("my/photos/", "photos"), ("my/photos/*", "photos"), ("a/pets.zip", "pets"), (2024, "2024"),
     ("a/labels.csv:species", "labels")],
)  # fmt: skip
def test_a_short_name_for_pages(dataset, name):
    assert catalog.short_name(dataset) == name


def fetched():
    return {name: card for name, card in catalog.cards().items() if "archives" in card}


def test_four_sets_are_fetched_and_their_cards_say_that_they_were_not_run():
    assert set(fetched()) == {"beans", "citrus_leaves", "colorectal_histology", "flowers"}
    for card in fetched().values():
        assert "Not run here" in card["oddities"]
        for archive in card["archives"]:
            assert archive["url"].startswith("https://")
            assert re.fullmatch("[0-9a-f]{64}", archive["sha256"])
            assert archive["bytes"] > 1_000_000
            assert archive["folder"]


@pytest.fixture
def served(tmp_path, monkeypatch, make_photo, serve):
    """A card of two archives at a server of our own, which brings its split; return the addresses asked for."""
    asked, archives, contents = [], [], {}

    def answer(request):
        asked.append(request.path)
        request.send_response(200)
        request.send_header("Content-Length", str(len(contents[request.path])))
        request.end_headers()
        request.wfile.write(contents[request.path])

    address = serve(answer)
    for split, count in [("train", 6), ("validation", 2), ("test", 3)]:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for label in ("rust", "healthy", "left_out"):
                for number in range(count):
                    photo = make_photo(tmp_path / "made" / f"{split}-{label}-{number}.jpg", seed=len(archives) * 100)
                    archive.write(photo, f"{split}/{label}/{label}-{split}-{number}.jpg")
            archive.writestr(f"{split}/rust/notes.png", b"no photo of the set")
            archive.writestr("__MACOSX/._rust", b"")
        contents[f"/{split}.zip"] = buffer.getvalue()
        archives.append({"url": f"{address}/{split}.zip", "sha256": hashlib.sha256(buffer.getvalue()).hexdigest()})
        archives[-1] |= {"folder": split, "split": {"validation": "val"}.get(split, split)}
    card = {"name": "small", "classes": {"rust": "", "healthy": ""}, "suffix": ".jpg", "archives": archives}
    card["group"] = r"\w+-\w+-\d+"
    monkeypatch.setattr(catalog, "cards", lambda: {"small": card})
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TUTORIAL_OFFLINE", "0")
    return asked


def test_a_set_is_fetched_once_and_then_needs_no_network(served, monkeypatch, capfd):
    photos = catalog.load_photos("small")
    assert "100%" in capfd.readouterr().err  # a progress bar
    assert photos.groupby(["split", "label"], observed=True).size().to_dict() == {
        (split, label): count
        for split, count in [("train", 6), ("val", 2), ("test", 3)]
        for label in ("healthy", "rust")
    }
    assert list(photos["label"].cat.categories) == ["healthy", "rust"]
    assert list(photos.index) == list(range(22))
    assert photos["group"][0] == "healthy-train-0"
    folder = catalog.cards()["small"]["archives"][0]["sha256"][:16]  # where earlier versions have left it
    assert f"/cache/datasets/small/{folder}/train/healthy/" in pathlib.Path(photos["path"][0]).as_posix()
    assert all(pathlib.Path(path).is_file() for path in photos["path"])
    assert list(splits.split(photos)["split"]) == list(photos["split"])
    assert len(served) == 3
    monkeypatch.setenv("TUTORIAL_OFFLINE", "1")
    assert catalog.load_photos("small").equals(photos)
    assert capfd.readouterr().err == ""
    assert len(served) == 3


def test_a_set_that_is_not_here_and_cannot_be_fetched(served, monkeypatch):
    monkeypatch.setenv("TUTORIAL_OFFLINE", "1")
    with pytest.raises(OSError, match=r"train.zip is not on this machine.*download http.*train.zip and save it as"):
        catalog.load_photos("small")


def test_the_photos_of_a_downloaded_set_are_checked_unless_told_otherwise(served):
    damaged = pathlib.Path(catalog.load_photos("small")["path"][0])
    damaged.write_bytes(b"no photo")
    assert str(damaged) in set(catalog.load_photos("small", check_photos=False)["path"])
    with pytest.raises(ValueError, match=f"{damaged.name} is not a photo"):
        catalog.load_photos("small")


def test_solar_cells_without_its_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install elpv-dataset"):
        catalog.check_dataset("solar_cells")


def test_a_class_of_the_card_that_is_not_in_the_archives_is_named(served):
    catalog.cards()["small"]["classes"]["mildew"] = ""
    with pytest.raises(ValueError, match=r"holds no \.jpg photos of 'mildew', against the card small"):
        catalog.load_photos("small")


def test_tiles_of_one_region_share_a_group():
    pattern = catalog.cards()["colorectal_histology"]["group"]
    assert catalog._group("x/1A11_CRC-Prim-HE-07_022.tif_Row_601_Col_151.tif", pattern) == "CRC-Prim-HE-07_022"
    assert catalog._group("x/other.tif", pattern) == "x/other.tif"
