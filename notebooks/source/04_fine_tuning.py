# %% [markdown]
# # 4. Fine-tuning: let the base itself learn a little
#
# **You will**
#
# - unfreeze the last layers of the base, and train them at a very low learning rate,
# - see three mistakes that give no warning, one that harms the model and two that do nothing, and what prevents each,
# - see which learning rates are too high for this network and these photos,
# - compare the usual recipe with a stronger one on the same photos,
# - look inside: which layers have changed, and what the network has forgotten,
# - see how the number of layers and the rate belong together,
# - know when fine-tuning is worth its time: for which photos, and for how many of them.
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** chapters 1 to 3.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
epochs = None  # int or None: of the stronger recipe; None: 4, or as many more as make a hundred steps
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/04_fine_tuning"  # str: where this chapter leaves its results

# %%
import time

import keras
from tutorial_utils.course import run_folder

started = time.perf_counter()
parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed, epochs=epochs)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)
keras.utils.set_random_seed(seed)
# what we say of the course's own photos is asserted for the settings that we saw
as_told = dataset == "leaves" and photos_per_class is epochs is None and image_size == 128 and seed == 0
as_told = as_told and backbone in ("mobilenet_v2", "efficientnet_lite0")

# %%
from tutorial_utils.data import catalog, image_stats, pipeline, splits

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
class_names = list(photos["label"].cat.categories)
train, validation, test = (splits.subset(photos, name) for name in splits.NAMES)
val_batches = pipeline.batches(validation, image_size)
print(f"{len(train)} train, {len(validation)} validation, {len(test)} test photos of {len(class_names)} classes")

# %% [markdown]
# ## Where chapter 3 ended
#
# `training.train_frozen` is chapter 3 in one call: a frozen base with a head on it, here the one on all layers. A head
# that knows nothing yet would send large, random corrections down into the base; fine-tuning starts from a head that is
# good already.

# %%
from tutorial_utils.evaluation import metrics
from tutorial_utils.models import backbones, freezing, heads, training

borrowed = backbones.get(backbone)
frozen_started = time.perf_counter()
model, _ = training.train_frozen(borrowed, train, validation, image_size, layers="all", seed=seed)
frozen_seconds = time.perf_counter() - frozen_started


def accuracy_on(each, batches, table):
    """Return the accuracy of a model with its interval, by group."""
    labels, probabilities = metrics.predict(each, batches)
    return metrics.accuracy(labels, probabilities.argmax(axis=1), table["group"])


val_scores = {"frozen": accuracy_on(model, val_batches, validation)}
print(f"frozen, validation: {val_scores['frozen']}")
start = model.get_weights()  # whatever this chapter tries starts from here

# %% [markdown]
# ## How much to unfreeze?
#
# The first layers find edges and colors, which serve any photo. The last ones combine them into what ImageNet needed:
# dog faces, wheels, bottles. So it is the last layers that have most to learn for our photos.
#
# The curve shows what share of the base's weights learn if its last layers are unfrozen. Move the slider, and look for
# the places where the curve climbs most: a few layers hold much of the network.

# %%
from tutorial_utils.widgets import fine_tuning

fine_tuning.explore_unfreezing(borrowed.base, start=50)

# %%
import matplotlib.pyplot as plt
from tutorial_utils.evaluation import plots

shares = fine_tuning.learning_shares(borrowed.base)
plots.show(*fine_tuning.draw_unfreezing(shares, 50), run / "figures" / "unfreezing.png")

# %% [markdown]
# ## The usual recipe
#
# Unfreeze the last 50 layers (all, if there are fewer); train with a very low learning rate, 0.00001, so that what
# was borrowed is adjusted and not overwritten. Three details decide whether this works, and none of them gives a
# warning when it is missing: the flags are set layer by layer, *BatchNormalization* layers stay frozen, and the model
# is compiled **after** the flags have changed.

# %%
unfrozen = borrowed.base.layers[-50:]
borrowed.base.trainable = True
for layer in borrowed.base.layers:
    layer.trainable = layer in unfrozen and not isinstance(layer, keras.layers.BatchNormalization)

