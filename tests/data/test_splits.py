import numpy as np
import pandas
import pytest

from tutorial_utils.data import splits


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


def test_a_class_with_fewer_groups_than_splits():
    photos = pandas.concat([table("a", 10, 1), table("b", 2, 4)], ignore_index=True)
    photos["label"] = photos["label"].astype("category")
    with pytest.raises(ValueError, match=r"class 'b' has 8 photo\(s\) in 2 group"):
        splits.split(photos)


def test_a_negative_seed():
    with pytest.raises(ValueError, match="seed must be a whole number from 0"):
        splits.split(table("ab", 5, 1), seed=-1)


def test_fractions_that_do_not_sum_to_one():
    with pytest.raises(ValueError, match="sum to 1"):
        splits.split(table("ab", 5, 1), fractions=(0.7, 0.2, 0.2))


def test_written_and_read_again(tmp_path):
    photos = splits.split(table("ab", 10, 2))
    splits.write_splits(photos, tmp_path / "splits.csv")
    again = splits.read_splits(photos.drop(columns="split").iloc[::-1], tmp_path / "splits.csv")
    assert again.sort_index()["split"].tolist() == photos["split"].tolist()


def test_splits_of_other_photos_are_refused(tmp_path):
    photos = splits.split(table("ab", 10, 2))
    splits.write_splits(photos, tmp_path / "splits.csv")
    with pytest.raises(ValueError, match="made for other photos"):
        splits.read_splits(photos.iloc[1:], tmp_path / "splits.csv")


def test_part_numbers_its_rows_from_zero():
    photos = splits.split(table("ab", 10, 2))
    test = splits.subset(photos, "test")
    assert len(test) == 8
    assert test.index.tolist() == list(range(8))


def test_says_what_gave_way():
    """Class a: groups of 8, 1 and 1 photos, 70 % wanted of 10 and 80 % got. Class b: ten single photos, 7 / 1 / 2."""
    photos = pandas.DataFrame(
        {
            "path": [str(number) for number in range(20)],
            "label": pandas.Categorical(["a"] * 10 + ["b"] * 10),
            "group": ["big"] * 8 + [f"{number}" for number in range(12)],
        }
    )
    said = splits.uneven_shares(splits.split(photos))
    assert said == (
        "a: 80 / 10 / 10 % of its 10 photos in train / val / test instead of 70 / 10 / 20 %; "
        "none of its 3 groups may be divided."
    )


def test_a_split_that_a_set_brings_is_kept():
    photos = table("ab", 3, 2)
    photos["split"] = [("test", "train", "val")[row // 2 % 3] for row in range(len(photos))]
    kept = splits.split(photos, seed=5)
    assert list(kept["split"]) == list(photos["split"])
    assert list(kept["split"].cat.categories) == list(splits.NAMES)


def test_a_split_through_a_group_is_not_kept():
    photos = table("ab", 3, 2)
    photos["split"] = ["test", "train", "val"] * 4
    with pytest.raises(ValueError, match=r"the same group stands in two splits: .*drop"):
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
