"""Heads: the layers on top of a backbone that turn its features into probabilities."""

import concurrent.futures

import keras
import numpy as np
import sklearn.base
import sklearn.linear_model
import sklearn.model_selection
import sklearn.pipeline
import threadpoolctl

from .. import _check, _machine
from ..data import pipeline, splits
from . import features

STRENGTHS = (10.0, 30.0, 100.0, 300.0)  # values of C that are tried for features of all layers
MOST_ROWS = 3000  # from so many on, the space of the photos and C come from a sample of them
_KEPT = 0.995  # share of the variance that the directions hold
_CHUNK = 1024  # rows that are read at once


def dense_head(channels, classes, units=128, dropout=0.2, seed=0):
    """Return the usual head: Dense(units) with ReLU, dropout, softmax over the classes (chapter 3).

    units : of the hidden layer, or a sequence: of several hidden layers, each followed by dropout
    Takes features (batch, channels); returns probabilities (batch, classes). Its weights are drawn by `seed`.
    """
    widths = [units] if isinstance(units, int) else list(units)
    start = [keras.initializers.GlorotUniform(seed=_check.seed(seed) + step) for step in range(len(widths) + 1)]
    layers = [keras.Input((channels,))]
    for step, width in enumerate(widths):
        layers.append(keras.layers.Dense(width, activation="relu", kernel_initializer=start[step]))
        layers.append(keras.layers.Dropout(dropout, seed=seed + step))
    layers.append(keras.layers.Dense(classes, activation="softmax", kernel_initializer=start[-1]))
    return keras.Sequential(layers, name="head")


def logistic_head(features, labels, classes, C=0.03):
    """Return logistic regression, fitted by scikit-learn, as a head of one Dense layer (chapter 3).

    features : float (photos, channels); labels : int (photos,), 0 ... classes - 1, every class present
    C : inverse strength of the L2 penalty on standardized features; smaller holds the weights closer to 0
    Standardization is folded into the layer, so the head takes plain features and returns probabilities.
    """
    _check_labels(labels, classes)
    with _one_thread():
        standardization, fitted = logistic_regression(C).fit(features, labels)
    coefficients, intercepts = _of_every_class(fitted)
    return _dense(coefficients.T, intercepts, standardization.mean_, standardization.scale_)


def all_layers_head(tables, photos, blocks, seed=0):
    """Return (head, C): logistic regression on features of all layers, as a head of one Dense layer (chapter 3).

    tables : list of float (photos, numbers), arrays or StoredFeatures: of the photos as they are, and, for a head that
        bears them, of their corrupted copies (features.stored with layers="all", and with corrupted=True)
    photos : photos table, row by row; blocks : numbers a block, from features.block_sizes
    Each number is standardized, and each block given the same weight, whatever its size; then a photo's numbers have
    a length of about 1. C, the inverse strength of the L2 penalty, is the one of STRENGTHS that names most photos right
    in cross-validation by group; where a class has only one group there is none, and 100 is taken.
    The regression is solved in the space that the photos span, which has at most as many dimensions as there are
    rows. Beyond MOST_ROWS rows, a sample of so many, drawn by `seed`, gives the space and C, all rows are learned from,
    and memory holds no more than their coordinates in it.
    """
    labels, classes = pipeline.labels(photos), len(photos["label"].cat.categories)
    _check_labels(labels, classes)
    count = len(photos) * len(tables)
    sample = np.sort(np.random.default_rng(_check.seed(seed)).permutation(count)[:MOST_ROWS])
    with _one_thread():
        mean, scale = _standardize_blocks(tables, blocks)
        axes = _span((_take(tables, sample) - mean) / scale)  # (numbers, dimensions)
        rows = np.concatenate([((chunk - mean) / scale) @ axes for chunk in _chunks(tables)])
        labels = np.tile(labels, len(tables))
        C = _best_C(rows[sample], sample < len(photos), photos.iloc[sample % len(photos)], seed)
        fitted = sklearn.linear_model.LogisticRegression(C=C, max_iter=2000).fit(rows, labels)
    coefficients, intercepts = _of_every_class(fitted)
    return _dense(axes @ coefficients.T, intercepts, mean, scale), C


