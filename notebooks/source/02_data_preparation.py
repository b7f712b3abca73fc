# %% [markdown]
# # 2. Data preparation: from a folder of photos to batches that can be trusted
#
# **You will**
#
# - organize photos as a table, and look at what is in it before anything is trained,
# - see what resizing does to a photo, and choose a size,
# - split the photos into three parts so that the score at the end means something,
# - measure what one wrong line, `/ 255`, costs on these photos.
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** chapter 1.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos a class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
full = False  # bool: a longer version of the chapter; this one has none yet
run_dir = "runs/02_data_preparation"  # str: where this chapter leaves its results

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
# ## Organize: a folder becomes a table
#
# The usual way to keep labeled photos is one folder a class: `rust/first.jpg`, `healthy/second.jpg`. The course
# reads such a folder into a table with one row a photo: the path, the **label** (its class), and the **group** (what
# it shares with other photos, here the plant). If you have a folder of your own, a small file `groups.csv` in it can
# say which photos belong together; without it, every photo is its own group.

# %%
from tutorial_utils.data import catalog

photos = catalog.load(dataset, seed=seed, photos_per_class=photos_per_class)
photos[["label", "group"]].sample(5, random_state=seed)

# %% [markdown]
# ## Look: how many, how large?
#
# Two questions come before all others. Are the classes about equally frequent? If not, a model can look good by
# always naming the largest one. And how large are the photos?

# %%
import matplotlib.pyplot as plt
import numpy as np
from tutorial_utils.data.photos import read_photo
from tutorial_utils.insight import plots

counts = photos["label"].value_counts(sort=False)
sizes = [read_photo(path).shape[1::-1] for path in photos["path"]]  # upright: width, height

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.barh(counts.index, counts, color=plots.PALETTE["blue"])
left.set(title="Photos of each class", xlabel="photos")
right.scatter(*zip(*sizes, strict=True), s=8, alpha=0.5, color=plots.PALETTE["blue"])
right.set(title="Sizes of the photos", xlabel="width (pixels)", ylabel="height (pixels)")
plots.show(
    figure,
    "Left, bars: photos of each class. Right, dots: width and height of every photo",
    run / "figures" / "counts_and_sizes.png",
)

# %%
balance = counts.min() / counts.max()
print(f"{len(photos)} photos, {len(counts)} classes; the smallest class has {balance:.0%} of the largest")
print(
    f"widths {min(w for w, _ in sizes)} to {max(w for w, _ in sizes)}, "
    f"heights {min(h for _, h in sizes)} to {max(h for _, h in sizes)} pixels"
)
assert not as_told or balance == 1

# %% [markdown]
# Now look at the photos as what they are. The menu and the slider choose a plant; the photos of that plant appear
# below. See how much they differ in light, pose and background, although it is the same leaf.

# %%
from tutorial_utils.course import widgets

widgets.browse_groups(photos)

# %% [markdown]
# The printed page shows the first groups of two classes:

# %%
first = photos[photos["group"].isin(photos.groupby("label", observed=True)["group"].first().iloc[:2])]
first = first.groupby("label", observed=True).head(4)
figure = plots.photo_grid(
    [read_photo(path) for path in first["path"]],
    titles=list(first["label"]),
    columns=4,
    title="Photos that share a group",
)
plots.show(figure, "Photos of one group of each of two classes, side by side", run / "figures" / "groups.png")

# %% [markdown]
# ## Resize: every photo becomes a square
#
# A network takes all photos of a batch in one size. `read_photo` is the one way in which this course reads pixels,
# in training and later in use: it turns photos upright (cameras often only note that they were held sideways),
# converts colors, and resizes. The photo is *stretched* to the square; the other choice, `fit="pad"`, keeps its
# shape and fills the rest with black.

# %%
path = photos["path"].iloc[int(np.argmax([max(size) / min(size) for size in sizes]))]
views = [read_photo(path), read_photo(path, image_size), read_photo(path, image_size, fit="pad")]
figure = plots.photo_grid(
    views, titles=["as it is", "stretched", "padded"], columns=3, title="One photo, three ways", size=2.2
)
plots.show(
    figure,
    "The most elongated photo as it is, stretched to a square, and padded to a square",
    run / "figures" / "fit.png",
)

