"""Duplicates: the same bytes, or the same picture turned, mirrored, resized, re-encoded or lightly cropped.

A picture is summed up by the lowest frequencies of its gray thumbnail (as in the perceptual hash of Zauner 2010, but
kept as numbers, not as bits). What all photos of a set have in common is taken off first, so that two photos on the
same kind of background are not duplicates of each other. Turning and mirroring only swaps these numbers and changes
their signs, and a crop is a matrix product away, so that each photo is compared in 8 positions and 19 crops.
"""

import numpy as np
import pandas
import scipy.fft
import scipy.sparse
import scipy.sparse.csgraph
import tqdm.auto

from . import image_stats
from .image_stats import SIDE

VERSION = 1  # of the pairs that are found; raise it when they change
KEPT = 8  # frequencies each way; the first of all, the mean brightness, is left out
THRESHOLD = 0.95  # of the similarity, in -1 ... 1; see benchmarks/audit.md
_CROPS = (0.95, 0.9)  # shares of the side that a crop leaves
_FLAT = 2.0  # gray levels; a thumbnail that varies less has nothing to compare
_TYPICAL = 50  # how many photos the spectrum of an average photo counts for
_BLOCK = 256


def find_duplicates(stats, progress=True):
    """Return pairs of duplicates: a DataFrame with `first`, `second` (rows of `stats`) and `similarity`, 1 the same.

    stats : of the photos, as from image_stats.compute_stats
    Photos with the same bytes come as (first of them, each other); near-duplicates as from `find_near_duplicates`.
    The pairs of the same photos in the same order are found once, and then read from the cache folder.
    """
    rows = np.flatnonzero(stats["problem"] == "")
    sums = stats["sha256"].to_numpy(str)[rows]
    thumbnails = np.array(stats["thumbnail"].iloc[rows].tolist(), np.uint8).reshape(-1, SIDE, SIDE)
    name = image_stats.cache_name(f"pairs {VERSION} {sums.tolist()}", rows, thumbnails)
    pairs = image_stats.read_cache(name)
    if pairs is None:
        pairs = _find_pairs(rows, sums, thumbnails, progress)
        image_stats.write_cache(name, **pairs)
    return pandas.DataFrame(pairs)


def _find_pairs(rows, sums, thumbnails, progress):
    """Return {"first", "second", "similarity"}, (pairs,) each. rows : int (photos,); sums : the files' sha256."""
    first_of = {}
    leader = np.array([first_of.setdefault(each, place) for place, each in enumerate(sums)], int)  # has the same bytes
    copies, leaders = np.flatnonzero(leader != np.arange(len(sums))), np.unique(leader)
    near = find_near_duplicates(thumbnails[leaders], progress=progress)
    below_one = np.minimum(near["similarity"], np.nextafter(1, 0))
    return {
        "first": rows[np.concatenate([leader[copies], leaders[near["first"]]])],
        "second": rows[np.concatenate([copies, leaders[near["second"]]])],
        "similarity": np.concatenate([np.ones(len(copies)), below_one]),
    }


def find_near_duplicates(thumbnails, threshold=THRESHOLD, progress=True):
    """Return the pairs of near-duplicates: a DataFrame with `first`, `second` (rows, first < second) and `similarity`.

    thumbnails : uint8 (photos, SIDE, SIDE), as from image_stats.thumbnail
    threshold : the least similarity, the cosine of the angle between two descriptions; 1 is the same picture
    Time grows with the square of the number of photos: about 20 s for 10,000 on two cores.
    """
    thumbnails = np.asarray(thumbnails, np.float32).reshape(-1, SIDE, SIDE)
    rows = np.flatnonzero(thumbnails.std(axis=(1, 2)) >= _FLAT)
    spectra = _spectra(thumbnails[rows], _whole(), _whole())
    center, scale = _typical(spectra)
    described = _describe(spectra, center, scale)  # (photos, KEPT * KEPT - 1)
    found = []
    for start in tqdm.auto.trange(0, len(rows), _BLOCK, desc="comparing", unit="block", disable=not progress):
        block = thumbnails[rows[start : start + _BLOCK]]
        best = np.full((len(block), len(rows)), -1, np.float32)
        for crop in _crops(block):
            for turned in _positions(crop):
                np.maximum(best, _describe(turned, center, scale) @ described.T, out=best)
        here, there = np.nonzero(best >= threshold)
        found.append(np.stack([rows[here + start], rows[there], best[here, there]], axis=1))
    return _table(np.concatenate(found) if found else np.empty((0, 3)))


