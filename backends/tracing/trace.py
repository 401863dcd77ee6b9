"""One call of a function, recorded; and whether the recording can be trusted.

The function runs as it stands. All that it can reach is put back after each call, so that a call leaves no trace. Two
things are asked of the recording, always: carried out again in NumPy, it has to give what the plain function gives,
at its own arguments and at others close by. An array that is held in two places and was exchanged in one gives the
right value at its own arguments and a wrong one close by.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import first_line
from ..models.traced import ENTRY_DTYPES, Entry, Traced
from ..problems import Problem
from . import array_methods, entrywise, movement, orders, parts, products, reductions  # noqa: F401 # these teach NumPy
from .array import RecordedArray, as_recorded
from .closeness import MAX_ROUNDINGS, changed_decisions, differs, moved, rounding_bound
from .copies import kept
from .exchange import exchanged
from .places import place_of
from .recorder import NotRecordableError, recording_into
from .recording import Recording
from .replay import Replay

NEAR = (2.0**-20, 2.0**-20, 2.0**-32)  # by which part of its magnitude an array is moved: too little for most branches
FAR = (2.0**-6, 2.0**-10)  # likewise, far above the rounding of any dtype
FAR_RATIO = FAR[0] / FAR[1]
DIRECTIONS = 2  # in which a recording beside the arguments is moved


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
            returned = _called(function, given)
        except Exception as error:
            if RecordedArray.__name__ not in str(error):
                raise
            raise NotRecordableError(f"{place_of(error)}: it takes no recorded arrays: {first_line(error)}") from error
    found = exchange.found
    known = {path: Argument(array, found.origins[path]) for path, array in found.arrays.items()}
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
    """Makes sure that the recording gives what the function gives, here and beside.

    What is differentiated by is moved along random directions: a little, and further. Where the program takes another
    branch close by, it is recorded again at the moved numbers, and that recording is moved further: a path that is lost
    is lost in both.

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
    program = _Program(function, arguments, loss)
    plain = program(None)
    replay = _replayed(traced, model, None)
    if replay is None or differs(model, replay, plain):
        if (again := program(None)) != plain and not np.isnan(plain):
            raise NotRecordableError(f"two calls with the same arguments give {plain!r} and {again!r}")
        raise NotRecordableError(_lost(traced, "at its arguments", replay, plain))
    here = {path: traced.arguments[path].values for path in paths if traced.arguments[path].values.size}
    if not here:
        return Verified((), frozenset())
    rng = np.random.default_rng(0)
    fragile: set[int] = set()
    notes: dict[str, None] = {}
    failures: list[str] = []
    is_checked = False
    for step, keeps_form in ((step, keeps_form) for step in NEAR for keeps_form in (False, True)):
        if keeps_form and not failures:
            continue
        at = {path: moved(values, step, rng, keeps_form=keeps_form) for path, values in here.items()}
        plain, failure = program.tried(at)
        if failure:
            failures.append(failure)
            continue
        replay = _replayed(traced, model, at)
        changed = changed_decisions(model, replay) if replay else set()
        opposite = _replayed(traced, model, {path: 2 * values - at[path] for path, values in here.items()})
        fragile |= changed | (changed_decisions(model, opposite) if opposite else set())  # a tie has two sides
        if replay is not None and not differs(model, replay, plain):
            is_checked = True
            continue
        if replay is not None and not changed:
            raise NotRecordableError(_lost(traced, "close to its arguments", replay, plain))
        held = _holds_beside(at, program, rng)
        if held is False:
            raise NotRecordableError(_lost(traced, "close to its arguments", replay, plain))
        is_checked |= held is True
        where = f"{model.decisions[min(changed)].place}: " if changed else ""
        notes[f"{where}a branch changes close to the arguments"] = None
    lost = _lost_beside(traced, model, here, program, rng)
    if lost:
        raise NotRecordableError(lost)
    if not is_checked and failures:
        notes[f"close to its arguments {failures[0]}: the recording is checked at these alone"] = None
    return Verified(tuple(notes), frozenset(fragile))


class _Program:
    """The loss of a plain function at some numbers."""

    def __init__(self, function: Callable[..., Any], arguments: Mapping[str, Any], loss: Callable[[Any], Any]) -> None:
        self.function, self.arguments, self.loss = function, arguments, loss

    def __call__(self, values: Mapping[str, np.ndarray] | None) -> float:
        return float(np.asarray(self.loss(call(self.function, self.arguments, values))).reshape(()))

    def tried(self, values: Mapping[str, np.ndarray]) -> tuple[float, str]:
        """The loss, and why it cannot be used."""
        try:
            with np.errstate(all="ignore"):
                plain = self(values)
        except Exception as error:  # whatever the author's code raises at other numbers
            return np.nan, f"it raises {first_line(error)}"
        return plain, "" if np.isfinite(plain) else f"it gives {plain}"


def _replayed(traced: Trace, model: Traced, values: Mapping[str, np.ndarray] | None) -> Replay | None:
    """The recording carried out at some numbers; None where an operation is not defined."""
    replay = Replay(model)
    try:
        with np.errstate(all="ignore"):
            replay.forward(traced.rows(values))
    except np.linalg.LinAlgError:
        return None
    return replay


def _holds_beside(at: Mapping[str, np.ndarray], program: _Program, rng: np.random.Generator) -> bool | None:
    """Whether a recording that is made at other numbers gives what the function gives close to these.

    None if that cannot be told.
    """
    floats = [path for path, values in at.items() if values.ndim == 0]
    try:
        with exchanged(program.function, program.arguments, None, floats, at) as (_, given):
            beside = trace(program.function, given, floats)
            model = beside.model(program.loss(beside.returned), {})
    except Exception:  # whatever the author's code raises at other numbers, or does that cannot be followed
        return None
    held = None
    for _ in range(DIRECTIONS):
        further = {path: moved(values, NEAR[-1], rng) for path, values in at.items()}
        plain, failure = program.tried(further)
        replay = _replayed(beside, model, further)
        if failure or replay is None or changed_decisions(model, replay):
            continue
        if differs(model, replay, plain):
            return False
        held = True
    return held


def _lost_beside(
    traced: Trace, model: Traced, here: Mapping[str, np.ndarray], program: _Program, rng: np.random.Generator
) -> str:
    """What is to be said if the recording gives something else further away, where it takes the same branches.

    Further away a lost path shows that is too small beside the rest of the loss, or in a dtype too narrow, to be seen
    close by. What shows there, and not on the way where it should, is a branch that was not recorded.
    """
    if any("derivative is 0" in note for note in traced.recording.notes):  # of what changes in steps
        return ""
    lost, expected = "", 0.0
    for step in FAR:
        at = {path: moved(values, step, rng) for path, values in here.items()}
        plain, failure = program.tried(at)
        replay = None if failure else _replayed(traced, model, at)
        if replay is None or changed_decisions(model, replay):
            continue
        if differs(model, replay, plain):
            lost, expected = _lost(traced, "beside its arguments", replay, plain), abs(replay.loss - plain) / FAR_RATIO
        elif expected > 4 * MAX_ROUNDINGS * rounding_bound(model, replay):
            return ""
    return lost


def _lost(traced: Trace, where: str, replay: Replay | None, plain: float) -> str:
    hint = next((f" ({note})" for note in traced.recording.notes if "plain" in note), "")
    value = float("nan") if replay is None else float(replay.loss)
    return f"the recording has lost something: {where} it gives {value!r}, and the function {plain!r}{hint}"
