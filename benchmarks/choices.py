"""Which defaults fine-tuning should have: one thing changed at a time, over several sets and seeds.

    python -m benchmarks.choices FOLDER ... [--seeds 3] [--photos-per-class 25 100]

Of each set a few photos a class are drawn from those outside its test photos; a fifth of them validates, and chooses
the epoch. What is drawn neither for this nor for the test scores the recipes, so the test stays closed.
"""

import argparse

import keras
import numpy as np

from . import cells, strategies

RECIPES = {
    "frozen": None,
    "rate 3e-4, batches of 32": {},
    "rate 1e-4": {"learning_rate": 1e-4},
    "rate 1e-3": {"learning_rate": 1e-3},
    "constant 1e-5, last 50": {"learning_rate": 1e-5, "decay": False, "last": 50},
    "batches of 8": {"batch_size": 8},
    "100 steps at least": {"steps": 100},
    "early blocks slower": {"slower": 0.85},
    "not augmented": {"augmentation": None},
    # from here on with the defaults that the others led to
    "defaults": {"batch_size": None, "steps": 100},
    "defaults, mirrored only": {"batch_size": None, "steps": 100, "augmentation": "mirrored"},
    "defaults, not augmented": {"batch_size": None, "steps": 100, "augmentation": None},
}


def draw(photos, number, seed):
    """Return (train, validation, asked): `number` photos a class, and at most 400 that are drawn for nothing else."""
    train, validation, others = strategies.draw(photos, number, seed)
    asked = others[others["split"] != "test"]
    return train, validation, asked.sample(min(len(asked), 400), random_state=seed).reset_index(drop=True)


def score(predicted, asked):
    """Return {"n", "accuracy", "loss"} of (labels, probabilities), as from metrics.predict."""
    from tutorial_utils.evaluation import metrics

    labels, probabilities = predicted
    loss = -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1)).mean()
    right = metrics.accuracy(labels, probabilities.argmax(axis=1), asked["group"])
    return {"n": len(asked), "accuracy": right.value, "loss": float(loss)}


def measure(photos, set, image_size, photos_per_class, seed, recipe):
    """Train one recipe on one draw of photos; return its row in a list."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.evaluation import metrics
    from tutorial_utils.models import backbones, training

    train, validation, asked = draw(photos, photos_per_class, seed)
    backbone = backbones.get("efficientnet_lite0", fallback=None)
    val_batches, ask_batches = (pipeline.batches(table, image_size) for table in (validation, asked))
    keras.utils.set_random_seed(seed)
    model, _ = training.train_frozen(backbone, train, validation, image_size, seed=seed)
    if RECIPES[recipe] is not None:
        tune(model, backbone.base, train, val_batches, image_size, seed, **RECIPES[recipe])
    return [score(metrics.predict(model, ask_batches), asked)]


def tune(
    model,
    base,
    train,
    val_batches,
    image_size,
    seed,
    augmentation="turned",
    batch_size=32,
    steps=0,
    slower=None,
    epochs=8,
    learning_rate=3e-4,
    **options,
):
    """Fine-tune a model by one recipe, in place."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.models import training

    change = pipeline.augmentation(seed, upright=augmentation == "mirrored") if augmentation else None
    batch_size = batch_size or training.batch_size(len(train))
    batches = pipeline.batches(train, image_size, batch_size, shuffle=True, augmentation=change, seed=seed)
    epochs = max(epochs, -(-steps // int(batches.cardinality())))
    if slower is None:
        training.fine_tune(model, base, batches, val_batches, epochs, learning_rate, **options)
        return
    from tutorial_utils.models import freezing

    freezing.unfreeze(base)
    schedule = training._warm_up_and_decay(learning_rate, epochs * int(batches.cardinality()))
    optimizer = SlowerBelow(schedule, rate_factors(base, slower))
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    training.fit(model, batches, val_batches, epochs, rule="accuracy")


def rate_factors(base, slower):
    """Return {variable path: factor of the rate}: `slower` to the power of the blocks that come after the layer."""
    from tutorial_utils.models import freezing

    after = sorted(freezing.find_cuts(base).values())
    layers = [(len(base.layers) - 1 - place, layer) for place, layer in enumerate(base.layers)]
    return {
        weight.path: slower ** sum(number <= behind for number in after)
        for behind, layer in layers
        for weight in layer.trainable_weights
    }


class SlowerBelow(keras.optimizers.AdamW):
    """AdamW whose rate is multiplied by a factor for each variable, by its path."""

    def __init__(self, learning_rate, factors):
        super().__init__(learning_rate)
        self.factors = factors

    def update_step(self, gradient, variable, learning_rate):
        """Take one step for one variable."""
        path = self._trainable_variables[self._get_variable_index(variable)].path
        super().update_step(gradient, variable, learning_rate * self.factors.get(path, 1.0))


def grid(arguments, others=({},)):
    """Return the cells of the parsed arguments: every set, number of photos a class, seed, and one of `others`."""
    return [
        {"set": name, "image_size": arguments.image_size, "photos_per_class": number, "seed": seed, **more}
        for number in arguments.photos_per_class
        for seed in range(arguments.seeds)
        for name in cells.sets(arguments)
        for more in others
    ]


def main():
    """Measure what is not yet kept, and print the mean of each recipe, in %, and its loss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--photos-per-class", type=int, nargs="+", default=[25])
    parser.add_argument("--recipes", nargs="+", choices=list(RECIPES), help="these only")
    cells.options(parser)
    arguments = parser.parse_args()
    chosen = arguments.recipes or list(RECIPES)
    table = cells.run(
        "choices",
        grid(arguments, [{"recipe": name} for name in chosen]),
        measure,
        arguments,
        "python -m benchmarks.choices",
    )
    by = table.pivot_table(index="recipe", columns="set", values="accuracy", sort=False)
    print((100 * by.assign(mean=by.mean(axis=1))).round(1).to_string())
    by = table.pivot_table(index="recipe", columns="set", values="loss", sort=False)
    print(by.assign(mean=by.mean(axis=1)).round(3).to_string())


if __name__ == "__main__":
    main()
