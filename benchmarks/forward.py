"""How fast can a photo pass through a frozen base, by which means, and can the reading keep up?

    pip install onnxruntime tf2onnx
    python -m benchmarks.forward --photos 256 --image-size 224 --rounds 5

Every means computes the features of the same photos, in turn, several rounds in one process. Its error is the largest
difference from Keras float32, relative to the largest feature. ONNX Runtime is left out where it is not installed.
"""

import argparse
import concurrent.futures
import importlib.util
import pathlib
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf
import tqdm
from tensorflow.python.framework import convert_to_constants

from tutorial_utils import _machine
from tutorial_utils.data import catalog, images, pipeline
from tutorial_utils.models import backbones, features, litert

from . import results

BATCH = 32


def means(model, key, folder):
    """Return {what computes: function from float32 (photos, h, w, 3) to features (photos, channels)}.

    `litert.fastest_function` is the course's own; the others are what else the machine can do.
    """
    shape = model.input_shape[1:]
    compiled = tf.function(lambda images: model(images, training=False))
    concrete = compiled.get_concrete_function(tf.TensorSpec((None, *shape), tf.float32))
    frozen = convert_to_constants.convert_variables_to_constants_v2(concrete)
    ours, name = litert.fastest_function(model, key)
    found = {
        "Keras predict, batches of 16": lambda x: model.predict(x, batch_size=16, verbose=0),
        "Keras predict, batches of 32": lambda x: model.predict(x, batch_size=32, verbose=0),
        "Keras predict, batches of 64": lambda x: model.predict(x, batch_size=64, verbose=0),
        "tf.function, batches of 32": in_batches(lambda x: compiled(tf.constant(x)).numpy()),
        "tf.function, variables made constants": in_batches(lambda x: frozen(tf.constant(x))[0].numpy()),
        f"{name}, a photo a core (ours)": in_threads(ours),
    }
    if name.startswith("litert"):
        for batch in (1, 8, 32):
            found[f"{name}, batches of {batch}, all cores on one"] = in_batches(lite(model, batch), batch)
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("tf2onnx"):
        path = folder / "model.onnx"
        model.export(path, format="onnx", verbose=False)
        found["ONNX Runtime, batches of 32"] = in_batches(onnx(path, _machine.cores()))
        one = onnx(path, 1)
        found["ONNX Runtime, a photo a core"] = in_threads(lambda image: one(image[None])[0])
    return found


def in_batches(function, size=BATCH):
    """Return a function of all photos that calls `function` batch by batch."""
    return lambda x: np.concatenate([function(x[first : first + size]) for first in range(0, len(x), size)])


def in_threads(function):
    """Return a function of all photos that calls `function` photo by photo, one on each core."""
    pool = concurrent.futures.ThreadPoolExecutor(_machine.cores())
    return lambda x: np.stack(list(pool.map(function, x)))


def lite(model, batch):
    """Return a LiteRT function of `batch` photos that divides each batch among all cores."""
    from ai_edge_litert import interpreter

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    run = interpreter.Interpreter(model_content=converter.convert(), num_threads=_machine.cores())
    place = run.get_input_details()[0]["index"]
    run.resize_tensor_input(place, (batch, *model.input_shape[1:]))
    run.allocate_tensors()
    output = run.get_output_details()[0]["index"]

    def call(x):
        run.set_tensor(place, x)
        run.invoke()
        return run.get_tensor(output)

    return call


def onnx(path, threads):
    """Return a function of photos that ONNX Runtime computes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def reading(table, image_size):
    """Return {how: function that reads every photo}: alone, and as training does (read, upright, resize, batch)."""
    paths = list(table["path"])
    pool = concurrent.futures.ThreadPoolExecutor(_machine.cores())
    return {
        "read_image, a photo a core": lambda: list(pool.map(lambda path: images.read_image(path, image_size), paths)),
        "input pipeline": lambda: [len(y) for _, y in pipeline.batches(table, image_size, batch_size=BATCH)],
    }


def main():
    """Print the table and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=256, help="a multiple of 32")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dataset", default="leaves", help="a data set's name or a folder")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--results", type=pathlib.Path, default=results.PATH)
    arguments = parser.parse_args()

    size = arguments.image_size
    table = catalog.load_photos(arguments.dataset).iloc[: arguments.photos]
    x = np.stack([images.read_image(path, size) for path in table["path"]]).astype(np.float32)
    model = features.extractor(backbones.get(arguments.backbone, fallback=None), size)
    keras_features = keras.ops.convert_to_numpy(model(x[:64], training=False))
    with tempfile.TemporaryDirectory() as folder:
        ways = {name: (lambda f=f: f(x)) for name, f in means(model, "benchmark", pathlib.Path(folder)).items()}
        errors = {
            name: float(np.abs(way()[:64] - keras_features).max() / np.abs(keras_features).max())
            for name, way in ways.items()
        }  # also the first call of each, which is not timed
        ways |= reading(table, size)
        seconds = {name: [] for name in ways}
        for _ in tqdm.trange(arguments.rounds, unit="round"):
            for name, way in ways.items():
                started = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - started)
    rates = {name: len(x) / float(np.median(each)) for name, each in seconds.items()}
    fastest = max(errors, key=rates.get)
    ours = next(name for name in errors if name.endswith("(ours)"))
    found = {
        "forward": {name: {"photos_a_second": rates[name], "relative_error": errors.get(name)} for name in rates},
        "forward_of_fastest": rates[ours] / rates[fastest],
        "pipeline_over_base": rates["input pipeline"] / rates[fastest],
    }
    results.add(found, arguments.results)
    for name, rate in rates.items():
        error = f"relative error {errors[name]:.0e}" if name in errors else ""
        print(f"{rate:7.0f} photos a second  {name:45} {error}")
    print(f"forward_of_fastest {found['forward_of_fastest']:.2f}, pipeline_over_base {found['pipeline_over_base']:.1f}")


if __name__ == "__main__":
    main()
