# %% [markdown]
# # 1. Setup: train your first network
#
# ![A leaf goes into a frozen base, which makes features of it; a small new head turns these into a
# class](drawings/base_and_head.svg)
#
# **You will**
#
# - train a network that recognizes leaf diseases, in a few seconds on a laptop,
# - ask it about a leaf that it has never seen, and then about a photo of your own,
# - look inside: how do pixels become an answer?
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** a little Python. No graphics card, and no
# experience with neural networks.
#
# You have a few hundred photos of leaves, and you'd like a program that tells you which ones are sick, and what they
# have. A
# **neural network** can learn that. It is a long calculation with many adjustable numbers, its **weights**, and
# training adjusts them until the answers match the right ones. But a few hundred photos are far too few to train a
# large network from scratch. Luckily, someone has already trained networks on more than a million everyday photos, and
# what those networks learned about edges, textures and shapes works for leaves too. You borrow one and add your own
# classes, the possible answers, on top. This is **transfer learning**.
#
# First you will do it. Then you will see what happens inside.

# %% [markdown]
# ## Your settings
#
# Every chapter starts with these lines. Change a value and run the notebook again.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/01_setup"  # str: where this chapter leaves its results

# %%
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% [markdown]
# ## Load the photos
#
# The course comes with its own photos, so this works offline. They are not real: a program paints the leaves, either
# healthy or with one of five diseases. (The first time this takes about a minute. After that they are kept on disk.)

# %%
from tutorial_utils.data import catalog, splits

photos = splits.split(catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class), seed=seed)
train, new = splits.subset(photos, "train"), splits.subset(photos, "val")
class_names = list(photos["label"].cat.categories)
print(f"{len(train)} photos to learn from, {len(new)} new photos to try it on: {', '.join(class_names)}")

# %% [markdown]
# `photos` is a table with one row per photo: the path of the file, the right answer (its **label**), and the plant. The
# new photos show plants that the network will not see in training. That matters: a network can simply memorize photos
# that it has seen, so only new ones show whether it has learned anything. Have a look at a few:

# %%
from tutorial_utils.data.images import read_image
from tutorial_utils.evaluation import plots

shown = train.groupby("label", observed=True).head(2).sort_values("label")[:24]
figure = plots.photo_grid(
    [read_image(path) for path in shown["path"]], shown["label"], title="Two photos of each class"
)
plots.show(figure, "A grid of photos, two of each class, the class above", run / "figures" / "classes.png")

# %% [markdown]
# Which classes could you tell apart at a glance? Which two would you mix up?

# %% [markdown]
# ## Borrow a network
#
# A network is a chain of steps, its **layers**. The one we borrow was trained on **ImageNet**, more than a million
# photos of 1,000 kinds of things. We take it without its last layer, because that layer knows ImageNet's classes and
# not ours. What is left is called the **base**, or the backbone. We **freeze** it: training will not change its
# weights. The library that builds and trains networks here is Keras.

# %%
from tutorial_utils.models import backbones

borrowed = backbones.get(backbone)  # like keras.applications.MobileNetV2(include_top=False, weights="imagenet")
base = borrowed.base
base.trainable = False  # frozen: keep what ImageNet taught it
print(f"{borrowed.name}: {base.count_params():,} weights, from {borrowed.source} ({borrowed.license})")

# %% [markdown]
# (If the weights you asked for are not on this machine and cannot be downloaded, you'll see a message above, and you
# get EfficientNet-Lite0, whose weights came with the installation. Everything below works the same.)
#
# ## Add a head
#
# On top of the base we put a small new layer, the **head**. It has one output for each of our classes, and it is the
# only part that learns. Base and head together are the **model**. Don't worry about every line of the next cell yet:
# "What just happened?" below explains them. Each line makes a layer and applies it to `x`, the output of the layers
# before it.

# %%
import keras

