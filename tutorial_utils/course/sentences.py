"""What a run's numbers say, in plain sentences, and no more than they say (chapter 6)."""

import math


def verdict(metrics):
    """Return what the numbers of a run mean, paragraphs parted by an empty line (str); "" if none of them is there.

    metrics : dict, as metrics.json holds it. Each sentence comes only if all of its keys are there and none is None:
        n_test, test_accuracy, test_accuracy_low, test_accuracy_high; with accuracy_majority a comparison
        most_confused ("a / b" or "none"), with most_confused_share_low how often at least
        lowest_recall (a class name), lowest_recall_value
        calibration_error, calibration_error_low, calibration_error_high; temperature
        wanted_error, threshold (None: there is none), coverage, risk
        heat_inside_ratio, heat_inside_ratio_low, heat_inside_ratio_high
        unknown_auc_NAME, unknown_auc_NAME_low, unknown_auc_NAME_high; unknown_kept, with the threshold
        forecast_photos, forecast_accuracy, forecast_accuracy_low, forecast_accuracy_high; in their place, where the
        curve is not of this model but of a head on the frozen base, frozen_forecast_photos, frozen_forecast,
        frozen_forecast_low, frozen_forecast_high
        enough_groups (False: intervals are rough, so nothing is called better or worse)
    Shares and accuracies are fractions, 0 to 1. Where an interval holds what it is compared with, the sentence says
    that these photos do not tell.
    """
    themes = (_accuracy, _majority), (_mixed, _weakest), (_calibration, _answering), (_heat, _unknown), (_forecast,)
    paragraphs = [" ".join(filter(None, (sentence(metrics) for sentence in theme))) for theme in themes]
    return "\n\n".join(filter(None, paragraphs))


def percent(share):
    """Return a share, 0 to 1, as text: 0.873 is "87.3 %"."""
    return f"{100 * share:.1f} %"


def interval(metrics, name):
    """Return "82.1 to 91.4 %" of the keys NAME_low and NAME_high."""
    return f"{100 * metrics[f'{name}_low']:.1f} to {100 * metrics[f'{name}_high']:.1f} %"


def has(metrics, *names):
    """Return whether all these keys are there, none of them None or no number (NaN)."""
    values = [metrics.get(name) for name in names]
    return all(value is not None and not (isinstance(value, float) and math.isnan(value)) for value in values)


def has_interval(metrics, name):
    """Return whether a number and both ends of its interval are there."""
    return has(metrics, name, f"{name}_low", f"{name}_high")


def side(metrics, name, at):
    """Return 1 if the interval of `name` lies above `at`, -1 if below, 0 if it holds it or groups are too few."""
    if metrics.get("enough_groups") is False:
        return 0
    return int(metrics[f"{name}_low"] > at) - int(metrics[f"{name}_high"] < at)


def _accuracy(metrics):
    if not has_interval(metrics, "test_accuracy") or not has(metrics, "n_test"):
        return ""
    said = (
        f"On {metrics['n_test']:,} test photos the model is right on {percent(metrics['test_accuracy'])}; on new "
        f"photos of their kind it is probably right on {interval(metrics, 'test_accuracy')} (95 % interval)."
    )
    if metrics.get("enough_groups") is False:
        said += " The photos come from few groups, so every interval here is rough, and nothing is called better."
    return said


def _majority(metrics):
    if not has_interval(metrics, "test_accuracy") or not has(metrics, "accuracy_majority"):
        return ""
    always = f"always naming the most frequent class, which is right on {percent(metrics['accuracy_majority'])}"
    return {
        1: f"That is better than {always}.",
        -1: f"That is worse than {always}: do not use it as it is.",
        0: f"Whether that is better than {always}, these photos do not tell.",
    }[side(metrics, "test_accuracy", metrics["accuracy_majority"])]


def _mixed(metrics):
    if not has(metrics, "most_confused"):
        return ""
    if metrics["most_confused"] == "none":
        return "It makes no mistake on these photos, so they do not show where it would make one."
    said = f"The two classes that it mixes up most are {' and '.join(metrics['most_confused'].split(' / '))}"
    if not has(metrics, "most_confused_share_low"):
        return f"{said}."
    if metrics["most_confused_share_low"] < 0.0005 or metrics.get("enough_groups") is False:
        return f"{said}; whether by more than chance, these photos do not tell."
    return f"{said}: probably on at least {percent(metrics['most_confused_share_low'])} of new photos of these two."


def _weakest(metrics):
    if not has(metrics, "lowest_recall", "lowest_recall_value"):
        return ""
    if metrics["lowest_recall_value"] >= 1:
        return "It finds every test photo of every class."
    return (
        f"It misses {metrics['lowest_recall']} most: of the test photos of that class it finds "
        f"{percent(metrics['lowest_recall_value'])}."
    )


