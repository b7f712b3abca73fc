# %% [markdown]
# # Lab: How much does a careless split flatter a score?
#
# If photos of one plant are both in training and in the test, the test asks for plants that the model already knows.
# This is called leakage. Here you measure what it does to a score, on the course's photos and on real ones. This lab
# belongs to [chapter 2](../02_data_preparation.ipynb).
#
# **Time:** {{minutes}} of computing on two processor cores.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/labs/leakage"  # str: where this lab leaves its results

# %%
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% [markdown]
# The photos are those of chapter 2, without its test photos: this lab needs many splits, and the test photos stay
# closed. A borrowed network turns each photo into features, once.

# %%
from tutorial_utils.data import catalog, image_stats, pipeline, splits

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
known = photos[photos["split"] != "test"].reset_index(drop=True)
print(f"{len(known)} photos of {known['group'].nunique()} plants")

# %%
from tutorial_utils.models import backbones, features

borrowed = backbones.get(backbone)
x = features.stored(known, borrowed, image_size)[:]  # (photos, channels), kept on disk (chapter 3)
y = pipeline.labels(known)  # (photos,), 0 ... classes - 1

# %% [markdown]
# ## One classifier, two rules
#
# Everything stays the same except for one thing: which photos must be held out together. By the first rule, each photo
# may go anywhere. By the second, all photos of a plant stay together. A third of the photos is held out, the classifier
# learns from the rest, and this is repeated until each photo has been held out once (*cross-validation*).

# %%
from sklearn import linear_model, model_selection, pipeline as steps, preprocessing

regression = linear_model.LogisticRegression(C=0.03, max_iter=2000, tol=1e-3)
classifier = steps.make_pipeline(preprocessing.StandardScaler(), regression)


def predict_held_out(groups, seed):
    """Predict each photo with a classifier that learned from no photo of its group."""
    folds = model_selection.StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=seed)
    return model_selection.cross_val_predict(classifier, x, y, groups=groups, cv=folds)


# %% [markdown]
# One split could be lucky. So we shuffle five times, with each rule.

# %%
shuffles = range(seed, seed + 5)
at_random = [predict_held_out(known["path"], each) for each in shuffles]  # each photo is a group of its own
by_plant = [predict_held_out(known["group"], each) for each in shuffles]

# %%
from tutorial_utils.evaluation import plots

scores = [[(guess == y).mean() for guess in guesses] for guesses in (at_random, by_plant)]
axes = plots.plot_repeats(["at random", "by plant"], scores, title="One classifier, five shuffles each", label="split")
alt = "Accuracy of five splits at random and of five splits by plant, a dot each"
plots.show(axes.figure, alt, run / "figures" / "leakage.png")

# %% [markdown]
# The upper dots are the scores that a report would show. The lower dots are closer to what you would see on new plants.
# The two rules saw the same photos, so we can compare them photo by photo:

# %%
import numpy as np
from tutorial_utils.evaluation import metrics

five_times = np.tile(y, 5), np.concatenate(at_random), np.concatenate(by_plant)
leak = metrics.paired_difference(*five_times, np.tile(known["group"], 5))
print("split at random minus split by plant:", leak)

# %% [markdown]
# (Each photo counts five times here, once per shuffle; the interval knows that they are the same plants.) If the
# interval lies above zero, the careless split flatters this classifier. If each of your photos shows something else,
# the two rules are the same, and the dots differ by chance only.

# %% tags=["hidden"]
as_told = run_folder.as_told(parameters)
assert not as_told or leak.low > 0

# %% [markdown]
# ## What does the classifier recognize?
#
# A plant, perhaps. For each photo, let's find the most similar other photo, by its features. How often does it show the
# same plant? Compare that with picking another photo blindly.

# %%
directions = preprocessing.normalize(preprocessing.StandardScaler().fit_transform(x))  # all of length 1
similarity = directions @ directions.T  # (photos, photos), 1 for the same direction
np.fill_diagonal(similarity, -1)  # a photo is not its own neighbor
nearest = similarity.argmax(axis=1)  # (photos,)
plants = known["group"].to_numpy()
same_plant = plants[nearest] == plants  # (photos,)
blindly = (known.groupby("group")["path"].transform("size") - 1) / (len(known) - 1)
print(f"the most similar photo shows the same plant: {same_plant.mean():.1%}; picked blindly: {blindly.mean():.1%}")

# %% tags=["hidden"]
assert not as_told or same_plant.mean() > 5 * blindly.mean()

# %%
from tutorial_utils.data.images import read_image

order = np.argsort(~same_plant, kind="stable")  # pairs of one plant first
some = known.iloc[order].drop_duplicates("label").index[:6].to_numpy()  # a photo of each class
views = [read_image(path, 200) for path in known["path"].iloc[[*some, *nearest[some]]]]
titles = [*known["label"].iloc[some], *["most similar"] * len(some)]
figure = plots.photo_grid(views, titles, columns=len(some), title="Photos, and below each the most similar one")
plots.show(figure, "Photos, each above the one with the most similar features", run / "figures" / "neighbors.png")

# %% [markdown]
# When such a pair is torn apart, one photo in training and the other held out, the classifier does not need to know
# the disease. It only needs to notice that it has seen this plant.
#
# ## On real photos
#
# The same was measured on other sets, with the same classifier and photos of 224 pixels:

# %%
from tutorial_utils.course import benchmark_tables

benchmark_tables.show_table("leakage")

# %% tags=["hidden"]
leaks = benchmark_tables.read_table("leakage")[0].set_index("set")
assert (leaks["low"] > 0).all()
assert leaks["difference (points)"].idxmin() == "plantvillage_tomato" == (leaks["groups"] / leaks["photos"]).idxmax()
assert leaks["difference (points)"].idxmax() == "magnetic_tile"

# %% [markdown]
# In each of these sets the interval of the difference lies above zero. It is smallest for the tomato leaves, where a
# leaf rarely has a second photo. It is largest for the magnetic tiles, whose surfaces were photographed again and
# again. So the size of the problem depends on your photos, and you only know it if you know your groups.
#
# ## Exercise
#
# **Predict.** Suppose that each plant has four photos, and that each photo is held out with a probability of 1/3, as if
# by the roll of a die. Take a photo that is held out. How probable is it that at least one other photo of its plant is
# in training? Give a number from 0 to 1.

# %% tags=["solution"]
# hint: All three others must be held out as well, or there is one in training.
probability_of_a_twin = 1 - (1 / 3) ** 3

# %%
from tutorial_utils.course import exercises

exercises.check(
    "A twin in training",
    probability_of_a_twin,
    26 / 27,
    tolerance=0.005,
    explain="So with four photos per plant, nearly every held-out photo has a twin in training.",
    wrong=[
        (1 / 27, "That is the probability that it has no twin in training."),
        (2 / 3, "That would be right if the plant had only one other photo. There are three."),
        (1 - (1 / 3) ** 4, "Nearly: the photo itself is already held out, so only the three others count."),
    ],
)

# %% [markdown]
# ## What you have seen

# %%
print(f"{borrowed.name}, five splits at random: {np.mean(scores[0]):.1%} right on average")
print(f"five splits by plant: {np.mean(scores[1]):.1%}")
print("the difference:", leak)

# %% tags=["hidden"]
summary = {"leak": leak.value, "leak_low": leak.low, "leak_high": leak.high}
summary |= {"accuracy_at_random": float(np.mean(scores[0])), "accuracy_by_plant": float(np.mean(scores[1]))}
summary |= {"most_similar_is_same_plant": float(same_plant.mean())}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
