"""Backpropagation through time of one layer, whole or truncated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .layer import Cell, Gradients, carry, factors_of, gather
from .truncation import gradient_passes, window_backward

if TYPE_CHECKING:
    from jaxtyping import Float

FACTORS_AT_ONCE = 2**15  # numbers of each kind: as many as stay in the processor's cache until they are used


def backward(
    cell: Cell,
    dh_above: Float[np.ndarray, "T B H"],
    cache: Any,
    truncation: tuple[str, int] | None = None,
    *,
    params_only: bool = False,
) -> Gradients:
    """All derivatives of a layer.

    Args:
        cell: the cell's module.
        dh_above: what each state receives from above: V^T do_t where a read-out follows.
        cache: of the cell's `forward`.
        truncation: None, or `window`, `chunks` or `last_steps` with its number of steps; see `truncation`.
        params_only: whether the derivatives of the inputs and the adjoints are left out.
    """
    if truncation and truncation[0] == "window":
        return window_backward(cell, dh_above, cache, truncation[1], params_only=params_only)
    T, B, H = dh_above.shape
    passes = gradient_passes(truncation, cache.counted) if truncation else None
    totals = [cache.buffers.empty(f"d{name}", (T + 1, B, H), like=dh_above) for name in cell.STATES]
    da = cache.buffers.empty("da", (len(cell.GATES), T, B, H), like=dh_above)
    dh_later = cache.buffers.empty("dh_later", (B, H), like=dh_above)
    for total in totals:
        total[...] = 0  # the last state has no later step, and only h receives something from above
    np.copyto(totals[0][1:], dh_above if passes is None else passes.from_above * dh_above)
    states = list(zip(*totals, strict=True))  # at each t from 0, as the total derivatives of all states
    for steps in reversed(_blocks(T, B * H)):
        factors = factors_of(cell, cache, steps)
        for t in reversed(range(steps.start, steps.stop)):
            after, (dh, *dcs) = states[t + 1], states[t]
            before = (dh_later, *dcs)
            cell.step_backward(cache, factors[:, t - steps.start], after, da[:, t], before)
            if cache.carried is not None:
                carry(cache, t, after, before)
            if passes is not None and t > 0:
                for d_before in before:
                    d_before *= passes.from_later[t - 1]
            dh += dh_later  # (32) (B, H)
    initial = tuple(total[0] for total in totals)  # (39) the initial state is what the walk ends in
    return gather(cell, cache, da, tuple(total[1:] for total in totals), initial, params_only=params_only)


def _blocks(T: int, size: int) -> list[slice]:
    """The steps in blocks whose factors are computed at once."""
    n = max(1, FACTORS_AT_ONCE // size)
    return [slice(start, min(start + n, T)) for start in range(0, T, n)]
