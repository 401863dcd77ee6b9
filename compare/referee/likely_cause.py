"""The likely cause of a difference: a simple mistake that turns one of two differing blocks into the other.

It is named only where the numbers allow no other of these mistakes, and are too many to fit by chance.
"""

from __future__ import annotations

import numpy as np

SAME_DIRECTION = 1e-6  # rows are multiples of one row up to this part: fewer rows than three then prove no factor
FEWEST_ENTRIES = 3  # of a block: two numbers may be two others, multiplied by something, by chance or by symmetry


def find_likely_cause(one: np.ndarray, other: np.ndarray, allowed: float) -> str:
    """The simple mistake that turns one of two differing blocks into the other, if there is exactly one.

    Args:
        one: a block.
        other: another answer to it, of the same shape.
        allowed: how far two correct answers may differ.

    Returns:
        `transposed`, `opposite sign` or `a factor of ...`; empty if none of them, or more than one, gives the other.

    Example:
        >>> find_likely_cause(np.array([1.0, 2.0, 4.0]), np.array([1.5, 3.0, 6.0]), 1e-12)
        'a factor of 1.5'
    """
    one, other = one.astype("float64"), other.astype("float64")
    with np.errstate(all="ignore"):
        causes = []
        if one.ndim == 2 and one.T.shape == other.shape and np.abs(one.T - other).max() <= 2 * allowed:
            causes.append("transposed")
        factor = _factor(one, other, allowed)
        if factor is not None:
            causes.append("opposite sign" if np.abs(one + other).max() <= 2 * allowed else _in_words(factor))
    return causes[0] if len(causes) == 1 else ""


def _factor(one: np.ndarray, other: np.ndarray, allowed: float) -> float | None:
    """The number by which every entry of the smaller block is multiplied, if enough of them show it."""
    if one.ndim == 0 or one.size < FEWEST_ENTRIES:
        return None
    small, large = sorted((one, other), key=lambda block: np.abs(block).max())
    factor = float(np.vdot(small, large) / np.vdot(small, small))
    if not np.abs(large - factor * small).max() <= (1 + abs(factor)) * allowed:
        return None
    evidence = 100 * allowed / min(1.0, abs(factor - 1))  # smaller entries can be multiplied into anything
    seen = np.abs(small) > evidence
    rows = small.reshape(len(small), -1) if small.ndim < 2 else small.reshape(-1, small.shape[-1])
    rows = rows[(np.abs(rows) > evidence).any(axis=1)]
    if seen.sum() < FEWEST_ENTRIES or len(rows) < 2:
        return None
    singular = np.linalg.svd(rows, compute_uv=False)
    is_one_direction = len(singular) < 2 or singular[1] <= SAME_DIRECTION * singular[0]
    return None if is_one_direction and len(rows) < FEWEST_ENTRIES else factor


def _in_words(factor: float) -> str:
    """The factor to four digits, or to as many as tell it from 1."""
    apart = abs(abs(factor) - 1)
    digits = 4 + max(0, int(-np.log10(apart))) if 0 < apart < 1 else 4
    return f"a factor of {factor:.{min(digits, 17)}g}"
