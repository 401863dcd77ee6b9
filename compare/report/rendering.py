"""From a page to HTML that stands alone: styles and script inside, and nothing that is fetched."""

from __future__ import annotations

import base64
import hashlib
import html
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends import MissingFrameworkError, RequestError
from ...backends.file_writing import require_writable, write_whole
from ...backends.frameworks.loading import require
from .fitting import fitted, smaller
from .pages import Page, Part

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
SUFFIXES = (".html", ".htm")
HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # categories of Unicode that change what stands beside them, or break lines
LINKED = re.compile(r"(https?://|#|\./|\.\./)[^\s]*")


def require_report(path: Path) -> None:
    """Checks that a page can be written, before what it shows is computed.

    Args:
        path: the file.

    Raises:
        MissingFrameworkError: Jinja2 is not installed.
        RequestError: the file's name ends in neither `.html` nor `.htm`, or its folder does not exist.

    Example:
        >>> require_report(Path("report.pdf"))
        Traceback (most recent call last):
        gradparity.backends.errors.RequestError: report.pdf: expected a file that ends in .html or .htm
    """
    if path.suffix.lower() not in SUFFIXES:
        raise RequestError(f"{path}: expected a file that ends in {' or '.join(SUFFIXES)}")
    require_jinja()
    require_writable(path)


def require_jinja() -> None:
    """Checks that Jinja2 is there.

    Raises:
        MissingFrameworkError: it is not.
    """
    require("jinja2", needed_by="a report", extra="report", package="Jinja2")


def render(page: Page) -> str:
    """A page as HTML.

    Args:
        page: what is on it.

    Returns:
        One document of at most two million bytes: what does not fit is cut, and a note says so.

    Raises:
        MissingFrameworkError: Jinja2 is not installed.

    Example:
        >>> from gradparity.compare.report import Mark, Page, Prose
        >>> html = render(Page("gradparity compare", Mark("all agree", "good"), (Prose("<b> stays text"),)))
        >>> "<p>&lt;b&gt; stays text</p>" in html, "://" in html
        (True, False)
    """
    require_jinja()
    styles, script = _file("parts.css") + _file("page.css"), _file("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(styles)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    template = _environment().get_template("page.html")
    return fitted(page, lambda cut: template.render(page=cut, styles=styles, script=script, policy=policy))


def render_fragment(parts: Sequence[Part]) -> str:
    """Parts as HTML inside another document, such as a notebook: one element with its own styles, and no script.

    Args:
        parts: what is shown.

    Returns:
        The HTML; its styles have no effect outside of it.

    Raises:
        MissingFrameworkError: Jinja2 is not installed.

    Example:
        >>> from gradparity.compare.report import Prose
        >>> render_fragment([Prose("right")]).startswith('<div class="gradparity">')
        True
    """
    require_jinja()
    cut = [smaller(part, 0.25) for part in parts]
    return _environment().get_template("fragment.html").render(parts=cut, styles=_file("parts.css"))


def notebook_html(conclusion: str, parts: Callable[[], Sequence[Part]]) -> str:
    """How a result shows itself in a notebook.

    Args:
        conclusion: of the result, in a line.
        parts: makes what is shown.

    Returns:
        A fragment; without Jinja2 the conclusion, and what to install.

    Example:
        >>> from gradparity.compare.report import Prose
        >>> "<p>two agree</p>" in notebook_html("two agree", lambda: [Prose("two agree")])
        True
    """
    try:
        return render_fragment(parts())
    except MissingFrameworkError as error:
        return f"<p>{html.escape(conclusion)}</p><p>{html.escape(str(error))}</p>"


def write_report(path: Path, page: Page) -> Path:
    """Writes a page, whole or not at all.

    Args:
        path: a file that ends in `.html` or `.htm`.
        page: what is on it.

    Returns:
        The path.

    Raises:
        MissingFrameworkError: Jinja2 is not installed.
        RequestError: the file cannot be written, or its name ends otherwise.

    Example:
        >>> import tempfile
        >>> from gradparity.compare.report import Mark
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_report(Path(folder, "report.html"), Page("nothing", Mark("nothing was asked"), ())).name
        'report.html'
    """
    require_report(path)
    return write_whole(path, render(page).encode())


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"kind": _kind, "with_code": _with_code, "amount": _amount, "linked": _linked}
    return environment


@cache
def _file(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _visible(value: Any) -> Any:
    """Characters that are not seen, as those that turn the direction of writing, are written as escapes."""
    if type(value) is not str:  # Markup is the templates' own
        return value
    if value.isascii() and value.isprintable():
        return value
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in HIDDEN and character not in "\n\t"
        else character
        for character in value
    )


def _kind(part: object) -> str:
    """The name of a part's macro."""
    return type(part).__name__.lower()


def _with_code(text: str) -> list[tuple[str, bool]]:
    """A text in pieces, and whether each is code: what stands between two backticks."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a backtick without its other
        return [(text, False)]
    return [(piece, bool(i % 2)) for i, piece in enumerate(pieces) if piece]


def _amount(value: float) -> str:
    """A number in a few characters."""
    if math.isinf(value):
        return "∞"
    if 0 < abs(value) < 0.01 or abs(value) >= 1e4:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"


def _linked(target: str) -> bool:
    """Whether a link leads to a page, and runs nothing."""
    return LINKED.fullmatch(target) is not None
