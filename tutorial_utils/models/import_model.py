"""Import a saved Keras model of any origin: pixels 0-255 in, probabilities out (chapter 6).

A model file does not say how its pixels are scaled, what its outputs are, or which class each output means. So the
caller says so, and `check_import` tells from a few labeled photos whether that can be right.
"""

import contextlib
import pathlib
import re
import shutil
import tempfile
import zipfile

import h5py
import keras
import numpy as np
import scipy.optimize
import scipy.stats

from .. import _check
from . import keras2

_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of ImageNet, RGB, 0-1
PIXELS = {  # factor and offset from 0-255; "caffe" and "torch" are what keras.applications calls these two
    "0-255": (1.0, 0.0),
    "0-1": (1 / 255, 0.0),
    "-1..1": (1 / 127.5, -1.0),
    "caffe": (1.0, [-103.939, -116.779, -123.68]),  # of BGR
    "torch": ((1 / 255 / _DEVIATION).tolist(), (-_MEAN / _DEVIATION).tolist()),
}
OUTPUTS = ("probabilities", "logits")
_AS_KERAS = 'save it again where it was made, with model.save("model.keras"), and give that file'
_PICKLE = "a pickle, which can run any program when it is opened, so it is not"
_AGAIN = "Judge it where it was made, or train a Keras model on the same photos (chapter 3)"
_EXPORT = "Give the Keras model that it was made from; `predict` also runs the exports in a run folder of chapter 8"
_OTHERS = {  # ending: what such a file is, and what to do
    ".pth": (f"a file of PyTorch, {_PICKLE}", _AGAIN),
    ".pt": (f"a file of PyTorch, {_PICKLE}", _AGAIN),
    ".pkl": (f"of fastai or scikit-learn, {_PICKLE}", _AGAIN),
    ".safetensors": ("weights without the network that they belong to", _AGAIN),
    ".tflite": ("a LiteRT file", _EXPORT),
    ".onnx": ("an ONNX file", _EXPORT),
    ".zip": ("a zip", "Unpack it and give the model in it (from Teachable Machine: keras_model.h5)"),
}
LEVEL = 0.05  # chance of a warning where nothing is wrong, for each kind of warning
FEWEST = 8  # groups that must differ before a sign test can say anything at LEVEL, with four scalings to try


def load_model(path, class_names, pixels=None, output="probabilities", image_size=None):
    """Return a saved Keras model in the course's form: pixels 0-255 (batch, h, w, 3) to probabilities (batch, classes).

    path : a whole model of Keras 3 or 2, .keras or .h5. A SavedModel folder is refused: it is a program, run without
        any check
    class_names : list of str, or the path of a labels.txt with one name per line, in the order of the model's outputs
    pixels : what the model was trained on: "0-255" (also if it rescales inside), "0-1", "-1..1", "caffe" (BGR 0-255
        minus ImageNet's mean: VGG, ResNet50) or "torch" (0-1, standardized: DenseNet); RGB but for "caffe". None:
        "-1..1" for a model of Teachable Machine, "0-255" for any other
    output : "probabilities", or "logits" if softmax (one unit: sigmoid) is still to come
    image_size : side of its photos in pixels, for a model that takes any size; a size in the file counts more.
        Afterwards it is `model.input_shape[1]`
    A model of two classes may have one unit: the probability (or logit) of the second class.
    No code from the file is run: Lambda and custom layers are refused. Preprocessing that no scaling can express, such
    as BGR minus a mean, has to be put inside the model where it was made.
    Raises ValueError that says what was expected, what came and what to do.
    """
    if pixels is not None:
        _check.choice("pixels", pixels, tuple(PIXELS))
    _check.choice("output", output, OUTPUTS)
    names, path = read_class_names(class_names), pathlib.Path(str(path))
    model = _read(path)
    pixels = pixels or ("-1..1" if _is_teachable_machine(model) else "0-255")
    loaded = _one_in_one_out(model, path)
    side = _side(loaded.input_shape, image_size, path)
    units = _units(loaded.output_shape, len(names), path)
    _check_output(loaded, side, pixels, output, path)
    images = keras.Input((side, side, 3), name="raw_pixels")
    scores = loaded(_scaled(images, pixels), training=False)  # (batch, units)
    return keras.Model(images, _probabilities(scores, units, output), name="imported_classifier")


