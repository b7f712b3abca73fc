# %% [markdown]
# # 8. Your own photos: from a folder to a model that others can use
#
# **You will**
#
# - learn whether a folder of photos is fit to learn from, and be told what to mend if it is not,
# - have a first model within a minute, learn what fine-tuning would take and bring, train so that nothing is lost if
#   the machine stops, and open the test set once,
# - leave a model in four forms that run without this course, each checked on the test photos, and know what the smaller
#   forms cost, and a page that anyone can open to try it,
# - ask the finished model about a photo of yours, and let it say that it does not know,
# - hand on a model card that says what the model is good for, what it must not be used for, and how to run it.
#
# **Time:** {{minutes}} of computing on two processor cores. **You need:** chapters 1 to 3, and chapter 6 to understand
# every number; to use it, only a folder with one folder of photos a class:
#
# ```
# python -m tutorial_utils train my_photos
# ```
#
# That runs this chapter in a terminal, and shows one line of progress. Every idea below has its own chapter; here they
# work together.

# %% tags=["parameters"]
dataset = "leaves"  # str: a data set's name, or the path of a folder that holds one folder of photos per class
backbone = "efficientnet_lite0"  # str: the network to borrow; this one is always here, and bears 8 bits well
image_size = None  # int or None: side of the square in pixels; None: 128 for the course's leaves, 224 for other photos
seed = 0  # int: the same seed gives the same result
photos_per_class = None  # int or None: a smaller sample of the photos, for a quick try
epochs = None  # int or None: how often fine-tuning sees each photo; None: 4 times, or more where photos are few
wanted_error = 0.05  # float: the share of wrong answers that you would accept, 0 up to 1
photos_license = None  # str or None: the license of your photos, for the model card; None: as the data set's card says
effort = "best"  # str: "quick": a head on all layers; "best": fine-tuned from there, if the validation photos agree
page_examples = 0  # int: how many of your test photos go into the page to try the model, for anyone to see
labels_language = None  # str or None: of the class names, such as "de": a screen reader then pronounces them right
run_dir = "runs/08_your_own_photos"  # str: where this chapter leaves its results

# %%
import time

import keras
from tutorial_utils.course import run_folder

started = time.perf_counter()
if image_size is None:
    image_size = 128 if dataset == "leaves" else 224
parameters = dict(dataset=dataset, backbone=backbone, image_size=image_size, seed=seed, epochs=epochs)
parameters |= dict(photos_per_class=photos_per_class, wanted_error=wanted_error, photos_license=photos_license)
parameters |= dict(effort=effort, page_examples=page_examples, labels_language=labels_language, run_dir=run_dir)
run = run_folder.start(**parameters)
keras.utils.set_random_seed(seed)
# what we say of the course's own photos is asserted for the settings that we saw
as_told = run_folder.as_told(parameters)

# %% [markdown]
# ## Is the folder fit to learn from?
#
# Every file is opened, copies are found, and what cannot be used is left out (no file is changed; `dropped.csv` in the
# run folder says what and why). Then the photos are split by plant or object. If too little is left, if a class is too
# small for an honest test, or if the folder is not what it should be, the chapter stops here with one sentence, and
# leaves a page, `report.html`, that says what to do.

# %%
from tutorial_utils.course import prepare

fit = prepare.prepare_photos(dataset, run, seed, photos_per_class)
photos = fit.photos
print(f"{len(photos):,} photos in {photos['group'].nunique():,} groups can be used, {fit.taken_out:,} are left out")
prepare.summarize_findings(fit.findings)

# %%
import pandas
from tutorial_utils.data import splits

class_names = list(photos["label"].cat.categories)
train, validation, test = (splits.subset(photos, name) for name in splits.NAMES)
pandas.crosstab(photos["label"], photos["split"])

# %% [markdown]
# The test photos are put away now, and nothing below looks at them until they are opened.

# %%
from tutorial_utils.evaluation import plots

if fit.findings["path"].ne("").any():
    whole = pandas.concat([photos, fit.findings[["path"]].assign(label="left out")]).drop_duplicates("path")
    figure = prepare.plot_findings(fit.findings, whole, title="What was found, the worst first")
    plots.show(figure, "Photos of which something was found, the worst first", run / "figures" / "findings.png")
