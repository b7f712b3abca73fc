"""How often the 95 % interval of an accuracy holds the true accuracy, over simulated sets of test photos.

    python -m benchmarks.coverage [--sets 10000]

Independent photos; and plants of four photos each, every plant as easy as a beta distribution makes it, so that two
photos of a plant are right together with the correlation `alike`. `by_group` is what metrics.accuracy gives
with the groups, `by_photo` Wilson's, which takes every photo for a plant of its own. Writes benchmarks/coverage.csv.
"""

import argparse

import numpy as np
import pandas

from tutorial_utils.evaluation import metrics

from . import results

TRUE = (0.7, 0.9, 0.95)
SHAPES = ((150, 1, 0.0), (300, 1, 0.0), (36, 4, 0.4), (75, 4, 0.2), (75, 4, 0.4), (75, 4, 0.7), (150, 4, 0.4))


def held(true, groups, size, alike, sets, seed=0):
    """Return the shares of simulated test sets whose interval holds `true`: (by group, by photo).

    groups : plants, of `size` photos each; alike : correlation between photos of a plant, from 0 up to 1
    """
    rng, labels, numbers = np.random.default_rng(seed), np.zeros(groups * size, int), np.repeat(np.arange(groups), size)
    found = np.zeros(2)
    for _ in range(sets):
        ease = np.full(groups, true)
        if alike:
            ease = rng.beta(true * (1 - alike) / alike, (1 - true) * (1 - alike) / alike, groups)
        wrong = (rng.random(groups * size) >= np.repeat(ease, size)).astype(int)
        scores = [metrics.accuracy(labels, wrong, each) for each in (numbers, None)]
        found += [score.low <= true <= score.high for score in scores]
    return found / sets


def main():
    """Simulate, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=10_000)
    sets, rows = parser.parse_args().sets, []
    for groups, size, alike in SHAPES:
        for true in TRUE:
            by_group, by_photo = held(true, groups, size, alike, sets)
            about = {"photos": groups * size, "groups": groups, "alike": alike, "accuracy": true, "sets": sets}
            rows.append(about | {"by_group": by_group, "by_photo": by_photo})
    results.keep_table("coverage", pandas.DataFrame(rows), "python -m benchmarks.coverage")


if __name__ == "__main__":
    main()
