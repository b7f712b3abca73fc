# %% [markdown]
# # Lab: How many layers, at which rate?
#
# Fine-tuning has two main settings: how many of the last layers learn, and at which learning rate. They belong
# together: a rate that is harmless for three layers can ruin seventy. Here you draw a small map of both. This lab
# belongs to [chapter 4](../04_fine_tuning.ipynb).
#
# **Time:** {{minutes}}.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 96  # int: side of the square that each photo is resized to, in pixels; small, so that a step is quick
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/labs/layers_and_rates"  # str: where this lab leaves its results

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
train, validation = splits.subset(photos, "train"), splits.subset(photos, "val")
train = splits.sample_per_class(train, 100, seed=seed)  # so that a large folder takes no longer
train_labels, val_labels = pipeline.labels(train), pipeline.labels(validation)
print(f"{len(train)} training, {len(validation)} validation photos")

# %% [markdown]
# ## From which layer on?
#
# Every training starts from the frozen model of chapter 3. Where only the last layers learn, the layers before them
# give the same numbers for a photo in every epoch. So they look at each photo once, and their output is stored
# (`features.stored`). That needs a place where the network can be cut in two, with no shortcut leading around it.

# %%
import keras
from tutorial_utils.models import backbones, features, freezing, training

keras.utils.set_random_seed(seed)
borrowed = backbones.get(backbone)
model, _ = training.train_frozen(borrowed, train, validation, image_size, seed=seed)
head, start = model.layers[-1], model.get_weights()
wanted = [min(last, len(borrowed.base.layers)) for last in (10, 75)] if freezing.find_cuts(borrowed.base) else []
depths = sorted({freezing.nearest_cut(borrowed.base, last)[1] for last in wanted})
print(f"last layers that learn: none (the head alone), {', '.join(map(str, depths)) or 'and no more: no place to cut'}")


# %%
def last_part(last):
    """Return the last layers of the base with the head as one model, its training batches and validation batches."""
    cut = freezing.nearest_cut(borrowed.base, last)[0] if last else None
    kept = dict(backbone=borrowed, image_size=image_size, cut=cut, seed=seed)
    alone = keras.Model(head.inputs, head.outputs)
    part = freezing.build_suffix_classifier(borrowed.base, head, cut) if last else alone
    versions = [features.stored(train, view=view, **kept) for view in (None, 1)]  # as it is; flipped and turned
    batches = features.batches(versions, train_labels, batch_size=16, shuffle=True, seed=seed)  # one version per epoch
    return part, batches, features.batches([features.stored(validation, **kept)], val_labels)


# %% [markdown]
# ## The map
#
# Each cell of the map is a training of two epochs: at its whole rate in the first, at a fifth of it in the second.

# %%
rates, losses = (3e-5, 3e-4, 3e-3), {}
for last in [0, *depths]:
    model.set_weights(start)
    part, batches, val_batches = last_part(last)
    fresh = part.get_weights()
    freezing.unfreeze(borrowed.base, last)
    part.compile(keras.optimizers.AdamW(), loss="sparse_categorical_crossentropy")
    part.optimizer.build(part.trainable_variables)  # or Keras works out its training step twice
    for rate in rates:
        part.set_weights(fresh)
        for variable in part.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))  # AdamW forgets the training before
        lower = keras.callbacks.LearningRateScheduler(lambda epoch, now, rate=rate: rate * (1, 0.2)[epoch])
        fitting = dict(validation_data=val_batches, epochs=2, callbacks=[lower], shuffle=False, verbose=0)
        losses[last, rate] = [part.evaluate(val_batches, verbose=0), *part.fit(batches, **fitting).history["val_loss"]]

# %%
import pandas

curves = pandas.DataFrame(losses).rename_axis(columns=["last layers that learn", "learning rate"])
loss_map = curves.iloc[-1].unstack()  # after the second epoch
print(loss_map.round(2).to_string())

# %%
import numpy as np
from tutorial_utils.evaluation import plots
from tutorial_utils.widgets import fine_tuning

named = loss_map.rename(index={0: "none (head alone)"}, columns=np.format_float_positional)
title = f"{borrowed.name}: validation loss after two epochs"
axes = plots.plot_value_map(named, "validation loss (nats)", title=title)
alt = "Heat map of the validation loss by number of layers that learn and learning rate"
plots.show(axes.figure, alt, run / "figures" / "layers_and_rates.png")

