# %% [markdown]
# # 2. Data preparation: from a folder of photos to batches that can be trusted
#
# **You will**
#
# - organize photos as a table, and find what is wrong with the files before anything is trained,
# - see what resizing does to a photo, and choose a size,
# - split the photos into three parts so that the score at the end means something, see what another rule of splitting
#   does, and measure how a careless split flatters,
# - measure what one wrong line, `/ 255`, costs on these photos, and which changes augmentation must not make,
# - weight uneven classes, and look for what else might give a class away, and for wrong labels.
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** chapter 1.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/02_data_preparation"  # str: where this chapter leaves its results

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
# ## Organize: a folder becomes a table
#
# The usual way to keep labeled photos is one folder a class: `rust/first.jpg`, `healthy/second.jpg`. The course
# reads such a folder into a table with one row a photo: the path, the **label** (its class), and the **group** (what
# it shares with other photos, here the plant). If you have a folder of your own, a small file `groups.csv` in it can
# say which photos belong together; without it, every photo is its own group. (In a terminal,
# `python -m tutorial_utils audit FOLDER --groups` proposes such a file, from names, times and likeness.)

# %%
from tutorial_utils.data import catalog

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class, check_photos=False)
class_names = list(photos["label"].cat.categories)
photos[["label", "group"]].sample(5, random_state=seed)

# %% [markdown]
# ## Audit: what is wrong with these files?
#
# Folders of photos are never clean. A copy breaks off halfway, a text file ends up among the pictures, somebody saves
# the same photo twice, or once in each of two classes. None of this shows when a training starts. It stops after an
# hour at a file that it does not name, or worse, it does not stop. So look before. To see what an **audit** finds, take
# a few of the photos and spoil them in seven ways:

# %%
import pathlib
import shutil

import PIL.Image
from tutorial_utils.data import image_stats, splits
from tutorial_utils.data.images import read_image

stats = image_stats.compute_stats(photos)  # looks at every photo once; more of this below
whole = photos[(stats["problem"] == "").to_numpy()]
practice = run / "practice"
shutil.rmtree(practice, ignore_errors=True)
for row in splits.sample_per_class(whole, 6, seed=seed).itertuples():
    (practice / row.label).mkdir(parents=True, exist_ok=True)
    shutil.copy(row.path, practice / row.label)

# %%
one, another = (practice / name for name in whole["label"].unique()[:2])
files = sorted(one.iterdir())
first, second, third = files[0], files[1 % len(files)], files[2 % len(files)]
picture = PIL.Image.fromarray(read_image(first))
other_picture = PIL.Image.fromarray(read_image(min(another.iterdir())))

