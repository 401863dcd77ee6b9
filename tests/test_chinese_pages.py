"""The Chinese pages say what the English pages say: the same equations, code, numbers and links, in the same order."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pages
import pytest
import translations

pytestmark = pytest.mark.docs
INDEX = "docs/zh/README.md"
PAGES = [page for page in pages.pages() if page.startswith("docs/zh/") and page != INDEX]
BIBLIOGRAPHY = "出处"  # titles of papers stay in English
HAN = translations.HAN


def text_of(piece: str) -> str:
    """What a reader reads: formulas and code are left out."""
    return translations.prose(piece).replace("\n", " ")


def both(page: str) -> list[tuple[str, str]]:
    """The English and the Chinese text of each title and paragraph, but for the bibliography."""
    sides = [translations.sections(pages.text(each)) for each in (translations.english_of(page), page)]
    return [
        (text_of(one), text_of(other))
        for ours, theirs in zip(*sides, strict=True)
        if theirs.title != BIBLIOGRAPHY
        for one, other in zip((ours.title, *ours.pieces), (theirs.title, *theirs.pieces), strict=True)
    ]


def glossary() -> dict[str, tuple[str, list[str]]]:
    """Of each English term the Chinese one and those that are not to be written, from the index's last table."""
    rows = [line.strip("|").split("|") for line in pages.text(INDEX).split("## 术语")[1].splitlines() if "|" in line]
    cells = [[cell.strip() for cell in row] for row in rows[2:]]
    return {english: (chinese, [word for word in others.split("、") if word]) for english, chinese, others in cells}


def terms_lost(english: str, chinese: str, terms: dict[str, tuple[str, list[str]]]) -> list[str]:
    """Terms of the English text whose Chinese is not in the other; longer ones first: a cell state is not a cell."""
    lost = []
    for term in sorted(terms, key=len, reverse=True):
        english, times = re.subn(rf"\b{term.removesuffix('s')}", "·", english, flags=re.IGNORECASE)
        if times and terms[term][0] not in chinese:
            lost.append(term)
    return lost


ALIKE = ("forget gate", "output gate", "reset gate", "update gate", "linear state", "initial state")


def terms_added(english: str, chinese: str, terms: dict[str, tuple[str, list[str]]]) -> list[str]:
    """Those of `ALIKE` that the Chinese text has and the English has not: one for another."""
    return [term for term in ALIKE if terms[term][0] in chinese and term not in english.lower()]


def terms_avoided(chinese: str, terms: dict[str, tuple[str, list[str]]]) -> list[str]:
    return [word for _, others in terms.values() for word in others if word in chinese]


def english_left(chinese: str) -> list[str]:
    """Three English words or more in a row."""
    return re.findall(r"(?:[A-Za-z]+,? ){2,}[A-Za-z]+", chinese)


NEGATIONS = r"\b(?:not|no|never|nothing|neither|nor|none|without|cannot|unless)\b"
NEGATIONS_IN_CHINESE = "[不没无非未漏]"


def is_negated_in_english_alone(english: str, chinese: str) -> bool:
    return bool(re.search(NEGATIONS, english, re.IGNORECASE) and not re.search(NEGATIONS_IN_CHINESE, chinese))


def characters_a_word(english: str, chinese: str) -> float | None:
    """How long the Chinese text is beside the English; None if that has fewer than eight words."""
    words = len(re.findall("[A-Za-z]+", english))
    return len(re.findall(f"[{HAN}]", chinese)) / words if words >= 8 else None


# How many paragraphs of a page have formulas in another order, as Chinese grammar wants it; each was read.
REORDERED = {
    "derivation": 4,
    "derivation-other-ways": 6,
    "derivation-gates-and-stacks": 1,
    "derivation-feedforward": 1,
    "errata": 2,
    "first-steps": 0,
}
LENGTHS = (0.85, 2.5)  # of the pages as they were read whole, 0.89 to 2.18