model.compile(optimizer=keras.optimizers.Adam(1e-5), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
train_batches = pipeline.batches(train, image_size, shuffle=True, seed=seed)
# rule: see the stronger recipe; run_dir: if this is stopped, the same call goes on from there
usual = training.fit(model, train_batches, val_batches, epochs=2, rule="accuracy", run_dir=run, name="usual_recipe")
val_scores["usual recipe"] = accuracy_on(model, val_batches, validation)
models = {"frozen": start, "usual recipe": model.get_weights()}

# %%
figure = plots.plot_history(usual, title="Last 50 layers, learning rate 0.00001")
plots.show(figure, "Loss and accuracy by epoch for the usual recipe", run / "figures" / "usual_recipe.png")
print(
    f"validation: {val_scores['frozen'].value:.1%} frozen, "
    f"{val_scores['usual recipe'].value:.1%} after the usual recipe"
)

# %% [markdown]
# ## Three mistakes that give no warning
#
# **First: BatchNormalization learns.** Many networks hold **BatchNormalization** layers. Each keeps a running mean and
# variance of what passes through it, learned from more than a million photos. If such a layer is unfrozen, training
# replaces these statistics by those of our few photos, and everything behind it was tuned to the old ones.
#
# Calling the base with `training=False`, as the recipe does, is widely believed to prevent this. Does it? We take
# EfficientNet-Lite0, whose statistics are those of its original training, and unfreeze its last layers, about 50,
# twice: once with BatchNormalization among them, once without. Such a layer also has two weights a channel that
# training could change, a factor and an offset; both times these are held as they are, so that the statistics alone
# make the difference.
#
# The layers before those do not learn, so what they make of a photo is computed once and stored: chapter 3's trick, at
# an earlier place in the network. `freezing.nearest_cut` finds a place where everything passes through one layer's
# output.

# %%
import numpy as np
from tutorial_utils.models import features

side = 96  # small photos, so that this takes seconds
few = splits.sample_per_class(train, 40, seed=seed)
few_labels = pipeline.labels(few)


def last_part(last):
    """Return EfficientNet-Lite0, about its last layers with a head, how many these are, and what comes into them."""
    lite0 = backbones.get("efficientnet_lite0")
    head = heads.logistic_head(features.stored(few, lite0, side)[:], few_labels, len(class_names))
    cut, last = freezing.nearest_cut(lite0.base, last)
    activations = features.stored(few, lite0, side, cut=cut)  # (photos, h, w, channels)
    model = freezing.build_suffix_classifier(lite0.base, head, cut)  # calls the base with training=False
    return lite0, model, last, activations


# %%
lite0, part, last, activations = last_part(50)
untouched = part.get_weights()
in_order = features.batches([activations], few_labels)
normalizations = [layer for layer in lite0.base.layers[-last:] if isinstance(layer, keras.layers.BatchNormalization)]


# %%
def tune_lite0(statistics_move):
    """Fine-tune the last part from its start; return its losses by epoch and how many BatchNorm layers moved."""
    part.set_weights(untouched)
    before = freezing.batch_norm_statistics(lite0.base)
    freezing.unfreeze(lite0.base, last)
    for layer in normalizations:
        layer.trainable = statistics_move
        layer.gamma.trainable = layer.beta.trainable = False  # its factor and its offset
    part.compile(optimizer=keras.optimizers.Adam(1e-5), loss="sparse_categorical_crossentropy")
    part.optimizer.build(part.trainable_variables)  # or Keras would work out its training step twice
    batches = features.batches([activations], few_labels, batch_size=16, shuffle=True, seed=seed)
    losses = [part.evaluate(in_order, verbose=0)]  # in use, not in training: nothing moves
    losses += part.fit(batches, validation_data=in_order, epochs=2, shuffle=False, verbose=0).history["val_loss"]
    after = freezing.batch_norm_statistics(lite0.base)
    moved = [not np.array_equal(old, new) for old, new in zip(before, after, strict=True)]
    return losses, sum(moved[::2])


# %%
old_statistics = [layer.get_weights() for layer in normalizations]  # with factor and offset, which do not move
careless, moved_careless = tune_lite0(statistics_move=True)
for layer, old in zip(normalizations, old_statistics, strict=True):
    np.testing.assert_array_equal(layer.get_weights()[:2], old[:2])  # factor and offset
    layer.set_weights(old)
put_back = part.evaluate(in_order, verbose=0)  # the careless model, with the old statistics
careful, moved_careful = tune_lite0(statistics_move=False)

# %%
print(f"BatchNormalization layers among the last {last}: {len(normalizations)}")
print(f"layers whose statistics moved: {moved_careless} careless, {moved_careful} careful")
assert moved_careless > 0  # training=False did not protect them
assert moved_careful == 0  # bit for bit the same

# %%
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for name, losses, color in [("statistics move", careless, "orange"), ("statistics frozen", careful, "blue")]:
    ax.plot(range(3), losses, "o-", color=plots.PALETTE[color], label=name)
ax.plot(2, put_back, "D", color=plots.PALETTE["orange"], fillstyle="none", label="moved, then put back")
ax.set(
    title="EfficientNet-Lite0, last layers, on the photos that it learns from",
    xlabel="epoch (0: before fine-tuning)",
    ylabel="loss (cross-entropy, nats)",
    xticks=range(3),
)
ax.legend()
plots.show(
    figure,
    "Loss on the training photos by epoch, with the statistics of BatchNormalization moving and frozen",
    run / "figures" / "batch_norm.png",
)
print(f"loss: {careful[0]:.3f} before; after 2 epochs {careless[-1]:.3f} careless, {careful[-1]:.3f} careful")
print(f"loss of the careless model with the old statistics put back: {put_back:.3f}")

# %% tags=["hidden"]
assert not as_told or careless[-1] > careless[0] > careful[-1]
assert not as_told or put_back < careless[0]

# %% [markdown]
# Both models learned from these very photos, and both start as the same model. The careful one gets better at them.
# The careless one gets worse, and putting its old statistics back, without any other change, brings its loss below
# where it began: it is the statistics that have moved away from those that its weights were made for. (It has still
# learned less than the careful one: while it learned, each of these layers went by the mean and variance of every batch
# of 16 photos, and not by those that it goes by in use.)
#
# The flag `training=False` did not protect the layers: `fit` overrides it from outside. Setting `trainable = False`
# on every BatchNormalization layer does. From here on, `freezing.unfreeze` takes care of it.

# %% [markdown]
# **Second: `base.trainable = True`, when it is True already.** Somebody freezes a base layer by layer, trains a head,
# and then means to unfreeze the base with a single line. To see what that line does, we take one training step with the
# last few layers of the same network, and count the layers of the base that it has changed.

# %%
another, short_part, last_few, into_short = last_part(10)
x_few, y_few = into_short[:32], few_labels[:32]  # one batch: (32, h, w, channels) and (32,)
objective = "sparse_categorical_crossentropy"
short_start = short_part.get_weights()


def layers_moved():
    """Take one training step on that batch; return how many layers of the base it has changed."""
    short_part.set_weights(short_start)
    before = [layer.get_weights() for layer in another.base.layers]
    short_part.fit(x_few, y_few, verbose=0)
    after = [layer.get_weights() for layer in another.base.layers]
    pairs = zip(before, after, strict=True)
    return sum(any((old != new).any() for old, new in zip(*pair, strict=True)) for pair in pairs)


# %%
for layer in another.base.layers:
    layer.trainable = False  # frozen, one layer at a time
another.base.trainable = True  # "now let it learn"; but for the base as a whole it was True all along
short_part.compile(optimizer="adam", loss=objective)
moved_by_one_line = layers_moved()

freezing.unfreeze(another.base, last_few)  # sets every layer's flag, whatever it was before
short_part.compile(optimizer="adam", loss=objective)
moved_by_every_flag = layers_moved()
print(
    f"layers that moved: {moved_by_one_line} after the single line, {moved_by_every_flag} with every layer's flag set"
)
assert moved_by_one_line == 0 < moved_by_every_flag

# %% [markdown]
# The single line changed nothing. Keras hands a flag down to the layers only if it differs from the one that the base
# has. There was no error: a training like that goes on for hours, with a base that is still frozen.
#
# **Third: not compiled again.** `fit` works out its training step once, with the list of weights that learn at that
# time. The base is frozen, the head has learned, and the flags are set, this time all of them:

# %%
freezing.freeze(another.base)
short_part.compile(optimizer="adam", loss=objective)
layers_moved()  # first phase: the head learns

freezing.unfreeze(another.base, last_few)  # second phase, but not compiled again
moved_uncompiled = layers_moved()
short_part.compile(optimizer="adam", loss=objective)
moved_compiled = layers_moved()
print(f"layers that moved: {moved_uncompiled} before compiling again, {moved_compiled} after")
assert moved_uncompiled == 0 < moved_compiled

# %% [markdown]
# The flags said one thing, the training did another. So there is an order to keep: set the flags, then compile, then
# fit. And one check is worth more than all rules: after the first epoch, ask whether the layers that should learn have
# changed, and whether the others have not.

# %% [markdown]
# ## Which rate?
#
# The learning rate decides more than any other number, and there is a cheap way to look at it: take the frozen model,
# let all its layers learn, and raise the rate with every batch, from one far too low to one far too high. While the
# rate is too low, the loss stays about where it is. At last the steps become so large that they destroy what was
# borrowed, and it climbs. (The model gets its weights back afterwards.)

# %%
from tutorial_utils.models import lr_finder

model.set_weights(start)
freezing.unfreeze(borrowed.base)
flips = pipeline.augmentation(seed)
flipped = pipeline.batches(train, image_size, batch_size=16, shuffle=True, augmentation=flips, seed=seed)
sweep = lr_finder.find_learning_rate(model, flipped, lowest=1e-6, highest=1e-1, steps=30)
too_high = lr_finder.first_too_high(sweep)

# %%
figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
ax.semilogx(sweep["rate"], sweep["loss"], ".", color=plots.PALETTE["sky"], label="one batch")
ax.semilogx(sweep["rate"], sweep["smoothed"], color=plots.PALETTE["blue"], label="running mean")
for rate, name, color in [(1e-5, "usual recipe", "green"), (3e-4, "stronger recipe", "orange")]:
    ax.axvline(rate, linestyle="--", color=plots.PALETTE[color], label=f"{name}, {np.format_float_positional(rate)}")
if too_high:
    ax.axvline(too_high, linestyle=":", color=plots.PALETTE["red"], label="mean half as high again as its lowest")
ax.set(title=f"{borrowed.name}: raising the rate", xlabel="learning rate", ylabel="loss (cross-entropy, nats)")
ax.legend(fontsize=8, framealpha=1)
plots.show(figure, "Loss of each batch and its running mean against the learning rate", run / "figures" / "rates.png")

# %%
lowest = sweep.loc[sweep["smoothed"].idxmin()]
print(f"the running mean is lowest, {lowest['smoothed']:.2f}, at a rate of {lowest['rate']:.1e}")
print(f"rate at which it is half as high again: {f'{too_high:.1e}' if too_high else 'not reached'}")
print(f"from one batch to the next the rate grows {sweep['rate'].iloc[1] / sweep['rate'].iloc[0]:.2f}-fold")
assert not as_told or too_high > 3e-4

# %% [markdown]
# The picture names no best rate: every batch has other photos, and each step starts from where the one before ended.
# But it shows which rates are too high for this network and these photos. Mind that the loss lags behind the rate. A
# batch is scored before its own step, so what a dot shows was done at the rates to its left; and the running mean,
# nine tenths of which are its own past, answers some batches later still. So the dotted line is no rate to take: what
# is bearable ends somewhere to its left, and the rate of a training should lie well below it. Compare it with the two
# dashed lines.

# %% [markdown]
# ## A stronger recipe
#
# The usual recipe is timid. With BatchNormalization safe, **all** layers of the base may learn, at a larger rate, on
# photos that are flipped and turned anew in every epoch, with the optimizer AdamW. The rate rises from almost nothing
# over the first fifth of the training (the *warm-up*: large steps at the start would undo much of what was borrowed)
# and then falls to zero along half a cosine. The head does not learn: it weighs thousands of numbers, and a step on
# each of them at once would throw its answers about. But it is made less sure: its logits are divided by three. That
# changes no answer, and it leaves something to learn, for a head that is sure of every training photo already has no
# loss left to bring down. The validation photos decide which epoch is kept: the latest one whose accuracy is at most a
# standard error below the highest. So few photos cannot tell such epochs apart, and in the latest the rate has fallen
# furthest. It takes four epochs, or as many more as make a hundred steps; where photos are few, smaller batches.

# %%
model.set_weights(start)  # both recipes start from the same frozen model
augmented = training.augmented_batches(train, image_size, seed)  # shuffled, flipped and turned
ran = []  # the epochs that run now: none, if an earlier run of this chapter has trained this already
count = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ran.append(epoch))
count.only_watches = True  # it changes nothing in the training, so it may come and go
kept = dict(callbacks=[count], run_dir=run, name="stronger_recipe")
tuning_started = time.perf_counter()
history = training.fine_tune(model, borrowed.base, augmented, val_batches, epochs, **kept)
tuning_seconds = time.perf_counter() - tuning_started if len(ran) == len(history) - 1 else None
val_scores["stronger recipe"] = accuracy_on(model, val_batches, validation)
models["stronger recipe"] = model.get_weights()

