# %% [markdown]
# # 4. Fine-tuning: let the base learn a little
#
# ![A frozen base with a head that learns, and a base whose later blocks learn
# too](drawings/frozen_and_learning.svg)
#
# **You will**
#
# - unfreeze layers of the base, and train them at a very low learning rate,
# - see what happens to BatchNormalization layers that nobody protects,
# - compare the usual recipe with a stronger one, fairly,
# - decide whether fine-tuning is worth its minutes for your photos.
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** chapters 1 to 3.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
epochs = None  # int or None: of each recipe; None: 4, or as many more as make a hundred steps
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/04_fine_tuning"  # str: where this chapter leaves its results

# %%
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed, epochs=epochs)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% [markdown]
# ## Where chapter 3 ended
#
# You have a frozen base and a head on all its layers; `training.train_frozen` makes such a model in one call.
# **Fine-tuning** means to train on from here, with layers of the base that may learn too, at a small learning rate. It
# needs a trained head: a head that knows nothing yet would send large, random corrections down into the
# base.

# %%
from tutorial_utils.data import catalog, image_stats, pipeline, splits

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
class_names = list(photos["label"].cat.categories)
train, validation, test = (splits.subset(photos, name) for name in splits.NAMES)
print(f"{len(train)} training, {len(validation)} validation, {len(test)} test photos of {len(class_names)} classes")

# %%
import keras
from tutorial_utils.models import backbones, training

keras.utils.set_random_seed(seed)
borrowed = backbones.get(backbone)
base = borrowed.base
model, _ = training.train_frozen(borrowed, train, validation, image_size, layers="all", seed=seed)
start = model.get_weights()  # both recipes below start from here

# %%
val_batches = pipeline.batches(validation, image_size)
model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
loss, accuracy = model.evaluate(val_batches, verbose=0)
val_accuracy = {"frozen": accuracy}
print(f"frozen base, validation: {accuracy:.1%} right, loss {loss:.3f}")

# %% [markdown]
# ## Which layers should learn?
#
# The early layers of the base find edges and colors, and these are useful for any photo. The late ones combine them
# into what ImageNet needed: dog faces, wheels, bottles. So it's mostly the late layers that have something to learn
# from your photos. To **unfreeze** a layer means to let it learn.
#
# How much of the base is that? Move the slider. Where the curve climbs steeply, a few layers hold much of the network.
# (It ends below 100 %, because some layers are never unfrozen. You will see which.)

# %%
from tutorial_utils.widgets import fine_tuning

fine_tuning.explore_unfreezing(base, start=50)

# %%
from tutorial_utils.evaluation import plots

shares = fine_tuning.learning_shares(base)
plots.show(*fine_tuning.draw_unfreezing(shares, 50), run / "figures" / "unfreezing.png")

# %% [markdown]
# ## The layers that must stay frozen
#
# Most networks contain **BatchNormalization** layers. Each one shifts and scales what passes through it, by a mean and
# a variance (how much the numbers spread) that it keeps. It learned these *statistics* from more than a million photos,
# and the layers after it rely on them. In training, such a layer updates its statistics from the photos of each batch,
# and your batches hold only a few.
#
# Let's watch that happen. We take EfficientNet-Lite0, which came with the installation, put a trained head on it, and
# unfreeze everything. The learning rate is zero, so the optimizer (`SGD`, the plainest one) changes no weight at all.
# The model was built with `base(x, training=False)`, as in chapter 1, which many people believe protects these layers.
# Keras lists the statistics among the weights of a layer, so we can compare all of them.

# %%
lite0 = backbones.get("efficientnet_lite0")
victim, _ = training.train_frozen(lite0, train, validation, image_size, layers="all", seed=seed)
victim.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
loss_before = victim.evaluate(val_batches, verbose=0)[0]
before = {weight.path: weight.numpy() for weight in lite0.base.weights}

