"""The controls of chapter 2: what the audit found, plants, augmentation, splits."""

import functools
import html
import pathlib

import ipywidgets
import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from ..course import prepare
from ..data import catalog, layouts, manifests, pipeline, splits
from ..data.images import read_image
from ..evaluation import plots
from .controls import WIDE, live_box, slider

MOST_BUTTONS = 12  # classes that stand side by side; more are a menu
RULES = ("by plant", "at random")
SPLITS = {"train": ("blue", "s"), "val": ("orange", "^"), "test": ("black", "o")}  # color and marker of each


def browse_groups(photos, most=6):
    """Return a menu of classes and a slider over their groups (plants), with the group's photos below."""
    label = photos["label"]
    groups = {name: photos.loc[label == name, "group"].unique() for name in label.cat.categories}
    menu = ipywidgets.Dropdown(options=list(groups), description="class")
    number = slider("plant", 1, 1, groups[menu.value].size)

    def follow(change):
        number.max = groups[change["new"]].size

    def show(class_name, number):
        group = groups[class_name][min(number, groups[class_name].size) - 1]
        chosen = photos[(photos["group"] == group) & (label == class_name)].head(most)
        pictures, title = [read_image(path) for path in chosen["path"]], f"{class_name}, plant {number}"
        figure = plots.photo_grid(pictures, columns=most, title=title)
        return figure, f"{len(chosen)} photos of plant {number} of the class {class_name}"

    menu.observe(follow, "value")
    return live_box(show, class_name=menu, number=number)


def browse_findings(findings, photos):
    """Return a menu of what the audit found, the most frequent chosen, with its meaning and the photos below.

    findings : as from audit.audit_photos of the photos table `photos`
    """
    if not len(findings):
        return ipywidgets.HTML("<p>The audit found nothing.</p>")

    def show(kind):
        rows = findings[findings["kind"] == kind]
        first, photographed = rows.iloc[0], (rows["path"] != "").any()
        text = f"<p><b>{kind}</b>, {first['severity']}: {first['meaning']}.<br>What to do: {first['action']}.</p>"
        if not photographed:
            return text + f"<p>It is about whole classes: {html.escape(', '.join(rows['other']))}</p>"
        title = f"{kind}: {len(rows)} found"
        return text + plots.as_html(prepare.plot_findings(rows, photos, title=title), f"Photos of the finding {title}")

    counts = findings["kind"].value_counts(sort=False)
    options = [(f"{kind} ({count})", kind) for kind, count in counts.items()]
    of_photos = findings.loc[findings["path"] != "", "kind"].value_counts(sort=False)  # else of whole classes
    start = (of_photos if len(of_photos) else counts).idxmax()
    return live_box(show, kind=ipywidgets.Dropdown(options=options, value=start, description="finding"))


def correct_labels(dataset, paths, likely=None):
    """Return a control that asks about photos one by one: which class, or drop it; corrections.csv keeps the answers.

    dataset : the folder that the photos are in, as for layouts.read_folder; paths : of the photos to look at
    likely : the class that a model takes each for, or None; it is named, and nothing is chosen because of it
    An answer is written at once, and every chapter and command reads it from then on. No photo is moved or changed.
    """
    if str(dataset) in catalog.names():
        return ipywidgets.HTML("<p>These photos belong to the course. Of your own, you are asked here.</p>")
    reading = layouts.read_folder(dataset, check=False)
    now = dict(zip(reading.photos["path"], reading.photos["label"].astype(str), strict=True))
    doubts = dict(zip(paths, [None] * len(paths) if likely is None else likely, strict=True))
    doubts = {path: other for path, other in doubts.items() if path in now}
    if not doubts:
        return ipywidgets.HTML("<p>There is no photo to ask about.</p>")
    return _ask(reading.root / "corrections.csv", doubts, now)


def _ask(file, doubts, now):
    """Return the control. doubts : {path: class or None}; now : {path: class} of all photos of the folder."""
    answers = {}
    if file.is_file():
        table, _ = manifests.read_table(file)
        answers = dict(zip(table["file"], table["label"], strict=True))
    names, order = [*sorted(set(now.values())), manifests.DROP], list(doubts)
    number = slider("photo", 1, 1, len(order))
    kind = ipywidgets.ToggleButtons if len(names) <= MOST_BUTTONS else ipywidgets.Dropdown
    answer, view = kind(options=names, description="it shows"), ipywidgets.HTML()

    def inside():
        return pathlib.Path(order[number.value - 1]).relative_to(file.parent).as_posix()

    def show(change=None):
        path = order[number.value - 1]
        answer.unobserve(keep, "value")
        answer.value = answers.get(inside(), now[path])
        answer.observe(keep, "value")
        doubt = f"; a model takes it for {doubts[path]}" if doubts[path] else ""
        kept = f"Answers that {file.name} keeps: {len(answers)}."
        picture = plots.as_html(prepare.plot_photo(path, f"In the class {now[path]}"), f"The photo {inside()}")
        view.value = f"{picture}<p>{html.escape(f'{inside()}: in the class {now[path]}{doubt}. {kept}')}</p>"

    def keep(change):
        answers[inside()] = change["new"]
        manifests.write_corrections(file, answers)
        show()

    answer.observe(keep, "value")
    number.observe(show, "value")
    show()
    return ipywidgets.VBox([number, view, answer])