# %%
figure = plots.plot_history(
    history, title="All layers, AdamW, rate up to 0.0003 and down to 0; dotted: the epoch that is kept"
)
for ax in figure.axes:
    ax.axvline(history.index[history["kept"]][0], color=plots.PALETTE["black"], linestyle=":", zorder=0)
plots.show(figure, "Loss and accuracy by epoch for the stronger recipe", run / "figures" / "stronger_recipe.png")
print(f"kept: epoch {history.index[history['kept']][0]}")
for name, score in val_scores.items():
    print(f"{name}, validation: {score}")

# %% [markdown]
# Epoch 0 is the frozen model. In the first epochs the score may drop: the base is being rearranged. If it does, it
# often comes back as the rate falls.

# %% [markdown]
# ## What has changed inside?
#
# The stronger recipe let all layers learn. Which did? We compare every layer with what it was before, from the first
# layer to the last, in two ways: how far one of its weights has moved, typically (the root of the mean square), and how
# much that is of its size.


# %%
def learned(weights):
    """Return {name: its weights in one row} of each layer of the base that may learn, from first to last."""
    model.set_weights(weights)
    return {
        layer.name: np.concatenate([weight.ravel() for weight in layer.get_weights()])
        for layer in borrowed.base.layers
        if layer.trainable_weights
    }


