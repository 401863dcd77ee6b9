"""The loss of a program in NumPy, recorded as a problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...backends import Problem
from ...backends.errors import DerivationError, describe_error
from ...backends.tracing.array import as_recorded
from ...backends.tracing.exchange import exchanged
from ...backends.tracing.pruning import pruned
from ...backends.tracing.recorder import NotRecordableError
from ...backends.tracing.trace import Trace, trace, verify
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


def record_loss(
    program: Function, arguments: Mapping[str, Any], paths: Mapping[str, str], loss_in: Callable[[Any], Any]
) -> RecordedLoss:
    """Runs a program on arrays that remember what is done to them, and makes sure that they can be trusted.

    Args:
        program: in NumPy.
        arguments: by the names of its parameters.
        paths: by any key, how the program reaches the arrays with respect to which the loss is differentiated.
        loss_in: takes the loss out of what the program returns.

    Returns:
        The loss, as a problem.

    Raises:
        NotRecordableError: the program does something that cannot be followed.
        DerivationError: the loss is not finite.

    Example:
        >>> recorded = record_loss(lambda w: (w * w).sum(), {"w": np.ones(2)}, {"dw": "w"}, lambda loss: loss)
        >>> recorded.loss, recorded.problem.params["w"]
        (2.0, array([1., 1.]))
    """
    floats = [path for path in paths.values() if path in _floats(arguments)]
    traced = _trace(program, arguments, floats)
    loss = loss_in(traced.returned)
    value = float(as_recorded(loss).data.reshape(-1)[0])
    if not np.isfinite(value):
        raise DerivationError(f"the loss of {name_of(program)} is {value}, which has no gradient")
    names = _names(paths)
    model = replace(traced.model(loss, {names[key]: path for key, path in paths.items()}), function=name_of(program))
    changes = verify(traced, model, program, arguments, loss_in)
    params = {names[key]: traced.arguments[path].values for key, path in paths.items()}
    return RecordedLoss(Problem(pruned(model), params), names, value, (*traced.recording.notes, *changes))


def reachable_arrays(program: Function, arguments: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of all floating-point arrays that a program can reach, and of the floats among its arguments.

    Args:
        program: any.
        arguments: by the names of its parameters.

    Returns:
        By how each is reached, such as `params['W']` or `self.W`.

    Example:
        >>> reachable_arrays(lambda params, scale: 0, {"params": {"W": np.ones((2, 3))}, "scale": 0.5})
        {"params['W']": (2, 3), 'scale': ()}
    """
    with exchanged(program, arguments, None) as (exchange, _):
        shapes = {path: array.shape for path, array in exchange.arrays.items()}
    return shapes | dict.fromkeys(_floats(arguments), ())


def root(path: str) -> str:
    """The first name of a path.

    Example:
        >>> root("params['W']"), root("self.W")
        ('params', 'self')
    """
    return path.split("[")[0].split(".")[0]


def _trace(program: Function, arguments: Mapping[str, Any], floats: Sequence[str]) -> Trace:
    try:
        return trace(program, arguments, floats)
    except NotRecordableError:
        raise
    except Exception as error:
        message = f"{name_of(program)} runs, but not while it is recorded: {describe_error(error)}"
        raise NotRecordableError(message) from error


def _floats(arguments: Mapping[str, Any]) -> list[str]:
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
    short = {key: last_name(path) for key, path in paths.items()}
    counts = Counter(short.values())
    return {key: one if counts[one] == 1 else paths[key] for key, one in short.items()}