def _standardize_blocks(tables, blocks):
    """Return (mean, scale), float32 (numbers,): standardization that gives each block the same share of the variance.

    A number that varies less than the median one of its block counts as if it did not vary less; see _Standardization.
    """
    count = sum(map(len, tables))
    mean = sum(chunk.sum(axis=0, dtype=np.float64) for chunk in _chunks(tables)) / count
    squares = sum(np.square(chunk - mean).sum(axis=0) for chunk in _chunks(tables))
    deviations = np.split(np.sqrt(squares / count), np.cumsum(blocks)[:-1])
    scale = [_floored(each) * np.sqrt(len(each) * len(blocks)) for each in deviations]
    return mean.astype(np.float32), np.concatenate(scale).astype(np.float32)


def _floored(deviation):
    """Return deviations, those below the median of the ones that vary raised to it."""
    varies = deviation[deviation > 1e-6 * deviation.max()]
    return np.maximum(deviation, np.median(varies) if len(varies) else 1)


def _span(rows):
    """Return float32 (numbers, dimensions): orthonormal directions that hold nearly all of what rows differ in."""
    values, vectors = np.linalg.eigh(rows @ rows.T)  # the Gram matrix, (rows, rows), in ascending order
    values, vectors = values[::-1], vectors[:, ::-1]
    held = np.cumsum(values.clip(0))
    kept = min(int(np.searchsorted(held, _KEPT * held[-1])) + 1, int((values > 1e-6 * values[0]).sum()))
    return rows.T @ (vectors[:, :kept] / np.sqrt(values[:kept])) if kept else np.zeros((rows.shape[1], 1), rows.dtype)


