import keras
import numpy as np
import pytest

from tutorial_utils.data import folders, pipeline, splits
from tutorial_utils.models import backbones, features, training, transfer


@pytest.fixture
def parts(class_folders):
    photos = splits.assign(folders.load(class_folders))
    return [splits.part(photos, name) for name in splits.NAMES]


@pytest.fixture(scope="module")
def borrowed():
    return backbones.get("efficientnet_lite0")


def test_features_are_those_of_the_whole_model(parts, borrowed):
    train, _, _ = parts
    extract = features.extractor(borrowed, 32)
    stored, labels = features.compute(extract, pipeline.batches(train, 32, batch_size=4), progress=False)
    assert stored.shape == (len(train), 1280)
    assert labels.tolist() == train["label"].cat.codes.tolist()
    images = np.concatenate([x for x, _ in pipeline.batches(train, 32)])
    maps = np.asarray(borrowed.base((images - 127) / 128, training=False))
    np.testing.assert_allclose(stored, maps.mean(axis=(1, 2)), atol=1e-4)


@pytest.mark.parametrize("head", ["closed", "dense"])
def test_the_frozen_phase_learns_two_colors_and_changes_no_base(parts, borrowed, head):
    train, validation, test = parts
    before = [weight.copy() for weight in borrowed.base.get_weights()]
    model, history = training.frozen(borrowed, train, validation, 32, head=head, epochs=5)
    said = model.predict(pipeline.batches(test, 32), verbose=0).argmax(axis=1)
    assert said.tolist() == test["label"].cat.codes.tolist()
    assert history["val_loss"].notna().all()
    for old, new in zip(before, borrowed.base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_unknown_head_is_refused(parts, borrowed):
    with pytest.raises(ValueError, match='"closed" or "dense"'):
        training.frozen(borrowed, parts[0], parts[1], 32, head="deep")


def test_fine_tuning_moves_the_base_but_no_statistics(parts):
    train, validation, _ = parts
    lite0 = backbones.get("efficientnet_lite0")
    model, _ = training.frozen(lite0, train, validation, 32)
    statistics = transfer.batch_norm_statistics(lite0.base)
    kernel = lite0.base.get_layer("stem_conv").get_weights()[0]
    augmented = pipeline.batches(train, 32, shuffle=True, augmentation=pipeline.augmentation(0))
    history = training.fine_tune(model, lite0.base, augmented, pipeline.batches(validation, 32), epochs=2)
    assert history.index.tolist() == [0, 1, 2]
    after = transfer.batch_norm_statistics(lite0.base)
    assert len(statistics) == 2 * 49
    for old, new in zip(statistics, after, strict=True):
        np.testing.assert_array_equal(old, new)
    if history["val_accuracy"].idxmax() > 0:  # the best epoch was kept, and it is not the start
        assert not np.array_equal(kernel, lite0.base.get_layer("stem_conv").get_weights()[0])


def line(rate, epochs, callbacks=()):
    """Train one weight on y = 0 from x = 1 with a given rate; return (model, history)."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="mse")
    x, y = np.ones((4, 1)), np.zeros((4, 1))
    batches = training._in_order(x, y)
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
    batches = training._in_order(np.ones((4, 1)), np.zeros((4, 1)))
    with pytest.raises(KeyboardInterrupt):
        training.fit(model, batches, batches, 9, [Interrupt()])
    assert model.get_weights()[0] == pytest.approx(0.25)


def test_the_same_seed_gives_the_same_head():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(40, 6)).astype("float32"), np.arange(40) % 2

    def weights(seed):
        keras.utils.set_random_seed(seed)
        head = transfer.dense_head(6, 2, units=4, seed=seed)
        training.train_head(head, train, train, epochs=2, seed=seed)
        return np.concatenate([weight.ravel() for weight in head.get_weights()])

    np.testing.assert_array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


@pytest.mark.parametrize(("by", "epoch_kept"), [("accuracy", 2), ("loss", 3)])
def test_the_best_epoch_is_the_most_accurate_or_the_one_with_the_least_loss(by, epoch_kept):
    """Epochs 1 and 2 are level in accuracy, and 2 has less loss; epoch 3 has the least loss of all."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    best = training.BestEpoch(None, by)
    best.set_model(model)
    rows = [(0.8, 0.3), (0.9, 0.6), (0.9, 0.5), (0.85, 0.2)]
    for epoch, (accuracy, loss) in enumerate(rows):
        model.set_weights([np.array([[float(epoch)]])])
        best.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": loss})
    best.restore()
    assert model.get_weights()[0] == epoch_kept
