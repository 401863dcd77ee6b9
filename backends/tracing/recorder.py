"""Which recording is being made, what cannot be followed, and the functions of NumPy that can.

The recording that is being made is the context's, so that threads and nested recordings do not meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from ..errors import RequestError
from .places import current_place
from .recording import Recording

_ACTIVE: ContextVar[Recording] = ContextVar("recording")
Implementation = TypeVar("Implementation", bound=Callable[..., Any])

IMPLEMENTED: dict[Any, Callable[..., Any]] = {}  # by NumPy's function, the one for recorded arrays


class NotRecordableError(RequestError):
    """The program does something that cannot be followed; the message says what and where."""


@contextmanager
def recording_into(recording: Recording) -> Iterator[None]:
    """While it is entered, what is done to recorded arrays is added to a recording."""
    token = _ACTIVE.set(recording)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def active() -> Recording:
    """The recording that is being made.

    Raises:
        NotRecordableError: there is none, so a recorded array has outlived its recording.
    """
    try:
        return _ACTIVE.get()
    except LookupError:
        raise refused("a recorded array is used after its recording") from None


def refused(what: str) -> NotRecordableError:
    """The error that ends a recording, to be raised: what cannot be followed, and where in the program."""
    place = current_place()
    return NotRecordableError(f"{place}: {what}" if place else what)


def note(what: str) -> None:
    """Something to be said of the recording, with its place."""
    place = current_place()
    active().notes.setdefault(f"{place}: {what}" if place else what)


def written_as(text: str) -> str:
    """The text of recorded numbers, whose place is remembered if something is recorded: to print them is no loss."""
    recording = _ACTIVE.get(None)
    if recording is not None:
        recording.texts.setdefault(text, str(current_place()))
    return text


def read_from(text: Any) -> None:
    """Remembers where a text becomes a number, if it is that of a recorded one."""
    recording = _ACTIVE.get(None)
    if recording is not None and isinstance(text, str) and text.strip() in recording.texts:
        recording.read.append(str(current_place()))


def implements(*functions: Any) -> Callable[[Implementation], Implementation]:
    """Says that a function stands for these of NumPy where an argument is recorded."""

    def register(implementation: Implementation) -> Implementation:
        for function in functions:
            IMPLEMENTED[function] = implementation
        return implementation

    return register


def name_of(function: Any) -> str:
    """A function's name as people write it, such as `np.linalg.inv`."""
    module = (getattr(function, "__module__", None) or "numpy").replace("numpy", "np", 1)
    module = module.split("._")[0]
    return f"{module}.{getattr(function, '__name__', function)}"
