"""What Sphinx reads: links, pictures and outputs of a chapter as the book has them."""

import base64
import io

import nbformat
import numpy as np
import PIL.Image
import pytest

from book import stage

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def png(size=(40, 30), noise=False):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8) if noise else None
    image = PIL.Image.fromarray(pixels) if noise else PIL.Image.new("RGB", size, "teal")
    out = io.BytesIO()
    image.save(out, "png")
    return out.getvalue()


def encoded(content):
    return base64.b64encode(content).decode()


def notebook(*cells, state=None):
    made = nbformat.v4.new_notebook(cells=list(cells))
    if state is not None:
        made.metadata["widgets"] = {STATE: {"state": state, "version_major": 2, "version_minor": 0}}
    return made


def shown(data):
    """A code cell that shows something."""
    return nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("display_data", data=data)])


@pytest.fixture
def pictures(tmp_path):
    return stage.Pictures(tmp_path / "pictures")


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("[F](../book/glossary.md#macro-F1)", "chapters", "[F](../glossary.md#macro-f1)"),
        ("[F](../book/glossary.md)", ".", "[F](glossary.md)"),
        ("[1](../notebooks/01_setup.ipynb)", ".", "[1](chapters/01_setup.ipynb)"),
        ("[l](labs/leakage.ipynb)", "chapters", "[l](../labs/leakage.ipynb)"),
        ("[l](../notebooks/labs/leakage.ipynb)", ".", "[l](labs/leakage.ipynb)"),
        ("[2](../02_data_preparation.ipynb)", "labs", "[2](../chapters/02_data_preparation.ipynb)"),
        ("[F](../../book/glossary.md#macro-F1)", "labs", "[F](../glossary.md#macro-f1)"),
        ("![a b](../drawings/x.svg)", "labs", "![a b](../chapters/drawings/x.svg)"),
        ("[r](../../README.md)", "labs", f"[r]({stage.repository()}/blob/main/README.md)"),
        ("[r](../README.md#start)", ".", f"[r]({stage.repository()}/blob/main/README.md#start)"),
        ("[t](timings.md) and `../book`", ".", "[t](timings.md) and `../book`"),
        ("[o](https://example.org/../x)", ".", "[o](https://example.org/../x)"),
    ],
)
def test_links_lead_where_the_book_has_its_pages(text, place, expected):
    assert stage.linked(text, place) == expected


def test_the_badge_becomes_a_link_without_a_picture_from_elsewhere(pictures):
    badge = "# 1\n\n[![Open in Colab](https://colab.example/badge.svg)](https://colab.example/1.ipynb)\n"
    (cell,) = stage.staged(notebook(nbformat.v4.new_markdown_cell(badge)), pictures).cells
    assert cell.source == "# 1\n\n[Open in Colab](https://colab.example/1.ipynb)\n"


def test_a_figure_becomes_a_file_and_keeps_its_text_and_size(pictures):
    data = {
        "text/html": f'<img alt="A leaf" src="data:image/png;base64,{encoded(png())}">',
        "image/png": encoded(png()),
    }
    (cell,) = stage.staged(notebook(shown(data)), pictures).cells
    (path,) = pictures.folder.iterdir()
    assert cell.outputs[0].data == {
        "text/html": f'<img alt="A leaf" src="../pictures/{path.name}" width="40" height="30">'
    }
    with PIL.Image.open(path) as image:
        assert (image.format, image.size, image.convert("RGB").getpixel((5, 5))) == ("WEBP", (40, 30), (0, 128, 128))


def test_a_picture_that_is_used_no_more_is_deleted(pictures):
    (pictures.folder / "old.webp").touch()
    name, *_ = pictures.add(png())
    pictures.forget_others()
    assert [path.name for path in pictures.folder.iterdir()] == [name]


def test_a_large_picture_loses_a_little_and_a_small_one_nothing():
    assert len(stage.webp(png((400, 300), noise=True))) < 0.6 * len(png((400, 300), noise=True))
    with PIL.Image.open(io.BytesIO(stage.webp(png((40, 30), noise=True)))) as image:
        np.testing.assert_array_equal(
            np.asarray(image), np.asarray(PIL.Image.open(io.BytesIO(png((40, 30), noise=True))))
        )


def test_progress_and_stderr_are_left_out_and_other_controls_stay(pictures):
    state = {
        "bar": {"model_name": "HBoxModel", "state": {"children": ["IPY_MODEL_a", "IPY_MODEL_b", "IPY_MODEL_a"]}},
        "a": {"model_name": "HTMLModel", "state": {"value": "10 %"}},
        "b": {"model_name": "FloatProgressModel", "state": {"value": 1.0}},
        "box": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_a"]}},
    }
    cells = [shown({VIEW: {"model_id": name}, "text/plain": name}) for name in ("bar", "box", "unknown")]
    cells[1].outputs.append(nbformat.v4.new_output("stream", name="stderr", text="warning"))
    cells[1].outputs.append(nbformat.v4.new_output("stream", name="stdout", text="said"))
    staged = stage.staged(notebook(*cells, state=state), pictures)
    assert [len(cell.outputs) for cell in staged.cells] == [0, 2, 1]
    assert staged.cells[1].outputs[1].text == "said"


def test_pictures_in_saved_controls_stay_inside_and_get_smaller(pictures):
    value = f'<img alt="A leaf" src="data:image/png;base64,{encoded(png((300, 200), noise=True))}">'
    state = {"a": {"model_name": "HTMLModel", "state": {"value": value}}}
    made = notebook(state=state)
    small = stage.staged(made, pictures).metadata["widgets"][STATE]["state"]["a"]["state"]["value"]
    assert small.startswith('<img alt="A leaf" src="data:image/webp;base64,')
    assert len(small) < len(value)
    assert made.metadata["widgets"][STATE]["state"]["a"]["state"]["value"] == value  # the notebook is left as it was


def test_only_what_has_changed_is_written(tmp_path, pictures):
    link = nbformat.v4.new_markdown_cell("# Lab\n\n[1](../01_setup.ipynb)", id="lab")
    chapters = {"01_setup": notebook(nbformat.v4.new_markdown_cell("# 1", id="one")), "labs/leakage": notebook(link)}
    stage.write(chapters, tmp_path / "source", pictures)
    page, chapter = tmp_path / "source" / "glossary.md", tmp_path / "source" / "chapters" / "01_setup.ipynb"
    times = page.stat().st_mtime_ns, chapter.stat().st_mtime_ns
    lab = tmp_path / "source" / "labs" / "leakage.ipynb"
    assert "[1](../chapters/01_setup.ipynb)" in lab.read_text(encoding="utf-8")
    for gone in (chapter.with_name("09_gone.ipynb"), lab.with_name("gone.ipynb")):
        gone.touch()
    stage.write(chapters, tmp_path / "source", pictures)
    assert (page.stat().st_mtime_ns, chapter.stat().st_mtime_ns) == times
    assert [path.name for path in chapter.parent.glob("*.ipynb")] == ["01_setup.ipynb"]
    assert list(lab.parent.iterdir()) == [lab]
