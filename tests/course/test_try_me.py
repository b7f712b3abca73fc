"""The page's parts; what it does in a browser is in tests/browser/test_try_me.py."""

import base64
import gzip
import json
import re

import numpy as np
import pandas
import pytest

from tutorial_utils.course import npm_packages, predictor, run_folder, try_me
from tutorial_utils.data import layouts, splits
from tutorial_utils.evaluation import saliency
from tutorial_utils.models import export, features, heads

onnx = pytest.importorskip("onnx", reason="needs the extra `export`")
pytest.importorskip("onnxruntime", reason="needs the extra `export`")


@pytest.fixture
def run(tmp_path, class_folders, toy, monkeypatch):
    """A finished run folder of a small model, and stand-ins for the runtime's three files."""
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    photos = splits.split(layouts.load_folder(class_folders), 0)
    model = heads.build_classifier(toy, heads.dense_head(28, 2, units=(), seed=1), 32, layers="all")
    folder = tmp_path / "run"
    folder.mkdir()
    stages = saliency.split_model(model)
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    export.write_exports(model, folder, images, stages)
    score = {"n_test": 4, "test_accuracy": 0.75, "test_accuracy_low": 0.4, "test_accuracy_high": 0.9}
    score |= {"threshold": 0.8, "known_kept": 0.95, "lowest_recall": "ill", "lowest_recall_value": 0.5}
    parameters = {"dataset": "mine", "backbone": "toy", "image_size": 32, "seed": 0}
    run_folder.finish(folder, parameters=parameters, metrics=score, photos=photos, model=model)
    _, known, _ = features.answers(stages)([images])
    predictor.save_ood_reference(folder, known, 0.25)
    predictor.save_predictions(folder, predictor.load_predictor(folder), photos)
    scripts = tmp_path / "cache" / "npm"
    for name in try_me.RUNTIME.files.values():
        (scripts / name).parent.mkdir(parents=True, exist_ok=True)
        (scripts / name).write_text(f"/* {name} */")
    (scripts / f".{try_me.RUNTIME.name}-{try_me.RUNTIME.version}").touch()
    return folder


def part(page, name):
    return gzip.decompress(base64.b64decode(re.search(rf'id="{name}">([^<]*)</script>', page)[1]))


def test_the_page_holds_all_that_it_needs_and_may_reach_nothing(run):
    picture = np.zeros((300, 600, 3), np.uint8)
    page = try_me.write_page(run, "Which <leaf>?", ["Never in the dark."], [("black", picture)], "de").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy
    assert "connect-src" not in policy
    about = json.loads(re.search(r'id="about">(.*?)</script>', page)[1])
    assert about["labels"] == ["healthy", "ill"]
    assert (about["size"], about["limit"], about["nearest"], about["threshold"]) == (32, 0.25, 5, 0.8)
    assert about["language"] == "de"
    assert "Which &lt;leaf&gt;?" in page
    assert (
        "right on 75.0\N{NO-BREAK SPACE}% of 4 test photos that it had never seen (95 % interval 40.0 to 90.0" in page
    )
    assert "Never in the dark." in page
    assert "Ruling out ill" in page
    assert part(page, "runtime") == b"/* onnxruntime-web-1.30.0/ort-wasm-simd-threaded.wasm */"
    with np.load(run / "known.npz") as kept:
        assert part(page, "known") == kept["features"].tobytes()
    assert page.count('class="example"') == 1


def test_the_model_in_the_page_has_weights_of_16_bits_and_answers_the_same(run):
    import onnxruntime

    page = try_me.write_page(run, "Title").read_text()
    small, whole = part(page, "model"), (run / "model.onnx").read_bytes()
    image = {"pixels": np.random.default_rng(1).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)}
    ours, theirs = (onnxruntime.InferenceSession(each).run(None, image) for each in (small, whole))
    np.testing.assert_allclose(ours[0], theirs[0], atol=0.005)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=0.02, atol=1e-3)


def test_where_16_bits_change_an_answer_the_weights_stay_as_they_are(run):
    table = pandas.read_csv(run / "predictions.csv")
    table["p: healthy"] += 0.006
    table.to_csv(run / "predictions.csv", index=False)
    assert part(try_me.write_page(run, "Title").read_text(), "model") == (run / "model.onnx").read_bytes()


def test_large_arrays_are_halved_and_small_ones_are_not():
    values = {"large": np.linspace(-1, 1, 2000, dtype=np.float32), "small": np.ones(3, np.float32)}
    values["huge"] = np.full(2000, 1e6, np.float32)  # beyond what 16 bits hold
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = onnx.helper.make_graph([], "g", [], [], tensors)
    halved = try_me._with_half_weights(onnx.helper.make_model(graph))
    kept = {each.name: onnx.numpy_helper.to_array(each).dtype for each in halved.graph.initializer}
    assert kept == {"large_16": np.float16, "small": np.float32, "huge": np.float32}
    assert [(node.op_type, *node.input, *node.output) for node in halved.graph.node] == [("Cast", "large_16", "large")]


def test_without_a_threshold_every_answer_is_to_be_checked(run):
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(metrics | {"threshold": None}))
    about = json.loads(re.search(r'id="about">(.*?)</script>', try_me.write_page(run, "T").read_text())[1])
    assert about["threshold"] is None
    assert "however sure it was. Check this one yourself." in about["unsure"]


def test_what_is_missing_is_said_and_no_page_of_an_earlier_run_stays_half(run, monkeypatch):
    monkeypatch.setattr(try_me, "LARGEST", 1000)
    with pytest.raises(try_me.NoPage, match=r"left out: with toy it would weigh \d+ MB.*efficientnet_lite0"):
        try_me.write_page(run, "Title")
    monkeypatch.setattr(npm_packages.shutil, "which", lambda name: None)
    monkeypatch.setenv("TUTORIAL_CACHE", str(run / "empty"))
    with pytest.raises(try_me.NoPage, match=r"no try_me.html yet. npm is needed.*Install Node\.js"):
        try_me.write_page(run, "Title")
    (run / "model.onnx").unlink()
    with pytest.raises(try_me.NoPage, match=r'pip install "tutorial_utils\[export\]"'):
        try_me.write_page(run, "Title")
    assert not (run / "try_me.html").exists()
