# %% [markdown]
# # 2. Data preparation: photos you can trust
#
# ![Each plant has several photos, and all photos of a plant go into the same part: train, validation or
# test](drawings/split_by_plant.svg)
#
# **You will**
#
# - read a folder of photos, look at it, and find the files that would spoil your training,
# - split the photos by plant, and measure how much a careless split flatters a model,
# - turn photos into batches, in three ways,
# - put the preprocessing where nobody can forget it, and see what augmentation does.
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
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% [markdown]
# ## A folder becomes a table
#
# Most people keep labeled photos in one folder per class: `rust/first.jpg`, `healthy/second.jpg`. The course turns such
# a folder into a table with one row per photo. (It reads other layouts too: a zip file, ready-made train and test
# folders, a spreadsheet of labels.)

# %%
import pathlib

from tutorial_utils.data import catalog

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class, check_photos=False)
class_names = list(photos["label"].cat.categories)
some = photos[["path", "label", "group"]].sample(4, random_state=seed)
some.assign(path=[pathlib.Path(path).name for path in some["path"]])

# %% [markdown]
# `path` is the file and `label` is its class. The **group** says which photos belong together: here, photos of the same
# plant. You will need it soon.
#
# ## Look before you train
#
# How many photos does each class have? If one class has most of them, a model can look good by always naming that one.

# %%
from tutorial_utils.evaluation import plots

axes = plots.plot_class_counts(photos["label"].value_counts(sort=False))
plots.show(axes.figure, "Number of photos of each class", run / "figures" / "counts.png")

# %% [markdown]
# Numbers don't show you blur, or a thumb in front of the lens. So look at the photos themselves. Choose a class and a
# plant. How much do photos of the same plant differ?

# %%
from tutorial_utils.widgets import data_preparation

data_preparation.browse_groups(photos)

# %% [markdown]
# Every photo will be resized to a small square. Training is faster on small photos: half the side means a quarter of
# the pixels. But at which size can you no longer see the spots? (The network may notice things that you don't, so your
# eyes are a hint and not a proof.)

# %%
from tutorial_utils.data.images import read_image

sick = photos.loc[photos["label"] != "healthy", "path"].iloc[0]
sides = [32, 64, 128, 224]
views = [read_image(sick, side) for side in sides]
figure = plots.photo_grid(views, [f"{side} pixels" for side in sides], columns=4, title="One photo at four sizes")
plots.show(figure, "The same photo resized to 32, 64, 128 and 224 pixels", run / "figures" / "sizes.png")

# %% [markdown]
# ## Audit: what is wrong with these files?
#
# Real folders are messy. A copy stops halfway, someone saves the same photo in two classes, a text file is named
# `.jpg`. Some of these stop your training halfway. Others don't stop it, and spoil the result. An **audit** finds them
# first. To see one at work, we copy a few photos and spoil them on purpose:

# %%
from tutorial_utils.course import prepare
from tutorial_utils.data import audit, image_stats
from tutorial_utils.leaves import lessons

stats = image_stats.compute_stats(photos)  # looks at every file once
whole = photos[(stats["problem"] == "").to_numpy()]
folder = lessons.spoil_photos(lessons.write_class_folders(whole, run / "practice", per_class=6, seed=seed))
practice = catalog.load_photos(folder, check_photos=False)
found = audit.audit_photos(practice, progress=False)
figure = prepare.plot_findings(found, practice, title="What the audit found in the practice folder")
plots.show(figure, "The spoiled photos, each with what was found", run / "figures" / "practice.png")

# %% [markdown]
# Choose a finding to read what it means and what to do about it. Would you have noticed it yourself?

# %%
data_preparation.browse_findings(found, practice)

# %% tags=["hidden"]
as_told = run_folder.as_told(parameters)
made = {"truncated", "not_a_photo", "empty", "identical", "similar_elsewhere", "dark", "small"}
assert not as_told or made <= set(found["kind"])

# %% [markdown]
# The mirrored photo was saved anew, so its file is different from the original's. The audit still found it, because it
# compares small, blurred versions of all the photos, mirrored and turned ones too. Now the photos of this chapter:

# %%
findings = audit.audit_photos(photos, stats, progress=False)
print(audit.format_findings(findings, pathlib.Path(photos["path"][0]).parents[1]))
photos = audit.drop_unusable(photos, findings, run)  # dropped.csv in the run folder says which, and why
stats = stats[stats["path"].isin(photos["path"])].reset_index(drop=True)
print(f"{len(photos)} photos to go on with")

