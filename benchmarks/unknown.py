"""Which score tells photos of no class from those that a model knows? Each set in turn is known, the others are not.

    python -m benchmarks.unknown FOLDER ... [--seeds 3] [--image-size 128] [--tuned NAME ... [--tuned-seeds 1]]

Known are the test photos of a set; out of distribution are the photos of the other sets, noise, blank cards and
surfaces, at most 300 each. The scores: the distance to the k-th nearest training photo (evaluation.ood), the doubt
(1 - the largest probability), the energy (minus the logarithm of the sum of the exponentials of the logits, Liu et al.
2020, arXiv:2010.03759). A limit lets 95 % of the validation photos pass; `known` and `other` are the shares of the
test photos and of the other images that pass it. The logistic head on the frozen EfficientNet-Lite0, and the
fine-tuned models of the sets that --tuned names, with the features of their own base. Means over the seeds, and the
lowest end of an interval. Writes benchmarks/unknown.csv.
"""

import argparse
import functools

import pandas
import scipy.special

from tutorial_utils.evaluation import ood
from tutorial_utils.leaves import lessons

from . import results, trust

MOST = 300  # out-of-distribution images of a kind
NEAREST = (1, 5, 10, 50)


def some(photos):
    """Return at most MOST photos of a table, drawn the same way each time."""
    return photos.sample(min(MOST, len(photos)), random_state=0)


@functools.cache
def made(kind, image_size):
    """Return out-of-distribution images that need no photos, float32 (MOST, image_size, image_size, 3)."""
    return lessons.ood_images(kind, MOST, image_size).astype("float32")


def frozen(where, others, seed, image_size):
    """Return (known, others): {split: (Part, logits)} and {name: (features, logits)} of the logistic head."""
    import keras

    from tutorial_utils.models import backbones, features

    parts = trust.frozen(where, seed, image_size)
    solved = trust.head(parts[0])
    with_scores = [(part, trust.logits(solved, part.features)) for part in parts]
    rows = {}
    for other in others:
        places = some(trust.table(other).reset_index(drop=True)).index
        rows[trust.name(other)] = trust.features(other, image_size, "efficientnet_lite0")[places]
    keras.utils.clear_session()
    base = features.extractor(backbones.get("efficientnet_lite0", fallback=None), image_size)
    rows |= {kind: base.predict(made(kind, image_size), verbose=0) for kind in lessons.OOD_KINDS}
    return with_scores, {name: (each, trust.logits(solved, each)) for name, each in rows.items()}


def fine_tuned(where, others, seed, image_size):
    """Return what `frozen` does, of the fine-tuned model and its own base."""
    from tutorial_utils.data import pipeline

    model, with_scores = trust.tuned(where, seed, image_size), []
    for photos in trust.split(where, seed):
        rows, logits = trust.asked(model, pipeline.batches(photos, image_size))
        with_scores.append((trust.part(photos, rows), logits))
    images = {trust.name(other): pipeline.batches(some(trust.table(other)), image_size) for other in others}
    images |= {kind: made(kind, image_size) for kind in lessons.OOD_KINDS}
    return with_scores, {name: trust.asked(model, each) for name, each in images.items()}


def scores(training, rows, logits):
    """Return {score: float (photos,)}, higher for what is further from the training photos."""
    found = {f"distance, k = {k}": ood.knn_distance(rows, training, k) for k in NEAREST}
    found["doubt"] = 1 - trust.probabilities(logits).max(axis=1)  # Hendrycks and Gimpel (2017)
    return found | {"energy": -scipy.special.logsumexp(logits, axis=1)}


def measure(known, others):
    """Return rows of a known set: how each score tells each kind of other images from the test photos."""
    training = known[0][0].features
    (_, validation), (test, asked) = ((part, scores(training, part.features, logits)) for part, logits in known[1:])
    rows = []
    for kind, (features, logits) in others.items():
        for score, found in scores(training, features, logits).items():
            area = ood.auroc(asked[score], found, test.groups)
            limit = ood.score_threshold(validation[score])
            passing = [ood.acceptance_rate(each, limit).value for each in (asked[score], found)]
            row = {"images": kind, "score": score, "auc": area.value, "low": area.low}
            rows.append(row | dict(zip(("known", "other"), passing, strict=True)))
    return rows


def main():
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    trust.options(parser)
    arguments, rows = parser.parse_args(), []
    for kind, where, seed in trust.cases(arguments):
        others = [other for other in arguments.folders if other != where]
        found = {"frozen": frozen, "fine-tuned": fine_tuned}[kind](where, others, seed, arguments.image_size)
        about = {"model": kind, "set": trust.name(where)}
        rows += [about | row for row in measure(*found)]
        print(*about.values(), seed, flush=True)
    keys = ["model", "set", "images", "score"]
    ways = {"seeds": ("auc", "size"), "auc": ("auc", "mean"), "low": ("low", "min")}
    ways |= {name: (name, "mean") for name in ("known", "other")}
    kept = pandas.DataFrame(rows).groupby(keys, sort=False).agg(**ways).reset_index().round(4)
    results.keep_table("unknown", kept, "python -m benchmarks.unknown", show=False)
    print(kept.pivot_table(index=["model", "set", "score"], columns="images", values="auc", sort=False).round(3))


if __name__ == "__main__":
    main()
