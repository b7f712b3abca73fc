"""Photos made worse, as sensors, lenses, messengers and weather do: to learn from, and to test how a model bears it.

Every function takes and returns pixels, uint8 (height, width, 3), 0-255, and leaves what it is given unchanged.
"""

import hashlib
import io

import numpy as np
import PIL.Image
import PIL.ImageFilter
import scipy.ndimage

from .. import _check

VERSION = 3  # of the pixels that `corrupt` returns; raise it when they change
STRENGTHS = {  # what each kind is tested at: weak, middling, strong
    "noise": (5, 10, 15),
    "blur": (0.7, 1.2, 2.0),
    "motion": (3, 5, 7),
    "jpeg": (50, 30, 15),
    "light": (0.15, 0.25, 0.35),
    "color": (0.08, 0.14, 0.2),
    "contrast": (0.15, 0.3, 0.45),
}


def add_noise(image, levels, rng):
    """Return a photo with Gaussian noise, as a sensor adds it in the dark; levels : its standard deviation, 0-255."""
    return _pixels(image + rng.normal(0, levels, image.shape))


def blur(image, sigma):
    """Return a photo out of focus: a Gaussian blur of `sigma` pixels."""
    return np.asarray(PIL.Image.fromarray(image).filter(PIL.ImageFilter.GaussianBlur(sigma)))


def shake(image, length, axis):
    """Return a photo blurred over `length` pixels down (axis 0) or across (axis 1), as a hand moves the camera."""
    return _pixels(scipy.ndimage.uniform_filter1d(image.astype(np.float32), int(length), axis=axis))


def recompress(image, quality):
    """Return a photo after JPEG of a quality of 1 to 95, as messengers send it."""
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=int(quality))
    return np.asarray(PIL.Image.open(file))


def relight(image, factor):
    """Return a photo that is brighter (factor above 1) or darker."""
    return _pixels(image * float(factor))


def change_contrast(image, factor):
    """Return a photo with more contrast (factor above 1) or less, as through haze, around its own mean."""
    mean = image.mean()
    return _pixels(mean + float(factor) * (image - mean))


def tint(image, warmth):
    """Return a photo with more red and less blue by the share `warmth` (0.2: 20 %), or the other way round below 0."""
    return _pixels(image * np.array([1 + warmth, 1, 1 - warmth]))


def corrupt(image, key):
    """Return a photo made worse in one way, drawn by `key` (str) alone: what training copies are made by (chapter 3).

    Noise of 4 to 20 levels, JPEG of quality 15 to 70, a blur (of 0.5 to 2 pixels, or of a moved camera over 2 to 8), or
    contrast times 0.5 to 1.3, light times 0.6 to 1.3 and color shifted by up to 20 %, one as likely as the other.
    """
    rng = _generator(key)
    kind = rng.integers(4)
    if kind == 0:
        return add_noise(image, rng.uniform(4, 20), rng)
    if kind == 1:
        return recompress(image, rng.integers(15, 71))
    if kind == 2:
        moved = rng.random() < 0.5
        return shake(image, rng.integers(2, 9), rng.integers(2)) if moved else blur(image, rng.uniform(0.5, 2))
    lit = relight(change_contrast(image, rng.uniform(0.5, 1.3)), rng.uniform(0.6, 1.3))
    return tint(lit, rng.uniform(-0.2, 0.2))


def corrupt_as(image, kind, strength, key):
    """Return a photo made worse in the way `kind`, one of STRENGTHS, by `strength`; what is drawn depends on `key`.

    strength : levels of noise, pixels of blur and motion, JPEG quality; of light, color and contrast a share, up or
        down as drawn
    """
    _check.choice("kind", kind, tuple(STRENGTHS))
    rng = _generator(key)
    sign = rng.choice([-1, 1])
    if kind == "noise":
        return add_noise(image, strength, rng)
    if kind in ("blur", "jpeg"):
        return blur(image, strength) if kind == "blur" else recompress(image, strength)
    if kind == "motion":
        return shake(image, strength, rng.integers(2))
    if kind == "color":
        return tint(image, sign * strength)
    return (relight if kind == "light" else change_contrast)(image, 1 + sign * strength)


def _generator(key):
    return np.random.default_rng(list(hashlib.sha256(key.encode()).digest()))


def _pixels(values):
    return values.round().clip(0, 255).astype(np.uint8)