# %% [markdown]
# Look at the photos that it names. Those that cannot be used are left out; a warning leaves nothing out. In a terminal,
# `python -m tutorial_utils audit FOLDER` does the same. It changes none of your files.
#
# ## Three parts, and never split a plant
#
# You need three kinds of photos:
#
# - **training photos**: the model learns from them,
# - **validation photos**: you look at them while you make choices, for example how many epochs to train,
# - **test photos**: no model is judged by them until every choice is made. Then they tell you how good the model really
#   is. (Looking for damaged files among them, as you just did, is fine.)
#
# A model may remember a photo that it learned from, so such a photo tells you little about new ones. The same goes for
# a second photo of the same plant. So the photos are split by group: all photos of a plant, and all copies that the
# audit found, go into the same part.

# %%
from tutorial_utils.data import splits

photos = splits.split(photos, seed=seed, stats=stats)
print("parts per plant:", photos.groupby("group")["split"].nunique().max())
photos.groupby(["label", "split"], observed=True).size().unstack()

# %% [markdown]
# What if you split photo by photo instead? In this picture each column is a plant and each mark is one of its photos.
# Photos of the same plant are called twins here. Switch the rule, then shuffle a few times. How many test photos have a
# twin in training?

# %%
data_preparation.explore_split(photos, seed)

# %%
figure, alt = data_preparation.draw_split(photos, "at random", seed)
plots.show(figure, alt, run / "figures" / "split_at_random.png")

# %% [markdown]
# If photos of one plant end up both in training and in the test, that is called **leakage**: the test asks for plants
# that the model already knows. How much better does the model look because of it? Let's measure that. We take the
# features of chapter 1 and a simple classifier, logistic regression. A third of the photos is held out, the classifier
# learns from the rest and predicts the third, and this is repeated until each photo has been held out once
# (*cross-validation*). The real test photos stay closed.

# %%
import keras
from tutorial_utils.data import pipeline
from tutorial_utils.models import backbones

borrowed = backbones.get(backbone)
inputs = keras.Input((image_size, image_size, 3))  # pixels, 0-255
maps = borrowed.base(borrowed.preprocess(inputs), training=False)
extractor = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps))

known = photos[photos["split"] != "test"].reset_index(drop=True)
x, y = extractor.predict(pipeline.batches(known, image_size), verbose=0), pipeline.labels(known)

# %%
from sklearn import linear_model, model_selection, pipeline as steps, preprocessing

classifier = steps.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression(C=0.03, max_iter=2000))


def predict_held_out(groups):
    """Predict each photo with a classifier that learned from no photo of its group."""
    folds = model_selection.StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=seed)
    return model_selection.cross_val_predict(classifier, x, y, groups=groups, cv=folds)


at_random = predict_held_out(known["path"])  # every photo is a group of its own
by_plant = predict_held_out(known["group"])

# %%
from tutorial_utils.evaluation import metrics

print("split at random:", metrics.accuracy(y, at_random, known["group"]))
print("split by plant: ", metrics.accuracy(y, by_plant, known["group"]))
leak = metrics.paired_difference(y, at_random, by_plant, known["group"])
print("the difference: ", leak)

# %% [markdown]
# (The difference is in percentage points.) Each number comes with its 95 % **interval**: the range in which the true
# value probably lies, since we have only so many plants. If the interval of the difference lies above zero, leakage
# flattered the model here. Nothing changed but the split. (If each of your photos shows something else, the two rules
# are the same.) The [leakage lab](labs/leakage.ipynb) repeats this, and shows how large the difference is for real
# photos.

# %% tags=["hidden"]
assert (photos.groupby("group")["split"].nunique() == 1).all()
assert not as_told or leak.value > 0

# %% [markdown]
# ## From photos to batches
#
# Training reads the photos in small batches. If your photos lie in one folder per class, Keras makes the batches in one
# line. For this, we save a few photos in such a folder:

# %%
train = splits.subset(photos, "train")
folder = lessons.write_class_folders(train, run / "few", per_class=8, seed=seed)
few = keras.utils.image_dataset_from_directory(folder, image_size=(image_size, image_size), batch_size=16, seed=seed)
images, labels = next(iter(few))
print("images:", images.shape, "labels:", labels.numpy())

