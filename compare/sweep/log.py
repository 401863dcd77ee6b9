"""The log of a sweep: its outcomes line by line, in which a sweep that was stopped goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...backends import RequestError
from ..jobs import not_a_journal, read_journal
from .problems import draw_problem
from .results import SweepOutcome

SWEEP_SCHEMA = 2
EARLIER_SCHEMAS = (1,)  # read, and rewritten in the present schema before they are continued
RENAMED_FIELDS = {"story": "report"}  # of schema 1


class SweepLog(NamedTuple):
    """What the log of a sweep says.

    Attributes:
        outcomes: by number.
        whole_bytes: the length of the file's whole lines.
        is_earlier: whether it was begun with an earlier schema.
    """

    outcomes: dict[int, SweepOutcome]
    whole_bytes: int
    is_earlier: bool


def read_log(path: Path, header: Mapping[str, Any]) -> SweepLog:
    """Reads a log; writes nothing.

    Args:
        path: the file, which need not exist.
        header: the settings of the sweep that is to be continued.

    Returns:
        What it says.

    Raises:
        RequestError: the file is no log of a sweep, or of a sweep with other settings or other problems.
    """
    journal = read_journal(path, header, subject="a sweep", earlier={"schema": EARLIER_SCHEMAS})
    try:
        outcomes = [
            SweepOutcome(**{RENAMED_FIELDS.get(name, name): value for name, value in line.items()})
            for line in journal.lines
        ]
    except (TypeError, AttributeError):
        raise not_a_journal(path, "a sweep") from None
    for outcome in outcomes[:1]:
        again = draw_problem(outcome.number, seed=header["seed"], numbers=header["numbers"])
        if again.problem.fingerprint[:12] != outcome.fingerprint:
            raise RequestError(f"{path}: was written by a version of gradparity that drew other problems")
    is_earlier = journal.settings.get("schema", SWEEP_SCHEMA) != SWEEP_SCHEMA
    return SweepLog({outcome.number: outcome for outcome in outcomes}, journal.whole_bytes, is_earlier)
