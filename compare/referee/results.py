"""What a comparison found: frozen values, and the rows that every rendering is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ...backends import Evaluation, Problem
from ..answers import QuantityName, Training, Trajectory
from ..mistakes import Diagnosis

Verdict = Literal["agree", "disagree", "undecidable"]
WORST_FIRST: tuple[Verdict, ...] = ("disagree", "undecidable", "agree")
Pair = tuple[str, str]
Kind = Literal["error", "names", "shape", "dtype", "non-finite", "mutation"]


@dataclass(frozen=True)
class Failure:
    """An answer that was refused before its values were compared.

    Attributes:
        backend: who answered.
        kind: the first check that failed, in the order of `Kind`.
        message: what is wrong, where, and what was expected.
    """

    backend: str
    kind: Kind
    message: str


@dataclass(frozen=True)
class Truth:
    """What a certificate says of one block.

    Attributes:
        scale: the magnitude of the largest exact entry.
        error: how far each backend is at most, as an upper bound.
        error_ulp: the same in units in the last place of `scale`.
        wrong: the backends that are further from the truth than rounding explains.
        rounding_dominated: rounding can spoil this block; so an error up to a small part of it is allowed.
        spoilt: the backends whose error is larger than that there.
    """

    scale: float
    error: dict[str, float]
    error_ulp: dict[str, float]
    wrong: tuple[str, ...]
    rounding_dominated: bool
    spoilt: tuple[str, ...]


@dataclass(frozen=True)
class BlockResult:
    """The judgement on one block.

    Attributes:
        quantity: what it is a part of: `loss`, `o_t`, `dU`, `dh_t` …
        block: its own name: `loss`, `o_3`, `dU` (or of a gate `dU_i`), `dh_3` …
        verdict: of this block.
        scale: the largest entry's magnitude.
        spread: how far rounding alone moved the block.
        allowed: how far two correct answers may differ.
        difference: the largest difference between two answers.
        between: the two backends that differ the most.
        index: where they do, as an index into the quantity's array.
        groups: the backends in groups that agree among themselves, the largest first.
        distance_ulp: how far each backend is from the median of all, in units in the last place of `scale`.
        likely_cause: the simple mistake that turns one of the two answers into the other; or empty.
        truth: with a certificate, how far each backend is from the truth.
    """

    quantity: QuantityName
    block: QuantityName
    verdict: Verdict
    scale: float
    spread: float
    allowed: float
    difference: float
    between: Pair
    index: tuple[int, ...]
    groups: tuple[tuple[str, ...], ...]
    distance_ulp: dict[str, float]
    likely_cause: str = ""
    truth: Truth | None = None

    @property
    def name(self) -> str:
        """The quantity's name."""
        return str(self.quantity)

    @property
    def label(self) -> str:
        """The block's name."""
        return str(self.block)

    @property
    def step(self) -> int | None:
        """The time step t, counted from 1 as in the equations; None where there is none."""
        return self.block.step

    @property
    def outliers(self) -> tuple[str, ...]:
        """The backends that are wrong, if that is certified; else those outside the majority, if there is one."""
        if self.truth:
            return self.truth.wrong
        others = tuple(name for group in self.groups[1:] for name in group)
        return others if len(self.groups[0]) > len(others) else ()

    def is_wrong(self, backend: str) -> bool:
        """Whether a backend is wrong here, or one of those that differ, if nobody knows which."""
        return (
            self.verdict == "disagree"
            and backend in self.distance_ulp
            and backend in (self.outliers or self.distance_ulp)
        )

    @property
    def ratio(self) -> float:
        """The difference, or the largest true error, as a multiple of what is allowed: above 1 it is not rounding."""
        if self.truth:
            return max(self.truth.error.values()) / self.allowed
        return self.difference / self.allowed


