"""Stochastic arithmetic: NumPy code run with every rounding error replaced by a random one.

An array of this kind carries out every NumPy operation in its own dtype, and then moves each entry of the
result up or down by one unit in the last place, at random; a sum of n terms, whose n − 1 roundings add up
like a random walk and in another order in every library, by √n units. Run a computation several times like
this, and the spread of its results is what rounding alone can do to it: in the literature, Monte Carlo
arithmetic (Parker, 1997) and the CESTAC method (Vignes, 1993). It sees what a perturbation of the inputs
cannot, such as the cancellation in σ(o) − y for a confident prediction.

What floating-point arithmetic does exactly stays exact: zeros, sums that need no rounding, products with
powers of two, x / x, exp(0).
"""

from __future__ import annotations

from typing import Any

import numpy as np

EXACT = {np.negative, np.positive, np.absolute, np.sign, np.maximum, np.minimum}


class RandomlyRounded(np.ndarray):
    """An array whose every operation rounds at random, in a sequence fixed by its generator."""

    rng: np.random.Generator | None

    def __array_finalize__(self, source: Any) -> None:
        self.rng = getattr(source, "rng", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        operands = [_plain(each) for each in inputs]
        if out is not None:
            kwargs["out"] = tuple(_plain(each) for each in out)
        result = getattr(ufunc, method)(*operands, **kwargs)
        if result.dtype.kind != "f":
            return result
        values = np.asarray(result)
        if ufunc not in EXACT:
            sources = (each.rng for each in (*inputs, *(out or ())) if isinstance(each, RandomlyRounded))
            rng = next(each for each in sources if each is not None)
            with np.errstate(all="ignore"):
                inexact = _inexact(ufunc, method, operands, values, kwargs)
                _perturb(values, inexact, _terms(ufunc, method, operands, values) ** 0.5, rng)
            self.rng = rng
        if out is not None:
            return out[0]
        rounded = values.view(RandomlyRounded)
        rounded.rng = self.rng
        return rounded

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        result = super().__array_function__(function, types, args, kwargs)
        if type(result) is np.ndarray and result.dtype.kind == "f":  # np.where, say, forgets the kind of its operands
            rounded = result.view(RandomlyRounded)
            rounded.rng = self.rng
            return rounded
        return result


def randomly_rounded(array: np.ndarray, rng: np.random.Generator) -> RandomlyRounded:
    """A copy of the array, each entry moved by one rounding, whose operations round at random."""
    values = array.copy()
    _perturb(values, np.True_, 1.0, rng)
    rounded = values.view(RandomlyRounded)
    rounded.rng = rng
    return rounded


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, RandomlyRounded) else value


def _perturb(values: np.ndarray, inexact: Any, units: float, rng: np.random.Generator) -> None:
    """Moves the inexact entries by some units in the last place; flushes subnormal ones at random."""
    info = np.finfo(values.dtype)
    up = rng.integers(0, 2, values.shape, dtype=np.int8).astype(bool)
    moved = values * np.where(up, 1 + units * info.eps, 1 - units * info.eps)
    moved = np.where(up & (np.abs(values) < info.tiny), 0, moved)
    np.copyto(values, moved.astype(values.dtype), where=inexact)


def _terms(ufunc: np.ufunc, method: str, operands: list[Any], result: np.ndarray) -> float:
    """How many terms were added up for each entry of the result."""
    if method == "reduce":
        return max(1.0, operands[0].size / max(1, result.size))
    return float(operands[0].shape[-1]) if ufunc is np.matmul else 1.0


def _inexact(ufunc: np.ufunc, method: str, operands: list[Any], result: np.ndarray, kwargs: dict[str, Any]) -> Any:
    """Where the result had to be rounded (or might have been)."""
    first, second = (np.asarray(each, result.dtype) for each in (operands[0], operands[-1]))
    if method == "reduce":
        return np.count_nonzero(first, axis=kwargs.get("axis", 0), keepdims=kwargs.get("keepdims", False)) > 1
    if ufunc is np.add or ufunc is np.subtract:
        second = second if ufunc is np.add else -second
        back = result - first
        return (first - (result - back)) + (second - back) != 0  # the rounding error itself (Knuth's TwoSum)
    if ufunc is np.multiply:
        return ~(_is_power_of_two(first) | _is_power_of_two(second))
    if ufunc is np.divide:
        return ~((first == second) | _is_power_of_two(second))
    if ufunc is np.exp:
        return first != 0
    return np.True_


def _is_power_of_two(value: np.ndarray) -> Any:
    return np.abs(np.frexp(value)[0]) == 0.5
