"""Chapter 6 judges a model that somebody else's plain Keras script has saved."""

import json
import subprocess
import sys

import pytest

from tests.notebooks.test_chapters import papermill

SCRIPT = """
import sys, pathlib, keras, numpy as np, PIL.Image
paths = sorted(pathlib.Path(sys.argv[1]).glob("*/*"))
names = ["ill", "healthy"]  # an order of its own, not that of the alphabet
x = np.stack([np.asarray(PIL.Image.open(path).resize((32, 32)), "float32") / 255 for path in paths])
y = np.array([names.index(path.parent.name) for path in paths])
keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((32, 32, 3)), keras.layers.Conv2D(8, 3, activation="relu"), keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dense(2),
])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.05), loss=loss)
model.fit(x, y, epochs=30, verbose=0)
model.save(sys.argv[2])
assert "tutorial_utils" not in sys.modules
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """(folder of photos, model file, labels.txt): dark and bright photos, logits for pixels 0-1."""
    import numpy as np
    import PIL.Image

    folder = tmp_path_factory.mktemp("theirs")
    rng = np.random.default_rng(0)
    for name, color in {"healthy": (60, 60, 60), "ill": (120, 120, 120)}.items():
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(30):
            pixels = np.clip(rng.normal(color, 40, (48, 48, 3)), 0, 255).astype("uint8")
            PIL.Image.fromarray(pixels).save(folder / "photos" / name / f"{number:02}.png")
    model, script = folder / "theirs.keras", folder / "script.py"
    script.write_text(SCRIPT)
    subprocess.run([sys.executable, script, folder / "photos", model], check=True, cwd=folder, capture_output=True)
    (folder / "labels.txt").write_text("ill\nhealthy\n")
    return folder / "photos", model, folder / "labels.txt"


def judge(root, theirs, tmp_path, *parameters):
    photos, model, names = theirs
    given = ["-p", "dataset", photos, "-p", "model_path", model, "-p", "class_names", names, "-p", "image_size", "96"]
    given += ["-p", "backbone", "efficientnet_lite0", "-p", "output", "logits"]
    process, metrics, text = papermill(root, "06_evaluation", tmp_path, *given, *parameters)
    cells = json.loads(text)["cells"]
    printed = [out["text"] for cell in cells for out in cell.get("outputs", ()) if out["output_type"] == "stream"]
    return process, metrics, "".join(line for text in printed for line in text)


def test_it_is_judged_as_it_was_taught(root, theirs, tmp_path):
    """Dark and bright are told apart by anyone who was taught to; 12 test photos of 60."""
    process, metrics, text = judge(root, theirs, tmp_path, "-p", "pixels", "0-1")
    assert process.returncode == 0, process.stderr[-3000:]
    assert metrics["model_from"] == "model_path"
    assert metrics["test_accuracy"] == 1
    assert metrics["n_test"] == 12
    assert "Nothing speaks against" in text
    assert (tmp_path / "run" / "report.html").is_file()


def test_pixels_scaled_wrongly_are_doubted(root, theirs, tmp_path):
    process, _, text = judge(root, theirs, tmp_path, "-p", "pixels", "-1..1")
    assert process.returncode == 0, process.stderr[-3000:]
    assert "Nothing speaks against" not in text
    assert "0-1" in text


def test_a_wrong_declaration_stops_with_a_sentence(root, theirs, tmp_path):
    process, metrics, _ = judge(root, theirs, tmp_path, "-p", "output", "probabilities")
    assert process.returncode == 1
    assert 'output=\\"logits\\"' in process.stderr or 'output="logits"' in process.stderr
    assert metrics is None
