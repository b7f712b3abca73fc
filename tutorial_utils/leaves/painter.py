"""Paint one plant's leaf from a random generator: a healthy one, and the harmless marks of wear.

A leaf is drawn flat on a square of SIDE x SIDE pixels in leaf coordinates: `along` runs from 0 at the base of
the blade to 1 near its tip, `across` is the distance from the midrib, both in leaf lengths. Colors are linear
light, 0-1. `diseases` makes the leaf ill, `camera` photographs it.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage, spatial

SIDE = 448  # pixels of the square a leaf is drawn on
SPAN = 1.5  # leaf lengths that the square covers
PIXEL = SPAN / SIDE  # leaf lengths


class Shape(NamedTuple):
    """What makes the outline and the veins of a species; lengths in leaf lengths."""

    width: float  # half the width of the blade
    base: float  # exponent of the profile at the base, small = blunt
    tip: float  # the same at the tip
    slants: tuple  # how far laterals lean forward, at the base and at the tip
    laterals: int  # veins on each side
    lobes: float  # depth as a fraction of the width
    teeth: float  # the same


SPECIES = {
    "ovate": Shape(0.30, 0.55, 1.15, (0.25, 0.6), laterals=7, lobes=0.02, teeth=0.0),
    "lanceolate": Shape(0.17, 0.75, 1.3, (0.7, 0.9), laterals=11, lobes=0.03, teeth=0.05),
    "heart": Shape(0.39, 0.36, 1.2, (-0.35, 0.6), laterals=5, lobes=0.06, teeth=0.0),
    "toothed": Shape(0.30, 0.5, 1.3, (0.3, 0.6), laterals=8, lobes=0.08, teeth=0.14),
    "tomato": Shape(0.36, 0.5, 1.2, (0.1, 0.55), laterals=5, lobes=0.38, teeth=0.10),
}
# sRGB, 0-255; a leaf's green is a random mixture of them
GREENS = [(46, 74, 44), (64, 98, 60), (88, 124, 60), (58, 90, 70), (116, 146, 78), (84, 108, 78)]


@dataclass(frozen=True)
class Leaf:
    """Fields of one leaf, each (SIDE, SIDE), color (SIDE, SIDE, 3); covers, veins and lesions lie in 0-1."""

    along: np.ndarray  # leaf lengths, 0 = base of the blade
    edge: np.ndarray  # leaf lengths to the margin, measured across; negative outside
    veins: np.ndarray
    blade: np.ndarray
    cover: np.ndarray  # blade and petiole
    color: np.ndarray  # linear light, 0-1
    relief: np.ndarray  # height in leaf lengths
    gloss: np.ndarray
    lesions: np.ndarray


def linear(srgb):
    """Return linear light in 0-1 for sRGB colors in 0-255 (any shape)."""
    return (np.asarray(srgb, dtype=float) / 255) ** 2.2


def noise(rng, shape, cell):
    """Return smooth noise (height, width), standard deviation about 1, bumps of about `cell` pixels."""
    cell_height, cell_width = np.broadcast_to(cell, 2)
    height, width = shape
    counts = int(height / cell_height) + 4, int(width / cell_width) + 4
    grid = rng.standard_normal(counts).astype(np.float32)
    size = (round(grid.shape[1] * cell_width), round(grid.shape[0] * cell_height))
    smooth = np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC))
    top, left = round(1.5 * cell_height), round(1.5 * cell_width)
    smooth = smooth[top : top + height, left : left + width]
    return smooth / 0.72  # interpolation between grid points takes part of the variance


def mottle(rng, cell):
    """Return `noise` on the square that leaves are drawn on, (SIDE, SIDE)."""
    return noise(rng, (SIDE, SIDE), cell)


def cells(rng, count):
    """Return how far each pixel is from the borders between the cells of `count` random points, about.

    In leaf lengths: how much farther away the second nearest point is than the nearest.
    """
    half = SIDE // 2
    points = rng.uniform(0, SPAN, (count, 2))
    rows, columns = np.mgrid[:half, :half] * (2 * PIXEL)
    nearest, _ = spatial.cKDTree(points).query(np.stack([rows, columns], axis=-1), k=2)
    gap = (nearest[..., 1] - nearest[..., 0]).astype(np.float32)
    return np.asarray(Image.fromarray(gap).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def blend(color, other, amount):
    """Return `color` (h, w, 3) moved towards `other` (3,) or (h, w, 3) by `amount` (h, w) in 0-1."""
    return color + (other - color) * amount[..., None]


def step(values, middle, width):
    """Return a soft step from 0 (values far below `middle`) to 1 over about `width`."""
    return 1 / (1 + np.exp(-np.clip((values - middle) / (width / 4), -30, 30)))


# --- the healthy leaf ------------------------------------------------------------------------------------


def grow(rng):
    """Return a healthy Leaf of a random species, without marks."""
    shape = SPECIES[rng.choice(list(SPECIES))]
    shape = shape._replace(width=shape.width * rng.uniform(0.85, 1.15))
    across, along = _coordinates(rng)
    right, left = _half(rng, shape, across, along), _half(rng, shape, -across, along)
    edge, phase = np.where(across > 0, right, left)
    veins = _veins(rng, across, along, edge, phase)
    blade = ndimage.gaussian_filter(np.clip(edge / PIXEL + 0.5, 0, 1), 0.7)
    stalk = _stalk(rng, across, along)
    relief = _relief(rng, across, phase, veins)
    color = _color(rng, veins, stalk * (1 - blade))
    return Leaf(
        along=along,
        edge=edge,
        veins=veins,
        blade=blade,
        cover=np.maximum(blade, stalk),
        color=color,
        relief=relief,
        gloss=np.full((SIDE, SIDE), rng.uniform(0.0, 0.35)),
        lesions=np.zeros((SIDE, SIDE)),
    )


def _stalk(rng, across, along):
    """Return how much each pixel is petiole, 0-1."""
    half_width = rng.uniform(0.008, 0.016) * (1 + 0.5 * np.clip(-along, 0, 1))
    return np.clip((half_width - np.abs(across)) / PIXEL + 0.5, 0, 1) * (along < 0.05)


def _coordinates(rng):
    """Return (across, along) of every pixel for a midrib that bends and a petiole that bends more."""
    rows, columns = np.mgrid[:SIDE, :SIDE] * PIXEL
    along = 1.12 - rows
    bend = rng.normal(0, 0.10) * (along - 0.3) ** 2 + rng.normal(0, 0.012) * np.sin(5 * along)
    bend = bend + rng.normal(0, 1.2) * np.clip(-along, 0, 1) ** 2
    return columns - SPAN / 2 - bend, along


def _half(rng, shape, across, along):
    """Return (edge, phase) as if the whole leaf were like the half where `across` is positive.

    edge : leaf lengths to the margin, measured across; phase : whole numbers lie on lateral veins
    """
    start, end = shape.slants
    out = np.clip(across, 0, None)
    origin = along - (start + (end - start) * np.clip(along, 0, 1)) * out**1.15 / (1 + 0.3 * out)
    count = shape.laterals
    places = np.linspace(0.02, 0.97, count + 1) ** 1.08
    places[1:-1] += rng.normal(0, 0.2 / count, count - 1)
    places = np.concatenate([[-0.3], places, [1.3]])
    phase = np.interp(origin, places, np.arange(len(places)))
    return np.array([_profile(rng, shape, origin, phase) - out, phase])


def _profile(rng, shape, origin, phase):
    """Return the half width, in leaf lengths, where the lateral that starts at `origin` meets the margin."""
    q = np.clip(origin, 0, 1)
    base, tip = shape.base, shape.tip
    peak = base / (base + tip)
    profile = (q / peak) ** base * ((1 - q) / (1 - peak)) ** tip
    depths = rng.uniform(0.4, 1.3, 24)[np.clip(phase.astype(int), 0, 23)] * shape.lobes
    profile *= 1 - depths * (0.5 - 0.5 * np.cos(2 * np.pi * phase)) * (1 - 0.6 * q)
    per_lateral = rng.integers(2, 5)
    profile *= 1 - shape.teeth * rng.uniform(0.6, 1.2) * ((phase * per_lateral) % 1) ** 1.5
    profile *= 1 + 0.03 * np.sin(rng.uniform(9, 16) * q + rng.uniform(0, 6))
    return np.where((origin > 0) & (origin < 1), shape.width * profile, -PIXEL)


def _veins(rng, across, along, edge, phase):
    """Return how much each pixel is vein, 0-1: midrib, laterals and a fine net."""
    midrib = np.exp(-((across / (0.0035 + 0.008 * np.clip(1 - along, 0, 1))) ** 2)) * (along > 0)
    taper = np.clip(edge / (edge + np.abs(across) + 1e-6), 0, 1)  # 1 at the midrib, 0 at the margin
    away = np.abs(phase - np.round(phase)) / 8  # about leaf lengths
    laterals = np.exp(-((away / (0.0025 + 0.005 * taper)) ** 2)) * np.clip(taper * 3, 0, 1)
    coarse = np.exp(-((cells(rng, 700) / 0.008) ** 2)) * 0.30
    fine = np.exp(-((cells(rng, 5000) / 0.0045) ** 2)) * 0.18
    return np.maximum.reduce([midrib, 0.75 * laterals, coarse, fine])


def _relief(rng, across, phase, veins):
    """Return the height of the blade's surface in leaf lengths: pillows between veins, and crinkles."""
    pillows = np.abs(np.sin(np.pi * phase)) ** 0.8 * np.clip(np.abs(across) / 0.05, 0, 1)
    crinkle = 0.7 * mottle(rng, 16) + 0.3 * mottle(rng, 7)
    height = rng.uniform(0.002, 0.024) * pillows + (0.0005 + rng.exponential(0.0018)) * crinkle
    height = height + rng.exponential(0.0007) * mottle(rng, 2.2)  # hairs
    return height - rng.uniform(0.002, 0.006) * ndimage.gaussian_filter(veins, 1.0)


