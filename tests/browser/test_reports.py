"""Reports as their readers have them: on a screen and a telephone, light and dark, by mouse, keyboard and reader."""

from __future__ import annotations

import re

import pytest
from browsing import THEMES, WIDTHS, unfold
from report_files import COMMANDS, HOSTILE_NAME, written
from sampling import chequered

pytestmark = pytest.mark.browser
NAMES = [*COMMANDS, "pytest"]
SORTED = """(table, column) => [...table.tBodies[0].rows].map(row => row.cells[column].dataset.value)
    .filter(value => value !== undefined)"""


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """Writes the report of a kind, once."""
    folder, pages = tmp_path_factory.mktemp("reports"), {}

    def of(name):
        if name not in pages:
            pages[name] = written(name, folder / name)
        return pages[name]

    return of


@pytest.mark.parametrize(("width", "theme"), chequered(WIDTHS, THEMES))
@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_read_without_a_barrier(opened, report, screenshots, record_property, name, width, theme):
    """No error on the console, nothing asked of a network, no rule of axe broken, nothing wider than the screen."""
    seen = opened(report(name), width=width, theme=theme)
    for fold in seen.page.query_selector_all("details:not([open])"):
        fold.evaluate("element => { element.open = true; }")
    broken, counts = seen.axe()
    record_property("axe", (f"report {name}, {width}, {theme}", counts))
    seen.page.screenshot(path=screenshots / f"{name}-{width}-{theme}.png", full_page=True)
    assert (seen.complaints, seen.requests, broken) == ([], [], [])
    assert seen.overflow() <= 0


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_reached_by_keyboard_and_shows_that_it_has_the_focus(opened, report, name):
    seen = opened(report(name))
    reached, unmarked = seen.reached_by_keyboard()
    assert sorted(reached) == sorted(seen.operable())
    assert len(reached) > 2
    assert unmarked == []


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_button_copies_what_stands_beside_it(opened, report, name):
    seen = opened(report(name))
    figures = seen.page.query_selector_all(".copyable")
    if name in ("disagree", "own-wrong", "system-wrong", "sweep", "pytest"):
        assert figures
    for figure in figures:
        unfold(figure)
        figure.query_selector("button").click()
        seen.page.wait_for_function("element => element.textContent === 'Copied'", arg=figure.query_selector("button"))
        assert seen.page.evaluate("navigator.clipboard.readText()") == figure.query_selector("code").text_content()
    assert seen.complaints == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "own-right"])
def test_a_table_is_sorted_by_its_headings_in_both_ways(opened, report, name):
    seen = opened(report(name))
    tables = seen.page.query_selector_all("table.sortable")
    if name in ("bench", "sweep", "detect", "functions"):
        assert tables
    for table in tables:
        unfold(table)
        for column, heading in enumerate(table.query_selector_all("thead th")):
            for direction in ("ascending", "descending"):
                heading.query_selector("button").press("Enter")
                assert heading.get_attribute("aria-sort") == direction
                values = seen.page.evaluate(f"([table, column]) => ({SORTED})(table, column)", [table, column])
                if values and all(re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", value) for value in values):
                    assert values == sorted(values, key=float, reverse=direction == "descending")
            assert len(table.query_selector_all("[aria-sort]")) == 1


@pytest.mark.parametrize("name", ["own-wrong", "disagree"])
def test_names_that_try_to_be_more_than_text_are_text(opened, report, name):
    seen = opened(report(name))
    text = seen.page.evaluate("document.body.textContent")
    hostile = {
        "own-wrong": [HOSTILE_NAME, "</script><script>alert(2)</script>{{7*7}}", "<b>b</b>"],
        "disagree": ["</title><svg onload=alert(4)>"],
    }
    assert [name for name in hostile[name] if name not in text] == []
    assert seen.page.query_selector_all("img, svg[onload]") == []
    assert len(seen.page.query_selector_all("script")) == 1
    assert seen.complaints == []


def test_the_theme_is_that_of_the_system_until_another_is_chosen(opened, report):
    seen = opened(report("agree"), theme="dark")
    color = "() => getComputedStyle(document.body).backgroundColor"
    dark = seen.page.evaluate(color)
    seen.page.get_by_role("button", name="Light theme").click()
    assert seen.page.evaluate(color) != dark
    seen.page.get_by_role("button", name="Dark theme").click()
    assert seen.page.evaluate(color) == dark


@pytest.mark.parametrize("name", ["own-wrong", "bench"])
def test_on_paper_there_are_no_buttons_and_every_fold_is_open(opened, report, screenshots, name):
    seen = opened(report(name), theme="dark")
    (screenshots / f"{name}.pdf").write_bytes(seen.page.pdf())  # of Chromium, which sends `beforeprint`
    seen.page.emulate_media(media="print")
    # those that sort are the headings of their columns, on paper, too
    assert [button for button in seen.page.query_selector_all("button:not(.sort)") if button.is_visible()] == []
    white = "rgb(255, 255, 255)"
    assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") in (white, "rgba(0, 0, 0, 0)")


@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_one_file_of_at_most_two_megabytes(report, name):
    content = report(name).read_bytes()
    assert len(content) <= 2_000_000
    assert b'src="http' not in content
    assert b"@import" not in content
