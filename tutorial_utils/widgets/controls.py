"""What every control of the chapters is made with; a static figure stands beside each control in its chapter."""

import html

import ipywidgets
import matplotlib.pyplot as plt

WIDE = {"description_width": "initial"}  # style of a control whose label would be cut off


def live_view(render, **controls):
    """Return an HTML widget that holds what `render(**values)` returns, anew whenever a control moves.

    What goes wrong while it is drawn stands in its place, in words, and the control lives on.
    An Output widget would do as well in JupyterLab, but papermill hangs on one that holds a large figure.
    """
    view = ipywidgets.HTML()

    def redraw(change=None):
        open_before = plt.get_fignums()
        try:
            view.value = render(**{name: getattr(control, _moved(control)) for name, control in controls.items()})
        except Exception as error:  # whatever it is: an error in a callback would be seen by nobody
            view.value = f"<p>This cannot be drawn. {html.escape(_said(error))}</p>"
            for number in set(plt.get_fignums()).difference(open_before):
                plt.close(number)  # half a figure would appear under the next cell that runs

    for control in controls.values():
        control.observe(redraw, _moved(control))
    redraw()
    return view


def _said(error):
    """Return an error's own words; before those of a program's slip stands its kind: "'x'" alone says nothing."""
    own = isinstance(error, ValueError | OSError) and str(error)
    return str(error) if own else f"{type(error).__name__}: {error}"


def _moved(control):
    """Return the name of what a reader moves in a control: the chosen place of a clicks.Picture, else the value."""
    return "chosen" if control.has_trait("chosen") else "value"
