"""From the photos table to batches of pixels: read, batch, prefetch; the same order for the same seed."""

import hashlib

from .. import _check, _quiet
from .photos import FITS, read_photo

_quiet.import_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

VIEWS_VERSION = 1  # of the pixels that view returns; raise it when they change
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
    dataset = tf.data.Dataset.from_tensor_slices((photos["path"].to_numpy(str), labels(photos)))
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
    return steady(dataset.prefetch(2))


def steady(dataset):
    """Return a tf.data.Dataset whose epochs follow each other without a pause.

    tf.data tunes itself in a thread that sleeps in between, and an epoch does not end until it wakes; so it is off.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def labels(photos):
    """Return each photo's class, int32 (photos,): its place in `photos["label"].cat.categories`."""
    _check.columns(photos, ["label"])
    return photos["label"].cat.codes.to_numpy("int32")


def _reader(image_size, fit):
    """Return the function that reads one photo inside tf.data."""

    def read(path, label):
        image = tf.numpy_function(lambda name: read_photo(name.decode(), image_size, fit), [path], tf.uint8)
        return tf.ensure_shape(image, (image_size, image_size, 3)), label

    return read


def augmentation(seed=0, flips=("horizontal", "vertical"), quarter_turns=True):
    """Return Keras layers that flip and turn images at random; they act with training=True only (chapter 2).

    flips : modes of keras.layers.RandomFlip, a layer each; quarter_turns : turn squares by 0, 90, 180 or 270 degrees
    Every pixel keeps its value: nothing is blurred, no corner has to be made up. A leaf is the same leaf upside
    down, so all of this is safe here; for digits or shoes it would not be.
    """
    # Keras 3.15: the mode "horizontal_and_vertical" draws once, and so flips both ways or not at all
    layers = [keras.layers.RandomFlip(mode, seed=_check.seed(seed) + 1 + place) for place, mode in enumerate(flips)]
    return keras.Sequential([*layers, RandomTranspose(seed=seed)] if quarter_turns else layers, name="augmentation")


class RandomTranspose(keras.layers.Layer):
    """Mirror half of the images along their diagonal, drawn by `seed`; with flips, that makes every quarter turn.

    Takes and returns (batch, side, side, channels); acts with training=True only.
    """

    def __init__(self, seed=0, **options):
        super().__init__(**options)
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        """Return the images, half of them transposed if `training`."""
        if not training:
            return images
        drawn = keras.random.uniform((keras.ops.shape(images)[0], 1, 1, 1), seed=self.generator)
        return keras.ops.where(drawn < 0.5, keras.ops.transpose(images, (0, 2, 1, 3)), images)


def view(image, key):
    """Return a photo flipped and turned as `augmentation` does, drawn by `key` alone: for storing (chapter 4).

    image : uint8 (side, side, 3); key : str, the same key gives the same view
    Returns uint8 (side, side, 3), one of the eight ways to lay down a square.
    """
    draw = hashlib.sha256(key.encode()).digest()[0]
    image = image[:, ::-1] if draw & 1 else image
    image = image[::-1] if draw & 2 else image
    return image.transpose(1, 0, 2) if draw & 4 else image
