"""The parts of a page: hostile names stay text, nothing is fetched, and what is seen is told without sight."""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from fnmatch import fnmatch
from itertools import pairwise

import numpy as np
import pytest
from gradparity.backends import MissingFrameworkError, RequestError
from gradparity.compare.report import (
    MAX_BYTES,
    Attachment,
    Cell,
    Column,
    Copyable,
    Facts,
    Fold,
    HeatMap,
    Image,
    Link,
    Mark,
    Matrix,
    MatrixRow,
    Page,
    Picture,
    Preformatted,
    Prose,
    Section,
    Source,
    SourceLine,
    Table,
    array_diff,
    heat_map,
    render,
    render_fragment,
    write_report,
)
from gradparity.compare.report.rendering import TEMPLATES
from html_pages import parsed
from pages import ROOT

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;",
]
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path class="series-1" d="M0 0L9 9"/></svg>'


def every_part(text):
    """A part of each kind, with a text wherever a text may be."""
    mark = Mark(text, "bad", text)
    return (
        Facts(((text, text), (text, Link(text, text)), (text, mark))),
        Prose(f"{text}\n\n`{text}`", (Link(text, "https://example.org/a"),)),
        Preformatted(text, text),
        Copyable(text, text),
        Attachment(text, b"content", text),
        Source(text, (SourceLine(1, text), SourceLine(9, f"  {text}", ((2, 2 + len(text)),))), text),
        Fold(text, (Prose(text),)),
        Table(
            text, (Column(text), Column(text, True)), ((text, 1.5), (Cell(text, text), None), (mark, Link(text, text)))
        ),
        Matrix(text, text, (text, text), (MatrixRow(text, (mark, None)), MatrixRow(Link(text, "#a"), (None, mark)))),
        HeatMap(text, text, (text,), ((text, (0.5,)), (text, (text,)), (text, (None,))), note=text),
        array_diff(text, np.ones(2), np.zeros(2), 0.1, names=(text, text)),
        Picture(SVG, text, text),
        Image(b"x", text, text),
    )


def page_with(text):
    parts = every_part(text)
    return Page(text, Mark(text, "good", text), (*parts, *(Section(text, parts) for _ in range(3))), ((text, text),))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_text_in_every_part(text):
    document = parsed(render(page_with(text)))
    harmless = parsed(render(page_with("harmless")))
    assert [one.tag for one in document.all()] == [one.tag for one in harmless.all()]
    attributes = {name for one in document.all() for name in one.attributes}
    assert attributes == {name for one in harmless.all() for name in one.attributes}
    assert not [name for name in attributes if name.startswith("on")]
    assert document.all("h1")[0].text == text
    assert [one.text for one in document.all("td") if text in one.text]
    assert document.all("mark")[0].text == text


def test_what_turns_the_direction_of_writing_or_cannot_be_seen_is_written_as_an_escape():
    html = render(page_with("a\u202eb\u200bc\x1b[2J\ud800"))
    assert not re.search("[\u202e\u200b\x1b\ud800]", html)
    assert "a\\u202eb\\u200bc\\x1b[2J\\ud800" in parsed(html).all("h1")[0].text
    assert "梯度 — ∂L/∂θ" in render(page_with("梯度 — ∂L/∂θ"))


def test_a_link_that_runs_something_is_text():
    links = [Link("here", target) for target in ("javascript:alert(1)", "data:text/html,x", "//evil", " https://x")]
    document = parsed(render(Page("p", Mark("v"), (Facts(tuple(("to", link) for link in links)),))))
    assert [one.attributes["href"] for one in document.all("a")] == ["#main"]


def test_nothing_is_fetched_and_the_policy_allows_the_pages_own_script_only():
    document = parsed(render(page_with("x")))
    policy = document.all("meta", **{"http-equiv": "Content-Security-Policy"})[0].attributes["content"]
    for kind in ("script", "style"):
        (element,) = document.all(kind)
        assert "src" not in element.attributes
        digest = base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp", "".join(one.text for one in document.all("style")))
    assert not document.all("link")
    assert all(one.attributes["src"].startswith("data:") for one in document.all("img"))
    assert not [one for one in document.all() if "style" in one.attributes]  # which the policy would not let through


