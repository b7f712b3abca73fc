# %% [markdown]
# # Lab: Why does nothing learn?
#
# You unfreeze the base, train for an hour, and the base has not changed at all. Keras raised no error. Two common
# mistakes end like this. [Chapter 4](../04_fine_tuning.ipynb) unfreezes the right way; here you make both mistakes on
# purpose, on a network so small that each try takes a moment, and see a check that catches them.
#
# **Time:** {{minutes}}.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/labs/two_silent_mistakes"  # str: where this lab leaves its results

# %%
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% [markdown]
# ## A small network and a few photos
#
# A single batch of photos is enough: we only want to know what moves. The base has three layers with weights, and a
# head sits on top.

# %%
from tutorial_utils.data import catalog, pipeline, splits

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
few = splits.sample_per_class(photos, 3, seed=seed)[:30]
images, labels = next(iter(pipeline.batches(few, image_size)))  # (batch, height, width, 3) and (batch,)
print(f"one batch of {len(images)} photos")

# %%
import keras

keras.utils.set_random_seed(seed)
base = keras.Sequential([keras.Input((image_size, image_size, 3)), keras.layers.Rescaling(1 / 255)])
for name in ("first", "second", "third"):
    base.add(keras.layers.Conv2D(8, 3, strides=4, padding="same", activation="elu", name=name))
classes = len(photos["label"].cat.categories)
head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(classes, activation="softmax")]
model = keras.Sequential([base, *head])

# %% [markdown]
# The check: keep the weights of every layer of the base, take one training step, and list the layers that moved.

# %%
import numpy as np


def layers_that_move(model, base):
    """Take one training step; return the names of the base's layers whose weights it has changed."""
    before = [layer.get_weights() for layer in base.layers]
    model.fit(images, labels, verbose=0)  # one batch, so one step
    after = [layer.get_weights() for layer in base.layers]
    moved = [not all(map(np.array_equal, old, new)) for old, new in zip(before, after, strict=True)]
    return [layer.name for layer, one in zip(base.layers, moved, strict=True) if one]


model.compile("adam", loss="sparse_categorical_crossentropy")
everything = layers_that_move(model, base)
print("nothing is frozen; layers that move:", everything)

# %% [markdown]
# ## Mistake 1: setting a flag that is already set
#
# Freeze the base one layer at a time. Later, unfreeze it with a single line, compile, and train.

# %%
for layer in base.layers:
    layer.trainable = False

base.trainable = True  # "now let it learn"
model.compile("adam", loss="sparse_categorical_crossentropy")
after_one_line = layers_that_move(model, base)
print("layers that move:", after_one_line)

# %% [markdown]
# Nothing moved. Look at the flags:

# %%
print("the base:", base.trainable)
print("its layers:", [layer.trainable for layer in base.layers])

# %% [markdown]
# A base has a flag of its own, beside those of its layers. Setting it normally sets the flags of all its layers too.
# But the base's own flag had been `True` all along: only the layers were frozen. With TensorFlow as the backend, Keras
# skips an assignment that would not change anything, so the layers never heard of it. (You can read this in Keras's
# `backend/tensorflow/trackable.py`. The other backends of Keras do not have this shortcut.)
#
# What works everywhere is to set the flag of every layer:

# %%
for layer in base.layers:
    layer.trainable = True
model.compile("adam", loss="sparse_categorical_crossentropy")
after_every_flag = layers_that_move(model, base)
print("layers that move:", after_every_flag)

# %% [markdown]
# ## Mistake 2: not compiling again
#
# The usual plan has two phases: first the head learns on a frozen base, then the base learns too. Here the flags are
# set correctly, one by one. What is missing?

# %%
for layer in base.layers:
    layer.trainable = False
model.compile("adam", loss="sparse_categorical_crossentropy")
layers_that_move(model, base)  # phase 1: only the head learns

for layer in base.layers:
    layer.trainable = True
not_compiled = layers_that_move(model, base)  # phase 2
print("layers that move:", not_compiled)

# %%
model.compile("adam", loss="sparse_categorical_crossentropy")
compiled_again = layers_that_move(model, base)
print("layers that move once it is compiled again:", compiled_again)

# %% tags=["hidden"]
assert everything == after_every_flag == compiled_again == ["first", "second", "third"]
assert not_compiled == []
# how a flag is handed down is a detail of Keras that a later version may change
assert after_one_line == [] or not keras.__version__.startswith("3.15")

# %% [markdown]
# The first `fit` after `compile` builds the training step, with the list of weights that learn at that moment. Later
# calls of `fit` use it again, whatever the flags say by then. So keep this order: set the flags, compile, fit.
#
# ## The check on a real base
#
# The helper `freezing.unfreeze` sets the flag of every layer, and leaves BatchNormalization frozen. You still have to
# compile. Does the check agree? Here the last ten layers of a borrowed network may learn.

# %%
from tutorial_utils.models import backbones, freezing

borrowed = backbones.get(backbone)
with_weights = freezing.unfreeze(borrowed.base, last=10)
inputs = keras.Input((image_size, image_size, 3))
maps = borrowed.base(borrowed.preprocess(inputs), training=False)
outputs = keras.layers.Dense(classes, activation="softmax")(keras.layers.GlobalAveragePooling2D()(maps))
real = keras.Model(inputs, outputs)
real.compile("adam", loss="sparse_categorical_crossentropy")
moved = layers_that_move(real, borrowed.base)
print(f"{borrowed.name}: {with_weights} of the last 10 layers hold weights that may learn; these moved: {moved}")

# %% tags=["hidden"]
assert with_weights == len(moved)
assert set(moved) <= {layer.name for layer in borrowed.base.layers[-10:]}

# %% [markdown]
# ## Exercise
#
# **Predict.** Go back to mistake 1. A friend writes two lines instead of one: first `base.trainable = False`, then
# `base.trainable = True`. How many layers of the small base move in the next step?

# %% tags=["solution"]
# hint: Does the second line change the base's own flag this time?
layers_that_move_now = 3

# %%
from tutorial_utils.course import exercises

for layer in base.layers:
    layer.trainable = False
base.trainable = False
base.trainable = True
model.compile("adam", loss="sparse_categorical_crossentropy")
exercises.check(
    "Layers that move after the two lines",
    layers_that_move_now,
    len(layers_that_move(model, base)),
    explain="Now the flag changes from False to True, so Keras sets the flags of the layers as well.",
    wrong=[(0, "That was one line. After two, the base's own flag has really changed."), (1, "A flag goes to all.")],
)

# %% [markdown]
# ## What you have seen

# %%
print(f"layers that moved, flag set where it was set already: {len(after_one_line)}; every flag set: {len(everything)}")
print(f"layers that moved, not compiled again: {len(not_compiled)}; compiled again: {len(compiled_again)}")

# %% [markdown]
# Neither mistake raised an error. After the first epoch of a fine-tuning, check that the layers that should learn have
# moved, and that the frozen ones have not.

# %% tags=["hidden"]
summary = {"moved_by_one_line": len(after_one_line), "moved_by_every_flag": len(after_every_flag)}
summary |= {"moved_uncompiled": len(not_compiled), "moved_compiled": len(compiled_again)}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