def typical(rows):
    """Return the root of the mean square of each layer's numbers (layers,)."""
    return np.array([np.sqrt(np.mean(row**2)) for row in rows])


freezing.unfreeze(borrowed.base)
after = {name: learned(models[name]) for name in ["usual recipe", "stronger recipe"]}
before = learned(start)
moves = {name: typical([rows[layer] - before[layer] for layer in before]) for name, rows in after.items()}
shares = {name: 100 * moved / typical(before.values()) for name, moved in moves.items()}  # %

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.4), layout="constrained")
for (name, moved), color, marker in zip(moves.items(), ["green", "orange"], ["^", "o"], strict=True):
    look = dict(marker=marker, markersize=4, linestyle="none", color=plots.PALETTE[color], label=name)
    left.plot(1 + np.arange(len(moved)), 1000 * moved, **look)
    right.plot(1 + np.arange(len(moved)), shares[name], **look)
left.set(title="How far a weight has moved", ylabel="typical change of a weight (thousandths)")
right.set(title="How much that is of its size", ylabel="relative change (%, log scale)")
for ax in (left, right):
    ax.set_xlabel("layers that may learn, from first to last")
if shares["stronger recipe"].any():
    right.set_yscale("log", nonpositive="mask")  # so a layer that has not changed is not drawn there
    right.yaxis.set_major_formatter("{x:g}")
left.legend(fontsize=8, loc="center left", bbox_to_anchor=(0, 0.3))
figure.suptitle(f"{borrowed.name}: before and after fine-tuning")
plots.show(figure, "Change of each layer, absolute and relative, for both recipes", run / "figures" / "changes.png")

