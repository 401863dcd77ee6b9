"""The results of a comparison: frozen values, and the rows that every rendering is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...backends import Evaluation, Problem
from ...backends.errors import unknown_name
from ..answers import QuantityName, Training, Trajectory
from ..mistakes import Diagnosis
from .block_result import BlockResult, Verdict

FailureKind = Literal["error", "names", "shape", "dtype", "non-finite", "mutation"]


@dataclass(frozen=True)
class Failure:
    """Why an answer, or a part of it, was refused before its values were compared.

    Attributes:
        backend: who answered.
        kind: the first check that failed, in the order of `FailureKind`.
        message: what is wrong, where, and what was expected.
        name: the gradient that was refused, by its name in `Problem.differentiable`, or `loss`; empty if it is
            something else. What else the backend answered is judged nevertheless.
        error: what the backend raised, if it did.

    Examples:
        >>> failure = Failure(
        ...     "mine", "shape", "gradients['W'] has shape (3, 5), expected (5, 3): the shape of its transpose"
        ... )
        >>> f"{failure.backend}: {failure.kind}"
        'mine: shape'
    """

    backend: str
    kind: FailureKind
    message: str
    name: str = ""
    error: BaseException | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The answers of several backends to one problem, and the judgement on them.

    Attributes:
        problem: what was computed.
        verdict: `agree`, `disagree` or `undecidable`.
        answers: what each backend answered, as far as its answer was fit to be compared; a refused loss is NaN.
        failures: what was refused before its values were compared; a backend that has one is never called right.
        blocks: the judgement on every block, in a fixed order; without a certificate, empty if fewer than two answers
            were fit.
        skipped: the backends that cannot compute this problem, with their reasons.
        bitwise: whether all answers are equal to the last bit.
        overflows: whether the numbers leave the dtype's range, so that nothing can be decided.
        training: how the backends learned, if trajectories were compared.
        bits: the precision of the certificate in bits; None without one.
        uncertified: why there is none, if one was asked for.
        diagnoses: by backend, which mistakes give its wrong gradients; None where nobody looked for them.
        without_reference: whether those who answered are all the user's, so that they were compared with each other
            only: neither with a backend of gradparity nor with the exact answer.
        within_own_rounding: the blocks that are right up to rounding in the formulas of the function that was judged,
            and would be wrong without it.
        precision: the half precision on whose measure it was judged, such as `float16`; empty for the dtype's own.

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
    without_reference: bool = False
    within_own_rounding: tuple[str, ...] = ()
    precision: str = ""

    def __repr__(self) -> str:
        from .explanation import headline

        return f"<Comparison: {headline(self)}>"

    def _repr_html_(self) -> str:
        """In a notebook."""
        from ..report import notebook_html
        from .explanation import headline
        from .report import comparison_parts

        return notebook_html(headline(self), lambda: comparison_parts(self))

    @property
    def number_format(self) -> str:
        """In what it was judged: the problem's dtype, or half precision."""
        return self.precision or self.problem.dtype.name

    @property
    def reservation(self) -> str:
        """What an agreement does not show, in a sentence; empty where there is nothing to say."""
        if self.verdict != "agree" or not self.without_reference:
            return ""
        names = list(self.answers)
        who = f"{', '.join(names[:-1])} and {names[-1]}"
        return f"{who} agree with each other only: no backend of gradparity's own was asked."

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
        """Whether anything of a backend's answer that was fit to be compared is wrong."""
        return any(block.is_wrong(backend) for block in self.blocks)

    def verdict_on(self, backend: str) -> Verdict:
        """The verdict on one of those who answered, whatever the others did.

        Raises:
            UnknownNameError: nobody of that name answered, so that nothing was judged.
        """
        answered = {*self.answers, *(failure.backend for failure in self.failures)}
        if backend not in answered:
            raise unknown_name("backend of this comparison", backend, sorted(answered))
        failures = self.failures_of(backend)
        if self.has_wrong_numbers(backend) or not all(map(self._is_shared, failures)):
            return "disagree"
        if failures:
            return "undecidable"
        verdicts = {block.verdict for block in self.blocks if backend in block.distance_ulp}
        return "undecidable" if self.overflows or "undecidable" in verdicts else "agree"

    def _is_shared(self, failure: Failure) -> bool:
        """Whether a number that is not finite is so for everybody who was asked, as its way back overflows."""
        of_it = {other.backend for other in self.failures if (other.kind, other.name) == ("non-finite", failure.name)}
        return failure.kind == "non-finite" and len(of_it) > 1 and of_it >= {*self.answers}

    def failures_of(self, backend: str) -> list[Failure]:
        """Why a backend's answer, or parts of it, were refused."""
        return [failure for failure in self.failures if failure.backend == backend]

    @property
    def forward_only(self) -> list[str]:
        """The backends that gave forward values and no gradients."""
        return [
            name
            for name, answer in self.answers.items()
            if isinstance(answer, Evaluation) and not answer.gradients and not self.failures_of(name)
        ]

    @property
    def not_given(self) -> dict[str, list[str]]:
        """What the answers leave out that was asked for, by backend, such as `["dx", "outputs"]`: it was not compared.

        Backends that gave forward values only are not among them.
        """
        left_out = {}
        for name, answer in self.answers.items():
            if not isinstance(answer, Evaluation) or not answer.gradients or self.failures_of(name):
                continue
            missing = [array for array in self.problem.differentiable if array not in answer.gradients]
            labels = [str(QuantityName.of_array(array, is_derivative=True)) for array in missing]
            has_outputs = self.problem.model.output_spec(*self.problem.leading) is not None
            left_out[name] = labels + (["outputs"] if has_outputs and answer.outputs is None else [])
        return {name: labels for name, labels in left_out.items() if labels}

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
                "reason": block.reason or None,
                "choices": list(block.choices),
                "error_ulp": block.truth.error_ulp if block.truth else None,
                "wrong": list(block.truth.wrong) if block.truth else None,
            }
            for block in self.blocks
        ]
