"""From the photos table to batches of pixels: read, batch, prefetch; the same order for the same seed."""

from .. import _check, _quiet
from .photos import FITS, read_photo

_quiet.import_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

_KEEP_BYTES = 2**30  # up to this many bytes of pixels are read once and kept in memory


def batches(photos, image_size, batch_size=32, shuffle=False, augmentation=None, fit="stretch", seed=0):
    """Return a tf.data.Dataset of (images, labels) batches (chapter 2).

    photos : photos table; one pass goes through every row once
    shuffle : a new order every epoch, drawn by `seed`: for training
    augmentation : None, or a Keras model that changes images (see `augmentation`): for training only
    Returns images, float32 (batch, image_size, image_size, 3), 0-255, and labels, int32 (batch,): the places of
    the classes in `photos["label"].cat.categories`. A damaged photo stops the pass with its name.
    """
    _check.columns(photos, ["path", "label"])
    _check.image_size(image_size)
    _check.integer("batch_size", batch_size, 1, 4096)
    _check.choice("fit", fit, FITS)
    labels = photos["label"].cat.codes.to_numpy("int32")
    dataset = tf.data.Dataset.from_tensor_slices((photos["path"].to_numpy(str), labels))
    read, keep = _reader(image_size, fit), len(photos) * image_size**2 * 3 <= _KEEP_BYTES
    if keep:
        dataset = dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE).cache()
    if shuffle:  # pixels where they are kept, else paths only
        dataset = dataset.shuffle(len(photos), seed=_check.seed(seed), reshuffle_each_iteration=True)
    if not keep:
        dataset = dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.batch(batch_size).map(lambda images, labels: (tf.cast(images, tf.float32), labels))
    if augmentation is not None:  # one call at a time: its random numbers come in a fixed order
        dataset = dataset.map(lambda images, labels: (augmentation(images, training=True), labels))
    return dataset.prefetch(tf.data.AUTOTUNE)


def _reader(image_size, fit):
    """Return the function that reads one photo inside tf.data."""

    def read(path, label):
        image = tf.numpy_function(lambda name: read_photo(name.decode(), image_size, fit), [path], tf.uint8)
        return tf.ensure_shape(image, (image_size, image_size, 3)), label

    return read


def augmentation(seed=0, flips="horizontal_and_vertical", rotation=0.1):
    """Return Keras layers that flip and turn images at random; they act with training=True only (chapter 2).

    flips : as in keras.layers.RandomFlip; rotation : share of a full turn, 0.1 is up to 36 degrees either way
    A leaf is the same leaf upside down, so both flips are safe here; for digits or shoes they would not be.
    """
    return keras.Sequential(
        [
            keras.layers.RandomFlip(flips, seed=_check.seed(seed)),
            keras.layers.RandomRotation(rotation, fill_mode="reflect", seed=seed + 1),
        ],
        name="augmentation",
    )
