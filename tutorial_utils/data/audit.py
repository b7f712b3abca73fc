"""What is wrong with a folder of photos, before any model learns from it: a table of findings, and what to do."""

import pathlib
import unicodedata
from typing import NamedTuple

import numpy as np
import pandas

from .. import _check, _files
from . import duplicates, image_stats

COLUMNS = ["path", "kind", "severity", "meaning", "action", "other"]
SEVERITIES = ("error", "warning", "note")
SMALL = 64  # pixels of the shorter side
LONG = 4.0  # times as long as wide
DARK, BRIGHT, PLAIN = 16, 240, 4  # mean gray, mean gray, deviation of the gray; 0-255
BLURRED = 0.25  # of the sharpness of the set's middle photo
UNEVEN = 3.0  # times as many photos as the smallest class
FEW = 20  # photos a class
_SUFFIXES = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".mpo"},
    "PNG": {".png"},
    "WEBP": {".webp"},
    "BMP": {".bmp", ".dib"},
    "GIF": {".gif"},
    "TIFF": {".tif", ".tiff"},
    "HEIF": {".heic", ".heif", ".hif"},
    "AVIF": {".avif"},
    "JPEG2000": {".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"},
}


class Kind(NamedTuple):
    """How bad a kind of finding is, what it means and what to do."""

    severity: str
    meaning: str
    action: str


TAKE_OUT = "audit.drop_unusable takes it out"
KINDS = {
    "missing": Kind("error", "the file is gone or may not be opened", TAKE_OUT),
    "empty": Kind("error", "the file holds nothing (0 bytes)", f"copy it again; {TAKE_OUT}"),
    "not_a_photo": Kind("error", "the file is no photo of a kind that can be read", TAKE_OUT),
    "heif": Kind("error", "a HEIF photo, which needs the package pillow-heif", f"install it; else {TAKE_OUT}"),
    "other_kind": Kind(
        "error",
        "a picture of a kind that is not read: raw, DICOM, SVG, ...",
        f"save it as JPEG or PNG; else {TAKE_OUT}",
    ),
    "too_large": Kind("error", "the file claims more pixels than a photo has", TAKE_OUT),
    "truncated": Kind("error", "the file ends before the picture does", f"copy it again; {TAKE_OUT}"),
    "incomplete": Kind(
        "error", "a part of the picture is lost: gray, shifted or foreign", f"copy it again; {TAKE_OUT}"
    ),
    "floating": Kind(
        "error", "its pixels are floating point or negative numbers", f"save it with 8 or 16 bits a channel; {TAKE_OUT}"
    ),
    "damaged": Kind("error", "the file cannot be decoded", f"copy it again; {TAKE_OUT}"),
    "label_conflict": Kind(
        "error", "the same picture stands in another class too", f"decide which is right; {TAKE_OUT}"
    ),
    "leak": Kind("error", "the same picture stands in another split too", "split again; give splits.split the stats"),
    "extension": Kind("note", "the name ends unlike the format of the file", "nothing: it is read by its content"),
    "cmyk": Kind("note", "stored in printing colors", "nothing: it is converted"),
    "palette": Kind("note", "stored with a palette of few colors", "nothing: it is converted"),
    "alpha": Kind("note", "has transparent parts", "nothing: they are laid on white"),
    "deep": Kind("note", "more than 8 bits a channel", "nothing: it is scaled to 8 bits"),
    "dim": Kind(
        "warning",
        "a 16-bit file with values of fewer bits, so it is read as nearly black",
        "multiply its values, so that white is 65,535",
    ),
    "animated": Kind("warning", "holds several pictures; only the first is read", "check that the first is the one"),
    "turned": Kind("note", "stored turned, with a note which way is up", "nothing: it is turned upright"),
    "small": Kind("warning", f"a side is shorter than {SMALL} pixels", "take a larger photo if there is one"),
    "long": Kind("warning", f"more than {LONG:g} times as long as wide", "crop it"),
    "dark": Kind("warning", "nearly black", "look at it"),
    "bright": Kind("warning", "nearly white", "look at it"),
    "plain": Kind("warning", "nearly a single color", "look at it"),
    "blurred": Kind("warning", "much less sharp than the set's other photos", "look at it"),
    "identical": Kind("warning", "byte for byte the same as another photo of its class", TAKE_OUT),
    "similar": Kind("warning", "nearly the same picture as another of its class", "keep both in one split"),
    "similar_elsewhere": Kind("warning", "nearly the same picture stands in another class", "look at both labels"),
    "suspect_label": Kind("warning", "a model that never saw it is surer of another class", "look at it"),
    "uneven": Kind("warning", "has far fewer photos than the largest class", "collect more, or weight the classes"),
    "alike": Kind(
        "warning", "is spelled nearly like another class", "if both are one class, rename one of the folders"
    ),
    "few": Kind("warning", f"has fewer than {FEW} photos", "collect more before trusting any score"),
}


