"""What a worker process of a sweep does: it loads the backends, and judges problems by their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...backends import UnsupportedProblemError
from ...backends.errors import first_line
from ...backends.registry import resolve
from ..output import environment
from ..referee import compare, explain
from ..workers import Served
from .problems import SweepProblem, draw_problem
from .results import SweepOutcome


def serve(seed: int, numbers: int, names: Sequence[str], save_case: Path | None) -> Served:
    """What judges the problems of a sweep.

    Args:
        seed: of the sweep.
        numbers: how many successive problems share a model.
        names: of the backends.
        save_case: a folder for the problems on which something disagrees.

    Returns:
        What gives the outcome of a number.
    """
    backends = list(resolve(names).values())

    def judged(number: int) -> SweepOutcome:
        return _judge(draw_problem(number, seed=seed, numbers=numbers), backends, save_case)

    return Served(environment(), judged)


def _judge(sweep_problem: SweepProblem, backends: Sequence[Any], save_case: Path | None) -> SweepOutcome:
    try:
        comparison = compare(sweep_problem.problem, backends, trace=True)
    except UnsupportedProblemError as error:
        return outcome_of(sweep_problem, "unsupported", report=str(error))
    except BaseException as error:  # in a process of its own, which Ctrl-C does not reach
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
