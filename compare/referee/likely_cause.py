"""The likely cause of a difference: a simple mistake that turns one of two differing blocks into the other."""

from __future__ import annotations

import numpy as np


def find_likely_cause(one: np.ndarray, other: np.ndarray, allowed: float) -> str:
    """The simple mistake that turns one of two differing blocks into the other, if there is one."""
    one, other = one.astype("float64"), other.astype("float64")
    if one.size == 1:
        return ""  # any number is another one, multiplied by something

    def same(changed: np.ndarray) -> bool:
        return changed.shape == other.shape and bool(np.abs(changed - other).max() <= 2 * allowed)

    with np.errstate(all="ignore"):
        if one.ndim > 1 and same(one.T):
            return "transposed"
        if same(-one):
            return "opposite sign"
        small, large = sorted((one, other), key=lambda block: np.abs(block).max())
        factor = float(np.vdot(small, large) / np.vdot(small, small))
        is_noise = np.abs(small).max() <= 100 * allowed  # which can be multiplied into anything
        if not is_noise and np.abs(large - factor * small).max() <= (1 + abs(factor)) * allowed:
            return f"a factor of {factor:.4g}"
    return ""
