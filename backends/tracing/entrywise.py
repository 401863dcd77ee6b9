"""NumPy's functions of single entries on recorded arrays: what they compute is recorded, what they decide is plain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..models.traced import CONSTANT, ENTRY_DTYPES
from .array import (
    RecordedArray,
    as_recorded,
    boxed,
    constant,
    decide,
    is_recorded,
    operand,
    plain,
    same_layout,
)
from .movement import to_dtype
from .own_values import composed, with_values_of
from .places import current_place
from .recorder import IMPLEMENTED, active, implements, name_of, refused

RECORDED = {  # by NumPy's function, the primitive
    **{
        getattr(np, name): name
        for name in (
            *("negative", "absolute", "square", "reciprocal", "sqrt", "cbrt", "exp", "exp2", "expm1"),
            *("log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan"),
            *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
            *("add", "subtract", "multiply", "divide", "power", "maximum", "logaddexp", "arctan2", "hypot"),
        )
    },
    np.fabs: "absolute",
    np.float_power: "power",
}
DECIDED = (
    *(np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal),
    *(np.logical_and, np.logical_or, np.logical_xor, np.logical_not, np.signbit),
)
STEPS = (np.sign, np.floor, np.ceil, np.rint, np.trunc)  # constant between their jumps
PLAIN = (np.isnan, np.isfinite, np.isinf)


def computed(primitive: str, result: Any, *arrays: RecordedArray, entrywise: bool = True, **parameters: Any) -> Any:
    """Records an operation, of which NumPy has computed the result.

    Args:
        primitive: its name.
        result: what NumPy computed.
        *arrays: its operands.
        entrywise: whether the operands have to have as many axes as the result.
        **parameters: what else the primitive takes.

    Returns:
        The result as a recorded array; a constant if all operands are.
    """
    if all(array.is_constant for array in arrays):
        return boxed(result)
    values = np.asarray(result)
    if values.dtype not in ENTRY_DTYPES:
        raise refused(f"a result in {values.dtype} is not recorded, expected float64 or float32")
    operands = []
    for array in arrays:
        one = to_dtype(array, values.dtype) if primitive != "cast" else array
        if entrywise and one.ndim < values.ndim:
            axes = (None,) * (values.ndim - one.ndim)
            one = RecordedArray(one.numbers[(*axes, ...)], one.origin[(*axes, ...)])
        operands.append(operand(one))
    origin = active().record(primitive, tuple(operands), values, current_place(), **parameters)
    if not isinstance(result, np.ndarray):
        return RecordedArray(result, origin)
    return RecordedArray(values, origin if values.flags.c_contiguous else same_layout(values, origin))


@implements("cast")
def cast(array: RecordedArray, dtype: Any) -> RecordedArray:
    """The numbers rounded to, or widened to, another dtype."""
    result = array.numbers.astype(dtype)
    made: RecordedArray = computed(
        "cast", result[()] if array.is_scalar else result, array, entrywise=False, dtype=np.dtype(dtype)
    )
    return made


@implements("astype")
def astype(array: Any, dtype: Any, copy: bool = True) -> Any:
    """An array in another dtype; integers and truth values are decisions."""
    dtype = np.dtype(dtype)
    if dtype.kind in "cO":
        raise refused(f"{dtype} is not recorded, expected float64 or float32")
    if dtype.kind != "f":
        return decide(_to_plain, array, dtype=dtype)
    if dtype == array.dtype:
        return array.copy() if copy else array
    return to_dtype(array, dtype) if not array.is_constant else constant(array.value.astype(dtype))


def _to_plain(values: Any, dtype: Any) -> Any:
    return np.asarray(values).astype(dtype)[()]


def _recorded_function(function: np.ufunc, primitive: str) -> Callable[..., Any]:
    def implementation(*arrays: Any, dtype: Any = None) -> Any:
        options = {} if dtype is None else {"dtype": dtype}
        return computed(primitive, function(*map(plain, arrays), **options), *map(as_recorded, arrays))

    return implementation


def _decided(function: Any) -> Callable[..., Any]:
    return lambda *arrays, **options: decide(function, *arrays)


def _step(function: Any) -> Callable[..., Any]:
    """A function that is constant between its jumps: its value is remembered, and has the derivative 0."""

    def implementation(array: Any, **options: Any) -> Any:
        return boxed(plain(decide(function, array)))

    return implementation


for _function, _primitive in RECORDED.items():
    IMPLEMENTED[_function] = _recorded_function(_function, _primitive)
for _function in DECIDED:
    IMPLEMENTED[_function] = _decided(_function)
for _function in STEPS:
    IMPLEMENTED[_function] = _step(_function)
for _function in PLAIN:
    IMPLEMENTED[_function] = lambda array, _function=_function, **options: boxed(_function(plain(array)))


@implements(np.real)
def real(array: Any) -> Any:
    """The array itself."""
    return as_recorded(array)


@implements(np.positive, np.conjugate)
def positive(array: Any) -> Any:
    """The same numbers, as an array of their own."""
    return array.copy()


@composed(np.minimum)
def minimum(one: Any, other: Any) -> Any:
    """The smaller one: −max(−a, −b)."""
    return -np.maximum(-as_typed(one), -as_typed(other))


@composed(np.fmax)
def fmax(one: Any, other: Any) -> Any:
    """The larger one, or the one that is a number."""
    return _of_numbers(np.maximum, one, other)


@composed(np.fmin)
def fmin(one: Any, other: Any) -> Any:
    """The smaller one, or the one that is a number."""
    return _of_numbers(np.minimum, one, other)


def _of_numbers(function: Any, one: Any, other: Any) -> Any:
    one, other = (np.where(np.isnan(plain(a)), b, a) for a, b in ((one, other), (other, one)))
    return function(one, other)


def as_typed(value: Any) -> Any:
    """A recorded array as it is; anything else as NumPy takes it, so that a number of Python's stays weak."""
    return value if is_recorded(value) or isinstance(value, (int, float)) else plain(value)


