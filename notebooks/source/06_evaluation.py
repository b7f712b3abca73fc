# %% [markdown]
# # 6. Evaluation: a score that can be believed
#
# **You will**
#
# - open the test set once, and say how sure its score is,
# - see which classes are mixed up, whether by chance, and what the mistakes look like,
# - find out whether a confident answer is a right one, and mend it if it is not,
# - see where in a photo the model looks, what it makes of a photo of nothing, and whether more photos would help,
# - end with a verdict in plain words and a page that you can show.
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** chapters 1 to 3; a run of chapter 4 is used
# if it is there.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "mobilenet_v2"  # str: the network to borrow
image_size = 128  # int: side of the square that each photo is resized to, in pixels
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
wanted_error = 0.05  # float: the share of wrong answers that you would accept, 0 up to 1
model_path = None  # str or None: a saved Keras model of any origin to evaluate; None: the one of chapter 4
class_names = None  # list of str, or the path of a labels.txt: the classes in the order of that model's answers
pixels = None  # str or None: what that model takes: "0-255", "0-1", "-1..1", "caffe" or "torch"; None: "0-255"
output = "probabilities"  # str: what that model gives: "probabilities" or "logits"
run_dir = "runs/06_evaluation"  # str: where this chapter leaves its results

# %%
import time

import keras
from tutorial_utils.course import run_folder

started = time.perf_counter()
parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed, wanted_error=wanted_error)
parameters |= dict(photos_per_class=photos_per_class, run_dir=run_dir)
parameters |= dict(model_path=model_path, class_names=class_names, pixels=pixels, output=output)
run = run_folder.start(**parameters)
keras.utils.set_random_seed(seed)
# what we say of the course's own photos is asserted for the settings that we saw
as_told = run_folder.as_told(parameters)

# %% [markdown]
# ## The model to evaluate
#
# If chapter 4 was run on the same photos, with the same backbone, image size and seed, its model and its split are
# used. Otherwise this chapter makes a model of its own, a head on the frozen base, in seconds. Either way, no test
# photo was ever trained on.
#
# A model of any other origin can be evaluated too: `model_path` names its file. Then only you can know whether it has
# seen these photos; if it has, every score below is too good.

# %%
from tutorial_utils.data import catalog, image_stats, pipeline, splits
from tutorial_utils.models import backbones, import_model, training

photos = catalog.load_photos(dataset, seed=seed, photos_per_class=photos_per_class)
borrowed = backbones.get(backbone)
earlier = None
if model_path is None:
    earlier = run_folder.find_run(
        run, "04_fine_tuning", photos=photos, backbone=borrowed, image_size=image_size, seed=seed
    )
if model_path is not None:
    photos = import_model.align_classes(photos, class_names or list(photos["label"].cat.categories))
if earlier:
    photos = splits.read_splits(photos, earlier / "splits.csv")
else:
    photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos))
class_names = list(photos["label"].cat.categories)
train, validation, test = (splits.subset(photos, name) for name in splits.NAMES)

# %%
if model_path is not None:
    model = import_model.load_model(model_path, class_names, pixels, output, image_size)
elif earlier:
    model = keras.models.load_model(earlier / "model.keras", compile=False)
else:
    model, _ = training.train_frozen(borrowed, train, validation, image_size, layers="all", seed=seed)
model_from = "model_path" if model_path else "04_fine_tuning" if earlier else "06_evaluation"
image_size = model.input_shape[1]

# %% [markdown]
# A saved model does not say how it wants its pixels scaled, nor which answer means which class. If what you said of
# yours does not fit, photos outside the test set may show it:

# %%
if model_path is not None:
    doubts = import_model.check_import(model, pipeline.batches(train, image_size), class_names, train["group"])
    print("\n".join(doubts) or "Nothing speaks against what was said of pixels, answers and classes.")

# %% [markdown]
# ## The mistake that ruins a good model's report: two passes
#
# Training batches are shuffled. A common way to make a report asks for predictions in one pass over such batches and
# takes the labels from somewhere else, in another order. On the validation photos:

# %%
import numpy as np
from tutorial_utils.evaluation import metrics

shuffled = pipeline.batches(validation, image_size, shuffle=True, seed=seed)
two_passes = model.predict(shuffled, verbose=0).argmax(axis=1)  # in the order of this pass
labels_elsewhere = validation["label"].cat.codes.to_numpy()  # in the order of the table

