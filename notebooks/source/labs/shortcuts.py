# %% [markdown]
# # Lab: Does something else give the class away?
#
# A model may score well without ever looking at the leaf: at the table below it, at the camera, at a date. Such a
# **shortcut** fails as soon as the photos come from somewhere else. This lab looks for shortcuts before anything is
# trained. It belongs to [chapter 2](../02_data_preparation.ipynb).
#
# **Time:** {{minutes}} of computing on two processor cores.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/labs/shortcuts"  # str: where this lab leaves its results

# %%
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% [markdown]
# The photos are those of chapter 2, without its test photos. `image_stats` has looked at every file once: its size, its
# format, the colors along its border.

# %%
from tutorial_utils.data import catalog, image_stats, splits

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
stats = image_stats.compute_stats(photos)
photos = splits.split(photos, seed=seed, stats=stats)
known = photos[photos["split"] != "test"]
known_stats = stats.loc[known.index].reset_index(drop=True)
known = known.reset_index(drop=True)

# %% [markdown]
# ## Take the leaf away
#
# The idea is simple: throw the leaf away, keep something that must not matter, and try to predict the class from that
# alone. Here it is by hand, with eight pixels of the border: at the four corners and halfway between them.

# %%
import numpy as np
from sklearn import ensemble, model_selection
from tutorial_utils.data import pipeline
from tutorial_utils.evaluation import metrics

border = np.stack(known_stats["border"].tolist()).reshape(len(known), -1)  # (photos, 24): eight pixels, three colors
y = pipeline.labels(known)
forest = ensemble.RandomForestClassifier(100, min_samples_leaf=2, random_state=seed)
folds = splits.group_k_fold(known, 5, seed)  # by plant
by_border = model_selection.cross_val_predict(forest, border, y, groups=known["group"], cv=folds)
print("predicted from the border:", metrics.accuracy(y, by_border, known["group"]))
print(f"always naming the most frequent class: {known['label'].value_counts(normalize=True).max():.1%} right")

# %% [markdown]
# If the first number is much larger than the second, the border knows the class. The course has the same test for six
# cues: the border, the size of the picture, the name of the file, the date, the mean color, and the size of the file.
# To judge how much a cue gives away, the table also has what the network's features reach on the same photos.

# %%
from tutorial_utils.course import prepare
from tutorial_utils.data import shortcuts
from tutorial_utils.models import backbones, features, heads

borrowed = backbones.get(backbone)
x = features.stored(known, borrowed, image_size)[:]  # (photos, channels), kept on disk (chapter 3)
probabilities = heads.cross_val_probabilities(known, x, seed)  # each photo held out once, by plant
cues = prepare.shortcut_table(known, known_stats, probabilities, seed)
cues.assign(cue=cues["cue"].map(shortcuts.CUES)).round(3)

# %% [markdown]
# `subject` is what the features reach, `low` and `high` are a 95 % interval. A cue **fires** if even the low end of
# its interval is more than a quarter of the way from chance to `subject`. Two cues never fire, the mean color and the
# size of the file, because a disease may rightly change them. A row without numbers has nothing to say: the photos are
# all alike in it, or none of them has it.

# %% tags=["hidden"]
as_told = run_folder.as_told(parameters)
assert not as_told or not cues["fires"].any()

# %% [markdown]
# ## A set with a shortcut
#
# Now a set where we know the answer. Suppose that each class was photographed on its own table, as happens when one
# person collects the healthy plants and another the sick ones. We put a gray border around each photo, a little lighter
# from class to class.

# %%
from tutorial_utils.leaves import lessons

few = splits.sample_per_class(known, 30, seed=seed)
on_tables = lessons.lay_on_tables(few, run / "tables", seed=seed)

# %%
from tutorial_utils.data.images import read_image
from tutorial_utils.evaluation import plots

one_each = on_tables.drop_duplicates("label").sort_values("label")[:12]
views = [read_image(path) for path in one_each["path"]]
figure = plots.photo_grid(views, list(one_each["label"]), title="Each class on its own table")
alt = "One photo of each class with a thin gray border, a little lighter from class to class"
plots.show(figure, alt, run / "figures" / "tables.png")

# %% [markdown]
# Would you have noticed that the borders differ? The same test as above does:

# %%
table_stats = image_stats.compute_stats(on_tables, progress=False)
by_table = shortcuts.predict_from_cue("border", on_tables, table_stats, seed=seed)
told = metrics.accuracy(pipeline.labels(few), by_table, few["group"])
print("predicted from the border:", told)
print(f"always naming the most frequent class: {shortcuts.majority_share(few):.1%} right")

# %% tags=["hidden"]
assert not as_told or told.low > 0.5

# %% [markdown]
# This shows that the border gives the class away. It does not show that a network would use it; that depends on the
# network and on what else it could learn. [Chapter 6](../06_evaluation.ipynb) trains one that does use a shortcut, and
# shows how to see that.
#
# ## On real sets
#
# The same questions were put to whole data sets:

# %%
from tutorial_utils.course import benchmark_tables

benchmark_tables.show_table("shortcuts")

# %% tags=["hidden"]
asked = benchmark_tables.read_table("shortcuts")[0].set_index(["set", "what is asked"])["fires"]
assert asked["plantvillage_tomato", "eight pixels of the border"] == "yes"
assert asked["plantvillage_tomato", "the name of the file"] == "yes"
assert (asked["leaves"] == "no").all()
assert (asked["magnetic_tile"] == "no").all()

# %% [markdown]
# The tomato leaves are part of a much used set of leaf photos. Noyan and others (2022) found that eight pixels of its
# background predict the disease in every second photo, and here the border fires too. So does the file's name, which a
# network never sees; but it tells you that the classes were collected apart from each other, which is how such borders
# come about.
#
# If a cue fires in your set, take new photos, with every class on every background. If you can't, crop or mask what is
# not the subject, and test the model on photos from somewhere else.

# %% [markdown]
# ## What you have seen

# %%
fired = ", ".join(shortcuts.CUES[cue] for cue in cues.loc[cues["fires"], "cue"])
print("in these photos, cues that give the class away:", fired or "none of the six")
print("with a table for each class, the border gives it away:", told)

# %% tags=["hidden"]
summary = {"shortcuts": fired or "none", "border_on_tables": told.value}
summary |= {"border_on_tables_low": told.low, "border_on_tables_high": told.high}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
