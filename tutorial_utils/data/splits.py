"""Train, validation and test, folds and samples: stratified by class, never through a group; kept in splits.csv."""

import pathlib

import numpy as np
import pandas

from .. import _check, _files
from . import duplicates

NAMES = ("train", "val", "test")
FRACTIONS = (0.7, 0.1, 0.2)  # of the photos, unless a caller asks for others


def split(photos, seed=0, fractions=FRACTIONS, stats=None):
    """Return a copy of the photos table with the column `split`, by group and stratified by class (chapter 2).

    fractions : shares of the photos for train, val and test; positive, sum 1
    stats : as from image_stats.compute_stats; duplicates and near-duplicates then share a group
    Photos of one group always land in one split. Groups are shuffled by `seed`, then placed largest first,
    each where its classes lack most photos; every class has at least one group in every split. A set that brings its
    own split (beans) keeps it; drop the column to split it anew. Copies across its parts are moved to one of them, and
    this is printed; a part that it lacks is drawn from train.
    Raises ValueError if a class has fewer groups than there are splits, or if a path or a group of the split that a set
    brings stands in two parts.
    """
    _check.columns(photos, ["path", "label", "group"])
    pairs = None if stats is None else duplicates.find_duplicates(stats, progress=False)
    if "split" in photos:
        return _keep_given(photos, pairs, seed)
    if pairs is not None:
        photos = photos.assign(group=duplicates.merge_groups(photos["group"], pairs))
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"fractions must be three positive shares that sum to 1; got {fractions!r}.")
    counts = pandas.crosstab(photos["group"], photos["label"])  # (groups, classes)
    _check_groups(counts, pairs)
    counts = _shuffled(counts, seed)
    places = _place(counts.to_numpy(), np.asarray(fractions))
    place_of = dict(zip(counts.index, places, strict=True))
    split = photos["group"].map(lambda group: NAMES[place_of[group]])
    assigned = photos.assign(split=pandas.Categorical(split, categories=NAMES))
    _check_complete(assigned)
    leak = _find_leak(assigned, pairs)
    if leak:
        raise ValueError(f"This split would leak: {leak}. Give photos that belong together one group.")
    return assigned


def _keep_given(photos, pairs, seed):
    """Return a copy of the table with the split that it brought, copies in one part, a part that it lacks drawn."""
    odd = sorted(set(photos["split"].astype(str)) - set(NAMES))
    if odd:
        raise ValueError(f"The column split may hold {', '.join(NAMES)}; it holds {odd[0]!r}. Rename or drop it.")
    photos = photos.assign(split=pandas.Categorical(photos["split"], categories=NAMES))
    leak = _find_leak(photos, None)
    if leak:
        raise ValueError(
            f"These photos bring their own split, but {leak}. To split them anew: photos.drop(columns='split')."
        )
    if pairs is not None and len(pairs):
        photos = _move_copies(photos, pairs)
    for part in [name for name in NAMES[1:] if name not in set(photos["split"])]:
        photos = _draw_from_train(photos, part, seed)
    _check_complete(photos)
    return photos


def _move_copies(photos, pairs):
    """Move copies, with their groups, to the part of theirs that is opened last: nothing that is asked was learned."""
    groups = duplicates.merge_groups(photos["group"], pairs)
    part = photos["split"].cat.codes
    last = part.groupby(groups).transform("max")
    moved = int((part != last).sum())
    if moved:
        print(
            f"{moved:,} photos have copies in another part of the split that these photos bring. They are moved to "
            "that part, from train to val or test, so that no score is one of memory."
        )
    return photos.assign(group=groups, split=pandas.Categorical.from_codes(last, categories=NAMES))


def _draw_from_train(photos, part, seed):
    """Return the table with a part that it lacks drawn from train, by group."""
    train = photos[photos["split"] == "train"]
    share = FRACTIONS[NAMES.index(part)]
    counts = _shuffled(pandas.crosstab(train["group"], train["label"]), seed)
    places = _place(counts.to_numpy(), np.array([FRACTIONS[0], share]) / (FRACTIONS[0] + share))
    drawn = photos["group"].isin(counts.index[np.array(places) == 1]) & (photos["split"] == "train")
    return photos.assign(split=photos["split"].where(~drawn, part))


def _shuffled(counts, seed):
    """Return a table with a row a group in an order drawn by `seed`, the largest groups first."""
    counts = counts.iloc[np.random.default_rng(_check.seed(seed)).permutation(len(counts))]
    return counts.iloc[np.argsort(-counts.sum(axis=1).to_numpy(), kind="stable")]


def group_k_fold(photos, folds=5, seed=0):
    """Return a scikit-learn splitter for cross-validation by group, stratified; fewer folds where groups are few.

    Raises ValueError if a class has one group only: nothing could be learned of it without that group.
    """
    import sklearn.model_selection  # here, since loading it takes longer than to split a table

    groups = photos.groupby("label", observed=True)["group"].nunique()
    if groups.min() < 2:
        raise ValueError(
            f"All photos of the class {groups.idxmin()!r} belong to one group, so no model can be asked about them "
            "that did not learn from them. Add photos of other plants (or objects)."
        )
    number = min(folds, int(groups.min()))
    return sklearn.model_selection.StratifiedGroupKFold(number, shuffle=True, random_state=_check.seed(seed))


