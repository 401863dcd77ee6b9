"""What may have been done to gradients before they were returned: scaled, clipped, decayed, exchanged, left at zero."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from ..answers.digits import written_factor
from .forward_pass import Gradients

Arrays = Mapping[str, np.ndarray]
EPSILONS = (0.0, 1e-6, 1e-8, 1e-12, 1e-7, 1e-5, 1e-10)  # that are added to a norm before it divides
ROUND = 1e-8  # a bound that is so close to one of three digits is that one
FEWEST = 3  # entries that tell a factor from another change


class Returned(NamedTuple):
    """Something that was done to all gradients, or to each of some.

    Attributes:
        says: in words, as a clause.
        cost: how far-fetched it is.
        done: does it, to gradients and with the arrays that they belong to.
    """

    says: str
    cost: float
    done: Callable[[Arrays, Arrays], Gradients]


class Likeness(NamedTuple):
    """Whether arrays are the same up to rounding.

    Attributes:
        tolerance: by which part of its largest number an array may be off.
    """

    tolerance: float

    def __call__(self, one: np.ndarray, other: np.ndarray) -> bool:
        """Of two arrays."""
        if one.shape != other.shape:
            return False
        largest = max(float(np.abs(one).max(initial=0.0)), float(np.abs(other).max(initial=0.0)))
        return bool((np.abs(one - other) <= self.tolerance * largest).all())

    def right(self, predicted: Arrays, given: Arrays) -> set[str]:
        """The names of those that are the same."""
        return {name for name, array in given.items() if self(predicted[name], array)}

    def all(self, predicted: Arrays, given: Arrays) -> bool:
        """Whether all are."""
        return all(self(predicted[name], array) for name, array in given.items())


def explanations(predicted: Arrays, given: Arrays, params: Arrays, like: Likeness) -> Iterator[Returned]:
    """What was done to gradients, so that they are the ones that were given.

    Args:
        predicted: the gradients.
        given: what was returned.
        params: the arrays that they belong to.
        like: what counts as the same.

    Yields:
        Each that gives all of what was returned, at these numbers.

    Example:
        >>> like = Likeness(1e-9)
        >>> predicted = {"w": np.array([3.0, 4.0, 1.0, 2.0])}
        >>> [one.says for one in explanations(predicted, {"w": np.clip(predicted["w"], -2, 2)}, predicted, like)]
        ['the gradients are clipped at ±2']
    """
    if not all(np.isfinite(array).all() for array in (*predicted.values(), *given.values())):
        return
    tried = [*_by_norm(predicted, given, like), *_clipped(given), *_decayed(predicted, given, params)]
    held = [one for one in tried if like.all(one.done(predicted, params), given)]
    if not held and (each := _array_by_array(predicted, given, params, like)):
        held = [each] if like.all(each.done(predicted, params), given) else []
    yield from held


def rounded(number: float) -> float:
    """A number, or one of three digits that is as good as the same."""
    near = float(f"{number:.3g}")
    return near if abs(near - number) <= ROUND * abs(number) else number


def is_round(number: float) -> bool:
    """Whether a person would write it so."""
    return float(f"{number:.3g}") == number


def norm(arrays: Collection[np.ndarray]) -> float:
    """Of all numbers together."""
    return float(np.sqrt(sum(float((array.astype("float64") ** 2).sum()) for array in arrays)))


def _factor(one: np.ndarray, other: np.ndarray) -> float:
    square = float((one * one).sum())
    return float((one * other).sum()) / square if square else 0.0


def _by_norm(predicted: Arrays, given: Arrays, like: Likeness) -> Iterator[Returned]:
    """A common factor, which may be that of a clip of the norm of all of them, or of each."""
    used = [name for name in given if predicted[name].any()]
    if not used:
        return
    factors = {name: _factor(predicted[name], given[name]) for name in used}
    common = factors[max(used, key=lambda name: float(np.abs(predicted[name]).max()))]
    if all(like(common * predicted[name], given[name]) for name in given) and common != 1:
        yield Returned(
            f"the gradients are multiplied by {written_factor(common)}",
            0.5,
            lambda g, _: {name: common * array for name, array in g.items()},
        )
        before = norm([predicted[name] for name in given])
        bounds = [(rounded(common * (before + epsilon)), epsilon) for epsilon in EPSILONS] if 0 < common < 1 else []
        for bound, epsilon in bounds:
            if is_round(bound):
                words = f" (with {epsilon:g} added to the norm)" if epsilon else ""
                yield Returned(f"the gradients are clipped at norm {bound:g}{words}", 0.4, _clip_norm(bound, epsilon))
    norms = [rounded(norm([given[name]])) for name in used if factors[name] < 1 - 1e-12]
    for bound in dict.fromkeys(one for one in norms if is_round(one)):
        yield Returned(f"each gradient is clipped at norm {bound:g} by itself", 0.5, _clip_each(bound))


def _clip_norm(bound: float, epsilon: float) -> Callable[[Arrays, Arrays], Gradients]:
    def done(g: Arrays, _: Arrays) -> Gradients:
        factor = min(1.0, bound / ((norm(list(g.values())) + epsilon) or 1.0))
        return {name: factor * array for name, array in g.items()}

    return done


def _clip_each(bound: float) -> Callable[[Arrays, Arrays], Gradients]:
    return lambda g, _: {name: array * min(1.0, bound / (norm([array]) or 1.0)) for name, array in g.items()}


def _clipped(given: Arrays) -> Iterator[Returned]:
    """A clip at a bound that several numbers have reached, or a round one."""
    sizes = np.concatenate([np.abs(array).reshape(-1) for array in given.values()])
    bound = float(sizes.max(initial=0.0))
    if bound and ((sizes == bound).sum() > 1 or is_round(bound)):
        yield Returned(
            f"the gradients are clipped at ±{bound:.6g}",
            0.4,
            lambda g, _: {name: np.clip(array, -bound, bound) for name, array in g.items()},
        )


def _decayed(predicted: Arrays, given: Arrays, params: Arrays) -> Iterator[Returned]:
    """A multiple of the array itself is added to each gradient, or to each of some."""
    differences = {name: given[name] - predicted[name] for name in given}
    factors = {
        name: _factor(params[name], one)
        for name, one in differences.items()
        if params[name].any() and predicted[name].any()
    }
    largest = max(factors.values(), key=abs, default=0.0)
    factor = rounded(largest)
    decayed = [name for name, one in factors.items() if abs(one - largest) <= 1e-6 * abs(largest)]
    if factor:
        arrays = ", ".join(f"d{name}" for name in decayed)
        yield Returned(
            f"{factor:.6g} times the array itself is added to {arrays}, as weight decay adds it",
            0.6,
            lambda g, params: {
                name: array + factor * params[name] if name in decayed else array for name, array in g.items()
            },
        )


def _array_by_array(predicted: Arrays, given: Arrays, params: Arrays, like: Likeness) -> Returned | None:
    """What was done to each array that is not as it should be; None unless there is something for each."""
    told: dict[str, list[str]] = defaultdict(list)
    done: dict[str, Callable[[Arrays, Arrays], np.ndarray]] = {}
    for name, array in given.items():
        if like(predicted[name], array):
            continue
        one = next(iter(_of_array(name, predicted, given, like)), None)
        if one is None:
            return None
        told[one[0]].append(f"d{name}")
        done[name] = one[1]
    if not done:
        return None
    says = "; ".join(
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} {words}" for words, names in told.items()
    )
    return Returned(
        says,
        0.5 if len(done) == 1 else 1.25,
        lambda g, params: {name: done[name](g, params) if name in done else array for name, array in g.items()},
    )


def _of_array(
    name: str, predicted: Arrays, given: Arrays, like: Likeness
) -> Iterator[tuple[str, Callable[[Arrays, Arrays], np.ndarray]]]:
    right, array = predicted[name], given[name]
    if not array.any():
        yield "zeros", lambda g, _: np.zeros_like(g[name])
    factor = _factor(right, array)
    if array.any() and like(factor * right, array) and (array.size >= FEWEST or is_round(rounded(factor))):
        yield f"multiplied by {written_factor(factor)}", lambda g, _: factor * g[name]
    if array.ndim == 2 and like(right.T, array):
        yield "transposed", lambda g, _: g[name].T
    for other in predicted:
        if other != name and like(predicted[other], array) and array.any():
            yield f"what d{other} should be", lambda g, _, other=other: g[other]  # type: ignore[misc]
        if other != name and array.any() and array.ndim == 2 and like(predicted[other].T, array):
            yield f"what d{other} should be, transposed", lambda g, _, other=other: g[other].T  # type: ignore[misc]
    bound = float(np.abs(array).max(initial=0.0))
    if like(np.clip(right, -bound, bound), array) and ((np.abs(array) == bound).sum() > 1 or is_round(bound)):
        yield f"clipped at ±{bound:.6g}", lambda g, _: np.clip(g[name], -bound, bound)
    if array.ndim and like(np.flip(right, 0), array):
        yield "in the opposite order along the first axis", lambda g, _: np.flip(g[name], 0)
