"""What are heat maps worth? Their scores beside the truth, where a mask tells it (chapter 6).

Heat is float (photos, height, width), 0 and up, as from `explain`; masks are bool, of the same shape: where that is by
which the class is told, such as the lesions of a leaf.
"""

import numpy as np
import pandas as pd

from . import metrics, scores


def center_heat(height, width, spread=0.25):
    """Return a map that is highest in the middle, float (height, width), 0 to 1: what looking nowhere special gives.

    spread : the standard deviation of the bell, as a share of each side
    """
    bells = [np.exp(-0.5 * (((np.arange(n) + 0.5) / n - 0.5) / spread) ** 2) for n in (height, width)]
    return np.outer(*bells).astype(np.float32)


def share_inside(heat, masks):
    """Return the share of each map's heat that lies inside its mask, float (photos,); NaN for a map without heat."""
    heat, masks = _with_masks(heat, masks)
    total = heat.sum(axis=(1, 2))
    return np.divide((heat * masks).sum(axis=(1, 2)), total, out=np.full(len(heat), np.nan), where=total > 0)


def points_inside(heat, masks):
    """Return whether the hottest place of each map lies inside its mask, float (photos,): 1, 0, or NaN without heat.

    Where several places are equally hot, it is the share of them that lies inside.
    Source: Zhang et al. (2016), arXiv:1608.00507, section 4.1 (the pointing game).
    """
    heat, masks = _with_masks(heat, masks)
    hottest = heat == heat.max(axis=(1, 2), keepdims=True)
    share = (hottest & masks).sum(axis=(1, 2)) / hottest.sum(axis=(1, 2))
    return np.where(heat.max(axis=(1, 2)) > 0, share, np.nan)


MEASURES = {"heat inside": share_inside, "pointing": points_inside}


def score_maps(heat, masks, groups=None, level=0.95, repeats=scores.REPEATS, seed=0):
    """Return what maps are worth beside the truth: a DataFrame of `value`, `low`, `high`, `n` (photos) and `groups`.

    heat, masks : (photos, height, width), every mask with something inside
    groups : (photos,), photos of one plant share theirs; None: all independent
    Each row is of a measure and a map. Measures: "heat inside" (share_inside), "pointing" (points_inside). Maps: "map",
    and as baselines "random" (heat spread evenly: the mask's share of the photo) and "center" (center_heat), all
    fractions; "times random" and "center, times random" are ratios of two means, to that of random.
    Intervals are bootstraps over groups, as those of scores.score_table: NaN with fewer than scores.FEW_GROUPS groups (see
    scores.too_few_groups). Photos without heat are left out of all.
    """
    heat, masks = _with_masks(heat, masks)
    area = masks.mean(axis=(1, 2))
    if not area.all():
        raise ValueError(f"Every mask must have something inside; {int((area == 0).sum())} are empty. Leave them out.")
    middle = np.broadcast_to(center_heat(*heat.shape[1:]), heat.shape)
    group_of, rng, rows = metrics.group_numbers(groups, len(heat)), np.random.default_rng(seed), {}
    drawn = rng.integers(group_of.max() + 1, size=(repeats, group_of.max() + 1))
    for measure, found in MEASURES.items():
        values = {"map": found(heat, masks), "random": area, "center": found(middle, masks)}
        for name, row in _means(values, group_of, drawn, level).items():
            rows[measure, name] = row
    return pd.DataFrame(rows).T.astype({"n": int, "groups": int}).rename_axis(["measure", "map"])


def _means(values, group_of, drawn, level):
    """Return {name: row} of the means of `values`, {name: (photos,)}, and of their ratios to "random"."""
    there = ~np.isnan(values["map"])
    if not there.any():
        raise ValueError("No map has any heat: nothing in these photos speaks for the classes asked about.")
    size = drawn.shape[1]
    times = np.stack([np.ones(size), *(np.bincount(draw, minlength=size) for draw in drawn)])  # (1 + repeats, groups)
    weights = times[:, group_of[there]]
    weights = weights[weights.sum(axis=1) > 0]  # a draw may hold only photos without heat
    means = {name: weights @ value[there] / weights.sum(axis=1) for name, value in values.items()}
    means["times random"] = means["map"] / means["random"]
    means["center, times random"] = means["center"] / means["random"]
    counts = {"n": int(there.sum()), "groups": len(set(group_of[there].tolist()))}
    ends = {name: scores.bootstrap_ends(mean, counts["groups"], level) for name, mean in means.items()}
    return {name: dict(zip(("value", "low", "high"), three, strict=True)) | counts for name, three in ends.items()}


def _with_masks(heat, masks):
    heat, masks = np.asarray(heat), np.asarray(masks, bool)
    if heat.ndim != 3 or heat.shape != masks.shape:
        raise ValueError(f"Expected heat and masks (photos, height, width); got {heat.shape} and {masks.shape}.")
    if heat.min() < 0:
        raise ValueError(
            "Expected heat of 0 and up; what speaks against a class has no share. Take np.maximum(heat, 0)."
        )
    return heat, masks
