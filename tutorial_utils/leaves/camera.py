"""Photograph a painted leaf: pose, light, shadow, background, lens, sensor. Nothing here knows the class.

Points are (row, column) pairs; colors are linear light in 0-1 until the last step.
"""

import numpy as np
from scipy import ndimage, spatial

from .painter import PIXEL, blend, linear, noise, step

MARGIN = 22  # pixels from blade to border; bending takes up to 13 of them, so no lesion gets within 8
CENTER = np.array([0.62, 0.75])  # middle of the blade on the square it is drawn on, leaf lengths


def photograph(leaf, rng):
    """Return (image, mask): uint8 sRGB (height, width, 3); uint8 (height, width), 255 = lesion, else 0."""
    shape = _frame(rng)
    points, scale = _pose(leaf, rng, shape)  # (2, height, width) in leaf lengths, pixels a leaf length
    curl, points = _curl(rng, points)
    shown = _look_up(leaf, points)
    light = _light(rng)
    lit = _shade(shown, (shown["relief"] + curl) * scale, light)
    ground = background(rng, shape) * _shadow(rng, shown["cover"], light)[..., None]
    scene = blend(ground, lit, shown["cover"]) * light["color"] * _dapple(rng, shape)[..., None]
    mask = np.where(shown["lesions"] * shown["cover"] > 0.4, 255, 0).astype(np.uint8)
    return _develop(rng, scene), mask


def _frame(rng):
    """Return (height, width) in pixels, the longer side 288-400."""
    longer = rng.integers(288, 401)
    shorter = round(longer / rng.choice([1, 1, 5 / 4, 5 / 4, 4 / 3]))
    return (longer, shorter) if rng.random() < 0.5 else (shorter, longer)


# --- geometry --------------------------------------------------------------------------------------------


def _pose(leaf, rng, shape):
    """Return (points, scale): where on the drawn leaf each pixel looks, and how large the leaf is shown."""
    angle = rng.normal(0, 0.5) if rng.random() < 0.6 else rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    lean = rng.normal(0, 0.13, 2)  # perspective: one side nearer than the other
    rows, columns = np.nonzero(leaf.blade[::4, ::4] > 0.1)
    blade = np.stack([rows, columns]) * 4 * PIXEL - CENTER[:, None]  # (2, n)
    seen = turn @ (blade / (1 - lean @ blade))
    low, high = seen.min(axis=1), seen.max(axis=1)
    room = np.array(shape) - 2 * MARGIN
    scale = (room / (high - low)).min() * rng.uniform(0.85, 1.0)
    place = MARGIN + rng.uniform(0.1, 0.9, 2) * (room - (high - low) * scale) - low * scale
    pixels = np.mgrid[: shape[0], : shape[1]].reshape(2, -1) - place[:, None]
    points = turn.T @ pixels / scale
    points = points / (1 + lean @ points) + CENTER[:, None]
    return points.reshape(2, *shape), scale


def _curl(rng, points):
    """Return (height, points): how far the bent leaf stands off the ground; points moved by that parallax."""
    along, across = 1.12 - points[0], points[1] - CENTER[1]
    fold = rng.normal(0, 0.45) * (np.sqrt(across**2 + 0.003) - 0.055)
    bend = rng.normal(0, 0.25) * (along - 0.5) ** 2 + rng.normal(0, 0.12) * across * (along - 0.5)
    waves = rng.uniform(0, 0.2) * np.sin(rng.uniform(7, 16) * along + rng.uniform(0, 6) + 2 * np.sign(across))
    height = fold + bend + waves * np.clip(np.abs(across) - 0.05, 0, 0.4)
    height = height.clip(-0.15, 0.15)
    aside = rng.normal(0, 0.15, 2).clip(-0.25, 0.25)  # small: the blade stays off the border
    return height, points + aside[:, None, None] * height


def _look_up(leaf, points):
    """Return the leaf's fields as seen by the camera, each (height, width) or (height, width, 3)."""
    at = points / PIXEL
    seen = {
        name: ndimage.map_coordinates(getattr(leaf, name), at, order=1, mode="constant", cval=0.0)
        for name in ("cover", "relief", "gloss", "lesions")
    }
    bands = np.moveaxis(leaf.color, 2, 0)
    color = [ndimage.map_coordinates(band, at, order=1, mode="nearest") for band in bands]
    return seen | {"color": np.stack(color, axis=-1)}


# --- light -----------------------------------------------------------------------------------------------


