"""The worker processes of a sweep: one thread each, replaced now and then, and missed when they die."""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ...backends import BrokenBackendError, UnsupportedProblemError
from ...backends.errors import first_line
from ...backends.registry import resolve
from ..jobs import end_process, start_process
from ..referee import compare, explain
from .problems import SweepProblem, draw_problem
from .results import SweepOutcome

MODELS_PER_WORKER = 50  # then it is replaced: JAX keeps some 10 MB for each


@dataclass(eq=False)
class Worker:
    """A worker process.

    Attributes:
        process: the process.
        pipe: our end of the pipe to it.
        ready: whether it has loaded the backends.
        models: how many models it was given.
        numbers: of the problems that it has not answered.
    """

    process: BaseProcess
    pipe: Connection
    ready: bool = False
    models: int = 0
    numbers: deque[int] = field(default_factory=deque)

    def give(self, numbers: list[int]) -> None:
        """Sends it the numbers of the problems of one model."""
        self.models += 1
        self.numbers.extend(numbers)
        with suppress(OSError):  # it died: waiting for its answer finds out
            self.pipe.send(numbers)


def in_workers(
    tasks: Iterator[list[int]], jobs: int, start: Callable[[], Worker]
) -> Generator[tuple[int, SweepOutcome | str], None, None]:
    """Computes the outcomes, in the order in which they come.

    Args:
        tasks: the numbers of the problems of one model, each time.
        jobs: how many workers there are at once.
        start: starts a worker.

    Yields:
        Each number with its outcome, or with a sentence on how the worker died of it.

    Raises:
        BrokenBackendError: a worker died while it loaded the backends.
    """
    left_behind: list[list[int]] = []  # by workers that died
    workers: dict[Any, Worker] = {}

    def next_task() -> list[int] | None:
        return left_behind.pop() if left_behind else next(tasks, None)

    try:
        while True:
            while len(workers) < jobs and (task := next_task()):
                worker = start()
                workers[worker.pipe] = worker
                worker.give(task)
            if not workers:
                return
            for pipe in wait(list(workers)):
                worker = workers[pipe]
                try:
                    answer = worker.pipe.recv()
                except (EOFError, OSError):
                    worker.process.join()
                    del workers[pipe]
                    death = f"the worker process died, with exit code {worker.process.exitcode}"
                    if not worker.ready:
                        raise BrokenBackendError(f"{death}, while it loaded the backends") from None
                    yield worker.numbers.popleft(), death
                    left_behind += [list(worker.numbers)] if worker.numbers else []
                    continue
                if not worker.ready:
                    worker.ready = True
                    continue
                yield worker.numbers.popleft(), answer
                if worker.numbers:
                    continue
                if worker.models < MODELS_PER_WORKER and (task := next_task()):
                    worker.give(task)
                else:
                    del workers[pipe]
                    end_process(worker.process, worker.pipe)
    finally:
        for worker in workers.values():
            end_process(worker.process, worker.pipe)


def start_worker(*arguments: Any) -> Worker:
    """Starts a worker, which loads the backends and then waits for numbers."""
    return Worker(*start_process(_work, *arguments))


def _work(pipe: Connection, seed: int, numbers: int, names: list[str], save_case: Path | None) -> None:
    backends = list(resolve(names).values())
    pipe.send("ready")
    try:
        while True:
            for number in pipe.recv():
                pipe.send(_judge(draw_problem(number, seed=seed, numbers=numbers), backends, save_case))
    except (EOFError, BrokenPipeError):  # nobody is there any more
        return


def _judge(sweep_problem: SweepProblem, backends: Sequence[Any], save_case: Path | None) -> SweepOutcome:
    try:
        with redirect_stdout(sys.stderr):  # what a backend prints is no result
            comparison = compare(sweep_problem.problem, backends, trace=True)
    except UnsupportedProblemError as error:
        return outcome_of(sweep_problem, "unsupported", report=str(error))
    except BaseException as error:  # in a process of its own, whose Ctrl-C is blocked
        return outcome_of(sweep_problem, "failed", report=f"the comparison raised {first_line(error)}")
    closest = comparison.closest
    share = float(closest.ratio) if closest and math.isfinite(closest.ratio) else None
    report = ""
    if comparison.verdict == "disagree":
        report = explain(
            comparison, sweep_problem.problem.save_in(save_case, f"sweep-{sweep_problem.number}") if save_case else None
        )
    return outcome_of(sweep_problem, comparison.verdict, strength=comparison.strength, share=share, report=report)


def outcome_of(drawn: SweepProblem, verdict: str, **result: Any) -> SweepOutcome:
    """The outcome of a problem.

    Args:
        drawn: the problem.
        verdict: see `SweepOutcome`.
        result: its other fields.
    """
    problem = drawn.problem
    words = (problem.summary, problem.dtype.name, drawn.gain, drawn.regime, problem.fingerprint[:12])
    return SweepOutcome(drawn.number, drawn.family, *words, verdict, **result)
