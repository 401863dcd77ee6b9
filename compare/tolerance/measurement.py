"""The tolerance: measured for the problem at hand, block by block, never guessed.

The network's definition runs on the problem under stochastic arithmetic a few times (Monte Carlo arithmetic, Parker
1997; CESTAC, Vignes 1993), each time from a fixed seed, and the tape differentiates it. The hand derivation has no part
in it. How far a block moves is its spread. Two correct programs may differ by a small multiple of it, plus a few units
in the last place. Where that is more than a hundredth of the block itself, rounding dominates the result, and nothing
is decided in this dtype.

Correct programs differ in more than their roundings: they write one formula in two ways, flush subnormal numbers or
multiply in another order, and take one side or the other where a relu's argument is 0 up to rounding. Each of these is
a kind of probe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, get_args

import numpy as np

from ...backends import Evaluation, Problem
from ...backends.problems.problem import BATCH
from ..answers import Quantity, Training, Trajectory, follow, quantities, training_quantities
from ..definitions import Floats, differentiate
from .formats import SPREAD_MULTIPLE, Format, format_of
from .kinks import Kinks
from .limits import Blocks, Cause, Entries, Tolerance, limits_from
from .rounding import Roundings, Underflow


class Writing(NamedTuple):
    """How formulas are written in probes that run beside each other, along the first axis of every array.

    The last of these probes differs in its underflow.

    Attributes:
        source: what moves the results of the others.
        fused: whether formulas are written as the frameworks' kernels have them.
        underflow: what becomes of subnormal results in the last one.
    """

    source: Cause
    fused: bool
    underflow: Underflow


PROBES = 4  # of each writing; they run beside each other
LARGE = 1_000_000  # numbers in an answer: of a larger one each probe runs by itself, in a fourth of the memory
WRITINGS = (Writing("rounding", False, "flushed"), Writing("cancellation", True, "reordered"))
NUMBER_OF_PROBES = PROBES * len(WRITINGS)
UNDERFLOWS: tuple[Underflow, ...] = ("gradual", "flushed", "reordered")  # in turn, of a function that is given


def measure_tolerance(
    problem: Problem,
    training: Training | None = None,
    progress: Callable[[int], None] = lambda probes: None,
    *,
    rounded_in: Format | None = None,
) -> Tolerance:
    """Measures how far rounding alone moves an answer to a problem. The same problem gives the same tolerance.

    Args:
        problem: the model with its numbers.
        training: how the system learns; then the tolerance is that of the trajectory.
        progress: is called with the number of probes that are done.
        rounded_in: the format of half precision in which every operation rounds, of a problem in float64.

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

    def computed(floats: Floats) -> list[dict[str, Quantity]]:
        """The quantities of every computation that runs in these numbers."""
        if training:
            return [training_quantities(path) for path in _trajectories(problem, training, floats)]
        answer = differentiate(problem, floats)
        return [quantities(one, problem) for one in _beside_each_other(answer, floats.leading)]

    return measure_definition(problem.dtype, computed, progress, rounded_in=rounded_in)