def _light(rng):
    """Return the light: direction (row, column, up), share of direct sun 0-1, and color (3,)."""
    azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 1.3)  # radians
    direction = np.array([np.cos(height) * np.sin(azimuth), np.cos(height) * np.cos(azimuth), np.sin(height)])
    warmth = rng.normal(0, 0.16)
    color = np.exp([warmth, rng.normal(0, 0.015), -warmth])
    return {"direction": direction, "sun": rng.uniform(0.15, 0.95), "color": color}


def _shade(shown, height, light):
    """Return the leaf's color under the light; `height` is the surface in pixels."""
    down, right = np.gradient(ndimage.gaussian_filter(height, 0.6))
    length = np.sqrt(down**2 + right**2 + 1)
    y, x, up = light["direction"]
    facing = (up - down * y - right * x) / length  # cosine of the angle between surface and light
    direct = np.clip(facing, 0, None) / up
    brightness = (1 - light["sun"]) * (0.75 + 0.25 / length) + light["sun"] * direct
    half = np.array([y, x, up + 1]) / np.sqrt(2 * up + 2)
    mirror = np.clip((half[2] - down * half[0] - right * half[1]) / length, 0, 1)
    glint = shown["gloss"] * mirror**28 * (0.1 + 0.4 * light["sun"])
    return shown["color"] * brightness[..., None] + glint[..., None]


def _shadow(rng, cover, light):
    """Return how much light reaches the ground beneath the leaf, (height, width) in 0-1."""
    y, x, up = light["direction"]
    far = rng.uniform(2, 20) / up
    soft = ndimage.gaussian_filter(cover, 0.8 + far * rng.uniform(0.02, 0.3))
    cast = ndimage.shift(soft, (-y * far, -x * far), order=1)
    contact = ndimage.gaussian_filter(cover, rng.uniform(3, 8))
    return (1 - light["sun"] * 0.95 * cast) * (1 - 0.45 * (1 - light["sun"]) * contact)


def _dapple(rng, shape):
    """Return shadows of other things across the whole picture, (height, width) in 0-1; often none."""
    if rng.random() < 0.75:
        return np.ones(shape)
    bumps = noise(rng, shape, rng.uniform(40, 110) * np.array([1, rng.uniform(0.5, 2)]))
    return 1 - rng.uniform(0.2, 0.6) * step(bumps, rng.uniform(0.2, 1.0), rng.uniform(0.15, 1.0))


# --- lens and sensor -------------------------------------------------------------------------------------


def _develop(rng, scene):
    """Return the sRGB photo, uint8, of a scene: exposure, white balance, blur, noise, contrast."""
    scene = scene * np.exp(rng.normal(0.25, 0.3) + rng.normal(0, 0.13, 3)) * _vignette(rng, scene.shape[:2])
    scene = ndimage.gaussian_filter(scene, (*[rng.uniform(0.2, 0.75)] * 2, 0))
    if rng.random() < 0.15:
        scene = ndimage.uniform_filter1d(scene, int(rng.integers(2, 5)), axis=int(rng.integers(2)))
    grain = rng.uniform(0.002, 0.014)
    scene = scene + grain * np.sqrt(np.clip(scene, 0, 1) + 0.01) * rng.standard_normal(scene.shape)
    pixels = np.clip(scene, 0, None) ** (1 / 2.2)
    gray = pixels.mean(axis=2, keepdims=True)
    pixels = gray + (pixels - gray) * rng.uniform(0.6, 1.25)
    contrast = rng.uniform(0.0, 0.8)
    pixels = np.clip(pixels, 0, 1)
    pixels = (1 - contrast) * pixels + contrast * pixels**2 * (3 - 2 * pixels)
    return (pixels * 255).round().astype(np.uint8)


