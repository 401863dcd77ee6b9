"""What Chinese text needs: no space where only the source has one, and a search for words that no space parts.

The source has spaces at the end of its lines, and before a formula's `$`. A full-width mark has its space in itself,
and between two Chinese characters there is none. The index of the search has each character, and each two in a row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.search import SearchLanguage

MARKS = "，。：；、！？（）“”"
HAN = "\u4e00-\u9fff"
NEEDLESS = re.compile(rf"(?<=[{MARKS}])\s+|(?<=[{HAN}])\n(?=[{HAN}{MARKS}])")


def closed_up(texts: Sequence[str]) -> list[str]:
    """The parts of a paragraph, from one formula, link or emphasis to the next, without needless spaces."""
    closed = []
    for place, text in enumerate(texts):
        before, after = "".join(texts[:place])[-1:], "".join(texts[place + 1 :])[:1]
        at = len(before)
        kept = []
        for space in NEEDLESS.finditer(before + text + after, at):
            kept.append((before + text)[at : space.start()])
            at = space.end()
        closed.append("".join([*kept, (before + text)[at:]]))
    return closed


def close_up(_app: Sphinx, doctree: nodes.document) -> None:
    """Closes up the text of every paragraph."""
    for paragraph in doctree.findall(nodes.paragraph):
        texts = list(paragraph.findall(nodes.Text))
        for old, new in zip(texts, closed_up(texts), strict=True):
            if not isinstance(old.parent, (nodes.literal, nodes.math)):
                place = next(
                    place for place, child in enumerate(old.parent) if child is old
                )  # not the first that equals it
                old.parent[place] = nodes.Text(new)


class SearchChinese(SearchLanguage):
    """Splits a text into Chinese characters, pairs of them, and words of Latin letters."""

    lang = "zh"
    language_name = "Chinese"
    js_splitter_code = """
function splitQuery(query) {
  const terms = [];
  for (const run of query.match(/[\\u4e00-\\u9fff]+|[A-Za-z0-9_]+/g) || []) {
    if (/[A-Za-z0-9_]/.test(run) || run.length === 1) terms.push(run);
    else for (let at = 0; at !== run.length - 1; at++) terms.push(run.slice(at, at + 2));
  }
  return terms;
}
"""

    def split(self, text: str) -> list[str]:
        """The terms of a text, for the index."""
        chinese = re.findall(rf"[{HAN}]+", text)
        pairs = [run[at : at + 2] for run in chinese for at in range(len(run) - 1)]
        return [*"".join(chinese), *pairs, *re.findall(r"[A-Za-z0-9_]+", text)]

    def stem(self, word: str) -> str:
        """As it is, in small letters."""
        return word.lower()


def setup(app: Sphinx) -> dict[str, Any]:
    """Closes up each page after it was read, and makes the search known."""
    app.add_search_language(SearchChinese)
    app.connect("doctree-read", close_up, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
