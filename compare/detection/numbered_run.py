"""A detection run whose cases have numbers: judged here or by workers, in shards, and kept in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ...backends import RequestError
from ..jobs import CaseProgress, locked, open_journal
from ..localization import Localization
from ..output import environment
from ..workers import WHOLE, Death, Place, Served, Shard, crew, like
from .cases import CorrectCase, MistakeCase
from .checks import CheckResult
from .chosen_cases import Case, ChosenCases, label_of
from .log import DetectionLog, LoggedResult, Result, first_line, header_of, logged, read_detection_log
from .own_results import OwnResult
from .results import PART_OF, CorrectResult, Detection, MistakeResult
from .run import choose_checks, detection_of, judge, short_label

TIMEOUT = 600.0  # seconds for one case


def run_detection(
    chosen: ChosenCases,
    cases: Sequence[Case],
    checks: Sequence[str] = (),
    *,
    log: Path | None = None,
    shard: Shard = WHOLE,
    place: Place | None = None,
    timeout: float = TIMEOUT,
    progress: CaseProgress = lambda label, done: None,
) -> Detection:
    """Asks every check about every case, except for those whose results are in the log.

    Args:
        chosen: what is shown.
        cases: what `chosen.cases()` returned.
        checks: names of `CHECKS`; all that are installed if there are none.
        log: a file that is written as results come, and continued if it is there.
        shard: a part of the cases; all of them if it is not given.
        place: where the cases are judged; None means in this process.
        timeout: the seconds that one case may take elsewhere.
        progress: is called with a case's label, and how many cases are done.

    Returns:
        The verdict of every check on every case, or on those of the shard.

    Raises:
        RequestError: there is no such check, or one that was named is not installed, or none is; or the log is of
            another run or none at all, or another process writes it.
    """
    started = time.perf_counter()
    names, notes = choose_checks(checks)
    header = header_of(chosen, names, str(shard))
    with locked(log):
        known = read_detection_log(log, header, cases) if log else DetectionLog({}, 0)
        results = dict(known.results)
        left = [number for number in range(len(cases)) if shard.has(number) and number not in results]
        if left or not known.whole_bytes:
            work = _answered(left, cases, chosen, names, place if left else None, timeout, progress, len(results))
            with work as (found, answers):
                begun = first_line(header, len(cases), found)
                with open_journal(log, known.whole_bytes, begun) as write:
                    for number, result in answers:
                        results[number] = result
                        write(result.as_json())
                        progress(short_label(cases[number]), len(results))
    ordered = [results[number].result for number in sorted(results)]
    return detection_of(ordered, names, notes, time.perf_counter() - started)


Answers = Iterator[tuple[int, LoggedResult]]


@contextmanager
def _answered(
    numbers: Sequence[int],
    cases: Sequence[Case],
    chosen: ChosenCases,
    checks: tuple[str, ...],
    place: Place | None,
    timeout: float,
    progress: CaseProgress,
    done: int,
) -> Iterator[tuple[Mapping[str, Any], Answers]]:
    """The environment in which cases are judged, and their results as they come."""
    if place is None:

        def judged() -> Answers:
            for earlier, number in enumerate(numbers, start=done):
                progress(short_label(cases[number]), earlier)
                yield number, logged(number, cases[number], judge(cases[number], checks))

        yield environment(), judged()
        return
    progress("starting", done)
    work = crew(partial(serve, chosen, checks), place, timeout=timeout, check=like(environment()))
    with work as workers, closing(workers.answers((number,) for number in numbers)) as answers:
        found = workers.environment or environment()
        yield found, ((number, _result(number, answer, cases[number], checks)) for number, answer in answers)


def serve(chosen: ChosenCases, checks: Sequence[str]) -> Served:
    """What judges the cases of a run in a worker's process.

    Args:
        chosen: what is shown.
        checks: the names of the checks.

    Returns:
        What gives the result of a number.
    """
    cases = chosen.cases()
    return Served(environment(), lambda number: logged(number, cases[number], judge(cases[number], checks)))


def _result(number: int, answer: LoggedResult | Death, case: Case, checks: Sequence[str]) -> LoggedResult:
    if isinstance(answer, Death):
        return logged(number, case, _failed(case, CheckResult("failed", answer.reason), checks))
    if answer.case != label_of(case):
        raise RequestError(f"a worker has another case {number}: {answer.case}, expected {label_of(case)}")
    return answer


def _failed(case: Case, failed: CheckResult, checks: Sequence[str]) -> Result:
    verdicts = dict.fromkeys(checks, failed)
    if isinstance(case, MistakeCase):
        name = case.mistake.name
        return MistakeResult(PART_OF[name], name, case.variant.words, case.system, case.small, verdicts)
    if isinstance(case, CorrectCase):
        return CorrectResult(case.kind, case.system, case.seed, verdicts)
    edit = (case.slip.kind, case.slip.line, case.slip.was, case.slip.now) if case.slip else ("", 0, "", "")
    return OwnResult(case.program, *edit, failed, "not named", False, Localization(), (), 0.0)
