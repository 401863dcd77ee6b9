"""What a language needs: the link from each page to the same in the other, and in Chinese line ends and a search."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import site_pages
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.search import SearchLanguage

HAN = r"[\u3400-\u9fff]"
WIDE = r"[\u3001-\u303f\uff00-\uffef‘’“”…]"  # punctuation with a blank of its own
NO_BLANK = re.compile(rf"(?<={HAN})\n(?={HAN})|(?<={WIDE})\n|\n(?={WIDE})")
NAMES = {site_pages.ENGLISH: "English", site_pages.CHINESE: "中文"}


def link_to_other_language(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Gives the template the name of the other language, and the address of the page in it."""
    here = app.config.site_language
    (other,) = set(site_pages.FOLDERS) - {here}
    there = site_pages.pages(other)
    if there:
        page = pagename if pagename in there else "index"
        to_top = "../" * pagename.count("/") + app.config.site_top
        context["other_language"] = NAMES[other]
        context["other_language_code"] = other.replace("_", "-")
        context["other_language_address"] = f"{to_top}{site_pages.FOLDERS[other]}{page}.html"


def join_chinese_lines(app: Sphinx, doctree: nodes.document) -> None:
    """Takes the ends of lines away where Chinese has no blank."""
    if app.config.site_language == site_pages.CHINESE:
        for end in [text for text in doctree.findall(nodes.Text) if text == "\n"]:
            place = end.parent.index(end)
            before, after = end.parent[:place][-1:], end.parent[place + 1 : place + 2]
            if not needs_blank(*("".join(node.astext() for node in beside) for beside in (before, after))):
                end.parent.remove(end)


def needs_blank(before: str, after: str) -> bool:
    """Whether the end of a line between two texts is a blank: not beside wide punctuation, nor between Chinese."""
    return not NO_BLANK.search(f"{before[-1:]}\n{after[:1]}")


class SearchByPairs(SearchLanguage):
    """A search that knows no words: every two Chinese characters that stand beside each other are one.

    Sphinx's own needs a dictionary, and its page of results does not work in Sphinx 9.0.
    """

    lang = "zh"
    language_name = "Chinese"
    js_splitter_code = """
function splitQuery(query) {
  const found = [];
  for (const run of query.match(/[\\u3400-\\u9fff]+|[\\p{Letter}\\p{Number}_]+/gu) || []) {
    if (!/[\\u3400-\\u9fff]/.test(run) || run.length < 2) found.push(run);
    else for (let i = 0; i + 1 < run.length; i++) found.push(run.slice(i, i + 2));
  }
  return found;
}
"""

    def split(self, text: str) -> list[str]:
        """The pairs of Chinese characters, and the words in other letters."""
        return [*pairs(text), *re.findall(r"\w+", re.sub(HAN, " ", text))]

    def stem(self, word: str) -> str:
        """The word in small letters."""
        return word.lower()

    def word_filter(self, word: str) -> bool:
        """Whether a word is worth being found."""
        return len(word) > 1 and not word.isdigit()


def pairs(text: str) -> Iterator[str]:
    """Every two Chinese characters that stand beside each other in a text."""
    for run in re.findall(rf"{HAN}+", text):
        yield from (one + other for one, other in pairwise(run))


def setup(app: Sphinx) -> dict[str, Any]:
    """Makes the link a part of the templates' context."""
    app.add_search_language(SearchByPairs)
    app.connect("doctree-read", join_chinese_lines)
    app.connect("html-page-context", link_to_other_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