# %%
moved, share = moves["stronger recipe"], shares["stronger recipe"]
third = max(1, len(moved) // 3)
print(f"typical change of a weight, by layer: {1000 * moved.min():.1f} to {1000 * moved.max():.1f} thousandths")
print(f"relative change: {np.median(share[:third]):.2f} % in the first third of the layers (median), ", end="")
print(f"{np.median(share[-third:]):.2f} % in the last third")
assert not as_told or (moved.max() < 3 * moved.min() and np.median(share[:third]) < np.median(share[-third:]))

# %%
early = [borrowed.base.get_layer(name) not in unfrozen for name in before]
assert not moves["usual recipe"][early].any()  # what was frozen has not moved
statistics = []
for weights in models.values():
    model.set_weights(weights)
    statistics.append(freezing.batch_norm_statistics(borrowed.base))
for old, usual_one, stronger_one in zip(*statistics, strict=True):  # nor have the statistics of any recipe
    np.testing.assert_array_equal(old, usual_one)
    np.testing.assert_array_equal(old, stronger_one)

# %% [markdown]
# It is often said that the first layers hardly change because edges serve any photo. The left panel says something
# else: in each layer a weight has moved about as far as in any other. Adam and AdamW divide each step by the size of
# the gradients, so nearly every weight moves at the same pace, needed or not. What differs is how large the weights
# were: where they are large, the same step is a smaller share of them. That is the right panel, and so the first third
# of the layers has changed less, in both networks of this course.
#
# The usual recipe left all but the last layers as they were, and neither recipe has moved a statistic of
# BatchNormalization: that is what the last cell asserts. Here are filters of the very first layer, before and after the
# stronger recipe:

# %%
first = next(iter(before))
model.set_weights(models["stronger recipe"])
filters = [borrowed.base.get_layer(first).get_weights()[0]]  # (height, width, 3, filters)
model.set_weights(start)
filters.insert(0, borrowed.base.get_layer(first).get_weights()[0])
shown = np.argsort(-np.abs(filters[0]).sum(axis=(0, 1, 2)))[:8]  # those with the largest weights
scale = max(np.abs(kernel[..., shown]).max() for kernel in filters)
pictures = [127.5 + 127.5 * kernel[..., number] / scale for kernel in filters for number in shown]
figure = plots.photo_grid(
    pictures, titles=["before"] * len(shown) + ["after"] * len(shown), columns=len(shown), size=1,
    title=f"{borrowed.name}: filters of the first layer",
)  # fmt: skip
plots.show(figure, "Filters of the first layer before and after fine-tuning", run / "figures" / "filters.png")
print(f"relative change of the first layer: {share[0]:.2f} %")
assert not as_told or share[0] < 1

# %% [markdown]
# On the course's leaves you will hardly find a difference: the edges and colors that this layer looks for are the same.
#
# Choose a layer in the chart below, by a click or with the arrow keys: next to it stands how far each of its weights
# has moved. Compare an early layer with a late one, and the two recipes with each other: is it the width of the curve
# that differs, or what share of the weights' size that is?

# %%
fine_tuning.explore_changes(before, after, shares, pictures)

# %% [markdown]
# ## What has been forgotten?
#
# The borrowed network once told 1,000 kinds of things apart. Fine-tuning asks for our classes only; nothing asks it to
# keep what it knew. EfficientNet-Lite0 comes with the head that made those 1,000 decisions, so we can look: let the
# careful model from above learn our classes at three rates, a tenth of the stronger recipe's, the recipe's, and ten
# times that. Then put the old head back, and ask whether it says of the validation photos what it said before.

# %%
from tutorial_utils.models.efficientnet_lite import imagenet_head

tried_rates = [3e-5, 3e-4, 3e-3]


def begin_again(part, weights, rate):
    """Put a compiled model and its optimizer back to their start, at another rate: to compile it again takes longer."""
    part.set_weights(weights)
    for variable in part.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))  # how many steps, and what Adam remembers of the gradients
    part.optimizer.learning_rate.assign(rate)


# %%
part.set_weights(untouched)
original = heads.build_classifier(
    lite0, imagenet_head(), side
)  # pixels to ImageNet's 1,000 classes; it shares part's layers
asked = pipeline.batches(validation, side)
_, said = metrics.predict(original, asked)  # (photos, 1000)
said_after = {}
for rate in tried_rates:
    begin_again(part, untouched, rate)
    learning = features.batches([activations], few_labels, batch_size=16, shuffle=True, seed=seed)
    part.fit(learning, epochs=3, shuffle=False, verbose=0)
    _, said_after[rate] = metrics.predict(original, asked)

# %%
same = {
    rate: metrics.accuracy(said.argmax(axis=1), new.argmax(axis=1), validation["group"])
    for rate, new in said_after.items()
}
axes = plots.plot_intervals(
    [np.format_float_positional(rate) for rate in same],
    list(same.values()),
    title="EfficientNet-Lite0's old answers, after fine-tuning",
)
axes.set(xlabel="validation photos with the same answer as before (%)", ylabel="learning rate", xlim=(-6, 106))
plots.show(
    axes.figure,
    "Share of photos with the same ImageNet answer as before, with interval, for three learning rates",
    run / "figures" / "forgetting.png",
)

# %%
for rate, new in said_after.items():
    first_five = np.argsort(-new, axis=1)[:, :5]
    still = (first_five == said.argmax(axis=1)[:, None]).any(axis=1).mean()
    print(f"rate {np.format_float_positional(rate)}: the old answer is still the first for ", end="")
    print(f"{same[rate].value:.0%}, and among the first five for {still:.0%}")
assert not as_told or same[3e-5].value > same[3e-4].value > same[3e-3].value

# %% [markdown]
# The larger the rate, the less is left. Nobody needs the old answers here, and so nobody looks. But they are a witness:
# what the network could tell apart before is what made it worth borrowing. It is a reason for small rates, and for
# starting each new training from the published weights, not from those of the last one.

# %% [markdown]
# ## How many layers, at which rate?
#
# Two numbers, and they belong together: how many of the last layers learn, and how fast. Here is a small map of both.
# Each cell is a training of two epochs on small photos, 96 pixels a side, from the frozen model for such photos: at its
# whole rate in the first epoch, at a fifth of it in the second. It learns from stored activations of each photo in two
# versions, as it is and flipped or turned, one an epoch. In the first row the head learns alone.

# %%
import pandas

mapped = splits.sample_per_class(train, 100, seed=seed)  # at most 100 a class, so that a large folder takes no longer
model.set_weights(start)
small_model, _ = training.train_frozen(borrowed, mapped, validation, side)  # on the same base
small_start = small_model.get_weights()
places = freezing.find_cuts(borrowed.base)  # {layer: layers after it}; a few networks have none
wanted = [min(last, len(borrowed.base.layers)) for last in (10, 75)]
depths = sorted({freezing.nearest_cut(borrowed.base, last)[1] for last in wanted}) if places else []
print(f"last layers that learn: none, {', '.join(map(str, depths)) or 'and no others: this base cannot be cut'}")


