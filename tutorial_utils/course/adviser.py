"""A head, the last layers or all of them? Advice for the photos at hand, from a minute of trials (chapter 4).

What the trials find is compared with what they found where every strategy was then really trained: the table
benchmarks/strategies.csv. How good the advice was on sets that the adviser had not seen: benchmarks/adviser.md.
"""

import time
from typing import NamedTuple

import keras
import numpy as np
import pandas
import scipy.special
import sklearn.linear_model
import sklearn.model_selection
import sklearn.pipeline
import sklearn.preprocessing

from ..data import pipeline, splits
from ..evaluation import metrics, plots
from ..models import features, freezing, heads, training
from . import benchmark_tables

STRATEGIES = {name: plots.STRATEGIES[name].text for name in ("head", "last", "all")}  # those with a borrowed base
RATES = {"head": None, "last": 3e-4, "all": 3e-4}
CELL = ["set", "backbone", "image_size", "photos_per_class", "seed"]  # what one row for each strategy has in common
LEVEL = 0.9  # share of cases that an interval should hold
MOST = 400  # photos that are fine-tuned in a trial, where that leaves three of each class; more take over a minute
_SETS = 5  # in the evidence, at least, for advice on photos that it does not know
_UNEVEN = 2  # times the photos of the smallest class that the largest has, from where on it is said
_WORST = 5.0  # nats by which a loss counts as grown that is no number any more
_PENALTY = 3.0  # of the ridge regression, in rows of the table


class Advice(NamedTuple):
    """What to do with some photos, and why."""

    strategy: str  # a key of STRATEGIES
    sure: bool  # whether the others are worse by more than chance explains
    expected: pandas.DataFrame  # indexed by strategy: accuracy, low, high, as fractions
    learning_rate: float | None  # at its height; None for the logistic head, which has none
    reasons: str
    collect: list[str]  # the two classes of which more photos would help most; [] if none stands out
    signals: dict  # what the trials found

    def __str__(self):
        return f"{self.reasons} (trials: {self.signals['seconds']:.0f} s)"


def advise(photos, backbone, image_size, seed=0, evidence=None, progress=True):
    """Return an Advice for a photos table, within about a minute on two processor cores.

    photos : those to learn from, training and validation; never the test photos
    backbone : from backbones.get; unchanged afterwards
    evidence : a table like benchmarks/strategies.csv; None for that one
    Raises ValueError that names a class whose photos all belong to one group.
    """
    if evidence is None:
        evidence, _ = benchmark_tables.read_table("strategies")
    signals, probabilities = run_trials(photos, backbone, image_size, seed, progress)
    expected, lead, strategy = predict_strategies(signals, evidence)
    sure, collect = lead[strategy] > 0, _weakest(photos, probabilities, seed)
    reasons = _reasons(signals, expected, strategy, sure, collect, evidence)
    reasons += _unlike(photos, signals, backbone, image_size, evidence)
    return Advice(strategy, sure, expected, RATES[strategy], reasons, collect, signals)


def advice_table(advice):
    """Return what an Advice expects as a DataFrame to show: a row a strategy, in %."""
    shown = (100 * advice.expected).round(1).rename(index=STRATEGIES).rename_axis("strategy")
    return shown.rename(columns={"accuracy": "expected (%)", "low": "from", "high": "to"})


