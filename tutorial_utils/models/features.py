"""Features and other activations of a frozen base: computed once per photo, kept on disk, never computed again.

The classic features are the means of the last feature map, one number a channel. Features of all layers are the mean
and the standard deviation of every channel after every block: what the base sees on its way, fine patterns included.
"""

import concurrent.futures
import hashlib

import keras
import numpy as np
import tensorflow as tf
import tqdm.auto

from .. import _check, _machine
from ..data import corruptions, images, pipeline
from . import feature_store, freezing, litert

PRECISIONS = ("float32", "float16")
LAYERS = ("last", "all")
_FLOOR = 1e-6  # below the square root of a variance: where a map is even, its slope would be infinite
_PASSED_OVER = (keras.layers.Dropout, keras.layers.ZeroPadding2D)
_POOLING = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)


def extractor(backbone, image_size, cut=None, layers="last"):
    """Return the model from pixels to activations: preprocessing, then the base up to the layer `cut` (chapter 1).

    backbone : from backbones.get; cut : a layer's name, from freezing.find_cuts; None is the end of the base
    layers : at the end of the base, "last" or "all"
    Takes float (batch, image_size, image_size, 3), 0-255. Returns the cut layer's output (batch, h, w, channels); at
    the end of the base the features, (batch, numbers): of the last layer the mean of each channel; of all layers
    mean and standard deviation of each channel of each of `block_outputs`, block by block.
    """
    images = keras.Input((_check.image_size(image_size), image_size, 3), name="pixels")
    _check.choice("layers", layers, LAYERS)
    x = backbone.preprocess(images)
    if cut is not None:
        prefix, _ = freezing.split_base(backbone.base, cut)
        return keras.Model(images, prefix(x, training=False), name="extractor")
    if layers == "last":
        maps = backbone.base(x, training=False)  # (batch, h, w, channels)
        return keras.Model(images, keras.layers.GlobalAveragePooling2D()(maps), name="extractor")
    base = backbone.base
    maps = keras.Model(base.inputs[0], block_outputs(base), name=base.name)(x, training=False)
    return keras.Model(images, mean_and_deviation(maps), name="extractor")


def block_outputs(base):
    """Return the feature maps after every block of a base, its last one included: Keras tensors, first to last.

    A block ends where a shortcut is added, or, without one, in a BatchNormalization that no activation follows (the
    projection of MobileNetV2 and EfficientNet). In a network without shortcuts it ends before each layer that makes
    the map smaller, by pooling or by stride, and before each concatenation.
    """
    after = _consumers(base)
    last = base.outputs[0]._keras_history.operation
    is_end = _ends_with_shortcut if any(map(_is_add, base.operations)) else _ends_before_smaller_map
    return [layer.output for layer in base.operations if layer is last or is_end(layer, after[layer.name])]


def mean_and_deviation(maps):
    """Return the mean and the standard deviation of each channel of each map, map by map, as one Keras tensor.

    maps : Keras tensors (batch, h, w, channels). Returns (batch, twice the sum of the channels). Made of Keras's own
    operations: a model with it saves, loads without this package, and exports.
    """
    found = []
    for x in maps:
        mean = keras.ops.mean(x, axis=(1, 2), keepdims=True)  # (batch, 1, 1, channels)
        variance = keras.ops.mean(keras.ops.square(x - mean), axis=(1, 2))
        found += [keras.ops.squeeze(mean, axis=(1, 2)), keras.ops.sqrt(variance + _FLOOR)]
    return keras.ops.concatenate(found, axis=-1)


def block_sizes(backbone):
    """Return how many of the features of all layers each block gives: twice its channels (list of int)."""
    return [2 * tensor.shape[-1] for tensor in block_outputs(backbone.base)]


