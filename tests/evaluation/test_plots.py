"""Figures, looked at by their parts: texts, units, colors, places."""

import base64
import io
import itertools
import math

import IPython.display
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tutorial_utils.evaluation import plots
from tutorial_utils.evaluation.intervals import Interval

TEN = [
    "Tomato_Bacterial_spot", "Tomato_Early_blight", "Tomato_Late_blight", "Tomato_Leaf_Mold",
    "Tomato_Septoria_leaf_spot", "Tomato_Spider_mites_Two_spotted", "Tomato_Target_Spot",
    "Tomato_Yellow_Leaf_Curl_Virus", "Tomato_mosaic_virus", "Tomato_healthy",
]  # fmt: skip
SIX = ["early_blight", "healthy", "late_blight", "leaf_spot", "powdery_mildew", "rust"]


@pytest.fixture(autouse=True)
def figures_without_a_window():
    """Draw in memory, and leave no figure behind."""
    plt.switch_backend("agg")
    yield
    plt.close("all")


def inside_and_legible(figure):
    """Return whether every text lies within the figure and is at least 8 points high."""
    figure.canvas.draw()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    texts = [text for text in figure.findobj(plt.Text) if text.get_text() and text.get_visible()]
    inside = box.x0 > -0.05 and box.y0 > -0.05 and box.x1 < width + 0.05 and box.y1 < height + 0.05
    return inside and min(text.get_fontsize() for text in texts) >= 8


def test_photo_grid_shows_each_photo_with_its_title():
    """Five photos of different heights, three a row."""
    images = [np.full((4 + i, 6, 3), 40 * i, "uint8") for i in range(5)]
    figure = plots.photo_grid(images, SIX[:5], columns=3, title="Five leaves")
    shown = [ax for ax in figure.axes if ax.images]
    assert len(figure.axes) == 6
    assert [ax.get_title() for ax in shown] == SIX[:5]
    assert [ax.images[0].get_array().shape[0] for ax in shown] == [4, 5, 6, 7, 8]
    assert figure.get_suptitle() == "Five leaves"
    assert inside_and_legible(figure)


def test_photo_grid_takes_floats_and_breaks_long_names():
    """Resized photos are floats; 99.6 is drawn as 100."""
    figure = plots.photo_grid(np.full((2, 4, 4, 3), 99.6), ["Tomato_Yellow_Leaf_Curl_Virus", "rust"])
    assert figure.axes[0].images[0].get_array()[0, 0, 0] == 100
    assert figure.axes[0].get_title() == "Tomato_Yellow_\nLeaf_Curl_\nVirus"
    assert figure.get_suptitle() == "2 photos"


def test_photo_grid_takes_gray_photos_six_a_row():
    """Seven photos: two rows, of which the second has room for five more."""
    figure = plots.photo_grid(np.full((7, 4, 4), 90, "uint8"), title="A heading that is far too long for " + "w" * 40)
    assert len(figure.axes) == 12
    assert figure.axes[6].images[0].get_array().shape == (4, 4)
    assert "\n" not in figure.get_suptitle()
    narrow = plots.photo_grid(np.full((1, 4, 4), 255, "uint8"), title="A heading that is too long")
    assert narrow.get_suptitle() == "A heading that is\ntoo long"


@pytest.mark.parametrize(
    ("images", "titles", "message"),
    [
        ([], None, "at least one image"),
        ([np.zeros((4, 4, 3))], ["a", "b"], "each of 1 images; got 2"),
        ([np.random.default_rng(0).random((4, 4, 3))], None, "pixels 0-255; got values from 0"),
        ([np.full((4, 4, 3), -1.0)], None, "got values from -1.00"),
        ([np.zeros((2, 4, 4, 3), "uint8")], None, r"got shape \(2, 4, 4, 3\)"),
        ([np.zeros((4, 4, 4), "uint8")], None, r"got shape \(4, 4, 4\)"),
        ([np.zeros((0, 4, 3), "uint8")], None, "with pixels"),
    ],
)
def test_photo_grid_names_what_is_wrong(images, titles, message):
    """Photos scaled to 0-1 would look black, so they are refused."""
    with pytest.raises(ValueError, match=message):
        plots.photo_grid(images, titles)