@pytest.mark.parametrize(
    "svg",
    [
        SVG.replace("<path", "<script>alert(1)</script><path"),
        SVG.replace("<path", '<path onload="alert(1)"'),
        SVG.replace("<path", '<path style="fill: red"'),
        SVG.replace("<path", '<a href="https://example.org"/><path'),
        "<p>no picture</p>",
    ],
)
def test_a_picture_that_could_do_more_than_be_seen_is_refused(svg):
    with pytest.raises(ValueError, match="a picture"):
        Picture(svg, "text")


def test_who_does_not_see_is_told_all_that_is_seen():
    document = parsed(render(page_with("x")))
    assert document.all("html")[0].attributes["lang"] == "en"
    assert [len(document.all(tag)) for tag in ("main", "header", "footer", "nav", "h1")] == [1] * 5
    levels = [int(one.tag[1]) for one in document.all() if re.fullmatch(r"h\d", one.tag)]
    assert all(below <= above + 1 for above, below in pairwise(levels))
    assert all(table.all("caption") and table.all("th", scope="col") for table in document.all("table"))
    scrolled = document.of_class("scroll")
    assert scrolled
    assert all(one.attributes["tabindex"] == "0" and one.attributes["aria-label"] for one in scrolled)
    assert all(one.attributes["alt"] for one in document.all("img"))
    assert document.all("a")[0].attributes["href"] == f"#{document.all('main')[0].attributes['id']}"
    targets = {one.attributes["href"][1:] for one in document.all("nav")[0].all("a")}
    assert targets == {one.attributes["id"] for one in document.all("section") if "id" in one.attributes}


def test_a_verdict_is_told_without_its_colour():
    marks = tuple(
        Mark(word, tone) for word, tone in (("agree", "good"), ("disagree", "bad"), ("undecidable", "unsure"))
    )
    document = parsed(render(Page("p", marks[1], (Matrix("m", "s", ("a", "b", "c"), (MatrixRow("r", marks),)),))))
    assert [one.text for one in document.all("td")] == ["✓ agree", "✗ disagree", "? undecidable"]
    assert document.of_class("verdict")[0].text == "✗ disagree"


def test_a_number_is_shaded_by_its_size_and_written_out():
    values = (0.05, 0.9, 1.0, 1.1, 5e7, float("inf"), float("nan"), "?", None)
    document = parsed(render(Page("p", Mark("v"), (HeatMap("h", "b", tuple("123456789"), (("o_t", values),)),))))
    shown = [(one.attributes.get("class"), one.text) for one in document.all("td")]
    assert shown == [
        ("shade-1", "0.05"),
        ("shade-3", "0.9"),
        ("shade-3", "1"),
        ("shade1", "1.1"),
        ("shade4", "5e7"),
        ("shade4", "∞"),
        ("shade4", "nan"),
        (None, "?"),
        (None, "·"),
    ]


@pytest.mark.parametrize("shape", [(), (3,), (40, 30), (5, 40, 30), (2, 0)])
def test_the_entry_that_is_wrong_is_shown_and_marked(shape):
    right = np.arange(np.prod(shape), dtype="f8").reshape(shape)
    given = right.copy()
    if given.size:
        given[(-1,) * given.ndim] += 1e-9
    diff = array_diff("dW", right, given, allowed=1e-12)
    assert len(diff.rows) <= 12
    assert all(len(row[1]) == len(diff.columns) <= 6 for row in diff.rows)
    marked = [
        (a, b)
        for _, one, other, wrong in diff.rows
        for a, b, is_wrong in zip(one, other, wrong, strict=True)
        if is_wrong
    ]
    assert len(marked) == min(right.size, 1)
    assert all(a != b for a, b in marked)  # with as many digits as tell them apart
    assert diff.note.startswith(f"{len(marked)} of {right.size} entries")


def test_what_is_not_a_number_is_wrong_and_what_is_not_judged_is_not():
    right = np.array([1.0, 2.0, 3.0])
    diff = array_diff("dW", right, np.array([np.nan, 5.0, 3.0]), 0.1, unjudged=(1,))
    assert [row[3] for row in diff.rows] == [(True, False, False)]