def part_and_batches(last):
    """Return the last layers of the base with the head as one model, and what it learns from and is asked about."""
    head = small_model.layers[-1]
    cut = freezing.nearest_cut(borrowed.base, last)[0] if last else None
    stored = dict(backbone=borrowed, image_size=side, cut=cut, seed=seed)
    versions = [features.stored(mapped, view=view, **stored) for view in (None, 1)]
    batches = features.batches(versions, pipeline.labels(mapped), batch_size=16, shuffle=True, seed=seed)
    asked = features.batches([features.stored(validation, **stored)], pipeline.labels(validation))
    whole_head = keras.Model(head.inputs, head.outputs)
    part = freezing.build_suffix_classifier(borrowed.base, head, cut) if last else whole_head
    return part, batches, asked


# %%
def losses_of(last):
    """Train from the frozen model at each rate; return {(last, rate): validation loss by epoch, from 0: frozen}."""
    small_model.set_weights(small_start)
    part, batches, asked = part_and_batches(last)
    freezing.unfreeze(borrowed.base, last)
    part.compile(optimizer=keras.optimizers.AdamW(), loss=objective, metrics=["accuracy"])
    part.optimizer.build(part.trainable_variables)
    fresh, found = part.get_weights(), {}
    for rate in tried_rates:
        begin_again(part, fresh, rate)
        steps = keras.callbacks.LearningRateScheduler(lambda epoch, rate=rate: rate * (1, 0.2)[epoch])
        kept = dict(run_dir=run, name=f"map_{last}_{rate:.0e}", key={"rate": rate, "then": 0.2})  # what `steps` does
        found[last, rate] = training.fit(part, batches, asked, 2, callbacks=[steps], **kept)["val_loss"]
    return found


curves = pandas.concat([pandas.DataFrame(losses_of(last)) for last in [0, *depths]], axis=1)
loss_map = curves.iloc[-1].unstack()  # after the second epoch
loss_map = loss_map.rename_axis("last layers that learn").rename_axis("rate", axis=1)

# %%
named = loss_map.rename(index={0: "none (head only)"}, columns=np.format_float_positional)
axes = plots.plot_value_map(
    named.rename_axis("learning rate at its height", axis=1),
    "validation loss (nats)",
    title=f"{borrowed.name}: validation loss after two epochs, photos of {side} pixels",
)
plots.show(
    axes.figure,
    "Heat map of the validation loss by number of layers that learn and learning rate",
    run / "figures" / "layers_and_rates.png",
)

# %%
small_model.set_weights(small_start)
small_val, y_val = features.stored(validation, borrowed, side)[:], pipeline.labels(validation)
probabilities = small_model.layers[-1].predict(small_val, verbose=0)
photo_losses = -np.log(probabilities[np.arange(len(y_val)), y_val].clip(1e-7))
standard_error = float(photo_losses.std() / len(photo_losses) ** 0.5)
guessing = float(np.log(len(class_names)))
print(f"frozen: {photo_losses.mean():.2f}, with a standard error of {standard_error:.2f}; guessing: {guessing:.2f}")
deepest = loss_map.index[-1]
best_cell = loss_map.stack().idxmin()
best_text = f"the last {best_cell[0]} layers" if best_cell[0] else "the head alone"
best_text += f" at a rate of {np.format_float_positional(best_cell[1])}"
print(f"lowest: {loss_map.min().min():.2f}, for {best_text}")
assert not as_told or best_cell == (deepest, 3e-4)
assert not as_told or loss_map.loc[deepest, 3e-4] < photo_losses.mean() - standard_error
assert not as_told or loss_map.loc[deepest, 3e-3] > photo_losses.mean() + standard_error
assert not as_told or loss_map.loc[[0, depths[0]], 3e-3].max() < loss_map.loc[deepest, 3e-3] - 0.1
assert not as_told or loss_map.loc[0].min() > photo_losses.mean() - standard_error

# %% [markdown]
# On the course's leaves the map says this. The head alone gets nowhere: in the first row no cell is clearly below the
# frozen model, whatever the rate. With most layers, the last row, there is something to win: at the middle rate it ends
# lowest of all, clearly below the frozen model. And there is something to lose: at the largest rate the same row ends
# clearly above where it began, and above the other rows. There, what was borrowed is overwritten; who has only few
# layers to move can do less harm with them. So the more layers learn, the more the rate matters. Take differences of
# less than the standard error for luck.
#
# Choose a cell, by a click or with the arrow keys: its epochs are drawn next to the map. Go along the last row: at
# which rate does the first epoch do harm, and does the second one, at a fifth of the rate, mend it?

# %%
fine_tuning.explore_grid(curves, standard_error)

# %%
plots.show(*fine_tuning.draw_cell(curves, standard_error, *best_cell), run / "figures" / "lowest_cell.png")

# %% [markdown]
# ## The choice
#
# Frozen, the usual recipe or the stronger one? The accuracy on the validation photos decides, by the rule that chose
# the epochs: what lies at most a standard error below the highest is level with it, and of those that are level we take
# the one that changes least. (A simple rule of our own: its standard error counts photos; where photos share plants,
# one that counts plants would be larger, and more would be level.)

# %%
histories = {"usual recipe": usual, "stronger recipe": history}
for name, score in val_scores.items():
    print(f"{name}, validation: {score.value:.1%}")
