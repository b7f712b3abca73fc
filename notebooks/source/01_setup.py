# %% [markdown]
# # 1. Setup: is this machine ready, and what will we borrow?
#
# **You will**
#
# - check that everything the course needs is on this machine,
# - load the photos that the course is about, and look at them,
# - borrow a network that was trained on ImageNet, and see in a first small test what it is worth on photos that it
#   has never seen.
#
# **Time:** {{minutes}} of computing on two processor cores, and as long as you like to read and try.
# **You need:** a little Python. No graphics card, and no knowledge of neural networks.
#
# The story of this course: you have a few hundred photos of leaves, some healthy, some ill, and you would like a
# program that tells you which is which. A few hundred photos are far too few to train a large neural network from
# nothing. But a network that was trained on more than a million everyday photos already knows a great deal about
# edges, textures and shapes. You borrow that knowledge and teach it your classes. This is **transfer learning**.

# %% [markdown]
# ## The knobs of this chapter
#
# Every chapter starts with a cell like the next one. Change a value and run the notebook again, or let another
# program set it: the tool *papermill* replaces exactly this cell.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos a class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
full = False  # bool: a longer version of the chapter; this one has none yet
run_dir = "runs/01_setup"  # str: where this chapter leaves its results

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

# %% [markdown]
# ## Is this machine ready?
#
# The next cell only looks. Where a row says that something is not ready, its last column says what to do.

# %%
from tutorial_utils.course import doctor

checks = doctor.examine(backbone)
checks.style.hide(axis="index")

# %%
assert checks["ready"].all(), "Do what the last column says, then run this notebook again."

# %% [markdown]
# ## The photos
#
# The course brings its own photos, so it works without a network connection: **leaves**, healthy and with five
# diseases. They are not taken with a camera but painted by a program, which has a use beyond convenience: for every
# photo we know exactly where the lesions are, and which photos show the same plant. The other data sets are real
# photos: **solar cells** come with a package, four more are fetched when you ask for them by name, and any folder of
# yours works as well. Their cards:

# %%
from tutorial_utils.course import widgets
from tutorial_utils.data import catalog

cards = catalog.cards()
widgets.browse_cards(cards)

# %% [markdown]
# The same as a table, for readers of the printed page:

# %%
import pandas

columns = ["title", "photos", "groups", "license"]
pandas.DataFrame([{name: card[name] for name in columns} for card in cards.values()], index=list(cards))

# %% [markdown]
# Now the photos themselves. They arrive as a table, one row a photo. The first time, painting the leaves takes about
# a minute; after that they are read from a cache.

# %%
photos = catalog.load(dataset, seed=seed, photos_per_class=photos_per_class)
photos.groupby("label", observed=True).agg(photos=("path", "size"), groups=("group", "nunique"))

# %% [markdown]
# A *group* is a set of photos that belong together: here, photos of one plant. Groups will matter a great deal in
# the next chapter. Two photos of each class:

# %%
from tutorial_utils.data.photos import read_photo
from tutorial_utils.insight import plots

# one photo from each of two plants a class
shown = photos.drop_duplicates(["label", "group"]).groupby("label", observed=True).head(2).sort_values("label")
figure = plots.photo_grid(
    [read_photo(path) for path in shown["path"]],
    titles=list(shown["label"]),
    columns=4,
    title="Two photos of each class",
)
plots.show(figure, "A grid of photos, two of each class, the class written above", run / "figures" / "classes.png")

# %% [markdown]
# Look at the names and the pictures for a moment. Which classes could you tell apart at a glance? Which two would
# you mix up yourself? Remember your answer; chapter 6 has the network's.

# %% [markdown]
# ## A network to borrow
#
# `backbones.get` finds a network by its name and loads the weights that it learned on ImageNet, a collection of more
# than a million photos of 1,000 kinds of things. We call the network without its last layer the **base** (others say
# *backbone*): it turns a photo into a list of numbers, the **features**, that describe what is in the picture.
#
# If the weights are neither on this machine nor to be had from the network, the next cell says so in one line and
# goes on with another network, EfficientNet-Lite0, whose weights came along when the course was installed.

# %%
from tutorial_utils.models import backbones

borrowed = backbones.get(backbone)
print(f"{borrowed.name}: {len(borrowed.base.layers)} layers, {borrowed.base.count_params():,} weights")
print(f"weights from {borrowed.source} ({borrowed.license})")

