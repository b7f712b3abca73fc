"""What a saved model says of many photos: a row each, whatever is wrong with the file (chapter 8)."""

import concurrent.futures
import glob
import itertools
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas
import tensorflow as tf
import tqdm

from .. import _files, _machine
from ..data import layouts
from ..data.images import PhotoError, check_complete, read_image
from ..evaluation import ood, saliency
from ..models import export, features, import_model

MOST_KNOWN = 2000  # training photos that are kept to tell what is unlike them
OOD_FILE = "known.npz"  # beside the model: features of its training photos, and from where on a photo is unknown
_AHEAD = 4  # batches that are read while the model is busy


class Predictor(NamedTuple):
    """A model ready to predict photos; `load_predictor` and `make_predictor` make it."""

    predict_fn: Callable  # pixels 0-255 (batch, image_size, image_size, 3) to (features or None, probabilities)
    class_names: list
    image_size: int  # side of the photos, in pixels
    train_features: np.ndarray | None  # float (training photos, channels); None: nothing is marked as unknown
    ood_threshold: float  # distance above which a photo is unlike all training photos
    n_neighbors: int  # the distance is that to the n-th nearest of them


def save_ood_reference(run, train_features, ood_threshold, n_neighbors=ood.NEAREST):
    """Save the features of a model's training photos in its run folder: `load_predictor` marks photos unlike them.

    train_features : float (training photos, channels), pooled from the model's last feature map
    ood_threshold : from evaluation.ood.score_threshold, on photos that the model did not learn from
    """
    kept = np.asarray(train_features, np.float16)

    def write(path):
        with open(path, "wb") as file:
            np.savez_compressed(file, features=kept, limit=ood_threshold, nearest=n_neighbors)

    _files.replace_with(pathlib.Path(run) / OOD_FILE, write)


def save_predictions(run, predictor, photos):
    """Write predictions.csv into a run folder: what a Predictor says of each photo, a row each; return the DataFrame.

    photos : photos table, such as the test photos. The columns are those of `predict_photos`, with `true` (the class
        that the photo stands in) after `path`
    """
    table = pandas.concat(predict_photos(predictor, list(photos["path"]), progress=False), ignore_index=True)
    table.insert(1, "true", photos["label"].astype(str).to_numpy())
    text = table.to_csv(index=False, lineterminator="\n", float_format="%.6f")
    _files.write_text(pathlib.Path(run) / "predictions.csv", text)
    return table


def load_predictor(path, class_names=None, pixels=None, output="probabilities", image_size=None):
    """Return the Predictor of a saved model.

    path : a .keras or .h5 file; a run folder that holds model.keras; or an export (.tflite, .onnx) in its run folder
    class_names : list of str, or a file with one a line; None: labels.txt beside the model
    pixels, output, image_size : as in import_model.load_model, for models that were not made here
    Raises ValueError that says what is missing and what to do.
    """
    path = pathlib.Path(path)
    if (path / "model.keras").is_file():
        path = path / "model.keras"
    elif path.is_dir() and not (path / "saved_model.pb").is_file():
        raise ValueError(f"{path} is no saved Keras model (.keras or .h5), nor a run folder that holds model.keras.")
    exported = export.load_export(path) if path.suffix.lower() in (".tflite", ".onnx") and path.is_file() else None
    if exported is None:
        import_model.check_file(path)
    labels = path.with_name("labels.txt")
    if class_names is None and not labels.is_file():
        raise ValueError(f"There is no {labels}: say which file names the classes, one a line, with --class-names.")
    names = import_model.read_class_names(labels if class_names is None else class_names)
    if exported is not None:
        run, side = exported
        return Predictor(lambda images: (None, run(images)), names, side, None, np.inf, ood.NEAREST)
    model = import_model.load_model(path, names, pixels, output, image_size)
    return make_predictor(model, names, *_ood_reference(path.with_name(OOD_FILE)))