def stored(
    photos,
    backbone,
    image_size,
    cut=None,
    layers="last",
    view=None,
    corrupted=False,
    upright=False,
    seed=0,
    dtype="float32",
    progress=True,
):
    """Return the activations of a photos table, in its order: those on disk are read, the others computed (chapter 3).

    backbone, cut, layers : as for `extractor`; the layers up to the cut must not learn as long as the result is in use
    view : None for the photo as it is; 1, 2, ... for an augmented view of it, flipped and turned, drawn by `seed`
    corrupted : the photo with noise, blur, JPEG marks or other light, drawn by `seed` (corruptions.corrupt)
    upright : the photos have an up and a down: such a view is mirrored only, and not turned
    dtype : "float32", or "float16" for half of the disk
    progress : show a bar over the photos that are computed
    Returns feature_store.StoredFeatures: `rows[3]`, `rows[[5, 2]]` or `rows[:]` gives float32 (n, ...). They are found
    by content: the bytes of the photo, the weights, the preprocessing, the size, the cut, the view, and what computes.
    Raises PhotoError for a damaged photo, and feature_store.StoreFull before any work if the disk is too small.
    """
    _check.columns(photos, ["path"])
    _check.choice("dtype", dtype, PRECISIONS)
    if view is not None:
        _check.integer("view", view, 1, 10**6)
    model = extractor(backbone, image_size, cut, layers)
    about = _about(model, backbone, image_size, cut, layers)
    predict, engine = litert.fastest_function(model, about["model"])
    about["means"] = engine
    if view is not None:
        about |= {"view": view, "seed": _check.seed(seed), "views": pipeline.VIEWS_VERSION}
        about |= {"upright": True} if upright else {}
    if corrupted:
        about |= {"corrupted": corruptions.VERSION, "seed": _check.seed(seed)}
    store = feature_store.FeatureStore(about, model.output_shape[1:], dtype)
    paths = photos["path"].to_numpy(str)
    ids = feature_store.photo_ids(paths)

    def compute(path, photo):
        image = images.read_image(path, image_size)  # uint8 (h, w, 3)
        if view is not None:
            image = pipeline.view(image, f"{seed}/{view}/{photo}", upright)
        if corrupted:
            image = corruptions.corrupt(image, f"{seed}/{photo}")
        return predict(image.astype(np.float32))

    _fill(store, dict(zip(ids, paths, strict=True)), compute, progress)
    return feature_store.StoredFeatures(store, ids)


def answers(stages):
    """Return a function from batches to (labels, features, probabilities): what a model makes of photos (chapter 6).

    stages : (maps, rest), as from saliency.split_model: pixels 0-255 to a feature map (batch, h, w, channels) or to a
        list of them, that to probabilities. The features are the means of the last map over its places
    The function takes batches of (images, labels) or of images alone, whose labels are empty, and returns arrays:
    int (photos,), float32 (photos, channels), float32 (photos, classes). It is traced once, for batches of any length.
    """
    maps_of, rest = stages

    @tf.function(input_signature=[tf.TensorSpec((None, *maps_of.input_shape[1:]), tf.float32)])
    def both(images):
        maps = maps_of(images, training=False)
        return tf.reduce_mean(tf.nest.flatten(maps)[-1], axis=(1, 2)), rest(maps, training=False)

    def of(batches):
        found = []
        for batch in batches:
            images, labels = batch if isinstance(batch, tuple) else (batch, ())
            found.append((np.asarray(labels, int), *(each.numpy() for each in both(tf.cast(images, tf.float32)))))
        return tuple(map(np.concatenate, zip(*found, strict=True)))

    return of


def last_layer(rows, backbone):
    """Return the features of the last layer, float32 (photos, channels), from those of all layers.

    rows : (photos, numbers), as from `stored` with layers="all"; read a thousand at a time. The last block is the last
    feature map, and its means are what layers="last" gives
    """
    channels = block_sizes(backbone)[-1] // 2
    chunks = [rows[first : first + 1024] for first in range(0, len(rows), 1024)]
    return np.concatenate([chunk[:, -2 * channels : -channels] for chunk in chunks])


