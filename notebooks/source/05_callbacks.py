# %% [markdown]
# # 5. Callbacks: watch over a training while it runs
#
# **You will**
#
# - write a callback of your own, and draw the curves while a training runs,
# - let a training stop by itself when it no longer gets better, and keep its best weights,
# - lower the learning rate when progress stalls, and end a training whose loss is no longer a number,
# - compare runs in TensorBoard,
# - kill a training in the middle, on purpose, and go on where it was,
# - see each time what would have happened without.
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** chapters 1 to 3.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/05_callbacks"  # str: where this chapter leaves its results

# %%
import time

import keras
from tutorial_utils.course import run_folder

started = time.perf_counter()
parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)
keras.utils.set_random_seed(seed)
# what we say of the course's own photos is asserted for the settings that we saw
as_told = run_folder.as_told(parameters)

# %%
from tutorial_utils.data import catalog, image_stats, pipeline, splits
from tutorial_utils.models import backbones, features, heads

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
class_names = list(photos["label"].cat.categories)
train, validation, test = (splits.subset(photos, name) for name in splits.NAMES)
borrowed = backbones.get(backbone)
stored_train, y_train = features.stored(train, borrowed, image_size), pipeline.labels(train)
stored_val, y_val = features.stored(validation, borrowed, image_size), pipeline.labels(validation)
val_batches = features.batches([stored_val], y_val)
print(f"features: train {stored_train.shape}, validation {stored_val.shape}, {len(class_names)} classes")

# %% [markdown]
# The base is frozen, so its features are stored once, and a training of the head takes seconds. That lets us try
# things that would otherwise cost an afternoon. Every training of this chapter is a call of this function:

# %%
import pandas


def train_head(learning_rate, epochs, callbacks=(), optimizer=keras.optimizers.Adam, head=None):
    """Train a head, by default a fresh Dense(128) one; return it with its history (epoch from 1)."""
    if head is None:
        head = heads.dense_head(stored_train.shape[1], len(class_names), seed=seed)
    head.compile(optimizer(learning_rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    batches = features.batches([stored_train], y_train, shuffle=True, seed=seed)
    record = head.fit(
        batches, validation_data=val_batches, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks)
    ).history
    return head, pandas.DataFrame(record, index=pandas.RangeIndex(1, len(record["loss"]) + 1, name="epoch"))


# %% [markdown]
# ## What a callback is
#
# `fit` takes a list of **callbacks**: objects whose methods it calls at certain moments.
#
# | method | is called | and is given |
# | --- | --- | --- |
# | `on_train_begin`, `on_train_end` | once | |
# | `on_epoch_begin`, `on_epoch_end` | once an epoch | the epoch's number, from 0; at its end the scores, `logs` |
# | `on_train_batch_begin`, `on_train_batch_end` | once a batch | the batch's number; at its end the scores so far |
#
# Each callback also finds the model, as `self.model`. So it can look at everything, and change everything. A first
# one, from scratch: how far does each epoch move the weights?

# %%
import numpy as np


class Movement(keras.callbacks.Callback):
    """Note how far each epoch moves the weights: the length of the change, over all of them."""

    def on_train_begin(self, logs=None):
        self.lengths, self.before = [], self.model.get_weights()

    def on_epoch_end(self, epoch, logs=None):
        now = self.model.get_weights()
        squares = [((new - old) ** 2).sum() for new, old in zip(now, self.before, strict=True)]
        self.lengths.append(float(np.sqrt(sum(squares))))
        self.before = now


# %%
movement = Movement()
train_head(learning_rate=1e-3, epochs=8, callbacks=[movement])
print("the weights moved by", ", ".join(f"{length:.2f}" for length in movement.lengths))
assert len(movement.lengths) == 8
assert not as_told or movement.lengths[0] > movement.lengths[-1]

# %% [markdown]
# The first epoch moves them furthest, and then the steps get shorter. No score says this; ten lines do. We come back to
# it when the learning rate falls.
#
# ## Watch it while it runs
#
# The second callback of our own draws the curves after every epoch, into a widget that stands below the cell while
# the training runs:

# %%
import ipywidgets
from IPython.display import display
from tutorial_utils.evaluation import plots


class DrawEveryEpoch(keras.callbacks.Callback):
    """Draw the history so far into an HTML widget after every epoch, and note the seconds that it takes."""

    def __init__(self):
        super().__init__()
        self.view, self.rows, self.seconds = ipywidgets.HTML(), [], 0.0

    def on_epoch_end(self, epoch, logs=None):
        begun = time.perf_counter()
        self.rows.append(dict(logs))
        figure = plots.plot_history(pandas.DataFrame(self.rows))
        self.view.value = plots.as_html(figure, f"Loss and accuracy by epoch, up to epoch {epoch + 1}")
        self.seconds += time.perf_counter() - begun


# %%
drawing = DrawEveryEpoch()
display(drawing.view)
training_started = time.perf_counter()
train_head(learning_rate=1e-3, epochs=8, callbacks=[drawing])
training_seconds = time.perf_counter() - training_started
print(f"{training_seconds:.1f} s for 8 epochs, {drawing.seconds / training_seconds:.0%} of them spent on drawing")

# %% [markdown]
# It works, but look at what it costs: `fit` waits for every callback, and where an epoch is quick, drawing after each
# one can take longer than the training itself. `LivePlot` is the same idea with two remedies: it draws at most once a
# second, and it moves the lines of one figure in place of making a new one. When the training ends, the finished
# picture takes the widget's place, so that it is still there when the notebook is opened again.
#
# ## What happens without callbacks
#
# Sixty epochs, a fixed learning rate, and nobody who would stop it: the two callbacks only watch.

# %%
from tutorial_utils.widgets import callbacks

live_plot = callbacks.LivePlot("Nobody stops it: 60 epochs at a fixed rate", run / "figures" / "unwatched.png")
fixed_movement = Movement()
unwatched_head, unwatched = train_head(learning_rate=1e-3, epochs=60, callbacks=[live_plot, fixed_movement])

# %%
print(f"drawn {len(live_plot.drawings)} times, in {1000 * np.mean(live_plot.drawings):.0f} ms each")
best_epoch = int(unwatched["val_loss"].idxmin())
print(f"lowest validation loss: {unwatched['val_loss'].min():.3f} in epoch {best_epoch}")
print(f"validation loss in the last epoch: {unwatched['val_loss'].iloc[-1]:.3f}")
assert not as_told or unwatched["val_loss"].iloc[-1] > unwatched["val_loss"].min()

# %% [markdown]
# The training loss goes to nearly nothing; the validation loss turns and rises. `fit` returns the weights of the last
# epoch, whatever they are worth.
#
# ## EarlyStopping: end it when it no longer gets better
#
# `EarlyStopping` waits for `patience` epochs without a new best and then ends the training. With
# `restore_best_weights=True` it puts back the weights of the best epoch; without, you keep the last ones. How patient
# should it be? And how much better must an epoch be to count as a new best, its *minimum delta*?
#
# Both sliders ask the run above. Lower the patience until the training stops too early, before its best epoch. Then
# raise the minimum delta, and watch which epoch is kept: it need no longer be the lowest.

# %%
callbacks.explore_callbacks(unwatched, patience=5)

# %%
plots.show(*callbacks.draw_callbacks(unwatched, patience=5), run / "figures" / "patience.png")

# %%
stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)
stopped_head, stopped = train_head(learning_rate=1e-3, epochs=60, callbacks=[stop])
kept_loss, _ = stopped_head.evaluate(val_batches, verbose=0)
print(f"stopped after epoch {len(stopped)}; validation loss of the weights that were kept: {kept_loss:.3f}")

