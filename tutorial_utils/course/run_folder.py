"""The run folder: what a chapter leaves behind, and how the next chapter finds it."""

import ast
import importlib.metadata
import json
import pathlib
import platform
import sys
import time

import keras
import threadpoolctl

from .. import _check, _files
from ..data import catalog, splits
from ..data.images import VERSION
from ..models import backbones, import_model, litert

_RULES = {  # of every parameter of a chapter or lab; None stands for what the notebook works out itself
    "dataset": catalog.check_dataset,
    "backbone": lambda value: _check.choice("backbone", value, backbones.NAMES),
    "image_size": _check.image_size,
    "seed": _check.seed,
    "photos_per_class": lambda value: value is None or _check.integer("photos_per_class", value, 3, 10**9),
    "epochs": lambda value: value is None or _check.integer("epochs", value, 1, 1000),
    "scratch_epochs": lambda value: _check.integer("scratch_epochs", value, 1, 1000),
    "seeds": lambda value: _check.integer("seeds", value, 3, 50),
    "wanted_error": lambda value: _check.share("wanted_error", value),
    "photos_license": lambda value: value is None or _check.text("photos_license", value),
    "model_path": lambda value: value is None or import_model.check_file(_check.text("model_path", value)),
    "class_names": lambda value: value is None or import_model.read_class_names(value),
    "pixels": lambda value: value is None or _check.choice("pixels", value, tuple(import_model.PIXELS)),
    "output": lambda value: _check.choice("output", value, import_model.OUTPUTS),
    "effort": lambda value: _check.choice("effort", value, ("quick", "best")),
    "page_examples": lambda value: value == 0 or _check.integer("page_examples", value, 1, 20),
    "labels_language": lambda value: value is None or _check.language("labels_language", value),
    "full": lambda value: _check.boolean("full", value),
    "run_dir": lambda value: isinstance(value, pathlib.Path) or _check.text("run_dir", value),
}
_TOLD = {  # the settings for which the chapters' claims were seen; another parameter changes none of them
    "dataset": ("leaves",),
    "backbone": ("mobilenet_v2", "efficientnet_lite0"),
    "image_size": (True,),  # as the notebook has it
    "seed": (0,),
    "photos_per_class": (None,),
    "epochs": (None,),
    "scratch_epochs": (20,),
    "seeds": (5,),
    "model_path": (None,),
}
_BEGUN = {}  # {run folder: when `start` made it in this process}
_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "pandas", "scikit-learn", "pillow")


def start(*, run_dir="runs/mine", **others):
    """Check a notebook's parameters before any long work; return its run folder (Path), made if it is new.

    From here on linear algebra has one thread: a notebook's matrices are small, and threads that wait for each other
    on a busy machine take ten times as long.
    run_dir : path of the run folder; others : the other parameters of the notebook, by name, each with its value
    Raises ValueError that names the parameter and says what to do: also for a name that papermill set and
    that the notebook does not know, which papermill itself lets pass with a warning.
    """
    parameters = {**others, "run_dir": run_dir}
    stray = sorted(_injected() - parameters.keys())
    if stray:
        raise ValueError(f"This notebook has no parameter {', '.join(stray)}; it has {', '.join(sorted(parameters))}.")
    for name, value in parameters.items():
        if name in _RULES:  # whoever writes a notebook may have parameters of their own
            _RULES[name](value)
    threadpoolctl.threadpool_limits(1, user_api="blas")
    run = _make(run_dir)
    _BEGUN[run] = time.perf_counter()
    return run


def as_told(parameters, image_size=128):
    """Return whether a notebook runs on the course's own photos at its defaults, for which its claims are asserted.

    parameters : dict of the notebook's parameters; image_size : its default
    """
    parameters = {**parameters, "image_size": parameters["image_size"] == image_size}
    return all(value in _TOLD[name] for name, value in parameters.items() if name in _TOLD)


