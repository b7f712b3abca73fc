import itertools
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tutorial_utils.data import corruptions, images, layouts, pipeline
from tutorial_utils.models import backbones, feature_store, features, litert


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    return tmp_path_factory.mktemp("litert")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch, converted):
    """Activations are each test's own; converted networks are shared, for each takes seconds to convert."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "litert").symlink_to(converted)
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def borrowed():
    return backbones.get("efficientnet_lite0")


@pytest.fixture
def counted(monkeypatch):
    """A list that gets the path of every photo that is read."""
    read, paths = images.read_image, []
    monkeypatch.setattr(images, "read_image", lambda path, *rest: (paths.append(path), read(path, *rest))[1])
    return paths


@pytest.fixture
def table(tmp_path, make_photo):
    for number in range(6):
        make_photo(tmp_path / "photos" / ("a", "b")[number % 2] / f"{number}.png", size=(40, 40), seed=number)
    return layouts.load_folder(tmp_path / "photos")


def keras_features(table, borrowed, size=64):
    images = np.concatenate([x for x, _ in pipeline.batches(table, size)])
    return np.asarray(borrowed.base((images - 127) / 128, training=False)).mean(axis=(1, 2))


def test_stored_features_are_those_of_the_whole_model(table, borrowed):
    rows = features.stored(table, borrowed, 64, progress=False)
    expected = keras_features(table, borrowed)
    assert rows.shape == (6, 1280)
    assert np.abs(rows[:] - expected).max() < 1e-4 * np.abs(expected).max()
    assert any(means.startswith("litert") for means in litert.engines_used())


def test_a_photo_seen_before_is_never_computed_again(table, borrowed, counted, tmp_path, make_photo):
    first = features.stored(table[:4], borrowed, 64, progress=False)
    assert len(counted) == 4
    make_photo(tmp_path / "photos" / "b" / "copy.png", size=(40, 40), seed=2)  # the bytes of a/2.png
    more = layouts.load_folder(tmp_path / "photos")
    rows = features.stored(more, borrowed, 64, progress=False)
    assert len(counted) == 6
    place = {path: number for number, path in enumerate(more["path"])}
    for number, path in enumerate(table["path"][:4]):
        np.testing.assert_array_equal(rows[place[path]], first[number])
    copy = next(path for path in place if path.endswith("copy.png"))
    original = next(path for path in place if path.endswith("2.png"))
    np.testing.assert_array_equal(rows[place[copy]], rows[place[original]])


def test_a_change_of_anything_is_another_address(table, borrowed, counted, make_photo):
    def fresh(**changes):
        counted.clear()
        arguments = dict(photos=table, backbone=borrowed, image_size=64, progress=False) | changes
        features.stored(**arguments)
        return len(counted)

    assert fresh() == 6
    assert fresh() == 0
    assert fresh(image_size=96) == 6
    assert fresh(dtype="float16") == 6
    assert fresh(cut="block10_add") == 6
    assert fresh(view=1) == 6
    assert fresh(view=2) == 6
    assert fresh(view=2, seed=1) == 6
    assert fresh(view=2, seed=1) == 0
    assert fresh(backbone=borrowed._replace(preprocess=lambda images: images / 255)) == 6
    tuned = backbones.get("efficientnet_lite0")
    layer = tuned.base.get_layer("stem_conv")
    layer.set_weights([layer.get_weights()[0] * 1.01])
    assert fresh(backbone=tuned) == 6
    make_photo(pathlib.Path(table["path"][0]), size=(40, 40), seed=99)  # another photo under its name
    assert fresh() == 1


def test_a_new_version_of_read_photo_meets_no_old_activation(table, borrowed, counted, monkeypatch):
    features.stored(table, borrowed, 64, progress=False)
    monkeypatch.setattr(images, "VERSION", images.VERSION + 1)
    features.stored(table, borrowed, 64, progress=False)
    assert len(counted) == 12


def test_a_damaged_photo_is_named_and_what_was_stored_stays(table, borrowed, monkeypatch, counted):
    monkeypatch.setattr(feature_store, "SHARD_ROWS", 2)
    path = table["path"][3]
    with open(path, "r+b") as file:
        file.truncate(60)
    with pytest.raises(images.PhotoError, match="is damaged"):
        features.stored(table, borrowed, 64, progress=False)
    counted.clear()
    features.stored(table.drop(3), borrowed, 64, progress=False)
    assert sorted(counted) == sorted(table["path"][[2, 4, 5]])


def test_too_little_room_is_said_before_any_photo_is_read(table, borrowed, counted, monkeypatch):
    monkeypatch.setenv("TUTORIAL_STORE_GB", "0.00001")
    with pytest.raises(feature_store.StoreFull, match="6 photos need"):
        features.stored(table, borrowed, 64, progress=False)
    assert counted == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "float64"}, "dtype must be one of 'float32', 'float16'"),
        ({"cut": "block99"}, "cut must be one of"),
        ({"view": 0}, "view must be a whole number from 1"),
        ({"image_size": 10}, "image_size must be"),
        ({"layers": "some"}, "layers must be one of 'last', 'all'; got 'some'"),
    ],
)
def test_bad_arguments(table, borrowed, changes, message):
    with pytest.raises(ValueError, match=message):
        features.stored(**{"photos": table, "backbone": borrowed, "image_size": 64} | changes)


def test_every_second_label_of_an_array_is_described_as_its_copy_is(table, borrowed):
    rows = features.stored(table, borrowed, 64, progress=False)
    labels = np.repeat(pipeline.labels(table), 2)[::2]
    strided, whole = (features.batches([rows], each).passes.about() for each in (labels, labels.copy()))
    assert strided == whole


def test_batches_come_in_the_order_of_the_pipeline(table):
    rows = np.arange(6, dtype=np.float32)[:, None]
    labels = pipeline.labels(table)
    keras.utils.set_random_seed(0)
    ours = features.batches([rows], labels, batch_size=4, shuffle=True, seed=5)
    theirs = pipeline.batches(table, 32, batch_size=4, shuffle=True, seed=5)
    pixels = np.concatenate([x for x, _ in pipeline.batches(table, 32)])
    for _ in range(2):
        epoch = list(ours)
        order = np.concatenate([x for x, _ in epoch])[:, 0].astype(int)
        assert sorted(order) == list(range(6))
        np.testing.assert_array_equal(np.concatenate([x for x, _ in theirs]), pixels[order])
        np.testing.assert_array_equal(np.concatenate([y for _, y in epoch]), labels[order])


def test_batches_of_32_keep_the_order_of_the_table_unless_told_otherwise():
    """Else what is predicted would stand beside other photos' labels."""
    rows, labels = np.arange(40, dtype=np.float32)[:, None], np.arange(40) * 7 % 3
    for epoch in (list(features.batches([rows], labels)) for _ in range(2)):
        assert [len(x) for x, _ in epoch] == [32, 8]
        np.testing.assert_array_equal(np.concatenate([x for x, _ in epoch]), rows)
        np.testing.assert_array_equal(np.concatenate([y for _, y in epoch]), labels)