def measure_definition(
    dtype: np.dtype,
    computed: Callable[[Floats], list[dict[str, Quantity]]],
    progress: Callable[[int], None] = lambda probes: None,
    *,
    probes: int = PROBES,
    rounded_in: Format | None = None,
) -> Tolerance:
    """Measures how far rounding alone moves what a definition computes.

    Args:
        dtype: in which it is computed.
        computed: from the numbers to compute with, the quantities of each computation that ran beside the others along
            the leading axes; of one if there are none.
        progress: is called with the number of probes that are done.
        probes: of each writing. Of thousands of entries with about equal roundings fewer tell the largest.
        rounded_in: the format of half precision in which every operation rounds; None is the dtype.

    Returns:
        The tolerance of every block.

    Example:
        >>> from gradparity.compare.answers.blocks import whole
        >>> from gradparity.compare.answers import QuantityName
        >>> def third(floats):
        ...     value = floats.leaf(np.array([1.0])) / 3
        ...     copies = value if floats.leading else value[None]
        ...     return [{"third": whole(QuantityName("third"), copy)} for copy in copies]
        >>> bool(0 < measure_definition(np.dtype("float64"), third).spread["third"][0] < 1e-15)
        True
    """

    def blocks_in(floats: Floats) -> list[Blocks]:
        return [_float_blocks(one) for one in computed(floats)]

    with np.errstate(all="ignore"):
        exact = Floats(dtype)
        spreads = _Spreads(blocks_in(exact)[0])
        kinks = Kinks(exact.relu_arguments, at_zero=exact.is_recorded)
        branches, borders = Kinks(exact.margins), Kinks(exact.borders, at_zero=True)
        largest = 0.0
        beside = 1 if sum(array.size for array in spreads.baseline.values()) > LARGE else probes
        for first in range(0, probes * len(WRITINGS), beside):
            writing = WRITINGS[first // probes]
            has_last = (first + beside) % probes == 0
            underflow = writing.underflow if has_last and not rounded_in else "gradual"
            roundings = Roundings(first, underflow, row=beside - 1, rounded_in=rounded_in)
            floats = Floats(dtype, leading=(beside,), fused=writing.fused, leaf=roundings.array)
            answers = blocks_in(floats)
            if has_last:
                spreads.add("underflow", answers.pop())
            for blocks in answers:
                spreads.add(writing.source, blocks)
            kinks.add(floats.relu_arguments)
            branches.add(floats.margins)
            borders.add(floats.borders)
            largest = max(largest, roundings.largest if floats.largest is None else floats.largest)
            progress(first + beside)
        for sides in kinks.sides(SPREAD_MULTIPLE, beside):
            for blocks in blocks_in(Floats(dtype, leading=(beside,), slopes=sides)):
                spreads.add("kink", blocks)
        if any(near.any() for near in (*branches.near(SPREAD_MULTIPLE), *borders.near(SPREAD_MULTIPLE))):
            spreads.add("kink", {name: np.full_like(values, np.inf) for name, values in spreads.baseline.items()})
        known = rounded_in or dtype
        return limits_from(known, spreads.scale, spreads.by_source, _overflows(largest, known), spreads.entries)


def steps_to_settle(problem: Problem, training: Training) -> int:
    """How many steps it takes until the loss settles, in the definition's own computation."""
    with np.errstate(all="ignore"):
        return len(_trajectories(problem, training, Floats(problem.dtype))[0].losses)


def measure_rounding(
    problem: Problem, computed: Callable[[Problem], dict[str, Quantity]], probes: int = NUMBER_OF_PROBES
) -> Tolerance:
    """Measures how far rounding alone moves each block of a computation that is given.

    Args:
        problem: the model with its numbers.
        computed: the quantities of a problem, in NumPy operations that `RandomlyRounded` carries out.
        probes: how many runs.

    Returns:
        The tolerance of every block.
    """
    with np.errstate(all="ignore"):
        spreads = _Spreads(_float_blocks(computed(problem)))
        largest = 0.0
        for number in range(probes):
            roundings = Roundings(number, UNDERFLOWS[number % len(UNDERFLOWS)])
            spreads.add("rounding", _float_blocks(computed(_randomly_rounded(problem, roundings))))
            largest = max(largest, roundings.largest)
        return limits_from(problem.dtype, spreads.scale, spreads.by_source, _overflows(largest, problem.dtype), None)


class _Spreads:
    """The deviations of the probes from the computation without random roundings, as far as they were run."""

    def __init__(self, baseline: Blocks) -> None:
        self.baseline = baseline
        self.scale = {name: _block_maxima(values) for name, values in baseline.items()}
        self.by_source: dict[Cause, Blocks] = {
            source: {name: np.zeros_like(scale) for name, scale in self.scale.items()} for source in get_args(Cause)
        }
        self._entries = Entries(*({name: np.zeros_like(values) for name, values in baseline.items()} for _ in range(2)))
        self._has_kinks = False

    @property
    def entries(self) -> Entries | None:
        """How far every entry moved, if there are kinks."""
        return self._entries if self._has_kinks else None

    def add(self, source: Cause, probe: Blocks) -> None:
        spread, is_kink = self.by_source[source], source == "kink"
        entries = self._entries.sides if is_kink else self._entries.rounded
        self._has_kinks |= is_kink
        for name, values in probe.items():
            moved = np.abs(values - self.baseline[name])
            spread[name] = np.maximum(spread[name], _block_maxima(moved))
            entries[name] = np.maximum(entries[name], moved)


def _overflows(largest: float, dtype: np.dtype | Format) -> bool:
    """Negated, so that a NaN overflows."""
    known = format_of(dtype)
    return not largest < known.share_of_range * known.largest


def _trajectories(problem: Problem, training: Training, floats: Floats) -> list[Trajectory]:
    rate = problem.dtype.type(training.learning_rate)
    start = problem.with_unchecked(params={name: floats.leaf(array) for name, array in problem.params.items()})
    path = follow(
        start,
        training,
        lambda batch, step: differentiate(batch, floats),
        lambda params, gradients, _: {name: theta - rate * gradients[name] for name, theta in params.items()},
    )
    if not floats.leading:
        return [path]
    return [
        Trajectory(path.losses[:, i], {name: values[:, i] for name, values in path.params.items()})
        for i in range(*floats.leading)
    ]


def _beside_each_other(answer: Evaluation, leading: tuple[int, ...]) -> list[Evaluation]:
    """The answers of the computations that ran beside each other."""
    if not leading:
        return [answer]
    return [
        Evaluation(
            float(answer.loss[i]),  # type: ignore[index] # with leading axes it is an array
            {name: array[i] for name, array in answer.gradients.items()},
            None if answer.outputs is None else answer.outputs[i],
            {name: array[i] for name, array in answer.adjoints.items()},
        )
        for i in range(*leading)
    ]


def _float_blocks(computed: dict[str, Quantity]) -> Blocks:
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