# %%
lite0.base.trainable = True  # every layer, BatchNormalization too
victim.compile(keras.optimizers.SGD(0.0), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
few = splits.sample_per_class(train, 80, seed=seed)  # at most 80 photos of each class
victim.fit(pipeline.batches(few, image_size, batch_size=8, shuffle=True, seed=seed), verbose=2)

# %%
import numpy as np

moved = [weight.path for weight in lite0.base.weights if (weight.numpy() != before[weight.path]).any()]
statistics = [path for path in moved if "moving_" in path]
print(f"{len(moved)} of {len(before)} arrays in the base have changed; {len(statistics)} of them are statistics")
loss_after = victim.evaluate(val_batches, verbose=0)[0]
print(f"loss on the validation photos: {loss_before:.3f} before, {loss_after:.3f} after")

# %% [markdown]
# Everything that changed is a statistic: a mean or a variance. The argument `training=False` did not protect them,
# because `fit` overrides it. (That is so in Keras 3, which this course uses; see [this
# report](https://github.com/keras-team/keras/issues/20285). In Keras 2 the argument held.) The layers after them no
# longer get the numbers that they were trained on. How much harm that does depends on the photos: compare the losses.
#
# What does protect them is the attribute `trainable = False` on every BatchNormalization layer. Then they keep their
# statistics, bit for bit.

# %% tags=["hidden"]
as_told = run_folder.as_told(parameters)
assert len(statistics) == len(moved) > 0
assert not as_told or loss_after > loss_before

# %% [markdown]
# ## The usual recipe
#
# Unfreeze the last 50 layers, but no BatchNormalization. Take a very small learning rate, 0.00001, so that what you
# borrowed is adjusted and not overwritten. And **compile again**: `fit` goes on with the list of layers that was made
# at the last `compile`, whatever `trainable` says now. So the order is always `trainable`, compile, fit. Nothing warns
# you if you get it wrong. (The lab [Why does nothing learn?](labs/two_silent_mistakes.ipynb) shows two ways to do so.)

# %%
model.set_weights(start)
base.trainable = True
for layer in base.layers:
    is_late = layer in base.layers[-50:]
    layer.trainable = is_late and not isinstance(layer, keras.layers.BatchNormalization)
model.compile(keras.optimizers.Adam(1e-5), loss="sparse_categorical_crossentropy", metrics=["accuracy"])

# %% [markdown]
# Now the base sees every photo in every epoch, so ordinary augmentation works again: each photo is flipped and turned
# anew.

# %%
rows = training.batch_size(len(train))  # photos per step: 32, or fewer if you have less than 512
augment = pipeline.augmentation(seed)
train_batches = pipeline.batches(train, image_size, rows, shuffle=True, augmentation=augment, seed=seed)
n_epochs = epochs or training.epochs_for(len(train_batches))

usual = model.fit(train_batches, validation_data=val_batches, epochs=n_epochs, verbose=2)
val_accuracy["usual recipe"] = usual.history["val_accuracy"][-1]
weights_of = {"frozen": start, "usual recipe": model.get_weights()}

# %% [markdown]
# ## A stronger recipe
#
# The usual recipe is careful. With BatchNormalization safe, you can let **all** layers learn, even the early ones, and
# at a higher rate. Four more things change:
#
# - The rate starts near zero, rises to 0.0003 and then falls back to zero. The rise is called **warm-up**: big steps at
#   the very beginning would undo much of what you borrowed. The fall lets the training settle.
# - The optimizer, which turns gradients into steps, is **AdamW**: Adam that also pulls all weights a little toward
#   zero.
# - The head stays as it is, so the base learns to serve it.
# - The head is made less sure: its numbers are divided by three. All sums shrink alike, so the largest stays the
#   largest and no answer changes. But a head that is sure of its training photos has little loss left to learn from,
#   and now it has more.

# %%
steps = n_epochs * len(train_batches)
warm_up = steps // 5
rate = keras.optimizers.schedules.CosineDecay(3e-6, steps - warm_up, warmup_target=3e-4, warmup_steps=warm_up)
plots.show(*fine_tuning.draw_schedule(rate, steps), run / "figures" / "schedule.png")

# %%
model.set_weights(start)  # the same start as for the usual recipe
head = model.layers[-1]
head.set_weights([weights / 3 for weights in head.get_weights()])
head.trainable = False
for layer in base.layers:
    layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
model.compile(keras.optimizers.AdamW(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])

# %%
train_batches = pipeline.batches(train, image_size, rows, shuffle=True, augmentation=augment, seed=seed)
stronger = model.fit(train_batches, validation_data=val_batches, epochs=n_epochs, verbose=2)
val_accuracy["stronger recipe"] = stronger.history["val_accuracy"][-1]
weights_of["stronger recipe"] = model.get_weights()

# %% [markdown]
# Both recipes started from the same model and had the same photos in the same order, the same augmentation and the same
# number of epochs. So what differs is the recipe. (`training.fine_tune` does the stronger one in one call. It also
# keeps the best epoch, and goes on where it stopped if your laptop goes to sleep. The next chapters use it.)

# %%
histories = {"usual recipe": usual.history, "stronger recipe": stronger.history}
figure, alt = fine_tuning.draw_recipes(histories, val_accuracy["frozen"])
plots.show(figure, alt, run / "figures" / "recipes.png")

# %% tags=["hidden"]
normalizations = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
ended = [layer.get_weights() for layer in normalizations]
model.set_weights(start)
for layer, old in zip(normalizations, ended, strict=True):  # bit for bit the same in both recipes
    assert all((now == then).all() for now, then in zip(layer.get_weights(), old, strict=True))

# %% [markdown]
# Expect ups and downs: with so few validation photos, a single photo moves the curve. The lab
# [What changes inside?](labs/inside_fine_tuning.ipynb) looks at which layers moved, and
# [What has been forgotten?](labs/forgetting.ipynb) at the price. Two labs are about the learning rate:
# [which one is too high](labs/rate_finder.ipynb), and how it depends on
# [how many layers you unfreeze](labs/layers_and_rates.ipynb).
#
# ## Choose
#
# The validation photos decide: you keep the model that gets most of them right. If two are equal, take the one that was
# changed less. (Chapter 3 compared losses. Here that would be unfair, because the stronger recipe made its head less
# sure, which changes the loss and no answer.)

# %%
chosen = max(val_accuracy, key=val_accuracy.get)  # the first of the highest
for name, value in val_accuracy.items():
    print(f"{name}, validation: {value:.1%}{'  <- chosen' if name == chosen else ''}")

# %% [markdown]
# With so few validation photos, a few points may be luck. So the choice is a guess, and the test photos tell you how
# good the chosen model is.

# %% [markdown]
# ## Open the test set, once
#
# (Chapter 3 opened the same test photos for other models. Don't use what you read here to choose between chapters; for
# that you would need photos that nobody has looked at.)

# %%
from tutorial_utils.evaluation import metrics

test_batches, predicted = pipeline.batches(test, image_size), {}
for name, weights in weights_of.items():
    model.set_weights(weights)
    y_test, probabilities = metrics.predict(model, test_batches)
    predicted[name] = probabilities.argmax(axis=1)
scores = {name: metrics.accuracy(y_test, labels, test["group"]) for name, labels in predicted.items()}
gain = metrics.paired_difference(y_test, predicted["stronger recipe"], predicted["frozen"], test["group"])

# %%
axes = plots.plot_intervals(list(scores), list(scores.values()), title="Test photos: frozen and fine-tuned")
alt = "Test accuracy with interval, frozen and after each of the two recipes"
plots.show(axes.figure, alt, run / "figures" / "test_accuracy.png")
for name, score in scores.items():
    print(f"{name}: {score}")
print(f"stronger recipe minus frozen, photo by photo: {gain}")

# %% [markdown]
# Is the order of the three models the same as on the validation photos? (Compare the models with each other, not with
# their validation scores: other plants may be easier or harder.) The last line compares two models on the same photos,
# one by one. That is sharper than comparing two intervals, because both models get most photos right, and only the rest
# can tell them apart. If its interval lies above zero, fine-tuning helped beyond the luck of this test set.

# %% tags=["hidden"]
assert not as_told or scores["stronger recipe"].value > scores["frozen"].value

# %% [markdown]
# ## When is it worth its minutes?
#
# The head on all layers takes seconds. Fine-tuning takes minutes, or hours for a large folder. What does it bring? That
# depends on the photos, so it was measured on several sets. Here is how many points fine-tuning gained there with about
# as many photos per class as you have. (A minus means that it made the model worse.)

# %%
from tutorial_utils.course import adviser, benchmark_tables

evidence, caption = benchmark_tables.read_table("strategies")
size, gains = adviser.gains_at(evidence, len(train) / len(class_names))
table = (100 * gains).to_frame("points gained").reset_index().style.format(precision=1).hide(axis="index")
table.set_caption(f"Stronger recipe minus frozen, {size} photos per class. {caption}")

# %% [markdown]
# So here is the advice: always train the head on all layers first. If you have the minutes, fine-tune from there, and
# let your validation photos decide which of the two you keep. In a terminal, `python -m tutorial_utils advise FOLDER`
# tells you how many minutes it would take on your machine. The lab
# [When is fine-tuning worth it?](labs/how_many_photos.ipynb) has the whole picture.
#
# ## Now with your photos
#
# Set `dataset` at the top to your folder, and run the chapter again. If your photos are close-ups, X-rays, or gray
# pictures of materials, fine-tuning may gain a lot, or nothing: your validation photos will tell.

# %% [markdown]
# ## Exercises
#
# **1. Predict.** A friend trains a model with `fit`, then sets `trainable = False` on a layer, and calls
# `fit` again without `compile` in between. Does that layer still change, `True` or `False`?

# %% tags=["solution"]
# hint: `fit` goes on with the list of layers that was made at the last `compile`.
friends_layer_changes = True

# %%
from tutorial_utils.course import exercises

tiny = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(1)])
tiny.compile(optimizer="sgd", loss="mse")
x, y = np.ones((4, 2)), np.zeros((4, 1))
tiny.fit(x, y, verbose=0)  # a first phase of training
kernel = tiny.layers[0].get_weights()[0]
tiny.layers[0].trainable = False  # too late: not compiled again
tiny.fit(x, y, verbose=0)
exercises.check(
    "Does the friend's layer change?",
    friends_layer_changes,
    not np.array_equal(kernel, tiny.layers[0].get_weights()[0]),
    explain="Compile after every change of trainable.",
    wrong=[(False, "That would mean that fit looks at the flags again. It uses the list from the last compile.")],
)