# %% [markdown]
# Same seed, same order of photos: the run is the one above, only shorter, and what it hands back is its best epoch.

# %%
np.testing.assert_allclose(stopped["val_loss"], unwatched["val_loss"][: len(stopped)], rtol=1e-4)
np.testing.assert_allclose(kept_loss, stopped["val_loss"].min(), rtol=1e-4)
assert len(stopped) == callbacks.stopping_epoch(unwatched["val_loss"].to_numpy(), 5)[0]

# %% [markdown]
# ## ModelCheckpoint: keep the best on disk
#
# `EarlyStopping` keeps the best weights in memory. `ModelCheckpoint` writes the model to a file whenever it is the best
# so far, so that the best epoch outlives the kernel. The file ends in `.keras`, today's format; the `.h5` of older
# examples is a legacy. Here it watches a run that goes on for too long:

# %%
checkpoint_path = run / "best_head.keras"
checkpoint = keras.callbacks.ModelCheckpoint(checkpoint_path, monitor="val_loss", save_best_only=True)
last_head, watched = train_head(learning_rate=1e-3, epochs=30, callbacks=[checkpoint])
in_memory, _ = last_head.evaluate(val_batches, verbose=0)
on_disk, _ = keras.models.load_model(checkpoint_path).evaluate(val_batches, verbose=0)
print(f"validation loss of what fit left in memory: {in_memory:.3f}; of the file on disk: {on_disk:.3f}")

# %%
np.testing.assert_allclose(on_disk, watched["val_loss"].min(), rtol=1e-4)
assert not as_told or on_disk < in_memory

# %% [markdown]
# The model in memory is that of the last epoch; the file holds the best one.
#
# ## ReduceLROnPlateau: smaller steps when progress stalls
#
# The *learning rate* is the size of a step. Large steps come down fast and then jump about the valley; small ones
# settle. `ReduceLROnPlateau` starts large and cuts the rate, here to a fifth, whenever the validation loss has not
# improved for three epochs.

