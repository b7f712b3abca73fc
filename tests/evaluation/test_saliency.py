"""Saliency maps of tiny networks whose answer can be seen, and of every backbone family; scores worked by hand."""

import keras
import numpy as np
import pytest

from tutorial_utils.evaluation import saliency
from tutorial_utils.models import backbones, features, heads, import_model

QUICK = ("efficientnet_lite0", "mobilenet_v2", "vgg16", "resnet50")
FAMILIES = (*QUICK, "mobilenet", "resnet50_v2", "efficientnet_b0", "efficientnet_v2_b0", "efficientnet_v2_s")


def red_or_green(nested=False, pooled_inside=False, softmax="dense"):
    """A model that adds up what is red and what is green, each in a channel of its own; two classes."""
    pixels = keras.Input((None, None, 3))
    colors = keras.layers.Conv2D(2, 4, strides=4, use_bias=False, name="colors")
    maps = colors(keras.layers.Rescaling(1 / 255)(pixels))
    if pooled_inside:
        maps = keras.layers.GlobalAveragePooling2D()(maps)
    base = keras.Model(pixels, maps)
    kernel = np.zeros((4, 4, 3, 2), np.float32)
    kernel[:, :, 0, 0] = kernel[:, :, 1, 1] = 1 / 16
    colors.set_weights([kernel])
    images = keras.Input((16, 16, 3))
    x = base(images) if nested else base.layers[-1](base.layers[-2](images))
    if not pooled_inside:
        x = keras.layers.GlobalAveragePooling2D()(x)
    head = keras.layers.Dense(2, activation="softmax" if softmax == "dense" else None)
    probabilities = head(x)
    if softmax == "layer":
        probabilities = keras.layers.Softmax()(probabilities)
    head.set_weights([50 * np.eye(2, dtype=np.float32), np.zeros(2, np.float32)])
    return keras.Model(images, probabilities)


@pytest.fixture
def corner():
    """Two photos: red in the upper left quarter, green in the lower right one; and their classes."""
    images = np.zeros((2, 16, 16, 3), np.float32)
    images[:, :8, :8, 0] = images[:, 8:, 8:, 1] = 255
    return images, np.array([0, 1])


@pytest.mark.parametrize(
    "options",
    [{}, {"nested": True}, {"nested": True, "pooled_inside": True}, {"nested": True, "softmax": "layer"}],
    ids=str,
)
def test_the_map_is_high_where_the_color_of_the_class_is(options, corner):
    model = red_or_green(**options)
    before = model.predict_on_batch(corner[0])
    maps = saliency.grad_cam(saliency.split_model(model), *corner)
    assert maps.shape == (2, 16, 16)
    assert maps[0, :6, :6].min() == maps[1, 10:, 10:].min() == 1
    assert maps[0, 10:, :].max() == maps[1, :6, :].max() == 0
    np.testing.assert_array_equal(model.predict_on_batch(corner[0]), before)  # it gives probabilities as before


def test_a_sure_answer_has_a_map_all_the_same():
    """Logits of 50 and 0: in float32 the probability is 1, and its own gradient 0."""
    images = np.zeros((1, 16, 16, 3), np.float32)
    images[..., 0] = 255
    model = red_or_green(nested=True)
    assert model.predict_on_batch(images)[0, 0] == 1
    assert saliency.grad_cam(saliency.split_model(model), images, [0]).max() == 1


def test_nothing_speaks_for_a_color_that_is_not_there():
    maps = saliency.grad_cam(saliency.split_model(red_or_green()), np.zeros((1, 16, 16, 3)), [0])
    assert maps.max() == 0