MISPRINTS = {
    "no space between Chinese and Latin, digits, formulas or code": rf"[{HAN}][A-Za-z0-9$`]|[A-Za-z0-9$`][{HAN}]",
    "a half-width mark after or before Chinese": rf"[{HAN}] ?[,.;:?!()]|[,;:?!()][{HAN}]",
    "a space inside Chinese": rf"[{HAN}] [{HAN}]|[ ][，。：；、）”]|[，。：；、（）“”] (?!\$)",
    "a straight quotation mark": r"[\"']",
}


def misprints(content: str) -> list[str]:
    """What Chinese typography forbids, and formulas that a code host shows as text: it wants a space before `$`."""
    found = []
    for section in translations.sections(content):
        for piece in (section.title, *section.pieces):
            if piece.startswith(("```", "$$")):
                continue
            formulas = translations.INLINE.finditer(piece)
            found += [
                f"no space before {each[0]}" for each in formulas if piece[each.start() - 1 : each.start()].strip()
            ]
            marked = translations.CODE.sub("`c`", translations.INLINE.sub(r"$f$", piece))
            marked = re.sub(r"\((\d+)\)", r"\1", marked)  # the number of an equation has half-width brackets
            plain = translations.LINK.sub(r"\2", marked).replace("*", "").replace(" | ", "\n")
            for line in plain.splitlines():
                line = re.sub(r"^ *(?:- |\d+\. )?|^\| *| *\|$", "", line)
                found += [f"{what}: {line}" for what, pattern in MISPRINTS.items() if re.search(pattern, line)]
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_chinese_page_has_what_its_english_page_has(page):
    assert translations.differences(pages.text(translations.english_of(page)), pages.text(page), page) == []


def test_there_are_the_derivation_the_first_steps_and_the_errata_in_chinese():
    names = {PurePosixPath(page).name for page in PAGES}
    assert names >= {path.name for path in (pages.ROOT / "manual").glob("*.md")} | {"first-steps.md", "errata.md"}


@pytest.mark.parametrize("page", PAGES)
def test_the_two_pages_link_to_each_other_and_the_index_to_both_languages(page):
    english = translations.english_of(page)
    for here, there, word in ((page, english, "English"), (english, page, "中文")):
        links = re.findall(rf"^\[{word}\]\((.*)\)$", pages.text(here), re.MULTILINE)
        assert [(pages.ROOT / here).parent.joinpath(link).resolve() for link in links] == [pages.ROOT / there]
    assert f"]({PurePosixPath(page).name})" in pages.text(INDEX)


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_left_in_english(page):
    assert [run for _, chinese in both(page) for run in english_left(chinese)] == []
    assert all(re.search(f"[{HAN}]", other) for one, other in both(page) if re.search("[A-Za-z]{5}", one))


@pytest.mark.parametrize("page", PAGES)
def test_formulas_stand_in_the_order_of_the_english_page_but_where_they_were_read(page):
    english, chinese = pages.text(translations.english_of(page)), pages.text(page)
    assert len(translations.reordered(english, chinese)) == REORDERED[PurePosixPath(page).stem]


def test_two_formulas_exchanged_in_a_sentence_are_found():
    page = "docs/zh/derivation-gates-and-stacks.md"
    english, chinese = pages.text(translations.english_of(page)), pages.text(page)
    one, other = "$n_t$ 的因子是 $1 - z_t$", "$z_t$ 的因子是 $h_{t-1} - n_t$"
    exchanged = chinese.replace(one, "$n_t$ 的因子是 $h_{t-1} - n_t$").replace(other, "$z_t$ 的因子是 $1 - z_t$")
    assert exchanged != chinese
    assert len(translations.reordered(english, exchanged)) == REORDERED[PurePosixPath(page).stem] + 1


@pytest.mark.parametrize("page", PAGES)
def test_no_sentence_is_left_out(page):
    lengths = [(characters_a_word(*texts), texts[1]) for texts in both(page)]
    assert [each for each in lengths if each[0] and not LENGTHS[0] < each[0] < LENGTHS[1]] == []