# %%
plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=3, min_lr=1e-6)
movement = Movement()
_, reduced = train_head(learning_rate=1e-3, epochs=30, callbacks=[plateau, movement])
drops = int((reduced["learning_rate"].diff() < 0).sum())
first, last = reduced["learning_rate"].iloc[[0, -1]]
print(f"the rate was lowered {drops} times, from {first:.0e} to {last:.0e}")
assert not as_told or drops > 0

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(3, 1, figsize=(6.5, 6.4), sharex=True, layout="constrained")
reduced["movement"], unwatched["movement"] = movement.lengths, fixed_movement.lengths
for ax, column in zip(axes, ["val_loss", "movement", "learning_rate"], strict=True):
    if column in unwatched:
        ax.plot(unwatched.index[:30], unwatched[column][:30], "--", color=plots.PALETTE["orange"], label="fixed rate")
    ax.plot(reduced.index, reduced[column], color=plots.PALETTE["blue"], label="ReduceLROnPlateau")
    ax.grid(alpha=0.3)
axes[0].set(title="Smaller steps when progress stalls", ylabel="validation loss (nats)")
axes[0].legend()
axes[1].set(ylabel="movement of\nthe weights", yscale="log")
axes[2].set(xlabel="epoch", ylabel="learning rate", yscale="log")
axes[2].lines[0].set_drawstyle("steps-mid")
alt = "Validation loss, movement of the weights and learning rate by epoch, with a fixed and with a reduced rate"
plots.show(figure, alt, run / "figures" / "plateau.png")

# %%
compared = [unwatched.loc[30, "val_loss"], reduced.loc[30, "val_loss"]]
print("validation loss after 30 epochs: {:.3f} fixed, {:.3f} reduced".format(*compared))
moved = [unwatched.loc[30, "movement"], reduced.loc[30, "movement"]]
print("movement of the weights in epoch 30: {:.4f} fixed, {:.4f} reduced".format(*moved))
assert not as_told or (compared[1] < compared[0] and moved[1] < moved[0])

# %% [markdown]
# With every drop of the rate the weights move less, until they all but stand still: the training is held near the
# place where it was good, and does not go on to learn the training photos by heart.
#
# When would the rate drop, and would EarlyStopping leave it the time? Both callbacks again ask the run at the fixed
# rate. Make EarlyStopping less patient than ReduceLROnPlateau, and then more. Up to the first drop all this is just
# what would have happened. From there on (shaded) a lower rate would have changed the curve itself, so what is shown
# there is only what the callbacks would make of *this* curve; the run above is what really happened.

# %%
callbacks.explore_callbacks(unwatched, rate=1e-3, patience=8)

# %%
alone = callbacks.draw_callbacks(unwatched, patience=8, rate=1e-3)
plots.show(*alone, run / "figures" / "simulated.png")
rates = callbacks.reduced_rates(reduced["val_loss"], 1e-3, patience=3, factor=0.2)
np.testing.assert_allclose(rates, reduced["learning_rate"], rtol=1e-5)

# %% [markdown]
# The last cell holds the simulated rule against the real one: asked about the curve of the real run, it gives the rates
# that the real callback has set, epoch by epoch.
#
# ## TerminateOnNaN: end it when the loss is no longer a number
#
# What does a rate far too high do? Take the plain optimizer, SGD, and a rate of 1, a hundred times the usual one:

# %%
ruined_head, ruined = train_head(1.0, epochs=10, optimizer=keras.optimizers.SGD)
print("loss:", ", ".join(f"{loss:.2f}" for loss in ruined["loss"]))
print(f"loss of a model that calls all {len(class_names)} classes equally likely: {np.log(len(class_names)):.2f}")

# %%
active = []
for head in (stopped_head, ruined_head):
    hidden = keras.Model(head.inputs, head.layers[0].output).predict(val_batches, verbose=0)  # (photos, 128)
    active.append((hidden > 0).any(axis=0).mean())
print("units of the hidden layer that any validation photo wakes: {:.0%} in a good head, {:.0%} here".format(*active))
assert not as_told or (active[1] < 0.1 and abs(ruined["val_loss"].iloc[-1] - np.log(len(class_names))) < 0.5)

# %% [markdown]
# The first steps throw the weights so far that the units of the hidden layer fall silent, and a ReLU that is 0 for
# every photo learns nothing more. What is left is guessing. There is no error and no warning; only the curve tells.
#
# Now the same training once more, with one change in the head: `leaky_relu` in place of `relu`, whose units cannot fall
# silent. Everything else is as before: the weights at the start, the dropout, the rate, the order of the photos.


# %%
def leaky_head():
    """Return a fresh head like the others, but with leaky_relu in place of relu."""
    head = heads.dense_head(stored_train.shape[1], len(class_names), seed=seed)
    head.layers[0].activation = keras.activations.leaky_relu
    return head