def test_a_model_without_a_feature_map_is_refused():
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    maps, rest = saliency.split_model(model)  # flattened: the last map is the photo itself
    assert maps.output_shape[1:] == (4, 4, 3)
    assert rest.output_shape[1:] == (2,)
    flat = keras.Sequential([keras.Input((12,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="no feature map"):
        saliency.split_model(flat)


@pytest.mark.parametrize(("images", "classes"), [(np.ones((1, 4, 4, 3)), [0, 1]), (np.ones((1, 4, 4)), [0]),
                                                 (np.ones((1, 4, 4, 1)), [0])])  # fmt: skip
def test_what_is_no_photo_with_a_class_is_refused(images, classes):
    with pytest.raises(ValueError, match="one class for each"):
        saliency.grad_cam(saliency.split_model(red_or_green()), images, classes)


# --- which map -------------------------------------------------------------------------------------------


def halving(padded=False, shape=(16, 16, 3)):
    """A nested base of three halvings, 16 x 16 pixels to 8, 4 and 2 places; a shortcut leads round one layer."""
    pixels = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 2, strides=2, name="eight")(pixels)
    x = keras.layers.Add(name="added")([x, keras.layers.Conv2D(4, 3, padding="same", name="aside")(x)])
    x = keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name="pad")(x) if padded else x
    x = keras.layers.Conv2D(4, 2, strides=2, name="four")(x)
    base = keras.Model(pixels, keras.layers.Conv2D(4, 2, strides=2, name="two")(x), name="base")
    images = keras.Input(shape)
    x = base(keras.layers.Dropout(0.5)(keras.layers.Rescaling(1 / 255)(images)))
    x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(images, keras.layers.Dense(2, activation="softmax")(x))


def last_layer(maps):
    while isinstance(maps, keras.Model):
        maps = maps.layers[-1]
    return maps.name


@pytest.mark.parametrize(
    ("places", "layer", "side"), [(2, "base", 2), (3, "four", 4), (4, "four", 4), (5, "added", 8), (8, "added", 8)]
)
def test_the_last_map_that_is_fine_enough_is_taken(places, layer, side):
    """Of 8 x 8 places there are three maps; the last that everything passes through is the sum."""
    model = halving()
    maps, rest = saliency.split_model(model, places)
    assert maps.output_shape == (None, side, side, 4)
    assert layer == "base" or last_layer(maps) == layer
    images = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype("float32")
    np.testing.assert_allclose(rest(maps(images)), model(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(16, 32, 3), (32, 16, 3)])
def test_both_sides_of_a_map_must_be_fine_enough(shape):
    """The last map has 2 x 4 or 4 x 2 places."""
    assert last_layer(saliency.split_model(halving(shape=shape), 4)[0]) == "four"


def test_a_padded_map_is_passed_over():
    """Padding makes it 9 x 9 places, of which the last row and column are nowhere in the photo."""
    maps, _ = saliency.split_model(halving(padded=True), 8)
    assert last_layer(maps) == "added"


def test_more_places_than_pixels_are_refused():
    with pytest.raises(ValueError, match="at least 17 places"):
        saliency.split_model(halving(), 17)


def test_a_model_of_any_size_is_measured_at_a_photo_of_224():
    pixels = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(2, 32, strides=32, name="coarse")(keras.layers.Conv2D(2, 1, name="fine")(pixels))
    model = keras.Model(pixels, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    assert [last_layer(saliency.split_model(model, places)[0]) for places in (7, 8)] == ["coarse", "fine"]


def test_in_hires_cam_each_place_counts_by_its_own_gradient():
    """The left half speaks for class 0 as much as the right half speaks against it: on average, nothing does."""
    images = keras.Input((2, 2, 3))
    channel = keras.layers.Conv2D(1, 1, use_bias=False)
    head = keras.layers.Dense(2, activation="softmax", use_bias=False)
    model = keras.Model(images, head(keras.layers.Flatten()(channel(images))))
    channel.set_weights([np.ones((1, 1, 3, 1), np.float32)])
    head.set_weights([np.float32([[1, 0], [-1, 0], [1, 0], [-1, 0]])])  # left, right, left, right
    stages, photo = saliency.split_model(model), np.full((1, 2, 2, 3), 10.0)
    assert saliency.grad_cam(stages, photo, [0]).max() == 0
    np.testing.assert_array_equal(saliency.hires_cam(stages, photo, [0])[0], [[1, 0], [1, 0]])
    np.testing.assert_allclose(saliency.hires_cam(stages, photo / 1000, [0])[0], [[1, 0], [1, 0]])  # however weak


@pytest.mark.parametrize("options", [{}, {"nested": True}])
def test_both_are_the_same_where_the_map_is_averaged_next(options):
    images = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3))
    stages = saliency.split_model(red_or_green(**options))
    by_channel = saliency.grad_cam(stages, images, [0, 1, 0])
    np.testing.assert_allclose(by_channel, saliency.hires_cam(stages, images, [0, 1, 0], batch_size=2), atol=1e-6)
    assert by_channel.max(axis=(1, 2)).tolist() == [1, 1, 1]