labels_same, probabilities_same = metrics.predict(model, shuffled)  # labels and predictions from one pass
wrong = (two_passes == labels_elsewhere).mean()
right = (probabilities_same.argmax(axis=1) == labels_same).mean()
print(f"two passes: {wrong:.1%} right; one pass: {right:.1%} right")

# %% [markdown]
# The same model, the same photos. Nothing is wrong with the first number's model but its bookkeeping; a score near
# chance on a model that trained well is the sign. `metrics.predict` takes labels and predictions from the same batch,
# so the order cannot matter.

# %% tags=["hidden"]
assert not as_told or wrong < right - 0.2

# %% [markdown]
# ## Open the test set, once: how sure is the score?
#
# Now the test set is opened, once. Every choice has been made before; whatever is fitted below (a temperature, a
# threshold) is fitted on the validation photos.

# %%
y_val, val_probabilities = metrics.predict(model, pipeline.batches(validation, image_size))
y_test, probabilities = metrics.predict(model, pipeline.batches(test, image_size))
predicted = probabilities.argmax(axis=1)
score = metrics.accuracy(y_test, predicted, test["group"])
majority = (y_test == train["label"].cat.codes.mode()[0]).mean()
print(score)
print(f"always naming the most frequent class: {majority:.1%}")

# %% [markdown]
# Three things belong to a score. Its **n**: one photo more or less is one n-th. Its **interval**: the range in which
# the accuracy on new plants probably lies. And a **baseline**: what one gets without any model.
#
# Photos of one plant tend to be right or wrong together, and then four photos of a plant say less than photos of four
# plants. The interval above counts plants. One that takes each photo for itself is never wider, and promises too much
# where photos of a plant are alike:

# %%
by_photo = metrics.accuracy(y_test, predicted)
print(f"by group: {score.low:.1%} to {score.high:.1%}; as if each photo were a plant of its own: ", end="")
print(f"{by_photo.low:.1%} to {by_photo.high:.1%}")
assert score.low <= by_photo.low + 1e-9

# %% [markdown]
# How often does such an interval hold the truth? That can only be seen where the truth is known: in simulated test
# sets, four photos a plant, in which photos of a plant are right or wrong together to a known degree (`alike`, from 0
# to 1). Both columns should read 95:

# %%
from tutorial_utils.course import benchmark_tables

simulated, caption = benchmark_tables.read_table("coverage")
four_a_plant = simulated[(simulated["photos"] == 300) & (simulated["groups"] == 75)]
both = ["by_group", "by_photo"]
shares = (100 * four_a_plant.groupby("alike")[both].mean()).rename(columns=lambda name: f"{name.replace('_', ' ')} (%)")
assert four_a_plant["by_group"].between(0.93, 0.97).all()
assert (four_a_plant["by_photo"] < 0.93).all()
shares.style.format(precision=1).set_caption(caption)

# %%
print(metrics.too_few_groups(test["group"]))
table = metrics.score_table(y_test, predicted, len(class_names), test["group"], probabilities, k=3)
(100 * table).round(1)

# %% [markdown]
# All in percent. Balanced accuracy is the mean of the classes' recalls, so a frequent class does not drown a rare one;
# the macro scores are means over the classes too. With *top 3* the right class is among the three that come first.

# %% [markdown]
# ## Which classes are mixed up, and what to do
#
# One row for each true class, one column for each predicted class. Right answers stand on the diagonal; everything
# off it is a mistake, and says which.

# %%
from tutorial_utils.evaluation import diagnostic_plots, plots

counts = metrics.confusion(y_test, predicted, len(class_names))
axes = plots.plot_confusion(counts, class_names, title="Test photos: true and predicted class")
plots.show(
    axes.figure,
    "Confusion matrix of the test photos, true class by row, predicted by column",
    run / "figures" / "confusion.png",
)

# %% [markdown]
# Choose a cell, by a click or with the arrow keys, and look at its photos: first a mistake, then the two right answers
# in its row and its column. Could you have told them apart?

# %%
from tutorial_utils.widgets import evaluation

evaluation.browse_confusion(test["path"], y_test, predicted, class_names, probabilities.max(axis=1))

