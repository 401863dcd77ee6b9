"""One call of a function, recorded; and whether the recording can be trusted.

The function runs as it stands. All that it can reach is put back after each call, so that a call leaves no trace. Two
things are asked of the recording, always: carried out again in NumPy, it has to give what the plain function gives,
at its own arguments and at others close by. An array that is held in two places and was exchanged in one gives the
right value at its own arguments and a wrong one close by.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import first_line
from ..models.traced import ENTRY_DTYPES, Entry, Traced
from ..problems import Problem
from . import array_methods, entrywise, movement, products, reductions  # noqa: F401 # they teach the functions of NumPy
from .array import as_recorded
from .exchange import exchanged
from .recorder import NotRecordableError, recording_into
from .recording import Recording
from .replay import Replay

STEP = 2.0**-20  # by which part of its magnitude an array is moved: far above rounding, too little for most branches
DIRECTIONS = 2  # in which a recording beside the arguments is moved
MAX_ROUNDINGS = 2.0**12  # between the recording's value and the plain one, in units in the last place


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


def kept(value: Any) -> Any:
    """A value with copies of the arrays in it, also of other frameworks', which nobody else can write to.

    Example:
        >>> buffer = np.zeros(2)
        >>> copy = kept({"dW": [buffer]})
        >>> buffer += 1
        >>> copy
        {'dW': [array([0., 0.])]}
    """
    match value:
        case np.ndarray():
            return value.copy()
        case dict():
            return {name: kept(one) for name, one in value.items()}
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*map(kept, value))
        case tuple() | list():
            return type(value)(map(kept, value)) if type(value) in (tuple, list) else list(map(kept, value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _replaced(value, {field.name: kept(getattr(value, field.name)) for field in fields(value)})
        case _ if hasattr(value, "detach") and hasattr(value, "clone"):  # of PyTorch
            return value.detach().clone()
        case _:
            return value


def _replaced(value: Any, attributes: Mapping[str, Any]) -> Any:
    made = copy(value)
    for name, one in attributes.items():
        object.__setattr__(made, name, one)
    return made


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


class Verified(NamedTuple):
    """What came of comparing a recording with the function.

    Attributes:
        notes: what is to be said: that a branch changes close to the arguments, or that the function fails there.
        fragile: the numbers, from 0, of the decisions that are others close by.
    """

    notes: tuple[str, ...]
    fragile: frozenset[int]


def verify(
    traced: Trace,
    model: Traced,
    paths: Collection[str],
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    loss: Callable[[Any], Any],
) -> Verified:
    """Makes sure that the recording gives what the function gives, here and close by.

    What is differentiated by is moved along random directions. Where the program takes another branch there, it is
    recorded again at the moved numbers, and that recording is moved further: a path that is lost is lost in both.

    Args:
        traced: the call.
        model: its loss.
        paths: of what it is differentiated by.
        function: what was called.
        arguments: with what.
        loss: takes the loss out of what the function returns.

    Returns:
        What is to be said, and which decisions are others close by.

    Raises:
        NotRecordableError: it does not give the same, or that cannot be told; the message says where.
    """
    replay, plain = _both(traced, model, None, function, arguments, loss)
    if _differs(replay, plain):
        raise NotRecordableError(_lost(traced, "at its arguments", float(replay.loss), plain))
    rng = np.random.default_rng(0)
    moved = {path: traced.arguments[path] for path in paths if _is_movable(traced.arguments[path].values)}
    if not moved:
        return Verified((), frozenset())
    fragile: set[int] = set()
    notes: dict[str, None] = {}
    for step in (STEP, STEP, STEP * 2.0**-12):
        values = {path: argument.values + _direction(argument.values, step, rng) for path, argument in moved.items()}
        try:
            replay, plain = _both(traced, model, values, function, arguments, loss)
        except Exception as error:  # whatever the author's code raises at other numbers
            raised = f"close to its arguments it raises {first_line(error)}"
            notes[f"{raised}: the recording is checked at these alone"] = None
            continue
        changed = _changed_decisions(model, replay)
        fragile |= changed
        if not _differs(replay, plain):
            continue
        if not changed or not _holds_beside(values, paths, function, arguments, loss, rng):
            raise NotRecordableError(_lost(traced, "close to its arguments", float(replay.loss), plain))
        notes[f"{model.decisions[min(changed)].place}: a branch changes close to the arguments"] = None
    return Verified(tuple(notes), frozenset(fragile))


def _holds_beside(
    values: Mapping[str, np.ndarray],
    paths: Collection[str],
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    loss: Callable[[Any], Any],
    rng: np.random.Generator,
) -> bool:
    """Whether a recording that is made at other numbers gives what the function gives close to these."""
    floats = [path for path in values if values[path].ndim == 0]
    with exchanged(function, arguments, None, floats, values) as (_, given):
        beside = trace(function, given, floats)
        model = beside.model(loss(beside.returned), {})
    for _ in range(DIRECTIONS):
        further = {path: array + _direction(array, STEP * 2.0**-12, rng) for path, array in values.items()}
        try:
            replay, plain = _both(beside, model, further, function, arguments, loss)
        except Exception:  # whatever the author's code raises at other numbers
            continue
        if _differs(replay, plain):
            return False
    return True


def _both(
    traced: Trace,
    model: Traced,
    values: Mapping[str, np.ndarray] | None,
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    loss: Callable[[Any], Any],
) -> tuple[Replay, float]:
    """The recording carried out at some numbers, and the loss of the plain function there."""
    plain = float(np.asarray(loss(call(function, arguments, values))).reshape(()))
    replay = Replay(model)
    with np.errstate(all="ignore"):
        replay.forward(traced.rows(values))
    return replay, plain


def _lost(traced: Trace, where: str, value: float, plain: float) -> str:
    hint = next((f" ({note})" for note in traced.recording.notes if "plain" in note), "")
    return f"the recording has lost something: {where} it gives {value!r}, and the function {plain!r}{hint}"


def _is_movable(values: np.ndarray) -> bool:
    return bool(values.size)


def _direction(values: np.ndarray, step: float, rng: np.random.Generator) -> np.ndarray:
    scale = np.abs(values).max(initial=0, where=np.isfinite(values)) or 1.0
    step = max(step, 16 * float(np.finfo(values.dtype).eps))
    return np.asarray(step * scale * rng.standard_normal(values.shape)).astype(values.dtype)


def _differs(replay: Replay, plain: float) -> bool:
    """Whether the value is another one, by more than roundings of the largest number that it was computed from."""
    value = float(replay.loss)
    if (np.isnan(value) and np.isnan(plain)) or value == plain:
        return False
    return not abs(value - plain) <= MAX_ROUNDINGS * _eps(replay) * max(abs(plain), abs(value))


def _eps(replay: Replay) -> float:
    """Of the narrowest dtype that is computed in."""
    return max(float(np.finfo(dtype).eps) for dtype, row in replay.rows.items() if row.size > 1)


def _changed_decisions(model: Traced, replay: Replay) -> set[int]:
    """The numbers of the decisions that are others at the replay's numbers."""
    changed = set()
    for number, decision in enumerate(model.decisions):
        with np.errstate(all="ignore"):
            result = decision.function(*[replay.take(operand) for operand in decision.operands], **decision.arguments)
        if not np.array_equal(np.asarray(result), np.asarray(decision.result), equal_nan=False):
            changed.add(number)
    return changed
