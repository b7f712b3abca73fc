"""Was a model of any origin declared as it is? What a few labeled photos say of it (chapter 6)."""

import numpy as np
import scipy.optimize
import scipy.stats

from .import_model import PIXELS, read_class_names

LEVEL = 0.05  # chance of a warning where nothing is wrong, for each kind of warning
FEWEST = 7  # groups that must differ before a sign test can say anything at LEVEL, with two scalings to try


def check_import(model, batches, class_names, groups=None):
    """Return what is probably wrong with what `import_model.load_model` was told, as a list of sentences; [] if nothing is.

    model : from `import_model.load_model`; class_names : as for that
    batches : yields (images, labels), pixels 0-255 (batch, h, w, 3) and int (batch,) in the model's order: as
        pipeline.batches makes them, not shuffled, from a table that `import_model.align_classes` has ordered
    groups : (photos,), photos of one plant share theirs, in the order of the batches; or None
    The labels are looked at. Give it validation photos: a scaling that is chosen on the test photos makes their score
    too good. Tried are the three scalings and another order of the names. A sentence comes where the groups that gain
    outnumber those that lose by more than chance explains (sign test); with few photos silence says little.
    Raises ValueError for a model that is not from `import_model.load_model`, for no photos, or labels or groups that do not fit.
    """
    names, (loaded, declared, logits) = read_class_names(class_names), _declared(model)
    if model.output_shape[1] != len(names):
        raise ValueError(f"The model tells {model.output_shape[1]} classes apart; got {len(names)} class_names.")
    scores, labels = _scores_at_each(loaded, batches)
    group_of = _group_numbers(groups, labels, names)
    answers = {pixels: _answers(given, logits) for pixels, given in scores.items()}
    found = [_scaling(answers, declared, labels, group_of), _all_of_one(answers[declared], labels, names)]
    if not any(found):
        found.append(_order(answers[declared], labels, group_of, names))
    found.append(_no_logits(scores[declared]) if logits else None)
    return [sentence for sentence in found if sentence]


def _declared(model):
    """Return (loaded, pixels, logits): the model inside one from `load`, its scaling, whether it gives logits."""
    layers = {layer.name: layer for layer in getattr(model, "layers", [])}
    if "loaded" not in layers or "raw_pixels" not in layers:
        raise ValueError(
            "Expected a model from import_model.load_model; got another one. Save it, and load it with that."
        )
    factor = layers["rescaled"].scale if "rescaled" in layers else 1.0
    pixels = min(PIXELS, key=lambda name: abs(PIXELS[name][0] - factor))
    return layers["loaded"], pixels, "softmax" in layers


def _answers(scores, logits):
    """Return the class that comes first, int (photos,), from scores (photos, units)."""
    one_unit = scores.shape[1] == 1
    return (scores[:, 0] > (0.0 if logits else 0.5)).astype(int) if one_unit else scores.argmax(axis=1)


def _no_logits(scores):
    """Return a sentence if one unit that should give logits gives none below 0 or above 1."""
    if scores.shape[1] > 1 or len(scores) < FEWEST or scores.min() < 0 or scores.max() > 1:
        return None
    return 'Every output lies between 0 and 1, as probabilities do. Load it again with output="probabilities".'


def _scores_at_each(loaded, batches):
    """Return ({pixels: scores (photos, units)}, labels (photos,)), all from one pass."""
    scores, labels = {pixels: [] for pixels in PIXELS}, []
    for images, some in batches:
        labels.append(np.asarray(some))
        for pixels, (factor, offset) in PIXELS.items():
            scaled = np.asarray(images, np.float32) * np.float32(factor) + np.float32(offset)
            scores[pixels].append(np.asarray(loaded.predict_on_batch(scaled)))
    if not labels:
        raise ValueError("Expected at least one batch of (images, labels); got none. Is the split empty?")
    return {pixels: np.concatenate(parts) for pixels, parts in scores.items()}, np.concatenate(labels).astype(int)


def _group_numbers(groups, labels, names):
    if labels.min() < 0 or labels.max() >= len(names):
        raise ValueError(
            f"Expected labels 0 ... {len(names) - 1}; got {labels.min()} ... {labels.max()}. Use in_order."
        )
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    if groups.shape != labels.shape:
        raise ValueError(f"Expected a group for each of {len(labels)} photos; got shape {groups.shape}.")
    return np.unique(groups, return_inverse=True)[1]


def _surely_better(right, declared, group_of, chance):
    """Return whether more groups gain than lose by `right` over `declared`, bool (photos,), than chance explains."""
    gains = np.bincount(group_of, weights=right.astype(int) - declared)
    won, lost = int((gains > 0).sum()), int((gains < 0).sum())
    return won > lost and scipy.stats.binomtest(won, won + lost).pvalue < chance


def _scaling(answers, declared, labels, group_of):
    right = {pixels: given == labels for pixels, given in answers.items()}
    best = max(right, key=lambda pixels: (right[pixels].mean(), pixels == declared))
    if best == declared or not _surely_better(right[best], right[declared], group_of, LEVEL / (len(PIXELS) - 1)):
        return None
    return (
        f'The pixels are probably scaled wrongly: with pixels="{best}" the model is right on {right[best].mean():.1%} '
        f'of these {len(labels)} photos, with pixels="{declared}", as it was loaded, on {right[declared].mean():.1%}. '
        f'Load it again with pixels="{best}".'
    )


def _all_of_one(answers, labels, names):
    if len(labels) < FEWEST or len(set(answers.tolist())) > 1 or len(set(labels.tolist())) == 1:
        return None
    return (
        f"The model gives one and the same answer, {names[answers[0]]}, for all of these {len(labels)} photos of "
        f"{len(set(labels.tolist()))} classes. Are pixels and output what it was taught with?"
    )


def _order(answers, labels, group_of, names):
    """Return a sentence if another order of the names fits: chosen on every other group, judged on the rest."""
    half, size = group_of % 2 == 0, len(names)
    counts = np.bincount(answers[half] * size + labels[half], minlength=size**2).reshape(size, size)  # said, true
    _, meant = scipy.optimize.linear_sum_assignment(-counts)
    ours, others = answers[~half] == labels[~half], meant[answers[~half]] == labels[~half]
    if not len(ours) or not _surely_better(others, ours, group_of[~half], LEVEL):
        return None
    return (
        f"The names are probably in another order: as {', '.join(names[number] for number in meant)} they fit "
        f"{others.mean():.1%} of the photos, as they were given {ours.mean():.1%}. Look up in which order the model "
        "was taught its classes."
    )
