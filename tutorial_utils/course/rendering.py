"""Templates filled in (folder templates/): HTML, Markdown, plain text. Whatever a value holds is shown as it is."""

import base64
import pathlib
import re

import jinja2
import pandas
import PIL.Image
from markupsafe import Markup

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!$&])")  # what Markdown takes for markup
_STARTS_A_LIST = re.compile(r"^(\d*)([-+.)])(?=\s|$)")


def render(template, **values):
    """Return a template filled in with values (str).

    template : a name in templates/; the ending before .j2 says how values are escaped: .html, .md, or .txt, not at all
    """
    return _ENVIRONMENTS[pathlib.PurePath(template).suffixes[-2]].get_template(template).render(values)


def markdown(value):
    """Return any value as one line of Markdown that shows it as it is (Markup, which is not escaped again)."""
    if isinstance(value, Markup):
        return value
    line = _SPECIAL.sub(r"\\\1", re.sub(r"\s*\n\s*", " ", str(value).strip()))
    return Markup(_STARTS_A_LIST.sub(r"\1\\\2", line))


def percent(share):
    """Return a share, 0 to 1, as text: 0.873 is "87.3 %"."""
    return f"{100 * share:.1f} %"


def interval(found):
    """Return the ends of an interval of shares as text: "82.1 to 91.4 %"."""
    return f"{100 * found.low:.1f} to {100 * found.high:.1f} %"


def load_picture(path, alt=None):
    """Return a PNG file as a dict: `data` (base64), `width`, `height`, `alt`.

    alt : what it shows, for those who cannot see it; None: as plots.show wrote it into the file
    Raises ValueError if there is no such text.
    """
    with PIL.Image.open(path) as image:
        width, height = image.size
        alt = alt or getattr(image, "text", {}).get("Description", "")
    if not alt.strip():
        raise ValueError(f"Expected alt, a sentence that says what {path.name} shows; got none. Write one.")
    return {"data": base64.b64encode(path.read_bytes()).decode(), "width": width, "height": height, "alt": alt}


def cells(frame):
    """Return a DataFrame as a dict of texts: `index` (its name; None if it only counts the rows), `columns`, `rows`.

    columns : list of (name, whether it holds numbers); rows : list of (index, list of (text, whether it is a number)).
    Floats get three decimals, what is not there a dash.
    """
    if isinstance(frame.index, pandas.MultiIndex):
        frame = frame.reset_index()
    counts = isinstance(frame.index, pandas.RangeIndex) and frame.index.name is None
    columns = [(name, pandas.api.types.is_numeric_dtype(kind)) for name, kind in frame.dtypes.items()]
    values = frame.itertuples(index=False, name=None)
    rows = [(index, list(map(_cell, row))) for index, row in zip(frame.index, values, strict=True)]
    return {"index": None if counts else frame.index.name or "", "columns": columns, "rows": rows}


def _cell(value):
    if pandas.isna(value):
        return "–", True
    if pandas.api.types.is_float(value):
        return f"{value:,.3f}", True
    return value, pandas.api.types.is_integer(value)


def _html(value):
    """Return a value for Jinja to escape; there is no line end between a number and its % sign."""
    return value if isinstance(value, Markup) else str(value).replace(" %", "\N{NO-BREAK SPACE}%")


def _environment(autoescape, finalize):
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__), autoescape=autoescape, finalize=finalize,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"percent": percent, "interval": interval, "picture": load_picture, "cells": cells}
    environment.filters["thousands"] = "{:,.0f}".format
    return environment


_ENVIRONMENTS = {
    ".html": _environment(True, _html),
    ".md": _environment(True, markdown),
    ".txt": _environment(False, str),
}
