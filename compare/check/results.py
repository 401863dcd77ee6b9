"""The result of a check: frozen, with rows for every rendering."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ...backends import Evaluation
from ..answers import Quantity, quantities
from ..diagnosis.submission import quantity_names
from ..localization import Localization
from ..mistakes import Diagnosis
from ..referee import Comparison, Verdict
from .shrinking import Sizes, SmallProblems
from .unused_arrays import listed

CheckVerdict = Literal[Verdict, "failed", "not reproducible"]
WORST_CHECK_FIRST: tuple[CheckVerdict, ...] = ("not reproducible", "disagree", "failed", "undecidable", "agree")


@dataclass(frozen=True, eq=False)
class Asked:
    """A problem that a derivation was asked, and what it answered.

    Attributes:
        name: what distinguishes the problem, such as `seed 0`, `confident` or `T = 60`.
        comparison: of the function with the hand derivation and, if possible, the exact answer.
        verdict: on the function: that of the comparison; `failed` where it gave no answer that could be judged; `not
            reproducible` where a second call on the same numbers gave another one.
        reason: why it failed, or how two calls differ; empty if it did not, and they do not.
        is_ordinary: whether the numbers are drawn as they come, or someone's own, and no special ones.
    """

    name: str
    comparison: Comparison
    verdict: CheckVerdict
    reason: str = ""
    is_ordinary: bool = True


@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """The judgement on a derivation by hand.

    Attributes:
        name: the function's name.
        system: the name of the system that it was checked on.
        asked: the problems that it was asked, each twice, in this order.
        not_asked: the names of those that it was not asked any more, since it took too long or is not reproducible.
        unused: the biases and initial states that it does not use, in whose place it was judged with zeros.
        small: if its numbers are wrong, what came of small problems, with the smallest on which the mistake is seen.
        cut: if its numbers are wrong, what came of the system with one size cut down.
        diagnosis: if its numbers are wrong, the mistakes that would give them.
        output: what it printed, if it ran in a process of its own.
        notes: what is to be said beside the verdict.
        is_catalogued: whether the mistakes of the catalogue were looked for, which are those of the networks.
        is_diagnosed: whether anything was looked for beside the verdict: the mistake, and its line.
        is_explained: whether what was found in its source explains all that is wrong.
        localization: where the way back of a function of one's own is wrong, in its source.

    Examples:
        >>> import numpy as np
        >>> from gradparity.compare import check_derivation
        >>> def mine(params, inputs, targets):
        ...     z = inputs @ params["W1"].T + params["b1"]
        ...     loss = (np.logaddexp(0, z) - targets * z).mean()
        ...     error = 1 / (1 + np.exp(-z)) - targets
        ...     return loss, {"W1": error.T @ inputs}  # of a mean, it has to be divided by the batch size
        >>> check = check_derivation(mine, "logistic-regression", seeds=[0])
        >>> check.verdict, check.missing, {row["quantity"]: row["verdict"] for row in check.rows()}
        ('disagree', ('b1', 'inputs'), {'loss': 'right', 'dW1': 'wrong'})
        >>> check.diagnosis.suspects[0].mistakes
        ('sum for mean, or mean for sum, in the gradient only',)
    """

    name: str
    system: str
    asked: tuple[Asked, ...]
    not_asked: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    small: SmallProblems = field(default_factory=SmallProblems)
    cut: Sizes = field(default_factory=Sizes)
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    output: str = ""
    notes: tuple[str, ...] = ()
    is_catalogued: bool = True
    is_diagnosed: bool = True
    is_explained: bool = False
    localization: Localization = field(default_factory=Localization)

    def __repr__(self) -> str:
        from .wording import conclusion

        return f"<Check: {conclusion(self, self.rows())}>"

    def _repr_html_(self) -> str:
        """In a notebook."""
        from ..report import Prose, notebook_html
        from .report import check_parts
        from .wording import conclusion

        said = conclusion(self, self.rows())
        return notebook_html(said, lambda: (Prose(said), *check_parts(self)))

    @property
    def network(self) -> str:
        """What it was judged on: the system, and what of it the function leaves out."""
        return f"{self.system} without {listed(self.unused)}" if self.unused else self.system

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """One for each problem that was asked."""
        return tuple(asked.comparison for asked in self.asked)

    @property
    def smallest(self) -> Comparison | None:
        """If its numbers are wrong, the smallest problem on which they still are, by the mistake that was named."""
        return self.small.smallest

    @property
    def sizes(self) -> Mapping[str, str]:
        """If its numbers are wrong, the verdict on the system with one size cut down, by what that is, as `T = 1`.

        It is `failed` where the function raised, and `refused` where only a part of its answer was no answer.
        """
        return self.cut.verdicts

    @property
    def verdict(self) -> CheckVerdict:
        """The worst of all problems."""
        return min((asked.verdict for asked in self.asked), key=WORST_CHECK_FIRST.index)

    @property
    def is_judged(self) -> bool:
        """Whether there is a problem on which the function gave an answer that could be judged."""
        return any(asked.verdict != "failed" for asked in self.asked)

    @property
    def worst(self) -> Asked | None:
        """The first of the problems with the worst verdict; None if the function is right on all of them."""
        verdict = self.verdict
        return None if verdict == "agree" else next(asked for asked in self.asked if asked.verdict == verdict)

    @property
    def first_wrong(self) -> Comparison | None:
        """The comparison of the first of the problems with the worst verdict, with the diagnosis; None if all agree."""
        if self.worst is None:
            return None
        first = self.worst.comparison
        return replace(first, diagnoses={self.name: self.diagnosis}) if self.diagnosis else first

    @property
    def missing(self) -> tuple[str, ...]:
        """The parameters, inputs and states whose gradients the function did not return."""
        for comparison in self.comparisons:
            answer = comparison.answers.get(self.name)
            if isinstance(answer, Evaluation):
                given = {*answer.gradients, *(failure.name for failure in comparison.failures_of(self.name))}
                left_out = {*given, *self.unused}
                return tuple(name for name in comparison.problem.differentiable if name not in left_out)
        return ()

    def rows(self) -> list[dict[str, object]]:
        """One row for each quantity that was answered, over all problems.

        Returns:
            Dicts of plain values: `quantity`; `verdict` (`right`, `wrong`, `undecided`, or `refused` where an array or
            the loss was not fit to be judged); `ulp`, the largest error in units in the last place, None if nothing
            was judged; `worst`, the block that has it; and `wrong_in`, the blocks or rows that are wrong.
        """
        rows: dict[str, dict[str, object]] = {}
        for comparison in self.comparisons:
            for block in comparison.blocks:
                if self.name not in block.distance_ulp:
                    continue
                start: dict[str, object] = {"verdict": "right", "ulp": 0.0, "worst": "", "wrong_in": ""}
                row = rows.setdefault(block.name, {"quantity": block.name} | start)
                error = block.truth.error_ulp if block.truth else block.distance_ulp
                if error[self.name] >= float(row["ulp"]):  # type: ignore[arg-type]
                    row |= {"ulp": error[self.name], "worst": block.label}
                if block.is_wrong(self.name):
                    row["verdict"] = "wrong"
                elif block.verdict == "undecidable" and row["verdict"] == "right":
                    row["verdict"] = "undecided"
        for name, row in rows.items():
            if row["verdict"] == "wrong":
                row["wrong_in"] = wrong_places(self._wrong_in(name), self.name, name)
        for quantity in self._refused():
            row = rows.setdefault(quantity, {"quantity": quantity, "ulp": None, "worst": "", "wrong_in": ""})
            if row.get("verdict") != "wrong":
                row["verdict"] = "refused"
        return list(rows.values())

    def failures(self) -> list[dict[str, str]]:
        """Why its answers, or parts of them, were refused: `kind` and `message`, each once."""
        failures = [failure for comparison in self.comparisons for failure in comparison.failures_of(self.name)]
        once = dict.fromkeys((failure.kind, failure.message) for failure in failures)
        return [{"kind": kind, "message": message} for kind, message in once]

    def _refused(self) -> list[str]:
        """The quantities that were not fit to be judged on some problem."""
        names = quantity_names(self.comparisons[0].problem)
        failures = [failure for comparison in self.comparisons for failure in comparison.failures_of(self.name)]
        return list(dict.fromkeys(names[failure.name] for failure in failures if failure.name))

    def _wrong_in(self, quantity: str) -> list[Comparison]:
        """The comparisons that tell where a quantity is wrong: the ordinary ones, if it is wrong there."""
        ordinary = [asked.comparison for asked in self.asked if asked.is_ordinary]
        blocks = (block for comparison in ordinary for block in comparison.blocks if block.name == quantity)
        return ordinary if any(block.is_wrong(self.name) for block in blocks) else list(self.comparisons)


def wrong_places(comparisons: Iterable[Comparison], name: str, quantity: str) -> str:
    """Where a quantity is wrong: in which of its blocks, or in which rows; `everywhere` if in all of them."""
    blocks: dict[str, bool] = {}
    rows: set[int] = set()
    height = 0
    is_known = True
    for comparison in comparisons:
        parts = [block for block in comparison.blocks if block.name == quantity and name in block.distance_ulp]
        for block in parts:
            blocks[block.label] = blocks.get(block.label, False) or block.is_wrong(name)
        if len(parts) == 1 and parts[0].is_wrong(name):
            values = wrong_quantities(comparison, name).get(quantity)
            if values is None:  # the others' was refused, and it is the certificate that finds the error
                is_known = False
                continue
            answered, right = values
            difference = np.abs(np.atleast_1d(answered.values.astype("f8") - right.values))
            difference.reshape(-1)[list(parts[0].choices)] = 0
            height = len(difference)
            is_row_wrong = (difference > parts[0].allowed).reshape(height, -1).any(axis=1)
            rows |= {int(row) for row in np.flatnonzero(is_row_wrong)}
    wrong = [label for label, is_wrong in blocks.items() if is_wrong]
    if len(blocks) > 1:
        return "everywhere" if len(wrong) == len(blocks) else ", ".join(wrong)
    if not rows:  # it is the certificate that finds an error, of one entry or more
        return "" if height > 1 or not is_known else "everywhere"
    if len(rows) == height:
        return "everywhere"
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, sorted(rows)))}"


def wrong_quantities(comparison: Comparison, name: str) -> dict[str, tuple[Quantity, Quantity]]:
    """What the derivation answered wrongly, and what is right, by the quantity's name."""
    reference = next(backend for backend in comparison.answers if backend != name)
    answered, right = (
        quantities(comparison.answers[backend], comparison.problem)  # type: ignore[arg-type]
        for backend in (name, reference)
    )
    wrong = {block.name for block in comparison.blocks if block.is_wrong(name)}
    return {
        quantity: (answered[quantity], right[quantity]) for quantity in right if quantity in wrong & answered.keys()
    }
