"""Where does a model look? Heat maps of single answers, and what they are worth beside the truth (chapter 6)."""

import contextlib

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from . import metrics

REPEATS = 1000  # draws of the bootstrap


def two_stages(model):
    """Return (maps, rest): a model cut where its last feature map is pooled; it shares all layers with `model`.

    model : a Keras model, pixels (batch, height, width, 3) to probabilities (batch, classes)
    maps : pixels to the last feature map (batch, h, w, channels), through a base nested in the model too
    rest : that to probabilities
    Raises ValueError for a model without a feature map that everything passes through.
    """
    tensor = model.outputs[0]
    while len(tensor.shape) != 4:
        operation, node, _ = tensor._keras_history
        sources = operation._inbound_nodes[node].input_tensors
        if len(sources) != 1 or isinstance(operation, keras.layers.InputLayer):
            raise ValueError(
                f"{model.name} has no feature map (batch, h, w, channels) that everything passes through before "
                f"{operation.name}. Heat maps need one; occlusion works for any model."
            )
        if isinstance(operation, keras.Model) and len(sources[0].shape) == 4:  # a base that pools inside
            inner_maps, inner_rest = two_stages(operation)
            before, after = keras.Model(model.inputs, sources[0]), keras.Model(tensor, model.outputs[0])
            middle = keras.Input(inner_maps.output_shape[1:])
            pixels = keras.Input(model.input_shape[1:])
            return (
                keras.Model(pixels, inner_maps(before(pixels, training=False), training=False)),
                keras.Model(middle, after(inner_rest(middle, training=False), training=False)),
            )
        tensor = sources[0]
    return keras.Model(model.inputs, tensor), keras.Model(tensor, model.outputs[0])


def grad_cam(stages, images, classes, batch_size=32):
    """Return how much each place of each photo speaks for a class, float (photos, height, width), 0 to 1.

    stages : (maps, rest), as from `two_stages`; or a pair that is cut at an earlier layer, for finer maps
    images : pixels 0-255 (photos, height, width, 3); classes : int (photos,), the class to explain, for each photo
    Each channel of the feature map counts by the mean gradient of the class's logit; only what speaks for the class
    is kept; the map is enlarged to the photo, and its highest value is 1 (or all is 0, if nothing speaks for it).
    Source: Selvaraju et al. (2017), arXiv:1610.02391, section 3.
    """
    images, classes = _matching(images, classes)
    maps_of, rest = stages
    heats = []
    for first in range(0, len(images), batch_size):
        some = tf.constant(images[first : first + batch_size], tf.float32)
        chosen = tf.constant(classes[first : first + batch_size])
        maps = maps_of(some, training=False)  # (batch, h, w, channels)
        with tf.GradientTape() as tape, _logits(rest) as logarithm:
            tape.watch(maps)
            scores = tf.gather(logarithm(rest(maps, training=False)), chosen, axis=1, batch_dims=1)
        weights = tf.reduce_mean(tape.gradient(scores, maps), axis=(1, 2), keepdims=True)  # (batch, 1, 1, channels)
        heat = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1, keepdims=True))
        heats.append(tf.image.resize(heat, images.shape[1:3])[..., 0].numpy())
    heat = np.concatenate(heats)
    highest = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0)


def occlusion(model, images, classes, patch=32, stride=16, batch_size=64):
    """Return by how much each place of each photo is needed for an answer, float (photos, height, width), -1 to 1.

    model : pixels to probabilities, of any kind; images, classes : as for `grad_cam`
    A square of `patch` pixels in the photo's mean color is laid over each place in turn, every `stride` pixels; the
    value is the probability that the class loses, averaged over all squares that cover the place.
    Source: Zeiler and Fergus (2014), arXiv:1311.2901, section 4.1.
    """
    images, classes = _matching(images, classes)
    height, width = images.shape[1:3]
    corners = [(y, x) for y in _places(height, patch, stride) for x in _places(width, patch, stride)]
    heats = []
    for image, number in zip(images, classes, strict=True):
        covered = np.repeat(image[None].astype(np.float32), len(corners) + 1, axis=0)  # the last one stays whole
        for each, (y, x) in zip(covered, corners, strict=False):
            each[y : y + patch, x : x + patch] = image.mean(axis=(0, 1))
        chunks = range(0, len(covered), batch_size)
        said = np.concatenate([model.predict_on_batch(covered[at : at + batch_size]) for at in chunks])[:, number]
        lost, times = np.zeros((height, width)), np.zeros((height, width))
        for value, (y, x) in zip(said[-1] - said[:-1], corners, strict=True):
            lost[y : y + patch, x : x + patch] += value
            times[y : y + patch, x : x + patch] += 1
        heats.append(lost / np.maximum(times, 1))
    return np.stack(heats).astype(np.float32)


