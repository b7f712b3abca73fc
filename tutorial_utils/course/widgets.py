"""The controls of the chapters: each moves one thing; a static figure stands beside each in the chapter."""

import html

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from ..data.photos import read_photo
from ..insight import plots
from ..models import transfer


def view(render, **controls):
    """Return an HTML widget that holds what `render(**values)` returns, anew whenever a control moves.

    What goes wrong while it is drawn stands in its place, in words, and the control lives on.
    An Output widget would do as well in JupyterLab, but papermill hangs on one that holds a large figure.
    """
    view = ipywidgets.HTML()

    def redraw(change=None):
        try:
            view.value = render(**{name: control.value for name, control in controls.items()})
        except Exception as error:  # whatever it is: an error in a callback would be seen by nobody
            view.value = f"<p>{html.escape(str(error) or type(error).__name__)}</p>"

    for control in controls.values():
        control.observe(redraw, "value")
    redraw()
    return view


def browse_cards(cards):
    """Return a menu of the data sets of the catalog; the chosen card stands below. cards : catalog.cards()."""

    def show(name):
        card = cards[name]
        classes = "".join(f"<li><b>{name}</b>: {text}</li>" for name, text in card["classes"].items())
        facts = f"{card['photos']} photos; groups: {card['groups']}; {card['license']}"
        return f"<p><b>{card['title']}</b><br>{facts}<br>From: {card['source']}</p><ul>{classes}</ul>"

    start = "leaves" if "leaves" in cards else next(iter(cards))
    menu = ipywidgets.Dropdown(options=list(cards), value=start, description="data set")
    return ipywidgets.VBox([menu, view(show, name=menu)])


def browse_groups(photos, most=6):
    """Return a menu of classes and a slider over their groups (plants), with the group's photos below."""
    label = photos["label"]
    menu = ipywidgets.Dropdown(options=list(label.cat.categories), description="class")
    slider = ipywidgets.IntSlider(1, min=1, max=_groups_of(photos, menu.value).size, description="plant")

    def follow(change):
        slider.max = _groups_of(photos, change["new"]).size

    def show(class_name, number):
        groups = _groups_of(photos, class_name)
        group = groups[min(number, groups.size) - 1]
        chosen = photos[(photos["group"] == group) & (label == class_name)].head(most)
        figure = plots.photo_grid(
            [read_photo(path) for path in chosen["path"]], columns=most, title=f"{class_name}, plant {number}"
        )
        return plots.as_html(figure, f"{len(chosen)} photos of plant {number} of the class {class_name}")

    menu.observe(follow, "value")
    outputs = view(show, class_name=menu, number=slider)
    return ipywidgets.VBox([ipywidgets.HBox([menu, slider]), outputs])


def _groups_of(photos, class_name):
    return photos.loc[photos["label"] == class_name, "group"].unique()


def browse_predictions(images, labels, probabilities, class_names):
    """Return a slider over photos; each with a bar for the probability of every class.

    images : uint8 (photos, h, w, 3); labels : int (photos,); probabilities : (photos, classes)
    """

    def show(photo):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
        left.imshow(images[photo])
        left.set_axis_off()
        left.set_title(f"true class: {class_names[labels[photo]]}", fontsize=9)
        colors = [plots.PALETTE["blue"]] * len(class_names)
        colors[labels[photo]] = plots.PALETTE["orange"]
        right.barh(class_names, 100 * probabilities[photo], color=colors)
        right.invert_yaxis()
        right.set(xlim=(0, 100), xlabel="probability (%)", title="what the model says (orange: true class)")
        said = class_names[int(np.argmax(probabilities[photo]))]
        return plots.as_html(figure, f"Photo {photo} of class {class_names[labels[photo]]}; the model says {said}")

    slider = ipywidgets.IntSlider(0, min=0, max=len(images) - 1, description="photo", continuous_update=False)
    return ipywidgets.VBox([slider, view(show, photo=slider)])


