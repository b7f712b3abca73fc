"""The book in a real browser, from a web server and from files, with every other host out of reach.

It is the book that `make book` makes, so every chapter and lab runs at its defaults; what was executed is kept in
book/_executed for the next time.
"""

import functools
import html.parser
import http.server
import json
import pathlib
import threading
import urllib.parse

import nbformat
import pytest

from tests.notebooks.test_chapters import CHAPTERS
from tests.notebooks.test_labs import LABS
from tutorial_utils.course import npm_packages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*Check CHANGES for Sphinx API modifications"),  # of Sphinx's extensions
]
NOTEBOOKS = [*CHAPTERS, *(f"labs/{lab}" for lab in LABS)]
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
PHONE = {"width": 390, "height": 844}
VIEWS = "script[type='application/vnd.jupyter.widget-view+json']"
PROBE = """() => ({
  missing: [...document.images].filter(one => !one.complete || !one.naturalWidth).map(one => one.src.slice(0, 90)),
  silent: [...document.images].filter(one => !one.alt.trim()).map(one => one.src.slice(0, 90)),
  wide: document.documentElement.scrollWidth - innerWidth,
})"""
SHOWN = """() => ({
  controls: document.querySelectorAll(".widget-subarea img").length,
  figures: [...document.querySelectorAll(".cell_output img")].filter(one => !one.closest(".widget-subarea")).length,
  open: document.querySelectorAll("article details[open]").length,
  badges: document.querySelectorAll("a[href^='https://colab.research.google.com/github/']").length,
})"""
ONE_OF_A_KIND = """() => { const kinds = new Set();
  for (const one of document.querySelectorAll(".highlight pre span")) {
    const kind = `${one.parentElement.className}/${one.className}`;
    if (kinds.has(kind)) one.replaceWith(...one.childNodes); else kinds.add(kind); } }"""
AXE = """async rules => (await axe.run({ preload: false, ...rules })).violations
  .filter(one => ["serious", "critical"].includes(one.impact))
  .map(one => `${one.id}: ${one.nodes.map(node => node.html).join(" ")}`.slice(0, 500))"""


@pytest.fixture(scope="module")
def executed():
    """{chapter or "labs/<lab>": notebook with outputs}, at the notebooks' defaults."""
    from book import execute

    return execute.chapters()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_holds_at_its_defaults_with_its_exercises_unanswered(executed, name):
    from book import execute

    assert set(executed) == set(NOTEBOOKS)
    metrics = json.loads((execute.BOOK / "_runs" / "whole" / name / "metrics.json").read_text())
    assert metrics["dataset"] == "leaves"
    assert metrics["image_size"] == 128 or name.startswith("labs/")
    told = nbformat.writes(executed[name])
    for word in ("Warning", "retracing", "oneDNN"):
        assert word not in told, f"{word} appears in the outputs of {name}"


@pytest.fixture(scope="module")
def book(executed, chromium):
    """The folder of the book's pages."""
    for name in ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx_external_toc", "playwright"):
        pytest.importorskip(name, reason=f"needs {name}: install the extra `book`, and playwright")
    from book import build, vendor

    try:
        vendor.scripts()
    except npm_packages.NotThere as reason:
        pytest.skip(str(reason))
    return build.make()


@pytest.fixture(scope="module")
def served(book):
    """The address of a web server on this machine that serves the book."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(book)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser(chromium):
    """A headless browser that finds no host but this machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", NOWHERE])
        yield browser
        browser.close()


def pages(book):
    """Return the names of all pages."""
    return sorted(str(path.relative_to(book)) for path in book.rglob("*.html") if "_static" not in path.parts)


def visit(browser, address, **options):
    """Return (page, complaints): a page that has been loaded, and what went wrong; requests to other hosts do."""
    page, complaints = browser.new_page(**options), []
    own = address.split("://")[0] + "://" + address.split("://")[1].split("/")[0]
    page.on("console", lambda said: complaints.append(said.text[:300]) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)[:300]))
    page.on(
        "request", lambda asked: None if asked.url.startswith((own, "data:", "blob:")) else complaints.append(asked.url)
    )
    page.on("requestfailed", lambda asked: complaints.append(f"failed: {asked.url[:200]}"))
    page.goto(address, wait_until="load")
    views = page.locator(VIEWS).count()
    page.wait_for_function("views => document.querySelectorAll('.widget-subarea').length >= views", arg=views)
    page.wait_for_function("() => [...document.images].every(one => one.complete)")
    return page, complaints


@pytest.fixture(scope="module")
def seen(book, served, browser, axe):
    """{page: {what is wrong with it: where}}, from a web server; axe-core's rule of contrast in the dark page too.

    Under "shown" is how many of what a chapter must have it has.
    """
    found = {}
    for name in pages(book):
        page, complaints = visit(browser, served + name, color_scheme="light")
        found[name] = page.evaluate(PROBE) | {"complaints": complaints}
        found[name]["shown"] = page.evaluate(SHOWN)
        page.evaluate(ONE_OF_A_KIND)  # of code: thousands of words look like the one that stays, which is judged
        page.evaluate(axe)
        found[name]["axe"] = page.evaluate(AXE, {})
        page.emulate_media(color_scheme="dark")
        page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
        page.wait_for_timeout(300)  # colors change slowly
        found[name]["axe in the dark"] = page.evaluate(AXE, {"runOnly": ["color-contrast"]})
        page.close()
    return found


