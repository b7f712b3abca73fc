"""The glossary: each of its words is linked where a chapter first uses it.

book/glossary.md is the one place of the words. `## term` makes an entry; a comment below it may list other forms
(`also: ...`) and chapters that use the word in another sense (`not in: ...`), as in

    ## from scratch
    <!-- also: from nothing; not in: 05_callbacks -->
"""

import pathlib
import re
from typing import NamedTuple

PATH = pathlib.Path(__file__).resolve().parents[2] / "book" / "glossary.md"
ADDRESS = "book/glossary.md#"  # seen from the repository's root

# what no link may be put into: fenced code, folded parts, headings, code, links and images, tags, addresses
_CLOSED = re.compile(
    r"```.*?```|<details.*?</details>|^\#.*?$|(?P<ticks>`+).*?(?P=ticks)(?!`)|!?\[(?:[^\[\]]|\[[^\]]*\])*\](?:\([^)]*\))?|<[^>]*>|https?://\S+"
    r"|\{\{.*?\}\}",
    re.DOTALL | re.MULTILINE,
)
_ENTRY = re.compile(r"^## (?P<term>.+)\n(?:<!--(?P<remark>.*?)-->\n)?", re.MULTILINE)


class Entry(NamedTuple):
    """A word of the glossary: its heading, its other forms, and the chapters in which it means something else."""

    term: str
    forms: tuple
    not_in: tuple

    @property
    def anchor(self):
        """The heading's anchor as JupyterLab makes it: it keeps capitals, which the book does not."""
        return self.term.replace(" ", "-")


def read(path=PATH):
    """Return the entries of the glossary, in its order. Raises ValueError if one form stands for two."""
    text = path.read_text(encoding="utf-8")
    entries = [_entry(found["term"].strip(), found["remark"] or "") for found in _ENTRY.finditer(text)]
    forms = [form for entry in entries for form in entry.forms]
    twice = sorted({form for form in forms if forms.count(form) > 1})
    if twice:
        raise ValueError(f"{path.name} explains twice: {', '.join(twice)}")
    return entries


def _entry(term, remark):
    parts = {"also": [], "not in": []}
    for part in filter(None, (part.strip() for part in remark.split(";"))):
        name, _, values = part.partition(":")
        if name not in parts:
            raise ValueError(f"The entry {term} has a remark that is neither `also:` nor `not in:`: {part}")
        parts[name] = [value.strip() for value in values.split(",")]
    return Entry(term, (term, *parts["also"]), tuple(parts["not in"]))


def link(texts, chapter, entries, up="../"):
    """Return a notebook's markdown cells (list of str) with the first use of each entry linked.

    chapter : the notebook's name; up : the way from its folder to the repository's root
    """
    known = {form.lower(): entry for entry in entries if chapter not in entry.not_in for form in entry.forms}
    forms = sorted((form for entry in known.values() for form in entry.forms), key=len, reverse=True)
    words = re.compile(rf"(?<![\w-])(?:{'|'.join(dict.fromkeys(map(_pattern, forms)))})(?![\w-])")
    seen = set()

    def linked(found):
        entry = known[" ".join(found[0].split()).lower()]
        if entry.term in seen:
            return found[0]
        seen.add(entry.term)
        return f"[{found[0]}]({up}{ADDRESS}{entry.anchor})"

    return [_outside(_CLOSED, text, lambda open_text: words.sub(linked, open_text)) for text in texts]


def _pattern(form):
    """Return a regular expression for a form: spaces may be line breaks, a small first letter may be a capital."""
    body = r"\s+".join(map(re.escape, form.split()))
    return f"[{form[0].upper()}{form[0]}]{body[1:]}" if form.islower() else body


def _outside(closed, text, change):
    """Return the text with `change` applied to what lies outside of the matches of `closed`."""
    parts, place = [], 0
    for found in closed.finditer(text):
        parts += [change(text[place : found.start()]), found[0]]
        place = found.end()
    return "".join([*parts, change(text[place:])])
