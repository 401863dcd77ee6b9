"""Backpropagation through time of one layer, whole or truncated (Werbos, 1990)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .layer import Cell, LayerGradients, carry, factors_of, gather
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
) -> LayerGradients:
    """All derivatives of a layer.

    The recursion is (32). At each step, `dh` holds what comes from above before the backward pass begins. What comes
    from the later step is written beside it, into `dh_later`, and then added. The LSTM's `dc` receives nothing from
    above: what comes from the later step is written into its place at once.

    Args:
        cell: the cell's module.
        dh_above: what each state receives from above: V^T do_t where a read-out follows.
        cache: of the cell's `forward`.
        truncation: None, or `window`, `chunks` or `last_steps` with its number of steps; see `truncation`.
        params_only: whether the derivatives of the inputs and the adjoints are left out.

    Returns:
        The derivatives. Its adjoints and those of the initial state lie in the buffers of the cache.
    """
    if truncation and truncation[0] == "window":
        return window_backward(cell, dh_above, cache, truncation[1], params_only=params_only)
    T, B, H = dh_above.shape
    passes = gradient_passes(truncation, cache.mask) if truncation else None
    # (dh,), and of the LSTM (dh, dc). dh[t] is the total derivative of the state after t steps, from h_0 on.
    totals = [cache.buffers.empty(f"d{name}", (T + 1, B, H), like=dh_above) for name in cell.STATES]
    dh = totals[0]
    da = cache.buffers.empty("da", (len(cell.GATES), T, B, H), like=dh_above)
    dh_later = cache.buffers.empty("dh_later", (B, H), like=dh_above)
    for total in totals:
        total[...] = 0  # the last state has no later step, and only h receives something from above
    np.copyto(dh[1:], dh_above if passes is None else passes.from_above * dh_above)
    at_step = list(zip(*totals, strict=True))  # at_step[t] is (dh[t],), and of the LSTM (dh[t], dc[t])
    for steps in reversed(blocks_of_steps(T, B * H)):
        factors = factors_of(cell, cache, steps)
        for t in reversed(range(steps.start, steps.stop)):
            after = at_step[t + 1]
            dh_t, *dc_t = at_step[t]
            before = (dh_later, *dc_t)
            cell.step_backward(cache, factors[:, t - steps.start], after, da[:, t], before)
            if cache.padding is not None:
                carry(cache, t, after, before)
            if passes is not None and t > 0:
                for d_before in before:
                    d_before *= passes.from_later[t - 1]
            dh_t += dh_later  # (32) (B, H)
    initial = tuple(total[0] for total in totals)  # (39) the initial state is what the recursion ends in
    return gather(cell, cache, da, tuple(total[1:] for total in totals), initial, params_only=params_only)


def blocks_of_steps(T: int, numbers_per_step: int) -> list[slice]:
    """Cache blocking: the T steps in blocks, so small that a block's factors stay in the cache until they are used.

    Args:
        T: the number of steps.
        numbers_per_step: how many numbers one kind of factor has at each step.

    Returns:
        The blocks in the order of time. Each has one step at least.
    """
    n = max(1, FACTORS_AT_ONCE // numbers_per_step)
    return [slice(start, min(start + n, T)) for start in range(0, T, n)]