def run_trials(photos, backbone, image_size, seed=0, progress=True):
    """Return (signals, probabilities): what the trials found, and what the frozen base says of each photo.

    photos : photos table, every class in at least two groups; backbone : from backbones.get, unchanged afterwards
    signals : dict of floats. photos_per_class : their mean number. classes : how many there are. frozen, frozen_half :
        accuracy of a head on the frozen base, cross-validated by group, learning from four fifths and from half of the
        photos. distance : of `domain_distance`. all : by how much fine-tuning all layers changed the accuracy of photos
        held back (half of those tried), as a fraction; all_loss : their loss, in nats. seconds : what it took.
    probabilities : float (photos, classes), cross-validated
    Raises ValueError that names a class whose photos all belong to one group.
    """
    started = time.perf_counter()
    splits.group_k_fold(photos)  # raises for a class of one group, before anything is computed
    labels, classes = pipeline.labels(photos), len(photos["label"].cat.categories)
    rows = features.stored(photos, backbone, image_size, progress=progress)[:]
    said = heads.cross_val_probabilities(photos, rows, seed)
    halves = [heads.cross_val_probabilities(photos, rows, seed + each, folds=2) for each in range(3)]
    found = {"photos_per_class": len(photos) / classes, "classes": classes}
    found["frozen"], _ = _scores(labels, said)
    found["frozen_half"], _ = np.mean([_scores(labels, half) for half in halves], axis=0)
    found["distance"] = domain_distance(photos, backbone, image_size, seed)
    few = photos if len(photos) <= MOST else splits.sample_per_class(photos, max(3, MOST // classes), seed=seed)
    borrowed = backbone.base.get_weights()
    try:
        changes = []
        for learn, ask in _halves(few, seed):
            backbone.base.set_weights(borrowed)  # or the second half's base would know the photos it is asked about
            changes.append(_fine_tune(learn, ask, backbone, image_size, seed))
        found["all"], found["all_loss"] = (float(change) for change in np.mean(changes, axis=0))
    finally:
        backbone.base.set_weights(borrowed)
        freezing.freeze(backbone.base)
    return found | {"seconds": round(time.perf_counter() - started, 1)}, said


def domain_distance(photos, backbone, image_size, seed=0, most=64):
    """Return how far photos are from those that the base knows: 0 and up, in standard deviations of its channels.

    The last BatchNormalization layer remembers the mean and the variance of each channel over the photos that the
    base learned from; the distance is the root mean square, over the channels, of how far the mean over these photos
    lies from that. NaN for a base without such a layer.
    """
    layers = [layer for layer in backbone.base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not layers:
        return float("nan")
    some = photos.sample(min(most, len(photos)), random_state=seed)
    before = keras.Model(backbone.base.inputs, layers[-1].input)
    means = [
        np.mean(before.predict_on_batch(backbone.preprocess(images)), axis=(1, 2))
        for images, _ in pipeline.batches(some, image_size)
    ]
    mean, variance = (keras.ops.convert_to_numpy(each) for each in (layers[-1].moving_mean, layers[-1].moving_variance))
    return float(np.sqrt(np.mean((np.concatenate(means).mean(axis=0) - mean) ** 2 / (variance + layers[-1].epsilon))))


def predict_strategies(signals, evidence):
    """Return (expected, lead, best): the accuracy of each strategy, by how much each surely leads the next best, which.

    expected : DataFrame indexed by strategy: `accuracy`, `low`, `high`, fractions; the interval is to hold LEVEL
    lead : {strategy: lower end of its lead over the best of the others}, in logits
    best : the strategy of which most is expected
    How far a strategy lands from the cross-validated accuracy of the frozen head, in logits (log of right to wrong, so
    that ten points count more near 100 % and nothing passes it), is a ridge regression on three of the signals
    (_columns); its errors are those on sets left out of it.
    """
    cells, found, reached = complete_cells(evidence)
    known, model = _columns(found), _regression()
    unseen = {"groups": cells["set"], "cv": sklearn.model_selection.LeaveOneGroupOut()}
    values, errors = {}, {}
    for strategy in STRATEGIES:
        gain = _logit(reached[strategy]) - _logit(found["frozen"])
        errors[strategy] = gain - sklearn.model_selection.cross_val_predict(model, known, gain, **unseen)
        gained = model.fit(known, gain).predict(_columns(pandas.DataFrame([signals])))
        values[strategy] = float(_logit(signals["frozen"]) + gained[0])
    half = {name: float(np.quantile(np.abs(error), LEVEL)) for name, error in errors.items()}
    ends = {name: scipy.special.expit([each, each - half[name], each + half[name]]) for name, each in values.items()}
    expected = pandas.DataFrame(ends, index=["accuracy", "low", "high"]).T
    lead = {}
    for name in STRATEGIES:
        other = max((each for each in STRATEGIES if each != name), key=values.get)
        width = float(np.quantile(np.abs(errors[name] - errors[other]), LEVEL))
        lead[name] = values[name] - values[other] - width
    return expected, lead, max(values, key=values.get)


def complete_cells(evidence):
    """Return (cells, signals, reached), DataFrames row by row, of the cells in which all STRATEGIES were trained.

    cells : the columns CELL; signals : what the trials found, as `run_trials` names it; reached : accuracy by strategy
    """
    rows = evidence[evidence["strategy"].isin(STRATEGIES)]
    reached = rows.pivot_table(index=CELL, columns="strategy", values="accuracy").reindex(columns=list(STRATEGIES))
    reached = reached.dropna()
    signals = rows.drop_duplicates(CELL).set_index(CELL).loc[reached.index].filter(regex="^trial_")
    signals = signals.rename(columns=lambda name: name.removeprefix("trial_"))
    return reached.index.to_frame(index=False), signals.reset_index(drop=True), reached.reset_index(drop=True)


def regrets(judged):
    """Return the mean regret of the advice and of always doing the same, in points, as a Series (chapter 4).

    judged : a table like benchmarks/adviser.csv: `set`, `photos_per_class`, what each of STRATEGIES reached, and
        `accuracy`, what the advised one did, as fractions
    Regret: how far a strategy is below the one that was best in hindsight for that set and that number of photos, each
    taken as its mean over the seeds.
    """
    names = list(STRATEGIES)
    means = judged.groupby(["set", "photos_per_class"])[[*names, "accuracy"]].mean()
    best = means[names].max(axis=1)
    found = {f"always {name}": (best - means[name]).mean() for name in names}
    return 100 * pandas.Series({"as advised": (best - means["accuracy"]).mean(), **found})


def _columns(table):
    """Return what the advice goes by, an array (rows, 3): how many photos, how much is left to gain, what a trial did.

    Few columns: with so few sets, a regression on more of the signals learns the sets by heart.
    """
    photos = np.log2(table["photos_per_class"].to_numpy(float) * table["classes"].to_numpy(float))
    change = table["all_loss"].to_numpy(float)
    change = np.where(np.isfinite(change), change, _WORST)  # a training that broke down is no good sign
    return np.column_stack([photos, _logit(table["frozen"]), change])


def _logit(accuracy):
    """Return the logarithm of right to wrong; 0 and 1 are taken as half a percent from there."""
    return scipy.special.logit(np.clip(np.asarray(accuracy, float), 0.005, 0.995))


def _regression():
    """Return ridge regression on standardized columns, none of which counts beyond 2.5 deviations."""
    clip = sklearn.preprocessing.FunctionTransformer(np.clip, kw_args={"a_min": -2.5, "a_max": 2.5})
    ridge = sklearn.linear_model.Ridge(_PENALTY)
    return sklearn.pipeline.make_pipeline(sklearn.preprocessing.StandardScaler(), clip, ridge)


def _halves(photos, seed):
    """Yield (learn, ask), photos tables; at most 100 photos are tried out both ways round: one way would be chance.

    A class that has no photo on one side, as its groups hold other classes too, is left out.
    """
    parts = list(splits.group_k_fold(photos, 2, seed).split(photos, photos["label"], photos["group"]))
    for part in parts[: 1 if len(photos) > 100 else 2]:
        sides = [photos.iloc[rows].reset_index(drop=True) for rows in part]
        both = set(sides[0]["label"]) & set(sides[1]["label"])
        kept = [side[side["label"].isin(both)] for side in sides]
        yield [side.assign(label=side["label"].cat.remove_unused_categories()) for side in kept]


def _fine_tune(learn, ask, backbone, image_size, seed):
    """Return by how much a short fine-tuning changes the accuracy and the loss of the photos that are asked about."""
    freezing.freeze(backbone.base)
    rows, asked_rows = (features.stored(each, backbone, image_size, progress=False)[:] for each in (learn, ask))
    head = heads.logistic_head(rows, pipeline.labels(learn), len(learn["label"].cat.categories))
    before = _scores(pipeline.labels(ask), head.predict(asked_rows, verbose=0))
    model = heads.build_classifier(backbone, head, image_size)
    batches = training.augmented_batches(learn, image_size, seed)
    epochs = max(4, -(-training.STEPS // 2 // int(batches.cardinality())))  # half of what the recipe takes
    history = training.fine_tune(model, backbone.base, batches, None, epochs)  # asked once, at its end
    change = _scores(*metrics.predict(model, pipeline.batches(ask, image_size))) - before
    if not np.isfinite(history["loss"].iloc[-1]):
        change[1] = np.nan  # it broke down, and the model is that of the last epoch before
    return change


def _scores(labels, probabilities):
    """Return (accuracy, mean cross-entropy in nats) as an array."""
    right = probabilities[np.arange(len(labels)), labels]
    return np.array([(probabilities.argmax(axis=1) == labels).mean(), -np.log(right.clip(1e-7)).mean()])


def _weakest(photos, probabilities, seed=0):
    """Return the two classes that the frozen base mixes up most, [] if chance alone might bring such a pair about.

    A pair is named if it is surely mixed up more often, plant by plant, than if mistakes fell on all pairs alike.
    """
    labels, names = pipeline.labels(photos), list(photos["label"].cat.categories)
    if len(names) < 3:
        return []
    said, pairs = probabilities.argmax(axis=1), len(names) * (len(names) - 1) / 2
    level = 1 - 0.05 / pairs  # one pair in twenty folders, whichever it is, not one in twenty pairs
    worst = metrics.confused_pairs(labels, said, names, photos["group"], level=level, seed=seed).head(1)
    for row in worst.itertuples():
        of_two = np.isin(labels, [names.index(row.first), names.index(row.second)]).sum()
        if row.low > (said != labels).sum() / pairs / of_two:
            return [row.first, row.second]
    return []


def _reasons(signals, expected, strategy, sure, collect, evidence):
    """Return the advice in plain sentences: what was found, what follows."""
    known = evidence.drop_duplicates(CELL)["trial_distance"]
    far = "further from" if signals["distance"] > known.median() else "nearer to"
    domain = f" The photos are {far} what the base knows than most of those that this is compared with."
    if np.isnan(signals["distance"]):
        domain = ""  # a base without BatchNormalization remembers nothing of its photos
    found = (
        f"With {signals['photos_per_class']:.0f} photos a class a head on the frozen base is right in "
        f"{signals['frozen']:.0%} ({signals['frozen_half']:.0%} with half of them); in a short trial, fine-tuning all "
        f"layers changed the loss by {signals['all_loss']:+.2f} nats, and what is right by "
        f"{100 * signals['all']:+.0f} points.{domain}"
    )
    what, row = STRATEGIES[strategy], expected.loc[strategy]
    if RATES[strategy]:
        what += f" (learning rate {RATES[strategy]:g}, photos flipped and turned)"
    what += f": expect {row['accuracy']:.0%} right, {row['low']:.0%} to {row['high']:.0%}"
    follows = f"Do this: {what}." if sure else f"These photos do not tell the strategies apart; the best bet is {what}."
    if collect:
        follows += f" Collect more photos of {collect[0]} and {collect[1]}: they are mixed up most."
    return f"{found} {follows}"


def _unlike(photos, signals, backbone, image_size, evidence):
    """Return a sentence for each way in which the evidence is of another kind than what is asked about, "" if none."""
    number, sizes, sets = signals["photos_per_class"], photos["label"].value_counts(), evidence["set"].nunique()
    fewest, most = evidence["photos_per_class"].agg(["min", "max"])
    known = evidence[["backbone", "image_size"]].drop_duplicates().to_numpy().tolist()
    with_what = ", ".join(f"{name} at {side} pixels" for name, side in known)
    trained = "The trainings that this is compared with"
    found = {
        f"{number:.0f} photos a class are too few to tell: nothing below {fewest} was ever tried out.": number < fewest,
        f"{number:.0f} photos a class are more than were ever tried out: {most} at most.": number > most,
        f"{trained} had as many photos of one class as of another; here there are {sizes.max()} of {sizes.idxmax()} "
        f"and {sizes.min()} of {sizes.idxmin()}.": sizes.min() < sizes.max() / _UNEVEN,
        f"{trained} are of {sets} sets only: a weak witness.": sets < _SETS,
        f"All this was measured with {with_what}; for {backbone.name} at {image_size} it is a guess.": [
            backbone.name,
            image_size,
        ]
        not in known,
    }
    return "".join(f" {sentence}" for sentence, holds in found.items() if holds)
