"""Every link of a page leads to a file of this repository, and to a heading that is there."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

pytestmark = pytest.mark.docs
ROOT = Path(__file__).parent.parent
FOLDERS = ("manual", "backends", "compare", "tests", "docs", ".github")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])

CODE = re.compile(r"^(```+).*?^\1`*$|(`+)(?!`).+?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)|^ {0,3}\[[^\]^]+\]:\s+(\S+)", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)  # pages on the internet are not asked for


def links(text: str) -> list[str]:
    """What the page links to, inline or by reference; in code nothing is a link."""
    found = [inline or reference for inline, reference in LINK.findall(CODE.sub("code", text))]
    return [link for link in found if not ELSEWHERE.match(link)]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them: of two alike the second ends in -1."""
    without_blocks = re.sub(r"^(```+).*?^\1`*$", "", text, flags=re.DOTALL | re.MULTILINE)
    found: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", without_blocks, flags=re.MULTILINE):
        shown = re.sub(r"\]\([^)]*\)", "]", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    repeated = {f"{slug}-{n}" for slug, times in found.items() for n in range(1, times + 1)}
    return {*found, *repeated, *re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text)}


def broken_links(page: Path, root: Path) -> list[str]:
    return [link for link in links(page.read_text(encoding="utf-8")) if not _leads_somewhere(link, page, root)]


def _leads_somewhere(link: str, page: Path, root: Path) -> bool:
    path, _, anchor = unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page.resolve()
    if not (target.exists() and target.is_relative_to(root.resolve())):
        return False
    return not anchor or (target.suffix == ".md" and anchor in anchors(target.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    assert broken_links(page, ROOT) == []


def test_the_pages_have_links():
    assert sum(len(links(page.read_text(encoding="utf-8"))) for page in PAGES) > 15


@pytest.mark.parametrize(
    "link",
    [
        "[gone](gone.md)",
        "[gone](docs/gone.md)",
        "![gone](gone.svg)",
        '[gone](gone.md "with a title")',
        "[no such heading](#nowhere)",
        "[no such heading there](docs/other.md#nowhere)",
        "[only two of them](docs/other.md#twice-2)",
        "[a comment in code](docs/other.md#no-heading)",
        "[outside](../outside.md)",
        "[case matters](Docs/other.md)",
        "[by reference][1]\n\n[1]: gone.md",
    ],
)
def test_a_planted_broken_link_is_found(site, link):
    target = re.findall(r"[(\s]([^\s()]*(?:\.md|\.svg|#)[^\s()]*)", link)[-1]
    assert broken_links(site(link), site.root) == [target]


@pytest.mark.parametrize(
    "link",
    [
        "[a file](docs/other.md)",
        "[a folder](docs)",
        "[this page](#a-page-of-its-own)",
        "[that page](docs/other.md#twice-1)",
        "[math and code](docs/other.md#h_t-and-numpy-13)",
        "[the internet](https://example.org/gone.md#x)",
        "no link: `[gone](gone.md)`",
        "```\n[gone](gone.md)\n```",
        "[by reference][1]\n\n[1]: docs/other.md",
    ],
)
def test_a_good_link_is_none(site, link):
    assert broken_links(site(link), site.root) == []


@pytest.fixture
def site(tmp_path):
    """A small repository; writes its first page, beside which there is one other."""

    def write(text):
        page.write_text(f"# A page, of its own\n\n{text}\n", encoding="utf-8")
        return page

    write.root = tmp_path / "root"
    page = write.root / "README.md"
    (write.root / "docs").mkdir(parents=True)
    (tmp_path / "outside.md").write_text("# Outside\n")
    other = "## Twice\n\n## Twice\n\n### h_t and `NumPy` (13)\n\n```sh\n# no heading\n```\n"
    (write.root / "docs" / "other.md").write_text(other, encoding="utf-8")
    return write
