"""Load photos by name: a card in `datasets/` becomes the photos table; any folder works too."""

import importlib.util
import pathlib

import pandas
import yaml

from .. import _files
from . import folders, leaves
from . import photos as photo_room


def cards():
    """Return every data set's card (dict), by name, in alphabetical order."""
    paths = sorted(_files.cards_folder().glob("*.yaml"))
    loaded = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]
    return {card["name"]: card for card in loaded}


def load(dataset, seed=0, photos_per_class=None, check_photos=True):
    """Return the photos table of a data set of the catalog, or of a folder of class folders (chapter 2).

    dataset : a name among `cards()`, or the path of a folder
    photos_per_class : None for all, else a smaller sample, drawn by `seed`
    check_photos : False to list a folder's files whatever they are, for data.audit to look at
    Raises ValueError for an unknown name and for everything that `folders.load` refuses.
    """
    check(dataset)
    photos = _LOADERS[dataset]() if dataset in _LOADERS else folders.load(dataset, check_photos)
    return photos if photos_per_class is None else photo_room.sample(photos, photos_per_class, seed)


def check(dataset):
    """Raise ValueError unless `dataset` is a name that the catalog knows, or a folder that exists."""
    if not isinstance(dataset, (str, pathlib.Path)) or not str(dataset):
        raise ValueError(f"dataset must be a name ({', '.join(_LOADERS)}) or a folder; got {dataset!r}.")
    if dataset == "solar_cells":
        _elpv_folder()
    elif dataset not in _LOADERS:
        try:
            folders.find(dataset)
        except ValueError as error:
            raise ValueError(f"{error} Names that are known: {', '.join(_LOADERS)}.") from None


def _solar_cells():
    """ELPV: functional below a defect probability of 0.5, defective above (Deitsch et al. 2019)."""
    folder = _elpv_folder()
    table = pandas.read_csv(folder / "labels.csv", sep=r"\s+", names=["file", "probability", "kind"])
    paths = [str(folder / file) for file in table["file"]]
    names = ["defective" if probability > 0.5 else "functional" for probability in table["probability"]]
    label = pandas.Categorical(names, categories=["defective", "functional"])
    return pandas.DataFrame({"path": paths, "label": label, "group": paths})


def _elpv_folder():
    package = importlib.util.find_spec("elpv_dataset")
    if package is None:
        raise ValueError(
            "The data set solar_cells comes with the package elpv-dataset, which is not installed. "
            "Install it (90 MB) with: pip install elpv-dataset"
        )
    return pathlib.Path(package.origin).parent / "data"


_LOADERS = {"leaves": leaves.load, "solar_cells": _solar_cells}