@dataclass(frozen=True, eq=False)
class Comparison:
    """The answers of several backends to one problem, and the judgement on them.

    Attributes:
        problem: the question.
        verdict: `agree`, `disagree` or `undecidable`.
        answers: what each backend answered, if its answer was fit to be compared.
        failures: the answers that were refused before their values were compared.
        blocks: the judgement on every block, in a fixed order; empty if fewer than two answers were fit.
        skipped: the backends that cannot compute this problem, with their reasons.
        bitwise: whether all answers are equal to the last bit.
        overflows: whether the numbers leave the dtype's range, so that nothing can be decided.
        training: how the backends learned, if trajectories were compared.
        bits: the precision of the certificate, if there is one.
        uncertified: why there is none, if one was asked for.
        diagnoses: by backend, which mistakes give its wrong gradients; None where nobody looked for them.
    """

    problem: Problem
    verdict: Verdict
    answers: dict[str, Evaluation | Trajectory]
    failures: tuple[Failure, ...]
    blocks: tuple[BlockResult, ...]
    skipped: dict[str, str]
    bitwise: bool
    overflows: bool
    training: Training | None = None
    bits: int | None = None
    uncertified: str = ""
    diagnoses: Mapping[str, Diagnosis] | None = None

    @property
    def strength(self) -> str:
        """How an agreement was shown: `certified`, `bitwise`, to `rounding`, or `alone` where nobody was compared.

        With a certificate, but on a problem that rounding could have spoilt, answers are shown to be `within 1 %`.
        """
        if self.verdict != "agree":
            return ""
        if self.bits is not None:
            return (
                "within 1 %"
                if any(block.truth and block.truth.rounding_dominated for block in self.blocks)
                else "certified"
            )
        if len(self.answers) < 2:
            return "alone"
        return "bitwise" if self.bitwise else "rounding"

    def has_wrong_numbers(self, backend: str) -> bool:
        """Whether a backend's answer was fit to be compared, and is wrong."""
        return any(block.is_wrong(backend) for block in self.blocks)

    def verdict_on(self, backend: str) -> Verdict:
        """The verdict on one of those who answered, whatever the others did."""
        if any(failure.backend == backend for failure in self.failures) or self.has_wrong_numbers(backend):
            return "disagree"
        verdicts = {block.verdict for block in self.blocks if backend in block.distance_ulp}
        return "undecidable" if self.overflows or "undecidable" in verdicts else "agree"

    @property
    def forward_only(self) -> list[str]:
        """The backends that gave forward values and no gradients."""
        return [name for name, each in self.answers.items() if isinstance(each, Evaluation) and not each.gradients]

    @property
    def closest(self) -> BlockResult | None:
        """The block that comes closest to its limit, or goes furthest beyond it, of those that can be decided."""
        decided = (block for block in self.blocks if block.verdict != "undecidable")
        return max(decided, key=lambda block: block.ratio, default=None)

    def distance_ulp(self, backend: str) -> float | None:
        """A backend's largest distance from the median of all answers, over the blocks that can be decided."""
        distances = [
            block.distance_ulp[backend]
            for block in self.blocks
            if block.verdict != "undecidable" and backend in block.distance_ulp
        ]
        return max(distances, default=None)

    def error_ulp(self, backend: str) -> float | None:
        """A backend's largest true error, as far as there is a certificate."""
        errors = [
            block.truth.error_ulp[backend] for block in self.blocks if block.truth and backend in block.truth.error
        ]
        return max(errors, default=None)

    def rows(self) -> list[dict[str, object]]:
        """One row for each block, as plain values: what tables, JSON and pages are made of."""
        return [
            {
                "block": block.label,
                "verdict": block.verdict,
                "scale": block.scale,
                "spread": block.spread,
                "allowed": block.allowed,
                "difference": block.difference,
                "between": list(block.between),
                "index": list(block.index),
                "outliers": list(block.outliers),
                "distance_ulp": block.distance_ulp,
                "likely_cause": block.likely_cause or None,
                "error_ulp": block.truth.error_ulp if block.truth else None,
                "wrong": list(block.truth.wrong) if block.truth else None,
            }
            for block in self.blocks
        ]
