"""Convolutions of `scipy.signal` on recorded arrays; SciPy itself, which need not be installed, gives the values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .array import as_recorded
from .recorder import refused

sliding_window_view = np.lib.stride_tricks.sliding_window_view


def _correlated(one: Any, other: Any, mode: str, before: Callable[[int], int] = lambda size: (size - 1) // 2) -> Any:
    """z_k = Σ_l x_{k+l} y_l, of what x is 0 outside of; along all axes.

    Args:
        one: x.
        other: y.
        mode: which part of it: full, same or valid.
        before: how many of the full result come before that of the same size, by the size of y.
    """
    one, other = as_recorded(one), as_recorded(other)
    if _is_exchanged(one, other, mode):
        return np.flip(_correlated(other, one, mode))
    padded = one if mode == "valid" else np.pad(one, [(size - 1, size - 1) for size in other.shape])
    made = np.sum(sliding_window_view(padded, other.shape) * other, axis=tuple(range(-other.ndim, 0)))
    if mode == "same":
        starts = map(before, other.shape)
        made = made[tuple(slice(start, start + size) for start, size in zip(starts, one.shape, strict=True))]
    return made


def _convolved(one: Any, other: Any, mode: str) -> Any:
    """z_k = Σ_l x_{k−l} y_l."""
    one, other = as_recorded(one), as_recorded(other)
    if _is_exchanged(one, other, mode):
        one, other = other, one
    return _correlated(one, np.flip(other), mode)


def _is_exchanged(one: Any, other: Any, mode: str) -> bool:
    """Whether SciPy slides the first along the second: where all of one has to be within the other."""
    return mode == "valid" and any(size < least for size, least in zip(one.shape, other.shape, strict=True))


def _in_two_axes(function: Callable[..., Any]) -> Callable[..., Any]:
    def implementation(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: float = 0) -> Any:
        if boundary not in ("fill", "pad") or fillvalue != 0:
            raise refused(f"scipy.signal's boundary={boundary!r}, fillvalue={fillvalue!r} cannot be followed")
        return function(in1, in2, mode)

    return implementation


SIGNAL: dict[str, Callable[..., Any]] = {
    "correlate": lambda in1, in2, mode="full", method="auto": _correlated(in1, in2, mode),
    "convolve": lambda in1, in2, mode="full", method="auto": _convolved(in1, in2, mode),
    "fftconvolve": lambda in1, in2, mode="full": _convolved(in1, in2, mode),
    "correlate2d": _in_two_axes(lambda one, other, mode: _correlated(one, other, mode, lambda size: size // 2)),
    "convolve2d": _in_two_axes(_convolved),
}