# %% [markdown]
# Its option `validation_split` would split photo by photo, though. You have just seen what that does.
#
# Underneath is `tf.data`, a chain of small steps: list the files, read each one, group them into batches. Here it is by
# hand:

# %%
import tensorflow as tf


def load(path, label):
    """Read one file: pixels from 0 to 255, (image_size, image_size, 3), and the label as it is."""
    image = tf.io.decode_png(tf.io.read_file(path), channels=3)
    return tf.image.resize(image, (image_size, image_size)), label


files = sorted(folder.glob("*/*.png"))
paths = [str(file) for file in files]
numbers = [few.class_names.index(file.parent.name) for file in files]  # the first class becomes 0, and so on
by_hand = tf.data.Dataset.from_tensor_slices((paths, numbers)).shuffle(len(paths), seed=seed)
by_hand = by_hand.map(load).batch(16).prefetch(2)

# %% [markdown]
# `shuffle` draws a new order in every epoch, and `prefetch` reads the next batches while the network works. The course
# uses a helper that does the same from the table. It also reads formats that TensorFlow, the library underneath Keras,
# doesn't, turns photos upright,
# and names the file if one is damaged.

# %%
batches = pipeline.batches(train, image_size, batch_size=32, shuffle=True, seed=seed)
images, labels = next(iter(batches))
print(images.shape, images.dtype, f"pixels {images.numpy().min():.0f} to {images.numpy().max():.0f}")

# %% [markdown]
# ## Preprocessing belongs in the model
#
# Each network was trained on pixels that were scaled in a certain way, and needs the same **preprocessing** from you.
# Many examples divide by 255, whatever the network. MobileNetV2 wants -1 to 1. Another family, the EfficientNets in
# Keras, want 0 to 255, because they scale the pixels themselves: their first layers do it. Divide before that, and the
# photo is scaled twice.

# %%
import numpy as np

efficientnet = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(96, 96, 3))
print("EfficientNetB0 begins with:", [layer.name for layer in efficientnet.layers[:3]])
pixels = np.array([0.0, 128.0, 255.0])
print("MobileNetV2 expects:", keras.applications.mobilenet_v2.preprocess_input(pixels.copy()).round(2))
print("EfficientNet, scaled once:", (pixels / 255).round(2), "scaled twice:", (pixels / 255 / 255).round(4))

# %%
photo = images[0].numpy()
views = [photo, (photo / 255).round().astype("uint8")]  # from 0 to 1, on a scale of 0 to 255
figure = plots.photo_grid(views, ["as it should be", "divided by 255"], columns=2, title="What EfficientNet gets")
plots.show(figure, "A photo, and the same photo divided by 255: black", run / "figures" / "scaled_twice.png")

# %% [markdown]
# Keras raises no error: any numbers will do. So in this course the preprocessing is a part of the model, as in
# `extractor` above. The model takes plain pixels from 0 to 255, today and when someone else loads it next year.

# %% [markdown]
# ## Augmentation: the same leaf, seen differently
#
# A leaf stays the same leaf when you flip or turn it. **Augmentation** makes use of that: in every epoch, each training
# photo is flipped and turned at random, so the network sees more variety. In Keras these are layers. They act during
# training only. (What a turned photo lacks in the corners is filled by mirroring what is there.)

# %%
flip = keras.layers.RandomFlip("horizontal_and_vertical", seed=seed)
turn = keras.layers.RandomRotation(0.1, seed=seed)  # up to a tenth of a full turn, either way
versions = [turn(flip(images[:1], training=True), training=True)[0].numpy() for _ in range(7)]
figure = plots.photo_grid([photo, *versions], ["original"] + 7 * ["augmented"], columns=8, title="One photo", size=1.3)
plots.show(figure, "A photo and seven flipped and turned versions of it", run / "figures" / "augmentation.png")

# %% [markdown]
# An augmentation may change anything but the answer. So for each change, ask yourself: would the label still be right?
# A digit 6 must not be turned into a 9. And if yellow leaves are a symptom, don't change the colors. Try some stronger
# changes. When could you no longer name the class yourself?

# %%
to_change = [read_image(path, image_size) for path in splits.sample_per_class(train, 3, seed=seed)["path"]]
data_preparation.explore_augmentation(to_change, seed)

# %%
figure, alt = data_preparation.draw_augmentation(to_change[0], seed, turn=45, zoom=40, light=60)
plots.show(figure, alt, run / "figures" / "strong_augmentation.png")

