"""What wrong gradients are like: whether a clip or a factor is all that keeps them from being right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...backends import Evaluation
from ..answers.digits import written_factor
from ..referee import Comparison

FEW = 3  # entries, below which a likeness is a coincidence
Pairs = list[tuple[np.ndarray, np.ndarray, float]]  # of each gradient: what was given, what is right, and the limit


def likenesses(comparisons: Sequence[Comparison], name: str) -> list[str]:
    """What is done to the right gradients, if that gives the function's: all of them, whatever it was asked.

    Args:
        comparisons: of the function with the engines; some of them are wrong.
        name: of the function.

    Returns:
        Such as `right up to a clip at ±5`; nothing if there is nothing as simple, or no gradient is wrong.
    """
    wrong = [comparison for comparison in comparisons if comparison.has_wrong_numbers(name)]
    if not wrong or any(block.name == "loss" and block.is_wrong(name) for one in wrong for block in one.blocks):
        return []
    pairs = [found for comparison in comparisons if (found := _pairs(comparison, name))]
    told = [*_clip(pairs), *_factor(pairs), *_norm(pairs)]
    return [f"right up to {' or '.join(told)}"] if told else []


def _pairs(comparison: Comparison, name: str) -> Pairs:
    answer = comparison.answers.get(name)
    right = next((other for backend, other in comparison.answers.items() if backend != name), None)
    if not isinstance(answer, Evaluation) or not isinstance(right, Evaluation):
        return []
    limits = {block.name.removeprefix("d"): block.allowed for block in comparison.blocks}
    return [
        (np.asarray(array, "float64"), np.asarray(right.gradients[key], "float64"), limits[key])
        for key, array in answer.gradients.items()
        if key in limits and key in right.gradients  # one that is not finite was refused
    ]


def _clip(asked: Sequence[Pairs]) -> list[str]:
    """A clip at one value: the largest that was given."""
    at = max(float(np.abs(given).max(initial=0)) for pairs in asked for given, _, _ in pairs)
    fits = all(_near(np.clip(right, -at, at), given, limit) for pairs in asked for given, right, limit in pairs)
    return [f"a clip at ±{at:.6g}"] if fits and at > 0 else []


def _factor(asked: Sequence[Pairs]) -> list[str]:
    """One factor of all gradients, always the same."""
    factor, size = _fitted([pair for pairs in asked for pair in pairs])
    fits = all(_near(factor * right, given, limit) for pairs in asked for given, right, limit in pairs)
    return [f"a factor of {written_factor(factor)} in all gradients"] if fits and size >= FEW and factor else []


def _norm(asked: Sequence[Pairs]) -> list[str]:
    """A clip of the norm of all gradients: where they are too long, a factor that makes them as long as that."""
    norms = []
    for pairs in asked:
        if not any(right.any() for _, right, _ in pairs):
            continue  # a gradient of zeros has no norm to be clipped
        factor, size = _fitted(pairs)
        if size < FEW or not all(_near(factor * right, given, limit) for given, right, limit in pairs):
            return []
        if factor < 1 - 1e-9:
            norms.append(float(np.sqrt(sum((given**2).sum() for given, _, _ in pairs))))
    is_one = len(norms) > 1 and np.ptp(norms) <= 1e-9 * max(norms)
    return [f"a clip to a norm of {norms[0]:.6g}"] if is_one else []


def _fitted(pairs: Pairs) -> tuple[float, int]:
    """The factor between what is right and what was given, by least squares, and the number of entries."""
    squares = sum(float((right**2).sum()) for _, right, _ in pairs)
    product = sum(float((given * right).sum()) for given, right, _ in pairs)
    factor = product / squares if squares else 0.0
    return (factor if np.isfinite(factor) else 0.0), sum(right.size for _, right, _ in pairs)


def _near(expected: np.ndarray, given: np.ndarray, limit: float) -> bool:
    return expected.shape == given.shape and bool(np.all(np.abs(expected - given) <= limit))