def audit_photos(photos, stats=None, probabilities=None, progress=True, pairs=None):
    """Return the findings on a photos table: one row a finding, the worst first; changes no file (chapter 2).

    photos : photos table; with the column `split`, duplicates across splits are found too
    stats : as from image_stats.compute_stats; None looks at the photos now
    probabilities : float (photos, classes) of a model that did not learn from the photo in question; adds photos
        whose label is probably wrong
    pairs : as from duplicates.find_duplicates; None searches for them now
    Returns a DataFrame with the columns `path` ("" for a whole class), `kind` (a key of KINDS), `severity` ("error",
    "warning", "note"), `meaning`, `action` and `other` (the other photo, or the other class).
    """
    _check.columns(photos, ["path", "label"])
    photos = photos.reset_index(drop=True)
    stats = image_stats.compute_stats(photos, progress) if stats is None else stats.reset_index(drop=True)
    pairs = duplicates.find_duplicates(stats, progress) if pairs is None else pairs
    found = [*_file_findings(photos, stats), *_pixel_findings(photos, stats), *_duplicate_findings(photos, pairs)]
    found += _class_findings(photos)
    if probabilities is not None:
        found += _label_findings(photos, probabilities)
    rows = [(path, kind, *KINDS[kind], other) for path, kind, other in found]
    table = pandas.DataFrame(rows, columns=COLUMNS)
    rank = table["severity"].map({name: place for place, name in enumerate(SEVERITIES)})
    order = np.lexsort([table["path"], table["kind"].map(list(KINDS).index), rank.astype(int)])
    return table.iloc[order].reset_index(drop=True)


def format_findings(findings, root=""):
    """Return the findings as text for people: one paragraph a kind, the worst first, three files of each named.

    root : folder that the files are named relative to
    """
    if not len(findings):
        return "Nothing found."
    paragraphs = []
    for kind, group in findings.groupby("kind", sort=False):
        meaning, action = KINDS[kind].meaning, KINDS[kind].action
        named = [_named(*row, root) for row in group[["path", "other"]].iloc[:3].itertuples(index=False)]
        more = f" and {len(group) - 3:,} more" if len(group) > 3 else ""
        paragraphs.append(
            f"{KINDS[kind].severity}: {kind} ({len(group):,})\n  What: {meaning}.\n  Do:   {action}.\n"
            + "\n".join(f"    {each}" for each in named)
            + more
        )
    return "\n".join(paragraphs)


def _named(path, other, root):
    return " <- ".join(_near(each, root) for each in (path, other) if each)


def _near(path, root):
    """Return a path relative to `root` if it lies inside, else as it is."""
    inside = root and pathlib.Path(path).is_relative_to(root)
    return str(pathlib.Path(path).relative_to(root)) if inside else path


def drop_unusable(photos, findings, folder):
    """Return the photos table to go on with, and write folder/dropped.csv with a reason for every photo taken out.

    Taken out: photos that cannot be read, all photos of a label conflict (no one knows which label is right), and of
    byte-identical photos all but the first. No file is changed. Raises ValueError if a class is left without photos.
    """
    _check.columns(photos, ["path", "label"])
    out = findings[(findings["severity"] == "error") & (findings["kind"] != "leak") | (findings["kind"] == "identical")]
    reasons = out.drop_duplicates("path")[["path", "kind", "meaning", "other"]]
    kept = photos[~photos["path"].isin(reasons["path"])].reset_index(drop=True)
    emptied = set(photos["label"].astype(str)) - set(kept["label"].astype(str))
    if emptied:
        raise ValueError(f"The class {min(emptied)!r} would have no photo left. Add photos to it, or leave it out.")
    text = reasons.to_csv(index=False, lineterminator="\n")
    _files.write_text(pathlib.Path(folder) / "dropped.csv", text)
    return kept


