"""One call of a function, recorded; and whether the recording can be trusted.

The function runs as it stands. All that it can reach is put back after each call, so that a call leaves no trace. Two
things are asked of the recording, always: carried out again in NumPy, it has to give what the plain function gives,
at its own arguments and at others close by. An array that is held in two places and was exchanged in one gives the
right value at its own arguments and a wrong one close by.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models.traced import ENTRY_DTYPES, Decision, Entry, Traced
from ..problems import Problem
from . import array_methods, entrywise, movement, products, reductions  # noqa: F401 # they teach the functions of NumPy
from .array import as_recorded
from .exchange import Exchange, exchanged
from .recorder import NotRecordableError, recording_into
from .recording import Recording
from .replay import Replay

STEP = (
    2.0**-20
)  # by which part of its magnitude an argument is moved; far above rounding, and too little for most branches
DIRECTIONS = 2  # in which the arguments are moved
MAX_ROUNDINGS = (
    2.0**12
)  # between the recording's value and the plain one, in units in the last place of the largest term


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
        returned: what it returned, with recorded arrays in it.
    """

    function: str
    recording: Recording
    arguments: dict[str, Argument]
    returned: Any

    def rows(self, moved: Mapping[str, np.ndarray] | None = None) -> dict[np.dtype, np.ndarray]:
        """The values of the arguments' entries, by dtype.

        Args:
            moved: by the path, what is added to an argument.

        Returns:
            What `Replay.forward` takes.
        """
        last = dict.fromkeys(ENTRY_DTYPES, 0)
        for block in self.recording.arguments:
            last[block.dtype] = max(last[block.dtype], block.stop - 1)
        rows = {dtype: np.zeros(size, dtype) for dtype, size in last.items()}
        for path, argument in self.arguments.items():
            values = argument.values + moved[path] if moved else argument.values
            rows[argument.values.dtype][argument.origin.reshape(-1) - 1] = values.reshape(-1)
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
        return self.recording.model(self.function, entry, origins, self.rows(), float(number.data.reshape(())))


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
        known = {path: Argument(array.copy(), exchange.origins[path]) for path, array in exchange.arrays.items()}
        returned = _called(function, given)
    return Trace(getattr(function, "__qualname__", "function"), recording, known, returned)


def call(
    function: Callable[..., Any], arguments: Mapping[str, Any], moved: Mapping[str, np.ndarray] | None = None
) -> Any:
    """Calls a function as it stands, and puts back everything that it changes.

    Args:
        function: any.
        arguments: by the names of its parameters.
        moved: by the path, what is added to an array that it can reach, for this call.

    Returns:
        What it returned.
    """
    with exchanged(function, arguments, None) as (exchange, given):
        if moved is not None:
            _move(exchange, moved)
        return _called(function, given)


def _called(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """By position as far as the parameters go, since some have no names; those after a `*` by name."""
    positional = [value for name, value in arguments.items() if not name.startswith("**")]
    return function(*positional, **{name[2:]: value for name, value in arguments.items() if name.startswith("**")})


def _move(exchange: Exchange, moved: Mapping[str, np.ndarray]) -> None:
    for path, amount in moved.items():
        array = exchange.arrays[path]
        array[...] = array + amount


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


def verify(
    traced: Trace, model: Traced, function: Callable[..., Any], arguments: Mapping[str, Any], loss: Callable[[Any], Any]
) -> list[str]:
    """Makes sure that the recording gives what the function gives, here and close by.

    Args:
        traced: the call.
        model: its loss.
        function: what was called.
        arguments: with what.
        loss: takes the loss out of what the function returns.

    Returns:
        What is to be said: a branch of the program that changes close to the arguments.

    Raises:
        NotRecordableError: it does not; the message says where.
    """
    rng = np.random.default_rng(0)
    notes = []
    for number in range(1 + DIRECTIONS):
        moved = None
        if number:
            moved = {path: _direction(argument.values, rng) for path, argument in traced.arguments.items()}
        plain = float(np.asarray(loss(call(function, arguments, moved))).reshape(()))
        replay = Replay(model)
        with np.errstate(all="ignore"):
            replay.forward(traced.rows(moved))
        value = float(replay.loss)
        if _differs(value, plain, model.loss.dtype):
            changed = _changed_decision(model, replay) if number else None
            if changed is not None:
                notes.append(f"{changed.place}: a branch changes close to the arguments")
                continue
            where = "close to its arguments" if number else "at its arguments"
            raise NotRecordableError(
                f"the recording has lost something: {where} it gives {value!r}, and the function {plain!r}"
            )
    return notes


def _direction(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    scale = np.abs(values).max(initial=0) or 1.0
    return (STEP * scale * rng.standard_normal(values.shape)).astype(values.dtype)


def _differs(value: float, plain: float, dtype: np.dtype) -> bool:
    if (np.isnan(value) and np.isnan(plain)) or value == plain:
        return False
    return not abs(value - plain) <= MAX_ROUNDINGS * float(np.finfo(dtype).eps) * max(abs(plain), abs(value))


def _changed_decision(model: Traced, replay: Replay) -> Decision | None:
    """The first decision that is another one at the replay's numbers."""
    for decision in model.decisions:
        with np.errstate(all="ignore"):
            result = decision.function(*[replay.take(operand) for operand in decision.operands], **decision.arguments)
        if not np.array_equal(np.asarray(result), np.asarray(decision.result), equal_nan=False):
            return decision
    return None
