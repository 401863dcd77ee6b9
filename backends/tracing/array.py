"""The array that a program is run on: it holds the numbers, and the entries of the recording that they are.

Both are NumPy arrays of the same layout, so that NumPy itself knows which of them are views of which: whatever is
written through a view, an alias or a transpose is written to both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..models.traced import CONSTANT, ENTRY_DTYPES, Decision, Operand
from .keywords import bound, without_out
from .places import current_place
from .recorder import IMPLEMENTED, active, name_of, note, refused, written_as

PROBED = ("__array", "__buffer__")  # what NumPy asks any object for, to find out whether it is an array


class RecordedArray:
    """An array of a program that is being recorded.

    Attributes:
        numbers: what they are.
        origin: the entries of the recording that they are; `CONSTANT` where a number depends on no argument.
        is_scalar: whether it stands for a number of NumPy's, which `+=` replaces and does not change.
        is_weak: whether it stands for a number of Python's, which takes the dtype of what it meets.
    """

    __slots__ = ("is_scalar", "is_weak", "numbers", "origin")
    __array_priority__ = 1000.0

    def __init__(self, numbers: Any, origin: Any, *, is_weak: bool = False) -> None:
        self.is_scalar = not isinstance(numbers, np.ndarray)
        self.is_weak = is_weak
        self.numbers = np.array(numbers) if self.is_scalar else numbers
        self.origin = np.array(origin, "int64") if self.is_scalar else origin

    # What it is

    shape = property(lambda self: self.numbers.shape, lambda self, shape: self._set_shape(shape))
    dtype = property(lambda self: self.numbers.dtype)
    ndim = property(lambda self: self.numbers.ndim)
    size = property(lambda self: self.numbers.size)
    nbytes = property(lambda self: self.numbers.nbytes)
    itemsize = property(lambda self: self.numbers.itemsize)
    strides = property(lambda self: self.numbers.strides)
    flags = property(lambda self: self.numbers.flags)
    T = property(lambda self: RecordedArray(self.numbers.T, self.origin.T) if self.ndim else self)
    mT = property(lambda self: RecordedArray(self.numbers.mT, self.origin.mT))  # noqa: N815 # as in NumPy
    real = property(lambda self: self)
    imag = property(lambda self: constant(np.zeros_like(self.numbers)))
    flat = property(lambda self: Flat(self))

    @property
    def base(self) -> Any:
        """What it is a view of; None of an array of its own."""
        return self.numbers.base

    @property
    def is_constant(self) -> bool:
        """Whether no number in it depends on an argument."""
        return not self.origin.any()

    @property
    def value(self) -> Any:
        """The plain numbers: an array, or a number of NumPy's or Python's."""
        return self.numbers.item() if self.is_weak else self.numbers[()] if self.is_scalar else self.numbers

    def _set_shape(self, shape: Any) -> None:
        self.numbers.shape = shape
        self.origin.shape = shape

    def __getattr__(self, name: str) -> Any:
        if name in self.__slots__:  # not there yet, as while it is unpickled
            raise AttributeError(name)
        kind = float if self.is_weak else np.float64 if self.is_scalar else np.ndarray
        if hasattr(kind, name) and not name.startswith(PROBED):
            raise refused(f".{name} of a recorded array cannot be followed")
        raise AttributeError(f"'{kind.__name__}' object has no attribute '{name}'")

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Any]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[index] for index in range(len(self)))

    def __copy__(self) -> RecordedArray:
        return RecordedArray(self.numbers.copy(), self.origin.copy()) if not self.is_scalar else self

    def __deepcopy__(self, memo: Any) -> RecordedArray:
        return self.__copy__()

    # What of it is plain

    def __bool__(self) -> bool:
        return bool(decide(np.not_equal, self, 0))

    def __int__(self) -> int:
        note(f"int({self.value}) is plain: its derivative is 0")
        return int(self.value)

    def __float__(self) -> float:
        if not self.is_constant:
            note("a recorded number becomes a plain one here")
        return float(self.value)

    def __complex__(self) -> complex:
        raise refused("complex numbers are not recorded")

    def __hash__(self) -> int:
        if not self.is_scalar:
            raise TypeError("unhashable type: 'numpy.ndarray'")
        return hash(self.value)

    def __repr__(self) -> str:
        return self._as_text(repr)

    def __str__(self) -> str:
        return self._as_text(str)

    def __format__(self, specification: str) -> str:
        return self._as_text(lambda value: format(value, specification))

    def _as_text(self, function: Callable[[Any], str]) -> str:
        text = function(self.value)
        return text if self.is_constant else written_as(text)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        if self.is_constant:
            return np.array(self.numbers, dtype=dtype)
        raise refused("an array of recorded numbers would become a plain one here, and lose its derivative")

    # Parts of it

    def __getitem__(self, index: Any) -> RecordedArray:
        index = plain_index(index)
        return RecordedArray(self.numbers[index], self.origin[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        if self.is_scalar:
            raise TypeError("'numpy.float64' object does not support item assignment")
        index = plain_index(index)
        source = as_recorded(value)
        if not source.is_constant and source.dtype != self.dtype:
            source = IMPLEMENTED["cast"](source, self.dtype)
        self.numbers[index] = source.numbers if source.ndim else source.numbers[()]
        self.origin[index] = source.origin if source.ndim else source.origin[()]

    # What is computed of it

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        key = ufunc if method == "__call__" else (ufunc, method)
        implementation = IMPLEMENTED.get(key) or IMPLEMENTED["of SciPy"](key)
        if implementation is None:
            called = ufunc if method == "__call__" else getattr(ufunc, method)
            implementation = _unknown(called, name_of(ufunc) if called is ufunc else f"{name_of(ufunc)}.{method}")
        if method in ("reduce", "accumulate"):
            options.setdefault("axis", 0)
        where = options.pop("where", True) if method == "__call__" else True
        options = {name: option for name, option in options.items() if name not in ("casting", "order", "subok")}
        result = implementation(*inputs, **options)
        if where is not True:
            if out is None or out[0] is None:
                raise refused(f"{name_of(ufunc)} leaves places without a value (where= without out=)")
            result = IMPLEMENTED[np.where](where, result, out[0])
        return result if out is None else written(out, result)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        implementation = IMPLEMENTED.get(function) or _unknown(function, name_of(function))
        arguments, options, out = without_out(function, arguments, options)
        arguments, options = bound(function, implementation, arguments, options)
        result = implementation(*arguments, **options)
        return result if out is None else written((out,), result)


class Flat:
    """An array's `flat`: its entries in C order, to be read and written."""

    def __init__(self, array: RecordedArray) -> None:
        self._array = array

    def __getitem__(self, index: Any) -> RecordedArray:
        return RecordedArray(self._array.numbers.flat[index], self._array.origin.flat[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        places = np.unravel_index(np.arange(self._array.size)[index], self._array.shape)
        self._array[places] = value

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(self._array.size))

    def __len__(self) -> int:
        return self._array.size


class PlainArray(np.ndarray):
    """Integers or truth values in a recorded program: what becomes floating-point of them is a recorded array."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if any(isinstance(one, RecordedArray) for one in (*inputs, *(out or ()))):
            return NotImplemented
        plain = [one.view(np.ndarray) if isinstance(one, PlainArray) else one for one in inputs]
        if out is not None:
            out = tuple(one.view(np.ndarray) if isinstance(one, PlainArray) else one for one in out)
            getattr(ufunc, method)(*plain, out=out, **options)
            return out[0].view(PlainArray) if len(out) == 1 else out
        return boxed(getattr(ufunc, method)(*plain, **options))

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        return boxed(super().__array_function__(function, types, arguments, options))

    def astype(self, dtype: Any, **options: Any) -> Any:  # type: ignore[override]
        return boxed(self.view(np.ndarray).astype(dtype, **options))

    def mean(self, *arguments: Any, **options: Any) -> Any:
        return boxed(self.view(np.ndarray).mean(*arguments, **options))


def constant(values: Any) -> RecordedArray:
    """Numbers that depend on no argument, as an array that may be written to."""
    if not isinstance(values, np.ndarray):
        return RecordedArray(values, CONSTANT)
    return RecordedArray(values, same_layout(values, CONSTANT))


def boxed(result: Any) -> Any:
    """What NumPy returned: floating-point arrays as recorded ones, other arrays as `PlainArray`."""
    if isinstance(result, (tuple, list)) and any(isinstance(one, np.ndarray) for one in result):
        parts = [boxed(one) for one in result]
        return type(result)(parts) if type(result) in (tuple, list) else type(result)(*parts)
    if isinstance(result, np.ndarray):
        if result.dtype.kind == "f":
            made = constant(np.asarray(result))
            return IMPLEMENTED["matrix"](made) if isinstance(result, np.matrix) else made
        return result.view(PlainArray) if result.dtype.kind in "iub" else result
    return constant(result) if isinstance(result, np.floating) else result


def same_layout(data: np.ndarray, origin: Any) -> np.ndarray:
    """Entries in an array of the layout of `data`, so that of both the same operations give views."""
    array = np.empty_like(data, dtype="int64", subok=False)
    array[...] = origin
    return array


def as_recorded(value: Any) -> Any:
    """A value as a `RecordedArray`: as it is, or as a constant; lists are walked."""
    if isinstance(value, RecordedArray):
        return value
    if isinstance(value, (list, tuple)):
        return IMPLEMENTED[np.array](value)
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise refused(f"{array.dtype} is not recorded, expected floating-point numbers, integers or truth values")
    return RecordedArray(array, same_layout(array, CONSTANT))


def is_recorded(value: Any) -> bool:
    """Whether a value is a recorded array, or a list with one in it."""
    if isinstance(value, (list, tuple)):
        return any(map(is_recorded, value))
    return isinstance(value, RecordedArray)


def plain(value: Any) -> Any:
    """A value with plain arrays in the place of recorded ones."""
    if isinstance(value, RecordedArray):
        return value.value
    if isinstance(value, PlainArray):
        return value.view(np.ndarray)
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    return value


def plain_index(index: Any) -> Any:
    """An index as NumPy takes it; a recorded number in it would have no derivative, and NumPy refuses it as well."""
    if isinstance(index, tuple):
        return tuple(map(plain_index, index))
    return plain(index)


def operand(array: RecordedArray) -> Operand:
    """An array as an operand of the recording that is being made.

    Raises:
        NotRecordableError: it is of another dtype than float64 and float32.
    """
    if array.dtype not in ENTRY_DTYPES:
        raise refused(f"{array.dtype} is not recorded, expected float64 or float32")
    return active().operand(array.numbers, array.origin)


def decide(function: Any, *arrays: Any, **arguments: Any) -> Any:
    """A plain answer about recorded numbers, which is remembered: at other numbers it may be another."""
    result = function(*map(plain, arrays), **arguments)
    recorded = [as_recorded(array) for array in arrays]
    if not all(array.is_constant for array in recorded):
        floats = tuple(operand(array if array.dtype.kind == "f" else _as_float(array)) for array in recorded)
        recording = active()
        made = Decision(function, floats, arguments, plain(result), current_place(), len(recording.operations))
        recording.decisions.append(made)
    return result.view(PlainArray) if isinstance(result, np.ndarray) else result


def written(out: Any, result: Any) -> Any:
    """Writes a result into the array that the program named, and returns that."""
    target = out[0] if isinstance(out, tuple) else out
    if target is None:
        return result
    if not isinstance(target, RecordedArray):
        if is_recorded(result) and not result.is_constant:
            raise refused("recorded numbers are written into an array that was made outside of NumPy's functions")
        target[...] = plain(result)
        return target
    target[...] = result
    return target


def _as_float(array: RecordedArray) -> RecordedArray:
    return RecordedArray(array.numbers.astype("float64"), array.origin)


def _unknown(function: Any, name: str) -> Any:
    """Of a function that cannot be followed: it may be asked of constants."""

    def implementation(*arguments: Any, **options: Any) -> Any:
        values = [*arguments, *options.values()]
        if not all(one.is_constant for one in _recorded_in(values)):
            raise refused(f"{name} cannot be followed")
        return boxed(function(*map(plain, arguments), **{key: plain(option) for key, option in options.items()}))

    return implementation


def _recorded_in(values: Any) -> Iterator[RecordedArray]:
    for value in values:
        if isinstance(value, RecordedArray):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _recorded_in(value)
