import importlib.util

import pytest

from tutorial_utils.data import catalog, leaves


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
    assert list(card["classes"]) == list(leaves.CLASS_NAMES)
    assert card["photos"] == 30 * leaves.PHOTOS_PER_PLANT * len(leaves.CLASS_NAMES)
    assert card["generator_version"] == leaves.VERSION


def test_solar_cells_as_published():
    """1,508 + 295 functional and 715 + 106 defective cells (Deitsch et al. 2019, table 1)."""
    if importlib.util.find_spec("elpv_dataset") is None:
        pytest.skip("needs the package elpv-dataset")
    photos = catalog.load("solar_cells")
    assert photos["label"].value_counts().to_dict() == {"functional": 1803, "defective": 821}
    card = catalog.cards()["solar_cells"]
    assert card["photos"] == len(photos)
    assert list(card["classes"]) == list(photos["label"].cat.categories)


def test_a_folder_is_a_data_set(class_folders):
    assert len(catalog.load(str(class_folders), photos_per_class=6)) == 12


@pytest.mark.parametrize("name", ["leafs", "../nowhere"])
def test_an_unknown_data_set_is_named_with_the_known_ones(name):
    with pytest.raises(ValueError, match=rf"no folder {name}.*leaves, solar_cells"):
        catalog.load(name)


@pytest.mark.parametrize("dataset", [None, "", 7])
def test_a_data_set_that_is_no_name(dataset):
    with pytest.raises(ValueError, match="dataset must be a name"):
        catalog.load(dataset)
