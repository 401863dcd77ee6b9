"""Stochastic arithmetic: NumPy code run with every rounding error replaced by a random one.

An array of this kind carries out every NumPy operation in its own dtype, and then moves each entry of the result up or
down by one unit in the last place, at random. A sum of n terms moves by √n units: its n − 1 roundings add up like a
random walk, and in another order in every library. A sum of thousands, whose roundings may all go in one direction if
the terms are equal, moves by n / 32. Run a computation several times like this, and the spread of its results is what
rounding alone can do to it. It sees what a perturbation of the inputs cannot, such as the cancellation in σ(o) − y for
a confident prediction.

In the literature: D. S. Parker, Monte Carlo arithmetic (1997); J. Vignes, A stochastic arithmetic for reliable
scientific computation (1993), the CESTAC method.

What floating-point arithmetic does exactly stays exact: zeros, sums that need no rounding, products with
powers of two, x / x, exp(0).

Subnormal numbers are kept, as NumPy and PyTorch keep them, or flushed to zero, as XLA does. A product of several
factors may underflow in one order and not in another: an array knows the smallest and the largest number that any
order of its product can come to, and where that is too small, an error of the smallest normal number times the
largest is added.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from .formats import Format

Underflow = Literal["gradual", "flushed", "reordered"]
DTYPES = (np.dtype("float64"), np.dtype("float32"))
_EPS_AND_TINY = {dtype: (float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)) for dtype in DTYPES}
_FRACTION_BITS = {dtype: (f"i{dtype.itemsize}", (1 << np.finfo(dtype).nmant) - 1) for dtype in DTYPES}

EXACT_UFUNCS = {np.negative, np.positive, np.absolute, np.sign, np.maximum, np.minimum}


class Range(NamedTuple):
    """Between what numbers any order of a product's factors stays.

    Attributes:
        low: no partial product of numbers that are not zero is smaller.
        high: none is larger.
    """

    low: float
    high: float

    @classmethod
    def of(cls, operand: Any) -> Range:
        """Of a product, that of its factors; else of the numbers themselves. It always contains 1, for no factor."""
        factors = getattr(operand, "factors", None)
        if factors is not None:
            return factors
        magnitudes = np.abs(_plain(operand))
        low = magnitudes.min(where=magnitudes > 0, initial=1)
        return cls(float(low), float(magnitudes.max(initial=1)))


class Roundings:
    """A sequence of random roundings.

    Attributes:
        rng: from which they are drawn.
        underflow: what becomes of subnormal results: `gradual` keeps them, `flushed` sets them to zero, and `reordered`
            sets each to zero or not, and adds to a product what it may lose in another order.
        rounded_in: the format of half precision in which results are rounded; None is their own dtype.
        row: of the first axis, of which `underflow` holds; the others are gradual. None means all.
        largest: the largest magnitude that was computed so far.

    Example:
        >>> one, other = Roundings(seed=0), Roundings(seed=0)
        >>> third = np.array([1 / 3])
        >>> (one.array(third) * 3).view(np.ndarray) == (other.array(third) * 3).view(np.ndarray)
        array([ True])
    """

    def __init__(
        self, seed: int, underflow: Underflow = "gradual", row: int | None = None, *, rounded_in: Format | None = None
    ) -> None:
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.underflow, self.row, self.rounded_in = underflow, row, rounded_in
        self.largest = 0.0

    def perturb(self, values: np.ndarray, inexact: Any = np.True_, units: float = 1.0) -> None:
        """Moves entries up or down at random, in place.

        Args:
            values: what was computed.
            inexact: which entries were rounded.
            units: by how many units in the last place they move.
        """
        eps = self.rounded_in.eps if self.rounded_in else _EPS_AND_TINY[values.dtype][0]
        words = self.rng.integers(0, 0xFFFFFFFF, -(-values.size // 32), dtype=np.uint32, endpoint=True)
        up = np.unpackbits(
            words.view(np.uint8), count=values.size, bitorder="little"
        )  # what a draw of bools gives, sooner
        signs = up.view(np.int8).reshape(values.shape) * np.int8(2) - np.int8(1)
        if inexact is not np.True_:
            signs *= inexact
        factors = np.multiply(signs, units * eps, dtype="float64")  # quicker than to choose by a mask; 0 where exact
        factors += 1
        np.multiply(values, factors.astype(values.dtype, copy=False), out=values)
        if self.rounded_in:  # below the normal numbers, what is rounded off does not become smaller
            steps = (signs * self.rounded_in.subnormal).astype(values.dtype)
            np.add(values, steps, out=values, where=np.abs(values) < self.rounded_in.tiny)

    def flush(self, values: np.ndarray) -> None:
        """Sets subnormal entries to zero, in place: all, or some that are drawn."""
        if self.underflow == "gradual":
            return
        part = self._part(values)
        subnormal = np.abs(part) < _EPS_AND_TINY[values.dtype][1]
        if subnormal.any():
            drawn = self.rng.integers(0, 2, part.shape, dtype=bool) if self.underflow == "reordered" else np.True_
            np.copyto(part, 0, where=subnormal & drawn)

    def lose(self, product: np.ndarray, one: np.ndarray, other: np.ndarray, factors: Range) -> None:
        """Adds to a product, in place, what it may lose by underflow in another order of its factors.

        Args:
            product: what was computed.
            one: the first of the two that were multiplied.
            other: the second.
            factors: the range of all its factors.
        """
        tiny = _EPS_AND_TINY[product.dtype][1]
        if factors.low < tiny:
            part = self._part(product)
            signs = 1 - 2 * self.rng.integers(0, 2, part.shape)
            nonzero = self._part(np.broadcast_to((one != 0) & (other != 0), product.shape))
            np.add(part, (tiny * factors.high * signs).astype(product.dtype), out=part, where=nonzero)

    def _part(self, values: np.ndarray) -> np.ndarray:
        return values[...] if self.row is None else values[self.row, ...]

    def record(self, values: np.ndarray) -> None:
        """Remembers the largest magnitude; a NaN counts as infinite."""
        largest = float(np.abs(values).max(initial=0))
        self.largest = max(self.largest, np.inf if np.isnan(largest) else largest)

    def array(self, values: np.ndarray) -> RandomlyRounded:
        """A copy of the values whose operations round at random.

        Each is moved by one rounding. That stands for what the sums that it enters may lose by cancellation: they are
        moved by a part of their result, however small that is beside its terms.
        """
        copy = values.copy()
        with np.errstate(all="ignore"):
            self.perturb(copy)
            self.flush(copy)
        return _with_roundings(copy, self)


class RandomlyRounded(np.ndarray):
    """An array whose every operation rounds at random.

    Attributes:
        roundings: the roundings.
        factors: the range of the factors that it is the entrywise product of; None if it is no product.
    """

    roundings: Roundings | None
    factors: Range | None = None

    def __array_finalize__(self, source: Any) -> None:
        self.roundings = getattr(source, "roundings", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        operands = [_plain(operand) for operand in inputs]
        result = getattr(ufunc, method)(*operands, **kwargs)  # not into `out` yet: that may be one of the operands
        if result.dtype.kind == "f":
            values = np.asarray(result)
            arrays = (array for array in (*inputs, *(out or ())) if isinstance(array, RandomlyRounded))
            roundings = next(array.roundings for array in arrays if array.roundings is not None)
            factors = None
            with np.errstate(all="ignore"):
                if ufunc not in EXACT_UFUNCS:
                    inexact = _inexact(ufunc, method, operands, values, kwargs)
                    roundings.perturb(values, inexact, _units(ufunc, method, operands, values))
                    roundings.flush(values)
                if ufunc is np.multiply and method == "__call__" and roundings.underflow == "reordered":
                    one, other = (Range.of(operand) for operand in inputs)
                    factors = Range(one.low * other.low, one.high * other.high)
                    roundings.lose(values, operands[0], operands[1], factors)
            if not _grows_by_design(ufunc, inputs):
                roundings.record(values)
            result = _with_roundings(values, roundings)
            result.factors = factors
        if out is None:
            return result
        np.copyto(_plain(out[0]), _plain(result), casting="same_kind")
        return out[0]

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.dot:  # which is no ufunc, and of matrices the same
            return np.matmul(*args, **kwargs)
        result = super().__array_function__(function, types, args, kwargs)
        if type(result) is np.ndarray and result.dtype.kind == "f":  # np.where, say, forgets the kind of its operands
            return _with_roundings(result, self.roundings)
        return result


def _with_roundings(values: np.ndarray, roundings: Roundings | None) -> RandomlyRounded:
    rounded = values.view(RandomlyRounded)
    rounded.roundings = roundings
    return rounded


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, RandomlyRounded) else value


def _grows_by_design(ufunc: np.ufunc, inputs: tuple[Any, ...]) -> bool:
    """Whether overflow here is harmless: of e^{−a} and 1 + e^{−a}, which give σ(a) = 0."""
    return ufunc is np.exp or (ufunc is np.add and any(np.ndim(operand) == 0 for operand in inputs))


def _units(ufunc: np.ufunc, method: str, operands: list[Any], result: np.ndarray) -> float:
    """The units in the last place to which the roundings of a result may add up."""
    terms = 1.0
    if method == "reduce":
        terms = max(1.0, operands[0].size / max(1, result.size))
    elif ufunc is np.matmul:
        terms = float(operands[0].shape[-1])
    return max(terms**0.5, terms / 32)


def _inexact(ufunc: np.ufunc, method: str, operands: list[Any], result: np.ndarray, kwargs: dict[str, Any]) -> Any:
    """Which entries of the result are rounded, or may be."""
    first, second = (np.asarray(operand, result.dtype) for operand in (operands[0], operands[-1]))
    if method == "reduce":
        return np.count_nonzero(first, axis=kwargs.get("axis", 0), keepdims=kwargs.get("keepdims", False)) > 1
    if ufunc is np.add or ufunc is np.subtract:
        second = second if ufunc is np.add else -second
        back = np.asarray(result - first)
        error = np.asarray(result - back)  # of Knuth's TwoSum, in place: (first − (result − back)) + (second − back)
        np.subtract(first, error, out=error)
        np.subtract(second, back, out=back)
        error += back
        return error != 0
    if ufunc is np.multiply:
        return ~(_is_power_of_two(first) | _is_power_of_two(second))
    if ufunc is np.divide:
        return ~((first == second) | _is_power_of_two(second))
    if ufunc is np.exp:
        return first != 0
    if ufunc is np.reciprocal:
        return ~_is_power_of_two(first)
    return np.True_


def _is_power_of_two(value: np.ndarray) -> Any:
    """Whether the bits of the fraction are all zero (which also holds for zero itself)."""
    integer, fraction = _FRACTION_BITS[value.dtype]
    return value.view(integer) & fraction == 0