wasted_head, wasted = train_head(1.0, epochs=10, optimizer=keras.optimizers.SGD, head=leaky_head())
print("loss:", ", ".join(f"{loss:.3g}" for loss in wasted["loss"]))

# %% [markdown]
# `nan`, *not a number*, is what a computer makes of infinity minus infinity. Whatever it touches becomes `nan` too:
# soon all of the weights, and no later step can mend them. `fit` does not mind, and goes on to the last epoch.

# %%
nan_share = np.mean([np.isnan(weights).mean() for weights in wasted_head.get_weights()])
print(f"{nan_share:.0%} of the weights are nan; {int(wasted['loss'].isna().sum())} of {len(wasted)} epochs were wasted")
assert not as_told or nan_share == 1

# %% [markdown]
# The same training with `TerminateOnNaN`, which looks at the loss after every batch:

# %%
watch = keras.callbacks.TerminateOnNaN()
_, ended = train_head(1.0, epochs=10, optimizer=keras.optimizers.SGD, head=leaky_head(), callbacks=[watch])
print(f"ended in epoch {len(ended)} of 10")
assert not as_told or len(ended) < len(wasted)
assert len(ended) == len(wasted) or not np.isfinite(ended["loss"].iloc[-1])

# %% [markdown]
# It saves the hours, not the model: the weights are lost by then. What is left is what another callback has kept. The
# remedy is a lower rate; with 0.01, what Keras takes for SGD if nobody says otherwise, the very same head learns:

# %%
_, mended = train_head(0.01, epochs=10, optimizer=keras.optimizers.SGD, head=leaky_head())
print("loss:", ", ".join(f"{loss:.2f}" for loss in mended["loss"]))
assert not as_told or mended["loss"].iloc[-1] < mended["loss"].iloc[0]

# %% [markdown]
# ## TensorBoard: compare runs
#
# The callback `TensorBoard` writes what a training reports into a folder, one folder a run. Three rates, ten epochs
# each:

# %%
import shutil

logs = run / "tensorboard"
shutil.rmtree(logs, ignore_errors=True)  # or curves of an earlier time would stand among these
by_rate = {}
for rate in (1e-4, 1e-3, 1e-1):
    board = keras.callbacks.TensorBoard(logs / f"rate_{rate:g}", write_graph=False)
    _, by_rate[rate] = train_head(rate, epochs=10, callbacks=[board])

# %% [markdown]
# To look at them, write `%load_ext tensorboard` and `%tensorboard --logdir` with the folder below into a cell, or
# `tensorboard --logdir` with the folder into a terminal, also while a training runs. The same numbers can be read
# back here:

# %%
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator


def read_back(folder, tag):
    """Return the values of one scalar that the callback TensorBoard has written, float (epochs,)."""
    events = event_accumulator.EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return np.array([tf.make_ndarray(event.tensor_proto) for event in events.Tensors(tag)])


print(logs)
for rate, table in by_rate.items():
    for column in ("loss", "accuracy", "val_loss", "val_accuracy"):
        part = "validation" if column.startswith("val_") else "train"
        values = read_back(logs / f"rate_{rate:g}" / part, f"epoch_{column.removeprefix('val_')}")
        np.testing.assert_allclose(values, table[column], rtol=1e-6)

# %% [markdown]
# The files hold what `history` holds, number for number. So the picture that TensorBoard draws of the validation loss
# can be drawn from them:

# %%
from_board = {rate: read_back(logs / f"rate_{rate:g}" / "validation", "epoch_loss") for rate in by_rate}
figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
for (rate, values), color in zip(from_board.items(), ["sky", "blue", "red"], strict=True):
    ax.plot(range(1, 11), values, "o-", color=plots.PALETTE[color], markersize=3, label=f"rate {rate:g}")
ax.set(title="Three learning rates, read back from TensorBoard's files")
ax.set(xlabel="epoch", ylabel="validation loss (nats)")
ax.grid(alpha=0.3)
ax.legend()
plots.show(figure, "Validation loss by epoch for three learning rates", run / "figures" / "tensorboard.png")

# %%
for rate, values in from_board.items():
    print(f"rate {rate:g}: lowest validation loss {values.min():.3f}, in epoch {values.argmin() + 1}")
assert not as_told or from_board[1e-1].min() > from_board[1e-3].min()

# %% [markdown]
# Three numbers would have said as much. The gain comes with many runs, and with long ones: they stand side by side,
# they can be watched from another room, and they are still there next week.
#
# ## A kill in the middle: CSVLogger and BackupAndRestore
#
# A laptop's battery runs empty; Colab takes its machine back. So let us kill a training, for real. It must be one
# in a process of its own, or this notebook would die with it. The folder below gets what it needs: the features, the
# head before training, and a callback that ends its own process in the middle of an epoch.

