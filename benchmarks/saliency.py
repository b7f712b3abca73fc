"""Where models look on the generated leaves, beside their lesions, and whether saliency maps show a shortcut.

    python -m benchmarks.saliency [--seeds 2] [--image-size 128]

For each backbone and seed: a head on the frozen base, and the base fine-tuned; the fine-tuned model with shuffled
weights; and a head that learned from photos whose corners give the class away (leaves.lessons). Each is asked for the
saliency map of the true class, on the test photos whose lesions cover less than a quarter; occlusion, which is slow,
on one photo of each plant. Writes benchmarks/saliency.csv.
"""

import argparse
import tempfile

import numpy as np

from . import cells

BACKBONES = ("efficientnet_lite0", "mobilenet_v2")
MAPS = {"last": (2, "grad_cam"), "finer": (8, "grad_cam"), "HiResCAM": (8, "hires_cam")}  # name: places, method
CHOSEN = "HiResCAM"
COVERED = 0.25  # of a photo, at most, by its lesions
SHUFFLES = 3


def measure(photos, set, backbone, image_size, seed):
    """Train all models of one backbone on one split, and return the rows of their scores."""
    import keras

    from tutorial_utils.data import image_stats, pipeline, splits
    from tutorial_utils.evaluation import saliency
    from tutorial_utils.models import backbones, training

    keras.utils.set_random_seed(seed)
    borrowed = backbones.get(backbone, fallback=None)
    photos = splits.split(photos, seed=seed, stats=image_stats.compute_stats(photos, progress=False))
    train, validation, test = (splits.subset(photos, name) for name in splits.NAMES)
    with tempfile.TemporaryDirectory() as folder:
        boards, asked = _with_shortcut(photos, test, folder, seed)
        learned = {"shortcut": boards, "frozen": (train, validation)}
        models = {name: training.train_frozen(borrowed, *tables, image_size)[0] for name, tables in learned.items()}
        rows = [row for name, model in models.items() for row in _on_all(name, model, asked, image_size)]
        model = models["frozen"]  # from here on, the base that both share changes
        batches = training.augmented_batches(train, image_size, seed)
        epochs = training.epochs_for(int(batches.cardinality()), fewest=8)
        training.fine_tune(model, borrowed.base, batches, pipeline.batches(validation, image_size), epochs)
        rows += _on_all("fine-tuned", model, asked, image_size)
    rows += score("fine-tuned", model, "plain", test, image_size, maps=("last", "finer", "occlusion"))
    for draw in range(SHUFFLES):
        rows += score(f"shuffled {draw}", saliency.randomize_weights(model, draw), "plain", test, image_size)
    return rows


def _with_shortcut(photos, test, folder, seed):
    """Return ((train, validation) on boards, {kind of photos: test table}); the boards are written to `folder`."""
    from tutorial_utils.data import pipeline, splits
    from tutorial_utils.leaves import lessons

    boards = lessons.add_watermarks(photos, f"{folder}/own")
    classes = len(photos["label"].cat.categories)
    others = np.random.default_rng(seed).integers(1, classes, size=len(test))
    exchanged = lessons.add_watermarks(test, f"{folder}/exchanged", (pipeline.labels(test) + others) % classes)
    learn, check, own = (splits.subset(boards, name) for name in splits.NAMES)
    return (learn, check), {"plain": test, "boards": own, "exchanged": exchanged}


def _on_all(name, model, asked, image_size):
    return [row for kind, table in asked.items() for row in score(name, model, kind, table, image_size)]


