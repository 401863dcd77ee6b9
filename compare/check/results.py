"""The result of a check: frozen, with rows for every rendering."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ...backends import Evaluation
from ..answers import Quantity, quantities
from ..diagnosis.submission import quantity_names
from ..mistakes import Diagnosis
from ..referee import WORST_FIRST, Comparison, Verdict
from .shrinking import Sizes, SmallProblems


@dataclass(frozen=True, eq=False)
class Check:
    """The judgement on a derivation by hand.

    Attributes:
        name: the function's name.
        system: the name of the system that it was checked on.
        comparisons: one for each seed, of the function with the hand derivation and, if possible, the exact answer.
        small: if its numbers are wrong, what came of small problems, with the smallest on which the mistake is seen.
        cut: if its numbers are wrong, what came of the system with one size cut down.
        diagnosis: if its numbers are wrong, the mistakes that would give them.

    Examples:
        >>> import numpy as np
        >>> from gradparity.compare import check_derivation
        >>> def mine(params, inputs, targets):
        ...     p = 1 / (1 + np.exp(-(inputs @ params["W1"].T + params["b1"])))
        ...     loss = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean()
        ...     return loss, {"W1": (p - targets).T @ inputs}  # of a mean, it has to be divided by the batch size
        >>> check = check_derivation(mine, "logistic-regression", seeds=[0])
        >>> check.verdict, check.missing, {row["quantity"]: row["verdict"] for row in check.rows()}
        ('disagree', ('b1', 'inputs'), {'loss': 'right', 'dW1': 'wrong'})
        >>> check.diagnosis.suspects[0].mistakes
        ('sum for mean, or mean for sum, in the gradient only',)
    """

    name: str
    system: str
    comparisons: tuple[Comparison, ...]
    small: SmallProblems = field(default_factory=SmallProblems)
    cut: Sizes = field(default_factory=Sizes)
    diagnosis: Diagnosis = field(default_factory=Diagnosis)

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
    def verdict(self) -> Verdict:
        """The worst of all seeds."""
        verdicts = {comparison.verdict_on(self.name) for comparison in self.comparisons}
        return min(verdicts, key=WORST_FIRST.index)

    @property
    def first_wrong(self) -> Comparison | None:
        """The first comparison in which the function is not right, with the diagnosis."""
        wrong = (comparison for comparison in self.comparisons if comparison.verdict_on(self.name) != "agree")
        first = next(wrong, None)
        return replace(first, diagnoses={self.name: self.diagnosis}) if first and self.diagnosis else first

    @property
    def missing(self) -> tuple[str, ...]:
        """The parameters, inputs and states whose gradients the function did not return."""
        answer = self.comparisons[0].answers.get(self.name)
        if not isinstance(answer, Evaluation):
            return ()
        given = {*answer.gradients, *(failure.name for failure in self.comparisons[0].failures_of(self.name))}
        return tuple(name for name in self.comparisons[0].problem.differentiable if name not in given)

    def rows(self) -> list[dict[str, object]]:
        """One row for each quantity that was answered, over all seeds.

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
                row["wrong_in"] = wrong_places(self.comparisons, self.name, name)
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


def wrong_places(comparisons: Iterable[Comparison], name: str, quantity: str) -> str:
    """Where a quantity is wrong: in which of its blocks, or in which rows; `everywhere` if in all of them."""
    blocks: dict[str, bool] = {}
    rows: set[int] = set()
    height = 0
    for comparison in comparisons:
        parts = [block for block in comparison.blocks if block.name == quantity and name in block.distance_ulp]
        for block in parts:
            blocks[block.label] = blocks.get(block.label, False) or block.is_wrong(name)
        if len(parts) == 1 and parts[0].is_wrong(name):
            answered, right = wrong_quantities(comparison, name)[quantity]
            difference = np.abs(np.atleast_1d(answered.values.astype("f8") - right.values))
            height = len(difference)
            is_row_wrong = (difference > parts[0].allowed).reshape(height, -1).any(axis=1)
            rows |= {int(row) for row in np.flatnonzero(is_row_wrong)}
    wrong = [label for label, is_wrong in blocks.items() if is_wrong]
    if len(blocks) > 1:
        return "everywhere" if len(wrong) == len(blocks) else ", ".join(wrong)
    if not rows:  # it is the certificate that finds an error, of one entry or more
        return "" if height > 1 else "everywhere"
    if len(rows) == height:
        return "everywhere"
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, sorted(rows)))}"


def wrong_quantities(comparison: Comparison, name: str) -> dict[str, tuple[Quantity, Quantity]]:
    """What the derivation answered wrongly, and what is right, by the quantity's name."""
    answered, right = (
        quantities(comparison.answers[backend], comparison.problem)  # type: ignore[arg-type]
        for backend in (name, "manual")
    )
    wrong = {block.name for block in comparison.blocks if block.is_wrong(name)}
    return {
        quantity: (answered[quantity], right[quantity]) for quantity in right if quantity in wrong & answered.keys()
    }
