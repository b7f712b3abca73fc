"""Scores of heat maps that can be worked by hand."""

import numpy as np
import pytest

from tutorial_utils.evaluation import heat


def one_place(photos, row, column, side=4):
    """Heat that is all at one place, (photos, side, side)."""
    maps = np.zeros((photos, side, side))
    maps[:, row, column] = 1
    return maps


def test_scores_by_hand():
    """Photo 0: half of the heat inside, the hottest place outside. Photo 1: all inside. Photo 2: no heat."""
    maps, masks = np.zeros((3, 4, 4)), np.zeros((3, 4, 4), bool)
    masks[:, :2, :2] = True  # a quarter
    maps[0, 0, :2], maps[0, 3, 3] = 1, 2
    maps[1, 1, 1] = 1
    np.testing.assert_allclose(heat.share_inside(maps, masks), [0.5, 1, np.nan])
    np.testing.assert_allclose(heat.points_inside(maps, masks), [0, 1, np.nan])
    table = heat.score_maps(maps, masks)
    assert table.loc[("heat inside", "map"), "value"] == pytest.approx(0.75)
    assert table.loc[("heat inside", "random"), "value"] == pytest.approx(0.25)
    assert table.loc[("heat inside", "times random"), "value"] == pytest.approx(3)
    assert table.loc[("pointing", "map"), "value"] == pytest.approx(0.5)
    assert table.loc[("pointing", "center"), "value"] == pytest.approx(0.25)  # one of the four middle places
    assert table.loc[("pointing", "center, times random"), "value"] == pytest.approx(1)
    assert (table["n"] == 2).all()
    assert (table["groups"] == 2).all()


def test_equally_hot_places_share_the_point():
    masks = np.zeros((1, 4, 4), bool)
    masks[0, 0, 0] = True
    maps = one_place(1, 0, 0) + one_place(1, 3, 3)
    assert heat.points_inside(maps, masks) == [0.5]


def test_even_heat_is_worth_as_much_as_random():
    masks = np.zeros((12, 8, 8), bool)
    masks[:, :4] = True
    table = heat.score_maps(np.ones((12, 8, 8)), masks)
    for measure in ("heat inside", "pointing"):
        assert table.loc[(measure, "times random")][["value", "low", "high"]].tolist() == pytest.approx([1, 1, 1])


def test_four_photos_of_a_plant_tell_no_more_than_one():
    """Every photo four times, by plant: the same values and the same intervals, from four times the photos."""
    rng = np.random.default_rng(0)
    maps, masks = rng.uniform(size=(12, 6, 6)), rng.uniform(size=(12, 6, 6)) < 0.3
    once = heat.score_maps(maps, masks)
    often = heat.score_maps(np.repeat(maps, 4, axis=0), np.repeat(masks, 4, axis=0), np.repeat(np.arange(12), 4))
    columns = ["value", "low", "high"]
    np.testing.assert_allclose(often[columns].to_numpy(float), once[columns].to_numpy(float))
    assert (often["n"] == 48).all()
    assert (often["groups"] == 12).all()
    alone = heat.score_maps(np.repeat(maps, 4, axis=0), np.repeat(masks, 4, axis=0)).loc[("heat inside", "map")]
    by_plant = once.loc[("heat inside", "map")]
    assert alone["high"] - alone["low"] < by_plant["high"] - by_plant["low"]


@pytest.mark.parametrize(("groups", "has_interval"), [(9, False), (10, True)])
def test_few_groups_give_no_interval(groups, has_interval):
    rng = np.random.default_rng(0)
    maps, masks = rng.uniform(size=(20, 6, 6)), rng.uniform(size=(20, 6, 6)) < 0.3
    table = heat.score_maps(maps, masks, np.arange(20) % groups)
    assert table["value"].notna().all()
    assert table[["low", "high"]].notna().all(axis=None) == has_interval
    assert table[["low", "high"]].isna().all(axis=None) != has_interval


def test_groups_without_heat_are_not_counted():
    """Plants 0 ... 9 have heat, plants 10 and 11 none."""
    maps, masks = one_place(12, 0, 0), np.ones((12, 4, 4), bool)
    maps[10:] = 0
    table = heat.score_maps(maps, masks, np.arange(12))
    assert (table["n"] == 10).all()
    assert (table["groups"] == 10).all()
    assert table.loc[("heat inside", "map"), "value"] == 1


def test_the_middle_is_hottest_in_the_middle():
    middle = heat.center_heat(4, 6)
    assert middle.shape == (4, 6)
    np.testing.assert_allclose(middle, middle[::-1, ::-1])
    assert middle.max() == middle[1, 2] == middle[2, 3]


@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        (np.ones((1, 2, 2)), np.zeros((1, 2, 2)), "1 are empty"),
        (-np.ones((1, 2, 2)), np.ones((1, 2, 2)), "0 and up"),
        (np.ones((1, 2, 2)), np.ones((1, 3, 3)), "Expected heat and masks"),
        (np.zeros((1, 2, 2)), np.ones((1, 2, 2)), "No map has any heat"),
    ],
)
def test_what_cannot_be_scored_is_refused(maps, masks, message):
    with pytest.raises(ValueError, match=message):
        heat.score_maps(maps, masks)
