import subprocess
import sys

import numpy as np
import pandas
import pytest

from tutorial_utils.data import splits


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))


def table(classes, groups_a_class, photos_a_group):
    rows = [
        (f"{label}/{group}-{photo}.jpg", label, f"{label} {group}")
        for label in classes
        for group in range(groups_a_class)
        for photo in range(photos_a_group)
    ]
    photos = pandas.DataFrame(rows, columns=["path", "label", "group"])
    return photos.assign(label=photos["label"].astype("category"))


def test_shares_are_70_10_20_in_every_class():
    photos = splits.split(table("ab", 20, 4))
    counts = photos.groupby(["label", "split"], observed=True).size().unstack()
    assert counts.loc["a"].to_dict() == {"train": 56, "val": 8, "test": 16}
    assert counts.loc["b"].to_dict() == {"train": 56, "val": 8, "test": 16}


def test_no_group_is_on_two_sides():
    photos = splits.split(table("abc", 17, 3), seed=3)
    assert (photos.groupby("group")["split"].nunique() == 1).all()


def test_three_groups_are_enough():
    photos = splits.split(table("ab", 3, 4))
    assert (photos.groupby(["label", "split"], observed=True).size() == 4).all()


def test_uneven_groups_and_groups_of_two_classes():
    rows = [("a", "g1")] * 9 + [("a", f"s{n}") for n in range(21)] + [("b", f"t{n}") for n in range(29)] + [("b", "g1")]
    photos = pandas.DataFrame(rows, columns=["label", "group"]).assign(path=[f"{n}" for n in range(60)])
    photos = splits.split(photos.assign(label=photos["label"].astype("category")))
    assert photos.loc[photos["group"] == "g1", "split"].nunique() == 1
    assert photos["split"].value_counts().to_dict() == {"train": 42, "val": 6, "test": 12}


def test_the_seed_decides():
    photos = table("ab", 20, 2)
    assert splits.split(photos, seed=1)["split"].equals(splits.split(photos, seed=1)["split"])
    assert not splits.split(photos, seed=1)["split"].equals(splits.split(photos, seed=2)["split"])
    assert splits.split(photos)["split"].equals(splits.split(photos, seed=0)["split"])


@pytest.mark.parametrize("seed", range(3))
def test_each_group_goes_where_its_class_lacks_most_photos(seed):
    """Of 20 photos 14, 2, 4 are wanted. 10 and 4 in a group go to train, 3 to test, 2 to val, 1 to test."""
    rows = [(f"{size}/{n}.jpg", "a", f"{size}") for size in (1, 2, 3, 4, 10) for n in range(size)]
    photos = pandas.DataFrame(rows, columns=["path", "label", "group"]).assign(label=pandas.Categorical(["a"] * 20))
    split = splits.split(photos, seed).groupby("group")["split"].first()
    assert split.to_dict() == {"10": "train", "4": "train", "3": "test", "2": "val", "1": "test"}


@pytest.mark.parametrize("seed", range(5))
def test_every_class_is_in_every_split_however_uneven_its_groups(seed):
    rng = np.random.default_rng(seed)
    rows = [("ab"[n % 2], f"{n}") for n in range(8) for _ in range(rng.integers(1, 30))]
    photos = pandas.DataFrame(rows, columns=["label", "group"]).assign(path=[f"{n}" for n in range(len(rows))])
    split = splits.split(photos.assign(label=photos["label"].astype("category")), seed)
    assert (pandas.crosstab(split["label"], split["split"]) > 0).all(axis=None)


def test_a_class_with_fewer_groups_than_splits():
    photos = pandas.concat([table("a", 10, 1), table("b", 2, 4)], ignore_index=True)
    photos["label"] = photos["label"].astype("category")
    with pytest.raises(ValueError, match=r"class 'b' has 8 photo\(s\) in 2 group"):
        splits.split(photos)


def test_a_negative_seed():
    with pytest.raises(ValueError, match="seed must be a whole number from 0"):
        splits.split(table("ab", 5, 1), seed=-1)


@pytest.mark.parametrize("fractions", [(0.7, 0.2, 0.2), (0.8, 0.2), (0.8, 0, 0.2), (0.5, 0.3, 0.1), (0.4, 0.3, 0.3, 0)])
def test_fractions_that_are_not_three_shares_of_one(fractions):
    with pytest.raises(ValueError, match="three positive shares that sum to 1"):
        splits.split(table("ab", 5, 1), fractions=fractions)


def test_other_fractions():
    counts = splits.split(table("ab", 20, 1), fractions=(0.5, 0.25, 0.25))["split"].value_counts()
    assert counts.to_dict() == {"train": 20, "val": 10, "test": 10}