def explore_augmentation(images, seed=0):
    """Return controls for the strength of each random change, with a photo and seven versions of it below.

    images : list of uint8 (side, side, 3). At their start the controls show what `pipeline.augmentation` does.
    """

    def show(photo, **strengths):
        code = html.escape(augmentation_code(seed, **strengths))
        return f"<pre>{code}</pre>" + plots.as_html(*draw_augmentation(images[photo], seed, **strengths))

    return live_box(
        show,
        photo=slider("photo", 0, 0, len(images) - 1),
        upright=ipywidgets.Checkbox(False, description="photos have an up and a down", style=WIDE),
        turn=slider("turn (± degrees)", 0, 0, 180, step=5),
        zoom=slider("zoom (± %)", 0, 0, 80, step=5),
        light=slider("light (± %)", 0, 0, 80, step=5),
    )


def draw_augmentation(image, seed=0, upright=False, turn=0, zoom=0, light=0):
    """Return (Figure, alt text): a photo, uint8 (side, side, 3), and seven versions, by `strong_augmentation`."""
    change = strong_augmentation(seed, upright, turn, zoom, light)
    versions = change(np.repeat(np.float32(image)[None], 7, axis=0), training=True)  # (7, side, side, 3)
    views = [image, *np.clip(np.asarray(versions), 0, 255)]
    named = f"{'mirrored' if upright else 'flipped and turned'}, ± {turn} degrees, zoom ± {zoom} %, light ± {light} %"
    figure = plots.photo_grid(views, ["original", *["augmented"] * 7], columns=8, title=f"One photo: {named}", size=1.3)
    return figure, f"One photo as it is and seven versions of it: {named}"


def strong_augmentation(seed=0, upright=False, turn=0, zoom=0, light=0):
    """Return Keras layers as `pipeline.augmentation` does, with further random changes: for pipeline.batches.

    turn : at most so many degrees each way; zoom, light : at most so many percent each way. 0 leaves a change out
    """
    further = [
        (turn, keras.layers.RandomRotation(turn / 360, seed=seed + 3)),
        (zoom, keras.layers.RandomZoom(zoom / 100, seed=seed + 4)),
        (light, keras.layers.RandomBrightness(light / 100, value_range=(0, 255), seed=seed + 5)),
    ]
    layers = [*pipeline.augmentation(seed, upright).layers, *(layer for strength, layer in further if strength)]
    return keras.Sequential(layers, name="augmentation")


def augmentation_code(seed=0, upright=False, turn=0, zoom=0, light=0):
    """Return the Python that makes such an augmentation (str): what a reader writes to train with it."""
    given = f"pipeline.augmentation(seed={seed}{', upright=True' if upright else ''})"
    lines = [
        f"    keras.layers.RandomRotation({turn / 360:.3g}),  # of a whole turn" if turn else "",
        f"    keras.layers.RandomZoom({zoom / 100:g})," if zoom else "",
        f"    keras.layers.RandomBrightness({light / 100:g}, value_range=(0, 255))," if light else "",
    ]
    if not any(lines):
        return f"augmentation = {given}"
    return "\n".join(["augmentation = keras.Sequential([", f"    *{given}.layers,", *filter(None, lines), "])"])


def explore_split(photos, seed=0):
    """Return a menu of rules and a slider over shuffles, with the split that they give drawn plant by plant below."""
    menu = ipywidgets.Dropdown(options=RULES, value=RULES[1], description="split")
    return live_box(functools.partial(draw_split, photos), rule=menu, seed=slider("shuffle", seed, seed, seed + 9))


def split_by(photos, rule, seed=0):
    """Return each photo's split, a Series: "by plant" keeps groups whole, "at random" takes each photo for itself."""
    photos = photos.drop(columns="split", errors="ignore")
    return splits.split(photos if rule == RULES[0] else photos.assign(group=photos["path"]), seed=seed)["split"]


def draw_split(photos, rule, seed=0, ax=None, most=40):
    """Return (Figure, alt text): a column a plant, a mark a photo, by the split it is in; at most `most` plants."""
    split = split_by(photos, rule, seed)
    divided = split.groupby(photos["group"]).nunique() > 1  # (groups,)
    twins = photos.loc[split == "test", "group"].isin(set(photos.loc[split == "train", "group"]))
    groups = photos["group"].unique()
    shown = groups[:: -(-len(groups) // most)]
    ax = plt.subplots(figsize=(9, 2.9), layout="constrained")[1] if ax is None else ax
    _mark_photos(ax, photos["group"], split, shown)
    divides = f"{divided.sum()} of {len(groups)} plants are divided"
    said = f"{divides}; {twins.mean():.0%} of the test photos have a twin in training"
    ax.set_title(f"Split {rule}, shuffle {seed}: {said}", fontsize=10)
    ax.set(xlabel=f"plant (group), {len(shown)} of {len(groups)}", ylabel="photo")
    return ax.figure, f"Each plant's photos by the part that they are in, split {rule}, shuffle {seed}: {said}"


def _mark_photos(ax, groups, split, shown):
    """Draw the photos of the groups `shown`: a column a group, a mark a photo."""
    rows = groups.isin(shown)
    column = groups[rows].map({group: place for place, group in enumerate(shown)})
    number = column.groupby(column).cumcount() + 1
    for name, (color, marker) in SPLITS.items():
        of = split[rows] == name
        ax.plot(column[of], number[of], marker, color=plots.PALETTE[color], markersize=5, label=name)
    ax.set_xticks([])
    ax.margins(x=0.02, y=0.15)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, title="part")
