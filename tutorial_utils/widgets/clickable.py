"""A picture whose places can be clicked, or walked with the arrow keys; what is chosen is known to Python."""

import io
import pathlib

import anywidget
import matplotlib.pyplot as plt
import numpy as np
import traitlets


class Picture(anywidget.AnyWidget):
    """A picture with places: a click chooses the nearest point or the box that it hits; so do the arrow keys.

    png : bytes of a PNG, or a data URI (str)
    alt : what the picture shows, for those who cannot see it
    places : list of points [x, y] or of boxes [left, top, right, bottom], in shares of the picture from its upper left
    texts : one sentence a place: shown beside the mouse and below the picture, and read out
    chosen : the number of a place; -1 for none
    Page Up and Page Down go through the places in their order, Home and End to the first and last; Escape chooses none.
    Raises TraitError for a place that is no point or box in [0, 1], and for a `chosen` that is no place.
    """

    _esm = pathlib.Path(__file__).with_name("clickable.js")
    _css = pathlib.Path(__file__).with_name("clickable.css")

    png = traitlets.Union([traitlets.Bytes(), traitlets.Unicode()], default_value=b"").tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    places = traitlets.List(traitlets.List(traitlets.Float(min=0, max=1))).tag(sync=True)
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)

    @traitlets.validate("places")
    def _points_or_boxes(self, proposal):
        for place in proposal["value"]:
            if len(place) not in (2, 4):
                raise traitlets.TraitError(f"A place is [x, y] or [left, top, right, bottom]; got {place}.")
        return proposal["value"]

    @traitlets.validate("chosen")
    def _one_of_the_places(self, proposal):
        if not -1 <= proposal["value"] < len(self.places):
            raise traitlets.TraitError(f"chosen must be -1 to {len(self.places) - 1}; got {proposal['value']}.")
        return proposal["value"]


def picture(ax, places, texts, alt):
    """Return a Picture of the figure that holds `ax`, and close the figure.

    places : float (places, 2) of points x, y, or (places, 4) of boxes x0, y0, x1, y1, in the data coordinates of `ax`
    texts : one sentence a place; alt : what the picture shows
    """
    figure = ax.figure
    figure.canvas.draw()  # settles the layout, and with it where the data coordinates lie
    corners = np.asarray(places, float).reshape(len(places), -1, 2)  # (places, 1 or 2, 2)
    shares = ax.transData.transform(corners.reshape(-1, 2)) / (figure.bbox.width, figure.bbox.height)
    shares[:, 1] = 1 - shares[:, 1]  # a picture counts from its upper edge
    shares = np.clip(shares, 0, 1).reshape(corners.shape)
    if corners.shape[1] == 2:  # an axis may run downward
        shares = np.sort(shares, axis=1)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches=figure.bbox_inches, metadata={"Description": alt})
    plt.close(figure)
    shares = shares.reshape(len(places), -1).round(4).tolist()
    return Picture(png=buffer.getvalue(), alt=alt, places=shares, texts=[str(text) for text in texts])
