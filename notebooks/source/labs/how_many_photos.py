# %% [markdown]
# # Lab: When is fine-tuning worth its minutes?
#
# A head on a frozen base is trained in seconds. Fine-tuning takes minutes, on many photos hours. Does it pay? That
# depends on your photos and on how many you have. To measure it properly takes many trainings, so this lab shows tables
# that were measured beforehand, and then estimates what fine-tuning would cost you. It belongs to
# [chapter 4](../04_fine_tuning.ipynb).
#
# **Time:** {{minutes}}.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/labs/how_many_photos"  # str: where this lab leaves its results

# %%
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% [markdown]
# ## Near and far
#
# Does fine-tuning help more where photos are unlike ImageNet's? The first table has sets at both ends, at full size:
# photos of tomato leaves, which are close to everyday photos, and photos of materials that are far from them, such as
# electroluminescence images of solar cells. Fine-tuned means `training.fine_tune`: all layers learn. Each line of the
# figure is one split of a set. It shows how much more often the fine-tuned model was right than the frozen one on the
# same test photos, with the 95 % interval of that difference.

# %%
from tutorial_utils.course import benchmark_tables
from tutorial_utils.evaluation import plots
from tutorial_utils.widgets import fine_tuning

tuned, tuned_caption = benchmark_tables.read_table("tuned")
sizes = [f"{name} at {size} pixels" for name, size in tuned[["backbone", "image_size"]].drop_duplicates().values]
title = f"Fine-tuned against frozen, a line for each split\n{', '.join(sizes)}\n{tuned_caption}"
figure, alt = fine_tuning.draw_gains(tuned, title)
plots.show(figure, alt, run / "figures" / "near_and_far.png")

# %%
by_set = tuned.groupby("set", sort=False)
means = 100 * by_set[["frozen", "tuned", "gain"]].mean()  # % and points
means["splits"] = by_set.size()
means["intervals above zero"] = (tuned["gain_low"] > 0).groupby(tuned["set"]).sum()
means["intervals below zero"] = (tuned["gain_high"] < 0).groupby(tuned["set"]).sum()
means.style.format(precision=1).set_caption("Right (%), frozen and fine-tuned, and the difference in points")

# %% [markdown]
# An interval above zero says that fine-tuning helped in that split, beyond the luck of its test photos. An interval
# that contains zero says that this split cannot tell. The splits of a set share its photos, so three splits are not as
# good as three sets.
#
# You may have read that sets far from ImageNet gain more. How far a set is from ImageNet is one thing. How much there
# is to see in its photos that the frozen base does not see yet is another. Does the table agree with the rule?
#
# ## How many photos?
#
# Fine-tuning sets far more weights than a head, so it should need more photos. The second table has several sets, each
# with a few numbers of photos per class, and several random draws of each number.

# %%
table, caption = benchmark_tables.read_table("strategies")
table = table.dropna(subset="accuracy")
sizes = [f"{name} at {size} pixels" for name, size in table[["backbone", "image_size"]].drop_duplicates().values]
caption = f"{', '.join(sizes)}; from scratch at 96 pixels\n{caption}"
figure = plots.plot_by_photos(table, title=f"Accuracy by photos per class; bands: lowest to highest draw\n{caption}")
alt = "Accuracy by photos per class, from scratch, of heads on frozen bases and fine-tuned, a panel for each set"
plots.show(figure, alt, run / "figures" / "photos_per_class.png")

# %% [markdown]
# In each panel, find the number of photos from which the lines part. Do the bands part too? Where they overlap, another
# draw of photos could turn the order around. A line without a band comes from a single draw, so read it with care.
#
# Here is the same table in numbers. By how many points is the fine-tuned model right more often than the head on all
# layers that it started from, on average over the draws?

# %%
wide = table.pivot_table(index=["set", "photos_per_class", "seed"], columns="strategy", values="accuracy")
more = 100 * (wide["tuned"] - wide["layers"]).dropna()  # points, draw by draw
by_number = more.groupby(level=["set", "photos_per_class"]).mean().unstack().rename_axis("photos per class", axis=1)
by_number.style.format("{:+.1f}", na_rep="").set_caption("Fine-tuned minus the head on all layers, in points")

# %%
for name, row in by_number.iterrows():
    most = row.dropna().index[-1]
    draws = more[name, most]
    print(f"{name}, {most} photos per class: {draws.mean():+.1f} points ", end="")
    print(f"({draws.min():+.1f} to {draws.max():+.1f}; draws: {len(draws)}, ahead in {(draws > 0).sum()})")

# %% [markdown]
# ## What would it cost you?
#
# A few steps tell how long all of them will take. Set `dataset` at the top to your folder, and the next cell estimates
# it for your photos on this machine. (In a terminal, `python -m tutorial_utils advise my_photos` tells you this, and
# what fine-tuning would probably bring.)

# %%
from tutorial_utils.course import adviser
from tutorial_utils.data import catalog, image_stats, splits
from tutorial_utils.models import backbones, training

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
train, validation = splits.subset(photos, "train"), splits.subset(photos, "val")
borrowed = backbones.get(backbone)
model, _ = training.train_frozen(borrowed, train, validation, image_size, layers="all", seed=seed)
minutes = adviser.tuning_minutes(train, borrowed, model.layers[-1], image_size)
print(f"{len(train)} training photos, {train['label'].value_counts().min()} or more per class")
print(f"fine-tuning all layers of {borrowed.name}: about {minutes:.1f} minutes on this machine")

# %% [markdown]
# So here is a simple plan. Train the head on all layers first. If you have the minutes, fine-tune from there, and let
# your validation photos decide which of the two to keep.

# %% [markdown]
# ## What you have seen

# %%
for name, row in means.iterrows():
    print(f"{name}: {row['gain']:+.1f} points on average over {row['splits']:.0f} splits; ", end="")
    print(f"interval above zero in {row['intervals above zero']:.0f}, below in {row['intervals below zero']:.0f}")
print(f"on your photos, fine-tuning would take about {minutes:.1f} minutes")

# %% tags=["hidden"]
assert minutes > 0
summary = {"tuning_minutes": round(minutes, 2)} | {f"gain_{name}": gain for name, gain in means["gain"].items()}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
