"""The closed form of the linear network's adjoints: powers of Wᵀ in the place of a recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import rnn
from .layer import LayerGradients, gather

if TYPE_CHECKING:
    from jaxtyping import Float


def backward(dh_above: Float[np.ndarray, "T B H"], cache: rnn.Cache) -> LayerGradients:
    """All derivatives of a plain layer whose φ is the identity, where all sequences have all steps.

    Args:
        dh_above: Vᵀ do_t, what each state receives from the loss of its step.
        cache: of `rnn.forward`.

    Returns:
        The same derivatives as `through_time.backward`, up to the roundings of sums in another order.
    """
    T, B, H = dh_above.shape
    dh = np.zeros_like(dh_above, shape=(T + 1, B, H))  # from h_0 on
    dh[1:] = dh_above
    power = np.eye(H, dtype=dh_above.dtype)
    for distance in range(1, T + 1):
        power = cache.params["W"] @ power
        dh[: T + 1 - distance] += dh_above[distance - 1 :] @ power  # (47) (T+1−distance, B, H)
    return gather(rnn, cache, dh[None, 1:], (dh[1:],), (dh[0],))  # type: ignore[arg-type] # a module as a protocol