def test_over_as_many_epochs_as_versions_each_photo_comes_in_each():
    versions = [np.array([[photo + version / 10] for photo in range(5)], np.float32) for version in range(3)]
    batches = features.batches(versions, np.zeros(5, int), batch_size=2, shuffle=True)
    seen = [np.concatenate([x for x, _ in batches])[:, 0] for _ in range(3)]
    for epoch in seen:
        assert sorted(np.floor(epoch + 1e-4)) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(sorted(np.concatenate(seen)), sorted(np.concatenate(versions)[:, 0]))


def test_without_litert_keras_computes_the_same(table, borrowed, monkeypatch):
    monkeypatch.setattr(litert.importlib.util, "find_spec", lambda name: None)
    rows = features.stored(table, borrowed, 64, progress=False)
    np.testing.assert_allclose(rows[:], keras_features(table, borrowed), atol=1e-4)
    assert f"keras {keras.__version__}" in litert.engines_used()


# --- features of all layers ------------------------------------------------------------------------------


def names(tensors):
    return [tensor._keras_history.operation.name for tensor in tensors]


@pytest.mark.parametrize(
    ("name", "blocks", "side"),
    [
        ("mobilenet", 4 + 1, 112),  # no shortcuts: before each convolution of stride 2 but the first; the last map
        ("vgg16", 5 + 1, 224),  # before each of five poolings; the last of these
        ("mobilenet_v2", 17 + 1, 112),  # bottlenecks (its paper's table 2: 1 + 2 + 3 + 4 + 3 + 3 + 1); the last map
        ("resnet50", 16 + 1, 56),  # residual blocks (3 + 4 + 6 + 3), the last activation
        ("resnet50_v2", 16 + 1, 56),
        ("efficientnet_b0", 16 + 1, 112),  # MBConv blocks (1 + 2 + 2 + 3 + 3 + 4 + 1), the last activation
        ("efficientnet_lite0", 16 + 1, 112),
        ("efficientnet_v2_b0", 20 + 1, 56),  # 1 + 2 + 2 + 3 + 5 + 8 blocks, of which the first ends in an activation
    ],
)
def test_how_many_blocks_each_family_has(name, blocks, side):
    """And how many places along each side the first and the last map of a photo of 224 pixels have."""
    base = backbones.build(name)
    found = features.block_outputs(base)
    assert len(found) == len(set(names(found))) == blocks
    assert found[-1] is base.outputs[0]
    shapes = keras.Model(base.inputs, found).compute_output_shape((None, 224, 224, 3))
    assert (shapes[0][1], shapes[-1][1]) == (side, 7)


