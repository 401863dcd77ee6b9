"""The expanded gradient of the plain cell: a sum over pairs of steps, whose single terms can be looked at.

∂L/∂W = Σ_t Σ_{k≤t} (∂L_t/∂h_t) (∂h_t/∂h_k) (∂⁺h_k/∂W), where ∂⁺ is the immediate derivative, with h_{k−1} held fixed
(Pascanu, Mikolov and Bengio, 2013). It is the recursion of `through_time`, written out: T²/2 terms in the place of T
steps. Steps count from 1, as in the equations; the cache is that of `rnn.forward`, and `dh_above` is what each state
receives from the loss of its step.

Example:
    For the identity and one unit, ∂h_t/∂h_k is a power of W.

    >>> import numpy as np
    >>> from gradparity.manual import jacobians, rnn
    >>> params = {"U": np.array([[1.0]]), "W": np.array([[0.5]])}
    >>> mask = np.ones((3, 1), dtype=bool)
    >>> _, cache = rnn.forward(params, np.ones((3, 1, 1)), (np.zeros((1, 1)),), mask, activation="identity")
    >>> [jacobians.state_jacobian(cache, t=3, k=k).item() for k in (3, 2, 1, 0)]
    [1.0, 0.5, 0.25, 0.125]
    >>> dh_above = np.ones((3, 1, 1))  # if the loss is the sum of the states, 1 + 1.5 + 1.75
    >>> jacobians.weight_terms(dh_above, cache, t=3, k=2)["W"].item()  # 1 · 0.5 · h_1
    0.5
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from . import rnn
from .layer import LayerGradients, factors_of, gather

if TYPE_CHECKING:
    from jaxtyping import Float


def step_jacobian(cache: rnn.Cache, j: int) -> Float[np.ndarray, "B H H"]:
    """∂h_j/∂h_{j−1} for every sequence; the identity past its length.

    Args:
        cache: of `rnn.forward`.
        j: the step, 1 … T.

    Returns:
        The Jacobians: entry [b, i, k] is ∂h_j[b, i]/∂h_{j−1}[b, k].
    """
    W = cache.params["W"]
    jacobian = _phi_derivative(cache, slice(j - 1, j))[0][:, :, None] * W  # (42) (B, H, H)
    if cache.padding is not None:
        np.copyto(jacobian, np.eye(len(W), dtype=W.dtype), where=cache.padding[j - 1][:, :, None])
    return jacobian


def state_jacobians(cache: rnn.Cache, t: int) -> Iterator[Float[np.ndarray, "B H H"]]:
    """∂h_t/∂h_k for k = t, t − 1, …, 0, each from the one before it by a product.

    Args:
        cache: of `rnn.forward`.
        t: the step of the later state, 0 … T.

    Yields:
        The Jacobians, t + 1 of them; the first is the identity.
    """
    _, B, H = cache.h.shape
    product = np.zeros_like(cache.h, shape=(B, H, H)) + np.eye(H, dtype=cache.h.dtype)
    yield product
    for j in range(t, 0, -1):
        product = product @ step_jacobian(cache, j)  # (43) (B, H, H)
        yield product


def state_jacobian(cache: rnn.Cache, t: int, k: int) -> Float[np.ndarray, "B H H"]:
    """∂h_t/∂h_k for every sequence.

    Args:
        cache: of `rnn.forward`.
        t: the step of the later state, 0 … T.
        k: the step of the earlier one, 0 … t.

    Returns:
        The Jacobians: entry [b, i, j] is ∂h_t[b, i]/∂h_k[b, j].

    Raises:
        ValueError: k lies after t.
        StopIteration: k is negative.
    """
    return next(islice(state_jacobians(cache, t), t - k, None))


def weight_terms(dh_above: Float[np.ndarray, "T B H"], cache: rnn.Cache, t: int, k: int) -> dict[str, np.ndarray]:
    """The term (t, k) of the gradients: what the loss of step t gives to the weights through step k alone.

    Args:
        dh_above: Vᵀ do_t, what each state receives from the loss of its step.
        cache: of `rnn.forward`.
        t: the step of the loss, 1 … T.
        k: the step at which the weights are used, 1 … t.

    Returns:
        The terms of `U` (H, D), `W` (H, H) and `b` (H,), summed over the batch.
    """
    da = np.zeros_like(dh_above)
    da[k - 1] = _given(dh_above, t, state_jacobian(cache, t, k)) * _phi_derivative(cache, slice(k - 1, k))[0]
    return rnn.parameter_gradients(cache, da[None])


def backward(dh_above: Float[np.ndarray, "T B H"], cache: rnn.Cache) -> LayerGradients:
    """All derivatives of a plain layer, by the sum of all terms.

    Args:
        dh_above: Vᵀ do_t, what each state receives from the loss of its step.
        cache: of `rnn.forward`.

    Returns:
        The same derivatives as `through_time.backward`, up to the roundings of sums in another order.
    """
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