def _injected():
    """Return the names that papermill set in the cell it adds, if this is a notebook that papermill runs."""
    if "IPython" not in sys.modules:
        return set()
    shell = sys.modules["IPython"].get_ipython()
    cells = shell.user_ns.get("In", []) if shell else []
    ours = [cell for cell in cells if cell.startswith("# Parameters\n")]
    bodies = [ast.parse(cell).body for cell in ours]
    return {
        target.id
        for body in bodies
        for statement in body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _make(run_dir):
    run = _files.run_path(run_dir)
    try:
        run.mkdir(parents=True, exist_ok=True)
        (run / "figures").mkdir(exist_ok=True)
        if (run / "run.json").is_file():  # figures of an earlier run of ours, perhaps of other photos
            for figure in (run / "figures").glob("*.png"):
                figure.unlink()
    except OSError as error:
        raise ValueError(
            f"The run folder {run} cannot be made ({error.strerror}). Give run_dir a folder that you may write to."
        ) from None
    return run


def finish(run, *, parameters, metrics, photos=None, backbone=None, history=None, model=None):
    """Write what a chapter leaves behind into its run folder, each file atomically, metrics.json last.

    parameters : dict of the chapter's parameters; metrics : dict of numbers and short strings; `seconds`, unless it is
        among them, are those since `start`
    photos : photos table, with its splits if it has any; backbone : from backbones.get
    history : DataFrame indexed by epoch; model : a Keras model, pixels to probabilities; `model_weights` counts its
        numbers
    Returns the metrics as written: with `dataset`, `image_size`, `seed` and the backbone that was used.
    """
    if "seconds" not in metrics and run in _BEGUN:
        metrics = {**metrics, "seconds": round(time.perf_counter() - _BEGUN[run], 1)}
    record = {"parameters": parameters, "versions": _versions(), "read_photo": VERSION}
    record["activations_by"] = ", ".join(litert.engines_used())
    if photos is not None:
        record["photos_fingerprint"] = catalog.fingerprint(photos)
        _files.write_text(run / "labels.txt", "".join(f"{name}\n" for name in photos["label"].cat.categories))
    if photos is not None and "split" in photos:
        splits.write_splits(photos, run / "splits.csv")
    if history is not None:
        _files.write_text(run / "history.csv", history.to_csv(lineterminator="\n"))
    else:
        (run / "history.csv").unlink(missing_ok=True)  # one of an earlier run would belong to another model
    if model is not None:
        _save(model, run / "model.keras")
        metrics = {"model_weights": model.count_params(), **metrics}
    named = {name: parameters[name] for name in ("dataset", "backbone", "image_size", "seed")}
    if backbone is not None:
        named |= {"backbone": backbone.name, "backbone_requested": backbone.requested}
        record |= {"backbone": backbone.name, "weights_sha256": backbone.weights_sha256}
    written = {**named, **metrics}
    _files.write_json(run / "run.json", record | {"seed": parameters["seed"], "seconds": metrics.get("seconds")})
    _files.write_json(run / "metrics.json", written)
    return written


def read_run(run):
    """Return (metrics, record), the dicts of a finished run's metrics.json and run.json; ValueError if it lacks one."""
    try:
        return tuple(json.loads((run / name).read_text(encoding="utf-8")) for name in ("metrics.json", "run.json"))
    except FileNotFoundError as error:
        raise ValueError(f"There is no {error.filename}. Call run_folder.finish first: only that ends a run.") from None


def record_hashes(run, names):
    """Write the sha256 of files of a finished run folder into its run.json, as `files_sha256`; return them (dict).

    names : of files in the run folder; those that are not there are passed over
    """
    _, record = read_run(run)
    record["files_sha256"] = {name: _files.sha256(run / name) for name in names if (run / name).is_file()}
    _files.write_json(run / "run.json", record)
    return record["files_sha256"]


def _save(model, path):
    """Save a model without optimizers, its own or a head's: half the file, and no warning when it is loaded."""
    # given lists, a loaded model would give a list of one
    bare = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    compiled = [(layer, layer.optimizer) for layer in model.layers if getattr(layer, "compiled", False)]
    try:
        for layer, _ in compiled:
            layer.compiled, layer.optimizer = False, None
        _files.replace_with(path, bare.save)
    finally:
        for layer, optimizer in compiled:
            layer.compiled, layer.optimizer = True, optimizer


def _versions():
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # one of tensorflow and tensorflow-cpu is not there
    return found


def find_run(run, chapter, *, photos, backbone, image_size, seed):
    """Return the finished run folder of another chapter that used the same photos, or None with one line why.

    run : this chapter's run folder; the other is looked for beside it
    photos : photos table; backbone : from backbones.get
    """
    other = run.parent / chapter
    try:
        record = json.loads((other / "run.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        print(f"No finished run of {chapter} in {other.parent.name}/, so this chapter makes its own.")
        return None
    parameters = record["parameters"]
    pairs = {
        "image_size": (parameters.get("image_size"), image_size),
        "seed": (parameters.get("seed"), seed),
        "backbone": (record.get("backbone"), backbone.name),
        "photos": (record.get("photos_fingerprint"), catalog.fingerprint(photos)),
    }
    differ = [name for name, (theirs, ours) in pairs.items() if theirs != ours]
    if differ:
        print(f"The run of {chapter} had other {' and '.join(differ)}, so this chapter makes its own.")
        return None
    try:
        splits.read_splits(photos, other / "splits.csv")
    except (OSError, ValueError):
        print(f"The photos of {chapter} have moved since, so this chapter makes its own.")
        return None
    print(f"Going on with the run of {chapter}: same photos, backbone, image size and seed.")
    return other