highest = max(score.value for score in val_scores.values())
limit = highest - (highest * (1 - highest) / len(validation)) ** 0.5
chosen = next(name for name, score in val_scores.items() if score.value >= limit)  # from least to most change
print(f"level with the highest from {limit:.1%} on; chosen: {chosen}")

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
other_one = "stronger recipe" if chosen == "frozen" else "frozen"  # frozen against itself would say nothing
gain = metrics.paired_difference(y_test, predicted[chosen], predicted[other_one], test["group"])
axes = plots.plot_intervals(list(scores), list(scores.values()), title="Test photos: frozen and fine-tuned")
plots.show(
    axes.figure,
    "Test accuracy with interval, frozen and after each of the two recipes",
    run / "figures" / "test_accuracy.png",
)
print(f"{chosen} against {other_one}, on the same photos: {gain}")

# %% [markdown]
# The last line compares two models photo by photo, which is sharper than comparing two intervals: most photos are right
# in both. It sets the choice beside the frozen model; if the frozen model is the choice, it stands beside the stronger
# recipe. If the interval lies above zero, the choice was the better one here, beyond the luck of this test set.

# %% tags=["hidden"]
assert not as_told or scores["stronger recipe"].value > scores["frozen"].value

# %% [markdown]
# ## Near and far
#
# Does fine-tuning help more where photos are unlike ImageNet's? Here is the answer of real photos: leaves of tomato
# plants, and photos of materials, gray and unlike any everyday photo, as those of solar cells in the light that they
# give off under current. At full size, with several splits of each set, that takes hours; so it was measured
# beforehand, with the stronger recipe. Each line is one split: how much more often the fine-tuned model was right than
# the frozen one, on the same test photos, with the interval of that difference.

# %%
from tutorial_utils.course import benchmark_tables

tuned, tuned_caption = benchmark_tables.read_table("tuned")
sets = list(tuned["set"].unique())
figure, ax = plt.subplots(figsize=(6.4, 1.3 + 0.9 * len(sets)), layout="constrained")
for place, name in enumerate(sets):
    value, low, high = 100 * tuned.loc[tuned["set"] == name, ["gain", "gain_low", "gain_high"]].to_numpy().T  # points
    rows = place + 0.13 * (np.arange(len(value)) - (len(value) - 1) / 2)  # a line for each split
    ax.errorbar(value, rows, xerr=[value - low, high - value], fmt="o", color=plots.PALETTE["blue"], capsize=3)
ax.axvline(0, color=plots.PALETTE["black"], linewidth=1)
ax.set_yticks(range(len(sets)), sets)
ax.set(ylim=(len(sets) - 0.5, -0.5), xlabel="right more often when fine-tuned (points)", ylabel="set")
sizes = [f"{name} at {size} pixels" for name, size in tuned[["backbone", "image_size"]].drop_duplicates().values]
ax.set_title(f"Fine-tuned against frozen, a line a split\n{', '.join(sizes)}\n{tuned_caption}", fontsize=11)
alt = "Difference between fine-tuned and frozen with interval, for several splits of sets near to ImageNet and far"
plots.show(figure, alt, run / "figures" / "near_and_far.png")

# %%
by_set = tuned.groupby("set", sort=False)
means = 100 * by_set[["frozen", "tuned", "gain"]].mean()  # % and points
means["splits"] = by_set.size()
means["intervals above zero"] = (tuned["gain_low"] > 0).groupby(tuned["set"]).sum()
assert means.loc["plantvillage_tomato", "gain"] > means.loc["solar_cells", "gain"]
means.style.format(precision=1).set_caption("Right (%), frozen and fine-tuned, and their difference in points")

# %% [markdown]
# An interval above zero says that fine-tuning helped in that split, beyond the luck of its test photos. (The splits of
# a set share its photos, so its lines tell less than as many sets would.) It is often said that the farther set gains
# more. How far a set is from ImageNet is one thing, and what there is to see in its photos that the frozen base does
# not see yet is another.

# %% [markdown]
# ## How many photos?
#
# Fine-tuning has far more weights to set than a head, so it should want more photos. That takes many trainings to
# measure: several sets, several numbers of photos a class, and for each of them several draws. The figure shows them,
# from a table that is kept with the course. The network from scratch gets its own size of photos, 96 pixels, on which a
# small network learns more in the same time.

# %%
table, caption = benchmark_tables.read_table("strategies")
table = table.dropna(subset="accuracy")
sizes = [f"{name} at {size} pixels" for name, size in table[["backbone", "image_size"]].drop_duplicates().values]
caption = f"{', '.join(sizes)}; from scratch at 96 pixels\n{caption}"

# %%
figure = plots.plot_by_photos(table, title=f"Accuracy by photos a class; bands: lowest to highest draw\n{caption}")
plots.show(
    figure,
    "Accuracy by photos a class, from scratch, of heads on frozen bases and fine-tuned, a panel for each set",
    run / "figures" / "photos_per_class.png",
)

# %% [markdown]
# Look for the number of photos from which the lines part, and whether the bands part too: where they overlap, another
# draw of photos could turn the order round.
#
# ## When is it worth it?
#
# The same table in numbers: by how many points is a base of which all layers were fine-tuned right more often than the
# head on all layers that it started from, on average over the draws? The lines below it say how much the draws differ.

# %%
wide = table.pivot_table(index=["set", "photos_per_class", "seed"], columns="strategy", values="accuracy")
more = 100 * (wide["tuned"] - wide["layers"]).dropna()  # points, draw by draw
means = more.groupby(level=["set", "photos_per_class"]).mean().unstack().rename_axis("photos a class", axis=1)
means.style.format("{:+.1f}", na_rep="").set_caption(f"Fine-tuned against the head on all layers, in points. {caption}")