(one / f"half{second.suffix}").write_bytes(second.read_bytes()[: second.stat().st_size // 2])
(one / "list.jpg").write_text("I was exported by mistake.")
(one / "nothing.jpg").touch()
shutil.copy(third, one / f"again{third.suffix}")
picture.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT).save(another / "mirrored.jpg", quality=70)
PIL.Image.new("RGB", (320, 240)).save(another / "lens_cap.jpg")
other_picture.resize((40, 40)).save(another / "tiny.png")

# %% [markdown]
# One call looks at all of it. It needs no network and changes no file; it returns a table of findings, each with
# what it means and what to do, the worst first:

# %%
from tutorial_utils.course import prepare
from tutorial_utils.data import audit
from tutorial_utils.evaluation import plots

spoiled = catalog.load_photos(practice, check_photos=False)
found = audit.audit_photos(spoiled, progress=False)
figure = prepare.plot_findings(found, spoiled, title="What the audit found in the practice folder")
plots.show(figure, "The spoiled photos, each with what was found", run / "figures" / "practice.png")

# %%
found[["kind", "severity", "meaning", "action"]].drop_duplicates()

# %% [markdown]
# The same, finding by finding: choose one, read what it means, and look whether you would have noticed it yourself.

# %%
from tutorial_utils.widgets import data_preparation

data_preparation.browse_findings(found, spoiled)

# %%
expected = {"truncated", "not_a_photo", "empty", "identical", "similar_elsewhere", "dark", "small"}
print(f"found {len(expected & set(found['kind']))} of the {len(expected)} kinds that we put in")
assert not as_told or expected <= set(found["kind"])

# %% [markdown]
# `similar_elsewhere` deserves a second look. Nobody compared bytes there: the mirrored photo was saved anew, and the
# two files differ. The audit compares small, blurred versions of all photos, also turned, mirrored and cropped. Two
# classes can honestly hold two photos that look alike, so this one is for you to decide.
#
# `audit.drop_unusable` gives the table to go on with, and writes down why each photo was left out:

# %%
import pandas

kept = audit.drop_unusable(spoiled, found, practice)
print(f"{len(kept)} of {len(spoiled)} photos are kept")
pandas.read_csv(practice / "dropped.csv")[["kind", "meaning"]]

# %% [markdown]
# Now the same for this chapter's photos. `image_stats.compute_stats`, above, has looked at every photo once and kept
# what it saw: sizes, brightness, sharpness, a thumbnail to compare. The rest of the chapter uses it again, and so do
# the chapters after it, as long as the files stay as they are.

# %%
findings = audit.audit_photos(photos, stats)
print(audit.format_findings(findings, pathlib.Path(photos["path"][0]).parents[1]))
assert not as_told or not (findings["severity"] == "error").any()

# %% [markdown]
# What the report asks you to look at, look at:

# %%
if (findings["path"] != "").any():
    figure = prepare.plot_findings(findings, photos, title="What the audit found in this chapter's photos")
    plots.show(figure, "Photos that the audit names, each with what was found", run / "figures" / "findings.png")

# %%
photos = audit.drop_unusable(photos, findings, run)
stats = stats[stats["path"].isin(photos["path"])].reset_index(drop=True)
print(f"{len(photos)} photos to go on with")

# %% [markdown]
# On the command line the same audit is `python -m tutorial_utils audit FOLDER`.
#
# ## Look: how many, how large?
#
# Two questions come before all others. Are the classes about equally frequent? If not, a model can look good by
# always naming the largest one. And how large are the photos?

# %%
import matplotlib.pyplot as plt
import numpy as np

counts = photos["label"].value_counts(sort=False)
turned = (stats["orientation"] > 4).to_numpy()  # stored on their side
width, height = np.where(turned, [stats["height"], stats["width"]], [stats["width"], stats["height"]]).astype(int)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2 if len(counts) <= 12 else 5.6), layout="constrained")
plots.plot_class_counts(counts, left)
right.scatter(width, height, s=8, alpha=0.5, color=plots.PALETTE["blue"])
right.set(title="Sizes of the photos", xlabel="width (pixels)", ylabel="height (pixels)")
plots.show(
    figure,
    "Left, bars: photos of each class. Right, dots: width and height of every photo",
    run / "figures" / "counts_and_sizes.png",
)

# %%
balance = counts.min() / counts.max()
print(f"{len(photos)} photos, {len(counts)} classes; the smallest class has {balance:.0%} of the largest")
print(f"widths {width.min()} to {width.max()}, heights {height.min()} to {height.max()} pixels")
assert not as_told or balance == 1

# %% [markdown]
# Now look at the photos as what they are. The menu and the slider choose a plant; the photos of that plant appear
# below. See how much they differ in light, pose and background, although it is the same leaf.

# %%
data_preparation.browse_groups(photos)

# %% [markdown]
# The printed page shows the first groups of two classes:

# %%
first = photos[photos["group"].isin(photos.groupby("label", observed=True)["group"].first().iloc[:2])]
first = first.groupby("label", observed=True).head(4)
figure = plots.photo_grid(
    [read_image(path) for path in first["path"]],
    titles=list(first["label"]),
    columns=4,
    title="Photos that share a group",
)
plots.show(figure, "Photos of one group of each of two classes, side by side", run / "figures" / "groups.png")

# %% [markdown]
# ## Resize: every photo becomes a square
#
# A network takes all photos of a batch in one size. `read_image` is the one way in which this course reads pixels,
# in training and later in use: it turns photos upright (cameras often only note that they were held sideways),
# converts colors, and resizes. The whole photo is *stretched* to the square.

# %%
path = photos["path"].iloc[int(np.argmax(np.maximum(width, height) / np.minimum(width, height)))]
views = [read_image(path), read_image(path, image_size)]
titles = ["as it is", "stretched"]
figure = plots.photo_grid(views, titles, columns=2, title="The most elongated photo", size=2.2)
plots.show(figure, "The most elongated photo as it is, and stretched to a square", run / "figures" / "fit.png")

