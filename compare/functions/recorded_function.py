"""A person's function: what it returns, and the recording of the loss that says what is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ...backends import Evaluation, Problem
from ...backends.errors import DerivationError, describe_error
from ...backends.models.traced import ENTRY_DTYPES
from ...backends.tracing.array import as_recorded
from ...backends.tracing.exchange import exchanged
from ...backends.tracing.trace import call, changes_of
from .calls import Function, arguments_for, name_of
from .matching import is_named_after, match
from .own_rounding import own_rounding
from .recorded_loss import TracedLoss
from .recording_notes import notes_on
from .returned import Returned, in_numpy, mapped, read_returned


@dataclass(frozen=True)
class Setting:
    """What a function is asked, in plain values.

    Attributes:
        name: to be shown, such as `as given`, `seed 0` or `W times 30`.
        seed: of the arguments that are drawn; None of given ones.
        sizes: to draw them in, by name, in place of the usual ones.
        change: what is done to the arrays that are differentiated by: a name in `CHANGES`; empty if nothing is.
        array: the only one of them that is changed; empty if all are.
    """

    name: str
    seed: int | None = None
    sizes: tuple[tuple[str, int], ...] = ()
    change: str = ""
    array: str = ""


class Recorded(NamedTuple):
    """The loss that says what is right, at the arguments of a setting.

    Attributes:
        problem: the recording, and the arrays that it is differentiated by.
        paths: by the names that these have in the problem, how the definition reaches them.
        returned_as: by the same names, how the function calls their gradients.
        loss: its value.
        gives_loss: whether the function returned a loss of its own.
        notes: what is to be said of the recording.
    """

    problem: Problem
    paths: Mapping[str, str]
    returned_as: Mapping[str, str]
    loss: float
    gives_loss: bool
    notes: tuple[str, ...]


def _zeros(array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    changed.reshape(-1)[::2] = 0
    return changed


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "every second number 0": _zeros,
    "times 4": lambda array: array * array.dtype.type(4),
    "times 30": lambda array: array * array.dtype.type(30),
}


class RecordedFunction:
    """A function, the arguments that it is asked with, and what defines the right answer.

    Attributes:
        name: of the function.
    """

    stopped = ""
    timed_out = False
    output = ""

    def __init__(
        self,
        function: Function,
        arguments: Callable[[Setting], Mapping[str, Any]],
        *,
        definition: Function | None = None,
        wrt: Mapping[str, str] | None = None,
        returns: Sequence[str] | None = None,
    ) -> None:
        """Calls nothing yet.

        Args:
            function: which returns a loss and gradients; with a definition, it may return gradients alone.
            arguments: gives those of a setting, by the names of the parameters.
            definition: another program, whose loss is the right one; None if it is the function's own.
            wrt: see `match`.
            returns: see `read_returned`.
        """
        self.name = name_of(function)
        self._function, self._arguments, self._definition = function, arguments, definition
        self._wrt, self._returns = wrt, returns
        self._recorded: dict[Setting, Recorded] = {}

    def record(self, setting: Setting) -> Recorded:
        """Records the loss at a setting, and makes sure that the recording can be trusted.

        Args:
            setting: which arguments.

        Returns:
            The recording, as a problem.

        Raises:
            NotRecordableError: the loss cannot be followed.
            DerivationError: the function fails, its loss is not finite, or it is not clear what it returned.
        """
        with self._called_with(setting) as given:
            returned = self._call(given)
            changed = changes_of(self._function, given)
            traced = TracedLoss(*self._defining(given), self._loss)
            _require_floats(returned, given, self._wrt or {})
            shapes = {name: array.shape for name, array in returned.gradients.items()}
            paths = match(
                shapes,
                traced.shapes,
                self._wrt,
                arguments=traced.arguments,
                needed=traced.needed,
                aliases=traced.aliases,
            )
            recording = traced.as_problem(paths)
        names = recording.names
        recorded = Recorded(
            recording.problem,
            {names[name]: path for name, path in paths.items()},
            {names[name]: name for name in paths},
            recording.loss,
            returned.loss is not None,
            notes_on(recording, changed, returned),
        )
        self._recorded[setting] = recorded
        return recorded

    def answer(self, setting: Setting) -> Evaluation:
        """What the function returns at a setting that was recorded, by the names of the problem's arrays.

        Raises:
            DerivationError: it fails.
        """
        recorded = self._recorded[setting]
        with self._called_with(setting) as given:
            returned = self._call(given)
        gradients = {
            name: _narrowed(returned.gradients[one], recorded.problem.params[name].dtype)
            for name, one in recorded.returned_as.items()
        }
        loss = recorded.loss if returned.loss is None else float(returned.loss.reshape(()))
        return Evaluation(loss, gradients, None)

    def rounding(self, setting: Setting) -> dict[str, float]:
        """How far rounding in its own formulas moves what it returns at a setting that was recorded.

        Returns:
            By the quantity, such as `dW`; nothing if that cannot be measured.
        """
        recorded = self._recorded[setting]

        def read(value: Any) -> dict[str, Any]:
            loss, gradients = self._loss_and_gradients(recorded, value)
            return gradients if loss is None else {"loss": loss} | gradients

        with self._called_with(setting) as given:
            defines_loss = self._definition is None
            return own_rounding(self._function, given, read, recorded.problem.dtype, defines_loss=defines_loss)

    @contextmanager
    def _called_with(self, setting: Setting) -> Iterator[Mapping[str, Any]]:
        """The arguments of a setting. Given ones are afterwards as they were."""
        given = self._arguments(setting)
        if not setting.change:
            yield given
            return
        ordinary = next(iter(self._recorded.values()))
        changed = {
            path: CHANGES[setting.change](np.asarray(ordinary.problem.params[name]))
            for name, path in ordinary.paths.items()
            if setting.array in ("", name)
        }
        with self._with_values(given, changed) as made:
            yield made

    @contextmanager
    def _called_at(self, setting: Setting, values: Mapping[str, np.ndarray]) -> Iterator[Mapping[str, Any]]:
        """The arguments of a setting, with other numbers in the arrays that are differentiated by."""
        with self._called_with(replace(setting, change="")) as given, self._with_values(given, values) as made:
            yield made

    @contextmanager
    def _with_values(self, given: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        with exchanged(*self._defining(given), None, tuple(values), values) as (_, made):
            yield made if self._definition is None else given

    def _defining(self, given: Mapping[str, Any]) -> tuple[Function, Mapping[str, Any]]:
        """The program whose loss is the right one, and what it is called with."""
        if self._definition is None:
            return self._function, given
        return self._definition, arguments_for(self._definition, given)

    def _call(self, given: Mapping[str, Any]) -> Returned:
        """One call, with the results in NumPy, in arrays of their own."""
        try:
            value = call(self._function, given)
        except (Exception, SystemExit) as error:
            raise DerivationError(f"it raised {describe_error(error)}") from error
        returned = mapped(in_numpy, read_returned(value, self._returns, needs_loss=self._definition is None))
        if returned.loss is not None and returned.loss.size != 1:
            raise DerivationError(f"its loss has shape {returned.loss.shape}, expected one number")
        return returned

    def _loss_and_gradients(self, recorded: Recorded, value: Any) -> tuple[Any, dict[str, Any]]:
        """The loss, if there is one, and the gradients in what the function returned, by the quantities: `dW`, …."""
        returned = read_returned(value, self._returns, needs_loss=self._definition is None)
        if missing := [one for one in recorded.returned_as.values() if one not in returned.gradients]:
            raise DerivationError(f"it returned no {missing[0]}, as it did when it was called first")
        return returned.loss, {f"d{name}": returned.gradients[one] for name, one in recorded.returned_as.items()}

    def _loss_and_gradients_in_floats(self, recorded: Recorded, value: Any) -> tuple[Any, dict[str, Any]]:
        """The same, of a recorded run, whose gradients depend on no argument where they are whole numbers."""
        loss, gradients = self._loss_and_gradients(recorded, value)
        for name, gradient in gradients.items():
            dtype = as_recorded(gradient).numbers.dtype
            if dtype not in ENTRY_DTYPES:
                raise DerivationError(f"{name} is of {dtype}")
        return loss, gradients

    def _loss(self, value: Any) -> Any:
        """The loss in what the program that defines it returned."""
        if self._definition is None:
            return read_returned(value, self._returns).loss
        return value[0] if isinstance(value, tuple) else value


def _require_floats(returned: Returned, given: Mapping[str, Any], wrt: Mapping[str, str]) -> None:
    """Refuses a gradient that has the name of an argument that cannot be differentiated by."""
    for name in returned.gradients:
        for path, value in given.items():
            dtype = getattr(value, "dtype", None)
            if name in wrt or not is_named_after(name, path) or dtype is None:
                continue
            if type(value) is not np.ndarray:
                kind = f"{type(value).__module__}.{type(value).__name__}"
                raise DerivationError(f"{path} is a {kind}, expected np.ndarray: {name} is its gradient")
            if dtype not in ENTRY_DTYPES:
                expected = "expected float64 or float32"
                raise DerivationError(f"{path} is of {dtype}, {expected}: {name} is its gradient")


def _narrowed(gradient: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A gradient in the dtype of its array, if it came in a wider one."""
    is_wider = gradient.dtype.kind == "f" and gradient.dtype.itemsize > dtype.itemsize
    return gradient.astype(dtype) if is_wider else gradient
