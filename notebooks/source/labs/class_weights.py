# %% [markdown]
# # Lab: What do class weights do for a rare class?
#
# A disease may be rare, and then so are its photos. A classifier that counts every photo alike cares little about the
# few. Class weights are the usual answer. What do they bring, and what do they cost? This lab belongs to
# [chapter 2](../02_data_preparation.ipynb).
#
# **Time:** {{minutes}} of computing on two processor cores.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/labs/class_weights"  # str: where this lab leaves its results

# %%
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% [markdown]
# The photos are those of chapter 2, without its test photos, and a borrowed network turns each into features.

# %%
from tutorial_utils.data import catalog, image_stats, pipeline, splits
from tutorial_utils.models import backbones, features

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
known = photos[photos["split"] != "test"].reset_index(drop=True)
borrowed = backbones.get(backbone)
x = features.stored(known, borrowed, image_size)[:]  # (photos, channels), kept on disk (chapter 3)
y = pipeline.labels(known)  # (photos,), 0 ... classes - 1

# %% [markdown]
# ## Make a class rare
#
# We take the first class and let the classifiers learn from a quarter of its plants only. Its other photos are not
# lost: they are still predicted, so the score rests on all of them.

# %%
rare = known["label"].cat.categories[0]
is_rare = (known["label"] == rare).to_numpy()
plants = known.loc[is_rare, "group"].unique()
kept = plants[:: max(1, min(4, len(plants) // 3))]  # every fourth; more of them where there are few
may_learn = ~is_rare | known["group"].isin(kept).to_numpy()
print(f"{rare}: {(is_rare & may_learn).sum()} of {is_rare.sum()} photos to learn from, {len(kept)} plants")

# %% [markdown]
# ## Weights
#
# With class weights, each photo of a class counts more the rarer the class is: the number of photos, divided by the
# number of classes and by the photos of this class.

# %%
import numpy as np

counts = np.bincount(y[may_learn])  # photos of each class to learn from
weights = counts.sum() / len(counts) / counts
print({name: round(float(weight), 2) for name, weight in zip(known["label"].cat.categories, weights, strict=True)})

# %% [markdown]
# In Keras you would give them to `model.fit(..., class_weight=dict(enumerate(weights)))`. Here we use logistic
# regression, which calls this rule `class_weight="balanced"`. Each photo is predicted by a classifier that learned from
# no photo of its plant.

# %%
from sklearn import linear_model, pipeline as steps, preprocessing


def predict_held_out(may_learn, class_weight=None):
    """Predict each photo with a classifier that learned from other plants, and only from photos that it may."""
    regression = linear_model.LogisticRegression(C=0.03, max_iter=2000, tol=1e-3, class_weight=class_weight)
    classifier, guess = steps.make_pipeline(preprocessing.StandardScaler(), regression), np.empty_like(y)
    for learn, ask in splits.group_k_fold(known, 3, seed).split(x, np.where(may_learn, y, -1), known["group"]):
        learn = learn[may_learn[learn]]
        guess[ask] = classifier.fit(x[learn], y[learn]).predict(x[ask])
    return guess


# %%
everything = np.ones(len(y), dtype=bool)
guesses = {
    "few photos": predict_held_out(may_learn),
    "few photos, weights": predict_held_out(may_learn, "balanced"),
    "all its photos": predict_held_out(everything),
}

# %% tags=["hidden"]
from sklearn.utils import class_weight

assert np.allclose(class_weight.compute_class_weight("balanced", classes=np.unique(y), y=y[may_learn]), weights)

# %% [markdown]
# ## What they bring, and what they cost
#
# First the photos of the rare class: how many are found? Then the photos of the other classes: how many are still named
# correctly?

# %%
from tutorial_utils.evaluation import metrics, plots

groups, names = known["group"].to_numpy(), list(guesses)
found = [metrics.accuracy(y[is_rare], guess[is_rare], groups[is_rare]) for guess in guesses.values()]
axes = plots.plot_intervals(names, found, title=f"Photos of the rare class ({rare}) named correctly")
plots.show(axes.figure, "Accuracy on photos of the rare class, three ways", run / "figures" / "rare.png")

# %%
others = [metrics.accuracy(y[~is_rare], guess[~is_rare], groups[~is_rare]) for guess in guesses.values()]
axes = plots.plot_intervals(names, others, title="Photos of the other classes named correctly")
plots.show(axes.figure, "Accuracy on photos of the other classes, three ways", run / "figures" / "others.png")

# %% [markdown]
# Few plants show the rare class, so its intervals are wide. But the same photos were predicted each time, so we can
# compare photo by photo:


# %%
def difference(one, other, chosen):
    """Return how much more often `one` is right than `other`, on the chosen photos."""
    return metrics.paired_difference(y[chosen], guesses[one][chosen], guesses[other][chosen], groups[chosen])


gain = difference("few photos, weights", "few photos", is_rare)
cost = difference("few photos, weights", "few photos", ~is_rare)
more_photos = difference("all its photos", "few photos, weights", is_rare)
print("what weights change for the rare class: ", gain)
print("what weights change for the others:     ", cost)
print("what its other photos add to that:      ", more_photos)

# %% tags=["hidden"]
as_told = run_folder.as_told(parameters)
assert not as_told or (more_photos.value > gain.value and more_photos.low > 0)

# %% [markdown]
# An interval that contains zero means that these photos cannot tell whether there is any difference. Weights are worth
# a try when missing a disease costs more than a false alarm. But they are not new photos, and the last line shows what
# new photos of the class would bring. If a class is rare, the better remedy is to collect more of it.
#
# ## Exercise
#
# **Predict.** Five classes have 60 photos each, a sixth has 20. What is the weight of the sixth class? Use the rule
# from above, and give two digits after the point.

# %% tags=["solution"]
# hint: The number of all photos, divided by the number of classes and by the photos of that class.
weight_of_the_sixth = 320 / 6 / 20

# %%
from tutorial_utils.course import exercises

photos_of_six = np.array([60, 60, 60, 60, 60, 20])
exercises.check(
    "Weight of the sixth class",
    weight_of_the_sixth,
    (photos_of_six.sum() / len(photos_of_six) / photos_of_six)[-1],
    tolerance=0.01,
    explain="The other classes get 0.89, so one photo of the sixth counts as much as three of theirs.",
    wrong=[
        (3, "It counts three times as much as the others, right. But they get a little less than 1, so it gets less "
         "than 3."),
        (320 / 20, "That is all photos over those of the class. Now divide by the number of classes, too."),
        (6 * 20 / 320, "That is upside down: with this weight the rare class would count less, not more."),
        (1 / 3, "That is upside down: with this weight the rare class would count less, not more."),
    ],
)  # fmt: skip

# %% [markdown]
# ## What you have seen

# %%
for name, score, other in zip(names, found, others, strict=True):
    print(f"{name}: {score.value:.1%} of the rare class named correctly, {other.value:.1%} of the others")

# %% tags=["hidden"]
summary = {"rare_class": rare, "gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}
summary |= {"cost": cost.value, "cost_low": cost.low, "cost_high": cost.high}
summary |= {"more_photos": more_photos.value, "more_photos_low": more_photos.low, "more_photos_high": more_photos.high}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
