"""What wrong gradients are like: whether a clip or a factor is all that keeps them from being right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...backends import Evaluation
from ..referee import Comparison

FEW = 3  # entries, below which a likeness is a coincidence


def likeness(comparison: Comparison, name: str) -> str:
    """What is done to the right gradients, if that gives the function's, all of them.

    Args:
        comparison: of the function with the engines.
        name: of the function.

    Returns:
        Such as `right up to a clip at ±5`; empty if there is nothing as simple.
    """
    answer = comparison.answers.get(name)
    right = next((other for backend, other in comparison.answers.items() if backend != name), None)
    wrong = {block.name.removeprefix("d") for block in comparison.blocks if block.is_wrong(name)}
    if not isinstance(answer, Evaluation) or not isinstance(right, Evaluation) or "loss" in wrong:
        return ""
    limits = {block.name.removeprefix("d"): block.allowed for block in comparison.blocks}
    pairs = {
        key: (np.asarray(array, "float64"), np.asarray(right.gradients[key], "float64"))
        for key, array in answer.gradients.items()
        if key in limits
    }

    def gives(change: Callable[[np.ndarray], np.ndarray]) -> bool:
        return all(np.abs(change(exact) - given).max(initial=0) <= limits[key] for key, (given, exact) in pairs.items())

    if not wrong or not all(np.isfinite(given).all() and np.isfinite(exact).all() for given, exact in pairs.values()):
        return ""
    largest = max(float(np.abs(pairs[key][0]).max(initial=0)) for key in wrong if key in pairs)
    if largest > 0 and gives(lambda exact: np.clip(exact, -largest, largest)):
        return f"right up to a clip at ±{largest:.6g}"
    given, exact = (np.concatenate([pair[which].reshape(-1) for pair in pairs.values()]) for which in (0, 1))
    if len(exact) < FEW or not exact.any():
        return ""
    factor = float(given @ exact / (exact @ exact))
    if factor != 0 and gives(lambda exact: factor * exact):
        norm = float(np.sqrt(given @ given))
        as_norm = f", as a clip to a norm of {norm:.6g} has it" if 0 < factor < 1 and _is_round(norm) else ""
        return f"right up to a factor of {factor:.6g} in all gradients{as_norm}"
    return ""


def _is_round(number: float) -> bool:
    return abs(number - float(f"{number:.3g}")) <= 1e-9 * number
