"""The log of a sweep: its outcomes line by line, in which a sweep that was stopped goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ...backends import RequestError
from ...backends.checks import DTYPES
from ...backends.errors import unknown_name
from ..jobs import JournalLine, asked_number, read_journal
from ..systems.random_models import FAMILY_NAMES
from ..workers import WHOLE
from .problems import draw_problem
from .results import VERDICTS, SweepOutcome

SUBJECT = "a sweep"
SWEEP_SCHEMA = 3
EARLIER_SCHEMAS = (1, 2)  # of other problems: they are read, and not continued
RENAMED_FIELDS = {"story": "report"}  # of schema 1


class SweepLog(NamedTuple):
    """What the log of a sweep says.

    Attributes:
        outcomes: by number.
        whole_bytes: the length of the file's whole lines.
        asked: of how many problems the sweep was to be.
        environment: in which it was begun.
    """

    outcomes: dict[int, SweepOutcome]
    whole_bytes: int
    asked: int = 0
    environment: Mapping[str, Any] = {}  # of a NamedTuple, and read only


def read_log(path: Path, header: Mapping[str, Any]) -> SweepLog:
    """Reads a log; writes nothing.

    Args:
        path: the file, which need not exist.
        header: the settings of the sweep that is to be continued.

    Returns:
        What it says.

    Raises:
        RequestError: the file is no log of a sweep, or of a sweep with other settings or other problems, or has a line
            with something else than an outcome.
    """
    earlier = {"schema": EARLIER_SCHEMAS}
    journal = read_journal(path, header, subject=SUBJECT, earlier=earlier, defaults={"shard": str(WHOLE)})
    asked = asked_number(journal, path, SUBJECT)
    outcomes: dict[int, SweepOutcome] = {}
    is_earlier = journal.settings.get("schema", SWEEP_SCHEMA) != SWEEP_SCHEMA
    for line in journal.lines:
        outcome = outcome_in(line, {"regime": ""} if is_earlier else {})
        if outcomes.setdefault(outcome.number, outcome) != outcome:
            raise line.error(f"problem {outcome.number} has another outcome in an earlier line")
    require_same_problems(path, journal.settings, list(outcomes.values())[:1])
    recorded = journal.header.get("environment")
    return SweepLog(outcomes, journal.whole_bytes, asked, recorded if isinstance(recorded, dict) else {})


def require_same_problems(path: Path, settings: Mapping[str, Any], outcomes: Sequence[SweepOutcome]) -> None:
    """Checks that this version draws the problems of a log.

    Args:
        path: of the log.
        settings: of its header; empty if there is none.
        outcomes: the problems that are drawn again.

    Raises:
        RequestError: it draws other ones.
    """
    draw = partial(draw_problem, seed=settings.get("seed", 0), numbers=settings.get("numbers", 1))
    is_same = settings.get("schema", SWEEP_SCHEMA) == SWEEP_SCHEMA and all(
        draw(outcome.number).problem.fingerprint[:12] == outcome.fingerprint for outcome in outcomes
    )
    if not is_same:
        raise RequestError(f"{path}: was written by a version of gradparity that drew other problems: begin a new log")


def outcome_in(line: JournalLine, missing: Mapping[str, Any] = {}) -> SweepOutcome:  # read only
    """The outcome in a line of a log.

    Args:
        line: of the log.
        missing: what earlier versions did not write.

    Raises:
        RequestError: it is something else.
    """
    if isinstance(line.values, dict):
        values = {RENAMED_FIELDS.get(name, name): value for name, value in line.values.items()}
        line = line._replace(values={**missing, **values})
    outcome = line.record(SweepOutcome)
    for name, least in (("number", 0), ("gain", 0.0), ("share", 0.0)):
        value = getattr(outcome, name)
        if value is not None and value < least:
            raise line.error(f"{name} is {value}, expected at least {least}")
    for name, known in (("verdict", VERDICTS), ("family", FAMILY_NAMES), ("dtype", DTYPES)):
        if getattr(outcome, name) not in known:
            raise line.error(unknown_name(name, getattr(outcome, name), known))
    return outcome
