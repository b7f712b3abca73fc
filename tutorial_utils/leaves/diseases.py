"""Make a painted leaf ill: the symptoms of five diseases as they show on the upper side of a leaf.

A disease takes a Leaf, a random generator and a severity from 0 (mild) to 1. It returns a new Leaf with
color, relief and gloss changed and its `lesions` filled in.
"""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from .painter import blend, linear, mottle, scatter, step


def infect(leaf, disease, rng):
    """Return the leaf with the symptoms of `disease`, "healthy" or a key of DISEASES, from mild to severe."""
    if disease == "healthy":
        return leaf
    severity = rng.beta(1.5, 1.2)  # 0 mild ... 1 severe
    return _keep_stalk(leaf, _fade(DISEASES[disease](leaf, rng, severity), rng, severity))


def _keep_stalk(leaf, sick):
    """Return the sick leaf with the stalk of the healthy one: a stalk may reach the border of a photo."""
    on_blade = np.clip(4 * leaf.blade, 0, 1)
    return replace(
        sick,
        color=blend(leaf.color, sick.color, on_blade),
        relief=leaf.relief + (sick.relief - leaf.relief) * on_blade,
        gloss=leaf.gloss + (sick.gloss - leaf.gloss) * on_blade,
        lesions=sick.lesions * on_blade,
    )


def _fade(leaf, rng, severity):
    """Sick tissue turns yellow far round the lesions, the more the worse the disease."""
    crowd = ndimage.gaussian_filter(leaf.lesions, rng.uniform(14, 34))
    margin = rng.uniform(0, 0.7) * step(-leaf.edge, -0.05, 0.12) * (1 - leaf.veins)
    amount = crowd / (crowd.max() + 1e-6) + margin + 0.25 * mottle(rng, 40)
    amount = np.clip(amount, 0, 1) * (1 - leaf.lesions)
    strength = rng.uniform(0, 0.7) * (0.3 + 0.7 * severity)
    return replace(leaf, color=blend(leaf.color, linear((176, 168, 62)), amount * strength))


def _halo(leaf, spots, reach, amount):
    """Return the color with a yellow halo round spots, out to `reach` radii."""
    ring = np.clip((reach - spots) / (reach - 1), 0, 1) ** 1.3
    return blend(leaf.color, linear((188, 176, 62)), ring * amount)


def _overlay(leaf, color, paint, sick, relief):
    """Return the leaf with `paint` laid over `color` where it is `sick`, 0-1, and dull there."""
    return replace(
        leaf,
        color=blend(color, paint, sick * 0.95),
        relief=relief,
        gloss=leaf.gloss * (1 - sick),
        lesions=sick,
    )


def leaf_spot(leaf, rng, severity):
    """Many small round spots: pale center, dark rim, yellow halo (Septoria, Cercospora)."""
    count = int(12 + 80 * severity**1.4 * rng.uniform(0.6, 1.2))
    radii = rng.uniform(0.009, 0.018) * rng.lognormal(0.1, 0.35, count)
    spots = scatter(rng, leaf, count, radii)
    return _spotted(leaf, rng, spots, pale=rng.uniform(0.25, 0.9), rings=rng.uniform(0, 0.25))


def early_blight(leaf, rng, severity):
    """Fewer, larger brown spots with concentric rings and a yellow halo (Alternaria)."""
    count = int(3 + 13 * severity * rng.uniform(0.6, 1.2))
    radii = rng.uniform(0.018, 0.048) * rng.lognormal(0.1, 0.35, count)
    spots = scatter(rng, leaf, count, radii)
    return _spotted(leaf, rng, spots, pale=rng.uniform(0, 0.35), rings=rng.uniform(0.15, 0.9))


