"""How much sooner a head on all layers is where fine-tuning from a head on the last layer ended.

    python -m benchmarks.tuned_speed FOLDER ... [--seed 0]

Both ways in turn, on one split of all photos of a set, each in a process of its own with an empty cache, timed as in
recipe.py. That the head gets there is shown by tuned.csv, five splits; the accuracies of one are kept beside.
"""

import argparse
import pathlib
import shutil
import tempfile

from tutorial_utils.data import catalog

from . import cells, recipe, results

WAYS = ("before", "layers")


def measure(where, seed, image_size=224, backbone="efficientnet_lite0"):
    """Run both ways on a set; return their seconds, the share of test photos that each names right, and the ratio."""
    top, found = pathlib.Path(tempfile.mkdtemp(prefix="tuned-speed-")), {}
    try:
        recipe.lay_out(where, len(catalog.load_photos(where)), seed, top)
        for way in WAYS:
            options = {"way": way, "folder": top, "image_size": image_size, "seed": seed, "backbone": backbone}
            given = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
            run = results.in_own_process("recipe", *given)
            share = run["right"].count("1") / len(run["right"])
            found[way] = {"seconds": run["head"] + run["finetune"], "accuracy": share}
    finally:
        shutil.rmtree(top)
    return found | {"speedup": found["before"]["seconds"] / found["layers"]["seconds"]}


def main():
    """Measure the sets that are named; the smallest ratio is `tuned_accuracy_speedup` of results.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="folders of class folders, or data sets' names")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = {name: measure(where, arguments.seed) for name, where in cells.sets(arguments).items()}
    results.add({"tuned_accuracy": found, "tuned_accuracy_speedup": min(each["speedup"] for each in found.values())})
    for name, each in found.items():
        both = ", ".join(f"{way} {each[way]['seconds']:.0f} s, {100 * each[way]['accuracy']:.1f} %" for way in WAYS)
        print(f"{name}: {both}: {each['speedup']:.1f} times as soon")


if __name__ == "__main__":
    main()
