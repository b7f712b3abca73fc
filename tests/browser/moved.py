"""Every control of every chapter and lab, and what must change when it is moved: for the test and the benchmark."""

import ast
from typing import NamedTuple

from tests.browser import hands

DRAWN = ("picture", "alt")  # names of hands.seen
TOLD = ("text",)
BOTH = ("picture", "alt", "text")


class Moved(NamedTuple):
    """A control: what stands beside it, of which kind it is, and what changes when it is moved."""

    label: str
    kind: str = "slider"  # slider, menu, box, button, file, picture
    changes: tuple = DRAWN


# chapter or lab: {the function that makes the control, called on the last line of its cell: what can be moved there};
# a second control of the same function has a 2 behind its name
CONTROLS = {
    "01_setup": {
        "browse_cards": [Moved("data set", "menu", TOLD)],
        "explore_answers": [Moved("photo", "menu"), Moved("a photo of yours", "file", ("picture",))],
        "explore_convolution": [Moved("weights find", "menu"), Moved("row"), Moved("column")],
    },
    "02_data_preparation": {
        "browse_findings": [Moved("finding", "menu", BOTH)],
        "browse_groups": [Moved("plant"), Moved("class", "menu")],
        "explore_augmentation": [
            Moved("photo", changes=("picture",)),
            Moved("turn (± degrees)", changes=BOTH),
            Moved("zoom (± %)", changes=BOTH),
            Moved("light (± %)", changes=BOTH),
            Moved("photos have an up and a down", "box", BOTH),
        ],
        "explore_split": [Moved("shuffle"), Moved("split", "menu")],
    },
    "03_feature_extraction": {
        "explore_descent": [Moved("learning rate")],
        "explore_head": [Moved("photos a class"), Moved("hidden units"), Moved("learning rate")],
        "browse_map": [Moved("picture", "picture", BOTH)],
        "browse_predictions": [Moved("photo")],
    },
    "04_fine_tuning": {"explore_unfreezing": [Moved("last layers")]},
    "05_callbacks": {
        "explore_callbacks": [Moved("minimum delta"), Moved("patience")],
        "explore_callbacks 2": [
            Moved("ReduceLROnPlateau: factor"),  # first: where the rate never falls, it changes nothing
            Moved("ReduceLROnPlateau: patience"),
            Moved("EarlyStopping: minimum delta"),
            Moved("EarlyStopping: patience"),
        ],
    },
    "06_evaluation": {
        # in this order: a pair may have only one
        "browse_errors": [Moved("photo"), Moved("errors", "menu")],  # in this order: a pair may have only one
        "browse_confusion": [Moved("picture", "picture", TOLD)],
        "explore_threshold": [
            Moved("answer only when at least this sure"),
            Moved("photos", "menu"),
            Moved("class", "menu"),
        ],
        "explore_saliency": [
            Moved("outline of the lesions", "box", ("picture",)),
            Moved("strength of the map"),
            Moved("photo", "menu"),
        ],
    },
    "07_experiments": {
        "explore_runs": [
            Moved("runs of each setting"),
            Moved("all true with", "menu"),
            Moved("against", "menu"),
            Moved("question", "menu"),
        ],
    },
    "08_your_own_photos": {
        "explore_predictor": [
            # what it says of another photo, or at another threshold, may be the same
            Moved("answer only when at least this sure", changes=("picture",)),
            Moved("photo", "menu", ("picture",)),
            Moved("a photo of yours", "file", ("picture",)),
        ],
    },
    "labs/inside_fine_tuning": {"explore_changes": [Moved("picture", "picture", BOTH)]},
    "labs/layers_and_rates": {"explore_grid": [Moved("picture", "picture", BOTH)]},
}
TRAINS = ("explore_head",)  # these may take a second; all others only draw


def maker(code):
    """Return the name of the function whose value a cell shows (str): that of its last line, or None."""
    try:
        last = ast.parse(code).body[-1]
    except (SyntaxError, IndexError):
        return None
    call = last.value if isinstance(last, ast.Expr) else None
    if isinstance(call, ast.Name):
        given = [line for line in ast.parse(code).body if isinstance(line, ast.Assign)]
        call = next((line.value for line in given if ast.unparse(line.targets[0]) == call.id), None)
    function = call.func if isinstance(call, ast.Call) else None
    return getattr(function, "attr", getattr(function, "id", None))


def named(sources):
    """Return {the name of a control: the number of its cell} of cells (str) that make one."""
    names = {}
    for number, source in sources:
        name = maker(source)
        names[f"{name} 2" if name in names else name] = number
    return names


def uncovered(chapter, there):
    """Return a sentence for each control that the table lacks, or names and a chapter has not (list of str).

    there : {the name of a control: [(label, kind)]}, all that can be moved in the chapter
    """
    table = {name: sorted((row.label, row.kind) for row in rows) for name, rows in CONTROLS.get(chapter, {}).items()}
    where = f"CONTROLS[{chapter!r}] in tests/browser/moved.py"
    said = []
    for name in sorted({*table, *there}):
        here, listed = there.get(name, []), table.get(name, [])
        said += [f"The {kind} {label!r} of {name} is not tested: add it to {where}." for label, kind in here
                 if (label, kind) not in listed]  # fmt: skip
        said += [f"{where} names the {kind} {label!r} of {name}, which the chapter has not." for label, kind in listed
                 if (label, kind) not in here]  # fmt: skip
    return said


def found(notebook):
    """Return {the name of a control: (number of its cell, [(label, kind)])} of all that can be moved in a notebook."""
    here = {number: controls for number, controls in enumerate(notebook.each_output(hands.FOUND)) if controls}
    sources = notebook.sources()
    names = named((number, sources[number]) for number in here)
    return {name: (n, sorted((one["label"], one["kind"]) for one in here[n])) for name, n in names.items()}
