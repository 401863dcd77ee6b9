"""The problems of a test: those of the catalogue that its marker names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import pytest

from ...backends import InvalidProblemError, Problem, RequestError
from ...backends.checks import DTYPES, require_dtype, require_integer
from ...backends.errors import unknown_name
from ..systems import SYSTEMS, System, get_system


@dataclass(frozen=True)
class CatalogueProblem:
    """A problem of the catalogue, by what it is made from.

    Attributes:
        system: whose model and sizes it has.
        dtype: `float64` or `float32`.
        seed: from which its numbers are drawn.
    """

    system: System
    dtype: str
    seed: int

    @property
    def id(self) -> str:
        """`lstm-float64-0`."""
        return f"{self.system.name}-{self.dtype}-{self.seed}"

    @cached_property
    def problem(self) -> Problem:
        """The numbers, drawn when they are first asked for."""
        return self.system.problem(seed=self.seed, dtype=self.dtype)

    @property
    def arguments(self) -> list[str]:
        """The arguments of `gradparity compare` that stand for it."""
        return [self.system.name, "--dtype", self.dtype, "--seed", str(self.seed)]


def catalogue_problems(
    *systems: str | System, dtype: str | Sequence[str] = DTYPES, seed: int | Sequence[int] = 0
) -> list[CatalogueProblem]:
    """The problems of the systems, or of the whole catalogue, in every dtype and from every seed.

    Raises:
        RequestError: there is no such system or dtype, or a seed is no number.
    """
    for system in systems:
        if not isinstance(system, str | System):
            raise InvalidProblemError(f"{system!r} is no system, expected its name")
    chosen = [system if isinstance(system, System) else get_system(system) for system in systems or SYSTEMS]
    dtypes = [require_dtype(value).name for value in _one_or_several("dtype", dtype)]
    seeds = [require_integer("seed", value, at_least=0) for value in _one_or_several("seed", seed)]
    return [CatalogueProblem(*parts) for parts in product(chosen, dtypes, seeds)]


def _one_or_several(name: str, value: Any) -> Sequence[Any]:
    """The values of an argument that may be one or several."""
    values: Sequence[Any] = value if isinstance(value, list | tuple | range) else [value]
    if len(values) == 0 or None in values:
        raise InvalidProblemError(f"{name} = {value!r}, expected one or several")
    return values


def problems_of_marker(marker: pytest.Mark, test: str) -> list[CatalogueProblem]:
    """The problems that a test's marker names; a wrong one is an error of the collection, in one line."""
    with refused_as(lambda message: pytest.Collector.CollectError(f"{test}: {message}")):
        for keyword in marker.kwargs.keys() - {"dtype", "seed"}:
            raise unknown_name("keyword of the marker gradparity", keyword, ("dtype", "seed"))
        return catalogue_problems(*marker.args, **marker.kwargs)


@contextmanager
def refused_as(error: Callable[[str], BaseException]) -> Iterator[None]:
    """Turns a wrong request into an error of pytest's, in one line."""
    try:
        yield
    except RequestError as refused:
        raise error(" ".join(str(refused).split())) from None
