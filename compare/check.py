"""Checking a derivation: is it right, and if not, on how small a problem can it be seen?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..backends import (
    BrokenBackendError,
    Evaluation,
    FeedForward,
    MissingFrameworkError,
    Model,
    OrderedSystem,
    Problem,
    Recurrent,
    RequestError,
)
from .blocks import Quantity, quantities
from .catalogue import SEEDS, System, get_system
from .certificate import UncertifiableError
from .derivation import Derivation, Function
from .referee import compare
from .results import BlockResult, Comparison, Verdict

SMALL_SIZES = (1, 2, 3)


@dataclass(frozen=True, eq=False)
class Check:
    """What was found about a derivation.

    Attributes:
        name: the function's.
        system: that it was checked on.
        comparisons: one for each seed.
        smallest: the smallest problem on which its numbers are still wrong, if they are.
    """

    name: str
    system: str
    comparisons: tuple[Comparison, ...]
    smallest: Comparison | None

    @property
    def verdict(self) -> Verdict:
        """The worst of all seeds."""
        found = {own_verdict(comparison, self.name) for comparison in self.comparisons}
        return "disagree" if "disagree" in found else "undecidable" if "undecidable" in found else "agree"

    @property
    def first_wrong(self) -> Comparison | None:
        """The first comparison in which the function is not right."""
        return next((each for each in self.comparisons if own_verdict(each, self.name) != "agree"), None)

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
                row = rows.setdefault(block.name, {"quantity": block.name, "verdict": "right", "ulp": 0.0, "worst": ""})
                reached = block.truth.error_ulp if block.truth else block.distance_ulp
                if reached[self.name] >= float(row["ulp"]):  # type: ignore[arg-type]
                    row |= {"ulp": reached[self.name], "worst": block.label}
                if _is_wrong_in(block, self.name):
                    row["verdict"] = "wrong"
                elif block.verdict == "undecidable" and row["verdict"] == "right":
                    row["verdict"] = "undecided"
        return list(rows.values())


def check_derivation(
    function: Function,
    system: str | System = "elman-softmax",
    *,
    seeds: Sequence[int] = SEEDS,
    dtype: str = "float64",
    certify: bool | None = None,
    name: str = "",
) -> Check:
    """Judges a derivation by hand.

    Args:
        function: in the form that `gradparity.compare.derivation` describes.
        system: a name from `gradparity systems`, or a System.
        seeds: of the problems.
        dtype: of the problems.
        certify: measure it against the exact answer; None means if python-flint is installed.
        name: under which it is shown; None means the function's own.

    Raises:
        RequestError: there is no such system, or what was given is no function.
    """
    found = get_system(system) if isinstance(system, str) else system
    if found.training:
        raise RequestError(f"{found.name} learns: a derivation is checked on a single gradient, such as elman-softmax")
    derivation = Derivation(function, name)
    if not seeds:
        raise RequestError("no seed was given, expected at least one")
    comparisons = tuple(_ask(derivation, found.problem(seed=seed, dtype=dtype), certify) for seed in seeds)
    smallest = None
    if any(has_wrong_numbers(each, derivation.name) for each in comparisons):
        small = (_ask(derivation, problem, certify) for problem in small_problems(found, seeds[0], dtype))
        smallest = next((each for each in small if has_wrong_numbers(each, derivation.name)), None)
    return Check(derivation.name, found.name, comparisons, smallest)


def _ask(derivation: Derivation, problem: Problem, certify: bool | None) -> Comparison:
    """The comparison with the hand derivation, and with the exact answer if that is asked for, or possible."""
    if certify is None:
        try:
            return compare(problem, [derivation, "manual"], certify=True)
        except (MissingFrameworkError, BrokenBackendError, UncertifiableError):
            certify = False
    return compare(problem, [derivation, "manual"], certify=certify)


def own_verdict(comparison: Comparison, name: str) -> Verdict:
    """The verdict on one of those who answered, whatever the others did."""
    if any(failure.backend == name for failure in comparison.failures) or has_wrong_numbers(comparison, name):
        return "disagree"
    own = {block.verdict for block in comparison.blocks if name in block.distance_ulp}
    return "undecidable" if comparison.overflows or "undecidable" in own else "agree"


def has_wrong_numbers(comparison: Comparison, name: str) -> bool:
    """Whether an answer was fit to be compared, and is wrong."""
    return any(_is_wrong_in(block, name) for block in comparison.blocks)


def _is_wrong_in(block: BlockResult, name: str) -> bool:
    return block.verdict == "disagree" and name in block.distance_ulp and (not block.odd or name in block.odd)


def small_problems(system: System, seed: int, dtype: str) -> Iterator[Problem]:
    """The system's problems on small sizes, the smallest first."""
    model = system.model
    if isinstance(model, OrderedSystem):
        for size in range(1, model.size + 1):
            weights = tuple(row[:size] for row in model.weights[:size])
            yield Problem.from_seed(OrderedSystem(weights, model.objective[:size]), seed=seed, dtype=dtype)
        return
    for leading, sizes in _sizes(model):
        changed: Model
        if isinstance(model, Recurrent):
            D, H, K = sizes
            cut = type(model.truncation)(1) if model.truncation else None
            changed = replace(model, input_size=D, hidden_size=H, output_size=K, truncation=cut)
        else:
            changed = replace(model, sizes=sizes)
        lengths = _short_lengths(*leading) if system.lengths else None
        given: dict[str, Any] = dict(zip(model.LEADING, leading, strict=True))
        yield Problem.from_seed(changed, seed=seed, dtype=dtype, lengths=lengths, **given)


def _sizes(model: Recurrent | FeedForward) -> Iterable[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(T, B) and (D, H, K), or (B,) and the layers' sizes, in the order of how much there is to look at."""
    layers = 3 if isinstance(model, Recurrent) else len(model.sizes)
    K = 2 if model.loss == "softmax_cross_entropy" else 1  # of one output, the softmax is always 1
    for steps in SMALL_SIZES:
        for width in SMALL_SIZES[:2]:
            for batch in SMALL_SIZES[:2]:
                sizes = (*(width,) * (layers - 1), max(K, width))
                yield ((steps, batch) if isinstance(model, Recurrent) else (batch,)), sizes
        if isinstance(model, FeedForward):
            return


def _short_lengths(seq_len: int, batch_size: int) -> list[int]:
    return [max(1, seq_len - b) for b in range(batch_size)]


def wrong_quantities(comparison: Comparison, name: str) -> dict[str, tuple[Quantity, Quantity]]:
    """What the derivation answered wrongly, and what is right, by the quantity's name."""
    answer, right = comparison.answers[name], comparison.answers["manual"]
    wrong = {block.name for block in comparison.blocks if _is_wrong_in(block, name)}
    given: dict[str, Any] = quantities(answer, comparison.problem)  # type: ignore[arg-type]
    truth = quantities(right, comparison.problem)  # type: ignore[arg-type]
    return {each: (given[each], truth[each]) for each in truth if each in wrong and each in given}