# %% [markdown]
# With a few mistakes a cell, some pair always leads by chance. So the pairs below are ordered by the *lower end* of
# their interval: what comes first is mixed up often even at the best that these photos allow.

# %%
pairs = metrics.confused_pairs(y_test, predicted, class_names, test["group"])
pair = pairs.iloc[0] if len(pairs) else None
if pair is not None:
    figure = diagnostic_plots.plot_confused_pairs(pairs, title="What the model mixes up, with 95 % intervals")
    plots.show(figure, "The pairs of classes that are mixed up, each with its interval", run / "figures" / "pairs.png")

# %%
if pair is None:
    print("No test photo is wrong: collect harder photos.")
elif not pair["low"] > 0:
    print(f"{pair['first']} and {pair['second']} come first, but these photos do not tell that from chance.")
else:
    print(f"Collect more photos of {pair['first']} and {pair['second']}, above all of plants that look like both,")
    print(f"and look at their labels again: {pair['cost']:.0%} of these two classes' photos are mistaken.")

# %% [markdown]
# Is it the pair that you guessed in chapter 1?

# %% [markdown]
# ### Precision and recall
#
# For one class there are two questions:
#
# - **recall**: of the photos that show rust, how many did we find?
# - **precision**: of the photos that we call rust, how many show it?
#
# Which of the two matters more is not a question of statistics. If a missed disease ruins the field, look at recall;
# if every alarm costs a day's work, look at precision. **F1** is a mean of the two.

# %%
by_class = metrics.class_table(y_test, predicted, class_names, test["group"])
by_class.round(3)

# %%
weakest = by_class["recall"].idxmin()
lowest = by_class.loc[weakest]
print(f"lowest recall: {weakest}, {lowest['recall']:.1%} of its {int(lowest['n'])} test photos are found ", end="")
print(f"({lowest['recall_low']:.1%} to {lowest['recall_high']:.1%})")

# %% [markdown]
# The precision of a class can be counted by hand from the confusion matrix: the number on the diagonal over the sum
# of its column.

# %%
place = class_names.index(weakest)
by_hand = counts[place, place] / max(counts[:, place].sum(), 1)
assert np.isclose(by_hand, by_class.loc[weakest, "precision"])
print(f"precision of {weakest}: {counts[place, place]} / {counts[:, place].sum()} = {by_hand:.3f}")

# %% [markdown]
# ### The mistakes, seen
#
# To look at mistakes, three things help: the photo, where in it the model found what it says (a *saliency map*,
# explained below), and the training photos that look most alike to the model. For all three we cut the model in two:
# from pixels to its last feature map, and from there to the answer.

# %%
from tutorial_utils.evaluation import saliency
from tutorial_utils.models import features

stages = saliency.split_model(model)  # pixels to the last feature map, that to probabilities
answers = features.answers(stages)  # batches to labels, features (the map's mean over its places) and probabilities
tables = (train, validation, test)
train_features, val_features, test_features = (answers(pipeline.batches(each, image_size))[1] for each in tables)

# %%
from tutorial_utils.evaluation import error_analysis
from tutorial_utils.data.images import read_image


def saliency_of(places):
    """Return what spoke for the predicted class in some test photos, (photos, height, width), 0 to 1."""
    images = np.stack([read_image(path, image_size) for path in test["path"].iloc[places]])
    return saliency.grad_cam(stages, images, predicted[places])


found = error_analysis.find_errors(test, y_test, probabilities, train, test_features, train_features, saliency_of)
evaluation.browse_errors(found)

# %%
if len(found.table):
    figure = diagnostic_plots.plot_errors(found, read_image, most=5, title="The surest mistakes")
    alt = "The surest mistakes, each with its saliency map and the training photos most like it"
    plots.show(figure, alt, run / "figures" / "mistakes.png")

# %% [markdown]
# Are they mistakes that you would have made? Look at the training photos beside each: where they show the class that
# was wrongly named, the model has a reason; and now and then it is the label that is wrong.

# %% [markdown]
# ## Is a confident answer a right one?
#
# The probability of the class that comes first is the model's *confidence*. It is honest if, of the photos on which
# the model is 80 % sure, 80 % are right. The *calibration error* is how far off that is, on average over the photos.

# %%
from tutorial_utils.evaluation import calibration

