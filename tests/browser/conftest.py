"""A real browser: Chromium as the system has it, driven by Playwright, and axe, which knows the rules of accessibility.

`nox --sessions browser` runs these tests and keeps a screenshot of each page, size and theme, to be looked at. Without
Chromium they are skipped, with the reason.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import ROOT_OPTIONS, Opened, open_page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason='Playwright is not installed: pip install ".[browser]"'
    )
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no Chromium on this machine: none of {', '.join(NAMES)} is on the path")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=ROOT_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, request) -> Iterator[object]:
    """Opens a file as a visitor with a screen and a theme does; what the console says against it is kept."""
    pages: list[Opened] = []

    def open_it(path: Path | str, *, width: int = 1280, theme: str = "light") -> Opened:
        pages.append(open_page(chromium, path, width=width, theme=theme))
        return pages[-1]

    yield open_it
    for one in pages:
        one.page.context.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory) -> Path:
    """Where screenshots are kept: `GRADPARITY_SCREENSHOTS`, or a folder that is thrown away."""
    given = os.environ.get("GRADPARITY_SCREENSHOTS")
    folder = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pytest_terminal_summary(terminalreporter):
    """What axe counted on every page, and how large it is."""
    counted = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            counted |= dict(value for name, value in getattr(report, "user_properties", ()) if name == "axe")
    if counted:
        terminalreporter.section("axe: rules broken, to be looked at by a person, passed")
        for page, line in sorted(counted.items()):
            terminalreporter.write_line(f"{page:<44} {line}")