def score(name, model, kind, table, image_size, maps=(CHOSEN,)):
    """Return the rows of one model on one kind of photos: how often it is right, and what each kind of map is worth."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.data.images import read_image
    from tutorial_utils.evaluation import metrics, saliency

    labels, probabilities = metrics.predict(model, pipeline.batches(table, image_size))
    right = metrics.accuracy(labels, probabilities.argmax(axis=1), table["group"])
    row = {"model": name, "photos": kind, "accuracy": right.value, "accuracy_low": right.low}
    row |= {"accuracy_high": right.high}
    masks = _masks(table["mask"], image_size)
    here = masks.any(axis=(1, 2)) & (masks.mean(axis=(1, 2)) < COVERED)
    some, rows = table[here], []
    images = np.stack([read_image(path, image_size) for path in some["path"]])
    for each in maps:
        asked = np.full(len(some), True) if each != "occlusion" else ~some["group"].duplicated().to_numpy()
        found, groups = _explain(model, images[asked], labels[here][asked], each), some["group"][asked]
        columns = _columns(saliency.score_maps(found, masks[here][asked], groups))
        if "watermark_mask" in some:
            watermarks = saliency.score_maps(found, _masks(some["watermark_mask"][asked], image_size), groups)
            columns |= _value_and_ends("watermarks, times random", watermarks.loc[("inside", "times random")])
        rows.append(row | {"map": each} | columns)
    return rows


def _explain(model, images, classes, name):
    from tutorial_utils.evaluation import saliency

    if name == "occlusion":
        return np.maximum(occlusion(model, images, classes), 0)
    places, method = MAPS[name]
    return getattr(saliency, method)(saliency.split_model(model, places), images, classes)


def occlusion(model, images, classes, patch=32, stride=16, batch_size=64):
    """Return by how much each place of each photo is needed for an answer, float (photos, height, width), -1 to 1.

    model : pixels to probabilities, of any kind; images : pixels 0-255 (photos, height, width, 3)
    classes : int (photos,), the class to explain
    A square of `patch` pixels in the photo's mean color is laid over each place in turn, every `stride` pixels; the
    value is the probability that the class loses, averaged over all squares that cover the place.
    Source: Zeiler and Fergus (2014), arXiv:1311.2901, section 4.1.
    """
    height, width = images.shape[1:3]
    corners = [(y, x) for y in _places(height, patch, stride) for x in _places(width, patch, stride)]
    found = []
    for image, number in zip(images, classes, strict=True):
        covered = np.repeat(image[None].astype(np.float32), len(corners) + 1, axis=0)  # the last one stays whole
        for each, (y, x) in zip(covered, corners, strict=False):
            each[y : y + patch, x : x + patch] = image.mean(axis=(0, 1))
        chunks = range(0, len(covered), batch_size)
        said = np.concatenate([model.predict_on_batch(covered[at : at + batch_size]) for at in chunks])[:, number]
        lost, times = np.zeros((height, width)), np.zeros((height, width))
        for value, (y, x) in zip(said[-1] - said[:-1], corners, strict=True):
            lost[y : y + patch, x : x + patch] += value
            times[y : y + patch, x : x + patch] += 1
        found.append(lost / np.maximum(times, 1))
    return np.stack(found).astype(np.float32)


def _places(length, patch, stride):
    """Return where squares begin along a side, so that they reach from one end to the other."""
    last = max(0, length - patch)
    return sorted({*range(0, last, stride), last})


def _masks(paths, image_size):
    from tutorial_utils.data.images import read_image

    return np.stack([read_image(path, image_size)[..., 0] > 127 for path in paths])


def _columns(table):
    """Return a table of saliency.score_maps as one row."""
    row = {"n": int(table["n"].iloc[0]), "groups": int(table["groups"].iloc[0])}
    for measure, name in table.index:
        row |= _value_and_ends(f"{measure}, {name}".removesuffix(", map"), table.loc[(measure, name)])
    return row


def _value_and_ends(name, row):
    ends = {name: row["value"], f"{name}, low": row["low"], f"{name}, high": row["high"]}
    return {key: round(float(value), 4) for key, value in ends.items()}


def main():
    """Measure what is not yet kept, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--image-size", type=int, default=128)
    cells.options(parser)
    arguments = parser.parse_args()
    arguments.folders = arguments.folders or ["leaves"]
    grid = [
        {"set": name, "backbone": backbone, "image_size": arguments.image_size, "seed": seed}
        for seed in range(arguments.seeds)
        for name in cells.sets(arguments)
        for backbone in BACKBONES
    ]
    table = cells.run("saliency", grid, measure, arguments, "python -m benchmarks.saliency")
    ratio = "inside, times random"
    columns = ["backbone", "seed", "model", "photos", "map", "accuracy", ratio, f"{ratio}, low", f"{ratio}, high"]
    print(table[columns].round(2).to_string(index=False))


if __name__ == "__main__":
    main()
