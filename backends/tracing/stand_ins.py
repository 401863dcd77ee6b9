"""What a program finds in the place of `numpy`, `math`, `scipy.special` and `float` while it is recorded.

NumPy asks a recorded argument how it wants to be computed with. What has no such argument, as `np.zeros(shape)`, is why
a program has to find another module under the name: what it makes there is recorded from the beginning.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from .array import RecordedArray, as_recorded, boxed, is_recorded, plain, written
from .array_methods import as_float
from .entrywise import computed
from .keywords import bound
from .recorder import IMPLEMENTED, refused

MATH = {  # by the name in `math`, NumPy's function
    **{
        name: getattr(np, name)
        for name in (
            *("exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "exp2", "sin", "cos", "tan"),
            *("sinh", "cosh", "tanh", "floor", "ceil", "trunc", "hypot", "copysign", "isnan", "isfinite", "isinf"),
        )
    },
    **{name: getattr(np, f"arc{name[1:]}") for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")},
    "pow": np.power,
    "fabs": np.absolute,
    "fsum": np.sum,
    "prod": np.prod,
    "fmod": np.remainder,
}


class _Kind(type):
    """The class of a class that stands for one of NumPy's or Python's, and for recorded arrays too."""

    stands_for: type
    is_recorded: Callable[[RecordedArray], bool]
    convert: Callable[..., Any]

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.stands_for) or (
            isinstance(instance, RecordedArray) and cls.is_recorded(instance)
        )

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls.stands_for)

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        if any(map(is_recorded, arguments)):
            return cls.convert(*arguments, **options)
        return boxed(cls.stands_for(*arguments, **options))

    def __eq__(cls, other: Any) -> bool:
        return other is cls.stands_for or type.__eq__(cls, other) is True

    def __hash__(cls) -> int:
        return hash(cls.stands_for)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.stands_for, name)


def _kind(stands_for: type, holds: Callable[[RecordedArray], bool], convert: Callable[..., Any]) -> Any:
    members: dict[str, Any] = {"stands_for": stands_for, "is_recorded": holds, "convert": convert}
    if issubclass(stands_for, (float, np.floating)) and stands_for not in (np.floating,):
        members["dtype"] = np.dtype(stands_for)
    return _Kind(stands_for.__name__, (), members)


def _refuse_class(*_: Any) -> Any:
    raise refused("np.ndarray(…) is not recorded")


def _number(dtype: str) -> Callable[..., Any]:
    return lambda value: IMPLEMENTED["astype"](as_recorded(value), dtype)[()]


FLOAT = _kind(float, lambda array: array.is_scalar, lambda value: as_float(as_recorded(value)))
CLASSES = {
    float: FLOAT,
    np.float64: _kind(np.float64, lambda array: array.is_scalar and array.dtype == "float64", _number("float64")),
    np.float32: _kind(np.float32, lambda array: array.is_scalar and array.dtype == "float32", _number("float32")),
    np.floating: _kind(np.floating, lambda array: array.is_scalar, lambda value: value),
    np.generic: _kind(np.generic, lambda array: array.is_scalar, lambda value: value),
    np.number: _kind(np.number, lambda array: array.is_scalar, lambda value: value),
    np.inexact: _kind(np.inexact, lambda array: array.is_scalar, lambda value: value),
    np.ndarray: _kind(np.ndarray, lambda array: not array.is_scalar, _refuse_class),
}
OWN_MODULES = ("numpy", "math", "scipy.special")


class StandInModule(ModuleType):
    """A module that hands on NumPy's, with recorded results."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__, module.__doc__)
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        made = stand_in(value)
        return value if made is None else made

    def __dir__(self) -> list[str]:
        return dir(self._module)


def stand_in(value: Any) -> Any:
    """What stands for something of NumPy's, `math`'s or SciPy's while a program is recorded; None for anything else.

    Args:
        value: any value that a program holds, such as `numpy`, `numpy.linalg`, `numpy.tanh` or `math.exp`.

    Returns:
        What stands for it.
    """
    if isinstance(value, ModuleType):
        return _module(value) if _is_own(value.__name__) else None
    if isinstance(value, type):
        return _vectorize if value is np.vectorize else CLASSES.get(value)
    if isinstance(value, np.ufunc) or (
        isinstance(value, (FunctionType, BuiltinFunctionType)) or type(value).__name__ == "_ArrayFunctionDispatcher"
    ):
        module = getattr(value, "__module__", None) or ""
        if isinstance(value, np.ufunc) or _is_own(module) or _is_random(value):
            return _function(value)
    if value is np.r_ or value is np.c_:
        return _Joiner(0 if value is np.r_ else -1)
    return None


def _is_own(name: str) -> bool:
    return name == "math" or name.split(".")[0] == "numpy" or name.startswith("scipy.special")


def _is_random(value: Any) -> bool:
    return isinstance(getattr(value, "__self__", None), np.random.RandomState)


@cache
def _module(module: ModuleType) -> StandInModule:
    return StandInModule(module)


@cache
def _function(function: Any) -> Callable[..., Any]:
    if getattr(function, "__module__", "") == "math":
        return _of_math(function)
    return _StandInFunction(function)


