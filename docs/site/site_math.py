"""Formulas as MathML, made when the site is built: nothing is loaded, and a screen reader can read them.

An equation with the tag 33 gets the anchor `equation-33`, and its number at the right. Where a page names an equation
by its number, in text, in code or in what a command prints, the number leads to it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import equation_lines
from docutils import nodes
from latex2mathml import converter
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxTranslator

LOGGER = logging.getLogger(__name__)
UPRIGHT = re.compile(r"\\mathrm\{(\w+)\}")
FUNCTIONS = {"tanh", "sinh", "cosh", "log", "ln", "max"}  # what has no parentheses stands a little apart from them
NUMBER = re.compile(r"\((\d+)\)")
NAMED = re.compile(r"equations? \(\d+\)(?:(?:, | and )\(\d+\))* of the derivation|推导中的方程 \(\d+\)")
PAGES_OF_EQUATIONS = ("derivation", "errata", "mistakes", "source/manual/")  # how their names begin
OUTSIDE_TEXT = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.reference, nodes.title)
HIGHLIGHTED = re.compile(r'<div class="highlight">.*?</div>', re.DOTALL)
COMMENT = re.compile(r'<span class="c1">.*?</span>')


def mathml(latex: str, *, display: bool) -> str:
    """A formula in MathML.

    Args:
        latex: the formula, without dollars.
        display: whether it stands by itself.

    Raises:
        ValueError: it has a command that is not known.
    """
    as_text = UPRIGHT.sub(r"\\text{\1}", latex)
    converted = converter.convert(as_text, xmlns="", display="block" if display else "inline")
    if unknown := re.search(r"\\[A-Za-z]+", html.unescape(converted)):
        raise ValueError(f"{unknown[0]} is not known, in the formula {latex!r}")
    root = ElementTree.fromstring(converted)
    root.attrib.pop("xmlns", None)
    for element in root.iter():
        _amend(element, upright={*UPRIGHT.findall(latex)})
    return ElementTree.tostring(root, encoding="unicode")


def _amend(element: ElementTree.Element, upright: Collection[str]) -> None:
    """Amends what latex2mathml writes: which parts are names and which operators, and where these stand apart."""
    if element.tag == "mtext" and element.text in upright:
        element.tag = "mi"
        element.attrib |= {"mathvariant": "normal"} if len(element.text) == 1 else {}
    elif element.tag == "mo" and element.text in FUNCTIONS:
        element.tag = "mi"
    elif element.tag == "mi" and element.text == ";":
        element.tag = "mo"
    elif element.tag == "mo" and element.text == "‖":
        element.set("stretchy", "false")  # or the two sides differ, where one has an exponent
    elif element.tag == "mrow":
        for place, (first, second) in reversed([*enumerate(pairwise(element), start=1)]):
            operators = [part.text if part.tag == "mo" else None for part in (first, second)]
            if operators[1] in ("−", "+") and (operators[0] or ")") not in ")]|‖":
                second.set("form", "prefix")
            elif operators == [None, None] and (_is_function(first) or _is_function(second)):
                element.insert(place, ElementTree.Element("mspace", width="0.17em"))


def _is_function(element: ElementTree.Element) -> bool:
    name = element[0] if element.tag.startswith(("msu", "munder")) else element
    return name.text in FUNCTIONS


def number_of(latex: str) -> int | None:
    """The number of an equation, which its tag says; None for one without."""
    found = equation_lines.TAG.search(latex)
    return int(found[1]) if found else None


def visit_math(translator: SphinxTranslator, node: nodes.math) -> None:
    """Writes a formula in a line of text."""
    translator.body.append(_checked(node, display=False))
    raise nodes.SkipNode


def visit_displaymath(translator: SphinxTranslator, node: nodes.math_block) -> None:
    """Writes a formula by itself, with its number if it has one."""
    number = number_of(node.astext())
    anchor = f' id="equation-{number}"' if number else ""
    shown = f'<a class="equation-number" href="#equation-{number}">({number})</a>' if number else ""
    translator.body.append(f'<div class="equation"{anchor}>{_checked(node, display=True)}{shown}</div>\n')
    raise nodes.SkipNode


def _checked(node: nodes.math | nodes.math_block, *, display: bool) -> str:
    try:
        return mathml(equation_lines.TAG.sub("", node.astext()), display=display)
    except Exception as error:
        LOGGER.warning("no MathML: %s", error, location=node, type="math")
        return html.escape(node.astext())


def address(app: Sphinx, number: int) -> str | None:
    """Of an equation, seen from a page of the site; None if there is none of this number."""
    page = app.config.site_equations.get(number)
    return f"{page}.html#equation-{number}" if page else None


def link_numbers_in_text(app: Sphinx, doctree: nodes.document) -> None:
    """Makes links of the numbers of equations: of all on pages of equations, elsewhere of those of the derivation."""
    whole_page = app.env.docname.startswith(PAGES_OF_EQUATIONS)
    for text in list(doctree.findall(nodes.Text)):
        if not any(isinstance(above, OUTSIDE_TEXT) for above in _above(text)):
            pieces = _linked(app, text.astext(), NUMBER if whole_page else NAMED)
            if len(pieces) > 1:
                text.parent.replace(text, pieces)


def _above(node: nodes.Node) -> list[nodes.Node]:
    found = []
    while node.parent is not None:
        found.append(node := node.parent)
    return found


def _linked(app: Sphinx, text: str, pattern: re.Pattern[str]) -> list[nodes.Node]:
    """A text with links on the numbers within what matches a pattern."""
    pieces: list[nodes.Node] = []
    at = 0
    for match in pattern.finditer(text):
        for number in NUMBER.finditer(text, match.start(), match.end()):
            if uri := address(app, int(number[1])):
                link = nodes.reference("", number[0], refuri=uri, internal=True, classes=["equation-reference"])
                pieces += [nodes.Text(text[at : number.start()]), link]
                at = number.end()
    return [*pieces, nodes.Text(text[at:])]


def link_numbers_in_code(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Makes links of the numbers in comments of Python, and in what the commands print."""
    if not (body := context.get("body")):
        return
    equations = pagename.startswith(PAGES_OF_EQUATIONS)
    to_top = "../" * pagename.count("/")

    def linked(text: str) -> str:
        def link(match: re.Match[str]) -> str:
            uri = address(app, int(match[1]))
            return f'<a class="equation-reference" href="{to_top}{uri}">{match[0]}</a>' if uri else match[0]

        return NUMBER.sub(link, text)

    def in_block(block: re.Match[str]) -> str:
        text = NAMED.sub(lambda match: linked(match[0]), block[0])
        return COMMENT.sub(lambda match: linked(match[0]), text) if equations else text

    context["body"] = HIGHLIGHTED.sub(in_block, body)


def setup(app: Sphinx) -> dict[str, Any]:
    """Makes the renderer known to Sphinx, as `mathml`."""
    app.add_config_value("site_equations", {}, "env")
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    app.connect("doctree-read", link_numbers_in_text)
    app.connect("html-page-context", link_numbers_in_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
