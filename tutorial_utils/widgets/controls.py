"""What every control of the chapters is made with; a static figure stands beside each control in its chapter."""

import html
import pathlib
import tempfile

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from ..evaluation import plots

WIDE = {"description_width": "initial"}  # style of a control whose label would be cut off
WRAP = {"flex_flow": "row wrap"}  # layout of a row: below each other where the page is narrow
NOTHING = "<p>Nothing is chosen: click a place in the picture, or walk with the arrow keys.</p>"


def slider(description, value, low, high, step=1, width="22em"):
    """Return a slider that is read when it is let go: of whole numbers, or of floats where `step` is one."""
    kind = ipywidgets.FloatSlider if isinstance(step, float) else ipywidgets.IntSlider
    return kind(
        value, min=low, max=high, step=step, description=description, continuous_update=False, style=WIDE,
        layout={"width": width, "flex": "0 0 auto"},
    )  # fmt: skip


def option_slider(description, value, options, width="27em"):
    """Return a slider over options, values or (text, value), that is read when it is let go."""
    return ipywidgets.SelectionSlider(
        options=options, value=value, description=description, continuous_update=False, style=WIDE,
        layout={"width": width, "flex": "0 0 auto"},
    )  # fmt: skip


def confidence_slider(start):
    """Return a slider over the confidence below which a model gives no answer, 0-1. start : infinite means 0.5."""
    start = float(start) if np.isfinite(start) else 0.5
    return slider("answer only when at least this sure", start, 0, 1, step=0.01, width="36em")


def photo_chooser(paths, names=None):
    """Return (upload, menu): a button that takes photos of the reader's own, and the menu that they are added to.

    paths : (photos,), the first is chosen first; names : one text a photo; None: the files' names
    The menu's value is the path of a photo. Show both; uploaded files live as long as the button.
    """
    options = list(zip(names or [pathlib.Path(path).name for path in paths], paths, strict=True))
    menu = ipywidgets.Dropdown(options=options, description="photo", layout={"width": "30em"})
    upload = ipywidgets.FileUpload(
        accept="image/*", multiple=True, description="a photo of yours", layout={"width": "14em"}
    )
    upload.folder = tempfile.TemporaryDirectory()

    def take(change):
        added = [(f"yours: {file['name']}", _kept(upload.folder.name, file)) for file in change["new"]]
        if added:
            menu.options = [*added, *menu.options]
            menu.value = added[0][1]

    upload.observe(take, "value")
    return upload, menu


def _kept(folder, file):
    """Write an uploaded file into a folder, under its own name without any path, and return where it is."""
    path = pathlib.Path(folder) / pathlib.PurePosixPath(file["name"].replace("\\", "/")).name
    path.write_bytes(bytes(file["content"]))
    return str(path)


def live_box(render, per_row=2, **controls):
    """Return a box: the controls, at most `per_row` side by side, and below them the view of `live_view`."""
    each = list(controls.values())
    rows = [ipywidgets.HBox(each[at : at + per_row], layout=WRAP) for at in range(0, len(each), per_row)]
    return ipywidgets.VBox([*rows, live_view(render, **controls)])


def live_view(render, **controls):
    """Return an HTML widget that holds what `render(**values)` returns, anew whenever a control moves.

    render : returns HTML (str), or (Figure, alt text); values : of the controls, and the chosen place of a
        clickable.Picture. While nothing is chosen in a picture, a sentence says so and `render` is not called
    What goes wrong while it is drawn stands in its place, in words, and the control lives on.
    An Output widget would do as well in JupyterLab, but papermill hangs on one that holds a large figure.
    """
    view = ipywidgets.HTML()
    traits = {name: "chosen" if control.has_trait("chosen") else "value" for name, control in controls.items()}

    def redraw(change=None):
        open_before = plt.get_fignums()
        values = {name: getattr(control, traits[name]) for name, control in controls.items()}
        try:
            if any(traits[name] == "chosen" and value < 0 for name, value in values.items()):
                view.value = NOTHING
            else:
                view.value = _as_html(render(**values))
        except Exception as error:  # whatever it is: an error in a callback would be seen by nobody
            view.value = f"<p>This cannot be drawn. {html.escape(_said(error))}</p>"
            for number in set(plt.get_fignums()).difference(open_before):
                plt.close(number)  # half a figure would appear under the next cell that runs

    for name, control in controls.items():
        control.observe(redraw, traits[name])
    redraw()
    return view


def _as_html(drawn):
    return drawn if isinstance(drawn, str) else plots.as_html(*drawn)


def _said(error):
    """Return an error's own words; before those of a program's slip stands its kind: "'x'" alone says nothing."""
    own = isinstance(error, ValueError | OSError) and str(error)
    return str(error) if own else f"{type(error).__name__}: {error}"
