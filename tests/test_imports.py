"""Who may import whom (CONTRIBUTING, "The house"): read from the sources, so nothing is loaded."""

import ast
import subprocess
import sys

import pytest

GROUND = {"_check", "_files", "_machine", "_quiet"}
MAY = {  # wing: what it may import besides itself and the ground floor
    "ground": set(),
    "data": set(),  # data.catalog alone may import leaves
    "evaluation": set(),
    "leaves": {"data"},
    "models": {"data"},
    "course": {"data", "leaves", "models", "evaluation"},
    "widgets": {"data", "leaves", "models", "evaluation", "course"},
    "__main__": {"data", "leaves", "models", "evaluation", "course", "widgets"},
}
WINGS = [wing for wing in MAY if wing not in ("ground", "__main__")]


def imports(path, package):
    """Yield the package's modules that a file imports, as dotted names below tutorial_utils."""
    depth = len(path.relative_to(package).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = list(path.relative_to(package).parts[: depth - node.level])
            base = [*above, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                is_module = (package.joinpath(*base, alias.name + ".py")).exists()
                is_wing = (package.joinpath(*base, alias.name)).is_dir()
                yield ".".join([*base, alias.name] if is_module or is_wing else base)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for name in names:
                assert not (name or "").startswith("tutorial_utils"), f"{path}: imports inside are relative"


def wing_of(path, package):
    first = path.relative_to(package).parts[0]
    return first if first in WINGS else "__main__" if "main" in first else "ground"


def test_imports_keep_to_the_house(root):
    package = root / "tutorial_utils"
    files = sorted(package.rglob("*.py"))
    assert len(files) > 20
    for path in files:
        wing = wing_of(path, package)
        for name in imports(path, package):
            room = name.split(".")[0]
            allowed = room in GROUND or room == wing or name in MAY[wing] or room in MAY[wing]
            allowed |= room == "leaves" and path.name == "catalog.py"
            allowed &= not (wing == "leaves" and name == "data.catalog")
            assert allowed, f"{path.relative_to(root)} may not import {name}"


def test_inside_a_wing_imports_point_one_way(root):
    package = root / "tutorial_utils"
    for wing in WINGS:
        edges = {
            path.stem: {n.split(".")[1] for n in imports(path, package) if n.startswith(f"{wing}.")}
            for path in (package / wing).glob("*.py")
        }
        done = set()
        while len(done) < len(edges):
            free = {room for room in edges if room not in done and edges[room] <= done}
            assert free, f"imports in {wing}/ go in a circle among {sorted(set(edges) - done)}"
            done |= free


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("tutorial_utils", ["tensorflow", "keras", "pandas", "matplotlib", "numpy"]),
        ("tutorial_utils.data.layouts", ["tensorflow", "keras"]),
        ("tutorial_utils.data.splits", ["tensorflow", "keras"]),
        ("tutorial_utils.data.catalog", ["tensorflow", "keras"]),
        ("tutorial_utils.evaluation.metrics", ["tensorflow", "keras"]),
        ("tutorial_utils.evaluation.calibration", ["tensorflow", "keras"]),
        ("tutorial_utils.evaluation.ood", ["tensorflow", "keras", "matplotlib"]),
    ],
)
def test_light_imports_stay_light(module, absent):
    code = f"import sys, {module}; print([name for name in {absent} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
