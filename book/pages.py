"""The parts of the book that are computed: its contents, labs, the list of all sections, and tables of minutes.

    python -m book.pages        write them again (make notebooks does)

In a page such a part stands between two comments, `<!-- computed: NAME -->` and `<!-- end of NAME -->`, in a table of
contents (_toc.yml, myst.yml) between `# computed: NAME` and `# end of NAME`. Sources: notebooks/*.ipynb (chapters and
sections), notebooks/labs/*.ipynb, benchmarks/chapters.csv and labs.csv (seconds, measured; the order of the labs),
README.md (the chapters' questions), book/plans.yaml (what a teacher does).
"""

import csv
import json
import pathlib
import re

import yaml

BOOK = pathlib.Path(__file__).resolve().parent
ROOT = BOOK.parent
_PART = re.compile(
    r"(?P<start>(?P<mark><!--|\#) computed: (?P<name>\w+)(?: -->)?\n).*?(?P<end> *(?P=mark) end of (?P=name)\b)",
    re.DOTALL,
)
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_ROW_OF_README = re.compile(r"^\| \[(\d+\. [^\]]+)\]\(notebooks/(\w+)\.ipynb\) \| (.+?) \|$", re.MULTILINE)
RULE = "| --- | --- | --- | --- |"


def seconds(table="chapters"):
    """Return {chapter: measured seconds}, in the table's order; table : "chapters" or "labs"."""
    with open(ROOT / "benchmarks" / f"{table}.csv", encoding="utf-8", newline="") as file:
        return {row[table.removesuffix("s")]: float(row["seconds"]) for row in csv.DictReader(file)}


def chapters():
    """Return {chapter: (its title, its question)} of the chapters that there are, in reading order.

    Both come from the table in README.md; a chapter that has no row there yet has its own title and no question.
    """
    rows = _ROW_OF_README.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    told = {chapter: (title, question) for title, chapter, question in rows}
    names = [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
    return {name: told.get(name) or (_prose(name).split("\n", 1)[0].removeprefix("# "), "") for name in names}


def labs():
    """Return {"labs/<lab>": its title} of the labs that there are, in the order of benchmarks/labs.csv."""
    names = [f"labs/{lab}" for lab in seconds("labs") if (ROOT / "notebooks" / "labs" / f"{lab}.ipynb").is_file()]
    return {name: _prose(name).split("\n", 1)[0].removeprefix("# ") for name in names}


def _prose(chapter):
    """Return the text of a chapter or lab, without its code."""
    cells = json.loads((ROOT / "notebooks" / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def sections(chapter):
    """Return [(heading, anchor)] of a chapter's sections; the anchor is the one that MyST gives it in the book."""
    return [(heading, _anchor(heading)) for heading in map(str.strip, _SECTION.findall(_prose(chapter)))]


def _anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def in_minutes(of):
    """Return seconds as minutes with one decimal (str), a tenth at least."""
    return f"{max(0.1, of / 60):.1f}"


def plans():
    """Return {name: rows} of book/plans.yaml; a row has `minutes`, `what` and, where chapters run, `chapters`."""
    return yaml.safe_load((BOOK / "plans.yaml").read_text(encoding="utf-8"))


def _contents():
    lines = ["| chapter | question | minutes of computing |", "| --- | --- | --- |"]
    for chapter, (title, question) in chapters().items():
        lines.append(f"| [{title}](../notebooks/{chapter}.ipynb) | {question} | {in_minutes(seconds()[chapter])} |")
    return lines


def _sections():
    lines = []
    for chapter, (title, _) in chapters().items():
        lines += ["", f"## {title}", ""]
        lines += [f"- [{heading}](../notebooks/{chapter}.ipynb#{anchor})" for heading, anchor in sections(chapter)]
    return lines[1:]


def _timings():
    titles = {chapter: title for chapter, (title, _) in chapters().items()}
    rows = {chapter: (titles.get(chapter, chapter), took) for chapter, took in seconds().items()}
    return _seconds_of("chapter", rows)


def _timings_of_labs():
    took = seconds("labs")
    return _seconds_of("lab", {name: (title, took[name.removeprefix("labs/")]) for name, title in labs().items()})


def _seconds_of(what, rows):
    """Return the lines of a table of {notebook: (title, seconds)}."""
    lines = [f"| {what} | seconds | minutes |", "| --- | --- | --- |"]
    for name, (title, took) in rows.items():
        lines.append(f"| [{title}](../notebooks/{name}.ipynb) | {took:.0f} | {in_minutes(took)} |")
    total = sum(took for _, took in rows.values())
    return [*lines, f"| all | {total:.0f} | {in_minutes(total)} |"]


def _day(rows, hour=9):
    """Return the lines of a plan by the clock, from `hour` on."""
    lines, minute = ["| starts at | minutes | what | of these the machine computes |", RULE], 60 * hour
    for row in rows:
        lines.append(f"| {_clock(minute)} | {row['minutes']} | {row['what']} | {_machine(row)} |")
        minute += row["minutes"]
    return [*lines, f"| {_clock(minute)} | | End | |"]


def _weeks(rows):
    """Return the lines of a plan by the week."""
    lines = ["| week | minutes | what | of these the machine computes |", RULE]
    return lines + [f"| {row['week']} | {row['minutes']} | {row['what']} | {_machine(row)} |" for row in rows]


def _clock(minute):
    return f"{minute // 60}:{minute % 60:02}"


def _machine(row):
    computed = sum(seconds()[chapter] for chapter in row.get("chapters", []))
    return in_minutes(computed) if computed else ""


MAKERS = {
    "toc_of_sphinx": lambda: [f"      - file: chapters/{chapter}" for chapter in chapters()],
    "toc_of_myst": lambda: [f"        - file: ../notebooks/{chapter}.ipynb" for chapter in chapters()],
    "labs_of_sphinx": lambda: [f"      - file: {lab}" for lab in labs()],
    "labs_of_myst": lambda: [f"        - file: ../notebooks/{lab}.ipynb" for lab in labs()],
    "contents": _contents,
    "sections": _sections,
    "timings": _timings,
    "timings_of_labs": _timings_of_labs,
    "half_day": lambda: _day(plans()["half_day"]),
    "day": lambda: _day(plans()["day"]),
    "four_weeks": lambda: _weeks(plans()["four_weeks"]),
}


def filled(text):
    """Return a page, or a table of contents, with its computed parts made anew.

    Raises KeyError for a part that nobody makes.
    """
    return _PART.sub(lambda part: part["start"] + _made(part) + part["end"], text)


def _made(part):
    around = [""] if part["mark"] == "<!--" else []  # a table of Markdown wants empty lines around it
    return "\n".join([*around, *MAKERS[part["name"]](), *around, ""])


def files():
    """Return the files that have computed parts (list of Path)."""
    return [*sorted(BOOK.glob("*.md")), BOOK / "_toc.yml", BOOK / "myst.yml"]


def main():
    """Write the computed parts of every file again."""
    for path in files():
        old = path.read_text(encoding="utf-8")
        new = filled(old)
        if new != old:
            path.write_text(new, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
