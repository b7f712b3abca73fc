"""PyTorch's files of before 1.6 as NumPy arrays, without PyTorch and without running what they pickle.

Five pickles in a row (magic number, protocol, system, state, list of storages), then the numbers themselves.
"""

import collections
import pickle

import numpy as np

_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class WeightsError(ValueError):
    """A weights file that cannot be used; the message names the file and says what to do."""


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