# %%
killed = run / "killed"
shutil.rmtree(killed, ignore_errors=True)  # an earlier time's trainings are finished and would not be killed again
killed.mkdir()
np.savez(killed / "features.npz", x=stored_train[:], y=y_train, x_val=stored_val[:], y_val=y_val)
fresh = heads.dense_head(stored_train.shape[1], len(class_names), seed=seed)
fresh.compile(keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
fresh.optimizer.build(fresh.trainable_variables)
fresh.save(killed / "head.keras")

ACCIDENT = """
import os
import keras

class Accident(keras.callbacks.Callback):
    only_watches = True  # it may end the training, but changes nothing in it; see "The course's own way"
    def __init__(self, fatal_epoch):  # from 1; 0 is never
        super().__init__()
        self.fatal_epoch = fatal_epoch
    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch + 1 == self.fatal_epoch
    def on_train_batch_end(self, batch, logs=None):
        if self.now:
            os.kill(os.getpid(), 9)  # SIGKILL: no program can catch it, nothing is tidied up
"""
_ = (killed / "accident.py").write_text(ACCIDENT)

# %% [markdown]
# Two callbacks are to save what can be saved. `CSVLogger` writes a line an epoch; with `append=True` it goes on in the
# same file. `BackupAndRestore` keeps the weights and the optimizer after every epoch; when `fit` is called again, it
# puts them back and goes on with the epoch that comes next.

# %%
KERAS_WAY = """
import pathlib, sys
import keras, numpy, tensorflow
from accident import Accident

here = pathlib.Path(__file__).parent
name, fatal_epoch, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = numpy.load(here / "features.npz")
keras.utils.set_random_seed(seed)
head = keras.models.load_model(here / "head.keras")
batches = tensorflow.data.Dataset.from_tensor_slices((data["x"], data["y"]))
batches = batches.shuffle(len(data["y"]), seed=seed).batch(32)
callbacks = [
    keras.callbacks.CSVLogger(here / f"{name}.csv", append=True),
    keras.callbacks.BackupAndRestore(here / f"{name}_backup"),
    Accident(fatal_epoch),
]
validation = (data["x_val"], data["y_val"])
head.fit(batches, validation_data=validation, epochs=12, shuffle=False, verbose=0, callbacks=callbacks)
"""
_ = (killed / "keras_way.py").write_text(KERAS_WAY)

# %%
import os
import subprocess
import sys


def start(script, *arguments):
    """Run a script of the folder in a process of its own; print what it says, return its exit code."""
    command = [sys.executable, str(killed / script), *map(str, arguments)]
    variables = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}  # two processes cannot share one graphics card's memory
    process = subprocess.run(command, env=variables, capture_output=True, encoding="utf-8", errors="replace")
    if process.returncode not in (0, 9, -9):
        raise RuntimeError(f"{script} failed:\n{process.stderr}")
    print(f"{script} {' '.join(command[2:])}: exit code {process.returncode}\n{process.stdout}", end="")
    return process.returncode


def log_of(name):
    """Return what CSVLogger has written, indexed by epoch from 1."""
    log = pandas.read_csv(killed / f"{name}.csv", index_col="epoch")
    return log.set_index(log.index + 1)


# %% [markdown]
# First a training that nobody disturbs, to compare with. Then the same one, killed in epoch 7 of 12:

# %%
start("keras_way.py", "unbroken", 0, seed)
code = start("keras_way.py", "broken", 7, seed)
assert abs(code) == 9  # killed by signal 9
assert (killed / "broken_backup").is_dir()  # what BackupAndRestore has kept
assert list(log_of("broken").index) == [1, 2, 3, 4, 5, 6]
log_of("broken").round(3)

# %% [markdown]
# The process is gone, in the middle of epoch 7, and the lines of the six epochs before are on disk. Without callbacks
# nothing at all would be left of them. The same command again, this time without an accident:

# %%
code = start("keras_way.py", "broken", 0, seed)
unbroken, broken = log_of("unbroken"), log_of("broken")
print("epochs in its log:", *broken.index)
assert code == 0
assert not (killed / "broken_backup").exists()  # removed at the end
assert list(broken.index) == list(range(1, 13))  # each epoch once
pandas.testing.assert_frame_equal(broken[:6], unbroken[:6])


# %%
def draw_kill(unbroken, broken, title, path):
    """Draw the validation losses of an unbroken and of a broken training by epoch."""
    figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    ax.plot(
        unbroken["val_loss"], "s--", color=plots.PALETTE["orange"], fillstyle="none", markersize=8, label="unbroken"
    )
    ax.plot(broken["val_loss"], "o-", color=plots.PALETTE["blue"], markersize=4, label="killed in epoch 7, run again")
    ax.axvline(6.5, color=plots.PALETTE["black"], linewidth=1, linestyle=":")
    ax.set(title=title, xlabel="epoch", ylabel="validation loss (nats)")
    ax.grid(alpha=0.3)
    ax.legend()
    plots.show(figure, f"{title}: validation loss by epoch, unbroken, and killed in epoch 7 and run again", path)


