import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tutorial_utils.evaluation import calibration, learning_curve, scores, trust_plots

LABELS = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2] * 4)
SAID = np.array([0, 0, 1, 1, 1, 0, 2, 2, 2, 0] * 4)
SURE = np.eye(3)[SAID] * 0.7 + 0.1  # always 80 % sure


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_the_worst_pair_stands_on_top_with_its_interval():
    """Of the 24 photos of a and b, 8 are mistaken for each other."""
    table = scores.confused_pairs(LABELS, SAID, ["a", "b", "c"])
    ax = trust_plots.plot_confused_pairs(table).axes[0]
    assert ax.get_yticklabels()[0].get_text() == "a / b\n8 photos"
    (line,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert line.get_xdata()[0] == pytest.approx(100 * 8 / 24)
    assert ax.containers[0].has_xerr


def test_pairs_without_intervals_are_drawn_too():
    table = scores.confused_pairs(LABELS, SAID, ["a", "b", "c"], groups=np.arange(40) % 4)
    assert table["low"].isna().all()
    assert not trust_plots.plot_confused_pairs(table).axes[0].containers


def test_no_pair_is_refused():
    with pytest.raises(ValueError, match="Every photo is right"):
        trust_plots.plot_confused_pairs(pd.DataFrame(columns=["first", "second", "count", "cost", "low", "high"]))


def test_reliability_shows_accuracy_at_confidence_and_the_photos():
    """All 40 photos are answered at 80 %, 28 of them rightly."""
    table = calibration.reliability(SURE, LABELS)
    top, below = trust_plots.plot_reliability({"as trained": table}).axes
    (line,) = [line for line in top.lines if line.get_marker() == "o"]
    assert line.get_xydata().tolist() == [[pytest.approx(80), pytest.approx(70)]]
    assert [patch.get_height() for patch in below.patches] == [40]
    assert top.get_title() == "as trained"


def test_the_chosen_threshold_is_marked():
    table = calibration.risk_and_coverage(SURE, LABELS)
    ax = trust_plots.plot_risk_and_coverage(table, chosen=(0.4, 0.05)).axes[0]
    assert "answers 40 %,\nwrong in 5.0 % of these" in [text.get_text() for text in ax.texts]


def test_the_forecast_stands_at_its_photos():
    photos, accuracies = np.array([50, 100, 200]), np.array([0.6, 0.7, 0.78])
    ahead = [learning_curve.forecast_accuracy(photos, accuracies, 100, number) for number in (50, 400)]
    ax = trust_plots.plot_learning_curve(photos, accuracies, ahead).axes[0]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"forecast: {100 * ahead[1].value:.0f} % at 400 photos" in texts
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["50", "100", "200", "400"]


def test_strangers_above_the_threshold_are_counted():
    scores_of = {"test photos": [0.1, 0.2, 0.3, 0.9], "noise": [2.0, 3.0]}
    ax = trust_plots.plot_ood_scores(scores_of, threshold=0.5).axes[0]
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["test photos\n25% unknown", "noise\n100% unknown"]


@pytest.mark.parametrize("draw", [trust_plots.plot_reliability, lambda none: trust_plots.plot_ood_scores(none, 1)])
def test_nothing_to_draw_is_refused(draw):
    with pytest.raises(ValueError, match="at least one"):
        draw({})