# %% [markdown]
# How small may it be? The smaller the photo, the faster everything that follows: half the side is a quarter of the
# pixels. But what you cannot see, the network cannot see either. Find the size below which the signs of the disease
# are gone:

# %%
lesions = photos[photos["label"] != "healthy"].iloc[0]["path"]
sides = [32, 64, 128, 224]
figure = plots.photo_grid(
    [read_photo(lesions, side) for side in sides],
    titles=[f"{side} pixels" for side in sides],
    columns=4,
    title="The same photo at four sizes",
    size=2.2,
)
plots.show(figure, "The same photo resized to 32, 64, 128 and 224 pixels", run / "figures" / "sizes.png")

# %% [markdown]
# ## Split: three parts, and never through a plant
#
# - **train**: what the model learns from,
# - **validation**: what we look at while we make choices (which head, how many epochs),
# - **test**: what nobody looks at until every choice is made. Its score is the answer to "how good is it really?".
#
# A photo that the model was trained on says nothing about new photos. That holds for its twins too: if three photos
# of a plant are trained on, the fourth is hardly new. So the split goes by group. Each class is shared out in the
# same proportions, 70 to 10 to 20.

# %%
from tutorial_utils.data import splits

photos = splits.assign(photos, seed=seed)
photos.groupby(["label", "split"], observed=True).size().unstack()

# %% [markdown]
# The promise that no group is on two sides is easy to check, so we check it:

# %%
sides_of_group = photos.groupby("group")["split"].nunique()
assert (sides_of_group == 1).all()
print(f"{len(sides_of_group)} groups, each in exactly one part")

# %% [markdown]
# What would happen if we split photos at random instead? Count the test photos that would have a twin in training:

# %%
at_random = np.random.default_rng(seed).permutation(photos["split"].to_numpy())
train_groups = set(photos.loc[at_random == "train", "group"])
twins = photos.loc[at_random == "test", "group"].isin(train_groups).mean()
print(f"Split at random, {twins:.0%} of the test photos have a photo of the same group in training.")
assert not as_told or twins > 0.9

# %% [markdown]
# ## From table to batches
#
# Training reads photos in small portions, the **batches**. `pipeline.batches` turns the table into a stream of them:
# while the network works on one, the next is read. Training batches come in a new order every epoch (an *epoch* is
# one pass through all training photos); the order depends on the seed only.

# %%
from tutorial_utils.data import pipeline

train = splits.part(photos, "train")
batches = pipeline.batches(train, image_size, batch_size=32, shuffle=True, seed=seed)
images, labels = next(iter(batches))
print(
    f"images {images.shape} {images.dtype}, pixels {images.numpy().min():.0f} to {images.numpy().max():.0f}; "
    f"labels {labels.shape}"
)

# %% [markdown]
# A leaf turned or mirrored is the same leaf. **Augmentation** uses that: during training, each photo is flipped and
# turned by quarter turns at random, anew in each epoch, so that the network sees it in all the eight ways in which a
# square can be laid down. It is for training photos only. One photo, seven times:

# %%
augment = pipeline.augmentation(seed=seed)
one = images[:1].numpy()
views = [one[0], *(augment(one, training=True)[0].numpy() for _ in range(7))]
figure = plots.photo_grid(
    views, titles=["original", *["augmented"] * 7], columns=4, title="One photo, flipped and turned"
)
plots.show(
    figure, "One photo as it is and seven versions of it, flipped and turned", run / "figures" / "augmentation.png"
)

# %%
assert np.array_equal(augment(one, training=False), one)  # outside training, photos pass unchanged

# %% [markdown]
# ## The mistake that everyone copies: `/ 255`
#
# Networks do not take pixels as they are, 0 to 255. Each was trained on pixels that were shifted and scaled in its
# own way, and it expects the same from you. Many examples divide by 255, whatever the network. It runs without any
# error. What does it cost? The same base, the same photos, the same simple classifier as in chapter 1; only the
# preprocessing differs.

# %%
from tutorial_utils.models import backbones

borrowed = backbones.get(backbone)


