"""Chapters and labs with every exercise answered, and a probe after each check: did it say what it should?"""

import ast
import inspect

import jupytext
import nbformat

from notebooks.source import derive

SMALL = {"photos_per_class": 12, "image_size": 96}  # what every chapter takes
SHORT = {  # and what some take besides
    "03_feature_extraction": {"scratch_epochs": 3},
    "04_fine_tuning": {"epochs": 3},
    "07_experiments": {"seeds": 3},
    "08_your_own_photos": {"epochs": 3},
}


def small(chapter):
    """Return the parameters of a chapter, or of "labs/<lab>", that make it quick: few and small photos, few epochs."""
    return SMALL | SHORT.get(chapter, {})


def given(notebook, **parameters):
    """Add a cell that sets other parameters, as papermill does, to a notebook (nbformat)."""
    place = next(place for place, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    code = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(code, id="given"))


def source(root, chapter):
    """Return the path of what writers edit of a chapter, or of "labs/<lab>"."""
    return root / "notebooks" / "source" / f"{chapter}.py"


def code_cells(path):
    """Return the cells of code of a source, in order."""
    return [cell for cell in jupytext.read(path, fmt="py:percent").cells if cell.cell_type == "code"]


def solutions(path):
    """Return the code of a source's solution cells, in order, hints left out."""
    written = [cell.source.split("\n") for cell in code_cells(path) if "solution" in cell.metadata.get("tags", [])]
    return ["\n".join(line for line in lines if not line.startswith("# hint:")) for lines in written]


def checks(code):
    """Return the calls of `exercises.check` in a cell's code, in order (ast.Call).

    Raises ValueError if one is not a plain call on a line of its own with the question written out and
    `wrong=[(answer, message), ...]` in place: this test could not read it.
    """
    if "exercises" not in code:
        return []  # the cell that installs the course is no plain Python
    tree = ast.parse(code)
    named = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "check"]
    found = [node for node in named if isinstance(node.value, ast.Name) and node.value.id == "exercises"]
    calls = [line.value for line in tree.body if isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)]
    plain = [call for call in calls if call.func in found]
    if len(plain) != len(found) or "_reply" in code or "exercises import" in code:
        raise ValueError(f"Write `exercises.check(...)` on a line of its own, not inside other code:\n{code}")
    for call in plain:
        question(call)
        wrong_answers(call)
    return plain


def question(call):
    """Return the question of a check; raises ValueError if it is not written out."""
    if not (call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)):
        raise ValueError(f"Write the question of a check out, as its first argument; got:\n{ast.unparse(call)}")
    return call.args[0].value


def wrong_answers(call):
    """Return the pairs of a check's `wrong` [(ast answer, ast message)]; raises ValueError if it is not written out."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    listed = given.get("wrong", ast.List([]))
    pairs = listed.elts if isinstance(listed, ast.List | ast.Tuple) else [None]
    whole = all(isinstance(pair, ast.Tuple) and len(pair.elts) == 2 for pair in pairs)
    if len(call.args) > 5 or None in given or not whole:
        raise ValueError(f"Write `wrong=[(answer, message), ...]` out in the check; got:\n{ast.unparse(call)}")
    return [tuple(pair.elts) for pair in pairs]


def probe(question, answer, expected, tolerance=0.0, explain="", wrong=()):
    """Run in the chapter's kernel: a check's own solution is right, and each wrong answer gets its own message.

    A wrong answer that happens to be right in this run (of few and small photos) is passed over; not all may be.
    """
    import json

    from tutorial_utils.course import exercises

    def reply(given):
        return exercises._reply(question, given, expected, tolerance, explain, wrong)

    said = reply(answer)
    assert said.kind == "right", f"The solution itself is not right: {said.text}"
    assert reply(...).kind == "open"
    recognized = 0
    for usual, message in wrong:
        said = reply(usual)
        if said.kind == "right":
            continue
        assert message.strip(), f"{question}: the wrong answer {usual!r} has no message"
        told = f"{question}: {usual!r} should be told: {message!r}; it is told: {said.text!r}"
        assert said.text.endswith(message), told
        recognized += 1
    assert recognized, f"{question}: no wrong answer is wrong in this run"
    print("EXERCISE " + json.dumps({"question": question, "wrong": len(wrong), "recognized": recognized}))


def asked(code):
    """Return the code of a cell that probes each check of a cell, or None if it has none."""
    calls = checks(code)
    lines = ["_probe(" + ast.unparse(call).split("(", 1)[1] for call in calls]
    return "\n".join([inspect.getsource(probe).replace("def probe", "def _probe"), "", *lines]) if calls else None


def notebook(root, chapter):
    """Return a chapter or a lab (nbformat) with every solution filled in and a probe after each cell that checks."""
    path = source(root, chapter)
    made, answers = derive.derive(path), iter(solutions(path))
    cells = []
    for cell in made.cells:
        if "exercise" in cell.metadata.get("tags", []):
            cell.source = next(answers)
        cells.append(cell)
        added = asked(cell.source) if cell.cell_type == "code" else None
        if added:
            cells.append(nbformat.v4.new_code_cell(added, id=f"{cell.id}-probe"))
    made.cells = cells
    return made
