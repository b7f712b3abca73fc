"""Where does a model look? Saliency maps of single answers, and what they are worth beside the truth (chapter 6).

Maps are float (photos, height, width), 0 and up. Masks, bool of the same shape, say where that is by which the class is
told, such as the lesions of a leaf.
"""

import contextlib

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from .intervals import REPEATS, bootstrap, draw_groups, group_numbers

ANY_SIZE = 224  # pixels: photos by which a model that takes any size is measured


def split_model(model, places=2):
    """Return (maps, rest): a model cut at a feature map that everything passes through; both share its layers.

    model : a Keras model, pixels (batch, height, width, 3) to probabilities (batch, classes)
    places : the map's least number of places along each side; of those that have as many, the last is taken. A map
        further back is finer, and knows less of the classes
    maps : pixels to the feature map (batch, h, w, channels), in a base that is nested in the model too; of a model
        that listens to all layers, pixels to the list of the maps that it listens to, whatever `places` is
    rest : that to probabilities
    Raises ValueError for a model without such a map.
    """
    found = _cut(model, _size(model.input_shape), places)
    if found is None:
        raise ValueError(
            f"{model.name} has no feature map (batch, h, w, channels) that everything passes through, of at least "
            f"{places} places along each side. Grad-CAM needs one."
        )
    return found


def grad_cam(stages, images, classes, batch_size=8):
    """Return how much each place of each photo speaks for a class, float (photos, height, width), 0 to 1.

    stages : (maps, rest), as from `split_model`
    images : pixels 0-255 (photos, height, width, 3); classes : int (photos,), the class to explain, for each photo
    Each channel of the feature map counts by the mean gradient of the class's logit; only what speaks for the class
    is kept; the map is enlarged to the photo, and its highest value is 1 (or all is 0, if nothing speaks for it).
    Source: Selvaraju et al. (2017), arXiv:1610.02391, section 3.
    """
    return _class_activation(stages, images, classes, batch_size, by_place=False)


def hires_cam(stages, images, classes, batch_size=8):
    """Return the same as `grad_cam`, but each channel counts at each place by the gradient there: HiResCAM.

    It is the same map where the feature map is averaged next, and truer to the model where layers follow that tell
    places apart, as after an earlier, finer feature map. Of a model that listens to all layers the maps of every block
    are added up: together they are all that the class's logit is made of, but for a constant. (Grad-CAM sees nothing
    of the deviations there, whose gradients cancel out over the places.)
    Source: Draelos and Carin (2020), arXiv:2011.08891, section 3.
    """
    return _class_activation(stages, images, classes, batch_size, by_place=True)


def _class_activation(stages, images, classes, batch_size, by_place):
    images, classes = _matching(images, classes)
    maps_of, rest = stages
    found = []
    for first in range(0, len(images), batch_size):
        some = tf.constant(images[first : first + batch_size], tf.float32)
        chosen = tf.constant(classes[first : first + batch_size])
        features = maps_of(some, training=False)  # (batch, h, w, channels), or a list of them
        with tf.GradientTape() as tape, _logits(rest) as logarithm:
            tape.watch(features)
            scores = tf.gather(logarithm(rest(features, training=False)), chosen, axis=1, batch_dims=1)
        pairs = zip(tf.nest.flatten(tape.gradient(scores, features)), tf.nest.flatten(features), strict=True)
        speaks = sum(_enlarged(weights, each, by_place, images.shape[1:3]) for weights, each in pairs)
        found.append(tf.nn.relu(speaks)[..., 0].numpy())
    maps = np.concatenate(found)
    highest = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)


def _enlarged(weights, features, by_place, size):
    """Return what each place of a feature map speaks for a class, spread over a photo of `size`: (batch, *size, 1).

    weights : gradients, of the shape of the feature map (batch, h, w, channels)
    """
    if not by_place:
        weights = tf.reduce_mean(weights, axis=(1, 2), keepdims=True)  # (batch, 1, 1, channels)
    speaks = tf.reduce_sum(weights * features, axis=-1, keepdims=True)
    places = features.shape[1] * features.shape[2]  # a place of a coarse map covers more pixels: the same sum for all
    return tf.image.resize(places * speaks, size)


