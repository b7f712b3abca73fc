# %% [markdown]
# # 3. Feature extraction: how good can it get without touching the base?
#
# ![A head on the last layer gets one set of features; a head on all layers gets features from every
# block](drawings/last_and_all_layers.svg)
#
# **You will**
#
# - see what a loss is, and how training makes it smaller, step by step,
# - build, compile, fit, evaluate, save and load a model with Keras,
# - find out which layers of the base know something about your photos, and let a head listen to all of them,
# - compare your heads with a small network trained from scratch, and open the test set once.
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** chapters 1 and 2.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
scratch_epochs = 20  # int: epochs of the small network trained from scratch; fewer make the chapter shorter
run_dir = "runs/03_feature_extraction"  # str: where this chapter leaves its results

# %%
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, scratch_epochs=scratch_epochs, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% tags=["hidden"]
as_told = run_folder.as_told(parameters)

# %% [markdown]
# We split the photos by plant, as in chapter 2. The head learns from the **training photos**. The **validation photos**
# help you choose between models. The test photos stay closed until every choice is made.

# %%
from tutorial_utils.data import catalog, image_stats, pipeline, splits

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
class_names = list(photos["label"].cat.categories)
train, validation, test = (splits.subset(photos, name) for name in splits.NAMES)
print(f"{len(train)} training, {len(validation)} validation, {len(test)} test photos of {len(class_names)} classes")

# %% [markdown]
# ## What is a loss?
#
# The head gives a probability to each class. The **loss** measures how far these are from the truth: it is the negative
# logarithm of the probability that the head gave to the true class, also called *cross-entropy*. (The logarithm turns 1
# into 0, and a tiny number into a large negative one. The minus makes it positive.) Being sure and right costs almost
# nothing; being sure and wrong costs a lot.

# %%
import numpy as np

for probability in (0.99, 0.5, 0.1, 0.01):
    print(f"{probability:.0%} for the true class: loss {-np.log(probability):.2f}")

# %% [markdown]
# ![A valley: the loss for each value of a weight, and steps that go down to its bottom](drawings/gradient_descent.svg)
#
# Training makes the loss smaller. At each step it asks: if I make this weight a little larger, does the loss rise or
# fall, and how steeply? That slope is the **gradient** (above zero if the loss rises). Then it moves the weight a step
# downhill: the slope times the **learning rate**. So a larger rate makes longer steps, and where the valley gets flat,
# they get shorter. Here is a head with a single weight. Move the slider: which rates are too small, and which are too
# large?

# %%
from tutorial_utils.widgets import feature_extraction

feature_extraction.explore_descent()

# %%
from tutorial_utils.evaluation import plots

figure, alt = feature_extraction.draw_descent(rate=1.0)
plots.show(figure, alt, run / "figures" / "descent.png")

# %% [markdown]
# With a small rate, twelve steps are not enough to reach the bottom. With a very large one, a step jumps across the
# valley, and may land higher up on the other side. A real head has thousands of weights, and the same rule moves each
# of them.
#
# ## Build, compile, fit
#
# This is the model from chapter 1 with one more layer in its head, so it can learn more complicated rules: 128
# **units**, each a weighted sum of all features, with everything below zero cut off (`relu`). `extractor` goes from
# pixels to features, `dense` is the head alone (`Sequential` stacks layers in order), and `model` is both.

# %%
import keras
from tutorial_utils.models import backbones

keras.utils.set_random_seed(seed)
borrowed = backbones.get(backbone)
base = borrowed.base
base.trainable = False  # frozen: keep what ImageNet taught it

inputs = keras.Input((image_size, image_size, 3))  # pixels, 0-255
maps = base(borrowed.preprocess(inputs), training=False)  # (batch, height, width, maps)
features_of_a_photo = keras.layers.GlobalAveragePooling2D()(maps)  # (batch, maps)
extractor = keras.Model(inputs, features_of_a_photo)
dense = keras.Sequential([keras.Input((base.output_shape[-1],)), keras.layers.Dense(128, activation="relu")])
dense.add(keras.layers.Dense(len(class_names), activation="softmax"))  # (batch, classes)
model = keras.Model(inputs, dense(features_of_a_photo))

