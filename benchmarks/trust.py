"""What the benchmarks of trust share: sets split by group, and what a frozen or fine-tuned model makes of their photos.

The base is EfficientNet-Lite0 unless another is named.
"""

import functools
import pathlib
from typing import NamedTuple

import numpy as np


class Part(NamedTuple):
    """Photos of one split: features (photos, channels), labels and groups (photos,)."""

    features: np.ndarray
    labels: np.ndarray
    groups: np.ndarray


def options(parser):
    """Add what each of these benchmarks takes to an argparse parser."""
    parser.add_argument("folders", nargs="+", help="folders of class folders, or data sets' names")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--tuned", nargs="*", default=[], help="sets whose fine-tuned model is measured too")
    parser.add_argument("--tuned-seeds", type=int, default=1)


def cases(arguments):
    """Return a list of (model, where, seed) of the parsed arguments; model is "frozen" or "fine-tuned"."""
    named = {name(where): where for where in arguments.folders}
    found = [("frozen", where, seed) for where in arguments.folders for seed in range(arguments.seeds)]
    return found + [
        ("fine-tuned", named[each], seed) for each in arguments.tuned for seed in range(arguments.tuned_seeds)
    ]


def name(where):
    """Return what a table calls a set: its name, or that of its folder."""
    return pathlib.Path(where).name


@functools.cache
def table(where):
    """Return the photos table of a set, in which copies share a group."""
    from tutorial_utils.data import catalog, duplicates, image_stats

    photos = catalog.load_photos(where)
    stats = image_stats.compute_stats(photos, progress=False)
    return photos.assign(
        group=duplicates.merge_groups(photos["group"], duplicates.find_duplicates(stats, progress=False))
    )


@functools.cache
def split(where, seed):
    """Return (train, validation, test), photos tables: 70 / 10 / 20 by group, copies on one side."""
    from tutorial_utils.data import splits

    photos = table(where)
    assigned = splits.split(photos.assign(row=np.arange(len(photos))), seed=seed)
    return tuple(splits.subset(assigned, name) for name in splits.NAMES)


@functools.cache
def features(where, image_size, backbone):
    """Return the features of all photos of a set, from the frozen base, float32 (photos, channels)."""
    from tutorial_utils.models import backbones
    from tutorial_utils.models.features import stored

    photos, borrowed = table(where), backbones.get(backbone, fallback=None)
    return stored(photos, borrowed, image_size, progress=False)[:]


def frozen(where, seed, image_size, backbone="efficientnet_lite0"):
    """Return (train, validation, test), a Part each, with the features of the frozen base."""
    rows = features(where, image_size, backbone)
    return tuple(part(photos, rows[photos["row"]]) for photos in split(where, seed))


def part(photos, rows):
    """Return the Part of a photos table whose features are `rows`."""
    labels = photos["label"].cat.codes.to_numpy().astype(int)
    return Part(rows, labels, photos["group"].to_numpy(str))


def head(train):
    """Return (kernel, bias) of heads.logistic_head for a Part."""
    from tutorial_utils.models import heads

    solved = heads.logistic_head(train.features, train.labels, int(train.labels.max()) + 1)
    return [weights.astype(np.float64) for weights in solved.get_weights()]


def logits(solved, rows):
    """Return what a head makes of features before its softmax, float64 (photos, classes)."""
    kernel, bias = solved
    return rows.astype(np.float64) @ kernel + bias


def probabilities(scores):
    """Return the softmax of logits, float64 (photos, classes)."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def tuned(where, seed, image_size):
    """Return the model that training.fine_tune makes of a set from a head on the last layer; kept in the cache."""
    import keras

    from tutorial_utils import _files
    from tutorial_utils.data import pipeline
    from tutorial_utils.models import backbones, training

    path = _files.cache_folder() / "benchmarks" / f"tuned-{name(where)}-{image_size}-{seed}.keras"
    if path.is_file():
        return keras.models.load_model(path, compile=False)
    train, validation, _ = split(where, seed)
    borrowed = backbones.get("efficientnet_lite0", fallback=None)
    keras.utils.set_random_seed(seed)
    model, _ = training.train_frozen(borrowed, train, validation, image_size)
    batches = training.augmented_batches(train, image_size, seed)
    epochs = training.epochs_for(int(batches.cardinality()), fewest=8)
    training.fine_tune(model, borrowed.base, batches, pipeline.batches(validation, image_size), epochs)
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)
    return model


def asked(model, images):
    """Return what a model with a logistic head makes of images or batches: (features, logits), of its own base."""
    import keras

    pool = next(layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D))
    rows = keras.Model(model.inputs, pool.output).predict(images, verbose=0)
    return rows, logits(model.layers[-1].get_weights(), rows)
