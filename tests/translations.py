"""A page and its translation into Chinese, read piece by piece: what must be the same in both."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from posixpath import normpath

import pages

WORDS = {  # in formulas
    "length": "长度",
    "where ": "当 ",
    " where ": "，当 ",
    " (every step)": "（每一步）",
    " (last step)": "（最后一步）",
    "or": "或",
    "or ": "或 ",
    " (sum)": "（求和）",
    " (mean)": "（平均）",
    "for ": "其中 ",
    " past the length": "，超出长度之后",
    "the identity past the length": "超出长度之后为单位矩阵",
    " (squared error)": "（平方误差）",
    " (cross-entropies)": "（交叉熵）",
    "next layer": "上面一层",
    " of the layer below": "（下面一层）",
    " where there is one direction": "，若只有一个方向",
}
NAMES = {"above", "later", "cat"}  # stay as they are: the code has them, too
EMPHASIZED = {  # those that must not be exchanged
    "partial": "偏",
    "total": "全",
    "ordered": "有序",
    "immediate": "直接",
    "before": "之前",
    "after": "之后",
}

DISPLAYED = re.compile(r"\$\$(.*?)\$\$", re.DOTALL)
INLINE = re.compile(r"(?<!\$)\$(?!\$)([^$]+)\$(?!\$)")
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"(!?)\[((?:[^\]$`]|\$[^$]*\$|`[^`]*`)*)\]\(([^)\s]+)\)")
NUMBER = re.compile(r"\d+(?:\.\d+)*")
HAN = r"\u4e00-\u9fff"


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        level: of its heading, 1 for the page's title.
        title: as it is printed.
        pieces: what stands between empty lines, in order; a fenced block is one piece.
    """

    level: int
    title: str
    pieces: tuple[str, ...]

    @property
    def number(self) -> str:
        """As it is printed in front of the title; empty if there is none."""
        found = re.match(r"(\d+)\. ", self.title)
        return found[1] if found else ""


def sections(content: str) -> list[Section]:
    """The sections of a page, without the line that leads to the other language."""
    found: list[tuple[int, str, list[str]]] = []
    for piece in pieces(content):
        heading = re.fullmatch(r"(#+) (.*)", piece)
        if heading:
            found.append((len(heading[1]), heading[2], []))
        elif not re.fullmatch(r"\[(?:中文|English)\]\([^)]*\)", piece):
            found[-1][2].append(piece)
    return [Section(level, title, tuple(parts)) for level, title, parts in found]


def pieces(content: str) -> list[str]:
    """What stands between empty lines, outside fenced blocks."""
    found, at = [], 0
    for block in pages.FENCE.finditer(content):
        found += [*re.split(r"\n\s*\n", content[at : block.start()]), block[0]]
        at = block.end()
    found += re.split(r"\n\s*\n", content[at:])
    return [piece.strip("\n") for piece in found if piece.strip()]


def with_chinese_words(content: str) -> str:
    """A page with the words in its formulas in Chinese; one that `WORDS` lacks is marked, so that nothing equals it."""

    def chinese(word: str) -> str:
        return WORDS.get(word) or (word if word in NAMES else f"{word}, which WORDS lacks")

    return re.sub(r"\\text\{([^}]*)\}", lambda match: rf"\text{{{chinese(match[1])}}}", content)


def single_spaced(formula: str) -> str:
    return " ".join(formula.split())


def prose(piece: str) -> str:
    """The text of a piece: without fenced blocks, formulas and code, and with its links' words alone."""
    for pattern in (pages.FENCE, DISPLAYED, INLINE, CODE):
        piece = pattern.sub("·", piece)
    return LINK.sub(r"\2", piece)


def code_without_comments(text: str) -> str:
    """Python as it runs, the name of the file that it shows, and the equations that its comments cite."""
    cited = re.findall(r"\(\d+\)", " ".join(re.findall(r"#.*", text)))
    return f"{pages.Block('', 0, 'python', text).file} {cited} {ast.dump(ast.parse(text))}"


def blocks(piece: str) -> list[tuple[str, str]]:
    return [
        (language, code_without_comments(text) if language == "python" else text)
        for language, text in pages.FENCE.findall(piece)
    ]


def displayed(piece: str) -> list[str]:
    return [single_spaced(formula) for formula in DISPLAYED.findall(pages.FENCE.sub("", piece))]


def inline(piece: str) -> Counter[str]:
    return Counter(inline_in_order(piece))


def inline_in_order(piece: str) -> list[str]:
    return [single_spaced(formula) for formula in INLINE.findall(CODE.sub("", pages.FENCE.sub("", piece)))]


def code_names(piece: str) -> Counter[str]:
    return Counter(CODE.findall(pages.FENCE.sub("", piece)))


