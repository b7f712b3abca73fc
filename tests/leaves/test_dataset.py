"""Tests of the generated leaf photos, on small sets; what is about files only paints one-byte photos."""

import pathlib
import subprocess
import sys

import numpy as np
import pandas
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

from tutorial_utils.data import shortcuts
from tutorial_utils.leaves import camera, dataset, diseases, painter

ROOT = pathlib.Path(dataset.__file__).parents[2]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """18 plants, three a class: 72 photos, painted by several processes where there are cores."""
    return dataset.load_leaves(plants_per_class=3, folder=tmp_path_factory.mktemp("cache") / "set", progress=False)


@pytest.fixture
def quick(monkeypatch):
    """Paint nothing but one-byte files, and return the list of plants painted so far."""
    done = []

    def touch(folder, seed, plant):
        done.append(plant)
        for shot in range(dataset.PHOTOS_PER_PLANT):
            path, _, _, mask = dataset._row(folder, *plant, shot)
            pathlib.Path(path).write_bytes(b"p")
            pathlib.Path(mask).write_bytes(b"m")

    monkeypatch.setattr(dataset, "_paint_plant", touch)
    return done


def painted(folder, plants, seed=0, workers=1):
    """Return {path inside the folder: bytes} of the files of `plants`, painted by `workers` processes."""
    for kind in ("photos", "masks"):
        for label in dataset.CLASS_NAMES:
            (folder / kind / label).mkdir(parents=True)
    dataset._paint_all(folder, seed, plants, workers, progress=False)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_table_has_six_classes_with_four_photos_a_plant(photos):
    assert list(photos.columns) == ["path", "label", "group", "mask"]
    assert list(photos["label"].cat.categories) == sorted(dataset.CLASS_NAMES)
    assert photos["label"].value_counts().tolist() == [12] * 6
    assert photos["group"].value_counts().tolist() == [4] * 18
    assert photos.groupby("group")["label"].nunique().tolist() == [1] * 18
    assert "rust-001" in set(photos["group"])


def test_photos_are_jpeg_of_the_promised_size(photos):
    for path in photos["path"]:
        with Image.open(path) as image:
            assert image.format == "JPEG"
            assert image.mode == "RGB"
            assert 288 <= max(image.size) <= 400


def test_mask_has_the_size_of_its_photo_and_is_empty_exactly_for_healthy(photos):
    for row in photos.itertuples():
        mask = np.asarray(Image.open(row.mask))
        assert mask.shape == Image.open(row.path).size[::-1]
        assert set(np.unique(mask)) <= {0, 255}
        assert bool(mask.any()) == (row.label != "healthy")
        assert mask.sum() == mask[8:-8, 8:-8].sum()  # no lesion reaches the border


@pytest.mark.parametrize("disease", sorted(diseases.DISEASES))
def test_a_disease_changes_the_leaf_under_its_mask_and_no_border_pixel(disease):
    """The same leaf and the same camera, without and with the disease."""
    leaf = painter.grow(np.random.default_rng(5))
    sick = diseases.infect(leaf, disease, np.random.default_rng(6))
    before, _ = camera.photograph(leaf, np.random.default_rng(7))
    after, mask = camera.photograph(sick, np.random.default_rng(7))
    change = np.abs(after.astype(float) - before).mean(axis=2)
    assert change[mask == 255].mean() > 3 * change[mask == 0].mean()
    change[8:-8, 8:-8] = 0
    assert change.max() == 0


def test_same_seed_gives_the_same_bytes_in_a_larger_set_with_one_worker_and_with_two(tmp_path, photos):
    plants = [("leaf_spot", 0), ("rust", 2)]
    one = painted(tmp_path / "one", plants)
    assert len(one) == 2 * 2 * 4
    assert painted(tmp_path / "two", plants, workers=2) == one
    folder = pathlib.Path(photos["path"][0]).parents[2]
    assert {name: (folder / name).read_bytes() for name in one} == one


def test_another_seed_or_plant_gives_other_pixels(tmp_path):
    first = painted(tmp_path / "first", [("rust", 0), ("rust", 1)])
    other = painted(tmp_path / "other", [("rust", 0)], seed=1)
    photos = [data for files in (first, other) for name, data in files.items() if name.endswith("jpg")]
    assert len(set(photos)) == len(photos) == 12