# %% [markdown]
# ## What is it worth on photos that it has never seen?
#
# ImageNet has no class for a rusty leaf. So let us ask a fair question: does this network describe our photos better
# than their bare pixels do? We take at most 60 photos of each class and describe each in two ways: by its features,
# and by its pixels, shrunk to 16 × 16.

# %%
from tutorial_utils.data import photos as photo_tools

few = photo_tools.sample(photos, 60, seed=seed)
print(f"{len(few)} photos of {few['group'].nunique()} groups")

# %%
import numpy as np
from tutorial_utils.data import pipeline

images = keras.Input((image_size, image_size, 3))  # pixels, 0-255
maps = borrowed.base(borrowed.preprocess(images), training=False)  # (batch, h, w, channels)
extractor = keras.Model(images, keras.layers.GlobalAveragePooling2D()(maps))  # (batch, channels)

features = extractor.predict(pipeline.batches(few, image_size), verbose=0)
pixels = np.stack([read_photo(path, 16).ravel() for path in few["path"]]) / 255
print(f"features: {features.shape[1]} numbers a photo; pixels: {pixels.shape[1]} numbers a photo")

# %% [markdown]
# On both descriptions we train the same simple classifier, a logistic regression. It is always tested on plants that
# it was not trained on: three times, each time with another third of the plants held back.

# %%
import sklearn.linear_model
import sklearn.model_selection
import sklearn.pipeline
import sklearn.preprocessing

classifier = sklearn.pipeline.make_pipeline(
    sklearn.preprocessing.StandardScaler(), sklearn.linear_model.LogisticRegression(C=0.01, max_iter=1000)
)
folds = sklearn.model_selection.StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=seed)
labels = few["label"].cat.codes.to_numpy()
predicted = {
    name: sklearn.model_selection.cross_val_predict(classifier, x, labels, groups=few["group"], cv=folds)
    for name, x in [("bare pixels", pixels), ("borrowed features", features)]
}

# %%
from tutorial_utils.insight import metrics

scores = {name: metrics.accuracy(labels, guess, few["group"]) for name, guess in predicted.items()}
for name, score in scores.items():
    print(f"{name}: {score}")

# %%
chance = few["label"].value_counts(normalize=True).max()
axes = plots.intervals(list(scores), list(scores.values()), chance=chance, title="A first test on unseen plants")
plots.show(
    axes.figure,
    "Accuracy with interval for bare pixels and borrowed features, chance marked",
    run / "figures" / "first_test.png",
)

# %% [markdown]
# The dots are accuracies, the share of photos that are classified correctly; the bars are 95 % intervals, the range
# in which the true accuracy probably lies given how few photos we have. *Chance* is what you get by always naming
# the most frequent class. On the course's leaves, the borrowed features do better than the pixels, and the next cell
# holds us to that sentence.

# %%
gain = metrics.paired_difference(labels, predicted["borrowed features"], predicted["bare pixels"], few["group"])
print(f"borrowed features against bare pixels: {gain}")
assert not as_told or gain.low > 0

# %% [markdown]
# ## Exercise
#
# **Predict.** The base turns a photo into a small grid of feature maps, and the extractor takes the mean of each map.
# How many numbers would describe a photo if the image were twice as wide and twice as high?

# %% tags=["solution"]
# hint: The mean is taken over the whole map, however large the map is. What decides how many maps there are?
numbers_per_photo = extractor.output_shape[-1]

# %%
from tutorial_utils.course import exercises

exercises.check(
    "Numbers a photo at twice the size",
    numbers_per_photo,
    features.shape[1],
    explain="The number of channels belongs to the network, not to the photo.",
)

# %% [markdown]
# ## You have
#
# The summary below is made of this run's numbers.

# %%
summary = {
    "ready": bool(checks["ready"].all()),
    "photos": len(photos),
    "accuracy_pixels": round(scores["bare pixels"].value, 4),
    "accuracy_features": round(scores["borrowed features"].value, 4),
    "seconds": round(time.perf_counter() - started, 1),
}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
print(f"This machine is ready: {len(checks)} checks passed.")
print(f"You looked at {len(photos)} photos of {photos['label'].nunique()} classes.")
print(
    f"{borrowed.name} describes them: {scores['borrowed features'].value:.0%} right "
    f"against {scores['bare pixels'].value:.0%} from bare pixels."
)

# %% [markdown]
# **What next?** This first test was quick and a little careless about the data. Chapter 2 is about the photos: how
# to organize, look at, resize and split them, so that the numbers that follow can be believed.
