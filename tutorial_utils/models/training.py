"""The two-phase recipe: a head on the frozen base, then the base itself at a small rate."""

import functools

import keras
import numpy as np
import pandas
import tensorflow as tf
import tqdm.auto
import tqdm.keras

from .. import _check
from ..data import pipeline
from . import checkpoints, features, freezing, heads

STEPS = 100  # of fine-tuning, at least
SOFTER = 3.0  # by this the logits of a head on all layers are divided before the base learns to serve it
BAR = functools.partial(tqdm.auto.trange, desc="epochs")


def train_frozen(backbone, train, validation, image_size, head="logistic", layers="last", epochs=20, seed=0):
    """Phase 1: return (model, history): a head on the frozen base; the base sees each photo once (chapter 3).

    backbone : from backbones.get; train, validation : photos tables
    head : "logistic" (logistic regression, fitted by scikit-learn) or "dense" (Dense(128), trained for `epochs`)
    layers : "last", or "all": a logistic head that listens to every block. It learns from a corrupted copy of each
        training photo too, so that noise, blur and JPEG marks do not mislead it (benchmarks/robustness.csv)
    Returns the joined model, pixels to probabilities, and a DataFrame with one row an epoch
    (`accuracy`, `loss`, `val_accuracy`, `val_loss`); one row for the logistic head.
    """
    _check.choice("head", head, ("logistic", "dense"))
    if layers == "all" and head != "logistic":
        raise ValueError(f"With layers='all' the head is logistic; got head={head!r}. Give layers='last' for that one.")
    freezing.freeze(backbone.base)
    kept = dict(backbone=backbone, image_size=image_size, layers=layers, seed=seed)
    tables = [(features.stored(each, **kept), pipeline.labels(each)) for each in (train, validation)]
    classes = len(train["label"].cat.categories)
    if head == "dense":
        tables = [(rows[:], labels) for rows, labels in tables]
        model = heads.dense_head(tables[0][0].shape[1], classes, seed=seed)
        history = train_head(model, *tables, epochs=epochs, seed=seed)
    else:
        if layers == "all":
            both = [tables[0][0], features.stored(train, corrupted=True, **kept)]
            model, _ = heads.all_layers_head(both, train, features.block_sizes(backbone), seed)
        else:
            model = heads.logistic_head(tables[0][0][:], tables[0][1], classes)
        history = pandas.DataFrame([_scores(_learner(model, 1e-3), tables)])
    return heads.build_classifier(backbone, model, image_size, layers), history


def train_head(head, train, validation, epochs=20, learning_rate=1e-3, seed=0, rounds=BAR):
    """Train a head on stored features; keep the epoch with the lowest validation loss; return the history, as `fit`.

    train, validation : (features, labels), float (photos, channels) and int (photos,)
    rounds : function from `epochs` to their numbers 0, 1, ..., which may end early; `range` shows no progress bar
    AdamW on batches of 32 photos. What epoch number n draws at random depends on the seed and on n alone.
    """
    best, draws = BestEpoch(), checkpoints.SameDraws(seed=_check.seed(seed))
    draws.set_model(head)
    best.set_model(head)
    epoch = _epoch(_learner(head, learning_rate), train, validation)
    try:
        best.on_epoch_end(0, epoch([]))
        for number in rounds(epochs):
            draws.on_epoch_begin(number)
            best.on_epoch_end(1 + number, epoch(pipeline.order(len(train[1]), seed, number)))
    finally:
        best.restore()
    return best.history()


