"""The log of a sweep: its outcomes line by line, in which a sweep that was stopped goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...backends import RequestError
from ...backends.checks import DTYPES
from ...backends.errors import unknown_name
from ..jobs import JournalLine, read_journal
from ..systems.random_models import FAMILY_NAMES
from .problems import draw_problem
from .results import VERDICTS, SweepOutcome

SWEEP_SCHEMA = 3
EARLIER_SCHEMAS = (1, 2)  # of other problems: they are read, and not continued
RENAMED_FIELDS = {"story": "report"}  # of schema 1


class SweepLog(NamedTuple):
    """What the log of a sweep says.

    Attributes:
        outcomes: by number.
        whole_bytes: the length of the file's whole lines.
    """

    outcomes: dict[int, SweepOutcome]
    whole_bytes: int


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
    journal = read_journal(path, header, subject="a sweep", earlier={"schema": EARLIER_SCHEMAS})
    outcomes: dict[int, SweepOutcome] = {}
    is_earlier = journal.settings.get("schema", SWEEP_SCHEMA) != SWEEP_SCHEMA
    for line in journal.lines:
        outcome = _outcome_of(line, {"regime": ""} if is_earlier else {})
        if outcomes.setdefault(outcome.number, outcome) != outcome:
            raise line.error(f"problem {outcome.number} has another outcome in an earlier line")
    drawn_again = (
        draw_problem(outcome.number, seed=header["seed"], numbers=header["numbers"]).problem.fingerprint[:12]
        == outcome.fingerprint
        for outcome in list(outcomes.values())[:1]
    )
    if is_earlier or not all(drawn_again):
        raise RequestError(f"{path}: was written by a version of gradparity that drew other problems: begin a new log")
    return SweepLog(outcomes, journal.whole_bytes)


def _outcome_of(line: JournalLine, missing: Mapping[str, Any]) -> SweepOutcome:
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
