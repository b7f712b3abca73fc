import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tutorial_utils.evaluation import calibration, diagnostic_plots, error_analysis, learning_curve, metrics, saliency

IMAGES = np.full((2, 8, 8, 3), (150, 180, 210), np.uint8)
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


def bars(container, axis):
    """Return the ends of an errorbar's bars along an axis, in the order in which they are drawn, (bars, 2)."""
    return np.array([segment[:, axis] for segment in container.lines[2][0].get_segments()])


def above_each_other(ax):
    """Return whether place 0 stands on top and all places can be seen."""
    (bottom, top), places = ax.get_ylim(), ax.get_yticks()
    return bottom > places.max() >= places.min() > top


def test_the_worst_pair_stands_on_top_with_its_interval():
    """Of the 24 photos of a and b, 8 are mistaken for each other; of the 28 of a and c, 4."""
    table = metrics.confused_pairs(LABELS, SAID, ["a", "b", "c"])
    figure = diagnostic_plots.plot_confused_pairs(table)
    (ax,) = figure.axes
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a / b\n8 photos", "c / a\n4 photos"]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[100 * 8 / 24, 0], [100 * 4 / 28, 1]])
    np.testing.assert_allclose(bars(ax.containers[0], 0), 100 * table[["low", "high"]])
    assert above_each_other(ax)
    assert ax.get_xlim()[0] <= 0
    assert ax.get_title() == "Pairs that are mixed up, with 95 % intervals"
    assert diagnostic_plots.plot_confused_pairs(table, "Mine", most=1).axes[0].get_title() == "Mine"


def test_pairs_of_few_groups_could_be_anything():
    table = metrics.confused_pairs(LABELS, SAID, ["a", "b", "c"], groups=np.arange(40) % 4)
    ax = diagnostic_plots.plot_confused_pairs(table, most=1).axes[0]
    np.testing.assert_allclose(bars(ax.containers[0], 0), [[0, 100]])


def test_no_pair_is_refused():
    with pytest.raises(ValueError, match="Every photo is right"):
        diagnostic_plots.plot_confused_pairs(pd.DataFrame(columns=["first", "second", "count", "cost", "low", "high"]))


def test_reliability_shows_accuracy_at_confidence_and_the_photos():
    """All 40 photos are answered at 80 %, 28 of them rightly: Wilson's interval is 54.6 to 81.9 %."""
    table = calibration.reliability(SURE, LABELS)
    figure = diagnostic_plots.plot_reliability({"as trained": table, "cooled": table})
    top, other, below, _ = figure.axes
    assert [top.get_title(), other.get_title()] == ["as trained", "cooled"]
    diagonal, line = top.lines[:2]
    assert diagonal.get_xydata().tolist() == [[0, 0], [100, 100]]
    assert line.get_xydata().tolist() == [[pytest.approx(80), pytest.approx(70)]]
    np.testing.assert_allclose(bars(top.containers[0], 1), [[54.57, 81.93]], atol=0.01)
    (bar,) = below.patches
    assert bar.get_height() == 40
    assert (bar.get_x(), bar.get_width()) == (pytest.approx(75 - 4.5), pytest.approx(9))  # from 70 to 80, less a gap
    assert [ax.get_ylabel() for ax in (top, below)] == ["accuracy (%)", "photos"]
    assert figure.get_suptitle() == "As sure as right? On the dotted line"
    assert diagnostic_plots.plot_reliability({"": table}, "Mine").get_suptitle() == "Mine"


@pytest.mark.parametrize(("coverage", "side"), [(0.4, "left"), (0.9, "right")])
def test_the_chosen_threshold_is_marked(coverage, side):
    """Its text stands where there is room: to the right of a point on the left, and the other way round."""
    steps = np.linspace(0.4, 1, 40)[:, None]
    table = calibration.risk_and_coverage(steps * SURE + (1 - steps) / 3, LABELS)
    ax = diagnostic_plots.plot_risk_and_coverage(table, chosen=(coverage, 0.05)).axes[0]
    curve, point = ax.lines
    np.testing.assert_allclose(curve.get_xydata(), 100 * table[["coverage", "risk"]])
    np.testing.assert_allclose(point.get_xydata(), [[100 * coverage, 5]])
    (text,) = ax.texts
    assert text.get_text() == f"answers {100 * coverage:.0f} %,\nwrong in 5.0 % of these"
    assert text.get_horizontalalignment() == side
    assert (text.xyann[0] > 0) == (side == "left")
    assert ax.get_ylim()[0] == 0
    plain = diagnostic_plots.plot_risk_and_coverage(table, title="Mine").axes[0]
    assert (len(plain.lines), plain.get_title(), ax.get_title()[:21]) == (1, "Mine", "Answer only when sure")


