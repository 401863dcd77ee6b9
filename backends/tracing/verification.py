"""Whether a recording can be trusted.

Two things are asked of it, always: carried out again in NumPy, it has to give what the plain function gives, at its own
arguments and at others close by. An array that is held in two places and was exchanged in one gives the right value at
its own arguments and a wrong one close by.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import first_line
from ..models.traced import Traced
from .closeness import MAX_ROUNDINGS, changed_decisions, differs, moved, rounding_bound
from .exchange import exchanged
from .pruning import is_same_program, pruned
from .recorder import NotRecordableError
from .replay import Replay
from .trace import Trace, call, trace

NEAR = (2.0**-20, 2.0**-20, 2.0**-32)  # by which part of its magnitude an array is moved: too little for most branches
FAR = (2.0**-6, 2.0**-10)  # likewise, far above the rounding of any dtype
FAR_RATIO = FAR[0] / FAR[1]
DIRECTIONS = 2  # in which a recording beside the arguments is moved
Numbers = Mapping[str, np.ndarray]


class Verified(NamedTuple):
    """What came of comparing a recording with the function.

    Attributes:
        notes: what is to be said: that a branch changes close to the arguments, or that the function fails there.
        fragile: the numbers, from 0, of the decisions that are others close by.
        irrelevant: likewise, of those that change nothing of the loss, as a mask that the backward pass makes.
    """

    notes: tuple[str, ...]
    fragile: frozenset[int]
    irrelevant: frozenset[int]


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
    here: Numbers = {path: traced.arguments[path].values for path in paths if traced.arguments[path].values.size}
    if not here:
        return Verified((), frozenset(), frozenset())
    rng = np.random.default_rng(0)
    fragile: set[int] = set()
    irrelevant: set[int] = set()
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
        for beside, replayed in _both_sides(traced, model, here, at, replay):  # a tie has two sides
            others = changed_decisions(model, replayed)
            if others - fragile and _is_same_loss_at(beside, model, program):
                irrelevant |= others
            else:
                fragile |= others
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
    return Verified(tuple(notes), frozenset(fragile), frozenset(irrelevant - fragile))


class _Program:
    """The loss of a plain function at some numbers."""

    def __init__(self, function: Callable[..., Any], arguments: Mapping[str, Any], loss: Callable[[Any], Any]) -> None:
        self.function, self.arguments, self.loss = function, arguments, loss

    def __call__(self, values: Numbers | None) -> float:
        return float(np.asarray(self.loss(call(self.function, self.arguments, values))).reshape(()))

    def tried(self, values: Numbers) -> tuple[float, str]:
        """The loss, and why it cannot be used."""
        try:
            with np.errstate(all="ignore"):
                plain = self(values)
        except Exception as error:  # whatever the author's code raises at other numbers
            return np.nan, f"it raises {first_line(error)}"
        return plain, "" if np.isfinite(plain) else f"it gives {plain}"


def _replayed(traced: Trace, model: Traced, values: Numbers | None) -> Replay | None:
    """The recording carried out at some numbers; None where an operation is not defined."""
    replay = Replay(model)
    try:
        with np.errstate(all="ignore"):
            replay.forward(traced.rows(values))
    except np.linalg.LinAlgError:
        return None
    return replay


def _both_sides(
    traced: Trace, model: Traced, here: Numbers, at: Numbers, replay: Replay | None
) -> Iterator[tuple[Numbers, Replay]]:
    """The numbers on both sides of the arguments, with the recording carried out there, where it can be."""
    opposite = {path: 2 * values - at[path] for path, values in here.items()}
    for beside, replayed in ((at, replay), (opposite, _replayed(traced, model, opposite))):
        if replayed is not None:
            yield beside, replayed


def _recorded_at(at: Numbers, program: _Program) -> tuple[Trace, Traced] | None:
    """The program recorded at other numbers, and its loss; None if that cannot be done."""
    floats = [path for path, values in at.items() if values.ndim == 0]
    try:
        with exchanged(program.function, program.arguments, None, floats, at) as (_, given):
            beside = trace(program.function, given, floats)
            return beside, beside.model(program.loss(beside.returned), {})
    except Exception:  # whatever the author's code raises at other numbers, or does that cannot be followed
        return None


def _is_same_loss_at(at: Numbers, model: Traced, program: _Program) -> bool:
    """Whether the loss is computed by the same operations at other numbers, whatever else the program does there."""
    beside = _recorded_at(at, program)
    return beside is not None and is_same_program(pruned(model), pruned(beside[1]))


def _holds_beside(at: Numbers, program: _Program, rng: np.random.Generator) -> bool | None:
    """Whether a recording that is made at other numbers gives what the function gives close to these.

    None if that cannot be told.
    """
    recorded = _recorded_at(at, program)
    if recorded is None:
        return None
    beside, model = recorded
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


def _lost_beside(traced: Trace, model: Traced, here: Numbers, program: _Program, rng: np.random.Generator) -> str:
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
    recording = traced.recording
    hints = [
        *(note for note in recording.notes if "plain" in note),
        *(f"{place}: a recorded number is read from text here" for place in recording.read),
        *(f"{place}: recorded numbers become text here" for place in recording.texts.values()),
    ]
    hint = f" ({hints[0]})" if hints else ""
    value = float("nan") if replay is None else float(replay.loss)
    return f"the recording has lost something: {where} it gives {value!r}, and the function {plain!r}{hint}"
