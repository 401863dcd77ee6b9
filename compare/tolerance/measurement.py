"""The tolerance: measured for the problem at hand, block by block, never guessed.

The hand derivation runs on the problem under stochastic arithmetic a few times (Monte Carlo arithmetic, Parker 1997;
CESTAC, Vignes 1993), each time from a fixed seed. How far a block moves is its spread. Two correct programs may differ
by a small multiple of it, plus a few units in the last place. Where that is more than a hundredth of the block itself,
rounding dominates the result, and nothing is decided in this dtype.
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

PROBES = 8  # runs under stochastic arithmetic
SPREAD_MULTIPLE = 8.0  # of the spread that two correct answers may differ by
FLOOR_ULP = 8.0  # units in the last place of a block's largest entry that are allowed in any case
MAX_RELATIVE_TOLERANCE = 0.01  # of a block's scale; beyond it nothing is decided
MAX_SHARE_OF_RANGE = 2.0**-8  # of the dtype's largest number; beyond it another order of operations may overflow


@dataclass(frozen=True, eq=False)
class Tolerance:
    """What rounding can do to each block of a problem.

    The arrays stand by quantity, such as `loss`, `dW` or `dh_t`, and have one entry for each block. They are in the
    quantity's own units.

    Attributes:
        dtype: the problem's.
        scale: the magnitude of the block's largest entry.
        spread: the largest deviation of an entry among the probes.
        allowed: how far two correct answers may differ.
        undecidable: whether rounding dominates the block.
        overflows: whether a number of the computation comes near the dtype's largest.
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
    """Measures how far rounding alone moves an answer to a problem. The same problem gives the same tolerance.

    Args:
        problem: the model with its numbers.
        training: how the system learns; then the tolerance is that of the trajectory.
        progress: is called with the number of probes that are done.

    Returns:
        The tolerance of every block.

    Example:
        >>> from gradparity.compare import SYSTEMS, measure_tolerance
        >>> tolerance = measure_tolerance(SYSTEMS["elman-softmax"].problem(seed=0))
        >>> [bool(1e-16 < (tolerance.allowed[name] / tolerance.scale[name]).max() < 1e-12) for name in ("loss", "dW")]
        [True, True]
        >>> tolerance.undecidable["dW"].any()
        np.False_
    """

    def computed(perturbed: Problem) -> dict[str, Quantity]:
        if training:
            return training_quantities(hand_trajectory(perturbed, training))
        derived, model = answer(perturbed), perturbed.model
        adjoints = derived.adjoints
        if isinstance(model, Recurrent) and model.differentiation == "forward":  # which has no adjoints
            adjoints = answer(perturbed.with_unchecked(model=replace(model, differentiation="reverse"))).adjoints
        return quantities(Evaluation(float(derived.loss), derived.gradients, derived.outputs, adjoints), problem)

    return measure_rounding(problem, computed, progress)


def hand_trajectory(problem: Problem, training: Training) -> Trajectory:
    """The trajectory of the hand derivation."""
    return follow(problem, training, lambda batch, step: answer(batch), ManualBackend().descend)


def measure_rounding(
    problem: Problem,
    computed: Callable[[Problem], dict[str, Quantity]],
    progress: Callable[[int], None] = lambda probes: None,
    probes: int = PROBES,
) -> Tolerance:
    """Measures how far rounding alone moves each block of a computation.

    Args:
        problem: the model with its numbers.
        computed: the quantities of a problem, in NumPy operations that `RandomlyRounded` carries out.
        progress: is called with the number of probes that are done.
        probes: how many runs.
    """
    with np.errstate(all="ignore"):
        baseline = _float_blocks(computed(problem))
        scale = {name: _block_maxima(values) for name, values in baseline.items()}
        spread = {name: np.zeros_like(largest) for name, largest in scale.items()}
        largest = 0.0
        for probe in range(probes):
            roundings = Roundings(seed=probe)
            for name, values in _float_blocks(computed(_randomly_rounded(problem, roundings))).items():
                spread[name] = np.maximum(spread[name], _block_maxima(values - baseline[name]))
            largest = max(largest, roundings.largest)
            progress(probe + 1)

        info = np.finfo(problem.dtype)
        floor = {name: FLOOR_ULP * (units_in_the_last_place(scale[name], problem.dtype) + info.tiny) for name in scale}
        allowed = {name: SPREAD_MULTIPLE * spread[name] + floor[name] for name in scale}
        # negated, so that a NaN makes a block undecidable; a block that is exactly zero is not
        dominated = {name: ~(allowed[name] <= MAX_RELATIVE_TOLERANCE * scale[name]) for name in scale}
        undecidable = {name: dominated[name] & ~((scale[name] == 0) & (spread[name] == 0)) for name in scale}
    return Tolerance(
        problem.dtype, scale, spread, allowed, undecidable, overflows=not largest < MAX_SHARE_OF_RANGE * info.max
    )


def units_in_the_last_place(scale: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """One ulp of each number: the distance to the next larger one of the dtype, as float64.

    Example:
        >>> units_in_the_last_place(np.array([1.0, 4.0]), np.dtype("float32"))
        array([1.19209290e-07, 4.76837158e-07])
    """
    with np.errstate(all="ignore"):
        return np.spacing(scale.astype(dtype)).astype("float64")


def _float_blocks(computed: dict[str, Quantity]) -> dict[str, np.ndarray]:
    return {name: np.asarray(quantity.blocks, dtype="float64") for name, quantity in computed.items()}


def _block_maxima(blocks: np.ndarray) -> np.ndarray:
    return np.abs(blocks).max(axis=1)


def _randomly_rounded(problem: Problem, roundings: Roundings) -> Problem:
    """The problem with arrays that round at random. It bypasses the checks, which would strip them."""
    batch = {name: getattr(problem, name) for name in BATCH}
    return problem.with_unchecked(
        params={name: roundings.array(array) for name, array in problem.params.items()},
        **{name: roundings.array(a) for name, a in batch.items() if a is not None and a.dtype.kind == "f"},
    )
