"""Checking a derivation: is it right, and if not, on how small a problem can it be seen?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...backends import Evaluation, Problem, RequestError
from ..answers import Quantity, quantities
from ..diagnosis import diagnose, wrong_values
from ..jobs import StageProgress
from ..mistakes import Diagnosis, values_of
from ..referee import Comparison, Verdict, compare, compare_certified_if_possible
from ..systems import SEEDS, System, get_system
from .smaller import cut_down, small_problems
from .user_function import Derivation, Function


@dataclass(frozen=True, eq=False)
class Check:
    """What was found about a derivation.

    Attributes:
        name: the function's.
        system: that it was checked on.
        comparisons: one for each seed.
        smallest: the smallest problem on which its numbers are still wrong, if they are.
        sizes: if they are, the verdict on the system with one size cut down, by what that is, such as `T = 1`;
            `failed` where the function did.
        diagnosis: if they are, the mistakes that would give these numbers.
    """

    name: str
    system: str
    comparisons: tuple[Comparison, ...]
    smallest: Comparison | None = None
    sizes: Mapping[str, str] = field(default_factory=dict)
    diagnosis: Diagnosis = field(default_factory=Diagnosis)

    @property
    def verdict(self) -> Verdict:
        """The worst of all seeds."""
        found = {comparison.verdict_on(self.name) for comparison in self.comparisons}
        return "disagree" if "disagree" in found else "undecidable" if "undecidable" in found else "agree"

    @property
    def first_wrong(self) -> Comparison | None:
        """The first comparison in which the function is not right."""
        return next((each for each in self.comparisons if each.verdict_on(self.name) != "agree"), None)

    @property
    def missing(self) -> tuple[str, ...]:
        """What the function did not return the gradient of."""
        answered = self.comparisons[0].answers.get(self.name)
        if not isinstance(answered, Evaluation):
            return ()
        return tuple(name for name in self.comparisons[0].problem.differentiable if name not in answered.gradients)

    def rows(self) -> list[dict[str, object]]:
        """One row for each quantity that was answered, over all seeds."""
        rows: dict[str, dict[str, object]] = {}
        for comparison in self.comparisons:
            for block in comparison.blocks:
                if self.name not in block.distance_ulp:
                    continue
                start: dict[str, object] = {"verdict": "right", "ulp": 0.0, "worst": "", "wrong_in": ""}
                row = rows.setdefault(block.name, {"quantity": block.name} | start)
                reached = block.truth.error_ulp if block.truth else block.distance_ulp
                if reached[self.name] >= float(row["ulp"]):  # type: ignore[arg-type]
                    row |= {"ulp": reached[self.name], "worst": block.label}
                if block.is_wrong(self.name):
                    row["verdict"] = "wrong"
                elif block.verdict == "undecidable" and row["verdict"] == "right":
                    row["verdict"] = "undecided"
        for name, row in rows.items():
            if row["verdict"] == "wrong":
                row["wrong_in"] = wrong_places(self.comparisons, self.name, name)
        return list(rows.values())


def check_derivation(
    function: Function,
    system: str | System = "elman-softmax",
    *,
    seeds: Sequence[int] = SEEDS,
    dtype: str = "float64",
    certify: bool | None = None,
    name: str = "",
    progress: StageProgress = lambda doing: None,
) -> Check:
    """Judges a derivation by hand.

    Args:
        function: in the form that `gradparity.compare.check.user_function` describes.
        system: a name from `gradparity systems`, or a System.
        seeds: of the problems.
        dtype: of the problems.
        certify: measure it against the exact answer; None means if python-flint is installed.
        name: under which it is shown; None means the function's own.
        progress: is called with what is being done.

    Raises:
        RequestError: there is no such system, or what was given is no function.
    """
    found = get_system(system) if isinstance(system, str) else system
    if found.training:
        raise RequestError(f"{found.name} learns: a derivation is checked on a single gradient, such as elman-softmax")
    derivation = Derivation(function, name)
    if not seeds:
        raise RequestError("no seed was given, expected at least one")
    comparisons = []
    for seed in seeds:
        progress(f"asking {derivation.name} on seed {seed}, and enclosing the exact answer")
        comparisons.append(_ask(derivation, found.problem(seed=seed, dtype=dtype), certify))
    wrong = [each for each in comparisons if each.has_wrong_numbers(derivation.name)]
    if not wrong:
        return Check(derivation.name, found.name, tuple(comparisons))
    progress("looking for the smallest problem on which it is wrong")
    small = (_ask(derivation, problem, certify) for problem in small_problems(found, seeds[0], dtype))
    smallest = next((each for each in small if each.has_wrong_numbers(derivation.name)), None)
    sizes = {
        words: _verdict_or_failure(_ask(derivation, cut.problem(seed=seeds[0], dtype=dtype), False), derivation.name)
        for words, cut in cut_down(found).items()
    }
    progress("making every mistake of the catalogue, to see which gives these numbers")
    diagnosis = diagnose(
        [
            (each.problem, values_of(each.answers[derivation.name]))  # type: ignore[arg-type]
            for each in sorted(comparisons, key=lambda each: each not in wrong)  # a mistake shows on the wrong ones
            if derivation.name in each.answers
        ],
        wrong_values(wrong, derivation.name),
    )
    return Check(derivation.name, found.name, tuple(comparisons), smallest, sizes, diagnosis)


def _ask(derivation: Derivation, problem: Problem, certify: bool | None) -> Comparison:
    """The comparison with the hand derivation, and with the exact answer if that is asked for, or possible."""
    if certify is None:
        return compare_certified_if_possible(problem, [derivation, "manual"])
    return compare(problem, [derivation, "manual"], certify=certify)


def _verdict_or_failure(comparison: Comparison, name: str) -> str:
    return "failed" if any(failure.backend == name for failure in comparison.failures) else comparison.verdict_on(name)


def wrong_places(comparisons: Iterable[Comparison], name: str, quantity: str) -> str:
    """Where a quantity is wrong: in which of its blocks, or in which rows; `everywhere` if in all of them."""
    blocks: dict[str, bool] = {}
    rows: set[int] = set()
    height = 0
    for comparison in comparisons:
        of_quantity = [block for block in comparison.blocks if block.name == quantity and name in block.distance_ulp]
        for block in of_quantity:
            blocks[block.label] = blocks.get(block.label, False) or block.is_wrong(name)
        if len(of_quantity) == 1 and of_quantity[0].is_wrong(name):
            given, right = wrong_quantities(comparison, name)[quantity]
            apart = np.abs(np.atleast_1d(given.values.astype("f8") - right.values))
            height = len(apart)
            rows |= {
                int(row) for row in np.flatnonzero((apart > of_quantity[0].allowed).reshape(height, -1).any(axis=1))
            }
    wrong = [label for label, is_wrong in blocks.items() if is_wrong]
    if len(blocks) > 1:
        return "everywhere" if len(wrong) == len(blocks) else ", ".join(wrong)
    return (
        "everywhere"
        if len(rows) in (0, height)
        else f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, sorted(rows)))}"
    )


def wrong_quantities(comparison: Comparison, name: str) -> dict[str, tuple[Quantity, Quantity]]:
    """What the derivation answered wrongly, and what is right, by the quantity's name."""
    answer, right = comparison.answers[name], comparison.answers["manual"]
    wrong = {block.name for block in comparison.blocks if block.is_wrong(name)}
    given: dict[str, Any] = quantities(answer, comparison.problem)  # type: ignore[arg-type]
    truth = quantities(right, comparison.problem)  # type: ignore[arg-type]
    return {each: (given[each], truth[each]) for each in truth if each in wrong and each in given}
