"""What a function does, as a digest: the same in every process, another once its code or a value in it changes."""

import dis
import functools
import hashlib
import itertools
import types

import numpy as np

PLAIN = (bool, int, float, str, type(None))
CANNOT_TELL = (NotImplementedError, TypeError, ValueError)  # from get_config, where it does not know its arguments
_LIBRARIES = {"keras", "tensorflow"}  # their versions are told of elsewhere
_CONSTANTS = (*PLAIN, bytes, complex, np.number, type(Ellipsis))
_CONTAINERS = (list, tuple, set, frozenset, dict, np.ndarray)
_SETTINGS = (bool, int, float, str, *_CONTAINERS)
_CHANGING = {"append", "extend", "insert", "pop", "remove", "clear", "update", "setdefault", "add", "fill", "sort"}


def digest(value):
    """Return the sha256 (hex) of what a function or class does, or of a value.

    In it are the code; default values; plain values and collections of them that it finds in its module or in the
    function around it; and, followed likewise, the functions and classes of the same module that it names. Left out:
    comments, names of variables, and what it changes itself (a list that it appends to is a record, no setting).
    """
    inner = value
    while isinstance(inner, functools.partial):
        inner = inner.func
    home = getattr(_unwrapped(inner), "__module__", None)
    try:
        text = repr(_described(value, home, []))
    except RecursionError:  # a collection that holds itself
        text = f"{home}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return hashlib.sha256(text.encode()).hexdigest()


def changes(kind):
    """Return the names of what the methods of a class change: variables outside it, and collections."""
    return {name for member in vars(kind).values() for each in _methods(member) for name in _changed(each.__code__)}


def is_own(value):
    """Return whether a function or class, or the class of a callable object, is not Keras's or TensorFlow's own."""
    value = _unwrapped(value)
    module = (getattr(value, "__module__", None) or "").split(".")[0]
    written = isinstance(value, (functools.partial, types.FunctionType))  # in a function that exec made: "builtins"
    return module not in _LIBRARIES and (written or module not in ("", "builtins"))


def told(thing):
    """Return how a loss, a regularizer, a schedule or an optimizer says that it is set; {} if it cannot tell."""
    if not hasattr(thing, "get_config"):
        return {}
    try:
        config = {name: value for name, value in thing.get_config().items() if name != "name"}  # Keras may number it
    except CANNOT_TELL:
        return {}
    return {**getattr(thing, "_fn_kwargs", {}), **config}  # Keras 3.15: Huber does not tell its delta


def _unwrapped(value):
    """Return the function inside a tf.function or what else says that it wraps one."""
    inner = getattr(value, "python_function", None) or getattr(value, "__wrapped__", None)
    return inner if isinstance(inner, types.FunctionType) and not isinstance(value, types.FunctionType) else value


def _described(value, home, seen):
    """Return a value as nested lists of strings.

    home : name of the module whose functions and classes are followed; seen : those that are described already
    """
    value = _unwrapped(value)
    inner = functools.partial(_described, home=home, seen=seen)
    if isinstance(value, _CONSTANTS):
        return repr(value)
    if isinstance(value, (set, frozenset)):
        return ["set", *sorted(repr(inner(each)) for each in value)]  # their order is another in every process
    if isinstance(value, (list, tuple)):
        return ["list", *map(inner, value)]
    if isinstance(value, dict):
        return ["dict", *([inner(key), inner(each)] for key, each in value.items())]
    if isinstance(value, np.ndarray):
        return inner(value.tolist()) if value.dtype.hasobject else [value.dtype.str, value.shape, _sha256(value)]
    if isinstance(value, types.CodeType):
        return [value.co_code.hex(), value.co_exceptiontable.hex(), value.co_names, inner(value.co_consts)]
    if isinstance(value, functools.partial):
        return ["partial", inner(value.func), inner(value.args), inner(value.keywords)]
    if isinstance(value, types.MethodType):
        return ["method", inner(value.__func__), inner(_attributes(value.__self__))]
    if isinstance(value, (types.FunctionType, type)):
        return _followed(value, home, seen)
    if type(value).__name__ == "EagerTensor":
        return inner(np.asarray(value))
    if hasattr(value, "weights"):  # a model has come to much that is no setting, and has a name that Keras gave it
        return [inner(type(value))]
    settings = told(value) or (_attributes(value) if callable(value) else {})
    return [inner(type(value)), getattr(value, "__name__", ""), inner(settings)]


def _followed(value, home, seen):
    if value in seen:
        return f"again {seen.index(value)}"
    if value.__module__ != home:
        return f"{value.__module__}.{value.__qualname__}"
    seen.append(value)
    return _class(value, home, seen) if isinstance(value, type) else _function(value, home, seen)


def _function(function, home, seen):
    code, inner = function.__code__, functools.partial(_described, home=home, seen=seen)
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    found = {name: _content(cell) for name, cell in cells}
    for name in _globals(code):
        if name in function.__globals__ and not isinstance(function.__globals__[name], types.ModuleType):
            found[name] = function.__globals__[name]
    defaults = [function.__defaults__, function.__kwdefaults__]
    return [
        inner(code),
        inner(defaults),
        *([name, inner(found[name])] for name in sorted(found.keys() - _changed(code))),
    ]


def _class(kind, home, seen):
    members = {}
    for name, member in sorted(vars(kind).items()):
        functions = _methods(member)
        is_setting = isinstance(member, _SETTINGS) and name[:2] != "__" and name not in changes(kind)
        described = [_described(part, home, seen) for part in (functions or [member] * is_setting)]
        members |= {name: described} if described else {}
    return ["class", [_described(base, home, seen) for base in kind.__bases__], *members.items()]


def _methods(member):
    """Return the functions that a member of a class stands for: a property for two, a number for none."""
    parts = [member, *(getattr(member, part, None) for part in ("fget", "fset", "__func__"))]
    return [part for part in parts if isinstance(part, types.FunctionType)]


def _codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _globals(code):
    """Return the names that a function looks up in its module, those of the functions inside it included."""
    loads = ("LOAD_GLOBAL", "LOAD_NAME")
    return {step.argval for each in _codes(code) for step in dis.get_instructions(each) if step.opname in loads}


def _changed(code):
    """Return the names of what a function changes itself: variables outside it, and collections."""
    names = set()
    for each in _codes(code):
        steps = list(dis.get_instructions(each))
        lines = {step.positions.lineno for step in steps if step.opname.startswith(("STORE_SUBSCR", "STORE_SLICE"))}
        for before, step in itertools.pairwise(steps):
            if step.opname in ("STORE_DEREF", "STORE_GLOBAL"):
                names.add(step.argval)
            if step.opname in ("LOAD_METHOD", "LOAD_ATTR") and step.argval in _CHANGING:
                names.add(before.argval)
            if step.opname in ("LOAD_DEREF", "LOAD_GLOBAL") and step.positions.lineno in lines:
                names.add(step.argval)
    return names


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # it is empty still
        return None


def _attributes(thing):
    """Return the plain attributes of an object: the settings of one that can be called."""
    found = [] if hasattr(thing, "weights") else sorted(getattr(thing, "__dict__", {}).items())
    return {name: value for name, value in found if isinstance(value, PLAIN)}


def _sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
