"""Backpropagation through time of one layer, whole or truncated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .layer import Cell, Gradients, State, gather
from .truncation import gradient_passes, window_backward

if TYPE_CHECKING:
    from jaxtyping import Float


def backward(
    cell: Cell, dh_above: Float[np.ndarray, "T B H"], cache: Any, truncation: tuple[str, int] | None = None
) -> Gradients:
    """All derivatives of a layer.

    Args:
        cell: the cell's module.
        dh_above: what each state receives from above: V^T do_t where a read-out follows.
        cache: of the cell's `forward`.
        truncation: None, or `window`, `chunks` or `last_steps` with its number of steps; see `truncation`.
    """
    if truncation and truncation[0] == "window":
        return window_backward(cell, dh_above, cache, truncation[1])
    from_above, from_later = gradient_passes(truncation, cache.counted)
    later: State = (np.zeros_like(dh_above[0]),) * len(cell.STATES)  # the last state has no later step
    derivatives = []
    for t in reversed(range(len(dh_above))):
        dh = from_above[t] * dh_above[t] + from_later[t] * later[0]  # (32) (B, H)
        da, state, later = cell.step_backward(cache, t, (dh, *(from_later[t] * dc for dc in later[1:])))
        derivatives.append((da, *state))
    da, *states = (np.stack(each[::-1]) for each in zip(*derivatives, strict=True))
    return gather(cell, cache, da, tuple(states), later)  # (39) the initial state is what the walk ends in