def explore_unfreezing(base, start=50):
    """Return a slider over how many last layers learn, with the share of the base's weights that this is.

    The flags of `base` are read to count and are put back: moving the slider changes nothing.
    """
    layers = len(base.layers)
    shares = learning_shares(base)

    def show(last):
        return f"last {last} of {layers} layers: {100 * shares[last]:.1f} % of the base's weights learn"

    slider = ipywidgets.IntSlider(min(start, layers), min=0, max=layers, description="last layers")
    return ipywidgets.VBox([slider, view(show, last=slider)])


def learning_shares(base):
    """Return, for 0 ... all last layers unfrozen, the share of the base's weights that learn (layers + 1,)."""
    flags = [layer.trainable for layer in base.layers]
    transfer.unfreeze(base)
    counts = [sum(int(np.prod(w.shape)) for w in layer.trainable_weights) for layer in base.layers]
    for layer, flag in zip(base.layers, flags, strict=True):
        layer.trainable = flag
    return np.concatenate([[0], np.cumsum(counts[::-1])]) / base.count_params()


def explore_patience(history, start=3):
    """Return a slider over EarlyStopping's patience, drawn on a finished run: where it would have stopped.

    history : DataFrame indexed by epoch with `loss` and `val_loss`, from a run that was not stopped
    """

    def show(patience):
        return plots.as_html(*draw_patience(history, patience))

    slider = ipywidgets.IntSlider(start, min=1, max=15, description="patience")
    return ipywidgets.VBox([slider, view(show, patience=slider)])


def draw_patience(history, patience):
    """Return (Figure, alt text): a finished run's losses, where EarlyStopping would end and what it would keep."""
    trained = history[history.index > 0]
    stopped, kept = stopping_epoch(trained["val_loss"].to_numpy(), patience)
    figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
    ax.plot(trained.index, trained["loss"], "--", color=plots.PALETTE["blue"], label="training")
    ax.plot(trained.index, trained["val_loss"], color=plots.PALETTE["orange"], label="validation")
    ax.axvline(stopped, color=plots.PALETTE["black"], linewidth=1, label=f"stops after epoch {stopped}")
    ax.plot(kept, trained["val_loss"].iloc[kept - 1], "o", color=plots.PALETTE["green"], label=f"keeps epoch {kept}")
    ax.set(xlabel="epoch", ylabel="loss (cross-entropy, nats)", title=f"EarlyStopping with patience {patience}")
    ax.legend(fontsize=8)
    alt = f"Training and validation loss by epoch; patience {patience} stops after {stopped} and keeps {kept}"
    return figure, alt


def stopping_epoch(losses, patience):
    """Return (the last epoch that runs, the epoch that is kept), from 1, as keras.callbacks.EarlyStopping does."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience:
            return epoch + 1, best + 1
    return len(losses), best + 1


def browse_confusion(paths, labels, predicted, class_names, start=None, most=6):
    """Return two menus, true and predicted class, with the photos of that cell of the confusion matrix.

    paths : (photos,); labels, predicted : int (photos,); start : (true, predicted), numbers of classes
    """
    labels, predicted, paths = np.asarray(labels), np.asarray(predicted), np.asarray(paths)

    def show(true, said):
        chosen = paths[(labels == true) & (predicted == said)]
        title = f"{class_names[true]}, taken for {class_names[said]}: {len(chosen)} photos"
        if len(chosen) == 0:
            return title
        figure = plots.photo_grid([read_photo(path, 160) for path in chosen[:most]], columns=most, title=title)
        return plots.as_html(figure, title)

    options = [(name, place) for place, name in enumerate(class_names)]
    first, second = start or (0, 0)
    true = ipywidgets.Dropdown(options=options, value=first, description="true")
    said = ipywidgets.Dropdown(options=options, value=second, description="predicted")
    outputs = view(show, true=true, said=said)
    return ipywidgets.VBox([ipywidgets.HBox([true, said]), outputs])
