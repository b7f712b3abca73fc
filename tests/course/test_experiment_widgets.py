import pandas

from tests.course import boxes
from tutorial_utils.course import comparison, experiment_widgets


def runs(**scores):
    """{setting: [a score a seed]} as grids.read gives them."""
    rows = [
        {"size": name, "seed": seed, "ok": True, "run_seconds": 1.0, comparison.SCORE: score}
        for name, of_seeds in scores.items()
        for seed, score in enumerate(of_seeds)
    ]
    return pandas.DataFrame(rows)


FIVE = runs(small=[0.5, 0.6, 0.7, 0.5, 0.6], large=[0.6, 0.7, 0.81, 0.6, 0.7])
FOUR = runs(none=[0.5, 0.6, 0.7, 0.5], some=[0.6, 0.5, 0.75, 0.45])


def test_with_few_runs_a_difference_is_not_supported_that_more_runs_support():
    """0.1, 0.1, 0.11, 0.1, 0.1: certain by any number; 0.1 and -0.1: by none."""
    _, alt = experiment_widgets.draw_runs(FIVE, "size", 3)
    assert alt.startswith("size: 1 of 1 differences supported by 3 runs each. size large is better than size small")
    _, alt = experiment_widgets.draw_runs(FOUR, "size", 2)
    assert alt.startswith("size: 0 of 1 differences supported by 2 runs each. The runs do not support that size some")


def test_the_figure_follows_the_controls():
    box = experiment_widgets.explore_runs({"sizes": FIVE.rename(columns={"size": "sizes"}), "size": FOUR})
    (menu,), (slider,), (view,) = (boxes.find(box, kind) for kind in ("Dropdown", "IntSlider", "HTML"))
    assert (slider.min, slider.max, slider.value) == (2, 4, 4)
    assert "sizes: 1 of 1 differences supported by 4 runs each" in view.value
    menu.value = "size"
    assert "size: 0 of 1 differences supported by 4 runs each" in view.value
    slider.value = 2
    assert "supported by 2 runs each" in view.value
