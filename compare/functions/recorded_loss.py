"""The loss of a program in NumPy, recorded, and as a problem."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...backends import Problem
from ...backends.errors import DerivationError
from ...backends.tracing.array import as_recorded
from ...backends.tracing.pruning import needed_arguments, pruned
from ...backends.tracing.trace import traced_call
from ...backends.tracing.verification import verify
from .calls import Function, name_of
from .matching import last_name


class RecordedLoss(NamedTuple):
    """A loss as a problem.

    Attributes:
        problem: the recording, and the arrays that it is differentiated by.
        names: by the keys of what was asked for, the names that these arrays have in the problem.
        loss: its value.
        notes: what is to be said of the recording.
    """

    problem: Problem
    names: Mapping[str, str]
    loss: float
    notes: tuple[str, ...]


class TracedLoss:
    """A program that was run on arrays that remember what is done to them, and the loss that it returned.

    Attributes:
        shapes: of all floating-point arrays that the program can reach, and of the floats among its arguments, by how
            each is reached, such as `params['W']` or `self.W`.
        needed: the paths of those on which the loss depends; a float is taken for one.
        arguments: the paths of the arrays among the arguments.
        aliases: by another way to an array, or to what holds arrays, the first one.

    Example:
        >>> def loss(w, x, scale):
        ...     return scale * (w * w).sum()
        >>> traced = TracedLoss(loss, {"w": np.ones(2), "x": np.ones(3), "scale": 0.5}, lambda loss: loss)
        >>> traced.shapes, traced.needed
        ({'w': (2,), 'x': (3,), 'scale': ()}, ['w', 'scale'])
        >>> traced.as_problem({"dw": "w"}).problem.params["w"]
        array([1., 1.])
    """

    def __init__(self, program: Function, arguments: Mapping[str, Any], loss_in: Callable[[Any], Any]) -> None:
        """Runs a program.

        Args:
            program: in NumPy.
            arguments: by the names of its parameters.
            loss_in: takes the loss out of what the program returns.

        Raises:
            NotRecordableError: the program does something that cannot be followed.
            DerivationError: the loss is not finite.
        """
        self._program, self._arguments, self._loss_in = program, arguments, loss_in
        self._floats = float_paths(arguments)
        self._trace = traced_call(program, arguments, [])
        value = self._value()
        if not np.isfinite(value):
            raise DerivationError(f"the loss of {name_of(program)} is {value}, which has no gradient")
        found = self._trace.arguments
        self.shapes = {path: one.values.shape for path, one in found.items()} | dict.fromkeys(self._floats, ())
        origins = {path: (one.values.dtype, one.origin) for path, one in found.items()}
        loss = self._trace.model(self._loss(), {})
        self.needed = [*needed_arguments(loss, origins), *self._floats]
        self.arguments = [path for path in self.shapes if root(path) in arguments]
        self.aliases = self._trace.aliases

    def as_problem(self, paths: Mapping[str, str]) -> RecordedLoss:
        """The loss, differentiated by some arrays, after making sure that the recording can be trusted.

        Args:
            paths: by any key, how the program reaches each.

        Returns:
            The loss, as a problem.

        Raises:
            NotRecordableError: the recording has lost something.
        """
        if floats := [path for path in paths.values() if path in self._floats]:
            self._trace = traced_call(self._program, self._arguments, floats)
        traced = self._trace
        names = _names(paths)
        model = traced.model(self._loss(), {names[key]: path for key, path in paths.items()})
        model = replace(model, function=name_of(self._program))
        verified = verify(traced, model, list(paths.values()), self._program, self._arguments, self._loss_in)
        params = {names[key]: traced.arguments[path].values for key, path in paths.items()}
        notes = (*traced.recording.notes, *verified.notes)
        model = pruned(model, verified.fragile, verified.irrelevant)
        return RecordedLoss(Problem(model, params), names, self._value(), notes)

    def _loss(self) -> Any:
        return self._loss_in(self._trace.returned)

    def _value(self) -> float:
        return float(as_recorded(self._loss()).numbers.reshape(-1)[0])


def root(path: str) -> str:
    """The first name of a path.

    Example:
        >>> root("params['W']"), root("self.W")
        ('params', 'self')
    """
    return path.split("[")[0].split(".")[0]


def float_paths(arguments: Mapping[str, Any]) -> list[str]:
    """How the floats of Python's among the arguments are reached."""
    found: list[str] = []

    def walk(value: Any, path: str) -> None:
        if isinstance(value, float):
            found.append(path)
        elif isinstance(value, Mapping):
            for name, one in value.items():
                walk(one, f"{path}[{name!r}]")
        elif isinstance(value, (list, tuple)):
            for index, one in enumerate(value):
                walk(one, f"{path}[{index}]")

    for name, value in arguments.items():
        walk(value, name)
    return found


def _names(paths: Mapping[str, str]) -> dict[str, str]:
    """A short name for each array: the last one of its path, or its path where another has the same."""
    short = {key: _as_name(last_name(path)) for key, path in paths.items()}
    counts = Counter(short.values())
    long = {key: one if counts[one] == 1 else _as_name(paths[key]) for key, one in short.items()}
    counts = Counter(long.values())
    return {key: one if counts[one] == 1 else f"{one}_{number}" for number, (key, one) in enumerate(long.items(), 1)}


def _as_name(path: str) -> str:
    """A path with letters, digits and underscores alone.

    Example:
        >>> _as_name("p[0]"), _as_name("layers[0]['W']")
        ('p_0', 'layers_0_W')
    """
    return re.sub(r"\W+", "_", path).strip("_") or "argument"
