"""Smaller versions of a system, on which a mistake is easier to see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...backends import FeedForward, OrderedSystem, Problem, Recurrent
from ...backends.models import Network, Traced
from ..systems import System
from ..systems.regimes import readout_names

SMALL_SIZES = (1, 2, 3)
SATURATING, LARGE = 4.0, 10.0  # factors of ordinary numbers


def cut_down(system: System) -> dict[str, System]:
    """The system with one size cut down: `T = 1`, `T = 2`, `one sample`, `one unit`, as far as it has these."""
    model = system.model
    if isinstance(model, OrderedSystem | Traced):
        return {}
    one_unit = {"hidden_size": 1} if isinstance(model, Recurrent) else {"sizes": _one_unit(model.sizes)}
    units: dict[str, System] = {"one unit": replace(system, model=replace(model, **one_unit))}
    if system.batch_size > 1:
        lengths = system.lengths[:1] if system.lengths else None
        units = {"one sample": replace(system, batch_size=1, lengths=lengths), **units}
    if isinstance(model, FeedForward):
        return units
    steps = {T: tuple(min(T, length) for length in system.lengths) if system.lengths else None for T in (1, 2)}
    return {f"T = {T}": replace(system, seq_len=T, lengths=lengths) for T, lengths in steps.items()} | units


def _one_unit(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return (sizes[0], *(1 for _ in sizes[1:-1]), sizes[-1])


def telling_problems(cut: System, system: System, seeds: Iterable[int], dtype: str) -> Iterator[Problem]:
    """Problems of a system with one size cut down, in which hardly anything is hidden that is no matter of that size.

    Args:
        cut: the system with one size cut down.
        system: the whole one.
        seeds: of the numbers.
        dtype: of the numbers.

    Yields:
        For each seed: so many samples or steps that sums have as many terms as in the whole system; all numbers larger,
        so that cells saturate; and a larger read-out alone, so that gradients are large where cells do not.
    """
    for seed in seeds:
        yield _with_as_many_terms(cut, system).problem(seed=seed, dtype=dtype)
        problem = cut.problem(seed=seed, dtype=dtype)
        yield _scaled(problem, SATURATING, tuple(problem.params), {"inputs": problem.inputs, **problem.states})
        yield _scaled(problem, LARGE, readout_names(problem)[:1], {})


def _with_as_many_terms(cut: System, system: System) -> System:
    if cut.lengths:
        return cut
    if cut.seq_len < system.seq_len or cut.batch_size == system.batch_size:
        return replace(cut, batch_size=system.batch_size * system.seq_len)
    return replace(cut, seq_len=system.batch_size * system.seq_len)


def _scaled(problem: Problem, by: float, params: tuple[str, ...], others: Mapping[str, np.ndarray]) -> Problem:
    """The problem with these parameters and other arrays multiplied."""
    factor = problem.dtype.type(by)
    scaled = {name: array * factor if name in params else array for name, array in problem.params.items()}
    return replace(problem, params=scaled, **{name: array * factor for name, array in others.items()})


def small_problems(system: System, seed: int, dtype: str) -> Iterator[Problem]:
    """The system's problems on small sizes, the smallest first; all but its sizes is as the system has it."""
    model = system.model
    if isinstance(model, Traced):
        return
    if isinstance(model, OrderedSystem):
        for size in range(1, model.size + 1):
            weights = tuple(row[:size] for row in model.weights[:size])
            yield Problem.from_seed(OrderedSystem(weights, model.objective[:size]), seed=seed, dtype=dtype)
        return
    for leading, sizes in _sizes(model, system.seq_len):
        changed: Network
        if isinstance(model, Recurrent):
            D, H, K = sizes
            changed = replace(model, input_size=D, hidden_size=H, output_size=K)
        else:
            changed = replace(model, sizes=sizes)
        lengths = _short_lengths(*leading) if system.lengths else None
        leading_sizes: dict[str, Any] = dict(zip(model.LEADING, leading, strict=True))
        yield Problem.from_seed(changed, seed=seed, dtype=dtype, lengths=lengths, **leading_sizes)


def _sizes(model: Recurrent | FeedForward, seq_len: int) -> Iterable[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(T, B) and (D, H, K), or (B,) and the layers' sizes, in the order of how much there is to look at."""
    layers = 3 if isinstance(model, Recurrent) else len(model.sizes)
    K = 2 if model.loss == "softmax_cross_entropy" else 1  # of one output, the softmax is always 1
    for steps in _step_counts(model, seq_len):
        for width in SMALL_SIZES[:2]:
            for batch in SMALL_SIZES[:2]:
                sizes = (*(width,) * (layers - 1), max(K, width))
                yield ((steps, batch) if isinstance(model, Recurrent) else (batch,)), sizes
        if isinstance(model, FeedForward):
            return


def _step_counts(model: Recurrent | FeedForward, seq_len: int) -> list[int]:
    """How many steps are tried; of a truncation to n steps that cuts something off, also the least on which it does."""
    steps = set(SMALL_SIZES)
    if isinstance(model, Recurrent) and model.truncation and model.truncation.steps < seq_len:
        steps.add(model.truncation.steps + 1)
    return sorted(steps)


def _short_lengths(seq_len: int, batch_size: int) -> list[int]:
    return [max(1, seq_len - b) for b in range(batch_size)]
