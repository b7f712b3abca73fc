"""Make the book: execute what has changed, write what Sphinx reads, let Sphinx make the pages, weigh them.

    python -m book.build [--photos-per-class N] [--image-size S] [--folder FOLDER]

The pages are in book/_build/html. They need no network, no server and no kernel.
"""

import argparse
import pathlib
import re
import shutil
import sys
import time

from book import execute, stage, vendor
from tutorial_utils import _machine

BOOK = pathlib.Path(__file__).resolve().parent
HEAVIEST = 3_000_000  # bytes a page may weigh: its HTML and its pictures, without the scripts that all pages share


def make(folder=BOOK / "_build", parameters=None):
    """Make the book in `folder`/html; return that folder.

    parameters : dict for the parameters cells of chapters and labs, or None
    Raises RuntimeError if Sphinx complains of anything, or if the scripts cannot be had (npm_packages.NotThere).
    """
    vendor.widgets(vendor.scripts())
    chapters = execute.chapters(parameters, at_once=min(2, _machine.cores()))  # as much memory as most machines have
    pictures, html = stage.Pictures(folder / "pictures"), folder / "html"
    stage.write(chapters, folder / "source", pictures)
    pictures.forget_others()
    shutil.rmtree(html, ignore_errors=True)  # or pages of an earlier time would stay
    shutil.copytree(pictures.folder, html / "pictures")
    sphinx(folder / "source", html, folder / "doctrees")
    return html


def sphinx(source, html, doctrees):
    """Run Sphinx; a warning is an error."""
    from sphinx.cmd.build import build_main

    command = ["-q", "-W", "--keep-going", "-b", "html", "-c", BOOK, "-d", doctrees, source, html]
    if build_main([str(part) for part in command]):
        raise RuntimeError("Sphinx could not make the book without a warning; what it said stands above.")


def weights(html):
    """Return {page: bytes of its HTML and its pictures} of chapters, labs and the other pages."""
    pages = [page for folder in (".", "chapters", "labs") for page in (html / folder).glob("*.html")]
    return {str(page.relative_to(html)): _weight(page) for page in sorted(pages)}


def _weight(page):
    text = page.read_text(encoding="utf-8")
    pictures = {page.parent / source for source in re.findall(r'<img[^>]*?src="([^":]+)"', text)}
    return len(text.encode()) + sum(picture.stat().st_size for picture in pictures)


def main(arguments=None):
    """Make the book; return 0, or 1 if a page is too heavy."""
    parser = argparse.ArgumentParser(prog="python -m book.build", description=__doc__.splitlines()[0])
    parser.add_argument("--photos-per-class", type=int, help="a smaller sample of the photos, for a quick try")
    parser.add_argument("--image-size", type=int, help="side of the photos in pixels")
    parser.add_argument("--folder", type=pathlib.Path, default=BOOK / "_build", help="where it goes (book/_build)")
    chosen = vars(parser.parse_args(arguments))
    folder, started = chosen.pop("folder"), time.perf_counter()
    try:
        html = make(folder.resolve(), {name: value for name, value in chosen.items() if value is not None})
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    heavy = {page: weight for page, weight in weights(html).items() if weight > HEAVIEST}
    for page, weight in weights(html).items():
        print(f"{weight / 1e6:6.2f} MB  {page}{'  too heavy' if page in heavy else ''}")
    print(f"Made in {time.perf_counter() - started:.0f} s. Open {html / 'index.html'}")
    return 1 if heavy else 0


if __name__ == "__main__":
    sys.exit(main())
