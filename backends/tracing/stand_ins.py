"""What a program finds in the place of `numpy`, `math`, parts of SciPy, `float` and `type` while it is recorded.

NumPy asks a recorded argument how it wants to be computed with. What has no such argument, as `np.zeros(shape)`, is why
a program has to find another module under the name: what it makes there is recorded from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from .array import PlainArray, RecordedArray, as_recorded, boxed, is_recorded, plain, written
from .array_methods import as_float
from .keywords import bound, without_out
from .matrices import RecordedMatrix, as_matrix, has_matrix, of_matrices
from .movement import to_dtype
from .parts import MADE_OF_PARTS
from .recorder import IMPLEMENTED, note, read_from, refused
from .scipy_special import erf, of_scipy

MATH: dict[str, Callable[..., Any]] = {  # by the name in `math`, what computes the same in NumPy
    **{
        name: IMPLEMENTED[getattr(np, name)]
        for name in (
            *("exp", "expm1", "log2", "log10", "log1p", "sqrt", "cbrt", "exp2", "sin", "cos", "tan"),
            *("sinh", "cosh", "tanh", "floor", "ceil", "trunc", "copysign", "isnan", "isfinite", "isinf", "fmod"),
        )
    },
    **{
        name: IMPLEMENTED[getattr(np, f"arc{name[1:]}")]
        for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")
    },
    "log": lambda x, base=None: np.log(x) if base is None else np.log(x) / np.log(base),
    "pow": IMPLEMENTED[np.power],
    "fabs": IMPLEMENTED[np.absolute],
    "fsum": lambda numbers: np.sum(as_recorded(numbers)),
    "prod": lambda numbers, start=1: np.prod(as_recorded(numbers)) * start,
    "hypot": lambda *numbers: np.sqrt(sum(number * number for number in numbers)),
    "dist": lambda one, other: np.sqrt(np.sum((as_recorded(one) - other) ** 2)),
    "sumprod": lambda one, other: np.sum(as_recorded(one) * other),
    "isclose": lambda one, other: IMPLEMENTED[np.isclose](one, other),
    "erf": erf,
    "erfc": lambda x: 1 - erf(x),
    "radians": IMPLEMENTED[np.radians],
    "degrees": IMPLEMENTED[np.degrees],
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
        for one in arguments:
            read_from(one)
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


def _new_matrix(data: Any, dtype: Any = None, copy: bool = True) -> RecordedMatrix:
    return as_matrix(data, dtype, copy)


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
    np.matrix: _kind(np.matrix, lambda array: isinstance(array, RecordedMatrix), _new_matrix),
}


class _OfType(type):
    """The class of what stands for `type`."""

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        if cls is not TYPE or len(arguments) != 1:  # it makes a class
            return super().__call__(*arguments, **options)
        (value,) = arguments
        kind: Any = type(value.value if isinstance(value, RecordedArray) else value)
        kind = np.ndarray if kind is PlainArray else cls if kind in (type, _Kind) else kind
        return CLASSES.get(kind, kind)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, type) if cls is TYPE else super().__instancecheck__(instance)


class TYPE(type, metaclass=_OfType):
    """Stands for `type`: of a recorded array it gives the class that the program finds under NumPy's name."""


BUILTIN_CLASSES = {"float": FLOAT, "type": TYPE}  # by the name by which a module finds it among what Python has
UFUNC_METHODS = {  # by the name, what may be given by position after the array, apart from what is always so given
    "reduce": ("axis", "dtype", "out", "keepdims", "initial", "where"),
    "accumulate": ("axis", "dtype", "out"),
    "reduceat": (),
    "outer": (),
    "at": (),
}


DRAWN_BY = {"choice": ("p", 3), "multinomial": ("pvals", 1), "binomial": ("p", 1)}  # by the draw, its probabilities


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
        return MADE_OF_PARTS.get(value) or CLASSES.get(value)
    if isinstance(value, FunctionType) or type(value).__name__ in FUNCTIONS_OF_C:
        made = MADE_OF_PARTS.get(value)
        if made is not None:
            return made
    if isinstance(value, np.ufunc) or _is_random(value):
        return _function(value)
    if isinstance(value, FunctionType) or type(value).__name__ in FUNCTIONS_OF_C:
        return _function(value) if _is_own(getattr(value, "__module__", None) or "") else None
    if value is np.r_ or value is np.c_:
        return _Joiner(0 if value is np.r_ else -1)
    return None


FUNCTIONS_OF_C = ("builtin_function_or_method", "_ArrayFunctionDispatcher")