@pytest.mark.parametrize("page", PAGES)
def test_no_negation_is_left_out(page):
    assert [chinese for english, chinese in both(page) if is_negated_in_english_alone(english, chinese)] == []


@pytest.mark.parametrize("page", PAGES)
def test_each_term_is_the_one_of_the_glossary(page):
    assert [
        (terms_lost(*texts, glossary()), texts[1][:30]) for texts in both(page) if terms_lost(*texts, glossary())
    ] == []
    assert [terms_added(*texts, glossary()) for texts in both(page) if terms_added(*texts, glossary())] == []
    assert terms_avoided(pages.text(page), glossary()) == []


def test_each_term_of_the_glossary_is_used():
    texts = [texts for page in PAGES for texts in both(page)]
    used = {
        term
        for term, (chinese, _) in glossary().items()
        for one, other in texts
        if re.search(rf"\b{term.removesuffix('s')}", one, re.IGNORECASE) and chinese in other
    }
    assert glossary().keys() - used == set()


@pytest.mark.parametrize("page", [INDEX, *PAGES])
def test_the_typography_is_chinese(page):
    assert misprints(pages.text(page)) == []


@pytest.mark.parametrize(
    ("page", "old", "new", "what"),
    [
        ("derivation", "U x_t + W h_{t-1} + b \\tag{1}", "U x_t - W h_{t-1} + b \\tag{1}", "displayed formulas"),
        ("derivation", "W^\\top \\mathrm{d}a_t \\quad", "W \\mathrm{d}a_t \\quad", "displayed formulas"),
        ("derivation", "\\tag{35}", "\\tag{36}", "displayed formulas"),
        ("derivation", "$$ \\varphi'(a) = [h > 0] \\tag{8} $$\n\n", "", "pieces"),
        ("derivation", "\\text{当 } t > \\text{长度}", "\\text{where } t > \\text{长度}", "displayed formulas"),
        ("derivation", "\\text{长度} \\rbrace \\text{（最后一步）}", "\\text{长度} \\rbrace", "displayed formulas"),
        ("derivation", "对 $(1 + e^{-a})^{-1}$ 求导", "对 $(1 + e^{-a})$ 求导", "inline formulas"),
        ("derivation", "以 `# (58)` 结尾", "以 `# (59)` 结尾", "code"),
        ("derivation", "`step_backward`", "`backward_step`", "code"),
        ("derivation", "以下式代替 (2)", "以下式代替 (1)", "numbers"),
        ("derivation", "第 13、14 节", "第 13、15 节", "numbers"),
        ("derivation", "| 136 |", "| 137 |", "numbers"),
        ("derivation", "| 16 · 1 | 58 · 2 |", "| 58 · 2 | 16 · 1 |", "tables"),
        ("derivation", "| $b, c$ | $G,\\ K$ | 偏置 |\n", "", "tables"),
        ("derivation", "(../../manual/equations.py)", "(../../manual/losses.py)", "links"),
        ("derivation", "#3-两处转置与一条路径", "#2-交叉熵中的一个符号", "links"),
        ("derivation", "## 6. 反向传播：读出层", "## 7. 反向传播：读出层", "sections"),
        ("derivation", "[136.  58.  16.   4.]", "[136.  58.  16.   5.]", "blocks"),
        ("derivation", "A[i + 1 :, i]  # (26)", "A[i, i + 1 :]  # (26)", "blocks"),
        ("derivation", "A[i + 1 :, i]  # (26)", "A[i + 1 :, i]  # (27)", "blocks"),
        ("derivation", "**不是**", "不是", "emphases"),
        ("derivation", "该步**之前**的隐藏状态", "该步**之后**的隐藏状态", "emphases"),
        ("derivation-gates-and-stacks", "它作用在相乘**之前**", "它作用在相乘**之后**", "emphases"),
        ("errata", "softmax 见 (15)，sigmoid 见 (18)", "softmax 见 (18)，sigmoid 见 (15)", "citations"),
        ("first-steps", "agree (bitwise)\n…", "agree\n…", "blocks"),
        ("first-steps", "# elman.py", "# other.py", "blocks"),
        ("first-steps", "退出码为 0", "退出码为 1", "numbers"),
        ("first-steps", "- [测试](../testing.md)（英文）：fixture、标记、随机问题。\n", "", "items"),
        ("errata", "V in place of V.T       6.5965", "V in place of V.T       6.5956", "blocks"),
    ],
)
def test_a_planted_fault_is_found(page, old, new, what):
    page = f"docs/zh/{page}.md"
    content = pages.text(page)
    assert content.count(old) == 1
    found = translations.differences(pages.text(translations.english_of(page)), content.replace(old, new), page)
    assert any(what in each for each in found)


