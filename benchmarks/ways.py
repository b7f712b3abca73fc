"""The ways that recipe.py compares, each from photos on disk to test predictions, with a clock on its phases.

Each takes (clock, backbone, folder, image_size, seed) and returns probabilities and labels of the test photos.
"""

import time

import numpy as np

HEAD_EPOCHS, TUNING_EPOCHS, BATCH, LAST, RATE = 20, 10, 32, 50, 1e-4


def tables(folder):
    """Return the photos tables of train, val and test, as `lay_out` wrote them."""
    from tutorial_utils.data import layouts, splits

    return [layouts.load_folder(folder / name) for name in splits.NAMES]


class Clock:
    """Seconds of each phase."""

    def __init__(self):
        self.seconds = {}
        self._since = time.perf_counter()

    def phase(self, name):
        """Note the seconds since the last phase ended."""
        self.seconds[name] = time.perf_counter() - self._since

    def start(self):
        """Begin a phase."""
        self._since = time.perf_counter()


def whole_model(base, preprocess, classes, image_size, seed):
    """Return a model of the usual kind: frozen base, mean, Dense(128), softmax."""
    import keras

    from tutorial_utils.models import freezing, heads

    freezing.freeze(base)
    head = heads.dense_head(base.output_shape[-1], classes, dropout=0, seed=seed)
    inputs = keras.Input((image_size, image_size, 3))
    x = keras.layers.GlobalAveragePooling2D()(base(preprocess(inputs), training=False))
    return keras.Model(inputs, head(x))


def two_phases(clock, model, base, train, validation, augmented):
    """Train a whole model with Keras's own fit: head, then about the last 50 layers, BatchNormalization frozen."""
    import keras

    from tutorial_utils.models import freezing

    loss = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    clock.start()
    model.compile(optimizer=keras.optimizers.Adam(1e-3), **loss)
    model.fit(train, validation_data=validation, epochs=HEAD_EPOCHS, verbose=0)
    clock.phase("head")
    _, last = freezing.nearest_cut(base, LAST)
    freezing.unfreeze(base, last)
    clock.start()
    model.compile(optimizer=keras.optimizers.Adam(RATE), **loss)
    model.fit(augmented, validation_data=validation, epochs=TUNING_EPOCHS, verbose=0)
    clock.phase("finetune")
    return model


def copied(clock, backbone, folder, image_size, seed):
    """The recipe that everyone copies, its preprocessing put right: ImageDataGenerator, whole base each epoch."""
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    def flow(name, **changes):
        generator = ImageDataGenerator(preprocessing_function=backbone.preprocess, **changes)
        options = {"target_size": (image_size,) * 2, "batch_size": BATCH, "class_mode": "sparse", "seed": seed}
        return generator.flow_from_directory(folder / name, shuffle=name == "train", **options)

    train = flow("train")
    model = whole_model(backbone.base, lambda x: x, train.num_classes, image_size, seed)
    augmented = flow("train", horizontal_flip=True, vertical_flip=True, rotation_range=36)
    two_phases(clock, model, backbone.base, train, flow("val"), augmented)
    test = flow("test")
    return model.predict(test, verbose=0), test.classes


def tutorial(clock, backbone, folder, image_size, seed):
    """The tutorial of tensorflow.org: tf.data, augmentation as layers in the fine-tuning, whole base each epoch."""
    import keras
    import tensorflow as tf

    def read(name):
        options = {"image_size": (image_size,) * 2, "batch_size": BATCH, "seed": seed, "verbose": False}
        return keras.utils.image_dataset_from_directory(folder / name, shuffle=name == "train", **options)

    train, validation, test = (read(name) for name in ("train", "val", "test"))
    classes = len(train.class_names)
    augment = keras.Sequential([keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.2)])
    model = whole_model(backbone.base, backbone.preprocess, classes, image_size, seed)
    augmented = train.map(lambda x, y: (augment(x, training=True), y))
    ahead = [each.prefetch(tf.data.AUTOTUNE) for each in (train, validation, augmented)]
    two_phases(clock, model, backbone.base, *ahead)
    labels = np.concatenate([y for _, y in test])
    return model.predict(test, verbose=0), labels