# --- a model that listens to all layers ------------------------------------------------------------------


def two_blocks(speaks):
    """Photos of 2 x 2: red is the map of the first block, 2 x 2 places; the sum of it that of the second, one place.

    speaks : what the mean and the deviation of the first and those of the second count for class 0 against class 1
    """
    pixels = keras.Input((None, None, 3))
    red, total = keras.layers.Conv2D(1, 1, use_bias=False), keras.layers.Conv2D(1, 2, strides=2, use_bias=False)
    first = red(pixels)
    base = keras.Model(pixels, [first, total(first)])
    red.set_weights([np.float32([1, 0, 0]).reshape(1, 1, 3, 1)])
    total.set_weights([np.ones((2, 2, 1, 1), np.float32)])
    images, head = keras.Input((2, 2, 3)), keras.layers.Dense(2, activation="softmax")
    model = keras.Model(images, head(features.mean_and_deviation(base(images, training=False))))
    head.set_weights([np.float32([[each, 0] for each in speaks]), np.float32([3, 0])])
    return model


@pytest.mark.parametrize(
    ("speaks", "sums"),
    [
        ((1, 0, 0, 0), [4, 2, 0, -2]),  # the map itself: its mean is 1
        ((1, 0, 0.5, 0), [6, 4, 2, 0]),  # the second block, 4, speaks for it everywhere: the -2 is outweighed
        ((1, 0, -0.5, 0), [2, 0, -2, -4]),  # or against it: the 2 is outweighed
        ((0, 5**0.5, 0, 0), [12, 2, 0, 6]),  # value times its distance from the mean, 3, 1, -1, -3; deviation: sqrt(5)
        ((0, 5**0.5, -1, 0), [8, -2, -4, 2]),
    ],
)
def test_what_every_block_says_is_added_up_before_what_speaks_against_is_cut(speaks, sums):
    photo = np.zeros((1, 2, 2, 3), np.float32)
    photo[0, :, :, 0] = [[4, 2], [0, -2]]
    model = two_blocks(speaks)
    expected = np.maximum(np.float32(sums).reshape(2, 2), 0) / max(sums)
    np.testing.assert_allclose(saliency.hires_cam(saliency.split_model(model), photo, [0])[0], expected, atol=1e-5)
    chances = model.predict_on_batch(photo)[0]
    assert np.log(chances[0] / chances[1]) - 3 == pytest.approx(np.mean(sums), abs=1e-4)  # the logit but for its bias


def test_nothing_of_a_deviation_is_left_in_grad_cam():
    photo = np.zeros((1, 2, 2, 3), np.float32)
    photo[0, :, :, 0] = [[4, 2], [0, -2]]
    by_channel = saliency.grad_cam(saliency.split_model(two_blocks((1, 5**0.5, 0, 0))), photo, [0])[0]
    np.testing.assert_allclose(by_channel, [[1, 0.5], [0, 0]], atol=1e-5)


@pytest.mark.parametrize("imported", [False, True])
@pytest.mark.parametrize("places", [2, 20])
def test_a_model_of_all_layers_is_cut_at_all_its_maps(imported, places, tmp_path):
    """Whatever number of places is asked for; after saving too, when the model is nested in another."""
    keras.utils.set_random_seed(0)
    base = halving().get_layer("base")
    toy = backbones.Backbone("toy", "toy", base, lambda images: images / 255.0, "none", "", "", "")
    model = heads.build_classifier(toy, heads.dense_head(2 * (4 + 4), 2), 32, layers="all")
    if imported:
        model.save(tmp_path / "model.keras")
        model = import_model.load_model(tmp_path / "model.keras", ["a", "b"])
    maps, rest = saliency.split_model(model, places)
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
    found = maps(images)
    assert [tuple(each.shape) for each in found] == [(3, 16, 16, 4), (3, 4, 4, 4)]  # after the addition, the last
    np.testing.assert_allclose(rest(found), model(images), rtol=1e-5, atol=1e-6)
    assert saliency.hires_cam((maps, rest), images, [0, 1, 0]).shape == (3, 32, 32)


