"""Load photos by name: a card in `datasets/` becomes the photos table; any folder works too."""

import hashlib
import importlib.util
import pathlib
import re

import pandas
import yaml

from .. import _check, _files
from ..leaves import dataset
from . import archives, layouts, splits


def cards():
    """Return every data set's card (dict), by name, in alphabetical order."""
    paths = sorted(_files.cards_folder().glob("*.yaml"))
    loaded = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]
    return {card["name"]: card for card in loaded}


def names():
    """Return the names that `load_photos` knows, in alphabetical order."""
    return [name for name, card in cards().items() if name in _LOADERS or "archives" in card]


def load_photos(dataset, seed=0, photos_per_class=None, check_photos=True, tell=print):
    """Return the photos table of a data set of the catalog, or of a folder of photos in classes (chapter 2).

    dataset : a name among `cards()`, or what `layouts.read_folder` takes: a folder, a zip, a table of labels
    photos_per_class : None for all, else a smaller sample, drawn by `seed`
    check_photos : False to list a folder's files whatever they are, for data.audit to look at
    tell : function that is given each line on how a folder was read, and what was passed over
    A set that is downloaded is kept in the cache folder (TUTORIAL_CACHE moves it): `datasets/<name>/`. One that brings
    its own split has the column `split` too, unless it is sampled.
    Raises ValueError for an unknown name and for everything that `layouts.load_folder` refuses; OSError, with what to
    do by hand, for a set that cannot be downloaded.
    """
    check_dataset(dataset)
    if dataset in names():
        if pathlib.Path(dataset).is_dir():
            tell(f"{dataset} is the course's data set of that name. For the folder here, give ./{dataset}")
        photos = _LOADERS[dataset]() if dataset in _LOADERS else _fetched(cards()[dataset], check_photos)
    else:
        photos, lines, _ = layouts.read_folder(dataset, check_photos)
        for line in lines:
            tell(line)
    if photos_per_class is None:
        return photos
    return splits.sample_per_class(photos, photos_per_class, seed).drop(columns="split", errors="ignore")


def check_dataset(dataset):
    """Raise ValueError unless `dataset` is a name that the catalog knows, or a folder (zip, table) that exists.

    A folder called 2024 may come as a number: papermill makes one of it.
    """
    if not isinstance(dataset, (str, int, pathlib.Path)) or isinstance(dataset, bool) or not str(dataset):
        raise ValueError(f"dataset must be a name ({', '.join(names())}) or a folder; got {dataset!r}.")
    if dataset == "solar_cells":
        _elpv_folder()
    elif dataset not in names():
        try:
            layouts.locate(dataset)
        except ValueError as error:
            raise ValueError(f"{error} Names that are known: {', '.join(names())}.") from None


def short_name(dataset):
    """Return what a data set is called on a page (str): its name, or that of its folder, zip or table."""
    text = re.sub(r"[/\\]+\*?$", "", str(dataset))
    return re.sub(
        r"\.(zip|csv|tsv|xlsx)(:.*)?$", "", pathlib.PurePath(text.replace("\\", "/")).name, flags=re.IGNORECASE
    )


def fingerprint(photos):
    """Return a sha256 (hex) over every photo's label, file name, group and bytes, whatever the rows' order."""
    _check.columns(photos, ["path", "label", "group"])
    named = photos["group"].where(photos["group"] != photos["path"], "")
    rows = sorted(
        f"{label}\t{pathlib.Path(path).name}\t{group}\t{_files.sha256(path)}"
        for path, label, group in zip(photos["path"], photos["label"], named, strict=True)
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _fetched(card, check_photos):
    """Return the photos table of a card with archives, fetched and unpacked where that has not happened yet."""
    parts = []
    for archive in card["archives"]:
        folder = _unpacked(card, archive) / archive["folder"]
        photos = layouts.load_folder(f"{folder}/*", check=False)
        wanted = photos["label"].isin(list(card["classes"])) & photos["path"].str.lower().str.endswith(card["suffix"])
        parts.append(photos[wanted])
        if "split" in archive:
            parts[-1] = parts[-1].assign(split=archive["split"])
    photos = pandas.concat(parts, ignore_index=True)
    lacking = sorted(set(card["classes"]) - set(photos["label"].astype(str)))
    if lacking:
        raise ValueError(
            f"{folder} holds no {card['suffix']} photos of {lacking[0]!r}, against the card {card['name']}."
        )
    photos["label"] = pandas.Categorical(photos["label"].astype(str), categories=sorted(card["classes"]))
    if "group" in card:
        photos["group"] = [_group(path, card["group"]) for path in photos["path"]]
    if check_photos:
        layouts.check_headers(photos["path"])
    return photos


def _group(path, pattern):
    """Return the part of a file's name that photos of one group share, or the path where there is none."""
    found = re.search(pattern, pathlib.Path(path).name)
    return found.group() if found else path


def _unpacked(card, archive):
    """Return the folder of one archive's files; with a progress bar while it is downloaded."""
    folder = _files.cache_folder() / "datasets" / card["name"] / archive["sha256"][:16]
    if not folder.is_dir():
        archives.unpack(archives.fetch(archive["url"], archive["sha256"]), folder)
    return folder


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


_LOADERS = {"leaves": dataset.load_leaves, "solar_cells": _solar_cells}
