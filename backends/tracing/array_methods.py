"""The operators and methods of a recorded array: each is the function of NumPy that it is short for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .array import RecordedArray, decide, plain
from .entrywise import computed
from .recorder import IMPLEMENTED, note, refused

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
            ),
            *("take", "trace", "diagonal", "compress", "swapaxes", "ravel", "put"),
            *("argmax", "argmin", "argsort", "all", "any", "nonzero", "searchsorted"),
        )
    },
}
REFUSED = ("dump", "dumps", "tobytes", "tofile", "setfield", "getfield", "byteswap", "choose", "resize", "to_device")


def _operator(function: Any, *, reflected: bool = False) -> Callable[..., Any]:
    def operator(self: RecordedArray, other: Any) -> Any:
        if not _is_operand(other):
            return NotImplemented
        one, two = (other, self) if reflected else (self, other)
        return IMPLEMENTED[function](one, two)

    return operator


def _in_place(function: Any) -> Callable[..., Any]:
    """Of an array its numbers are changed; a number is replaced, as in NumPy."""

    def operator(self: RecordedArray, other: Any) -> Any:
        result = IMPLEMENTED[function](self, other)
        if self.is_scalar:
            return result
        if not np.can_cast(result.dtype, self.dtype, "same_kind"):
            raise TypeError(f"cannot write {result.dtype} into an array of {self.dtype}")
        self[...] = result
        return self

    return operator


def _is_operand(other: Any) -> bool:
    return isinstance(other, (RecordedArray, np.ndarray, np.generic, int, float, bool, list, tuple))


def _transposed(self: RecordedArray, *axes: Any) -> RecordedArray:
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], (int, np.integer)) else axes or None
    return RecordedArray(self.data.transpose(order), self.origin.transpose(order))


def _reshaped(self: RecordedArray, *shape: Any, **options: Any) -> RecordedArray:
    return RecordedArray(
        np.asarray(self.data.reshape(*shape, **options)), np.asarray(self.origin.reshape(*shape, **options))
    )


def _copied(self: RecordedArray, order: Any = "C") -> RecordedArray:
    return self if self.is_scalar else RecordedArray(self.data.copy(order), self.origin.copy(order))


def _flattened(self: RecordedArray, order: Any = "C") -> RecordedArray:
    return RecordedArray(self.data.flatten(order), self.origin.flatten(order))


def _viewed(self: RecordedArray, *kind: Any, **options: Any) -> RecordedArray:
    if (kind and kind[0] is not np.ndarray) or options:
        raise refused("a view of another dtype or class is not recorded")
    return RecordedArray(self.data.view(), self.origin.view())


def _filled(self: RecordedArray, value: Any) -> None:
    self[...] = value


def _sorted(self: RecordedArray, axis: int = -1, **options: Any) -> None:
    self[...] = np.sort(self, axis=axis, **options)


def _item(self: RecordedArray, *index: Any) -> RecordedArray:
    """One number, which stands for a float of Python's and stays recorded."""
    if not index and self.size != 1:
        raise ValueError("can only convert an array of size 1 to a Python scalar")
    places = np.arange(self.size).reshape(self.shape).item(*index)
    return as_float(RecordedArray(self.data.flat[places], self.origin.flat[places]))


def as_float(number: RecordedArray) -> RecordedArray:
    """A recorded number as it stands for a float of Python's."""
    wide = IMPLEMENTED["astype"](number, "float64", copy=False).reshape(())
    return RecordedArray(wide.data[()], wide.origin[()], is_weak=True)


def _listed(self: RecordedArray) -> Any:
    return _item(self) if not self.ndim else [_listed(part) for part in self]


def _rounded(self: RecordedArray, decimals: int = 0, **_: Any) -> Any:
    note("rounded numbers are plain: their derivative is 0")
    return np.round(plain(self), decimals)


def _power(self: RecordedArray, other: Any, modulus: None = None) -> Any:
    return IMPLEMENTED[np.power](self, other) if _is_operand(other) else NotImplemented


def _negative(self: RecordedArray) -> Any:
    return IMPLEMENTED[np.negative](self)


def _absolute(self: RecordedArray) -> Any:
    return IMPLEMENTED[np.absolute](self)


def _contains(self: RecordedArray, value: Any) -> bool:
    return bool(np.any(decide(np.equal, self, value)))


def _refused(name: str) -> Callable[..., Any]:
    def method(self: RecordedArray, *arguments: Any, **options: Any) -> Any:
        raise refused(f".{name}() of a recorded array cannot be followed")

    return method


def _method(function: Any) -> Callable[..., Any]:
    def method(self: RecordedArray, *arguments: Any, out: Any = None, **options: Any) -> Any:
        result = IMPLEMENTED[function](self, *arguments, **options)
        if out is None:
            return result
        out[...] = result
        return out

    return method


def install() -> None:
    """Gives the class its operators and methods."""
    for name, function in OPERATORS.items():
        setattr(RecordedArray, f"__{name}__", _operator(function))
        setattr(RecordedArray, f"__r{name}__", _operator(function, reflected=True))
        setattr(RecordedArray, f"__i{name}__", _in_place(function))
    for name, function in COMPARISONS.items():
        setattr(RecordedArray, f"__{name}__", _operator(function))
    for name, function in METHODS.items():
        setattr(RecordedArray, name, _method(function))
    IMPLEMENTED[np.round] = _rounded
    others = {
        "__pow__": _power,
        "__neg__": _negative,
        "__pos__": _copied,
        "__abs__": _absolute,
        "__contains__": _contains,
        "__round__": lambda self, digits=0: _rounded(self, digits or 0),
        "transpose": _transposed,
        "reshape": _reshaped,
        "copy": _copied,
        "flatten": _flattened,
        "view": _viewed,
        "fill": _filled,
        "sort": _sorted,
        "partition": lambda self, kth, axis=-1, **_: _sorted(self, axis),
        "item": _item,
        "tolist": _listed,
        "round": _rounded,
        "astype": lambda self, dtype, *_, copy=True, **__: IMPLEMENTED["astype"](self, dtype, copy),
        "conj": _copied,
        "conjugate": _copied,
        "__stopped__": lambda self: computed("stop", self.data.copy()[()], self, entrywise=False),
        "is_integer": lambda self: float(self.value).is_integer(),
    }
    for name, method in others.items():
        setattr(RecordedArray, name, method)
    for name in REFUSED:
        setattr(RecordedArray, name, _refused(name))


install()
