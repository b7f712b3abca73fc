"""The control of chapter 7: what the runs of an experiment support, with fewer of them, or asked in another way."""

import ipywidgets

from ..course import comparison
from .controls import WIDE, live_box, slider

LEVELS = {f"{level:.0%}".replace("%", " %"): level for level in (0.5, 0.8, 0.95, 0.99)}


def explore_runs(questions, score=comparison.SCORE):
    """Return controls over the differences that runs support: which question, against what, how many runs, how surely.

    questions : {the name of what was varied: runs, a DataFrame as from experiments.read_runs}, each with at least
        2 seeds and 2 settings; the first setting is the baseline until another is chosen
    score : the column that is compared
    """
    most = min(runs["seed"].nunique() for runs in questions.values())
    question = ipywidgets.Dropdown(options=list(questions), description="question")
    baseline = ipywidgets.Dropdown(options=_settings(questions, question.value), description="against")

    def follow(change):
        baseline.options = _settings(questions, change["new"])  # which chooses the first, and so draws anew

    def show(baseline, level, number):
        return draw_runs(questions[question.value], question.value, number, score, baseline, level)

    question.observe(follow, "value")
    box = live_box(
        show,
        per_row=3,
        baseline=baseline,
        number=slider("runs of each setting", most, 2, most, width="26em"),
        level=ipywidgets.Dropdown(options=LEVELS, value=0.95, description="all true with", style=WIDE),
    )
    return ipywidgets.VBox([question, box])


def draw_runs(runs, vary, number, score=comparison.SCORE, baseline=None, level=0.95):
    """Return (Figure, alt text): each setting against one of them, from the first `number` seeds of the runs.

    baseline : a value of `vary`; None: the first
    level : with which the intervals hold all at once
    """
    seeds = sorted(runs["seed"].unique())[:number]
    base = runs[vary].iloc[0] if baseline is None else baseline
    apart = comparison.differences(runs[runs["seed"].isin(seeds)], [vary], {vary: base}, score, level)
    first, supported = f"{vary} {base}", int(apart["supported"].sum())
    title = f"{vary}: {supported} of {len(apart)} differences supported by {len(seeds)} runs each, at {level:.0%}"
    figure = comparison.plot_differences(apart, first, title, "accuracy")
    return figure, f"{title}. {comparison.conclusions(apart, first)}".replace("\n", " ")


def _settings(questions, question):
    """Return [(what the menu calls a setting, its value)], each once, in the order of the runs."""
    return [(f"{question} {value}", value) for value in questions[question][question].unique()]
