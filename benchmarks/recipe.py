"""Ways to a model, timed in turn: what everyone copies, the TensorFlow tutorial's way, and two of the course's.

    python -m benchmarks.recipe --photos 2000 --image-size 224 --rounds 3

Same photos, size, batch size, seed and backbone; the same epochs, but for the head on all layers, which has none. Each
round has a seed and a split of its own, and each way runs in a process of its own with an empty cache, in alternation.
A phase is timed from photos on disk to trained weights: reading, tracing and converting are part of it; importing the
libraries is not. Beside them, in the first round only: more views, float16, the chapters' own recipe. Each run is kept
in benchmarks/results.json as it ends, and the same command goes on where it was stopped.
"""

import argparse
import json
import pathlib
import shutil
import tempfile

import numpy as np
import tqdm

from tutorial_utils.evaluation import metrics

from . import results, ways

WAYS = {  # name: title in the table; each in every round
    "copied": "what everyone copies",
    "tutorial": "the TensorFlow tutorial's way",
    "ours": "stored activations",
    "layers": "a head on all layers",
}
OPTIONS = ("way", "folder", "image_size", "seed", "backbone")  # of one run
LIMIT = "one_pass"  # in every round: each photo decoded and pushed through the base once, by the fastest means
AGAIN = "converted"  # in every round: the head phase of ours with the network converted before
ONCE = {  # in the first round only
    "ours_2_views": "stored activations, 2 views",
    "ours_4_views": "stored activations, 4 views",
    "ours_8_views": "stored activations, 8 views",
    "ours_float16": "stored activations, float16",
    "chapters": "the chapters: all layers learn",
}

EVERY = (*WAYS, LIMIT, AGAIN, *ONCE)


def lay_out(dataset, count, seed, folder):
    """Write `count` photos as folder/<split>/<class>/<row of the set>_<number><suffix>.

    Where the data set has fewer, its photos come again under other names, a few bytes longer: image readers pass over
    what follows the picture, while a store that goes by content takes them for new photos.
    """
    from tutorial_utils.data import catalog, splits

    photos = splits.split(catalog.load_photos(dataset), seed=seed)
    order = np.random.default_rng([seed, 1]).permutation(len(photos))  # not the order that made the split
    for number in range(count):
        row = photos.iloc[order[number % len(photos)]]
        source = pathlib.Path(row.path)
        target = folder / row.split / row.label / f"{order[number % len(photos)]:06d}_{number:06d}{source.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        extra = b"" if number < len(photos) else f" {number}".encode()
        target.write_bytes(source.read_bytes() + extra)


def run_way(way, name, folder, image_size, seed):
    """Run one way here; return its seconds, its peak memory and, a digit a test photo, whether it is right."""
    import keras

    from tutorial_utils.models import backbones

    keras.utils.set_random_seed(seed)
    backbone, clock, found = backbones.get(name, fallback=None), ways.Clock(), {"way": way}
    options = {f"ours_{views}_views": {"views": views} for views in (2, 4, 8)}
    options["ours_float16"] = {"dtype": "float16"}
    if way == LIMIT:
        ways.one_pass(clock, backbone, folder, image_size)
    elif way == AGAIN:
        ways.converted(clock, backbone, folder, image_size, seed)
    else:
        function = getattr(ways, way, ways.ours)
        scored = function(clock, backbone, folder, image_size, seed, **options.get(way, {}))
        found["right"] = "".join("01"[right] for right in (scored[0].argmax(axis=1) == scored[1]).astype(int))
    return {**found, **clock.seconds, "peak_memory_mb": results.peak_memory_mb()}


def summary(runs):
    """Return medians a way, ratios to the tutorial's way with their spread over the rounds, and accuracies.

    runs : list of dicts, as from `run_way`, each with its `round`, `photos` (rows of the set, a test photo each) and
        `disk_mb`. head and finetune are of stored activations, recipe is of a head on all layers
    """
    rounds = {way: {run["round"]: run for run in runs if run["way"] == way} for way in EVERY}
    found = {
        "ways": {
            way: _row(rounds[way].values()) | {"title": title} for way, title in (WAYS | ONCE).items() if rounds[way]
        }
    }
    both = sorted(rounds["ours"].keys() & rounds["tutorial"].keys())
    found["rounds"] = len(both)
    if both:
        for phase in ("head", "finetune"):
            _note(found, f"{phase}_speedup", _ratios(rounds, "tutorial", "ours", phase))
        found["peak_memory_mb"] = found["ways"]["ours"]["peak_memory_mb"]
    if rounds["layers"].keys() & rounds["tutorial"].keys():
        _note(found, "recipe_speedup", _ratios(rounds, "tutorial", "layers", "recipe"))
        _gain(found, "accuracy_gain", rounds, "tutorial")
        _gain(found, "accuracy_gain_over_stored", rounds, "ours")
    for name, way in (("head_over_one_pass", "ours"), ("head_over_one_pass_converted", AGAIN)):
        both = sorted(rounds[way].keys() & rounds[LIMIT].keys())
        if both:
            _note(found, name, [rounds[way][number]["head"] / rounds[LIMIT][number]["head"] for number in both])
    return found


