"""The ways that people keep photos in classes: from a path to the photos table, and lines that say how it was read."""

import collections
import concurrent.futures
import pathlib
import re
from typing import NamedTuple

import pandas

from .. import _files
from . import archives, manifests
from .images import check_header

PARTS = ("train", "val", "test")
_PART_OF = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val"}
_PART_OF |= {"test": "test", "testing": "test"}  # words in the names of folders that are the parts of a split
_JUNK_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "#recycle", "lost+found"}
_JUNK_FILES = {"thumbs.db", "desktop.ini", "ehthumbs.db", "ehthumbs_vista.db", "icon\r", "icon_", "picasa.ini"}
_BESIDE = {  # what cameras, labelling tools and people put beside photos
    ".aae", ".mov", ".mp4", ".m4v", ".avi", ".3gp", ".thm", ".lrv", ".wav", ".xmp", ".xml", ".txt", ".json", ".jsonl",
    ".csv", ".tsv", ".xlsx", ".xls", ".ods", ".yaml", ".yml", ".md", ".html", ".htm", ".ini", ".db", ".log", ".lnk",
    ".url", ".py", ".ipynb", ".pkl", ".npy", ".npz", ".mat", ".cache", ".names", ".data", ".zip", ".part", ".tmp",
    ".gz", ".tar", ".7z", ".rar", ".h5", ".hdf5", ".keras", ".tflite", ".onnx", ".pt", ".pth", ".ckpt", ".joblib",
    ".tfrecord", ".docx", ".pptx",
}  # fmt: skip
NO_GROUPS = "There is no groups.csv: each photo is taken for itself. If some show the same object, scores are too good."
_READ = {"groups.csv", "corrections.csv"}
_SHOWN = 5  # names in a sentence


class Reading(NamedTuple):
    """A folder of photos as it was read."""

    photos: pandas.DataFrame  # the photos table
    lines: list[str]  # how it was read, and what was passed over
    root: pathlib.Path  # the folder in which groups.csv and corrections.csv stand


def load_folder(folder, check=True):
    """Return the photos table of a folder of photos in classes, kept in any usual way: `read_folder` without its lines.

    Raises ValueError as `read_folder` does.
    """
    return read_folder(folder, check).photos


def read_folder(folder, check=True):
    """Return the Reading of a folder of photos in classes, or of a table of labels beside them (chapter 2).

    folder : str or Path; relative to the working directory, else to the project's folder. It may be
        - a folder with a folder for each class, or such a folder inside of a single other one, or a zip of it;
        - the same below train, val and test (in any usual spelling, two or three of them): the set's own split;
        - classes inside classes, named by their path (apple/rotten); FOLDER/* takes the outer folders as classes;
        - a table of labels (.csv, .tsv, .xlsx) with the photos anywhere below its folder, or such a folder;
          TABLE:COLUMN says which column is the class.
        A `groups.csv` beside the class folders (columns class, file, group) says which photos share a plant; the same
        group in two classes is the same plant, so number plants across the whole folder. A `corrections.csv` there
        (columns file, label) puts labels right, or drops photos, and no file is moved.
    check : False also lists files that are no photos, for data.audit to look at
    The table has one row a photo: `path` (str), `label` (categorical, classes in alphabetical order), `group` (str; the
    path where groups.csv names none) and, of a set with its own split in three parts, `split`.
    Raises ValueError for a missing folder, no or one class, empty classes, a file that is no photo, and for what can be
    meant in two ways: it says both, and how to choose.
    """
    root, table, column, outer = locate(folder)
    reading = _corrected(_from_table(root, table, column) if table else _from_folder(root, outer))
    if check:
        check_headers(reading.photos["path"])
    alone = bool((reading.photos["group"] == reading.photos["path"]).all())
    return reading._replace(lines=reading.lines + [NO_GROUPS] * alone)


