"""Pixels worked by hand; of what is drawn: the same by the same key, and within the ranges that are said."""

import numpy as np
import pytest

from tutorial_utils.data import corruptions

GRAY = np.full((64, 64, 3), 128, np.uint8)


@pytest.fixture
def textured():
    """A photo of 40 x 40 pixels with coarse and fine patterns, none of them near black or white."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(80, 150, (5, 5, 3)).repeat(8, axis=0).repeat(8, axis=1)
    image = (coarse + rng.integers(-12, 13, coarse.shape)).astype(np.uint8)
    image.flags.writeable = False
    return image


def change(image, other):
    """Return the mean change of a pixel."""
    return np.abs(image.astype(float) - other).mean()


def test_light_multiplies_rounds_and_ends_at_white():
    image = np.array([[[100, 200, 3], [0, 255, 196]]], np.uint8)
    assert corruptions.relight(image, 1.3).tolist() == [[[130, 255, 4], [0, 255, 255]]]
    assert corruptions.relight(image, 0.6).tolist() == [[[60, 120, 2], [0, 153, 118]]]
    assert corruptions.relight(image, 1.3).dtype == np.uint8


def test_a_warm_tint_is_more_red_and_less_blue():
    image = np.array([[[100, 100, 100], [250, 7, 3]]], np.uint8)
    assert corruptions.tint(image, 0.2).tolist() == [[[120, 100, 80], [255, 7, 2]]]
    assert corruptions.tint(image, -0.2).tolist() == [[[80, 100, 120], [200, 7, 4]]]


def test_noise_has_the_deviation_that_was_asked_for():
    noisy = corruptions.add_noise(GRAY, 10, np.random.default_rng(0))
    assert noisy.std() == pytest.approx(10, rel=0.03)
    assert noisy.mean() == pytest.approx(128, abs=0.5)
    white = corruptions.add_noise(np.full_like(GRAY, 255), 10, np.random.default_rng(0))
    assert white.mean() == pytest.approx(255 - 10 / np.sqrt(2 * np.pi), abs=0.3)  # half of the bell is cut off


@pytest.mark.parametrize("make", [lambda x: corruptions.blur(x, 2), lambda x: corruptions.recompress(x, 15)])
def test_blur_and_jpeg_leave_even_gray_and_take_away_fine_patterns(make, textured):
    assert np.abs(make(GRAY).astype(int) - 128).max() <= 1
    found = make(textured)
    assert (found.shape, found.dtype) == (textured.shape, np.uint8)
    assert np.abs(np.diff(found.astype(int), axis=1)).mean() < np.abs(np.diff(textured.astype(int), axis=1)).mean()


def test_a_blurred_point_is_a_bell():
    """Of the standard deviation that was asked for, along each axis; Pillow approximates it by boxes."""
    point = np.zeros((21, 21, 3), np.uint8)
    point[10, 10] = 255
    bell = corruptions.blur(point, 1.2)[..., 0].astype(float)
    rows = np.arange(21) - 10
    assert np.sqrt((bell.sum(axis=1) * rows**2).sum() / bell.sum()) == pytest.approx(1.2, rel=0.1)


def test_contrast_is_around_the_mean_and_motion_along_one_axis():
    """80 and 120 have the mean 100: at half the contrast 90 and 110. A point that moves by 3 pixels lies on 3."""
    two = np.array([[[80] * 3, [120] * 3]], np.uint8)
    assert corruptions.change_contrast(two, 0.5)[0, :, 0].tolist() == [90, 110]
    point = np.zeros((5, 5, 3), np.uint8)
    point[2, 2] = 90
    assert corruptions.shake(point, 3, 1)[..., 0][2].tolist() == [0, 30, 30, 30, 0]
    assert corruptions.shake(point, 3, 0)[..., 0][:, 2].tolist() == [0, 30, 30, 30, 0]


def test_the_key_alone_says_how_a_photo_is_made_worse(textured):
    before = textured.copy()
    found = [corruptions.corrupt(textured, key) for key in ("0/a", "0/a", "0/b", "1/a")]
    np.testing.assert_array_equal(found[0], found[1])
    assert len({each.tobytes() for each in found}) == 3
    np.testing.assert_array_equal(textured, before)
    assert {(each.shape, each.dtype) for each in found} == {(textured.shape, np.dtype(np.uint8))}


def test_every_kind_is_drawn_as_often_within_its_range(monkeypatch):
    """Of 2000 keys a quarter each, 500 give or take four deviations of 19.4, of blurs half each; ranges are filled."""
    drawn = {name: [] for name in ("add_noise", "recompress", "blur", "shake", "relight", "change_contrast", "tint")}
    for name, strengths in drawn.items():
        record = lambda image, strength, *rest, strengths=strengths: (strengths.append(strength), image)[1]  # noqa: E731
        monkeypatch.setattr(corruptions, name, record)
    for key in range(2000):
        corruptions.corrupt(GRAY, str(key))
    assert len(drawn["relight"]) == len(drawn["tint"]) == len(drawn["change_contrast"])
    assert sum(map(len, drawn.values())) - 2 * len(drawn["tint"]) == 2000
    ranges = {
        "add_noise": (4, 20),
        "recompress": (15, 70),
        "blur": (0.5, 2),
        "shake": (2, 8),
        "relight": (0.6, 1.3),
        "change_contrast": (0.5, 1.3),
        "tint": (-0.2, 0.2),
    }
    for name, (low, high) in ranges.items():
        assert len(drawn[name]) == pytest.approx(250 if name in ("blur", "shake") else 500, abs=78)
        assert low <= min(drawn[name]) < low + 0.015 * (high - low)
        assert high - 0.015 * (high - low) < max(drawn[name]) <= high


@pytest.mark.parametrize("kind", corruptions.STRENGTHS)
def test_a_stronger_one_changes_a_photo_more(kind, textured):
    for key in ("a", "b", "c"):
        changes = [
            change(corruptions.corrupt_as(textured, kind, each, key), textured) for each in corruptions.STRENGTHS[kind]
        ]
        assert 0 < changes[0] < changes[1] < changes[2]


def test_light_and_color_go_up_or_down_as_the_key_says():
    """Gray of 100, by a fifth: all of it 80 or 120; red 120 and blue 80, or the other way round."""
    gray = np.full((2, 2, 3), 100, np.uint8)
    found = {kind: {tuple(corruptions.corrupt_as(gray, kind, 0.2, str(key))[1, 1].tolist()) for key in range(20)}
             for kind in ("light", "color")}  # fmt: skip
    assert found == {"light": {(80, 80, 80), (120, 120, 120)}, "color": {(80, 100, 120), (120, 100, 80)}}


def test_the_other_kinds_are_of_the_strength_that_was_asked_for(textured):
    np.testing.assert_array_equal(corruptions.corrupt_as(textured, "blur", 1.2, "a"), corruptions.blur(textured, 1.2))
    np.testing.assert_array_equal(
        corruptions.corrupt_as(textured, "jpeg", 30, "a"), corruptions.recompress(textured, 30)
    )
    noisy = [corruptions.corrupt_as(GRAY, "noise", 15, key) for key in ("a", "a", "b")]
    assert noisy[0].std() == pytest.approx(15, rel=0.03)
    np.testing.assert_array_equal(noisy[0], noisy[1])
    assert change(noisy[0], noisy[2]) > 10  # 15 * 2 / sqrt(pi) = 17 for two that are independent
