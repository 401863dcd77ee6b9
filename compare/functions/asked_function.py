"""A person's function as it is asked: here or in a process of its own, and behind the interface of a backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ...backends import Evaluation, Problem
from ..check.user_function import Derivation
from ..jobs import StageProgress
from ..localization import Localization, Located, LossRepairs, RightAnswer
from .recorded_function import Recorded, Setting


class AnyFunction(Protocol):
    """An `OwnFunction`, here or in a process of its own.

    Attributes:
        name: of the function.
        stopped: why the last call has no answer, if the process that it runs in died of it.
        timed_out: whether a call took too long.
        output: what it printed, where that is held apart.
    """

    name: str
    stopped: str
    timed_out: bool
    output: str

    def record(self, setting: Setting) -> Recorded:
        """See `OwnFunction.record`."""

    def answer(self, setting: Setting) -> Evaluation:
        """See `OwnFunction.answer`."""

    def locate(
        self, setting: Setting, progress: StageProgress = lambda stage: None, change: Located | None = None
    ) -> Localization:
        """See `OwnFunction.locate`."""

    def loss_repairs(self, setting: Setting, right: RightAnswer) -> LossRepairs:
        """See `OwnFunction.loss_repairs`."""

    def rounding(self, setting: Setting) -> Mapping[str, float]:
        """See `OwnFunction.rounding`."""


class AskedFunction(Derivation):
    """A function at one setting, behind the interface of a backend."""

    def __init__(self, own: AnyFunction, setting: Setting) -> None:
        super().__init__(own.answer, own.name)
        self._own, self._setting = own, setting

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        try:
            return self._own.answer(self._setting)
        finally:
            self.stopped, self.timed_out = self._own.stopped, self._own.timed_out
