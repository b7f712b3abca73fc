# %% [markdown]
# # Lab: What has been forgotten?
#
# The network that you borrow can tell 1,000 kinds of things apart. Fine-tuning trains it on your classes only, and
# nothing asks it to keep what it knew. What is left afterwards? Here you put its old head back and look. This lab
# belongs to [chapter 4](../04_fine_tuning.ipynb).
#
# **Time:** {{minutes}}.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "efficientnet_lite0"  # str: this network, whose ImageNet head comes with the course
image_size = 96  # int: side of the square that each photo is resized to, in pixels; small, so that a step is quick
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/labs/forgetting"  # str: where this lab leaves its results

# %%
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% tags=["hidden"]
as_told = run_folder.as_told(parameters, image_size=96)

# %%
from tutorial_utils.data import catalog, image_stats, pipeline, splits

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
train, validation = splits.sample_per_class(splits.subset(photos, "train"), 40), splits.subset(photos, "val")
train_labels = pipeline.labels(train)
print(f"{len(train)} training, {len(validation)} validation photos")

# %% [markdown]
# ## The old head
#
# Most networks are published with the head that made ImageNet's 1,000 decisions, and transfer learning cuts it off. For
# EfficientNet-Lite0 the course has kept it. We put it on the base, and ask it about the validation photos. It has no
# class for a diseased leaf, so it names whatever looks closest. Only one thing matters here: whether it will still say
# the same later.

# %%
import keras
from tutorial_utils.evaluation import metrics
from tutorial_utils.models import backbones, efficientnet_lite, heads

if backbone != "efficientnet_lite0":
    raise ValueError(f"This lab needs the ImageNet head of efficientnet_lite0; got backbone={backbone!r}.")
keras.utils.set_random_seed(seed)
borrowed = backbones.get(backbone)
original = heads.build_classifier(borrowed, efficientnet_lite.imagenet_head(), image_size)
asked = pipeline.batches(validation, image_size)
_, said_before = metrics.predict(original, asked)  # probabilities (photos, 1000)
print(f"different answers to {len(validation)} photos: {len(set(said_before.argmax(axis=1)))}")

# %% [markdown]
# ## Fine-tune at three rates
#
# The last layers of the base, about 50 of them, learn our classes with a new head, three times from the same start: at
# 0.0003, the highest rate in chapter 4, at a tenth of it and at ten times as much. The layers before them stay frozen,
# so what they make of each photo is computed once and stored. `freezing.nearest_cut` finds a place
# where the network can be cut in two, and `part` is everything behind the cut. It shares its layers with `original`.

# %%
from tutorial_utils.models import features, freezing

cut, last = freezing.nearest_cut(borrowed.base, 50)
new_head = heads.logistic_head(features.stored(train, borrowed, image_size)[:], train_labels, photos["label"].nunique())
activations = features.stored(train, borrowed, image_size, cut=cut)  # (photos, height, width, channels)
part = freezing.build_suffix_classifier(borrowed.base, new_head, cut)
start = part.get_weights()
freezing.unfreeze(borrowed.base, last)  # all but BatchNormalization
print(f"{last} layers of the base may learn")

# %%
said_after = {}
for rate in (3e-5, 3e-4, 3e-3):
    part.set_weights(start)
    part.compile(keras.optimizers.AdamW(rate), loss="sparse_categorical_crossentropy")
    part.optimizer.build(part.trainable_variables)  # or Keras works out its training step twice
    batches = features.batches([activations], train_labels, batch_size=16, shuffle=True, seed=seed)
    part.fit(batches, epochs=3, shuffle=False, verbose=0)
    _, said_after[rate] = metrics.predict(original, asked)  # the old head, on the base as it is now

# %% [markdown]
# ## Does it still say the same?

# %%
import numpy as np
from tutorial_utils.evaluation import plots

old = said_before.argmax(axis=1)
same = {rate: metrics.accuracy(old, said.argmax(axis=1), validation["group"]) for rate, said in said_after.items()}
names = [np.format_float_positional(rate) for rate in same]
axes = plots.plot_intervals(names, list(same.values()), title=f"{borrowed.name}'s old answers, after fine-tuning")
axes.set(xlabel="validation photos with the same answer as before (%)", ylabel="learning rate", xlim=(-6, 106))
alt = "Share of photos with the same ImageNet answer as before, with interval, for three learning rates"
plots.show(axes.figure, alt, run / "figures" / "forgetting.png")

# %%
among_five = {}
for rate, said in said_after.items():
    first_five = np.argsort(-said, axis=1)[:, :5]
    among_five[rate] = (first_five == old[:, None]).any(axis=1).mean()
    print(f"rate {np.format_float_positional(rate)}: the old answer is still the first for ", end="")
    print(f"{same[rate].value:.0%} of the photos, and among the first five for {among_five[rate]:.0%}")

# %% tags=["hidden"]
assert not as_told or same[3e-5].value > same[3e-4].value > same[3e-3].value

# %% [markdown]
# On the course's leaves, the higher the rate, the less is left. Nobody needs the old answers here, so nobody looks. But
# what the network could tell apart before is what made it worth borrowing. That is a reason to try a low rate first,
# and to start each new training from the published weights, not from those of your last training.
#
# Two limits of this test: the head was not trained along with the base, so some of what looks forgotten may only be
# rearranged, and a new head could find it again. And these are answers about leaves, which were never ImageNet's
# subject.

# %% [markdown]
# ## What you have seen

# %%
for rate, score in same.items():
    print(f"same answer as before, after fine-tuning at {np.format_float_positional(rate)}: {score.value:.1%} ", end="")
    print(f"of {score.n} photos (95 % interval {score.low:.1%} to {score.high:.1%})")

# %% tags=["hidden"]
summary = {f"same_at_{rate:.0e}": score.value for rate, score in same.items()}
summary |= {f"among_five_at_{rate:.0e}": float(share) for rate, share in among_five.items()}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
