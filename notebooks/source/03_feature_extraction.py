# %% [markdown]
# # 3. Feature extraction: a new head on a borrowed network
#
# **You will**
#
# - build a model out of a borrowed base and a new head, and freeze the base,
# - see for yourself that a frozen base does not change, so it need look at each photo only once,
# - look at a map of what the base says of the photos, and turn the knobs of a head that learns from it,
# - train two kinds of head, and find out which layers of the base know something about your photos,
# - let a head listen to all of them, and compare all this with a small network that starts from nothing,
# - open the test set, once, and read what came of it.
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** chapters 1 and 2.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos a class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
scratch_epochs = 20  # int: epochs of the small network that starts from nothing; fewer make the chapter shorter
run_dir = "runs/03_feature_extraction"  # str: where this chapter leaves its results

# %%
import time

import keras
from tutorial_utils.course import run_folder

started = time.perf_counter()
parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, scratch_epochs=scratch_epochs, run_dir=run_dir)
run = run_folder.start(**parameters)
keras.utils.set_random_seed(seed)
# what we say of the course's own photos is asserted for the settings that we saw
as_told = dataset == "leaves" and photos_per_class is None and image_size == 128 and seed == 0
as_told = as_told and backbone in ("mobilenet_v2", "efficientnet_lite0") and scratch_epochs == 20

# %% [markdown]
# The photos, split as in chapter 2: by group, 70 / 10 / 20.

# %%
from tutorial_utils.data import catalog, image_stats, pipeline, splits

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
class_names = list(photos["label"].cat.categories)
train, validation, test = (splits.subset(photos, name) for name in splits.NAMES)
print(f"{len(train)} train, {len(validation)} validation, {len(test)} test photos of {len(class_names)} classes")

# %% [markdown]
# ## Base and head
#
# A network for photos has two parts. The **base** finds edges in its first layers, textures and shapes in the later
# ones. The **head** makes the decision from what the base has found. The borrowed head knows ImageNet's 1,000
# classes, which are of no use to us; so we take the base without it and put a head of our own on top.

# %%
from tutorial_utils.models import backbones

borrowed = backbones.get(backbone)
base = borrowed.base
base.trainable = False  # keep what ImageNet taught it

inputs = keras.Input((image_size, image_size, 3))  # pixels, 0-255
x = borrowed.preprocess(inputs)  # what this base was trained on
x = base(x, training=False)  # (batch, h, w, channels)
x = keras.layers.GlobalAveragePooling2D()(x)  # (batch, channels): the features
head = keras.Sequential(
    [
        keras.Input((base.output_shape[-1],)),
        keras.layers.Dense(128, activation="relu"),  # (batch, 128)
        keras.layers.Dense(len(class_names), activation="softmax"),  # (batch, classes)
    ]
)
model = keras.Model(inputs, head(x))

# %% [markdown]
# `base.trainable = False` **freezes** the base: training will change the head only. Count what that leaves to learn:

# %%
learning = sum(weight.shape.num_elements() for weight in model.trainable_weights)
print(f"{model.count_params():,} weights in all; {learning:,} of them learn ({learning / model.count_params():.1%})")

# %% [markdown]
# Before training, the head guesses. One epoch later:

# %%
import numpy as np

before = [weight.copy() for weight in base.get_weights()]
untrained_head = head.get_weights()
descent = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
model.compile(optimizer=descent, loss="sparse_categorical_crossentropy")
descent.build(model.trainable_variables)  # else Keras works out its training step twice
train_batches = pipeline.batches(train, image_size, shuffle=True, seed=seed)
val_batches, y_val = pipeline.batches(validation, image_size), pipeline.labels(validation)

untrained = model.predict(val_batches, verbose=0)  # probabilities (photos, classes)
model.fit(train_batches.take(1), epochs=1, shuffle=False, verbose=0)  # a single batch: it builds the graph
one_epoch_started = time.perf_counter()
model.fit(train_batches, epochs=1, shuffle=False, verbose=0)
one_epoch_seconds = time.perf_counter() - one_epoch_started
trained = model.predict(val_batches, verbose=0)
right_before, right_after = (np.mean(each.argmax(axis=1) == y_val) for each in (untrained, trained))
print(f"validation accuracy: {right_before:.1%} before, {right_after:.1%} after an epoch")

# %% [markdown]
# Did the base keep its weights? Claims in this course are checked in the open:

# %%
for old, new in zip(before, base.get_weights(), strict=True):
    np.testing.assert_array_equal(old, new)
print(f"All {len(before)} arrays of the base are unchanged.")

# %% [markdown]
# ## A frozen base looks once
#
# If the base does not change, then neither does what it says about a photo. Pushing every photo through it in every
# epoch computes the same numbers again and again, and that is where nearly all the time goes. So let the base look at
# each photo once and keep the features. `features.stored` does that: it keeps them on disk, and a photo that it has
# seen before, with this base and this size, is read and not computed. The first call with a new base or size also
# converts the network to the fastest form that this machine can run, which takes a few seconds, once.

# %%
from tutorial_utils.models import features

once_started = time.perf_counter()
stored_train = features.stored(train, borrowed, image_size)
once_seconds = time.perf_counter() - once_started
stored_val = features.stored(validation, borrowed, image_size)
again_started = time.perf_counter()
x_train, y_train = features.stored(train, borrowed, image_size)[:], pipeline.labels(train)
again_seconds = time.perf_counter() - again_started
x_val = stored_val[:]
print(f"features: train {x_train.shape}, validation {x_val.shape}")
print(f"first call {once_seconds:.1f} s, the same call again {again_seconds:.1f} s")

# %% [markdown]
# ## A map of the features
#
# So many numbers a photo cannot be drawn. But a map can be made from them, on which photos with like features lie near
# each other (a method called *t-SNE*; it is not told the classes). Click a point, or walk with the arrow keys, and look
# at the photo. Find two neighbors of different classes: what did the base see in both? Only who is near whom means
# something; how far apart two crowds lie does not.

# %%
from tutorial_utils.widgets import feature_extraction