def test_written_and_read_again(tmp_path):
    photos = table("ab", 10, 2)
    photos = splits.split(photos.assign(group=photos["group"].replace({"a 1": "NA", "a 2": "null"})))
    splits.write_splits(photos, tmp_path / "splits.csv")
    again = splits.read_splits(photos.drop(columns=["split", "group"]).iloc[::-1], tmp_path / "splits.csv")
    pandas.testing.assert_frame_equal(again.sort_index()[photos.columns], photos, check_dtype=False)


def test_splits_of_other_photos_are_refused(tmp_path):
    photos = splits.split(table("ab", 10, 2))
    splits.write_splits(photos, tmp_path / "splits.csv")
    with pytest.raises(ValueError, match=r"made for other photos: 1 differ, the first a/0-0\.jpg"):
        splits.read_splits(photos.iloc[1:], tmp_path / "splits.csv")


@pytest.mark.parametrize("content", ["path,split\na,train\n", "path,split,group\na,training,a\n"])
def test_a_file_that_is_no_table_of_splits_is_refused(tmp_path, content):
    (tmp_path / "splits.csv").write_text(content)
    with pytest.raises(ValueError, match="is no table of splits"):
        splits.read_splits(table("a", 1, 1), tmp_path / "splits.csv")


def test_part_numbers_its_rows_from_zero():
    photos = splits.split(table("ab", 10, 2))
    test = splits.subset(photos, "test")
    assert len(test) == 8
    assert test.index.tolist() == list(range(8))
    assert test.columns.equals(photos.columns)


