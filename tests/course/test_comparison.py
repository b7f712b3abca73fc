import matplotlib.pyplot as plt
import numpy as np
import pandas
import pytest

from tutorial_utils import __main__ as main
from tutorial_utils.course import comparison


def runs(scores, **columns):
    """Scores {width: [a score a seed]} as experiments.read_runs gives them."""
    rows = [
        {"width": width, "seed": seed, "ok": True, "run_seconds": 10.0 * width, comparison.SCORE: score}
        for width, of_seeds in scores.items()
        for seed, score in enumerate(of_seeds)
    ]
    return pandas.DataFrame(rows).assign(**columns)


def test_the_mean_and_its_interval_by_hand():
    """0.6, 0.7, 0.8: mean 0.7, deviation 0.1, t of 2 degrees 4.3027: 0.7 +- 4.3027 * 0.1 / 3 ** 0.5 = 0.2484."""
    table = comparison.settings(runs({1: [0.6, 0.7, 0.8], 2: [0.5, 0.5, 0.5]}), ["width"])
    assert table.loc["width 1", ["seeds", "mean", "seconds"]].tolist() == pytest.approx([3, 0.7, 10])
    assert table.loc["width 1", ["low", "high"]].tolist() == pytest.approx([0.4516, 0.9484], abs=1e-4)
    assert table.loc["width 2", ["low", "high"]].tolist() == pytest.approx([0.5, 0.5])


def test_an_interval_of_a_share_ends_at_nothing_and_at_all():
    """0.2 and 0.4: with t of 1 degree, 12.706, the interval would reach from -0.97 to 1.57."""
    table = comparison.settings(runs({1: [0.2, 0.4]}), ["width"])
    assert table.loc["width 1", ["low", "high"]].tolist() == [0, 1]
    words = comparison.format_table(table.assign(weights=2.25e6))
    assert words.loc["width 1", ["mean (%)", "low (%)", "high (%)"]].tolist() == ["30.0", "0.0", "100.0"]
    assert words.loc["width 1", "weights (millions)"] == "2.25"


def test_no_difference_is_told_to_be_larger_than_all():
    """0.5 and -0.5 at two seeds: mean 0, and 12.706 * 0.7071 / 2 ** 0.5 = 6.353 either way."""
    table = comparison.differences(runs({1: [0.2, 0.8], 2: [0.7, 0.3]}), ["width"])
    assert table.loc["width 2", ["low", "high"]].tolist() == [-1, 1]
    words = comparison.format_table(table, "points")
    assert words.loc["width 2", ["low (points)", "high (points)", "supported"]].tolist() == ["-100.0", "100.0", "no"]


def test_differences_are_paired_so_that_seeds_that_move_both_do_not_hide_one():
    """The seeds move the score by 0.4, the setting always by 0.1 or a little more."""
    table = comparison.differences(runs({1: [0.3, 0.5, 0.7], 2: [0.4, 0.601, 0.8]}), ["width"])
    assert table.loc["width 2", "mean"] == pytest.approx(0.1003, abs=1e-4)
    assert table.loc["width 2", "supported"]


def test_the_more_comparisons_the_wider_each_interval():
    """Two others: each at 97.5 %, t of 2 degrees is 6.2053; one: 4.3027."""
    two = comparison.differences(runs({1: [0.5] * 3, 2: [0.5, 0.6, 0.7], 3: [0.5, 0.5, 0.5]}), ["width"])
    one = comparison.differences(runs({1: [0.5] * 3, 2: [0.5, 0.6, 0.7]}), ["width"])
    half = 0.1 / 3**0.5
    assert two.loc["width 2", "high"] == pytest.approx(0.1 + 6.2053 * half, abs=1e-4)
    assert one.loc["width 2", "high"] == pytest.approx(0.1 + 4.3027 * half, abs=1e-4)


def test_failed_runs_are_left_out_and_one_seed_supports_nothing():
    table = runs({1: [0.5, 0.6], 2: [0.9, 0.9]})
    table.loc[3, "ok"] = False
    found = comparison.differences(table, ["width"])
    assert found.loc["width 2", "seeds"] == 1
    assert np.isnan(found.loc["width 2", "low"])
    assert not found.loc["width 2", "supported"]
    assert "+40.0 points in one seed, which supports nothing" in comparison.conclusions(found, "width 1")


