"""Configuration of the site for Sphinx; `build_site.py` runs it, once for each language."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import equation_lines  # noqa: E402
import site_api  # noqa: E402
import site_pages  # noqa: E402

ROOT = site_pages.ROOT
site_language = site_pages.CHINESE if tags.has("chinese") else site_pages.ENGLISH  # noqa: F821, Sphinx gives the tags
english = site_language == site_pages.ENGLISH

project = "gradparity"
author = "gradparity's authors"
version = release = installed_version("gradparity")
language = site_language
html_title = "gradparity"
root_doc = "index"

extensions = ["myst_parser", "site_math", "site_code", "site_languages"]
if english:
    extensions += ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.linkcode", "site_api"]
else:
    extensions += ["site_chinese"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_url_schemes = {"http": None, "https": None, "mailto": None, "site": None}
myst_dmath_allow_space = False  # a price in dollars is no formula
highlight_language = "text"

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # the signature has them; shapes such as "*P B H" are no emphasis
default_role = "code"  # docstrings write `name` as Markdown does
linkcode_resolve = site_api.address

html_theme = "furo"
html_static_path = [str(HERE / "static")]
templates_path = [str(HERE / "templates")]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_search_summary = False  # they are fetched, which a browser forbids a page from disk
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_domain_indices = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/language.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}

site_top = "" if english else "../"
site_lines = equation_lines.lines_of_equations(ROOT)
site_equations = equation_lines.pages_of_equations(ROOT / ("manual" if english else "docs/zh"))
site_listed = sorted({*site_pages.files_listed(), *site_api.source_files()}) if english else []
