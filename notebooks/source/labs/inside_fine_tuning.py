# %% [markdown]
# # Lab: What changes inside?
#
# Fine-tuning lets the layers of the base learn. Which of them change, and by how much? You may have read that the first
# layers hardly change, because edges are useful for any photo. Here you measure it. This lab belongs to
# [chapter 4](../04_fine_tuning.ipynb).
#
# **Time:** {{minutes}}.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 96  # int: side of the square that each photo is resized to, in pixels; small, so that a step is quick
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/labs/inside_fine_tuning"  # str: where this lab leaves its results

# %%
from tutorial_utils.course import run_folder

parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
run = run_folder.start(**parameters)

# %% tags=["hidden"]
as_told = run_folder.as_told(parameters, image_size=96)

# %%
from tutorial_utils.data import catalog, image_stats, splits

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
train, validation = splits.subset(photos, "train"), splits.subset(photos, "val")
print(f"{len(train)} training, {len(validation)} validation photos")

# %% [markdown]
# ## Two trainings from one start
#
# Both start from the frozen model of chapter 3. The first is careful: only the last 50 layers learn, at a very low
# rate. In the second all layers learn, at a rate 30 times as high. BatchNormalization stays frozen in both.

# %%
import keras
from tutorial_utils.models import backbones, freezing, training

keras.utils.set_random_seed(seed)
borrowed = backbones.get(backbone)
base = borrowed.base
model, _ = training.train_frozen(borrowed, train, validation, image_size, seed=seed)
start = model.get_weights()

# %%
trainings = {"last 50 layers, rate 0.00001": (50, 1e-5), "all layers, rate 0.0003": (None, 3e-4)}
weights = {}
for name, (last, rate) in trainings.items():
    model.set_weights(start)
    freezing.unfreeze(base, min(last, len(base.layers)) if last else None)
    model.compile(keras.optimizers.AdamW(rate), loss="sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)  # or Keras works out its training step twice
    batches = training.augmented_batches(train, image_size, seed)  # shuffled, flipped and turned
    model.fit(batches, epochs=2, shuffle=False, verbose=0)
    weights[name] = model.get_weights()

# %% [markdown]
# ## How far has each layer moved?
#
# We compare every layer with what it was before, in two ways. The absolute change is how far one of its weights has
# moved, typically (the root of the mean square). The relative change divides that by the typical size of the layer's
# weights.

# %%
import numpy as np


def rows_of(weights):
    """Return {layer: all its weights in one row} for the layers of the base that may learn, from first to last."""
    model.set_weights(weights)
    learning = [layer for layer in base.layers if layer.trainable_weights]
    return {layer.name: np.concatenate([weight.ravel() for weight in layer.get_weights()]) for layer in learning}


def typical(rows):
    """Return the root of the mean square of each layer's numbers (layers,)."""
    return np.array([np.sqrt(np.mean(row**2)) for row in rows])


# %%
before = rows_of(start)
after = {name: rows_of(found) for name, found in weights.items()}
moves = {name: typical([rows[layer] - before[layer] for layer in before]) for name, rows in after.items()}
shares = {name: 100 * moved / typical(before.values()) for name, moved in moves.items()}  # %

# %%
from tutorial_utils.evaluation import plots
from tutorial_utils.widgets import fine_tuning

figure, alt = fine_tuning.draw_layer_changes(moves, shares, title=f"{borrowed.name}: before and after fine-tuning")
plots.show(figure, alt, run / "figures" / "changes.png")

# %%
third = max(1, len(before) // 3)
for name in trainings:
    moved, share = 1000 * moves[name], shares[name]
    print(f"{name}: {np.count_nonzero(moved)} of {len(moved)} layers have moved")
    print(f"  typical change of a weight, layer by layer: {moved.min():.2f} to {moved.max():.2f} thousandths")
    print(f"  relative change (median): first third {np.median(share[:third]):.2f} %, ", end="")
    print(f"last third {np.median(share[-third:]):.2f} %")

# %% tags=["hidden"]
careful, bold = trainings
late = {layer.name for layer in base.layers[-50:]}
assert not any(moved for layer, moved in zip(before, moves[careful], strict=True) if layer not in late)
model.set_weights(start)
statistics = freezing.batch_norm_statistics(base)
for found in weights.values():
    model.set_weights(found)
    assert all(map(np.array_equal, statistics, freezing.batch_norm_statistics(base)))
assert not as_told or moves[bold].max() < 4 * moves[bold].min()
assert not as_told or np.median(shares[bold][:third]) < np.median(shares[bold][-third:])

# %% [markdown]
# Look at the training of all layers. On the course's leaves its left panel is fairly flat: in the first layers a weight
# has moved about as far as in the last ones. Adam and AdamW divide each step by the size of the gradients, so nearly
# every weight moves at the same pace, needed or not.
#
# What differs is how large the weights were. Where they are large, the same step is a smaller share of them. That is
# the right panel, where the first third of the layers has changed less than the last. So the first layers do change
# less, but relative to their size, and not because the training left them alone.
#
# ## The very first layer
#
# Its filters look at the pixels, so you can see them as small pictures. Gray is zero.

# %%
first = next(iter(before))
kernels = []
for found in (start, list(weights.values())[-1]):  # before, and after the training of all layers
    model.set_weights(found)
    kernels.append(base.get_layer(first).get_weights()[0])  # (height, width, 3, filters)
pictures = fine_tuning.filter_pictures(*kernels)
titles = ["before"] * (len(pictures) // 2) + ["after"] * (len(pictures) // 2)
figure = plots.photo_grid(pictures, titles, columns=len(pictures) // 2, size=1, title="Filters of the first layer")
plots.show(figure, "Filters of the first layer before and after fine-tuning", run / "figures" / "filters.png")

# %% [markdown]
# Can you find a difference? The relative change of this layer says how small it should be. Choose a layer in the chart
# below, by a click or with the arrow keys: next to it, you see how far each of its weights has moved. Compare an early
# layer with a late one.

# %%
fine_tuning.explore_changes(before, after, shares, pictures)

# %% [markdown]
# ## Exercise
#
# **Predict.** AdamW has moved the weights of two layers by 0.002 each. In the first layer a typical weight is 0.5, in
# the last 0.02. By how many percent has the last layer changed?

# %% tags=["solution"]
# hint: Divide the step by the size of the weights, and multiply by 100.
percent_of_the_last_layer = 100 * 0.002 / 0.02

# %%
from tutorial_utils.course import exercises

exercises.check(
    "Change of the last layer (%)",
    percent_of_the_last_layer,
    100 * 0.002 / 0.02,
    tolerance=1e-6,
    explain="The first layer has changed by 0.4 %: the same step, and larger weights.",
    wrong=[
        (0.4, "That is the first layer, whose weights are of size 0.5. Those of the last layer are smaller."),
        (0.1, "That is a fraction: a tenth of the weight's size. In percent it is 100 times as much."),
        (0.2, "That is the step times 100, as if a weight were of size 1. Divide by the size of the last layer's."),
        (1000, "That is the size over the step, times 100: upside down. Divide the step by the size."),
    ],
)

# %% [markdown]
# ## What you have seen

# %%
for name, share in shares.items():
    print(f"{name}: {np.count_nonzero(share)} of {len(share)} layers moved; ", end="")
    print(f"the first layer by {share[0]:.2f} %, the last by {share[-1]:.2f} % of its size")

# %% tags=["hidden"]
summary = {"first_layer_percent": float(shares[bold][0]), "last_layer_percent": float(shares[bold][-1])}
summary |= {"layers_moved_careful": int(np.count_nonzero(moves[careful])), "layers": len(before)}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
