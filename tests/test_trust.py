"""The benchmarks of trust, on answers that can be counted by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import calibrated, coverage, forecasts, saliency, trust, unknown


def test_the_pair_is_that_of_the_heads_on_half_of_the_photos():
    labels = np.array([0, 0, 1, 1, 2, 2])
    found = [(1 / 4, 10, np.array([2, 2, 1, 1, 0, 0])), (1 / 2, 20, np.array([0, 0, 2, 1, 2, 1]))]
    assert forecasts.pair(found, labels) == [1, 2]


def test_a_case_stands_beside_what_was_measured():
    """Errors of 40 and 20 % at 100 and 200 photos: 10 % at 400, where 90 of 100 are right."""
    labels, place = np.zeros(100, int), np.arange(100)
    found = [(share, number, (place < wrong).astype(int)) for share, number, wrong in [(1 / 4, 100, 40)] * 3]
    found += [(1 / 2, 200, (place < 20).astype(int))] * 2
    row = forecasts.case(found, (400, (place < 10).astype(int)), labels, np.ones(100, bool))
    assert row["forecast"] == pytest.approx(0.9, abs=0.01)
    assert (row["half"], row["accuracy_half"], row["all"], row["measured"]) == (200, 0.8, 400, 0.9)
    assert row["inside"]


def test_a_draw_takes_whole_groups_of_each_class_until_it_has_its_share():
    """Class 0: five plants of four photos; class 1: a plant of eight, two of one. Half is 10 and 5 photos."""
    labels = np.repeat([0, 1], [20, 10])
    groups = np.r_[np.repeat(np.arange(5), 4), np.repeat([5, 6, 7], [8, 1, 1])]
    for seed in range(20):
        rows = forecasts.draw(labels, groups, 0.5, seed)
        whole = [np.isin(groups[labels == label], groups[rows]).sum() for label in (0, 1)]
        assert whole == np.bincount(labels[rows]).tolist()
        assert whole[0] == 12  # two plants are 8 photos, too few
        assert whole[1] in (8, 9, 10)  # the large plant is always needed; small ones may come before it
        assert set(rows) <= set(forecasts.draw(labels, groups, 0.8, seed))
    np.testing.assert_array_equal(forecasts.draw(labels, groups, 1, 0), np.arange(30))
    assert np.bincount(labels[forecasts.draw(labels, groups, 0.01, 0)]).min() > 0
    different = {tuple(forecasts.draw(labels, groups, 0.5, seed)) for seed in range(20)}
    assert len(different) > 5


def test_draws_of_a_half_stay_within_it():
    rng = np.random.default_rng(0)
    train = trust.Part(rng.normal(size=(80, 4)) + np.repeat([0, 3], 40)[:, None], np.repeat([0, 1], 40), np.arange(80))
    found = forecasts.of_a_half(train, train, 0)
    assert [(share, number) for share, number, _ in found[::3]] == [(1 / 2, 40), (1 / 16, 6), (1 / 8, 10), (1 / 4, 20)]
    assert len(found) == 10


def test_images_far_from_the_training_photos_do_not_pass():
    rng = np.random.default_rng(0)
    parts = [trust.Part(rng.random((n, 8)) + 5 * np.eye(8)[0], np.zeros(n, int), np.arange(n)) for n in (60, 40, 50)]
    known = [(part, np.tile([3.0, 0.0], (len(part.labels), 1))) for part in parts]
    rows = unknown.measure(known, {"noise": (rng.random((30, 8)) + 5 * np.eye(8)[7], np.tile([0.0, 0.0], (30, 1)))})
    table = pd.DataFrame(rows).set_index("score")
    assert table["auc"].tolist() == [1] * 6
    assert table.loc["distance, k = 5", "other"] == 0
    assert table.loc["distance, k = 5", "known"] > 0.85


def test_a_temperature_is_fitted_on_validation_and_judged_on_test(monkeypatch):
    """Logits twice as large as honest ones, in both; the temperature is near 2 and takes most of the error away."""
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (2, 2000, 3))
    labels = (honest + rng.gumbel(size=honest.shape)).argmax(axis=2)  # drawn with the softmax of the logits
    tables = [pd.DataFrame({"label": pd.Categorical(each), "group": np.arange(2000)}) for each in labels]
    monkeypatch.setattr(trust, "split", lambda where, seed: (None, *tables))
    row = calibrated.row("anywhere", 0, 2 * honest)
    assert row["lowest_loss"] == pytest.approx(2, rel=0.1)
    assert row["temperature"] < row["lowest_loss"]
    assert row["error_after"] < row["error_before"] / 3
    assert (row["changed_predictions"], row["rises"]) == (0, False)


def test_alike_photos_make_wilsons_interval_too_short():
    by_group, by_photo = coverage.held(0.9, 75, 4, 0.7, sets=100)
    assert by_group > 0.88 > by_photo + 0.05


class Brightest:
    """A model whose first class is as likely as the photo's left column is bright."""

    def predict_on_batch(self, images):
        """Return probabilities (photos, 2)."""
        likely = images[:, :, 0].mean(axis=(1, 2)) / 255
        return np.stack([likely, 1 - likely], axis=1)


def test_what_a_square_takes_away_is_shared_by_its_places():
    """A photo of 3 x 3 pixels, the left column white: its mean is 85, so a square of 2 x 2 takes two thirds of it, 4/9.

    Squares stand at columns 0 and 1; the left column lies in the first only, the middle one in both, the right in none.
    """
    photo = np.zeros((1, 3, 3, 3))
    photo[:, :, 0] = 255
    for batch_size in (1, 64):
        found = saliency.occlusion(Brightest(), photo, [0], patch=2, stride=1, batch_size=batch_size)
        np.testing.assert_allclose(found[0], [[4 / 9, 2 / 9, 0]] * 3, atol=1e-6)
    np.testing.assert_allclose(saliency.occlusion(Brightest(), photo, [1], 2, 1)[0, 0, 0], -4 / 9, atol=1e-6)