# %%
adam = keras.optimizers.Adam(learning_rate=1e-3)
model.compile(optimizer=adam, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
train_batches = pipeline.batches(train, image_size, shuffle=True, seed=seed)
val_batches = pipeline.batches(validation, image_size)
before = [weight.copy() for weight in base.get_weights()]
one_epoch = model.fit(train_batches, validation_data=val_batches, epochs=1, verbose=2)

# %% [markdown]
# The loss has a long name here: it is the one from above, averaged over the photos, for labels that are class numbers.
# `Adam` turns gradients into steps, a refined version of what you saw. It scales its steps itself, so its learning
# rates (1e-3 is 0.001) cannot be compared with those of the slider. `accuracy` and `loss` are for the training photos,
# `val_accuracy` and `val_loss` for the validation photos. The base is frozen, so its weights should not have changed.
# Did they?

# %%
for old, new in zip(before, base.get_weights(), strict=True):
    np.testing.assert_array_equal(old, new)
print(f"All {len(before)} arrays of the base are unchanged.")

# %% [markdown]
# ## A frozen base needs to look only once
#
# In that epoch, the base worked through every photo. But the base is frozen, so it gives the same features for a photo
# in every epoch. Then one look at each photo is enough: keep the features, and train the head on them.

# %%
from tutorial_utils.models import features

x_val = extractor.predict(val_batches, verbose=0)  # (photos, features)
x_train = features.stored(train, borrowed, image_size)[:]  # the same for the training photos, with a helper
y_train, y_val = pipeline.labels(train), pipeline.labels(validation)  # class numbers
print(f"features: training {x_train.shape}, validation {x_val.shape}")

# %% [markdown]
# `features.stored` does what `predict` does, on all processor cores, and keeps the features on disk: the next run, and
# later chapters, only read them. (`[:]` reads all of them into memory.) The price of looking once: every epoch sees the
# same version of each photo, so the usual augmentation (chapter 2) does not work here.
#
# Now train the head alone, for 20 more epochs. `model` contains `dense`, so `dense` picks up where it left off:
# `compile` does not reset weights.

# %%
dense.compile(keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
learned = dense.fit(x_train, y_train, validation_data=(x_val, y_val), epochs=20, verbose=0)
loss, accuracy = dense.evaluate(x_val, y_val, verbose=0)
print(f"after 20 more epochs: loss {loss:.2f}, accuracy {accuracy:.1%} on the validation photos")

# %% [markdown]
# ## Read the curves

# %%
import pandas

history = pandas.DataFrame(learned.history)
figure = plots.plot_history(history, title="A head on stored features")
plots.show(figure, "Loss and accuracy by epoch, for training and validation photos", run / "figures" / "history.png")

# %% [markdown]
# The training loss keeps falling. The validation loss behaves differently: it may jump around, stop falling, or rise.
# After its lowest point the head mostly memorizes the training photos. That is **overfitting**. Chapter 5 shows how to
# stop in time.
#
# Train a few heads yourself; each takes about a second. The sliders set how many photos per class the head learns from,
# how many **hidden** units it has between features and classes, and the learning rate. The matrix on the right counts
# the validation photos: a row for each true class, a column for each answer. What do more photos per class change?

# %%
feature_extraction.explore_head((x_train, y_train), (x_val, y_val), class_names, validation["group"])

# %%
by_hand = dict(train=(x_train, y_train), validation=(x_val, y_val), class_names=class_names, groups=validation["group"])
figure, alt = feature_extraction.draw_head(**by_hand, number=10)
plots.show(figure, alt, run / "figures" / "knobs.png")

# %% [markdown]
# ## A map of the features
#
# On this map, photos with similar features lie close together (the method is called *t-SNE*, and it does not know the
# classes). It squeezes all features of a photo into two numbers, so classes that overlap here may still be far
# apart for a head. Click a point, or use the arrow keys. Find two neighbors of different classes: what did the base see
# in both?

# %%
on_map = splits.sample_per_class(train, max(3, 400 // len(class_names)), seed=seed)
places = feature_extraction.tsne_map(features.stored(on_map, borrowed, image_size)[:], seed)  # (photos, 2)
feature_extraction.browse_map(places, pipeline.labels(on_map), class_names, on_map["path"].to_numpy())

# %%
axes, alt = feature_extraction.draw_map(places, pipeline.labels(on_map), class_names)
plots.show(axes.figure, alt, run / "figures" / "map.png")

# %% [markdown]
# ## A head without epochs
#
# A head of one layer, like the one in chapter 1, is also called **logistic regression**; chapter 2 used it from
# scikit-learn. There it is trained differently: scikit-learn chooses its steps by itself and stops when nothing changes
# anymore, so there is no learning rate and no number of epochs to choose. Large weights cost extra, which keeps the
# head from memorizing. The features are first standardized: shifted and scaled to mean 0 and standard deviation 1. (The
# standard deviation measures how much numbers spread around their mean.) The helper turns the result into an ordinary
# `Dense` layer, with the scaling inside its weights.

# %%
from tutorial_utils.evaluation import metrics
from tutorial_utils.models import heads

logistic = heads.logistic_head(x_train, y_train, len(class_names))
candidates = {"Dense(128) head": dense, "logistic head": logistic}
for name, head in candidates.items():
    predicted = head.predict(x_val, verbose=0).argmax(axis=1)
    print(f"{name}, validation: {metrics.accuracy(y_val, predicted, validation['group'])}")

# %% [markdown]
# ## Which layer knows?
#
# Both heads get features from the very end of the base, and that end was made for ImageNet: to tell a dog from a
# teapot. An early layer may have noticed a rust spot that later layers threw away. A base is a chain of **blocks**:
# early ones find edges and colors, later ones textures, the last ones whole things. Which of them knows something about
# these photos? From each block we take the mean and the standard deviation of every feature map, and train a logistic
# head on these alone.

# %%
x_train_all = features.stored(train, borrowed, image_size, layers="all")[:]  # (photos, numbers of all blocks)
x_val_all = features.stored(validation, borrowed, image_size, layers="all")[:]
by_block, ends = [], np.cumsum(features.block_sizes(borrowed))  # where each block's columns end
for start, end in zip([0, *ends[:-1]], ends, strict=True):
    probe = heads.logistic_head(x_train_all[:, start:end], y_train, len(class_names))
    predicted = probe.predict(x_val_all[:, start:end], verbose=0).argmax(axis=1)
    by_block.append(metrics.accuracy(y_val, predicted, validation["group"]))

# %% [markdown]
# ## A head on all layers
#
# Why choose one block when the head can listen to all? This head is again a logistic regression. The features are
# scaled so that each block counts equally, however many numbers it has. There is one trap: early blocks see the grain
# of a photo, its tiny random specks, so a noisier camera could mislead the head. That is why it also learns from one
# changed copy of each training photo, with noise, blur, JPEG artifacts, or different lighting. (The base looks at this
# copy only once, too. So this much augmentation is possible.) The difference that is printed below comes from all of
# this together.

# %%
copies = features.stored(train, borrowed, image_size, layers="all", corrupted=True, seed=seed)
all_layers, _ = heads.all_layers_head([x_train_all, copies], train, features.block_sizes(borrowed), seed=seed)
predicted_last = logistic.predict(x_val, verbose=0).argmax(axis=1)
predicted_all = all_layers.predict(x_val_all, verbose=0).argmax(axis=1)
together = metrics.accuracy(y_val, predicted_all, validation["group"])
print(f"all-layers head, validation: {together}")
print("minus the logistic head:", metrics.paired_difference(y_val, predicted_all, predicted_last, validation["group"]))

# %%
chance = train["label"].value_counts(normalize=True).max()
axes = plots.plot_blocks(by_block, together, chance, title="Which layer knows? Accuracy on validation photos")
alt = f"Validation accuracy of a head on each of {len(by_block)} blocks, first to last, and of all together"
plots.show(axes.figure, alt, run / "figures" / "blocks.png")

# %% [markdown]
# Read the curve from left to right. The whiskers are 95 % intervals, the band belongs to the head on all layers, and
# the dashed line is chance. Where the curve climbs, later blocks know more about these photos. Where it is flat,
# earlier blocks know about as much as later ones. Where does yours stop climbing?
#
# ## Choose, save, load
#
# Of the three heads, we keep the one with the lowest loss on the validation photos. (The loss also counts how sure a
# head is, so with few photos it tells more than the accuracy. The Dense head is judged after its last epoch; stopped in
# time, it might do better.) Joined to the base, the chosen head is one model from pixels to probabilities. It saves to
# a file and loads again with Keras alone.

# %%
rows = {"Dense(128) head": x_val, "logistic head": x_val, "all-layers head": x_val_all}
candidates["all-layers head"] = all_layers
val_losses = {
    name: float(keras.losses.sparse_categorical_crossentropy(y_val, head.predict(rows[name], verbose=0)).numpy().mean())
    for name, head in candidates.items()
}
chosen = min(val_losses, key=val_losses.get)
layers = "all" if chosen == "all-layers head" else "last"
whole = heads.build_classifier(borrowed, candidates[chosen], image_size, layers)
print(f"{', '.join(f'{name}: loss {loss:.3f}' for name, loss in val_losses.items())}; chosen: the {chosen}")

# %%
whole.save(run / "model.keras")
loaded = keras.models.load_model(run / "model.keras")
images, labels = next(iter(val_batches))  # one batch of photos
print("largest difference:", np.abs(loaded.predict(images, verbose=0) - whole.predict(images, verbose=0)).max())

# %% [markdown]
# ## What did we borrow, really?
#
# For comparison, train a small network from scratch on the same photos: no base, all weights random at the start. It is
# made of convolutions (`Conv2D`), as in chapter 1. It trains on augmented, smaller photos, to keep this quick.

# %%
side = min(image_size, 96)  # pixels
scratch = keras.Sequential([keras.Input((side, side, 3)), keras.layers.Rescaling(1 / 127.5, offset=-1)])
for filters in (16, 32, 64, 128):
    scratch.add(keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu"))  # halves both sides
scratch.add(keras.layers.GlobalAveragePooling2D())
scratch.add(keras.layers.Dense(len(class_names), activation="softmax"))
scratch.compile(keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])

augmented = pipeline.batches(train, side, shuffle=True, augmentation=pipeline.augmentation(seed), seed=seed)
small_val = pipeline.batches(validation, side)
from_scratch = scratch.fit(augmented, validation_data=small_val, epochs=scratch_epochs, verbose=0)
print(f"from scratch, validation: {from_scratch.history['val_accuracy'][-1]:.1%} after {scratch_epochs} epochs")

# %% [markdown]
# (That is a short training for a network that starts with nothing. Set `scratch_epochs` higher to see how far it gets.)

# %% [markdown]
# ## Open the test set, once
#
# Every choice is made. Now we open the test photos, in one cell. (Each chapter opens the same test photos once, for
# models of its own. If you chose a model by what you read here, its score would look better than it really is; only
# photos that nobody has looked at yet would tell.)

# %%
y_test, said_scratch = metrics.predict(scratch, pipeline.batches(test, side))
x_test = features.stored(test, borrowed, image_size)[:]
x_test_all = features.stored(test, borrowed, image_size, layers="all")[:]
probabilities = {"from scratch": said_scratch}
for name, head in candidates.items():
    probabilities[name] = head.predict(x_test_all if name == "all-layers head" else x_test, verbose=0)
scores = {name: metrics.accuracy(y_test, p.argmax(axis=1), test["group"]) for name, p in probabilities.items()}
for name, score in scores.items():
    print(f"{name}: {score}")
said_last, said_all = (probabilities[name].argmax(axis=1) for name in ("logistic head", "all-layers head"))
print("all layers minus last layer:", metrics.paired_difference(y_test, said_all, said_last, test["group"]))

# %%
title = "Test photos: borrowed base vs. from scratch"
axes = plots.plot_intervals(list(scores), list(scores.values()), chance=chance, title=title)
plots.show(axes.figure, "Test accuracy with interval of the four models", run / "figures" / "test_accuracy.png")

# %% tags=["hidden"]
assert not as_told or all(scores["from scratch"].high < score.low for name, score in scores.items() if "head" in name)
assert not as_told or history["accuracy"].iloc[-1] > history["val_accuracy"].iloc[-1]

# %% [markdown]
# The bars are 95 % intervals (chapter 2). Where two of them are far apart, the difference is unlikely to come from
# which plants ended up in the test set. Where they overlap, look at the difference on the same photos, as in the last
# line printed above: if its interval lies above zero, it is unlikely to be luck. If an interval includes the chance
# line, the model may have learned nothing yet. And don't compare these numbers with those of the validation photos:
# other plants can be easier or harder. Compare models on the same photos.
#
# Here are the photos that the chosen model finds hardest: those whose true class got the lowest probability.

# %%
from tutorial_utils.data.images import read_image

hardest = np.argsort(probabilities[chosen][np.arange(len(y_test)), y_test])[:30]
shown = np.stack([read_image(path, image_size) for path in test["path"].iloc[hardest]])
feature_extraction.browse_predictions(shown, y_test[hardest], probabilities[chosen][hardest], class_names)

# %%
said = probabilities[chosen].argmax(axis=1)
titles = [f"{class_names[y_test[i]]}\nsays {class_names[said[i]]}" for i in hardest[:6]]
figure = plots.photo_grid(shown[:6], titles=titles, columns=6, title="The six hardest test photos")
plots.show(figure, "Six test photos with their true class and what the model says", run / "figures" / "hardest.png")

# %% [markdown]
# ## Now with your photos
#
# Set `dataset` at the top to your folder and run the chapter again. The all-layers head may gain a lot where your
# photos differ in fine detail, and little where they show everyday things, as ImageNet does. With few photos the
# intervals are wide; then a few points more or less mean nothing.

# %% [markdown]
# ## Exercises
#
# **1. Predict.** How many numbers does the logistic head have? Each class has one weight per feature, and one bias, the
# extra number from chapter 1.

# %% tags=["solution"]
# hint: Multiply for the weights, then add one bias per class.
weights_in_the_logistic_head = x_train.shape[1] * len(class_names) + len(class_names)

# %%
from tutorial_utils.course import exercises

exercises.check(
    "Weights in the logistic head",
    weights_in_the_logistic_head,
    logistic.count_params(),
    explain="One weight per feature and class, and one bias per class.",
    wrong=[
        (x_train.shape[1] * len(class_names), "Nearly: these are the weights. Each class has a bias as well."),
        (x_train.shape[1] + len(class_names), "Each class has its own weight for each feature, so multiply."),
        (dense.count_params(), "That is the head with a hidden layer between features and classes."),
        (whole.count_params(), "That counts the base too, which is frozen and borrowed."),
    ],
)

# %% [markdown]
# **2. Build.** Write a function that returns a new head with a hidden layer of 64 units: features in, probabilities
# out. Use `keras.Sequential`, as above, and do not compile it.


# %% tags=["solution"]
# hint: Copy the lines that made `dense`, and change one number.
def head_with_64_units():
    """Return a Keras model from features to a probability per class, with 64 hidden units."""
    head = keras.Sequential([keras.Input((x_train.shape[1],)), keras.layers.Dense(64, activation="relu")])
    head.add(keras.layers.Dense(len(class_names), activation="softmax"))
    return head


# %%
made = head_with_64_units()
found = ... if made is None else f"{made.input_shape[1:]} to {made.output_shape[1:]}, {made.count_params()} weights"
n_features, n_classes = x_train.shape[1], len(class_names)
numbers = n_features * 64 + 64 + 64 * n_classes + n_classes
exercises.check(
    "A head with 64 units",
    found,
    f"({n_features},) to ({n_classes},), {numbers} weights",
    explain="You can train it with `compile` and `fit` on `x_train` and `y_train`.",
    wrong=[
        (f"({n_features},) to ({n_classes},), {dense.count_params()} weights", "That one has 128 hidden units."),
        (f"({n_features},) to ({n_classes},), {logistic.count_params()} weights", "It has no hidden layer yet."),
        (f"({n_features},) to (64,), {n_features * 64 + 64} weights", "It ends with the hidden layer."),
    ],
)

# %% [markdown]
# **3. Predict.** If the base looked at every training photo in each of 20 epochs, how many of these looks would stored
# features save?

# %% tags=["solution"]
# hint: To store the features, the base has to look at each photo how many times?
looks_saved = 19 * len(train)

# %%
exercises.check(
    "Looks saved",
    looks_saved,
    (len(history) - 1) * len(train),
    explain="The base looks once. The other 19 times, the features are read.",
    wrong=[
        (20 * len(train), "Nearly: the first look is still needed, because that is what you store."),
        (19, "That is for one photo. There are more of them."),
        (20 * len(photos), "Only the training photos go through in an epoch, and each still needs one look."),
        (20, "That is for one photo, and one of the 20 looks is still needed."),
    ],
)

# %% [markdown]
# {{quiz}}

# %% [markdown]
# ## You have

# %% tags=["hidden"]
best, lowest = scores[chosen], scores["from scratch"]
summary = {"head": chosen, "n_test": best.n, "test_accuracy": best.value}
summary |= {"test_accuracy_low": best.low, "test_accuracy_high": best.high}
summary |= {"test_accuracy_dense": scores["Dense(128) head"].value}
summary |= {"test_accuracy_logistic": scores["logistic head"].value}
summary |= {"test_accuracy_all_layers": scores["all-layers head"].value}
summary |= {"test_accuracy_scratch": lowest.value}
summary |= {"test_accuracy_scratch_low": lowest.low, "test_accuracy_scratch_high": lowest.high}
kept = dict(photos=photos, backbone=borrowed, history=history.rename_axis("epoch of the Dense head"), model=whole)
written = run_folder.finish(run, parameters=parameters, metrics=summary, **kept)

# %%
print(f"A frozen {borrowed.name} with the {chosen}: {scores[chosen]}")
print(f"The same photos from scratch: {scores['from scratch']}")

# %% [markdown]
# **What next?** The base still sees your photos with eyes that were trained on everyday photos. Chapter 4 lets the base
# itself learn a little, which takes more care than it seems.
