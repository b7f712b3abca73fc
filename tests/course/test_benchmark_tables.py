import pytest

from tutorial_utils import _files
from tutorial_utils.course import benchmark_tables


@pytest.mark.parametrize("name", ["leakage", "shortcuts", "wrong_labels"])
def test_tables_that_chapters_show_say_when_and_how_they_were_made(name):
    frame, caption = benchmark_tables.read_table(name)
    assert len(frame) >= 3
    assert caption.startswith("Measured on 20")
    assert " by python -m benchmarks." in caption
    assert caption in benchmark_tables.show_table(name).to_html()


def test_numbers_are_shown_with_one_digit(tmp_path, monkeypatch):
    (tmp_path / "small.csv").write_text("# 2026-01-02, python -m benchmarks.small\nset,right (%)\na,12.345\n")
    monkeypatch.setattr(_files, "benchmarks_folder", lambda: tmp_path)
    frame, caption = benchmark_tables.read_table("small")
    assert frame.loc[0, "right (%)"] == 12.345
    assert caption == "Measured on 2026-01-02 by python -m benchmarks.small"
    assert ">12.3<" in benchmark_tables.show_table("small").to_html()