@composed(np.remainder)
def remainder(one: Any, other: Any) -> Any:
    """a − b ⌊a / b⌋."""
    return one - other * np.floor(one / other)


@composed(np.fmod)
def fmod(one: Any, other: Any) -> Any:
    """What is left of a after division by b, with the sign of a."""
    return one - other * np.trunc(one / other)


@composed(np.divmod)
def divmod_of(one: Any, other: Any) -> tuple[Any, Any]:
    """⌊a / b⌋ and what is left."""
    return floor_divide(one, other), remainder(one, other)


@composed(np.modf)
def modf(array: Any) -> tuple[Any, Any]:
    """What is behind the point, and what before it."""
    whole = np.trunc(array)
    return array - whole, whole


@composed(np.floor_divide)
def floor_divide(one: Any, other: Any) -> Any:
    """⌊a / b⌋, which is constant between its jumps."""
    return np.floor(one / other)


@composed(np.logaddexp2)
def logaddexp2(one: Any, other: Any) -> Any:
    """log₂(2ᵃ + 2ᵇ)."""
    two = float(np.log(2))
    return np.logaddexp(one * two, other * two) / two


@composed(np.deg2rad, np.radians)
def radians(array: Any) -> Any:
    """Degrees as radians."""
    return array * (np.pi / 180)


@composed(np.rad2deg, np.degrees)
def degrees(array: Any) -> Any:
    """Radians as degrees."""
    return array * (180 / np.pi)


@composed(np.fix)
def fix(array: Any) -> Any:
    """Towards 0."""
    return np.trunc(array)


@implements(np.heaviside)
def heaviside(array: Any, at_zero: Any) -> Any:
    """A step at 0: its value depends on the sign alone."""
    decide(np.sign, as_recorded(array))
    return boxed(np.heaviside(plain(array), plain(at_zero)))


@composed(np.copysign)
def copysign(one: Any, other: Any) -> Any:
    """|a| with the sign of b."""
    return abs(one) * (1 - 2 * plain(decide(np.signbit, other)).astype(float))


def _clipped(array: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """Not below the one, and not above the other."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    array = as_recorded(array)
    if low is not None:
        array = np.maximum(array, low)
    return array if high is None else np.minimum(array, high)


def _of_numpy(array: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """NumPy's own, which has no defaults for both."""
    return np.clip(array, a_min if min is None else min, a_max if max is None else max)


IMPLEMENTED[np.clip] = with_values_of(_of_numpy, _clipped)


@implements(np.nan_to_num)
def nan_to_num(array: Any, copy: Any = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Numbers in the place of NaN and the infinities."""
    values = array.numbers
    replaced = np.nan_to_num(values, nan=nan, posinf=posinf, neginf=neginf)
    made = RecordedArray(replaced, np.where(np.isfinite(values), array.origin, CONSTANT))
    return made if copy else array.__setitem__(..., made) or array


def _at(function: Any, target: Any, index: Any, values: Any) -> None:
    """Changes an array at an index, more than once where it occurs more than once: one round for each time."""
    if not isinstance(target, RecordedArray):
        raise refused(f"{name_of(function)}.at into an array that was made outside of NumPy's functions")
    places = np.arange(target.size).reshape(target.shape)[plain(index)]
    amounts = np.broadcast_to(as_recorded(values), places.shape).reshape(-1)
    flat = places.reshape(-1)
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], flat[order])
    turn = np.empty(flat.size, int)
    turn[order] = np.arange(flat.size) - starts  # the how manieth time the place occurs
    for number in range(turn.max(initial=-1) + 1):
        now = turn == number
        where = np.unravel_index(flat[now], target.shape)
        target[where] = function(target[where], amounts[now])


for _function in (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum):
    IMPLEMENTED[_function, "at"] = lambda target, index, values, _function=_function: _at(
        _function, target, index, values
    )