# %% [markdown]
# **2. Build.** Write a function that lets the last `last` layers of a base learn (at least one), keeps all others
# frozen, and never lets a BatchNormalization layer learn.


# %% tags=["solution"]
# hint: Go through `base.layers` and set `trainable` on each one, as the usual recipe does.
def unfreeze_last(base, last):
    """Set `trainable` of every layer of the base."""
    base.trainable = True
    for layer in base.layers:
        is_late = layer in base.layers[-last:]
        layer.trainable = is_late and not isinstance(layer, keras.layers.BatchNormalization)


# %%
def forgets_normalization(base, last):
    """The usual slip: BatchNormalization learns too."""
    base.trainable = True
    for layer in base.layers[:-last]:
        layer.trainable = False


found = exercises.changes_after(unfreeze_last)
exercises.check(
    "Unfreeze the last layers",
    ... if "changed: nothing" in found else found,
    "changed: conv_2; the loss fell",
    explain="The second convolution learned; its BatchNormalization and the first block did not move.",
    wrong=[
        (
            exercises.changes_after(forgets_normalization),
            "BatchNormalization has moved. It must stay frozen in every layer.",
        ),
        ("changed: conv_1, conv_2; the loss fell", "The early layers have learned too. Freeze all but the last ones."),
    ],
)

