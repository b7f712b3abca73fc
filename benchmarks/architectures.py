"""Which frozen base describes photos best? A logistic head on each base whose weights are here, for given sets.

    python -m benchmarks.architectures FOLDER ... [--seeds 3] [--image-size 128]

Each seed is another split by group, 70 / 10 / 20; the head learns from the training photos, and the test photos are
asked once. Bases that are not on this machine are named and left out. Writes benchmarks/architectures.csv.
"""

import argparse

import pandas

from . import results, trust

BASES = (
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "mobilenet_v2",
    "vgg16",
    "resnet50",
    "efficientnet_b0",
)


def row(where, seed, image_size, backbone):
    """Return what a head on one base reaches on the test photos of one split, as a dict."""
    train, _, test = trust.frozen(where, seed, image_size, backbone)
    said = trust.logits(trust.head(train), test.features).argmax(axis=1)
    about = {"set": trust.name(where), "backbone": backbone, "image_size": image_size, "seed": seed}
    return about | {"n_train": len(train.labels), "n_test": len(test.labels), "accuracy": (said == test.labels).mean()}


def main():
    """Measure, keep and print."""
    from tutorial_utils.models import backbones

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    trust.options(parser)
    arguments, rows = parser.parse_args(), []
    for backbone in BASES:
        if not backbones.is_here(backbone):
            print(f"left out: the weights of {backbone} are not on this machine")
            continue
        for where in arguments.folders:
            rows += [row(where, seed, arguments.image_size, backbone) for seed in range(arguments.seeds)]
            print(rows[-1], flush=True)
    kept = pandas.DataFrame(rows).round(4)
    results.keep_table("architectures", kept, "python -m benchmarks.architectures", show=False)
    print((100 * kept.groupby(["set", "backbone"])["accuracy"].mean().unstack()).round(1).to_string())


if __name__ == "__main__":
    main()
