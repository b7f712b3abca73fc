import matplotlib.pyplot as plt
import numpy as np
import pytest

from tutorial_utils.evaluation import heat, heat_plots

IMAGES = np.full((2, 8, 8, 3), 200, np.uint8)
MAPS = np.random.default_rng(0).uniform(size=(2, 4, 4))  # coarser than the photos
MASKS = np.zeros((2, 8, 8), bool)
MASKS[:, 2:4, 2:4] = True


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize(("masks", "rows"), [(None, ["photo", "map"]), (MASKS, ["photo", "lesions", "map"])])
def test_each_photo_stands_above_its_mask_and_its_heat(masks, rows):
    figure = heat_plots.plot_saliency(IMAGES, {"map": MAPS}, ["first", "second"], masks)
    axes = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    assert [ax.get_ylabel() for ax in axes[::2]] == rows
    assert [ax.get_title() for ax in axes[:2]] == ["first", "second"]
    assert len(axes[-1].images) == 2  # gray photo, heat
    assert axes[-1].images[1].get_extent() == [-0.5, 7.5, 7.5, -0.5]  # a coarse map covers the whole photo
    assert figure.axes[-1].get_ylabel().startswith("heat")
    figure.canvas.draw()


def test_a_map_without_heat_is_drawn_cold():
    figure = heat_plots.plot_saliency(IMAGES, {"map": np.zeros_like(MAPS)})
    _, cold = figure.axes[2].images
    assert cold.norm(cold.get_array()).max() == 0


@pytest.mark.parametrize(
    ("images", "heats", "titles", "message"),
    [
        (IMAGES[:0], {"map": MAPS[:0]}, None, "Expected images"),
        (IMAGES, {}, None, "0 kinds"),
        (IMAGES, {"map": MAPS[:1]}, None, "'map' for each of 2 images; got 1"),
        (IMAGES, {"map": MAPS}, ["one"], "'titles' for each of 2 images; got 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(images, heats, titles, message):
    with pytest.raises(ValueError, match=message):
        heat_plots.plot_saliency(images, heats, titles)


@pytest.mark.parametrize(("groups", "bars"), [(12, True), (6, False)])
def test_each_model_has_its_ratio_above_the_middle(groups, bars):
    """All heat inside masks of a sixteenth: 16 times what even heat gives. Few groups: no interval."""
    masks = np.zeros((12, 8, 8), bool)
    masks[:, 2:4, 2:4] = True
    table = heat.score_maps(masks.astype(float), masks, np.arange(12) % groups)
    ax = heat_plots.plot_saliency_scores({"model": table}).axes[0]
    assert [text.get_text().split("\n")[0] for text in ax.get_yticklabels()] == ["model", "hot in the middle,"]
    assert ax.texts[0].get_text() == "16.0"
    assert f"n = 12 photos in {groups} groups" in ax.get_title()
    (line,) = ax.containers[0].lines[2]
    assert np.isfinite(line.get_segments()).sum() == 4 * bars  # two ends, x and y
    assert ("too few for intervals" in ax.get_title()) != bars


def test_no_table_is_refused():
    with pytest.raises(ValueError, match="at least one table"):
        heat_plots.plot_saliency_scores({})
