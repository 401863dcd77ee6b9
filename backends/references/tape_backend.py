"""Recorded functions in NumPy: reverse mode over the recording, by gradparity's own rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..interface import Evaluation
from ..models import Model, Traced
from ..problems import Problem
from ..tracing.replay import Replay
from ..tracing.trace import arguments_of


class TapeBackend:
    """The tape: the recorded operations carried out again, and back by `tracing.primitives`."""

    name = "tape"

    def supports(self, model: Model, dtype: str) -> str:
        return "" if isinstance(model, Traced) else "the tape differentiates recorded functions only"

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        model = problem.model
        assert isinstance(model, Traced)
        replay = Replay(model)
        with np.errstate(all="ignore"):
            replay.forward(arguments_of(problem))
            return Evaluation(replay.loss, replay.gradients(), None)

    def prepare(self, problem: Problem) -> Callable[[], tuple[float, Mapping[str, Any]]]:
        def run() -> tuple[float, Mapping[str, Any]]:
            answer = self.evaluate(problem)
            return answer.loss, answer.gradients

        return run
