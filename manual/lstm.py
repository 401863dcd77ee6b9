"""Long short-term memory. The rows of U, W and b are those of the gates i, f, g and o, in this order, H each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import affine
from .activations import sigmoid, sigmoid_derivative, tanh, tanh_derivative
from .layer import State, StepGradients

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

STATES = ("h", "c")


class Cache(NamedTuple):
    """What the backward pass needs of `forward`."""

    params: Mapping[str, np.ndarray]
    x: Float[np.ndarray, "T B D"]
    h: Float[np.ndarray, "T+1 B H"]  # from h_0 to h_T
    c: Float[np.ndarray, "T+1 B H"]  # from c_0 to c_T
    gates: Float[np.ndarray, "4 T B H"]  # i, f, g and o
    tanh_c: Float[np.ndarray, "T B H"]
    counted: Bool[np.ndarray, "T B"]


def forward(
    params: Mapping[str, np.ndarray],
    x: Float[np.ndarray, "T B D"],
    initial: State,
    counted: Bool[np.ndarray, "T B"],
) -> tuple[Float[np.ndarray, "T B H"], Cache]:
    """The states h_1 … h_T, from (h_0, c_0)."""
    T, B, _ = x.shape
    W = params["W"]
    H = W.shape[1]
    from_input = affine.forward(params["U"], params.get("b"), x)
    h, c = (np.empty_like(from_input, shape=(T + 1, B, H)) for _ in range(2))
    gates = np.empty_like(from_input, shape=(4, T, B, H))
    tanh_c = np.empty_like(from_input, shape=(T, B, H))
    h[0], c[0] = initial
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(from_input[t] + h[t] @ W.T, 4, axis=1)  # (54) (B, H)
        gates[:, t] = i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)  # (55) (B, H)
        c[t + 1] = f * c[t] + i * g  # (56) (B, H)
        tanh_c[t] = tanh(c[t + 1])
        h[t + 1] = o * tanh_c[t]  # (57) (B, H)
        for state in (h, c):  # past a length both are carried
            np.copyto(state[t + 1], state[t], where=~counted[t, :, None])
    return h[1:], Cache(params, x, h, c, gates, tanh_c, counted)


def step_backward(cache: Cache, at: int | slice, state: State) -> StepGradients:
    dh, dc_later = state
    i, f, g, o = cache.gates[:, at]
    c_before, tanh_c = cache.c[:-1][at], cache.tanh_c[at]
    counted = cache.counted[at][..., None]
    da_o = dh * tanh_c * sigmoid_derivative(o)  # (58) (B, H)
    dc = dc_later + counted * dh * o * tanh_derivative(tanh_c)  # (59) (B, H)
    da_f = dc * c_before * sigmoid_derivative(f)  # (60) (B, H)
    da_i = dc * g * sigmoid_derivative(i)  # (61) (B, H)
    da_g = dc * i * tanh_derivative(g)  # (62) (B, H)
    da = np.where(counted, np.concatenate([da_i, da_f, da_g, da_o], axis=-1), 0)
    dc_before = dc * np.where(counted, f, 1)  # (63) (B, H)
    dh_before = da @ cache.params["W"] + ~counted * dh  # (64) (B, H)
    return StepGradients(da, (dh, dc), (dh_before, dc_before))


def parameter_gradients(cache: Cache, da: Float[np.ndarray, "T B G"]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    dU, db, dx = affine.backward(da, cache.params["U"], cache.x)
    return {"U": dU, "W": affine.recurrent_gradient(da, cache.h[:-1]), "b": db}, dx