error = calibration.calibration_error(probabilities, y_test, test["group"])
temperature = calibration.fit_temperature(val_probabilities, y_val, validation["group"])
cooled = calibration.apply_temperature(probabilities, temperature)
error_after = calibration.calibration_error(cooled, y_test, test["group"])
print(f"as trained: {error}\ntemperature {temperature:.2f}: {error_after}")

# %% [markdown]
# One number can mend much of it: the *temperature*, by which the logits are divided before the softmax. Above 1 it
# makes a model less sure, below 1 surer. It is fitted on the validation photos; because few of them can mislead, it
# goes a standard error less far from 1 than they ask for. The order of the classes stays, so not one answer changes:

# %%
assert np.array_equal(cooled.argmax(axis=1), predicted)
tables = {"as trained": probabilities, f"temperature {temperature:.2f}": cooled}
tables = {name: calibration.reliability(each, y_test) for name, each in tables.items()}
figure = diagnostic_plots.plot_reliability(tables, "Below the dotted line the model is surer than it is right")
plots.show(figure, "Accuracy against confidence, before and after the temperature", run / "figures" / "reliability.png")

# %%
change = calibration.calibration_difference(cooled, probabilities, y_test, test["group"])
print(f"calibration error after minus before: {change}")

# %% [markdown]
# Where the interval of the difference holds 0, these test photos do not tell the two apart. That the temperature helps
# is not decided here, or the test photos would have been used to choose; the model that this chapter leaves has the
# temperature that the validation photos asked for inside.
#
# One set of test photos decides little. Here is the same for heads on the frozen base, on five sets of photos, each
# split in many ways: the mean calibration error before and after, in points, and how often the interval of the
# difference lay above zero, so that the temperature had done harm.

# %%
many, caption = benchmark_tables.read_table("calibrated")
many = many[many["model"] == "frozen"]
errors = (100 * many.groupby("set")[["error_before", "error_after"]].mean()).round(1)
harm = many.groupby("set")["rises"].agg(splits="size", harm="sum")
assert (many["changed_predictions"] == 0).all()
assert (errors["error_after"] <= errors["error_before"]).all()
errors.join(harm).style.format(precision=1).set_caption(caption)

# %% [markdown]
# ### Answer only when sure
#
# An honest confidence can be used: let the model answer only above a threshold, and leave the rest to a person. The
# validation photos choose the threshold at which at most the wanted share of answers is wrong.

# %%
cooled_val = calibration.apply_temperature(val_probabilities, temperature)
chosen = calibration.threshold_for(cooled_val, y_val, wanted_error)
threshold = float(chosen["threshold"]) if chosen is not None else float("inf")
answered = cooled.max(axis=1) >= threshold
coverage = float(answered.mean())
risk = float((predicted != y_test)[answered].mean()) if answered.any() else float("nan")
print(f"answer when at least {threshold:.0%} sure: {coverage:.0%} of the test photos answered, ", end="")
print(f"{risk:.1%} of these wrong")

# %%
figure = diagnostic_plots.plot_risk_and_coverage(
    calibration.risk_and_coverage(cooled, y_test), (coverage, risk) if answered.any() else None
)
plots.show(figure, "Share of wrong answers by the share of photos that is answered", run / "figures" / "coverage.png")

# %% [markdown]
# On the test photos the share of wrong answers comes out as printed, not exactly as wanted: the threshold was chosen by
# few validation photos, and on others it may be off.
#
# Move the threshold, and look at what it costs a class: its precision tends to rise, its recall can only fall. The
# menu goes from the validation photos, on which a threshold may be chosen, to the test photos. They have been opened,
# so exploring them is fine; but choose by them, and no photos are left that could say what the choice is worth.

# %%
by_part = {"validation": (y_val, cooled_val), "test": (y_test, cooled)}
evaluation.explore_threshold(by_part, class_names, threshold)

# %%
shown = evaluation.draw_threshold(y_val, cooled_val, min(threshold, 1), threshold, name="validation photos")
plots.show(*shown, run / "figures" / "threshold.png")