class _StandInFunction:
    """A function of NumPy's whose results are recorded, with its attributes, such as `np.add.at`."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.__name__ = getattr(function, "__name__", "function")
        self.__doc__ = function.__doc__

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        implementation = IMPLEMENTED.get(self._function) or SPECIAL.get(
            self.__name__ if _is_scipy(self._function) else ""
        )
        if implementation is not None and (is_recorded(list(arguments)) or is_recorded(list(options.values()))):
            if isinstance(self._function, np.ufunc):
                out = options.pop("out", None)
                if len(arguments) > self._function.nin:
                    arguments, out = arguments[: self._function.nin], arguments[self._function.nin]
                if not is_recorded(list(arguments)):  # only `out` is
                    arguments = (as_recorded(arguments[0]), *arguments[1:])
                return arguments_first(self._function, "__call__", arguments, out, options)
            out = options.pop("out", None)
            arguments, options = bound(self._function, implementation, arguments, options)
            result = implementation(*arguments, **options)
            return result if out is None else written(out, result)
        return boxed(self._function(*arguments, **options))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._function, name)
        if name in ("reduce", "accumulate", "outer", "at", "reduceat") and isinstance(self._function, np.ufunc):
            return lambda *arguments, **options: _ufunc_method(self._function, name, arguments, options)
        return value


def arguments_first(ufunc: Any, method: str, arguments: Any, out: Any, options: Any) -> Any:
    """What NumPy does with a recorded argument."""
    array = next(
        one
        for one in (as_recorded(one) if isinstance(one, list) else one for one in arguments)
        if isinstance(one, RecordedArray)
    )
    outs = None if out is None else out if isinstance(out, tuple) else (out,)
    return array.__array_ufunc__(ufunc, method, *arguments, out=outs, **options)


def _ufunc_method(ufunc: Any, method: str, arguments: Any, options: Any) -> Any:
    if method == "outer":
        one, other = map(as_recorded, arguments)
        return IMPLEMENTED[ufunc](one[(..., *[None] * other.ndim)], other)
    if is_recorded(list(arguments)):
        return arguments_first(ufunc, method, arguments, options.pop("out", None), options)
    return boxed(getattr(ufunc, method)(*arguments, **options))


def _of_math(function: Any) -> Callable[..., Any]:
    def implementation(*arguments: Any, **options: Any) -> Any:
        if not is_recorded(list(arguments)):
            return function(*arguments, **options)
        name = function.__name__
        if name == "log" and len(arguments) == 2:
            return np.log(arguments[0]) / np.log(arguments[1])
        if name not in MATH:
            raise refused(f"math.{name} cannot be followed")
        numbers = [
            as_float(as_recorded(one)) if is_recorded(one) and not isinstance(one, list) else one for one in arguments
        ]
        result = IMPLEMENTED[MATH[name]](*numbers)
        return as_float(result) if isinstance(result, RecordedArray) else result

    return implementation


def _vectorize(function: Any, **_: Any) -> Callable[..., Any]:
    """`np.vectorize`: the function, of each entry in turn."""

    def vectorized(*arrays: Any) -> Any:
        sources = IMPLEMENTED[np.broadcast_arrays](*arrays)
        entries = zip(*[source.reshape(-1) for source in sources], strict=True)
        return IMPLEMENTED[np.array]([function(*numbers) for numbers in entries]).reshape(sources[0].shape)

    return vectorized


class _Joiner:
    """`np.r_` and `np.c_`, of arrays."""

    def __init__(self, axis: int) -> None:
        self._axis = axis

    def __getitem__(self, parts: Any) -> Any:
        parts = parts if isinstance(parts, tuple) else (parts,)
        if not is_recorded(parts):
            return boxed((np.r_ if self._axis == 0 else np.c_)[parts])
        if any(isinstance(part, (slice, str)) for part in parts):
            raise refused("np.r_ and np.c_ with slices or strings cannot be followed")
        return (
            np.concatenate([np.atleast_1d(part) for part in map(as_recorded, parts)])
            if self._axis == 0
            else np.column_stack(parts)
        )


# scipy.special


def _is_scipy(function: Any) -> bool:
    return (getattr(function, "__module__", "") or "").startswith("scipy")


def _logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, **_: Any) -> Any:
    source = as_recorded(a)
    if b is not None:
        raise refused("scipy.special.logsumexp with weights cannot be followed")
    shift = plain(np.max(source, axis=axis, keepdims=True))
    shift = np.where(np.isfinite(shift), shift, 0)
    total = np.log(np.sum(np.exp(source - shift), axis=axis, keepdims=keepdims))
    return total + (shift if keepdims else np.squeeze(shift, axis=axis))


def _softmax(x: Any, axis: Any = None) -> Any:
    source = as_recorded(x)
    return np.exp(source - _logsumexp(source, axis, keepdims=True))


def _sigmoid(x: Any) -> Any:
    source = as_recorded(x)
    with np.errstate(over="ignore"):
        return computed("sigmoid", 1 / (1 + np.exp(-source.value)), source)


def _erf(x: Any) -> Any:
    source = as_recorded(x)
    return computed("erf", np.vectorize(math.erf)(source.value).astype(source.dtype)[()], source)


SPECIAL: dict[str, Callable[..., Any]] = {
    "expit": _sigmoid,
    "logit": lambda x: np.log(x / (1 - x)),
    "log_expit": lambda x: -np.logaddexp(0.0, -x),
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": lambda x, axis=None: x - _logsumexp(x, axis, keepdims=True),
    "erf": _erf,
    "xlogy": lambda x, y: np.where(plain(x) == 0, 0.0, x * np.log(np.where(plain(x) == 0, 1.0, y))),
    "xlog1py": lambda x, y: x * np.log1p(y),
    "entr": lambda x: -x * np.log(x),
}