def _spotted(leaf, rng, spots, pale, rings):
    """Spots with a dark rim; `pale` lightens the center, `rings` is the contrast of the rings, both 0-1."""
    color = _halo(leaf, spots, rng.uniform(1.6, 2.8), rng.uniform(0.2, 0.75))
    brown = linear((104, 74, 46)) * rng.uniform(0.6, 1.3)
    wave = np.cos(2 * np.pi * spots * rng.uniform(1.5, 2.6))
    inner = brown * np.exp(0.8 * rings * wave)[..., None]
    inner = blend(inner, linear((186, 172, 142)), pale * step(-spots, -0.55, 0.35))
    inner = blend(inner, linear((58, 40, 28)), rng.uniform(0.4, 0.8) * np.exp(-(((spots - 0.9) / 0.16) ** 2)))
    sick = step(-spots, -1.0, 0.25)
    relief = leaf.relief - 0.0015 * sick - 0.0008 * rings * wave * sick
    return _overlay(leaf, color, inner, sick, relief)


def rust(leaf, rng, severity):
    """Many small raised orange-brown pustules, each with a faint yellow halo."""
    count = int(45 + 330 * severity**1.5)
    radii = rng.uniform(0.005, 0.0085) * rng.lognormal(0, 0.3, count)
    spots = scatter(rng, leaf, count, radii)
    color = _halo(leaf, spots, rng.uniform(2.0, 3.2), rng.uniform(0.15, 0.6))
    sick = step(-spots, -1.0, 0.5)
    orange = linear((168, 92, 40)) * rng.uniform(0.5, 1.1)
    orange = orange * np.exp(0.2 * mottle(rng, 5))[..., None]
    relief = leaf.relief + 0.004 * np.clip(1 - spots, 0, 1)
    return _overlay(leaf, color, orange, sick, relief)


def late_blight(leaf, rng, severity):
    """A large, irregular, water-soaked gray-brown area from margin or tip, with a pale green border."""
    count = rng.integers(1, 3)
    radii = rng.uniform(0.13, 0.19, count) * (1 + 1.5 * severity)
    spots = scatter(rng, leaf, count, radii, near_edge=True, ragged=0.22)
    front = spots + 0.09 * mottle(rng, 30) + 0.03 * mottle(rng, 8)
    border = np.exp(-(((front - 1.1) / 0.14) ** 2)) * rng.uniform(0.2, 0.7)
    color = blend(leaf.color, linear((150, 166, 98)), border)
    soaked = linear((76, 66, 44)) * rng.uniform(0.6, 1.2)
    dry = linear((126, 104, 76)) * rng.uniform(0.7, 1.1)
    blotches = 0.25 * mottle(rng, 14) + 0.15 * mottle(rng, 4) - 0.3 * leaf.veins
    dead = blend(soaked, dry, step(-front, -0.65, 0.5) * rng.uniform(0.2, 1.0)) * np.exp(blotches)[..., None]
    sick = step(-front, -1.0, 0.18)
    wrinkles = rng.uniform(0.003, 0.008) * mottle(rng, 12) * sick
    return _overlay(leaf, color, dead, sick, leaf.relief + wrinkles)


def powdery_mildew(leaf, rng, severity):
    """Diffuse floury white-gray patches on the surface."""
    count = int(3 + 14 * severity)
    spots = scatter(rng, leaf, count, rng.uniform(0.03, 0.09, count) * (0.7 + 0.7 * severity))
    grains = 1 + 0.35 * mottle(rng, 9) + 0.25 * mottle(rng, 3)
    flour = np.clip(1 - spots / 1.5, 0, 1) ** 0.8 * grains
    flour = np.clip(flour, 0, 1) * rng.uniform(0.5, 0.95)
    white = linear((214, 216, 206)) * rng.uniform(0.75, 1.05)
    color = blend(leaf.color, white, flour * (1 - 0.3 * leaf.veins))
    return replace(leaf, color=color, gloss=leaf.gloss * (1 - flour), lesions=np.clip(flour / 0.4, 0, 1))


DISEASES = {
    "early_blight": early_blight,
    "late_blight": late_blight,
    "leaf_spot": leaf_spot,
    "powdery_mildew": powdery_mildew,
    "rust": rust,
}
