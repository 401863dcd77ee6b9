"""The documentation's site: its pages and their links, its formulas, and what checks it once it is built.

`nox --sessions site` builds it, without a warning.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

import check_site
import equation_lines
import pytest
import site_pages

pytestmark = pytest.mark.docs
ROOT = site_pages.ROOT
LANGUAGES = [language for language in site_pages.FOLDERS if site_pages.pages(language)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_links_of_all_pages_lead_to_pages_or_listings_of_the_site(language, tmp_path):
    links = site_pages.gather(language, tmp_path)
    assert {page.stem for page in tmp_path.glob("*.md")} == site_pages.pages(language).keys()
    derivation = (tmp_path / "derivation.md").read_text(encoding="utf-8")
    assert f"(site:{links.to_top}source/manual/equations.py.html)" in derivation
    assert "(derivation-other-ways.md)" in derivation


def test_what_pages_of_either_language_link_to_is_listed(repository):
    repository("[a](../compare)")
    (repository.root / "docs" / "zh").mkdir()
    (repository.root / "docs" / "zh" / "README.md").write_text("[a](../../code.py)\n")
    (repository.root / "code.py").touch()
    (repository.root / "compare" / "api.py").touch()
    found = [path.relative_to(repository.root).as_posix() for path in site_pages.files_listed(repository.root)]
    assert found == ["code.py", "compare", "compare/api.py", "manual/rnn.py"]


def test_every_page_is_in_the_navigation_once():
    for language in LANGUAGES:
        names = site_pages.pages(language).keys()
        entries = re.findall(r"^[\w-]+$", site_pages.navigation(language, names), re.MULTILINE)
        assert sorted(entries) == sorted({*entries})
        assert names - set(entries) == {"index"}
    assert "\na-new-page\n" in site_pages.navigation(site_pages.ENGLISH, ["a-new-page"])


@pytest.fixture
def repository(tmp_path):
    """A small one, with a page, another beside it, and a file of code; writes the page, and gives its path."""
    for folder in ("docs", "manual", "compare/bench"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/README.md", "manual/derivation.md"):
        (tmp_path / name).write_text("# A page\n")
    (tmp_path / "compare" / "bench" / "bench.md").write_text("# A page\n")
    (tmp_path / "manual" / "rnn.py").write_text("a = 1  # (1)\n")

    def write(text):
        (tmp_path / "docs" / "page.md").write_text(text)
        return tmp_path / "docs" / "page.md"

    write.root = tmp_path
    return write


@pytest.mark.parametrize(
    ("written", "rewritten"),
    [
        ("[a](../manual/derivation.md#b)", "[a](derivation.md#b)"),
        ("[a](../README.md), [b](#here)", "[a](index.md), [b](#here)"),
        ("[a](../manual/rnn.py)", "[a](site:source/manual/rnn.py.html)"),
        ("[a](../manual)", "[a](site:source/manual/index.html)"),
        ("[`a`][1]\n\n[1]: ../manual/rnn.py\n", "[`a`][1]\n\n[1]: site:source/manual/rnn.py.html\n"),
        ("`[a](gone.md)`\n\n```\n[a](gone.md)\n```\n", "`[a](gone.md)`\n\n```\n[a](gone.md)\n```\n"),
        ("[a](https://example.org/b.md)", "[a](https://example.org/b.md)"),
    ],
)
def test_a_link_is_rewritten_outside_code_alone(repository, written, rewritten):
    page = repository(written)
    assert site_pages.Links(site_pages.ENGLISH, repository.root).rewritten(written, page) == rewritten


@pytest.mark.parametrize("link", ["gone.md", "../gone.py", "../../outside.md"])
def test_a_link_that_leads_nowhere_is_named_with_its_page(repository, link):
    repository(f"[a]({link})")
    (repository.root.parent / "outside.md").write_text("# Outside\n")
    with pytest.raises(site_pages.BrokenLinkError, match=re.escape(f"docs/page.md: the link '{link}' leads nowhere")):
        site_pages.gather(site_pages.ENGLISH, repository.root / "built", repository.root)


def test_a_link_to_the_other_language_leads_to_its_folder(repository):
    (repository.root / "docs" / "zh").mkdir()
    (repository.root / "docs" / "zh" / "README.md").write_text("# 文档\n")
    page, in_chinese = repository(""), repository.root / "docs" / "zh" / "page.md"
    in_chinese.write_text("# 文档\n")
    english, chinese = (site_pages.Links(language, repository.root) for language in site_pages.FOLDERS)
    assert english.target("zh/page.md", page) == "site:zh/page.html"
    assert chinese.target("../page.md", in_chinese) == "site:../page.html"
    assert chinese.target("../../manual/rnn.py", in_chinese) == "site:../source/manual/rnn.py.html"


def test_each_numbered_equation_has_its_lines_of_code():
    lines = equation_lines.lines_of_equations(ROOT)
    assert lines.keys() == equation_lines.pages_of_equations(ROOT / "manual").keys()
    first, *others = lines[36]
    assert (first.path, first.function) == ("manual/equations.py", "recurrent_weights_backward")
    assert first.text == "dW += da.T @ h_before  # (36)"
    assert {line.path for line in others} >= {"manual/affine.py"}


def test_a_line_and_its_equation_that_do_not_meet_are_found(repository):
    (repository.root / "manual" / "derivation.md").write_text("$$ a = 1 \\tag{2} $$\n")
    lines = equation_lines.lines_of_equations(repository.root)
    assert lines == {1: [equation_lines.CodeLine("manual/rnn.py", 1, "a = 1  # (1)", "")]}
    assert equation_lines.pages_of_equations(repository.root / "manual") == {2: "derivation"}


FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)


def formulas():
    """Every formula of every page, with whether it stands by itself."""
    for language in LANGUAGES:
        for page in site_pages.pages(language).values():
            text = site_pages.CODE.sub("", page.read_text(encoding="utf-8"))
            yield from ((display or inline, bool(display)) for display, inline in FORMULA.findall(text))


def test_every_formula_becomes_mathml():
    pytest.importorskip("latex2mathml", reason="needs the extra `site`")
    site_math = pytest.importorskip("site_math", reason="needs the extra `site`")
    found = {latex: site_math.mathml(equation_lines.TAG.sub("", latex), display=alone) for latex, alone in formulas()}
    assert len(found) > 300
    assert all(formula.startswith("<math") for formula in found.values())


def test_a_command_that_is_not_known_is_named():
    site_math = pytest.importorskip("site_math", reason="needs the extra `site`")
    with pytest.raises(ValueError, match=r"\\lvrt is not known"):
        site_math.mathml(r"\lvrt x", display=False)


@pytest.mark.parametrize(
    ("latex", "part"),
    [
        (r"\mathrm{d}v", '<mi mathvariant="normal">d</mi><mi>v</mi>'),
        (r"\mathrm{diag}(v)", "<mi>diag</mi><mo"),
        (r"\text{later}", "<mtext>later</mtext>"),
        ("[u; v]", "<mi>u</mi><mo>;</mo>"),
        (r"\tanh^2 c", '<msup><mi>tanh</mi><mn>2</mn></msup><mspace width="0.17em" /><mi>c</mi>'),
        (r"\tanh(c)", '<mi>tanh</mi><mo stretchy="false">(</mo>'),
        ("s(-o)", '<mo form="prefix">−</mo>'),
        ("(a) - b", "<mo>−</mo><mi>b</mi>"),
    ],
)
def test_names_and_operators_of_a_formula_are_told_apart(latex, part):
    site_math = pytest.importorskip("site_math", reason="needs the extra `site`")
    assert part in site_math.mathml(latex, display=False)


@pytest.fixture
def linked():
    """Links the numbers in a page's code, on a site with equations (1) and (36)."""
    site_math = pytest.importorskip("site_math", reason="needs the extra `site`")
    app = SimpleNamespace(config=SimpleNamespace(site_equations={1: "derivation", 36: "derivation"}))

    def link(page, code):
        context = {"body": f'(1) <div class="highlight">{code}</div>'}
        site_math.link_numbers_in_code(app, page, "page.html", context, None)
        return context["body"].removeprefix('(1) <div class="highlight">').removesuffix("</div>")

    return link