draw_kill(unbroken, broken, "BackupAndRestore", run / "figures" / "backup_and_restore.png")
difference = float((broken - unbroken).loc[7:, "val_loss"].abs().max())
ends = [table.loc[12, "val_loss"] for table in (unbroken, broken)]
print("validation loss in the last epoch: {:.4f} unbroken, {:.4f} broken".format(*ends))
print(f"largest difference after the kill: {difference:.4f}")

# %% tags=["hidden"]
assert not as_told or difference > 0

# %% [markdown]
# Six epochs are saved, and that is what counts. But the training does not end as the unbroken one did: the weights
# and the optimizer are put back, while what is drawn at random (the order of the photos, what dropout leaves out)
# begins anew, so that epoch 7 draws what epoch 1 had drawn. And when a training ends in peace, `BackupAndRestore`
# removes its folder, as the cell above asserts: the same command once more would train all over.
#
# ## The course's own way: a training that cannot be lost
#
# `training.fit`, which chapter 4 has used, takes a folder and a name, and then keeps the state of the training there
# after every epoch, in one file that is replaced whole. What epoch number 7 draws at random depends on the seed and
# on the 7 alone, so a training that goes on there draws what it would have drawn. The folder itself must outlive the
# kill: Colab's own disk goes with its machine, so there let `run_dir` be a folder on Google Drive, in chapter 4 too
# (`from google.colab import drive`, `drive.mount("/content/drive")`, then a path below `/content/drive/MyDrive`).
#
# A script again, in which one training is left alone and the next one is killed:

# %%
COURSE_WAY = """
import pathlib, sys
import keras, pandas
from accident import Accident
from tutorial_utils.data import pipeline, splits
from tutorial_utils.models import backbones, features, training

here = pathlib.Path(__file__).parent
fatal_epoch, seed, size, borrowed = *map(int, sys.argv[1:4]), backbones.get(sys.argv[4])
photos = pandas.read_pickle(here / "photos.pkl")
train, validation, _ = (splits.subset(photos, name) for name in splits.NAMES)
rows = [features.stored(table, borrowed, size, progress=False) for table in (train, validation)]
val_batches = features.batches([rows[1]], pipeline.labels(validation))

for name, fatal in {"left_alone": 0, "cut_off": fatal_epoch}.items():
    head = keras.models.load_model(here / "head.keras")
    batches = features.batches([rows[0]], pipeline.labels(train), shuffle=True, seed=seed)
    training.fit(head, batches, val_batches, epochs=12, callbacks=[Accident(fatal)], run_dir=here, name=name)
"""
_ = (killed / "course_way.py").write_text(COURSE_WAY)
photos.to_pickle(killed / "photos.pkl")

# %%
codes = [start("course_way.py", fatal_epoch, seed, image_size, borrowed.name) for fatal_epoch in (7, 0)]
assert abs(codes[0]) == 9
assert codes[1] == 0

# %% [markdown]
# The second time, the training that had come to its end was not run again, and the other one went on with epoch 7. A
# finished training is read, not trained; so this notebook can read both, by the call that the script makes:

# %%
from tutorial_utils.models import training

sys.path.append(str(killed))
from accident import Accident


def reopen(name, data_seed=seed):
    """Call training.fit as the script does; return the head and its history."""
    head = keras.models.load_model(killed / "head.keras")
    batches = features.batches([stored_train], y_train, shuffle=True, seed=data_seed)
    return head, training.fit(head, batches, val_batches, epochs=12, callbacks=[Accident(0)], run_dir=killed, name=name)


resumed, histories = zip(*(reopen(name) for name in ("left_alone", "cut_off")), strict=True)
draw_kill(*histories, "training.fit with a run_dir", run / "figures" / "run_dir.png")

# %%
pandas.testing.assert_frame_equal(*histories, check_exact=True)
for left_alone, cut_off in zip(*(head.get_weights() for head in resumed), strict=True):
    np.testing.assert_array_equal(left_alone, cut_off)
print(f"All scores of all epochs are equal, and so are all {resumed[0].count_params():,} weights: bit for bit")

# %% [markdown]
# Is it wise to go on where another training has stopped? Only if it is the same training. So what Keras and the course
# can say of it (the weights at the start, the settings of layers, loss, optimizer and callbacks, the photos, the seed)
# is kept beside its state, and a difference is named. Another seed for the order of the photos:

# %%
_, other = reopen("cut_off", data_seed=seed + 1)
assert (killed / "trainings" / "cut_off.before.npz").is_file()
assert not as_told or other["val_loss"].iloc[-1] != histories[1]["val_loss"].iloc[-1]

