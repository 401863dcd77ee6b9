"""What was found of the problems of a sweep, and the log that keeps it, line by line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backends import RequestError
from ...backends.files import require_writable
from ..environment import THREAD_VARIABLES, environment
from .problems import draw_problem


@dataclass(frozen=True)
class Outcome:
    """What was found of one problem: a line of the log.

    Attributes:
        number, family, dtype, gain: of the problem; there is no gain where there is no W.
        model: the problem's summary.
        fingerprint: its first 12 digits.
        verdict: the comparison's; or `failed` if there was none, or `unsupported` if no two backends can compute it.
        strength: of an agreement.
        share: of its limit, that the closest of the decided blocks used.
        story: what went wrong.
    """

    number: int
    family: str
    model: str
    dtype: str
    gain: float | None
    fingerprint: str
    verdict: str
    strength: str = ""
    share: float | None = None
    story: str = ""


def read_log(path: Path, header: Mapping[str, Any]) -> tuple[dict[int, Outcome], int]:
    """The outcomes in a log by number, and how many of its bytes are whole lines; writes nothing."""
    require_writable(path)
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if not content:
        return {}, 0
    try:
        first, *rest = [json.loads(line) for line in whole.splitlines()]
        theirs = {name: first[name] for name in header}
        outcomes = [Outcome(**line) for line in rest]
    except (ValueError, TypeError, LookupError):
        raise RequestError(f"{path}: is no log of a sweep, and was left as it is") from None
    for name, value in header.items():
        if theirs[name] != value:
            raise RequestError(f"{path}: is the log of a sweep with {name} {theirs[name]}, but {value} was asked for")
    for known in outcomes[:1]:
        again = draw_problem(known.number, seed=header["seed"], numbers=header["numbers"])
        if again.problem.fingerprint[:12] != known.fingerprint:
            raise RequestError(f"{path}: was written by a version of gradparity that drew other problems")
    return {outcome.number: outcome for outcome in outcomes}, len(whole)


@contextmanager
def opened(log: Path | None, kept: int, header: Mapping[str, Any]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that appends a line to the log, at once; what follows the bytes to be kept is dropped."""
    if log is None:
        yield lambda line: None
        return
    try:
        file = log.open("ab")
    except OSError as error:
        raise RequestError(f"{log}: cannot be written: {error.strerror}") from error

    def write(line: Mapping[str, Any]) -> None:
        file.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        file.flush()

    with file:
        file.truncate(kept)
        if not kept:
            write({**header, "environment": environment() | {"threads": dict.fromkeys(THREAD_VARIABLES, "1")}})
        yield write