EQUATION = '<a class="equation-reference" href="{}derivation.html#equation-36">(36)</a>'


@pytest.mark.parametrize(
    ("page", "code", "top"),
    [
        ("check-a-gradient", "(violates equation {} of the derivation) (1)", ""),
        ("derivation", '<span class="c1"># {}</span> f(1)', ""),
        ("source/manual/rnn.py", '<span class="c1"># {}</span>', "../../"),
    ],
)
def test_the_number_of_an_equation_in_code_leads_to_it(linked, page, code, top):
    assert linked(page, code.format("(36)")) == code.format(EQUATION.format(top))


@pytest.mark.parametrize("code", ["equation (36) of the paper", '<span class="c1"># (36)</span>', "f(36)"])
def test_other_numbers_are_left_alone(linked, code):
    assert linked("your-own-function", code) == code
    assert linked("derivation", '<span class="c1"># (99)</span>') == '<span class="c1"># (99)</span>'


PAGE = '<html><head><link href="a.css"></head><body><h1 id="top">A</h1><a href="{}">b</a><script src="{}"></script>'


@pytest.fixture
def built(tmp_path):
    """Writes a site of one page with a link and a script, and gives its faults."""
    (tmp_path / "a.css").touch()
    (tmp_path / "a.js").touch()

    def faults(link="#top", script="a.js"):
        (tmp_path / "index.html").write_text(PAGE.format(link, script))
        return check_site.faults(tmp_path)

    faults.page = tmp_path / "index.html"
    return faults


@pytest.mark.parametrize("link", ["#top", "index.html#top", "a.css", "https://example.org/gone"])
def test_a_whole_site_has_no_faults(built, link):
    assert built(link) == []


@pytest.mark.parametrize("link", ["gone.html", "#bottom", "index.html#bottom", "../outside/gone.css"])
def test_a_link_of_the_built_site_that_leads_nowhere_is_found(built, link):
    assert built(link) == [f"index.html links to {link}, which is not there"]


@pytest.mark.parametrize("script", ["https://example.org/a.js", "//example.org/a.js"])
def test_what_is_loaded_from_elsewhere_is_found(built, script):
    assert built(script=script) == [f"index.html loads {script}"]


def test_a_name_without_an_entry_is_found(built):
    built()
    assert check_site.missing(["top", "bottom"], built.page) == ["bottom"]