def _corrected(reading):
    """Return a Reading with the labels put right that a corrections.csv names."""
    path, photos = reading.root / "corrections.csv", reading.photos
    if not path.is_file():
        return reading
    labels = dict(zip(photos["path"], photos["label"].astype(str), strict=True))
    labels, lines = manifests.read_corrections(path, reading.root, labels)
    photos = photos[photos["path"].isin(set(labels))].reset_index(drop=True)
    names = [name for name in photos["label"].cat.categories if name in set(labels.values())]
    photos["label"] = pandas.Categorical(photos["path"].map(labels), categories=names)
    return reading._replace(photos=photos, lines=reading.lines + lines)


def locate(folder):
    """Return (root, table, column, outer) of what `read_folder` is given: see there.

    root : the absolute path of the folder with the photos; table : the path of a table of labels, or None; column : the
        name of the one that holds the class, or None; outer : whether the folders in root are the classes, whatever is
        inside of them
    Raises ValueError if it is not there.
    """
    text = str(folder)
    for pattern in (r"(.*\.(?:csv|tsv|xlsx))()", r"(.*\.(?:csv|tsv|xlsx)):(.+)"):
        found = re.fullmatch(pattern, text, re.IGNORECASE)
        if found and (path := pathlib.Path(found[1]).expanduser()).is_file():
            return path.resolve().parent, path.resolve(), found[2] or None, False
    bare = text.rstrip("/\\")
    outer = bare.endswith(("/*", "\\*"))
    return find_folder(bare[:-2] if outer else bare or text), None, None, outer


def find_folder(folder):
    """Return the absolute path of a folder given relative to the working directory or to the project's folder.

    A zip is unpacked into the cache, by content. Raises ValueError, which says where it looked, if there is none.
    """
    given = pathlib.Path(folder).expanduser()
    tried = [given] if given.is_absolute() else [pathlib.Path.cwd() / given, _files.project_root() / given]
    for path in tried:
        if path.is_dir():
            return path.resolve()
        if path.suffix.lower() == ".zip" and path.is_file():
            return _unpacked(path)
    raise ValueError(
        f"There is no folder {folder!s} (looked for {' and '.join(dict.fromkeys(str(p) for p in tried))}). "
        "Give a data set's name or the path of a folder that holds one folder of photos a class."
    )


def photos_below(folder):
    """Return (files, passed over): all files below a folder that should be photos, sorted; how many others, by kind.

    Passed over are hidden files and what systems, cameras and labelling tools leave beside photos; kinds are endings
    (".xml") or names ("Thumbs.db"). Whether the files are photos indeed, their content tells.
    """
    files, others = [], collections.Counter()
    for path in sorted(pathlib.Path(folder).iterdir()):
        kind = _kind_of_junk(path)
        if kind == "read":
            continue
        if kind:
            others[kind] += 1 if path.is_file() else sum(each.is_file() for each in path.rglob("*"))
        elif path.is_dir():
            more, beside = photos_below(path)
            files += more
            others += beside
        else:
            files.append(path)
    return files, others