def test_steps_that_are_put_together_keep_the_largest():
    rows = [("loss", [0.5, *[None] * 100]), ("o_t", [None, *[0.1] * 99, 7.0])]
    short = heat_map("h", "block", ["whole", *map(str, range(1, 101))], rows, fixed=1)
    assert short.columns[:2] == ("whole", "1–4")
    assert len(short.columns) <= 33
    assert (short.rows[0][1][0], short.rows[1][1][-1]) == (0.5, 7.0)
    assert "the largest of 4 neighbours" in short.note


def large_table(rows):
    columns = (Column("problem"), Column("verdict"), Column("ulp", is_number=True))
    row = ("lstm (softmax_cross_entropy), float64, T=12 B=3 D=4 H=8 K=5", Mark("agree", "good"), 0.25)
    return Table("Problems", columns, (row,) * rows, left_out="All are in sweep.jsonl.")


def test_of_20000_rows_the_first_are_shown_and_a_note_says_so():
    html = render(Page("p", Mark("v"), (large_table(20_000),)))
    document = parsed(html)
    assert len(document.all("tbody")[0].all("tr")) == 500
    assert "These are 500 of 20,000 rows, the first ones. All are in sweep.jsonl." in document.of_class("note")[0].text
    assert len(html.encode()) < 200_000
    assert document.all("details")  # folded


@pytest.mark.parametrize(
    "parts",
    [
        [large_table(5000) for _ in range(40)],
        [Preformatted("梯" * 3_000_000)],
        [Fold("f", tuple(Attachment(f"{n}.npz", bytes(200_000), "case") for n in range(12)))],
        [Image(bytes(3_000_000), "a picture")],
        [Matrix("m", "s", ("a",) * 9, (MatrixRow("r" * 60, (Mark("agree", "good", "0.5 ulp"),) * 9),) * 5000)],
        [Prose(f"part {n} " + "x" * 900) for n in range(5000)],
    ],
    ids=["tables", "text", "files", "picture", "matrix", "parts"],
)
def test_a_page_has_two_megabytes_at_most_and_says_what_is_left_out(parts):
    html = render(Page("p", Mark("v"), tuple(parts)))
    assert len(html.encode()) <= MAX_BYTES
    assert re.search(r"of [\d,]+ rows|characters more|Left out, since it has|parts are left out", parsed(html).text)


def test_a_fragment_styles_nothing_outside_and_runs_nothing():
    html = render_fragment(every_part("x"))
    document = parsed(html)
    (outer,) = [one for one in document.content if not isinstance(one, str)]
    assert (outer.tag, outer.attributes["class"]) == ("div", "gradparity")
    assert not document.all("script")
    styles = re.sub(r"@media[^{]*\{(.*?\n)\}", r"\1", document.all("style")[0].text, flags=re.DOTALL)
    selectors = [one.strip() for rule in re.findall(r"([^{}]+)\{", styles) for one in re.split(r",(?![^(]*\))", rule)]
    assert len(selectors) > 50
    assert [one for one in selectors if ".gradparity" not in one] == []


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    assert write_report(path, Page("p", Mark("v"), ())) == path
    before = path.read_bytes()
    with pytest.raises(ValueError, match="cells"):
        write_report(path, Page("p", Mark("v"), (Table("t", (Column("a"),), (("b", "c"),)),)))
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(RequestError, match="No space left"):
        write_report(path, Page("other", Mark("v"), ()))
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_the_templates_are_in_the_wheel():
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    files = [path.relative_to(TEMPLATES.parent).as_posix() for path in TEMPLATES.iterdir()]
    assert len(files) >= 6
    assert [name for name in files if not any(fnmatch(name, one) for one in data["gradparity.compare.report"])] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("report.pdf", "report.pdf: expected a file that ends in .html or .htm"),
        ("report", "report: expected a file that ends in .html or .htm"),
        ("none/report.html", "there is no folder"),
    ],
)
def test_a_file_that_cannot_be_a_page_is_refused(name, message, tmp_path):
    with pytest.raises(RequestError, match=re.escape(message)):
        write_report(tmp_path / name, Page("p", Mark("v"), ()))
    assert list(tmp_path.iterdir()) == []


def test_without_jinja2_it_says_what_to_install(hide, tmp_path):
    hide("jinja2")
    with pytest.raises(
        MissingFrameworkError, match=re.escape("a report needs Jinja2, which is not installed: pip install")
    ):
        write_report(tmp_path / "report.html", Page("p", Mark("v"), ()))