def run_of(epochs, phases):
    """Return a made-up history whose best validation loss is in epoch 3 and best accuracy in epoch 4."""
    return pd.DataFrame(
        {
            "loss": np.linspace(1.5, 0.2, epochs),
            "val_loss": [1.2, 0.9, 0.5, 0.7, 0.8][:epochs],
            "accuracy": np.linspace(0.3, 0.9, epochs),
            "val_accuracy": [0.4, 0.6, 0.7, 0.75, 0.7][:epochs],
            "phase": phases,
        }
    )


def test_history_counts_epochs_from_one_and_marks_the_best():
    """Two epochs of one phase, three of the next."""
    figure = plots.plot_history(run_of(5, ["head"] * 2 + ["fine-tuning"] * 3))
    loss, accuracy = figure.axes
    assert (loss.get_xlabel(), loss.get_ylabel()) == ("epoch", "loss (cross-entropy, nats)")
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("epoch", "accuracy (%)")
    np.testing.assert_array_equal(loss.lines[0].get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_allclose(accuracy.lines[1].get_ydata(), [40, 60, 70, 75, 70])
    assert loss.get_legend_handles_labels()[1][2] == "lowest validation: epoch 3 (0.500)"
    assert accuracy.get_legend_handles_labels()[1][2] == "highest validation: epoch 4 (75.0 %)"
    assert [text.get_text() for text in loss.texts] == ["head", "fine-tuning"]
    assert [text.xy[0] for text in loss.texts] == [0.5, 2.5]  # where the phase starts
    assert loss.lines[-1].get_xdata()[0] == 2.5
    assert figure.get_suptitle() == "Training history, 5 epochs"
    assert all(tick == int(tick) for tick in loss.get_xticks())
    assert inside_and_legible(figure)


def test_names_of_short_phases_do_not_overlap():
    """A long name over a single epoch."""
    figure = plots.plot_history(run_of(5, ["warming up slowly", *["fine-tuning"] * 4]))
    figure.canvas.draw()
    first, second = (text.get_window_extent() for text in figure.axes[0].texts)
    assert not first.overlaps(second)


def test_history_draws_what_there_is():
    """One epoch, no accuracy, no validation."""
    figure = plots.plot_history(pd.DataFrame({"loss": [0.5], "val_loss": [np.nan]}), title="One epoch")
    assert len(figure.axes) == 1
    assert figure.get_suptitle() == "One epoch"


@pytest.mark.parametrize("table", [pd.DataFrame({"lr": [1.0]}), pd.DataFrame({"loss": []})])
def test_history_needs_an_epoch_and_a_column(table):
    """A table without epochs, and one without a known column."""
    with pytest.raises(ValueError, match=r"columns among loss, val_loss, .*got \d rows"):
        plots.plot_history(table)


def test_an_answer_has_a_bar_a_class_the_likeliest_on_top():
    figure = plots.plot_answer(np.zeros((4, 6, 3), np.uint8), [0.2, 0.7, 0.1], ["a", "b", "c"], "A leaf", 0.5, most=2)
    photo, bars = figure.axes
    assert photo.images[0].get_array().shape == (4, 6, 3)
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([70, 20])
    assert [label.get_text() for label in bars.get_yticklabels()] == ["b", "a"]
    assert bars.patches[0].get_facecolor() != bars.patches[1].get_facecolor()  # one is below the threshold
    assert bars.lines[0].get_xdata()[0] == 50
    assert bars.yaxis_inverted()
    plt.close(figure)


def test_an_answer_without_a_threshold_has_no_line():
    figure = plots.plot_answer(np.zeros((4, 4, 3), np.uint8), np.array([0.4, 0.6]), ["a", "b"])
    assert not figure.axes[1].lines
    assert figure.axes[1].get_xlabel() == "probability (%)"
    plt.close(figure)


def test_confusion_writes_photos_and_shades_shares():
    """Class a: 30 of 40 right is a share of 75 %; class b: 1 of 2 is 50 %, though 30 times fewer photos."""
    ax = plots.plot_confusion(np.array([[30, 10], [1, 1]]), ["a", "b"])
    assert [text.get_text() for text in ax.texts] == ["30", "10", "1", "1"]
    np.testing.assert_allclose(np.ravel(ax.collections[0].get_array()), [75, 25, 50, 50])
    assert ax.collections[0].get_clim() == (0, 100)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert ax.figure.axes[1].get_ylabel() == "share of the true class (%)"
    assert ax.get_title() == "Confusion matrix, n = 42 photos"


def test_confusion_shows_a_class_without_photos():
    """Its shares are 0, not a division by zero."""
    ax = plots.plot_confusion(np.array([[3, 0], [0, 0]]), ["a", "b"])
    np.testing.assert_allclose(np.ravel(ax.collections[0].get_array()), [100, 0, 0, 0])


@pytest.mark.parametrize("class_names", [TEN, SIX, ["functional", "defective"]])
def test_class_names_of_a_confusion_do_not_overlap(class_names):
    """Level names must not overlap; slanted ones stand apart where gap * sin 45 degrees > height."""
    ax = plots.plot_confusion(np.eye(len(class_names), dtype=int), class_names)
    assert inside_and_legible(ax.figure)
    assert [label.get_text() for label in ax.get_xticklabels()] == class_names
    for labels, axis in ((ax.get_xticklabels(), 0), (ax.get_yticklabels(), 1)):
        boxes = [label.get_window_extent() for label in labels]
        if labels[0].get_rotation() == 45:
            gap = np.diff(ax.transData.transform([(0.5, 0.5), (1.5, 1.5)]), axis=0)[0, axis]
            height = labels[0].get_fontsize() * ax.figure.dpi / 72
            assert abs(gap) * math.sin(math.radians(45)) > height
        else:
            assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))