def read_class_names(class_names):
    """Return class names as a list of str, from a list or from the path of a file with one name per line.

    Numbers before the names of a file, as Teachable Machine writes them ("0 cat", "1 dog"), are left out, except in a
    run folder, whose classes are called as their folders are.
    Raises ValueError for no such file, fewer than two names, or a name that comes twice.
    """
    if isinstance(class_names, (str, pathlib.Path)):
        names = _lines(pathlib.Path(class_names))
    else:
        names = list(class_names) if np.iterable(class_names) else [class_names]
    if len(names) < 2 or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"class_names must be two names or more, in the order of the model's outputs; got {names!r}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Each of class_names must be another; {', '.join(twice)} comes more than once.")
    return names


def align_classes(photos, class_names):
    """Return the photos table with the classes in the model's order, so that label numbers mean its outputs.

    photos : photos table; class_names : as for `load_model`, the same names as the table's classes in any order
    Raises ValueError that names the classes which only one of the two has.
    """
    _check.columns(photos, ["label"])
    names, here = read_class_names(class_names), list(photos["label"].cat.categories)
    if set(names) != set(here):
        only = {"class_names": sorted(set(names) - set(here)), "the photos": sorted(set(here) - set(names))}
        found = "; ".join(f"only in {where}: {', '.join(some)}" for where, some in only.items() if some)
        raise ValueError(
            f"class_names and the classes of the photos must be the same names; {found}. Rename the folders of the "
            "photos, or write class_names as the folders are called, in the order of the model's outputs."
        )
    return photos.assign(label=photos["label"].cat.reorder_categories(names))


def check_import(model, batches, class_names, groups=None):
    """Return what is probably wrong with the arguments that `load_model` was given, as sentences; [] if nothing is.

    model : from `load_model`; class_names : as for that
    batches : yields (images, labels), pixels 0-255 (batch, h, w, 3) and int (batch,) in the model's order: as
        pipeline.batches makes them, not shuffled, from a table that `align_classes` has ordered
    groups : (photos,), photos of one plant share theirs, in the order of the batches; or None
    The labels are used. Give it validation photos: a scaling that is chosen on the test photos makes their score too
    good. It tries all of PIXELS and another order of the names. A sentence comes where the groups that gain
    outnumber those that lose by more than chance explains (sign test); with few photos silence says little.
    Raises ValueError for a model that is not from `load_model`, for no photos, or labels or groups that do not fit.
    """
    names, (loaded, declared, logits) = read_class_names(class_names), _declared(model)
    if model.output_shape[1] != len(names):
        raise ValueError(f"The model tells {model.output_shape[1]} classes apart; got {len(names)} class_names.")
    scores, labels = _scores_at_each(loaded, batches)
    group_of = _group_numbers(groups, labels, names)
    answers = {pixels: _answers(given, logits) for pixels, given in scores.items()}
    no_logits = _no_logits(scores[declared]) if logits else None
    found = [None if no_logits else _scaling(answers, declared, labels, group_of)]
    found.append(_all_of_one(answers[declared], labels, names))
    if not any(found):
        found.append(_order(answers[declared], labels, group_of, names))
    found.append(no_logits)
    return [sentence for sentence in found if sentence]


def check_file(path):
    """Return the ending that Keras wants for a model file, ".keras" or ".h5", by what is in the file.

    Raises ValueError that says what to do for any other file, a folder, or no file.
    """
    path = pathlib.Path(str(path))
    if path.is_dir():
        kind = "a SavedModel folder" if (path / "saved_model.pb").is_file() else "a folder"
        raise ValueError(f"Expected a model file, .keras or .h5; {path} is {kind}. To use its model, {_AS_KERAS}.")
    if not path.is_file():
        raise ValueError(f"There is no file {path}. Check the path; expected a model file, .keras or .h5.")
    if h5py.is_hdf5(path):
        return ".h5"
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            if "config.json" in file.namelist():
                return ".keras"
    ending = path.suffix.lower()
    if ending in _OTHERS:
        kind, remedy = _OTHERS[ending]
        raise ValueError(f"Expected a model file, .keras or .h5; {path} is {kind}. {remedy}.")
    if ending not in (".keras", ".h5", ".hdf5"):
        raise ValueError(f"Expected a model file, .keras or .h5; got {path.name}. To use its model, {_AS_KERAS}.")
    with open(path, "rb") as file:
        start = file.read(8)
    raise ValueError(
        f"{path} is called {path.suffix} but is no whole file of that kind (it begins with {start!r}). Fetch it again."
    )


