import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tutorial_utils.data import layouts, pipeline, splits
from tutorial_utils.models import backbones, features, freezing, heads, training


@pytest.fixture
def parts(class_folders):
    photos = splits.split(layouts.load_folder(class_folders))
    return [splits.subset(photos, name) for name in splits.NAMES]


@pytest.fixture(scope="module")
def borrowed():
    return backbones.get("efficientnet_lite0")


@pytest.mark.parametrize("head", ["logistic", "dense"])
def test_the_frozen_phase_learns_two_colors_and_changes_no_base(parts, borrowed, head):
    train, validation, test = parts
    before = [weight.copy() for weight in borrowed.base.get_weights()]
    model, history = training.train_frozen(borrowed, train, validation, 32, head=head, epochs=20)
    said = model.predict(pipeline.batches(test, 32), verbose=0).argmax(axis=1)
    assert said.tolist() == test["label"].cat.codes.tolist()
    assert history["val_loss"].notna().all()
    for old, new in zip(before, borrowed.base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("validated", [True, False])
def test_keras_works_out_each_kind_of_step_once(validated):
    """Once for training, once for scoring; left alone, Keras works out whichever comes first twice."""
    rows = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    batches = tf.data.Dataset.from_tensor_slices((rows, np.arange(8) % 2)).batch(4)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    worked_out = []
    for name in ("train_step", "test_step"):
        step = getattr(model, name)
        setattr(model, name, lambda data, name=name, step=step: (worked_out.append(name), step(data))[1])
    training.fit(model, batches, batches if validated else None, 2, rule="loss" if validated else "last")
    assert sorted(worked_out) == ["test_step"] * validated + ["train_step"]


def test_an_unknown_head_is_refused(parts, borrowed):
    with pytest.raises(ValueError, match="head must be one of"):
        training.train_frozen(borrowed, parts[0], parts[1], 32, head="deep")


def test_fine_tuning_moves_the_base_but_no_statistics(parts):
    train, validation, _ = parts
    lite0 = backbones.get("efficientnet_lite0")
    model, _ = training.train_frozen(lite0, train, validation, 32)
    statistics = freezing.batch_norm_statistics(lite0.base)

    def kernel():
        return lite0.base.get_layer("stem_conv").get_weights()[0]

    augmented = pipeline.batches(train, 32, shuffle=True, augmentation=pipeline.augmentation(0))
    kernels = [kernel()]
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kernels.append(kernel()))
    history = training.fine_tune(model, lite0.base, augmented, pipeline.batches(validation, 32), 2, callbacks=[note])
    assert history.index.tolist() == [0, 1, 2]
    after = freezing.batch_norm_statistics(lite0.base)
    assert len(statistics) == 2 * 49
    for old, new in zip(statistics, after, strict=True):
        np.testing.assert_array_equal(old, new)
    assert len(kernels) == 3
    for before, later in itertools.pairwise(kernels):  # the base's first layer moves in every epoch
        assert not np.array_equal(before, later)
    np.testing.assert_array_equal(kernel(), kernels[history["kept"].idxmax()])  # and ends where the epoch kept had it