# %% [markdown]
# **3. Work it out.** A training run uses 900 photos in batches of 30 and takes 5 epochs. The warm-up is the first fifth
# of the steps. After how many steps is the rate at its highest?

# %% tags=["solution"]
# hint: How many steps has one epoch? How many have all five?
steps_to_the_top = 900 // 30 * 5 // 5

# %%
exercises.check(
    "Steps to the highest rate",
    steps_to_the_top,
    900 / 30 * 5 / 5,
    explain="30 steps an epoch make 150 in all, and a fifth of these is 30: here, just the first epoch.",
    wrong=[
        (150, "Those are all the steps. The warm-up takes a fifth of them."),
        (6, "That is a fifth of one epoch. The warm-up is a fifth of the whole training."),
        (180, "That is a fifth of the photos. A step takes 30 of them."),
    ],
)

# %% [markdown]
# {{quiz}}

# %% [markdown]
# ## You have

# %% tags=["hidden"]
import pandas

model.set_weights(weights_of[chosen])
best = scores[chosen]
summary = {"strategy": chosen, "n_test": best.n, "test_accuracy": best.value}
summary |= {"test_accuracy_low": best.low, "test_accuracy_high": best.high}
summary |= {f"test_accuracy_{name.split()[0]}": score.value for name, score in scores.items()}
summary |= {"gain_over_frozen_low": gain.low, "gain_over_frozen_high": gain.high}
history = pandas.DataFrame(histories.get(chosen)).rename_axis("epoch") if chosen in histories else None
kept = dict(photos=photos, backbone=borrowed, model=model, history=history)
written = run_folder.finish(run, parameters=parameters, metrics=summary, **kept)

# %%
print(f"{borrowed.name}, {chosen}: {scores[chosen]}")
print(f"frozen: {scores['frozen']}; the stronger recipe against it: {gain}")
print(f"BatchNormalization: {len(statistics)} statistics moved when nobody froze them, although no weight could.")

# %% [markdown]
# **What next?** You chose the number of epochs beforehand and took the last one. Who could stop earlier, save the best
# model, and watch while you sleep? Chapter 5 is about callbacks.
