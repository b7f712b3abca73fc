"""What chapters 6 and 8 measure of a model: one typed home for the numbers of metrics.json, and the verdict on them."""

import dataclasses
import math

import pandas

from ..evaluation.intervals import Interval
from .rendering import render

_AREA = "unknown_auc"  # metrics.json has a key for each kind of unknown photos: unknown_auc_NAME
_EXPORT = {"megabytes": "megabytes", "milliseconds": "milliseconds", "largest_difference": "difference"}
_EXPORT |= {name: name for name in ("same_class", "lost", "lost_low", "lost_high")}


@dataclasses.dataclass(slots=True, kw_only=True)
class EvaluationSummary:
    """The numbers of a run, filled in as they come. None: not measured. Shares and accuracies are fractions, 0 to 1.

    An Interval becomes three keys of metrics.json: NAME, NAME_low and NAME_high. What has no number there (NaN, or an
    infinite threshold) is null.
    """

    n_test: int | None = None
    test_accuracy: Interval | None = None
    accuracy_majority: float | None = None  # of always naming the most frequent class
    enough_groups: bool | None = None  # False: intervals are rough, so nothing is called better or worse
    grouped: bool | None = None  # False: it is not known which photos show the same plant or object
    most_confused: str | None = None  # "a / b", the pair of classes that is mixed up most; "none"
    most_confused_share_low: float | None = None  # how often at least
    lowest_recall: str | None = None  # the class of which most is missed
    lowest_recall_value: float | None = None
    calibration_error: Interval | None = None
    temperature: float | None = None
    wanted_error: float | None = None  # the share of wrong answers that is accepted
    threshold: float | None = None  # how sure it must be to answer; infinite: no threshold is good enough
    coverage: float | None = None  # of the test photos, those that it answers
    risk: float | None = None  # of these, those that it answers wrongly
    heat_inside_ratio: Interval | None = None  # times the heat that chance would put inside the lesion
    unknown_auc: dict | None = None  # {kind of unknown photos: Interval of the area under the ROC curve}
    unknown_kept: float | None = None  # of the unknown photos, those that are taken for known
    known_kept: float | None = None  # of the test photos
    forecast_accuracy: Interval | None = None  # of this model, trained on forecast_photos
    forecast_photos: int | None = None
    frozen_forecast: Interval | None = None  # of a head on the frozen base, trained on frozen_forecast_photos
    frozen_forecast_photos: int | None = None
    frame_accuracy: Interval | None = None  # with the middle of each test photo covered
    model_from: str | None = None  # the chapter that trained it, or "model_path"
    strategy: str | None = None  # what was trained, in words
    val_accuracy: float | None = None
    photos_in_training: str | None = None  # what was done to them, in words
    fall_turned: Interval | None = None  # what a head loses on photos upside down
    taken_out: int | None = None  # photos that cannot be used, or are there twice
    doubted_labels: int | None = None
    shortcuts: str | None = None  # what gives the class away by itself, in words
    other_effort: str | None = None  # what the other effort takes and brings, in words
    exports: pandas.DataFrame | None = None  # as from model_card.score_exports; metrics.json has KIND_megabytes, ...
    seconds: float | None = None

    def add_classes(self, classes, pairs):
        """Fill in the class found least, and the pair mixed up most: from metrics.class_table and confused_pairs."""
        self.lowest_recall, self.lowest_recall_value = classes["recall"].idxmin(), classes["recall"].min()
        self.most_confused, self.most_confused_share_low = "none", math.nan
        if len(pairs):
            self.most_confused = f"{pairs['first'].iloc[0]} / {pairs['second'].iloc[0]}"
            self.most_confused_share_low = pairs["low"].iloc[0]

    def as_metrics(self):
        """Return the flat dict of metrics.json, plain numbers and texts; what was not measured is left out."""
        found = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == _AREA:
                for kind, area in (value or {}).items():
                    found |= _ends(f"{_AREA}_{kind}", area)
            elif field.name == "exports":
                found |= _exports(value)
            elif value is not None:
                found |= _ends(field.name, value) if field.type == Interval | None else {field.name: value}
        return {name: _plain(value) for name, value in found.items()}

    @classmethod
    def from_metrics(cls, metrics):
        """Return the summary of a metrics.json (dict); other keys are passed over, an interval without ends is None."""
        found = {}
        for field in dataclasses.fields(cls):
            read = _interval if field.type == Interval | None else dict.get
            found[field.name] = read(metrics, field.name)
        kinds = [name.removeprefix(f"{_AREA}_") for name in metrics if name.startswith(f"{_AREA}_")]
        areas = {kind: _interval(metrics, f"{_AREA}_{kind}") for kind in kinds}
        found[_AREA] = {kind: area for kind, area in areas.items() if area}
        if "threshold" in metrics and metrics["threshold"] is None:
            found["threshold"] = math.inf
        return cls(**found)

    def side(self, interval, at):
        """Return 1 if an interval lies above `at`, -1 if below, 0 if it holds it or the groups are too few to tell."""
        if self.enough_groups is False:
            return 0
        return int(interval.low > at) - int(interval.high < at)


def verdict(summary):
    """Return what the numbers of a run mean, paragraphs parted by an empty line (str); "" if none of them is there.

    Each sentence comes only if all of its numbers are there. Where an interval holds what it is compared with, the
    sentence says that these photos do not tell.
    """
    summary = EvaluationSummary.from_metrics(summary.as_metrics())  # what is no number is not there
    lines = render("verdict.txt.j2", s=summary).strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in map(str.strip, lines) if paragraph)


def _ends(name, found):
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _exports(table):
    kinds = [] if table is None else [kind for kind in table.index if kind != "keras"]
    return {f"{kind}_{key}": table.loc[kind, column] for kind in kinds for column, key in _EXPORT.items()}


def _plain(value):
    """Return a number as Python's own, None for one that JSON does not know; a text as it is."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _interval(metrics, name):
    """Return the Interval of the keys NAME, NAME_low and NAME_high, or None; metrics.json does not keep its photos."""
    ends = [metrics.get(f"{name}{end}") for end in ("", "_low", "_high")]
    return None if any(end is None or math.isnan(end) for end in ends) else Interval(*ends, n=None, groups=None)
