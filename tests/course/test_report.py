import datetime
import html.parser
import json
import re

import pandas as pd
import PIL.Image
import PIL.PngImagePlugin
import pytest

from tutorial_utils.course import report

METRICS = {"dataset": "leaves", "backbone": "lite", "backbone_requested": "net", "image_size": 96, "seed": 3}
SCORE = {"n_test": 1280, "test_accuracy": 0.9, "test_accuracy_low": 0.85, "test_accuracy_high": 0.94}
RECORD = {"parameters": {}, "versions": {"keras": "3.15.1"}, "photos_fingerprint": "abc123", "seconds": 12.5}
VOID = {"meta", "link", "img", "br", "rect"}


class Outline(html.parser.HTMLParser):
    """Collects the tags with their attributes, and whether each one that opens is closed."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture
def run(tmp_path):
    return finished(tmp_path / "06_x", METRICS | SCORE | {"accuracy_majority": 0.25})


def finished(run, metrics, described=""):
    (run / "figures").mkdir(parents=True)
    (run / "metrics.json").write_text(json.dumps(metrics))
    (run / "run.json").write_text(json.dumps(RECORD))
    about = PIL.PngImagePlugin.PngInfo()
    if described:
        about.add_text("Description", described)
    PIL.Image.new("RGB", (40, 30), "red").save(run / "figures" / "red.png", pnginfo=about)
    return run


def test_the_page_is_whole_and_needs_nothing_else(run):
    table = pd.DataFrame({"n": [3]}, index=pd.Index(["rust"], name="class"))
    section = report.Section("Mixed up", "Look.", "red.png", "All red.", "A caption.", table)
    path = report.write_report(run, "My leaves", [section, report.Section("More")])
    assert path == run / "report.html"
    assert sorted(one.name for one in run.iterdir()) == ["figures", "metrics.json", "report.html", "run.json"]
    outline = Outline(path)
    assert outline.open == []
    assert outline.all("html") == [{"lang": "en"}]
    headings = [tag for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert headings == ["h1", "h2", "h2", "h2", "h2"]  # title; in short, two sections, how this was made
    assert not outline.all("script")
    for _, attributes in outline.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    text = path.read_text(encoding="utf-8")
    assert "url(" not in text
    assert "@import" not in text
    (image,) = outline.all("img")
    assert (image["alt"], image["width"], image["height"]) == ("All red.", "40", "30")


def test_the_score_stands_on_top_with_all_that_belongs_to_it(run):
    """0.9 of 1,280 photos: the bar's band starts at 85 and is 9 wide, the base line stands at 25."""
    path = report.write_report(run, "My leaves", [])
    text = path.read_text(encoding="utf-8").replace("&nbsp;", " ").replace("\N{NO-BREAK SPACE}", " ")
    assert '<p class="big">90.0 %</p>' in text
    assert "95 % interval 85.0 to 94.0 %, n = 1,280 photos" in text
    outline = Outline(path)
    bars = {bar["class"]: (float(bar["x"]), float(bar["width"])) for bar in outline.all("rect")}
    assert bars["band"] == (85, 9)
    assert bars["value"] == pytest.approx((89.6, 0.8))
    assert bars["base"] == pytest.approx((24.6, 0.8))
    (svg,) = outline.all("svg")
    assert svg["aria-label"].endswith("interval 85.0 to 94.0 %, always naming the most frequent class 25.0 %.")
    assert "The photos come from few groups" not in text


def test_few_groups_are_said_beside_the_score(tmp_path):
    run = finished(tmp_path / "x", METRICS | SCORE | {"enough_groups": False})
    text = report.write_report(run, "t", []).read_text(encoding="utf-8")
    assert text.count("The photos come from few groups") == 2  # beside the score, and in the verdict


def test_without_a_score_there_is_no_headline_and_no_verdict(tmp_path):
    text = report.write_report(finished(tmp_path / "x", METRICS), "t", []).read_text(encoding="utf-8")
    assert '<p class="big">' not in text
    assert "In short" not in text


def test_how_it_was_made(run):
    path = report.write_report(run, "t", [], command="make <this>", day=datetime.date(2026, 11, 26))
    rows = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", path.read_text(encoding="utf-8")))
    assert rows == {
        "Data set": "leaves",
        "Fingerprint of the photos": "abc123",
        "Backbone": "lite (requested: net, whose weights were not available)",
        "Image size": "96 x 96 pixels",
        "Seed": "3",
        "Seconds": "12.5",
        "Versions": "keras 3.15.1",
        "Day": "2026-11-26",
        "Command": "make &lt;this&gt;",
    }


def test_nothing_that_is_given_becomes_markup(run):
    evil = '<script>alert("1")</script>&'
    table = pd.DataFrame({evil: [evil]}, index=pd.Index([evil], name=evil))
    section = report.Section(evil, evil, "red.png", evil, evil, table)
    path = report.write_report(run, evil, [section], command=evil)
    outline = Outline(path)
    assert not outline.all("script")
    assert outline.all("img")[0]["alt"] == evil
    assert path.read_text(encoding="utf-8").count("&lt;script&gt;") == 13  # wherever it was given


def test_a_figure_brings_the_text_that_it_was_saved_with(tmp_path):
    run = finished(tmp_path / "x", METRICS, described="A red square.")
    path = report.write_report(run, "t", [report.Section("Red", figure="red.png")])
    assert Outline(path).all("img")[0]["alt"] == "A red square."


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (report.Section("A", figure="red.png"), r"Expected alt, a sentence that says what red\.png shows"),
        (report.Section("A", figure="blue.png", alt="b"), r"no figure 'blue\.png' in .*; there are: red\.png"),
        (report.Section("A", figure="../run.json", alt="b"), r"no figure '\.\./run\.json'"),
        (report.Section(" "), "a heading for every section; got an empty one"),
    ],
)
def test_what_is_missing_is_named_and_an_earlier_report_stays(run, section, message):
    path = report.write_report(run, "first", [])
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        report.write_report(run, "second", [section])
    assert path.read_bytes() == before


def test_a_run_that_is_not_finished(tmp_path):
    with pytest.raises(ValueError, match=r"There is no .*metrics\.json\. Call run_folder\.finish first"):
        report.write_report(tmp_path, "t", [])


def test_the_command_is_one_that_a_shell_understands():
    made = report.command("06_x", {"dataset": "my photos", "seed": 0, "photos_per_class": None})
    assert made == "papermill notebooks/06_x.ipynb 06_x.ipynb -p dataset 'my photos' -p seed 0 -p photos_per_class None"