# %% [markdown]
# How small may it be? The smaller the photo, the faster everything that follows: half the side is a quarter of the
# pixels. But what you cannot see, the network cannot see either. Find the size below which the symptoms of the disease
# are gone:

# %%
lesions = photos[photos["label"] != "healthy"].iloc[0]["path"]
sides = [32, 64, 128, 224]
figure = plots.photo_grid(
    [read_image(lesions, side) for side in sides],
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
# of a plant are trained on, the fourth is hardly new. So the split goes by group, and copies that the audit's
# comparison finds are one group as well. Each class is shared out in the same proportions, 70 to 10 to 20, unless a
# data set brings its own split.

# %%
from tutorial_utils.data import splits

photos = splits.split(photos, seed=seed, stats=stats)
print(splits.uneven_shares(photos) or "Every class is within 5 points of 70 / 10 / 20 %.")
photos.groupby(["label", "split"], observed=True).size().unstack()

# %% [markdown]
# Whole groups cannot always be shared out evenly; where they could not, the line above says so. The promise that no
# group is on two sides is easy to check, so we check it (`splits.split` does too,
# for paths, bytes and near-duplicates):

# %%
sides_of_group = photos.groupby("group")["split"].nunique()
assert (sides_of_group == 1).all()
print(f"{len(sides_of_group)} groups, each in exactly one part")

# %% [markdown]
# What would happen if we split photos at random instead? With its path for a group, every photo is a group of its own.
# Count the test photos that would have a twin in training:

# %%
each_alone = photos.drop(columns="split").assign(group=photos["path"])
at_random = splits.split(each_alone, seed=seed)["split"]
train_groups = set(photos.loc[at_random == "train", "group"])
twins = photos.loc[at_random == "test", "group"].isin(train_groups).mean()
print(f"Split at random, {twins:.0%} of the test photos have a photo of the same group in training.")
assert not as_told or twins > 0.9

# %% [markdown]
# See it plant by plant. Below, each column is a plant and each mark one of its photos. Switch the rule, then shuffle a
# few times: what changes from shuffle to shuffle, and what never does?

# %%
data_preparation.explore_split(photos, seed)

# %% [markdown]
# Both rules side by side:

# %%
figure, (upper, lower) = plt.subplots(2, 1, figsize=(9, 5.6), layout="constrained")
alts = [
    data_preparation.draw_split(photos, rule, seed, ax)[1] for rule, ax in [("at random", upper), ("by plant", lower)]
]
plots.show(figure, ". ".join(alts), run / "figures" / "splits.png")

# %% [markdown]
# ## Leakage lab: what do twins do to a score?
#
# Twins on both sides are called **leakage**: the answer leaks from training into the test. How much does it flatter?
# We take the features of chapter 1 and a simple classifier, logistic regression. A third of the photos is held out, the
# classifier learns from the rest, and this is repeated until every photo has been held out once (3-fold
# cross-validation), with five different shuffles. Only the rule changes: photos are held out at random, or plant by
# plant. The real test photos stay closed. Each accuracy comes with its 95 % interval: the range in which the accuracy
# on new plants probably lies, given how few photos we have. (Each photo counts five times, once per shuffle.)

# %%
from tutorial_utils.data import pipeline
from tutorial_utils.models import backbones

borrowed = backbones.get(backbone)
looked_at = photos[photos["split"] != "test"]
looked_part = stats.loc[looked_at.index].reset_index(drop=True)
looked_at = looked_at.reset_index(drop=True)


def features_with(preprocess, batches):
    """Return the base's features, (photos, channels), of photos preprocessed by the function `preprocess`."""
    inputs = keras.Input((image_size, image_size, 3))  # pixels, 0-255
    maps = borrowed.base(preprocess(inputs), training=False)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps))
    return model.predict(batches, verbose=0)


x = features_with(borrowed.preprocess, pipeline.batches(looked_at, image_size))

# %%
import sklearn.base
import sklearn.linear_model
import sklearn.model_selection
import sklearn.pipeline
import sklearn.preprocessing

labels = looked_at["label"].cat.codes.to_numpy()
classifier = sklearn.pipeline.make_pipeline(
    sklearn.preprocessing.StandardScaler(), sklearn.linear_model.LogisticRegression(C=0.03, max_iter=2000, tol=1e-3)
)


