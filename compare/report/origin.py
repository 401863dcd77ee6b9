"""Where a page comes from: the environment of the results, the version, and the time."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from .pages import Facts, Section


def environment_section(recorded: Mapping[str, Any] | None = None) -> Section:
    """Versions, processor, BLAS, threads, and the state of the frameworks that are loaded.

    Args:
        recorded: an environment as a log or a benchmark has kept it; None means that of this process.

    Returns:
        The section; what is a mapping of anything else is left out.

    Example:
        >>> environment_section({"cores": 2, "versions": {"numpy": "2.4.6"}, "bench": {"rounds": 3}}).parts[0].rows
        (('numpy', '2.4.6'), ('cores', '2'))
    """
    values = dict(_environment() if recorded is None else recorded)
    versions = {name: of or "not installed" for name, of in values.pop("versions", {}).items()}
    threads = ", ".join(f"{name} {count}" for name, count in values.pop("threads", {}).items())
    states = {"tf32": "TF32 in PyTorch", "x64": "64 bits in JAX"}
    plain = {name: value for name, value in values.items() if value is not None and not isinstance(value, Mapping)}
    rows = {states.get(name, name): _in_words(value) for name, value in plain.items()}
    rows |= {"threads": threads} if threads else {}
    return Section("Environment", (Facts(tuple((versions | rows).items())),))


def _environment() -> dict[str, Any]:
    before = random.getstate()
    from ..output import environment  # with the console, which draws a random number when it is imported

    random.setstate(before)
    return environment()


def _in_words(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def made_by(seconds: float | None = None) -> tuple[tuple[str, str], ...]:
    """For the foot of a page: the version, the time, and how long it took.

    Args:
        seconds: that it took to get what is on the page; None where nobody measured.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    took = () if seconds is None else (("took", f"{seconds:.1f} s"),)
    return (("made by", f"gradparity {version('gradparity')}"), ("on", now), *took)
