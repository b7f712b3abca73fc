# %% [markdown]
# # Lab: Which learning rate is too high?
#
# The learning rate matters more than any other setting of a fine-tuning. Too low, and the base hardly changes. Too
# high, and a few steps destroy what you borrowed. Here is a cheap way to look for the limit, and a test of what its
# plot really says. This lab belongs to [chapter 4](../04_fine_tuning.ipynb).
#
# **Time:** {{minutes}}.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 96  # int: side of the square that each photo is resized to, in pixels; small, so that a step is quick
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
run_dir = "runs/labs/rate_finder"  # str: where this lab leaves its results

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
val_batches = pipeline.batches(validation, image_size)
print(f"{len(train)} training, {len(validation)} validation photos")

# %% [markdown]
# We start from the frozen model of chapter 3, with a head on the last layer that is trained already. Then all layers of
# the base may learn.

# %%
import keras
from tutorial_utils.models import backbones, freezing, training

keras.utils.set_random_seed(seed)
borrowed = backbones.get(backbone)
model, _ = training.train_frozen(borrowed, train, validation, image_size, seed=seed)
start = model.get_weights()
freezing.unfreeze(borrowed.base)
model.compile(keras.optimizers.AdamW(), loss="sparse_categorical_crossentropy")
model.optimizer.build(model.trainable_variables)  # or Keras works out its training step twice

# %% [markdown]
# ## Raise the rate with every batch
#
# The idea (Smith, 2017): take one step with each batch, and let the rate grow from step to step, from one that is far
# too low to one that is far too high. Write down the loss of each batch.

# %%
import numpy as np

train_batches = pipeline.batches(train, image_size, batch_size=16, shuffle=True, seed=seed)
rates = np.geomspace(1e-6, 1e-2, 20)  # the same factor from each to the next
losses = []
for rate, (images, labels) in zip(rates, train_batches.repeat(), strict=False):
    model.optimizer.learning_rate.assign(rate)
    model.reset_metrics()  # or Keras returns the mean over all batches so far
    losses.append(float(model.train_on_batch(images, labels)))  # the loss before this step
model.set_weights(start)  # back to the frozen model
print(f"from one batch to the next the rate grows {rates[1] / rates[0]:.2f}-fold")

# %% [markdown]
# Each batch has other photos, so the loss jumps. A running mean is easier to read: nine tenths of what it was, and one
# tenth of the new loss. `lr_finder.find_learning_rate` does the same as these two cells. We run it on the same photos
# in another order, to see how much of the picture is luck. (It stops when the running mean has tripled.)

# %%
import pandas
from tutorial_utils.models import lr_finder

first = pandas.DataFrame({"rate": rates, "loss": losses})
first["smoothed"] = first["loss"].ewm(alpha=0.1).mean()
another_order = pipeline.batches(train, image_size, batch_size=16, shuffle=True, seed=seed + 1)
second = lr_finder.find_learning_rate(model, another_order, lowest=1e-6, highest=1e-2, steps=20)
sweeps = {"one order": first, "another order": second}
too_high = {name: lr_finder.first_too_high(sweep) for name, sweep in sweeps.items()}

# %%
from tutorial_utils.evaluation import plots
from tutorial_utils.widgets import fine_tuning

figure, alt = fine_tuning.draw_sweeps(sweeps, too_high, title=f"{borrowed.name}: raising the rate")
plots.show(figure, alt, run / "figures" / "rates.png")
for name, rate in too_high.items():
    print(f"{name}: the mean is 1.5 times its lowest at {f'a rate of {rate:.1e}' if rate else 'no rate tried'}")

# %% tags=["hidden"]
assert not as_told or all(sweep["smoothed"].iloc[-1] > 2 * sweep["smoothed"].min() for sweep in sweeps.values())