# %% [markdown]
# The old state is not lost: it is kept under another name until the next change. With the old seed again, it is found:

# %%
_, again = reopen("cut_off")
pandas.testing.assert_frame_equal(again, histories[1], check_exact=True)

# %% [markdown]
# What nobody can say of it is what a function of yours does, as a loss or as a schedule of rates, or a callback of
# yours. With one of these, the second start stops and asks for `key=`: a word or a dict that you change whenever you
# change them. A callback that has `only_watches = True`, as `Accident` does, is not asked about.

# %% [markdown]
# ## All together
#
# The usual set. EarlyStopping waits longer than ReduceLROnPlateau, so that a smaller rate gets its chance first. The
# best epoch and the state on disk are the work of `training.fit`. If you run this chapter again, you get this training
# back without waiting.

# %%
head = heads.dense_head(stored_train.shape[1], len(class_names), seed=seed)
head.compile(keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
batches = features.batches([stored_train], y_train, shuffle=True, seed=seed)
together = [
    keras.callbacks.TerminateOnNaN(),
    keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=3, min_lr=1e-6),
    keras.callbacks.EarlyStopping(monitor="val_loss", patience=8),
]
history = training.fit(head, batches, val_batches, epochs=60, callbacks=together, run_dir=run, name="head")
kept_epoch = int(history.index[history["kept"]][0])
print(f"ended after {len(history) - 1} of 60 epochs; kept: epoch {kept_epoch}")

# %%
figure = plots.plot_history(history, title="All together")
plots.show(figure, "Loss and accuracy by epoch with all callbacks", run / "figures" / "together.png")
np.testing.assert_allclose(head.evaluate(val_batches, verbose=0)[0], history["val_loss"].min(), rtol=1e-4)
assert not as_told or len(history) - 1 < 60

# %% [markdown]
# ## Open the test set, once
#
# The head is joined to the base, and the test photos are scored: with the last epoch of the unwatched run beside it,
# to see what the callbacks were worth here.

# %%
from tutorial_utils.evaluation import metrics

model = heads.build_classifier(borrowed, head, image_size)
y_test, probabilities = metrics.predict(model, pipeline.batches(test, image_size))
left_alone = heads.build_classifier(borrowed, unwatched_head, image_size).predict(
    pipeline.batches(test, image_size), verbose=0
)
score = metrics.accuracy(y_test, probabilities.argmax(axis=1), test["group"])
gain = metrics.paired_difference(y_test, probabilities.argmax(axis=1), left_alone.argmax(axis=1), test["group"])
print(f"with callbacks: {score}")
print(f"left alone: {metrics.accuracy(y_test, left_alone.argmax(axis=1), test['group'])}")
print(f"with callbacks against left alone, on the same photos: {gain}")


# %%
def loss_of(p):
    """Return the mean cross-entropy of probabilities (photos, classes) on the test photos, in nats."""
    return float(np.mean(keras.losses.sparse_categorical_crossentropy(y_test, p)))


print(f"test loss: {loss_of(probabilities):.3f} with callbacks, {loss_of(left_alone):.3f} left alone")
assert not as_told or loss_of(probabilities) < loss_of(left_alone)

# %% [markdown]
# What is monitored is what one gets. The callbacks watched the validation loss, and with them the test loss is the
# better one: it also counts how sure the model is where it is wrong, and a head left alone for too long grows sure of
# everything. The accuracy counts only which class comes first; it may be the same, or better in the head that was
# left alone. If that alone matters to you, monitor `val_accuracy`, a coarse measure where validation photos are few.

# %% [markdown]
# ## Exercises
#
# **1. Predict.** `EarlyStopping(patience=3)` watches these validation losses, one an epoch:
# 0.9, 0.7, 0.8, 0.75, 0.72, 0.6. After which epoch does the training end?

# %% tags=["solution"]
# hint: Find the best epoch so far, and count three epochs without a better one.
last_epoch = 5

# %%
from tutorial_utils.course import exercises

losses = [0.9, 0.7, 0.8, 0.75, 0.72, 0.6]
answer = callbacks.stopping_epoch(losses, patience=3)[0]
exercises.check(
    "The last epoch",
    last_epoch,
    answer,
    explain="It never sees the 0.6: the price of too little patience.",
    wrong=[
        (2, "That is the best epoch, the one that is kept. The training goes on for three more to be sure of it."),
        (3, "That is the first epoch without a new best. A patience of 3 waits for three of them."),
        (4, "That is the second epoch without a new best, or you count from 0, as Keras does. It waits for three."),
        (6, "To see the 0.6 of epoch 6 it must not give up at the third epoch without a new best: a patience of 4."),
    ],
)

# %% [markdown]
# **2. Predict, then change one thing.** The same losses, but `ReduceLROnPlateau(factor=0.1, patience=2)` watches them,
# and the rate starts at 0.01. What is the rate after the last epoch? And with `patience=1`? After each drop the
# callback waits anew.