def _color(rng, veins, stalk):
    """Return the leaf's color (SIDE, SIDE, 3): a green of its own, uneven, with paler veins."""
    weights = rng.dirichlet(np.full(len(GREENS), 0.7))
    green = weights @ linear(GREENS) * np.exp(rng.normal(0, 0.08, 3))
    uneven = 0.10 * mottle(rng, 110) + 0.07 * mottle(rng, 30) + 0.05 * mottle(rng, 3)
    color = green * np.exp(uneven)[..., None]
    pale = green * 0.6 + linear((170, 190, 120)) * 0.4
    color = blend(color, pale, veins * rng.uniform(0.15, 0.7))
    hairs = np.clip(mottle(rng, 1.8), 0, 2) * rng.uniform(0, 0.4) ** 2 * 2
    color = blend(color, linear((150, 160, 148)), np.clip(hairs, 0, 1))
    return blend(color, pale * rng.uniform(0.7, 1.1, 3), stalk)


# --- harmless marks, on every class alike ----------------------------------------------------------------


def wear(leaf, rng):
    """Return the leaf with the harmless marks of a life outdoors: yellowing, dust, bites. No lesions."""
    if rng.random() < 0.3:
        leaf = _yellow(leaf, rng)
    if rng.random() < 0.35:
        leaf = _dust(leaf, rng)
    if rng.random() < 0.35:
        leaf = _bites(leaf, rng)
    return leaf


