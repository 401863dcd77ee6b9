"""Numbers in words: with as many digits as tell them apart from what they are said to differ from."""

from __future__ import annotations

import numpy as np

FEWEST_DIGITS, MOST_DIGITS = 6, 17  # significant digits; 17 tell any two numbers of float64 apart


def digits_apart(one: np.ndarray, other: np.ndarray, allowed: float) -> int:
    """How many significant digits tell two arrays apart, in every entry in which they differ by more than is allowed.

    Args:
        one: an array.
        other: one of the same shape.
        allowed: the largest difference that need not be seen.

    Returns:
        At least 6 and at most 17; one more than they need if 6 are not enough, so that the difference is seen too.

    Example:
        >>> digits_apart(np.array([0.5, 0.527677123456]), np.array([0.5, 0.527677123460]), 1e-15)
        13
    """
    with np.errstate(invalid="ignore"):
        differ = np.abs(np.asarray(one, "f8") - np.asarray(other, "f8")) > allowed
    pairs = list(zip(np.asarray(one)[differ].tolist(), np.asarray(other)[differ].tolist(), strict=True))
    for digits in range(FEWEST_DIGITS, MOST_DIGITS):
        if all(f"{a:.{digits}g}" != f"{b:.{digits}g}" for a, b in pairs):
            return digits + (digits > FEWEST_DIGITS)
    return MOST_DIGITS if pairs else FEWEST_DIGITS


def written_factor(factor: float) -> str:
    """A factor, so that one close to 1 is told from it.

    Example:
        >>> written_factor(0.25), written_factor(1 + 2.0**-24)
        ('0.25', '1 + 6e-08')
    """
    if 0 < abs(factor - 1) < 1e-5:
        return f"1 {'+' if factor > 1 else '-'} {abs(factor - 1):.1g}"
    return f"{factor:.6g}"


def written(array: np.ndarray, digits: int = FEWEST_DIGITS) -> str:
    """An array on one line, with so many significant digits; if they are more than 6, zeros at the end are shown.

    Example:
        >>> written(np.array([[0.5, -1.25]]))
        '[[0.5, -1.25]]'
    """
    zeros = "#" if digits > FEWEST_DIGITS else ""
    formatter = {"float_kind": lambda number: f"{number:{zeros}.{digits}g}"}
    text = np.array2string(
        np.asarray(array),
        separator=", ",
        max_line_width=10_000,
        threshold=10_000,
        formatter=formatter,  # type: ignore[arg-type]
    )
    return " ".join(text.split())


def times(ratio: float) -> str:
    """A multiple of a limit, to one significant digit; or to as many as tell it from 1.

    Example:
        >>> times(7.3e5), times(1.04), times(0.2)
        ('7e+05', '1.04', '0.2')
    """
    digits = next((digits for digits in range(1, MOST_DIGITS) if float(f"{ratio:.{digits}g}") != 1), 1)
    return f"{ratio:.{digits}g}"
