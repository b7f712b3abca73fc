"""What a saved model says of many photos: a row each, whatever is wrong with the file (chapter 8)."""

import concurrent.futures
import glob
import itertools
import pathlib
from typing import NamedTuple

import numpy as np
import pandas
import PIL.Image
import tensorflow as tf
import tqdm

from .. import _files, _machine
from ..data.images import FORMATS, PhotoError, read_image
from ..evaluation import ood, saliency
from ..models import import_model

KNOWN = "known.npz"  # beside the model: what its photos look like to it, and from where on one is strange
_AHEAD = 4  # batches that are read while the model is busy
_MODELS = (".keras", ".h5", ".hdf5")


class Predictor(NamedTuple):
    """A model ready to be asked; `load` makes it."""

    answer: object  # function of float pixels (batch, side, side, 3) that returns (features or None, probabilities)
    class_names: list
    side: int  # of the photos, in pixels
    known: np.ndarray | None  # float (training photos, channels)
    limit: float  # distance above which a photo is unlike all of these
    nearest: int  # which of them the distance is to


def keep_known(run, features, limit, nearest=ood.NEAREST):
    """Keep beside a run folder's model what it knows: so that `load` can mark photos unlike all of its own.

    features : float (training photos, channels), pooled from the model's last feature map; limit : from
        evaluation.ood.score_threshold, on photos that it did not learn from
    """
    arrays = {"features": np.asarray(features, np.float16), "limit": limit, "nearest": nearest}

    def write(path):
        with open(path, "wb") as file:
            np.savez_compressed(file, **arrays)

    _files.replace_with(pathlib.Path(run) / KNOWN, write)


def load_predictor(path, class_names=None, pixels="0-255", output="probabilities", image_size=None):
    """Return a Judge of a saved model. path : a .keras or .h5 file, or a run folder that holds model.keras.

    class_names : list of str, or a file with one a line; None: labels.txt beside the model
    pixels, output, image_size : as in import_model.load_model, for models that were not made here
    Raises ValueError that says what is missing and what to do.
    """
    path = pathlib.Path(path)
    path = path / "model.keras" if path.is_dir() else path
    labels = path.with_name("labels.txt")
    if not path.is_file() or path.suffix not in _MODELS:
        raise ValueError(f"{path} is no saved Keras model (.keras or .h5), nor a run folder that holds model.keras.")
    if class_names is None and not labels.is_file():
        raise ValueError(f"There is no {labels}: say which file names the classes, one a line, with --class-names.")
    names = import_model.read_class_names(labels if class_names is None else class_names)
    model = import_model.load_model(path, names, pixels, output, image_size)
    return make_predictor(model, names, *_read_known(path.with_name(KNOWN)))


def make_predictor(model, class_names, known=None, limit=np.inf, nearest=ood.NEAREST):
    """Return a Judge of a model in memory; the arguments are those of the Judge's fields, and of `keep_known`."""
    return Predictor(_asked(model, known is not None), list(class_names), model.input_shape[1], known, limit, nearest)


def find_photos(places):
    """Return (paths, others): the photos at files, folders (with all below them) and patterns such as "*.jpg".

    paths : list of str, in a steady order, each once; a file that is named is among them whatever it is
    others : how many files in the folders do not end like photos, and are left out
    """
    found, others = [], 0
    for place in map(str, places):
        if pathlib.Path(place).is_dir():
            files = sorted(file for file in pathlib.Path(place).rglob("*") if file.is_file())
            photos = [str(file) for file in files if file.suffix.lower() in _suffixes()]
            others += len(files) - len(photos)
            found += photos
        elif pathlib.Path(place).exists() or not glob.has_magic(place):
            found.append(place)
        else:
            found += sorted(glob.glob(place, recursive=True)) or [place]
    return list(dict.fromkeys(found)), others


def predict_photos(judge, paths, batch_size=32, progress=True):
    """Yield a DataFrame a batch of photos, as soon as it is answered; the memory that this takes does not grow.

    Columns: `path`; `class`, `confidence` (a fraction) and `unknown` ("yes" if the photo is unlike all that the model
    learned from, "no", or "" where that cannot be told); `problem` (why a photo could not be read, else ""); and the
    probability of each class, under its name with "p: " before.
    """
    batches = [paths[first : first + batch_size] for first in range(0, len(paths), batch_size)]
    with (
        concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool,
        tqdm.tqdm(total=len(paths), unit="photo", disable=None if progress else True) as bar,
    ):
        coming = (([pool.submit(_read, path, judge.side) for path in some], some) for some in batches)
        ahead = list(itertools.islice(coming, _AHEAD))
        while ahead:
            futures, some = ahead.pop(0)
            read = [future.result() for future in futures]
            ahead += itertools.islice(coming, 1)
            yield _table(judge, some, read)
            bar.update(len(some))


def _table(judge, paths, read):
    there = np.array([not isinstance(one, str) for one in read])
    shares = np.full((len(paths), len(judge.class_names)), np.nan)
    strange = np.full(len(paths), "", object)
    if there.any():
        features, shares[there] = judge.answer(np.stack([one for one in read if not isinstance(one, str)]))
        if judge.known is not None:
            far = ood.knn_distance(features, judge.known, judge.nearest) > judge.limit
            strange[there] = np.where(far, "yes", "no")
    best = np.where(there, np.nan_to_num(shares, nan=-1).argmax(axis=1), 0)
    table = pandas.DataFrame({"path": paths, "class": np.where(there, np.array(judge.class_names)[best], "")})
    table["confidence"] = np.where(there, shares[np.arange(len(paths)), best], np.nan)
    table["unknown"], table["problem"] = strange, [one if isinstance(one, str) else "" for one in read]
    return table.join(pandas.DataFrame(shares, columns=[f"p: {name}" for name in judge.class_names]))


def _read(path, side):
    """Return pixels, uint8 (side, side, 3), or why there are none (str)."""
    try:
        return read_image(path, side)
    except PhotoError as error:
        return str(error)


def _asked(model, with_features):
    """Return a function from pixels to (features or None, probabilities), NumPy, traced once for any batch."""
    shape = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    stages = saliency.split_model(model) if with_features else None

    @tf.function(input_signature=[shape])
    def both(images):
        if stages is None:
            return tf.zeros(()), model(images, training=False)
        maps = stages[0](images, training=False)  # (batch, h, w, channels)
        return tf.reduce_mean(maps, axis=(1, 2)), stages[1](maps, training=False)

    def answer(images):
        features, shares = both(tf.cast(images, tf.float32))
        return features.numpy() if with_features else None, shares.numpy()

    return answer


def _read_known(path):
    if not path.is_file():
        return None, np.inf, ood.NEAREST
    with np.load(path, allow_pickle=False) as kept:
        return kept["features"].astype(np.float32), float(kept["limit"]), int(kept["nearest"])


def _suffixes():
    """Return the endings of photos' files, those that cannot be read without an extra package among them."""
    known = PIL.Image.registered_extensions().items()
    return {ending for ending, kind in known if kind in (*FORMATS, "MPO")} | {".heic", ".heif"}
