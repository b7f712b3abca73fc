"""The wheel, installed in an environment that has its dependencies but not the checkout, serves chapter 1."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import venv

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source") / "checkout"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "tutorial_utils", "datasets", "benchmarks", "notebooks"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", out, source]
    subprocess.run(list(map(str, build)), check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The Python of a new environment: the dependencies of this one, and the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # a path in a .pth file is added, but .pth files there are not read: the editable install stays unseen
    with open(os.path.join(site, "dependencies.pth"), "w", encoding="utf-8") as file:
        file.write(sysconfig.get_path("purelib") + "\n")
    install = ["-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([sys.executable, *map(str, [*install, "--force-reinstall", wheel])], check=True, capture_output=True)
    return python


def ask(python, code, cwd):
    return subprocess.run([python, "-c", code], cwd=cwd, capture_output=True, text=True, check=True).stdout.strip()


def test_the_wheel_brings_package_cards_tables_and_labs(python, tmp_path):
    where = ask(python, "import tutorial_utils; print(tutorial_utils.__file__)", tmp_path)
    assert str(python.parent.parent) in where
    code = "from tutorial_utils.data import catalog; print(sorted(catalog.cards()))"
    assert ask(python, code, tmp_path) == str(sorted(path.stem for path in (ROOT / "datasets").glob("*.yaml")))
    code = "from tutorial_utils.course import benchmark_tables; print(benchmark_tables.read_table('leakage')[1])"
    assert ask(python, code, tmp_path).endswith("by python -m benchmarks.leakage")
    labs = sorted(path.name for path in (ROOT / "notebooks" / "labs").glob("*.ipynb"))
    code = "from tutorial_utils.course import execution; print([path.name for path in execution.labs()])"
    assert ask(python, code, tmp_path) == str(labs)
    code = "from tutorial_utils.course import rendering; print(rendering.render('page.html.j2', title='Here'))"
    assert "<h1>Here</h1>" in ask(python, code, tmp_path)


@pytest.mark.slow
def test_a_model_is_trained_without_the_checkout(python, class_folders, tmp_path):
    command = [python, "-m", "tutorial_utils", "train", class_folders, "--image-size", "64"]
    environment = {name: value for name, value in os.environ.items() if name != "TUTORIAL_RUNS"}
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3000:]
    assert f"predict {tmp_path / 'runs' / 'photos'} PHOTOS" in process.stdout
    assert (tmp_path / "runs" / "photos" / "model.tflite").is_file()


def test_chapter_1_runs_from_another_folder(python, root, tmp_path):
    shutil.copy(root / "notebooks" / "01_setup.ipynb", tmp_path)
    command = [python, "-m", "papermill", "--no-progress-bar", "01_setup.ipynb", "done.ipynb"]
    command += ["-p", "photos_per_class", "12", "-p", "backbone", "efficientnet_lite0", "-p", "image_size", "96"]
    environment = {name: value for name, value in os.environ.items() if name != "TUTORIAL_RUNS"}
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3000:]
    metrics = json.loads((tmp_path / "runs" / "01_setup" / "metrics.json").read_text())
    assert metrics["backbone"] == "efficientnet_lite0"
