import subprocess
import sys

import keras
import numpy as np
import pandas
import pytest
import sklearn.linear_model
import sklearn.model_selection
import sklearn.pipeline
import sklearn.preprocessing

from tutorial_utils.data import splits
from tutorial_utils.evaluation import calibration
from tutorial_utils.models import backbones, feature_store, features, heads


@pytest.fixture
def tiny():
    """A base of one convolution, so that a test takes no time."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    base = keras.Model(inputs, keras.layers.Conv2D(5, 3, padding="same")(inputs))
    return backbones.Backbone("tiny", "tiny", base, lambda images: images / 255.0, "none", "", "", "")


@pytest.mark.parametrize("classes", [2, 3])
def test_the_logistic_head_is_logistic_regression_on_standardized_features(classes):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % classes
    features = rng.normal(labels[:, None], 1.5, (60, 7))
    features = features / features.std(axis=0) * [10, 10, 10, 10, 10, 20, 100] + 3  # none varies less than the median
    reference = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(), sklearn.linear_model.LogisticRegression(C=0.1, max_iter=2000)
    ).fit(features, labels)
    head = heads.logistic_head(features, labels, classes, C=0.1)
    said = head.predict(features.astype("float32"), verbose=0)
    np.testing.assert_allclose(said, reference.predict_proba(features), atol=4e-3)  # ours stops a little earlier


def test_a_head_may_have_several_hidden_layers():
    """5 features, hidden layers of 4 and 3 units, 2 classes: 5 * 4 + 4, 4 * 3 + 3, 3 * 2 + 2 weights."""
    head = heads.dense_head(5, 2, units=(4, 3))
    assert head.count_params() == 24 + 15 + 8
    assert [type(layer).__name__ for layer in head.layers] == ["Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert heads.dense_head(5, 2, units=()).count_params() == 12
    for alike in (heads.dense_head(5, 2, units=(4, 3)), heads.dense_head(5, 2, units=[4, 3], seed=0)):
        np.testing.assert_array_equal(alike.get_weights()[2], head.get_weights()[2])


def test_a_feature_that_hardly_varies_gets_no_huge_weight():
    """Divided by its own deviation, 0.0001, the last feature would get a weight in the thousands."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    features = rng.normal(labels[:, None], 1, (60, 5)) * [1, 1, 1, 1, 1e-4]
    kernel, _ = heads.logistic_head(features, labels, 2).get_weights()
    assert np.abs(kernel).max() < 1


def test_the_logistic_head_takes_a_feature_that_never_varies():
    features = np.c_[np.ones(6), np.arange(6.0)]
    head = heads.logistic_head(features, [0, 0, 0, 1, 1, 1], 2)
    assert np.isfinite(head.predict(features, verbose=0)).all()


def test_the_logistic_head_needs_every_class():
    with pytest.raises(ValueError, match="every class from 0 to 2"):
        heads.logistic_head(np.ones((4, 2)), [0, 0, 1, 1], 3)


def test_cross_validated_probabilities_are_those_of_a_head_that_saw_no_photo_of_the_group():
    """Each half of the plants is predicted by the logistic head of the other half, one feature hardly varying."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 4)
    photos = pandas.DataFrame({"label": pandas.Categorical.from_codes(groups % 3, ["a", "b", "c"]), "group": groups})
    features = rng.normal(size=(48, 5)) * [1, 1, 1, 1, 1e-4] + (groups % 3)[:, None] / 2
    said = heads.cross_val_probabilities(photos, features, seed=3, folds=2)
    for learn, ask in splits.group_k_fold(photos, 2, 3).split(photos, photos["label"], photos["group"]):
        head = heads.logistic_head(features[learn], groups[learn] % 3, 3)
        np.testing.assert_allclose(said[ask], head.predict(features[ask], verbose=0), atol=1e-5)


def test_cross_validation_has_five_folds_and_seed_0_unless_told_otherwise():
    """Eight plants a class, so that six folds would do too."""
    labels = np.arange(24) % 3
    features = np.random.default_rng(0).normal(labels[:, None], 1, (24, 4))

    def said(**options):
        return heads.cross_val_probabilities(plants(labels), features, **options)

    np.testing.assert_array_equal(said(), said(seed=0, folds=5))
    for other in ({"seed": 1}, {"folds": 6}):
        assert np.abs(said() - said(**other)).max() > 1e-3


# --- features of all layers ------------------------------------------------------------------------------

BLOCKS = (12, 28)  # numbers of two blocks


def plants(labels, groups=None):
    """A photos table, all that a head needs of it; each photo a plant of its own, unless told otherwise."""
    classes = [f"class {number}" for number in range(max(labels) + 1)]
    groups = np.arange(len(labels)) if groups is None else groups
    return pandas.DataFrame({"label": pandas.Categorical.from_codes(labels, classes), "group": groups})


def numbers(labels, seed=0, noise=2.0):
    """Features that know something of the labels, float32 (photos, 40), on scales of their own."""
    rng = np.random.default_rng(seed)
    found = rng.normal(np.asarray(labels)[:, None], noise, (len(labels), sum(BLOCKS)))
    return (found * 10 ** rng.uniform(-2, 2, sum(BLOCKS)) + 3).astype("float32")


def standardized(features):
    """By the words of `all_layers_head`, another way: a block's numbers, squared, add up to half on average."""
    features, found = np.asarray(features, np.float64), []
    for block in np.split(features, [BLOCKS[0]], axis=1):
        deviation = block.std(axis=0)
        block = (block - block.mean(axis=0)) / np.clip(deviation, np.median(deviation), None)
        found.append(block / np.sqrt(2 * block.shape[1]))
    return np.hstack(found)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("photos", [18, 90])  # fewer and more than there are numbers
