"""The floor: the matrix products that the loss and the gradients need, and nothing else, through NumPy's BLAS."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ...backends import Problem, Recurrent

Products = Callable[[], None]


def prepare_floor(problem: Problem) -> Products:
    """Prepares all products of one forward and one backward pass, into memory that is allocated here.

    A step's product can be laid out in several ways. The fastest one on this machine is taken, so that the floor is as
    low as it can be. The numbers are random: their values do not matter to the products.

    Returns:
        A function that computes the products once.
    """
    model = problem.model
    assert isinstance(model, Recurrent)
    (T, B), (D, H, K) = problem.inputs.shape[:2], model.sizes
    G = model.linear_size
    gates = G // H
    rng = np.random.default_rng(0)

    def array(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(problem.dtype)

    U, V, x, h, do = array(G, D), array(K, H), array(T * B, D), array(T, B, H), array(T * B, K)
    da, h_rows = array(T, B, G), h.reshape(T * B, H)
    da_rows = da.reshape(T * B, G)
    W, W_T, W_T_by_gate = array(G, H), array(H, G), array(gates, H, H)
    a, a_by_gate, dh = array(B, G), array(gates, B, H), array(B, H)
    a_rows, o, dh_rows = array(T * B, G), array(T * B, K), array(T * B, H)
    dU, dW, dV = array(G, D), array(G, H), array(K, H)

    def all_gates() -> None:
        for h_t in h:
            np.matmul(h_t, W_T, out=a)

    def by_gate() -> None:
        for h_t in h:
            np.matmul(h_t, W_T_by_gate, out=a_by_gate)

    def untransposed() -> None:
        for h_t in h:
            np.matmul(h_t, W.T, out=a)

    forward = min((all_gates, by_gate, untransposed), key=_seconds)

    def products() -> None:
        np.matmul(x, U.T, out=a_rows)
        forward()
        np.matmul(h_rows, V.T, out=o)
        np.matmul(do, V, out=dh_rows)
        for da_t in da:
            np.matmul(da_t, W, out=dh)
        np.matmul(da_rows.T, x, out=dU)
        np.matmul(da_rows.T, h_rows, out=dW)
        np.matmul(do.T, h_rows, out=dV)

    return products


def _seconds(products: Products) -> float:
    """The shortest of three runs, in seconds."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        products()
        taken.append(time.perf_counter() - started)
    return min(taken)