def _epoch(learner, train, validation):
    """Return a function that trains a compiled model on rows of `train`, in their order, and returns its scores.

    The steps are Keras's own, but an epoch is a single call: there is so little to compute that `fit`, with any
    `steps_per_execution`, would spend most of its time between them. For no rows the scores are those of `validation`.
    """
    train, validation = ([tf.constant(x, tf.float32), tf.constant(y, tf.int64)] for x, y in (train, validation))
    _build(learner, train[1])

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int64)])  # traced once, for no rows and for all
    def run(rows):
        for first in tf.range(0, tf.size(rows), 32):
            learner.train_step([tf.gather(each, rows[first : first + 32]) for each in train])
        learned = learner.get_metrics_result()
        learner.reset_metrics()
        learner.test_step(validation)
        asked = learner.get_metrics_result()
        learner.reset_metrics()
        return learned, asked

    def call(rows):
        learned, asked = run(tf.constant(rows, tf.int64))
        row = {name: learned[name] for name in ("loss", "accuracy") if len(rows)}
        row |= {f"val_{name}": asked[name] for name in ("loss", "accuracy")}
        return {name: float(value) for name, value in row.items()}

    return call


def fine_tune(model, base, train, validation, epochs=None, learning_rate=3e-4, last=None, decay=True, **others):
    """Phase 2: let the base learn at a small rate, in place; return the history (chapter 4).

    model : joined model whose head is trained already, or its suffix (`fine_tune_stored`); base : its base. A head on
        all layers stays as it is, but softer, and the base learns to serve it (benchmarks/README.md): it weighs so many
        numbers that a step of the rate on each would throw the answers about, and it is so sure of the photos that it
        learned from that they would teach nothing more. Softer (its logits are divided by SOFTER), it answers the same
    train, validation : batches of (images, labels), as from pipeline.batches; validation None: the last epoch is kept.
        So once every choice is made, the validation photos may join the training photos
    epochs : None for what `epochs_for` says
    last : how many of the base's last layers learn, None for all; BatchNormalization never does
    decay : let the rate rise over the first fifth of the steps and then fall to 0 along half a cosine, else keep it
        constant; at its full height from the first step, it would undo much of what was borrowed
    others : `callbacks`, `run_dir`, `name` and `key` of `fit`; with a run_dir the training cannot be lost
    Uses AdamW. The model ends with the weights of the epoch that `BestEpoch` keeps, the state before the first epoch
    included (row 0 of the history); so too when it is interrupted.
    """
    steps = int(train.cardinality())  # an epoch
    if steps < 1:
        raise ValueError(
            f"train must tell how many batches an epoch has; its cardinality is {steps}. Take pipeline.batches, or "
            "give a tf.data.Dataset its number with tf.data.experimental.assert_cardinality."
        )
    epochs = epochs_for(steps) if epochs is None else epochs
    start_fine_tuning(model, base, _warm_up_and_decay(learning_rate, epochs * steps) if decay else learning_rate, last)
    return fit(model, train, validation, epochs, rule="accuracy" if validation is not None else "last", **others)


def start_fine_tuning(model, base, learning_rate=3e-4, last=None):
    """Say which weights of a model learn, and compile it: what `fine_tune` does before its first step; see there."""
    freezing.unfreeze(base, last)
    head = model.layers[-1]
    on_all_layers = head.input_shape[-1] == 2 * sum(maps.shape[-1] for maps in features.block_outputs(base))
    head.trainable = not on_all_layers
    if on_all_layers:
        head.set_weights([weights / SOFTER for weights in head.get_weights()])
    _compile(model, learning_rate)


def fine_tune_stored(
    backbone,
    head,
    train,
    validation,
    image_size,
    last=50,
    views=1,
    upright=False,
    epochs=None,
    learning_rate=3e-4,
    decay=True,
    seed=0,
    dtype="float32",
    **others,
):
    """Phase 2 for about the last `last` layers, on stored activations: the layers before them run once a photo.

    backbone, head : as for heads.build_classifier, which gives the whole model before and after; both change in place
    train, validation : photos tables; views : how many versions of each training photo are stored and drawn in
        turn, one an epoch: the photo as it is, then ones that are flipped and turned (mirrored only if `upright`)
    The other arguments are those of `fine_tune` and features.stored. Returns the history, as `fine_tune` does.
    """
    _check.integer("views", views, 1, 100)
    base = backbone.base
    name, last = freezing.nearest_cut(base, last)
    freezing.freeze(base)
    kept = dict(backbone=backbone, image_size=image_size, cut=name, seed=seed, dtype=dtype)
    versions = [features.stored(train, view=number or None, upright=upright, **kept) for number in range(views)]
    suffix = freezing.build_suffix_classifier(base, head, name)
    batches = features.batches(versions, pipeline.labels(train), batch_size(len(train)), shuffle=True, seed=seed)
    epochs = epochs or epochs_for(int(batches.cardinality()), fewest=8)  # they are cheap, and start from further back
    val_batches = features.batches([features.stored(validation, **kept)], pipeline.labels(validation))
    return fine_tune(suffix, base, batches, val_batches, epochs, learning_rate, last, decay, **others)


