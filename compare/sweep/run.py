"""The course of a sweep: the problems go to worker processes, and their outcomes into the log."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ...backends import RequestError
from ...backends.checks import require_integer
from ...backends.file_writing import require_folder
from ...backends.registry import choose_backends
from ..jobs import CaseProgress, locked, open_journal, thread_limits
from ..output import environment
from .log import SWEEP_SCHEMA, SweepLog, read_log
from .problems import draw_problem
from .results import Sweep, SweepOutcome
from .workers import in_workers, outcome_of, start_worker


def run_sweep(
    count: int,
    *,
    seed: int = 0,
    numbers: int = 10,
    backends: Sequence[str] | None = None,
    jobs: int | None = None,
    log: Path | None = None,
    save_case: Path | None = None,
    progress: CaseProgress = lambda label, done: None,
) -> Sweep:
    """Compares the first `count` problems of a sweep, except for those whose outcomes are in the log.

    Args:
        count: of problems.
        seed: of the sweep.
        numbers: how many successive problems share a model.
        backends: names, or `module:object`; None means all that are installed.
        jobs: how many worker processes; None means one for each core.
        log: a file that is written as outcomes come, and continued if it is there.
        save_case: a folder for the problems on which something disagrees.
        progress: is called with the last problem's family, and how many are done.

    Returns:
        The outcomes of all `count` problems.

    Raises:
        RequestError: a backend does not exist or is broken, or the log is of another sweep or none at all, or
            another process writes it.
    """
    for name, value, least in (("problems", count, 1), ("seed", seed, 0), ("numbers", numbers, 1)):
        require_integer(name, value, at_least=least)
    jobs = require_integer("jobs", jobs or os.cpu_count() or 1, at_least=1)
    installed, notes = choose_backends(backends)
    if list(installed) == ["manual"]:
        raise RequestError("manual alone cannot be compared: a sweep needs a second backend")
    names = list(backends or installed)
    header = {"schema": SWEEP_SCHEMA, "seed": seed, "numbers": numbers, "backends": names}
    if save_case:
        require_folder(save_case)
    started = time.perf_counter()
    with locked(log):
        outcomes, earlier = _outcomes(count, header, names, jobs, log, save_case, progress)
    return Sweep(outcomes, seed, numbers, earlier, time.perf_counter() - started, notes)


def _outcomes(
    count: int,
    header: Mapping[str, Any],
    backends: Sequence[str],
    jobs: int,
    log: Path | None,
    save_case: Path | None,
    progress: CaseProgress,
) -> tuple[list[SweepOutcome], int]:
    """The outcomes of all problems by number, and how many of them were in the log."""
    seed, numbers = header["seed"], header["numbers"]
    known, whole_bytes = read_log(log, header) if log else SweepLog({}, 0)
    outcomes = {number: outcome for number, outcome in known.items() if number < count}
    earlier = len(outcomes)
    models = ([*range(first, min(first + numbers, count))] for first in range(0, count, numbers))
    tasks = (left for model in models if (left := [number for number in model if number not in outcomes]))
    start = partial(start_worker, seed, numbers, backends, save_case)
    first_line = dict(header) | {"environment": environment() | {"threads": thread_limits(1)}}
    with open_journal(log, whole_bytes, first_line) as write, closing(in_workers(tasks, jobs, start)) as answers:
        progress("starting", earlier)
        for number, outcome in answers:
            if isinstance(outcome, str):
                outcome = outcome_of(draw_problem(number, seed=seed, numbers=numbers), "failed", report=outcome)
            write(asdict(outcome))
            outcomes[number] = outcome
            progress(outcome.family, len(outcomes))
    return [outcomes[number] for number in sorted(outcomes)], earlier
