"""The plain recurrent layer: its forward pass, and backpropagation through time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .activations import ACTIVATIONS

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class Cache(NamedTuple):
    """What `backward` needs of `forward`."""

    U: Float[np.ndarray, "H D"]
    W: Float[np.ndarray, "H H"]
    x: Float[np.ndarray, "T B D"]
    h: Float[np.ndarray, "T+1 B H"]  # from h_0 to h_T
    counted: Bool[np.ndarray, "T B"]
    activation: str


class Gradients(NamedTuple):
    """Total derivatives of the loss; each has the shape of what it is named after."""

    U: Float[np.ndarray, "H D"]
    W: Float[np.ndarray, "H H"]
    b: Float[np.ndarray, " H"]
    x: Float[np.ndarray, "T B D"]
    h0: Float[np.ndarray, "B H"]
    h: Float[np.ndarray, "T B H"]
    a: Float[np.ndarray, "T B H"]


def forward(
    U: Float[np.ndarray, "H D"],
    W: Float[np.ndarray, "H H"],
    b: Float[np.ndarray, " H"] | None,
    x: Float[np.ndarray, "T B D"],
    h0: Float[np.ndarray, "B H"],
    counted: Bool[np.ndarray, "T B"],
    activation: str,
) -> tuple[Float[np.ndarray, "T B H"], Cache]:
    """The states h_1 … h_T. Where a step is not counted, the state is carried through unchanged."""
    T, B, D = x.shape
    H = len(W)
    phi = ACTIVATIONS[activation].function
    from_input = (x.reshape(T * B, D) @ U.T).reshape(T, B, H)  # one product serves all steps
    if b is not None:
        from_input = from_input + b
    # Arrays count from 0: x[t] is the input of step t + 1, h[t] the state before it and h[t + 1] after it.
    h = np.empty_like(from_input, shape=(T + 1, B, H))
    h[0] = h0
    for t in range(T):
        a = from_input[t] + h[t] @ W.T  # (1) (B, H)
        h[t + 1] = phi(a)  # (2) (B, H)
        np.copyto(h[t + 1], h[t], where=~counted[t, :, None])  # (3) (B, H)
    return h[1:], Cache(U, W, x, h, counted, activation)


def backward(dh_above: Float[np.ndarray, "T B H"], cache: Cache) -> Gradients:
    """All derivatives, from what each state receives from above: Vᵀ do_t where a read-out follows."""
    U, W, x, h, counted, activation = cache
    T, B, H = dh_above.shape
    carried = ~counted[..., None]
    phi_derivative = np.where(carried, 0, ACTIVATIONS[activation].derivative(h[1:]))
    dh = np.empty_like(dh_above)
    da = np.empty_like(dh_above)
    dh_later = np.zeros_like(dh_above[0])  # the last state has no later step
    for t in reversed(range(T)):
        dh[t] = dh_above[t] + dh_later  # (27) (B, H)
        da[t] = dh[t] * phi_derivative[t]  # (28) (B, H)
        dh_later = da[t] @ W + carried[t] * dh[t]  # (29) (B, H)
    da_rows = da.reshape(T * B, H)
    return Gradients(
        U=da_rows.T @ x.reshape(T * B, -1),  # (30) (H, D)
        W=da_rows.T @ h[:-1].reshape(T * B, H),  # (31) (H, H)
        b=da_rows.sum(axis=0),  # (32) (H,)
        x=(da_rows @ U).reshape(x.shape),  # (33) (T, B, D)
        h0=dh_later,  # (34) (B, H)
        h=dh,
        a=da,
    )
