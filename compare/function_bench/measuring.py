"""All functions on one set of arguments: each begins alone, then all are verified, then the accepted ones are timed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from ...backends import RequestError
from ...backends.errors import DerivationError
from ..bench.worker import MIN_ROUND_SECONDS, WARM_UPS
from ..functions.recorded_function import Recorded
from ..functions.returned import Returned
from .alignment import DISAGREES, align
from .frameworks import JAX
from .recordings import Recordings
from .results import ACCEPTED, FAILED, FunctionMeasurement, FunctionTiming, refused_timing
from .separate_candidate import Case, SeparateCandidate, Settings, needs_float64
from .targets import Target
from .verification import Verification, verify

ANOTHER_CALL = "another call returns another answer: "


class Told(NamedTuple):
    """What is known of a function before it is timed.

    Attributes:
        framework: whose arrays it takes and returns; empty if that could not be told.
        dtypes: of its floating-point arguments, by how they are reached.
        failure: why it cannot be timed; empty if it can.
        sources: the digests of its file and of that of the arguments.
    """

    framework: str
    dtypes: Mapping[str, str]
    failure: str = ""
    sources: Mapping[str, str] = {}  # of a NamedTuple, and read only


def measure(
    targets: Sequence[Target],
    told: Mapping[str, Told],
    settings: Settings,
    case: Case,
    rounds: int,
    recordings: Recordings,
) -> FunctionMeasurement:
    """Verifies and times all functions on one set of arguments.

    Args:
        targets: the functions.
        told: what is known of each, by its name.
        settings: of the benchmark.
        case: the arguments.
        rounds: in each, every function is timed once, for at least 0.1 s, in an order that turns round.
        recordings: of the functions in NumPy.

    Returns:
        The times of those that are right, and why the others have none.
    """
    measuring = _Measuring({target.name: target for target in targets}, told, settings, case, recordings)
    with ExitStack() as stack:
        answers = measuring.begin(stack)
        verification = measuring.verify(answers)
        measuring.warm_up(answers)
        measuring.time(rounds)
        measuring.end(answers)
    timings = tuple(measuring.timings[target.name] for target in targets)
    return FunctionMeasurement(case, verification.how, verification.is_certified, timings, verification.notes)


class _Measuring:
    """The processes of all functions, and what is known of their times so far."""

    def __init__(
        self,
        targets: Mapping[str, Target],
        told: Mapping[str, Told],
        settings: Settings,
        case: Case,
        recordings: Recordings,
    ) -> None:
        self._targets, self._told, self._settings, self._case = targets, told, settings, case
        self._recordings = recordings
        self._recorded: dict[str, Recorded | str] = {}
        self._candidates: dict[str, SeparateCandidate] = {}
        self._seconds_of_call: dict[str, float] = {}
        self.timings: dict[str, FunctionTiming] = {}

    def begin(self, stack: ExitStack) -> dict[str, Returned]:
        """The answers of the first calls."""
        answers: dict[str, Returned] = {}
        for name, target in self._targets.items():
            framework, failure = self._told[name].framework, self._told[name].failure
            self.timings[name] = FunctionTiming(name, ACCEPTED, framework=framework)
            if failure:
                self._refuse(name, FAILED, failure)
                continue
            with self._failing(name):
                in_float64 = needs_float64(framework, self._dtypes(name))
                candidate = SeparateCandidate(target, self._settings, in_float64=in_float64)
                self._candidates[name] = stack.enter_context(candidate)
                prepare, first, answers[name] = candidate.begin(self._case, framework)
                self.timings[name] = replace(
                    self.timings[name],
                    import_seconds=candidate.import_seconds,
                    prepare_seconds=prepare,
                    first_seconds=first,
                )
        return answers

    def verify(self, answers: Mapping[str, Returned], prefix: str = "") -> Verification:
        """Refuses those that are wrong."""
        dtypes = {path: dtype for name in answers for path, dtype in self._dtypes(name).items()}
        aligned = align(answers, dtypes)
        recordable = [*self._recorded, *(name for name in self._recordings.names if name not in self._recorded)]
        record = partial(self._record, answers)
        verification = verify(aligned, recordable, record, lambda: self._spreads(aligned.names))
        for name, (verdict, reason) in verification.refused.items():
            self._refuse(name, verdict, prefix + reason)
        return verification

    def _record(self, answers: Mapping[str, Returned], name: str) -> Recorded | str:
        """The recording of a function, made once; or why there is none."""
        if name not in self._recorded:
            self._recorded[name] = self._recordings.record(name, self._case, answers[name])
        return self._recorded[name]

    def warm_up(self, answers: Mapping[str, Returned]) -> None:
        """Calls each some times more, and verifies what the last of these calls returned."""
        for name in self._accepted:
            with self._failing(name):
                for _ in range(WARM_UPS):
                    self._seconds_of_call[name], _ = self._candidates[name].average(1)
        self.end(answers)

    def time(self, rounds: int) -> None:
        """Times those that are accepted, in turn."""
        racing = self._accepted
        calls = {name: max(1, math.ceil(MIN_ROUND_SECONDS / self._seconds_of_call[name])) for name in racing}
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in racing}
        for number in range(rounds):
            for name in racing[:: 1 if number % 2 == 0 else -1]:  # none always comes after the same one
                if name in self._accepted:
                    with self._failing(name):
                        taken[name].append(self._candidates[name].average(calls[name]))
        for name in self._accepted:
            seconds, cores = zip(*taken[name], strict=True)
            self.timings[name] = replace(self.timings[name], calls=calls[name], seconds=seconds, cores=cores)

    def end(self, answers: Mapping[str, Returned]) -> None:
        """Refuses whose last answer is another one than the first, or whose arguments are not as they were."""
        last: dict[str, Returned] = {}
        for name in self._accepted:
            with self._failing(name):
                memory, changed, last[name] = self._candidates[name].end()
                self.timings[name] = replace(self.timings[name], memory=memory)
                if changed:
                    what = ", ".join(changed)
                    reason = f"it changes its arguments: {what}, so that no two calls compute the same"
                    self._refuse(name, DISAGREES, reason)
        if any(not _is_same(answer, answers[name]) for name, answer in last.items()):
            others = {name: last.get(name, answer) for name, answer in answers.items() if name in self._accepted}
            self.verify(others, ANOTHER_CALL)

    @property
    def _accepted(self) -> list[str]:
        return [name for name, timing in self.timings.items() if timing.verdict == ACCEPTED]

    def _dtypes(self, name: str) -> dict[str, str]:
        """Of the floating-point arguments of a function, by how they are reached."""
        return {path: self._case.dtype or dtype for path, dtype in self._told[name].dtypes.items()}

    def _refuse(self, name: str, verdict: str, reason: str) -> None:
        self.timings[name] = refused_timing(self.timings[name], verdict, reason)

    @contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        """A function that fails while this is entered has no times, and the reason is kept."""
        try:
            yield
        except (DerivationError, RequestError) as error:
            self._refuse(name, FAILED, str(error))

    def _spreads(self, names: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, float]]:
        """How far functions are from themselves between float32 and float64, by the common names of their gradients."""
        found: dict[str, dict[str, float]] = {}
        for name, common in names.items():
            framework = self._told[name].framework
            with suppress(DerivationError, RequestError):
                with SeparateCandidate(self._targets[name], self._settings, in_float64=framework == JAX) as candidate:
                    spread = candidate.rounding(self._case, framework)
                found[name] = {common.get(own, own): value for own, value in spread.items()}
        return found


def _is_same(one: Returned, other: Returned) -> bool:
    """Whether two answers are equal to the last bit."""
    if one.gradients.keys() != other.gradients.keys() or one.loss.tobytes() != other.loss.tobytes():
        return False
    return all(np.array_equal(array, other.gradients[name]) for name, array in one.gradients.items())
