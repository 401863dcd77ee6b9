"""The log of a sweep: its outcomes line by line, in which a sweep that was stopped goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...backends import RequestError
from ..jobs import not_a_journal, read_journal
from .problems import draw_problem
from .results import SweepOutcome

SWEEP_SCHEMA = 2
EARLIER_SCHEMAS = (1,)  # read and continued, with their fields renamed
RENAMED_FIELDS = {"story": "report"}  # of schema 1


def read_log(path: Path, header: Mapping[str, Any]) -> tuple[dict[int, SweepOutcome], int]:
    """Reads a log; writes nothing.

    Args:
        path: the file, which need not exist.
        header: the settings of the sweep that is to be continued.

    Returns:
        The outcomes by number, and the length of the file's whole lines in bytes.

    Raises:
        RequestError: the file is no log of a sweep, or of a sweep with other settings or other problems.
    """
    lines, whole_bytes = read_journal(path, header, subject="a sweep", earlier={"schema": EARLIER_SCHEMAS})
    try:
        outcomes = [
            SweepOutcome(**{RENAMED_FIELDS.get(name, name): value for name, value in line.items()}) for line in lines
        ]
    except (TypeError, AttributeError):
        raise not_a_journal(path, "a sweep") from None
    for outcome in outcomes[:1]:
        again = draw_problem(outcome.number, seed=header["seed"], numbers=header["numbers"])
        if again.problem.fingerprint[:12] != outcome.fingerprint:
            raise RequestError(f"{path}: was written by a version of gradparity that drew other problems")
    return {outcome.number: outcome for outcome in outcomes}, whole_bytes
