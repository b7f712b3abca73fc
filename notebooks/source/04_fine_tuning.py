# %% [markdown]
# # 4. Fine-tuning: let the base itself learn a little
#
# **You will**
#
# - unfreeze the last layers of the base, and train them at a very low learning rate,
# - see the mistake that makes fine-tuning harm a model without any warning, and the one line that prevents it,
# - see which learning rates are too high for this network and these photos,
# - compare the usual recipe with a stronger one on the same photos,
# - know when fine-tuning is worth its time.
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** chapters 1 to 3.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos a class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
full = False  # bool: a longer version of the chapter; this one has none yet
run_dir = "runs/04_fine_tuning"  # str: where this chapter leaves its results

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
from tutorial_utils.data import photos as photo_tools

photos = catalog.load(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.assign(photos, seed=seed, looked=facts.of(photos))
class_names = list(photos["label"].cat.categories)
train, validation, test = (splits.part(photos, name) for name in splits.NAMES)
val_batches = pipeline.batches(validation, image_size)
print(f"{len(train)} train, {len(validation)} validation, {len(test)} test photos of {len(class_names)} classes")

# %% [markdown]
# ## Where chapter 3 ended
#
# `training.frozen` is chapter 3 in one call: a head on the frozen base. We use the closed head, logistic regression on
# the features. A head that knows nothing yet would send large, random corrections down into the base; fine-tuning
# starts from a head that is good already.

# %%
from tutorial_utils.insight import metrics
from tutorial_utils.models import backbones, training, transfer

borrowed = backbones.get(backbone)
frozen_started = time.perf_counter()
model, _ = training.frozen(borrowed, train, validation, image_size)
frozen_seconds = time.perf_counter() - frozen_started


def accuracy_on(each, batches, table):
    """Return the accuracy of a model with its interval, by group."""
    labels, probabilities = metrics.predict(each, batches)
    return metrics.accuracy(labels, probabilities.argmax(axis=1), table["group"])


val_scores = {"frozen": accuracy_on(model, val_batches, validation)}
print(f"frozen, validation: {val_scores['frozen']}")

# %% [markdown]
# ## How much to unfreeze?
#
# The first layers find edges and colors, which serve any photo. The last ones combine them into what ImageNet needed:
# dog faces, wheels, bottles. So it is the last layers that have most to learn for our photos. The slider shows what
# share of the base's weights learn if its last layers are unfrozen.

# %%
from tutorial_utils.course import widgets

widgets.explore_unfreezing(borrowed.base, start=50)

# %%
import matplotlib.pyplot as plt
from tutorial_utils.insight import plots

shares = widgets.learning_shares(borrowed.base)
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(100 * shares, color=plots.PALETTE["blue"])
ax.set(
    title=f"{borrowed.name}: the weights are in the last layers",
    xlabel="last layers unfrozen",
    ylabel="weights that learn (%)",
)
plots.show(
    figure,
    "Share of the weights that learn against the number of last layers unfrozen",
    run / "figures" / "unfreezing.png",
)

# %% [markdown]
# ## The usual recipe
#
# Unfreeze the last 50 layers (all, if there are fewer); train with a very low learning rate, 0.00001, so that what
# was borrowed is adjusted and not overwritten. Three details decide whether this works, and none of them gives a
# warning when it is missing: the flags are set layer by layer, *BatchNormalization* layers stay frozen, and the model
# is compiled **after** the flags have changed.

# %%
start = model.get_weights()
unfrozen = borrowed.base.layers[-50:]
borrowed.base.trainable = True
for layer in borrowed.base.layers:
    layer.trainable = layer in unfrozen and not isinstance(layer, keras.layers.BatchNormalization)

model.compile(optimizer=keras.optimizers.Adam(1e-5), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
train_batches = pipeline.batches(train, image_size, shuffle=True, seed=seed)
usual = training.fit(model, train_batches, val_batches, epochs=3, errors=1)  # errors: see the stronger recipe
val_scores["usual recipe"] = accuracy_on(model, val_batches, validation)
models = {"usual recipe": model.get_weights()}

# %%
figure = plots.history(usual, title="Last 50 layers, learning rate 0.00001")
plots.show(figure, "Loss and accuracy by epoch for the usual recipe", run / "figures" / "usual_recipe.png")
print(
    f"validation: {val_scores['frozen'].value:.1%} frozen, "
    f"{val_scores['usual recipe'].value:.1%} after the usual recipe"
)

# %% [markdown]
# ## The mistake that nobody is warned about: BatchNormalization
#
# Many networks hold **BatchNormalization** layers. Each keeps a running mean and variance of what passes through it,
# learned from more than a million photos. If such a layer is unfrozen, training replaces these statistics by those of
# our few photos, and everything behind it was tuned to the old ones.
#
# Calling the base with `training=False`, as the recipe does, is widely believed to prevent this. Does it? We take
# EfficientNet-Lite0, whose statistics are those of its original training, and unfreeze its last 50 layers twice:
# once with BatchNormalization among them, once without. Everything else is the same.

# %%
import numpy as np

side = 96  # small photos, so that this takes seconds
few = photo_tools.sample(train, 80, seed=seed)
few_batches = pipeline.batches(few, side, batch_size=16, shuffle=True, seed=seed)
few_in_order = pipeline.batches(few, side)


def tune_lite0(normalization_learns):
    """Fine-tune the last 50 layers; return its losses by epoch and how many BatchNorm layers moved, of how many."""
    keras.utils.set_random_seed(seed)
    lite0 = backbones.get("efficientnet_lite0")
    tuned, _ = training.frozen(lite0, few, validation, side)  # the base is called with training=False
    before = transfer.batch_norm_statistics(lite0.base)
    transfer.unfreeze(lite0.base, last=50)
    for layer in lite0.base.layers[-50:]:
        layer.trainable |= normalization_learns
    tuned.compile(optimizer=keras.optimizers.Adam(1e-5), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    tuned.optimizer.build(tuned.trainable_variables)  # or Keras would work out its training step twice
    losses = [tuned.evaluate(few_in_order, verbose=0)[0]]  # in use, not in training: nothing moves
    done = tuned.fit(few_batches, validation_data=few_in_order, epochs=2, shuffle=False, verbose=0)
    losses += done.history["val_loss"]
    after = transfer.batch_norm_statistics(lite0.base)
    moved = [not np.array_equal(old, new) for old, new in zip(before, after, strict=True)]
    return losses, sum(moved[::2]), len(moved[::2])


# %%
careless, moved_careless, layers = tune_lite0(normalization_learns=True)
careful, moved_careful, _ = tune_lite0(normalization_learns=False)
print(
    f"BatchNormalization layers whose statistics moved: {moved_careless} of {layers} careless, {moved_careful} careful"
)
assert layers > 0
assert moved_careless > 0  # training=False did not protect them
assert moved_careful == 0  # bit for bit the same

# %%
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for name, losses, color in [("BatchNorm learns", careless, "orange"), ("BatchNorm frozen", careful, "blue")]:
    ax.plot(range(3), losses, "o-", color=plots.PALETTE[color], label=name)
ax.set(
    title="EfficientNet-Lite0, last 50 layers, on the photos that it learns from",
    xlabel="epoch (0: before fine-tuning)",
    ylabel="loss (cross-entropy, nats)",
    xticks=range(3),
)
ax.legend()
plots.show(
    figure,
    "Loss on the training photos by epoch with BatchNormalization learning and frozen",
    run / "figures" / "batch_norm.png",
)
print(f"loss: {careful[0]:.3f} before; after 2 epochs {careless[-1]:.3f} careless, {careful[-1]:.3f} careful")

# %%
assert not as_told or careless[-1] > careless[0] > careful[-1]

# %% [markdown]
# Both models learned from these very photos, and both start as the same model. The careful one gets better at them.
# The careless one gets worse: its statistics have moved away from those that its weights were made for.
#
# The flag `training=False` did not protect the layers: `fit` overrides it from outside. Setting `trainable = False`
# on every BatchNormalization layer does. From here on, `transfer.unfreeze` takes care of it.

# %% [markdown]
# ## Which rate?
#
# The learning rate decides more than any other number, and there is a cheap way to look at it: take the frozen model,
# let all its layers learn, and raise the rate a little with every batch, from one far too low to one far too high.
# While the rate is too low, the loss stays about where it is. At last the steps become so large that they destroy what
# was borrowed, and it climbs. (The model gets its weights back afterwards.)

# %%
from tutorial_utils.models import rates

model.set_weights(start)
transfer.unfreeze(borrowed.base)
flipped = pipeline.batches(train, image_size, shuffle=True, augmentation=pipeline.augmentation(seed), seed=seed)
sweep = rates.find(model, flipped, lowest=1e-6, highest=1e-1, steps=40)
too_high = rates.too_high(sweep)

# %%
figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
ax.semilogx(sweep["rate"], sweep["loss"], ".", color=plots.PALETTE["sky"], label="one batch")
ax.semilogx(sweep["rate"], sweep["smoothed"], color=plots.PALETTE["blue"], label="running mean")
for rate, name, color in [(1e-5, "usual recipe", "green"), (3e-4, "stronger recipe", "orange")]:
    ax.axvline(rate, linestyle="--", color=plots.PALETTE[color], label=f"{name}, {rate:g}")
ax.set(title=f"{borrowed.name}: raising the rate", xlabel="learning rate", ylabel="loss (cross-entropy, nats)")
ax.legend(fontsize=8)
plots.show(figure, "Loss of each batch and its running mean against the learning rate", run / "figures" / "rates.png")

# %%
lowest = sweep.loc[sweep["smoothed"].idxmin()]
print(f"the running mean is lowest, {lowest['smoothed']:.2f}, at a rate of {lowest['rate']:.1e}")
print(f"rate at which it is half as high again: {f'{too_high:.1e}' if too_high else 'not reached'}")
assert not as_told or too_high > 3e-4

# %% [markdown]
# The picture names no best rate: every batch has other photos, and each step starts from where the one before ended.
# But it shows which rates are too high for this network and these photos; compare them with the two dashed lines.

# %% [markdown]
# ## A stronger recipe
#
# The usual recipe is timid. With BatchNormalization safe, **all** layers may learn, at a larger rate, on photos that
# are flipped and turned anew in every epoch, with the optimizer AdamW. The rate rises from almost nothing over the
# first fifth of the training (the *warm-up*: large steps at the start would undo much of what was borrowed) and then
# falls to zero along half a cosine. The validation photos decide which epoch is kept: the latest one whose loss is at
# most a standard error above the lowest. So few photos cannot tell such epochs apart, and in the latest the rate has
# fallen furthest.

# %%
model.set_weights(start)  # both recipes start from the same frozen model
augmented = pipeline.batches(train, image_size, shuffle=True, augmentation=pipeline.augmentation(seed), seed=seed)
tuning_started = time.perf_counter()
history = training.fine_tune(model, borrowed.base, augmented, val_batches, epochs=8)
tuning_seconds = time.perf_counter() - tuning_started
val_scores["stronger recipe"] = accuracy_on(model, val_batches, validation)
models["stronger recipe"] = model.get_weights()

# %%
figure = plots.history(history, title="All layers, AdamW, rate up to 0.0003 and down to 0, augmented photos")
plots.show(figure, "Loss and accuracy by epoch for the stronger recipe", run / "figures" / "stronger_recipe.png")
print(f"kept: epoch {history.index[history['kept']][0]}")
for name, score in val_scores.items():
    print(f"{name}, validation: {score}")

# %% [markdown]
# Epoch 0 is the frozen model. In the first epochs the score may drop: the base is being rearranged. If it does, it
# often comes back as the rate falls.
#
# The choice, by the loss on the validation photos: it counts how sure the model is of each photo, and so tells more
# from few photos than the accuracy does. Where two are level, the one that changes less:

# %%
models["frozen"] = start
histories = {"usual recipe": usual, "stronger recipe": history}
val_losses = {"frozen": usual["val_loss"].iloc[0]}
val_losses |= {name: table.loc[table["kept"], "val_loss"].item() for name, table in histories.items()}
for name, loss in val_losses.items():
    print(f"{name}, validation loss: {loss:.3f}")
chosen = min(val_losses, key=val_losses.get)
print(f"chosen: {chosen}")

# %% [markdown]
# ## Open the test set, once

# %%
test_batches = pipeline.batches(test, image_size)
predicted = {}
for name in ["frozen", "usual recipe", "stronger recipe"]:
    model.set_weights(models[name])
    y_test, probabilities = metrics.predict(model, test_batches)
    predicted[name] = probabilities.argmax(axis=1)
scores = {name: metrics.accuracy(y_test, guess, test["group"]) for name, guess in predicted.items()}
for name, score in scores.items():
    print(f"{name}: {score}")

# %%
gain = metrics.paired_difference(y_test, predicted[chosen], predicted["frozen"], test["group"])
axes = plots.intervals(list(scores), list(scores.values()), title="Test photos: frozen and fine-tuned")
plots.show(
    axes.figure,
    "Test accuracy with interval, frozen and after each of the two recipes",
    run / "figures" / "test_accuracy.png",
)
print(f"{chosen} against frozen, on the same photos: {gain}")

# %% [markdown]
# The last line compares the two models photo by photo, which is sharper than comparing two intervals: most photos are
# right in both. If its interval lies above zero, fine-tuning helped here, beyond the luck of this test set.

# %%
assert not as_told or scores["stronger recipe"].value > scores["frozen"].value

# %% [markdown]
# ## When is it worth it?
#
# Fine-tuning costs time, as the cell after the table says. As a rule of thumb:
#
# | your photos | little data (tens a class) | more data (hundreds a class) |
# | --- | --- | --- |
# | like ImageNet's (everyday things) | frozen base, new head | frozen first; fine-tuning may add a little |
# | unlike ImageNet's (lesions, solar cells) | frozen base, then try fine-tuning with care | fine-tune, all layers |
#
# It is a rule of thumb and no more. What counts is what the validation photos say, and you have just seen how to ask
# them.

# %%
print(f"stronger recipe: {tuning_seconds:.0f} s; features and closed head: {frozen_seconds:.0f} s")
print("(Features that an earlier chapter has stored are only read.)")

# %% [markdown]
# ## Exercise
#
# **Predict, then try.** A friend trains a model with `fit`, then sets `trainable = False` on a layer, and calls `fit`
# again without `compile` in between. Does that layer still change, `True` or `False`? The cell below the answer does
# just that with a tiny network.

# %% tags=["solution"]
# hint: The first `fit` builds the training step with its list of weights; the second uses it again.
friends_layer_changes = True

# %%
tiny = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(1)])
tiny.compile(optimizer="sgd", loss="mse")
x, y = np.ones((4, 2)), np.zeros((4, 1))
tiny.fit(x, y, verbose=0)  # a first phase of training
kernel = tiny.layers[0].get_weights()[0]
tiny.layers[0].trainable = False  # too late: not compiled again
tiny.fit(x, y, verbose=0)
changed = not np.array_equal(kernel, tiny.layers[0].get_weights()[0])
assert changed

# %%
from tutorial_utils.course import exercises

exercises.check(
    "Does the friend's layer change?",
    friends_layer_changes,
    changed,
    explain="Compile after every change of trainable.",
)

# %% [markdown]
# ## You have

# %%
model.set_weights(models[chosen])
best = scores[chosen]
summary = {
    "strategy": chosen,
    "n_test": best.n,
    "test_accuracy": best.value,
    "test_accuracy_low": best.low,
    "test_accuracy_high": best.high,
    "test_accuracy_frozen": scores["frozen"].value,
    "test_accuracy_usual": scores["usual recipe"].value,
    "test_accuracy_stronger": scores["stronger recipe"].value,
    "gain_over_frozen_low": gain.low,
    "gain_over_frozen_high": gain.high,
    "tuning_seconds": round(tuning_seconds, 1),
    "seconds": round(time.perf_counter() - started, 1),
}
run_folder.finish(
    run,
    parameters=parameters,
    metrics=summary,
    photos=photos,
    backbone=borrowed,
    history=histories.get(chosen),
    model=model,
)

# %%
print(f"{borrowed.name}, {chosen}: {best}")
print(f"frozen: {scores['frozen']}")

# %% [markdown]
# **What next?** Eight epochs, a rate that falls, one epoch kept: who decides that, and when? Chapter 5 is about
# callbacks, which watch over a training while it runs.
