"""The questions of a test: problems of the catalogue, as its marker names them."""

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
class Question:
    """A problem of the catalogue, by what it is made from."""

    system: System
    dtype: str
    seed: int

    @property
    def id(self) -> str:
        """`lstm-float64-0`."""
        return f"{self.system.name}-{self.dtype}-{self.seed}"

    @cached_property
    def problem(self) -> Problem:
        """Drawn when it is first asked for."""
        return self.system.problem(seed=self.seed, dtype=self.dtype)

    @property
    def arguments(self) -> list[str]:
        """What makes the command line ask it."""
        return [self.system.name, "--dtype", self.dtype, "--seed", str(self.seed)]


def questions(
    *systems: str | System, dtype: str | Sequence[str] = DTYPES, seed: int | Sequence[int] = 0
) -> list[Question]:
    """The problems of the systems, or of the whole catalogue, in every dtype and from every seed.

    Raises:
        RequestError: there is no such system or dtype, or a seed is no number.
    """
    for each in systems:
        if not isinstance(each, str | System):
            raise InvalidProblemError(f"{each!r} is no system, expected its name")
    found = [each if isinstance(each, System) else get_system(each) for each in systems or SYSTEMS]
    dtypes = [require_dtype(each).name for each in _listed("dtype", dtype)]
    seeds = [require_integer("seed", each, at_least=0) for each in _listed("seed", seed)]
    return [Question(*each) for each in product(found, dtypes, seeds)]


def _listed(name: str, value: Any) -> Sequence[Any]:
    """The values of an argument that may be one or several."""
    found: Sequence[Any] = value if isinstance(value, list | tuple | range) else [value]
    if len(found) == 0 or None in found:
        raise InvalidProblemError(f"{name} = {value!r}, expected one or several")
    return found


def questions_of(marker: pytest.Mark, test: str) -> list[Question]:
    """The questions of a test's marker; a wrong one is an error of the collection, in one line."""
    with refused_as(lambda message: pytest.Collector.CollectError(f"{test}: {message}")):
        for keyword in marker.kwargs.keys() - {"dtype", "seed"}:
            raise unknown_name("keyword of the marker gradparity", keyword, ("dtype", "seed"))
        return questions(*marker.args, **marker.kwargs)


@contextmanager
def refused_as(error: Callable[[str], BaseException]) -> Iterator[None]:
    """Turns a wrong request into an error of pytest's, in one line."""
    try:
        yield
    except RequestError as refused:
        raise error(" ".join(str(refused).split())) from None