def test_the_forecast_stands_at_its_photos():
    photos, accuracies, ahead = np.array([50, 100, 200]), np.array([0.6, 0.7, 0.78]), [50, 200, 400]
    forecasts = [learning_curve.forecast_accuracy(photos, accuracies, 100, number) for number in ahead]
    ax = diagnostic_plots.plot_learning_curve(photos, accuracies, ahead, forecasts).axes[0]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"forecast: {100 * forecasts[2].value:.0f} % at 400 photos" in texts
    assert "band for 90 % of single measurements" in texts
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["50", "100", "200", "400"]
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(100 * forecasts[2].high)
    assert band[:, 1].min() == pytest.approx(100 * forecasts[0].low)
    np.testing.assert_allclose(bars(ax.containers[0], 1), [[100 * forecasts[2].low, 100 * forecasts[2].high]])
    curve, measured, forecast = (line.get_xydata() for line in ax.lines[:3])
    np.testing.assert_allclose(curve, [[at, 100 * one.value] for at, one in zip(ahead, forecasts, strict=True)])
    np.testing.assert_allclose(measured, np.column_stack([photos, 100 * accuracies]))
    np.testing.assert_allclose(forecast, [[400, 100 * forecasts[2].value]])
    assert (ax.get_xscale(), ax.get_title()) == ("log", "Would more photos help?")


def test_photos_above_the_threshold_are_counted():
    """A dot a photo about its place, at most 200; a line from the lower to the upper quartile; the first in blue."""
    scores = {"test photos": [0.1, 0.2, 0.3, 0.5, 0.9], "noise": np.linspace(2, 3, 301)}
    ax = diagnostic_plots.plot_ood_scores(scores, threshold=0.5).axes[0]
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["test photos\n20% unknown", "noise\n100% unknown"]
    known, middle, unknown, other, threshold = ax.lines
    assert known.get_xdata().tolist() == [0.1, 0.2, 0.3, 0.5, 0.9]
    assert middle.get_xydata().tolist() == [[0.2, 0], [0.5, 0]]
    assert other.get_xydata().tolist() == [[2.25, 1], [2.75, 1]]
    assert len(set(unknown.get_xdata().tolist())) == 200
    assert [abs(line.get_ydata() - place).max() < 0.3 for place, line in enumerate((known, unknown))] == [True, True]
    assert threshold.get_xdata() == [0.5, 0.5]
    assert known.get_color() != unknown.get_color()
    assert above_each_other(ax)
    assert ax.get_title() == "Known and out-of-distribution photos"


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
    alone = diagnostic_plots.plot_errors(errors.only([2]), photo, title="Mine")
    assert (alone.get_suptitle(), alone.axes[0].get_title()[-8:]) == ("Mine", "60% sure")
    with pytest.raises(ValueError, match="every photo is right"):
        diagnostic_plots.plot_errors(error_analysis.Errors(table[:0], [], [], None), photo)


@pytest.mark.parametrize(("masks", "rows"), [(None, ["photo", "map"]), (MASKS, ["photo", "lesions", "map"])])
def test_each_photo_stands_above_its_mask_and_its_map(masks, rows):
    figure = diagnostic_plots.plot_saliency(IMAGES, {"map": MAPS}, ["first\nline", "second"], masks)
    axes = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    assert [ax.get_ylabel() for ax in axes[::2]] == rows
    assert [ax.get_title() for ax in axes[:2]] == ["first\nline", "second"]
    for place in (0, 1):
        photo, *_, under = axes[place::2]
        assert len(photo.images) == 1
        np.testing.assert_array_equal(photo.images[0].get_array(), IMAGES[place])
        gray, drawn = under.images
        np.testing.assert_array_equal(gray.get_array(), np.full((8, 8), 180))
        np.testing.assert_array_equal(drawn.get_array(), MAPS[place])
        assert drawn.get_clim() == (0, MAPS[place].max())
        assert drawn.get_extent() == [-0.5, 7.5, 7.5, -0.5]  # a coarse map covers the whole photo
        assert len(under.collections) == (masks is not None)  # an outline
    assert figure.axes[-1].get_ylabel() == "share of the map's highest value"
    assert figure.get_suptitle() == "Where the model looks"
    figure.canvas.draw()


