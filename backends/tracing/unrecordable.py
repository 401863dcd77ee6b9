"""What stands for a value that cannot be recorded: whatever uses it while a program is recorded is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..models.traced import ENTRY_DTYPES
from .recorder import refused

OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
SPECIAL = (
    *(f"__{kind}{name}__" for name in OPERATORS for kind in ("", "r", "i")),
    *("__neg__", "__pos__", "__abs__", "__invert__", "__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"),
    *("__len__", "__iter__", "__getitem__", "__setitem__", "__contains__", "__bool__", "__int__", "__float__"),
    *("__complex__", "__index__", "__array__", "__array_ufunc__", "__array_function__"),
)


class Unrecordable:
    """An array of a kind that is not recorded, under the name by which it is reached."""

    def __init__(self, value: np.ndarray, path: str) -> None:
        """Remembers what to say.

        Args:
            value: the array.
            path: how the program reaches it.
        """
        kind = type(value)
        what = f"of {value.dtype}" if kind is np.ndarray else f"a {kind.__module__}.{kind.__name__}"
        self.__dict__.update(_value=value, _what=f"{path} is {what}, which is not recorded")

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """That of the array, so that `isinstance` gives what it gives without a recording."""
        return type(self.__dict__["_value"])

    def __getattr__(self, name: str) -> Any:
        raise refused(self._refusal())

    __hash__ = object.__hash__

    def _refusal(self) -> str:
        return f"{self.__dict__['_what']}: expected an np.ndarray of float64 or float32"


def is_unrecordable(array: np.ndarray) -> bool:
    """Whether an array's numbers would be needed as others than NumPy's own float64, float32, integers or truth values.

    Example:
        >>> [is_unrecordable(array) for array in (np.ones(1), np.ones(1, "complex64"), np.ma.ones(1), np.array(["a"]))]
        [False, True, True, False]
    """
    if type(array) not in (np.ndarray, np.memmap) and array.dtype.kind in "fciub":
        return True
    return array.dtype.kind in "fc" and array.dtype.newbyteorder("=") not in ENTRY_DTYPES


def _refusing() -> Callable[..., Any]:
    def method(self: Unrecordable, *arguments: Any, **options: Any) -> Any:
        raise refused(self._refusal())

    return method


for special in SPECIAL:
    setattr(Unrecordable, special, _refusing())
