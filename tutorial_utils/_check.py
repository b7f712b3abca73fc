"""Argument checks: each raises one sentence that names the argument and says what to do."""

import numbers
import re


def integer(name, value, low, high):
    """Return `value` as an int if it is a whole number from `low` to `high`; raise ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}; got {value!r}.")
    return int(value)


def choice(name, value, allowed):
    """Return `value` if it is one of `allowed`; raise ValueError otherwise."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}.")
    return value


def boolean(name, value):
    """Return `value` if it is True or False; raise ValueError otherwise, as for a text that papermill made of one."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False; got {value!r}.")
    return value


def share(name, value):
    """Return `value` if it is a number between 0 and 1, neither of them; raise ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < value < 1:
        raise ValueError(f"{name} must be a share between 0 and 1, such as 0.05; got {value!r}.")
    return value


def text(name, value):
    """Return `value` if it is a text; raise ValueError otherwise, as for a number that papermill made of one."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a text; got {value!r}. With papermill: -r {name} {value}")
    return value


def language(name, value):
    """Return `value` if it is the tag of a language, such as "de" or "pt-BR"; raise ValueError otherwise."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", value):
        raise ValueError(f"{name} must be the tag of a language, such as 'de' or 'pt-BR'; got {value!r}.")
    return value


def file_name(name, value):
    """Return `value` if it can name a file everywhere: letters, digits, - and _; raise ValueError otherwise."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", value):
        raise ValueError(f"{name} must be 1 to 60 letters, digits, - or _; got {value!r}.")
    return value


def image_size(value):
    """Return `value` if it is an image side in pixels that the backbones accept (32 to 1024)."""
    return integer("image_size", value, 32, 1024)


def seed(value):
    """Return `value` if it is a seed (0 to 2**31 - 1)."""
    return integer("seed", value, 0, 2**31 - 1)


def columns(photos, names):
    """Raise ValueError unless the photos table has the columns `names` and at least one row."""
    missing = [name for name in names if name not in photos.columns]
    if missing:
        raise ValueError(
            f"The photos table needs the column(s) {', '.join(missing)}; it has {', '.join(photos.columns)}. "
            "Make it with catalog.load_photos, and its splits with splits.split."
        )
    if len(photos) == 0:
        raise ValueError("The photos table is empty; expected one row a photo.")