@pytest.mark.parametrize("copies", [1, 2])
def test_a_head_on_all_layers_is_logistic_regression_on_standardized_blocks(classes, photos, copies, monkeypatch):
    """In the space of all numbers, of the photos and their copies; the head takes the numbers as they are."""
    monkeypatch.setattr(heads, "_KEPT", 1 - 1e-6)
    labels = np.arange(photos) % classes
    tables = [numbers(labels, seed) for seed in range(copies)]
    head, C = heads.all_layers_head(tables, plants(labels), BLOCKS)
    assert C in heads.STRENGTHS
    rows = np.vstack(tables)
    reference = sklearn.linear_model.LogisticRegression(C=C, max_iter=2000).fit(
        standardized(rows), np.tile(labels, copies)
    )
    said = head.predict(rows, verbose=0)
    np.testing.assert_allclose(said, reference.predict_proba(standardized(rows)), atol=1e-3)
    assert [type(layer) for layer in head.layers] == [keras.layers.Dense]


def test_directions_that_hardly_differ_are_left_out_and_little_is_lost():
    labels = np.arange(60) % 3
    rows = standardized(numbers(labels))
    axes = heads._span(rows)
    np.testing.assert_allclose(axes.T @ axes, np.eye(axes.shape[1]), atol=1e-6)
    kept = np.square(rows @ axes).sum() / np.square(rows).sum()
    without_one_more = np.square(rows @ axes[:, :-1]).sum() / np.square(rows).sum()
    assert without_one_more < heads._KEPT <= kept


def test_a_block_of_constants_says_nothing():
    labels = np.arange(30) % 2
    features = numbers(labels)
    features[:, : BLOCKS[0]] = 0.1
    kernel, bias = heads.all_layers_head([features], plants(labels), BLOCKS)[0].get_weights()
    assert np.isfinite(kernel).all()
    assert np.isfinite(bias).all()
    np.testing.assert_array_equal(kernel[: BLOCKS[0]], 0)


def test_strength_is_chosen_on_plain_photos_of_plants_that_were_held_out(monkeypatch):
    """Three folds that name 5, 8, 8 and 6 photos right with the four values: of the two best, the stronger penalty."""
    cuts = []
    monkeypatch.setattr(heads, "_right", lambda rows, labels, *cut: (cuts.append(cut), np.array([5, 8, 8, 6]))[1])
    plant = np.repeat(np.arange(9), 4)
    labels = plant % 3
    _, C = heads.all_layers_head([numbers(labels), numbers(labels, 1)], plants(labels, plant), BLOCKS)
    assert (C, len(cuts)) == (heads.STRENGTHS[1], 3)
    for learn, ask in cuts:
        assert not set(plant[learn % 36]) & set(plant[ask])
        assert len(learn) + 2 * len(ask) == 72
        assert ask.max() < 36


