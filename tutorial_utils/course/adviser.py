"""Is fine-tuning worth its minutes? What it takes on this machine, and what it brought on other photos (chapter 4).

The rule is plain: a head on all layers first, then, where there are minutes for it, fine-tuning, and the validation
photos say which of the two to keep. An adviser that chose between strategies by cheap trials was no better than that
(benchmarks/README.md).
"""

import time
from typing import NamedTuple

import keras
import numpy as np
import pandas

from ..data import pipeline, splits
from ..evaluation import metrics
from ..evaluation.intervals import Interval
from ..models import features, freezing, heads, training
from . import benchmark_tables

CELL = ["set", "photos_per_class", "seed"]  # what one row for each strategy has in common
_STEPS = 3  # of training that are timed
_PASSES = 5  # forward passes that a step of fine-tuning takes as long as (benchmarks/README.md)


class Advice(NamedTuple):
    """What two ways to learn from some photos bring and cost."""

    accuracy: Interval  # of a head on all layers
    judged_by: str  # on which photos, in words
    gains: pandas.Series  # by how much fine-tuning changed that on each of the sets that were measured, as fractions
    head_minutes: float
    tuning_minutes: float
    photos_per_class: int  # that were learned from where the gains were measured

    def __str__(self):
        step = "If you have the minutes, do it, and let the validation photos decide which of the two to keep."
        if self.gains.mean() <= 0:
            step = "So with this many photos it is hardly worth its minutes."
        return (
            f"A head on all layers, {self.judged_by}: {self.accuracy}. It takes {_minutes(self.head_minutes)}. "
            f"{self.about_tuning()} {step}"
        )

    def about_tuning(self):
        """Return what fine-tuning would take and bring, in two sentences."""
        gains = 100 * self.gains
        return (
            f"Fine-tuning all layers from there takes about {_minutes(self.tuning_minutes)} more on this machine. On "
            f"{len(gains)} sets with {self.photos_per_class} photos a class it changed the share of right answers by "
            f"{gains.min():+.1f} to {gains.max():+.1f} points, {gains.mean():+.1f} on average."
        )


def advise(photos, backbone, image_size, seed=0, evidence=None, progress=True):
    """Return an Advice for a photos table, within about a minute on two processor cores.

    photos : those to learn from, training and validation; never the test photos
    backbone : from backbones.get; its weights are unchanged afterwards, and it is frozen
    evidence : a table like benchmarks/strategies.csv; None for that one
    Raises ValueError that names a class whose photos all belong to one group.
    """
    splits.group_k_fold(photos)  # raises for a class of one group, before anything is computed
    if evidence is None:
        evidence, _ = benchmark_tables.read_table("strategies")
    kept = dict(backbone=backbone, image_size=image_size, layers="all", seed=seed, progress=progress)
    blocks, started = features.block_sizes(backbone), time.perf_counter()
    tables = [features.stored(photos, **kept), features.stored(photos, corrupted=True, **kept)]
    head, _ = heads.all_layers_head(tables, photos, blocks, seed)
    head_minutes = (time.perf_counter() - started) / 60
    said = heads.cross_val_all_layers(photos, tables, blocks, seed)
    accuracy = metrics.accuracy(pipeline.labels(photos), said.argmax(axis=1), photos["group"])
    size, gains = gains_at(evidence, len(photos) / len(photos["label"].cat.categories))
    minutes = tuning_minutes(photos, backbone, head, image_size)
    return Advice(accuracy, "cross-validated by group", gains, head_minutes, minutes, size)


def gains_at(evidence, photos_per_class):
    """Return (size, gains): what fine-tuning changed on each set, at the size that comes nearest.

    evidence : a table like benchmarks/strategies.csv; photos_per_class : how many there are to learn from
    gains : Series by set: accuracy fine-tuned minus accuracy of the head that it started from, means over the seeds
    """
    wide = evidence.pivot_table(index=CELL, columns="strategy", values="accuracy")
    gains = (wide["tuned"] - wide["layers"]).dropna().groupby(level=["photos_per_class", "set"]).mean()
    sizes = gains.index.unique("photos_per_class")
    size = min(sizes, key=lambda each: abs(np.log(each / photos_per_class)))
    return int(size), gains.loc[size]


def tuning_minutes(photos, backbone, head, image_size):
    """Return how many minutes fine-tuning takes on this machine, from a few of its steps.

    photos : those to learn from and to validate on; head : on all layers. The base ends as it was, and frozen.
    """
    borrowed, rows = backbone.base.get_weights(), training.batch_size(len(photos))
    images = np.zeros((rows, image_size, image_size, 3), np.float32)
    model = heads.build_classifier(backbone, keras.models.clone_model(head), image_size, "all")
    try:
        training.start_fine_tuning(model, backbone.base)
        model.train_on_batch(images, np.zeros(rows))  # works the step out
        started = time.perf_counter()
        for _ in range(_STEPS):
            model.train_on_batch(images, np.zeros(rows))
    finally:
        backbone.base.set_weights(borrowed)
        freezing.freeze(backbone.base)
    steps = -(-len(photos) // rows)
    return (time.perf_counter() - started) / _STEPS * steps * training.epochs_for(steps) / 60


def estimate_minutes(photos, answers, image_size):
    """Return about how many minutes fine-tuning takes on this machine, from a forward pass: in a second.

    photos : those to learn from; answers : from features.answers of the model, called before, so that it is traced
    """
    rows = training.batch_size(len(photos))
    images = np.zeros((rows, image_size, image_size, 3), np.float32)
    started = time.perf_counter()
    for _ in range(_STEPS):
        answers([images])
    steps = -(-len(photos) // rows)
    return (time.perf_counter() - started) / _STEPS * _PASSES * steps * training.epochs_for(steps) / 60


def _minutes(number):
    return f"{60 * number:.0f} s" if number < 1.5 else f"{number:.0f} minutes"