# %% [markdown]
# ## What does it look at?
#
# A model may be right for the wrong reason. *Grad-CAM* asks, at each place of a feature map, how much what was found
# there speaks for an answer: the gradient of that answer, times what was found. The result is laid over the photo. The
# last map has few places, so here a finer one is taken, of at least eight along each side; layers follow it that tell
# places apart, so the gradient of each place counts there (*HiResCAM*), not its mean over the map. For a head on all
# layers, what each of its maps says is added up.
#
# Where the lesions of each photo are known, as for the generated leaves, we choose photos whose lesions cover less than
# a quarter: it is easy to look at a lesion that covers the leaf.


# %%
def read_masks(paths):
    """Return where photos show what their class is known by, bool (photos, image_size, image_size)."""
    return np.stack([read_image(path, image_size)[..., 0] > 127 for path in paths])


masks = read_masks(test["mask"]) if "mask" in test else np.zeros((len(test), 1, 1), bool)
covered = masks.mean(axis=(1, 2))  # share of each photo
known_where = bool(((covered > 0) & (covered < 0.25)).any())
asked = np.flatnonzero((covered > 0) & (covered < 0.25)) if known_where else np.arange(len(test))
images = np.stack([read_image(path, image_size) for path in test["path"].iloc[asked]])
finer = saliency.split_model(model, places=8)
maps = saliency.hires_cam(finer, images, y_test[asked])  # what speaks for the true class

# %%
some = [np.flatnonzero(y_test[asked] == label)[0] for label in np.unique(y_test[asked])][:4]  # a photo of each class
titles = [
    f"{class_names[y_test[i]]}\nsays {class_names[predicted[i]]}, {probabilities[i].max():.0%}" for i in asked[some]
]
figure = diagnostic_plots.plot_saliency(
    images[some], {"what speaks for the true class": maps[some]}, titles, masks[asked][some] if known_where else None
)
plots.show(figure, "Four photos, and what in them speaks for their class", run / "figures" / "saliency.png")

# %% [markdown]
# Turn the map down until you see the photo, and up until you see only the map. Guess first where you would look, and
# only then where the model does. The photos that it has wrong come first: there too the map is what speaks for the
# true class.

# %%
hit = predicted[asked] == y_test[asked]
order = np.concatenate([np.flatnonzero(~hit)[:12], np.flatnonzero(hit)[:12]])
said = [f"{class_names[y_test[i]]}, says {class_names[predicted[i]]}" for i in asked[order]]
said = [f"{number}: {text}" for number, text in enumerate(said, start=1)]
evaluation.explore_saliency(images[order], maps[order], said, masks[asked][order] if known_where else None)

# %% [markdown]
# A picture convinces too easily. Three tests that a saliency map can fail:
#
# 1. **Against the truth**: how much of the map lies inside the lesions, compared with an even map, the same everywhere?
# 2. **Shuffled weights**: a network that knows nothing must not show the same map (Adebayo et al., 2018).
# 3. **A shortcut**: paste watermarks that give the class away into the corners of each photo, and let a head learn
#    from them. It will be right for the wrong reason; does the map show it?

# %%
worth = {}
if known_where:
    groups = test["group"].iloc[asked]
    no_idea = saliency.split_model(saliency.randomize_weights(model, seed), places=8)
    worth["this model"] = saliency.score_maps(maps, masks[asked], groups)
    shuffled_maps = saliency.hires_cam(no_idea, images, y_test[asked])
    worth["shuffled weights"] = saliency.score_maps(shuffled_maps, masks[asked], groups)

# %%
import tempfile

from tutorial_utils.leaves import lessons

if known_where:
    with tempfile.TemporaryDirectory() as folder:
        marked = lessons.add_watermarks(photos, folder)
        learn, check, seen = (splits.subset(marked, name) for name in splits.NAMES)
        shortcut_model, _ = training.train_frozen(borrowed, learn, check, image_size)
        both = {"with watermarks": check, "the same photos without": validation}
        for name, table in both.items():
            labels, said = metrics.predict(shortcut_model, pipeline.batches(table, image_size))
            print(f"{name}: {metrics.accuracy(labels, said.argmax(axis=1), table['group'])}")
        images = np.stack([read_image(path, image_size) for path in seen["path"].iloc[asked]])
    shown = {"this model, with watermarks": model, "shortcut model": shortcut_model}  # both on the same photos
    for name, judged in shown.items():
        found = saliency.hires_cam(saliency.split_model(judged, places=8), images, y_test[asked])
        worth[name] = saliency.score_maps(found, masks[asked], groups)

