"""The computed parts of the book's pages are in step with what they are computed from."""

import re

import pytest

from book import pages


def test_pages_are_in_step_with_their_sources():
    parts = 0
    for path in sorted(pages.BOOK.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        assert pages.filled(text) == text, f"{path.name} is behind its sources: run make notebooks"
        parts += text.count("<!-- computed: ")
    assert parts == len(pages.MAKERS)


def test_the_contents_name_every_chapter_with_its_measured_minutes(root, monkeypatch):
    names = [path.stem for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
    assert list(pages.chapters()) == names
    monkeypatch.setattr(pages, "seconds", lambda: dict.fromkeys(names, 90.0))
    text = pages.filled("<!-- computed: contents -->\nold\n<!-- end of contents -->")
    assert "old" not in text
    assert re.findall(r"\(\.\./notebooks/(\w+)\.ipynb\) \| .+\? \| 1\.5 \|", text) == names


def test_timings_add_up(monkeypatch):
    monkeypatch.setattr(pages, "seconds", lambda: {"01_setup": 60.0, "02_data_preparation": 30.0})
    lines = pages.MAKERS["timings"]()
    assert lines[-1] == "| all | 90 | 1.5 |"
    assert lines[2].endswith("| 60 | 1.0 |")


def test_the_clock_of_a_plan_runs_on(monkeypatch):
    monkeypatch.setattr(pages, "seconds", lambda: {"01_setup": 60.0, "02_data_preparation": 30.0})
    rows = [
        {"minutes": 50, "what": "One"},
        {"minutes": 15, "what": "Two", "chapters": ["01_setup", "02_data_preparation"]},
    ]
    monkeypatch.setattr(pages, "plans", lambda: {"day": rows})
    assert pages.MAKERS["day"]()[2:] == ["| 9:00 | 50 | One |  |", "| 9:50 | 15 | Two | 1.5 |", "| 10:05 | | End | |"]


@pytest.mark.parametrize(("name", "minutes"), [("half_day", 240), ("day", 480), ("four_weeks", 8 * 90)])
def test_a_plan_fits_its_time_and_each_row_its_chapters(name, minutes):
    rows = pages.plans()[name]
    assert sum(row["minutes"] for row in rows) == minutes
    for row in rows:
        assert sum(pages.seconds()[chapter] for chapter in row.get("chapters", [])) < 60 * row["minutes"] / 2, row[
            "what"
        ]


def test_a_part_that_nobody_makes_is_an_error():
    with pytest.raises(KeyError):
        pages.filled("<!-- computed: weather -->\n<!-- end of weather -->")