else:
    print("Nothing was found that could be shown.")

# %% [markdown]
# ### Does anything but the subject give the class away?
#
# If all photos of a class come from one place, one camera or one day, a model can learn that instead of the subject. A
# simple model is asked how much of the class the border, the size, the name or the date of a photo tells by itself
# (chapter 2), and a head on the frozen base doubts labels. Both see the photos to learn from only.

# %%
from tutorial_utils.data import shortcuts
from tutorial_utils.models import backbones, features, heads

borrowed = backbones.get(backbone)
open_rows = (photos["split"] != "test").to_numpy()
known = photos[open_rows].reset_index(drop=True)
seen = time.perf_counter()
rows = features.stored(known, borrowed, image_size, layers="all")  # what the base sees on its way: chapter 3
seconds_a_photo = (time.perf_counter() - seen) / len(known)
said = heads.cross_val_probabilities(known, features.last_layer(rows, borrowed), seed)
cues = prepare.shortcut_table(known, fit.stats[open_rows].reset_index(drop=True), said, seed)
fires = [shortcuts.CUES[cue] for cue in cues.loc[cues["fires"], "cue"]]
named = f"By themselves, these tell much of the class: {', '.join(fires)}." if fires else "No shortcut was found."
print(named)
(100 * cues.set_index("cue")[["accuracy", "low", "high", "chance"]]).rename(index=shortcuts.CUES).round(1)

# %%
import pathlib

from tutorial_utils.data import audit

doubted, likely = audit.find_label_issues(known["label"].cat.codes, said)
print(f"labels to look at again: {len(doubted)} of {len(known):,}")
for row, other in zip(doubted[:5], likely[:5], strict=True):
    print(f"  {known['label'][row]}: {pathlib.Path(known['path'][row]).name}, or {class_names[other]}?")

# %% [markdown]
# A doubted label is not a wrong one: look at the photo. Nothing is taken out because a model doubts it. With a folder
# of your own, you can answer below, by mouse or with Tab and the arrow keys. Your answers are kept in `corrections.csv`
# beside the photos; every chapter and command reads it from then on. No photo is moved. Then run this chapter again.

# %%
from tutorial_utils.widgets import data_preparation

twice = fit.findings[fit.findings["kind"].isin(["label_conflict", "similar_elsewhere"])].drop_duplicates("path")
asked = dict(zip(twice["path"], [None] * len(twice), strict=True))
asked |= {known["path"][row]: class_names[other] for row, other in zip(doubted, likely, strict=True)}
data_preparation.correct_labels(dataset, list(asked), list(asked.values()))

# %% [markdown]
# ## The first model
#
# A head on all layers of the frozen base (chapter 3): it looks at each photo twice, as it is and made a little worse.

# %%
import numpy as np
from tutorial_utils.data import pipeline
from tutorial_utils.evaluation import metrics, saliency
from tutorial_utils.models import training

val_batches = pipeline.batches(validation, image_size)
begun = time.perf_counter()
model, history = training.train_frozen(borrowed, train, validation, image_size, layers="all", seed=seed)
head_minutes = (time.perf_counter() - begun + seconds_a_photo * len(known)) / 60
chosen = "a head on all layers of the frozen base"

# %% [markdown]
# To look at mistakes later, and at photos unlike all others, the model is cut in two: pixels to feature maps, and these
# to the answer (chapter 6). So one pass over a photo gives its features and its probabilities.

# %%
stages = saliency.split_model(model)
answers = features.answers(stages)  # batches to labels, features, probabilities
y_val, val_features, said_first = answers(val_batches)
val_score = metrics.accuracy(y_val, said_first.argmax(axis=1), validation["group"])
print(f"{chosen}: validation, {val_score}")

# %% [markdown]
# ## What would fine-tuning take, and bring?
#
# The minutes are worked out from what a forward pass takes on this machine. What it brings to these photos nobody can
# say beforehand; what it brought to others, with about as many photos a class, stands in a table that is kept with the
# course. (The course's own leaves are left out of it here.)

