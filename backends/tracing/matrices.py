"""`np.matrix` in a recorded program: an array that keeps two axes, and whose `*` is the product of matrices.

What is not known to do the same with a matrix as with an array is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .array import RecordedArray, as_recorded, is_recorded, plain_index
from .recorder import IMPLEMENTED, name_of, refused

GIVE_MATRICES = frozenset(
    {
        *(np.dot, np.transpose, np.sum, np.mean, np.max, np.min, np.amax, np.amin, np.prod, np.copy),
        *(np.concatenate, np.vstack, np.hstack, np.zeros_like, np.ones_like, np.linalg.inv),
    }
)
GIVE_ARRAYS = frozenset(
    {np.array, np.asarray, np.where, np.outer, np.einsum, np.linalg.norm, np.shape, np.size, np.ndim}
)
REDUCED = ("sum", "mean", "var", "std", "max", "min", "prod")  # its methods that keep the axis
OPERATORS = ("add", "sub", "truediv", "matmul")


class RecordedMatrix(RecordedArray):
    """A recorded array that the program made a matrix of, with the same numbers."""

    __slots__ = ()
    __array_priority__ = 2000.0

    T = property(lambda self: _matrix(self.A.T))
    A = property(lambda self: RecordedArray(self.numbers, self.origin))
    A1 = property(lambda self: self.A.reshape(-1))
    I = property(lambda self: _matrix(IMPLEMENTED[np.linalg.inv](self.A)))  # noqa: E741 # as in NumPy

    def __getitem__(self, index: Any) -> Any:
        index = plain_index(index)
        part = self.A[index]
        if part.ndim != 1:
            return _matrix(part) if part.ndim else part
        is_column = isinstance(index, tuple) and len(index) > 1 and np.isscalar(index[1])
        return _matrix(part.reshape((-1, 1) if is_column else (1, -1)))

    def __iter__(self) -> Iterator[Any]:
        return (self[row] for row in range(len(self)))

    def __mul__(self, other: Any) -> Any:
        return self._times(self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._times(other, self)

    def __imul__(self, other: Any) -> RecordedMatrix:
        self[...] = self * other
        return self

    def __pow__(self, exponent: Any) -> Any:
        raise refused("a power of a np.matrix cannot be followed")

    def __neg__(self) -> RecordedMatrix:
        return _matrix(-self.A)

    @staticmethod
    def _times(one: Any, other: Any) -> Any:
        of_numbers = any(np.isscalar(value) or not np.ndim(getattr(value, "numbers", value)) for value in (one, other))
        function = np.multiply if of_numbers else np.dot
        return _matrix(IMPLEMENTED[function](*map(_as_array, (one, other))))

    def __copy__(self) -> RecordedMatrix:
        return _matrix(self.A.copy())

    def ravel(self, *order: Any) -> RecordedMatrix:
        """In one row."""
        return _matrix(self.A.ravel(*order))

    flatten = ravel

    def reshape(self, *shape: Any, **options: Any) -> RecordedMatrix:
        """With another shape, of two axes again."""
        return _matrix(self.A.reshape(*shape, **options))

    def transpose(self) -> RecordedMatrix:
        """With its axes exchanged."""
        return self.T

    def dot(self, other: Any) -> RecordedMatrix:
        """The product with another one."""
        return self._times(self, other)

    def copy(self, order: Any = "C") -> RecordedMatrix:
        """With numbers of its own."""
        return _matrix(self.A.copy(order))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if method != "__call__":
            raise refused(f"{name_of(ufunc)}.{method} of a np.matrix cannot be followed")
        arrays = map(_as_array, inputs)
        result = self.A.__array_ufunc__(ufunc, method, *arrays, out=out, **options)
        return result if out is not None or not isinstance(result, RecordedArray) else _matrix(result)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        return of_matrices(function, arguments, options)


def of_matrices(function: Any, arguments: Any, options: dict[str, Any]) -> Any:
    """What a function of NumPy's gives of matrices."""
    if function is np.asmatrix:
        return as_matrix(*arguments, **options)
    if function not in GIVE_MATRICES | GIVE_ARRAYS:
        raise refused(f"{name_of(function)} of a np.matrix cannot be followed")
    name = function.__name__.removeprefix("a")
    if name in REDUCED and isinstance(arguments[0], RecordedMatrix):
        return getattr(arguments[0], name)(*arguments[1:], **options)
    arrays = tuple(map(_as_array, arguments))
    array = next(one for one in _flat(arrays) if isinstance(one, RecordedArray))
    result = array.__array_function__(function, (), arrays, options)
    return _matrix(result) if function in GIVE_MATRICES else result


def has_matrix(values: Any) -> bool:
    """Whether there is a matrix among values, or in a list among them."""
    return any(isinstance(one, RecordedMatrix) for one in _flat(values))


def as_matrix(data: Any, dtype: Any = None, copy: bool = False) -> RecordedMatrix:
    """A matrix with the numbers of an array: a row of what has one axis.

    Args:
        data: recorded, or a list.
        dtype: of the numbers; None leaves them.
        copy: whether it has numbers of its own.
    """
    array = as_recorded(_as_array(data))
    if dtype is not None:
        array = IMPLEMENTED["astype"](array, dtype)
    return _matrix(array.copy() if copy else array)


def _matrix(array: RecordedArray) -> RecordedMatrix:
    if array.ndim > 2:
        raise ValueError("matrix must be 2-dimensional")
    if array.ndim < 2:
        array = array.reshape((1, -1))
    return RecordedMatrix(array.numbers, array.origin)


def _as_array(value: Any) -> Any:
    """A value with arrays in the place of matrices."""
    if isinstance(value, RecordedMatrix):
        return value.A
    if isinstance(value, (list, tuple)) and is_recorded(value):
        return type(value)(map(_as_array, value))
    return value


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _flat(value)
        else:
            yield value


def _operator(name: str) -> Callable[..., Any]:
    of_arrays = getattr(RecordedArray, name)

    def method(self: RecordedMatrix, other: Any) -> Any:
        result = of_arrays(self.A, _as_array(other))
        return result if result is NotImplemented else _matrix(result)

    return method


def _reduced(name: str) -> Callable[..., Any]:
    def method(self: RecordedMatrix, axis: Any = None, **options: Any) -> Any:
        result = getattr(self.A, name)(axis=axis, keepdims=axis is not None, **options)
        return result if axis is None else _matrix(result)

    return method


def _install() -> None:
    for name in OPERATORS:
        for special in (f"__{name}__", f"__r{name}__"):
            setattr(RecordedMatrix, special, _operator(special))
    for name in REDUCED:
        setattr(RecordedMatrix, name, _reduced(name))
    IMPLEMENTED[np.asmatrix] = IMPLEMENTED["matrix"] = as_matrix


_install()