def make_predictor(model, class_names, train_features=None, ood_threshold=np.inf, n_neighbors=ood.NEAREST):
    """Return the Predictor of a model in memory; the arguments are those of `save_ood_reference`."""
    predict_fn, size = _predict_fn(model, train_features is not None), model.input_shape[1]
    return Predictor(predict_fn, list(class_names), size, train_features, ood_threshold, n_neighbors)


def find_photos(places):
    """Return (paths, others): the photos at files, folders (with all below them) and patterns such as "*.jpg".

    paths : list of str, in a steady order, each once; a file that is named is among them whatever it is
    others : how many files in the folders are left out: hidden ones, and what is usually found beside photos
    """
    found, others = [], 0
    for place in map(str, places):
        if pathlib.Path(place).is_dir():
            files, passed_over = layouts.photos_below(place)
            others += passed_over.total()
            found += map(str, files)
        elif pathlib.Path(place).exists() or not glob.has_magic(place):
            found.append(place)
        else:
            found += sorted(glob.glob(place, recursive=True)) or [place]
    return list(dict.fromkeys(found)), others


def predict_photos(predictor, paths, batch_size=32, progress=True):
    """Yield a DataFrame a batch of photos, as soon as it is predicted; the memory that this takes does not grow.

    Columns: `path`; `class`, `confidence` (a fraction) and `unknown` ("yes" if the photo is unlike all that the model
    learned from, "no", or "" where that cannot be told); `problem` (why a photo could not be read, else ""); and the
    probability of each class, under its name with "p: " before.
    """
    batches = [paths[first : first + batch_size] for first in range(0, len(paths), batch_size)]
    with (
        concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool,
        tqdm.tqdm(total=len(paths), unit="photo", disable=None if progress else True) as bar,
    ):
        coming = (([pool.submit(_read, path, predictor.image_size) for path in batch], batch) for batch in batches)
        ahead = list(itertools.islice(coming, _AHEAD))
        while ahead:
            futures, batch = ahead.pop(0)
            read = [future.result() for future in futures]
            ahead += itertools.islice(coming, 1)
            yield _table(predictor, batch, read)
            bar.update(len(batch))


def _table(predictor, paths, read):
    """Return the DataFrame of a batch; read : pixels, or why there are none (str), a photo each."""
    problems = [one if isinstance(one, str) else "" for one in read]
    there = np.array([not problem for problem in problems])
    probabilities = np.full((len(paths), len(predictor.class_names)), np.nan)
    unknown = np.full(len(paths), "", object)
    if there.any():
        images = np.stack([one for one in read if not isinstance(one, str)])
        found, probabilities[there] = predictor.predict_fn(images)
        if predictor.train_features is not None:
            distances = ood.knn_distance(found, predictor.train_features, predictor.n_neighbors)
            unknown[there] = np.where(distances > predictor.ood_threshold, "yes", "no")
    best = np.nan_to_num(probabilities, nan=-1).argmax(axis=1)
    table = pandas.DataFrame({"path": paths, "class": np.where(there, np.array(predictor.class_names)[best], "")})
    table["confidence"] = probabilities[np.arange(len(paths)), best]
    table["unknown"], table["problem"] = unknown, problems
    return table.join(pandas.DataFrame(probabilities, columns=[f"p: {name}" for name in predictor.class_names]))


def _read(path, image_size):
    """Return pixels, uint8 (image_size, image_size, 3), or why there are none (str)."""
    try:
        pixels = read_image(path, image_size)
        check_complete(path, pathlib.Path(path).read_bytes())
        return pixels
    except PhotoError as error:
        return str(error)


def _predict_fn(model, with_features):
    """Return a function from pixels to (features or None, probabilities), NumPy, traced once for any batch."""
    if with_features:
        answer = features.answers(saliency.split_model(model))
        return lambda images: answer([images])[1:]
    traced = tf.function(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)],
    )
    return lambda images: (None, traced(tf.cast(images, tf.float32)).numpy())


def _ood_reference(path):
    if not path.is_file():
        return None, np.inf, ood.NEAREST
    with np.load(path, allow_pickle=False) as kept:
        return kept["features"].astype(np.float32), float(kept["limit"]), int(kept["nearest"])