def epochs_for(steps, fewest=4):
    """Return how many epochs fine-tuning should take: `fewest`, or as many more as make STEPS steps.

    steps : steps an epoch, as len(batches) tells; fewest : epochs where photos are many. From a head on all layers
        four do what eight do from a head on the last (benchmarks/README.md)
    """
    return max(fewest, -(-STEPS // steps))


def augmented_batches(train, image_size, seed=0):
    """Return the batches that `fine_tune` should learn from: shuffled, flipped and turned, `batch_size` photos each.

    train : photos table; returns what pipeline.batches does
    """
    change = pipeline.augmentation(seed)
    return pipeline.batches(train, image_size, batch_size(len(train)), shuffle=True, augmentation=change, seed=seed)


def batch_size(photos):
    """Return how many photos a step of fine-tuning should learn from: 32 from 512 photos on, fewer below, at least 8.

    photos : how many there are to learn from. With few photos, batches of 32 would make too few steps; smaller ones
    make more of them in the same time (benchmarks/choices.csv).
    """
    return max(8, min(32, photos // 16))


def fit(model, train, validation, epochs, callbacks=(), rule="loss", run_dir=None, name="training", key=None):
    """Fit a compiled model and keep the epoch that `BestEpoch` chooses, with a progress bar.

    run_dir : a folder where the state of the training is kept after every epoch, under `name`. If it is killed, the
        same call goes on from there and ends as if nothing had happened, with the files of CSVLogger and
        ModelCheckpoint; a finished training is only read. If something that it depends on has changed, that is
        printed, and it starts anew (see checkpoints.Checkpoint)
    key : a text or dict for what Keras's get_config does not tell, such as what a function does; change it with them
    rule : how `BestEpoch` chooses: "loss", "accuracy" or "last", the only one that needs no validation photos
    Returns a DataFrame indexed by epoch; row 0 is the state before training (validation columns only); the column
    `kept` is True for the epoch whose weights the model ends with.
    """
    best, callbacks, kept, done = BestEpoch(validation, rule), list(callbacks), None, 0
    if run_dir is not None:
        about = checkpoints.describe(model, train, validation, callbacks, epochs=epochs, rule=rule)
        kept = checkpoints.Checkpoint(run_dir, name, about, key)
        done, epochs = kept.epochs, kept.epochs if kept.state.get("stopped") else epochs
        if kept.state.get("finished"):
            print(f"{name}: finished before, so it is only read.")
            kept.restore_best(best)
            best.set_model(model)
            best.restore()
            return best.history()
        if done:
            print(f"{name}: goes on after epoch {done}.")
    _build(model, train.element_spec[1])
    bar = tqdm.keras.TqdmCallback(verbose=0, desc="epochs", initial=done)
    keeper = [checkpoints.Keeper(kept, best, callbacks)] if kept else []
    try:
        model.fit(
            train,
            validation_data=validation,
            initial_epoch=done,
            epochs=epochs,
            shuffle=False,  # the batches come shuffled already
            verbose=0,
            callbacks=[checkpoints.SameDraws(train), best, *callbacks, bar, *keeper],
        )
    finally:
        best.restore()
    if kept:
        kept.finish(best)
    return best.history()


class BestEpoch(keras.callbacks.Callback):
    """Remember the weights of the best epoch on the validation photos, the start included.

    validation : batches of (images, labels), to score the start; None where it is noted as an epoch of its own
    rule : "loss", the lowest loss; or "accuracy", the latest epoch whose accuracy is at most a standard error below the
        highest. So few photos cannot tell such epochs apart, and in the latest the rate has fallen furthest; the loss
        would often keep the start, whose head is unsure where it errs, while fine-tuning makes more photos right and
        the model surer of all (benchmarks/epochs.csv; the one-standard-error rule: Hastie et al. 2009, section 7.10).
        "last" keeps the last epoch whose weights are numbers
    """

    def __init__(self, validation=None, rule="loss"):
        super().__init__()
        _check.choice("rule", rule, ("loss", "accuracy", "last"))
        self.validation = validation
        self.rule = rule
        self.photos = 0
        self.rows = []
        self.weights = None
        self.kept = None

    def on_train_begin(self, logs=None):
        """Score the model as it comes."""
        if self.validation is None:
            self._note({})
            return
        self.photos = sum(len(labels) for _, labels in self.validation)
        scores = self.model.evaluate(self.validation, verbose=0, return_dict=True)
        self._note({f"val_{name}": value for name, value in scores.items()})

    def on_epoch_end(self, epoch, logs=None):
        """Note the scores of the epoch that has ended."""
        self._note(dict(logs or {}))

    def _note(self, row):
        self.rows.append(row)
        if self._is_best():
            self.kept = len(self.rows) - 1
            self.weights = self.model.get_weights()

    def _is_best(self):
        loss = "loss" if self.rule == "last" else "val_loss"
        rows = [row for row in self.rows if np.isfinite(row.get(loss, 0))]  # a model of nan may be right often enough
        if not rows or rows[-1] is not self.rows[-1]:
            return False
        if self.rule == "last":
            return True
        if self.rule == "loss":
            return rows[-1]["val_loss"] <= min(row["val_loss"] for row in rows)
        best = max(row["val_accuracy"] for row in rows)
        return rows[-1]["val_accuracy"] >= best - (best * (1 - best) / self.photos) ** 0.5

    def restore(self):
        """Put the weights of the epoch to keep back."""
        if self.weights is not None:
            self.model.set_weights(self.weights)

    def history(self):
        """Return the scores as a DataFrame indexed by epoch; its column `kept` is True for one epoch."""
        table = pandas.DataFrame(self.rows).rename_axis("epoch")
        return table.assign(kept=table.index == self.kept)


def _warm_up_and_decay(learning_rate, steps):
    rising = max(1, steps // 5)
    return keras.optimizers.schedules.CosineDecay(
        learning_rate / 100, max(1, steps - rising), warmup_target=learning_rate, warmup_steps=rising
    )


def _compile(model, learning_rate):
    """Compile for integer labels; each call makes a new optimizer, so a changed `trainable` takes effect."""
    optimizer = keras.optimizers.AdamW(learning_rate)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])


def _build(model, labels):
    """Make the variables of a model's optimizer and metrics: Keras makes them in tracing a step, and traces it anew.

    labels : the labels of a batch, or a tf.TensorSpec of them
    """
    model.optimizer.build(model.trainable_variables)
    nothing = np.zeros((1, *labels.shape[1:]), labels.dtype.as_numpy_dtype)
    model.compute_metrics(None, nothing, np.zeros((1, *model.output_shape[1:]), "float32"))
    model.reset_metrics()


def _learner(head, learning_rate):
    """Return a compiled model that shares the head's layers; the head itself gets no optimizer to be saved with it."""
    learner = keras.Model(head.inputs, head.outputs)
    _compile(learner, learning_rate)
    return learner


def _scores(model, tables):
    """Return the losses and accuracies on stored features, (train, validation), as one row."""
    row = {}
    for prefix, (rows, labels) in zip(("", "val_"), tables, strict=True):
        scores = model.evaluate(features.batches([rows], labels), verbose=0, return_dict=True)
        row |= {prefix + name: value for name, value in scores.items()}
    return row
