"""The numbers that the tape computes with, and how they compute the functions of a network.

Balls need no care: at any precision nothing overflows, and what cancels is enclosed nevertheless (`balls.py`). In
floating-point numbers one formula can be written in several ways that are all right and round differently. `Floats`
knows two: that of the textbooks, and that of the frameworks' kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

Array = np.ndarray  # of what a kind of number is made of
Slopes = Callable[[int, Array], Array]  # from the number of a relu in the order of the forward pass, and its slopes
Leaf = Callable[[np.ndarray], Array]


class Numbers(Protocol):
    """A kind of number, with the functions whose derivatives the tape knows.

    Attributes:
        leading: the first axes of every array, before its own; several computations may run beside each other there.
        fused: whether formulas are written as the frameworks' kernels have them.
    """

    leading: tuple[int, ...]
    fused: bool

    def leaf(self, values: np.ndarray) -> Array:
        """An array of a problem, with the leading axes."""

    def constants(self, values: Any) -> Array:
        """Numbers that are taken for exactly what they are, without the leading axes."""

    def array(self, values: Any) -> Array:
        """A result as an array, of any shape."""

    def zeros_like(self, values: Array) -> Array:
        """Zeros of the same shape."""

    def exp(self, a: Array) -> Array: ...

    def log(self, a: Array) -> Array: ...

    def tanh(self, a: Array) -> Array: ...

    def sigmoid(self, a: Array) -> Array: ...

    def softplus(self, a: Array) -> Array:
        """log(1 + eᵃ)."""

    def logistic_loss(self, o: Array, y: Array) -> Array:
        """log(1 + eᵒ) − y o."""

    def relu(self, a: Array) -> tuple[Array, Array]:
        """The larger of a and 0, and its derivative: 0 at exactly 0."""

    def shift(self, o: Array) -> Array:
        """What is subtracted from a row of outputs before their exponentials are taken."""


class Floats:
    """Floating-point numbers, which may round at random.

    Attributes:
        leading: the first axes of every array.
        fused: whether formulas are written as the frameworks' kernels have them.
        slopes: chooses the derivatives of a relu.
        relu_arguments: what relu was taken of, in the order of the forward pass; or another function with a kink, as it
            were at 0.
        margins: of a recorded function, the differences whose signs decided its branches.
        borders: the same, of branches that change close to its arguments.
        largest: of a recorded function, the largest finite magnitude; its infinities may be by design, as in a mask.

    Example:
        >>> floats = Floats(np.dtype("float64"), leading=(2,))
        >>> floats.leaf(np.array([1.0, 2.0, 3.0])).shape
        (2, 3)
        >>> floats.relu(np.array([-1.0, 0.0, 2.0]))
        (array([0., 0., 2.]), array([0., 0., 1.]))
        >>> len(floats.relu_arguments)
        1
    """

    def __init__(
        self,
        dtype: np.dtype,
        *,
        leading: tuple[int, ...] = (),
        fused: bool = False,
        leaf: Leaf = lambda values: values,
        slopes: Slopes = lambda number, slope: slope,
    ) -> None:
        """Of a dtype.

        Args:
            dtype: of all arrays.
            leading: the first axes of every array.
            fused: whether formulas are written as the frameworks' kernels have them.
            leaf: makes an array of another kind, such as one that rounds at random.
            slopes: chooses the derivatives of a relu.
        """
        self.dtype, self.leading, self.fused = dtype, leading, fused
        self.slopes = slopes
        self.relu_arguments: list[Array] = []
        self.margins: list[Array] = []
        self.borders: list[Array] = []
        self.largest: float | None = None
        self._leaf = leaf

    @property
    def is_recorded(self) -> bool:
        """Whether it was a recorded function that was computed in these numbers."""
        return self.largest is not None

    def leaf(self, values: np.ndarray) -> Array:
        if type(values) is not np.ndarray:  # it has been made into one already
            return values
        return self._leaf(np.broadcast_to(values, (*self.leading, *values.shape)).copy())

    def constants(self, values: Any) -> Array:
        return np.asarray(values, dtype=self.dtype)

    def array(self, values: Any) -> Array:
        return np.asanyarray(values)

    def zeros_like(self, values: Array) -> Array:
        return np.zeros_like(values)

    def exp(self, a: Array) -> Array:
        return np.exp(a)

    def log(self, a: Array) -> Array:
        return np.log(a)

    def tanh(self, a: Array) -> Array:
        return np.tanh(a)

    def sigmoid(self, a: Array) -> Array:
        return np.reciprocal(np.exp(-a) + 1)

    def softplus(self, a: Array) -> Array:
        return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))

    def logistic_loss(self, o: Array, y: Array) -> Array:
        return np.maximum(o, 0) - o * y + np.log1p(np.exp(-np.abs(o)))

    def relu(self, a: Array) -> tuple[Array, Array]:
        number = len(self.relu_arguments)
        self.relu_arguments.append(np.asarray(a))
        slope = (np.asarray(a) > 0).astype(self.dtype)
        return np.maximum(a, 0), self.slopes(number, slope)

    def shift(self, o: Array) -> Array:
        return np.asarray(o).max(axis=-1, keepdims=True)
