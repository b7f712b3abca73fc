"""The parts of the book's pages that are computed: tables of minutes, from benchmarks/chapters.csv.

    python -m book.pages        write them again (make notebooks does)

In a page such a part stands between two comments, `<!-- computed: NAME -->` and `<!-- end of NAME -->`. Sources:
benchmarks/chapters.csv (seconds, measured), README.md (the chapters' questions), book/plans.yaml (what a teacher does).
"""

import csv
import pathlib
import re

import yaml

BOOK = pathlib.Path(__file__).resolve().parent
ROOT = BOOK.parent
_PART = re.compile(r"(?P<start><!-- computed: (?P<name>\w+) -->\n).*?(?P<end><!-- end of (?P=name) -->)", re.DOTALL)
_ROW_OF_README = re.compile(r"^\| \[(\d+\. [^\]]+)\]\(notebooks/(\w+)\.ipynb\) \| (.+?) \|$", re.MULTILINE)
RULE = "| --- | --- | --- | --- |"


def seconds():
    """Return {chapter: measured seconds}, in reading order."""
    with open(ROOT / "benchmarks" / "chapters.csv", encoding="utf-8", newline="") as file:
        return {row["chapter"]: float(row["seconds"]) for row in csv.DictReader(file)}


def chapters():
    """Return {chapter: (its title, its question)} of the table in README.md."""
    rows = _ROW_OF_README.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    return {chapter: (title, question) for title, chapter, question in rows}


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


def _timings():
    lines = ["| chapter | seconds | minutes |", "| --- | --- | --- |"]
    for chapter, took in seconds().items():
        title = chapters().get(chapter, (chapter,))[0]
        lines.append(f"| [{title}](../notebooks/{chapter}.ipynb) | {took:.0f} | {in_minutes(took)} |")
    total = sum(seconds().values())
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
    "contents": _contents,
    "timings": _timings,
    "half_day": lambda: _day(plans()["half_day"]),
    "day": lambda: _day(plans()["day"]),
    "four_weeks": lambda: _weeks(plans()["four_weeks"]),
}


def filled(text):
    """Return a page with its computed parts made anew. Raises KeyError for a part that nobody makes."""
    return _PART.sub(lambda part: part["start"] + "\n".join(["", *MAKERS[part["name"]](), "", part["end"]]), text)


def main():
    """Write the computed parts of every page again."""
    for path in sorted(BOOK.glob("*.md")):
        old = path.read_text(encoding="utf-8")
        new = filled(old)
        if new != old:
            path.write_text(new, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