# --- shuffled weights ------------------------------------------------------------------------------------


def test_shuffled_weights_are_the_same_numbers_elsewhere():
    model = halving()
    before = model.get_weights()
    copy = saliency.randomize_weights(model, seed=3)
    for ours, theirs in zip(copy.get_weights(), before, strict=True):
        np.testing.assert_array_equal(np.sort(ours, axis=None), np.sort(theirs, axis=None))
    assert any((ours != theirs).any() for ours, theirs in zip(copy.get_weights(), before, strict=True))
    for now, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, theirs)


def test_shuffling_depends_on_the_seed_alone():
    model = halving()
    first, again, other = (saliency.randomize_weights(model, seed).get_weights()[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


# --- every family of backbones --------------------------------------------------------------------------------------


def opposites(name, side):
    """A backbone with random weights below a head of two opposite classes: what is not for the one is for the other."""
    keras.utils.set_random_seed(0)
    base, images = backbones.build(name), keras.Input((side, side, 3))
    x = keras.layers.GlobalAveragePooling2D()(base(backbones.preprocessing(name)(images), training=False))
    head = keras.layers.Dense(2, activation="softmax", use_bias=False)
    model = keras.Model(images, head(x))
    kernel = np.random.default_rng(0).normal(size=(base.output_shape[-1], 1))
    head.set_weights([np.hstack([kernel, -kernel])])
    return model


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in FAMILIES]
)
def test_every_family_shows_where_it_looks(name):
    """At the end of the base, and inside of it, where the gradient has to come back through its last layers.

    The smallest of each family: its larger siblings have more layers of the same kinds.
    """
    model = opposites(name, side=96)  # 3 x 3 places at the end
    photo = np.random.default_rng(1).uniform(0, 255, (1, 96, 96, 3)).astype("float32")
    for places in (2, 8):
        maps, rest = saliency.split_model(model, places)
        assert min(maps.output_shape[1:3]) >= places
        assert len(rest.weights) > 1 or places == 2  # more than the head's kernel: layers of the nested base
        np.testing.assert_allclose(rest(maps(photo)), model(photo), atol=1e-4)
        explain = saliency.hires_cam if places > 2 else saliency.grad_cam
        found = explain((maps, rest), np.repeat(photo, 2, axis=0), [0, 1])
        assert found.shape == (2, 96, 96)
        assert found.min() >= 0
        assert found.max() == pytest.approx(1)
        assert found.std(axis=(1, 2)).max() > 0
    assert saliency.randomize_weights(model)(photo).shape == (1, 2)


# --- what maps are worth beside the truth ------------------------------------------------------------------


def one_place(photos, row, column, side=4):
    """Maps that are 0 but at one place, (photos, side, side)."""
    maps = np.zeros((photos, side, side))
    maps[:, row, column] = 1
    return maps


def test_scores_by_hand():
    """Photo 0: half of the heat inside, the hottest place outside. Photo 1: all inside. Photo 2: no saliency."""
    maps, masks = np.zeros((3, 4, 4)), np.zeros((3, 4, 4), bool)
    masks[:, :2, :2] = True  # a quarter
    maps[0, 0, :2], maps[0, 3, 3] = 1, 2
    maps[1, 1, 1] = 1
    np.testing.assert_allclose(saliency.share_inside(maps, masks), [0.5, 1, np.nan])
    np.testing.assert_allclose(saliency.pointing_game(maps, masks), [0, 1, np.nan])
    table = saliency.score_maps(maps, masks)
    assert table.loc[("inside", "map"), "value"] == pytest.approx(0.75)
    assert table.loc[("inside", "random"), "value"] == pytest.approx(0.25)
    assert table.loc[("inside", "times random"), "value"] == pytest.approx(3)
    assert table.loc[("pointing", "map"), "value"] == pytest.approx(0.5)
    assert table.loc[("pointing", "center"), "value"] == pytest.approx(0.25)  # one of the four middle places
    assert table.loc[("pointing", "center, times random"), "value"] == pytest.approx(1)
    assert (table["n"] == 2).all()
    assert (table["groups"] == 2).all()