# %% tags=["solution"]
# hint: Two epochs without a better loss are epochs 3 and 4. How many drops do you find if one epoch is enough?
rate_with_patience_2 = 0.001
rate_with_patience_1 = 0.00001


# %%
def final_rate(patience):
    """Hand the losses to a real ReduceLROnPlateau, one by one; return the rate that it leaves."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), loss="mse")
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.1, patience=patience)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
    return float(model.optimizer.learning_rate)


# %%
exercises.check(
    "The rate with patience 2",
    rate_with_patience_2,
    final_rate(2),
    tolerance=1e-8,
    explain="After the drop in epoch 4 only epoch 5 is without a new best.",
    wrong=[
        (0.01, "That would be no drop at all. Epochs 3 and 4 are both no better than epoch 2: two in a row."),
        (0.0001, "That would be two drops. After the first it counts anew: one epoch without, then a new best."),
    ],
)

# %%
exercises.check(
    "The rate with patience 1",
    rate_with_patience_1,
    final_rate(1),
    tolerance=1e-8,
    explain="A callback is an ordinary object: it can be tried without any training.",
    wrong=[
        (0.001, "That would be one drop. Epochs 3, 4 and 5 are all no better than epoch 2, and each is enough."),
        (0.0001, "That would be two drops. 0.75 is better than 0.8, but a new best must be better than epoch 2's 0.7."),
        (0.000001, "That would be four drops. There are three epochs without a new best: 3, 4 and 5."),
    ],
)

# %% [markdown]
# **3. Write.** A head that has learned its photos by heart has nothing more to learn. Write the condition, then predict
# from the picture of the unwatched run: in which epoch does a training with it end?


# %% tags=["solution"]
# hint: logs is a dict; the accuracy on the training photos is called "accuracy" and is a fraction.
def has_learned(logs):
    """Return True if at least 95 % of the training photos are right."""
    return logs["accuracy"] >= 0.95


# %%
class StopWhen(keras.callbacks.Callback):
    """End the training after the first epoch whose scores meet the condition (an unanswered one: at once)."""

    def __init__(self, condition):
        super().__init__()
        self.condition = condition

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = self.condition(logs) in (True, None)


_, short = train_head(learning_rate=1e-3, epochs=60, callbacks=[StopWhen(has_learned)])

# %%
answered = has_learned({"accuracy": 1.0}) is not None
reached = unwatched.index[unwatched["accuracy"] >= 0.95]
expected = int(reached[0]) if len(reached) else 60
told = f"It ends in epoch {expected}; the lowest validation loss was in epoch {best_epoch}."
exercises.check(
    "The epoch in which it ends",
    len(short) if answered else None,
    expected,
    explain=told,
    wrong=[
        (60, "It ran to the end: the condition was never met. The accuracy is a fraction: 95 % is 0.95, not 95."),
        (1, "It ended at once: the condition was met after the first epoch. Is it the right way round, at least 0.95?"),
    ],
)

# %% [markdown]
# {{quiz}}

# %% [markdown]
# ## You have

# %%
summary = {
    "epochs": len(history) - 1,
    "rate_drops": drops,
    "nan_epochs": int(wasted["loss"].isna().sum()),
    "largest_difference_after_kill": difference,
    "n_test": score.n,
    "test_accuracy": score.value,
    "test_accuracy_low": score.low,
    "test_accuracy_high": score.high,
    "test_accuracy_left_alone": float(np.mean(left_alone.argmax(axis=1) == y_test)),
    "test_loss": loss_of(probabilities),
    "test_loss_left_alone": loss_of(left_alone),
    "seconds": round(time.perf_counter() - started, 1),
}
written = run_folder.finish(
    run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed, history=history, model=model
)

# %%
print(f"Watched: epoch 1 moved the weights by {movement.lengths[0]:.2f}, epoch 30 by {movement.lengths[-1]:.4f}.")
print(f"Stopped and kept: {len(history) - 1} of 60 epochs ran; epoch {kept_epoch} was kept.")
wasted_epochs = summary["nan_epochs"]
print(
    f"A rate far too high: {wasted_epochs} of {len(wasted)} epochs wasted; with TerminateOnNaN only {len(ended)} ran."
)
best_rate = min(from_board, key=lambda rate: from_board[rate].min())
print(f"Compared in TensorBoard: of three rates, {best_rate:g} reached the lowest validation loss.")
print(f"Killed in epoch 7: validation loss off by up to {difference:.4f} with BackupAndRestore, by 0 with a run_dir.")
print(f"Test loss: {loss_of(probabilities):.3f} with callbacks, {loss_of(left_alone):.3f} without.")

# %% [markdown]
# **What next?** One number, the accuracy, has told us how good the models are. Chapter 6 looks behind it: which
# classes are mixed up, and which photos?