# %%
from tutorial_utils.course import adviser, benchmark_tables
from tutorial_utils.data import catalog

title = catalog.short_name(dataset)
evidence, caption = benchmark_tables.read_table("strategies")
size, gains = adviser.gains_at(evidence[evidence["set"] != title], len(known) / len(class_names))
tuning_minutes = adviser.estimate_minutes(train, answers, image_size)
advice = adviser.Advice(val_score, "on the validation photos", gains, head_minutes, tuning_minutes, size)
print(f"{advice}\n{caption}")

# %% [markdown]
# ### Should they be turned in training?
#
# A leaf that is turned is the same leaf; a shoe on its head is something that nobody will ask about. Turning and
# flipping the photos in training (chapter 2) can help in the first case and cost in the second. Measured on five sets,
# 25 photos a class: the accuracy (%) when all layers learn, with and without.

# %%
measurements, caption = benchmark_tables.read_table("choices")
ways = {"defaults": "turned and flipped", "defaults, not augmented": "as they are"}
by_way = measurements[measurements["recipe"].isin(ways)].pivot_table(index="set", columns="recipe", values="accuracy")
gains = by_way["defaults"] - by_way["defaults, not augmented"]
assert gains["clothing"] < -0.02 < 0 < gains.drop("clothing").min()
(100 * by_way).rename(columns=ways).style.format(precision=1).set_caption(caption)

# %% [markdown]
# Only the clothes lose. So the validation photos are asked first: the model sees them as they are, and then upside
# down. If that makes no difference beyond chance, turning cannot cost much. (With `effort="quick"` nothing is tuned, so
# nothing is asked.)

# %%
from tutorial_utils.data.images import read_image

fall = None
if effort == "best":
    _, _, said_turned = answers(images[:, ::-1, ::-1] for images, _ in val_batches)
    both = said_first.argmax(axis=1), said_turned.argmax(axis=1)
    fall = metrics.paired_difference(y_val, *both, validation["group"])
    print(f"as they are, against upside down: {fall}")

# %% [markdown]
# If it does, the subject may have an up and a down, or the photos only happen to have been taken the same way up. Then
# a short training each way, half of the photos held back, says which: what does better there is done. Where the two
# are close, chance decides.


# %%
def batches(table, size, turned):
    """Return the batches to learn from: turned and flipped, or as they are."""
    if turned:
        return training.augmented_batches(table, size, seed)
    return pipeline.batches(table, size, training.batch_size(len(table)), shuffle=True, seed=seed)


def said_after(turned, learn, ask, side):
    """Return what is said of `ask` after a short training on `learn`; the base ends as it was."""
    untouched = borrowed.base.get_weights()
    short, _ = training.train_frozen(borrowed, learn, ask, side, layers="all", seed=seed)
    training.fine_tune(short, borrowed.base, batches(learn, side, turned), None, epochs)
    said = metrics.predict(short, pipeline.batches(ask, side))[1].argmax(axis=1)
    borrowed.base.set_weights(untouched)
    return said


