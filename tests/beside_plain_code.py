"""What the references take beside code as their users write it: `python tests/beside_plain_code.py jax`.

Beside each stand plain code of ours and, beside JAX, the layers of its libraries. All run in this process, on one core,
in short rounds that turn round, after they were verified as in `gradparity bench`. A ratio above 1 says that the
reference takes longer: the median over the rounds of its time on the processor, by that of the other in the same round.
`nox --sessions plain` does it for every reference.
"""

from __future__ import annotations

import importlib
import math
import os
import statistics
import sys
import time
from collections.abc import Callable

from gradparity.backends import get_backend
from gradparity.compare.bench import workloads
from gradparity.compare.bench.verification import verify
from gradparity.compare.jobs import thread_limits

BESIDE = {
    "jax": ("plain_jax:PLAIN", *(f"library_jax:{name}" for name in ("NNX", "LINEN", "EQUINOX", "HAIKU", "LSTM_REF"))),
    "torch-nn": ("plain_torch:LAYER",),
    "torch": ("plain_torch:LOOP",),
}
ROUND_SECONDS = 0.02  # short, so that a disturbance hits few of them, and all alike
ROUNDS = (3, 40)  # the least and the most
WORKLOAD_SECONDS = 5.0  # of all rounds, where these are more than the least


def main(name: str, *sizes: str) -> None:
    """Prints a line for each cell, dtype and size: what a call takes, the ratio to each, and to the fastest of them."""
    os.environ.update(thread_limits(1))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    reference, others = get_backend(name), [contestant(place) for place in BESIDE[name]]
    print(f"{name + ' ÷':42} {'rounds':>6} {'ms':>9}", *(f"{other.name:>10}" for other in others), "  the fastest")
    worst = 0.0
    for workload in workloads(sizes=sizes):
        problem = workload.problem()
        beside = [other for other in others if not other.supports(problem.model, workload.dtype)]
        require_verified(problem, [reference, *beside])
        taken = rounds_of([one.prepare(problem) for one in (reference, *beside)])
        ratios = {
            other.name: statistics.median(mine / theirs for mine, theirs in zip(taken[0], of_other, strict=True))
            for other, of_other in zip(beside, taken[1:], strict=True)
        }
        fastest = max(ratios, key=lambda other: ratios[other])
        worst = max(worst, ratios[fastest])
        shown = (f"{ratios[other.name]:10.2f}" if other.name in ratios else f"{'–':>10}" for other in others)
        milliseconds = 1e3 * statistics.median(taken[0])
        print(f"{workload.label:42} {len(taken[0]):6} {milliseconds:9.3f}", *shown, end="", flush=True)
        print(f"   {ratios[fastest]:.2f} {fastest}", flush=True)
    print(f"{name} takes at most {worst:.2f} times what the fastest of them takes")


def contestant(place: str):
    """A backend in a file of `examples`."""
    file, _, name = place.partition(":")
    return getattr(importlib.import_module(f"examples.{file}"), name)


def require_verified(problem, contestants) -> None:
    """Raises unless all have the same loss and gradients, within what rounding explains."""
    evaluations = {one.name: one.evaluate(problem) for one in contestants}
    answers = {
        name: (found.loss, {parameter: found.gradients[parameter] for parameter in problem.params})
        for name, found in evaluations.items()
    }
    if refused := verify(problem, answers):
        raise SystemExit(f"{problem.model.summary}: {refused}")


def rounds_of(runs: list[Callable[[], object]]) -> list[list[float]]:
    """Of each run the seconds of a call on the processor, in every round."""
    for run in runs:
        run()
    started = time.perf_counter()
    for run in runs:
        run()
    a_round = time.perf_counter() - started
    calls = math.ceil(ROUND_SECONDS * len(runs) / a_round)
    rounds = min(max(round(WORKLOAD_SECONDS / (a_round * calls)), ROUNDS[0]), ROUNDS[1])
    taken: list[list[float]] = [[] for _ in runs]
    for number in range(rounds):
        for which in list(range(len(runs)))[:: 1 if number % 2 == 0 else -1]:
            started = time.process_time()
            for _ in range(calls):
                runs[which]()
            taken[which].append((time.process_time() - started) / calls)
    return taken


if __name__ == "__main__":
    main(*sys.argv[1:])