# %% [markdown]
# ## Now with your photos
#
# Set `dataset` at the top to your folder, and run the chapter again. If several of your photos show the same plant (or
# person, or machine), put a file `groups.csv` with the columns `file` and `group` in the folder.
# `python -m tutorial_utils audit FOLDER --groups` proposes one. Expect the audit to find something: nearly every folder
# has a surprise.
#
# Three labs go deeper: does [something else than the leaf](labs/shortcuts.ipynb) give the class away? Which
# [labels may be wrong](labs/doubted_labels.ipynb)? And what can you do when
# [one class is rare](labs/class_weights.ipynb)?

# %% [markdown]
# ## Exercises
#
# **1. Predict.** A batch holds 32 photos. How many batches does one epoch over the training photos have?

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
        (-(-len(photos) // 32), "That counts all photos. An epoch goes through the training photos only."),
        (len(train), "That is the number of photos. A batch holds 32 of them."),
    ],
)

# %% [markdown]
# **2. Build.** Write your own chain of steps, called an input pipeline, with `tf.data`: from `paths` and `numbers`,
# batches of 8, read with `load`, in the order in which they come.


# %% tags=["solution"]
# hint: Use the lines above as a model, leave out `shuffle`, and change the size of a batch.
def my_batches(paths, numbers):
    """Return a tf.data.Dataset of batches of 8 (images, labels), in the given order."""
    return tf.data.Dataset.from_tensor_slices((paths, numbers)).map(load).batch(8).prefetch(2)


# %%
def described(dataset):
    """Return in words what the first element of a dataset is."""
    if not isinstance(dataset, tf.data.Dataset):
        return ...
    first_images, first_labels = next(iter(dataset))
    bright = "0-255" if first_images.numpy().max() > 1 else "0-1"
    return f"images {tuple(first_images.shape)}, {bright}, labels {np.asarray(first_labels).tolist()}"


side, listed = (image_size, image_size, 3), np.asarray(numbers).tolist()
exercises.check(
    "Your own pipeline",
    described(my_batches(paths, numbers)),
    f"images {(min(8, len(listed)), *side)}, 0-255, labels {listed[:8]}",
    explain="List, read, batch: every input pipeline is built from these steps.",
    wrong=[
        (f"images {side}, 0-255, labels {listed[0]}", "That is a single photo. Add `.batch(8)` after the reading."),
        (f"images {(min(16, len(listed)), *side)}, 0-255, labels {listed[:16]}", "Almost: that is a batch of 16."),
        (
            f"images {(min(8, len(listed)), *side)}, 0-1, labels {listed[:8]}",
            "You divided by 255. The model does that.",
        ),
    ],
)

# %% [markdown]
# **3. Change one thing.** The course's own augmentation, `pipeline.augmentation(seed)`, shows a leaf in all eight
# orientations of a square: four quarter turns, each also mirrored. Shoes have an up and a down:
# `pipeline.augmentation(seed, upright=True)` is for them. In how many ways can it show a photo? Predict, then call it
# on `many` and count the different photos with `np.unique(..., axis=0)`.

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
    explain="As it is, and mirrored left to right. Anything else would put a shoe on its side or upside down.",
    wrong=[
        (8, "Those are all the ways to lay down a square. Most of them put a shoe on its side or upside down."),
        (4, "Mirroring top to bottom as well would make four, but then the shoes stand upside down."),
        (1, "Then it would change nothing. One change leaves a shoe a shoe."),
        (64, "That is how many photos went in. Many of the versions that come out are the same."),
    ],
)

# %% [markdown]
# {{quiz}}

# %% [markdown]
# ## You have

# %% tags=["hidden"]
summary = {"photos": len(photos), "classes": len(class_names)}
summary |= {"leak": round(leak.value, 4), "leak_low": round(leak.low, 4), "leak_high": round(leak.high, 4)}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)

# %%
parts = photos["split"].value_counts()
print(f"{len(photos)} photos of {len(class_names)} classes that can be read, at {image_size} pixels.")
print(f"{parts['train']} training, {parts['val']} validation, {parts['test']} test photos, split by plant.")
print(f"Split at random, this classifier looked better by {leak}.")

# %% [markdown]
# **What next?** The photos are ready. In chapter 3 you train heads on them, and find out which layers of the base know
# your classes.
