"""How well the audit finds what is wrong, on real photos with known faults, and how fast it is.

    python -m benchmarks.audit FOLDER ...

Each FOLDER holds one folder of photos a class; `leaves` and `solar_cells` are names that work too. Altered copies and
wrong labels are planted by seed. Writes benchmarks/audit.json and audit.md.
"""

import argparse
import concurrent.futures
import io
import json
import os
import pathlib
import shutil
import tempfile
import time

import numpy as np
import pandas
import PIL.Image

from tutorial_utils import _files, _machine
from tutorial_utils.data import audit, catalog, duplicates, image_stats, images, shortcuts

from . import results

PATH = results.HERE / "audit.json"
ALTERED = 100  # photos of a set that get copies
WRONG = 0.05  # share of the labels


def alterations(seed=0):
    """Return {name: function of a PIL image}: six ways to copy a photo so that no byte is the same."""
    rng = np.random.default_rng(seed)

    def reencoded(image):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=40)
        return PIL.Image.open(buffer).convert("RGB")

    def cropped(image):
        width, height = (int(side * 0.95) for side in image.size)
        left, top = (
            int(rng.integers(0, side - kept + 1)) for side, kept in zip(image.size, (width, height), strict=True)
        )
        return image.crop((left, top, left + width, top + height))

    return {
        "turned by 90 degrees": lambda image: image.transpose(PIL.Image.Transpose.ROTATE_90),
        "mirrored": lambda image: image.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT),
        "half the size": lambda image: image.resize(
            (image.width // 2, image.height // 2), PIL.Image.Resampling.BICUBIC
        ),
        "JPEG, quality 40": reencoded,
        "5 % cropped": cropped,
        "all of these": lambda image: reencoded(
            cropped(image).transpose(PIL.Image.Transpose.ROTATE_270).resize((180, 200))
        ),
    }


def near_copies(table, seed=0):
    """Return {way: {"recall", "precision"}}: altered copies of some photos, searched among all photos of the set.

    A pair is right if it joins a copy to its own original, or to a photo that was found to be a near-copy of it
    before; the pairs of the set's own photos are not counted, for no one knows which of them are right.
    """
    whole = [images.decode(path)[0] for path in table["path"]]
    chosen = np.random.default_rng(seed).choice(len(whole), min(ALTERED, len(whole)), replace=False)
    own = [image_stats.thumbnail(image) for image in whole]
    known = duplicates.find_near_duplicates(np.stack(own), progress=False)[["first", "second"]].to_numpy()
    known = {*map(tuple, known), *map(tuple, known[:, ::-1]), *((place, place) for place in chosen)}
    found = {}
    for name, alter in alterations(seed).items():
        altered = [image_stats.thumbnail(alter(whole[place])) for place in chosen]
        pairs = duplicates.find_near_duplicates(np.stack(own + altered), progress=False)
        pairs = pairs[(pairs["first"] < len(own)) & (pairs["second"] >= len(own))]
        original = chosen[pairs["second"].to_numpy() - len(own)]
        recalled = (pairs["first"].to_numpy() == original).sum() / len(chosen)
        right = [pair in known for pair in zip(pairs["first"], original, strict=True)]
        found[name] = {"recall": recalled, "precision": float(np.mean(right)), "pairs": len(pairs)}
    return found


def wrong_labels(table, rows, seed=0):
    """Return recall and precision of the suspects after WRONG of the labels were changed, and the suspects before.

    rows : features of the photos
    """
    from tutorial_utils.models import heads

    rng = np.random.default_rng(seed)
    codes, classes = table["label"].cat.codes.to_numpy(), len(table["label"].cat.categories)
    before, _ = audit.find_label_issues(codes, heads.cross_val_probabilities(table, rows, seed))
    planted = rng.choice(len(table), round(WRONG * len(table)), replace=False)
    changed = codes.copy()
    changed[planted] = (codes[planted] + rng.integers(1, classes, len(planted))) % classes
    names = table["label"].cat.categories
    relabelled = table.assign(label=names[changed].astype(table["label"].dtype))
    suspects, _ = audit.find_label_issues(changed, heads.cross_val_probabilities(relabelled, rows, seed))
    hit, first = np.isin(suspects, planted), np.isin(suspects[: len(planted)], planted)
    return {
        "planted": len(planted),
        "suspects": len(suspects),
        "recall": hit.sum() / len(planted),
        "precision": float(hit.mean()),
        "precision_of_first": float(first.mean()),
        "suspects_before": [str(table["path"].iloc[row]) for row in before],
    }


