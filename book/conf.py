"""Sphinx's settings for the book; `make book` runs them over what book/stage.py has written."""

import pathlib
import sys

BOOK = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(BOOK.parent))

from book import stage  # noqa: E402

project = "Image transfer learning"
author = "The authors of tutorial_utils"
html_title = project
language = "en"
extensions = ["myst_nb", "sphinx_external_toc"]
external_toc_path = str(BOOK / "_toc.yml")
external_toc_exclude_missing = True

nb_execution_mode = "off"  # book/execute.py has executed them
nb_code_prompt_show = "Show the cell that installs the course where it is missing"
nb_code_prompt_hide = "Hide it"
nb_ipywidgets_js = {"vendor/require.js": {}, "widgets.js": {}, "vendor/html-manager/embed-amd.js": {}}
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]

html_theme = "sphinx_book_theme"
html_static_path = ["_static", "_vendor"]
html_css_files = ["custom.css"]
html_js_files = ["book.js"]
html_copy_source = False
html_use_index = False
html_favicon = "_static/leaf.svg"
html_context = {"default_mode": "auto"}  # light or dark as the reader's machine is; the theme wants it said
html_show_sourcelink = False
html_theme_options = {
    "repository_url": stage.repository(),
    "path_to_docs": "book",
    "show_navbar_depth": 1,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
}

mathjax_path = "vendor/mathjax/tex-svg.js"  # asked for by pages with formulas only
mathjax4_config = {"options": {"enableSpeech": False, "enableBraille": False, "enableExplorer": False}}
