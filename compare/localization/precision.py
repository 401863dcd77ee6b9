"""Float32 inside of a program in float64: where its numbers are rounded, and the same run without that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...backends.models.traced import Operation
from ...backends.tracing.places import Place
from ...backends.tracing.replay import Floats
from .located import Located, located_at


class Beside(Floats):
    """Floating-point numbers of runs beside each other."""

    def __init__(self, *leading: int) -> None:
        self.leading = leading


class BesideInFloat64(Beside):
    """The same, in float64 throughout: no number is rounded to float32.

    Example:
        >>> numbers = BesideInFloat64()
        >>> numbers.row(2, np.dtype("float32")).dtype, numbers.cast(np.array([0.1]), np.dtype("float32"))
        (dtype('float64'), array([0.1]))
    """

    def row(self, size: int, dtype: np.dtype) -> Any:
        return np.zeros(size)

    def cast(self, x: Any, dtype: Any) -> Any:
        return x


def rounded_at(operations: Iterable[Operation]) -> tuple[Place, ...]:
    """Where numbers of float64 are rounded to float32, each place once."""
    places = {
        operation.place: None
        for operation in operations
        if operation.primitive == "cast" and operation.operands[0].dtype.itemsize > operation.dtype.itemsize
    }
    return tuple(place for place in places if isinstance(place, Place))


def rounded_places(operations: Iterable[Operation]) -> tuple[Located, ...]:
    """The same, to be shown."""
    return tuple(located_at(place, "rounds to float32.", ()) for place in rounded_at(operations))
