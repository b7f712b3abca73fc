"""What the temperature that is fitted on the validation photos does to the calibration error on the test photos.

    python -m benchmarks.calibrated FOLDER ... [--seeds 3] [--image-size 128] [--tuned NAME ... [--tuned-seeds 1]]

The logistic head on features of the frozen EfficientNet-Lite0, and the fine-tuned models of the sets that --tuned
names. Writes benchmarks/calibrated.csv; `rises` says whether the error rose by more than chance, its interval above 0.
"""

import argparse

import pandas

from tutorial_utils.evaluation import calibration

from . import results, trust


def heads(where, seed, image_size):
    """Return the logits (validation, test) of the logistic head."""
    train, validation, test = trust.frozen(where, seed, image_size)
    solved = trust.head(train)
    return [trust.logits(solved, part.features) for part in (validation, test)]


def fine_tuned(where, seed, image_size):
    """Return the logits (validation, test) of the fine-tuned model."""
    from tutorial_utils.data import pipeline

    model = trust.tuned(where, seed, image_size)
    return [trust.asked(model, pipeline.batches(photos, image_size))[1] for photos in trust.split(where, seed)[1:]]


def row(where, seed, logits):
    """Return what the temperature changes, as a dict. logits : (validation, test)."""
    _, validation, test = trust.split(where, seed)
    labels, groups = test["label"].cat.codes.to_numpy().astype(int), test["group"]
    said, before = (trust.probabilities(scores) for scores in logits)
    asked = validation["label"].cat.codes.to_numpy().astype(int)
    temperature = calibration.fit_temperature(said, asked, validation["group"])
    after = calibration.apply_temperature(before, temperature)
    errors = [calibration.calibration_error(each, labels, groups).value for each in (before, after)]
    change = calibration.calibration_difference(after, before, labels, groups)
    return {
        "validation_photos": len(asked),
        "validation_groups": validation["group"].nunique(),
        "temperature": temperature,
        "lowest_loss": calibration.fit_temperature(said, asked, cautious=False),
        "of_test": calibration.fit_temperature(before, labels, cautious=False),
        "error_before": errors[0],
        "error_after": errors[1],
        "change": change.value,
        "low": change.low,
        "high": change.high,
        "changed_predictions": int((after.argmax(axis=1) != before.argmax(axis=1)).sum()),
        "rises": bool(change.low > 0),
    }


def main():
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    trust.options(parser)
    arguments, rows = parser.parse_args(), []
    for kind, where, seed in trust.cases(arguments):
        logits = (heads if kind == "frozen" else fine_tuned)(where, seed, arguments.image_size)
        rows.append({"model": kind, "set": trust.name(where), "seed": seed} | row(where, seed, logits))
    kept = pandas.DataFrame(rows).round(4)
    results.keep_table("calibrated", kept, f"python -m benchmarks.calibrated --seeds {arguments.seeds}", show=False)
    sums = dict(error_before="mean", error_after="mean", change="mean", rises="sum", changed_predictions="sum")
    print(kept.assign(cases=1).groupby(["model", "set"], sort=False).agg({"cases": "sum"} | sums).round(4).to_string())


if __name__ == "__main__":
    main()