def test_a_script_without_a_main_guard_is_warned_and_served(tmp_path):
    """Its worker processes run the script itself again and cannot start: painting goes on in one process."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys; sys.path.insert(0, sys.argv[1]); from tutorial_utils.leaves import dataset\n"
        "dataset._workers = lambda plants: 2; dataset.CLASS_NAMES = dataset.CLASS_NAMES[:1]\n"
        "print(len(dataset.load_leaves(plants_per_class=1, folder=sys.argv[2], progress=False)))\n"
    )
    command = [sys.executable, str(script), str(ROOT), str(tmp_path / "set")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["4"]
    assert "painting in this process" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.py", "set"]


def test_second_call_reads_and_paints_nothing(quick, photos):
    folder = pathlib.Path(photos["path"][0]).parents[2]
    assert dataset.load_leaves(plants_per_class=3, folder=folder).equals(photos)
    assert quick == []


def test_default_folder_is_in_the_cache_and_says_what_the_pixels_depend_on(monkeypatch, quick, tmp_path):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path))
    path = dataset.load_leaves(seed=3, plants_per_class=1, progress=False)["path"][0]
    assert pathlib.Path(path).is_relative_to(tmp_path / f"leaves-v{dataset.VERSION}.{dataset.LAYOUT}-seed3-1")
    assert len(quick) == 6


def test_a_run_that_is_stopped_half_way_leaves_nothing(monkeypatch, quick, tmp_path):
    touch = dataset._paint_plant

    def stop_after_three(*arguments):
        if len(quick) == 3:
            raise KeyboardInterrupt
        touch(*arguments)

    monkeypatch.setattr(dataset, "_paint_plant", stop_after_three)
    with pytest.raises(KeyboardInterrupt):
        dataset.load_leaves(plants_per_class=1, folder=tmp_path / "set", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_is_not_taken_for_a_whole_set(quick, tmp_path):
    """A process that dies at once cannot clean up; what it leaves is ignored and the set is painted anew."""
    code = (
        "import os, sys; from tutorial_utils.leaves import dataset; paint = dataset._paint_plant\n"
        "dataset._paint_plant = lambda *a: os._exit(9) if a[2][0] == 'healthy' else paint(*a)\n"
        "dataset.load_leaves(plants_per_class=1, folder=sys.argv[1], progress=False)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "set")], cwd=ROOT, check=False)
    assert killed.returncode == 9
    assert len(list(tmp_path.rglob("*.jpg"))) == 4  # it did begin
    photos = dataset.load_leaves(plants_per_class=1, folder=tmp_path / "set", progress=False)
    assert len(quick) == 6
    assert all(pathlib.Path(path).is_file() for path in photos["path"])


def test_of_two_runs_at_once_the_second_keeps_the_set_of_the_first(monkeypatch, quick, tmp_path):
    paint_all = dataset._paint_all

    def overtaken(*arguments):
        monkeypatch.setattr(dataset, "_paint_all", paint_all)
        dataset.load_leaves(plants_per_class=1, folder=tmp_path / "set", progress=False)
        (tmp_path / "set" / "first").touch()
        paint_all(*arguments)

    monkeypatch.setattr(dataset, "_paint_all", overtaken)
    dataset.load_leaves(plants_per_class=1, folder=tmp_path / "set", progress=False)
    assert len(quick) == 12
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert (tmp_path / "set" / "first").exists()


@pytest.mark.parametrize("arguments", [{"seed": -1}, {"seed": 1.5}, {"seed": "0"}, {"plants_per_class": 0}])
def test_bad_arguments_are_refused_by_name_before_anything_is_written(tmp_path, arguments):
    with pytest.raises(ValueError, match=f"{next(iter(arguments))} must be a whole number.* got "):
        dataset.load_leaves(folder=tmp_path / "set", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("chapter one")
    with pytest.raises(ValueError, match="Name another folder"):
        dataset.load_leaves(plants_per_class=1, folder=tmp_path)


def test_a_folder_with_another_seed_is_refused(photos):
    folder = pathlib.Path(photos["path"][0]).parents[2]
    with pytest.raises(ValueError, match=r"seed1-3;.* holds leaves-v.*-seed0-3"):
        dataset.load_leaves(seed=1, plants_per_class=3, folder=folder)


def test_importing_the_generator_loads_neither_tensorflow_nor_pandas():
    heavy = {"tensorflow", "keras", "pandas"}
    code = f"import sys, tutorial_utils.leaves.dataset; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def border(path):
    """Return what an 8-pixel border and the size tell: 2 + 4 sides x 3 colors x (mean, deviation)."""
    image = np.asarray(Image.open(path), dtype=float)
    sides = [image[:8], image[-8:], image[:, :8], image[:, -8:]]
    numbers = [value for side in sides for value in (*side.mean(axis=(0, 1)), *side.std(axis=(0, 1)))]
    return np.array([*image.shape[:2], *numbers])


def test_border_and_size_do_not_give_the_class_away(photos):
    """Chance is 1/6; the bound is three standard deviations above it, for 72 photos."""
    features = np.stack([border(path) for path in photos["path"]])
    model = RandomForestClassifier(100, random_state=0)
    guesses = cross_val_predict(model, features, photos["label"], groups=photos["group"], cv=GroupKFold(3))
    assert (guesses == photos["label"]).mean() < 1 / 6 + 3 * np.sqrt(1 / 6 * 5 / 6 / len(photos))


def test_a_files_name_tells_nothing_of_its_class(tmp_path):
    """720 photos, chance 1/6: by chance more than 0.23 would be right less than once in 100,000 times."""
    rows = [dataset._row(tmp_path, *photo) for photo in dataset._photos(30)]
    photos = pandas.DataFrame(rows, columns=["path", "label", "group", "mask"])
    photos["label"] = photos["label"].astype("category")
    told = shortcuts.predict_from_cue("name", photos, None)
    assert (told == photos["label"].cat.codes).mean() < 0.23
    assert photos["path"].nunique() == photos["mask"].nunique() == 720
