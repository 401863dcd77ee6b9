"""What a mistake is: a change of some lines, of the problem, or of the answer; and what it makes of a problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...backends import Evaluation, Problem
from .equation_source import Line, statements
from .execution import lines_of, run
from .namespace import Replaced

Values = dict[str, np.ndarray]  # `loss`, and gradients by the names of `Problem.differentiable`
THE_RIGHT_SIDE = "..."  # stands in a statement for what should stand there


@dataclass(frozen=True)
class Variant:
    """One definite variant of a mistake.

    Attributes:
        words: what distinguishes it from the mistake's other variants; empty where there is one.
        lines: statements in place of others, several separated by ` ; `, by the keys of `lines_of`. Those of which
            a problem knows nothing are left out.
        transform_problem: gives the problem that is computed in place of the one that was given.
        answer: what is made of the gradients and the loss.
        keeps_loss: whether the loss is right nevertheless.
        equations: those that are violated, beside those of the lines.
        rounds_more: whether it computes in a coarser dtype, so that its own rounding is what is seen.
        recognizes: tells the variant by the answer alone, where that cannot be predicted to the last digits.
    """

    words: str = ""
    lines: Mapping[str, str] = field(default_factory=dict)
    transform_problem: Callable[[Problem], Problem] | None = None
    answer: Callable[[Values, Problem], Values] | None = None
    keeps_loss: bool = False
    equations: tuple[int, ...] = ()
    rounds_more: bool = False
    recognizes: Callable[[Values, Problem], bool] | None = None

    def applies(self, problem: Problem) -> bool:
        """Whether it changes anything in a problem of this kind."""
        return not self.lines or bool(self.replaced(problem))

    def replaced(self, problem: Problem) -> Replaced:
        """The statements that stand in place of others."""
        known = lines_of(problem.model)
        by_key: dict[str, dict[str, str]] = {}
        for key, text in self.lines.items():
            for statement in statements(text) if key in known else ():
                if right_line := known[key].get(statement.left):
                    wrong = statement.text.replace(THE_RIGHT_SIDE, right_line.right)
                    by_key.setdefault(key, {})[statement.left] = wrong
        return by_key

    def changed_lines(self, problem: Problem) -> list[tuple[Line, str]]:
        """Each line that is replaced, with what stands in its place."""
        known = lines_of(problem.model)
        return [(known[key][left], text) for key, of in self.replaced(problem).items() for left, text in of.items()]

    def violates(self, problem: Problem) -> tuple[int, ...]:
        """The numbers of the equations that are violated."""
        of_lines = [line.equation for line, _ in self.changed_lines(problem) if line.equation]
        return tuple(dict.fromkeys([*of_lines, *self.equations]))

    def predict(self, problem: Problem) -> Values:
        """What somebody with this mistake would answer."""
        computed = self.transform_problem(problem) if self.transform_problem else problem
        values = run(computed, self.replaced(computed)).values
        if self.answer:
            values = self.answer(values, problem)
        if self.keeps_loss:
            values = values | {"loss": run(problem).values["loss"]}
        return {name: values[name].astype(problem.dtype) for name in ("loss", *problem.differentiable)}


def attempt(variant: Variant, problem: Problem) -> Values | None:
    """What a variant predicts; None where its products do not fit together on a problem of these sizes."""
    try:
        predicted = variant.predict(problem)
    except ValueError:  # of NumPy: shapes that do not match
        return None
    expected = {"loss": ()} | {name: array.shape for name, array in problem.differentiable.items()}
    return predicted if all(predicted[name].shape == shape for name, shape in expected.items()) else None


def together(one: Variant, other: Variant) -> Variant:
    """Two mistakes at once, as far as they can be predicted."""

    def transform_problem(problem: Problem) -> Problem:
        for variant in (one, other):
            problem = variant.transform_problem(problem) if variant.transform_problem else problem
        return problem

    def answer(values: Values, problem: Problem) -> Values:
        values = one.answer(values, problem) if one.answer else values
        return other.answer(values, problem) if other.answer else values

    lines = {
        key: " ; ".join(filter(None, (one.lines.get(key), other.lines.get(key))))
        for key in {**one.lines, **other.lines}
    }
    return Variant(
        lines=lines,
        transform_problem=transform_problem,
        answer=answer,
        keeps_loss=one.keeps_loss and other.keeps_loss,
        rounds_more=one.rounds_more or other.rounds_more,
    )


@dataclass(frozen=True)
class Mistake:
    """A mistake by its name.

    Attributes:
        name: in a few words, as one would say it.
        remedy: what to do, in one line.
        variants: all that it can be on a problem; the answer may tell a number, such as where it was clipped.
    """

    name: str
    remedy: str
    variants: Callable[[Problem, Values], Iterable[Variant]]

    def on(self, problem: Problem, answered: Values) -> list[Variant]:
        """The variants that it can have on a problem."""
        return [variant for variant in self.variants(problem, answered) if variant.applies(problem)]


def line_mistake(
    name: str,
    remedy: str,
    *variants: Mapping[str, str],
    equations: tuple[int, ...] = (),
    where: Callable[[Problem], bool] = lambda problem: True,
) -> Mistake:
    """A mistake that consists of other lines; several variants are told apart by what stands in them."""
    of_lines = tuple(Variant("", variant, equations=equations) for variant in variants)
    return Mistake(name, remedy, lambda problem, answered: of_lines if where(problem) else ())


def problem_mistake(
    name: str,
    remedy: str,
    transform_problem: Callable[[Problem], Problem],
    *,
    where: Callable[[Problem], bool] = lambda problem: True,
    equations: tuple[int, ...] = (),
    keeps_loss: bool = False,
) -> Mistake:
    """A mistake that answers for a changed problem."""
    variant = Variant("", transform_problem=transform_problem, equations=equations, keeps_loss=keeps_loss)
    return Mistake(name, remedy, lambda problem, answered: [variant] if where(problem) else [])


def with_params(problem: Problem, change: Callable[[str, np.ndarray], np.ndarray]) -> Problem:
    """The problem with parameters changed by their names."""
    params = {name: change(name, array) for name, array in problem.params.items()}
    return problem.with_unchecked(params=params)


def with_model(problem: Problem, **changes: Any) -> Problem:
    """The problem with another model of the same shapes."""
    return problem.with_unchecked(model=replace(problem.model, **changes))


def values_of(answer: Evaluation) -> Values:
    """What a backend answered, as far as a mistake can be told from it: without a loss that was refused."""
    return ({} if np.isnan(answer.loss) else {"loss": np.asarray(answer.loss)}) | answer.gradients