on_map = splits.sample_per_class(train, max(3, 400 // len(class_names)), seed=seed)
features_on_map = features.stored(on_map, borrowed, image_size)[:]
places = feature_extraction.tsne_map(features_on_map, seed)  # (photos, 2)
feature_extraction.browse_map(places, pipeline.labels(on_map), class_names, on_map["path"].to_numpy())

# %% [markdown]
# For readers of the printed page:

# %%
from tutorial_utils.evaluation import plots

axes, alt = feature_extraction.draw_map(places, pipeline.labels(on_map), class_names)
plots.show(axes.figure, alt, run / "figures" / "map.png")

# %% [markdown]
# Where a class lies together, a head has an easy task; where classes lie mixed, the base has not told them apart, at
# least not along what two directions can show.
#
# ## The same head, without the base
#
# Is a head that learns from stored features the same as one that learns behind the base? Take the head as it was
# before training, and train it on the same batch and the same epoch, the same photos in the same order. The base is not
# there.

# %%
same_head = keras.models.clone_model(head)
same_head.set_weights(untrained_head)
descent = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
same_head.compile(optimizer=descent, loss="sparse_categorical_crossentropy")
feature_batches = features.batches([stored_train], y_train, shuffle=True, seed=seed)
same_head.fit(feature_batches.take(1), epochs=1, shuffle=False, verbose=0)  # builds the graph too
one_head_epoch_started = time.perf_counter()
same_head.fit(feature_batches, epochs=1, shuffle=False, verbose=0)
one_head_epoch_seconds = time.perf_counter() - one_head_epoch_started

# %%
without_the_base = same_head.predict(x_val, verbose=0)
apart = np.abs(trained - without_the_base)  # trained: through the base, above
print(f"{len(x_val)} validation photos: probabilities {apart.mean():.0e} apart on average, {apart.max():.0e} at most")
print(f"one epoch: {one_epoch_seconds:.2f} s through the base, {one_head_epoch_seconds:.2f} s on stored features")
assert apart.mean() < 0.01

# %% [markdown]
# Two models that were trained apart say the same, but for rounding: it is the same mathematics with the waste left out.
# (Sums are rounded in another order, and each step of the training carries such a difference on.)
#
# Now the head in earnest, the two layers above with a little dropout between them, for 20 epochs on the stored
# features. `train_head` also keeps the weights of the epoch with the lowest validation loss; chapter 5 is about such
# helpers.

# %%
from tutorial_utils.models import heads, training

dense = heads.dense_head(x_train.shape[1], len(class_names), seed=seed)
head_started = time.perf_counter()
history = training.train_head(dense, (x_train, y_train), (x_val, y_val), epochs=20, seed=seed)
head_seconds = time.perf_counter() - head_started

# %%
waste = 20 * one_epoch_seconds / (once_seconds + head_seconds)
print(f"20 epochs through the base would take about {20 * one_epoch_seconds:.0f} s.")
print(f"The features, once, and the head on them took {once_seconds + head_seconds:.1f} s, {waste:.1f} times less.")
if once_seconds < 0.5:
    print("(The features were on disk already, from an earlier run.)")

# %% [markdown]
# ## Read the curves
#
# The *loss* says how far the predicted probabilities are from the truth; training makes it smaller. The *accuracy* is
# the share of photos that are right. Each is drawn for the training photos and for the validation photos, which the
# head does not learn from.

# %%
figure = plots.plot_history(history, title="Dense head on stored features")
plots.show(figure, "Loss and accuracy by epoch, for training and validation photos", run / "figures" / "history.png")

# %% [markdown]
# The two curves part where the head begins to learn the training photos by heart: the training loss goes on falling
# while the validation loss does not follow. That is **overfitting**, and the reason why the best epoch is chosen by
# the validation photos.

# %%
last = history.iloc[-1]
print(f"last epoch: {last['accuracy']:.1%} right on training photos, {last['val_accuracy']:.1%} on validation photos")
assert not as_told or last["accuracy"] > last["val_accuracy"]

# %% [markdown]
# ## Turn the knobs
#
# On stored features a head is trained in less time than it takes to say so. Each of these controls trains one anew, for
# at most a second, and asks it for the validation photos. Take away photos first: what becomes of the gap between the
# curves? Then try a learning rate that is too small, and one that is too large. And watch the interval: how many of the
# differences that you see are larger than it?

# %%
learned_from, asked = (x_train, y_train), (x_val, y_val)
feature_extraction.explore_head(learned_from, asked, class_names, validation["group"])

# %% [markdown]
# One setting of it, ten photos a class:

# %%
figure, alt = feature_extraction.draw_head(learned_from, asked, class_names, validation["group"], number=10)
plots.show(figure, alt, run / "figures" / "knobs.png")

# %% [markdown]
# Every look at the validation photos makes a choice a little more theirs and a little less that of photos to come. Turn
# the knobs to understand them. That is one more reason to keep the test photos closed until the end.
#
# ## A head without epochs
#
# A single layer of weights on fixed features is an old friend: **logistic regression**. scikit-learn fits it in a
# second or two, with a penalty that keeps the weights small; there is no learning rate and no number of epochs to
# choose. The features are first *standardized*: each gets mean 0 and deviation 1 over the training photos. Both steps
# fold into one ordinary `Dense` layer:

# %%
logistic_started = time.perf_counter()
logistic = heads.logistic_head(x_train, y_train, len(class_names))
print(
    f"fitted in {time.perf_counter() - logistic_started:.1f} s: "
    f"{logistic.count_params():,} weights in {len(logistic.layers)} layer"
)

# %%
from tutorial_utils.evaluation import metrics

candidates = {"logistic head": logistic, "Dense(128) head": dense}
for name, head in candidates.items():
    answers = head.predict(x_val, verbose=0).argmax(axis=1)
    print(f"{name}, validation: {metrics.accuracy(y_val, answers, validation['group'])}")

# %% [markdown]
# ## Which layer knows?
#
# Both heads hear only what the base says at its very end, and that end was made for ImageNet: to tell a dog from a
# teapot. A rust spot may have been seen, and dropped, long before. A base is a chain of **blocks**: the first ones find
# edges and colors, later ones textures, the last ones whole things. Which of them knows something about these photos?
#
# Ask each. Its feature map has a mean for every channel, and a standard deviation, which says whether the channel
# answers everywhere alike or only in spots. `layers="all"` keeps both for every block, from one look at each photo.

# %%
x_train_all = features.stored(train, borrowed, image_size, layers="all")[:]  # (photos, numbers)
x_val_all = features.stored(validation, borrowed, image_size, layers="all")[:]
blocks = features.block_sizes(borrowed)  # how many of the numbers each block gives
print(f"{len(blocks)} blocks give {sum(blocks):,} numbers a photo; the features above were {x_train.shape[1]:,}")

# %% [markdown]
# Now a logistic head for each block by itself, as if the network ended there, asked for the validation photos:

# %%
by_block, ends = [], np.cumsum(blocks)
for start, end in zip(ends - blocks, ends, strict=True):
    probe = heads.logistic_head(x_train_all[:, start:end], y_train, len(class_names))
    answers = probe.predict(x_val_all[:, start:end], verbose=0).argmax(axis=1)
    by_block.append(metrics.accuracy(y_val, answers, validation["group"]))

# %% [markdown]
# ## A head on all layers
#
# Why choose one block when a head can listen to all? An all-layers head takes more numbers than there are photos, so it
# needs care: each number is standardized, each block gets the same weight whatever its size, and the penalty is chosen
# by cross-validation on the training photos, whole groups held out. And there is a trap. The early blocks see the grain
# of a photo, and a grainier camera would mislead a head that has met clean photos only. So it also learns from a copy
# of each training photo with noise, blur, JPEG marks or other light (`corrupted=True`). What no copy can mend: it also
# hears what it should not, such as a watermark that gives a class away. Chapter 2's audit looks for those.

# %%
copies = features.stored(train, borrowed, image_size, layers="all", corrupted=True, seed=seed)
all_started = time.perf_counter()
all_layers, C = heads.all_layers_head([x_train_all, copies], train, blocks, seed=seed)
print(f"fitted in {time.perf_counter() - all_started:.1f} s, C = {C:g}")

val_answers = {name: head.predict(x_val, verbose=0) for name, head in candidates.items()}
val_answers["all-layers head"] = all_layers.predict(x_val_all, verbose=0)
said_by_all, said_by_last = (val_answers[name].argmax(axis=1) for name in ("all-layers head", "logistic head"))
together = metrics.accuracy(y_val, said_by_all, validation["group"])
gain = metrics.paired_difference(y_val, said_by_all, said_by_last, validation["group"])
print(f"all-layers head, validation: {together}")
print(f"all layers minus the last one, on the same photos: {gain}")

# %%
chance = train["label"].value_counts(normalize=True).max()
axes = plots.plot_blocks(by_block, together, chance, title="Which layer knows? Accuracy on validation photos")
best_block = int(np.argmax([each.value for each in by_block])) + 1
alt = (
    f"Validation accuracy of a head on each of {len(blocks)} blocks, from {by_block[0].value:.0%} for the first to "
    f"{by_block[-1].value:.0%} for the last; block {best_block} is highest. All together: {together.value:.0%}."
)
plots.show(axes.figure, alt, run / "figures" / "blocks.png")

# %% [markdown]
# Read the curve from left to right. Where it still climbs at the end, these photos are much like ImageNet's. Where it
# is as high in the middle, or higher, they are told apart by something fine that the end of the network has let go of.
#
# The choice between the heads is made here, on the validation photos, by their loss: it counts how sure a head is of
# each photo, and so tells more from few photos than the accuracy does. Joined to the base again, base and head are one
# model from pixels to probabilities, whichever layers the head listens to.

# %%
val_losses = {
    name: float(np.mean(keras.losses.sparse_categorical_crossentropy(y_val, probabilities)))
    for name, probabilities in val_answers.items()
}
chosen = min(val_losses, key=val_losses.get)
if chosen == "all-layers head":
    whole = heads.build_classifier(borrowed, all_layers, image_size, layers="all")
else:
    whole = heads.build_classifier(borrowed, candidates[chosen], image_size)
images, _ = next(iter(val_batches))  # a batch of photos
np.testing.assert_allclose(whole(images, training=False), val_answers[chosen][: len(images)], atol=1e-3)
print(", ".join(f"{name}: loss {loss:.3f}" for name, loss in val_losses.items()))
print(f"chosen: the {chosen}; the joined model says the same as its parts")

# %% [markdown]
# ## What did we borrow, really?
#
# To know what the borrowed knowledge is worth, train a network of ordinary size on the same photos from nothing. It
# gets augmented photos and as many epochs as the parameter `scratch_epochs` says. Its photos are smaller, so that this
# takes seconds and not minutes.

# %%
side = min(image_size, 96)  # pixels
scratch = keras.Sequential([keras.Input((side, side, 3)), keras.layers.Rescaling(1 / 127.5, offset=-1)])
for filters in (16, 32, 64, 128):
    scratch.add(keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu"))  # halves both sides
scratch.add(keras.layers.GlobalAveragePooling2D())
scratch.add(keras.layers.Dropout(0.2, seed=seed))
scratch.add(keras.layers.Dense(len(class_names), activation="softmax"))
scratch.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])

# %%
augmented = pipeline.batches(train, side, shuffle=True, augmentation=pipeline.augmentation(seed), seed=seed)
small_val = pipeline.batches(validation, side)
scratch_history = training.fit(scratch, augmented, small_val, scratch_epochs, run_dir=run, name="from_scratch")
print(f"from scratch: {scratch_history['val_accuracy'].max():.1%} right on validation photos at best")

# %% [markdown]
# ## Open the test set, once
#
# Every choice is made: the head, the epoch, the baseline. Now, in one cell, the test photos.

# %%
x_test = features.stored(test, borrowed, image_size)[:]
x_test_all = features.stored(test, borrowed, image_size, layers="all")[:]
y_test, from_scratch = metrics.predict(scratch, pipeline.batches(test, side))
predicted = {"from scratch": from_scratch}
predicted |= {name: head.predict(x_test, verbose=0) for name, head in candidates.items()}
predicted["all-layers head"] = all_layers.predict(x_test_all, verbose=0)
scores = {name: metrics.accuracy(y_test, p.argmax(axis=1), test["group"]) for name, p in predicted.items()}
for name, score in scores.items():
    print(f"{name}: {score}")

# %%
axes = plots.plot_intervals(
    list(scores), list(scores.values()), chance=chance, title="Test photos: borrowed against from scratch"
)
plots.show(
    axes.figure,
    "Test accuracy with interval for the model from scratch and the three heads",
    run / "figures" / "test_accuracy.png",
)

# %% [markdown]
# Each dot carries its interval, because the test set is small: another draw of plants would give a somewhat different
# score. Where two intervals are far apart, the difference is no accident of the draw. On the course's leaves, every
# head on the borrowed base lies clearly above the network from scratch:

# %%
assert not as_told or all(scores["from scratch"].high < score.low for name, score in scores.items() if "head" in name)

# %% [markdown]
# ## Look at single photos
#
# Move the slider: on the left a test photo, on the right what the model says. Look for photos where it is unsure,
# and for photos where it is sure and wrong.

# %%
from tutorial_utils.data.images import read_image

wrong_first = np.argsort(predicted[chosen][np.arange(len(y_test)), y_test])[:30]  # least probability for the truth
shown = np.stack([read_image(path, image_size) for path in test["path"].iloc[wrong_first]])
feature_extraction.browse_predictions(shown, y_test[wrong_first], predicted[chosen][wrong_first], class_names)

# %%
said = predicted[chosen].argmax(axis=1)
titles = [f"{class_names[y_test[i]]}\nsays {class_names[said[i]]}" for i in wrong_first[:6]]
figure = plots.photo_grid(shown[:6], titles=titles, columns=6, title="The six test photos that the model finds hardest")
plots.show(figure, "Six test photos with their true class and what the model says", run / "figures" / "hardest.png")

# %% [markdown]
# ## Exercises
#
# **1. Predict.** How many weights does the logistic head have, for the number of features and classes of this run? Each
# class has one weight a feature and one more, the *bias*.

# %% tags=["solution"]
# hint: Multiply for the weights, then add one bias a class.
weights_in_the_logistic_head = x_train.shape[1] * len(class_names) + len(class_names)

# %%
from tutorial_utils.course import exercises

exercises.check(
    "Weights in the logistic head",
    weights_in_the_logistic_head,
    logistic.count_params(),
    explain="A weight for each feature and class, and a bias for each class.",
    wrong=[
        (x_train.shape[1] * len(class_names), "Nearly: these are the weights; each class has a bias as well."),
        (x_train.shape[1] + len(class_names), "Each class has a weight of its own for each feature: multiply."),
        (dense.count_params(), "That is the head with a hidden layer between features and classes."),
        (whole.count_params(), "That counts the base too, which is frozen and borrowed."),
    ],
)

# %% [markdown]
# **2. Change one thing.** The Dense(128) head has a hidden layer of 128 units. How many weights would it have with 64?
# Predict, then build one with `heads.dense_head(..., units=64)` and let `count_params()` tell.

# %% tags=["solution"]
# hint: It takes the number of features and the number of classes, as above; the biases count too.
weights_with_64_units = heads.dense_head(x_train.shape[1], len(class_names), units=64).count_params()

# %%
exercises.check(
    "Weights with 64 hidden units",
    weights_with_64_units,
    heads.dense_head(x_train.shape[1], len(class_names), units=64).count_params(),
    explain="Nearly half: each hidden unit takes its weights with it, only the biases of the classes stay.",
    wrong=[
        (dense.count_params(), "That is the head with 128 units."),
        (dense.count_params() / 2, "Nearly: what belongs to a hidden unit halves, but each class keeps its one bias."),
        (x_train.shape[1] * 64 + 64 * len(class_names), "Nearly: these are the weights; each unit and each class has a "
         "bias as well."),
        (x_train.shape[1] * 64 + 64, "That is the hidden layer; from there to the classes there are weights too."),
    ],
)  # fmt: skip

# %% [markdown]
# **3. Predict.** Without stored features, 20 epochs push every training photo through the base 20 times. How many of
# these passes through the base are saved if the features of the training photos are stored?

# %% tags=["solution"]
# hint: To store them, the base has to look at each photo how many times?
passes_saved = 19 * len(train)

# %%
exercises.check(
    "Passes saved",
    passes_saved,
    (int(history.index[-1]) - 1) * len(train),
    explain="The base looks once; the other 19 times the features are read.",
    wrong=[
        (20 * len(train), "Nearly: the first look is still needed, for that is what is stored."),
        (19, "For one photo, yes. There are more of them."),
        (20 * len(photos), "Only the training photos go through in an epoch, and each is still looked at once."),
        (20, "For one photo, and one of the 20 is still needed."),
    ],
)

# %% [markdown]
# **4. Predict, change one thing, explain.** Train the Dense(128) head again with a learning rate of 0.03 in place of
# 0.001. Does the epoch with the lowest validation loss come `"earlier"`, `"later"`, or is it `"the same"`? Predict, try
# it with the controls under *Turn the knobs*, and write the word.

# %%
fast = heads.dense_head(x_train.shape[1], len(class_names), seed=seed)
fast_history = training.train_head(fast, learned_from, asked, epochs=20, learning_rate=0.03, seed=seed, rounds=range)

# %% tags=["solution"]
# hint: `history["val_loss"].idxmin()` is the best epoch of a history; `fast_history` is that of the larger rate.
comes = ["the same", "later", "earlier"][np.sign(fast_history["val_loss"].idxmin() - history["val_loss"].idxmin())]

# %%
usual_best, fast_best = (int(each["val_loss"].idxmin()) for each in (history, fast_history))
exercises.check(
    "The best epoch at a larger rate",
    comes,
    "earlier" if fast_best < usual_best else "later" if fast_best > usual_best else "the same",
    explain=f"Epoch {fast_best} at rate 0.03, epoch {usual_best} at 0.001: the size of the steps decides how soon the "
    "bottom is reached, and how soon it is overshot.",
    wrong=[
        ("later", "Larger steps get down faster, and overshoot sooner. Look where the validation loss is lowest, not "
         "where the curve ends."),
        ("the same", "The epochs are counted alike, but a larger rate takes larger steps in each. Compare where the "
         "validation loss is lowest."),
        ("earlier", "That is usual, for larger steps get down faster. Here they overshot: look at the two curves."),
    ],
)  # fmt: skip

# %% [markdown]
# {{quiz}}

# %% [markdown]
# ## You have

# %%
best = scores[chosen]
summary = {
    "head": chosen,
    "n_test": best.n,
    "test_accuracy": best.value,
    "test_accuracy_low": best.low,
    "test_accuracy_high": best.high,
    "test_accuracy_dense": scores["Dense(128) head"].value,
    "test_accuracy_logistic": scores["logistic head"].value,
    "test_accuracy_all_layers": scores["all-layers head"].value,
    "test_accuracy_scratch": scores["from scratch"].value,
    "test_accuracy_scratch_low": scores["from scratch"].low,
    "test_accuracy_scratch_high": scores["from scratch"].high,
    "seconds": round(time.perf_counter() - started, 1),
}
run_folder.finish(
    run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed, history=history, model=whole
)
print(f"A frozen {borrowed.name} with the {chosen}: {best}")
print(f"The same photos from scratch: {scores['from scratch']}")

# %% [markdown]
# **What next?** The base still sees leaves with eyes that were trained on everyday photos. Chapter 4 lets the base
# itself learn a little, which takes more care than it seems.