def features_with(preprocess, batches):
    """Return the base's features, (photos, channels), of photos preprocessed by the function `preprocess`."""
    inputs = keras.Input((image_size, image_size, 3))  # pixels, 0-255
    maps = borrowed.base(preprocess(inputs), training=False)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps))
    return model.predict(batches, verbose=0)


# %%
from tutorial_utils.data import photos as photo_tools

looked_at = photos[photos["split"] != "test"].reset_index(drop=True)  # the test photos stay closed
sample = photo_tools.sample(looked_at, 80, seed=seed)
in_order = pipeline.batches(sample, image_size)
features = {
    "its own": features_with(borrowed.preprocess, in_order),
    "divided by 255": features_with(keras.layers.Rescaling(1 / 255), in_order),
}

# %%
import sklearn.linear_model
import sklearn.model_selection
import sklearn.pipeline
import sklearn.preprocessing
from tutorial_utils.insight import metrics

classifier = sklearn.pipeline.make_pipeline(
    sklearn.preprocessing.StandardScaler(), sklearn.linear_model.LogisticRegression(C=0.01, max_iter=1000)
)
folds = sklearn.model_selection.StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=seed)
labels = sample["label"].cat.codes.to_numpy()
predicted = {
    name: sklearn.model_selection.cross_val_predict(classifier, x, labels, groups=sample["group"], cv=folds)
    for name, x in features.items()
}
scores = {name: metrics.accuracy(labels, guess, sample["group"]) for name, guess in predicted.items()}

# %%
axes = plots.intervals(list(scores), list(scores.values()), title=f"{borrowed.name}: preprocessing and accuracy")
plots.show(
    axes.figure,
    "Accuracy with interval for the network's own preprocessing and for division by 255",
    run / "figures" / "preprocessing.png",
)
cost = metrics.paired_difference(labels, predicted["its own"], predicted["divided by 255"], sample["group"])
print(f"its own preprocessing against divided by 255: {cost}")

# %% [markdown]
# The two models see the same photos, so we compare them photo by photo: the line above gives the difference with its
# interval. An interval that lies above zero means that the wrong preprocessing does cost accuracy here; one that
# holds zero means that these photos are too few to tell. There is no error message either way. In this
# course the question never comes up again, because the preprocessing is part of the model: it takes pixels from 0 to
# 255, whatever the network inside.

# %%
assert not as_told or cost.value > 0

# %% [markdown]
# ## Exercises
#
# **1. Predict.** A batch holds 32 photos of the training part. How many batches does one epoch have?

# %% tags=["solution"]
# hint: The last batch may be smaller than the others, but it is a batch.
batches_in_an_epoch = -(-len(train) // 32)

# %%
from tutorial_utils.course import exercises

exercises.check("Batches in an epoch", batches_in_an_epoch, len(batches))

# %% [markdown]
# **2. Explain.** A friend takes ten photos of each of 50 plants, splits the photos at random, and finds that the
# model is right on 97 % of the test photos. In the field, on new plants, it is right on 80 %. Which word of this
# chapter names the reason? Write it as a string.

# %% tags=["solution"]
# hint: What did train and test share that new plants do not?
reason = "group"

# %%
exercises.check("The reason", reason, "group", explain="Photos of one plant were on both sides of the split.")

# %% [markdown]
# ## You have

# %%
summary = {
    "photos": len(photos),
    "classes": len(counts),
    "twins_at_random": round(float(twins), 4),
    "accuracy_own_preprocessing": round(scores["its own"].value, 4),
    "accuracy_divided_by_255": round(scores["divided by 255"].value, 4),
    "seconds": round(time.perf_counter() - started, 1),
}
run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
parts = photos["split"].value_counts()
print(f"Organized: {len(photos)} photos of {len(counts)} classes, looked at and resized to {image_size} pixels.")
print(
    f"Split by group: {parts['train']} train, {parts['val']} validation, {parts['test']} test photos, "
    "kept in splits.csv."
)
print(
    f"Preprocessing: {scores['its own'].value:.1%} right with the network's own, "
    f"{scores['divided by 255'].value:.1%} with / 255."
)

# %% [markdown]
# **What next?** The photos are ready. Chapter 3 puts a new head on the borrowed network and trains it.
