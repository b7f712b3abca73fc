import collections
import pickle

import keras
import numpy as np
import pytest

from tutorial_utils.models import lite0


@pytest.fixture(scope="module")
def base():
    return lite0.load()


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
    state = lite0.read_torch_file(lite0.weights_path())
    stem = base.get_layer("stem_conv").get_weights()[0]
    top = base.get_layer("top_conv").get_weights()[0]
    assert stem[2, 1, 0, 5] == state["_conv_stem.weight"][5, 0, 2, 1]
    assert top[0, 0, 7, 1000] == state["_conv_head.weight"][1000, 7, 0, 0]
    depthwise = base.get_layer("block3_depthwise_conv").get_weights()[0]
    assert depthwise[4, 2, 9, 0] == state["_blocks.3._depthwise_conv.weight"][9, 0, 4, 2]


def test_it_knows_real_classes(shared):
    """With its own ImageNet head it calls photos of shoes shoes: a wrong layout or scale would not.

    ImageNet-1000 classes 514 (cowboy boot), 630 (Loafer), 770 (running shoe), 774 (sandal), 502 (clog).
    """
    from tutorial_utils.data.photos import read_photo

    paths = sorted((shared / "data" / "clothing" / "shoes").glob("*.jpg"))[:40]
    images = np.stack([read_photo(path, 224) for path in paths]).astype("float32")
    features = lite0.load().predict((images - 127) / 128, verbose=0).mean(axis=(1, 2))
    best = lite0.imagenet_head().predict(features, verbose=0).argmax(axis=1)
    assert np.isin(best, [502, 514, 630, 770, 774]).mean() > 0.6


def test_the_published_head_is_that_of_the_file(base):
    """A feature alone: the scores are its column of the kernel and the biases; with `base`, all 4,652,008 weights."""
    state, head = lite0.read_torch_file(lite0.weights_path()), lite0.imagenet_head()
    probabilities = head.predict(np.eye(1280, dtype="float32")[7:8], verbose=0)[0]  # (1000,)
    scores = state["_fc.weight"][:, 7] + state["_fc.bias"]
    np.testing.assert_allclose(probabilities, np.exp(scores) / np.exp(scores).sum(), rtol=1e-4)
    weights = [*base.trainable_weights, *head.trainable_weights]
    assert sum(int(np.prod(weight.shape)) for weight in weights) == 4_652_008


def test_a_flipped_byte_is_found(tmp_path):
    data = bytearray(lite0.weights_path().read_bytes())
    data[1_000_000] ^= 1
    path = tmp_path / "weights.pth"
    path.write_bytes(data)
    for read in (lite0.load, lite0.imagenet_head):
        with pytest.raises(lite0.WeightsError, match=r"weights\.pth is damaged or not the published file"):
            read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(lite0.WeightsError, match=r"no weights file .*gone\.pth"):
        lite0.load(tmp_path / "gone.pth")


def test_a_file_cut_short_is_named(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(lite0.weights_path().read_bytes()[:2_000_000])
    with pytest.raises(lite0.WeightsError, match="cannot be read as a PyTorch weights file"):
        lite0.read_torch_file(path)


def test_a_file_that_wants_to_run_something_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("I ran",)

    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join(pickle.dumps(value, 2) for value in (1, 1001, {}, Evil(), [])))
    with pytest.raises(lite0.WeightsError, match=r"asks for (builtins|__builtin__)\.print"):
        lite0.read_torch_file(path)


def test_harmless_names_pass(tmp_path):
    path = tmp_path / "weights.pth"
    state = collections.OrderedDict()
    path.write_bytes(b"".join(pickle.dumps(value, 2) for value in (1, 1001, {}, state, [])))
    assert lite0.read_torch_file(path) == {}