def merge_groups(groups, pairs):
    """Return group names in which the photos of each pair share one: the first of those that they had.

    groups : (photos,) names; pairs : DataFrame with the columns `first` and `second`, rows of `groups`
    """
    names, number = np.unique(np.asarray(groups, str), return_inverse=True)
    first, second = (number[np.asarray(pairs[column], int)] for column in ("first", "second"))
    links = scipy.sparse.coo_array((np.ones(len(first)), (first, second)), (len(names),) * 2)
    _, component = scipy.sparse.csgraph.connected_components(links, directed=False)
    leader = {part: name for part, name in zip(component[::-1], names[::-1], strict=True)}
    return np.array([leader[part] for part in component[number]], object)


def _table(found):
    """Return unordered pairs, each once, with the higher of its two similarities."""
    table = pandas.DataFrame(
        {
            "first": found[:, :2].min(axis=1).astype(int),
            "second": found[:, :2].max(axis=1).astype(int),
            "similarity": np.minimum(found[:, 2], 1),
        }
    )
    table = table[table["first"] < table["second"]]
    return table.groupby(["first", "second"], as_index=False)["similarity"].max()


def _whole():
    """Return the matrix that takes SIDE pixels to their KEPT lowest frequencies (the cosine transform)."""
    return scipy.fft.dct(np.eye(SIDE), axis=0, norm="ortho")[:KEPT].astype(np.float32)


def _spectra(thumbnails, down, across):
    return down @ thumbnails @ across.T  # (photos, KEPT, KEPT)


def _crops(thumbnails):
    """Yield the spectra of the thumbnails, and of the crops that leave 95 and 90 % of their sides."""
    yield _spectra(thumbnails, _whole(), _whole())
    for share in _CROPS:
        matrices = [_whole() @ _stretch(place * (1 - share) * SIDE, share * SIDE) for place in (0, 0.5, 1)]
        for down in matrices:
            for across in matrices:
                yield _spectra(thumbnails, down, across)


def _stretch(start, length):
    """Return the matrix that stretches `length` pixels from `start` to SIDE pixels, by linear interpolation."""
    place = np.clip(start + (np.arange(SIDE) + 0.5) * length / SIDE - 0.5, 0, SIDE - 1)
    left = np.minimum(place.astype(int), SIDE - 2)
    matrix = np.zeros((SIDE, SIDE), np.float32)
    matrix[np.arange(SIDE), left] = 1 - (place - left)
    matrix[np.arange(SIDE), left + 1] = place - left
    return matrix


def _positions(spectra):
    """Yield the spectra of the eight ways to lay a photo down: frequencies swap axes and change sign."""
    sign = (-1.0) ** np.arange(KEPT, dtype=np.float32)
    for laid in (spectra, spectra.swapaxes(1, 2)):
        for down in (1, sign[:, None]):
            for across in (1, sign):
                yield laid * down * across


def _typical(spectra):
    """Return (center, scale) of each frequency: the set's own, leaning on an average photo's where it is small.

    Photos have amplitudes that fall about as one over the frequency (Field 1987).
    """
    steps = np.arange(KEPT, dtype=np.float32)
    usual = 1 / np.maximum(np.hypot(steps[:, None], steps), 1)
    if not len(spectra):
        return np.zeros_like(usual), usual
    share = len(spectra) / (len(spectra) + _TYPICAL)
    center = share * spectra.mean(axis=0)
    spread = ((spectra - center) ** 2).mean(axis=0)
    level = spread[~_mean()].sum() / (usual[~_mean()] ** 2).sum()
    return center, np.sqrt(share * spread + (1 - share) * level * usual**2) + 0.02 * np.sqrt(spread[~_mean()].mean())


def _mean():
    """Return where the mean brightness stands."""
    place = np.zeros((KEPT, KEPT), bool)
    place[0, 0] = True
    return place


def _describe(spectra, center, scale):
    """Return unit vectors, float32 (photos, KEPT * KEPT - 1)."""
    vectors = ((spectra - center) / scale).reshape(-1, KEPT * KEPT)[:, 1:]
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