def find_label_issues(labels, probabilities):
    """Return (rows, classes): photos whose label is probably wrong, the surest first, and what they look like.

    labels : int (photos,); probabilities : float (photos, classes), each row from a model that never saw that photo,
        NaN where there is none
    A photo is suspect if some other class reaches the mean probability that photos labelled with it get, and is the
    likeliest of those that do, while its own class is less likely (confident learning, Northcutt et al. 2021).
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, float)
    count, classes = probabilities.shape
    means = np.full(classes, np.inf)  # of a class's own probability; a class without photos is nobody's likeliest
    for each in range(classes):
        own = probabilities[labels == each, each]
        if not np.isnan(own).all():
            means[each] = np.nanmean(own)
    sure = np.where(probabilities >= means, probabilities, -1)
    likely = sure.argmax(axis=1)
    own = probabilities[np.arange(count), labels]
    margin = sure.max(axis=1) - own
    rows = np.flatnonzero((likely != labels) & (margin > 0))
    rows = rows[np.argsort(-margin[rows], kind="stable")]
    return rows, likely[rows]


def _file_findings(photos, stats):
    """Yield (path, kind, other) for what the files themselves tell."""
    for path, row in zip(photos["path"], stats.itertuples(index=False), strict=True):
        if row.problem:
            yield path, row.problem, ""
            continue
        suffix = pathlib.Path(path).suffix.lower()
        if suffix not in _SUFFIXES.get(row.format, {suffix}):
            yield path, "extension", row.format
        kinds = {
            "cmyk": row.mode == "CMYK",
            "palette": row.mode in ("P", "PA"),
            "alpha": row.mode in ("LA", "La", "RGBA", "RGBa", "PA"),
            "deep": row.mode.startswith("I"),
            "animated": row.animated,
            "turned": row.orientation != 1,
            "small": min(row.width, row.height) < SMALL,
            "long": max(row.width, row.height) > LONG * min(row.width, row.height),
        }
        yield from ((path, kind, "") for kind, true in kinds.items() if true)
        bits = next((bits for bits in (10, 12, 14) if kinds["deep"] and row.highest < 2 ** (bits - 8)), None)
        if bits:
            yield path, "dim", f"0 to {2**bits - 1:,}"


def _pixel_findings(photos, stats):
    """Yield (path, kind, other) for what the pixels tell; one of a kind is enough for a photo."""
    middle = stats["sharpness"].median()
    for path, row in zip(photos["path"], stats.itertuples(index=False), strict=True):
        kinds = {
            "dark": row.brightness < DARK,
            "bright": row.brightness > BRIGHT,
            "plain": row.contrast < PLAIN,
            "blurred": row.sharpness < BLURRED * middle,
        }
        yield from [(path, kind, "") for kind, true in kinds.items() if not row.problem and true][:1]


def _duplicate_findings(photos, pairs):
    """Yield (path, kind, other) for duplicates; of one kind each photo once, with the photo that is most like it."""
    path, label = photos["path"].to_numpy(), photos["label"].astype(str).to_numpy()
    split = photos["split"].astype(str).to_numpy() if "split" in photos else np.zeros(len(photos), str)
    found = {}
    for one, other, same in pairs.sort_values("similarity", ascending=False).itertuples(index=False):
        if label[one] == label[other]:
            found.setdefault((path[other], "identical" if same == 1 else "similar"), path[one])
        else:
            kind = "label_conflict" if same == 1 else "similar_elsewhere"
            found.setdefault((path[other], kind), path[one])
            found.setdefault((path[one], kind), path[other])
        if split[one] != split[other]:
            found.setdefault((path[other], "leak"), path[one])
    return [(*key, other) for key, other in found.items()]


def _class_findings(photos):
    """Yield ("", kind, class) for classes with few photos, or with names that differ in case, blanks or form only."""
    counts = photos["label"].value_counts()
    for label, count in counts.items():
        if count < FEW:
            yield "", "few", f"{label} ({count})"
        if count * UNEVEN < counts.max():
            yield "", "uneven", f"{label} ({count})"
    by_spelling = {}
    for label in counts.index:
        by_spelling.setdefault("".join(unicodedata.normalize("NFKC", str(label)).casefold().split()), []).append(label)
    for names in by_spelling.values():
        if len(names) > 1:
            yield "", "alike", " / ".join(sorted(names))


def _label_findings(photos, probabilities):
    names = list(photos["label"].cat.categories)
    for row, likely in zip(*find_label_issues(photos["label"].cat.codes, probabilities), strict=True):
        yield photos["path"].iloc[row], "suspect_label", names[likely]
