"""Which numbers should a head on all layers listen to, and which copies of a photo should it learn from?

    python -m benchmarks.layer_choices FOLDER ... [--seeds 2]

Five folds by group of the photos to learn from (training and validation, never test), the same for every variant; the
value of C is the same for all sets, so none is chosen for a set. A row a set, seed, variant and C (layer_choices.csv).
`blocks` are the block outputs that the package takes; `maps` adds what is inside of a shortcut (for EfficientNet-Lite0
17 and 26 maps), `expanded` the wide maps in the middle of each block.
"""

import argparse
import concurrent.futures

import numpy as np

from . import cells, tuned

STRENGTHS = (10, 30, 100, 300)
VARIANTS = {  # the numbers, and the copies that are learned from beside the photo as it is
    "last": ("last", "mean", ()),
    "last, deviation": ("last", "mean deviation", ()),
    "blocks, means": ("blocks", "mean", ()),
    "blocks": ("blocks", "mean deviation", ()),
    "blocks, maximum": ("blocks", "mean deviation maximum", ()),
    "blocks, float16": ("blocks float16", "mean deviation", ()),
    "blocks from the 6th on": ("late", "mean deviation", ()),
    "maps": ("maps", "mean deviation", ()),
    "maps, expanded": ("maps expanded", "mean deviation", ()),
    "blocks, corrupted copy": ("blocks", "mean deviation", ("corrupted",)),
    "blocks, turned copy": ("blocks", "mean deviation", ("turned",)),
    "blocks, turned and corrupted copy": ("blocks", "mean deviation", ("both",)),
    "blocks, mirrored and corrupted copy": ("blocks", "mean deviation", ("mirrored",)),
    "blocks, two corrupted copies": ("blocks", "mean deviation", ("corrupted", "again")),
    "maps, corrupted copy": ("maps", "mean deviation", ("corrupted",)),
    "maps, expanded, corrupted copy": ("maps expanded", "mean deviation", ("corrupted",)),
}


def measure(photos, set, backbone, image_size, seed):
    """Return a row a variant and C: the share of photos that a head names right which saw nothing of their group."""
    import pandas
    import sklearn.linear_model
    import threadpoolctl

    from tutorial_utils.data import pipeline, splits
    from tutorial_utils.models import backbones, heads

    train, validation, _ = next(iter(tuned.rounds(set, photos, seed)))
    known = pandas.concat([train, validation], ignore_index=True)
    labels, rows = pipeline.labels(known), []
    columns, versions = _versions(backbones.get(backbone, fallback=None), known, image_size)
    cuts = list(splits.group_k_fold(known, 5, seed).split(known, labels, known["group"]))
    for name, (maps, statistics, copies) in VARIANTS.items():
        chosen, blocks = _choose(columns, maps, statistics)
        kind = np.float16 if "float16" in maps else np.float32
        tables = [versions[copy][:, chosen].astype(kind).astype(np.float32) for copy in ("plain", *copies)]
        right = np.zeros(len(STRENGTHS))
        for learn, ask in cuts:
            with threadpoolctl.threadpool_limits(1):
                mean, scale = heads._standardize_blocks([table[learn] for table in tables], blocks)
                learned = np.concatenate([(table[learn] - mean) / scale for table in tables])
                some = np.random.default_rng(seed).permutation(len(learned))[:1000]
                axes = heads._span(learned[some])
                learned, asked = learned @ axes, ((tables[0][ask] - mean) / scale) @ axes
                for place, C in enumerate(STRENGTHS):
                    model = sklearn.linear_model.LogisticRegression(C=C, max_iter=2000)
                    model.fit(learned, np.tile(labels[learn], len(tables)))
                    right[place] += (model.predict(asked) == labels[ask]).sum()
        found = zip(STRENGTHS, right / len(known), strict=True)
        rows += [{"variant": name, "numbers": len(chosen), "C": C, "accuracy": float(one)} for C, one in found]
    return rows


