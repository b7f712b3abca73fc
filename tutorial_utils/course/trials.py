"""What a minute of cheap trials tells of some photos, before anything is trained in earnest: the adviser's evidence."""

import time

import keras
import numpy as np
import sklearn.metrics

from ..data import pipeline, shortcuts
from ..data.images import sample
from ..evaluation import metrics
from ..models import features, freezing, heads, training
from . import checkup

MOST = 400  # photos that are tried out; more would take more than a minute
SIGNALS = ("photos_per_class", "classes", "frozen", "frozen_half", "distance", "all", "all_loss")


def run_trials(photos, backbone, image_size, seed=0, progress=True):
    """Return (signals, probabilities): what the trials found, and what the frozen base says of each photo.

    photos : photos table, every class in at least two groups; backbone : from backbones.get, unchanged afterwards
    signals : dict of floats. photos_per_class : their mean number. classes : how many there are. frozen, frozen_half :
        accuracy of a head on the frozen base, cross-validated by group, learning from four fifths and from half of the
        photos. distance : see there. all : by how much fine-tuning all layers changed the accuracy of photos held back
        (half of at most MOST), as a fraction; all_loss : their loss, in nats. seconds : what it took.
    probabilities : float (photos, classes), cross-validated
    Raises ValueError that names a class whose photos all belong to one group.
    """
    started = time.perf_counter()
    shortcuts.by_group(photos)  # raises for a class of one group, before anything is computed
    labels, rows = pipeline.labels(photos), features.stored(photos, backbone, image_size, progress=progress)[:]
    classes = len(photos["label"].cat.categories)
    said = checkup.cross_val_probabilities(photos, rows, seed)
    halves = [checkup.cross_val_probabilities(photos, rows, seed + each, folds=2) for each in range(3)]
    found = {"photos_per_class": len(photos) / classes, "classes": classes}
    found["frozen"] = _accuracy(labels, said)
    found["frozen_half"] = float(np.mean([_accuracy(labels, half) for half in halves]))
    found["distance"] = distance(photos, backbone, image_size, seed)
    few = photos if len(photos) <= MOST else sample(photos, max(2, MOST // classes), seed=seed)
    borrowed = backbone.base.get_weights()
    try:
        changes = []
        for learn, ask in _halves(few, seed):
            backbone.base.set_weights(borrowed)  # or the second half's base would know the photos it is asked about
            changes.append(_fine_tune(learn, ask, backbone, image_size, seed))
        found["all"], found["all_loss"] = (float(change) for change in np.mean(changes, axis=0))
    finally:
        backbone.base.set_weights(borrowed)
        freezing.freeze(backbone.base)
    return found | {"seconds": round(time.perf_counter() - started, 1)}, said


def distance(photos, backbone, image_size, seed=0, most=64):
    """Return how far photos are from those that the base knows: 0 and up, in standard deviations of its channels.

    The last BatchNormalization layer remembers the mean and the variance of each channel over the photos that the
    base learned from; the distance is the root mean square, over the channels, of how far the mean over these photos
    lies from that. NaN for a base without such a layer.
    """
    layers = [layer for layer in backbone.base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not layers:
        return float("nan")
    some = photos.sample(min(most, len(photos)), random_state=seed)
    before = keras.Model(backbone.base.inputs, layers[-1].input)
    means = [
        np.mean(before.predict_on_batch(backbone.preprocess(images)), axis=(1, 2))
        for images, _ in pipeline.batches(some, image_size)
    ]
    mean, variance = (keras.ops.convert_to_numpy(each) for each in (layers[-1].moving_mean, layers[-1].moving_variance))
    return float(np.sqrt(np.mean((np.concatenate(means).mean(axis=0) - mean) ** 2 / (variance + layers[-1].epsilon))))


def _accuracy(labels, probabilities):
    return float(sklearn.metrics.accuracy_score(labels, probabilities.argmax(axis=1)))


def _halves(photos, seed):
    """Yield (learn, ask), photos tables; at most 100 photos are tried out both ways round: one way would be chance."""
    parts = list(shortcuts.by_group(photos, 2, seed).split(photos, photos["label"], photos["group"]))
    for learn, ask in parts[: 1 if len(photos) > 100 else 2]:
        yield photos.iloc[learn].reset_index(drop=True), photos.iloc[ask].reset_index(drop=True)


def _fine_tune(learn, ask, backbone, image_size, seed):
    """Return by how much a short fine-tuning changes the accuracy and the loss of the photos that are asked about."""
    freezing.freeze(backbone.base)
    rows, asked_rows = (features.stored(each, backbone, image_size, progress=False)[:] for each in (learn, ask))
    head = heads.logistic_head(rows, pipeline.labels(learn), len(learn["label"].cat.categories))
    before = _scores(pipeline.labels(ask), head.predict(asked_rows, verbose=0))
    model = heads.build_classifier(backbone, head, image_size)
    batches = training.augmented_batches(learn, image_size, seed)
    epochs = max(4, -(-training.STEPS // 2 // int(batches.cardinality())))  # half of what the recipe takes
    history = training.fine_tune(model, backbone.base, batches, None, epochs)  # asked once, at its end
    change = _scores(*metrics.predict(model, pipeline.batches(ask, image_size))) - before
    if not np.isfinite(history["loss"].iloc[-1]):
        change[1] = np.nan  # it broke down, and the model is that of the last epoch before
    return change


def _scores(labels, probabilities):
    """Return (accuracy, mean cross-entropy in nats) as an array."""
    right = probabilities[np.arange(len(labels)), labels]
    return np.array([_accuracy(labels, probabilities), -np.log(right.clip(1e-7)).mean()])
