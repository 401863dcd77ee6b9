"""The results of a comparison: frozen values, and the rows that every rendering is made of."""

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

    Examples:
        >>> failure = Failure("mine", "shape", "gradients['W'] has shape (3, 5), expected (5, 3): it is transposed")
        >>> f"{failure.backend}: {failure.kind}"
        'mine: shape'
    """

    backend: str
    kind: Kind
    message: str


@dataclass(frozen=True)
class Truth:
    """What a certificate says of one block.

    Attributes:
        scale: the magnitude of the largest exact entry.
        error: by backend, an upper bound on the magnitude of its largest error.
        error_ulp: the same in units in the last place (ulp) of `scale`.
        wrong: the backends whose error is larger than rounding explains.
        rounding_dominated: whether rounding can move this block by more than a small part of it; that small part is
            allowed then.
        beyond_limit: the backends whose error is larger than a rounding-dominated block allows.
    """

    scale: float
    error: dict[str, float]
    error_ulp: dict[str, float]
    wrong: tuple[str, ...]
    rounding_dominated: bool
    beyond_limit: tuple[str, ...]


@dataclass(frozen=True)
class BlockResult:
    """The judgement on one block of the answers.

    A block is the loss, a gradient (of a gated cell, that of one gate), or one step of the outputs or adjoints.
    `scale`, `spread`, `allowed` and `difference` have the unit of the block itself.

    Attributes:
        quantity: what the block is a part of: `loss`, `o_t`, `dU`, `dh_t` …
        block: the block: `loss`, `o_3`, `dU` (or of a gate `dU_i`), `dh_3` …
        verdict: `agree`, `disagree` or `undecidable`.
        scale: the largest entry's magnitude.
        spread: how far rounding alone moved the block.
        allowed: how far two correct answers may differ.
        difference: the largest difference between two answers.
        between: the two backends that differ the most.
        index: where they do, as an index into the quantity's array.
        groups: the backends in groups that agree among themselves, the largest first.
        distance_ulp: by backend, its distance from the median of all, in units in the last place (ulp) of `scale`.
        likely_cause: the simple mistake that turns one of the two answers into the other; or empty.
        truth: with a certificate, how far each backend is from the exact answer.

    Examples:
        >>> from gradparity.compare import SYSTEMS, compare
        >>> block = compare(SYSTEMS["elman-softmax"].problem(seed=0), ["manual", "torch"]).blocks[1]
        >>> block.label, block.name, block.step, block.verdict, block.ratio < 1
        ('o_1', 'o_t', 1, 'agree', True)
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
        problem: what was computed.
        verdict: `agree`, `disagree` or `undecidable`.
        answers: what each backend answered, if its answer was fit to be compared.
        failures: the answers that were refused before their values were compared.
        blocks: the judgement on every block, in a fixed order; without a certificate, empty if fewer than two answers
            were fit.
        skipped: the backends that cannot compute this problem, with their reasons.
        bitwise: whether all answers are equal to the last bit.
        overflows: whether the numbers leave the dtype's range, so that nothing can be decided.
        training: how the backends learned, if trajectories were compared.
        bits: the precision of the certificate, if there is one.
        uncertified: why there is none, if one was asked for.
        diagnoses: by backend, which mistakes give its wrong gradients; None where nobody looked for them.

    Examples:
        >>> from gradparity.compare import SYSTEMS, compare
        >>> comparison = compare(SYSTEMS["elman-softmax"].problem(seed=0), ["manual"], certify=True)
        >>> comparison.verdict, comparison.strength, comparison.verdict_on("manual")
        ('agree', 'certified', 'agree')
        >>> [row["block"] for row in comparison.rows()][:3]
        ['loss', 'o_1', 'o_2']
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

        `within 1 %` is what a certificate shows on a problem with a rounding-dominated block. It is empty where the
        backends do not agree.
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
        return [
            name for name, answer in self.answers.items() if isinstance(answer, Evaluation) and not answer.gradients
        ]

    @property
    def closest(self) -> BlockResult | None:
        """The block that comes closest to its limit, or goes furthest beyond it, of those that can be decided."""
        decided = (block for block in self.blocks if block.verdict != "undecidable")
        return max(decided, key=lambda block: block.ratio, default=None)

    def distance_ulp(self, backend: str) -> float | None:
        """A backend's largest distance from the median of all answers, in ulp, over the blocks that can be decided."""
        distances = [
            block.distance_ulp[backend]
            for block in self.blocks
            if block.verdict != "undecidable" and backend in block.distance_ulp
        ]
        return max(distances, default=None)

    def error_ulp(self, backend: str) -> float | None:
        """A backend's largest true error in ulp; None without a certificate."""
        errors = [
            block.truth.error_ulp[backend] for block in self.blocks if block.truth and backend in block.truth.error
        ]
        return max(errors, default=None)

    def rows(self) -> list[dict[str, object]]:
        """One row for each block: what tables, JSON and pages are made of.

        Returns:
            Dicts of plain values: the attributes of `BlockResult`, with `outliers`; `error_ulp` and `wrong` are those
            of its `truth`, and None without a certificate.
        """
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
