import matplotlib.pyplot as plt
import pandas

from tests.widgets.boxes import find
from tutorial_utils.course import comparison
from tutorial_utils.widgets.experiments import draw_runs, explore_runs


def runs(**scores):
    """{setting: [a score a seed]} as experiments.read_runs gives them."""
    rows = [
        {"size": name, "seed": seed, "ok": True, "run_seconds": 1.0, comparison.SCORE: score}
        for name, of_seeds in scores.items()
        for seed, score in enumerate(of_seeds)
    ]
    return pandas.DataFrame(rows)


FIVE = runs(small=[0.5, 0.6, 0.7, 0.5, 0.6], large=[0.6, 0.7, 0.81, 0.6, 0.7])
FOUR = runs(none=[0.5, 0.6, 0.7, 0.5], some=[0.6, 0.5, 0.75, 0.45])


def said(*arguments, **options):
    figure, alt = draw_runs(*arguments, **options)
    plt.close(figure)
    return alt


def test_with_few_runs_a_difference_is_not_supported_that_more_runs_support():
    """0.1, 0.1, 0.11, 0.1, 0.1: certain by any number; 0.1 and -0.1: by none."""
    alt = said(FIVE, "size", 3)
    assert alt.startswith("size: 1 of 1 differences supported by 3 runs each, at 95%. size large is better than size")
    alt = said(FOUR, "size", 2)
    assert alt.startswith("size: 0 of 1 differences supported by 2 runs each, at 95%. The runs do not support that")


def test_another_baseline_turns_a_difference_round():
    alt = said(FIVE, "size", 5, baseline="large")
    assert "size small is worse than size large: -10.2 points" in alt


def test_a_lower_level_supports_more():
    """0.1, 0.05, 0.15: the mean 0.1 plus or minus t * 0.05 / 3 ** 0.5; t is 4.30 at 95 % and 1.89 at 80 %."""
    three = runs(none=[0.5, 0.5, 0.5], some=[0.6, 0.55, 0.65])
    assert "0 of 1" in said(three, "size", 3)
    assert "1 of 1" in said(three, "size", 3, level=0.8)


def test_the_figure_follows_the_controls():
    box = explore_runs({"sizes": FIVE.rename(columns={"size": "sizes"}), "size": FOUR})
    menus = {menu.description: menu for menu in find(box, "Dropdown")}
    question, against, level = (menus[name] for name in ("question", "against", "all true with"))
    (slider,), (view,) = (find(box, kind) for kind in ("IntSlider", "HTML"))
    assert (slider.min, slider.max, slider.value) == (2, 4, 4)
    assert "sizes: 1 of 1 differences supported by 4 runs each, at 95%" in view.value
    against.value = "large"
    assert "sizes small is worse than sizes large" in view.value
    question.value = "size"
    assert [label for label, _ in against.options] == ["size none", "size some"]
    assert "size: 0 of 1 differences supported by 4 runs each, at 95%" in view.value
    slider.value = 2
    assert "supported by 2 runs each" in view.value
    level.value = 0.5
    assert "at 50%" in view.value
