"""Photos that show none of the classes, whatever the classes are: noise, blank cards, surfaces; nothing is downloaded.

A model for leaves should say of them that it does not know them (chapter 6).
"""

import numpy as np
import PIL.Image

from .. import _check
from . import camera

KINDS = ("noise", "blank", "texture")
_PAINTED = 320  # pixels of a surface's side before it is resized: about that of a leaf photo


def ood_images(kind, count, size, seed=0):
    """Return `count` photos of a kind, uint8 (count, size, size, 3), 0-255; photo number n is the same for any count.

    kind : "noise" (each pixel and channel drawn from 0 ... 255), "blank" (one gray over the whole photo, from nearly
        black to nearly white) or "texture" (what leaf photos are laid on, without a leaf: board, paper, soil, wood,
        concrete, cloth, gravel, plants out of focus)
    size : side of the square, in pixels
    Raises ValueError for another kind, or a count or size that is no whole number above 0.
    """
    _check.choice("kind", kind, KINDS)
    _check.integer("count", count, 1, 10**6)
    _check.integer("size", size, 1, 4096)
    seeds = np.random.SeedSequence([_check.seed(seed), KINDS.index(kind)]).spawn(count)
    return np.stack([_MAKERS[kind](np.random.default_rng(each), size) for each in seeds])


def _noise(rng, size):
    return rng.integers(0, 256, (size, size, 3), dtype=np.uint8)


def _blank(rng, size):
    return np.full((size, size, 3), rng.integers(16, 240), np.uint8)


def _texture(rng, size):
    light = camera.background(rng, (_PAINTED, _PAINTED))  # linear, 0-1
    painted = PIL.Image.fromarray((255 * light ** (1 / 2.2)).round().astype(np.uint8))  # sRGB, as in leaf_painter
    return np.asarray(painted.resize((size, size), PIL.Image.Resampling.BILINEAR))


_MAKERS = {"noise": _noise, "blank": _blank, "texture": _texture}