# %%
if known_where:
    figure = diagnostic_plots.plot_saliency_scores(worth)
    alt = "Share of each map inside the lesions, times that of an even map, model by model"
    plots.show(figure, alt, run / "figures" / "worth.png")
    for name, table in worth.items():
        row = table.loc[("inside", "times random")]
        print(f"{name}: {row['value']:.2f} times an even map ({row['low']:.2f} to {row['high']:.2f})")
else:
    print("Where these photos show what their class is known by is not known: look at the maps, and be careful.")

# %% [markdown]
# Right of the dashed line more of the map lies inside the lesions than of an even map, the same everywhere. That
# alone is no feat: leaves stand in the middle of their photos, and a map that is highest in the middle of any photo
# gets some of it right too (the last row). Shuffled weights should fall far behind the model, and so should the model
# that learned the watermarks; it is compared with this model on the same photos, watermarks included. For the course's
# own photos that holds:

# %%
if as_told:
    rows = {name: table.loc[("inside", "times random")] for name, table in worth.items()}
    assert rows["this model"]["low"] > 1
    assert rows["this model"]["low"] > rows["shuffled weights"]["high"]
    assert rows["this model, with watermarks"]["low"] > rows["shortcut model"]["high"]

# %% [markdown]
# ## What about photos of something else?
#
# Show the model a photo of a shoe, and it will name a leaf disease: it has no other answers. Such a photo is *out of
# distribution*. How far its features lie from those of the training photos can show that (the distance to the fifth
# nearest of them is the photo's *score*). Three kinds of such images need no download: noise, blank cards, and surfaces
# with nothing on them.

# %%
from tutorial_utils.leaves import lessons
from tutorial_utils.evaluation import ood

kinds = {name: lessons.ood_images(name, 64, image_size, seed) for name in lessons.OOD_KINDS}
scores = {"test photos": ood.knn_distance(test_features, train_features)}
scores |= {name: ood.knn_distance(answers([images])[1], train_features) for name, images in kinds.items()}
limit = ood.score_threshold(ood.knn_distance(val_features, train_features))  # lets 95 % of such photos pass

# %%
figure = diagnostic_plots.plot_ood_scores(scores, limit)
alt = "Distance to the training photos: the test photos, noise, blank cards and surfaces"
plots.show(figure, alt, run / "figures" / "ood.png")

# %% [markdown]
# The area under the ROC curve is the chance that an out-of-distribution image has a higher score than a test photo:
# 0.5 is guessing, 1 is never wrong. The threshold was chosen on the validation photos; its price is the share of test
# photos that it turns away.

# %%
areas = {name: ood.auroc(scores["test photos"], scores[name], test["group"]) for name in kinds}
print("\n".join(f"{name}: {area}" for name, area in areas.items()))
passing = ood.acceptance_rate(scores["test photos"], limit, test["group"])
accepted = np.concatenate([scores[name] for name in kinds]) <= limit
print(f"test photos: {passing}\nout of distribution: {accepted.mean():.0%} taken for known")

# %%
sure_of_noise = float(model.predict_on_batch(kinds["noise"][:32]).max(axis=1).mean())
print(f"how sure the model is of its answers on noise, on average: {sure_of_noise:.0%}")

# %% [markdown]
# Noise is easy. What of real photos of other things? Measured on five sets of photos: for the model of each row, how
# well the distance tells the photos of each column (area under the ROC curve):

# %%
kept, caption = benchmark_tables.read_table("unknown")
kept = kept[(kept["model"] == "frozen") & (kept["score"] == f"distance, k = {ood.NEAREST}")]
real = kept.pivot_table(index="set", columns="images", values="auc").drop(columns=list(lessons.OOD_KINDS))
assert real.loc[["leaves", "plantvillage_tomato"], "clothing"].min() > 0.95
assert real.min().min() == real.loc["leaves", "plantvillage_tomato"]
real.style.format(precision=3, na_rep="").set_caption(caption)

# %% [markdown]
# Clothes, tiles and solar cells are told from leaves nearly without a mistake. The lowest number of the table is that
# of one set of leaves against the other: the more similar new photos are to the training photos, the less the distance
# shows. A leaf of another plant, with a disease that the model has no name for, will often pass.

