"""The computed parts of the book's pages are in step with what they are computed from."""

import re

import pytest

from book import pages


def test_pages_are_in_step_with_their_sources():
    made = []
    for path in pages.files():
        text = path.read_text(encoding="utf-8")
        assert pages.filled(text) == text, f"{path.name} is behind its sources: run make notebooks"
        made += re.findall(r"(?:<!--|#) computed: (\w+)", text)
    assert sorted(made) == sorted(pages.MAKERS)


def test_the_contents_name_every_chapter_with_its_measured_minutes(root, monkeypatch):
    names = [path.stem for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
    assert list(pages.chapters()) == names
    monkeypatch.setattr(pages, "seconds", lambda: dict.fromkeys(names, 90.0))
    text = pages.filled("<!-- computed: contents -->\nyesterday\n<!-- end of contents -->")
    assert "yesterday" not in text
    assert re.findall(r"\(\.\./notebooks/(\w+)\.ipynb\) \| .+\? \| 1\.5 \|", text) == names


def test_the_table_of_minutes_has_every_lab_and_no_other(root):
    assert sorted(pages.seconds("labs")) == sorted(path.stem for path in (root / "notebooks" / "labs").glob("*.ipynb"))
    assert list(pages.labs()) == [f"labs/{lab}" for lab in pages.seconds("labs")]
    assert all(title.startswith("Lab: ") for title in pages.labs().values())


def test_timings_of_labs_lead_to_them(monkeypatch):
    monkeypatch.setattr(pages, "seconds", lambda table: {"leakage": 60.0, "shortcuts": 30.0, "gone": 5.0})
    lines = pages.MAKERS["timings_of_labs"]()
    assert lines[0] == "| lab | seconds | minutes |"
    assert "(../notebooks/labs/leakage.ipynb) | 60 | 1.0 |" in lines[2]
    assert lines[4:] == ["| all | 90 | 1.5 |"]


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


def test_a_part_of_a_table_of_contents_is_made_between_its_comments(monkeypatch):
    monkeypatch.setitem(pages.MAKERS, "toc_of_sphinx", lambda: ["  - file: a", "  - file: b"])
    text = "x:\n  # computed: toc_of_sphinx\n  - file: old\n  # end of toc_of_sphinx\ny:\n"
    made = "x:\n  # computed: toc_of_sphinx\n  - file: a\n  - file: b\n  # end of toc_of_sphinx\ny:\n"
    assert pages.filled(text) == made
    assert pages.filled(made) == made


def test_sections_are_headings_of_the_second_level_with_their_anchors(monkeypatch):
    monkeypatch.setattr(
        pages, "_prose", lambda chapter: "# 1. Setup\n\n## The mistake: `/ 255`\n\n### No\n\n## A model's report\n"
    )
    assert pages.sections("01_setup") == [
        ("The mistake: `/ 255`", "the-mistake--255"),
        ("A model's report", "a-models-report"),
    ]


def test_a_chapter_that_the_readme_does_not_name_has_its_own_title(root, monkeypatch):
    monkeypatch.setattr(pages, "_ROW_OF_README", re.compile("^(no)(row)(here)$"))
    assert pages.chapters()["01_setup"] == ("1. Setup: train your first network", "")
