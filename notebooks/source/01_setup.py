# %% [markdown]
# # 1. Setup: is this machine ready, and what will we borrow?
#
# **You will**
#
# - check that everything the course needs is on this machine,
# - load the photos that the course is about, and look at them,
# - borrow a network that was trained on ImageNet, and see in a first small test what it is worth on photos that it
#   has never seen,
# - look at a photo through its features, with the preprocessing that the network was trained with and without.
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
run_dir = "runs/01_setup"  # str: where this chapter leaves its results

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
as_told = dataset == "leaves" and photos_per_class is None and image_size == 128 and seed == 0
as_told = as_told and backbone in ("mobilenet_v2", "efficientnet_lite0")

# %% [markdown]
# ## Is this machine ready?
#
# The next cell only looks. Where a row says that something is not ready, its last column says what to do.

# %%
from tutorial_utils.course import doctor

checks = doctor.check_machine(backbone)
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
from tutorial_utils.data import catalog
from tutorial_utils.widgets import setup

cards = catalog.cards()
setup.browse_cards(cards)

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
photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos.groupby("label", observed=True).agg(photos=("path", "size"), groups=("group", "nunique"))

# %% [markdown]
# A *group* is a set of photos that belong together: here, photos of one plant. Groups will matter a great deal in
# the next chapter. Two photos of each class:

# %%
from tutorial_utils.data.images import read_image
from tutorial_utils.evaluation import plots

# one photo from each of two plants a class; of many classes, some
some = photos["label"].isin(photos["label"].cat.categories[plots.named_places(photos["label"].nunique())])
shown = photos[some].drop_duplicates(["label", "group"]).groupby("label", observed=True).head(2).sort_values("label")
figure = plots.photo_grid(
    [read_image(path) for path in shown["path"]],
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
from tutorial_utils.data import splits

few = splits.sample_per_class(photos, 60, seed=seed)
print(f"{len(few)} photos of {few['group'].nunique()} groups")

# %%
import numpy as np
from tutorial_utils.data import pipeline

images = keras.Input((image_size, image_size, 3))  # pixels, 0-255
maps = borrowed.base(borrowed.preprocess(images), training=False)  # (batch, h, w, channels)
extractor = keras.Model(images, keras.layers.GlobalAveragePooling2D()(maps))  # (batch, channels)

features = extractor.predict(pipeline.batches(few, image_size), verbose=0)
pixels = np.stack([read_image(path, 16).ravel() for path in few["path"]]) / 255
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
    sklearn.preprocessing.StandardScaler(), sklearn.linear_model.LogisticRegression(C=0.03, max_iter=2000, tol=1e-3)
)
folds = sklearn.model_selection.StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=seed)
labels = few["label"].cat.codes.to_numpy()
predicted = {
    name: sklearn.model_selection.cross_val_predict(classifier, x, labels, groups=few["group"], cv=folds)
    for name, x in [("bare pixels", pixels), ("borrowed features", features)]
}

# %%
from tutorial_utils.evaluation import metrics

scores = {name: metrics.accuracy(labels, guess, few["group"]) for name, guess in predicted.items()}
for name, score in scores.items():
    print(f"{name}: {score}")

# %%
chance = few["label"].value_counts(normalize=True).max()
axes = plots.plot_intervals(list(scores), list(scores.values()), chance=chance, title="A first test on unseen plants")
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
# ## What does the network see in a photo?
#
# A leaf reaches the network as numbers and leaves it as other numbers, the features. To see what these say of a photo,
# ask which other photos they find most alike. (Photos of the same plant are left out: they are alike by any
# description.) And try what happens on the way in. Each network was trained on pixels that were shifted and scaled in
# a way of its own, its **preprocessing**; many examples just divide the pixels by 255, whatever the network. No error
# comes of it.

# %%
fewer = splits.sample_per_class(few, 20, seed=seed)
here = few["path"].isin(fewer["path"]).to_numpy()
careless_maps = borrowed.base(images / 255, training=False)  # the only difference to the extractor above
careless = keras.Model(images, keras.layers.GlobalAveragePooling2D()(careless_maps))
descriptions = {
    "features": features[here],
    "features, pixels / 255": careless.predict(pipeline.batches(fewer, image_size), verbose=0),
    "bare pixels": pixels[here],
}

# %%
as_given = np.stack([read_image(path, image_size) for path in fewer["path"]])  # (photos, h, w, 3), 0-255
seen = {
    "features": as_given,
    "features, pixels / 255": setup.photos_as_seen(as_given, lambda pixels: pixels / 255, borrowed.preprocess),
    "bare pixels": np.stack([read_image(path, 16) for path in fewer["path"]]),
}
nearest = {name: setup.nearest_in_other_groups(rows, fewer["group"]) for name, rows in descriptions.items()}
fewer_labels = fewer["label"].cat.codes.to_numpy()
class_names = list(fewer["label"].cat.categories)
setup.browse_nearest(as_given, fewer_labels, class_names, nearest, seen)