def ours(clock, backbone, folder, image_size, seed, views=1, dtype="float32"):
    """Stored activations: the base once a photo, then the head; the prefix once a photo and view, then the suffix."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.models import heads, training

    train, validation, test = tables(folder)
    head = stored_head(clock, backbone, train, validation, image_size, seed, dtype)
    clock.start()
    options = {"last": LAST, "views": views, "epochs": TUNING_EPOCHS, "learning_rate": RATE, "seed": seed}
    options["dtype"] = dtype
    training.fine_tune_stored(backbone, head, train, validation, image_size, decay=False, **options)
    clock.phase("finetune")
    model = heads.build_classifier(backbone, head, image_size)
    return model.predict(pipeline.batches(test, image_size), verbose=0), pipeline.labels(test)


def layers(clock, backbone, folder, image_size, seed, tune=False):
    """A head on all layers of the frozen base, which sees each photo twice; with `tune`, all learn from there."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.models import training

    train, validation, test = tables(folder)
    clock.start()
    model, _ = training.train_frozen(backbone, train, validation, image_size, layers="all", seed=seed)
    clock.phase("head")
    clock.start()
    if tune:
        augmented = training.augmented_batches(train, image_size, seed)
        training.fine_tune(model, backbone.base, augmented, pipeline.batches(validation, image_size))
    clock.phase("finetune")
    return model.predict(pipeline.batches(test, image_size), verbose=0), pipeline.labels(test)


def before(clock, backbone, folder, image_size, seed):
    """What chapter 4 did before it had a head on all layers: a head on the last, then eight epochs of all layers."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.models import training

    train, validation, test = tables(folder)
    clock.start()
    model, _ = training.train_frozen(backbone, train, validation, image_size, seed=seed)
    clock.phase("head")
    clock.start()
    augmented = training.augmented_batches(train, image_size, seed)
    training.fine_tune(model, backbone.base, augmented, pipeline.batches(validation, image_size), epochs=8)
    clock.phase("finetune")
    return model.predict(pipeline.batches(test, image_size), verbose=0), pipeline.labels(test)


def stored_head(clock, backbone, train, validation, image_size, seed, dtype="float32"):
    """The head phase of `ours`; return the head."""
    from tutorial_utils.data import pipeline
    from tutorial_utils.models import features, freezing, heads, training

    classes = len(train["label"].cat.categories)
    freezing.freeze(backbone.base)
    clock.start()
    kept = [
        (features.stored(table, backbone, image_size, dtype=dtype)[:], pipeline.labels(table))
        for table in (train, validation)
    ]
    head = heads.dense_head(backbone.base.output_shape[-1], classes, dropout=0, seed=seed)
    training.train_head(head, *kept, epochs=HEAD_EPOCHS, seed=seed)
    clock.phase("head")
    return head


def converted(clock, backbone, folder, image_size, seed):
    """The head phase of `ours` as it is from the second time on: the network has been converted for LiteRT before."""
    from tutorial_utils.models import features

    train, validation, test = tables(folder)
    features.stored(test.head(8), backbone, image_size)
    stored_head(clock, backbone, train, validation, image_size, seed)


def chapters(clock, backbone, folder, image_size, seed):
    """What chapters 3 and 4 do: a head on all layers, then all layers learn on augmented photos; nothing is stored."""
    return layers(clock, backbone, folder, image_size, seed, tune=True)


def one_pass(clock, backbone, folder, image_size):
    """Decode the training and validation photos and push them through the base, once, by the fastest means."""
    import concurrent.futures

    from tutorial_utils import _machine
    from tutorial_utils.data import images
    from tutorial_utils.models import features, litert

    function, _ = litert.fastest_function(features.extractor(backbone, image_size), "one_pass")

    def compute(path):
        return function(images.read_image(path, image_size).astype(np.float32))

    paths = [path for table in tables(folder)[:2] for path in table["path"]]
    with concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        list(pool.map(compute, paths[:64]))  # each thread starts its interpreter
        clock.start()
        list(pool.map(compute, paths))
        clock.phase("head")