def check_headers(paths):
    """Raise PhotoError for the first file that is no photo, by its header alone."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for _ in pool.map(check_header, paths):
            pass


def _from_folder(root, outer=False):
    """Try each way in turn."""
    lines, way = [], root
    while not outer and (inner := _only_folder(way)):
        lines.append(f"Read {inner}: it is the only folder in {way.name}.")
        way = inner
    folders = _folders(way)
    parts, others = ({}, []) if outer else _parts(folders)
    if parts:
        reading = _from_split(way, parts)
        lines += [_left_out(photos_below(each)[0], f"in {each.name}") for each in others]
    elif len(folders) < 2:
        reading = _from_tables(way)
    else:
        reading = _from_classes(way, folders, outer)
    beside = [path for path in way.iterdir() if path.is_file() and not _kind_of_junk(path)]
    if beside and len(folders) > 1:
        lines.append(_left_out(sorted(beside), "beside the folders"))
    return reading._replace(lines=[reading.lines[0], *lines, *reading.lines[1:], *_passed_over(root)])


def _passed_over(root):
    """Return a line on what lies in a folder and is no photo, in a list; [] if nothing does."""
    _, others = photos_below(root)
    if not others:
        return []
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in others.most_common(_SHOWN))
    return [f"Passed over, being no photos: {kinds}{' and others' if len(others) > _SHOWN else ''}."]


def _from_classes(root, folders, outer=False):
    """Read class folders; what lies deeper belongs to a class named by its path, or, with `outer`, to the outer one."""
    found = {folder: photos_below(folder)[0] for folder in folders}
    empty = [folder.name for folder, files in found.items() if not files]
    if empty:
        which = "folder {} holds no photos. Add some or remove the folder."
        if len(empty) > 1:
            which = "folders {} hold no photos. Add some or remove the folders."
        raise ValueError(f"In {root} the class {which.format(_named(empty))}")
    if not outer:
        _check_depth(root, found)
    rows = [
        (str(path), folder.name if outer else path.parent.relative_to(root).as_posix())
        for folder, files in found.items()
        for path in files
    ]
    photos = pandas.DataFrame(rows, columns=["path", "label"]).astype({"path": object})
    names = sorted(photos["label"].unique())
    photos["label"] = pandas.Categorical(photos["label"], categories=names)
    lines = [f"{len(names)} classes from the folders {_named(names)}: {len(photos):,} photos."]
    lines += [] if outer else _tables_beside(root, folders, photos["path"].tolist())
    if not outer and any("/" in name for name in names):
        lines.append(f"The classes are named by their path. To take the outer folders as classes, give {root}/*")
    if all(name.isdigit() for name in names) and names != sorted(names, key=int):
        lines.append(f"The classes are in the order of text, not of numbers: {_named(names)}.")
    groups, told = _groups(root, photos)
    return Reading(photos.assign(group=groups), lines + told, root)


def _tables_beside(root, folders, paths):
    """Return a line on each table that names the photos of class folders too.

    Raises ValueError where the folders look like the parts of one pile, for then the classes stand in the table.
    """
    lines = []
    for table in _tables(root):
        columns = manifests.name_columns(table, paths, root)
        if not columns:
            continue
        both = f"give {table}:{columns[-1]} (its columns: {', '.join(columns)})"
        if len({re.sub(r"\d+", "", folder.name) for folder in folders}) == 1:
            raise ValueError(
                f"In {root} the folders {_named([folder.name for folder in folders])} differ by a number only, and "
                f"{table.name} names their photos. If the classes stand in the table, {both}; if the folders are the "
                f"classes, give {root}/*"
            )
        lines.append(f"{table.name} names these photos too. To take the classes from it, {both}.")
    return lines


def _tables(root):
    """Return the tables in a folder that may give its photos classes."""
    found = [path for path in sorted(root.iterdir()) if path.suffix.lower() in manifests.SUFFIXES]
    return [path for path in found if path.name not in _READ and not path.name.lower().startswith(("sample", "~$"))]


def _groups(root, photos):
    """Return (each photo's group, lines): from the groups.csv of a folder, else its own path."""
    paths = photos["path"].tolist()
    groups, lines = paths, []
    if (root / "groups.csv").is_file():
        groups, lines = manifests.read_groups(root / "groups.csv", root, paths)
        lines = [f"groups.csv says what belongs together: {len(set(groups)):,} groups.", *lines]
    return pandas.Series(groups, index=photos.index, dtype=object), lines


def _check_depth(root, found):
    """Raise ValueError if a folder holds photos and folders with photos: are these classes, or only order in one?"""
    holding = {path.parent for files in found.values() for path in files}
    for inner in sorted(holding):
        above = holding & set(inner.parents)
        if above:
            folder = min(above)
            raise ValueError(
                f"{folder} holds photos, and so does {inner.relative_to(root).as_posix()} inside it. If all of these "
                f"are of one class, give {root}/* as the data set; if not, move the photos of {folder.name} into a "
                "folder of their own."
            )


def _from_split(root, parts):
    """Read the parts of a set that brings its own split."""
    read, lines = {}, []
    for part, folder in parts.items():
        inner = folder
        while deeper := _only_folder(inner):
            inner = deeper
        if len(_folders(inner)) > 1:
            read[part] = _from_classes(inner, _folders(inner))
        elif (found := _labelled(inner)) is not None:
            read[part] = found
        else:
            lines.append(_left_out(photos_below(folder)[0], f"in {folder.name} have no class and"))
    if not read and (found := _labelled(root)):
        return found
    if "train" not in read:
        raise ValueError(_like_a_split(root, parts))
    names = sorted(set().union(*(reading.photos["label"].cat.categories for reading in read.values())))
    _check_same_classes(root, read, names)
    photos = pandas.concat(
        [each.photos.assign(label=each.photos["label"].astype(str), split=part) for part, each in read.items()],
        ignore_index=True,
    )
    photos["label"] = pandas.Categorical(photos["label"], categories=names)
    if (root / "groups.csv").is_file():
        photos["group"], told = _groups(root, photos)
        lines += told
    told = ", ".join(f"{parts[part].name} ({len(each.photos):,})" for part, each in read.items())
    first = f"{len(names)} classes, {_named(names)}, from {told}"
    if len(read) == 1:
        return Reading(photos.drop(columns="split"), [f"{first}; the split is drawn from these.", *lines], root)
    missing = [part for part in PARTS if part not in read]
    kept = f"whose split is kept{f'; {missing[0]} is drawn from train' if missing else ''}"
    return Reading(photos, [f"{first}, {kept}.", *lines], root)


def _check_same_classes(root, read, names):
    for part, reading in read.items():
        lacking = sorted(set(names) - set(reading.photos["label"].cat.categories))
        if lacking:
            raise ValueError(
                f"In {root} the part {part} has no folder for {_named(lacking)}, which another part has. Each part "
                "needs the same classes, spelled alike."
            )


def _like_a_split(root, parts):
    """Return the sentence for a split whose photos have no classes."""
    names = " and ".join(folder.name for folder in parts.values())
    files, _ = photos_below(parts["train"])
    return (
        f"{names} in {root} look like a split, not like classes, and {parts['train'].name} holds no class folders. "
        f"{_how_to_go_on(files)} (If they are classes, give {root}/* as the data set.)"
    )


def _how_to_go_on(files):
    """Return what to do with photos that stand in no class folders; their names may begin with a class."""
    begin = collections.Counter(
        found.group(1)
        for path in files
        if (found := re.match(r"([^\W\d_]{2,}(?:[ _-][^\W\d_]+)*)[ ._-]*\d", path.name))
    )
    if 1 < len(begin) < len(files) / 2 and sum(begin.values()) > 0.9 * len(files):
        first, second = (name for name, _ in begin.most_common(2))
        return (
            f"The names of the files begin with a class ({first}, {second}): make a folder for each and move its "
            "photos there, or write a table, labels.csv, with the columns file and class."
        )
    return "Put the photos of each class into a folder, or write a table, labels.csv, with the columns file and class."


def _from_tables(root):
    """Read the table of labels beside which the photos stand."""
    found = _labelled(root)
    if found is None:
        folders, (files, _) = _folders(root), photos_below(root)
        told = f"found {'only ' + folders[0].name if folders else 'none'}"
        raise ValueError(
            f"{root} needs at least two class folders, each with photos of one class; {told}. {_how_to_go_on(files)}"
        )
    return found


def _labelled(root):
    """Return the Reading of photos that a table in the same folder gives classes, or None if none does."""
    files = [str(path) for path in photos_below(root)[0]]
    found = [path for path in _tables(root) if files and manifests.find_labels(path, files, root)[0]]
    if len(found) > 1:
        raise ValueError(
            f"{root} holds several tables that name photos and classes: {_named([path.name for path in found])}. "
            f"Say which by giving it as the data set: {found[0]}"
        )
    return _from_table(root, found[0]) if found else None


def _from_table(root, table, column=None):
    files = [str(path) for path in photos_below(root)[0]]
    labels, lines = manifests.find_labels(table, files, root, column)
    if not labels:
        raise ValueError(f"{table} names none of the {len(files):,} photos below {root}, or no class of them.")
    photos = pandas.DataFrame(sorted(labels.items()), columns=["path", "label"]).astype({"path": object})
    names = sorted(photos["label"].unique())
    if len(names) < 2:
        raise ValueError(f"{table} names only the class {names[0]!r}; at least two are needed.")
    photos["label"] = pandas.Categorical(photos["label"], categories=names)
    photos["group"], told = _groups(root, photos)
    lines = [f"{len(names)} classes, {_named(names)}: {len(photos):,} photos.", *lines, *told]
    return Reading(photos, lines, root)


def _only_folder(root):
    """Return the only folder in a folder without photos or tables of its own, if classes or parts may stand in it."""
    folders = _folders(root)
    alone = len(folders) == 1 and len(_folders(folders[0])) > 0
    others = [path for path in root.iterdir() if path.is_file() and not _kind_of_junk(path)]
    return folders[0] if alone and not others else None


def _parts(folders):
    """Return ({part: folder}, others) if folders are the parts of a split: two at least, train among them; else {}, [].

    others : folders beside them whose photos have no classes, while those of the parts have
    Raises ValueError where it may be meant otherwise, or a part is there twice.
    """
    found, others = {}, []
    for folder in folders:
        words = {_PART_OF[word] for word in re.findall("[a-z]+", folder.name.casefold()) if word in _PART_OF}
        if len(words) != 1:
            others.append(folder)
        elif (part := words.pop()) in found:
            raise ValueError(
                f"{found[part].name} and {folder.name} in {folder.parent} would both be the part {part} of a split. "
                f"Move one of them away; if they are classes, give {folder.parent}/* as the data set."
            )
        else:
            found[part] = folder
    if len(found) < 2 or "train" not in found:
        return {}, []
    inside = [len(_folders(each)) > 0 for each in (found["train"], *others)]
    named = _named([found[part].name for part in PARTS if part in found])
    if others and not (inside[0] and not any(inside[1:])):
        raise ValueError(
            f"In {folders[0].parent}, {named} look like a split, and "
            f"{others[0].name} beside them like a class. For a split, move {others[0].name} away; if all are classes, "
            f"give {folders[0].parent}/* as the data set."
        )
    return {part: found[part] for part in PARTS if part in found}, others


def _folders(root):
    """Return the folders in a folder that should hold photos: not those with nothing but what is passed over."""
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and not _kind_of_junk(path)]
    return [path for path in folders if photos_below(path)[0] or not photos_below(path)[1]]


def _kind_of_junk(path):
    """Return what a file or folder is that is passed over, "" for one that is not."""
    name, suffix = path.name.casefold(), path.suffix.casefold()
    if name.startswith("."):
        return "hidden"
    if path.is_dir():
        return path.name if name in _JUNK_FOLDERS else ""
    if name in _READ:
        return "read"
    return path.name.strip() if name in _JUNK_FILES or name.startswith("~$") else suffix if suffix in _BESIDE else ""


def _left_out(files, where):
    """Return a line on photos that are left out."""
    first = f", the first: {files[0].name}" if files else ""
    return f"{len(files):,} photos {where} are left out{first}."


def _named(names):
    """Return names for a sentence, at most a few of them."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def _unpacked(path):
    """Return the folder of a zip's files in the cache, unpacked unless that has happened before."""
    folder = _files.cache_folder() / "unpacked" / _files.sha256(path)[:16] / path.stem
    if not folder.is_dir():
        archives.unpack(path, folder, skip=lambda name: name.endswith("Icon\r") or "__MACOSX/" in name)
    return folder