@pytest.mark.parametrize("photos", [1, 5])
def test_photos_under_maps_are_as_large_as_was_asked_for(photos):
    """Labels, titles and the bar take room beside the photos, not theirs."""
    images, maps = np.repeat(IMAGES[:1], photos, axis=0), np.repeat(MAPS[:1], photos, axis=0)
    figure = diagnostic_plots.plot_saliency(images, {"map": maps}, ["name"] * photos, size=2.5)
    figure.canvas.draw()
    sides = [ax.get_window_extent().width / figure.dpi for ax in figure.axes[:-1]]
    assert sides == pytest.approx([2.5] * (2 * photos), rel=0.15)


def test_a_mask_is_filled_where_it_stands_alone_and_left_out_where_it_is_all_or_nothing():
    _, ax = plt.subplots()
    for mask, drawn in [(MASKS[0], 2), (np.zeros((8, 8), bool), 0), (np.ones((8, 8), bool), 0)]:
        ax.clear()
        diagnostic_plots.draw_photo(ax, IMAGES[0], mask=mask)
        assert len(ax.collections) == drawn
        assert ax.images[0].get_array().ndim == 2  # in gray
        assert len(ax.get_xticks()) == len(ax.get_yticks()) == 0
    ax.clear()
    diagnostic_plots.draw_photo(ax, IMAGES[0], MAPS[0], MASKS[0], strength=0.3, gray=False)
    assert (len(ax.collections), ax.images[0].get_array().ndim, ax.images[1].get_alpha()) == (1, 3, 0.3)
    ax.clear()
    diagnostic_plots.draw_photo(ax, np.full((2, 2, 3), 99.6))
    assert ax.images[0].get_array().tolist() == [[[100] * 3] * 2] * 2


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


@pytest.mark.parametrize("groups", [12, 6])
def test_each_model_has_its_ratio_above_the_middle(groups):
    """Maps that lie inside masks of a sixteenth: 16 times what an even map gives. Few groups: no interval."""
    masks = np.zeros((12, 8, 8), bool)
    masks[:, 2:4, 2:4] = True
    maps = masks + np.linspace(0, 1, 12)[:, None, None]
    tables = {name: saliency.score_maps(each, masks, np.arange(12) % groups) for name, each in
              [("model", masks.astype(float)), ("worse", maps)]}  # fmt: skip
    ax = diagnostic_plots.plot_saliency_scores(tables).axes[0]
    names = [text.get_text().split("\n")[0] for text in ax.get_yticklabels()]
    assert names == ["model", "worse", "the middle,"]
    shown = [tables[name].loc[("inside", row)] for name, row in
             [("model", "times random"), ("worse", "times random"), ("model", "center, times random")]]  # fmt: skip
    assert [text.get_text() for text in ax.texts] == [f"{row['value']:.1f}" for row in shown]
    assert ax.texts[0].get_text() == "16.0"
    points = [container.lines[0].get_xydata()[0].tolist() for container in ax.containers]
    assert points == [[pytest.approx(row["value"]), place] for place, row in enumerate(shown)]
    assert [container.has_xerr for container in ax.containers] == [groups == 12] * 3
    if groups == 12:
        drawn = np.concatenate([bars(container, 0) for container in ax.containers])
        np.testing.assert_allclose(drawn, [[row["low"], row["high"]] for row in shown])
    few = ", too few for intervals" * (groups < 10)
    assert ax.get_title() == f"Does the model look where it should? n = 12 photos in {groups} groups{few}"
    colors = [container.lines[0].get_color() for container in ax.containers]
    assert colors[0] == colors[1] != colors[2]
    (line,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert line.get_xdata() == [1, 1]
    assert above_each_other(ax)
    assert ax.get_xlim()[0] <= 0
    other = diagnostic_plots.plot_saliency_scores(tables, "pointing", "Mine").axes[0]
    assert (other.get_xlabel()[:14], other.get_title()) == ("highest places", "Mine")


def test_no_table_is_refused():
    with pytest.raises(ValueError, match="at least one table"):
        diagnostic_plots.plot_saliency_scores({})
