"""The detection matrix as frozen results: what each check says of each case, and the rows of its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..mistakes import CHANGED_ANSWERS, CHANGED_PROBLEMS, GRU, LSTM, MISTAKES, ORDERED, PLAIN, READOUTS, TIME
from .checks import CheckResult
from .own_results import OwnResult

PARTS = {
    "plain cell": PLAIN,
    "time": TIME,
    "LSTM": LSTM,
    "GRU": GRU,
    "read-outs and losses": READOUTS,
    "ordered": ORDERED,
    "changed problems": CHANGED_PROBLEMS,
    "changed answers": CHANGED_ANSWERS,
}
PART_OF = {mistake.name: part for part, mistakes in PARTS.items() for mistake in mistakes}
OWN_CHECK = "gradparity"
MistakeOutcome = Literal["named", "among several", "not named", "missed"]
MISTAKE_OUTCOMES: tuple[MistakeOutcome, ...] = ("named", "among several", "not named", "missed")


@dataclass(frozen=True)
class MistakeResult:
    """What the checks say of a planted mistake.

    Attributes:
        part: of the catalogue.
        mistake: its name.
        variant: in words; empty if there is one.
        system: on which it was planted.
        small: whether the gradients were made small.
        verdicts: by the checks' names.
        suspects: what the diagnosis names first, if gradparity calls it wrong; each as `Suspect.mistakes`.
        named: whether the mistake is among these.
    """

    part: str
    mistake: str
    variant: str
    system: str
    small: bool
    verdicts: Mapping[str, CheckResult]
    suspects: tuple[tuple[str, ...], ...] = ()
    named: bool = False

    @property
    def label(self) -> str:
        """`sign (of all gradients), on elman-softmax, small gradients`."""
        return mistake_label(self.mistake, self.variant, self.system, small=self.small)

    @property
    def outcome(self) -> MistakeOutcome:
        """What gradparity makes of it: `missed`, or called wrong and `named` alone, `among several`, or `not named`."""
        if self.verdicts[OWN_CHECK].verdict != "wrong":
            return "missed"
        if not self.named:
            return "not named"
        return "named" if len(self.suspects) == 1 else "among several"


def mistake_label(mistake: str, variant: str, system: str, *, small: bool) -> str:
    """A planted mistake in words.

    Args:
        mistake: its name.
        variant: in words; empty if there is one.
        system: on which it was planted.
        small: whether the gradients were made small.

    Example:
        >>> mistake_label("sign", "of all gradients", "elman-softmax", small=True)
        'sign (of all gradients), on elman-softmax, small gradients'
    """
    words = f" ({variant})" if variant else ""
    return f"{mistake}{words}, on {system}{', small gradients' if small else ''}"


@dataclass(frozen=True)
class CorrectResult:
    """What the checks say of a right gradient.

    Attributes:
        kind: of problem.
        system: its name, or the model in words.
        seed: of the problem's numbers.
        verdicts: by the checks' names.
    """

    kind: str
    system: str
    seed: int
    verdicts: Mapping[str, CheckResult]


@dataclass(frozen=True)
class Detection:
    """The detection matrix.

    Attributes:
        planted: every mistake that was planted.
        correct: every gradient that is right.
        checks: the names of the checks.
        notes: on checks that are not installed.
        seconds: how long it took.
        own: what gradparity says of slips in programs of our own.
    """

    planted: tuple[MistakeResult, ...]
    correct: tuple[CorrectResult, ...]
    checks: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float
    own: tuple[OwnResult, ...] = ()

    def rows(self, by: str = "part") -> list[dict[str, Any]]:
        """How much was planted, detected and named.

        Args:
            by: `part` for a row for each part of the catalogue, `mistake` for one for each mistake.

        Returns:
            Rows of pairs: the count on ordinary gradients, and on small ones.
        """
        groups: dict[str, list[MistakeResult]] = {}
        for result in self.planted:
            groups.setdefault(getattr(result, by), []).append(result)
        order = PARTS if by == "part" else [mistake.name for mistake in MISTAKES]
        return [{by: key, **self._counts(groups[key])} for key in order if key in groups]

    def by_system(self) -> dict[tuple[str, str], Counter[MistakeOutcome]]:
        """What gradparity makes of every mistake on every system on which it was planted: how often it is which.

        Returns:
            By the names of mistake and system.
        """
        found: dict[tuple[str, str], Counter[MistakeOutcome]] = {}
        for result in self.planted:
            if OWN_CHECK in result.verdicts:
                found.setdefault((result.mistake, result.system), Counter())[result.outcome] += 1
        return found

    def total_row(self) -> dict[str, Any]:
        """The row of all parts together."""
        return {"part": "all", **self._counts(self.planted)}

    def _counts(self, planted: Sequence[MistakeResult]) -> dict[str, tuple[int, int]]:
        """Of these, on ordinary and on small gradients: how many there are, and how many each check detects."""
        by_size = [[result for result in planted if result.small is small] for small in (False, True)]
        counts: dict[str, Any] = {"planted": tuple(map(len, by_size))}
        for check in self.checks:
            counts[check] = tuple(
                sum(result.verdicts[check].verdict == "wrong" for result in results) for results in by_size
            )
        if OWN_CHECK in self.checks:
            counts["named"] = tuple(sum(result.named for result in results) for results in by_size)
        return counts

    def correct_rows(self) -> list[dict[str, Any]]:
        """One row for each kind of problem: how many right gradients there are, and each check's verdicts on them."""
        kinds = dict.fromkeys(result.kind for result in self.correct)
        return [self._correct_row(kind, [result for result in self.correct if result.kind == kind]) for kind in kinds]

    def total_correct_row(self) -> dict[str, Any]:
        """The row of all kinds together."""
        return self._correct_row("all", self.correct)

    def _correct_row(self, kind: str, results: Sequence[CorrectResult]) -> dict[str, Any]:
        verdicts = {check: dict(Counter(result.verdicts[check].verdict for result in results)) for check in self.checks}
        return {"kind": kind, "correct": len(results), **verdicts}

    @property
    def has_catalogue(self) -> bool:
        """Whether anything but programs of our own was shown."""
        return bool(self.planted or self.correct)

    @property
    def mistakes(self) -> int:
        """How many mistakes were planted, each counted once."""
        return len({result.mistake for result in self.planted})

    @property
    def detected(self) -> dict[str, int]:
        """How many planted mistakes each check calls wrong."""
        total = self.total_row()
        return {check: sum(total[check]) for check in self.checks}

    @property
    def false_positives(self) -> dict[str, int]:
        """How many right gradients each check calls wrong."""
        total = self.total_correct_row()
        return {check: total[check].get("wrong", 0) for check in self.checks}

    @property
    def missed(self) -> list[MistakeResult]:
        """The mistakes that gradparity does not call wrong."""
        judged = [result for result in self.planted if OWN_CHECK in result.verdicts]
        return [result for result in judged if result.verdicts[OWN_CHECK].verdict != "wrong"]

    @property
    def unnamed(self) -> list[MistakeResult]:
        """The mistakes that gradparity calls wrong, and gives another name, or none."""
        judged = [result for result in self.planted if OWN_CHECK in result.verdicts]
        return [result for result in judged if result.verdicts[OWN_CHECK].verdict == "wrong" and not result.named]

    @property
    def own_false_positives(self) -> list[CorrectResult]:
        """The right gradients that gradparity calls wrong, or fails on."""
        judged = [result for result in self.correct if OWN_CHECK in result.verdicts]
        return [result for result in judged if result.verdicts[OWN_CHECK].verdict in ("wrong", "failed")]

    @property
    def own_faults(self) -> list[OwnResult]:
        """The programs of our own whose slip gradparity misses, or of which it says what is not so."""
        return [result for result in self.own if result.is_fault]

    @property
    def failures(self) -> dict[str, str]:
        """Of each check that raised an exception: how often, and the first one."""
        failures = {}
        for check in self.checks:
            verdicts = [result.verdicts for result in self.planted] + [result.verdicts for result in self.correct]
            errors = [by_check[check].error for by_check in verdicts if by_check[check].verdict == "failed"]
            if errors:
                failures[check] = f"raised an exception {len(errors)} times, first {errors[0]}"
        return failures

    @property
    def all_notes(self) -> list[str]:
        """On the checks: those that are not installed, or raised an exception."""
        return [*self.notes, *(f"{check} {error}" for check, error in self.failures.items())]
