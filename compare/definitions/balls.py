"""Balls: interval arithmetic at any precision, by Arb (python-flint).

A ball is a midpoint with a radius, and contains the exact value of what was computed (F. Johansson, Arb: efficient
arbitrary-precision midpoint-radius interval arithmetic, 2017). Arrays of balls are NumPy arrays of objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb

from .numbers import Array

_HALF_AROUND_HALF = arb(0.5, 0.5)  # contains every number from 0 to 1


def _entrywise(function: Callable[[Any], Any]) -> Callable[[Array], Array]:
    ufunc = np.frompyfunc(function, 1, 1)
    return lambda array: np.asarray(ufunc(array), dtype=object)


class Balls:
    """Balls of the precision that is set in flint's context."""

    leading: tuple[int, ...] = ()
    fused = False

    def leaf(self, values: np.ndarray) -> Array:
        return values if values.dtype == object else self.constants(values)

    def constants(self, values: Any) -> Array:
        """Numbers as balls of radius zero: floating-point numbers are taken for exactly what they are."""
        array = np.asarray(values)
        return np.array([arb(number) for number in array.ravel().tolist()], dtype=object).reshape(array.shape)

    def array(self, values: Any) -> Array:
        return np.asarray(values, dtype=object)

    def zeros_like(self, values: Array) -> Array:
        return self.constants(np.zeros(values.shape))

    exp = staticmethod(_entrywise(lambda x: x.exp()))
    log = staticmethod(_entrywise(lambda x: x.log()))
    tanh = staticmethod(_entrywise(lambda x: x.tanh()))
    sigmoid = staticmethod(_entrywise(lambda x: 1 / (1 + (-x).exp())))
    softplus = staticmethod(_entrywise(lambda x: (1 + x.exp()).log()))

    def logistic_loss(self, o: Array, y: Array) -> Array:
        return self.softplus(o) - y * o

    def relu(self, a: Array) -> tuple[Array, Array]:
        """Its derivative is any number between 0 and 1 where the sign is not known."""
        return _nonnegative_part(a), _relu_slope(a)

    def shift(self, o: Array) -> Array:
        return self.constants(0)


_nonnegative_part = _entrywise(lambda x: x.nonnegative_part())
_relu_slope = _entrywise(lambda x: arb(1) if x > 0 else arb(0) if x <= 0 else _HALF_AROUND_HALF)
