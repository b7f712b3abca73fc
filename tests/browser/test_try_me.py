"""try_me.html of a model that `train` has made, from a file in a real browser, held against `predict`.

Needs Chromium, npm or its cache, and the real photos that TUTORIAL_SHARED names.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pandas
import PIL.Image
import pytest

from tests.browser.lab import browser as chromium_path
from tutorial_utils.course import predictor, try_me
from tutorial_utils.evaluation import ood
from tutorial_utils.leaves import lessons

pytestmark = pytest.mark.slow
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The run folder of a quick model of clothes."""
    shared = os.environ.get("TUTORIAL_SHARED")
    if not shared:
        pytest.skip("needs the real photos that the environment variable TUTORIAL_SHARED points to")
    folder = tmp_path_factory.mktemp("try_me") / "clothing"
    command = [sys.executable, "-m", "tutorial_utils", "train", f"{shared}/data/clothing", "--run-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    if not (folder / "try_me.html").is_file():
        try:
            try_me.write_page(folder, "Clothes")
        except try_me.NoPage as reason:
            pytest.skip(str(reason))
    return folder


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, run):
    """The page, opened from its file; no request may go to any host."""
    page, asked = browser.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(f"error {error}"))
    page.goto((run / "try_me.html").as_uri())
    yield page
    assert [url[:80] for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []
    page.close()


def answer(page, path, seconds=30):
    """Return (state, probabilities, headline) that the page gives for a photo."""
    page.evaluate("() => { document.getElementById('answer').dataset.state = 'none'; }")
    page.set_input_files("input[type=file] >> nth=0", str(path))
    page.wait_for_function(
        "() => ['known', 'unknown', 'error'].includes(document.getElementById('answer').dataset.state)",
        timeout=1000 * seconds,
    )
    found = page.evaluate("() => ({...document.getElementById('answer').dataset})")
    return found["state"], json.loads(found.get("probabilities", "[]")), page.inner_text("#headline")


def agree(page, run, paths):
    """Return (same class, largest difference of a probability, share of marks that agree) of page and `predict`."""
    table = pandas.concat(
        predictor.predict_photos(predictor.load_predictor(run), list(map(str, paths)), progress=False)
    )
    ours = table.filter(regex="^p: ").to_numpy()
    found = [answer(page, path) for path in paths]
    theirs = np.array([probabilities for _, probabilities, _ in found])
    marks = np.array([{"known": "no", "unknown": "yes"}[state] for state, _, _ in found])
    same = (ours.argmax(axis=1) == theirs.argmax(axis=1)).sum()
    return int(same), float(np.abs(ours - theirs).max()), float((marks == table["unknown"].to_numpy()).mean())


def test_a_hundred_test_photos_get_the_answers_of_predict(page, run):
    paths = pandas.read_csv(run / "predictions.csv")["path"].sample(100, random_state=0)
    same, difference, marks = agree(page, run, paths)
    print(f"same class {same}, difference {difference:.4f}, marks {marks:.2f}")
    assert same == 100
    assert difference < 0.01
    assert marks > 0.95


def test_photos_as_people_have_them_are_read_the_same(page, run, tmp_path):
    """Transparent, turned, gray, with 16 bits, a palette, another color space; WebP, AVIF, BMP, GIF."""
    source = PIL.Image.open(pandas.read_csv(run / "predictions.csv")["path"][3]).convert("RGB")
    paths = []

    def save(name, image=source, **options):
        paths.append(tmp_path / name)
        image.save(paths[-1], **options)

    clear = source.copy()
    clear.putalpha(PIL.Image.fromarray(np.tile(np.linspace(0, 255, source.width).astype(np.uint8), (source.height, 1))))
    save("clear.png", clear)
    for turn in range(2, 9):
        exif = PIL.Image.Exif()
        exif[0x0112] = turn
        save(f"turned{turn}.jpg", exif=exif, quality=95)
    save("gray.jpg", source.convert("L"))
    save("palette.gif", source.quantize(64))
    save("photo.webp", quality=90)
    save("photo.bmp")
    deep = PIL.Image.fromarray(np.asarray(source.convert("L")).astype(np.uint16) * 257)
    save("deep.png", deep)
    save("large.jpg", source.resize((3000, 2200)))
    save("small.png", source.resize((60, 40)))
    same, difference, _ = agree(page, run, paths)
    assert same == len(paths)
    assert difference < 0.01


def test_a_hundred_strangers_are_marked_as_predict_marks_them(page, run, tmp_path):
    shared = os.environ["TUTORIAL_SHARED"]
    paths = []
    for name, count in (("plantvillage_tomato", 35), ("magnetic_tile", 35)):
        every = sorted(p for p in (pathlib.Path(shared) / "data" / name).rglob("*") if p.suffix in (".jpg", ".png"))
        paths += every[:: len(every) // count][:count]
    for kind in lessons.OOD_KINDS:
        for number, pixels in enumerate(lessons.ood_images(kind, 10, 224)):
            paths.append(tmp_path / f"{kind}{number}.png")
            PIL.Image.fromarray(pixels).save(paths[-1])
    assert len(paths) == 100
    _, difference, marks = agree(page, run, paths)
    print(f"difference {difference:.4f}, marks {marks:.2f}")
    assert marks >= 0.95


def test_the_first_answer_comes_soon(browser, run):
    photo = pandas.read_csv(run / "predictions.csv")["path"][0]
    page, started = browser.new_page(), time.perf_counter()
    page.goto((run / "try_me.html").as_uri())
    assert answer(page, photo)[0] == "known"
    print(f"{time.perf_counter() - started:.1f} s")
    page.close()


def test_broken_files_get_a_sentence_and_the_next_photo_an_answer(page, run, tmp_path):
    photo = pandas.read_csv(run / "predictions.csv")["path"][0]
    content = pathlib.Path(photo).read_bytes()
    (tmp_path / "half.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "words.jpg").write_text("no photo")
    for name, said in (
        ("half.jpg", "has lost a part of its picture"),
        ("words.jpg", "is no photo that this browser can"),
    ):
        state, _, headline = answer(page, tmp_path / name)
        assert (state, headline) == ("error", "Could not read this photo")
        assert said in page.inner_text("#note")
        assert not page.is_visible("#photo")
    assert answer(page, photo)[0] == "known"
    assert answer(page, photo)[0] == "known"  # the same photo once more


def test_examples_can_be_asked_by_keyboard(page, run):
    page.wait_for_function("() => document.getElementById('status').textContent === 'Ready.'")
    page.focus("[data-example=noise]")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('answer').dataset.state === 'unknown'")
    assert page.inner_text("#headline") == "I don’t know"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_usable_on_a_phone_and_by_those_who_do_not_see_it(browser, run, axe, scheme):
    page = browser.new_page(viewport=PHONE, color_scheme=scheme, has_touch=True)
    page.goto((run / "try_me.html").as_uri())
    assert page.is_visible("text=Take a photo")
    answer(page, pandas.read_csv(run / "predictions.csv")["path"][0])
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    page.evaluate(axe)
    broken = "one => `${one.id}: ${one.nodes.map(node => node.html).join(' ')}`"
    found = page.evaluate(f"async () => (await axe.run()).violations.map({broken})")
    assert found == []
    page.close()


def test_pixels_are_resized_as_pillow_resizes_them(page):
    """To the bit, whichever of the two passes comes first; both orders are among these sizes."""
    rng = np.random.default_rng(0)
    for height, width, side in ((256, 192, 224), (192, 256, 224), (500, 400, 160), (60, 40, 64), (640, 90, 128)):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = np.asarray(PIL.Image.fromarray(pixels).resize((side, side), PIL.Image.Resampling.BILINEAR))
        with_alpha = np.dstack([pixels, np.full((height, width), 255, np.uint8)])
        code = "([data, width, height, side]) => Array.from(resize({data, width, height}, side))"
        found = page.evaluate(code, [with_alpha.ravel().tolist(), width, height, side])
        allowed = 0 if int(PIL.__version__.split(".")[0]) >= 13 else 1  # older ones always begin with the rows
        np.testing.assert_allclose(np.reshape(found, (side, side, 3)), expected.astype(int), atol=allowed)


def test_strangers_are_far_in_the_page_as_in_numpy(page):
    """Its distance is ood.knn_distance, worked on rows that are handed to it."""
    rng = np.random.default_rng(0)
    known, photo = rng.normal(size=(9, 4)).astype(np.float32), rng.normal(size=(1, 4)).astype(np.float32)
    expected = ood.knn_distance(photo, known, 5)[0]
    unit = known / np.linalg.norm(known, axis=1, keepdims=True)
    code = """([photo, known]) => { about.channels = 4; about.nearest = 5;
      return distance(Float32Array.from(photo), Float32Array.from(known)); }"""
    assert page.evaluate(code, [photo[0].tolist(), unit.ravel().tolist()]) == pytest.approx(expected, abs=1e-5)