def test_photos_that_are_all_alike_teach_nothing_and_break_nothing():
    labels = np.arange(12) % 3
    head, _ = heads.all_layers_head([np.ones((12, sum(BLOCKS)), "float32")], plants(labels), BLOCKS)
    np.testing.assert_allclose(head.predict(np.ones((2, sum(BLOCKS))), verbose=0), 1 / 3, atol=1e-3)


def test_a_class_of_one_plant_is_learned_with_a_middling_strength():
    plant = np.repeat(np.arange(3), 10)
    labels = np.minimum(plant, 1)
    features = numbers(labels, noise=0.3)
    head, C = heads.all_layers_head([features], plants(labels, plant), BLOCKS)
    assert C == 100
    assert head.predict(features, verbose=0).argmax(axis=1).tolist() == labels.tolist()


def test_of_many_rows_a_sample_gives_the_space_and_all_are_learned_from(monkeypatch):
    monkeypatch.setattr(heads, "MOST_ROWS", 24)
    monkeypatch.setattr(heads, "_CHUNK", 7)
    labels = np.arange(90) % 3
    tables = [numbers(labels, seed, noise=0.3) for seed in (0, 0)]
    tables[1] = tables[1] + np.float32(1e-3)
    head, _ = heads.all_layers_head(tables, plants(labels), BLOCKS, seed=4)
    assert head.predict(tables[0], verbose=0).argmax(axis=1).tolist() == labels.tolist()
    again, _ = heads.all_layers_head(tables, plants(labels), BLOCKS, seed=4)
    np.testing.assert_array_equal(head.get_weights()[0], again.get_weights()[0])


def test_rows_of_tables_one_below_the_other():
    tables = [np.arange(6.0).reshape(3, 2), np.arange(6.0, 12.0).reshape(3, 2)]
    assert heads._take(tables, np.array([0, 2, 3, 5]))[:, 0].tolist() == [0, 4, 6, 10]


def test_stored_features_are_taken_as_arrays_are(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path))
    labels = np.arange(20) % 2
    tables, stored = [numbers(labels, seed) for seed in (0, 1)], []
    for place, rows in enumerate(tables):
        store = feature_store.FeatureStore({"of": place}, (sum(BLOCKS),))
        ids = [f"photo {number}" for number in range(20)]
        store.write(ids, rows)
        stored.append(feature_store.StoredFeatures(store, ids))
    ours, theirs = (heads.all_layers_head(each, plants(labels), BLOCKS)[0].get_weights() for each in (stored, tables))
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])


def test_a_head_on_all_layers_needs_every_class():
    photos = plants([0, 1, 2]).iloc[:2]
    with pytest.raises(ValueError, match="every class from 0 to 2"):
        heads.all_layers_head([np.ones((2, 40), np.float32)], photos, BLOCKS)


def test_cross_validation_of_all_layers_asks_heads_that_saw_no_photo_of_the_group():
    """Each half is asked of the head of the other half, which learned from plain rows and copies of its own photos."""
    labels = np.arange(48) % 3
    photos, tables = plants(labels, groups=np.arange(48) // 2), [numbers(labels), numbers(labels, seed=1)]
    said = heads.cross_val_all_layers(photos, tables, BLOCKS, seed=3, folds=2)
    for learn, ask in splits.group_k_fold(photos, 2, 3).split(photos, photos["label"], photos["group"]):
        head, _ = heads.all_layers_head([table[learn] for table in tables], photos.iloc[learn], BLOCKS, 3)
        np.testing.assert_allclose(said[ask], head.predict(tables[0][ask], verbose=0), atol=1e-5)


def test_a_class_that_a_fold_did_not_see_is_given_no_chance(monkeypatch):
    labels = np.array([0] * 8 + [1] * 8 + [2] * 2)
    photos, table, here = plants(labels), numbers(labels), labels < 2
    halves = [(np.flatnonzero(here)[::2], np.flatnonzero(~here)), (np.flatnonzero(~here | here), np.array([0]))]
    monkeypatch.setattr(splits, "group_k_fold", lambda *_: type("", (), {"split": lambda *_: halves}))
    monkeypatch.setattr(heads, "_best_C", lambda *_: 10.0)
    said = heads.cross_val_all_layers(photos, [table], BLOCKS)
    assert (said[16:, 2] == 0).all()
    np.testing.assert_allclose(said[16:].sum(axis=1), 1, atol=1e-6)


def test_a_joined_model_of_all_layers_says_what_its_parts_say(toy):
    """And it can be given a temperature, by its last layer's weights."""
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    head = heads.dense_head(28, 3, units=(), seed=1)
    said = heads.build_classifier(toy, head, 32, layers="all")
    found = features.extractor(toy, 32, layers="all").predict(images, verbose=0)
    before = said.predict(images, verbose=0)
    np.testing.assert_allclose(before, head.predict(found, verbose=0), atol=1e-5)
    cooled = heads.add_temperature(said, 2.5)
    assert len(cooled.weights) == len(said.weights)
    expected = calibration.apply_temperature(before, 2.5)
    np.testing.assert_allclose(cooled.predict(images, verbose=0), expected, atol=1e-5)
    np.testing.assert_array_equal(said.predict(images, verbose=0), before)


# --- joined models ---------------------------------------------------------------------------------------


def test_the_joined_model_says_what_its_parts_say(tiny):
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    head = heads.dense_head(5, 3, seed=1)
    features = np.asarray(tiny.base(images / 255.0, training=False)).mean(axis=(1, 2))
    said = heads.build_classifier(tiny, head, 32).predict(images, verbose=0)
    np.testing.assert_allclose(said, head.predict(features, verbose=0), atol=1e-5)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)