def speed(table, count=10_000, side=256):
    """Return the rates of looking at `count` photos and of decoding them once, in photos a second, and their ratio.

    `growth_mb` is what peak memory grows by from looking at a tenth of them to looking at all, `table_mb` what the
    facts of all hold.
    """
    folder = pathlib.Path(tempfile.mkdtemp(prefix="audit-"))
    try:
        rng = np.random.default_rng(0)
        for number in range(count):  # no two are alike: each is half one photo and half another
            pair = (images.decode(path)[0].resize((side, side)) for path in rng.choice(table["path"], 2, replace=False))
            PIL.Image.blend(*pair, 0.5).save(folder / f"{number:05d}.jpg", quality=90)
        paths = table.iloc[:1].reindex(range(count)).assign(path=[str(folder / f"{n:05d}.jpg") for n in range(count)])
        _look(paths.head(count // 10), folder)
        before = results.peak_memory_mb()
        stats = _look(paths, folder)
        growth = results.peak_memory_mb() - before
        held = (stats.memory_usage(deep=True).sum() + count * (stats["thumbnail"].iloc[0].nbytes + 200)) / 2**20
        seconds = {"looking": [], "decoding": []}
        for _ in range(3):
            started = time.perf_counter()
            with concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
                for _ in pool.map(images.read_image, paths["path"]):
                    pass
            seconds["decoding"].append(time.perf_counter() - started)
            started = time.perf_counter()
            stats = _look(paths, folder)
            seconds["looking"].append(time.perf_counter() - started)
        started = time.perf_counter()
        duplicates.find_duplicates(stats, progress=False)
        comparing = time.perf_counter() - started
    finally:
        shutil.rmtree(folder)
    rates = {name: count / float(np.median(each)) for name, each in seconds.items()}
    memory = {"growth_mb": growth, "table_mb": float(held)}
    ratio = rates["looking"] / rates["decoding"]
    return {**rates, "ratio": ratio, "comparing_seconds": comparing, "photos": count, **memory}


def _look(photos, folder):
    """Return the statistics of photos that no cache knows; a new one is made in `folder`."""
    os.environ["TUTORIAL_CACHE"] = tempfile.mkdtemp(dir=folder)
    return image_stats.compute_stats(photos, progress=False)


def page(found):
    """Return what was found as a page of Markdown."""
    lines = ["# What the audit finds", "", "Made by `python -m benchmarks.audit FOLDER ...`, with `audit.json`.", ""]
    lines += ["## Near-copies", "", f"{ALTERED} photos of each set, altered six ways, searched among all of the set."]
    lines += ["", "| set | altered | recall (%) | precision (%) |", "| --- | --- | --- | --- |"]
    for name, row in found["sets"].items():
        for way, score in row["near_copies"].items():
            lines.append(f"| {name} | {way} | {100 * score['recall']:.0f} | {100 * score['precision']:.0f} |")
    lines += ["", "## Wrong labels", "", f"{100 * WRONG:.0f} % of the labels changed at random, {found['backbone']}."]
    lines += ["Precision is given for all suspects and for the surest, as many as were planted."]
    lines += ["", "| set | planted | suspects | recall (%) | precision (%) | of the surest (%) | suspects before |"]
    lines += ["| --- " * 7 + "|"]
    for name, row in found["sets"].items():
        wrong = row["wrong_labels"]
        shares = " | ".join(f"{100 * wrong[each]:.0f}" for each in ("recall", "precision", "precision_of_first"))
        counts = f"{wrong['planted']} | {wrong['suspects']}"
        lines.append(f"| {name} | {counts} | {shares} | {len(wrong['suspects_before'])} |")
    lines += ["", "## Shortcuts", "", "What each cue alone predicts, by group, with its 95 % interval."]
    lines += ["", "| set | cue | right (%) | interval | chance (%) | frozen features (%) | fires |", "| --- " * 7 + "|"]
    for name, row in found["sets"].items():
        for cue in row["cues"]:
            if cue["accuracy"] is None:
                continue
            shares = [f"{100 * cue[each]:.1f}" for each in ("accuracy", "low", "high", "chance", "subject")]
            value, low, high, chance, subject = shares
            fires = "yes" if cue["fires"] else "no"
            lines.append(f"| {name} | {cue['cue']} | {value} | {low} to {high} | {chance} | {subject} | {fires} |")
    fast = found["speed"]
    lines += ["", "## Speed", "", f"{fast['photos']:,} photos of 256 px: {fast['looking']:.0f} looked at a second, "]
    lines[-1] += f"{fast['decoding']:.0f} decoded once by the same threads, ratio {fast['ratio']:.2f}; the search for "
    lines[-1] += f"near-copies among them takes {fast['comparing_seconds']:.0f} s. From a tenth of them to all, peak "
    lines[-1] += f"memory grows by {fast['growth_mb']:.0f} MB; their facts hold {fast['table_mb']:.0f} MB."
    return "\n".join(lines) + "\n"


def tables(found):
    """Return {name: DataFrame} of what chapter 2 shows: shares in percent."""
    wrong, cues = [], []
    for name, row in found["sets"].items():
        counts = [row["wrong_labels"][each] for each in ("planted", "suspects")]
        shares = [100 * row["wrong_labels"][each] for each in ("recall", "precision", "precision_of_first")]
        wrong.append([name, *counts, *shares])
        for cue in row["cues"]:
            if cue["accuracy"] is not None and cue["cue"] not in shortcuts.MAY_DIFFER:
                shares = [100 * cue[each] for each in ("accuracy", "low", "high", "chance", "subject")]
                cues.append([name, shortcuts.CUES[cue["cue"]], *shares, "yes" if cue["fires"] else "no"])
    wrong_columns = ["set", "labels made wrong", "doubted", "of the wrong, found (%)", "of the doubted, wrong (%)"]
    wrong_columns += ["of the surest, wrong (%)"]
    cue_columns = ["set", "what is asked", "right (%)", "low", "high", "chance (%)", "frozen features (%)", "fires"]
    return {
        "wrong_labels": pandas.DataFrame(wrong, columns=wrong_columns).round(1),
        "shortcuts": pandas.DataFrame(cues, columns=cue_columns).round(1),
    }


def main():
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="folders of class folders, or data sets' names")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--photos", type=int, default=10_000, help="photos for the speed")
    parser.add_argument("--speed-only", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.speed_only:  # in a process of its own, for the sake of its memory
        print(json.dumps(speed(catalog.load_photos(arguments.folders[0]), arguments.photos)))
        return
    from tutorial_utils.course import prepare
    from tutorial_utils.models import backbones, features, heads

    backbone = backbones.get("efficientnet_lite0")
    found = {"backbone": backbone.name, "image_size": arguments.image_size, "sets": {}}
    for name in arguments.folders:
        table = catalog.load_photos(name)
        stats = image_stats.compute_stats(table)
        grouped = table.assign(group=duplicates.merge_groups(table["group"], duplicates.find_duplicates(stats)))
        rows = features.stored(grouped, backbone, arguments.image_size)[:]
        cues = prepare.shortcut_table(grouped, stats, heads.cross_val_probabilities(grouped, rows))
        found["sets"][pathlib.Path(name).name] = {
            "near_copies": near_copies(table),
            "wrong_labels": wrong_labels(grouped, rows),
            "cues": cues.astype(object).where(cues.notna(), None).to_dict("records"),
        }
    first = arguments.folders[0]
    first = first if first in catalog.names() else pathlib.Path(first).resolve()
    found["speed"] = results.in_own_process("audit", first, "--photos", arguments.photos, "--speed-only")
    for row in found["sets"].values():
        row["wrong_labels"]["suspects_before"] = [
            "/".join(pathlib.Path(path).parts[-2:]) for path in row["wrong_labels"]["suspects_before"]
        ]
    _files.write_json(PATH, found)
    _files.write_text(PATH.with_suffix(".md"), page(found))
    print(page(found))
    for name, table in tables(found).items():
        results.keep_table(name, table, "python -m benchmarks.audit")


if __name__ == "__main__":
    main()