def _is_own(name: str) -> bool:
    in_scipy = name.startswith(("scipy.special", "scipy.signal"))
    return name in ("math", "scipy") or name.split(".")[0] == "numpy" or in_scipy


def _is_random(value: Any) -> bool:
    return isinstance(getattr(value, "__self__", None), np.random.RandomState)


def _with_plain_probabilities(draw: str, arguments: list[Any], options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The arguments of a draw of whole numbers, which moves in steps: no derivative goes through its probabilities."""
    name, position = DRAWN_BY.get(draw, ("", len(arguments)))
    given = arguments[position] if position < len(arguments) else options.get(name)
    if given is None or not is_recorded(given):
        return arguments, options
    note(f"what is drawn depends on recorded numbers by np.random.{draw}: no derivative goes through it")
    if position < len(arguments):
        return [*arguments[:position], plain(given), *arguments[position + 1 :]], options
    return arguments, options | {name: plain(given)}


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
        implementation = IMPLEMENTED.get(self._function) or of_scipy(self._function)
        if implementation is not None and (is_recorded(list(arguments)) or is_recorded(list(options.values()))):
            if isinstance(self._function, np.ufunc):
                out = options.pop("out", None)
                if len(arguments) > self._function.nin:
                    arguments, out = arguments[: self._function.nin], arguments[self._function.nin]
                if not is_recorded(list(arguments)):  # only `out` is
                    arguments = (as_recorded(arguments[0]), *arguments[1:])
                return arguments_first(self._function, "__call__", arguments, out, options)
            if has_matrix([*arguments, *options.values()]):
                return of_matrices(self._function, arguments, options)
            arguments, options, out = without_out(self._function, arguments, options)
            arguments, options = bound(self._function, implementation, arguments, options)
            result = implementation(*arguments, **options)
            return result if out is None else written(out, result)
        if _is_random(self._function):
            arguments, options = _with_plain_probabilities(self.__name__, list(arguments), options)
        arguments = tuple(one.stands_for if isinstance(one, _Kind) else one for one in arguments)
        return boxed(self._function(*arguments, **options))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._function, name)
        if name in UFUNC_METHODS and isinstance(self._function, np.ufunc):
            return lambda *arguments, **options: _ufunc_method(self._function, name, arguments, options)
        return value


def arguments_first(ufunc: Any, method: str, arguments: Any, out: Any, options: Any) -> Any:
    """What NumPy does with a recorded argument."""
    recorded = (as_recorded(one) if isinstance(one, list) else one for one in arguments)
    array = max(
        (one for one in recorded if isinstance(one, RecordedArray)), key=lambda one: one.__array_priority__
    )  # a matrix before an array
    outs = None if out is None else out if isinstance(out, tuple) else (out,)
    return array.__array_ufunc__(ufunc, method, *arguments, out=outs, **options)


def _ufunc_method(ufunc: Any, method: str, arguments: Any, options: Any) -> Any:
    if not is_recorded(list(arguments)):
        return boxed(getattr(ufunc, method)(*arguments, **options))
    if method == "outer" and ufunc in IMPLEMENTED:
        one, other = map(as_recorded, arguments)
        return IMPLEMENTED[ufunc](one[(..., *[None] * other.ndim)], other)
    names = UFUNC_METHODS[method]
    options |= dict(zip(names, arguments[1:], strict=False))
    arguments = (*arguments[:1], *arguments[1 + len(names) :])
    return arguments_first(ufunc, method, arguments, options.pop("out", None), options)


def _of_math(function: Any) -> Callable[..., Any]:
    def implementation(*arguments: Any, **options: Any) -> Any:
        arguments = tuple(list(one) if isinstance(one, Iterator) else one for one in arguments)
        if not is_recorded(list(arguments)):
            return function(*arguments, **options)
        value = function(*map(plain, arguments), **options)
        made = MATH.get(function.__name__)
        if made is None:
            raise refused(f"math.{function.__name__} cannot be followed")
        result = made(*map(_float_or_list, arguments))
        if not isinstance(value, float) or not isinstance(result, RecordedArray):
            return value
        origin = to_dtype(result, np.dtype("float64")).origin.reshape(())[()]
        return RecordedArray(value, origin, is_weak=type(value) is float)

    return implementation


def _float_or_list(value: Any) -> Any:
    if not is_recorded(value):
        return value
    number = as_recorded(value)
    return as_float(number) if number.size == 1 and not isinstance(value, (list, tuple)) else number


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
