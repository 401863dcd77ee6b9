"""The page of a test run: every comparison that its tests made, gathered from all processes."""

from __future__ import annotations

import base64
import pickle
import shlex
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ...backends import RequestError
from ..check import Check
from ..check.report import TONES as CHECK_TONES
from ..check.report import check_parts
from ..check.wording import VERDICT_WORDS
from ..referee import Comparison
from ..referee.report import TONES, case_part, comparison_parts
from ..report import (
    Column,
    Copyable,
    Fold,
    Mark,
    Page,
    Part,
    Prose,
    Section,
    Table,
    require_report,
    worst_tone,
    write_report,
)
from ..report.origin import environment_section, made_by
from .catalogue_problems import refused_as

ATTRIBUTE = "gradparity_records"  # of a test's report, which pytest-xdist carries to the main process
RECORDS = pytest.StashKey["list[Record]"]()
MOST_DETAILED = 40


@dataclass(frozen=True)
class Record:
    """What came of one comparison in a test.

    Attributes:
        test: the test's id.
        kind: `assert_agree`, `assert_gradients` or `check_derivation`.
        subject: what was compared, and on what.
        verdict: with how it was shown.
        details: the parts that show what is not right; none of an agreement.
        outcome: of the test, such as `passed`.
    """

    test: str
    kind: str
    subject: str
    verdict: Mark
    details: tuple[Part, ...] = ()
    outcome: str = ""


def record_comparison(comparison: Comparison, test: str, kind: str) -> Record:
    """What a page keeps of a comparison of backends."""
    subject = f"{', '.join(comparison.answers) or 'nobody'} on {comparison.problem.summary}"
    verdict = Mark(comparison.verdict, TONES[comparison.verdict], comparison.strength)
    if comparison.verdict == "agree":
        return Record(test, kind, subject, verdict)
    case = case_part(comparison.problem, f"case-{comparison.problem.fingerprint[:12]}.npz")
    return Record(test, kind, subject, verdict, (*comparison_parts(comparison), case))


def record_check(check: Check, test: str, kind: str) -> Record:
    """What a page keeps of a check of a function."""
    verdict = Mark(VERDICT_WORDS[check.verdict], CHECK_TONES[check.verdict])
    problems = f"{len(check.asked)} problem{'s' if len(check.asked) > 1 else ''}"
    details = check_parts(check) if check.worst else ()
    return Record(test, kind, f"{check.name} on {check.network}, {problems}", verdict, tuple(details))


def keep(item: pytest.Item, result: Comparison | Check, kind: str) -> None:
    """Keeps what came of a comparison with its test, until the test's report is made."""
    if isinstance(result, Comparison):
        record = record_comparison(result, item.nodeid, kind)
    else:
        record = record_check(result, item.nodeid, kind)
    item.stash.setdefault(RECORDS, []).append(record)


class RunReport:
    """The hooks that gather the comparisons of a run, and write the page when it ends.

    Attributes:
        path: the file.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Checks that the file can be written, before anything is collected.

        Raises:
            UsageError: it cannot.
        """
        option = config.getoption("gradparity_report")
        with refused_as(lambda message: pytest.UsageError(f"--gradparity-report {message}")):
            require_report(config.invocation_params.dir / option)
        self.path = Path(option)
        self._written_from = config.invocation_params.dir
        self._is_worker = hasattr(config, "workerinput")  # of pytest-xdist, whose main process writes
        self._records: list[Record] = []
        self._line = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Gives the records of a test to its report, in a form that can be sent to another process."""
        report = yield
        records = item.stash.get(RECORDS, None)
        if records:
            setattr(report, ATTRIBUTE, base64.b64encode(pickle.dumps(records)).decode("ascii"))
            item.stash[RECORDS] = []
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes the records out of a report."""
        packed = "" if self._is_worker else getattr(report, ATTRIBUTE, "")
        if packed:
            outcome = _outcome(report)
            self._records += [replace(record, outcome=outcome) for record in pickle.loads(base64.b64decode(packed))]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Writes the page; a run whose page cannot be written does not end with code 0."""
        if self._is_worker:
            return
        count = len(self._records)
        try:
            page = run_page(self._records, session.config.invocation_params.args)
            write_report(self._written_from / self.path, page)
        except RequestError as error:
            self._line = f"gradparity, no report: {error}"
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        else:
            self._line = f"gradparity, report of {count} comparison{'' if count == 1 else 's'}: {self.path}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Says where the page is."""
        terminalreporter.write_line(self._line)


def _outcome(report: pytest.TestReport) -> str:
    if not hasattr(report, "wasxfail"):
        return report.outcome
    return "passed, which was not expected" if report.passed else "failed, as expected"


def run_page(records: Sequence[Record], arguments: Iterable[str]) -> Page:
    """The page of the records of a run.

    Args:
        records: in the order in which tests ended.
        arguments: of pytest.

    Returns:
        The page; of the comparisons that are no agreement, the first forty in full.
    """
    counts = Counter(record.verdict.word for record in records)
    tests = len({record.test for record in records})
    words = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    verdict = f"{len(records)} comparisons in {tests} tests: {words}" if records else "no comparison was made"
    tone = worst_tone(record.verdict.tone for record in records)
    sections: list[Part] = [Section("Comparisons", (_table(records),))]
    wrong = [record for record in records if record.details]
    if wrong:
        parts = [
            Fold(
                f"{record.test}: {record.verdict.word}",
                (Prose(record.subject), Copyable(again(record.test), "This test again"), *record.details),
                number == 0,
            )
            for number, record in enumerate(wrong[:MOST_DETAILED])
        ]
        more = len(wrong) - MOST_DETAILED
        sections.append(Section("What is not right", (*parts, *([Prose(f"… and {more} more.")] if more > 0 else []))))
    asked = Prose(f"`{shlex.join(['pytest', *map(str, arguments)])}`")
    sections += [Section("What was run", (asked,)), environment_section()]
    return Page("gradparity in pytest", Mark(verdict, tone), tuple(sections), made_by())


def again(test: str) -> str:
    """The line that runs a test alone.

    Example:
        >>> again("test_layers.py::test_mine[lstm-float32-0]")
        "pytest 'test_layers.py::test_mine[lstm-float32-0]'"
    """
    return shlex.join(["pytest", test])


def _table(records: Sequence[Record]) -> Table:
    rows = tuple(
        (record.test, record.verdict, record.outcome, record.subject, record.kind)
        for record in sorted(records, key=lambda record: (record.test, record.subject))
    )
    return Table("Each comparison", tuple(map(Column, ("test", "verdict", "the test", "of", "by"))), rows)
