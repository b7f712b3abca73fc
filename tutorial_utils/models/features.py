"""Features and other activations of a frozen base: computed once per photo, kept on disk, never computed again."""

import concurrent.futures
import hashlib

import keras
import numpy as np
import tensorflow as tf
import tqdm.auto

from .. import _check, _machine
from ..data import images, pipeline
from . import feature_store, freezing, litert

PRECISIONS = ("float32", "float16")


def extractor(backbone, image_size, cut=None):
    """Return the model from pixels to activations: preprocessing, then the base up to the layer `cut` (chapter 1).

    backbone : from backbones.get; cut : a layer's name, from freezing.find_cuts; None is the end of the base
    Takes float (batch, image_size, image_size, 3), 0-255. Returns the cut layer's output (batch, h, w, channels);
    at the end of the base the mean of each channel, (batch, channels): the features.
    """
    images = keras.Input((_check.image_size(image_size), image_size, 3), name="pixels")
    if cut is None:
        maps = backbone.base(backbone.preprocess(images), training=False)  # (batch, h, w, channels)
        return keras.Model(images, keras.layers.GlobalAveragePooling2D()(maps), name="extractor")
    prefix, _ = freezing.split_base(backbone.base, cut)
    return keras.Model(images, prefix(backbone.preprocess(images), training=False), name="extractor")


def stored(photos, backbone, image_size, cut=None, view=None, upright=False, seed=0, dtype="float32", progress=True):
    """Return the activations of a photos table, in its order: those on disk are read, the others computed (chapter 3).

    backbone, cut : as for `extractor`; the layers up to the cut must not learn as long as the result is in use
    view : None for the photo as it is; 1, 2, ... for an augmented view of it, flipped and turned, drawn by `seed`
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
    model = extractor(backbone, image_size, cut)
    about = _about(model, backbone, image_size, cut)
    predict, engine = litert.fastest_function(model, about["model"])
    about["means"] = engine
    if view is not None:
        about |= {"view": view, "seed": _check.seed(seed), "views": pipeline.VIEWS_VERSION}
        about |= {"upright": True} if upright else {}
    store = feature_store.FeatureStore(about, model.output_shape[1:], dtype)
    paths = photos["path"].to_numpy(str)
    ids = feature_store.photo_ids(paths)

    def compute(path, photo):
        image = images.read_image(path, image_size)  # uint8 (h, w, 3)
        if view is not None:
            image = pipeline.view(image, f"{seed}/{view}/{photo}", upright)
        return predict(image.astype(np.float32))

    _fill(store, dict(zip(ids, paths, strict=True)), compute, progress)
    return feature_store.StoredFeatures(store, ids)


def pooled(maps):
    """Return a function from batches to features: a model's last feature map, averaged over its places (chapter 6).

    maps : a model from pixels 0-255 to a feature map (batch, h, w, channels), as the first of saliency.split_model
    The function takes batches of (images, labels) or of images alone and returns float32 (photos, channels). It is
    traced once, for batches of any length.
    """
    shape = tf.TensorSpec((None, *maps.input_shape[1:]), tf.float32)

    @tf.function(input_signature=[shape])
    def mean(images):
        return tf.reduce_mean(maps(images, training=False), axis=(1, 2))

    def of(batches):
        images = (batch[0] if isinstance(batch, tuple) else batch for batch in batches)
        return np.concatenate([mean(tf.cast(some, tf.float32)).numpy() for some in images])

    return of


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


def _about(model, backbone, image_size, cut):
    """Return what activations depend on besides the photo; `model` sums up weights, preprocessing, size and cut."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).data)
    ramp = np.arange(768, dtype=np.float32).reshape(1, 16, 16, 3) % 256
    preprocessed = np.asarray(keras.ops.convert_to_numpy(backbone.preprocess(ramp)), np.float32)
    digest.update(np.ascontiguousarray(preprocessed).data)
    digest.update(f"{backbone.name}/{image_size}/{cut}".encode())
    return {
        "model": digest.hexdigest(),
        "fit": "stretch",
        "read_photo": images.VERSION,
    }  # "fit": older caches stay valid


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