def test_two_sections_exchanged_are_found():
    page = "docs/zh/derivation-feedforward.md"
    before, first, second = re.split(r"(?=^## )", pages.text(page), flags=re.MULTILINE)
    found = translations.differences(pages.text(translations.english_of(page)), before + second + first, page)
    assert [each[:9] for each in found] == ["sections:"]


def test_two_equations_exchanged_are_found():
    page = "docs/zh/derivation-feedforward.md"
    content = pages.text(page)
    one, other = "\\mathrm{d}W^l = \\delta^l (a^{l-1})^\\top", "\\mathrm{d}b^l = \\delta^l"
    exchanged = (
        content.replace(f"{one} \\tag", "@").replace(f"{other} \\tag", f"{one} \\tag").replace("@", f"{other} \\tag")
    )
    found = translations.differences(pages.text(translations.english_of(page)), exchanged, page)
    assert len(found) == 2


def test_a_comment_in_an_example_may_be_in_chinese():
    one, other = "x = 1  # one\n", "x = 1  # 一\n"
    assert translations.code_without_comments(one) == translations.code_without_comments(other)
    assert translations.code_without_comments(one) != translations.code_without_comments("x = 2  # one\n")


@pytest.mark.parametrize(
    ("page", "old", "new", "is_found"),
    [
        ("derivation-gates-and-stacks", "由重置门决定", "由更新门决定", lambda *texts: terms_added(*texts, glossary())),
        ("derivation-gates-and-stacks", "它不等于", "它等于", is_negated_in_english_alone),
        (
            "derivation-feedforward",
            "区别有二：损失只从顶端进入；\n每层有自己的权重，所以不对层求和。",
            "",
            lambda *texts: (characters_a_word(*texts) or 1) < LENGTHS[0],
        ),
    ],
)
def test_a_planted_fault_in_the_words_is_found(page, old, new, is_found):
    page = f"docs/zh/{page}.md"
    (whole,) = (piece for piece in translations.pieces(pages.text(page)) if old in piece)
    (english,) = (one for one, other in both(page) if other == text_of(whole))
    assert not is_found(english, text_of(whole))
    assert is_found(english, text_of(whole.replace(old, new)))


def test_a_wrong_term_and_a_sentence_in_english_are_found():
    assert terms_lost("The forget gate opens.", "忘记门打开。", glossary()) == ["forget gate"]
    assert terms_lost("The cell state is kept.", "细胞状态得以保留。", glossary()) == []
    assert terms_avoided("反向传播通过时间与隐状态", glossary()) == ["反向传播通过时间", "隐状态"]
    assert english_left("由此得 so that nothing cancels。") == ["so that nothing cancels"]


@pytest.mark.parametrize(
    "line",
    [
        "由$x$ 得",
        "由， $x$得",
        "（$x$ 是输入）",
        "由 (1),得",
        "由代码`rnn`得",
        "由 (1) 得: 零",
        "用PyTorch 算",
        '他说 "对"',
        "先 后",
        "是 a 。",
    ],
)
def test_a_planted_misprint_is_found(line):
    assert misprints(f"# 题\n\n{line}\n")