def wrong(seen, *what):
    """Return of what was seen the pages and the kinds of fault that there are."""
    only = {name: {kind: found[kind] for kind in what if found[kind]} for name, found in seen.items()}
    return json.dumps({name: found for name, found in only.items() if found}, indent=1)


def test_every_page_loads_whole_and_asks_nobody_else(seen):
    assert wrong(seen, "missing", "silent", "wide", "complaints") == "{}"


def test_every_chapter_shows_its_controls_and_figures_and_folds_its_solutions(seen):
    for name in filter(lambda name: name.startswith("chapters/"), seen):
        shown = seen[name]["shown"]
        assert shown["controls"] >= 1, name
        assert shown["figures"] >= 3, name
    for name in filter(lambda name: name.startswith(("chapters/", "labs/")), seen):
        assert (seen[name]["shown"]["open"], seen[name]["shown"]["badges"]) == (0, 1), name


def test_axe_finds_nothing_serious_on_any_page_light_or_dark(seen):
    assert wrong(seen, "axe", "axe in the dark") == "{}"


def test_axe_sees_what_it_looks_for(browser, axe, tmp_path):
    """A picture without a text, and a gray word on white, once in a text and twice in code: the tests above tell."""
    words = "<p class=gray>text</p><div class=highlight><pre><span class=n>name</span>"
    words += "<span class='c gray'>note</span><span class='c gray'>note again</span></pre></div>"
    style = "<style>body{background:#fff;color:#000} .gray{color:#ccc}</style>"
    (tmp_path / "bad.html").write_text(f'<html lang="en">{style}<img src="data:,">{words}')
    page = browser.new_page()
    page.goto((tmp_path / "bad.html").as_uri())
    page.evaluate(ONE_OF_A_KIND)
    page.evaluate(axe)
    said = {one.split(":")[0]: one for one in page.evaluate(AXE, {})}
    assert set(said) >= {"image-alt", "color-contrast"}
    assert "text" in said["color-contrast"]
    assert '<span class="c gray">note</span>' in said["color-contrast"]
    assert page.locator("pre").inner_text() == "namenotenote again"
    page.close()


def test_every_page_loads_whole_from_files_too(book, browser):
    problems = {}
    for name in pages(book):
        page, complaints = visit(browser, (book / name).as_uri())
        problems[name] = page.evaluate(PROBE) | {"complaints": complaints}
        page.close()
    assert wrong(problems, "missing", "silent", "wide", "complaints") == "{}"


class Links(html.parser.HTMLParser):
    """The ids of a page, and where its links lead."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.targets = set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag == "a" and attributes.get("href"):
            self.targets.append(attributes["href"])


def test_every_link_inside_the_book_leads_somewhere(book):
    found = {book / name: Links(book / name) for name in pages(book)}
    broken, count = [], 0
    for path, links in found.items():
        for target in links.targets:
            parts = urllib.parse.urlsplit(target)
            if parts.scheme:
                continue
            other = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            count += 1
            good = other in found and (not parts.fragment or urllib.parse.unquote(parts.fragment) in found[other].ids)
            if not good and target != "#":
                broken.append(f"{path.relative_to(book)}: {target}")
    assert count > 100
    assert not broken, broken


def test_a_phone_shows_a_chapter_without_scrolling_sideways(book, browser):
    for name in ("index.html", "chapters/03_feature_extraction.html", "chapters/06_evaluation.html"):
        page, _ = visit(browser, (book / name).as_uri(), viewport=PHONE)
        assert page.evaluate(PROBE)["wide"] == 0, name
        page.close()


@pytest.mark.parametrize("place", ["server", "files"])
def test_the_search_finds_a_word(book, served, browser, place):
    start = served if place == "server" else book.as_uri() + "/"
    page, complaints = visit(browser, start + "search.html?q=temperature")
    page.wait_for_selector("#search-results li a")
    titles = page.locator("#search-results li > a").all_inner_texts()
    page.wait_for_timeout(500)
    page.close()
    assert any(title.startswith("6. Evaluation") for title in titles)
    assert not complaints


def test_solutions_are_folded_and_a_control_shows_its_saved_picture(book, browser):
    page, _ = visit(browser, (book / "chapters" / "03_feature_extraction.html").as_uri())
    solution = page.locator("details", has_text="One solution").last
    assert not solution.evaluate("one => one.open")
    solution.locator("summary").focus()
    page.keyboard.press("Enter")
    assert solution.evaluate("one => one.open")
    assert page.locator(".widget-subarea img").count() >= 1
    assert page.locator(".widget-subarea .noUi-handle").first.get_attribute("aria-label")
    page.close()


def test_no_page_is_heavier_than_it_may_be(book):
    from book import build

    weights = build.weights(book)
    assert set(weights) == set(pages(book))
    assert max(weights.values()) < build.HEAVIEST
    for name in ("chapters/01_setup.html", "chapters/06_evaluation.html"):
        assert weights[name] > (book / pathlib.Path(name)).stat().st_size  # the pictures are counted


def test_made_again_nothing_is_executed(book, monkeypatch, tmp_path):
    from book import execute

    def no(*_):
        raise AssertionError("a chapter was executed again")

    monkeypatch.setattr(execute.execution, "execute_chapters", no)
    made = {name.removeprefix("chapters/").removesuffix(".html") for name in pages(book) if "/" in name}
    assert set(execute.chapters()) == made