def guesses(x, groups, seed):
    """Return a guess for each photo, by a classifier that learned from no photo of its group."""
    folds = sklearn.model_selection.StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=seed)
    return sklearn.model_selection.cross_val_predict(classifier, x, labels, groups=groups, cv=folds)


# %%
from tutorial_utils.evaluation import metrics

seeds = range(seed, seed + 5)
# with its path for a group, every photo is a group of its own
by_photo = np.concatenate([guesses(x, looked_at["path"], one) for one in seeds])
by_group = np.concatenate([guesses(x, looked_at["group"], one) for one in seeds])
five_labels, five_groups = np.tile(labels, 5), np.tile(looked_at["group"], 5)
leak = metrics.paired_difference(five_labels, by_photo, by_group, five_groups)
print(f"right more often when split at random than by group: {leak}")

# %%
rows = [(by_photo == five_labels).reshape(5, -1).mean(axis=1), (by_group == five_labels).reshape(5, -1).mean(axis=1)]
figure, axes = plt.subplots(figsize=(6.4, 2.4), layout="constrained")
for place, scores_of_seeds in enumerate(rows):
    axes.plot(100 * scores_of_seeds, [place] * 5, "o", color=plots.PALETTE[("red", "blue")[place]], alpha=0.7)
axes.set_yticks([0, 1], ["split at random", "split by group"])
axes.set(
    title=f"{borrowed.name}: one classifier, five shuffles each",
    xlabel="accuracy (%)",
    ylabel="split",
    ylim=(1.5, -0.5),
)
plots.show(figure, "Accuracy of five random splits and of five splits by group", run / "figures" / "leakage.png")
assert not as_told or leak.low > 0

# %% [markdown]
# The dots of the upper row are the score that would stand in a report; those of the lower row are what new plants
# would meet. Nothing was changed but the split. If every photo of your folder is its own group, the two rows differ by
# chance only.
#
# On real photos, with the same classifier and features of 224 pixels, this was measured:

# %%
from tutorial_utils.course import benchmark_tables

benchmark_tables.show_table("leakage")

# %%
leaks = benchmark_tables.read_table("leakage")[0].set_index("set")
assert (leaks["low"] > 0).all()
assert leaks["difference (points)"].idxmin() == "plantvillage_tomato" == (leaks["groups"] / leaks["photos"]).idxmax()
assert leaks["difference (points)"].idxmax() == "magnetic_tile"

# %% [markdown]
# In every set the interval of the difference lies above zero. It is smallest for the tomato leaves, which have the most
# groups for their number of photos, and largest for the magnetic tiles, whose surfaces were photographed over and over.

# %% [markdown]
# ## From table to batches
#
# Training reads photos in small portions, the **batches**. `pipeline.batches` turns the table into a stream of them:
# while the network works on one, the next is read. Training batches come in a new order every epoch (an *epoch* is
# one pass through all training photos); the order depends on the seed only.

# %%
train = splits.subset(photos, "train")
batches = pipeline.batches(train, image_size, batch_size=32, shuffle=True, seed=seed)
images, batch_labels = next(iter(batches))
print(
    f"images {images.shape} {images.dtype}, pixels {images.numpy().min():.0f} to {images.numpy().max():.0f}; "
    f"labels {batch_labels.shape}"
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

# %% tags=["hidden"]
assert np.array_equal(augment(one, training=False), one)  # outside training, photos pass unchanged

# %% [markdown]
# Keras has many more changes to offer. Try three of them on top of the course's own: turning by any angle, zooming,
# making lighter or darker. The line of code above the photos is what you would give to `pipeline.batches` to train with
# what you see. From which strength on could you yourself no longer name the class? And what fills the corners of a leaf
# that was turned a little?

# %%
to_change = [read_image(path, image_size) for path in splits.sample_per_class(train, 3, seed=seed)["path"]]
data_preparation.explore_augmentation(to_change, seed)

# %%
figure, alt = data_preparation.draw_augmentation(to_change[0], seed, turn=45, zoom=40, light=60)
plots.show(figure, alt, run / "figures" / "strong_augmentation.png")

# %% [markdown]
# An augmentation may change everything but the answer. Turning a leaf does not heal it. But what of its colors? Here is
# a test that needs no opinion: let a classifier that learned from unchanged photos look at changed ones. If it still
# finds the class, the change left the answer alone.

# %%
changes = {
    "as they are": lambda images: images,
    "flipped and turned": lambda images: augment(images, training=True),
    "red and blue swapped": lambda images: images[..., ::-1],
}
figure = plots.photo_grid(
    [one[0], np.rot90(one[0]), one[0][..., ::-1]], titles=list(changes), columns=3, title="One photo, changed", size=2.2
)
plots.show(figure, "One photo as it is, turned, and with red and blue swapped", run / "figures" / "changes.png")

# %%
in_order = pipeline.batches(looked_at, image_size)
changed = {"as they are": x}
for name, change in list(changes.items())[1:]:
    changed[name] = features_with(borrowed.preprocess, in_order.map(lambda images, _, change=change: change(images)))

told = {name: np.empty_like(labels) for name in changes}
folds = sklearn.model_selection.StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=seed)
for learn, ask in folds.split(x, labels, looked_at["group"]):
    fitted = classifier.fit(x[learn], labels[learn])  # learns from photos as they are
    for name, rows in changed.items():
        told[name][ask] = fitted.predict(rows[ask])

