"""The recordings of the functions in NumPy, which say what is right, at each set of arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from ...backends import RequestError
from ...backends.errors import DerivationError, first_line
from ...backends.models import Traced
from ...backends.tracing.recorder import NotRecordableError
from ..functions.recorded_function import Recorded, Setting
from ..functions.returned import Returned
from ..functions.separate_function import SeparateFunction
from .process import SEED
from .separate_candidate import Case, Settings
from .targets import Target

MOST_OPERATIONS = 20_000  # of a recording that is compared with: more take minutes
MOST_NUMBERS = 3_000_000


class Recordings:
    """Records functions in processes of their own. It is a context."""

    def __init__(self, targets: Mapping[str, Target], settings: Settings) -> None:
        """Starts nothing yet.

        Args:
            targets: the functions in NumPy, by their names.
            settings: of the benchmark.
        """
        self._targets, self._settings = dict(targets), settings
        self._stack = ExitStack()
        self._processes: dict[tuple[str, str], SeparateFunction] = {}
        self._work: dict[str, tuple[Case, float]] = {}  # the share of what is allowed that a recording took, and where

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    @property
    def names(self) -> list[str]:
        """The functions that may be recorded: none of them has failed to be."""
        return list(self._targets)

    def record(self, name: str, case: Case, answer: Returned) -> Recorded | str:
        """The recording of a function at some arguments, if it can be made and is not too large.

        Args:
            name: of the function.
            case: the arguments.
            answer: what it returned.

        Returns:
            The recording; or why there is none.
        """
        if self._expected_work(name, case) > 1:
            return f"it would be more than {MOST_OPERATIONS} operations"
        try:
            recorded = self._process(name, self._targets[name], case, answer).record(_setting(case, self._settings))
        except (DerivationError, NotRecordableError, RequestError) as error:
            del self._targets[name]
            return first_line(error).partition(": ")[2]
        model = recorded.problem.model
        assert isinstance(model, Traced)
        work = max(len(model.operations) / MOST_OPERATIONS, sum(model.sizes.values()) / MOST_NUMBERS)
        self._work[name] = case, work
        return (
            recorded
            if work <= 1
            else f"it has {len(model.operations)} operations, and at most {MOST_OPERATIONS} are compared with"
        )

    def _expected_work(self, name: str, case: Case) -> float:
        """The share of what is allowed, if it grows as the sizes do; 0 if nothing is known yet.

        Of a function that was not recorded before it is taken to be that of another one.
        """
        if not self._work:
            return 0.0
        before, work = self._work.get(name) or next(iter(self._work.values()))
        earlier = dict(before.sizes)
        return work * math.prod(size / earlier[size_name] for size_name, size in case.sizes if size_name in earlier)

    def _process(self, name: str, target: Target, case: Case, answer: Returned) -> SeparateFunction:
        if (name, case.dtype) not in self._processes:
            returns = self._settings.returns
            is_row = returns is not None and answer.gradients.keys() <= set(returns)
            self._processes[name, case.dtype] = self._stack.enter_context(
                SeparateFunction(
                    target.path,
                    arguments=self._settings.arguments,
                    returns=returns if is_row else None,
                    dtype=case.dtype,
                    timeout=self._settings.timeout,
                )
            )
        return self._processes[name, case.dtype]


def _setting(case: Case, settings: Settings) -> Setting:
    seed = None if settings.arguments.endswith(".npz") else SEED
    return Setting(case.label, seed, case.sizes)
