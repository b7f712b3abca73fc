"""What the tests of controls share: the widgets inside a box."""


def parts(box):
    """Return all widgets inside a box, flat."""
    children = getattr(box, "children", ())
    return [box] + [part for child in children for part in parts(child)]


def find(box, kind):
    """Return the widgets of a kind, by the name of its class, inside a box."""
    return [part for part in parts(box) if type(part).__name__ == kind]