# %%
of_changes = {name: metrics.accuracy(labels, guess, looked_at["group"]) for name, guess in told.items()}
axes = plots.plot_intervals(
    list(of_changes), list(of_changes.values()), title=f"{borrowed.name}: photos changed after learning"
)
plots.show(
    axes.figure,
    "Accuracy with interval on photos as they are, flipped and turned, and with red and blue swapped",
    run / "figures" / "changed.png",
)

# %%
costs = {
    name: metrics.paired_difference(labels, told["as they are"], guess, looked_at["group"])
    for name, guess in list(told.items())[1:]
}
for name, difference in costs.items():
    print(f"{name} costs {difference}")
assert not as_told or costs["red and blue swapped"].low > max(0, costs["flipped and turned"].value)

# %% [markdown]
# A change that costs accuracy takes away something that the classifier goes by, and if that is the symptom itself,
# training on such photos asks the network to overlook it. So choose augmentations by asking: would the label still be
# right? A digit 6 must not be turned to a 9, an X-ray not mirrored when left and right matter, a leaf not be given
# other colors when yellowing is the symptom.

# %% [markdown]
# ## The mistake that everyone copies: `/ 255`
#
# Most networks were trained on pixels that were shifted and scaled, each in its own way, and they expect the same from
# you. Many examples divide by 255, whatever the network. (Keras's EfficientNets are the trap of today: they take pixels
# from 0 to 255 and scale them inside, so whoever divides as well scales twice.) Keras raises no error. What does it
# cost? The base, the photos and the simple classifier are the same; only the preprocessing differs.

# %%
divided = features_with(keras.layers.Rescaling(1 / 255), in_order)
predicted = {
    "its own": guesses(x, looked_at["group"], seed),
    "divided by 255": guesses(divided, looked_at["group"], seed),
}
scores = {name: metrics.accuracy(labels, guess, looked_at["group"]) for name, guess in predicted.items()}

# %%
axes = plots.plot_intervals(list(scores), list(scores.values()), title=f"{borrowed.name}: preprocessing and accuracy")
plots.show(
    axes.figure,
    "Accuracy with interval for the network's own preprocessing and for division by 255",
    run / "figures" / "preprocessing.png",
)
cost = metrics.paired_difference(labels, predicted["its own"], predicted["divided by 255"], looked_at["group"])
print(f"its own preprocessing against divided by 255: {cost}")

# %% [markdown]
# The two models see the same photos, so we compare them photo by photo: the line above gives the difference with its
# interval. An interval that lies above zero means that the wrong preprocessing does cost accuracy here; one that
# holds zero means that these photos are too few to tell. There is no error message either way. In this
# course the question never comes up again, because the preprocessing is part of the model: it takes pixels from 0 to
# 255, whatever the network inside.

# %% tags=["hidden"]
assert not as_told or cost.value > 0

# %% [markdown]
# ## Uneven classes
#
# Diseases are rare, and so are their photos. A classifier that counts every photo alike then gains most by caring for
# the large classes. Take one class and leave it a quarter of its groups to learn from; all its photos are still asked
# for, each by a classifier that saw no photo of its group. Then do the same with **class weights**: each photo counts
# as much as its class is rare.

