import numpy as np
import pandas
import pytest

from tutorial_utils.course import adviser
from tutorial_utils.data import layouts
from tutorial_utils.evaluation.intervals import Interval
from tutorial_utils.models import features, heads


def evidence(*rows):
    """A table like benchmarks/strategies.csv of (set, photos a class, seed, layers, tuned)."""
    return pandas.DataFrame(
        [
            {"set": name, "photos_per_class": number, "seed": seed, "strategy": strategy, "accuracy": accuracy}
            for name, number, seed, *both in rows
            for strategy, accuracy in zip(("layers", "tuned"), both, strict=True)
        ]
    )


KEPT = evidence(
    ("a", 5, 0, 0.5, 0.6),
    ("a", 50, 0, 0.8, 0.9),
    ("a", 50, 1, 0.8, 0.84),
    ("b", 50, 0, 0.9, 0.87),
    ("c", 50, 0, 0.9, np.nan),
)


def test_gains_are_means_over_the_draws_of_each_set():
    """Set a gains 10 and 4 points in its two draws, b loses 3; c was not trained to the end."""
    size, gains = adviser.gains_at(KEPT, 60)
    assert size == 50
    assert gains.to_dict() == pytest.approx({"a": 0.07, "b": -0.03})


@pytest.mark.parametrize(("number", "size"), [(1, 5), (15, 5), (17, 50), (1000, 50)])
def test_the_size_that_comes_nearest_is_taken(number, size):
    """Nearest as a ratio: 5 and 50 are as far from 15.8."""
    assert adviser.gains_at(KEPT, number)[0] == size


def test_what_is_said_holds_the_numbers():
    gains = pandas.Series({"a": 0.07, "b": -0.03})
    told = str(adviser.Advice(Interval(0.9, 0.8, 0.95, 40, 20), "cross-validated by group", gains, 0.2, 6.2, 50))
    assert "all layers, cross-validated by group: 90.0 % right" in told
    assert "It takes 12 s. Fine-tuning all layers from there takes about 6 minutes more" in told
    assert "On 2 sets with 50 photos a class it changed the share of right answers by -3.0 to +7.0 points, +2.0" in told


def test_where_it_brought_nothing_it_is_not_advised():
    gains = pandas.Series({"a": 0.01, "b": -0.03})
    told = str(adviser.Advice(Interval(0.9, 0.8, 0.95, 40, 20), "on the validation photos", gains, 0.2, 6.2, 100))
    assert "all layers, on the validation photos: 90.0 % right" in told
    assert told.endswith("So with this many photos it is hardly worth its minutes.")


def test_advice_for_photos_that_are_easy_leaves_the_base_as_it_was(class_folders, toy, tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    before = [weight.copy() for weight in toy.base.get_weights()]
    advice = adviser.advise(layouts.load_folder(class_folders), toy, 32, evidence=KEPT, progress=False)
    assert advice.accuracy.value == 1  # green and brown
    assert advice.photos_per_class == 5
    assert 0 < advice.tuning_minutes < 5
    assert not toy.base.trainable_weights
    for old, new in zip(before, toy.base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_head_that_is_timed_is_not_changed(class_folders, toy, tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    photos = layouts.load_folder(class_folders)
    rows = features.stored(photos, toy, 32, layers="all", progress=False)
    head, _ = heads.all_layers_head([rows], photos, features.block_sizes(toy))
    before = head.get_weights()
    adviser.tuning_minutes(photos, toy, head, 32)
    for old, new in zip(before, head.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_estimate_goes_by_a_forward_pass(class_folders, monkeypatch):
    """A pass of 8 photos takes 2 s on this clock: 20 photos make 3 steps, an epoch of 30 s, and 34 epochs 102 steps."""
    photos, clock = layouts.load_folder(class_folders), iter(range(0, 100, 6))
    monkeypatch.setattr(adviser.time, "perf_counter", lambda: next(clock))
    asked = []
    minutes = adviser.estimate_minutes(photos, lambda batches: asked.append(batches[0].shape), 32)
    assert asked == [(8, 32, 32, 3)] * 3
    assert minutes == pytest.approx(2 * 5 * 3 * 34 / 60)


def test_a_class_of_one_group_is_named_before_anything_is_computed(class_folders):
    photos = layouts.load_folder(class_folders).assign(group="one plant")
    with pytest.raises(ValueError, match=r"class .* belong to one group"):
        adviser.advise(photos, None, 32, evidence=KEPT)  # no backbone is needed to see it