# %% [markdown]
# ## Would more photos help?
#
# Learn from a smaller part of the training photos and ask, then from a larger part. If the error still falls at the
# end, more photos would help. On stored features a head is fitted in a moment, so all this takes seconds. It is
# the curve of a head on all layers of the frozen base: a fine-tuned model may gain more or less from more photos.

# %%
from tutorial_utils.evaluation import learning_curve
from tutorial_utils.models import heads

kept = dict(backbone=borrowed, image_size=image_size, layers="all", seed=seed)
plain, of_test = (features.stored(table, **kept)[:] for table in (train, test))
copies = features.stored(train, corrupted=True, **kept)[:]
rarest = int(train["label"].value_counts().min())  # photos of the smallest class
sizes = [size for size in (rarest // 8, rarest // 4, rarest // 2, rarest) if size >= 3]


def learned_from(per_class, draw):
    """Return (photos learned from, which test photos are then right) of a head on all layers of the frozen base."""
    some = splits.sample_per_class(train.assign(place=np.arange(len(train))), per_class, seed=draw)
    tables = [plain[some["place"]], copies[some["place"]]]
    head, _ = heads.all_layers_head(tables, some, features.block_sizes(borrowed), seed)
    return len(some), head.predict(of_test, verbose=0).argmax(axis=1) == y_test


# %%
tries = [learned_from(size, draw) for size in sizes for draw in range(3 if size < rarest else 1)]
numbers, rights = [number for number, _ in tries], [float(right.mean()) for _, right in tries]
twice = 2 * max(numbers, default=0)
expected = None
if len(sizes) > 1:
    ahead = np.geomspace(min(numbers), twice, 12)
    forecasts = [learning_curve.forecast_accuracy(numbers, rights, len(test), at) for at in ahead]
    expected = forecasts[-1]
    print(f"at {twice:,} photos: {expected}")
    figure = diagnostic_plots.plot_learning_curve(
        numbers, rights, ahead, forecasts, title="A head on all layers: would more photos help?"
    )
    alt = "Accuracy by number of training photos, with a forecast at twice as many"
    plots.show(figure, alt, run / "figures" / "learning_curve.png")
else:
    print("The rarest class has too few photos for a curve.")

# %% [markdown]
# ## Exercises
#
# **Predict.** A model is right on 45 of 50 test photos. Is its accuracy known to within 2 points, 5 points, or more?
# Write down your guess of the lower end of the 95 % interval, in percent, to within 3 points.

# %% tags=["solution"]
# hint: metrics.accuracy works on any labels and predictions: make 50 labels, of which 45 agree.
lower_end = 79

# %%
from tutorial_utils.course import exercises

fifty = metrics.accuracy(np.zeros(50, int), np.repeat([0, 1], [45, 5]))
exercises.check(
    "The lower end",
    lower_end,
    100 * fifty.low,
    tolerance=3,
    explain=f"Exactly: {fifty}.",
    wrong=[
        (90, "That is the score itself, or nearly. One photo more or less is 2 points, and luck is several photos."),
        (85, "That would be 5 points of luck, as with four times as many photos."),
        (70, "That would be 20 points of luck, as with 20 photos in place of 50."),
        (fifty.low, "That is a fraction. In percent it is 100 times as much."),
    ],
)

# %% [markdown]
# **Change one thing.** The same 45 of 50, but the 50 photos show 10 plants, five photos each, and the five mistakes are
# all of one plant. Which lower end does `metrics.accuracy` give with these groups?

# %% tags=["solution"]
# hint: the groups are np.repeat(np.arange(10), 5); the mistakes are the last five photos.
lower_end_by_plant = (
    100 * metrics.accuracy(np.zeros(50, int), np.repeat([0, 1], [45, 5]), np.repeat(np.arange(10), 5)).low
)

# %%
ten = metrics.accuracy(np.zeros(50, int), np.repeat([0, 1], [45, 5]), np.repeat(np.arange(10), 5))
exercises.check(
    "The lower end by plant",
    lower_end_by_plant,
    100 * ten.low,
    tolerance=1,
    explain=f"Exactly: {ten}. Nine of ten plants were right: that is all that these photos say.",
    wrong=[
        (100 * fifty.low, "That counts photos. Give the groups too: photos of one plant are right or wrong together."),
        (90, "That is the score. It stays the same; only how sure it is has changed."),
        (100 * ten.high, "That is the upper end. The lower one is the field `low`."),
        (ten.low, "That is a fraction. In percent it is 100 times as much."),
    ],
)

# %% [markdown]
# **Explain.** A model's temperature comes out at 0.6. Was it too sure of itself, or not sure enough? Write "too sure"
# or "not sure enough".

# %% tags=["solution"]
# hint: dividing logits by a number below 1 makes them larger.
was = "not sure enough"

# %%
exercises.check(
    "The temperature",
    was,
    "not sure enough",
    explain="Divided by 0.6, logits grow; so does confidence.",
    wrong=[("too sure", "Then the temperature would be above 1: it would have to make the logits smaller.")],
)

# %% [markdown]
# {{quiz}}

# %% [markdown]
# ## You have
#
# All that this chapter found goes into `metrics.json`:

# %%
from tutorial_utils.course.summary import EvaluationSummary, verdict

summary = EvaluationSummary(model_from=model_from, n_test=score.n, test_accuracy=score, accuracy_majority=majority)
summary.enough_groups = not metrics.too_few_groups(test["group"])
summary.grouped = not photos["group"].isin(set(photos["path"])).all()  # copies are grouped under one of their paths
summary.add_classes(by_class, pairs)
summary.temperature, summary.calibration_error = temperature, error_after
summary.wanted_error, summary.threshold, summary.coverage, summary.risk = wanted_error, threshold, coverage, risk
summary.unknown_auc, summary.unknown_kept, summary.known_kept = areas, accepted.mean(), passing.value
if worth:
    summary.heat_inside_ratio = worth["this model"].loc[("inside", "times random")]
if expected is not None and model_from == "06_evaluation":  # this model is such a head
    summary.forecast_accuracy, summary.forecast_photos = expected, twice
elif expected is not None:
    summary.frozen_forecast, summary.frozen_forecast_photos = expected, twice

# %%
from tutorial_utils.course import predictor

calibrated = heads.add_temperature(model, temperature)
summary.seconds = round(time.perf_counter() - started, 1)
told = summary.as_metrics()
run_folder.finish(run, parameters=parameters, metrics=told, photos=photos, backbone=borrowed, model=calibrated)
predictor.save_ood_reference(run, train_features, limit)
print(f"{len(told)} numbers in metrics.json; model.keras has the temperature inside")

# %% [markdown]
# ### The verdict
#
# Written from this run's numbers; it claims nothing where an interval does not allow it.

# %%
print(verdict(summary))

# %% [markdown]
# The same, with the pictures, as one page that you can open on a phone, print or send: `report.html` in the run folder.

# %%
from tutorial_utils.course import report

parts = {
    "pairs": ("What it mixes up", ""),
    "confusion": ("Every answer, counted", ""),
    "mistakes": ("Mistakes, the surest first", "Beside each: what spoke for the answer, and training photos like it."),
    "reliability": ("Is it as sure as it is right?", ""),
    "coverage": ("If it answers only when sure", ""),
    "saliency": ("What it looks at", ""),
    "worth": ("Does it look where it should?", "Also for shuffled weights, and a model that was taught a shortcut."),
    "ood": ("Photos that show none of its classes", ""),
    "learning_curve": ("Would more photos help?", "Of a head on all layers of the frozen base."),
}
drawn = {name: texts for name, texts in parts.items() if (run / "figures" / f"{name}.png").is_file()}
sections = [report.Section(heading, text, f"{name}.png") for name, (heading, text) in drawn.items()]
page = report.write_report(
    run, f"How good is this model of {dataset}?", sections, command=report.command("06_evaluation", parameters)
)
print(f"{page.name} in the run folder, {page.stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# You have opened the test set once, and everything above came from it: how sure the score is, what is mixed up, what
# the confidence is worth, where the model looks, what it does with photos of something else, what more photos might
# bring.
#
# The model can be asked about new photos now, from a terminal; it marks those that are unlike all that it learned from:
# `python -m tutorial_utils predict RUN_FOLDER PHOTOS`.
#
# **What next?** You know how good your model is and where it fails. Chapter 7 asks which settings would have made a
# better one, and how to tell a better one from a lucky one.