def numbers(piece: str) -> Counter[str]:
    """The numbers in the text, those of equations, `(58)`, among them."""
    return Counter(re.findall(rf"\({NUMBER.pattern}\)|{NUMBER.pattern}", prose(piece)))


def citations(piece: str) -> list[str]:
    """The numbers of equations, in order: which is right for which is told by it."""
    return re.findall(r"\(\d+\)", prose(piece))


def table(piece: str) -> list[list[tuple[bool, Counter[str], Counter[str]]]]:
    """Of each row the cells: whether they are empty, their formulas and their numbers."""
    rows = [line.strip("|").split("|") for line in piece.splitlines() if line.startswith("|")]
    return [[(not cell.strip(), inline(cell), numbers(cell)) for cell in row] for row in rows]


def items(piece: str) -> int:
    return len(re.findall(r"^(?:- |\d+\. )", piece, re.MULTILINE))


def emphases(piece: str) -> list[str]:
    """What is emphasized, in Chinese if `EMPHASIZED` has it, else empty; Chinese has no italics: all is bold there."""
    text = re.sub(r"^- ", "", prose(piece), flags=re.MULTILINE)
    words = [found[2].lower().rstrip(":") for found in re.finditer(r"(\*{1,2})(?=\S)([^*]+)\1", text)]
    return sorted(EMPHASIZED.get(word, word if word in EMPHASIZED.values() else "") for word in words)


SAME: Mapping[str, Callable[[str], object]] = {
    "blocks": blocks,
    "displayed formulas": displayed,
    "inline formulas": inline,
    "code": code_names,
    "numbers": numbers,
    "citations": citations,
    "tables": table,
    "items": items,
    "emphases": emphases,
}


@cache
def headings(page: str) -> list[str]:
    """The anchors of a page's sections in order, as GitHub makes them; none if there is no such page."""
    if not (page.endswith(".md") and (pages.ROOT / page).exists()):
        return []
    titles = [section.title for section in sections(pages.text(page))]
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


def english_of(page: str) -> str:
    """The English page of a Chinese one: it has the same name, in `manual/` or in `docs/`."""
    name = PurePosixPath(page).name
    return f"manual/{name}" if (pages.ROOT / "manual" / name).exists() else f"docs/{name}"


def is_chinese(path: str) -> bool:
    return path.startswith("docs/zh/")


def link_targets(piece: str, page: str) -> Counter[str]:
    """Where a piece links to: the English page, and of an anchor the place of its heading on the page."""
    found: Counter[str] = Counter()
    for _, _, link in LINK.findall(CODE.sub("", pages.FENCE.sub("", piece))):
        path, _, anchor = link.partition("#")
        target = normpath(f"{PurePosixPath(page).parent}/{path}") if path else page
        place = f"#{headings(target).index(anchor)}" if anchor in headings(target) else anchor
        found[f"{english_of(target) if is_chinese(target) else target}{place}"] += 1
    return found


def reordered(english: str, chinese: str) -> list[str]:
    """The Chinese pieces whose formulas stand in another order than in English, as grammar may want, or a mistake."""
    sides = [sections(with_chinese_words(english)), sections(chinese)]
    pairs = [zip(ours.pieces, theirs.pieces, strict=True) for ours, theirs in zip(*sides, strict=True)]
    return [other for pair in pairs for one, other in pair if inline_in_order(one) != inline_in_order(other)]


def differences(english: str, chinese: str, page: str) -> list[str]:
    """How the content of a Chinese page departs from that of its English page; empty if it does not.

    Args:
        english: the content of the English page.
        chinese: the content of the Chinese page.
        page: the Chinese page's path, to which its links are relative.
    """
    pairs = [sections(with_chinese_words(english)), sections(chinese)]
    outlines = [[(section.level, section.number) for section in side] for side in pairs]
    if outlines[0] != outlines[1]:
        return [f"sections: {outlines[0]} in English, {outlines[1]} in Chinese"]
    found = []
    for ours, theirs in zip(*pairs, strict=True):
        if len(ours.pieces) != len(theirs.pieces):
            found.append(f"{theirs.title}: {len(ours.pieces)} pieces in English, {len(theirs.pieces)} in Chinese")
            continue
        for one, other in zip((ours.title, *ours.pieces), (theirs.title, *theirs.pieces), strict=True):
            found += [
                f"{theirs.title}: {what}: {reading(one)} in English, {reading(other)} in Chinese; in: {other[:60]}"
                for what, reading in SAME.items()
                if reading(one) != reading(other)
            ]
            links = link_targets(one, english_of(page)), link_targets(other, page)
            if links[0] != links[1]:
                found.append(f"{theirs.title}: links: {links[0]} in English, {links[1]} in Chinese")
    return found
