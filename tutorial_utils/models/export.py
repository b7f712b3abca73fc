"""A trained model in the forms that other programs read: LiteRT (.tflite) and ONNX, each checked against Keras.

Every export takes raw pixels 0-255, float32 (photos, height, width, 3), and gives probabilities (photos, classes).
"""

import concurrent.futures
import gc
import importlib.util
import json
import pathlib
import time
import warnings

import keras
import numpy as np
import pandas
import tensorflow as tf

from .. import _check, _files, _machine, _quiet
from . import litert

KINDS = ("float32", "float16", "int8")  # of LiteRT
NAMES = {"keras": "model.keras", "float32": "model.tflite", "float16": "model_float16.tflite"}
NAMES |= {"int8": "model_int8.tflite", "onnx": "model.onnx"}
_TIMED = 20  # photos that each form is timed on, one at a time
TOLERANCE = 1e-4  # by which a probability of a float32 export may differ from Keras's


def to_litert(model, kind="float32", examples=None):
    """Return a model as the bytes of a .tflite file.

    model : pixels 0-255 (batch, h, w, 3) to probabilities (batch, classes)
    kind : "float32"; "float16" (weights of half the size); "int8" (weights and sums in whole numbers of 8 bits, a
        quarter of the size; pixels and probabilities stay float32)
    examples : pixels (photos, h, w, 3), for int8 only: photos like those to come, from which the ranges are taken;
        training photos, some 30 (more brought nothing: benchmarks/README.md). Never test photos
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


def write_exports(model, folder, examples, stages=None):
    """Write every export of a model into a folder, each whole or not at all; return {kind: path}.

    examples : as for `to_litert`. ONNX is left out where its packages are not installed (the extra `export`).
    stages : (maps, rest) of the model, as from saliency.split_model: then the ONNX file gives, after the probabilities,
        the features by which a photo is told to be unlike all training photos (features.answers)
    """
    files = {kind: pathlib.Path(folder) / NAMES[kind] for kind in (*KINDS, "onnx")}
    for kind in KINDS:
        _files.write_bytes(files[kind], to_litert(model, kind, examples))
        gc.collect()  # a conversion leaves hundreds of megabytes in cycles
    if not all(map(importlib.util.find_spec, ("tf2onnx", "onnxruntime"))):  # to write it, to run it
        files.pop("onnx").unlink(missing_ok=True)  # one of an earlier run would be of another model
    else:
        _write_onnx(model, files["onnx"], stages)
    return files


def _write_onnx(model, path, stages):
    """Write a model as an ONNX file that takes any number of photos a call."""
    if stages is None:
        fresh = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    else:
        pixels = keras.Input(model.input_shape[1:], name="pixels")
        maps = stages[0](pixels, training=False)
        features = keras.ops.mean(tf.nest.flatten(maps)[-1], axis=(1, 2))
        fresh = keras.Model(pixels, [stages[1](maps, training=False), features], name=model.name)
    fresh(np.zeros((1, *model.input_shape[1:]), np.float32))  # Keras exports only what was called
    with _quiet.without_notes(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"keras\..*")  # of Keras to itself
        _files.replace_with(path, lambda file: fresh.export(file, format="onnx", verbose=False))


def load_export(path):
    """Return (function, image_size) of an export that lies in the run folder which wrote it.

    path : .tflite or .onnx, listed in the run.json beside it (run_folder.record_hashes)
    function : pixels 0-255 (photos, image_size, image_size, 3) to probabilities (photos, classes)
    Raises ValueError for any other file, whose pixels and outputs nobody knows, or if the package that runs it lacks.
    """
    path = pathlib.Path(path)
    record = path.with_name("run.json")
    written = json.loads(record.read_text(encoding="utf-8")).get("files_sha256", {}) if record.is_file() else {}
    if _files.sha256(path) not in written.values():
        raise ValueError(
            f"{path} is no export that a run.json beside it lists, so nobody knows which pixels it takes. Give an "
            "export in the run folder of chapter 8 that wrote it, or the Keras model (.keras, .h5) it was made from."
        )
    package = "ai_edge_litert" if path.suffix.lower() == ".tflite" else "onnxruntime"
    if importlib.util.find_spec(package) is None:
        raise ValueError(f"{path} is run by a package that is missing: pip install {package.replace('_', '-')}")
    run, (_, side, _, _) = _load(path)
    return lambda images: np.stack([run(image) for image in np.asarray(images, np.float32)]), int(side)


def run_exports(model, files, images, probabilities=None):
    """Return {kind: (probabilities, milliseconds)} of the Keras model, named "keras", and of each of its exports.

    files : {kind: path}, as from `write_exports`; images : pixels 0-255 (photos, h, w, 3), the same for all
    probabilities : what the Keras model says of them, where that is known already
    milliseconds : of a photo, one at a time, the median; an export on one processor core, Keras as it likes
    """
    images = np.asarray(images)
    if probabilities is None:
        probabilities = model.predict(images, verbose=0)
    _, seconds = _run(lambda image: model.predict_on_batch(image[None])[0], images[:_TIMED])
    found = {"keras": (probabilities, 1e3 * seconds)}
    for kind, path in files.items():
        probabilities, seconds = _run(_load(pathlib.Path(path))[0], images)
        found[kind] = (probabilities, 1e3 * seconds)
    return found


def compare_exports(answers, files):
    """Return what each export is worth beside the Keras model, as a DataFrame indexed by kind.

    answers : as from `run_exports`; files : {kind: path}, that of the Keras model too where its size is to be told
    Columns: `megabytes`, `milliseconds` (a photo), `largest_difference` (of a probability from Keras's),
    `same_class` (share of photos with the same top class).
    """
    ours, rows = answers["keras"][0], {}
    for kind, (theirs, milliseconds) in answers.items():
        size = pathlib.Path(files[kind]).stat().st_size / 1e6 if kind in files else np.nan
        same = (theirs.argmax(axis=1) == ours.argmax(axis=1)).mean()
        rows[kind] = {"megabytes": size, "milliseconds": milliseconds}
        rows[kind] |= {"largest_difference": float(np.abs(theirs - ours).max()), "same_class": float(same)}
    return pandas.DataFrame(rows).T.rename_axis("export")


def _run(predict, images):
    """Return (probabilities, median seconds a photo) of a function from one photo to its probabilities.

    The first photos are asked one after the other and timed, the others on all cores at once.
    """
    found, seconds = [], []
    predict(images[0].astype(np.float32))  # the first call sets things up
    for image in images[:_TIMED]:
        started = time.perf_counter()
        found.append(predict(image.astype(np.float32)))
        seconds.append(time.perf_counter() - started)
    with concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        found += pool.map(lambda image: predict(image.astype(np.float32)), images[_TIMED:])
    return np.stack(found), float(np.median(seconds))


def _load(path):
    """Return (function, shape) of an exported file: float32 (h, w, 3) to probabilities (classes,); of its input."""
    if path.suffix.lower() == ".tflite":
        from ai_edge_litert import interpreter

        with _quiet.without_notes():
            (photos,) = interpreter.Interpreter(model_path=str(path)).get_input_details()
        return litert.LiteRTModel(path.read_bytes()), photos["shape"]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (photos,) = session.get_inputs()
    return lambda image: session.run(None, {photos.name: image[None]})[0][0], photos.shape
