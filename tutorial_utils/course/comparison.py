"""Settings of a grid compared fairly: seed by seed, with intervals that count the comparisons (chapter 7)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas
import scipy.stats

from .. import _files
from ..evaluation import plots
from . import experiments
from .rendering import render

SCORE = "metrics_test_accuracy"
COSTS = {"seconds": "run_seconds", "weights": "metrics_model_weights"}  # of a run, on average
_COST_LABELS = {"seconds": "seconds a run", "weights": "weights of the model (millions)"}


def settings(runs, vary, score=SCORE, level=0.95):
    """Return one row a setting, a DataFrame indexed by what was varied: `seeds`, `mean`, `low`, `high`, and its COSTS.

    runs : as from experiments.run_grid or experiments.read_runs; failed ones are left out
    vary : names of the parameters that were varied
    score : the column of a share, 0 to 1
    low, high : Student's t interval over the seeds, cut at 0 and 1, NaN with one seed. It tells how much the luck of
        a seed matters (the split and the start), not how good the model will be on other photos
    seconds, weights : mean over the runs; a cost that the runs do not tell is left out
    Raises ValueError if no run has ended well, or none has the score.
    """
    good = _good(runs, vary, score)
    grouped = good.groupby(list(vary), sort=False, dropna=False)
    told = {cost: column for cost, column in COSTS.items() if column in good}
    rows = {
        name: _mean(group[score], level) | {cost: group[column].mean() for cost, column in told.items()}
        for name, group in grouped
    }
    table = pandas.DataFrame.from_dict({_label(vary, name): row for name, row in rows.items()}, orient="index")
    return table.assign(low=table["low"].clip(0, 1), high=table["high"].clip(0, 1))


def differences(runs, vary, baseline=None, score=SCORE, level=0.95):
    """Return how each setting differs from the baseline, a DataFrame: `seeds`, `mean`, `low`, `high`, `supported`.

    baseline : {parameter: value} of one setting; None: the first
    Paired: the difference is taken seed by seed, so that what a seed does to both cancels. The intervals hold all at
    once with `level` (Bonferroni: each is wider, the more settings there are), cut at -1 and 1. supported : whether 0
    lies outside.
    Raises ValueError for a baseline that no run has.
    """
    good = _good(runs, vary, score)
    wide = good.pivot_table(index="seed", columns="_setting", values=score, sort=False)
    base = _label(vary, tuple((baseline or {}).get(name) for name in vary)) if baseline else wide.columns[0]
    if base not in wide:
        raise ValueError(f"No run of the baseline {base} has ended well; there are: {'; '.join(wide.columns)}.")
    others = [name for name in wide if name != base]
    each = 1 - (1 - level) / max(len(others), 1)
    rows = {name: _mean((wide[name] - wide[base]).dropna(), each) for name in others}
    table = pandas.DataFrame.from_dict(rows, orient="index", columns=["seeds", "mean", "low", "high"])
    table = table.assign(low=table["low"].clip(-1, 1), high=table["high"].clip(-1, 1))
    return table.assign(supported=(table["low"] > 0) | (table["high"] < 0))


def format_table(table, unit="%"):
    """Return a table of `settings`, or with unit "points" of `differences`, as a reader should see it.

    Fractions become percent or points, to a tenth; weights become millions; names say their units; supported is yes
    or no.
    """
    shown = table.assign(**{name: (100 * table[name]).round(1) for name in ("mean", "low", "high")}).round(1)
    if "weights" in shown:
        shown["weights"] = (shown["weights"] / 1e6).round(2)
    if "supported" in shown:
        shown["supported"] = shown["supported"].map({True: "yes", False: "no"})
    shown = shown.rename(columns={name: f"{name} ({unit})" for name in ("mean", "low", "high")})
    shown = shown.rename(columns={"weights": "weights (millions)"})
    return shown.astype({name: str for name in shown if shown[name].dtype == float}).replace("nan", None)


def conclusions(differences, baseline):
    """Return in plain sentences what the differences support, and what they do not (str)."""
    lines = []
    for name, row in differences.iterrows():
        by = f"{100 * row['mean']:+.1f} points"
        interval = f"{by} ({100 * row['low']:+.1f} to {100 * row['high']:+.1f}, {row['seeds']:.0f} seeds)"
        if row["supported"]:
            lines.append(f"{name} is {'better' if row['mean'] > 0 else 'worse'} than {baseline}: {interval}.")
        elif np.isnan(row["low"]):
            lines.append(f"{name} against {baseline}: {by} in one seed, which supports nothing.")
        else:
            lines.append(f"The runs do not support that {name} is better or worse than {baseline}: {interval}.")
    return "\n".join(lines)


def plot_settings(table, title="What each setting reached, and what it cost", cost="seconds", score="test accuracy"):
    """Return a Figure: mean score with its interval by cost, a point a setting.

    table : from `settings`; cost : one of COSTS that it tells; score : the name of the score, for the axis
    """
    figure, ax = plt.subplots(figsize=(7.4, 1.2 + 3), layout="constrained")
    unit = 1e6 if cost == "weights" else 1
    colors = [plots.PALETTE[name] for name in ("blue", "orange", "green", "red", "purple", "black", "sky")]
    for place, (name, row) in enumerate(table.iterrows()):
        ends = np.nan_to_num([[row["mean"] - row["low"]], [row["high"] - row["mean"]]])
        ax.errorbar(
            row[cost] / unit, 100 * row["mean"], yerr=100 * ends, capsize=4, label=name,
            fmt="os^Dvp*"[place % 7], color=colors[place % 7], markerfacecolor=None if place < 7 else "white",
        )  # fmt: skip
    ax.set(title=title, xlabel=_COST_LABELS[cost], ylabel=f"{score} (%), mean over seeds")
    ax.set_xlim(0, 1.08 * table[cost].max() / unit)  # from 0, or a second more or less would look like much
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def plot_differences(differences, baseline, title=None, score="test accuracy"):
    """Return a Figure: each setting's difference to the baseline with its interval; supported ones filled, in blue.

    differences : from `differences`; baseline : the name of the setting that they are taken from
    """
    figure, ax = plt.subplots(figsize=(7.4, 1.4 + 0.4 * len(differences)), layout="constrained")
    for place, row in enumerate(differences.itertuples()):
        color = plots.PALETTE["blue" if row.supported else "orange"]
        ends = np.nan_to_num([[row.mean - row.low], [row.high - row.mean]])
        look = dict(color=color, markerfacecolor=color if row.supported else "white", capsize=4)
        ax.errorbar(100 * row.mean, place, xerr=100 * ends, fmt="o", **look)
    ax.axvline(0, color=plots.PALETTE["black"], linewidth=1)
    ax.set_yticks(range(len(differences)), differences.index, fontsize=9)
    ax.set(ylim=(len(differences) - 0.5, -0.5), ylabel="setting", xlabel=f"{score} above {baseline} (points)")
    ax.set_title(title or f"Seed by seed against {baseline}", fontsize=11)
    ax.grid(axis="x", alpha=0.3)
    return figure


def compare_runs(folder, vary=None, baseline=None, score=SCORE):
    """Write comparison.html and comparison.csv into a grid's folder; return (settings, differences), DataFrames.

    folder : that of experiments.run_grid
    vary : None: all parameters of which the runs have more than one value; the others as above
    Raises ValueError for a folder that holds no runs.
    """
    folder = _files.run_path(folder)
    runs = experiments.read_runs(folder)
    if not len(runs):
        raise ValueError(f"There are no runs in {folder}: expected a folder that experiments.run_grid has filled.")
    vary = varied_parameters(runs) if vary is None else vary
    table, apart = settings(runs, vary, score), differences(runs, vary, baseline, score)
    base = next(name for name in table.index if name not in apart.index)
    pictures = {folder / "comparison.png": "score by cost"}
    figure = plot_settings(table)
    plots.show(figure, "Mean score of each setting by the seconds that a run took", folder / "comparison.png")
    if "weights" in table and table["weights"].nunique() > 1:
        pictures[folder / "weights.png"] = "score by weights"
        figure = plot_settings(table, cost="weights")
        plots.show(figure, "Mean score of each setting by its weights", folder / "weights.png")
    page = render(
        "comparison.html.j2", title=f"{folder.name}: a comparison", conclusions=conclusions(apart, base),
        settings=format_table(table, "%"), pictures=pictures, baseline=base, differences=format_table(apart, "points"),
        failed=runs.loc[~runs["ok"].astype(bool), [*vary, "seed", "reason"]].reset_index(drop=True),
    )  # fmt: skip
    _files.write_text(folder / "comparison.html", page)
    _files.write_text(folder / "comparison.csv", table.to_csv(index_label="setting"))
    return table, apart


def varied_parameters(runs):
    """Return the names of the parameters, but for the seed, of which some runs have more than one value."""
    told = [name for name in runs if name not in ("seed", *experiments.ENDS) and not name.startswith("metrics_")]
    names = [name for name in told if runs[name].astype(str).nunique() > 1]
    if not names:
        raise ValueError("All runs have the same parameters but for the seed: there is nothing to compare.")
    return names


def _good(runs, vary, score):
    if not len(runs) or not runs["ok"].astype(bool).any():
        raise ValueError("No run has ended well: there is nothing to compare. `reason` says why each failed.")
    missing = [name for name in (*vary, score) if name not in runs]
    if missing:
        raise ValueError(f"The runs have no {', '.join(missing)}; they have {', '.join(map(str, runs.columns))}.")
    good = runs[runs["ok"].astype(bool)].dropna(subset=[score])
    return good.assign(_setting=[_label(vary, values) for values in good[list(vary)].itertuples(index=False)])


def _label(vary, values):
    return ", ".join(f"{name} {value}" for name, value in zip(vary, values, strict=True))


def _mean(values, level):
    """Return the mean of some values and the ends of Student's t interval for it."""
    count, mean = len(values), float(np.mean(values))
    if count < 2:
        return {"seeds": count, "mean": mean, "low": np.nan, "high": np.nan}
    half = scipy.stats.t.ppf((1 + level) / 2, count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return {"seeds": count, "mean": mean, "low": mean - half, "high": mean + half}