# %%
turned = True
if fall is not None and fall.low > 0:
    few = splits.sample_per_class(known, max(4, 400 // len(class_names)), seed=seed)
    halves = next(splits.group_k_fold(few, 2, seed).split(few, few["label"], few["group"]))
    learn, ask = (few.iloc[half].reset_index(drop=True) for half in halves)
    ways = [said_after(way, learn, ask, min(image_size, 128)) for way in (False, True)]
    better = metrics.paired_difference(pipeline.labels(ask), *ways, ask["group"])
    turned = not better.value > 0
    print(f"left as they are, against turned and flipped: {better}")
print(f"photos in training: {'turned and flipped' if turned else 'as they are'}")
assert not as_told or turned

# %% [markdown]
# ## Fine-tune, and lose nothing
#
# The state of the training is kept in the run folder after every epoch. If the machine stops, run the same again with
# the same `run_dir`: it goes on where it was (chapter 5).
#
# All layers learn, from the first model on; they see each photo four times, or more often where the photos are so few
# that this would be less than a hundred steps. The validation photos decide which epoch is kept, and then whether the
# fine-tuned model is: it has to name more of them right than the first one.

# %%
val_probabilities = said_first
if effort == "best":
    first, first_score = model.get_weights(), val_score
    learning = batches(train, image_size, turned)
    tuned_history = training.fine_tune(model, borrowed.base, learning, val_batches, epochs, run_dir=run)
    _, tuned_features, said_tuned = answers(val_batches)
    tuned_score = metrics.accuracy(y_val, said_tuned.argmax(axis=1), validation["group"])
    print(f"fine-tuned: validation, {tuned_score}")
    if tuned_score.value > val_score.value:
        chosen, val_score, history = "all layers fine-tuned", tuned_score, tuned_history
        val_features, val_probabilities = tuned_features, said_tuned
    else:
        model.set_weights(first)
tuned = len(history) > 1
print(f"chosen: {chosen}")

# %%
if tuned:
    figure = plots.plot_history(history, title=f"{borrowed.name}: {chosen}")
    plots.show(figure, "Loss and accuracy by epoch, training and validation", run / "figures" / "history.png")
else:
    print("There are no epochs to draw: the head was solved in one go.")

# %% [markdown]
# ### As sure as it is right
#
# The validation photos also say by which *temperature* the logits should be divided so that the confidence is honest
# (chapter 6). The logits are the last layer's weights times what comes in, plus its bias; `add_temperature` divides
# both, once and for all, so the model that is handed on needs no layer more.

# %%
from tutorial_utils.evaluation import calibration

temperature = calibration.fit_temperature(val_probabilities, y_val, validation["group"])
model = heads.add_temperature(model, temperature, in_place=True)
cooled_val = calibration.apply_temperature(val_probabilities, temperature)
_, _, some = answers(val_batches.take(1))  # what the model itself says now
away = np.abs(some - cooled_val[: len(some)]).max()
print(f"temperature {temperature:.2f}; largest difference to the formula {away:.0e}")
assert away < 1e-4

# %%
chosen_threshold = calibration.threshold_for(cooled_val, y_val, wanted_error)
threshold = float(chosen_threshold["threshold"]) if chosen_threshold is not None else float("inf")
print(f"answer when at least {threshold:.0%} sure" if np.isfinite(threshold) else "no threshold is good enough")

# %% [markdown]
# The threshold is the lowest confidence at which, on the validation photos, no more answers are wrong than wanted. All
# choices are made.

# %% [markdown]
# ## Open the test set, once

# %%
y_test, test_features, probabilities = answers(pipeline.batches(test, image_size))
predicted = probabilities.argmax(axis=1)
score = metrics.accuracy(y_test, predicted, test["group"])
majority = float((y_test == train["label"].cat.codes.mode()[0]).mean())
print(score)
print(f"always naming the most frequent class: {majority:.1%}")
by_class = metrics.class_table(y_test, predicted, class_names, test["group"])
by_class.round(3)

# %% [markdown]
# The first number is the one to tell others, with its interval and its number of photos, and never without: it is of
# photos of plants or objects that the model has not seen, taken as these were taken. Of other photos it says nothing.

# %%
error = calibration.calibration_error(probabilities, y_test, test["group"])
answered = probabilities.max(axis=1) >= threshold
coverage = float(answered.mean())
risk = float((predicted != y_test)[answered].mean()) if answered.any() else float("nan")
print(f"how far its confidence is from how often it is right: {error}")
if answered.any():
    print(f"answered when at least {threshold:.0%} sure: {coverage:.0%} of the test photos, {risk:.1%} of these wrong")

# %%
counts = metrics.confusion(y_test, predicted, len(class_names))
axes = plots.plot_confusion(counts, class_names, title="Test photos: true and predicted class")
alt = "Confusion matrix of the test photos, true class by row, predicted by column"
plots.show(axes.figure, alt, run / "figures" / "confusion.png")

# %% [markdown]
# ## What does it look at?
#
# The surest mistakes, with what spoke for the answer, and the training photos most like them (chapter 6):

# %%
from tutorial_utils.course import predictor
from tutorial_utils.evaluation import diagnostic_plots, error_analysis

like = train.sample(min(len(train), predictor.MOST_KNOWN), random_state=seed)  # the training photos to compare with
if tuned:
    _, train_features, _ = answers(pipeline.batches(like, image_size))
else:
    train_features = features.last_layer(features.stored(like, borrowed, image_size, layers="all"), borrowed)


def saliency_of(places):
    """Return what spoke for the predicted class in some test photos, (photos, height, width), 0 to 1."""
    images = np.stack([read_image(path, image_size) for path in test["path"].iloc[places]])
    return saliency.grad_cam(stages, images, predicted[places])


# %%
near = dict(train=like, features=test_features, train_features=train_features)
found = error_analysis.find_errors(test, y_test, probabilities, saliency_of=saliency_of, most=4, **near)
if len(found.table):
    figure = diagnostic_plots.plot_errors(found, read_image, most=4, title="The surest mistakes")
    alt = "The surest mistakes, each with its saliency map and the training photos most like it"
    plots.show(figure, alt, run / "figures" / "mistakes.png")
else:
    print("No test photo is wrong.")

# %%
one_of_each = [np.flatnonzero(y_test == label)[0] for label in np.unique(y_test)][:5]
shown = np.stack([read_image(path, image_size) for path in test["path"].iloc[one_of_each]])
maps = saliency.hires_cam(stages, shown, predicted[one_of_each])
titles = [f"{class_names[y_test[i]]}\nsays {class_names[predicted[i]]}" for i in one_of_each]
figure = diagnostic_plots.plot_saliency(shown, {"what speaks for its answer": maps}, titles)
plots.show(figure, "A test photo of each class and what in it speaks for the answer", run / "figures" / "saliency.png")

# %% [markdown]
# Saliency maps convince too easily, so here is a number beside them. The middle of each test photo, of 500 at most, is
# covered with the photo's mean color, and only a frame of an eighth of its side is left. How often is the model still
# right?

# %%
asked = np.sort(np.random.default_rng(seed).permutation(len(test))[:500])
images = np.stack([read_image(path, image_size) for path in test["path"].iloc[asked]])  # (photos, side, side, 3)
edge = image_size // 8
framed = images.copy()
framed[:, edge:-edge, edge:-edge] = images.mean(axis=(1, 2), keepdims=True)
_, _, said_framed = answers([framed[first : first + 32] for first in range(0, len(framed), 32)])
frame_only = metrics.accuracy(y_test[asked], said_framed.argmax(axis=1), test["group"].iloc[asked])
print(f"with the frame alone: {frame_only}; the most frequent class: {majority:.1%}")

# %%
looks = "With the middle of each test photo covered, so that only a frame of an eighth of its side is left: "
looks += f"{frame_only}."
if frame_only.low > majority:
    looks += " That is more than naming the most frequent class brings: the border of these photos tells something of"
    looks += " the class. Where the subject does not reach the border, that is the background."
else:
    looks += " These photos do not show that it knows the class by the border."
print(looks)

# %% [markdown]
# Read it in one direction only. Much more than the most frequent class is a warning: what lies at the border gives the
# class away, and if that is not the subject, the model will fail where the background is another. Little more is no
# proof of the opposite, for a covered photo is unlike anything that the network has seen.

# %% [markdown]
# ### What it does not know
#
# A model names one of its classes for any photo. So it gets a second question to answer first: how far does the photo
# lie from all training photos (chapter 6)? Beyond the limit, which lets 95 % of photos like the validation photos pass,
# the answer should be "I don't know".

# %%
from tutorial_utils.leaves import lessons
from tutorial_utils.evaluation import ood

limit = ood.score_threshold(ood.knn_distance(val_features, train_features))
passing = ood.acceptance_rate(ood.knn_distance(test_features, train_features), limit, test["group"])
print(f"test photos: {passing}")
kinds = {name: lessons.ood_images(name, 32, image_size, seed) for name in lessons.OOD_KINDS}
still = {name: ood.knn_distance(answers([some])[1], train_features) <= limit for name, some in kinds.items()}
for name, taken in still.items():
    print(f"{name}: {taken.mean():.0%} taken for known")

# %% [markdown]
# ## Ship it: four forms of one model
#
# | form | runs with | where |
# | --- | --- | --- |
# | `model.keras` | TensorFlow, Keras | to go on training, notebooks, servers |
# | `model.tflite` | LiteRT | phones, small computers |
# | `model_float16.tflite`, `model_int8.tflite` | LiteRT | the same, where size counts |
# | `model.onnx` | ONNX Runtime | servers, browsers, other languages |
#
# Each takes raw pixels, 0 to 255, and gives probabilities. The form with whole numbers of 8 bits has to know in which
# range the sums inside the network lie; it takes them from training photos.

# %%
from tutorial_utils.models import export

some = train.sample(min(len(train), 32), random_state=seed)["path"]
examples = np.stack([read_image(path, image_size) for path in some])
files = export.write_exports(model, run, examples, stages)
if "onnx" not in files:
    print('No model.onnx: it needs two packages more, pip install "tutorial_utils[export]".')

# %% [markdown]
# Is it the same model? Each file is asked about the same test photos, and held against Keras.

# %%
from tutorial_utils.course import model_card

by_form = export.run_exports(model, files, images, probabilities[asked])
table = model_card.score_exports(by_form, files, y_test[asked], test["group"].iloc[asked])
exact = [kind for kind in ("float32", "onnx") if kind in files]
assert (table.loc[exact, "largest_difference"] < export.TOLERANCE).all()  # 1e-4
assert (table.loc[exact, "same_class"] == 1).all()  # on every photo
model_card.format_exports(table)

# %% [markdown]
# The two forms with numbers of 32 bits are the same model: that is what the cell asserts. The smaller forms are other
# models, close to it. *Points lost* is what each has lost in accuracy against Keras, with its interval: where that
# holds 0, these photos do not tell the two apart.

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(8.4, 2.6), layout="constrained", sharey=True)
kinds_shown = list(files)
for ax, column, label in zip(axes, ["megabytes", "milliseconds"], ["size (MB)", "time a photo (ms)"], strict=True):
    bars = ax.barh(kinds_shown, table.loc[kinds_shown, column], color=plots.PALETTE["blue"])
    ax.bar_label(bars, fmt="%.1f", padding=3)
    ax.set(xlabel=label, title=label.split(" (")[0])
    ax.margins(x=0.15)
axes[0].set_ylabel("export")
axes[0].invert_yaxis()
figure.suptitle("What each form weighs, and how long it takes on one core")
plots.show(figure, "Size and time a photo of each export, as bars", run / "figures" / "exports.png")

# %% [markdown]
# ### Everything into the run folder
#
# First the numbers, for `metrics.json`:

# %%
from tutorial_utils.course.summary import EvaluationSummary, verdict

summary = EvaluationSummary(n_test=score.n, test_accuracy=score, accuracy_majority=majority)
summary.enough_groups = not metrics.too_few_groups(test["group"])
summary.grouped = not photos["group"].isin(set(photos["path"])).all()  # copies are grouped under one of their paths
summary.add_classes(by_class, metrics.confused_pairs(y_test, predicted, class_names, test["group"]))
summary.temperature, summary.calibration_error = temperature, error
summary.wanted_error, summary.threshold, summary.coverage, summary.risk = wanted_error, threshold, coverage, risk
summary.frame_accuracy, summary.known_kept = frame_only, passing.value
summary.strategy, summary.val_accuracy = chosen, val_score.value
summary.photos_in_training = "as they are, and a copy of each made worse (noise, blur, JPEG, light)"
if tuned:
    summary.photos_in_training += ", then turned and flipped" if turned else ", then as they are"
summary.fall_turned, summary.shortcuts, summary.doubted_labels = fall, named, len(doubted)
summary.other_effort = advice.about_tuning()
if effort == "best":
    summary.other_effort = f"A head on all layers alone takes {60 * head_minutes:.0f} s: validation, {first_score}."
summary.taken_out, summary.exports = fit.taken_out, table

# %%
summary.seconds = round(time.perf_counter() - started, 1)
kept = dict(photos=photos, backbone=borrowed, history=history, model=model)
run_folder.finish(run, parameters=parameters, metrics={**summary.as_metrics(), "effort": effort}, **kept)
predictor.save_ood_reference(run, train_features, limit)
loaded = predictor.load_predictor(run)  # from the file, as anyone would; nothing in a file is run as a program
predictions = predictor.save_predictions(run, loaded, test)
assert (predictions["class"] == np.array(class_names)[predicted]).all()  # what was saved is what was measured
run_folder.record_hashes(run, ["labels.txt", predictor.OOD_FILE, *export.NAMES.values()])
predictions.head()

# %% [markdown]
# `predictions.csv` has a row for each test photo, with the class that it stands in and the probability of every class.
# The sha256 of every file is in `run.json`, so that whoever gets the model can tell that it is this one.

# %% [markdown]
# ### A page to try it
#
# `try_me.html` is the model in a page that anyone can open, without Python, a server or a network: drop a photo, and
# read the answer. The photo stays where it is. The photos that you see on it are painted, unless `page_examples` says
# how many of your test photos may travel with it.

# %%
from tutorial_utils.course import try_me

avoid = [looks] if frame_only.low > majority else []
if fires:
    avoid.append("Photos taken in another way than these: what gives the class away here may be missing there.")
own = page_examples or (4 if dataset == "leaves" else 0)  # the leaves are painted
few = test.iloc[test.groupby("label", observed=True).cumcount().argsort(kind="stable")].head(own)  # a class in turn
examples = list(zip(few["label"].astype(str), few["path"], strict=True))
examples += [(name, kinds[name][0]) for name in ("texture", "noise")]
try:
    page = try_me.write_page(run, f"{title}: which of {len(class_names)} classes?", avoid, examples, labels_language)
    print(f"{page.name}: {page.stat().st_size / 1e6:.0f} MB")
except try_me.NoPage as reason:
    print(reason)

# %% [markdown]
# ### The model card
#
# What a model is good for, what it must not be used for, and how to run it, belongs into the same folder as the model.
# The commands in the card need nothing of this course.

# %%
license = photos_license or model_card.license_of(dataset)
told = dict(title=f"{title}: which of {len(class_names)} classes?", license=license, backbone=borrowed)
path = model_card.write_model_card(run, exports=table, classes=by_class, looks=looks, avoid=avoid, **told)
print(path.read_text(encoding="utf-8").split("## How to run it")[1][:1200])

# %%
from tutorial_utils.course import report

parts = {
    "history": ("How it learned", ""),
    "confusion": ("Every answer, counted", ""),
    "mistakes": ("Mistakes, the surest first", "Beside each: what spoke for the answer, and training photos like it."),
    "saliency": ("What it looks at", looks),
    "exports": ("Four forms of one model", ""),
    "findings": ("What was found in the photos", named),
}
drawn = {name: texts for name, texts in parts.items() if (run / "figures" / f"{name}.png").is_file()}
sections = [report.Section(heading, text, f"{name}.png") for name, (heading, text) in drawn.items()]
numbers = report.Section("The forms in numbers", model_card.EXPORT_NOTE, table=model_card.format_exports(table))
sections.insert(1 + list(drawn).index("exports"), numbers)
again = report.command("08_your_own_photos", parameters)
page = report.write_report(run, f"How good is this model of {title}?", sections, command=again)
lacking = model_card.missing_files(run)
print(f"in {run.name}: {', '.join(name for name in model_card.FILES if name not in lacking)}, model_card.md")
assert set(lacking) <= {"model.onnx", "try_me.html"}

# %% [markdown]
# ## Ask it
#
# The finished model, loaded from its file. Choose a photo, or drop one of yours (with a kernel only); move the slider,
# and see when it would rather say that it does not know. Below the menu's first photos, which are those that it has
# wrong, come right ones, and at the end noise.

# %%
from tutorial_utils.widgets import own_photos

wrong, right = np.flatnonzero(predicted != y_test), np.flatnonzero(predicted == y_test)
order = np.concatenate([wrong[:10], right[:: max(1, len(right) // 10)][:10]])
noise = run / "noise.png"
keras.utils.save_img(noise, kinds["noise"][0], scale=False)
paths = [*test["path"].iloc[order], str(noise)]
names = [f"{class_names[y_test[i]]}: {pathlib.Path(test['path'].iloc[i]).name}" for i in order] + ["noise"]
own_photos.explore_predictor(loaded, paths, names, threshold)

# %%
start = min(threshold, 1)
shown = own_photos.draw_prediction(loaded, paths[0], start)
plots.show(*shown, run / "figures" / "asked.png")
plots.show(*own_photos.draw_prediction(loaded, str(noise), start), run / "figures" / "asked_noise.png")

# %% [markdown]
# Many photos are asked from a terminal, a row each, a bad file included:
# `python -m tutorial_utils predict RUN_FOLDER PHOTOS --csv`.

# %% [markdown]
# ## Exercises
#
# **Predict.** The weights of `model.tflite` have 32 bits each, those of `model_int8.tflite` 8. By what factor is the
# second file smaller? Guess, to within 1, before you look at the table.

# %% tags=["solution"]
# hint: Nearly all of such a file is weights.
factor = 4

# %%
from tutorial_utils.course import exercises

measured_factor = table.loc["float32", "megabytes"] / table.loc["int8", "megabytes"]
exercises.check(
    "How much smaller",
    factor,
    measured_factor,
    tolerance=1,
    explain=f"Exactly: {measured_factor:.2f}. A little of the file is not weights, and stays as large as it was.",
    wrong=[
        (2, "That is 16 bits in the place of 32. Here there are 8."),
        (8, "That many bits are left of each weight. The question is what share of the 32 that is."),
        (0.25, "That is the share that is left. The factor is one over it."),
        (24, "That many bits are saved for each weight. Divide, do not subtract."),
    ],
)

# %% [markdown]
# **Change one thing.** Let the model answer only when it is at least 99 % sure. How many of the test photos does it
# then leave to a person?

# %% tags=["solution"]
# hint: `probabilities` has a row for each test photo; its largest number is the confidence.
left_to_a_person = int((probabilities.max(axis=1) < 0.99).sum())

# %%
sure = probabilities.max(axis=1) >= 0.99
exercises.check(
    "Left to a person",
    left_to_a_person,
    int((~sure).sum()),
    explain=f"Of the {sure.sum()} that it answers, {int((predicted != y_test)[sure].sum())} are wrong.",
    wrong=[
        (int(sure.sum()), "So many are answered. The others are left to a person."),
        (float((~sure).mean()), "That is the share of the photos. The question is how many they are."),
        (
            int((probabilities < 0.99).sum()),
            "That counts every class of every photo. A photo counts once, by its largest.",
        ),
    ],
)

# %% [markdown]
# **Explain.** A colleague has 200 photos of 4 plants, 50 of each: plants 1 and 2 are healthy, plants 3 and 4 are ill,
# and `groups.csv` says so. What will this chapter do with the folder: write "train", "warn" or "stop".

# %% tags=["solution"]
# hint: Training, validation and test photos each need a plant of every class.
will = "stop"

# %%
exercises.check(
    "Four plants",
    will,
    "stop",
    explain="Two plants a class cannot be divided into three parts, so nobody could say what a score is worth.",
    wrong=[
        ("train", "Then one plant would be on two sides of the split, and the score would be one of memory."),
        ("warn", "A warning with a score beside it would be read as a score. Two plants a class allow no honest test."),
    ],
)

# %% [markdown]
# {{quiz}}

# %% [markdown]
# ## You have

# %%
print(verdict(summary))
print(f"\nIn {run.name}: the model in {1 + len(files)} forms, its card, its report, its answers to the test photos.")
print(f"8 bits in the place of 32: {-100 * table.loc['int8', 'lost']:+.1f} points of accuracy, ", end="")
print(f"{table.loc['int8', 'megabytes']:.1f} MB in place of {table.loc['float32', 'megabytes']:.1f}")

# %% [markdown]
# **What next?** Show the report to someone who knows the subject, and ask them for photos on which the model fails:
# they are the best photos to collect. Then run this chapter again. When the model is of use to others, and the license
# of the photos allows it, share it: the entry for the course's `gallery.md` is at the end of the model card.
