"""A person's function, and where it is wrong: in its forward pass, and in its way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from ...backends import get_backend
from ...backends.errors import DerivationError
from ...backends.models.traced import Traced
from ...backends.tracing.recorder import NotRecordableError
from ..jobs import StageProgress
from ..localization import (
    MOST_OPERATIONS,
    NEAR,
    ForwardFindings,
    Localization,
    Located,
    LossRepairs,
    RightAnswer,
    WrittenProgram,
    after_change,
    explained,
    findings_of,
    in_words,
    loss_repairs,
    search,
    with_copies,
)
from ..localization.findings import Search
from .recorded_function import Recorded, RecordedFunction, Setting
from .recorded_loss import float_paths

MOVED = 0.3  # of the size of an array, to ask at other numbers
SAME_LOSS = 1e-4  # by which the gradients of two losses may differ that are one in two writings


class Searched(NamedTuple):
    """What is found in a function's way back.

    Attributes:
        found: what is wrong.
        program: the whole run.
        elsewhere: what is wrong at other numbers; None if nothing is, or it fails there.
    """

    found: Search
    program: WrittenProgram
    elsewhere: Search | None


class OwnFunction(RecordedFunction):
    """A function, the arguments that it is asked with, and what defines the right answer; see `RecordedFunction`."""

    def locate(
        self, setting: Setting, progress: StageProgress = lambda stage: None, change: Located | None = None
    ) -> Localization:
        """Where its way back is wrong, at a setting that was recorded.

        Args:
            setting: which arguments.
            progress: is called with what is being done.
            change: of the forward pass, after which its loss is the right one, see `loss_repairs`.

        Returns:
            The places, by experiments on its way back; where these do not put all right, by what gives the gradients
            that it returns, if that is found.
        """
        searched = self.searched(setting, progress, change)
        found = Localization() if searched is None else in_words(*searched)
        if change:
            return replace(found, is_whole=found.is_whole or (searched is not None and not searched.found.left))
        if found.is_whole:
            return found
        forward = self._by_forward_pass(setting, progress)  # it gives all of the gradients, or nothing
        return Localization(forward=forward, precision=found.precision, is_whole=True) if forward else found

    def searched(
        self, setting: Setting, progress: StageProgress = lambda stage: None, change: Located | None = None
    ) -> Searched | None:
        """What is found in its way back, and its whole run, at a setting that was recorded.

        Args:
            setting: which arguments.
            progress: is called with what is being done.
            change: see `locate`.

        Returns:
            Both, and what is found at other numbers; None where it cannot be recorded, does too much, or its own loss
            is not the right one.
        """
        program = self._written_program(setting, change=change)
        if program is None or not (change or self._is_of_right_loss(program, self._recorded[setting])):
            return None
        found, elsewhere = search(program, progress), None
        if found.findings:
            progress("looking for the line at other numbers")
            other = self._written_program(setting, self._other_numbers(setting), change)
            elsewhere = search(other, progress) if other else None
        return Searched(found, program, elsewhere)

    def _other_numbers(self, setting: Setting) -> dict[str, np.ndarray]:
        """By the path, other numbers for what is differentiated by, of the same size, and none of them special."""
        recorded, rng = self._recorded[setting], np.random.default_rng(0)
        moved = {}
        for name, path in recorded.paths.items():
            array = recorded.problem.params[name]
            size = float(np.sqrt((array.astype("f8") ** 2).mean())) if array.any() else 1.0
            moved[path] = (array + MOVED * size * rng.normal(size=array.shape)).astype(array.dtype)
        return moved

    def loss_repairs(self, setting: Setting, right: RightAnswer) -> LossRepairs:
        """The changes of one expression of its forward pass that give the right loss, see `loss_repairs`.

        Args:
            setting: which arguments; it was recorded.
            right: what it should return, by `dW` and so on.
        """
        program = self._written_program(setting)
        return LossRepairs() if program is None else loss_repairs(program, right)

    def _written_program(
        self, setting: Setting, values: Mapping[str, np.ndarray] | None = None, change: Located | None = None
    ) -> WrittenProgram | None:
        """Its whole run in float64, at other numbers, and after a change of its forward pass, if they are given.

        None where it cannot be recorded, returns no loss, or does too much.
        """
        recorded = self._recorded[setting]
        if not recorded.gives_loss:
            return None
        paths = {f"d{name}": path for name, path in recorded.paths.items()}
        with self._called_with(setting) if values is None else self._called_at(setting, values) as given:
            floats = [path for path in float_paths(given) if path in paths.values()]
            try:
                read = partial(self._loss_and_gradients_in_floats, recorded)
                record = partial(WrittenProgram, self._function, given, read, paths, floats)
                program = record()
                if len(program.model.operations) > MOST_OPERATIONS:
                    return None
                program = with_copies(program, record, self._function)
            except (DerivationError, NotRecordableError):
                return None
        program = program.in_float64() if program.rounded_at else program
        return after_change(program, change) if change else program

    def _by_forward_pass(self, setting: Setting, progress: StageProgress) -> ForwardFindings:
        recorded = self._recorded[setting]
        assert isinstance(recorded.problem.model, Traced)
        if len(recorded.problem.model.operations) > MOST_OPERATIONS:
            return ForwardFindings()

        near = NEAR[recorded.problem.dtype]

        def ask(numbers: Mapping[str, np.ndarray], loss: float) -> dict[str, np.ndarray] | None:
            values = {path: numbers[name] for name, path in recorded.paths.items()}
            try:
                with self._called_at(setting, values) as given:
                    returned = self._call(given)
            except DerivationError:
                return None
            if returned.loss is not None and not np.isclose(float(returned.loss.reshape(())), loss, rtol=near, atol=0):
                return None
            return {name: returned.gradients[one] for name, one in recorded.returned_as.items()}

        answer = self.answer(setting)
        if not np.isclose(answer.loss, recorded.loss, rtol=near, atol=0):  # the forward pass is wrong
            return ForwardFindings()
        return findings_of(explained(recorded.problem, answer.gradients, ask, progress))

    def _is_of_right_loss(self, program: WrittenProgram, recorded: Recorded) -> bool:
        """Whether its own loss, by which the experiments judge, is the right one."""
        if self._definition is None:
            return True
        right = get_backend("tape").evaluate(recorded.problem).gradients
        return all(
            np.allclose(program.right[f"d{name}"], array, rtol=SAME_LOSS, atol=SAME_LOSS)
            for name, array in right.items()
        )