def test_a_saved_model_loads_where_the_course_is_not_installed(tmp_path, toy):
    """A process that cannot import tutorial_utils gives the same probabilities, at another temperature too."""
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    expected = {}
    for name in ("vgg16", "efficientnet_lite0"):
        backbone = backbones.Backbone(name, name, backbones.build(name), backbones.preprocessing(name), "", "", "", "")
        model = heads.build_classifier(backbone, heads.dense_head(backbone.base.output_shape[-1], 2), 32)
        model = heads.add_temperature(model, 2.5)
        model.save(tmp_path / f"{name}.keras")
        expected[name] = model.predict(images, verbose=0)
    model = heads.build_classifier(toy, heads.dense_head(28, 2), 32, layers="all")
    heads.add_temperature(model, 2.5).save(tmp_path / "all.keras")
    expected["all"] = heads.add_temperature(model, 2.5).predict(images, verbose=0)
    code = (
        "import sys; sys.modules['tutorial_utils'] = None; import keras, numpy as np, pathlib\n"
        "for path in pathlib.Path().glob('*.keras'):\n"
        "    said = keras.models.load_model(path).predict(np.load('images.npy'), verbose=0)\n"
        "    np.save(f'{path.stem}.npy', said)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    for name, said in expected.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), said, atol=1e-6)


def test_a_temperature_inside_the_model_is_that_of_calibration():
    softmax = keras.Sequential([keras.Input((3,)), keras.layers.Softmax()])
    logits = np.random.default_rng(0).uniform(0, 3, (20, 3)).astype("float32")
    before, after = (model.predict_on_batch(logits) for model in (softmax, heads.add_temperature(softmax, 2.5)))
    np.testing.assert_allclose(after, calibration.apply_temperature(before, 2.5), atol=1e-6)
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
    assert after.max() < before.max()


def test_a_temperature_needs_no_layer_more_where_a_dense_softmax_comes_last():
    """The weights of a copy are divided, in the nested head too; not where the output comes from what follows it."""
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="softmax")])
    pixels = keras.Input((3,), name="pixels")
    model = keras.Model(pixels, inner(pixels))
    photos = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    before = model.predict_on_batch(photos)
    cooled = heads.add_temperature(model, 2.5)
    assert len(cooled.weights) == len(model.weights)
    assert [layer.name for layer in cooled.layers] == [layer.name for layer in model.layers]
    expected = calibration.apply_temperature(before, 2.5)
    np.testing.assert_allclose(cooled.predict_on_batch(photos), expected, atol=1e-6)
    np.testing.assert_array_equal(model.predict_on_batch(photos), before)
    pairs = keras.Model(
        pixels, keras.ops.reshape(keras.ops.sum(keras.ops.reshape(inner(pixels), (-1, 2, 2)), -1), (-1, 2))
    )
    expected = calibration.apply_temperature(pairs.predict_on_batch(photos), 2.5)
    np.testing.assert_allclose(heads.add_temperature(pairs, 2.5).predict_on_batch(photos), expected, atol=1e-6)


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match="above 0"):
        heads.add_temperature(keras.Sequential([keras.Input((2,)), keras.layers.Softmax()]), temperature)
