# %% [markdown]
# # 5. Callbacks: watch over a training while it runs
#
# **You will**
#
# - let a training stop by itself when it no longer gets better, and keep its best weights,
# - save the best model to disk while the training runs,
# - lower the learning rate when progress stalls,
# - read all three on a real training curve.
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** chapters 1 to 3.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos a class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
full = False  # bool: a longer version of the chapter; this one has none yet
run_dir = "runs/05_callbacks"  # str: where this chapter leaves its results

# %%
import time

import keras
from tutorial_utils.course import run_folder

started = time.perf_counter()
parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, full=full, run_dir=run_dir)
run = run_folder.start(**parameters)
keras.utils.set_random_seed(seed)
# what we say of the course's own photos is asserted for the settings that we saw
as_told = dataset == "leaves" and photos_per_class is None and image_size == 128 and seed == 0
as_told = as_told and backbone in ("mobilenet_v2", "efficientnet_lite0")

# %%
from tutorial_utils.data import catalog, facts, pipeline, splits
from tutorial_utils.models import backbones, transfer
from tutorial_utils.models import features as feature_tools

photos = catalog.load(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.assign(photos, seed=seed, looked=facts.of(photos))
class_names = list(photos["label"].cat.categories)
train, validation, test = (splits.part(photos, name) for name in splits.NAMES)
borrowed = backbones.get(backbone)
x_train, y_train = feature_tools.stored(train, borrowed, image_size)[:], pipeline.labels(train)
x_val, y_val = feature_tools.stored(validation, borrowed, image_size)[:], pipeline.labels(validation)

# %% [markdown]
# The base is frozen, so its features are stored once, and a training of the head takes seconds. That lets us try
# things that would otherwise cost an afternoon.
#
# ## What happens without callbacks
#
# Sixty epochs, a fixed learning rate, and nobody watching:

# %%
import pandas
import tensorflow as tf


def train_head(learning_rate, epochs, callbacks=()):
    """Train a fresh Dense(128) head; return it with its history (epoch from 1)."""
    batches = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(len(x_train), seed=seed).batch(32)
    head = transfer.dense_head(x_train.shape[1], len(class_names), seed=seed)
    head.compile(keras.optimizers.Adam(learning_rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    record = head.fit(
        batches, validation_data=(x_val, y_val), epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks)
    ).history
    return head, pandas.DataFrame(record, index=pandas.RangeIndex(1, len(record["loss"]) + 1, name="epoch"))


unwatched_head, unwatched = train_head(learning_rate=1e-3, epochs=60)

# %%
from tutorial_utils.insight import plots

figure = plots.history(unwatched, title="Nobody watching: 60 epochs at a fixed rate")
plots.show(figure, "Loss and accuracy by epoch over 60 epochs without callbacks", run / "figures" / "unwatched.png")
best_epoch = int(unwatched["val_loss"].idxmin())
print(
    f"lowest validation loss: {unwatched['val_loss'].min():.3f} in epoch {best_epoch}; "
    f"in the last epoch: {unwatched['val_loss'].iloc[-1]:.3f}"
)

# %% [markdown]
# The training loss goes to nearly nothing; the validation loss turns and rises. `fit` returns the weights of the last
# epoch, whatever they are worth.

# %%
assert not as_told or unwatched["val_loss"].iloc[-1] > unwatched["val_loss"].min()

# %% [markdown]
# ## EarlyStopping: end it when it no longer gets better
#
# `EarlyStopping` waits for `patience` epochs without a new best and then ends the training. With
# `restore_best_weights=True` it puts back the weights of the best epoch; without, you keep the last and worst ones.
# How patient should it be? Move the slider over the run above:

# %%
from tutorial_utils.course import widgets

widgets.explore_patience(unwatched, start=5)

# %%
plots.show(*widgets.draw_patience(unwatched, 5), run / "figures" / "patience.png")

# %%
stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)
stopped_head, stopped = train_head(learning_rate=1e-3, epochs=60, callbacks=[stop])
kept = stopped_head.evaluate(x_val, y_val, verbose=0)
print(f"stopped after epoch {len(stopped)}; validation loss of the weights that were kept: {kept[0]:.3f}")

# %% [markdown]
# Same seed, same order of photos: the run is the one above, only shorter, and what it hands back is its best epoch.

# %%
import numpy as np

np.testing.assert_allclose(kept[0], stopped["val_loss"].min(), rtol=1e-4)
assert len(stopped) == widgets.stopping_epoch(unwatched["val_loss"].to_numpy(), 5)[0]

# %% [markdown]
# ## ModelCheckpoint: keep the best on disk
#
# A laptop goes to sleep, a kernel dies. `ModelCheckpoint` writes the model to a file whenever it is the best so far.
# The file ends in `.keras`, today's format; the `.h5` of older examples is a legacy.

# %%
checkpoint_path = run / "best_head.keras"
checkpoint = keras.callbacks.ModelCheckpoint(checkpoint_path, monitor="val_loss", save_best_only=True)
_, watched = train_head(learning_rate=1e-3, epochs=20, callbacks=[checkpoint])
from_disk = keras.models.load_model(checkpoint_path)
loss_from_disk, _ = from_disk.evaluate(x_val, y_val, verbose=0)
print(f"the file on disk: validation loss {loss_from_disk:.3f}; best epoch of the run: {watched['val_loss'].min():.3f}")
np.testing.assert_allclose(loss_from_disk, watched["val_loss"].min(), rtol=1e-4)

# %% [markdown]
# ## ReduceLROnPlateau: smaller steps when progress stalls
#
# The *learning rate* is the size of a step. Large steps come down fast and then jump about the valley; small ones
# settle. `ReduceLROnPlateau` starts large and cuts the rate, here to a fifth, whenever the validation loss has not
# improved for three epochs.

# %%
plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=3, min_lr=1e-6)
_, reduced = train_head(learning_rate=1e-3, epochs=30, callbacks=[plateau])
drops = int((reduced["learning_rate"].diff() < 0).sum())
print(
    f"the rate was lowered {drops} times, "
    f"from {reduced['learning_rate'].iloc[0]:.0e} to {reduced['learning_rate'].iloc[-1]:.0e}"
)
assert not as_told or drops > 0

