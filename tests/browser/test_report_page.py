"""The report in a real browser, as wide as a phone. Needs Chromium; skips without."""

import html
import json
import re
import subprocess

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from tutorial_utils.course import report

pytestmark = pytest.mark.slow
PHONE = 390  # pixels
PROBE = """<!DOCTYPE html><iframe id="phone" style="width:%dpx;height:844px;border:0" srcdoc="%s"></iframe>
<p id="out"></p>
<script>
onload = () => {
  const inner = document.getElementById("phone").contentWindow, page = inner.document;
  const outside = [...page.querySelectorAll("main *")].filter(
    one => !one.parentElement.closest(".scroll") && one.getBoundingClientRect().right > inner.innerWidth + 0.5);
  const found = {inner: inner.innerWidth, wide: page.documentElement.scrollWidth,
    outside: outside.map(one => one.tagName),
    boxes: [...page.querySelectorAll(".scroll")].filter(one => one.scrollWidth > one.clientWidth).length,
    requests: inner.performance.getEntriesByType("resource").map(one => one.name)};
  document.getElementById("out").textContent = JSON.stringify(found);
}
</script>"""


def looked_at(chromium, folder, page):
    """Return what a browser says of a page that is as wide as a phone; its ban on requests is lifted for that."""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    (folder / "probe.html").write_text(PROBE % (PHONE, html.escape(page)), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom"]
    flags.append(f"--user-data-dir={folder / 'profile'}")
    done = subprocess.run(
        [chromium, *flags, (folder / "probe.html").as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(html.unescape(re.search(r'<p id="out">(.*?)</p>', done.stdout)[1]))


def test_nothing_is_wider_than_a_phone_and_nothing_is_fetched(chromium, tmp_path):
    (tmp_path / "figures").mkdir()
    pixels = np.zeros((400, 1600, 3), "uint8")
    PIL.Image.fromarray(pixels).save(tmp_path / "figures" / "wide.png")
    score = {"n_test": 1280, "test_accuracy": 0.9, "test_accuracy_low": 0.85, "test_accuracy_high": 0.94}
    metrics = {
        "dataset": "a" * 90,
        "seed": 0,
        **score,
        "accuracy_majority": 0.2,
        "most_confused": "a_very_long / name" * 3,
    }
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "run.json").write_text(json.dumps({"photos_fingerprint": "f" * 64, "versions": {"keras": "3"}}))
    table = pd.DataFrame(np.random.default_rng(0).random((3, 20)), index=["a_name_that_is_long"] * 3)
    sections = [report.Section("Wide_" * 30, "Text_" * 90, "wide.png", "All black.", "Caption_" * 30, table)]
    path = report.write_report(tmp_path, "Title_" * 20, sections, command="command_" * 40)
    found = looked_at(chromium, tmp_path, path.read_text(encoding="utf-8"))
    assert found == {"inner": PHONE, "wide": PHONE, "outside": [], "boxes": 2, "requests": []}


def test_the_probe_sees_what_it_looks_for(chromium, tmp_path):
    page = '<main><p style="width:500px">wide</p><img alt="" src="http://127.0.0.1:9/picture.png"></main>'
    found = looked_at(chromium, tmp_path, page)
    assert found["outside"] == ["P"]
    assert found["wide"] > PHONE
    assert found["requests"] == ["http://127.0.0.1:9/picture.png"]
