"""Both books, Sphinx's and version 2 of Jupyter Book, have the same contents, and they hold every page."""

import pathlib

import yaml


def of_sphinx(root):
    """Return [(caption, [pages])] of _toc.yml."""
    contents = yaml.safe_load((root / "book" / "_toc.yml").read_text(encoding="utf-8"))
    parts = [(part["caption"], [page["file"] for page in part["chapters"]]) for part in contents["parts"]]
    return [("", [contents["root"]]), *parts]


def of_myst(root):
    """Return [(caption, [paths])] of myst.yml."""
    contents = yaml.safe_load((root / "book" / "myst.yml").read_text(encoding="utf-8"))["project"]["toc"]
    return [
        (part.get("title", ""), [part["file"]] if "file" in part else [page["file"] for page in part["children"]])
        for part in contents
    ]


def names(contents):
    return [(caption, [pathlib.PurePosixPath(page).stem for page in pages]) for caption, pages in contents]


def test_both_tables_of_contents_are_the_same(root):
    assert names(of_sphinx(root)) == names(of_myst(root))


def test_every_file_of_version_2_is_there(root):
    for _, files in of_myst(root):
        assert all((root / "book" / file).is_file() for file in files)


def test_the_contents_hold_every_chapter_lab_and_page(root):
    (_, first), (_, chapters), (_, labs), (_, others) = names(of_sphinx(root))
    assert chapters == [path.stem for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
    assert sorted(labs) == sorted(path.stem for path in (root / "notebooks" / "labs").glob("*.ipynb"))
    assert sorted(first + others) == sorted(path.stem for path in (root / "book").glob("*.md"))