def test_where_the_blocks_of_a_small_network_end(toy):
    """Not in the block's own BatchNormalization, which dropout and the addition follow; nor in that of the stem."""
    assert names(features.block_outputs(toy.base)) == ["project_bn", "added", "last_relu"]
    assert features.block_sizes(toy) == [2 * 4, 2 * 4, 2 * 6]


def test_without_shortcuts_a_block_ends_before_the_map_gets_smaller():
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(2, 3, padding="same", name="one")(pixels)
    x = keras.layers.Conv2D(2, 3, padding="same", name="two")(x)
    x = keras.layers.Conv2D(2, 3, strides=2, name="three")(keras.layers.ZeroPadding2D(1)(x))
    y = keras.layers.Conv2D(2, 1, name="aside")(x)
    x = keras.layers.Conv2D(2, 3, padding="same", name="five")(keras.layers.Concatenate(name="four")([x, y]))
    base = keras.Model(pixels, x)
    assert names(features.block_outputs(base)) == ["two", "three", "aside", "five"]


def test_a_network_of_one_block_has_features_too():
    pixels = keras.Input((None, None, 3))
    base = keras.Model(pixels, keras.layers.Conv2D(5, 3)(pixels))
    tiny = backbones.Backbone("tiny", "tiny", base, lambda images: images / 255.0, "none", "", "", "")
    assert features.extractor(tiny, 32, layers="all").output_shape == (None, 10)


def test_mean_and_deviation_are_those_of_numpy():
    inputs = [keras.Input((4, 5, 3)), keras.Input((2, 2, 1))]
    model = keras.Model(inputs, features.mean_and_deviation(inputs))
    rng = np.random.default_rng(0)
    maps = [rng.normal(9, 2, (6, 4, 5, 3)).astype("float32"), rng.normal(0, 1, (6, 2, 2, 1)).astype("float32")]
    expected = np.hstack([statistic(x, axis=(1, 2)) for x in maps for statistic in (np.mean, np.std)])
    np.testing.assert_allclose(model.predict_on_batch(maps), expected, rtol=1e-4, atol=1e-5)


def test_an_even_map_has_no_deviation_and_a_gradient():
    maps = tf.ones((1, 3, 3, 2))
    with tf.GradientTape() as tape:
        tape.watch(maps)
        deviations = features.mean_and_deviation([maps])[:, 2:]
    np.testing.assert_allclose(deviations, 0, atol=2e-3)
    assert np.isfinite(tape.gradient(deviations, maps)).all()


@pytest.mark.parametrize("name", ["toy", "borrowed"])
def test_stored_features_of_all_layers_are_those_of_the_maps(table, name, request):
    """Means and deviations of Keras's own maps, block by block; the last block's means are the classic features."""
    backbone = request.getfixturevalue(name)
    rows = features.stored(table, backbone, 64, layers="all", progress=False)[:]
    pixels = np.concatenate([x for x, _ in pipeline.batches(table, 64)])
    maps = keras.Model(backbone.base.inputs[0], features.block_outputs(backbone.base))(backbone.preprocess(pixels))
    means = [np.asarray(x, np.float64).mean(axis=(1, 2)) for x in maps]
    deviations = [np.sqrt(np.asarray(x, np.float64).var(axis=(1, 2)) + 1e-6) for x in maps]
    expected = np.hstack([each for pair in zip(means, deviations, strict=True) for each in pair])
    assert rows.shape == (6, sum(features.block_sizes(backbone)))
    np.testing.assert_allclose(rows, expected, rtol=1e-3, atol=1e-4)
    channels = means[-1].shape[1]
    classic = features.stored(table, backbone, 64, progress=False)[:]
    np.testing.assert_allclose(rows[:, -2 * channels : -channels], classic, rtol=1e-3, atol=1e-4)
    assert any(means.startswith("litert") for means in litert.engines_used())


