"""The expanded gradient of the plain cell: a sum over pairs of steps, whose single terms can be looked at.

∂L/∂W = Σ_t Σ_{k≤t} (∂L_t/∂h_t) (∂h_t/∂h_k) (∂⁺h_k/∂W), where ∂⁺ is the immediate derivative, with h_{k−1} held fixed.
It is the recursion of `through_time`, written out: T²/2 terms in the place of T steps. Steps count from 1, as in the
equations; the cache is that of `rnn.forward`, and `dh_above` is what each state receives from the loss of its step.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from . import rnn
from .layer import Gradients, factors_of, gather

if TYPE_CHECKING:
    from jaxtyping import Float


def step_jacobian(cache: rnn.Cache, j: int) -> Float[np.ndarray, "B H H"]:
    """∂h_j/∂h_{j−1} for every sequence."""
    W = cache.params["W"]
    jacobian = _phi_derivative(cache, slice(j - 1, j))[0][:, :, None] * W  # (42) (B, H, H)
    if cache.carried is not None:
        np.copyto(jacobian, np.eye(len(W), dtype=W.dtype), where=cache.carried[j - 1][:, :, None])
    return jacobian


def state_jacobians(cache: rnn.Cache, t: int) -> Iterator[Float[np.ndarray, "B H H"]]:
    """∂h_t/∂h_k for k = t, t − 1, …, 0."""
    _, B, H = cache.h.shape
    product = np.zeros_like(cache.h, shape=(B, H, H)) + np.eye(H, dtype=cache.h.dtype)
    yield product
    for j in range(t, 0, -1):
        product = product @ step_jacobian(cache, j)  # (43) (B, H, H)
        yield product


def state_jacobian(cache: rnn.Cache, t: int, k: int) -> Float[np.ndarray, "B H H"]:
    """∂h_t/∂h_k, for 0 ≤ k ≤ t."""
    return next(islice(state_jacobians(cache, t), t - k, None))


def weight_terms(dh_above: Float[np.ndarray, "T B H"], cache: rnn.Cache, t: int, k: int) -> dict[str, np.ndarray]:
    """The term (t, k) of the gradients of U, W and b: what the loss of step t gives through step k alone."""
    da = np.zeros_like(dh_above)
    da[k - 1] = _given(dh_above, t, state_jacobian(cache, t, k)) * _phi_derivative(cache, slice(k - 1, k))[0]
    return rnn.parameter_gradients(cache, da[None])


def backward(dh_above: Float[np.ndarray, "T B H"], cache: rnn.Cache) -> Gradients:
    """All derivatives, by the sum of all terms."""
    T, B, H = dh_above.shape
    dh = np.zeros_like(dh_above, shape=(T + 1, B, H))  # from h_0 on
    for t in range(1, T + 1):
        for k, jacobian in zip(range(t, -1, -1), state_jacobians(cache, t), strict=True):
            dh[k] += _given(dh_above, t, jacobian)  # (45) (B, H)
    da = dh[1:] * _phi_derivative(cache, slice(0, T))  # (46) (T, B, H)
    return gather(rnn, cache, da[None], (dh[1:],), (dh[0],))  # type: ignore[arg-type] # a module as a protocol


def _phi_derivative(cache: rnn.Cache, steps: slice) -> Float[np.ndarray, "steps B H"]:
    """φ′(a_t) of these steps, 0 past a length."""
    return factors_of(rnn, cache, steps)[0]  # type: ignore[arg-type] # a module as a protocol


def _given(
    dh_above: Float[np.ndarray, "T B H"], t: int, jacobian: Float[np.ndarray, "B H H"]
) -> Float[np.ndarray, "B H"]:
    """(∂L_t/∂h_t) (∂h_t/∂h_k): what the loss of step t alone gives to h_k."""
    return (dh_above[t - 1][:, None] @ jacobian)[:, 0]  # (44) (B, H)