def _yellow(leaf, rng):
    """Slight lack of nutrients: paler towards the margin, the tip or between the veins."""
    places = [step(-leaf.edge, -0.03, 0.08), step(leaf.along, 0.75, 0.5), 1 - np.clip(leaf.veins * 2, 0, 1)]
    amount = places[rng.integers(3)] * rng.uniform(0.06, 0.22)
    amount = amount * np.clip(1 + 0.4 * mottle(rng, 60), 0, 2)
    return replace(leaf, color=blend(leaf.color, linear((168, 176, 70)), np.clip(amount, 0, 1)))


def _dust(leaf, rng):
    """Grains of pale or dark dust, smaller than any lesion, and a thin film."""
    grains = (rng.random((SIDE, SIDE)) < rng.uniform(0.0005, 0.004)).astype(float)
    grains = np.clip(ndimage.gaussian_filter(grains, 0.6) * 2.2, 0, 1)
    tone = linear([(196, 186, 166), (70, 58, 44)][rng.integers(2)])
    film = np.clip(mottle(rng, 80), 0, 2) * rng.uniform(0, 0.06)
    return replace(leaf, color=blend(leaf.color, tone, np.clip(grains * 0.8 + film, 0, 1)))


def _bites(leaf, rng):
    """Holes and bites by insects, with a thin healed rim."""
    count = rng.integers(1, 5)
    spots = scatter(rng, leaf, count, rng.uniform(0.012, 0.045, count), near_edge=rng.random() < 0.6)
    hole = step(spots, 1.0, 0.15)
    rim = np.exp(-(((spots - 1.05) / 0.12) ** 2)) * leaf.blade * rng.uniform(0.3, 0.8)
    color = blend(leaf.color, linear((128, 112, 62)), rim)
    return replace(leaf, color=color, cover=leaf.cover * hole, blade=leaf.blade * hole)


def scatter(rng, leaf, count, radii, near_edge=False, ragged=0.12):
    """Return, for every pixel, the distance to the nearest of `count` spots, in radii of that spot (9 = far).

    radii : (count,), leaf lengths on a leaf of common width; ragged : how far the outline strays, in radii
    """
    inside = np.flatnonzero(leaf.blade > 0.9)
    if near_edge:
        inside = inside[np.abs(leaf.edge.ravel()[inside]) < 0.04]
    rows, columns = np.divmod(rng.choice(inside, count), SIDE)
    radii = np.asarray(radii) * np.sqrt(leaf.blade.mean() / 0.15) / PIXEL  # smaller spots on a narrower leaf
    cell = max(8, 1.1 * float(np.median(radii)))
    wobble = mottle(rng, cell), mottle(rng, cell)
    nearest = np.full((SIDE, SIDE), 9.0)
    for row, column, radius in zip(rows, columns, radii, strict=True):
        reach = int(radius * 4) + 3
        top, left = max(row - reach, 0), max(column - reach, 0)
        window = np.s_[top : min(row + reach + 1, SIDE), left : min(column + reach + 1, SIDE)]
        y, x = np.mgrid[window]
        y, x = y - row + ragged * radius * wobble[0][window], x - column + ragged * radius * wobble[1][window]
        nearest[window] = np.minimum(nearest[window], np.hypot(y, x * rng.uniform(0.75, 1.3)) / radius)
    return nearest
