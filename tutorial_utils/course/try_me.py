"""try_me.html: a finished model as one page that anyone opens from a disk, on a laptop or a phone (chapter 8).

The network runs in the page with ONNX Runtime Web; the browser itself lets the page reach no address. It reads photos
as images.read_image does and says "I don't know" by the rule of `predict`.
"""

import base64
import datetime
import gzip
import importlib.util
import io
import pathlib

import numpy as np
import pandas
import PIL.Image

from .. import _files
from ..data.images import read_image
from . import npm_packages, predictor, run_folder
from .model_card import limits
from .rendering import percent, render
from .summary import EvaluationSummary

LARGEST = 30_000_000  # bytes that a page may weigh
RUNTIME = npm_packages.Package(
    "onnxruntime-web",
    "1.30.0",
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    {
        f"dist/{name}": f"onnxruntime-web-1.30.0/{name}"
        for name in ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
    },
)
_CLOSE = 0.005  # by which a probability may differ with weights of 16 bits
_ASKED = 32  # test photos that are asked with these
_SIDE = 320  # pixels of an example photo's longer side


class NoPage(RuntimeError):
    """The page cannot be made, or would be too large; the message says why and what to do."""


def write_page(run, title, avoid=(), examples=(), language=None, day=None):
    """Write try_me.html into a run folder, atomically, and return its path.

    run : a run folder that chapter 8 has filled: model.onnx, known.npz, labels.txt, predictions.csv, metrics.json
    title : what the model tells apart; avoid : sentences, what this model in particular must not be used for
    examples : list of (name, photo's path or pixels, uint8 (h, w, 3)): buttons on the page. They travel with it
    language : of the class names, as "de" or "pt-BR", by which a screen reader pronounces them; None: English
    Weights have 16 bits, if some test photos get the same answers so. Raises NoPage without model.onnx or npm, or if
    the page would weigh more than LARGEST bytes.
    """
    run = pathlib.Path(run)
    (run / "try_me.html").unlink(missing_ok=True)  # one of an earlier run would be of another model
    if not (run / "model.onnx").is_file() or importlib.util.find_spec("onnx") is None:
        raise NoPage('try_me.html needs two packages more: pip install "tutorial_utils[export]", then run this again.')
    try:
        scripts = npm_packages.fetch([RUNTIME]) / "onnxruntime-web-1.30.0"
    except (npm_packages.NotThere, OSError) as error:
        raise NoPage(f"There is no try_me.html yet. {error}") from error
    metrics, _ = run_folder.read_run(run)
    summary = EvaluationSummary.from_metrics(metrics)
    with np.load(run / predictor.OOD_FILE, allow_pickle=False) as kept:
        features, limit, nearest = kept["features"], float(kept["limit"]), int(kept["nearest"])
    threshold = None if summary.threshold is None or not np.isfinite(summary.threshold) else summary.threshold
    about = {
        "labels": (run / "labels.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n"),
        "size": metrics["image_size"], "channels": features.shape[1], "limit": limit, "nearest": nearest,
        "threshold": threshold, "unsure": _unsure(threshold), "language": language,
    }  # fmt: skip
    parts = {
        "runtime-code": _pack((scripts / "ort-wasm-simd-threaded.mjs").read_bytes()),
        "runtime": _pack((scripts / "ort-wasm-simd-threaded.wasm").read_bytes()),
        "model": _pack(_smaller(run, metrics["image_size"])),
        "known": _pack(features.astype("<f2").tobytes()),
    }
    page = render(
        "try_me.html.j2",
        title=title, about=about, parts=parts, summary=summary, limits=limits(summary, avoid),
        runtime=(scripts / "ort.wasm.min.js").read_text(encoding="utf-8"), day=day or datetime.date.today(),
        examples=[(name, _picture(photo)) for name, photo in examples],
    )  # fmt: skip
    if len(page.encode()) > LARGEST:
        raise NoPage(
            f"try_me.html is left out: with {metrics['backbone']} it would weigh {len(page) / 1e6:.0f} MB, and "
            f"{LARGEST / 1e6:.0f} are what a phone opens well. A smaller network, such as efficientnet_lite0, fits."
        )
    return _files.write_text(run / "try_me.html", page)


def _unsure(threshold):
    if threshold is None:
        return "On held-out photos it was wrong too often, however sure it was. Check this one yourself."
    return f"Below {percent(threshold)}, it was wrong too often on held-out photos. Check this one yourself."


def _pack(content):
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode("ascii")


def _smaller(run, image_size):
    """Return model.onnx with weights of 16 bits (bytes), or as it is if some test photos get other answers so."""
    import onnx
    import onnxruntime

    content = (run / "model.onnx").read_bytes()
    half = _with_half_weights(onnx.load_from_string(content)).SerializeToString()
    some = pandas.read_csv(run / "predictions.csv", dtype={"path": str}).query("problem.isna()")
    some = some.sample(min(len(some), _ASKED), random_state=0)
    expected = some.filter(regex="^p: ").to_numpy()
    try:
        session = onnxruntime.InferenceSession(half, providers=["CPUExecutionProvider"])
    except Exception:  # the package's own error classes have no common public name
        return content
    images = np.stack([read_image(path, image_size) for path in some["path"]]).astype(np.float32)
    found = np.concatenate([session.run(None, {session.get_inputs()[0].name: image[None]})[0] for image in images])
    same = (found.argmax(axis=1) == expected.argmax(axis=1)).all()
    return half if same and np.abs(found - expected).max() <= _CLOSE else content


def _with_half_weights(model):
    """Return an ONNX model whose large arrays are kept as 16-bit floats, and made 32-bit ones when it is loaded."""
    import onnx
    from onnx import numpy_helper

    graph, casts = model.graph, []
    for place, tensor in enumerate(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 1024 and np.abs(values).max() < np.finfo(np.float16).max:
            stored = numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}_16")
            casts.append(onnx.helper.make_node("Cast", [stored.name], [tensor.name], to=onnx.TensorProto.FLOAT))
            graph.initializer[place].CopyFrom(stored)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _picture(photo):
    """Return a photo as a PNG, base64, small enough to travel."""
    pixels = photo if isinstance(photo, np.ndarray) else read_image(photo)
    image = PIL.Image.fromarray(pixels)
    image.thumbnail((_SIDE, _SIDE), PIL.Image.Resampling.BILINEAR)
    kept = io.BytesIO()
    image.save(kept, "PNG")
    return base64.b64encode(kept.getvalue()).decode("ascii")
