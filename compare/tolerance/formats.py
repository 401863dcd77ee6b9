"""Floating-point formats, half precision included: their units, their ranges, and what can be decided in them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...backends.errors import unknown_name


class Format(NamedTuple):
    """A floating-point format.

    Attributes:
        name: such as `float16`.
        eps: the distance from 1 to the next larger number.
        tiny: the smallest normal number.
        subnormal: the smallest number.
        largest: the largest finite number.
        decided: the share of a block's largest entry, beyond which rounding dominates the block.
        multiple: of the spread among the probes, that two right answers may differ by.
        share_of_range: of the largest number; beyond it another order of operations may overflow.
    """

    name: str
    eps: float
    tiny: float
    subnormal: float
    largest: float
    decided: float
    multiple: float
    share_of_range: float


SHARE_OF_RANGE = 2.0**-8
MAX_RELATIVE_TOLERANCE = 0.01  # of a block's scale; beyond it nothing is decided
SPREAD_MULTIPLE = 8.0
HALF_TOLERANCE = 1.0  # where two or three digits are all there is: what is zero, or of the wrong sign, is told
HALF_MULTIPLE = 2.0  # since kernels of half precision add up in float32, and round what they store
HALF_FORMATS = {
    "float16": Format("float16", 2.0**-10, 2.0**-14, 2.0**-24, 65504.0, HALF_TOLERANCE, HALF_MULTIPLE, 0.25),
    "bfloat16": Format(
        "bfloat16",
        2.0**-7,
        2.0**-126,
        2.0**-133,
        (2 - 2.0**-7) * 2.0**127,
        HALF_TOLERANCE,
        HALF_MULTIPLE,
        SHARE_OF_RANGE,
    ),
}


def format_of(dtype: np.dtype | Format) -> Format:
    """The format of a dtype of NumPy, float32 or float64.

    Args:
        dtype: the dtype; a format is returned as it is.

    Returns:
        The format.

    Example:
        >>> format_of(np.dtype("float32")).eps == 2.0**-23
        True
    """
    if isinstance(dtype, Format):
        return dtype
    info = np.finfo(dtype)
    eps, tiny, subnormal, largest = map(float, (info.eps, info.tiny, info.smallest_subnormal, info.max))
    shares = MAX_RELATIVE_TOLERANCE, SPREAD_MULTIPLE, SHARE_OF_RANGE
    return Format(dtype.name, eps, tiny, subnormal, largest, *shares)


def half_format(name: str) -> Format:
    """A format of half precision.

    Args:
        name: `float16` or `bfloat16`.

    Returns:
        The format.

    Raises:
        UnknownNameError: there is no such format.

    Example:
        >>> half_format("bfloat16").eps
        0.0078125
    """
    if name not in HALF_FORMATS:
        raise unknown_name("format", name, HALF_FORMATS)
    return HALF_FORMATS[name]


def smallest_told_apart(dtype: np.dtype | Format) -> float:
    """The size of what a right program may lose: the smallest normal number, as XLA flushes those below it.

    Args:
        dtype: a dtype; or a format of half precision, of which the smallest number is meant, since float16 has so few
            normal ones that libraries keep the others.

    Returns:
        The number.

    Example:
        >>> smallest_told_apart(half_format("float16")) == 2.0**-24
        True
    """
    found = format_of(dtype)
    return found.subnormal if found.name in HALF_FORMATS else found.tiny


def units_in_the_last_place(scale: np.ndarray, dtype: np.dtype | Format) -> np.ndarray:
    """One ulp of each number: the distance to the next larger one of the dtype, as float64.

    Args:
        scale: numbers that are not negative.
        dtype: of which the unit is.

    Returns:
        An array of the same shape.

    Example:
        >>> units_in_the_last_place(np.array([1.0, 4.0]), np.dtype("float32"))
        array([1.19209290e-07, 4.76837158e-07])
        >>> units_in_the_last_place(np.array([1.0, 4.0]), half_format("float16"))
        array([0.00097656, 0.00390625])
    """
    with np.errstate(all="ignore"):
        if not isinstance(dtype, Format):
            return np.spacing(scale.astype(dtype)).astype("float64")
        _, exponents = np.frexp(np.maximum(scale, dtype.tiny))
        return np.asarray(np.ldexp(dtype.eps, exponents - 1))


def rounded_to(array: np.ndarray, name: str) -> np.ndarray:
    """Numbers rounded to half precision, in float64.

    Args:
        array: of any floating-point dtype.
        name: `float16` or `bfloat16`.

    Returns:
        The nearest numbers of that precision, and of two equally near ones the even one.

    Raises:
        UnknownNameError: there is no such format.

    Example:
        >>> rounded_to(np.array([1.001, 3.0]), "bfloat16").tolist()
        [1.0, 3.0]
    """
    if half_format(name).name == "float16":
        with np.errstate(over="ignore"):
            return array.astype("float16").astype("float64")
    bits = np.atleast_1d(array.astype("float32")).view("uint32").astype("uint64")
    kept = (bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) & np.uint64(0xFFFF0000)
    return kept.astype("uint32").view("float32").astype("float64").reshape(array.shape)