def test_confusion_draws_on_a_given_axes():
    """So that two can stand side by side."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    assert plots.plot_confusion(np.eye(6, dtype=int), SIX, ax=left, title="Mine") is left
    plots.plot_confusion(np.eye(6, dtype=int), SIX, ax=right)
    assert left.get_title() == "Mine"

    figure.canvas.draw()
    shares = figure.axes[2].yaxis.label.get_window_extent()  # the left color bar's
    assert not shares.overlaps(right.yaxis.label.get_window_extent())


MANY = [f"class_{number:03d}" for number in range(120)]


def apart(labels):
    """Return whether the names along an axis, as drawn, do not overlap; slanted ones by the room between them."""
    boxes = [label.get_window_extent() for label in labels]
    if labels[0].get_rotation() == 45:
        gap = labels[1].get_window_extent().x1 - labels[0].get_window_extent().x1
        return gap * math.sin(math.radians(45)) > labels[0].get_fontsize() * labels[0].figure.dpi / 72
    return not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))


@pytest.mark.parametrize(("count", "named"), [(1, 1), (30, 30), (31, 16), (60, 30), (120, 30), (1000, 30)])
def test_a_figure_names_at_most_so_many_classes(count, named):
    """All of them, or some evenly spread."""
    places = plots.named_places(count)
    assert len(places) == named <= plots.MOST_NAMED
    assert len(set(np.diff(places))) <= 1
    assert places[0] == 0
    assert places[-1] < count


def test_a_confusion_of_many_classes_can_be_read():
    """Three photos a class; class 5 is twice, and class 7 once, taken for another."""
    counts = 3 * np.eye(120, dtype=int)
    counts[5, 5], counts[5, 80] = 1, 2
    counts[7, 7], counts[7, 6] = 2, 1
    ax = plots.plot_confusion(counts, MANY, title="Test photos")
    below = ax.figure.axes[1]
    assert not ax.texts  # no numbers
    assert len(ax.collections[0].get_array().ravel()) == 120 * 120
    assert inside_and_legible(ax.figure)
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [label.get_text() for label in labels] == MANY[::4]
        assert apart(labels)
    np.testing.assert_allclose(ax.get_yticks(), np.arange(0, 120, 4) + 0.5)  # each name at its own row
    assert [label.get_text() for label in below.get_yticklabels()] == [
        "class_005,\ntaken for class_080",
        "class_007,\ntaken for class_006",
    ]
    assert [bar.get_width() for bar in below.patches] == [2, 1]
    assert below.get_title() == "The most frequent of 3 mistakes"
    assert max(ax.figure.get_size_inches()) < 15


def test_a_confusion_of_many_classes_without_a_mistake():
    """Then there is no bar."""
    ax = plots.plot_confusion(np.eye(31, dtype=int), MANY[:31])
    assert not ax.figure.axes[1].patches
    assert ax.figure.axes[1].get_title() == "The most frequent of 0 mistakes"


@pytest.mark.parametrize("classes", [20, 120])
def test_many_classes_on_a_small_axes(classes):
    """Half of a figure has room for fewer names, and for no list."""
    figure, (_, right) = plt.subplots(1, 2, figsize=(10, 4.1), layout="constrained")
    names = [f"Tomato_{name}_of_a_long_name" for name in MANY[:classes]]  # which leave little room for the matrix
    plots.plot_confusion(np.eye(classes, dtype=int), names, ax=right)
    assert len(figure.axes) == 3  # and the color bar
    assert not right.texts
    figure.canvas.draw()
    assert apart(right.get_xticklabels())
    assert apart(right.get_yticklabels())


def test_the_smallest_and_the_largest_of_many_classes_are_drawn():
    """Class 0 has one photo, class 119 has 120."""
    counts = pd.Series(np.arange(1, 121), index=MANY).sample(frac=1, random_state=0)
    ax = plots.plot_class_counts(counts)
    assert [bar.get_width() for bar in ax.patches] == [*range(1, 16), *range(106, 121)]
    assert [label.get_text() for label in ax.get_yticklabels()] == MANY[:15] + MANY[-15:]
    assert "of 120,\nthe 15 smallest and the 15 largest" in ax.get_title()
    assert inside_and_legible(ax.figure)
    assert apart(ax.get_yticklabels())


def test_a_few_classes_are_all_drawn_in_their_order():
    """Rust comes second, though it is rarest."""
    ax = plots.plot_class_counts(pd.Series([5, 2, 3], index=["healthy", "rust", "scab"]))
    assert [bar.get_width() for bar in ax.patches] == [5, 2, 3]
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == ("Photos of each class", "photos", "class")
    with pytest.raises(ValueError, match="at least one class"):
        plots.plot_class_counts(pd.Series(dtype=int))


def test_a_long_name_is_shortened_in_its_middle():
    """Its ends tell it from its neighbors."""
    assert plots.shortened("rust") == "rust"
    short = plots.shortened("Tomato_Spider_mites_Two_spotted_spider_mite")
    assert len(short) <= 26
    assert short.startswith("Tomato_Spide")
    assert short.endswith("spider_mite")


def test_confusion_needs_a_row_a_class():
    """Two rows for three names."""
    with pytest.raises(ValueError, match=r"each of 3 class names; got shape \(2, 2\)"):
        plots.plot_confusion(np.eye(2, dtype=int), ["a", "b", "c"])


SCORES = [Interval(0.5, 0.4, 0.6, 144, 36), Interval(0.9, 0.8, 1.0, 50, 50)]


def test_intervals_show_each_score_with_its_n_beside_chance():
    """Two models, one tested by plant, one by photo."""
    ax = plots.plot_intervals(["scratch", "frozen"], SCORES, chance=1 / 6)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["scratch\nn = 144 in 36 groups", "frozen\nn = 50"]
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [50, 90])
    bars = [segment[:, 0] for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(bars, [[40, 60], [80, 100]])
    assert ax.get_xlabel() == "accuracy (%)\ndashed line: chance, 16.7 %"
    assert ax.lines[-1].get_xdata()[0] == pytest.approx(100 / 6)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first model stands on top
    assert ax.get_title() == "Accuracy with its 95 % interval"
    assert inside_and_legible(ax.figure)


@pytest.mark.parametrize(("names", "scores"), [([], []), (["a"], SCORES)])
def test_intervals_need_a_name_a_model(names, scores):
    """No model at all, and one name for two."""
    with pytest.raises(ValueError, match=f"got {len(names)} names and {len(scores)} accuracies"):
        plots.plot_intervals(names, scores)


def test_each_block_has_its_accuracy_and_all_together_are_a_band():
    """Two blocks at 50 and 90 %, all blocks at 80 %, from 75 to 90; guessing among six is right in 16.7 %."""
    ax = plots.plot_blocks(SCORES, together=Interval(0.8, 0.75, 0.9, 50, 50), chance=1 / 6)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 50], [2, 90]])
    bars = [segment[:, 1] for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(bars, [[40, 60], [80, 100]])
    (band,) = ax.patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((75, 90))
    assert [line.get_ydata()[0] for line in ax.lines[-2:]] == pytest.approx([80, 100 / 6])
    legend = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert sorted(legend) == ["all blocks, 80.0 %", "block alone", "chance, 16.7 %"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2"]
    assert ax.get_title() == "Accuracy by block, with 95 % intervals"
    assert inside_and_legible(ax.figure)
    alone = plots.plot_blocks(SCORES, title="Mine")
    assert (len(alone.patches), alone.get_title()) == (0, "Mine")
    assert [text.get_text() for text in alone.figure.legends[0].get_texts()] == ["block alone"]
    with pytest.raises(ValueError, match="for each block; got none"):
        plots.plot_blocks([])


def test_a_heat_map_writes_each_number_in_its_cell():
    """Two rows, three columns, one of them without a number."""
    values = pd.DataFrame(
        [[1.0, 2.0, 3.0], [4.0, np.nan, 0.5]], index=["head", "last 50"], columns=["1e-5", "1e-4", "1e-3"]
    )
    ax = plots.plot_value_map(values.rename_axis("layers").rename_axis("rate", axis=1), "loss (nats)", title="Grid")
    assert [text.get_text() for text in ax.texts if text.get_text()] == ["1.00", "2.00", "3.00", "4.00", "0.50"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("rate", "layers", "Grid")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["head", "last 50"]
    assert ax.figure.axes[1].get_ylabel() == "loss (nats)"
    assert inside_and_legible(ax.figure)


def test_a_heat_map_needs_a_number():
    with pytest.raises(ValueError, match=r"a number in it; got shape \(1, 1\)"):
        plots.plot_value_map(pd.DataFrame([[np.nan]]), "loss")


def test_repeats_are_a_row_of_dots_for_each_way():
    ax = plots.plot_repeats(["at random", "by plant"], [[0.8, 0.9], [0.5, 0.6]], title="Two shuffles", label="split")
    dots = [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in ax.lines]
    assert dots == [([80, 90], [0, 0]), ([50, 60], [1, 1])]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("accuracy (%)", "split", "Two shuffles")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["at random", "by plant"]
    assert inside_and_legible(ax.figure)
    with pytest.raises(ValueError, match=r"for each of 1 names; got shape \(2, 1\)"):
        plots.plot_repeats(["one"], [[0.5], [0.6]])


def trainings(sets, strategies, numbers=(5, 50), seeds=(0, 1)):
    """Return a made-up table: accuracy 0.4 or 0.6 by seed, whatever else."""
    rows = itertools.product(sets, numbers, seeds, strategies)
    table = pd.DataFrame(rows, columns=["set", "photos_per_class", "seed", "strategy"])
    return table.assign(accuracy=0.4 + 0.2 * table["seed"])


def test_accuracy_by_number_is_a_mean_with_a_band():
    """Two seeds, 40 and 60 %: the line at 50, the band from 40 to 60."""
    figure = plots.plot_by_photos(trainings(["leaves", "cells"], ["head", "tuned"]), title="How many?")
    assert [ax.get_title() for ax in figure.axes] == ["leaves", "cells"]
    for ax in figure.axes:
        np.testing.assert_allclose([line.get_ydata() for line in ax.lines], [[50, 50], [50, 50]])
        band = ax.collections[0].get_paths()[0].vertices
        assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((40, 60))
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["5", "50"]
    assert figure.axes[0].get_ylabel() == "accuracy (%)"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["a head on the last layer", "fine-tuning all layers"]
    assert inside_and_legible(figure)


def test_accuracy_by_number_draws_what_there_is():
    """Five sets, one of them with one number of one seed; a strategy that it does not know; a missing accuracy."""
    table = trainings([f"set {number}" for number in range(4)], list(plots.STRATEGIES), numbers=(5, 10, 25, 50, 100))
    few = trainings(["few"], ["head"], numbers=(5,), seeds=(0,))
    odd = trainings(["odd"], ["too few photos"]).assign(accuracy=np.nan)
    figure = plots.plot_by_photos(pd.concat([table, few, odd]))
    titles = [ax.get_title() for ax in figure.axes if ax.lines]
    assert titles == ["set 0", "set 1", "set 2", "set 3", "few"]
    assert len(figure.axes) == 6  # three a row
    assert figure.get_size_inches().tolist() == pytest.approx([3 * 3.1, 1.2 + 2 * 2.6])  # two rows of three panels
    assert [bool(ax.get_ylabel()) for ax in figure.axes] == [True, False, False, True, False, False]
    assert [bool(ax.get_xlabel()) for ax in figure.axes] == [False, False, True, True, True, False]  # no panel below
    assert figure.axes[0].get_xlim() == (pytest.approx(4.5), pytest.approx(110))
    assert len(figure.axes[4].lines) == 1
    assert inside_and_legible(figure)


def test_accuracy_by_number_needs_a_strategy():
    with pytest.raises(ValueError, match="scratch, head, layers, tuned; got 4 rows without"):
        plots.plot_by_photos(trainings(["odd"], ["other"]))


def test_show_gives_the_figure_a_text_and_closes_it(tmp_path, monkeypatch):
    """The text is in the HTML, the metadata and the file."""
    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    figure = plots.photo_grid([np.zeros((4, 4, 3), "uint8")])
    path = tmp_path / "figures" / "leaf.png"
    plots.show(figure, 'A "black"\n  leaf', path)
    assert not plt.fignum_exists(figure.number)

    data, metadata = shown[0]._repr_mimebundle_()
    assert data["text/plain"] == 'A "black" leaf'
    assert metadata == {"image/png": {"alt": 'A "black" leaf'}}
    assert data["text/html"].startswith('<img alt="A &quot;black&quot; leaf" src="data:image/png;base64,')
    assert base64.b64decode(data["image/png"]) == path.read_bytes()
    assert Image.open(io.BytesIO(path.read_bytes())).text["Description"] == 'A "black" leaf'
    assert list(path.parent.iterdir()) == [path]  # no half file left


def test_a_figure_in_a_control_is_never_wider_than_its_place():
    figure = plots.photo_grid([np.zeros((4, 4, 3), "uint8")])
    assert plots.as_html(figure, "A black square.").startswith('<img style="max-width: 100%" alt="A black square."')
    assert not plt.fignum_exists(figure.number)


@pytest.mark.parametrize("across", [0.5, 1.2])
def test_a_picture_is_cut_to_what_is_drawn_and_no_further(across, tmp_path, monkeypatch):
    """A red square of 20 pixels, inside the figure of 400 or beyond its right edge, with a margin of 10 pixels."""
    monkeypatch.setattr(IPython.display, "display", lambda picture: None)
    figure = plt.figure(figsize=(4, 4), dpi=100)
    square = plt.Rectangle((across, 0.5), 0.05, 0.05, color="#ff0000", linewidth=0, transform=figure.transFigure)
    figure.add_artist(square)
    plots.show(figure, "A red square.", tmp_path / "square.png")
    pixels = np.array(Image.open(tmp_path / "square.png").convert("RGBA")).astype(int)
    red = (pixels[..., 0] > 200) & (pixels[..., 1] < 50) & (pixels[..., 3] > 200)
    assert red.any(axis=1).sum() == pytest.approx(20, abs=1)
    assert red.any(axis=0).sum() == pytest.approx(20, abs=1)
    assert red.sum() == pytest.approx(400, abs=40)
    assert pixels.shape[:2] == (pytest.approx(40, abs=2), pytest.approx(40, abs=2))


def test_show_prints_the_text_where_there_is_no_notebook(capsys):
    """A terminal cannot show the figure."""
    plots.show(plots.photo_grid([np.zeros((4, 4, 3), "uint8")]), "A black square.")
    assert capsys.readouterr().out == "A black square.\n"


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_show_needs_a_text(alt, tmp_path):
    """Refused before anything is written."""
    with pytest.raises(ValueError, match="Expected alt, a sentence"):
        plots.show(plt.figure(), alt, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_the_palette_is_that_of_okabe_and_ito():
    """Their table gives red, green and blue from 0 to 255."""
    triples = {"orange": (230, 159, 0), "blue": (0, 114, 178), "red": (213, 94, 0), "green": (0, 158, 115)}
    for name, triple in triples.items():
        assert plots.PALETTE[name] == "#{:02X}{:02X}{:02X}".format(*triple)
