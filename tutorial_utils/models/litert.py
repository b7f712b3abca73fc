"""The fastest way through a network that does not learn: LiteRT where it runs, Keras elsewhere."""

import importlib.metadata
import importlib.util
import logging
import threading

import keras
import numpy as np
import tensorflow as tf

from .. import _files, _quiet

TOLERANCE = 1e-4  # relative to the largest value; LiteRT stays near 2e-6
_PACKAGE = "ai-edge-litert"
_USED = set()
_STARTING = threading.Lock()  # one interpreter starts at a time: its notes are held back for the whole process


def fastest_function(model, key):
    """Return (function, means): the fastest way found to what the model makes of one photo.

    model : a Keras model, (1, h, w, 3) to (1, ...), every size known; key : str, changes whenever its weights do
    function : float32 (h, w, 3) -> float32 (...); threads may call it at once, each has a copy of its own
    means : what computes, for the record: "litert 2.3.0", or "keras 3.15.1" where LiteRT is not installed, cannot
        take the model, or is more than TOLERANCE away from Keras
    """
    function, means = _choose(model, key)
    _USED.add(means)
    return function, means


def engines_used():
    """Return the means that this process has computed with so far, for run.json: one, or none."""
    return sorted(_USED)


def _choose(model, key):
    if importlib.util.find_spec("ai_edge_litert") is None:
        return _keras(model)
    path = _files.cache_folder() / "litert" / f"{key}.tflite"
    content = _read(path)
    if content is None:
        content = _convert(model)
        if content is None or not _agrees(model, LiteRTModel(content)):
            return _keras(model)
        _files.write_bytes(path, _digest(content) + content)
    return LiteRTModel(content), f"litert {importlib.metadata.version(_PACKAGE)}"


class LiteRTModel:
    """A LiteRT model: float32 (h, w, 3) -> (...), one photo a call, one processor core a thread.

    content : the bytes of a .tflite file
    """

    def __init__(self, content):
        self._content = content
        self._mine = threading.local()  # an interpreter holds its last photo, so threads cannot share one

    def __call__(self, image):
        """Return what the model makes of one photo."""
        if not hasattr(self._mine, "interpreter"):
            self._mine.interpreter = self._interpreter()
        run = self._mine.interpreter
        run.set_tensor(run.get_input_details()[0]["index"], image[None])
        run.invoke()
        return run.get_tensor(run.get_output_details()[0]["index"])[0]

    def _interpreter(self):
        from ai_edge_litert import interpreter  # here: its package is optional

        with _STARTING, _quiet.without_notes():
            run = interpreter.Interpreter(model_content=self._content, num_threads=1)
            run.allocate_tensors()
        return run


def _keras(model):
    compiled = tf.function(lambda images: model(images, training=False), reduce_retracing=True)
    return lambda image: compiled(tf.constant(image[None]))[0].numpy(), f"keras {keras.__version__}"


def converter(model):
    """Return a tf.lite.TFLiteConverter of a model, one photo a call: (1, h, w, 3) to (1, ...)."""
    function = tf.function(lambda images: model(images, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, *model.input_shape[1:]), tf.float32))
    found = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    found.experimental_lower_to_saved_model = False  # the way over a SavedModel on disk takes longer
    return found


def _convert(model):
    """Return the model as .tflite bytes; None if LiteRT lacks one of its operations."""
    try:
        with _quiet.without_notes():
            return converter(model).convert()
    except Exception as error:  # the converter's own error class has no public name
        logging.getLogger(__name__).info("LiteRT cannot take %s: %s", model.name, error)
        return None


def _agrees(model, function):
    probe = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:])).astype(np.float32)
    try:
        ours = np.stack([function(image) for image in probe])
    except (RuntimeError, ValueError):  # LiteRT's words for an operation that it lacks
        return False
    theirs = keras.ops.convert_to_numpy(model(probe, training=False))
    return np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()


def _digest(content):
    return _files.sha256_of(content).encode() + b"\n"


def _read(path):
    """Return the content of a converted model kept earlier; None if there is none or its bytes have changed."""
    if not path.is_file():
        return None
    digest, _, content = path.read_bytes().partition(b"\n")
    return content if digest + b"\n" == _digest(content) else None