def _ratios(rounds, slow, fast, phase):
    both = sorted(rounds[slow].keys() & rounds[fast].keys())
    return [_seconds(rounds[slow][number], phase) / _seconds(rounds[fast][number], phase) for number in both]


def _gain(found, name, rounds, way):
    """Note by how much a head on all layers is more often right than `way`, the test photos of all rounds pooled."""
    both = sorted(rounds["layers"].keys() & rounds[way].keys())
    ours, others = ("".join(rounds[each][number]["right"] for number in both) for each in ("layers", way))
    right = [np.array([int(digit) for digit in each]) for each in (ours, others)]
    photos = [photo for number in both for photo in rounds["layers"][number]["photos"]]
    gain = metrics.paired_difference(np.ones_like(right[0]), *right, photos)
    found |= {name: gain.value, f"{name}_low": gain.low, f"{name}_high": gain.high}


def _row(group):
    row = {phase: float(np.median([_seconds(run, phase) for run in group])) for phase in ("head", "finetune", "recipe")}
    row |= {name: max(run[name] for run in group) for name in ("peak_memory_mb", "disk_mb")}
    right = np.array([int(digit) for digit in next(iter(group))["right"]])
    score = metrics.accuracy(np.ones_like(right), right)
    return row | {"test_accuracy": score.value, "test_accuracy_low": score.low, "test_accuracy_high": score.high}


def _note(found, name, ratios):
    found |= {name: float(np.median(ratios)), f"{name}_low": min(ratios), f"{name}_high": max(ratios)}


def _seconds(run, phase):
    return run["head"] + run["finetune"] if phase == "recipe" else run[phase]


def main():
    """Run the comparison, or with --way one part of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dataset", default="solar_cells", help="a data set's name or a folder; real photos")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--ways", nargs="+", choices=EVERY, default=EVERY, help="only these")
    parser.add_argument("--results", type=pathlib.Path, default=results.PATH)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        settings = (arguments.backbone, arguments.folder, arguments.image_size, arguments.seed)
        print(json.dumps(run_way(arguments.way, *settings)))
        return
    names = ("photos", "image_size", "seed", "dataset", "backbone")
    settings = {name: getattr(arguments, name) for name in names}
    before = results.read(arguments.results)
    same = all(before.get(name) == value for name, value in settings.items())
    runs = before.get("runs", []) if same else []
    done = {(run["round"], run["way"]) for run in runs}
    left = [
        (number, way)
        for number in range(arguments.rounds)
        for way in EVERY
        if way in arguments.ways and (number == 0 or way not in ONCE) and (number, way) not in done
    ]
    top = pathlib.Path(tempfile.mkdtemp(prefix="recipe-"))
    try:
        for number, way in tqdm.tqdm(left, unit="run"):
            folder, seed = top / str(number), arguments.seed + number
            if not folder.is_dir():
                lay_out(arguments.dataset, arguments.photos, seed, folder)
            options = {**settings, "way": way, "folder": folder, "seed": seed}
            given = [word for name in OPTIONS for word in (f"--{name.replace('_', '-')}", options[name])]
            photos = [int(path.name[:6]) for path in sorted((folder / "test").glob("*/*"))]
            runs.append({**results.in_own_process("recipe", *given), "round": number, "photos": photos})
            results.add({**settings, **summary(runs), "runs": runs}, arguments.results)
    finally:
        shutil.rmtree(top)
    found = results.read(arguments.results)
    results.plot(found, arguments.results.with_suffix(".png"))
    print(results.table(found))
    for name in ("head_speedup", "finetune_speedup", "recipe_speedup", "head_over_one_pass"):
        if name in found:
            print(f"{name}: {found[name]:.2f} ({found[name + '_low']:.2f} to {found[name + '_high']:.2f})")


if __name__ == "__main__":
    main()