def test_what_the_runs_do_not_support_is_said():
    found = comparison.differences(runs({1: [0.5, 0.6, 0.7], 2: [0.6, 0.5, 0.75]}), ["width"])
    assert "do not support that width 2 is better or worse than width 1" in comparison.conclusions(found, "width 1")
    clear = comparison.differences(runs({1: [0.5, 0.6, 0.7], 2: [0.2, 0.3, 0.41]}), ["width"])
    assert comparison.conclusions(clear, "width 1").startswith("width 2 is worse than width 1: -29.7 points")


def test_another_baseline_is_named_and_an_unknown_one_refused():
    table = runs({1: [0.5, 0.6], 2: [0.7, 0.8]})
    assert list(comparison.differences(table, ["width"], {"width": 2}).index) == ["width 1"]
    with pytest.raises(ValueError, match="No run of the baseline width 7 has ended well; there are: width 1; width 2"):
        comparison.differences(table, ["width"], {"width": 7})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda table: table.assign(ok=False), "No run has ended well"),
        (lambda table: table.drop(columns=comparison.SCORE), "The runs have no metrics_test_accuracy"),
    ],
)
def test_nothing_to_compare_is_said(spoil, words):
    with pytest.raises(ValueError, match=words):
        comparison.settings(spoil(runs({1: [0.5]})), ["width"])


def test_the_page_holds_the_settings_and_the_reasons_of_failed_runs(tmp_path, monkeypatch):
    table = runs({1: [0.5, 0.6], 2: [0.7, 0.8]}, reason="")
    table.loc[4] = {"width": 3, "seed": 0, "ok": False, "reason": "KeyError: <thirteen>", "run_seconds": 1.0}
    monkeypatch.setattr(comparison.experiments, "read_runs", lambda folder: table)
    comparison.compare_runs(tmp_path, ["width"])
    said = (tmp_path / "comparison.html").read_text()
    assert "KeyError: &lt;thirteen&gt;" in said
    assert "width 2" in said
    assert "<img alt=" in said
    assert pandas.read_csv(tmp_path / "comparison.csv")["setting"].tolist() == ["width 1", "width 2"]


def test_the_command_finds_what_was_varied(tmp_path, monkeypatch, capsys):
    table = runs({1: [0.5, 0.6, 0.7], 2: [0.2, 0.3, 0.41]}, reason="", dataset="leaves")
    monkeypatch.setattr(comparison.experiments, "read_runs", lambda folder: table)
    assert main.main(["compare", str(tmp_path)]) == 0
    assert "width 2 is worse than width 1" in capsys.readouterr().out
    assert comparison.varied_parameters(table) == ["width"]


@pytest.mark.parametrize(
    ("found", "words"),
    [(pandas.DataFrame(), "There are no runs in"), (runs({1: [0.5, 0.6]}), "All runs have the same parameters")],
)
def test_the_command_says_what_cannot_be_compared(tmp_path, monkeypatch, capsys, found, words):
    monkeypatch.setattr(comparison.experiments, "read_runs", lambda folder: found)
    assert main.main(["compare", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err


def test_what_a_setting_costs_is_its_mean_and_left_out_where_it_is_not_told():
    table = runs({1: [0.5, 0.6], 2: [0.7, 0.8]})
    assert "weights" not in comparison.settings(table, ["width"])
    told = comparison.settings(table.assign(metrics_model_weights=[1e6, 3e6, 5e6, 5e6]), ["width"])
    assert told["weights"].tolist() == [2e6, 5e6]
    figure = comparison.plot_settings(told, cost="weights", score="accuracy")
    assert figure.axes[0].get_xlabel() == "weights of the model (millions)"
    assert figure.axes[0].get_ylabel() == "accuracy (%), mean over seeds"
    plt.close(figure)


def test_a_supported_difference_is_a_filled_dot():
    found = comparison.differences(runs({1: [0.5, 0.6, 0.7], 2: [0.2, 0.3, 0.41], 3: [0.6, 0.5, 0.75]}), ["width"])
    figure = comparison.plot_differences(found, "width 1", score="accuracy")
    ax = figure.axes[0]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() == "white" for dot in dots] == [False, True]
    assert [round(float(dot.get_xdata()[0]), 1) for dot in dots] == [-29.7, 1.7]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["width 2", "width 3"]
    plt.close(figure)
