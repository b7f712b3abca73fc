"""Which epoch of a fine-tuning should be kept: five rules on the same trainings.

    python -m benchmarks.epochs FOLDER ... [--seeds 3] [--photos-per-class 10 25]

Photos as in choices.py: a fifth of the drawn ones validates and lets the rule choose; photos that were not drawn, and
are not the test's, say what the choice was worth.
"""

import argparse

import keras
import numpy as np

from . import cells, choices

TRAININGS = {  # strategy and rate
    "all layers, 3e-4": ("all", 3e-4),
    "last 50, 1e-4": ("last", 1e-4),
    "last 50, 3e-4": ("last", 3e-4),
    "last 50, 1e-3": ("last", 1e-3),
}


def rules(history, n_val, loss_error):
    """Return {rule: epoch} for a history with `val_accuracy` and `val_loss`, row 0 the start.

    n_val : validation photos; loss_error : the standard error of the start's mean validation loss
    """
    loss, accuracy = (history[f"val_{name}"].to_numpy() for name in ("loss", "accuracy"))
    best = accuracy.max()
    error = np.sqrt(best * (1 - best) / n_val)
    later = np.arange(1, len(loss))
    return {
        "lowest loss": int(loss.argmin()),
        "loss within an error, latest": int(np.flatnonzero(loss <= loss.min() + loss_error)[-1]),
        "highest accuracy, then lowest loss": int(np.lexsort((loss, -accuracy))[0]),
        "accuracy within an error, latest": int(np.flatnonzero(accuracy >= best - error)[-1]),
        "last": int(later[-1]),
    }


def standard_error(model, batches):
    """Return the standard error of a classifier's mean cross-entropy over batches of (images, labels), in nats."""
    losses = [
        keras.losses.sparse_categorical_crossentropy(labels, model.predict_on_batch(images))
        for images, labels in batches
    ]
    losses = np.concatenate(losses)
    return losses.std() / len(losses) ** 0.5


class Weights(keras.callbacks.Callback):
    """Keep a model's weights after every epoch, the start included."""

    def __init__(self, joined):
        super().__init__()
        self._joined, self.kept = joined, []

    def on_train_begin(self, logs=None):
        """Keep the start."""
        self.kept.append(self._joined.get_weights())

    def on_epoch_end(self, epoch, logs=None):
        """Keep the epoch that has ended."""
        self.kept.append(self._joined.get_weights())


def measure(photos, set, image_size, photos_per_class, seed):
    """Train, and score what each rule keeps; return a list of rows."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.evaluation import metrics
    from tutorial_utils.models import backbones, training

    train, validation, asked = choices.draw(photos, photos_per_class, seed)
    backbone = backbones.get("efficientnet_lite0", fallback=None)
    borrowed, rows = backbone.base.get_weights(), []
    val_batches, ask_batches = (pipeline.batches(table, image_size) for table in (validation, asked))
    for name, (strategy, rate) in TRAININGS.items():
        keras.utils.set_random_seed(seed)
        backbone.base.set_weights(borrowed)
        model, _ = training.train_frozen(backbone, train, validation, image_size)
        error = standard_error(model, val_batches)
        weights = Weights(model)
        options = dict(learning_rate=rate, callbacks=[weights])
        if strategy == "all":
            batches = training.augmented_batches(train, image_size, seed)
            epochs = training.epochs_for(int(batches.cardinality()), fewest=8)
            history = training.fine_tune(model, backbone.base, batches, val_batches, epochs, **options)
        else:
            given = (backbone, model.layers[-1], train, validation, image_size)
            history = training.fine_tune_stored(*given, views=4, seed=seed, **options)
        scores = {}
        for rule, epoch in {"start": 0, **rules(history, len(validation), error)}.items():
            if epoch not in scores:
                model.set_weights(weights.kept[epoch])
                scores[epoch] = choices.score(metrics.predict(model, ask_batches), asked)
            rows.append({"training": name, "rule": rule, "epoch": epoch, "of": len(history) - 1} | scores[epoch])
    return rows


def main():
    """Measure what is not yet kept, and print what each rule's choice is worth, in %."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--photos-per-class", type=int, nargs="+", default=[25])
    cells.options(parser)
    arguments = parser.parse_args()
    table = cells.run("epochs", choices.grid(arguments), measure, arguments, "python -m benchmarks.epochs")
    for score in ("accuracy", "loss"):
        by = table.pivot_table(index=["training", "rule"], columns="set", values=score, sort=False)
        print(by.assign(mean=by.mean(axis=1)).round(3).to_string())


if __name__ == "__main__":
    main()
