"""Words of the glossary are linked at their first use, in prose only; the course's own glossary is whole."""

import json
import re

import pytest

from notebooks.source import glossary

ENTRIES = [
    glossary.Entry("base", ("base", "bases"), ()),
    glossary.Entry("feature map", ("feature map", "feature maps"), ()),
    glossary.Entry("feature", ("feature", "features"), ()),
    glossary.Entry("chance", ("chance",), ("05_callbacks",)),
    glossary.Entry("ImageNet", ("ImageNet",), ()),
]


def link(*texts, chapter="01_setup"):
    return glossary.link(list(texts), chapter, ENTRIES)


def test_the_first_use_is_linked_and_no_other():
    first, second = link("A base, two Bases.", "The base again.")
    assert first == "A [base](../book/glossary.md#base), two Bases."
    assert second == "The base again."


def test_the_longer_word_comes_first_and_a_line_break_is_a_space():
    (text,) = link("Feature\nmaps hold features.")
    assert text == "[Feature\nmaps](../book/glossary.md#feature-map) hold [features](../book/glossary.md#feature)."


@pytest.mark.parametrize(
    "text",
    [
        "# The base",
        "`base` and ``base = 1``",
        "```python\nbase = 1\n```",
        "[the base](https://example.org) ![base](base.png)",
        "[![base](a.svg)](b)",
        "<b title='base'>",
        "<details><summary>base</summary>\n\nbase\n\n</details>",
        "https://example.org/base",
        "database, base-case, baseline, imagenet",
        "{{base}}",
    ],
)
def test_what_is_no_prose_is_left_alone(text):
    assert link(text) == [text]


def test_after_what_is_no_prose_the_word_is_linked():
    (text,) = link("# The base\n\n`base` is **the base** here.")
    assert text == "# The base\n\n`base` is **the [base](../book/glossary.md#base)** here."


def test_a_word_of_another_sense_is_left_alone():
    assert link("By chance.", chapter="05_callbacks") == ["By chance."]
    assert link("By chance.") == ["By [chance](../book/glossary.md#chance)."]


def test_a_form_with_capitals_keeps_them_and_so_does_its_anchor():
    assert link("imagenet, ImageNet") == ["imagenet, [ImageNet](../book/glossary.md#ImageNet)"]


def test_remarks_are_read(tmp_path):
    path = tmp_path / "glossary.md"
    path.write_text(
        "# G\n\n## from scratch\n<!-- also: from nothing; not in: 05_callbacks -->\n\nText.\n\n## loss\n\nText.\n"
    )
    scratch, loss = glossary.read(path)
    assert scratch == ("from scratch", ("from scratch", "from nothing"), ("05_callbacks",))
    assert loss == ("loss", ("loss",), ())
    path.write_text("## a\n<!-- also: b -->\n\n## b\n")
    with pytest.raises(ValueError, match="explains twice: b"):
        glossary.read(path)
    path.write_text("## a\n<!-- see: b -->\n")
    with pytest.raises(ValueError, match="entry a has a remark"):
        glossary.read(path)


def links_by_notebook(root):
    """Return {chapter or lab: anchors linked in its notebook, in order}."""
    found = {}
    for path in sorted((root / "notebooks").rglob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        found[path.stem] = re.findall(r"\]\((?:\.\./)+book/glossary\.md#([^)]*)\)", text)
    return found


def test_every_word_is_linked_and_every_link_has_its_entry(root):
    anchors, found = [entry.anchor for entry in glossary.read()], links_by_notebook(root)
    linked = {anchor for chapter in found.values() for anchor in chapter}
    assert linked == set(anchors)
    for chapter, anchors_there in found.items():
        assert len(anchors_there) == len(set(anchors_there)), chapter


def test_entries_are_in_order_and_name_a_notebook_that_links_to_them(root):
    text, found = glossary.PATH.read_text(encoding="utf-8"), links_by_notebook(root)
    entries = glossary.read()
    assert [entry.term for entry in entries] == sorted((entry.term for entry in entries), key=str.lower)
    for entry in entries:
        (body,) = re.findall(rf"^## {re.escape(entry.term)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
        (name,) = re.findall(r"\[(?:Chapter \d|Lab)\]\(\.\./notebooks/(?:labs/)?(\w+)\.ipynb\)", body)
        assert entry.anchor in found[name], f"{name} is to explain {entry.term}, and does not link it"