def _choose(columns, maps, statistics):
    """Return (places of the numbers, numbers a block); columns : (kind of map, statistic, map's number) of each."""
    wanted, blocks = [], {}
    last = max(number for kind, _, number in columns if kind == "block")
    late = sorted({number for kind, _, number in columns if kind == "block"})[5:]
    kinds = {"block"} | ({"inside"} if "maps" in maps else set()) | ({"expanded"} if "expanded" in maps else set())
    for place, (kind, statistic, number) in enumerate(columns):
        there = kind in kinds and statistic in statistics.split()
        there &= ("last" not in maps or number == last) and ("late" not in maps or number in late)
        if there:
            wanted.append(place)
            blocks[number] = blocks.get(number, 0) + 1
    return np.array(wanted), list(blocks.values())


def _versions(borrowed, photos, image_size):
    """Return (columns, {version: numbers (photos, all that any variant takes)})."""
    import keras

    from tutorial_utils import _machine
    from tutorial_utils.data import corruptions, images, pipeline
    from tutorial_utils.models import features, litert

    ends = {tensor.name for tensor in features.block_outputs(borrowed.base)}
    tensors, kinds = [], []
    for layer in borrowed.base.layers:
        after = features._consumers(borrowed.base)[layer.name]
        inside = isinstance(layer, keras.layers.BatchNormalization) and after
        inside = inside and all(features._is_add(each) or features._is_convolution(each) for each in after)
        expanded = isinstance(layer, (keras.layers.ReLU, keras.layers.Activation)) and any(
            isinstance(each, keras.layers.DepthwiseConv2D) for each in after
        )
        if layer.output.name in ends or inside or expanded:
            tensors.append(layer.output)
            kinds.append("block" if layer.output.name in ends else "inside" if inside else "expanded")
    pixels = keras.Input((image_size, image_size, 3))
    maps = keras.Model(borrowed.base.inputs[0], tensors)(borrowed.preprocess(pixels), training=False)
    numbers, columns = [], []
    for number, (kind, x) in enumerate(zip(kinds, maps, strict=True)):
        numbers += [features.mean_and_deviation([x])]
        columns += [(kind, statistic, number) for statistic in ("mean", "deviation") for _ in range(x.shape[-1])]
        if kind == "block":
            numbers.append(keras.ops.max(x, axis=(1, 2)))
            columns += [(kind, "maximum", number)] * x.shape[-1]
    model = keras.Model(pixels, keras.ops.concatenate(numbers, axis=-1))
    function, _ = litert.fastest_function(model, f"layer_choices_{borrowed.name}_{image_size}")
    read = [images.read_image(path, image_size) for path in photos["path"]]
    versions = {
        "plain": lambda image, key: image,
        "corrupted": corruptions.corrupt,
        "turned": pipeline.view,
        "both": lambda image, key: corruptions.corrupt(pipeline.view(image, key), key),
        "mirrored": lambda image, key: corruptions.corrupt(image[:, ::-1], key),
        "again": lambda image, key: corruptions.corrupt(image, f"again {key}"),
    }
    with concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        return columns, {
            name: np.stack(
                list(pool.map(lambda pair, change=change: function(change(pair[0], str(pair[1])).astype(np.float32)),
                              zip(read, range(len(read)), strict=True)))
            )
            for name, change in versions.items()
        }  # fmt: skip


def main():
    """Measure what is not yet kept, and print the means over the seeds at the best common C of each variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cells.seeded_options(parser, 2)
    arguments = parser.parse_args()
    grid = cells.seeded(arguments)
    table = cells.run("layer_choices", grid, measure, arguments, "python -m benchmarks.layer_choices")
    means = table.pivot_table(index=["variant", "numbers", "C"], columns="set", values="accuracy", sort=False)
    means["all sets"] = means.mean(axis=1)
    best = means.groupby(["variant", "numbers"], sort=False)["all sets"].idxmax()
    print((100 * means.loc[best]).round(1).to_string())


if __name__ == "__main__":
    main()