keras.utils.set_random_seed(seed)
inputs = keras.Input((image_size, image_size, 3))  # a photo: red, green and blue for each pixel, 0-255
x = borrowed.preprocess(inputs)  # scale the pixels the way this base expects them
x = base(x, training=False)  # feature maps: (batch, height, width, maps); training=False: see chapter 4
x = keras.layers.GlobalAveragePooling2D()(x)  # one number per map: (batch, maps)
outputs = keras.layers.Dense(len(class_names), activation="softmax")(x)  # a probability per class
model = keras.Model(inputs, outputs)

# %% [markdown]
# ## Train it
#
# `compile` sets how the model will learn, and `fit` does the learning. It gets the photos together with their labels,
# in small groups of 32, the **batches**. After each batch it changes the head's weights a little, so that its answers
# come closer to the labels. One pass through all the photos is an **epoch**, and we do five.

# %%
from tutorial_utils.data import pipeline

model.compile(keras.optimizers.Adam(0.003), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(pipeline.batches(train, image_size, shuffle=True, seed=seed), epochs=5, verbose=2)

# %% [markdown]
# Each epoch prints its number, then a line with the number of batches, the time they took, and the accuracy: the share
# of these photos that the model gets right. It goes up, so the head is learning. (Chapter 3 explains `loss`, `Adam`,
# and how the head knows which way to change.)
#
# ## Ask it about a new leaf
#
# Here is a photo of a plant that the model has never seen. `predict` wants a batch, so `[None]` makes a batch of one
# photo, and `[0]` takes the answer for it out again.

# %%
path = new["path"].iloc[0]
image = read_image(path, image_size)  # pixels, 0-255: (height, width, 3)
probabilities = model.predict(image[None], verbose=0)[0]  # one per class; they add up to 1
figure = plots.plot_answer(image, probabilities, class_names, title=f"This leaf: {new['label'].iloc[0]}")
plots.show(figure, "A leaf, and the probability of each class as a bar", run / "figures" / "answer.png")

# %% [markdown]
# You have trained a network. The longest bar is its answer, and its length shows how sure the model is. The title names
# the true class. Is the answer right? A model can be very sure and still wrong. And is it right about other leaves?
# `evaluate` compares its answers with the labels of all the new photos.

# %%
loss, accuracy = model.evaluate(pipeline.batches(new, image_size), verbose=0)
chance = new["label"].value_counts(normalize=True).max()
print(f"It names {accuracy:.0%} of {len(new)} new photos correctly.")
print(f"Always naming the most frequent class would get {chance:.0%} right.")

# %% tags=["hidden"]
as_told = run_folder.as_told(parameters)
assert history.history["accuracy"][-1] > history.history["accuracy"][0] or not as_told
assert accuracy > chance + 0.2 or not as_told

# %% [markdown]
# Compare the two numbers. You could score the second one without looking, by always giving the same answer. We call it
# *chance*, and any model has to beat it. And compare with the last epoch above: a model usually does better on the
# photos that it learned from than on new ones. That is why we kept some aside. The model isn't good enough to rely on
# yet, and the rest of the course makes it better.

# %% [markdown]
# ## Now your photo
#
# Take a photo of a leaf, or of anything else, and give it to the model. (This needs a running notebook.) Don't expect
# too much of real leaves: this model has only ever seen painted ones.

# %%
from tutorial_utils.widgets import setup

setup.explore_answers(model, class_names, list(new["path"][:40]))

# %% [markdown]
# Try something that is not a leaf. The model knows nothing but its classes, so it gives you one of them anyway. How
# sure is it? Chapter 6 teaches it to say "I don't know".

# %% [markdown]
# ## What just happened?
#
# A photo went in, and an answer came out. Let's follow the photo through the network.
#
# ### A photo is numbers
#
# ![A leaf, a part of it enlarged to single squares, and the three numbers of one
# square](drawings/photo_to_numbers.svg)
#
# A photo is a grid of **pixels**. Each pixel has three numbers from 0 to 255: how much red, green and blue it has.

# %%
print("shape:", image.shape, "(height, width, colors)")
print("the pixel in the middle:", image[image_size // 2, image_size // 2], "(red, green, blue)")

# %% [markdown]
# ### A convolution looks for a pattern
#
# ![A window of nine pixels, multiplied by nine weights and added up to one
# number](drawings/convolution.svg)
#
# The base is a long chain of **convolutions**, with simple steps in between. A convolution slides a small window over
# the photo. At each place it multiplies the numbers in the window by its weights and adds everything up. These nine
# weights give a large sum at vertical edges that are dark on the left and bright on the right:

# %%
import numpy as np

edge_weights = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
gray = image.mean(axis=2).round()  # brightness: (height, width)
row, column = setup.strongest_edge(gray)  # where it gets brighter most, from left to right
window = gray[row - 1 : row + 2, column - 1 : column + 2]  # three rows, three columns
print("sum at this place:", (window * edge_weights).sum())

# %% [markdown]
# A sum near zero means no vertical edge, and a negative sum means that the left side is brighter. (In the result,
# orange is positive and purple is negative.) Move the window over the leaf, and switch to other weights. What does each
# of them find?

# %%
setup.explore_convolution(gray)

# %%
figure, alt = setup.draw_convolution(gray, "vertical edges", row, column)
plots.show(figure, alt, run / "figures" / "convolution.png")

# %% [markdown]
# Nobody chose the weights inside the base. Training on ImageNet found them. The first convolution of the base has such
# weights for each of the three colors, and adds everything up. Later convolutions slide over the results of earlier
# ones, so they can find patterns of patterns.
#
# ### From early to late
#
# ![A leaf, an early feature map that shows its outline, and a late one of a few coarse
# spots](drawings/early_and_late_features.svg)
#
# The result of a convolution is itself a kind of picture, a **feature map**: bright where its pattern was found. A
# layer has many sets of weights, and each set makes a map of its own. A few layers together are called a block. Here
# are some maps of our leaf, after the first block and after the last.

# %%
from tutorial_utils.models import features

maps = keras.Model(base.inputs, features.block_outputs(base))
early, *_, late = maps.predict(borrowed.preprocess(image[None].astype("float32")), verbose=0)
print(f"early: {early.shape[3]} maps of {early.shape[1]} x {early.shape[2]}")
print(f"late: {late.shape[3]} maps of {late.shape[1]} x {late.shape[2]}")

# %%
figure = setup.draw_feature_maps(image, early[0], late[0])
plots.show(figure, "The leaf, six early feature maps and six late, coarse ones", run / "figures" / "maps.png")

# %% [markdown]
# In some of the early maps you can still see the leaf. On the way, some layers move their window by two pixels at a
# time, which halves the map, so the late maps are tiny. Each of their squares stands for a large part of the photo, and
# tells how strongly some complicated pattern shows up there.
#
# ### The head turns features into probabilities
#
# The photo's **features** are the mean of each late map, one number per map: that is what `GlobalAveragePooling2D`
# does. The head (`Dense`) multiplies them by its weights and adds up, once for each class, plus one extra number per
# class. Then **softmax** turns the sums into probabilities: it makes them all positive (with the function `exp`) and
# divides by their total, so they add up to 1. You can do the same by hand:

# %%
head = model.layers[-1]
head_weights, extra = head.get_weights()  # (features, classes), (classes,)
photo_features = late[0].mean(axis=(0, 1))  # (features,)
sums = photo_features @ head_weights + extra  # multiply and add up: (classes,)
by_hand = np.exp(sums) / np.exp(sums).sum()  # softmax
print("by hand:", by_hand.round(3), "by the model:", probabilities.round(3))

# %% tags=["hidden"]
assert np.allclose(by_hand, probabilities, atol=1e-3)

# %% [markdown]
# That's all there is to it: a frozen base that turns pixels into features, and a head that turns features into an
# answer. Only the head's numbers were learned from your photos.

# %% [markdown]
# ## Exercises
#
# **1. Count.** The head has one weight for each pair of a feature and a class, plus one extra number per class. Work
# out how many numbers that makes for this model. (`len(photo_features)` and `len(class_names)` tell you what you need.)

# %% tags=["solution"]
# hint: Multiply the number of features by the number of classes, then add the number of classes.
numbers_in_the_head = len(photo_features) * len(class_names) + len(class_names)

# %%
from tutorial_utils.course import exercises

exercises.check(
    "Numbers in the head",
    numbers_in_the_head,
    head.count_params(),
    explain="So few can be learned from a few hundred photos.",
    wrong=[
        (len(photo_features) * len(class_names), "That counts the weights. Each class also has its extra number."),
        (len(photo_features) + len(class_names), "Every feature has a weight for every class, so multiply."),
        (base.count_params(), "That is the base. The head is what we put on top of it."),
    ],
)

# %% [markdown]
# **2. Build.** Write a function that takes the path of a photo and returns the name of the class that the model finds
# most likely.


# %% tags=["solution"]
# hint: Read the photo, call `model.predict` as above; `probabilities.argmax()` is the place of the largest number.
def name_photo(path):
    """Return the model's answer for a photo, one of `class_names`."""
    image = read_image(path, image_size)
    probabilities = model.predict(image[None], verbose=0)[0]
    return class_names[probabilities.argmax()]


# %%
some = list(new["path"][::7])
said = model.predict(np.stack([read_image(each, image_size) for each in some]), verbose=0)
answers = [name_photo(each) for each in some]
exercises.check(
    "Name a photo",
    ... if answers[0] is None else answers,
    [class_names[place] for place in said.argmax(axis=1)],
    explain="That is a leaf classifier in three lines.",
    wrong=[
        ([class_names[place] for place in said.argmin(axis=1)], "That is the least likely class."),
        (list(said.argmax(axis=1)), "That is the place of the class. `class_names` has its name."),
        ([class_names[0]] * len(some), "That is the same class for every photo. Use the photo at `path`."),
    ],
)

# %% [markdown]
# **3. Predict.** The nine weights of another convolution are all 1/9. What is its sum where all nine pixels have a
# brightness of 90?

# %% tags=["solution"]
# hint: Multiply each of the nine numbers by 1/9, and add up.
blurred = 9 * 90 / 9

# %%
exercises.check(
    "Nine times one ninth",
    blurred,
    90,
    tolerance=0.01,
    explain="It gives the mean of the window. Over a whole photo, that blurs it.",
    wrong=[
        (810, "That is the sum without the weights. Each number counts a ninth."),
        (10, "That is one pixel's share. There are nine of them."),
        (0, "Weights that add up to 0 would give that, as those for edges do. These add up to 1."),
    ],
)

# %% [markdown]
# ## Is everything ready?
#
# You trained a network, so this machine works. The table checks what later chapters need. If a row is not ready, its
# last column says what to do.

# %%
from tutorial_utils.course import doctor

checks = doctor.check_machine(backbone)
checks.style.hide(axis="index")

# %% tags=["hidden"]
assert checks["ready"].all(), "Do what the last column says, then run this notebook again."

# %% [markdown]
# ### Photos to work with
#
# Chapters run on other data sets, too. Change `dataset` at the top to a name from this list, or to your own folder with
# one subfolder per class.

# %%
setup.browse_cards(catalog.cards())

# %%
setup.cards_table(catalog.cards())

# %% [markdown]
# {{quiz}}

# %% [markdown]
# ## You have

# %% tags=["hidden"]
summary = {"photos": len(photos), "new_photos": len(new), "new_accuracy": round(float(accuracy), 4)}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)

# %%
print(f"trained a head of {head.count_params():,} numbers on {borrowed.name}, with {len(train)} photos,")
print(f"and it named {accuracy:.0%} of {len(new)} photos of new plants correctly.")

# %% [markdown]
# **What next?** A good model starts with good photos. Chapter 2 shows what can go wrong before training, and how to
# make sure that you can trust the number you get at the end.
