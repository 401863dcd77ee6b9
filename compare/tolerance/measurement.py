"""The tolerance: measured for the problem at hand, block by block, never guessed.

The hand derivation is run on the problem under stochastic arithmetic a few times, in a fixed random
sequence; how far a block moves is its spread. Two correct programs may differ by a small multiple of that,
plus a few units in the last place. Where that would be a sizeable part of the block itself, rounding alone
can spoil the result, and nothing can be decided in this dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...backends import Evaluation, Problem, Recurrent
from ...backends.problems.problem import BATCH
from ...backends.references.manual_backend import ManualBackend, answer
from ..answers import Quantity, Training, Trajectory, follow, quantities, training_quantities
from .rounding import Roundings

PROBES = 8
MULTIPLE = 8.0
FLOOR_ULP = 8.0
MAX_RELATIVE_TOLERANCE = 0.01
HEADROOM = 2.0**-8


@dataclass(frozen=True, eq=False)
class Tolerance:
    """What rounding can do to each block of a problem. Arrays have one entry for each block.

    Attributes:
        dtype: the problem's.
        scale: the largest entry's magnitude, by quantity.
        spread: how far the largest deviation among the probes reached.
        allowed: how far two correct answers may differ.
        undecidable: where rounding alone can spoil the block.
        overflows: whether any number on the way to the answer comes near the dtype's largest.
    """

    dtype: np.dtype
    scale: dict[str, np.ndarray]
    spread: dict[str, np.ndarray]
    allowed: dict[str, np.ndarray]
    undecidable: dict[str, np.ndarray]
    overflows: bool


def measure_tolerance(
    problem: Problem, training: Training | None = None, progress: Callable[[int], None] = lambda probes: None
) -> Tolerance:
    """Runs the probes; deterministic. With `training`, each probe follows the whole trajectory.

    Args:
        problem: the question.
        training: how it is learned from, if it is.
        progress: is called with the number of probes that are done.
    """

    def computed(on: Problem) -> dict[str, Quantity]:
        if training is None:
            found = answer(on)
            adjoints = found.adjoints
            if isinstance(on.model, Recurrent) and on.model.differentiation == "forward":  # which has no adjoints
                adjoints = answer(on.with_unchecked(model=replace(on.model, differentiation="reverse"))).adjoints
            return quantities(Evaluation(float(found.loss), found.gradients, found.outputs, adjoints), problem)
        return training_quantities(hand_trajectory(on, training))

    return measure(problem, computed, progress)


def hand_trajectory(problem: Problem, training: Training) -> Trajectory:
    """The way of the hand derivation."""
    return follow(problem, training, lambda each, step: answer(each), ManualBackend().descend)


def measure(
    problem: Problem,
    computed: Callable[[Problem], dict[str, Quantity]],
    progress: Callable[[int], None] = lambda probes: None,
    probes: int = PROBES,
) -> Tolerance:
    """How far rounding alone moves each block of what is computed of a problem, in that many probes."""
    with np.errstate(all="ignore"):
        baseline = _blocks(computed(problem))
        scale = {name: _largest(values) for name, values in baseline.items()}
        spread = {name: np.zeros_like(largest) for name, largest in scale.items()}
        largest = 0.0
        for probe in range(probes):
            roundings = Roundings(seed=probe)
            for name, values in _blocks(computed(_randomly_rounded(problem, roundings))).items():
                spread[name] = np.maximum(spread[name], _largest(values - baseline[name]))
            largest = max(largest, roundings.largest)
            progress(probe + 1)

        info = np.finfo(problem.dtype)
        floor = {name: FLOOR_ULP * (units_in_the_last_place(scale[name], problem.dtype) + info.tiny) for name in scale}
        allowed = {name: MULTIPLE * spread[name] + floor[name] for name in scale}
        # negated, so that a NaN makes a block undecidable; a block that is exactly zero is not
        spoilt = {name: ~(allowed[name] <= MAX_RELATIVE_TOLERANCE * scale[name]) for name in scale}
        undecidable = {name: spoilt[name] & ~((scale[name] == 0) & (spread[name] == 0)) for name in scale}
    return Tolerance(problem.dtype, scale, spread, allowed, undecidable, overflows=not largest < HEADROOM * info.max)


def units_in_the_last_place(scale: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The distance from each number to the next larger one of the dtype."""
    with np.errstate(all="ignore"):
        return np.spacing(scale.astype(dtype)).astype("float64")


def _blocks(found: dict[str, Quantity]) -> dict[str, np.ndarray]:
    return {name: np.asarray(each.blocks, dtype="float64") for name, each in found.items()}


def _largest(blocks: np.ndarray) -> np.ndarray:
    return np.abs(blocks).max(axis=1)


def _randomly_rounded(problem: Problem, roundings: Roundings) -> Problem:
    """The problem with arrays that round at random. It bypasses the checks, which would strip them."""
    given = {name: getattr(problem, name) for name in BATCH}
    return problem.with_unchecked(
        params={name: roundings.array(array) for name, array in problem.params.items()},
        **{name: roundings.array(a) for name, a in given.items() if a is not None and a.dtype.kind == "f"},
    )