# %% [markdown]
# On the left the steps are so small that the loss stays about where it was. On the right it climbs. The plot does not
# give you a best rate: these photos taught the head, so there is hardly any loss left to bring down. And the dotted
# lines are no recommendation. They only mark where the running mean has reached 1.5 times its lowest value, and that
# comes late, for two reasons. A batch is scored before its own step, so each dot shows what the smaller rates to its
# left have done. And the running mean follows the dots slowly.
#
# ## Does a rate do harm?
#
# To find out, give a rate a short training of its own: eight steps at a constant rate, from the frozen model. We try
# the two rates of chapter 4 (0.00001, and 0.0003 at its highest) and a much higher one. This time we score the
# validation photos. Each rate gets two runs, with the photos in two orders.

# %%
model.compile(keras.optimizers.AdamW(), loss="sparse_categorical_crossentropy")
model.optimizer.build(model.trainable_variables)
frozen_loss = model.evaluate(val_batches, verbose=0)


# %%
def loss_after(rate, order, steps=8):
    """Train from the frozen model at a constant rate; return the validation loss."""
    model.set_weights(start)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))  # AdamW forgets the run before
    model.optimizer.learning_rate.assign(rate)
    batches = pipeline.batches(train, image_size, batch_size=16, shuffle=True, seed=seed + order)
    model.fit(batches.repeat(), steps_per_epoch=steps, shuffle=False, verbose=0)
    return model.evaluate(val_batches, verbose=0)


val_losses = {rate: [loss_after(rate, order) for order in (0, 1)] for rate in (1e-5, 3e-4, 1e-2)}

# %%
figure, alt = fine_tuning.draw_losses_by_rate(val_losses, frozen_loss, steps=8)
plots.show(figure, alt, run / "figures" / "constant_rates.png")

# %% tags=["hidden"]
assert not as_told or min(val_losses[1e-2]) > frozen_loss + 1

# %% [markdown]
# On the course's leaves, the highest rate has ruined both runs: their loss is far above that of the frozen model. For
# the other rates, first look how far the two runs of one rate lie apart. A difference of that size may be luck. Then
# compare this picture with the sweep: where on its curves do these three rates lie?
#
# Both pictures hold for this network, these photos, this batch size and AdamW. A training that starts with small steps
# and grows them (a *warm-up*) can bear a higher rate than one that starts at full height.
#
# ## Exercise
#
# **Predict.** The loss of every batch jumps from 1 to 2 and stays there. The running mean was 1. After how many batches
# is it at 1.5 or above for the first time?

# %% tags=["solution"]
# hint: After n batches, 0.9 to the power of n is left of the old value.
batches_late = 7

# %%
from tutorial_utils.course import exercises

exercises.check(
    "Batches until the mean is halfway",
    batches_late,
    int(np.ceil(np.log(0.5) / np.log(0.9))),
    explain=f"In the sweep above, the rate has grown {(rates[1] / rates[0]) ** 7:.0f}-fold by then.",
    wrong=[
        (5, "Five times a tenth is a half, but each batch adds a tenth of the gap that is left, which shrinks."),
        (6, "Nearly: 0.9 to the power of 6 is 0.53, so the mean is at 1.47."),
        (1, "After one batch the mean is at 0.9 times 1 plus 0.1 times 2."),
        (10, "That is when a plain mean of ten batches would have forgotten the old value."),
    ],
)

# %% [markdown]
# ## What you have seen

# %%
for name, rate in too_high.items():
    print(f"{name}: mean at 1.5 times its lowest: {f'rate {rate:.1e}' if rate else 'not reached'}")
print(f"validation loss of the frozen model: {frozen_loss:.2f}")
for rate, (one, other) in val_losses.items():
    print(f"after 8 steps at a rate of {np.format_float_positional(rate)}: {one:.2f} and {other:.2f}")

# %% tags=["hidden"]
summary = {"loss_frozen": frozen_loss} | {f"loss_at_{rate:.0e}": max(runs) for rate, runs in val_losses.items()}
summary |= {f"too_high_{place}": rate for place, rate in enumerate(too_high.values(), 1) if rate}
written = run_folder.finish(run, parameters=parameters, metrics=summary, photos=photos, backbone=borrowed)