def _calibration(metrics):
    said = []
    if has_interval(metrics, "calibration_error"):
        off = f"{100 * metrics['calibration_error']:.1f} points ({_points(metrics, 'calibration_error')})"
        if side(metrics, "calibration_error", 0.0) > 0:
            said.append(f"How sure it says it is differs from how often it is right by {off} on average.")
        else:
            said.append(f"Its confidence is off by {off} on average; if it is off at all, these photos do not tell.")
    if has(metrics, "temperature"):
        said.append(_temperature(metrics["temperature"]))
    return " ".join(said)


def _points(metrics, name):
    return f"95 % interval {100 * metrics[f'{name}_low']:.1f} to {100 * metrics[f'{name}_high']:.1f}"


def _temperature(value):
    if 0.95 <= value <= 1.05:
        return f"On the validation photos its confidence needed hardly any correction (temperature {value:.2f})."
    how = "too sure" if value > 1 else "not sure enough"
    return f"On the validation photos it was {how}; a temperature of {value:.2f} makes up for that there."


def _answering(metrics):
    if not has(metrics, "wanted_error"):
        return ""
    wanted = f"{100 * metrics['wanted_error']:.3g} %"
    if metrics.get("threshold", 0) is None:
        return f"On the validation photos, no threshold kept wrong answers down to {wanted}, so it has none."
    if not has(metrics, "threshold", "coverage"):
        return ""
    said = (
        f"Asked to answer only when it is at least {percent(metrics['threshold'])} sure, which kept wrong answers down "
        f"to {wanted} on the validation photos, it answers {percent(metrics['coverage'])} of the test photos"
    )
    if not has(metrics, "risk") or not metrics["coverage"]:
        return f"{said}."
    return f"{said}; of these answers {percent(metrics['risk'])} are wrong."


def _heat(metrics):
    if not has_interval(metrics, "heat_inside_ratio"):
        return ""
    ends = f"{metrics['heat_inside_ratio_low']:.1f} to {metrics['heat_inside_ratio_high']:.1f}"
    said = (
        f"Its heat maps put {metrics['heat_inside_ratio']:.1f} times as much heat inside the lesion as heat that is "
        f"spread evenly would (95 % interval {ends})"
    )
    return (
        said
        + {
            1: ": more than chance.",
            -1: ": less than chance, so they point elsewhere.",
            0: "; whether that is more than chance, these photos do not tell.",
        }[side(metrics, "heat_inside_ratio", 1.0)]
    )


def _unknown(metrics):
    ends = ("_low", "_high")
    found = [key for key in metrics if key.startswith("unknown_auc_") and not key.endswith(ends)]
    said = [_told_apart(metrics, key) for key in found if has_interval(metrics, key)]
    if has(metrics, "unknown_kept"):
        said.append(
            f"Of the photos of what it was never taught it would still answer {percent(metrics['unknown_kept'])}, each "
            "time wrongly."
        )
    return " ".join(said)


def _told_apart(metrics, key):
    what = key.removeprefix("unknown_auc_").replace("_", " ")
    rate = f"in {percent(metrics[key])} of pairs (95 % interval {interval(metrics, key)})"
    return {
        1: f"It tells a photo of what it knows from one of what it was never taught ({what}) {rate}; a coin, in half.",
        -1: f"It takes photos of what it was never taught ({what}) for more familiar than its own: right {rate}.",
        0: f"Whether it knows its own from what it was never taught ({what}), these photos do not tell: right {rate}.",
    }[side(metrics, key, 0.5)]


def _forecast(metrics):
    if has_interval(metrics, "frozen_forecast") and has(metrics, "frozen_forecast_photos"):
        value, ends = percent(metrics["frozen_forecast"]), interval(metrics, "frozen_forecast")
        return (
            f"A head on the frozen base, taught with {metrics['frozen_forecast_photos']:,.0f} photos, would be "
            f"expected to be right on about {value} (interval {ends}). What more photos would bring to this model "
            "itself was not measured."
        )
    if not has_interval(metrics, "forecast_accuracy") or not has(metrics, "forecast_photos"):
        return ""
    said = (
        f"Taught with {metrics['forecast_photos']:,.0f} photos, it would be expected to be right on about "
        f"{percent(metrics['forecast_accuracy'])} (interval {interval(metrics, 'forecast_accuracy')})"
    )
    if not has(metrics, "test_accuracy_high"):
        return f"{said}; that is a forecast, not a measurement."
    if side(metrics, "forecast_accuracy", metrics["test_accuracy_high"]) > 0:
        return f"{said}: more photos would probably help. That is a forecast, not a measurement."
    return f"{said}; whether more photos would help, these numbers do not tell."