def _read(path):
    """Return the model in a file; what cannot be read, or would run code, becomes a ValueError that says why."""
    ending, version = check_file(path), ""
    try:
        version = keras2.version(path)
        if not re.match(r"[3-9]", version):  # 1, 2, or from before files said it
            return keras2.load_model(path)
        with _named(path, ending) as file:
            return keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its parts raise; each means: not a model that can be used here
        raise ValueError(_why_not(path, str(error), version)) from error


@contextlib.contextmanager
def _named(path, ending):
    """Yield a path of the file that has the ending: Keras goes by that, and takes it in small letters only."""
    if path.suffix == ending:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield shutil.copyfile(path, pathlib.Path(folder) / f"model{ending}")


def _why_not(path, text, version):
    """Return what is wrong with a model file, in a sentence, from the text of Keras's error."""
    unsafe = re.search(r"deserialization of a `(\w+)`", text)
    if unsafe:
        return (
            f"{path} holds a {unsafe[1]} layer, whose program code would come from the file; it is not run. Where the "
            f"model was made, put a layer of keras.layers in its place (Rescaling, for pixels), then {_AS_KERAS}."
        )
    own = re.search(r"(?:Could not locate|Unknown) (?:class|function|layer|object)\W+(\w+)", text)
    if own:
        return (
            f"{path} holds {own[1]}, which is no part of Keras and whose program code is not in the file. Where the "
            f"model was made, use layers of keras.layers only, then {_AS_KERAS}."
        )
    if "No model config" in text:
        return f"{path} holds weights without the network that they belong to. Load them into it and {_AS_KERAS}."
    reason = text.split("Exception encountered:")[-1].strip().split("\n")[0][:200]
    if version and int(version.split(".")[0]) < 3:
        return (
            f"{path} was saved by Keras {version}; one part cannot be carried over to Keras {keras.__version__}: "
            f"{reason}. Where it was made (or with the package tf-keras), put layers of keras.layers in its place, "
            "then save it again."
        )
    return f"{path} cannot be loaded by Keras {keras.__version__} ({reason}). To use its model, {_AS_KERAS}."


def _is_teachable_machine(model):
    """Return whether a model is built like those that Teachable Machine writes: they take pixels -1..1."""
    parts = getattr(model, "layers", [])
    if len(parts) != 2 or not all(isinstance(part, keras.Sequential) and part.layers for part in parts):
        return False
    pooling, last = parts[0].layers[-1], parts[1].layers[-1]
    return (
        isinstance(pooling, keras.layers.GlobalAveragePooling2D)
        and isinstance(last, keras.layers.Dense)
        and not last.use_bias
        and last.activation is keras.activations.softmax
    )


def _scaled(images, pixels):
    """Return pixels 0-255, RGB (batch, h, w, 3), as a model was trained on, by layers that save and load anywhere."""
    if pixels == "0-255":
        return images
    (factor, offset), name = PIXELS[pixels], f"pixels_{pixels}"
    if pixels == "caffe":
        return keras2.reverse_channels(offset, name=name)(images)
    return keras.layers.Rescaling(factor, offset, name=name)(images)


def _one_in_one_out(model, path):
    inputs, outputs = (getattr(model, side, None) if model.built else None for side in ("inputs", "outputs"))
    if not inputs or not outputs:
        raise ValueError(f"{path} was saved before it was used once, so its sizes are unknown. Train it, {_AS_KERAS}.")
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"Expected a model with one input and one output; {path} has {len(inputs)} and {len(outputs)}. Cut out the "
            f"part from a photo to its class, keras.Model(model.inputs[0], model.outputs[0]), and {_AS_KERAS}."
        )
    return keras.Model(inputs[0], outputs[0], name="loaded")


def _side(shape, image_size, path):
    """Return the side of the model's photos in pixels, from its input shape and what the caller says."""
    if len(shape) != 4 or shape[3] not in (3, None):
        kind = {1: " in gray", 4: " with four channels"}.get(shape[3], "") if len(shape) == 4 else ""
        raise ValueError(
            f"Expected a model of color photos, (batch, height, width, 3); {path} takes {shape}{kind}. Where it was "
            f"made, put layers in front that make that from such photos, and {_AS_KERAS}."
        )
    fixed = {side for side in shape[1:3] if side is not None}
    if len(fixed) > 1:
        raise ValueError(
            f"Expected a model of square photos; {path} takes {shape[1]} x {shape[2]} pixels. Where it was made, put "
            f"keras.layers.Resizing({shape[1]}, {shape[2]}) after an input of another size, and {_AS_KERAS}."
        )
    if image_size is None and not fixed:
        raise ValueError(f"{path} takes photos of any size. Say which it was trained on: image_size=224, for example.")
    return fixed.pop() if fixed else _check.image_size(image_size)


