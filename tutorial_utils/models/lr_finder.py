"""Find a learning rate: raise it step by step and watch the loss (Smith 2017)."""

import keras
import numpy as np
import pandas

from .. import _check

SMOOTHED = 0.9  # weight of the past in the running mean of the loss
DIVERGED = 3.0  # times the lowest loss so far, where the search ends


def find_learning_rate(model, batches, lowest=1e-6, highest=1e-1, steps=60):
    """Return a DataFrame, one row a step: `rate`, `loss` of that step's batch, `smoothed`; the model ends as it began.

    model : pixels, or stored activations, to probabilities; the layers that are to learn are unfrozen already. It is
        compiled here, so compile it again before training.
    batches : of (images, labels), as from pipeline.batches; drawn again from the start when they run out
    lowest, highest : the rate grows from the one to the other by the same factor each step, with AdamW
    steps : at least 10; the search ends sooner if the smoothed loss triples or is no longer a number
    Source: Smith, Cyclical learning rates for training neural networks (WACV 2017), section 3.3.
    """
    _check.integer("steps", steps, 10, 100_000)
    if not 0 < lowest < highest:
        raise ValueError(f"lowest and highest must be rates above 0, the first the smaller; got {lowest}, {highest}.")
    before, rows, running, best = model.get_weights(), [], 0.0, np.inf
    model.compile(optimizer=keras.optimizers.AdamW(lowest), loss="sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)  # else Keras traces a training step twice
    try:
        rates = np.geomspace(lowest, highest, steps)
        for number, (rate, (images, labels)) in enumerate(zip(rates, batches.repeat().take(steps), strict=True)):
            model.optimizer.learning_rate.assign(rate)
            model.reset_metrics()  # or Keras returns the mean over all steps so far
            loss = float(model.train_on_batch(images, labels, return_dict=True)["loss"])
            running = SMOOTHED * running + (1 - SMOOTHED) * loss
            smoothed = running / (1 - SMOOTHED ** (number + 1))
            rows.append((rate, loss, smoothed))
            best = min(best, smoothed)
            if not smoothed <= DIVERGED * best:  # also if it is no number
                break
    finally:
        model.set_weights(before)
    return pandas.DataFrame(rows, columns=["rate", "loss", "smoothed"])


def first_too_high(table, factor=1.5):
    """Return the first rate after the lowest smoothed loss where that loss is `factor` times as high, else None.

    table : from `find_learning_rate`. With a head that is good already, the loss hardly falls before it climbs. The
    rate of the fastest fall, which is the usual advice, is then mostly noise; the rate from which it climbs is not.
    """
    _check.columns(table, ["rate", "smoothed"])
    after = table.loc[table["smoothed"].idxmin() :]
    climbed = after[~(after["smoothed"] <= factor * table["smoothed"].min())]
    return float(climbed["rate"].iloc[0]) if len(climbed) else None
