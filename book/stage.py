"""What Sphinx reads: pages, executed chapters and labs, with links, pictures and badges as a book has them."""

import base64
import copy
import hashlib
import html
import io
import pathlib
import posixpath
import re
import tomllib

import nbformat
import PIL.Image

BOOK = pathlib.Path(__file__).resolve().parent
ROOT = BOOK.parent
LOSSLESS_BYTES = 100_000  # a picture that is larger without loss is stored with a little
QUALITY = 88  # of WebP, where there is loss
_PICTURE = re.compile(r'src="data:image/png;base64,([^"]+)"')
_BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\(([^)]*)\)")
_LINK = re.compile(r"(?<=\]\()(?P<path>(?:\.\./|labs/)[^)#\s]+)(?P<anchor>#[^)\s]*)?(?=\))")
_HOME = {".": "book", "chapters": "notebooks", "labs": "notebooks/labs"}  # {place of a page: its source's folder}


def write(chapters, folder, pictures):
    """Write pages, chapters and labs into `folder`; only files that have changed are touched.

    chapters : {chapter, or "labs/<lab>": notebook with outputs}; pictures : Pictures, filled here
    """
    files = {folder / path.name: linked(path.read_text(encoding="utf-8"), ".") for path in sorted(BOOK.glob("*.md"))}
    for name, notebook in chapters.items():
        place = "labs" if name.startswith("labs/") else "chapters"
        file = folder / place / f"{name.removeprefix('labs/')}.ipynb"
        files[file] = nbformat.writes(staged(notebook, pictures, place)) + "\n"
    for path in (ROOT / "notebooks" / "drawings").glob("*.svg"):
        files[folder / "chapters" / "drawings" / path.name] = path.read_text(encoding="utf-8")
    for path, text in files.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    for path in [*folder.glob("*.md"), *folder.glob("*/*.ipynb"), *folder.glob("chapters/drawings/*")]:
        if path not in files:
            path.unlink()


def staged(notebook, pictures, place="chapters"):
    """Return a chapter or a lab as the book shows it. place : as for `linked`."""
    notebook = copy.deepcopy(notebook)
    widgets = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
    models = widgets.get("state", {})
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = linked(_BADGE.sub(r"[Open in Colab](\1)", cell.source), place)
        else:
            shown = [output for output in cell.outputs if not _is_progress(output, models)]
            cell.outputs = [_slim(output, pictures) for output in shown]
    for model in models.values():
        _slim_widget(model)
    return notebook


def linked(text, place):
    """Return markdown with links as the book's folder needs them. place : the page's folder, a key of _HOME."""
    up = "" if place == "." else "../"

    def moved(found):
        path, anchor = posixpath.normpath(posixpath.join(_HOME[place], found["path"])), found["anchor"] or ""
        path = pathlib.PurePosixPath(path)  # seen from the repository's root
        if path.parts[0] == "book" and path.suffix == ".md":
            return f"{up}{path.name}{anchor.lower()}"
        if path.parts[:2] == ("notebooks", "labs") and path.suffix == ".ipynb":
            return f"{up}labs/{path.name}{anchor}"
        if path.parts[0] == "notebooks" and path.suffix in (".ipynb", ".svg"):
            return f"{up}chapters/{path.relative_to('notebooks')}{anchor}"
        return f"{repository()}/blob/main/{path}{anchor}"

    return _LINK.sub(moved, text)


def repository():
    """Return the repository's address (pyproject.toml names it)."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]


class Pictures:
    """A folder of pictures, each named by its content."""

    def __init__(self, folder):
        self.folder, self.used = folder, set()
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, png):
        """Keep a PNG as WebP; return (file name, width, height in pixels)."""
        path = self.folder / f"{hashlib.sha256(png).hexdigest()[:24]}.webp"
        if not path.is_file():
            path.write_bytes(webp(png))
        self.used.add(path)
        with PIL.Image.open(path) as image:
            return path.name, *image.size

    def forget_others(self):
        """Delete the pictures that no page uses any more."""
        for path in set(self.folder.iterdir()) - self.used:
            path.unlink()


def webp(png):
    """Return a PNG's bytes as WebP: without loss, unless that takes more than LOSSLESS_BYTES."""
    image, out = PIL.Image.open(io.BytesIO(png)).convert("RGB"), io.BytesIO()
    image.save(out, "webp", lossless=True, method=4)
    if out.tell() > LOSSLESS_BYTES:
        out = io.BytesIO()
        image.save(out, "webp", quality=QUALITY, method=4)
    return out.getvalue()


def _is_progress(output, models):
    """Return whether an output is a progress bar, or what else goes to stderr: both are for those who wait."""
    view = output.get("data", {}).get("application/vnd.jupyter.widget-view+json", {})
    parts = models.get(view.get("model_id"), {}).get("state", {}).get("children", [])
    names = [models.get(part.removeprefix("IPY_MODEL_"), {}).get("model_name") for part in parts]
    return output.get("name") == "stderr" or names == ["HTMLModel", "FloatProgressModel", "HTMLModel"]  # tqdm's


def _slim(output, pictures):
    """Return an output whose picture is a file beside the page; its PNG twin, never shown, is left out."""
    data = output.get("data", {})
    if "text/html" in data and "image/png" in data:
        del data["image/png"]
    if "text/html" in data:
        data["text/html"] = _PICTURE.sub(lambda found: _as_file(found[1], pictures), data["text/html"])
    return output


def _as_file(encoded, pictures):
    name, width, height = pictures.add(base64.b64decode(encoded))
    return f'src="../pictures/{html.escape(name)}" width="{width}" height="{height}"'


def _slim_widget(model):
    """Make the pictures in a widget's saved state smaller; they stay inside, as the widget expects them."""
    value = model["state"].get("value")
    if isinstance(value, str):
        model["state"]["value"] = _PICTURE.sub(lambda found: f'src="{_as_data(found[1])}"', value)


def _as_data(encoded):
    return "data:image/webp;base64," + base64.b64encode(webp(base64.b64decode(encoded))).decode("ascii")