def test_a_split_that_a_set_brings_is_kept():
    photos = table("ab", 3, 2)
    photos["split"] = [("test", "train", "val")[row // 2 % 3] for row in range(len(photos))]
    kept = splits.split(photos, seed=5)
    assert list(kept["split"]) == list(photos["split"])
    assert list(kept["split"].cat.categories) == list(splits.NAMES)


LEAKS = """
import numpy, pandas
from tutorial_utils.data import splits

thumbnails = list(numpy.random.default_rng(0).integers(0, 256, (6, 48, 48), numpy.uint8))
photos = pandas.DataFrame({"path": list("uvwxyz"), "group": list("uvwxyz"), "split": ["test", "train", "val"] * 2})
photos["label"] = pandas.Categorical(list("aaabbb"))
stats = pandas.DataFrame({"problem": "", "sha256": list("uvwxyz"), "thumbnail": thumbnails})
splits.split(photos, stats=stats)  # nothing leaks
for given in (photos.assign(group=list("uvwxyu")), photos.assign(path=list("uvwxyu"))):
    try:
        splits.split(given)
    except ValueError as error:
        print(error)
"""


def test_a_split_that_leaks_is_not_kept_even_where_python_skips_asserts():
    process = subprocess.run([sys.executable, "-O", "-c", LEAKS], capture_output=True, text=True, check=True)
    but = "These photos bring their own split, but {}. To split them anew: photos.drop(columns='split')."
    whats = ["the same group stands in two splits: u", "the same path stands in two splits: u"]
    assert process.stdout.splitlines() == [but.format(what) for what in whats]


def test_copies_across_a_split_that_a_set_brings_are_moved_to_the_part_that_is_opened_last(capsys):
    """Photo 0, of train, is 8 of test mirrored; 3, of train, is 4 of val byte for byte. Nothing else moves."""
    photos = table("ab", 6, 1)
    given = ["train", "train", "train", "train", "val", "test"] * 2
    given[8] = "test"
    photos = photos.assign(split=given)
    thumbnails = list(np.random.default_rng(0).integers(0, 256, (12, 48, 48), np.uint8))
    thumbnails[8] = thumbnails[0][:, ::-1]
    marks = [str(number) for number in range(12)]
    marks[4] = marks[3]
    stats = pandas.DataFrame({"problem": "", "sha256": marks, "thumbnail": thumbnails})
    kept = splits.split(photos, stats=stats)
    wanted = list(given)
    wanted[0], wanted[3] = "test", "val"
    assert list(kept["split"]) == wanted
    assert kept["group"][0] == kept["group"][8]
    assert kept["group"][3] == kept["group"][4]
    assert capsys.readouterr().out.startswith("2 photos have copies in another part")


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_part_that_a_set_lacks_is_drawn_from_train_by_group(part):
    """Of 20 groups a class in train, each of two photos: an eighth for val, two ninths for test."""
    other = "test" if part == "val" else "val"
    photos = table("ab", 24, 2)
    photos["split"] = [other if row // 2 % 6 == 5 else "train" for row in range(len(photos))]
    drawn = splits.split(photos, seed=3)
    given = photos["split"] == other
    assert (drawn["split"][given] == other).all()
    assert (drawn["split"][~given] != other).all()
    assert drawn.groupby("group")["split"].nunique().max() == 1
    share = {"val": 1 / 8, "test": 2 / 9}[part]
    assert (drawn["split"] == part).sum() == pytest.approx(share * (~given).sum(), abs=4)
    assert not drawn.equals(splits.split(photos, seed=4))


def test_a_path_of_two_groups_is_not_split():
    photos = table("a", 12, 1)
    photos.loc[:7, "path"] = "same.jpg"
    with pytest.raises(ValueError, match=r"would leak: the same path stands in two splits: same\.jpg"):
        splits.split(photos)


def test_a_class_that_a_split_lacks_is_named():
    photos = table("ab", 3, 1).assign(split=["train", "val", "test", "train", "train", "train"])
    with pytest.raises(ValueError, match="'b' ended with no photo in val, test: "):
        splits.split(photos)


def test_a_split_with_other_names_is_refused_by_name():
    photos = table("ab", 3, 2).assign(split="validation")
    with pytest.raises(ValueError, match=r"may hold train, val, test; it holds 'validation'"):
        splits.split(photos)


def test_too_few_groups_after_merging_copies_are_explained():
    photos = table("ab", 3, 1)
    thumbnails = [np.random.default_rng(row // 2).integers(0, 256, (48, 48), np.uint8) for row in range(6)]
    stats = pandas.DataFrame({"problem": "", "sha256": [str(row // 2) for row in range(6)], "thumbnail": thumbnails})
    with pytest.raises(ValueError, match=r"in \d group.*\(3 pairs of photos are so alike"):
        splits.split(photos, stats=stats)


def test_folds_hold_back_each_group_once():
    photos = table("ab", 6, 4)
    folds = list(splits.group_k_fold(photos, 3, seed=1).split(photos, photos["label"], photos["group"]))
    assert len(folds) == 3
    assert sorted(row for _, held_out in folds for row in held_out) == list(range(48))
    for train, held_out in folds:
        assert not set(photos["group"][train]) & set(photos["group"][held_out])
        assert photos["label"][held_out].value_counts().to_dict() == {"a": 8, "b": 8}


@pytest.mark.parametrize(("groups", "folds"), [(2, 2), (4, 4), (9, 5)])
def test_there_are_no_more_folds_than_groups_of_a_class(groups, folds):
    photos = pandas.concat([table("a", 20, 1), table("b", groups, 3)])
    assert splits.group_k_fold(photos).get_n_splits() == folds


def test_a_class_of_one_group_has_no_folds():
    with pytest.raises(ValueError, match="All photos of the class 'b' belong to one group"):
        splits.group_k_fold(pandas.concat([table("a", 5, 1), table("b", 1, 9)]))


def test_the_seed_decides_which_groups_a_fold_holds():
    photos = table("ab", 10, 2)

    def first(**options):
        folds = splits.group_k_fold(photos, **options)
        return next(folds.split(photos, photos["label"], photos["group"]))[1].tolist()

    assert first() == first(seed=0) != first(seed=1)


def test_a_sample_takes_whole_groups_by_seed():
    photos = table("ab", 10, 4)
    few = splits.sample_per_class(photos, 12, seed=1)
    assert few["label"].value_counts().to_dict() == {"a": 12, "b": 12}
    assert (few.groupby("group").size() == 4).all()
    assert few.index.tolist() == list(range(24))
    assert few.columns.equals(photos.columns)
    assert few["path"].tolist() == photos.loc[photos["path"].isin(few["path"]), "path"].tolist()  # in their order
    assert few.equals(splits.sample_per_class(photos, 12, seed=1))
    assert not few.equals(splits.sample_per_class(photos, 12, seed=2))
    assert splits.sample_per_class(photos, 12).equals(splits.sample_per_class(photos, 12, seed=0))


def test_a_sample_of_large_groups_leaves_one_for_each_split():
    photos = table("ab", 3, 20)
    assert splits.sample_per_class(photos, 14).groupby("group").size().tolist() == [4] * 6  # a third of 14 is 4
    assert len(splits.sample_per_class(pandas.concat([photos, table("c", 9, 1)]), 9)) == 27


def test_a_sample_has_at_least_three_photos_a_class():
    assert len(splits.sample_per_class(table("ab", 5, 3), 3)) == 6
    with pytest.raises(ValueError, match="photos_per_class must be a whole number from 3"):
        splits.sample_per_class(table("ab", 5, 3), 2)
