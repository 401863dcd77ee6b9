"""How much smaller the problem may be: sizes on which a derivation is right, and the smallest problem on which not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ...backends import Evaluation, Problem
from ..diagnosis import Findings, wrong_values
from ..mistakes import values_of
from ..referee import Comparison
from .questions import Question
from .smaller_problems import cut_down, telling_problems

MORE_SEEDS = (1001, 1002, 1003)
Ask = Callable[[Problem], Comparison]


@dataclass(frozen=True, eq=False)
class Sizes:
    """A derivation on the system with one size cut down.

    Attributes:
        verdicts: by what is cut down, such as `T = 1`: the verdict, or `failed`, or `refused`.
        hidden_by: the sizes on which a wrong derivation is right whatever the numbers are, with how many were tried.
    """

    verdicts: Mapping[str, str] = field(default_factory=dict)
    hidden_by: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SmallProblems:
    """A derivation on problems of a few numbers.

    Attributes:
        smallest: the smallest on which it is wrong, by the mistake that was named if one was; None if there is none.
        tried: how many were tried, up to that one.
        wrong: on how many it is wrong.
        failed: on how many it raised an error.
        refused: on how many a part of its answer was refused, and the rest is not wrong.
        error: what it raised first.
    """

    smallest: Comparison | None = None
    tried: int = 0
    wrong: int = 0
    failed: int = 0
    refused: int = 0
    error: str = ""


def outcome(comparison: Comparison, name: str) -> str:
    """What came of a derivation: a verdict on its numbers; `failed` if it raised, `refused` if a part was no answer."""
    failures = comparison.failures_of(name)
    if comparison.has_wrong_numbers(name):
        return "disagree"
    if any(failure.kind == "error" for failure in failures):
        return "failed"
    return "refused" if failures else comparison.verdict_on(name)


def on_smaller_sizes(question: Question, ask: Ask, name: str, *, seed: int, dtype: str, hints: bool) -> Sizes:
    """Asks a derivation that is wrong on a problem about the same with one size cut down.

    Args:
        question: on which it is wrong.
        ask: compares it on a problem.
        name: of the derivation.
        seed: of the problems.
        dtype: of the problems.
        hints: whether to look which sizes hide its mistake whatever the numbers are.
    """
    smaller = cut_down(question.system)
    problems = {words: question.like(cut.problem(seed=seed, dtype=dtype)) for words, cut in smaller.items()}
    verdicts = {words: outcome(ask(problem), name) for words, problem in problems.items() if problem is not None}
    hidden_by = {}
    for words in [words for words, verdict in verdicts.items() if verdict == "agree" and hints]:
        if words == "T = 1" and verdicts.get("T = 2") != "disagree":
            continue
        telling = list(question.those_like(telling_problems(smaller[words], question.system, MORE_SEEDS, dtype)))
        outcomes = [outcome(ask(problem), name) for problem in telling]
        decided = [verdict for verdict in outcomes if verdict != "undecidable"]
        if set(decided) == {"agree"} and len(decided) > len(telling) / 2:
            hidden_by[words] = 1 + len(decided)
    return Sizes(verdicts, hidden_by)


def find_smallest(problems: Iterable[Problem], ask: Ask, name: str, findings: Findings) -> SmallProblems:
    """Asks a derivation about small problems, until its mistake is seen.

    Args:
        problems: the smallest first.
        ask: compares it on a problem.
        name: of the derivation.
        findings: what was found of its mistake.
    """
    outcomes: list[str] = []
    error = ""
    smallest = None
    for problem in problems:
        comparison = ask(problem)
        outcomes.append(outcome(comparison, name))
        if outcomes[-1] == "failed" and not error:
            error = next(failure.message for failure in comparison.failures_of(name) if failure.kind == "error")
        if outcomes[-1] == "disagree" and _is_seen(comparison, name, findings):
            smallest = comparison
            break
    wrong, failed, refused = (outcomes.count(verdict) for verdict in ("disagree", "failed", "refused"))
    return SmallProblems(smallest, len(outcomes), wrong, failed, refused, error)


def _is_seen(comparison: Comparison, name: str, findings: Findings) -> bool:
    """Whether a mistake that was named gives the wrong numbers; any will do where none was named."""
    answer = comparison.answers[name]
    assert isinstance(answer, Evaluation)
    if not findings.hypotheses:
        return True
    return findings.show_on(comparison.problem, values_of(answer), wrong_values([comparison], name))
