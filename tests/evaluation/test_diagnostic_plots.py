import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tutorial_utils.evaluation import calibration, diagnostic_plots, error_analysis, learning_curve, metrics, saliency

IMAGES = np.full((2, 8, 8, 3), 200, np.uint8)
MAPS = np.random.default_rng(0).uniform(size=(2, 4, 4))  # coarser than the photos
MASKS = np.zeros((2, 8, 8), bool)
MASKS[:, 2:4, 2:4] = True
LABELS = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2] * 4)
SAID = np.array([0, 0, 1, 1, 1, 0, 2, 2, 2, 0] * 4)
SURE = np.eye(3)[SAID] * 0.7 + 0.1  # always 80 % sure


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_the_worst_pair_stands_on_top_with_its_interval():
    """Of the 24 photos of a and b, 8 are mistaken for each other."""
    table = metrics.confused_pairs(LABELS, SAID, ["a", "b", "c"])
    ax = diagnostic_plots.plot_confused_pairs(table).axes[0]
    assert ax.get_yticklabels()[0].get_text() == "a / b\n8 photos"
    (line,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert line.get_xdata()[0] == pytest.approx(100 * 8 / 24)
    assert ax.containers[0].has_xerr


def test_pairs_of_few_groups_could_be_anything():
    table = metrics.confused_pairs(LABELS, SAID, ["a", "b", "c"], groups=np.arange(40) % 4)
    (bar,) = diagnostic_plots.plot_confused_pairs(table, most=1).axes[0].containers[0].lines[2]
    assert bar.get_segments()[0][:, 0].tolist() == pytest.approx([0, 100])


def test_no_pair_is_refused():
    with pytest.raises(ValueError, match="Every photo is right"):
        diagnostic_plots.plot_confused_pairs(pd.DataFrame(columns=["first", "second", "count", "cost", "low", "high"]))


def test_reliability_shows_accuracy_at_confidence_and_the_photos():
    """All 40 photos are answered at 80 %, 28 of them rightly."""
    table = calibration.reliability(SURE, LABELS)
    top, below = diagnostic_plots.plot_reliability({"as trained": table}).axes
    (line,) = [line for line in top.lines if line.get_marker() == "o"]
    assert line.get_xydata().tolist() == [[pytest.approx(80), pytest.approx(70)]]
    assert [patch.get_height() for patch in below.patches] == [40]
    assert top.get_title() == "as trained"


def test_the_chosen_threshold_is_marked():
    table = calibration.risk_and_coverage(SURE, LABELS)
    ax = diagnostic_plots.plot_risk_and_coverage(table, chosen=(0.4, 0.05)).axes[0]
    assert "answers 40 %,\nwrong in 5.0 % of these" in [text.get_text() for text in ax.texts]


def test_the_forecast_stands_at_its_photos():
    photos, accuracies, ahead = np.array([50, 100, 200]), np.array([0.6, 0.7, 0.78]), [50, 400]
    forecasts = [learning_curve.forecast_accuracy(photos, accuracies, 100, number) for number in ahead]
    ax = diagnostic_plots.plot_learning_curve(photos, accuracies, ahead, forecasts).axes[0]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"forecast: {100 * forecasts[1].value:.0f} % at 400 photos" in texts
    assert "band for 90 % of single measurements" in texts
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["50", "100", "200", "400"]
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(100 * forecasts[1].high)
    (marked,) = ax.containers[0].lines[2][0].get_segments()
    assert marked[:, 1] == pytest.approx([100 * forecasts[1].low, 100 * forecasts[1].high])
    np.testing.assert_allclose(ax.lines[1].get_xydata(), np.column_stack([photos, 100 * accuracies]))


def test_strangers_above_the_threshold_are_counted():
    scores_of = {"test photos": [0.1, 0.2, 0.3, 0.9], "noise": [2.0, 3.0]}
    ax = diagnostic_plots.plot_ood_scores(scores_of, threshold=0.5).axes[0]
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["test photos\n25% unknown", "noise\n100% unknown"]


@pytest.mark.parametrize(
    "draw", [diagnostic_plots.plot_reliability, lambda none: diagnostic_plots.plot_ood_scores(none, 1)]
)
def test_nothing_to_draw_is_refused(draw):
    with pytest.raises(ValueError, match="at least one"):
        draw({})


def test_each_error_is_a_row_with_its_map_and_what_is_like_it():
    """The second column shows the map over the gray photo; photos are read at the size in which they are drawn."""
    table = pd.DataFrame(
        {"path": ["a", "b", "c"], "true": "ill", "predicted": "healthy", "confidence": [0.95, 0.8, 0.6]}
    )
    read = []

    def photo(path, side):
        read.append((path, side))
        return IMAGES[0]

    maps = np.zeros((3, 8, 8))
    errors = error_analysis.Errors(table, [["x", "y"]] * 3, [["ill", "healthy"]] * 3, maps)
    figure = diagnostic_plots.plot_errors(errors, photo, most=2)
    assert read == [(path, 160) for path in "axybxy"]
    titles = [ax.get_title() for ax in figure.axes]
    assert len(figure.axes) == 2 * (1 + 1 + 2)
    assert titles[0] == "ill,\ntaken for healthy,\n95% sure"
    assert titles[4] == "ill,\ntaken for healthy,\n80% sure"
    assert titles[2] == "training photo:\nill"
    assert [len(ax.images) for ax in figure.axes[:4]] == [1, 2, 1, 1]
    assert figure.get_suptitle() == "The 2 surest of 3 errors"
    assert len(diagnostic_plots.plot_errors(errors._replace(maps=None), photo, most=1).axes) == 3
    with pytest.raises(ValueError, match="every photo is right"):
        diagnostic_plots.plot_errors(error_analysis.Errors(table[:0], [], [], None), photo)


@pytest.mark.parametrize(("masks", "rows"), [(None, ["photo", "map"]), (MASKS, ["photo", "lesions", "map"])])
def test_each_photo_stands_above_its_mask_and_its_map(masks, rows):
    figure = diagnostic_plots.plot_saliency(IMAGES, {"map": MAPS}, ["first", "second"], masks)
    axes = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    assert [ax.get_ylabel() for ax in axes[::2]] == rows
    assert [ax.get_title() for ax in axes[:2]] == ["first", "second"]
    assert len(axes[-1].images) == 2  # gray photo, map
    assert axes[-1].images[1].get_extent() == [-0.5, 7.5, 7.5, -0.5]  # a coarse map covers the whole photo
    assert figure.axes[-1].get_ylabel() == "share of the map's highest value"
    figure.canvas.draw()


def test_a_map_that_is_0_all_over_is_drawn_dark():
    figure = diagnostic_plots.plot_saliency(IMAGES, {"map": np.zeros_like(MAPS)})
    _, dark = figure.axes[2].images
    assert dark.norm(dark.get_array()).max() == 0


@pytest.mark.parametrize(
    ("images", "maps", "titles", "message"),
    [
        (IMAGES[:0], {"map": MAPS[:0]}, None, "Expected images"),
        (IMAGES, {}, None, "0 kinds"),
        (IMAGES, {"map": MAPS[:1]}, None, "'map' for each of 2 images; got 1"),
        (IMAGES, {"map": MAPS}, ["one"], "'titles' for each of 2 images; got 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(images, maps, titles, message):
    with pytest.raises(ValueError, match=message):
        diagnostic_plots.plot_saliency(images, maps, titles)


@pytest.mark.parametrize(("groups", "bars"), [(12, True), (6, False)])
def test_each_model_has_its_ratio_above_the_middle(groups, bars):
    """Maps that lie inside masks of a sixteenth: 16 times what an even map gives. Few groups: no interval."""
    masks = np.zeros((12, 8, 8), bool)
    masks[:, 2:4, 2:4] = True
    table = saliency.score_maps(masks.astype(float), masks, np.arange(12) % groups)
    ax = diagnostic_plots.plot_saliency_scores({"model": table}).axes[0]
    assert [text.get_text().split("\n")[0] for text in ax.get_yticklabels()] == ["model", "the middle,"]
    assert ax.texts[0].get_text() == "16.0"
    assert f"n = 12 photos in {groups} groups" in ax.get_title()
    assert ax.containers[0].has_xerr == bars
    assert ("too few for intervals" in ax.get_title()) != bars


def test_no_table_is_refused():
    with pytest.raises(ValueError, match="at least one table"):
        diagnostic_plots.plot_saliency_scores({})
