"""A head, the last layers or all of them? Advice for the photos at hand, and how sure it is.

What the trials of a minute find (`trials`) is compared with what they found where every strategy was then really
trained: the table benchmarks/strategies.csv. Its command and day are in its caption, how good the advice was on sets
that the adviser had not seen in benchmarks/adviser.md.
"""

from typing import NamedTuple

import numpy as np
import pandas
import scipy.special

from ..data import pipeline
from ..evaluation import scores
from . import benchmark_tables, trials

STRATEGIES = {
    "head": "a head on the frozen base",
    "last": "fine-tuning the last layers",
    "all": "fine-tuning all layers",
}
RATES = {"head": None, "last": 3e-4, "all": 3e-4}
LEVEL = 0.9  # share of cases that an interval should hold
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
    Raises ValueError, at once, for evidence without trials, and one that names a class of a single group.
    """
    if evidence is None:
        evidence, _ = benchmark_tables.read_table("strategies")
    _check_evidence(evidence)
    signals, said = trials.run_trials(photos, backbone, image_size, seed, progress)
    expected, lead, strategy = predict(signals, evidence)
    sure, collect = lead[strategy] > 0, _weakest(photos, said, seed)
    reasons = _reasons(signals, expected, strategy, sure, collect, evidence)
    reasons += _unlike(photos, signals, backbone, image_size, evidence)
    return Advice(strategy, sure, expected, RATES[strategy], reasons, collect, signals)


def advice_table(advice):
    """Return what an Advice expects as a DataFrame to show: a row a strategy, in %."""
    shown = (100 * advice.expected).round(1).rename(index=STRATEGIES).rename_axis("strategy")
    return shown.rename(columns={"accuracy": "expected (%)", "low": "from", "high": "to"})


def predict(signals, evidence):
    """Return (expected, lead, best): the accuracy of each strategy, by how much each surely leads the next best, which.

    expected : DataFrame indexed by strategy: `accuracy`, `low`, `high`, fractions; the interval is to hold LEVEL
    lead : {strategy: lower end of its lead over the best of the others}, in logits
    best : the strategy of which most is expected
    How far a strategy lands from the cross-validated accuracy of the frozen head, in logits (log of right to wrong, so
    that ten points count more near 100 % and nothing passes it), is a ridge regression on three of the signals
    (_columns); its errors are those on sets left out of it.
    """
    table = evidence[evidence["strategy"].isin(STRATEGIES)].dropna(subset=["accuracy"])
    x, start = _columns(pandas.DataFrame([signals])), float(_logit(signals["frozen"]))
    values, errors = {}, {}
    for strategy in STRATEGIES:
        rows = table[table["strategy"] == strategy]
        known, gain = _columns(found_by_trials(rows)), _logit(rows["accuracy"]) - _logit(rows["trial_frozen"])
        values[strategy] = start + float(_ridge(known, gain, x)[0])
        errors[strategy] = _left_out(known, gain, rows["set"].to_numpy())
    half = {name: float(np.quantile(np.abs(error), LEVEL)) for name, error in errors.items()}
    ends = {
        name: scipy.special.expit([value, value - half[name], value + half[name]]) for name, value in values.items()
    }
    expected = pandas.DataFrame(ends, index=["accuracy", "low", "high"]).T
    lead = {}
    for name in STRATEGIES:
        other = max((each for each in STRATEGIES if each != name), key=values.get)
        width = float(np.quantile(np.abs(errors[name] - errors[other]), LEVEL))
        lead[name] = values[name] - values[other] - width
    return expected, lead, max(values, key=values.get)


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


def found_by_trials(rows):
    """Return what the trials found, of rows of the evidence, under the names that trials.run_trials gives."""
    found = rows[[name for name in rows if name.startswith("trial_")]]
    return found.rename(columns=lambda name: name.removeprefix("trial_"))


def _ridge(known, gain, x):
    """Return the predictions for the rows of x: ridge regression on standardized columns, the mean unpenalized."""
    mean, scale = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-9)
    a, b = (known - mean) / scale, (x - mean) / scale
    weights = np.linalg.solve(a.T @ a + _PENALTY * np.eye(a.shape[1]), a.T @ (gain - gain.mean()))
    return gain.mean() + np.clip(b, -2.5, 2.5) @ weights


def _left_out(known, gain, sets):
    """Return the errors of the regression, each set predicted by the others."""
    errors = np.empty(len(gain))
    for name in np.unique(sets):
        out = sets == name
        errors[out] = gain[out] - _ridge(known[~out], gain[~out], known[out])
    return errors


def _check_evidence(evidence):
    """Raise ValueError unless the evidence tells what the trials found: before a minute is spent on new ones."""
    missing = [f"trial_{name}" for name in trials.SIGNALS if f"trial_{name}" not in evidence]
    if missing:
        raise ValueError(
            f"The evidence lacks {', '.join(missing)}: it is a table from before the trials. Make it again with "
            "python -m benchmarks.strategies FOLDER ..."
        )


def _weakest(photos, probabilities, seed=0):
    """Return the two classes that the frozen base mixes up most, [] if chance alone might bring such a pair about.

    A pair is named if it is surely mixed up more often, plant by plant, than if mistakes fell on all pairs alike.
    """
    labels, names = pipeline.labels(photos), list(photos["label"].cat.categories)
    if len(names) < 3:
        return []
    said, pairs = probabilities.argmax(axis=1), len(names) * (len(names) - 1) / 2
    groups, level = (
        photos["group"],
        1 - 0.05 / pairs,
    )  # one pair in twenty folders, whichever it is, not one in twenty pairs
    worst = scores.confused_pairs(labels, said, names, groups, level=level, seed=seed).head(1)
    for row in worst.itertuples():
        of_two = np.isin(labels, [names.index(row.first), names.index(row.second)]).sum()
        if row.low > (said != labels).sum() / pairs / of_two:
            return [row.first, row.second]
    return []


def _reasons(signals, expected, strategy, sure, collect, evidence):
    """Return the advice in plain sentences: what was found, what follows."""
    known = evidence.drop_duplicates(["set", "photos_per_class", "seed"])["trial_distance"]
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
    told, number = "", signals["photos_per_class"]
    fewest, most = evidence["photos_per_class"].agg(["min", "max"])
    if number < fewest:
        told += f" {number:.0f} photos a class are too few to tell: nothing below {fewest} was ever tried out."
    if number > most:
        told += f" {number:.0f} photos a class are more than were ever tried out: {most} at most."
    sizes = photos["label"].value_counts()
    if sizes.min() < sizes.max() / _UNEVEN:
        told += (
            f" The trainings that this is compared with had as many photos of one class as of another; here there are "
            f"{sizes.max()} of {sizes.idxmax()} and {sizes.min()} of {sizes.idxmin()}."
        )
    if evidence["set"].nunique() < _SETS:
        told += (
            f" The trainings that this is compared with are of {evidence['set'].nunique()} sets only: a weak witness."
        )
    known = evidence[["backbone", "image_size"]].drop_duplicates().to_numpy().tolist()
    if [backbone.name, image_size] not in known:
        with_what = ", ".join(f"{name} at {side} pixels" for name, side in known)
        told += f" All this was measured with {with_what}; for {backbone.name} at {image_size} it is a guess."
    return told