def _vignette(rng, shape):
    """Return the fall of brightness to the corners, (height, width, 1)."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    slope = rng.normal(0, 0.08, 2)
    return (1 - rng.uniform(0, 0.18) * (x**2 + y**2) + slope[0] * x + slope[1] * y)[..., None].clip(0.3)


# --- backgrounds -----------------------------------------------------------------------------------------


def background(rng, shape):
    """Return what the leaf lies on, (height, width, 3) in linear light."""
    paint = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    return np.clip(paint(rng, shape), 0.004, 1)


def _tint(rng, colors, spread=0.06):
    """Return one of `colors` (sRGB 0-255), slightly changed, in linear light."""
    color = linear(colors[rng.integers(len(colors))])
    return color * np.exp(rng.normal(0, 2 * spread) + rng.normal(0, spread, 3))


def _textured(color, texture):
    """Return `color` (3,) made darker and lighter by `texture` (height, width), in natural logarithms."""
    return color * np.exp(texture)[..., None]


def _board(rng, shape):
    """Grainy gray, tan or violet board."""
    color = _tint(rng, [(150, 142, 148), (128, 126, 124), (162, 150, 138), (134, 124, 142), (176, 172, 170)])
    grain = rng.uniform(0.04, 0.14) * noise(rng, shape, 1.7) + 0.05 * noise(rng, shape, 5)
    return _textured(color, grain + 0.06 * noise(rng, shape, 90))


def _paper(rng, shape):
    """White or cream paper, plain card in any color."""
    light = [(226, 224, 220), (218, 208, 190), (202, 206, 210)]
    card = [(70, 92, 132), (150, 60, 56), (196, 168, 74), (66, 66, 70), (92, 130, 120), (168, 128, 148)]
    color = _tint(rng, light if rng.random() < 0.5 else card)
    return _textured(color, 0.02 * noise(rng, shape, 2) + 0.04 * noise(rng, shape, 120))


def _soil(rng, shape):
    """Crumbly earth."""
    color = _tint(rng, [(98, 74, 56), (76, 62, 52), (132, 106, 80)])
    lumps = noise(rng, shape, 14) + 0.7 * noise(rng, shape, 6) + 0.5 * noise(rng, shape, 2.5)
    down, right = np.gradient(lumps)
    return _textured(color, 0.22 * lumps + 0.45 * (down + right).clip(-1, 1))


def _wood(rng, shape):
    """Planks with a grain."""
    color = _tint(rng, [(158, 122, 84), (112, 84, 62), (146, 134, 118), (186, 158, 120)])
    sideways = rng.random() < 0.5
    across = shape if sideways else shape[::-1]
    rows = np.mgrid[: across[0], : across[1]][0]
    rings = np.sin((rows + 9 * noise(rng, across, (40, 130))) / rng.uniform(2.5, 6))
    grain = 0.08 * rings + 0.12 * noise(rng, across, (1.6, 60)) + 0.10 * noise(rng, across, (12, 200))
    gap = np.abs((rows + rng.integers(200)) % rng.integers(90, 200)) < 2
    texture = grain - 1.2 * gap
    return _textured(color, texture if sideways else texture.T)


def _foliage(rng, shape):
    """Plants far out of focus."""
    color = _tint(rng, [(66, 92, 48), (96, 122, 60), (58, 76, 56), (112, 116, 70)])
    depth = 0.5 * noise(rng, shape, 60) + 0.35 * noise(rng, shape, 28)
    gaps = step(noise(rng, shape, 45), 0.9, 2.0)
    behind = _tint(rng, [(150, 160, 120), (190, 200, 205), (60, 50, 38)])
    return blend(_textured(color, depth), behind, 0.7 * gaps)


def _concrete(rng, shape):
    """Gray concrete with stains and pits."""
    color = _tint(rng, [(150, 148, 142), (118, 118, 116), (172, 166, 156)])
    stains = 0.10 * noise(rng, shape, 50) + 0.08 * noise(rng, shape, 9) + 0.08 * noise(rng, shape, 2)
    return _textured(color, stains - 0.5 * step(noise(rng, shape, 4), 2.1, 0.4))


def _cloth(rng, shape):
    """Woven cloth with soft folds."""
    color = _tint(rng, [(84, 92, 110), (170, 160, 146), (120, 70, 66), (72, 84, 72), (198, 196, 192)])
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 1.5 * np.stack([noise(rng, shape, 60)] * 2)
    pitch = rng.uniform(1.3, 2.4)
    weave = np.sin(rows * 2.6 / pitch) * np.sin(columns * 2.6 / pitch)
    return _textured(color, 0.14 * weave + 0.10 * noise(rng, shape, (30, 90)) + 0.05 * noise(rng, shape, 1.5))


def _gravel(rng, shape):
    """Small stones, each with a gray of its own."""
    count = int(np.prod(shape) / rng.uniform(80, 500))
    stones = rng.uniform(-20, 20, (count, 2)) + rng.random((count, 2)) * shape
    pixels = np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1)
    gap, which = spatial.cKDTree(stones).query(pixels, k=2)
    edge = np.clip((gap[..., 1] - gap[..., 0]) / 4, 0, 1)
    tones = _tint(rng, [(140, 134, 126), (120, 112, 104)]) * np.exp(rng.normal(0, 0.22, (count, 1)))
    shade = (0.55 + 0.45 * edge) * np.exp(0.08 * noise(rng, shape, 3))
    return tones[which[..., 0]] * shade[..., None]


# plain ones more often than busy ones
BACKGROUNDS = (*[_board] * 4, *[_paper] * 2, _soil, _wood, _foliage, _concrete, _cloth, _gravel)