# %% [markdown]
# Move through the photos, then switch the description. The second picture is what the photo is taken for: with its own
# preprocessing the network gets the photo as it is; divided by 255 it gets what it would otherwise have got from that
# other picture. Then come the photos that the description finds most alike. Do they have the same disease, or the same
# background? One photo by all three:

# %%
figure, alt = setup.draw_nearest(as_given, fewer_labels, class_names, nearest, seen, photo=0)
plots.show(figure, alt, run / "figures" / "alike.png")

# %%
shared = {}
for name, near in nearest.items():
    times = near.shape[1]  # how many most alike photos
    own, groups = (np.repeat(each, times) for each in (fewer_labels, fewer["group"].to_numpy()))
    shared[name] = metrics.accuracy(own, fewer_labels[near].ravel(), groups)
    low, high = shared[name].low, shared[name].high
    print(f"{name}: {shared[name].value:.0%} of the most alike share the class (95 % interval {low:.0%} to {high:.0%})")
print(f"by chance: about {np.mean(fewer_labels[:, None] == fewer_labels):.0%}; n = {len(fewer)} photos")
assert not as_told or shared["features"].value > shared["bare pixels"].value

# %% [markdown]
# Two things to keep. The features of the course's leaves find photos of the same class more often than the bare pixels
# do. And the careless preprocessing raises no error: how much it costs, these few photos cannot say for sure, so
# chapter 2 measures it on more.

# %% [markdown]
# ## Exercises
#
# **1. Predict.** The base turns a photo into a small grid of feature maps, and the extractor takes the mean of each
# map. How many numbers would describe a photo if the image were twice as wide and twice as high?

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
    wrong=[
        (4 * features.shape[1], "Each map would have about four times as many places, but the mean makes one number "
         "of a map, however many places it has."),
        (2 * features.shape[1], "The maps grow on both sides, not in number; of each the mean is one number."),
        (features.shape[1] // 4, "A larger image gives larger maps, not fewer; of each the mean is one number."),
    ],
)  # fmt: skip

# %% [markdown]
# **2. Change one thing.** The bare pixels came from photos shrunk to 16 × 16. Shrink a photo to 8 × 8 instead. How many
# numbers describe it then? Predict first, then let `read_image(path, 8)` tell.

# %% tags=["solution"]
# hint: A photo is an array of height, width and colors; `.size` counts its numbers.
numbers_at_8 = read_image(few["path"].iloc[0], 8).size

# %%
exercises.check(
    "Bare pixels at 8 × 8",
    numbers_at_8,
    8 * 8 * 3,
    explain="Half the side is a quarter of the places, and each place has a red, a green and a blue.",
    wrong=[
        (8 * 8, "These are the places; each of them has three numbers, for red, green and blue."),
        (pixels.shape[1] // 2, "Half the width would do that, but the height is halved as well."),
        (8 * 3, "That is one row of the photo; it has eight."),
    ],
)

# %% [markdown]
# **3. Change one thing, explain.** Above, photos of the same plant were left out of the search. Let them in: give
# `nearest_in_other_groups` the path of each photo in place of its group, so that only the photo itself is left out. For
# what share of the photos is the *most* alike one, by the features, of the same plant?

# %%
plants = fewer["group"].to_numpy()

# %% tags=["solution"]
# hint: `setup.nearest_in_other_groups(features[here], fewer["path"], count=1)[:, 0]` is the most alike photo of each.
same_plant = (plants[setup.nearest_in_other_groups(features[here], fewer["path"], count=1)[:, 0]] == plants).mean()

# %%
most_alike = setup.nearest_in_other_groups(features[here], fewer["path"], count=1)[:, 0]
exercises.check(
    "Most alike and of the same plant",
    same_plant,
    (plants[most_alike] == plants).mean(),
    tolerance=0.005,
    explain="If a plant's other photos are so easy to find, a test on them is easier than one on new plants. That is "
    "why groups will matter so much.",
    wrong=[
        (0, "With the groups given, photos of the same plant are left out, so none can be found. Give the paths."),
        ((fewer_labels[most_alike] == fewer_labels).mean(), "That is the share of the same class; asked is for the "
         "same plant, which `plants` tells."),
        ((plants[most_alike] != plants).mean(), "That is the share of the other photos, whose most alike one is of "
         "another plant."),
    ],
)  # fmt: skip

# %% [markdown]
# {{quiz}}

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
print(f"Of the photos that it finds most alike, {shared['features'].value:.0%} share the class.")

# %% [markdown]
# **What next?** This first test was quick and a little careless about the data. Chapter 2 is about the photos: how
# to organize, look at, resize and split them, so that the numbers that follow can be believed.
