"""The operators and methods of a recorded array: each is the function of NumPy that it is short for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .array import RecordedArray, decide, plain, written
from .entrywise import computed
from .keywords import without_out
from .own_values import composed
from .recorder import IMPLEMENTED, refused

OPERATORS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "matmul": np.matmul,
}
COMPARISONS = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}
METHODS = {
    **{
        name: getattr(np, name)
        for name in (
            *(
                "sum",
                "mean",
                "var",
                "std",
                "max",
                "min",
                "prod",
                "cumsum",
                "cumprod",
                "clip",
                "dot",
                "squeeze",
                "repeat",
                "round",
            ),
            *("take", "trace", "diagonal", "swapaxes", "ravel", "put"),
            *("argmax", "argmin", "argsort", "all", "any", "nonzero", "searchsorted"),
        )
    },
}


def _operator(function: Any, of_floats: Any = None, *, reflected: bool = False) -> Callable[..., Any]:
    def method(self: RecordedArray, other: Any) -> Any:
        if not _is_operand(other):
            return NotImplemented
        one, two = (other, self) if reflected else (self, other)
        if of_floats is not None and _is_of_python(one) and _is_of_python(two):
            return of_python(function, of_floats, one, two)
        return IMPLEMENTED[function](one, two)

    return method


def _is_of_python(value: Any) -> bool:
    return value.is_weak if isinstance(value, RecordedArray) else isinstance(value, (int, float, bool))


def of_python(function: Any, of_floats: Any, *numbers: Any) -> Any:
    """What Python makes of floats of its own, recorded as NumPy's function."""
    value = of_floats(*map(plain, numbers))
    if isinstance(value, complex):
        raise refused("complex numbers are not recorded")
    result = IMPLEMENTED[function](*numbers)
    return RecordedArray(value, result.origin[()], is_weak=True)


def _in_place(function: Any, of_floats: Any) -> Callable[..., Any]:
    """Of an array its numbers are changed; a number is replaced, as in NumPy."""

    def method(self: RecordedArray, other: Any) -> Any:
        result = _operator(function, of_floats)(self, other)
        if self.is_scalar or result is NotImplemented:
            return result
        if not np.can_cast(result.dtype, self.dtype, "same_kind"):
            raise TypeError(f"cannot write {result.dtype} into an array of {self.dtype}")
        self[...] = result
        return self

    return method


def _is_operand(other: Any) -> bool:
    if isinstance(other, complex):
        raise refused("complex numbers are not recorded")
    return isinstance(other, (RecordedArray, np.ndarray, np.generic, int, float, bool, list, tuple))


def _transposed(self: RecordedArray, *axes: Any) -> RecordedArray:
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], (int, np.integer)) else axes or None
    return RecordedArray(self.numbers.transpose(order), self.origin.transpose(order))


def _reshaped(self: RecordedArray, *shape: Any, **options: Any) -> RecordedArray:
    return RecordedArray(
        np.asarray(self.numbers.reshape(*shape, **options)), np.asarray(self.origin.reshape(*shape, **options))
    )


def _copied(self: RecordedArray, order: Any = "C") -> RecordedArray:
    return self if self.is_scalar else RecordedArray(self.numbers.copy(order), self.origin.copy(order))


def _flattened(self: RecordedArray, order: Any = "C") -> RecordedArray:
    return RecordedArray(self.numbers.flatten(order), self.origin.flatten(order))


def _viewed(self: RecordedArray, *kind: Any, **options: Any) -> RecordedArray:
    if (kind and kind[0] is not np.ndarray) or options:
        raise refused("a view of another dtype or class is not recorded")
    return RecordedArray(self.numbers.view(), self.origin.view())


def _filled(self: RecordedArray, value: Any) -> None:
    self[...] = value


def _sorted(self: RecordedArray, axis: int = -1, **options: Any) -> None:
    self[...] = np.sort(self, axis=axis)


def _partitioned(self: RecordedArray, kth: Any, axis: int = -1, **options: Any) -> None:
    self[...] = np.partition(self, kth, axis)


def _round_of_python(self: RecordedArray, digits: int | None = None) -> Any:
    """An integer, or a number of the same kind, as `round` gives it."""
    made = IMPLEMENTED[np.round](self, digits or 0)
    if digits is None:
        return round(self.value)
    return as_float(made) if self.is_weak else made


def _item(self: RecordedArray, *index: Any) -> RecordedArray:
    """One number, which stands for a float of Python's and stays recorded."""
    if not index and self.size != 1:
        raise ValueError("can only convert an array of size 1 to a Python scalar")
    places = np.arange(self.size).reshape(self.shape).item(*index)
    return as_float(RecordedArray(self.numbers.flat[places], self.origin.flat[places]))


def as_float(number: RecordedArray) -> RecordedArray:
    """A recorded number as it stands for a float of Python's."""
    wide = IMPLEMENTED["astype"](number, "float64", copy=False).reshape(())
    return RecordedArray(wide.numbers[()], wide.origin[()], is_weak=True)


def _listed(self: RecordedArray) -> Any:
    return _item(self) if not self.ndim else [_listed(part) for part in self]


@composed(np.round, np.around)
def rounded(a: Any, decimals: int = 0) -> Any:
    """To some decimals: which numbers these are is a decision."""
    return np.rint(a * 10.0**decimals) / 10.0**decimals


def _of_one(function: Any, of_floats: Any) -> Callable[[RecordedArray], Any]:
    return lambda self: of_python(function, of_floats, self) if self.is_weak else IMPLEMENTED[function](self)


def _contains(self: RecordedArray, value: Any) -> bool:
    return bool(np.any(decide(np.equal, self, value)))


def _method(function: Any) -> Callable[..., Any]:
    def method(self: RecordedArray, *given: Any, **options: Any) -> Any:
        arguments, options, out = without_out(function, (self, *given), options)
        result = IMPLEMENTED[function](*arguments, **options)
        return result if out is None else written(out, result)

    return method


def install() -> None:
    """Gives the class its operators and methods."""
    for name, function in OPERATORS.items():
        of_floats = getattr(operator, name)
        setattr(RecordedArray, f"__{name}__", _operator(function, of_floats))
        setattr(RecordedArray, f"__r{name}__", _operator(function, of_floats, reflected=True))
        setattr(RecordedArray, f"__i{name}__", _in_place(function, of_floats))
    for name, function in COMPARISONS.items():
        setattr(RecordedArray, f"__{name}__", _operator(function))
    for name, function in METHODS.items():
        setattr(RecordedArray, name, _method(function))
    others = {
        "__divmod__": lambda self, other: (self // other, self % other),
        "__rdivmod__": lambda self, other: (other // self, other % self),
        "__neg__": _of_one(np.negative, operator.neg),
        "__pos__": _copied,
        "__abs__": _of_one(np.absolute, abs),
        "__contains__": _contains,
        "__round__": _round_of_python,
        "transpose": _transposed,
        "reshape": _reshaped,
        "copy": _copied,
        "flatten": _flattened,
        "view": _viewed,
        "fill": _filled,
        "sort": _sorted,
        "partition": _partitioned,
        "item": _item,
        "tolist": _listed,
        "astype": lambda self, dtype, *_, copy=True, **__: IMPLEMENTED["astype"](self, dtype, copy),
        "conj": _copied,
        "conjugate": _copied,
        "__stopped__": lambda self: computed("stop", self.numbers.copy()[()], self, entrywise=False),
        "is_integer": lambda self: bool(self % 1 == 0),
    }
    for name, method in others.items():
        setattr(RecordedArray, name, method)


install()