def test_a_head_on_all_layers_learns_two_colors_and_the_base_can_be_tuned_from_there(parts, toy, tmp_path, monkeypatch):
    """The frozen phase changes nothing in the base; fine-tuning its first layer, no statistics; the head is softer."""
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    train, validation, test = parts
    before = [weight.copy() for weight in toy.base.get_weights()]
    model, history = training.train_frozen(toy, train, validation, 32, layers="all")
    said = model.predict(pipeline.batches(test, 32), verbose=0).argmax(axis=1)
    assert said.tolist() == test["label"].cat.codes.tolist()
    assert history.shape == (1, 4)
    assert set(history.columns) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    for old, new in zip(before, toy.base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)

    statistics, kernel, head = freezing.batch_norm_statistics(toy.base), before[0], model.layers[-1].get_weights()
    seen = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append(model.get_weights()))
    batches = [pipeline.batches(each, 32, batch_size=7) for each in (train, validation)]
    history = training.fine_tune(model, toy.base, *batches, epochs=1, callbacks=[note])
    assert history.index.tolist() == [0, 1]
    assert not np.array_equal(seen[0][0], kernel)
    for old, new in zip(head, seen[0][-2:], strict=True):
        np.testing.assert_allclose(new, old / 3, rtol=1e-6)
    for old, new in zip(statistics, freezing.batch_norm_statistics(toy.base), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_head_on_all_layers_learns_from_a_corrupted_copy_of_each_photo(parts, toy, tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    learn, given = heads.all_layers_head, []
    monkeypatch.setattr(heads, "all_layers_head", lambda *all: (given.extend(all), learn(*all))[1])
    training.train_frozen(toy, parts[0], parts[1], 32, layers="all", seed=3)
    tables, photos, blocks, seed = given
    plain = features.stored(parts[0], toy, 32, layers="all")[:]
    corrupted = features.stored(parts[0], toy, 32, layers="all", corrupted=True, seed=3)[:]
    np.testing.assert_array_equal(tables[0][:], plain)
    np.testing.assert_array_equal(tables[1][:], corrupted)
    assert (photos.equals(parts[0]), blocks, seed) == (True, [8, 8, 12], 3)


def test_a_dense_head_on_all_layers_is_refused(parts, toy):
    with pytest.raises(ValueError, match="With layers='all' the head is logistic; got head='dense'"):
        training.train_frozen(toy, parts[0], parts[1], 32, head="dense", layers="all")


def in_order(x, y):
    """The rows in batches of 256."""
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(256)


def line(rate, epochs, callbacks=()):
    """Train one weight on y = 0 from x = 1 with a given rate; return (model, history)."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="mse")
    x, y = np.ones((4, 1)), np.zeros((4, 1))
    batches = in_order(x, y)
    return model, training.fit(model, batches, batches, epochs, callbacks)


def test_the_best_epoch_is_kept():
    """The weight w goes to w (1 - 2 rate): at rate 1.1 it grows, so the start is best; at 0.25 the last epoch is."""
    model, history = line(1.1, 3)
    np.testing.assert_allclose(history["val_loss"], [1, 1.44, 1.44**2, 1.44**3], rtol=1e-5)
    assert model.get_weights()[0] == pytest.approx(1)
    model, _ = line(0.25, 3)
    assert model.get_weights()[0] == pytest.approx(0.125)


def test_an_interrupted_training_leaves_its_best_epoch():
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizer=keras.optimizers.SGD(0.25), loss="mse")
    batches = in_order(np.ones((4, 1)), np.zeros((4, 1)))
    with pytest.raises(KeyboardInterrupt):
        training.fit(model, batches, batches, 9, [Interrupt()])
    assert model.get_weights()[0] == pytest.approx(0.25)


def test_a_head_learns_as_it_does_in_keras():
    """The same photos in the same order, two epochs of 70 photos in batches of 32, 32 and 6: `fit` agrees."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(70, 6)).astype("float32"), rng.integers(0, 3, 70)
    head = heads.dense_head(6, 3, units=4, dropout=0)
    same = keras.models.clone_model(head)
    same.set_weights(head.get_weights())
    history = training.train_head(head, (x, y), (x[:20], y[:20]), epochs=2, learning_rate=1e-3, seed=5)

    same.compile(keras.optimizers.AdamW(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    assert history.loc[0, ["val_loss", "val_accuracy"]].tolist() == pytest.approx(same.evaluate(x[:20], y[:20]))
    assert history.loc[0, ["loss", "accuracy"]].isna().all()
    for epoch in (1, 2):
        rows = pipeline.order(70, seed=5, number=epoch - 1)
        batches = tf.data.Dataset.from_tensor_slices((x[rows], y[rows])).batch(32)
        logs = same.fit(batches, validation_data=(x[:20], y[:20]), verbose=0).history
        assert history.loc[epoch, list(logs)].tolist() == pytest.approx([value for (value,) in logs.values()], rel=1e-5)
    assert history["kept"].tolist() == [False, False, True]
    for ours, theirs in zip(head.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_same_seed_gives_the_same_head():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(40, 6)).astype("float32"), np.arange(40) % 2

    def weights(seed):
        keras.utils.set_random_seed(seed)
        head = heads.dense_head(6, 2, units=4, seed=seed)
        training.train_head(head, train, train, epochs=2, seed=seed)
        return np.concatenate([weight.ravel() for weight in head.get_weights()])

    np.testing.assert_array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


@pytest.mark.parametrize(
    ("rule", "scores", "kept"),
    [
        ("loss", [0.9, 0.5, 0.6, 0.55, 0.8], 1),
        ("loss", [0.5, 0.9, 0.5], 2),  # of two as low, the later
        ("accuracy", [0.5, 0.8, 0.7, 0.75, 0.6], 3),  # 25 photos: the error at 0.8 is 0.08, so 0.75 is level with it
        ("accuracy", [0.9, 0.7, 0.8], 0),  # the error at 0.9 is 0.06
        ("accuracy", [0.5, 0.42, 0.9, 0.8], 2),  # 0.42 was level with 0.5, but not with 0.9
        ("accuracy", [1.0, 0.96, 1.0], 2),  # where all are right, there is no error
    ],
)
def test_which_epoch_is_kept(rule, scores, kept):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    best = training.BestEpoch(None, rule)
    best.set_model(model)
    best.photos = 25
    for epoch, score in enumerate(scores):
        model.set_weights([np.array([[float(epoch)]])])
        best.on_epoch_end(epoch, {f"val_{rule}": score})
    best.restore()
    assert model.get_weights()[0] == kept
    assert best.history()["kept"].tolist() == [place == kept for place in range(len(scores))]


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="rule must be one of"):
        training.BestEpoch(None, "luck")


@pytest.mark.parametrize("rule", ["loss", "accuracy"])
def test_an_epoch_whose_loss_is_no_number_is_never_kept_and_hides_no_other(rule):
    """Weights of nan call everything the first class; where that is right often enough, the loss still tells."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    best = training.BestEpoch(None, rule)
    best.set_model(model)
    best.photos = 10
    kept = []
    for accuracy, loss in [(0.9, np.nan), (0.5, 0.7), (0.6, 0.6), (0.9, np.nan)]:
        best.on_epoch_end(0, {"val_accuracy": accuracy, "val_loss": loss})
        kept.append(best.kept)
    assert kept == [None, 1, 2, 2]


def test_batches_that_do_not_say_how_many_they_are_are_refused(tmp_path):
    endless = tf.data.Dataset.from_generator(lambda: iter([]), output_types=tf.float32)
    with pytest.raises(ValueError, match="how many batches an epoch has"):
        training.fine_tune(None, None, endless, None)


def test_fine_tuning_on_stored_activations_changes_the_joined_model(parts):
    """Suffix and joined model share their layers: what one learned, the other says."""
    train, validation, test = parts
    lite0 = backbones.get("efficientnet_lite0")
    _, last = freezing.nearest_cut(lite0.base, 50)
    head = heads.dense_head(1280, 2)
    model = heads.build_classifier(lite0, head, 64)
    statistics = freezing.batch_norm_statistics(lite0.base)
    first, late = (lite0.base.get_layer(name).get_weights()[0] for name in ("block10_expand_conv", "top_conv"))
    before = model.predict(pipeline.batches(test, 64), verbose=0)
    history = training.fine_tune_stored(lite0, head, train, validation, 64, views=2, epochs=2, learning_rate=1e-3)
    assert history.index.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(first, lite0.base.get_layer("block10_expand_conv").get_weights()[0])
    assert history["val_loss"].iloc[1:].min() < history["val_loss"].iloc[0]  # so a later epoch was kept
    assert not np.array_equal(late, lite0.base.get_layer("top_conv").get_weights()[0])
    for old, new in zip(statistics, freezing.batch_norm_statistics(lite0.base), strict=True):
        np.testing.assert_array_equal(old, new)
    name, _ = freezing.nearest_cut(lite0.base, last)
    suffix = freezing.build_suffix_classifier(lite0.base, head, name)
    said = suffix.predict(features.stored(test, lite0, 64, cut=name)[:], verbose=0)
    after = model.predict(pipeline.batches(test, 64), verbose=0)
    np.testing.assert_allclose(after, said, atol=1e-5)
    assert np.abs(after - before).max() > 0.01


def epoch(model, base, batches, last):
    """Train one epoch by plain gradient descent; return the weights of the base's last layers and the head."""
    freezing.unfreeze(base, last)
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="sparse_categorical_crossentropy")
    model.fit(batches, epochs=1, shuffle=False, verbose=0)
    return [weight for layer in base.layers[-last:] for weight in layer.get_weights()]


def test_one_epoch_on_stored_activations_is_one_epoch_of_the_whole_model(parts):
    """Same batches, same order, no augmentation, no dropout: the weights agree to rounding."""
    train, _, _ = parts
    ends = []
    for stored in (False, True):
        lite0 = backbones.get("efficientnet_lite0")
        name, last = freezing.nearest_cut(lite0.base, 50)
        head = heads.dense_head(1280, 2, dropout=0)
        start = lite0.base.get_layer("top_conv").get_weights()[0]
        if stored:
            model = freezing.build_suffix_classifier(lite0.base, head, name)
            rows = features.stored(train, lite0, 64, cut=name)
            batches = features.batches([rows], pipeline.labels(train), batch_size=4, shuffle=True, seed=3)
        else:
            model = heads.build_classifier(lite0, head, 64)
            batches = pipeline.batches(train, 64, batch_size=4, shuffle=True, seed=3)
        ends.append([*epoch(model, lite0.base, batches, last), *head.get_weights()])
        assert np.abs(lite0.base.get_layer("top_conv").get_weights()[0] - start).max() > 1e-4
    for whole, parted in zip(*ends, strict=True):
        np.testing.assert_allclose(whole, parted, atol=2e-5)


def test_few_photos_get_more_epochs():
    """17 steps an epoch, 5 of them are 85 steps and 6 are 102; where an epoch has 33, the fewest are enough."""
    assert training.epochs_for(17) == 6
    assert training.epochs_for(33) == 4
    assert training.epochs_for(17, fewest=8) == training.epochs_for(33, fewest=8) == 8
    assert training.epochs_for(1) == training.STEPS
