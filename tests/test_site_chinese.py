"""The Chinese part of the site: text without needless spaces, and a search that finds words."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.docs
site_chinese = pytest.importorskip("site_chinese", reason="needs the extra `site`")


@pytest.mark.parametrize(
    ("texts", "closed"),
    [
        (["甲，\n乙"], ["甲，乙"]),
        (["甲\n乙"], ["甲乙"]),
        (["甲", "\n", "乙"], ["甲", "", "乙"]),
        (["甲。", "\n", "x_t"], ["甲。", "", "x_t"]),
        (["甲， ", "x_t", " 乙"], ["甲，", "x_t", " 乙"]),
        (["甲\n", "x_t", "\n乙"], ["甲\n", "x_t", "\n乙"]),  # a space belongs between Chinese and a formula
        (["plain text\nin English"], ["plain text\nin English"]),
    ],
)
def test_spaces_are_kept_between_chinese_and_other_text_alone(texts, closed):
    assert site_chinese.closed_up(texts) == closed


def test_parts_that_are_equal_are_each_closed_up_in_their_own_place():
    nodes = pytest.importorskip("docutils.nodes")
    paragraph = nodes.paragraph()
    paragraph += [nodes.Text("以及"), nodes.Text("\n"), nodes.math("", "x"), nodes.Text("。"), nodes.Text("\n")]
    paragraph += [nodes.Text("乙， "), nodes.literal("", "甲。 乙")]
    document = nodes.section("", paragraph)
    site_chinese.close_up(None, document)
    assert paragraph.astext() == "以及\nx。乙，甲。 乙"


def test_the_index_has_characters_and_pairs_and_latin_words():
    language = site_chinese.SearchChinese({})
    assert language.split("门控 LSTM，梯度。") == ["门", "控", "梯", "度", "门控", "梯度", "LSTM"]
    assert language.stem("LSTM") == "lstm"
