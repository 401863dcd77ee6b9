"""What can be wrong with a request: each error is one line that says what, where and what was expected."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MAX_FOREIGN = 300  # characters of an error that somebody else wrote


class RequestError(Exception):
    """The request was wrong; nothing was computed. The command line turns it into exit code 2."""


class InvalidProblemError(RequestError, ValueError):
    """A model, an array or a case file that does not describe a problem."""


class UnknownNameError(RequestError, LookupError):
    """A backend, a system or a choice that does not exist."""


class MissingFrameworkError(RequestError, ImportError):
    """A backend's framework is not installed; the message names the extra that installs it."""


class BrokenBackendError(RequestError, ImportError):
    """A backend's framework is installed, but it or the backend fails to load."""


class UnsupportedProblemError(RequestError):
    """A backend cannot compute this problem although it supports its model, for the reason in the message."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that is not among the known ones, with the nearest of them.

    Args:
        kind: what the name is of, such as `backend`.
        name: the name.
        known: the names that exist.

    Returns:
        The error, to be raised.

    Example:
        >>> str(unknown_name("dtype", "float46", ["float64", "float32"]))
        "unknown dtype 'float46': did you mean 'float64'?"
    """
    known = list(known)
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
    return UnknownNameError(f"unknown {kind} {str(name)!r}: {hint}")


def first_line(error: BaseException) -> str:
    r"""An error's type and the first line of its message, for use inside one line: bounded, and fit to be printed.

    Args:
        error: any, also one that cannot say what it is.

    Returns:
        At most `MAX_FOREIGN` characters.

    Example:
        >>> first_line(ValueError("\x1b[31mred\nand more"))
        'ValueError: \\x1b[31mred'
    """
    try:
        lines = [line.rstrip() for line in str(error).strip().splitlines()[:1]]
    except Exception:  # whatever a foreign __str__ does
        lines = []
    return printable(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)


def printable(text: str, limit: int = MAX_FOREIGN) -> str:
    r"""A text that somebody else wrote, fit to be printed: control characters are escaped, and the rest is cut off.

    Args:
        text: any.
        limit: how many characters are kept.

    Returns:
        The text, with `…` for what was cut off.

    Example:
        >>> printable("\x1b[2J of an hour", limit=9)
        '\\x1b[2J of a…'
    """
    kept = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[:limit]
    )
    return kept if len(text) <= limit else f"{kept}…"


class DerivationError(Exception):
    """The function failed, or returned something of another form; the message shows its own lines only."""