def _units(shape, classes, path):
    if len(shape) != 2:
        raise ValueError(f"Expected outputs (batch, classes); {path} gives {shape}. It names no class for a photo.")
    units = shape[1]
    if units == classes or (units, classes) == (1, 2):
        return units
    if units == 1:
        remedy = "One output is the probability of the second of two classes: give two names"
    elif units == classes + 1:
        remedy = (
            "Give one name for each output, in the model's order. One is missing: often a class for the background, "
            "usually the first or the last, or a stray folder beside the training photos (such as .ipynb_checkpoints)"
        )
    elif units == classes - 1:
        remedy = (
            "Give one name for each output, in the model's order. One is too many: a heading, or a class that was "
            "added after the training"
        )
    else:
        remedy = "Give one name for each output, in the model's order"
    raise ValueError(f"{path} has {units} output{'s' * (units > 1)}; got {classes} class_names. {remedy}.")


def _check_output(loaded, side, pixels, output, path):
    """Raise ValueError if `output` cannot be what the model gives: it predicts random pixels, no photo is needed."""
    images = np.random.default_rng(0).uniform(0, 255, (4, side, side, 3)).astype("float32")
    scores = np.asarray(loaded(_scaled(images, pixels), training=False), np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(f"{path} gives no numbers (NaN or infinity) for random pixels. Were its weights saved whole?")
    sums = scores.sum(axis=1)
    rounding = {"float16": 5e-3, "bfloat16": 4e-2}.get(loaded.outputs[0].dtype, 1e-3)
    inside = scores.min() >= 0 and scores.max() <= 1 + rounding
    add_up = scores.shape[1] == 1 or np.abs(sums - 1).max() < rounding
    if output == "probabilities" and not (inside and add_up):
        raise ValueError(
            f"Expected probabilities (0-1, rows summing to 1); {path} gives {scores.min():.2f} to {scores.max():.2f}, "
            f'rows summing to {sums.min():.2f} to {sums.max():.2f}. Without a softmax at its end say output="logits". '
            "With a sigmoid for each class it answers another question and cannot be judged here."
        )
    if output == "logits" and inside and add_up and scores.shape[1] > 1:
        raise ValueError(f'{path} already gives probabilities (rows summing to 1). Say output="probabilities".')


def _probabilities(scores, units, output):
    """Return scores (batch, units) as probabilities (batch, classes), by layers that save and load anywhere."""
    if keras.backend.standardize_dtype(scores.dtype) != "float32":  # rounded to 16 bits, they do not add up to 1
        scores = keras.ops.cast(scores, "float32")
        if units > 1 and output == "probabilities":
            scores = scores / keras.ops.sum(scores, axis=1, keepdims=True)
    if units == 1:  # p becomes (1 - p, p); a logit z becomes (0, z), whose softmax is (1 - sigmoid(z), sigmoid(z))
        both = keras.layers.Dense(2, name="two_classes", trainable=False)
        sign, bias = (-1, 1) if output == "probabilities" else (0, 0)
        scores = both(scores)
        both.set_weights([np.array([[sign, 1]], "float32"), np.array([bias, 0], "float32")])
    return keras.layers.Activation("softmax", name="softmax")(scores) if output == "logits" else scores


def _lines(path):
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"class_names must be a list of names or the path of a text file with one name a line; {path} cannot be "
            f"read ({error.__class__.__name__})."
        ) from None
    if path.with_name("run.json").exists():  # written here: what a folder is called, blanks and all
        return [line for line in text.split("\n") if line]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    bare = [line.removeprefix(f"{number} ").strip() for number, line in enumerate(lines)]
    numbered = all(before != after for before, after in zip(lines, bare, strict=True)) and len(set(bare)) == len(bare)
    return bare if numbered else lines


