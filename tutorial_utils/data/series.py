"""Series of photos in a folder without groups.csv: which show one object, as far as names, times and copies tell."""

import itertools
import pathlib
import re

import numpy as np
import pandas

from .. import _check, _files
from . import duplicates

BURST = 10  # seconds between two photos of one series, at most
LIKE = 0.6  # correlation of two thumbnails with running numbers, from which on they are one series
MOST = 0.5  # of a class, that a rule may put into one series; one that does so tells nothing
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}[ ._-]*", re.IGNORECASE)  # before the name a camera gave
_STEMS = [  # what a file's name without its ending is made of: the stem that a series shares, and the rest
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(.+?)[._-](?:jpe?g|png|webp)\.rf\..+",  # one photo in several versions, as Roboflow writes them
        r"(.+?)[ ._-]*(?:frame|frm)[ ._-]*\d+",  # frames of one video
        r"(.+?)(?:[ ._-]+(?:copy|edited|crop(?:ped)?|flip(?:ped)?|rot(?:ated)?|aug)[a-z]*[ ._-]*\d*)+",
        r"(.*\d.*?)[ ]?\(\d+\)",  # IMG_1 (2)
        r"(.*\d.*?)[ ._~-]+(?:\d{1,2}|[a-z])",  # plant12_3, plant12-b, IMG_1~2
    )
]


def propose_series(photos, stats, pairs=None):
    """Return the series that photos seem to stand in: a DataFrame with `path`, `label`, `group` and `why`.

    photos : photos table; stats : of these, as from image_stats.compute_stats; pairs : as from
        duplicates.find_duplicates, None searches now
    Only photos of a series of two or more are listed. `why` is what binds them: "names" (plant12_1 and plant12_2,
    frames of a video, versions of a photo), "times" (taken within BURST seconds of each other), "numbers" (running
    numbers and alike), "copies". A rule that puts more than MOST of a class into one series is left out. All this is a
    guess: look before you believe it.
    """
    _check.columns(photos, ["path", "label"])
    photos, stats = photos.reset_index(drop=True), stats.reset_index(drop=True)
    pairs = duplicates.find_duplicates(stats, progress=False) if pairs is None else pairs
    links = {"names": _by_name(photos), "times": _by_time(photos, stats), "numbers": _by_number(photos, stats)}
    links = {why: found for why, found in links.items() if not _says_too_much(photos, found)} | {"copies": pairs}
    both = pandas.concat([found[["first", "second"]] for found in links.values()], ignore_index=True).astype(int)
    group = duplicates.merge_groups(photos["path"], both)
    table = photos[["path", "label"]].assign(group=group)
    reasons = {}
    for why, found in links.items():
        for row in found["first"].astype(int):
            reasons.setdefault(group[row], []).append(why)
    table["why"] = [" and ".join(dict.fromkeys(reasons.get(each, []))) for each in group]
    table = table[table["why"] != ""].reset_index(drop=True)
    number = pandas.factorize(table["group"])[0] + 1
    return table.assign(group=[f"series {each:03d}" for each in number])


def write_groups(proposed, root):
    """Write proposed series as the groups.csv of a folder; return its path.

    proposed : as from `propose_series`, with the rows left out that you do not believe
    root : the folder that the class folders stand in
    Raises ValueError if there is a groups.csv already, which somebody has made.
    """
    path = pathlib.Path(root) / "groups.csv"
    if path.exists():
        raise ValueError(f"There is a {path} already. Move it away first, if it is to be made anew.")
    inside = [pathlib.Path(each).relative_to(root) for each in proposed["path"]]
    table = pandas.DataFrame(
        {
            "class": [each.parent.as_posix() for each in inside],
            "file": [each.name for each in inside],
            "group": proposed["group"].to_numpy(),
        }
    )
    return _files.write_text(path, table.to_csv(index=False, lineterminator="\n"))


def _says_too_much(photos, links):
    """Return whether pairs of rows bind more than MOST of a class into one series."""
    group = pandas.Series(duplicates.merge_groups(photos["path"], links))
    shares = group.groupby(photos["label"].to_numpy()).agg(lambda each: each.value_counts(normalize=True).iloc[0])
    sizes = photos["label"].value_counts().reindex(shares.index)
    return bool(((shares > MOST) & (sizes > 2)).any())


def _by_name(photos):
    """Return pairs of rows, a DataFrame with `first` and `second`, whose names have a stem in common."""
    return _neighbors([(str(pathlib.Path(path).parent), _stem(path)) for path in photos["path"]])


def _stem(path):
    """Return what a file's name shares with those of its series, or None where nothing tells."""
    name = _name(path)
    found = next((match for pattern in _STEMS if (match := pattern.fullmatch(name))), None)
    return found.group(1).casefold() if found else None


def _name(path):
    """Return a file's name without its ending, and without the unique number that some programs put before it."""
    name = pathlib.Path(path).stem
    return _ID.sub("", name) or name


def _neighbors(keys):
    """Return the pairs of rows that have the same key, each row with the next; a key that ends with None has none."""
    rows = pandas.Series(range(len(keys))).groupby(pandas.Series(keys, dtype=object)).agg(list)
    pairs = [pair for key, each in rows.items() if key[-1] is not None for pair in itertools.pairwise(each)]
    return pandas.DataFrame(pairs, columns=["first", "second"], dtype=int)


def _by_time(photos, stats):
    """Return pairs of rows of one class that were taken within BURST seconds of each other."""
    when = stats["taken"].dropna()
    pairs = []
    for _, each in when.groupby(photos.loc[when.index, "label"].astype(str)):
        each = each.sort_values(kind="stable")
        near = each.diff().dt.total_seconds().le(BURST).to_numpy()
        pairs += [(each.index[place - 1], each.index[place]) for place in np.flatnonzero(near)]
    return pandas.DataFrame(pairs, columns=["first", "second"], dtype=int)


def _by_number(photos, stats):
    """Return pairs of rows whose names differ by one in their last number, and whose thumbnails are alike."""
    named = [(path, re.fullmatch(r"(.*?)(\d+)", _name(path))) for path in photos["path"]]
    row_of = {
        (str(pathlib.Path(path).parent), found[1], int(found[2])): row
        for row, (path, found) in enumerate(named)
        if found and stats["problem"].iloc[row] == ""
    }
    pairs = [
        (row, row_of[after])
        for (folder, stem, number), row in row_of.items()
        if (after := (folder, stem, number + 1)) in row_of and _alike(stats["thumbnail"], row, row_of[after])
    ]
    return pandas.DataFrame(pairs, columns=["first", "second"], dtype=int)


def _alike(thumbnails, one, other):
    a, b = (np.asarray(thumbnails.iloc[row], float).ravel() for row in (one, other))
    return bool(a.std() > 0 and b.std() > 0 and np.corrcoef(a, b)[0, 1] > LIKE)