def center_heat(height, width, spread=0.25):
    """Return a map that is highest in the middle, float (height, width), 0 to 1: what looking nowhere special gives.

    spread : the standard deviation of the bell, as a share of each side
    """
    bells = [np.exp(-0.5 * (((np.arange(n) + 0.5) / n - 0.5) / spread) ** 2) for n in (height, width)]
    return np.outer(*bells).astype(np.float32)


def share_inside(heat, masks):
    """Return the share of each map's heat that lies inside its mask, float (photos,); NaN for a map without heat.

    heat : float (photos, height, width), 0 and up; masks : bool, the same shape
    """
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


def score(heat, masks, groups=None, level=0.95, repeats=REPEATS, seed=0):
    """Return what maps are worth beside the truth, as a DataFrame, a row a measure and map: `value`, `low`, `high`.

    heat, masks : as for `share_inside`, every mask with something inside; groups : (photos,), or None
    Measures: "heat inside" (share_inside), "pointing" (points_inside). Maps: "map", and as baselines "random" (heat
    spread evenly: the mask's share of the photo) and "center" (center_heat). Row "times random" of a measure is the
    ratio of its mean to that of random. Intervals are bootstraps over groups; photos without heat are left out of all.
    """
    heat, masks = _with_masks(heat, masks)
    middle = np.broadcast_to(center_heat(*heat.shape[1:]), heat.shape)
    area = masks.mean(axis=(1, 2))
    if not area.all():
        raise ValueError(f"Every mask must have something inside; {int((area == 0).sum())} are empty. Leave them out.")
    group_of = metrics.group_numbers(groups, len(heat))
    rng, size = np.random.default_rng(seed), int(group_of.max()) + 1
    draws = [np.bincount(rng.integers(size, size=size), minlength=size) for _ in range(repeats)]
    weights = np.stack([np.ones(size), *draws])[:, group_of]  # (1 + repeats, photos)
    rows = {}
    for measure, found in {"heat inside": share_inside, "pointing": points_inside}.items():
        ours = found(heat, masks)
        there = ~np.isnan(ours)
        if not there.any():
            raise ValueError("No map has any heat: nothing in these photos speaks for the classes asked about.")
        values = {"map": ours, "random": area, "center": found(middle, masks)}
        counts = weights[:, there].sum(axis=1)
        drawn_any = counts > 0  # a draw may hold only photos without heat
        means = {
            name: (weights[drawn_any][:, there] @ value[there]) / counts[drawn_any] for name, value in values.items()
        }
        means["times random"] = means["map"] / means["random"]
        for name, drawn in means.items():
            low, high = np.quantile(drawn[1:], [(1 - level) / 2, (1 + level) / 2])
            rows[measure, name] = {"value": drawn[0], "low": low, "high": high, "n": int(there.sum())}
    return pd.DataFrame(rows).T.rename_axis(["measure", "map"])


def _matching(images, classes):
    images, classes = np.asarray(images), np.asarray(classes)
    if images.ndim != 4 or images.shape[-1] != 3 or classes.shape != (len(images),):
        raise ValueError(
            f"Expected images (photos, height, width, 3) and one class for each; got {images.shape}, {classes.shape}."
        )
    return images, classes


def _with_masks(heat, masks):
    heat, masks = np.asarray(heat), np.asarray(masks, bool)
    if heat.ndim != 3 or heat.shape != masks.shape:
        raise ValueError(f"Expected heat and masks (photos, height, width); got {heat.shape} and {masks.shape}.")
    if heat.min() < 0:
        raise ValueError(
            "Expected heat of 0 and up; what speaks against a class has no share. Take np.maximum(heat, 0)."
        )
    return heat, masks


def _places(length, patch, stride):
    """Return where squares begin along a side, so that they reach from one end to the other."""
    last = max(0, length - patch)
    return sorted({*range(0, last, stride), last})


@contextlib.contextmanager
def _logits(model):
    """Let a model give logits for a while, where it ends in a softmax; yield the function that its output still needs.

    Probabilities near 1 have no gradient left; the logits before them do.
    """
    layer = model
    while isinstance(layer, keras.Model):
        layer = layer.layers[-1]
    if getattr(layer, "activation", None) is not keras.activations.softmax:
        yield lambda probabilities: tf.math.log(tf.maximum(probabilities, 1e-30))
        return
    layer.activation = keras.activations.linear
    try:
        yield lambda logits: logits
    finally:
        layer.activation = keras.activations.softmax