def batches(versions, labels, batch_size=32, shuffle=False, seed=0):
    """Return a tf.data.Dataset of (activations, labels) batches, read from disk as they are needed (chapter 4).

    versions : list of feature_store.StoredFeatures, each (photos, ...) of the same photos, as from `stored`
    labels : int (photos,); shuffle : a new order every epoch, drawn by `seed`; it is the order of pipeline.batches
    In one epoch each photo comes once, in one version; over as many epochs as there are versions, in each of them.
    """
    classes = tf.constant(labels)

    def describe():
        summary = hashlib.sha256(np.ascontiguousarray(labels)).hexdigest()
        return {"activations": feature_store.digest(versions), "labels": summary}

    def read(rows):
        turns = (passes.next - 1 + rows) % len(versions)  # which version it is a photo's turn for
        read = np.empty((len(rows), *versions[0].shape[1:]), np.float32)
        for version in np.unique(turns):
            here = turns == version
            read[here] = versions[version][rows[here]]
        return read

    def load(rows):
        activations = tf.numpy_function(read, [rows], tf.float32)
        return tf.ensure_shape(activations, (None, *versions[0].shape[1:])), tf.gather(classes, rows)

    passes = pipeline.Passes(len(labels), shuffle, seed, describe=describe)
    return pipeline.steady(passes.rows().batch(batch_size).map(load).prefetch(2), passes)


def _about(model, backbone, image_size, cut, layers):
    """Return what activations depend on besides the photo; `model` sums up weights, preprocessing, size and cut."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).data)
    ramp = np.arange(768, dtype=np.float32).reshape(1, 16, 16, 3) % 256
    preprocessed = np.asarray(keras.ops.convert_to_numpy(backbone.preprocess(ramp)), np.float32)
    digest.update(np.ascontiguousarray(preprocessed).data)
    digest.update(f"{backbone.name}/{image_size}/{cut}".encode())
    if layers == "all":
        ends = {_name(tensor) for tensor in block_outputs(backbone.base)}
        places = [place for place, operation in enumerate(backbone.base.operations) if operation.name in ends]
        digest.update(f"{layers}/{places}".encode())
    return {
        "model": digest.hexdigest(),
        "fit": "stretch",
        "read_photo": images.VERSION,
    }  # "fit": older caches stay valid


def _consumers(base):
    """Return {layer name: the layers that take its output in}, dropout and padding passed over."""
    direct = {layer.name: [] for layer in base.operations}
    for layer in base.operations:
        for tensor in layer.input if isinstance(layer.input, list) else [layer.input]:
            direct[_name(tensor)] += [layer] if _name(tensor) != layer.name else []  # an input layer takes itself in

    def ahead(name):
        found = []
        for layer in direct[name]:
            found += ahead(layer.name) if isinstance(layer, _PASSED_OVER) else [layer]
        return found

    return {name: ahead(name) for name in direct}


def _name(tensor):
    return tensor._keras_history.operation.name


def _is_add(layer):
    return isinstance(layer, keras.layers.Add)


def _is_convolution(layer):
    return hasattr(layer, "kernel_size")


def _ends_with_shortcut(layer, after):
    linear = isinstance(layer, keras.layers.BatchNormalization) and any(map(_is_convolution, after))
    return _is_add(layer) or (linear and all(_is_add(each) or _is_convolution(each) for each in after))


def _ends_before_smaller_map(layer, after):
    if isinstance(layer, (keras.layers.InputLayer, *_PASSED_OVER)):
        return False
    smaller = (
        isinstance(each, (*_POOLING, keras.layers.Concatenate)) or (_is_convolution(each) and max(each.strides) > 1)
        for each in after
    )
    return any(smaller)


def _fill(store, path_of, compute, progress):
    """Compute and store the photos that are missing, shard by shard, one photo on each processor core at a time."""
    store.sweep()
    missing = store.missing(path_of)
    if not missing:
        return
    store.check_room(len(missing))
    size = store.shard_rows()
    bar = tqdm.auto.tqdm(total=len(missing), desc="activations", unit="photo", disable=not progress)
    with bar, concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        for first in range(0, len(missing), size):
            shard, rows = missing[first : first + size], []
            coming = pool.map(compute, [path_of[photo] for photo in shard], shard)
            try:
                for row in coming:
                    rows.append(row)
                    bar.update()
            finally:
                coming.close()  # after an error or Ctrl-C the photos that are still waiting are let go
            store.write(shard, np.stack(rows))
