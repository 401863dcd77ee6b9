"""The judgement on one block of the answers: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..answers import QuantityName
from ..tolerance import Reason

Verdict = Literal["agree", "disagree", "undecidable"]
WORST_FIRST: tuple[Verdict, ...] = ("disagree", "undecidable", "agree")
Pair = tuple[str, str]


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
        reason: what keeps rounding's part from being told from an error: `rounding` itself, a `kink`, `underflow`,
            `overflow` on the way back, `cancellation` in another way to write a formula, or `own formulas` of a
            function; empty where it can be told.
        truth: with a certificate, how far each backend is from the exact answer.
        choices: the numbers of the entries that are a choice at a kink; the others were judged without them.

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
    reason: Reason = ""
    truth: Truth | None = None
    choices: tuple[int, ...] = ()

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