# %%
rare = class_names[0]
of_rare = (looked_at["label"] == rare).to_numpy()
groups_of_rare = looked_at.loc[of_rare, "group"].unique()
few = set(groups_of_rare[:: max(1, min(4, len(groups_of_rare) // 3))])  # fewer than a quarter would leave less than 3
may_learn = ~of_rare | looked_at["group"].isin(few).to_numpy()


def guesses_uneven(class_weight):
    """Return a guess for each photo, from photos of other groups, few of them of the class `rare`."""
    model = sklearn.base.clone(classifier).set_params(logisticregression__class_weight=class_weight)
    guess = np.empty_like(labels)
    folds = sklearn.model_selection.StratifiedGroupKFold(3, shuffle=True, random_state=seed)
    for learn, ask in folds.split(x, np.where(may_learn, labels, -1), looked_at["group"]):
        learn = learn[may_learn[learn]]
        if len(set(labels[learn])) < 2:  # so few groups that nothing else is left to say
            guess[ask] = labels[learn][0]
            continue
        guess[ask] = model.fit(x[learn], labels[learn]).predict(x[ask])
    return guess


# %%
weighing = {
    "few photos, all count alike": guesses_uneven(None),
    "few photos, class weights": guesses_uneven("balanced"),
    "all its photos": guesses(x, looked_at["group"], seed),
}
for title, chosen in [(f"photos of {rare}", of_rare), ("photos of the other classes", ~of_rare)]:
    print(title)
    for name, guess in weighing.items():
        print(f"  {name:30}{metrics.accuracy(labels[chosen], guess[chosen], looked_at['group'][chosen])}")

# %%
alike, weighted, all_photos = (guess[of_rare] for guess in weighing.values())
gain = metrics.paired_difference(labels[of_rare], weighted, alike, looked_at["group"][of_rare])
photos_gain = metrics.paired_difference(labels[of_rare], all_photos, weighted, looked_at["group"][of_rare])
print(f"what weights bring the rare class:             {gain}")
print(f"what its other photos bring it after that:     {photos_gain}")
assert not as_told or (gain.value > 0 and photos_gain.low > gain.value)

# %% [markdown]
# Weights are worth a try when an overlooked disease costs more than a false alarm. But they are no new photos: compare
# the two lines above. Where a class is rare, the better remedy is to collect more of it. Keras takes weights as
# `model.fit(..., class_weight=weights)`, one number a class: the number of photos divided by the number of classes and
# by the photos of that class.

# %%
per_class = np.bincount(labels[may_learn])
weights = {number: round(float(may_learn.sum() / len(per_class) / count), 2) for number, count in enumerate(per_class)}
print(weights)

# %% [markdown]
# ## Does something else give the class away?
#
# On a much used set of leaf photos, eight pixels of the background predict the disease in every second photo
# (Noyan and others, 2022). A network may then learn the table that a leaf lies on, and its score says little about
# leaves in a field. So ask things that are *not* the subject: can the class be told from eight pixels of
# the border, from the size of the picture, from the file's name, from the date? They should do no better than
# naming the largest class (*chance*). It **fires** if even the low end of the interval is more than a quarter of
# the way from chance to what the network's features reach.

# %%
from tutorial_utils.data import shortcuts
from tutorial_utils.models import heads

probabilities = heads.cross_val_probabilities(looked_at, x, seed)
cues = prepare.shortcut_table(looked_at, looked_part, probabilities, seed)
cues.assign(cue=cues["cue"].map(shortcuts.CUES)).round(3)

# %% tags=["hidden"]
assert not as_told or not cues["fires"].any()

# %% [markdown]
# Rows without numbers have nothing to say: all photos are alike in it. Mean color and file size stand there to be seen
# but never fire, for a disease may rightly change both. Now a set in which it does fire. Lay each class on a table of
# its own: paint a thin gray border, from class to class a little lighter.

# %%
tables = run / "tables"
shutil.rmtree(tables, ignore_errors=True)


def lay_on_table(number, row):
    """Write a photo with a gray border of its class's shade, with a little noise; return its path."""
    noise = np.random.default_rng(number).integers(-3, 4, 3)
    picture = np.full((160, 160, 3), 90 + 60 * class_names.index(row.label) // len(class_names) + noise, np.uint8)
    picture[4:-4, 4:-4] = read_image(row.path, 152)
    path = tables / row.label / f"{number:04d}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(picture).save(path, quality=90)
    return str(path)


few_photos = splits.sample_per_class(looked_at, 30, seed=seed)
few_photos["path"] = [lay_on_table(number, row) for number, row in enumerate(few_photos.itertuples())]

# %%
some = few_photos.drop_duplicates("label").sort_values("label").iloc[plots.named_places(len(class_names))]
shown = [read_image(path) for path in some["path"]]
figure = plots.photo_grid(shown, titles=list(some["label"]), columns=6, title="Each class on a table of its own")
plots.show(
    figure,
    "One photo of each class with a thin gray border, a little lighter from class to class",
    run / "figures" / "tables.png",
)

# %%
told_by_border = shortcuts.predict_from_cue(
    "border", few_photos, image_stats.compute_stats(few_photos, progress=False), seed=seed
)
few_labels = few_photos["label"].cat.codes.to_numpy()
border = metrics.accuracy(few_labels, told_by_border, few_photos["group"])
print(f"class told from eight pixels of the border: {border}; chance {shortcuts.majority_share(few_photos):.1%}")
assert not as_told or border.low > 0.5

# %% [markdown]
# And on whole data sets, real ones among them:

# %%
benchmark_tables.show_table("shortcuts")

# %%
asked = benchmark_tables.read_table("shortcuts")[0].set_index(["set", "what is asked"])["fires"]
assert asked["plantvillage_tomato", "eight pixels of the border"] == "yes"
assert (asked["leaves"] == "no").all()

# %% [markdown]
# The tomato leaves are the photos of the paper above (a part of them), and their border fires. Where something fires,
# take new photos with every class on every background, or crop or mask what is not the subject.

# %% [markdown]
# ## Which labels does a model doubt?
#
# The probabilities above come from classifiers that never saw the photo in question, nor any of its group. Where such
# a classifier is surer of another class than it usually is for photos of that class, the label deserves a look
# (this is called *confident learning*). The five that it doubts most:

# %%
rows, likely = audit.find_label_issues(labels, probabilities)
print(f"{len(rows)} of {len(looked_at)} labels are doubted")
if len(rows):
    figure = plots.photo_grid(
        [read_image(path) for path in looked_at["path"].iloc[rows[:5]]],
        titles=[f"{class_names[labels[a]]}, or {class_names[b]}?" for a, b in zip(rows[:5], likely[:5], strict=True)],
        columns=5, title="Their labels are doubted most", size=2.0,
    )  # fmt: skip
    plots.show(figure, "The five photos whose labels the classifier doubts most", run / "figures" / "suspects.png")

# %% [markdown]
# Doubt is not proof. The course's own leaves were painted, each with its disease, so every label is right, and still a
# classifier doubts the ones that are hard. With one label in twenty made wrong at random, this is how many of the wrong
# ones it found, and how many of those it doubted were wrong:

# %%
benchmark_tables.show_table("wrong_labels")

# %% [markdown]
# So look at the doubted photos, the surest first, and change a label only when you yourself see that it is wrong.

# %% [markdown]
# ## Exercises
#
# **1. Predict.** A batch holds 32 photos of the training part. How many batches does one epoch have?

# %% tags=["solution"]
# hint: The last batch may be smaller than the others, but it is a batch.
batches_in_an_epoch = -(-len(train) // 32)

# %%
from tutorial_utils.course import exercises

exercises.check(
    "Batches in an epoch",
    batches_in_an_epoch,
    len(batches),
    explain=f"{len(train)} training photos in batches of 32; the last one takes what is left.",
    wrong=[
        (len(train) // 32, "That many batches are full. The photos that are left make one more, a smaller one."),
        (-(-len(photos) // 32), "That counts all photos; an epoch goes through the training part only."),
        (len(train), "That is the number of photos; a batch holds 32 of them."),
    ],
)

# %% [markdown]
# **2. Explain.** A friend takes ten photos of each of 50 plants, splits the photos at random, and finds that the
# model is right on 97 % of the test photos. In the field, on new plants, it is right on 80 %. The split cut through
# something that should have stayed whole. Which word of this chapter names it? Write it as a string.

# %% tags=["solution"]
# hint: It is a column of the photos table.
cut_through = "group"

# %%
exercises.check(
    "What was cut through",
    cut_through,
    "group",
    explain="Photos of one plant were on both sides of the split, so the test asked for plants already known.",
    wrong=[
        ("plant", "Here the plants were cut, true. The table has a word for whatever photos may share, be it a plant, "
         "a patient or a machine."),
        ("leakage", "That is the name of what came of it: answers leaked from training into the test. What was cut?"),
        ("class", "A split must cut through every class, so that each part has photos of it."),
        ("label", "Each photo keeps its label, whichever part it lands in."),
    ],
)  # fmt: skip

# %% [markdown]
# **3. Predict.** Five classes have 60 photos each, a sixth has 20. With the rule for class weights given above, what is
# the weight of the sixth class? Work it out to two digits behind the point.

# %% tags=["solution"]
# hint: The number of all photos, divided by the number of classes and by the photos of that class.
weight_of_the_sixth = 320 / 6 / 20

# %%
photos_of_six = np.array([60, 60, 60, 60, 60, 20])
exercises.check(
    "Weight of the sixth class",
    weight_of_the_sixth,
    (photos_of_six.sum() / len(photos_of_six) / photos_of_six)[-1],
    tolerance=0.01,
    explain="The other classes get 0.89, so one photo of the sixth counts as much as three of theirs.",
    wrong=[
        (3, "Against each other class it counts three times, right. But the rule measures each class against the "
         "average one, which has 53 photos, so the others get a little less than 1."),
        (320 / 20, "All photos over those of the class: the number of classes is still to be divided by."),
        (6 * 20 / 320, "Upside down: with this weight the rare class would count less, not more."),
        (1 / 3, "Upside down: with this weight the rare class would count less, not more."),
    ],
)  # fmt: skip

# %% [markdown]
# **4. Change one thing.** The course's augmentation shows a leaf in all the eight ways in which a square can be laid
# down. Shoes have an up and a down: `pipeline.augmentation(seed, upright=True)` is for them. In how many ways can it
# show a photo? Predict, then count over many tries, as `len(np.unique(versions, axis=0))` does.

# %%
many = np.stack(64 * [to_change[0]]).astype("float32")  # one photo, 64 times

# %% tags=["solution"]
# hint: Call it on `many` with `training=True`, and count the different photos that come out.
ways = len(np.unique(pipeline.augmentation(seed, upright=True)(many, training=True), axis=0))

# %%
versions = pipeline.augmentation(seed, upright=True)(many, training=True)
exercises.check(
    "Ways to show an upright photo",
    ways,
    len(np.unique(versions, axis=0)),
    explain="As it is, and mirrored left to right. Anything else would stand a shoe on its head or on its side.",
    wrong=[
        (8, "These are all ways to lay down a square; seven of them turn or mirror it, and most stand a shoe on its "
         "head or on its side."),
        (4, "Mirroring top to bottom as well would make four, but then shoes stand on their heads."),
        (1, "Then it would change nothing. One change leaves a shoe a shoe."),
        (64, "So many times the photo went in. Many of the versions that come out are the same."),
    ],
)  # fmt: skip

# %% [markdown]
# {{quiz}}

# %% [markdown]
# ## You have

# %%
summary = {
    "photos": len(photos),
    "classes": len(counts),
    "twins_at_random": round(float(twins), 4),
    "leak": round(leak.value, 4),
    "leak_low": round(leak.low, 4),
    "leak_high": round(leak.high, 4),
    "shortcuts": ", ".join(cues["cue"][cues["fires"]]) or "none",
    "doubted_labels": len(rows),
    "accuracy_own_preprocessing": round(scores["its own"].value, 4),
    "accuracy_divided_by_255": round(scores["divided by 255"].value, 4),
    "seconds": round(time.perf_counter() - started, 1),
}
run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
parts = photos["split"].value_counts()

# %%
print(f"Organized: {len(photos)} photos of {len(counts)} classes, audited and resized to {image_size} pixels.")
print(
    f"Split by group: {parts['train']} train, {parts['val']} validation, {parts['test']} test photos, "
    "kept in splits.csv."
)
print(f"Leakage: split at random, the same classifier looks better by {leak}.")
print(
    f"Preprocessing: {scores['its own'].value:.1%} right with the network's own, "
    f"{scores['divided by 255'].value:.1%} with / 255."
)
print(
    f"Weights bring the rare class {gain}; shortcuts that fire: {summary['shortcuts']}; labels in doubt: {len(rows)}."
)

# %% [markdown]
# **What next?** The photos are ready. Chapter 3 puts a new head on the borrowed network and trains it.