def randomize_weights(model, seed=0):
    """Return a copy of a model whose weights are shuffled, each array within itself; `model` stays as it is.

    The copy has the same layers and the same numbers, and knows nothing. A map that shows the same with it as before
    shows the photo's edges, not what the model has learned.
    Source: Adebayo et al. (2018), arXiv:1810.03292, section 3 (there the weights are drawn anew).
    """
    rng, copy = np.random.default_rng(seed), keras.models.clone_model(model)
    copy.set_weights([rng.permutation(values.ravel()).reshape(values.shape) for values in model.get_weights()])
    return copy


def center_map(height, width, spread=0.25):
    """Return a map that is highest in the middle, float (height, width), 0 to 1: what looking nowhere special gives.

    spread : the standard deviation of the bell, as a share of each side
    """
    bells = [np.exp(-0.5 * (((np.arange(n) + 0.5) / n - 0.5) / spread) ** 2) for n in (height, width)]
    return np.outer(*bells).astype(np.float32)


def share_inside(maps, masks):
    """Return the share of each map that lies inside its mask, float (photos,); NaN for a map that is 0 all over."""
    maps, masks = _with_masks(maps, masks)
    total = maps.sum(axis=(1, 2))
    return np.divide((maps * masks).sum(axis=(1, 2)), total, out=np.full(len(maps), np.nan), where=total > 0)


def pointing_game(maps, masks):
    """Return whether the highest place of each map lies inside its mask, float (photos,): 1, 0, or NaN.

    NaN is for a map that is 0 all over. Where several places are equally high: the share of them that lies inside.
    Source: Zhang et al. (2016), arXiv:1608.00507, section 4.1.
    """
    maps, masks = _with_masks(maps, masks)
    highest = maps == maps.max(axis=(1, 2), keepdims=True)
    share = (highest & masks).sum(axis=(1, 2)) / highest.sum(axis=(1, 2))
    return np.where(maps.max(axis=(1, 2)) > 0, share, np.nan)


MEASURES = {"inside": share_inside, "pointing": pointing_game}


def score_maps(maps, masks, groups=None, level=0.95, repeats=REPEATS, seed=0):
    """Return what maps are worth beside the truth: a DataFrame of `value`, `low`, `high`, `n` (photos) and `groups`.

    maps, masks : (photos, height, width), every mask with something inside
    groups : (photos,), photos of one plant share theirs; None: all independent
    Each row is of a measure and a map. Measures: "inside" (share_inside), "pointing" (pointing_game). Maps: "map",
    and as baselines "random" (spread evenly: the mask's share of the photo) and "center" (center_map), all
    fractions; "times random" and "center, times random" are ratios of two means, to that of random.
    Intervals are bootstraps over groups; with fewer than FEW_GROUPS of them, 0 to 1, or to infinity for a ratio.
    Photos whose map is 0 all over are left out of all.
    """
    maps, masks = _with_masks(maps, masks)
    area = masks.mean(axis=(1, 2))
    if not area.all():
        raise ValueError(f"Every mask must have something inside; {int((area == 0).sum())} are empty. Leave them out.")
    middle = np.broadcast_to(center_map(*maps.shape[1:]), maps.shape)
    group_of, rows = group_numbers(groups, len(maps)), {}
    drawn = draw_groups(int(group_of.max()) + 1, repeats, seed)
    for measure, found in MEASURES.items():
        values = {"map": found(maps, masks), "random": area, "center": found(middle, masks)}
        for name, row in _means(values, group_of, drawn, level).items():
            rows[measure, name] = row
    return pd.DataFrame(rows, ["value", "low", "high", "n", "groups"]).T.astype({"n": int, "groups": int})


def _means(values, group_of, drawn, level):
    """Return {name: (value, low, high, n, groups)} of means of values, {name: (photos,)}, and of ratios to random."""
    there = ~np.isnan(values["map"])
    if not there.any():
        raise ValueError("No map has a place above 0: nothing in these photos speaks for the classes asked about.")
    weights = drawn[:, group_of[there]]
    weights = weights[weights.sum(axis=1) > 0]  # a draw may hold only photos with empty maps
    means = {name: weights @ value[there] / weights.sum(axis=1) for name, value in values.items()}
    ratios = {"times random": means["map"] / means["random"]}
    ratios["center, times random"] = means["center"] / means["random"]
    n, n_groups = int(there.sum()), len(set(group_of[there].tolist()))
    found = {name: bootstrap(mean, n, n_groups, level) for name, mean in means.items()}
    found |= {name: bootstrap(ratio, n, n_groups, level, highest=np.inf) for name, ratio in ratios.items()}
    return {name: interval[:5] for name, interval in found.items()}


