"""One page of HTML that needs nothing else: texts, pictures and tables in, all of them escaped (used by report)."""

import base64
import html

import pandas as pd
import PIL.Image


def frame(title, body):
    """Return the whole page (str); title : plain text; body : HTML."""
    return _FRAME.format(title=text(title), style=_STYLE, body=body)


def text(value):
    """Return any value as text that HTML shows as it is; no line ends between a number and its % sign."""
    return html.escape(str(value).strip()).replace(" %", "&nbsp;%")


def paragraphs(plain):
    """Return plain text as paragraphs; an empty line parts them."""
    parts = [part for part in str(plain).split("\n\n") if part.strip()]
    return "".join(f"<p>{text(part)}</p>" for part in parts)


def picture(path, name, alt=None, caption=""):
    """Return a PNG file as a figure, the picture inside the page; on a phone a wide one scrolls in its own box.

    name : what it is, for screen readers
    alt : what it shows, for those who cannot see it; None: as plots.show wrote it into the file
    Raises ValueError if there is no such text.
    """
    with PIL.Image.open(path) as image:
        width, height = image.size
        alt = alt or getattr(image, "text", {}).get("Description", "")
    if not alt.strip():
        raise ValueError(f"Expected alt, a sentence that says what {path.name} shows; got none. Write one.")
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    shown = f'<img alt="{text(alt)}" width="{width}" height="{height}" src="data:image/png;base64,{data}">'
    return f"<figure>{_box(shown, f'Picture: {name}', 'picture')}{below}</figure>"


def table(frame, name):
    """Return a DataFrame as a table that scrolls in its own box; name : what it is, for screen readers.

    Floats get three decimals, what is not there a dash. The index is the first column, unless it only counts the rows.
    """
    if isinstance(frame.index, pd.MultiIndex):
        frame = frame.reset_index()
    counted = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    names = [*([] if counted else [frame.index.name or ""]), *frame.columns]
    numbers = [*([] if counted else [False]), *(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes)]
    head = "".join(_heading(name, number) for name, number in zip(names, numbers, strict=True))
    rows = []
    for index, values in zip(frame.index, frame.itertuples(index=False, name=None), strict=True):
        first = "" if counted else f'<th scope="row">{text(index)}</th>'
        rows.append(f"<tr>{first}{''.join(_cell(value) for value in values)}</tr>")
    shown = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return _box(shown, f"Table: {name}", "shaded")


def pairs(rows):
    """Return a dict as a list of what and how."""
    return "<dl>" + "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in rows.items()) + "</dl>"


def _box(content, name, kind):
    """Return a box that scrolls sideways, by keyboard too."""
    return f'<div class="scroll {kind}" role="region" tabindex="0" aria-label="{text(name)}">{content}</div>'


def _heading(name, number):
    kind = ' class="number"' if number else ""
    return f'<th scope="col"{kind}>{text(name)}</th>' if str(name) else "<td></td>"


def _cell(value):
    if pd.isna(value):
        return '<td class="number">–</td>'
    if pd.api.types.is_float(value):
        return f'<td class="number">{value:,.3f}</td>'
    kind = ' class="number"' if pd.api.types.is_integer(value) else ""
    return f"<td{kind}>{text(value)}</td>"


_STYLE = """
:root { color-scheme: light dark; --page: #fff; --card: #f3f5f4; --text: #1d2321; --soft: #55605b; --line: #d3d9d6;
  --blue: #0072b2; --band: #4a90c4; --red: #b84f00; }
@media (prefers-color-scheme: dark) { :root { --page: #14181a; --card: #1e2426; --text: #e6eaea; --soft: #a8b3b0;
  --line: #3a4345; --blue: #7cc4f2; --band: #4585b4; --red: #ff9c4f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 50rem; background: var(--page); color: var(--text);
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 1.25rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .5rem; }
section { margin-top: 2.5rem; }
p { margin: 0 0 .75rem; }
.score { background: var(--card); border-radius: .75rem; padding: 1.25rem; }
.score p { margin: 0 0 1rem; }
.score .big { font-size: 3.25rem; font-weight: 700; line-height: 1; margin: 0 0 .5rem; }
svg { display: block; width: 100%; height: 1.5rem; }
.track { fill: var(--line); } .band { fill: var(--band); } .value { fill: var(--text); } .base { fill: var(--red); }
.score .scale { display: flex; justify-content: space-between; color: var(--soft); font-size: .875rem; margin: 0; }
.legend { list-style: none; margin: .5rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem;
  font-size: .875rem; }
.legend i { display: inline-block; width: .25rem; height: 1rem; margin-right: .5rem; vertical-align: -.15rem; }
i.band { width: 1.25rem; background: var(--band); } i.value { background: var(--text); }
i.base { background: var(--red); }
.scroll { overflow-x: auto; }
.shaded { background: linear-gradient(90deg, var(--page) 1.5rem, transparent) left / 3rem 100% no-repeat local,
  linear-gradient(270deg, var(--page) 1.5rem, transparent) right / 3rem 100% no-repeat local,
  linear-gradient(90deg, var(--line), transparent) left / .75rem 100% no-repeat scroll,
  linear-gradient(270deg, var(--line), transparent) right / .75rem 100% no-repeat scroll; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.scroll:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
figure { margin: 1rem 0; }
.picture { background: #fff; border-radius: .5rem; padding: .5rem; border: 1px solid var(--line); }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption, .caption { color: var(--soft); font-size: .9375rem; margin-top: .5rem; }
table { border-collapse: collapse; font-size: .9375rem; margin: .5rem 0; overflow-wrap: normal; }
th, td { padding: .375rem .75rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) minmax(0, 1fr); gap: .375rem 1.25rem; margin: 0;
  font-size: .9375rem; }
dt { color: var(--soft); } dd { margin: 0; }
@media (max-width: 32rem) { img { max-width: max(100%, 30rem); }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .625rem; } }
@media print { :root { color-scheme: light; --page: #fff; --card: #fff; --text: #000; --soft: #333; --line: #aaa;
  --blue: #0072b2; --band: #4a90c4; --red: #b84f00; }
  body { max-width: none; padding: 0; font-size: 11pt; } .score { border: 1px solid var(--line); }
  .legend i { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  figure, tr, .score { break-inside: avoid; } h2 { break-after: avoid; }
  .scroll { overflow: visible; background: none; } th, td { white-space: normal; padding: .25rem .375rem; } }
"""

_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
