"""From the photos table to batches of pixels: read, batch, prefetch; the same order for the same seed."""

import hashlib
import json
import warnings

import numpy as np

from .. import _check, _quiet
from .catalog import fingerprint
from .images import read_image

_quiet.import_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

# Keras says so of every dataset that comes in batches, as it should
warnings.filterwarnings("ignore", message="`shuffle=True` was passed, but will be ignored")
VIEWS_VERSION = 1  # of the pixels that view returns; raise it when they change
_KEEP_BYTES = 2**28  # up to this many bytes of pixels, 1,780 photos of 224 px, are read once and kept in memory


def batches(photos, image_size, batch_size=32, shuffle=False, augmentation=None, seed=0):
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
    about = {"image_size": image_size, "augmentation": augmentation and _described(augmentation)}
    passes = Passes(len(photos), shuffle, seed, augmentation, lambda: {"photos": fingerprint(photos), **about})
    read, classes = _reader(photos["path"].to_numpy(str), image_size), tf.constant(labels(photos))

    def load(row):
        image = tf.ensure_shape(tf.numpy_function(read, [row], tf.uint8), (image_size, image_size, 3))
        return image, tf.gather(classes, row)

    dataset = passes.rows().map(load, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.batch(batch_size).map(lambda images, labels: (tf.cast(images, tf.float32), labels))
    if augmentation is not None:  # one call at a time: its random numbers come in a fixed order
        dataset = dataset.map(lambda images, labels: (augmentation(images, training=True), labels))
    return steady(dataset.prefetch(2), passes)


class Passes:
    """The passes through a dataset; what pass number n draws at random depends on the seed and on n alone.

    next : int, the number of the pass that comes next; set it, and the dataset goes on from there
    augmentation : None, or a Keras model whose random layers each pass starts afresh
    describe : function that returns a dict of plain values, what the batches depend on
    """

    def __init__(self, count, shuffle, seed, augmentation=None, describe=dict):
        self.count, self.shuffle, self.seed = count, shuffle, _check.seed(seed)
        self.variables = augmentation.variables if augmentation is not None else []
        self.describe, self.next = describe, 0

    def about(self):
        """Return a dict of plain values: what the batches depend on."""
        return {"shuffle": self.shuffle, "data_seed": self.seed, **self.describe()}

    def rows(self):
        """Return a tf.data.Dataset of the numbers of the rows, int64, in the order of each pass."""
        begun = tf.data.Dataset.range(1).flat_map(
            lambda _: tf.data.Dataset.from_tensor_slices(
                tf.ensure_shape(tf.numpy_function(self._begin, [], tf.int64), (self.count,))
            )
        )
        return begun.apply(tf.data.experimental.assert_cardinality(self.count))

    def _begin(self):
        number, self.next = self.next, self.next + 1
        restart_random_layers(self.variables, self.seed, number)
        return order(self.count, self.seed, number) if self.shuffle else np.arange(self.count)


def order(count, seed, number):
    """Return the rows 0 ... count - 1, int64 (count,), in the order of pass `number`."""
    return np.random.default_rng([seed, number]).permutation(count)


def restart_random_layers(variables, seed, number):
    """Let the random layers (flips, dropout) whose variables are among these draw what pass `number` draws."""
    rng = np.random.default_rng([seed, number, 1])
    for variable in variables:
        if variable.name == "seed_generator_state":
            variable.assign(rng.integers(2**31, size=2))


def steady(dataset, passes):
    """Return a tf.data.Dataset whose epochs follow each other without a pause, with the attribute `passes`.

    tf.data tunes itself in a thread that sleeps in between, and an epoch does not end until it wakes; so it is off.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = dataset.with_options(options)
    dataset.passes = passes
    return dataset


def labels(photos):
    """Return each photo's class, int32 (photos,): its place in `photos["label"].cat.categories`."""
    _check.columns(photos, ["label"])
    return photos["label"].cat.codes.to_numpy("int32")


def _reader(paths, image_size):
    """Return the function from a row's number to its pixels; they are kept in memory if all of them fit."""
    pixels, keep = {}, len(paths) * image_size**2 * 3 <= _KEEP_BYTES

    def read(row):
        row = int(row)
        if row in pixels:
            return pixels[row]
        image = read_image(str(paths[row]), image_size)
        if keep:
            pixels[row] = image
        return image

    return read


def _described(augmentation):
    """Return the settings of a Keras model, without the names that Keras numbers anew each time, as JSON."""
    return json.dumps([{**layer.get_config(), "name": ""} for layer in augmentation.layers], default=str)


def augmentation(seed=0, upright=False):
    """Return Keras layers that flip and turn images at random; they act with training=True only (chapter 2).

    upright : the photos have an up and a down, as shoes and digits do: they are mirrored only
    Else squares are turned by 0, 90, 180 or 270 degrees too: a leaf is the same leaf upside down. Every pixel keeps
    its value: nothing is blurred, no corner has to be made up.
    """
    # Keras 3.15: the mode "horizontal_and_vertical" draws once, and so flips both ways or not at all
    layers = [keras.layers.RandomFlip("horizontal", seed=_check.seed(seed) + 1)]
    if not upright:
        layers += [keras.layers.RandomFlip("vertical", seed=seed + 2), RandomTranspose(seed=seed)]
    return keras.Sequential(layers, name="augmentation")


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


def view(image, key, upright=False):
    """Return a photo flipped and turned as `augmentation` does, drawn by `key` alone: for storing (chapter 4).

    image : uint8 (side, side, 3); key : str, the same key gives the same view
    Returns uint8 (side, side, 3), one of the eight ways to lay down a square; of the two to mirror it, if `upright`.
    """
    draw = hashlib.sha256(key.encode()).digest()[0] & (1 if upright else 7)
    image = image[:, ::-1] if draw & 1 else image
    image = image[::-1] if draw & 2 else image
    return image.transpose(1, 0, 2) if draw & 4 else image
