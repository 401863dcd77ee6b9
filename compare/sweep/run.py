"""The course of a sweep: the problems go to workers, wherever they are, and their outcomes into the log."""

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
from ..jobs import ASKED, CaseProgress, locked, open_journal, thread_limits
from ..output import environment
from ..workers import WHOLE, Death, Place, Shard, crew, here, like
from .judging import outcome_of, serve
from .log import SWEEP_SCHEMA, SweepLog, read_log
from .problems import draw_problem
from .results import Sweep, SweepOutcome

TIMEOUT = 300.0  # seconds for one problem


def run_sweep(
    count: int,
    *,
    seed: int = 0,
    numbers: int = 10,
    backends: Sequence[str] | None = None,
    jobs: int | None = None,
    log: Path | None = None,
    save_case: Path | None = None,
    shard: Shard = WHOLE,
    place: Place | None = None,
    timeout: float = TIMEOUT,
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
        shard: a part of the models; all of them if it is not given.
        place: where the problems are carried out; None means in `jobs` processes here.
        timeout: the seconds that one problem may take.
        progress: is called with the last problem's family, and how many are done.

    Returns:
        The outcomes of all `count` problems, or of the shard's.

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
    header = {"schema": SWEEP_SCHEMA, "seed": seed, "numbers": numbers, "backends": names, "shard": str(shard)}
    if save_case:
        require_folder(save_case)
    started = time.perf_counter()
    with locked(log):
        known = read_log(log, header) if log else SweepLog({}, 0)
        outcomes = {number: one for number, one in known.outcomes.items() if number < count}
        earlier, recorded = len(outcomes), known.environment
        models = ([*range(first, min(first + numbers, count))] for first in range(0, count, numbers))
        shares = (model for number, model in enumerate(models) if shard.has(number))
        groups = (tuple(left) for model in shares if (left := [number for number in model if number not in outcomes]))
        if earlier < shard.size(count, in_group=numbers) or not known.whole_bytes:
            setup = partial(serve, seed, numbers, names, save_case)
            work = crew(setup, place or here(jobs), timeout=timeout, check=like(environment()))
            progress("starting", earlier)
            with work as workers, closing(workers.answers(groups)) as answers:
                first_line = _first_line(header, count, workers.environment)
                recorded = recorded or first_line["environment"]
                with open_journal(log, known.whole_bytes, first_line) as write:
                    if known.whole_bytes and known.asked < count:
                        write({ASKED: count})
                    for number, answer in answers:
                        outcome = _outcome(number, answer, header)
                        write(asdict(outcome))
                        outcomes[number] = outcome
                        progress(outcome.family, len(outcomes))
    ordered = [outcomes[number] for number in sorted(outcomes)]
    seconds = time.perf_counter() - started
    return Sweep(ordered, seed, numbers, earlier, seconds, notes, shard, tuple(names), recorded)


def _first_line(header: Mapping[str, Any], count: int, found: Mapping[str, Any]) -> dict[str, Any]:
    of_workers = dict(found or environment()) | {"threads": thread_limits(1)}
    return {**header, ASKED: count, "environment": of_workers}


def _outcome(number: int, answer: SweepOutcome | Death, header: Mapping[str, Any]) -> SweepOutcome:
    if not isinstance(answer, Death):
        return answer
    drawn = draw_problem(number, seed=header["seed"], numbers=header["numbers"])
    return outcome_of(drawn, "failed", report=answer.reason)
