"""A page of any result, and the file that it is written to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..backends import RequestError
from .check.results import Check
from .referee import Comparison

if TYPE_CHECKING:
    from .campaign import CampaignReport
    from .report import Page


def page_of(result: Comparison | Check | CampaignReport) -> Page:
    """The page of a result.

    Args:
        result: of `compare`, `check_gradients` or `check_derivation`, or a campaign.

    Returns:
        The page.

    Raises:
        RequestError: it is none of these.

    Example:
        >>> page_of("agree")
        Traceback (most recent call last):
        gradparity.backends.errors.RequestError: result is a str, expected a Comparison or a Check
    """
    from .campaign import CampaignReport
    from .campaign.report import campaign_page, comparison_page
    from .check.report import check_page

    if isinstance(result, Comparison):
        return comparison_page(result)
    if isinstance(result, Check):
        return check_page(result)
    if isinstance(result, CampaignReport):
        return campaign_page(result)
    raise RequestError(f"result is a {type(result).__name__}, expected a Comparison or a Check")


def write_html(result: Comparison | Check | CampaignReport, path: str | Path) -> Path:
    """Writes a result as a page for the browser, which stands alone; whole or not at all.

    Args:
        result: of `compare`, `check_gradients` or `check_derivation`.
        path: a file that ends in `.html` or `.htm`.

    Returns:
        The path.

    Raises:
        MissingFrameworkError: Jinja2 is not installed.
        RequestError: the file cannot be written, or its name ends otherwise; or the result is none of these.

    Example:
        >>> import tempfile
        >>> from gradparity.compare import SYSTEMS, compare, write_html
        >>> comparison = compare(SYSTEMS["elman-softmax"].problem(seed=0), ["manual", "torch"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_html(comparison, f"{folder}/report.html").name
        'report.html'
    """
    from .report import write_report

    return write_report(Path(path), page_of(result))
