"""What can be wrong with a request: each error is one line that says what, where and what was expected."""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path

FLOORS = tuple(str(Path(__file__).parent.parent / floor) + os.sep for floor in ("manual", "backends", "compare"))
LIBRARIES = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib", "platlib"))
INSTALLED = ("site-packages", "dist-packages")  # folders of libraries, also a user's and those of another environment
TYPED_IN = ("<stdin", "<ipython", "<python-input")  # what Python calls the file of a line that was typed in
MOST_CAUSES = 3

MAX_PLACES = 6  # of an error in somebody's code, that are shown
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


def located(error: BaseException) -> str:
    """`first_line`, and the innermost line of the author's own code that the error came through.

    Example:
        >>> located(ValueError("never raised"))
        'ValueError: never raised'
    """
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if is_authors(frame.filename)]
    return f"{first_line(error)} ({show_frame(own[-1])})" if own else first_line(error)


def describe_error(error: BaseException) -> str:
    """An error with the lines of the author's own code that it came through, and with the errors behind it.

    Args:
        error: as it was caught, with its traceback.

    Returns:
        `first_line`, then a line for each place, and for each error from which or during which it was raised.

    Example:
        >>> try:
        ...     {}["W"]
        ... except KeyError as error:
        ...     print(describe_error(error).splitlines()[0])
        KeyError: 'W'
    """
    lines = [first_line(error), *author_lines(error)]
    for words, earlier in _behind(error):
        lines.append(f"{words} {located(earlier)}")
    return "\n  ".join(lines)


def author_lines(error: BaseException) -> list[str]:
    """Where an error came through the author's own code, the outermost line first.

    Args:
        error: as it was caught, with its traceback.

    Returns:
        A line for each place that is neither in gradparity, nor in an installed package, nor in Python's library; if
        there is none, the innermost place of all; nothing of an error that was not raised.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_authors(frame.filename)]
    foreign = [frame for frame in frames if not frame.filename.startswith((*FLOORS, "<"))] or list(frames)
    places = [show_frame(frame) for frame in own or foreign[-1:]]
    if len(places) > MAX_PLACES:  # of a function that calls itself without end
        half = MAX_PLACES // 2
        places[half:-half] = [f"… {len(places) - 2 * half} calls more …"]
    return places


@cache
def is_authors(filename: str) -> bool:
    """Whether a file is neither of gradparity, nor of an installed package, nor of Python's library."""
    if filename.startswith(TYPED_IN):
        return True
    return not filename.startswith((*FLOORS, *LIBRARIES, "<")) and not {*INSTALLED} & {*Path(filename).parts}


def show_frame(frame: traceback.FrameSummary) -> str:
    """A place in a program, as `file.py:3, in function: the line`."""
    line = f": {frame.line}" if frame.line else ""
    return printable(f"{Path(frame.filename).name}:{frame.lineno}, in {frame.name}{line}")


def _behind(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    """The errors from which an error was raised, or during the handling of which it was."""
    for _ in range(MOST_CAUSES):
        cause, context = error.__cause__, None if error.__suppress_context__ else error.__context__
        earlier = cause or context
        if earlier is None or type(earlier).__module__.startswith("jax._src."):  # JAX's own account of its traceback
            return
        yield "raised from" if cause else "raised while handling", earlier
        error = earlier


class DerivationError(Exception):
    """The function failed, or returned something of another form; the message shows its own lines only."""


class InsideTransformError(RequestError):
    """A backend failed where a framework traces or transforms what is computed, such as inside `jax.jit`."""
