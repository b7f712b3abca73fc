# %% [markdown]
# # Lab: Which labels does a model doubt?
#
# People who label thousands of photos make mistakes, and a model learns from the mistakes too. Nobody wants to check
# every photo again. Can a model say where to look? This lab belongs to [chapter 2](../02_data_preparation.ipynb).
#
# **Time:** {{minutes}} of computing on two processor cores.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/labs/doubted_labels"  # str: where this lab leaves its results

# %%
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% [markdown]
# The photos are those of chapter 2, without its test photos. A borrowed network turns each into features, and we keep
# those of all its layers, which tell more than the last layer alone ([chapter 3](../03_feature_extraction.ipynb)).

# %%
from tutorial_utils.data import catalog, image_stats, pipeline, splits
from tutorial_utils.models import backbones, features

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
known = photos[photos["split"] != "test"].reset_index(drop=True)
class_names = list(known["label"].cat.categories)
borrowed = backbones.get(backbone)
x = features.stored(known, borrowed, image_size, layers="all")[:]  # (photos, numbers of all blocks), kept on disk

# %% [markdown]
# ## Make some labels wrong
#
# To see how well this works, you need to know which labels are wrong. So we make one label in twenty wrong ourselves,
# at random, and keep the truth to compare with.

# %%
import numpy as np
import pandas as pd

true = pipeline.labels(known)  # (photos,), 0 ... classes - 1
draw = np.random.default_rng(seed)
spoiled = draw.choice(len(known), max(1, len(known) // 20), replace=False)
labels = true.copy()
labels[spoiled] = (labels[spoiled] + draw.integers(1, len(class_names), len(spoiled))) % len(class_names)
labeled = known.assign(label=pd.Categorical.from_codes(labels, class_names))
print(f"{len(spoiled)} of {len(labels)} labels are now wrong")

# %% [markdown]
# ## Doubt
#
# A model that has learned from a photo with a wrong label may simply repeat it. So each photo is judged by a classifier
# that learned from photos of other plants only (cross-validation by plant). It knows the wrong labels, too, but not the
# one of this photo.

# %%
from tutorial_utils.models import heads

blocks = features.block_sizes(borrowed)
probabilities = heads.cross_val_all_layers(labeled, [x], blocks, seed)  # (photos, classes)

# %% [markdown]
# When is it sure enough to doubt a label? A classifier can be timid about one class and bold about another, so a fixed
# limit like 90 % would be unfair. **Confident learning** (Northcutt and others, 2021) takes a limit for each class: the
# mean probability that photos *with this label* get for it. If a photo reaches the limit of another class, and its
# own class is less probable, its label is doubted.

# %%
classes = range(len(class_names))
limits = np.array([probabilities[labels == each, each].mean() for each in classes])  # (classes,)
reached = np.where(probabilities >= limits, probabilities, 0)  # (photos, classes)
likely, own = reached.argmax(axis=1), probabilities[np.arange(len(labels)), labels]
doubted = (likely != labels) & (reached.max(axis=1) > own)
print(f"{doubted.sum()} labels are doubted")

# %% [markdown]
# `audit.find_label_issues` does the same, and puts those first where the other class is ahead the most.

# %%
from tutorial_utils.data import audit

rows, instead = audit.find_label_issues(labels, probabilities)
wrong = np.isin(rows, spoiled)  # (doubted,)
print(f"of all {len(labels)} labels, {len(spoiled)} are wrong")
print(f"of the {len(rows)} doubted ones, {wrong.sum()} are wrong")

# %% tags=["hidden"]
as_told = run_folder.as_told(parameters)
assert set(rows) == set(np.flatnonzero(doubted))
assert not as_told or (wrong.mean() > 1.5 * len(spoiled) / len(labels) and wrong.sum() > len(spoiled) / 2)

# %%
from tutorial_utils.data.images import read_image
from tutorial_utils.evaluation import plots

shown = rows[:10] if len(rows) else np.arange(3)
titles = [f"{class_names[labels[row]]}\n{'wrong' if row in spoiled else 'right'}" for row in shown]
views = [read_image(path) for path in known["path"].iloc[shown]]
figure = plots.photo_grid(views, titles, columns=5, title="The most doubted labels: are they right?")
alt = "The photos whose labels are doubted most, each with its label and whether the label is wrong"
plots.show(figure, alt, run / "figures" / "doubted.png")

# %% [markdown]
# How many photos would you check to find one wrong label, with and without the model? Divide in both lines. But doubt
# is not proof. Many of the doubted labels are right, and the photos are just hard. The course's own leaves show that
# well: each was painted with its disease, so before we changed some, every label was right.

# %%
before, _ = audit.find_label_issues(true, heads.cross_val_all_layers(known, [x], blocks, seed))
print(f"with the labels as they came, {len(before)} of {len(labels)} are doubted")

# %% [markdown]
# ## How good must the classifier be?
#
# Whose doubts would you rather trust? Here is a weaker classifier, which only gets the features of the last layer:

# %%
last = features.stored(known, borrowed, image_size)[:]  # (photos, channels)
weaker = heads.cross_val_probabilities(labeled, last, seed)
weaker_rows, _ = audit.find_label_issues(labels, weaker)
weaker_wrong = np.isin(weaker_rows, spoiled)
for name, said, hits in [("all layers", probabilities, wrong), ("last layer", weaker, weaker_wrong)]:
    print(f"{name}: {(said.argmax(axis=1) == true).mean():.0%} of the photos predicted right;", end=" ")
    print(f"{len(hits)} labels doubted, {hits.sum()} of them wrong")

# %% tags=["hidden"]
right, weaker_right = ((each.argmax(axis=1) == true).mean() for each in (probabilities, weaker))
assert not as_told or (len(before) and right > weaker_right and wrong.mean() > weaker_wrong.mean())

# %% [markdown]
# A classifier that is often wrong itself doubts many labels that are right.
#
# ## On real sets
#
# This was measured on whole data sets, with one label in twenty made wrong and features of the last layer. The last
# column is about the surest doubts, as many as there are wrong labels.

# %%
from tutorial_utils.course import benchmark_tables

benchmark_tables.show_table("wrong_labels")

# %% tags=["hidden"]
measured = benchmark_tables.read_table("wrong_labels")[0]
assert measured["of the wrong, found (%)"].between(50, 100, inclusive="neither").all()
assert (measured["of the surest, wrong (%)"] >= measured["of the doubted, wrong (%)"]).all()

# %% [markdown]
# In each set, more than half of the wrong labels were doubted, and never all. (Real sets also have wrong labels of
# their own, which count as right here.) So look at the doubted photos, the surest first, and change a label only when
# you can see yourself that it is wrong. A control in [chapter 8](../08_your_own_photos.ipynb) takes you through them
# and writes down what you decide. In a terminal, `python -m tutorial_utils audit FOLDER --deep` lists them.

# %% [markdown]
# ## What you have seen

# %%
print(f"{borrowed.name}: of {len(spoiled)} labels that were made wrong, {wrong.sum()} were doubted,")
print(f"together with {len(rows) - wrong.sum()} that nobody had touched.")

# %% tags=["hidden"]
summary = {"made_wrong": len(spoiled), "doubted": len(rows), "found": int(wrong.sum())}
summary |= {"doubted_as_they_came": len(before)}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