def test_last_all_and_corrupted_have_addresses_of_their_own(table, toy, counted):
    every = [{}, {"layers": "all"}, {"corrupted": True}, {"layers": "all", "corrupted": True},
             {"layers": "all", "corrupted": True, "seed": 1}, {"layers": "all", "view": 1}]  # fmt: skip
    first = [features.stored(table, toy, 32, progress=False, **each)[:] for each in every]
    assert len(counted) == 6 * len(every)
    again = [features.stored(table, toy, 32, progress=False, **each)[:] for each in every]
    assert len(counted) == 6 * len(every)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in itertools.combinations(first, 2):
        assert one.shape != other.shape or np.abs(one - other).max() > 1e-3


def test_models_built_before_do_not_change_the_address(table, counted):
    features.stored(table[:1], backbones.get("efficientnet_lite0"), 64, layers="all", progress=False)
    x = y = keras.Input((8, 8, 3))
    for layer in (keras.layers.Conv2D(3, 1), keras.layers.BatchNormalization(), keras.layers.ReLU()):
        y = layer(y)
    keras.Model(x, keras.layers.Add()([x, y]))
    features.stored(table[:1], backbones.get("efficientnet_lite0"), 64, layers="all", progress=False)
    assert len(counted) == 1


def test_corrupted_is_the_photo_after_corruptions_corrupt(table, toy):
    """The key is the seed and the photo's content."""
    rows = features.stored(table, toy, 32, corrupted=True, seed=7, progress=False)[:]
    keys = [f"7/{photo}" for photo in feature_store.photo_ids(table["path"])]
    photos = [images.read_image(path, 32) for path in table["path"]]
    worse = np.stack([corruptions.corrupt(photo, key) for photo, key in zip(photos, keys, strict=True)])
    expected = features.extractor(toy, 32).predict(worse.astype("float32"), verbose=0)
    np.testing.assert_allclose(rows, expected, rtol=1e-3, atol=1e-4)


def test_of_a_list_of_maps_the_last_gives_the_features():
    pixels = keras.Input((4, 4, 3))
    coarse = keras.layers.AveragePooling2D(2)(pixels)
    maps = keras.Model(pixels, [pixels, keras.layers.Rescaling(2.0)(coarse)])
    both = [keras.Input((4, 4, 3)), keras.Input((2, 2, 3))]
    rest = keras.Model(both, keras.layers.GlobalMaxPooling2D()(both[0]))
    images = np.arange(96, dtype="float32").reshape(2, 4, 4, 3)
    labels, found, said = features.answers((maps, rest))([images])
    assert len(labels) == 0
    np.testing.assert_allclose(found, 2 * images.mean(axis=(1, 2)))
    np.testing.assert_allclose(said, images.max(axis=(1, 2)))


def test_answers_are_labels_the_means_over_the_places_and_what_comes_after():
    """A map of 2 x 2 places whose one channel is red doubled: its mean is twice the mean of red."""
    pixels = keras.Input((2, 2, 3))
    red = keras.layers.Conv2D(1, 1, use_bias=False)
    maps = keras.Model(pixels, red(pixels))
    red.set_weights([np.array([2.0, 0, 0]).reshape(1, 1, 3, 1)])
    images = np.arange(36, dtype="float32").reshape(3, 2, 2, 3)
    places = keras.Input((2, 2, 1))
    of = features.answers((maps, keras.Model(places, keras.layers.Flatten()(places))))
    labels, found, said = of([(images[:2], np.array([1, 0])), (images[2:], np.array([1]))])
    assert labels.tolist() == [1, 0, 1]
    np.testing.assert_allclose(found, 2 * images[..., 0].mean(axis=(1, 2))[:, None])
    np.testing.assert_allclose(said, 2 * images[..., 0].reshape(3, 4))
    np.testing.assert_allclose(of([images.astype("uint8")])[1], found)


def test_the_last_layer_is_a_slice_of_all_layers(table, toy):
    rows = features.stored(table, toy, 32, layers="all", progress=False)
    expected = features.stored(table, toy, 32, progress=False)[:]
    np.testing.assert_allclose(features.last_layer(rows, toy), expected, rtol=1e-4, atol=1e-5)
