"""The regimes of a sweep: numbers with which right programs come apart, if a referee does not know them.

Each changes the numbers of a problem and keeps its model and its sizes, for which JAX has compiled. Which entries are
changed, and how far, is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ...backends import OrderedSystem, Problem, Recurrent
from ..systems.regimes import confident, large_gradients, zeros_and_ties

RandomRegime = Callable[[Problem, np.random.Generator], Problem | None]

SCALES = (1e-30, 1.0, 1e30)
LARGEST_BIAS = {"float64": 800.0, "float32": 120.0}  # of a gate: beyond it σ is exactly 0 or 1
FEW = 0.2  # the share of the entries that are changed


def subnormal(problem: Problem, rng: np.random.Generator) -> Problem:
    """Some parameters and inputs below the normal range, and others so large that the products are of ordinary size."""
    tiny = float(np.finfo(problem.dtype).tiny)

    def change(array: np.ndarray) -> np.ndarray:
        small = array * (tiny * 10 ** rng.uniform(-5, 1, array.shape))
        large = array * (10 ** rng.uniform(-5, -2, array.shape) / tiny)
        drawn = rng.random(array.shape)
        return np.where(drawn < FEW, small, np.where(drawn < 2 * FEW, large, array)).astype(array.dtype)

    return _with_floats(problem, change)


def scales(problem: Problem, rng: np.random.Generator) -> Problem:
    """Every array as it is, or 1e30 times as large or as small: products underflow in one order and not in another."""
    return _with_floats(problem, lambda array: (array * rng.choice(SCALES)).astype(array.dtype))


def saturated(problem: Problem, rng: np.random.Generator) -> Problem | None:
    """Units that are open or closed up to the last bit, and an initial state of any smaller size.

    Returns:
        The problem; None where no bias is recurrent.
    """
    biases = [name for name in problem.params if "b" in name.split(".")]
    if not isinstance(problem.model, Recurrent) or not biases:
        return None
    largest = LARGEST_BIAS[problem.dtype.name]
    params = dict(problem.params)
    for name in biases:
        b = params[name]
        moved = np.where(rng.random(b.shape) < 0.5, rng.uniform(-largest, largest, b.shape), b)
        params[name] = moved.astype(b.dtype)
    size = problem.dtype.type(10.0 ** rng.uniform(-20, 0))
    states: dict[str, Any] = {name: array * size for name, array in problem.states.items()}
    return replace(problem, params=params, **states)


def one_decimal(problem: Problem, rng: np.random.Generator) -> Problem:
    """Numbers with one decimal, so that a sum is often 0 but for its roundings, and a relu's argument with it."""
    return _with_floats(problem, lambda array: (rng.integers(-4, 5, array.shape) / 10).astype(array.dtype))


def short(problem: Problem, rng: np.random.Generator) -> Problem | None:
    """Most sequences one step long.

    Returns:
        The problem; None where sequences have no lengths of their own.
    """
    if problem.lengths is None:
        return None
    lengths = np.where(rng.random(problem.batch_size) < 0.7, 1, problem.sequence_lengths)
    return replace(problem, lengths=lengths)


def orthogonal(problem: Problem, rng: np.random.Generator) -> Problem | None:
    """Recurrent weights that keep lengths, so that nothing vanishes or explodes however long the sequence is.

    Returns:
        The problem; None where nothing is recurrent.
    """
    if not isinstance(problem.model, Recurrent):
        return None
    H, params = problem.model.hidden_size, dict(problem.params)

    def rotation() -> np.ndarray:
        return np.linalg.qr(rng.standard_normal((H, H)))[0]

    for name, array in params.items():
        if "W" in name.split("."):
            params[name] = np.concatenate([rotation() for _ in range(len(array) // H)]).astype(array.dtype)
        elif name == "Wcat":
            params[name] = np.concatenate([array[:, :-H], rotation()], axis=1).astype(array.dtype)
    return replace(problem, params=params)


def _large_gradients(problem: Problem, rng: np.random.Generator) -> Problem | None:
    """Of an ordered system they would come from its objective, which is a part of the model."""
    return None if isinstance(problem.model, OrderedSystem) else large_gradients(problem, copies=1)


REGIMES: Mapping[str, RandomRegime] = MappingProxyType(
    {
        "subnormal": subnormal,
        "scales": scales,
        "saturated": saturated,
        "one decimal": one_decimal,
        "short": short,
        "orthogonal": orthogonal,
        "confident": lambda problem, rng: confident(problem),
        "zeros and ties": lambda problem, rng: zeros_and_ties(problem),
        "large gradients": _large_gradients,
    }
)


def _with_floats(problem: Problem, change: Callable[[np.ndarray], np.ndarray]) -> Problem:
    """The problem with a change of every array of numbers but the targets of a cross-entropy, which are in [0, 1]."""
    has_cross_entropy = getattr(problem.model, "loss", "").endswith("cross_entropy")
    fixed = ("A",) if isinstance(problem.model, OrderedSystem) else ()
    params = {name: array if name in fixed else change(array) for name, array in problem.params.items()}
    batch = ("inputs", "h0", "c0") if has_cross_entropy else ("inputs", "h0", "c0", "targets")
    arrays = {name: change(array) for name in batch if (array := getattr(problem, name)) is not None}
    return replace(problem, params=params, **arrays)  # type: ignore[arg-type] # arrays by the names of its fields
