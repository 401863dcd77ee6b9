"""Standard output and standard error: what cannot be written there is an error in one line."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from rich.console import Console

from ...backends import RequestError


class OutputConsole(Console):
    """A console on which a full disk, or a reader that went away, is a RequestError."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As `Console.print` does.

        Raises:
            RequestError: it cannot be written to.
        """
        try:
            super().print(*objects, **options)
        except OSError as error:
            raise unwritable("error" if self.stderr else "output", error) from error

    def on_broken_pipe(self) -> None:
        """Raises what is being handled, where Console would exit with the code of a disagreement."""
        raise


def write_output(text: str) -> None:
    """Writes a text to standard output, at once.

    Raises:
        RequestError: it cannot be written to.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        raise unwritable("output", error) from error


def unwritable(stream: str, error: OSError) -> RequestError:
    """The error for standard `output` or `error`, to which nothing more is written, not when Python ends either."""
    abandon(sys.stdout if stream == "output" else sys.stderr)
    return RequestError(f"standard {stream} cannot be written: {error.strerror or error}")


def can_write_output(failed: OSError) -> bool:
    """Whether an error is not that of standard output: what could not be written is still in its buffer."""
    if isinstance(failed, BrokenPipeError):
        return False
    try:
        sys.stdout.flush()
    except OSError:
        return False
    return True


def require_standard_streams() -> None:
    """Checks that there is a standard output; an error stream that was closed becomes one that goes nowhere.

    Raises:
        RequestError: standard output is closed.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 # for as long as the process lives
    if sys.stdout is None:
        raise RequestError("standard output is closed, expected one to write to, such as /dev/null")


def print_error(line: str) -> None:
    """Writes a line to standard error, if that is possible."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        abandon(sys.stderr)


def abandon(stream: TextIO) -> None:
    """Lets what is left in a stream's buffer go nowhere."""
    with suppress(OSError, ValueError):  # a stream without a file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
