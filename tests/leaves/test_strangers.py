import numpy as np
import pytest

from tutorial_utils.leaves import strangers


@pytest.mark.parametrize("kind", strangers.KINDS)
def test_strangers_are_photos_and_repeat_with_their_seed(kind):
    """Photo number n does not depend on how many are made."""
    images = strangers.ood_images(kind, 3, 40, seed=1)
    assert (images.shape, images.dtype) == ((3, 40, 40, 3), np.uint8)
    np.testing.assert_array_equal(images[:2], strangers.ood_images(kind, 2, 40, seed=1))
    assert (images != strangers.ood_images(kind, 3, 40, seed=2)).any()
    assert (images[0] != images[1]).any()


def test_noise_is_uniform_and_a_blank_card_has_one_gray():
    noise, blank = (strangers.ood_images(kind, 4, 64) for kind in ("noise", "blank"))
    assert noise.mean() == pytest.approx(127.5, abs=1)
    assert noise.std() == pytest.approx((256**2 - 1) ** 0.5 / 12**0.5, abs=1)  # of 0 ... 255, each as likely
    assert np.ptp(blank.reshape(4, -1), axis=1).max() == 0
    assert 16 <= blank.min() <= blank.max() < 240


def test_surfaces_are_neither_black_nor_white():
    """They are painted in linear light; without its conversion to sRGB they would be far too dark."""
    images = strangers.ood_images("texture", 12, 64).astype(float)
    assert 70 < images.mean() < 190
    assert (images.std(axis=(1, 2, 3)) > 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("shoe", 1, 32), "kind must be one of 'noise'"), (("noise", 0, 32), "count"), (("noise", 1, 0), "size")],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        strangers.ood_images(*arguments)