def _with_masks(maps, masks):
    maps, masks = np.asarray(maps), np.asarray(masks, bool)
    if maps.ndim != 3 or maps.shape != masks.shape:
        raise ValueError(f"Expected maps and masks (photos, height, width); got {maps.shape} and {masks.shape}.")
    if maps.min() < 0:
        raise ValueError(
            "Expected maps of 0 and up; what speaks against a class has no share. Take np.maximum(maps, 0)."
        )
    return maps, masks


def _matching(images, classes):
    images, classes = np.asarray(images), np.asarray(classes)
    if images.ndim != 4 or images.shape[-1] != 3 or classes.shape != (len(images),):
        raise ValueError(
            f"Expected images (photos, height, width, 3) and one class for each; got {images.shape}, {classes.shape}."
        )
    return images, classes


def _cut(model, size, places):
    """Return (maps, rest) of a model that takes photos of `size` (height, width, channels); None if there is none."""
    stops = _passed_by_all(model)
    for place, tensors in enumerate(stops):
        operation = tensors[0]._keras_history.operation
        # two outputs at least, or Keras gives no list
        shapes = keras.Model(model.inputs[0], [*tensors, tensors[0]]).compute_output_shape((None, *size))[:-1]
        if len(tensors) > 1 and all(len(shape) == 4 for shape in shapes):
            return keras.Model(model.inputs[0], tensors), keras.Model(tensors, model.outputs[0])
        if len(tensors) > 1:
            continue
        if place and _is_map(operation, shapes[0], places):  # the output itself would leave no rest
            return keras.Model(model.inputs[0], tensors[0]), keras.Model(tensors[0], model.outputs[0])
        if isinstance(operation, keras.Model) and len(getattr(operation, "inputs", ())) == 1:
            before = keras.Model(model.inputs[0], [*stops[place + 1], *stops[place + 1]])
            inside = _cut(operation, before.compute_output_shape((None, *size))[0][1:], places)
            if inside is not None:
                return _joined(model, stops[place + 1][0], inside, tensors[0])
    return None


def _is_map(operation, shape, places):
    return len(shape) == 4 and min(shape[1:3]) >= places and not isinstance(operation, keras.layers.ZeroPadding2D)


def _joined(model, source, inside, tensor):
    """Return (maps, rest) of a model, given those of the model inside that leads from `source` to `tensor`."""
    before, (maps, rest) = keras.Model(model.inputs[0], source), inside
    pixels = keras.Input(model.input_shape[1:])
    middle = tf.nest.map_structure(lambda each: keras.Input(each.shape[1:]), maps.output)
    maps = keras.Model(pixels, maps(before(pixels, training=False), training=False))
    if tensor is model.outputs[0]:
        return maps, rest
    after = keras.Model(tensor, model.outputs[0])
    return maps, keras.Model(middle, after(rest(middle, training=False), training=False))


def _passed_by_all(model):
    """Return where everything passes through, from a model's output back to its input: lists of tensors.

    A list holds a single tensor, or several outputs of one operation, as of a base that gives the maps of its blocks.
    """
    operations = keras.Model(model.inputs[0], model.outputs[0]).operations  # inputs first
    order = {id(operation): number for number, operation in enumerate(operations)}
    needed, found = {id(model.outputs[0]): model.outputs[0]}, []
    while needed:
        of = {id(tensor._keras_history.operation) for tensor in needed.values()}
        if len(of) == 1:
            found.append(sorted(needed.values(), key=lambda tensor: tensor._keras_history.tensor_index))
        latest = max(needed, key=lambda name: order[id(needed[name]._keras_history.operation)])
        operation, node, _ = needed[latest]._keras_history
        for tensor in [each for each in needed.values() if each._keras_history.operation is operation]:
            del needed[id(tensor)]
        needed |= {id(source): source for source in operation._inbound_nodes[node].input_tensors}
    return found


def _size(shape):
    """Return (height, width, channels) of a model's input shape; ANY_SIZE where it takes any."""
    return tuple(ANY_SIZE if side is None else side for side in shape[1:])


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
