"""A hypothesis: a mistake of the catalogue, or two at once, in a definite variant."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...backends import Problem
from ..mistakes import Mistake, Values, Variant, together
from .submission import Submission


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One mistake or two at once, with a variant of each, and what they seem to give on the first problem."""

    mistakes: tuple[Mistake, ...]
    variants: tuple[Variant, ...]
    near: frozenset[str]

    @property
    def variant(self) -> Variant:
        return self.variants[0] if len(self.variants) == 1 else together(*self.variants)

    @property
    def is_predictable(self) -> bool:
        """Whether the numbers that it gives can be computed."""
        return not any(variant.recognizes or variant.rounds_more for variant in self.variants)

    def names(self) -> tuple[str, ...]:
        pairs = zip(self.mistakes, self.variants, strict=True)
        return tuple(
            f"{mistake.name}: {variant.words}" if variant.words else mistake.name for mistake, variant in pairs
        )

    def shows_on(self, problem: Problem, answered: Values, wrong: Collection[str]) -> bool:
        """Whether it gives what was answered to another problem, and each of its mistakes has a part in that.

        Args:
            problem: that was asked.
            answered: the loss, and gradients by name.
            wrong: the names of what is wrong in it.
        """
        submission = Submission(problem, answered, frozenset(wrong))
        if not submission.measured(self.variant).keys() >= answered.keys():
            return False
        others = (self.variants[:i] + self.variants[i + 1 :] for i in range(len(self.variants)))
        return len(self.variants) == 1 or all(submission.tells_apart(self.variant, variant) for (variant,) in others)