def test_equally_high_places_share_the_point():
    masks = np.zeros((1, 4, 4), bool)
    masks[0, 0, 0] = True
    maps = one_place(1, 0, 0) + one_place(1, 3, 3)
    assert saliency.pointing_game(maps, masks) == [0.5]


def test_an_even_map_is_worth_as_much_as_random():
    masks = np.zeros((12, 8, 8), bool)
    masks[:, :4] = True
    table = saliency.score_maps(np.ones((12, 8, 8)), masks)
    for measure in ("inside", "pointing"):
        assert table.loc[(measure, "times random")][["value", "low", "high"]].tolist() == pytest.approx([1, 1, 1])


def test_four_photos_of_a_plant_tell_no_more_than_one():
    """Every photo four times, by plant: the same values and the same intervals, from four times the photos."""
    rng = np.random.default_rng(0)
    maps, masks = rng.uniform(size=(12, 6, 6)), rng.uniform(size=(12, 6, 6)) < 0.3
    once = saliency.score_maps(maps, masks)
    often = saliency.score_maps(np.repeat(maps, 4, axis=0), np.repeat(masks, 4, axis=0), np.repeat(np.arange(12), 4))
    columns = ["value", "low", "high"]
    np.testing.assert_allclose(often[columns].to_numpy(float), once[columns].to_numpy(float))
    assert (often["n"] == 48).all()
    assert (often["groups"] == 12).all()
    alone = saliency.score_maps(np.repeat(maps, 4, axis=0), np.repeat(masks, 4, axis=0)).loc[("inside", "map")]
    by_plant = once.loc[("inside", "map")]
    assert alone["high"] - alone["low"] < by_plant["high"] - by_plant["low"]


@pytest.mark.parametrize(("groups", "has_interval"), [(9, False), (10, True)])
def test_few_groups_give_no_interval(groups, has_interval):
    rng = np.random.default_rng(0)
    maps, masks = rng.uniform(size=(20, 6, 6)), rng.uniform(size=(20, 6, 6)) < 0.3
    table = saliency.score_maps(maps, masks, np.arange(20) % groups)
    assert table["value"].notna().all()
    ends = {measure: tuple(row) for measure, row in table.loc["inside", ["low", "high"]].iterrows()}
    assert (ends["map"] == ends["random"] == (0, 1)) != has_interval
    assert (ends["times random"] == ends["center, times random"] == (0, np.inf)) != has_interval


def test_groups_without_a_map_are_not_counted():
    """Plants 0 ... 9 have a map, those of plants 10 and 11 are 0 all over."""
    maps, masks = one_place(12, 0, 0), np.ones((12, 4, 4), bool)
    maps[10:] = 0
    table = saliency.score_maps(maps, masks, np.arange(12))
    assert (table["n"] == 10).all()
    assert (table["groups"] == 10).all()
    assert table.loc[("inside", "map"), "value"] == 1


def test_the_middle_is_highest_in_the_middle():
    middle = saliency.center_map(4, 6)
    assert middle.shape == (4, 6)
    np.testing.assert_allclose(middle, middle[::-1, ::-1])
    assert middle.max() == middle[1, 2] == middle[2, 3]
    assert middle[1, 2] == pytest.approx(np.exp(-0.5 * (0.5**2 + (1 / 3) ** 2)))  # 1/8 and 1/12 of the sides from there


@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        (np.ones((1, 2, 2)), np.zeros((1, 2, 2)), "1 are empty"),
        (-np.ones((1, 2, 2)), np.ones((1, 2, 2)), "0 and up"),
        (np.ones((1, 2, 2)), np.ones((1, 3, 3)), "Expected maps and masks"),
        (np.zeros((1, 2, 2)), np.ones((1, 2, 2)), "No map has a place above 0"),
    ],
)
def test_what_cannot_be_scored_is_refused(maps, masks, message):
    with pytest.raises(ValueError, match=message):
        saliency.score_maps(maps, masks)
