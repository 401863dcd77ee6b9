"""One call of a function, recorded.

The function runs as it stands. All that it can reach is put back after each call, so that a call leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import describe_error, first_line
from ..models.traced import ENTRY_DTYPES, Entry, Traced
from ..problems import Problem
from . import array_methods, entrywise, movement, orders, parts, products, reductions  # noqa: F401 # these teach NumPy
from .array import RecordedArray, as_recorded
from .copies import kept
from .exchange import exchanged
from .places import place_of
from .recorder import NotRecordableError, recording_into
from .recording import Recording


@dataclass(frozen=True, eq=False)
class Argument:
    """An array that the function can reach.

    Attributes:
        values: the numbers, as they were before the call.
        origin: the numbers of their entries.
    """

    values: np.ndarray
    origin: np.ndarray


@dataclass(frozen=True, eq=False)
class Trace:
    """A call of a function.

    Attributes:
        function: the function's name.
        recording: what it did.
        arguments: by how each is reached, such as `params['W']` or `self.W`, the arrays that it could reach.
        returned: what it returned, with recorded arrays in it; copies of the containers, which it may hold itself.
        aliases: by another way to an array, or to what holds arrays, the first one.
    """

    function: str
    recording: Recording
    arguments: dict[str, Argument]
    returned: Any
    aliases: Mapping[str, str]

    def rows(self, values: Mapping[str, np.ndarray] | None = None) -> dict[np.dtype, np.ndarray]:
        """The values of the arguments' entries, by dtype.

        Args:
            values: by the path, the numbers of an argument in the place of its own.

        Returns:
            What `Replay.forward` takes.
        """
        last: dict[np.dtype, int] = dict.fromkeys(ENTRY_DTYPES, 0)
        for block in self.recording.arguments:
            last[block.dtype] = max(last[block.dtype], block.stop - 1)
        rows: dict[np.dtype, np.ndarray] = {dtype: np.zeros(size, dtype) for dtype, size in last.items()}
        for given in (False, True):  # arrays that share memory: as in the call, what is written last counts
            for path, argument in self.arguments.items():
                if given is (values is not None and path in values):
                    numbers = values[path] if values is not None and given else argument.values
                    rows[argument.values.dtype][argument.origin.reshape(-1) - 1] = numbers.reshape(-1)
        return rows

    def model(self, loss: Any, differentiated: Mapping[str, str]) -> Traced:
        """The loss as a model.

        Args:
            loss: one number that the function returned.
            differentiated: by name, the path of each argument with respect to which it is differentiated.

        Returns:
            The model, whose parameters have these names.

        Raises:
            NotRecordableError: the loss is not one number.

        Example:
            >>> from gradparity.backends.tracing.replay import Replay
            >>> traced = trace(lambda w, x: np.tanh(w @ x).sum(), {"w": np.eye(2), "x": np.array([0.0, 1.0])})
            >>> model = traced.model(traced.returned, {"w": "w"})
            >>> [operation.primitive for operation in model.operations]
            ['matmul', 'tanh', 'sum']
        """
        number = as_recorded(loss)
        if number.size != 1:
            raise NotRecordableError(f"the loss has shape {number.shape}, expected one number")
        origins = {
            name: (self.arguments[path].origin, self.arguments[path].values.dtype)
            for name, path in differentiated.items()
        }
        entry = Entry(number.dtype, int(number.origin.reshape(())))
        return self.recording.model(self.function, entry, origins, self.rows(), float(number.numbers.reshape(())))


def trace(function: Callable[..., Any], arguments: Mapping[str, Any], floats: Collection[str] = ()) -> Trace:
    """Calls a function once, on arrays that remember what is done to them.

    Args:
        function: any function in NumPy.
        arguments: by the names of its parameters.
        floats: the paths of numbers of Python's that are differentiated by, such as `alpha` or `params['alpha']`.

    Returns:
        The call. The function, its arguments and all that it can reach are afterwards as they were.

    Raises:
        NotRecordableError: it does something that cannot be followed.
    """
    recording = Recording()
    with exchanged(function, arguments, recording, floats) as (exchange, given), recording_into(recording):
        try:
            returned = kept(_called(function, given))
        except Exception as error:
            if RecordedArray.__name__ not in str(error):
                raise
            raise NotRecordableError(f"{place_of(error)}: it takes no recorded arrays: {first_line(error)}") from error
    found = exchange.found
    known = {path: Argument(array, found.origins[path]) for path, array in found.arrays.items()}
    return Trace(getattr(function, "__qualname__", "function"), recording, known, returned, exchange.aliases)


def traced_call(function: Callable[..., Any], arguments: Mapping[str, Any], floats: Collection[str] = ()) -> Trace:
    """The same as `trace`, of a function that is known to run: what it raises while it is recorded is a refusal.

    Args:
        function: as for `trace`.
        arguments: as for `trace`.
        floats: as for `trace`.

    Returns:
        The call.

    Raises:
        NotRecordableError: it does something that cannot be followed.

    Example:
        >>> traced_call(lambda w: w * 2, {"w": np.ones(2)}).returned.numbers
        array([2., 2.])
    """
    try:
        return trace(function, arguments, floats)
    except NotRecordableError:
        raise
    except Exception as error:
        name = getattr(function, "__name__", "the function")
        raise NotRecordableError(f"{name} runs, but not while it is recorded: {describe_error(error)}") from error


def call(
    function: Callable[..., Any], arguments: Mapping[str, Any], values: Mapping[str, np.ndarray] | None = None
) -> Any:
    """Calls a function as it stands, and puts back everything that it changes.

    Args:
        function: any.
        arguments: by the names of its parameters.
        values: by the path, the numbers of an array or a float that it can reach, for this call.

    Returns:
        What it returned, with copies of the arrays: it may return its own buffers.
    """
    with exchanged(function, arguments, None, tuple(values or ()), values) as (_, given):
        return kept(_called(function, given))


def changes_of(function: Callable[..., Any], arguments: Mapping[str, Any]) -> list[str]:
    """What a call changes beside what it returns. Everything is put back.

    Args:
        function: any.
        arguments: by the names of its parameters.

    Returns:
        How what was changed is reached, such as `self.W`, `cache['h']` or, if random numbers were drawn, `np.random`.

    Example:
        >>> def forward(w, cache):
        ...     w += np.random.rand()
        ...     cache["w"] = w
        >>> w, cache = np.ones(2), {}
        >>> changes_of(forward, {"w": w, "cache": cache})
        ['np.random', 'w', "cache['w']"]
        >>> w, cache
        (array([1., 1.]), {})
    """
    with exchanged(function, arguments, None) as (exchange, given):
        _called(function, given)
        changed: list[str] = exchange.snapshots.changes()
    return changed


def _called(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """By position as far as the parameters go, since some have no names; those after a `*` by name."""
    positional = [value for name, value in arguments.items() if not name.startswith("**")]
    return function(*positional, **{name[2:]: value for name, value in arguments.items() if name.startswith("**")})


def arguments_of(problem: Problem) -> dict[np.dtype, np.ndarray]:
    """The values of a recorded function's arguments, with those of the problem for what is differentiated.

    Args:
        problem: of a `Traced` model.

    Returns:
        By dtype, the values of the arguments' entries, from entry 1 on.
    """
    model = problem.model
    assert isinstance(model, Traced)
    rows = {dtype: values.copy() for dtype, values in model.fixed.items()}
    for name, origin in model.differentiated.items():
        rows[model.dtypes[name]][origin.reshape(-1) - 1] = problem.params[name].reshape(-1)
    return rows


def gradients_of(model: Traced, rows: Mapping[np.dtype, np.ndarray]) -> dict[str, np.ndarray]:
    """The derivatives with respect to what a model differentiates by, out of those of all arguments' entries."""
    return {name: rows[model.dtypes[name]][origin - 1] for name, origin in model.differentiated.items()}