def _declared(model):
    """Return (loaded, pixels, logits): the model inside one from `load_model`, its scaling, whether it gives logits."""
    layers = {layer.name: layer for layer in getattr(model, "layers", [])}
    if "loaded" not in layers or "raw_pixels" not in layers:
        raise ValueError("Expected a model from import_model.load_model; got another. Save it and load it with that.")
    pixels = next((name for name in PIXELS if f"pixels_{name}" in layers), "0-255")
    return layers["loaded"], pixels, "softmax" in layers


def _answers(scores, logits):
    """Return the class that comes first, int (photos,), from scores (photos, units)."""
    one_unit = scores.shape[1] == 1
    return (scores[:, 0] > (0.0 if logits else 0.5)).astype(int) if one_unit else scores.argmax(axis=1)


def _no_logits(scores):
    """Return a sentence if one unit that should give logits gives none below 0 or above 1."""
    if scores.shape[1] > 1 or len(scores) < FEWEST or scores.min() < 0 or scores.max() > 1:
        return None
    return 'Every output lies between 0 and 1, as probabilities do. Load it again with output="probabilities".'


def _scores_at_each(loaded, batches):
    """Return ({pixels: scores (photos, units)}, labels (photos,)), all from one pass."""
    scores, labels = {pixels: [] for pixels in PIXELS}, []
    for images, some in batches:
        labels.append(np.asarray(some))
        for pixels in PIXELS:
            scaled = np.asarray(_scaled(np.asarray(images, np.float32), pixels))
            scores[pixels].append(np.asarray(loaded.predict_on_batch(scaled), np.float32))
    if not labels:
        raise ValueError("Expected at least one batch of (images, labels); got none. Is the split empty?")
    return {pixels: np.concatenate(parts) for pixels, parts in scores.items()}, np.concatenate(labels).astype(int)


def _group_numbers(groups, labels, names):
    if labels.min() < 0 or labels.max() >= len(names):
        found = f"{labels.min()} ... {labels.max()}"
        raise ValueError(f"Expected labels 0 ... {len(names) - 1}; got {found}. Use import_model.align_classes.")
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    if groups.shape != labels.shape:
        raise ValueError(f"Expected a group for each of {len(labels)} photos; got shape {groups.shape}.")
    return np.unique(groups, return_inverse=True)[1]


def _surely_better(right, declared, group_of, chance):
    """Return whether more groups gain than lose by `right` over `declared`, bool (photos,), than chance explains."""
    gains = np.bincount(group_of, weights=right.astype(int) - declared)
    won, lost = int((gains > 0).sum()), int((gains < 0).sum())
    return won > lost and scipy.stats.binomtest(won, won + lost).pvalue < chance


def _scaling(answers, declared, labels, group_of):
    right = {pixels: given == labels for pixels, given in answers.items()}
    best = max(right, key=lambda pixels: (right[pixels].mean(), pixels == declared))
    if best == declared or not _surely_better(right[best], right[declared], group_of, LEVEL / (len(PIXELS) - 1)):
        return None
    return (
        f'The pixels are probably scaled wrongly: with pixels="{best}" the model is right on {right[best].mean():.1%} '
        f'of these {len(labels)} photos, with pixels="{declared}", as it was loaded, on {right[declared].mean():.1%}. '
        f'Load it again with pixels="{best}".'
    )


def _all_of_one(answers, labels, names):
    if len(labels) < FEWEST or len(set(answers.tolist())) > 1 or len(set(labels.tolist())) == 1:
        return None
    return (
        f"The model gives one and the same answer, {names[answers[0]]}, for all of these {len(labels)} photos of "
        f"{len(set(labels.tolist()))} classes. Are pixels and output what it was trained on?"
    )


def _order(answers, labels, group_of, names):
    """Return a sentence if another order of the names fits: chosen on every other group, judged on the rest."""
    half, size = group_of % 2 == 0, len(names)
    counts = np.bincount(answers[half] * size + labels[half], minlength=size**2).reshape(size, size)  # said, true
    _, meant = scipy.optimize.linear_sum_assignment(-counts)
    ours, others = answers[~half] == labels[~half], meant[answers[~half]] == labels[~half]
    if not len(ours) or not _surely_better(others, ours, group_of[~half], LEVEL):
        return None
    return (
        f"The names are probably in another order: as {', '.join(names[number] for number in meant)} they fit "
        f"{others.mean():.1%} of the photos, as they were given {ours.mean():.1%}. Look up in which order the model "
        "was trained on its classes."
    )
