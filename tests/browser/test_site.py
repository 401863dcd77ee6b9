"""The documentation's site as its readers have it, from disk, in both languages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from browsing import THEMES, WIDTHS
from sampling import chequered

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
SHOWN = ["index", "derivation", "errata", "mistakes", "api-compare", "in-a-notebook", "zh/first-steps"]
TEXT = "() => document.querySelector('#search-results')?.innerText ?? ''"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The site as `nox --sessions site` builds it; `GRADPARITY_SITE` names one that is built already."""
    given = os.environ.get("GRADPARITY_SITE")
    if given:
        return Path(given)
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs/site/build_site.py"), str(folder)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize(("width", "theme"), chequered(WIDTHS, THEMES))
@pytest.mark.parametrize("name", SHOWN)
def test_a_page_is_read_without_a_barrier(opened, site, screenshots, record_property, name, width, theme):
    seen = opened(site / f"{name}.html", width=width, theme=theme)
    broken, counts = seen.axe()
    record_property("axe", (f"site {name}, {width}, {theme}", counts))
    seen.page.screenshot(path=screenshots / f"site-{name.replace('/', '-')}-{width}-{theme}.png", full_page=False)
    assert (seen.complaints, seen.requests, broken) == ([], [], [])
    assert seen.overflow() <= 0


def test_no_page_complains_or_asks_a_network(opened, site):
    """All pages of both languages, one after the other."""
    pages = sorted(page for page in site.rglob("*.html") if "_static" not in page.parts)
    assert len(pages) > 40
    seen = opened(pages[0])
    for page in pages:
        seen.page.goto(page.as_uri(), wait_until="load")
        assert (seen.complaints, seen.requests) == ([], []), page


@pytest.mark.parametrize("name", ["derivation", "first-steps", "zh/derivation"])
def test_everything_is_reached_by_keyboard(opened, site, name):
    seen = opened(site / f"{name}.html")
    reached, unmarked = seen.reached_by_keyboard()
    assert [element for element in seen.operable() if element not in reached] == []
    assert unmarked == []


@pytest.mark.parametrize(("folder", "words", "found"), [("", "truncated", "cut short"), ("zh", "梯度消失", "门控单元")])
def test_a_search_finds_from_disk(opened, site, folder, words, found):
    seen = opened(f"{(site / folder / 'search.html').as_uri()}?q={words}")
    seen.page.wait_for_function(f"() => ({TEXT})().includes({found!r})")
    assert seen.complaints == []


def test_a_formula_is_mathematics_for_a_reader_of_the_screen(opened, site):
    seen = opened(site / "derivation.html")
    assert len(seen.page.query_selector_all("math[display=block]")) >= 40
    assert seen.page.query_selector_all("merror, .math-error") == []
    equation = seen.page.query_selector("#equation-6")
    assert equation is not None
    assert equation.is_visible()


def test_both_languages_lead_to_each_other(opened, site):
    seen = opened(site / "derivation.html")
    seen.page.get_by_role("link", name="中文").first.click()
    assert seen.page.url.endswith("/zh/derivation.html")
    assert seen.page.evaluate("document.documentElement.lang").startswith("zh")
    seen.page.get_by_role("link", name="English").first.click()
    assert seen.page.url.endswith("/derivation.html")
    assert "/zh/" not in seen.page.url
