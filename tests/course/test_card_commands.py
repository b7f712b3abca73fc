"""The commands of a model card, pasted into environments that hold what they install and nothing else."""

import importlib.metadata
import os
import re
import subprocess
import sys
import venv

import keras
import numpy as np
import PIL.Image
import pytest
from packaging.requirements import Requirement

from tutorial_utils.course import model_card
from tutorial_utils.models import backbones, export, heads

NAMES = ["dark ones", "bright ones"]
SIDE = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of the course's kind in all its forms, its labels, and a photo that is stored turned."""
    folder = tmp_path_factory.mktemp("shipped")
    keras.utils.set_random_seed(0)
    borrowed = backbones.get(backbones.OFFLINE)
    head = keras.Sequential([keras.Input((1280,)), keras.layers.Dense(2, activation="softmax")], name="head")
    model = heads.build_classifier(borrowed, head, SIDE)
    model.save(folder / "model.keras")
    photo = PIL.Image.effect_noise((90, 60), 80).convert("RGB")
    export.write_exports(model, folder, np.asarray(photo.resize((SIDE, SIDE)))[None])
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in NAMES))
    turned = PIL.Image.Exif()
    turned[0x0112] = 6
    photo.save(folder / "photo.jpg", exif=turned)
    return folder


@pytest.fixture(scope="module")
def expected(folder):
    """(class, probability) that the course's own way to read a photo and to ask a model comes to."""
    from tutorial_utils.data.images import read_image

    model = keras.models.load_model(folder / "model.keras", compile=False)
    shares = model.predict(read_image(folder / "photo.jpg", SIDE)[None], verbose=0)[0]
    return NAMES[shares.argmax()], float(shares.max())


def needed(names):
    """Return the distributions that pip would install for these names, by what the installed ones say they need."""
    found, waiting = {}, list(names)
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            found[key] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if key != "tensorflow":  # here it is called tensorflow-cpu
                raise
            waiting.append("tensorflow-cpu")
            continue
        requirements = [Requirement(each) for each in found[key].requires or ()]
        waiting += [each.name for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found.values()


def environment(folder, names):
    """Make a virtual environment that holds these distributions of this one, linked file by file; return its Python."""
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    for distribution in needed(names):
        for file in distribution.files:
            source = distribution.locate_file(file)
            target = os.path.normpath(os.path.join(site, str(file)))
            if target.startswith(site) and os.path.isfile(source) and not target.endswith(".pyc"):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.symlink(os.path.realpath(source), target)
    return python


@pytest.mark.slow
@pytest.mark.parametrize("name", model_card.RUNTIMES)
def test_the_commands_of_the_card_work_where_only_their_packages_are(name, folder, expected, tmp_path):
    _, install, code = model_card.command(name, SIDE)
    python = environment(tmp_path / "alone", install.removeprefix("pip install ").split())
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "TUTORIAL", "VIRTUAL"))}
    done = subprocess.run([python, "-c", code], cwd=folder, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    answer, share = done.stdout.strip().rsplit(" ", 1)
    assert answer == expected[0]
    assert float(share) == pytest.approx(expected[1], abs=2e-4)
    others = {"tensorflow": "onnxruntime", "litert": "tensorflow", "onnx": "tensorflow"}[name]
    for absent in ("tutorial_utils", others):
        lacks = subprocess.run(
            [python, "-c", f"import {absent}"], cwd=folder, env=clean, capture_output=True, text=True
        )
        assert "ModuleNotFoundError" in lacks.stderr, absent


@pytest.mark.slow
def test_the_smaller_forms_run_by_the_same_commands(folder, expected, tmp_path):
    """The comment in the card says that the name of the file is all that changes."""
    _, install, code = model_card.command("litert", SIDE)
    python = environment(tmp_path / "alone", install.removeprefix("pip install ").split())
    for other in ("model_float16.tflite", "model_int8.tflite"):
        changed = code.replace('"model.tflite"', f'"{other}"')
        done = subprocess.run([python, "-c", changed], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        assert 0.5 <= float(done.stdout.strip().rsplit(" ", 1)[1]) <= 1


def test_the_chapter_leaves_these_very_commands(tmp_path):
    from tests.course.test_model_card import finished, written

    run = finished(tmp_path / "run")
    for name in ("model.keras", "model.onnx"):
        (run / name).write_bytes(b"x")
    text = written(run)
    blocks = re.findall(r"```bash\n(.*?)\n```\n\n```python\n(.*?)```", text, re.DOTALL)
    assert blocks == [model_card.command(name, 64)[1:] for name in model_card.RUNTIMES]


def test_a_distribution_that_needs_others_brings_them():
    names = {distribution.metadata["Name"].lower() for distribution in needed(["onnxruntime"])}
    assert {"onnxruntime", "numpy"} <= names
    assert "tensorflow-cpu" not in names
    assert sys.version_info >= (3, 11)
