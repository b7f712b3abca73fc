import numpy as np
import pandas
import pytest
from markdown_it import MarkdownIt

from tutorial_utils.course import rendering

AWKWARD = ["$1", "_other", "a|b", "<i>x", "*b*_[a](b)", "&amp;`d`", "# no", "1. no", "- no", "+", "a  b", "~~x~~", "\\"]


def test_a_table_of_all_kinds_of_cells():
    frame = pandas.DataFrame({"n": [1200, 3], "share": [0.12345, np.nan], "who": ["a", None], "good": [True, False]})
    shown = rendering.cells(frame)
    assert shown["index"] is None
    assert shown["columns"] == [("n", True), ("share", True), ("who", False), ("good", True)]
    assert [row for _, row in shown["rows"]] == [
        [(1200, True), ("0.123", True), ("a", False), (True, False)],
        [(3, True), ("–", True), ("–", True), (False, False)],
    ]
    by_pair = frame.set_index(["who", "n"])
    assert [name for name, _ in rendering.cells(by_pair)["columns"]] == ["who", "n", "share", "good"]
    assert rendering.cells(frame.rename_axis("place"))["index"] == "place"
    assert rendering.cells(frame.set_axis(["x", "y"]))["index"] == ""


@pytest.mark.parametrize("name", AWKWARD)
def test_markdown_shows_a_name_as_it_is(name):
    for before in ("", "- ", "# ", "| |\n| --- |\n| "):
        shown = MarkdownIt("commonmark").enable("table").parse(before + rendering.markdown(name))
        said = [token for token in shown if token.type == "inline" and token.content][-1]
        assert {child.type for child in said.children} <= {"text", "text_special"}, before
        assert "".join(child.content for child in said.children) == name, before


def test_a_value_of_many_lines_stays_on_one():
    assert rendering.markdown("a\n\n# b\n```\n") == r"a \# b \`\`\`"


def test_what_has_been_escaped_is_not_escaped_again():
    assert rendering.markdown(rendering.markdown("a_b")) == r"a\_b"