# %%
for name, row in means.iterrows():
    row = row.dropna()
    draws = more[name, row.index[-1]]
    ahead = ", ".join(str(number) for number, value in row.items() if value > 0)
    print(f"{name}: {row.iloc[-1]:+.1f} points at {row.index[-1]} photos a class", end=" ")
    print(f"({draws.min():+.1f} to {draws.max():+.1f}, draws: {len(draws)}); ahead at: {ahead or 'no number'}")

# %% [markdown]
# ## What does it take?
#
# The head on all layers is there in seconds; fine-tuning has to earn its minutes. How many, a few of its steps tell
# beforehand. For a folder of yours, `python -m tutorial_utils advise my_photos` says both, and leaves the test photos
# closed. Here is the estimate for this chapter's photos, beside what the training above really took:

# %%
from tutorial_utils.course import adviser

model.set_weights(start)
estimated = adviser.tuning_minutes(train, borrowed, model.layers[-1], image_size)
took = f"{tuning_seconds:.0f} s" if tuning_seconds else "trained by an earlier run of this chapter, at least in part"
print(f"stronger recipe, estimated: {60 * estimated:.0f} s; measured: {took}")
print(f"head on all layers: {frozen_seconds:.0f} s")
print("(Features that an earlier chapter has stored are only read, and so is a training that an earlier run finished.)")

# %% [markdown]
# So the rule is simple. Train the head on all layers first. If you have the minutes, fine-tune all layers from there,
# and let your validation photos say which of the two to keep.

# %% [markdown]
# ## Exercises
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
    wrong=[
        (
            False,
            "That would mean that fit asks for the flags anew each time. It does not: it goes on with the training "
            "step that it built after compile, and the layer's weights are on that step's list.",
        )
    ],
)

# %% [markdown]
# **Predict.** AdamW has moved the weights of two layers by 0.002 each. In the first layer a typical weight is 0.5, in
# the last 0.02. By how many percent has the last layer changed?

# %% tags=["solution"]
# hint: Divide the step by the size of the weights, and multiply by 100.
percent_of_the_last_layer = 100 * 0.002 / 0.02

# %%
exercises.check(
    "Change of the last layer (%)",
    percent_of_the_last_layer,
    100 * 0.002 / 0.02,
    tolerance=1e-6,
    explain="The first layer has changed by 0.4 %: the same step, and larger weights.",
    wrong=[
        (0.4, "That is the first layer, whose weights are of size 0.5. Those of the last layer are smaller."),
        (0.1, "That is a fraction: a tenth of the weight's size. In percent it is 100 times as much."),
        (0.2, "That is the step times 100, as if a weight were of size 1. Divide by the size of the last layer's."),
        (1000, "That is the size over the step, times 100: upside down. Divide the step by the size."),
    ],
)

# %% [markdown]
# **Choose.** The map above has a lowest loss, and other cells so near to it that the validation photos cannot tell them
# apart. Write `simplest`: of the cells whose loss is at most `error` above the lowest, the one with the fewest layers,
# and of those the one with the smallest rate. Compare it with the lowest cell: is it another?


# %% tags=["solution"]
# hint: `loss_map.stack()` lists the cells by layers, then by rate: the first one that is good enough is the answer.
def simplest(loss_map, error):
    """Return (layers, rate) of the simplest cell whose loss is at most `error` above the lowest."""
    cells = loss_map.stack()
    return cells[cells <= cells.min() + error].index[0]


# %%
limit = loss_map.min().min() + standard_error
good = [(last, rate) for last in loss_map.index for rate in tried_rates if loss_map.loc[last, rate] <= limit]
exercises.check(
    "The simplest good cell",
    simplest(loss_map, standard_error),
    good[0],
    explain=f"The lowest is that of {best_text}.",
    wrong=[
        (
            best_cell,
            "That is the lowest cell. Within the error a simpler one is as good: fewer layers, or less rate.",
        ),
        (good[0][::-1], "The cell is right, but the rate comes first. The map's rows are the layers: (layers, rate)."),
        (loss_map.min().min(), "That is the lowest loss, not a cell. A cell is a pair of (layers, rate)."),
    ],
)

# %% [markdown]
# {{quiz}}

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
    "seconds": round(time.perf_counter() - started, 1),
}
if chosen != "frozen":
    summary |= {"gain_over_frozen_low": gain.low, "gain_over_frozen_high": gain.high}
if tuning_seconds:
    summary["tuning_seconds"] = round(tuning_seconds, 1)
kept = dict(photos=photos, backbone=borrowed, history=histories.get(chosen), model=model)
run_folder.finish(run, parameters=parameters, metrics=summary, **kept)

# %%
print(f"{borrowed.name}, {chosen}: {best}")
print(f"frozen: {scores['frozen']}")
print(f"{chosen} against {other_one}: {gain}")
print(f"BatchNormalization layers that moved: {moved_careless} when they may learn, {moved_careful} when they may not")
print(f"rate at which the loss is half as high again: {f'{too_high:.1e}' if too_high else 'not reached'}")
print(f"old answers that are left at a rate of 0.0003: {same[3e-4].value:.0%}, at 0.003: {same[3e-3].value:.0%}")

# %% [markdown]
# **What next?** So many epochs, a rate that falls, one epoch kept: who decides that, and when? Chapter 5 is about
# callbacks, which watch over a training while it runs.