# %%
import matplotlib.pyplot as plt

figure, (top, bottom) = plt.subplots(2, 1, figsize=(6.5, 4.6), sharex=True, layout="constrained")
top.plot(unwatched.index[:30], unwatched["val_loss"][:30], "--", color=plots.PALETTE["orange"], label="fixed rate")
top.plot(reduced.index, reduced["val_loss"], color=plots.PALETTE["blue"], label="ReduceLROnPlateau")
top.set(title="Smaller steps when progress stalls", ylabel="validation loss (nats)")
top.legend()
bottom.step(reduced.index, reduced["learning_rate"], where="mid", color=plots.PALETTE["blue"])
bottom.set(xlabel="epoch", ylabel="learning rate", yscale="log")
plots.show(
    figure,
    "Validation loss with a fixed and a reduced rate, and the reduced rate, by epoch",
    run / "figures" / "plateau.png",
)
print(
    f"validation loss after 30 epochs: {unwatched['val_loss'].iloc[29]:.3f} fixed, "
    f"{reduced['val_loss'].iloc[-1]:.3f} reduced"
)

# %% [markdown]
# ## All three together
#
# The usual set. EarlyStopping waits longer than ReduceLROnPlateau, so that a smaller rate gets its chance first.

# %%
together = [
    keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=3, min_lr=1e-6),
    keras.callbacks.EarlyStopping(monitor="val_loss", patience=8, restore_best_weights=True),
    keras.callbacks.ModelCheckpoint(checkpoint_path, monitor="val_loss", save_best_only=True),
]
head, history = train_head(learning_rate=1e-3, epochs=60, callbacks=together)
print(f"ended after {len(history)} of 60 epochs; lowest validation loss {history['val_loss'].min():.3f}")

# %%
figure = plots.history(history[["loss", "val_loss", "accuracy", "val_accuracy"]], title="All three callbacks")
plots.show(figure, "Loss and accuracy by epoch with all three callbacks", run / "figures" / "together.png")

# %% [markdown]
# ## Open the test set, once
#
# The head is joined to the base, and the test photos are scored: with the last epoch of the unwatched run beside it,
# to see what the callbacks were worth here.

# %%
from tutorial_utils.insight import metrics

model = transfer.join(borrowed, head, image_size)
y_test, probabilities = metrics.predict(model, pipeline.batches(test, image_size))
left_alone = transfer.join(borrowed, unwatched_head, image_size).predict(pipeline.batches(test, image_size), verbose=0)
score = metrics.accuracy(y_test, probabilities.argmax(axis=1), test["group"])
print(f"with callbacks: {score}")
print(f"left alone: {metrics.accuracy(y_test, left_alone.argmax(axis=1), test['group'])}")


# %%
def loss_of(p):
    """Return the mean cross-entropy of probabilities (photos, classes) on the test photos, in nats."""
    return float(np.mean(keras.losses.sparse_categorical_crossentropy(y_test, p)))


print(f"test loss: {loss_of(probabilities):.3f} with callbacks, {loss_of(left_alone):.3f} left alone")
assert not as_told or loss_of(probabilities) < loss_of(left_alone)

# %% [markdown]
# The accuracy of the two may be much the same. The loss is not: it also counts how sure the model is where it is
# wrong, and a head left alone for too long grows sure of everything.

# %% [markdown]
# ## Exercise
#
# **Predict.** `EarlyStopping(patience=3)` watches these validation losses, one an epoch:
# 0.9, 0.7, 0.8, 0.75, 0.72, 0.6. After which epoch does the training end?

# %% tags=["solution"]
# hint: Find the best epoch so far, and count three epochs without a better one.
last_epoch = 5

# %%
from tutorial_utils.course import exercises

answer = widgets.stopping_epoch([0.9, 0.7, 0.8, 0.75, 0.72, 0.6], patience=3)[0]
exercises.check(
    "The last epoch", last_epoch, answer, explain="It never sees the 0.6: the price of too little patience."
)

# %% [markdown]
# ## You have

# %%
summary = {
    "epochs": len(history),
    "rate_drops": drops,
    "n_test": score.n,
    "test_accuracy": score.value,
    "test_accuracy_low": score.low,
    "test_accuracy_high": score.high,
    "test_loss": loss_of(probabilities),
    "test_loss_left_alone": loss_of(left_alone),
    "seconds": round(time.perf_counter() - started, 1),
}
run_folder.finish(
    run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed, history=history, model=model
)
print(f"All three callbacks: {len(history)} of 60 epochs ran; epoch {int(history['val_loss'].idxmin())} was kept.")
print(f"Test loss {loss_of(probabilities):.3f} with callbacks, {loss_of(left_alone):.3f} without.")

# %% [markdown]
# **What next?** One number, the accuracy, has told us how good the models are. Chapter 6 looks behind it: which
# classes are mixed up, and which photos?