def _best_C(rows, plain, photos, seed, folds=3):
    """Return the value of STRENGTHS that names most plain rows right whose group was held out; of equals the lowest.

    rows : float (rows, dimensions), of plain photos and of copies; plain : bool (rows,); photos : table, row by row
    """
    labels = pipeline.labels(photos)
    try:
        splitter = splits.group_k_fold(photos, folds, seed)
    except ValueError:  # a class of one group
        return STRENGTHS[len(STRENGTHS) // 2]
    cuts = [(learn, ask[plain[ask]]) for learn, ask in splitter.split(rows, labels, photos["group"])]
    with concurrent.futures.ThreadPoolExecutor(_machine.cores()) as pool:
        right = sum(pool.map(lambda cut: _right(rows, labels, *cut), cuts))
    return STRENGTHS[int(right.argmax())]


def _right(rows, labels, learn, ask):
    """Return int (values of C,): how many of the rows `ask` regressions on the rows `learn` name right."""
    regression = sklearn.linear_model.LogisticRegression(max_iter=2000, warm_start=True)
    fitted = (regression.set_params(C=C).fit(rows[learn], labels[learn]) for C in STRENGTHS)
    return np.array([(each.predict(rows[ask]) == labels[ask]).sum() for each in fitted])


def _chunks(tables):
    for table in tables:
        for first in range(0, len(table), _CHUNK):
            yield table[first : first + _CHUNK]


def _take(tables, rows):
    """Return some rows, float32 (rows, numbers), of tables laid one below the other; `rows` ascends."""
    length = len(tables[0])
    return np.concatenate([table[rows[rows // length == place] % length] for place, table in enumerate(tables)])


def _one_thread():
    """Let linear algebra use one thread: its sums are small, and threads that wait for each other cost far more."""
    return threadpoolctl.threadpool_limits(1)


def _check_labels(labels, classes):
    found = sorted(set(np.asarray(labels).tolist()))
    if found != list(range(classes)):
        raise ValueError(f"labels must hold every class from 0 to {classes - 1}; got {found}.")


def _of_every_class(fitted):
    """Return (coefficients (classes, numbers), intercepts (classes,)) of scikit-learn's logistic regression."""
    if len(fitted.classes_) > 2:
        return fitted.coef_, fitted.intercept_
    # for two classes it gives one row: half of it each way is the same softmax
    return tuple(np.concatenate([-each, each]) / 2 for each in (fitted.coef_, fitted.intercept_))


def _dense(weights, intercepts, mean, scale):
    """Return a head of one Dense layer: weights (numbers, classes) of standardized features, that folded into them."""
    kernel = weights / scale[:, None]
    head = keras.Sequential(
        [keras.Input((len(mean),)), keras.layers.Dense(len(intercepts), activation="softmax")], name="head"
    )
    head.layers[-1].set_weights([kernel, intercepts - mean @ kernel])
    return head


def logistic_regression(C=0.03):
    """Return the scikit-learn model of `logistic_head`, not yet fitted: standardization, then logistic regression."""
    # with 120 classes the default tol takes five times as long, for the same accuracy within a photo in a hundred
    regression = sklearn.linear_model.LogisticRegression(C=C, max_iter=2000, tol=1e-3)
    return sklearn.pipeline.make_pipeline(_Standardization(), regression)


class _Standardization(sklearn.base.TransformerMixin, sklearn.base.BaseEstimator):
    """Subtract each feature's mean, divide by its standard deviation, or by the median one if that is larger.

    Divided by almost nothing, a feature that hardly varies would get a huge weight, and fine-tuning, which moves the
    features, would throw the probabilities about.
    """

    def fit(self, features, labels=None):
        features = np.asarray(features, np.float64)
        self.mean_, self.scale_ = features.mean(axis=0), _floored(features.std(axis=0))
        return self

    def transform(self, features):
        return (np.asarray(features, np.float64) - self.mean_) / self.scale_


def cross_val_probabilities(photos, features, seed=0, folds=5):
    """Return float (photos, classes): what a logistic head says of each photo that saw neither it nor its group.

    photos : photos table; features : float (photos, channels), row by row; folds : fewer where groups are few
    Raises ValueError if all photos of a class belong to one group.
    """
    return sklearn.model_selection.cross_val_predict(
        logistic_regression(),
        features,
        pipeline.labels(photos),
        groups=photos["group"],
        cv=splits.group_k_fold(photos, folds, seed),
        method="predict_proba",
    )


def cross_val_all_layers(photos, tables, blocks, seed=0, folds=5):
    """Return what `cross_val_probabilities` does, of heads on all layers; tables, blocks as for `all_layers_head`."""
    said = np.zeros((len(photos), len(photos["label"].cat.categories)))
    splitter = splits.group_k_fold(photos, folds, seed)
    for learn, ask in splitter.split(photos, photos["label"], photos["group"]):
        learned = photos.iloc[learn]
        learned = learned.assign(label=learned["label"].cat.remove_unused_categories())
        head, _ = all_layers_head([table[learn] for table in tables], learned, blocks, seed)
        known = photos["label"].cat.categories.get_indexer(learned["label"].cat.categories)
        said[np.ix_(ask, known)] = keras.ops.convert_to_numpy(head(tables[0][ask]))
    return said


def build_classifier(backbone, head, image_size, layers="last"):
    """Return one model from pixels 0-255 (batch, image_size, image_size, 3) to probabilities (batch, classes).

    backbone : from backbones.get; head : a model from features to probabilities. Both are shared, not copied.
    layers : "last" or "all", the features that the head takes
    """
    extractor = features.extractor(backbone, image_size, layers=layers)
    return keras.Model(extractor.inputs[0], head(extractor.outputs[0]), name=f"{backbone.name}_classifier")


def add_temperature(model, temperature, in_place=False):
    """Return a model whose probabilities are those of `model` at another temperature (chapters 6 and 8).

    model : pixels to probabilities (batch, classes); temperature : above 0, from calibration.fit_temperature
    in_place : change `model` itself where that can be, so that nothing that was made of it has to be made anew
    The order of the classes stays, so no prediction changes. It saves, loads and exports like any other model.
    Where `model` ends in a Dense layer with a softmax, the weights of a copy are divided: no layer more, which an
    export in whole numbers would round. Elsewhere the probabilities go through their logarithm and another softmax.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0; got {temperature!r}.")
    last = _last_layer(model)
    if isinstance(last, keras.layers.Dense) and last.activation is keras.activations.softmax:
        copy = model if in_place else keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        last = _last_layer(copy)
        last.set_weights([weights / temperature for weights in last.get_weights()])
        return copy
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    logits = keras.ops.log(keras.ops.clip(model(pixels, training=False), 1e-12, 1.0)) / float(temperature)
    return keras.Model(pixels, keras.ops.softmax(logits, axis=-1), name=f"{model.name}_calibrated")


def _last_layer(layer):
    """Return the layer or operation that gives a model's output, inside of a nested model too."""
    while getattr(layer, "outputs", None):
        layer = layer.outputs[0]._keras_history.operation
    return layer
