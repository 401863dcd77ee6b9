"""Truncated backpropagation through time (Williams and Peng, 1990), in three meanings, which are not interchangeable.

- `window`: each loss L_t flows back through at most n applications of the cell, those of the steps t−n+1 … t.
- `chunks`: the state is carried from chunk to chunk of n steps, and the gradient stops at each boundary.
- `last_steps`: only a sequence's last n applications of the cell are differentiated; earlier losses reach V and c only.

With n at least T, each is no truncation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import affine
from .layer import Cell, LayerGradients, State, carry, factors_of, gather

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class Passes(NamedTuple):
    """Where a gradient passes, and does not stop.

    Attributes:
        from_above: from the loss of step t to h_t.
        from_later: from step t + 1 back to the state after step t.
    """

    from_above: Bool[np.ndarray, "T B 1"]
    from_later: Bool[np.ndarray, "T B 1"]


def gradient_passes(truncation: tuple[str, int] | None, mask: Bool[np.ndarray, "T B"]) -> Passes:
    """The passes of `chunks`, of `last_steps`, and of no truncation.

    Args:
        truncation: None, or `chunks` or `last_steps` with its number of steps.
        mask: where a step lies within its sequence's length.

    Returns:
        Where the gradient passes.
    """
    everywhere = np.ones((*mask.shape, 1), dtype=bool)
    if truncation is None:
        return Passes(everywhere, everywhere)
    kind, n = truncation
    if kind == "chunks":
        t = np.arange(1, len(mask) + 1)[:, None, None]
        return Passes(everywhere, everywhere & (t % n != 0))  # (50) (T, B, 1)
    steps_left = np.cumsum(mask[::-1], axis=0)[::-1, :, None]  # steps within the length from t on, t among them
    differentiated = steps_left <= n  # (51) (T, B, 1)
    return Passes(differentiated, differentiated)


def window_backward(
    cell: Cell, dh_above: Float[np.ndarray, "T B H"], cache: Any, n: int, *, params_only: bool = False
) -> LayerGradients:
    """All losses go back side by side: after j steps, that of L_t is at step t − j. So n steps do, not T·n.

    Args:
        cell: the cell's module.
        dh_above: what each state receives from above: V^T do_t where a read-out follows.
        cache: of the cell's `forward`.
        n: the window, through how many applications of the cell a loss flows back.
        params_only: whether the derivatives of the inputs and the adjoints are left out.

    Returns:
        All derivatives of the layer.
    """
    T, B, H = dh_above.shape
    factors = factors_of(cell, cache, slice(0, T))
    total_da = np.zeros_like(dh_above, shape=(len(cell.GATES), T, B, H))
    totals = [np.zeros_like(dh_above) for _ in cell.STATES]
    initial = [np.zeros_like(dh_above[0]) for _ in cell.STATES]
    # the derivatives of L_t alone, at step t − j
    one_loss: State = (dh_above.copy(), *(np.zeros_like(dh_above) for _ in cell.STATES[1:]))
    for j in range(min(n, T)):
        reached = slice(0, T - j)  # the steps t − j, from the first on: as one step of a batch of (T − j) B
        da = np.empty_like(total_da[:, reached])
        before = tuple(np.empty_like(each) for each in one_loss)
        cell.step_backward(
            cache,
            factors[:, reached].reshape(len(factors), -1, H),
            tuple(map(affine.rows, one_loss)),
            da.reshape(len(da), -1, H),
            tuple(map(affine.rows, before)),
        )  # (52) (T−j, B, ·)
        carry(cache, reached, one_loss, before)
        total_da[:, reached] += da  # (53) (gates, T, B, H)
        for total, each in zip(totals, one_loss, strict=True):
            total[reached] += each
        for total, each in zip(initial, before, strict=True):
            total += each[0]
        one_loss = tuple(each[1:] for each in before)
    return gather(cell, cache, total_da, tuple(totals), tuple(initial), params_only=params_only)
