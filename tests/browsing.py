"""What a visitor of a page does, for the tests in a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WIDTHS = {1280: 900, 390: 844}  # a screen on a desk, and a telephone, with their heights in pixels
THEMES = ("light", "dark")
# Chromium as root, in a container, with no network: without these it looks for its maker's servers at every start.
ROOT_OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
REACHABLE = "a[href], button, summary, input, select, textarea, [tabindex='0']"

# Of everything that can be operated and is seen, in the order of the page; a folded part is not seen.
OPERABLE = """selector => [...document.querySelectorAll(selector)].filter(element =>
    !element.disabled && element.tabIndex >= 0 && element.checkVisibility({contentVisibilityAuto: true,
    opacityProperty: true, visibilityProperty: true})).map(element => element.outerHTML.slice(0, 160))"""
FOCUSED = """() => { const element = document.activeElement, style = getComputedStyle(element);
    return element === document.body ? null : {html: element.outerHTML.slice(0, 160),
    marked: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none'}; }"""


@dataclass
class Opened:
    """A page in the browser, and what went wrong on it.

    Attributes:
        page: of Playwright.
        complaints: errors of the console, exceptions of scripts, and dialogs.
        requests: what it asked of a network.
    """

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def axe(self) -> tuple[list[str], str]:
        """The rules that are broken, each with its places, and the counts in a line."""
        from axe_playwright_python.sync_playwright import Axe

        found = (
            Axe().run(self.page, options={"preload": False}).response
        )  # it would fetch styles, which no page from disk may
        broken = [
            f"{rule['id']} ({rule['impact']}): {rule['help']}: {[node['html'][:200] for node in rule['nodes'][:4]]}"
            for rule in found["violations"]
        ]
        return broken, f"{len(broken):>3} {len(found['incomplete']):>3} {len(found['passes']):>3}"

    def reached_by_keyboard(self) -> tuple[list[str], list[str]]:
        """What the Tab key reaches, in its order, and what of it does not show that it has the focus."""
        reached: list[str] = []
        unmarked = []
        while True:
            self.page.keyboard.press("Tab")
            focused = self.page.evaluate(FOCUSED)
            if focused is None or len(reached) > 2000:
                return reached, unmarked
            reached.append(focused["html"])
            if not focused["marked"]:
                unmarked.append(focused["html"])

    def operable(self) -> list[str]:
        """What a mouse could operate."""
        return self.page.evaluate(OPERABLE, REACHABLE)

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return self.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")


def open_page(browser: Any, path: Path | str, *, width: int = 1280, theme: str = "light") -> Opened:
    """A page as a visitor with this screen and theme has it, from disk."""
    context = browser.new_context(
        viewport={"width": width, "height": WIDTHS[width]}, color_scheme=theme, reduced_motion="reduce", locale="en"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = Opened(context.new_page())
    opened.page.on("console", lambda message: _keep(opened, message.type == "error", message.text))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("dialog", lambda dialog: (opened.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    opened.page.on("request", lambda sent: opened.requests.append(sent.url) if sent.url.startswith("http") else None)
    url = path.as_uri() if isinstance(path, Path) else path
    opened.page.goto(url, wait_until="load")
    return opened


def unfold(element: Any) -> None:
    """Opens every fold that an element is in."""
    element.evaluate(
        "element => { for (let at = element; at; at = at.parentElement) if ('open' in at) at.open = true; }"
    )


def _keep(opened: Opened, is_error: bool, text: str) -> None:
    if is_error:
        opened.complaints.append(text)
