"""Functions for compiled loops: of a number, written so that LLVM computes several at once, and of matrices.

A call of the C library within a loop is a call for every number. Here the exponential is a polynomial and a shift,
without branches. e^x = 2ⁿ e^r with the integer n nearest to x / log 2, so that |r| ≤ (log 2) / 2, where Taylor's
polynomial is as good as the dtype. exp is within 2 units in the last place, tanh within 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import float32, float64, int32, int64, njit, types
from numba.extending import intrinsic

CONTRACTED = {"contract"}  # a product and a sum may be one operation; nothing else may differ from what is written


class Format(NamedTuple):
    """What the functions need to know of a dtype.

    Attributes:
        number: Numba's type.
        bits: the integer type of the same size.
        fraction_bits: how many bits the fraction takes in memory.
        bias: what is added to the exponent in memory.
        terms: of the polynomial, up to r^terms.
        log2_high: the first bits of log 2, few enough that n times it is exact.
        largest: e^x is 0 or infinite for |x| above.
        saturated: tanh(x) rounds to 1 for x above.
    """

    number: Any
    bits: Any
    fraction_bits: int
    bias: int
    terms: int
    log2_high: float
    largest: float
    saturated: float


FORMATS = {
    "float64": Format(float64, int64, 52, 1023, 13, 0.693147180369123816490, 750.0, 20.0),
    "float32": Format(float32, int32, 23, 127, 7, 0.693359375, 105.0, 10.0),
}
LOG_2 = (0.6931471805599453, 2.3190468138462996e-17)  # its double, and what is left of it


def _reinterpreted(wanted: Any, given: Any) -> Callable[..., Any]:
    """A function that reads the bits of one type as another."""

    @intrinsic
    def read(typing_context: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            size = wanted.bitwidth
            to = ir.IntType(size) if isinstance(wanted, types.Integer) else context.get_value_type(wanted)
            return builder.bitcast(arguments[0], to)

        return wanted(given), generate

    return read


@cache
def elementary_functions(dtype: str) -> dict[str, Callable[..., Any]]:
    """Functions of a dtype, for use in compiled ones.

    Args:
        dtype: `float64` or `float32`.

    Returns:
        Numba's functions by name: `exp`, `tanh`, `log`, `log1p` and `maximum` of numbers; `dot` and `sum_columns` of
        matrices, which write to their last argument.

    Example:
        >>> functions = elementary_functions("float64")
        >>> abs(functions["exp"](1.0) - 2.718281828459045) < 1e-15, functions["tanh"](0.0)
        (True, 0.0)
    """
    f = FORMATS[dtype]
    number, integer = np.dtype(dtype).type, np.dtype(dtype.replace("float", "int")).type
    to_bits, from_bits = _reinterpreted(f.bits, f.number), _reinterpreted(f.number, f.bits)
    # Added to a number, it leaves the nearest integer in the last bits of the fraction.
    shifter = number(1.5 * 2.0**f.fraction_bits)
    shifter_bits = integer(np.array(shifter).view(integer))
    inverse, high = number(1 / LOG_2[0]), number(f.log2_high)
    low = number(LOG_2[0] - f.log2_high + LOG_2[1])
    one, two, zero, largest, saturated = (number(value) for value in (1, 2, 0, f.largest, f.saturated))
    bias, fraction_bits, half_range, shift = (integer(v) for v in (f.bias, f.fraction_bits, f.bias // 2 * 4, 1))
    polynomial = _compiled(_taylor(f.terms, number))

    @_compiled
    def power_of_two(n: Any) -> Any:
        return from_bits((n + bias) << fraction_bits)

    @_compiled
    def exp(x: Any) -> Any:
        x = largest if x > largest else x  # a NaN stays one
        x = -largest if x < -largest else x
        shifted = x * inverse + shifter
        n = shifted - shifter
        r = (x - n * high) - n * low
        exponent = to_bits(shifted) - shifter_bits
        half = ((exponent + half_range) >> shift) - (half_range >> shift)
        return (one + polynomial(r)) * power_of_two(half) * power_of_two(exponent - half)

    @_compiled
    def tanh(x: Any) -> Any:
        size = abs(x)
        size = saturated if size > saturated else size
        y = -two * size
        shifted = y * inverse + shifter
        n = shifted - shifter
        r = (y - n * high) - n * low
        scale = power_of_two(to_bits(shifted) - shifter_bits)
        minus = scale * polynomial(r) + (scale - one)  # e^{−2|x|} − 1, without cancellation where x is small
        t = minus / (two + minus)
        return zero - t if x >= zero else t

    @_compiled
    def log(x: Any) -> Any:
        return math.log(x)

    @_compiled
    def log1p(x: Any) -> Any:
        return math.log1p(x)

    @_compiled
    def maximum(a: Any, b: Any) -> Any:
        return b if b > a else a  # a NaN in a stays one

    @_compiled
    def dot(left: Any, right: Any, out: Any) -> None:
        np.dot(left, right, out)

    @_compiled
    def sum_columns(rows: Any, B: Any, out: Any) -> None:
        of_step = np.empty_like(out)
        out[:] = zero
        for first in range(0, rows.shape[0], B):
            of_step[:] = zero
            for r in range(first, first + B):
                for j in range(rows.shape[1]):
                    of_step[j] += rows[r, j]
            for j in range(rows.shape[1]):
                out[j] += of_step[j]

    functions = (exp, tanh, log, log1p, maximum, dot, sum_columns)
    return {function.__name__: function for function in functions}


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return njit(fastmath=CONTRACTED, error_model="numpy")(function)


def _taylor(terms: int, number: Any) -> Callable[..., Any]:
    """The function r + r²/2! + … + r^terms/terms!, by Horner's rule; the loop is written out, for all of it is one."""
    text = "c0"
    for k in range(1, terms - 1):
        text = f"({text} * r + c{k})"
    namespace = {f"c{k}": number(1 / math.factorial(terms - k)) for k in range(terms - 1)}
    exec(f"def polynomial(r):\n    return {text} * r * r + r\n", namespace)
    return namespace["polynomial"]