# %% [markdown]
# How much of a difference is luck? The loss is a mean over the validation photos, so it has a **standard error**: the
# standard deviation of the photos' losses, divided by the root of their number.

# %%
model.set_weights(start)
probabilities = head.predict(features.stored(validation, borrowed, image_size)[:], verbose=0)  # of the frozen model
photo_losses = -np.log(probabilities[np.arange(len(val_labels)), val_labels].clip(1e-7))
error = float(photo_losses.std() / len(photo_losses) ** 0.5)
best = loss_map.stack().idxmin()
guessing = np.log(head.output_shape[-1])
print(f"frozen: {photo_losses.mean():.2f}, with a standard error of {error:.2f}; guessing: {guessing:.2f}")
where = f"the last {best[0]} layers learn" if best[0] else "the head learns alone"
print(f"lowest: {loss_map.min().min():.2f}, where {where}, at a rate of {np.format_float_positional(best[1])}")

# %% tags=["hidden"]
spread = loss_map.max(axis=1) - loss_map.min(axis=1)
assert not as_told or spread.idxmax() == loss_map.index[-1]
assert not as_told or loss_map.loc[loss_map.index[-1], 3e-3] > loss_map.loc[loss_map.index[-1], 3e-4] + error

# %% [markdown]
# That error takes each photo for itself. Photos of the same plant are alike, so the real uncertainty is larger. We
# call two cells level if they differ by less than this error; a difference of a little more is still no proof.
#
# How far apart are the lowest and the highest loss of each row? On the course's leaves, they are farthest apart in the
# last row, where most layers learn. There the right rate has the most to win, and a rate that is too high can overwrite
# the most. So with many layers, choose the rate with care.
#
# Choose a cell, by a click or with the arrow keys. Its epochs are drawn next to the map; the blue band is the frozen
# model with one standard error to each side. Go along the last row. At which rate does the first epoch do harm, and
# does the second one, at a fifth of the rate, repair it?

# %%
fine_tuning.explore_grid(curves, error)

# %%
figure, alt = fine_tuning.draw_cell(curves, error, *best)
plots.show(figure, alt, run / "figures" / "lowest_cell.png")

# %% [markdown]
# ## Exercise
#
# **Choose.** The map has a lowest loss, and perhaps other cells so near to it that the validation photos cannot tell
# them apart. Write `simplest`: of the cells whose loss is at most `error` above the lowest, take those with the fewest
# layers, and of these the one with the lowest rate.


# %% tags=["solution"]
# hint: `loss_map.stack()` lists the cells by layers, then by rate: the first one that is good enough is the answer.
def simplest(loss_map, error):
    """Return (layers, rate) of the simplest cell whose loss is at most `error` above the lowest."""
    cells = loss_map.stack()
    return cells[cells <= cells.min() + error].index[0]


# %%
from tutorial_utils.course import exercises

limit = loss_map.min().min() + error
good = [(last, rate) for last in loss_map.index for rate in rates if loss_map.loc[last, rate] <= limit]
exercises.check(
    "The simplest good cell",
    simplest(loss_map, error),
    good[0],
    explain=f"The lowest loss is where {where}, at a rate of {np.format_float_positional(best[1])}.",
    wrong=[
        (best, "That is the lowest cell. Within the error a simpler one is as good: fewer layers, or a lower rate."),
        (good[0][::-1], "The cell is right, but the rate comes first. The map's rows are the layers: (layers, rate)."),
        (loss_map.min().min(), "That is the lowest loss, not a cell. A cell is a pair of (layers, rate)."),
    ],
)

# %% [markdown]
# ## What you have seen

# %%
print(f"frozen: {photo_losses.mean():.2f}, standard error {error:.2f} (each photo for itself)")
for last, row in loss_map.iterrows():
    found = ", ".join(f"{loss:.2f} at {np.format_float_positional(rate)}" for rate, loss in row.items())
    print(f"{f'last {last} layers' if last else 'head alone'}: {found}")

# %% tags=["hidden"]
summary = {"loss_frozen": float(photo_losses.mean()), "standard_error": error}
summary |= {f"loss_{last}_{rate:.0e}": float(loss) for (last, rate), loss in loss_map.stack().items()}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