def sample_per_class(photos, photos_per_class, seed=0):
    """Return a smaller photos table: at most `photos_per_class` photos a class, whole groups where they fit.

    Groups are taken in an order drawn by `seed`; one group gives at most a third of a class, so that
    train, validation and test can each have one. Rows keep their order.
    Raises ValueError unless `photos_per_class` is a whole number of at least 3.
    """
    _check.columns(photos, ["path", "label", "group"])
    _check.integer("photos_per_class", photos_per_class, 3, 10**9)
    photos = photos.reset_index(drop=True)
    shuffled = photos.iloc[np.random.default_rng(_check.seed(seed)).permutation(len(photos))]
    groups = shuffled.groupby(["label", "group"], observed=True)
    order = pandas.Series(pandas.factorize(groups.ngroup())[0], shuffled.index)  # of the groups, as they were drawn
    capped = order[groups.cumcount() < photos_per_class // 3].sort_values(kind="stable")
    kept = photos.loc[capped.index].groupby("label", observed=True).head(photos_per_class)
    return kept.sort_index().reset_index(drop=True)


def _find_leak(photos, pairs):
    """Return in words what stands in two splits: a path, a group or a pair of duplicates; "" if nothing does."""
    split = photos["split"].astype(str).to_numpy()
    for name in ("path", "group"):
        splits_of = pandas.Series(split).groupby(photos[name].to_numpy(str)).nunique()
        if splits_of.max() > 1:
            return f"the same {name} stands in two splits: {splits_of.idxmax()}"
    apart = [] if pairs is None else pairs[split[pairs["first"]] != split[pairs["second"]]]
    if len(apart):
        one, other = photos["path"].iloc[[apart["first"].iloc[0], apart["second"].iloc[0]]]
        return f"duplicates stand in two splits: {one} and {other}"
    return ""


def _place(counts, fractions):
    """Return each group's split (0, 1, 2). counts : int (groups, classes), in the order of placing."""
    lack = np.outer(fractions, counts.sum(axis=0)).astype(float)  # photos still wanted, (3, classes)
    groups_left = (counts > 0).sum(axis=0)  # (classes,)
    has = np.zeros_like(lack, dtype=bool)
    places = []
    for row in counts:
        classes = row > 0
        empty = (~has[:, classes]).sum(axis=0)
        last_chance = groups_left[classes] <= empty  # each group left is needed by a split that has none
        score = lack @ row
        if last_chance.any():
            needy = (~has[:, classes][:, last_chance]).any(axis=1)
            score = np.where(needy, score, -np.inf)
        place = int(np.argmax(score))
        lack[place] -= row
        has[place] |= classes
        groups_left -= classes
        places.append(place)
    return places


def _check_groups(counts, pairs):
    """Raise ValueError if a class has fewer groups than there are splits. counts : int (groups, classes)."""
    groups = (counts > 0).sum()
    if groups.min() < len(NAMES):
        label = groups.idxmin()
        message = (
            f"The class {label!r} has {counts[label].sum()} photo(s) in {groups[label]} group(s); train, val and test "
            "need at least one group each. Add photos of other plants (or objects) to it, or leave it out."
        )
        if pairs is not None and len(pairs):
            message += f" ({len(pairs)} pairs of photos are so alike that they count as one group; "
            message += "stats=None keeps them apart.)"
        raise ValueError(message)


def _check_complete(photos):
    table = pandas.crosstab(photos["label"], photos["split"]).reindex(columns=NAMES, fill_value=0)
    for label, row in table.iterrows():
        if (row == 0).any():
            where = ", ".join(row.index[row == 0])
            raise ValueError(
                f"The class {label!r} ended with no photo in {where}: its groups also hold other classes. "
                "Add photos of this class in groups of their own."
            )


def subset(photos, name):
    """Return the rows of one split, "train", "val" or "test", numbered from 0."""
    _check.columns(photos, ["path", "label", "split"])
    return photos[photos["split"] == _check.choice("split", name, NAMES)].reset_index(drop=True)


def write_splits(photos, path):
    """Write the table with its splits to `path` (splits.csv), atomically."""
    _check.columns(photos, ["path", "label", "group", "split"])
    table = photos[["split", "label", "group", "path"]].to_csv(index=False, lineterminator="\n")
    return _files.write_text(pathlib.Path(path), table)


def read_splits(photos, path):
    """Return a copy of the photos table with the splits and the groups that `path` (splits.csv) holds.

    Raises ValueError if the file lacks a photo of the table, or holds one that the table does not.
    """
    table = pandas.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="surrogateescape")
    if not {"path", "split", "group"} <= set(table.columns) or not set(table["split"]) <= set(NAMES):
        raise ValueError(
            f"{path} is no table of splits (columns split,label,group,path). Make it with splits.write_splits."
        )
    table = table.set_index("path")
    kept = table["split"]
    if set(kept.index) != set(photos["path"]):
        odd = sorted(set(kept.index) ^ set(photos["path"]))
        raise ValueError(f"{path} was made for other photos: {len(odd)} differ, the first {odd[0]}. Split again.")
    split = pandas.Categorical(photos["path"].map(kept), categories=NAMES)
    return photos.assign(split=split, group=photos["path"].map(table["group"]).astype(object))
