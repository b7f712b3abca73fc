"""The embedded data set `leaves`: generated leaf photos of six classes, painted once, then cached.

Four photos show one leaf of each plant under other light, pose and background, so a split must go by plant.
Worker processes import this module: nothing here may load TensorFlow, and pandas is loaded in `load_leaves` only.
"""

import concurrent.futures
import functools
import itertools
import multiprocessing
import pathlib
import shutil
import uuid
import warnings

import numpy as np
from PIL import Image

from .. import _check, _files, _machine
from . import camera, diseases, painter

VERSION = 3  # one more with every change of the pixels
LAYOUT = 1  # one more with every change of the files' names
CLASS_NAMES = ("early_blight", "healthy", "late_blight", "leaf_spot", "powdery_mildew", "rust")
PHOTOS_PER_PLANT = 4


def load_leaves(seed=0, plants_per_class=30, folder=None, progress=True):
    """Return the photos table of the generated leaves; paint them first if `folder` does not hold them yet.

    seed : 0 or more; every plant draws from a generator of its own, so the pixels depend on no process count
    plants_per_class : 1 or more; a plant has four photos, so 30 plants are 120 photos a class
    folder : where the set is or will be; None for a folder of the cache named after version, seed and size
    Columns: path, label (categorical), group (the plant), mask (PNG of the photo's size, 255 = lesion).
    Raises ValueError for bad arguments and for a folder that holds anything but this very set.
    """
    import pandas

    _check.seed(seed)
    _check.integer("plants_per_class", plants_per_class, 1, 10_000)
    name = set_name(seed, plants_per_class)
    folder = _files.cache_folder() / name if folder is None else pathlib.Path(folder).expanduser()
    if not _holds(folder, name):
        _generate(folder, seed, plants_per_class, progress)
    rows = [_row(folder, *photo) for photo in _photos(plants_per_class)]
    photos = pandas.DataFrame(rows, columns=["path", "label", "group", "mask"])
    return photos.assign(label=pandas.Categorical(photos["label"], categories=list(CLASS_NAMES)))


def set_name(seed, plants_per_class):
    """Return the name of a set, which holds everything that the pixels depend on."""
    return f"leaves-v{VERSION}.{LAYOUT}-seed{seed}-{plants_per_class}"


def _plants(plants_per_class):
    """Return (class name, number of the plant) for every plant of a set."""
    return list(itertools.product(CLASS_NAMES, range(plants_per_class)))


def _photos(plants_per_class):
    """Return (class name, number of the plant, number of the photo) for every photo of a set."""
    return [(*plant, shot) for plant in _plants(plants_per_class) for shot in range(PHOTOS_PER_PLANT)]


def _row(folder, label, plant, shot):
    """Return (path, label, group, mask) of one photo as plain strings; a file's own name tells nothing of its class."""
    group = f"{label}-{plant:03d}"
    name = f"{_files.sha256_of(group.encode())[:8]}_{shot}"
    path = folder / "photos" / label / f"{name}.jpg"
    mask = folder / "masks" / label / f"{name}.png"
    return str(path), label, group, str(mask)


def _holds(folder, name):
    """Return whether `folder` holds the whole set `name`; raise ValueError if it holds something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    note = folder / "set.txt"
    found = note.read_text(encoding="utf-8").strip() if note.is_file() else "something else"
    if found != name:
        raise ValueError(f"folder must be new, empty or hold {name}; {folder} holds {found}. Name another folder.")
    return True


# --- painting --------------------------------------------------------------------------------------------


def _generate(folder, seed, plants_per_class, progress):
    """Paint a set beside `folder` and rename it at the end: a killed run leaves no `folder` behind.

    Of two processes that paint at once, the second to finish throws its own set away.
    """
    part = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        for kind, label in itertools.product(("photos", "masks"), CLASS_NAMES):
            (part / kind / label).mkdir(parents=True)
        plants = _plants(plants_per_class)
        _paint_all(part, seed, plants, _workers(plants), progress)
        (part / "set.txt").write_text(set_name(seed, plants_per_class) + "\n", encoding="utf-8")
        _rename(part, folder, set_name(seed, plants_per_class))
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _rename(part, folder, name):
    """Move the whole set `part` to `folder`, unless another process has put it there first."""
    try:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()  # Windows renames onto no folder, not even an empty one
        part.rename(folder)
    except OSError:
        if not _holds(folder, name):
            raise


def _workers(plants):
    """Return how many processes to paint in: one for every core, but only this one for a few plants."""
    return min(_machine.cores(), 16) if len(plants) > 12 else 1


def _paint_all(folder, seed, plants, workers, progress):
    """Paint the photos and masks of `plants` into `folder`, in `workers` processes (1 = this one).

    plants : [(class name, number), ...]
    """
    from tqdm.auto import tqdm

    paint = functools.partial(_paint_plant, folder, seed)
    bar = functools.partial(tqdm, total=len(plants), desc="painting leaves", unit="plant", disable=not progress)
    if workers == 1:
        return list(bar(map(paint, plants)))
    try:
        # "spawn", because a fork of a process that has loaded TensorFlow may hang
        spawn = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(workers, mp_context=spawn) as pool:
            return list(bar(pool.map(paint, plants)))
    except concurrent.futures.process.BrokenProcessPool:
        # as in a script without `if __name__ == "__main__":`, or one that was read from standard input
        warnings.warn("Worker processes could not start: painting in this process, which is slower.", stacklevel=4)
        return list(bar(map(paint, plants)))


def _paint_plant(folder, seed, plant):
    """Write the four photos and masks of one plant (class name, number)."""
    label, number = plant
    rng = np.random.default_rng([VERSION, seed, CLASS_NAMES.index(label), number])
    leaf = painter.wear(painter.grow(rng), rng)
    leaf = diseases.infect(leaf, label, rng)
    for shot in range(PHOTOS_PER_PLANT):
        image, mask = camera.photograph(leaf, rng)
        path, _, _, mask_path = _row(folder, label, number, shot)
        quality, sampling = int(rng.integers(68, 96)), int(rng.choice([0, 2]))
        Image.fromarray(image).save(path, quality=quality, subsampling=sampling)
        Image.fromarray(mask).save(mask_path)
