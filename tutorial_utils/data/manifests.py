"""Tables beside photos, as Excel, Numbers and people save them: which photos share a group, which class each has."""

import csv
import importlib.util
import io
import pathlib
import unicodedata
import zipfile

import pandas

from .. import _files

SUFFIXES = (".csv", ".tsv", ".xlsx")
DROP = "drop"  # in corrections.csv: a photo that belongs to no class
_LABELS = ("label", "labels", "class", "classes", "class_name", "category", "target", "species", "diagnosis", "disease")
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def read_table(path):
    """Return (table, lines): a DataFrame of texts, blanks around them taken away; what a reader should know of it.

    path : .csv or .tsv, with commas, semicolons or tabs, in UTF-8, UTF-16 or as Windows writes it; .xlsx where openpyxl
        is installed
    Raises ValueError, which names the file, for what is no such table.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() == ".xlsx":
        if importlib.util.find_spec("openpyxl") is None:
            raise ValueError(f"{path} is an Excel file. To read it: pip install openpyxl, or save it as CSV.")
        try:
            table, lines = pandas.read_excel(path, dtype=str, keep_default_na=False), []
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} cannot be read as an Excel file ({error}). Save it as CSV.") from None
    else:
        text, lines = _decode(path)
        try:
            table = pandas.read_csv(
                io.StringIO(text), sep=_separator(text), dtype=str, keep_default_na=False, index_col=False
            )
        except (pandas.errors.ParserError, pandas.errors.EmptyDataError, csv.Error) as error:
            raise ValueError(f"{path} cannot be read as a table ({error}). Save it as CSV again.") from None
    table.columns = [str(name).strip() for name in table.columns]
    return table.apply(lambda column: column.str.strip()), lines


def _decode(path):
    data = path.read_bytes()
    for mark, encoding in _BOMS.items():
        if data.startswith(mark):
            return data.decode(encoding), []
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        told = f"{path.name} is not in UTF-8; it was read as cp1252, the way of older Windows programs."
        return data.decode("cp1252", errors="replace"), [told]


def _separator(text):
    """Return the one of comma, semicolon and tab that the first line holds most of."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def read_groups(path, root, paths):
    """Return (group of each photo, lines) as groups.csv says: the columns class, file and group; "" names none.

    root : the folder that its class folders stand in; paths : of the photos, str. Without the column class, the file is
        named by its path in `root`
    A name in another case (IMG.JPG for img.jpg) is taken where it can mean one photo only.
    Raises ValueError for other columns, or for files that are not there.
    """
    table, lines = read_table(path)
    if not {"file", "group"} <= set(table.columns):
        raise ValueError(f"{path} needs the columns class,file,group; it has {','.join(table.columns)}.")
    inside = {str(pathlib.Path(each).relative_to(root).as_posix()): each for each in paths}
    folded = _folded(inside)
    group_of, unknown = dict(zip(paths, paths, strict=True)), []
    folders = table["class"] + "/" if "class" in table else ""
    for name, group in zip((folders + table["file"]).str.removeprefix("/"), table["group"], strict=True):
        found = inside.get(name) or folded.get(_key(name))
        if found is None:
            unknown.append(root / name)
        elif group:
            group_of[found] = group
    if unknown:
        raise ValueError(
            f"{path} names {len(unknown)} file(s) that are not there, the first {unknown[0]}. "
            "Take these rows out or put the photos back."
        )
    return list(group_of.values()), lines


def read_corrections(path, root, labels):
    """Return (labels, lines): the classes of photos with those put right that corrections.csv names.

    path : a table with the columns file and label: a photo's path in the folder `root`, and its right class, or "drop"
    labels : {path: class} as the folders say; in what is returned, the photos to drop are missing
    Raises ValueError for other columns, and for a class that no folder has.
    """
    table, lines = read_table(path)
    if not {"file", "label"} <= set(table.columns):
        raise ValueError(f"{path} needs the columns file,label; it has {','.join(table.columns)}.")
    found, known = _matches(table["file"], _by_name(labels, root)), set(labels.values())
    odd = table[~table["label"].isin([*known, DROP])]
    if len(odd):
        raise ValueError(
            f"{path} gives {odd['file'].iloc[0]} the class {odd['label'].iloc[0]!r}, which no folder has. Write one of "
            f"{', '.join(sorted(known))}, or {DROP}."
        )
    wanted = dict(zip(found, table["label"], strict=True))
    right = {each: wanted.get(each, label) for each, label in labels.items()}
    moved = sum(right[each] not in (label, DROP) for each, label in labels.items())
    kept = {each: label for each, label in right.items() if label != DROP or DROP in known}
    lines.append(f"{path.name}: {moved:,} photos have another class, {len(labels) - len(kept):,} are dropped.")
    unknown = table["file"][found.isna()]
    if len(unknown):
        lines.append(f"{len(unknown):,} rows of it name no photo that is here, the first: {unknown.iloc[0]}.")
    return kept, lines


