"""The control of chapter 7: what the runs of an experiment support, with fewer of them."""

import ipywidgets

from ..insight import plots
from . import comparison, widgets


def explore_runs(questions, score=comparison.SCORE):
    """Return a menu of questions, a slider over the number of runs, and the differences that so many runs support.

    questions : {the name of what was varied: runs, a DataFrame as from grids.read}, each with at least 2 seeds and
        2 settings; the first setting is the baseline
    score : the column that is compared
    """
    most = min(runs["seed"].nunique() for runs in questions.values())
    question = ipywidgets.Dropdown(options=list(questions), description="question")
    number = ipywidgets.IntSlider(
        most, min=2, max=most, description="runs of each setting", style=widgets.WIDE, continuous_update=False,
        layout={"width": "26em"},
    )  # fmt: skip

    def show(question, number):
        return plots.as_html(*draw_runs(questions[question], question, number, score))

    view = widgets.view(show, question=question, number=number)
    return ipywidgets.VBox([ipywidgets.HBox([question, number]), view])


def draw_runs(runs, vary, number, score=comparison.SCORE):
    """Return (Figure, alt text): each setting against the first, from the first `number` seeds of the runs."""
    seeds = sorted(runs["seed"].unique())[:number]
    apart = comparison.differences(runs[runs["seed"].isin(seeds)], [vary], score=score)
    first = f"{vary} {runs[vary].iloc[0]}"
    title = f"{vary}: {int(apart['supported'].sum())} of {len(apart)} differences supported by {len(seeds)} runs each"
    figure = comparison.draw_differences(apart, first, title, "accuracy")
    return figure, f"{title}. {comparison.says(apart, first)}".replace("\n", " ")
