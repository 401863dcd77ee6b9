"""A sweep: many random problems, to see whether the referee ever accuses correct backends."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from ...backends import RequestError
from ...backends.checks import require_integer
from ...backends.files import require_folder
from ...backends.registry import choose_backends
from ..jobs import CaseProgress, opened, thread_limits
from ..output import environment
from .log import Outcome, read_log
from .problems import draw_problem
from .workers import in_workers, outcome_of, start_worker

SCHEMA = 2


@dataclass(frozen=True)
class Sweep:
    """Everything that is shown of a sweep.

    Attributes:
        outcomes: by number.
        seed, numbers: of the sweep.
        earlier: how many outcomes were in the log already.
        seconds: how long the others took.
        notes: on backends that are not installed.
    """

    outcomes: Sequence[Outcome]
    seed: int
    numbers: int
    earlier: int
    seconds: float
    notes: Sequence[str]


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

    Raises:
        RequestError: a backend does not exist or is broken, or the log is of another sweep or none at all.
    """
    for name, value, least in (("problems", count, 1), ("seed", seed, 0), ("numbers", numbers, 1)):
        require_integer(name, value, at_least=least)
    jobs = require_integer("jobs", jobs or os.cpu_count() or 1, at_least=1)
    installed, notes = choose_backends(backends)
    if list(installed) == ["manual"]:
        raise RequestError("manual alone has nobody to be compared with: a sweep needs a second backend")
    names = list(backends or installed)
    header = {"schema": SCHEMA, "seed": seed, "numbers": numbers, "backends": names}
    if save_case:
        require_folder(save_case)
    known, kept = read_log(log, header) if log else ({}, 0)
    started = time.perf_counter()
    found = {number: outcome for number, outcome in known.items() if number < count}
    earlier = len(found)
    models = ([*range(first, min(first + numbers, count))] for first in range(0, count, numbers))
    tasks = (left for model in models if (left := [number for number in model if number not in found]))
    start = partial(start_worker, seed, numbers, names, save_case)
    around = {"environment": environment() | {"threads": thread_limits(1)}}
    with opened(log, kept, header | around) as write, closing(in_workers(tasks, jobs, start)) as outcomes:
        progress("starting", earlier)
        for number, outcome in outcomes:
            if isinstance(outcome, str):
                outcome = outcome_of(draw_problem(number, seed=seed, numbers=numbers), "failed", report=outcome)
            write(asdict(outcome))
            found[number] = outcome
            progress(outcome.family, len(found))
    seconds = time.perf_counter() - started
    return Sweep([found[number] for number in sorted(found)], seed, numbers, earlier, seconds, notes)
