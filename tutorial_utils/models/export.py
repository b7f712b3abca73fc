"""A trained model in the forms that other programs read: LiteRT (.tflite) and ONNX, each checked against Keras.

Every export takes raw pixels 0-255, float32 (photos, height, width, 3), and gives probabilities (photos, classes).
"""

import pathlib
import time
import warnings

import keras
import numpy as np
import pandas
import tensorflow as tf

from .. import _check, _files, _quiet
from . import litert

KINDS = ("float32", "float16", "int8")
NAMES = {"float32": "model.tflite", "float16": "model_float16.tflite", "int8": "model_int8.tflite"}
ONNX = "model.onnx"
_TIMED = 50  # photos that Keras is timed on, one at a time
TOLERANCE = 1e-4  # by which a probability of a float32 export may differ from Keras's


def to_litert(model, kind="float32", examples=None):
    """Return a model as the bytes of a .tflite file.

    model : pixels 0-255 (batch, h, w, 3) to probabilities (batch, classes)
    kind : "float32"; "float16" (weights of half the size); "int8" (weights and sums in whole numbers of 8 bits, a
        quarter of the size; pixels and probabilities stay float32)
    examples : pixels (photos, h, w, 3), for int8 only: photos like those to come, from which the ranges are taken;
        training photos, a hundred or more. Never test photos
    Raises ValueError for another kind, or int8 without examples; RuntimeError if LiteRT lacks an operation.
    """
    _check.choice("kind", kind, KINDS)
    if kind == "int8" and (examples is None or not len(examples)):
        raise ValueError("int8 takes its ranges from photos: give examples, pixels 0-255 (photos, height, width, 3).")
    converter = litert.converter(model)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        converter.representative_dataset = lambda: ([tf.cast(image[None], tf.float32)] for image in examples)
    try:
        with _quiet.without_notes(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Statistics for quantized inputs")  # they are given: examples
            return converter.convert()
    except Exception as error:  # the converter's own error class has no public name
        raise RuntimeError(f"LiteRT cannot take {model.name}: {error}") from error


def write_onnx(model, path):
    """Write a model as an ONNX file, any number of photos a call. Raises ImportError that says what to install."""
    try:
        import tf2onnx  # noqa: F401  (Keras needs it)
    except ImportError:
        raise ImportError('ONNX export needs tf2onnx and onnxruntime: pip install "tutorial_utils[export]"') from None
    fresh = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    fresh(np.zeros((1, *model.input_shape[1:]), np.float32))  # Keras exports only what was called
    with _quiet.without_notes(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"keras\..*")  # of Keras to itself
        _files.replace_with(pathlib.Path(path), lambda file: fresh.export(file, format="onnx", verbose=False))


def write_exports(model, folder, examples):
    """Write every export of a model into a folder, each whole or not at all; return {kind: path}.

    examples : as for `tflite`. ONNX is left out where tf2onnx is not installed.
    """
    folder, files = pathlib.Path(folder), {}
    for kind in KINDS:
        files[kind] = folder / NAMES[kind]
        _files.write_bytes(files[kind], to_litert(model, kind, examples))
    try:
        write_onnx(model, folder / ONNX)
        files["onnx"] = folder / ONNX
    except ImportError:
        (folder / ONNX).unlink(missing_ok=True)  # one of an earlier run would be of another model
    return files


def predict_export(path, images):
    """Return the probabilities that an exported file gives for pixels 0-255 (photos, h, w, 3), a photo at a time."""
    return _ask(_runner(pathlib.Path(path)), np.asarray(images))[0]


def run_exports(model, files, images):
    """Return {kind: (probabilities, milliseconds)} of the Keras model, named "keras", and of each of its exports.

    files : {kind: path}, as from `write`; images : pixels 0-255 (photos, h, w, 3), the same for all
    milliseconds : of a photo, one at a time, the median; an export on one processor core, Keras as it likes
    """
    images = np.asarray(images)
    shares = model.predict(images, verbose=0)  # what the exports are held against
    some = images[: min(len(images), _TIMED)]
    _, seconds = _ask(lambda image: model.predict_on_batch(image[None])[0], some)
    found = {"keras": (shares, 1e3 * seconds)}
    for kind, path in files.items():
        shares, seconds = _ask(_runner(pathlib.Path(path)), images)
        found[kind] = (shares, 1e3 * seconds)
    return found


def compare_exports(asked, files):
    """Return what each export is worth beside the Keras model, as a DataFrame indexed by kind.

    asked : as from `ask`; files : {kind: path}, that of the Keras model too where its size is to be told
    Columns: `megabytes`, `milliseconds` (a photo), `largest_difference` (of a probability from Keras's),
    `same_class` (share of photos with the same top class).
    """
    ours, rows = asked["keras"][0], {}
    for kind, (theirs, milliseconds) in asked.items():
        size = pathlib.Path(files[kind]).stat().st_size / 1e6 if kind in files else np.nan
        same = (theirs.argmax(axis=1) == ours.argmax(axis=1)).mean()
        rows[kind] = {"megabytes": size, "milliseconds": milliseconds}
        rows[kind] |= {"largest_difference": float(np.abs(theirs - ours).max()), "same_class": float(same)}
    return pandas.DataFrame(rows).T.rename_axis("export")


def _ask(run, images):
    """Return (probabilities, median seconds a photo) of a function from one photo to its probabilities."""
    found, seconds = [], []
    run(images[0].astype(np.float32))  # the first call sets things up
    for image in images:
        started = time.perf_counter()
        found.append(run(image.astype(np.float32)))
        seconds.append(time.perf_counter() - started)
    return np.stack(found), float(np.median(seconds))


def _runner(path):
    """Return a function from float32 (h, w, 3) to probabilities (classes,) that asks an exported file."""
    if path.suffix == ".tflite":
        return litert.LiteRTModel(path.read_bytes())
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: session.run(None, {name: image[None]})[0][0]