def write_corrections(path, corrections):
    """Write corrections.csv. corrections : {file, as a path in the folder: right class, or "drop"}"""
    table = pandas.DataFrame(list(corrections.items()), columns=["file", "label"])
    return _files.write_text(path, table.to_csv(index=False, lineterminator="\n"))


def find_labels(path, paths, root, column=None):
    """Return (labels, lines) of a table of labels; (None, []) if it names none of the photos.

    paths : of the photos, str, below `root`; column : the one that holds the class, None to find it
    labels : {path: class}, of the photos that a row names. A row's file may come with folder and ending or without;
        the class is a column of names, or the one of several columns that holds a 1.
    Raises ValueError if more than one class is meant for a photo, or if it cannot be told which column is the class.
    """
    table, lines = read_table(path)
    only = _by_name(paths, root)
    columns = {name: _matches(table[name], only) for name in table.columns}
    file = max(columns, key=lambda name: columns[name].notna().sum(), default=None)
    if file is None or not columns[file].notna().any():
        return None, []
    found = columns[file]
    classes = _classes(table.drop(columns=file), path, column)
    if classes is None:
        return None, []
    named = found.notna() & classes.ne("")
    labels = dict(zip(found[named], classes[named], strict=True))
    lines.append(f"The classes come from {path.name}: file in the column {file!r}, class in {classes.name}.")
    for count, what, first in (
        (int(found.isna().sum()), "rows name no photo that is here", table[file][found.isna()]),
        (int((found.notna() & classes.eq("")).sum()), "rows name no class", table[file][classes.eq("")]),
        (len(set(paths) - set(labels)), "photos have no row", sorted(set(paths) - set(labels))),
    ):
        if count:
            lines.append(f"{count:,} {what} and are left out, the first: {next(iter(first))}.")
    return labels, lines


def name_columns(path, paths, root):
    """Return the names of a table's columns but the one that names most of the photos `paths`; [] if none names half.

    root : the folder that the photos are below. A table that cannot be read is somebody's notes, and names none
    """
    try:
        table, _ = read_table(path)
    except ValueError:
        return []
    only = _by_name(paths, root)
    found = {name: _matches(table[name], only).nunique() for name in table.columns}
    file = max(found, key=found.get, default=None)
    return [name for name in table.columns if name != file] if file and found[file] >= len(paths) / 2 else []


def _by_name(paths, root):
    """Return {name: path} of photos below `root`: by the ends of their paths that only one has, with suffix or not."""
    by_name = {}
    for each in paths:
        inside = pathlib.Path(each).relative_to(root)
        parts = inside.parts
        for start in range(len(parts)):
            whole = "/".join(parts[start:])
            for name in (whole, str(pathlib.PurePosixPath(whole).with_suffix(""))):
                by_name.setdefault(_key(name), []).append(each)
    return {name: found[0] for name, found in by_name.items() if len(set(found)) == 1}


def _matches(column, only):
    """Return the photo that each text of a column names, or None, as a Series. only : from `_by_name`"""
    texts = column.str.replace("\\", "/").str.removeprefix("./").map(_key)
    return texts.map(lambda text: only.get(text) or only.get("/".join(text.split("/")[-1:])))


def _classes(table, path, column):
    """Return the class that each row names, a Series with a name that says where it stands; None if none can be."""
    if column is not None:
        if column not in table:
            raise ValueError(f"{path} has no column {column!r} for the class; it has {', '.join(table.columns)}.")
        return table[column].rename(f"the column {column!r}")
    ones = [name for name in table.columns if table[name].isin(["0", "1", "0.0", "1.0"]).all()]
    if len(ones) > 1:
        return _of_ones(table[ones].isin(["1", "1.0"]), path)
    names = [name for name in table.columns if name.casefold() in _LABELS] or list(table.columns)
    names = [name for name in names if table[name].nunique() > 1 or len(table.columns) == 1]
    if len(names) > 1:
        raise ValueError(
            f"{path} has several columns that could be the class: {', '.join(names)}. Say which by giving it as the "
            f"data set: {path}:{names[0]}"
        )
    return table[names[0]].rename(f"the column {names[0]!r}") if names else None


def _of_ones(table, path):
    several = table.sum(axis=1) > 1
    if several.any():
        raise ValueError(
            f"{path} gives {several.sum():,} photos more than one class, the first in row {several.idxmax() + 2}. This "
            "course tells one class for a photo: leave these rows out, or make a class of each combination."
        )
    named = table.idxmax(axis=1).where(table.any(axis=1), "")
    return named.rename(f"the {table.shape[1]} columns of 0 and 1")


def _folded(inside):
    """Return {name whatever its case: path} of names that are still told apart so."""
    found = {}
    for name, path in inside.items():
        found.setdefault(_key(name), []).append(path)
    return {name: paths[0] for name, paths in found.items() if len(paths) == 1}


def _key(name):
    """Return a name as it compares: without case, and in one of the forms that Unicode has for the same letters."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:  # a file whose name an older Windows program wrote, as it may have written the table
        name = name.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return unicodedata.normalize("NFC", name).casefold()
