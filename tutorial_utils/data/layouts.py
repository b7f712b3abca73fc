"""A folder of class folders becomes the photos table."""

import concurrent.futures
import pathlib

import pandas

from .. import _files
from .images import check_header

_NOT_PHOTOS = {"thumbs.db", "desktop.ini"}  # written by Windows into folders of photos


def load_folder(folder, check=True):
    """Return the photos table of `folder/<class>/<photo>` (chapter 2).

    folder : str or Path; relative to the working directory, else to the project's folder. An optional
        `groups.csv` in it (columns class, file, group) says which photos share a plant; the same group in two
        classes is the same plant, so number plants across the whole folder.
    check : False also lists files that are no photos, for data.audit to look at
    Returns a DataFrame, one row a photo: `path` (str), `label` (categorical, classes in alphabetical order),
        `group` (str; the path where groups.csv names none). Hidden files are left out.
    Raises ValueError for a missing folder, no or one class, an empty class, a file that is no photo.
    """
    root = find_folder(folder)
    classes = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        raise ValueError(
            f"{root} needs at least two class folders, each with photos of one class; found "
            f"{'only ' + classes[0].name if classes else 'none'}. Expected {root}/<class>/<photo>."
        )
    rows = [(str(path), each.name) for each in classes for path in _photo_files(each)]
    if check:
        check_headers([path for path, _ in rows])
    photos = pandas.DataFrame(rows, columns=["path", "label"]).astype({"path": object})
    photos["label"] = pandas.Categorical(photos["label"], categories=[each.name for each in classes])
    photos["group"] = _groups(root, photos)
    return photos


def find_folder(folder):
    """Return the absolute path of a folder given relative to the working directory or to the project's folder.

    Raises ValueError, which says where it looked, if there is none.
    """
    given = pathlib.Path(folder).expanduser()
    tried = [given] if given.is_absolute() else [pathlib.Path.cwd() / given, _files.project_root() / given]
    for path in tried:
        if path.is_dir():
            return path.resolve()
    raise ValueError(
        f"There is no folder {folder!s} (looked for {' and '.join(dict.fromkeys(str(p) for p in tried))}). "
        "Give a data set's name or the path of a folder that holds one folder of photos a class."
    )


def _photo_files(class_folder):
    files = sorted(
        path
        for path in class_folder.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in _NOT_PHOTOS
    )
    for path in files:
        if path.is_dir():
            raise ValueError(f"{path} is a folder inside a class folder; move its photos up one level.")
    if not files:
        raise ValueError(f"The class folder {class_folder} holds no photos. Add some or remove the folder.")
    return files


def check_headers(paths):
    """Raise PhotoError for the first file that is no photo, by its header alone."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for _ in pool.map(check_header, paths):
            pass


def _groups(root, photos):
    """Return each photo's group (str): from groups.csv, else its own path."""
    manifest = root / "groups.csv"
    if not manifest.is_file():
        return photos["path"]
    table = pandas.read_csv(manifest, dtype=str, keep_default_na=False)
    if not {"class", "file", "group"} <= set(table.columns):
        raise ValueError(f"{manifest} needs the columns class,file,group; it has {','.join(table.columns)}.")
    named = {str(root / row["class"] / row["file"]): row["group"] for _, row in table.iterrows()}
    known = set(photos["path"])
    unknown = [path for path in named if path not in known]
    if unknown:
        raise ValueError(
            f"{manifest} names {len(unknown)} file(s) that are not there, the first {unknown[0]}. "
            "Take these rows out or put the photos back."
        )
    return photos["path"].map(lambda path: named.get(path) or path).astype(object)
