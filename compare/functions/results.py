"""What came out of the check of a person's own function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..referee import Comparison, explain


@dataclass(frozen=True, eq=False)
class FunctionCheck:
    """The judgement on a function.

    Attributes:
        name: of the function.
        comparison: its gradients beside those of the engines that differentiated its recording.
        matched: by the judged block, the name under which the gradient was returned, and the path of its argument.
        is_reproducible: whether a second call gave the same.
        notes: what is to be said beside the verdict.
    """

    name: str
    comparison: Comparison
    matched: Mapping[str, tuple[str, str]]
    is_reproducible: bool
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """`agree`, `disagree`, `undecidable` or `not reproducible`."""
        return self.comparison.verdict if self.is_reproducible else "not reproducible"

    def rows(self) -> list[dict[str, Any]]:
        """A row for each block: the gradient, what it belongs to, its verdict and its error in ulp."""
        rows = []
        for block in self.comparison.blocks:
            returned, path = self.matched.get(block.label, ("loss", ""))
            distance = block.distance_ulp.get(self.name)
            rows.append(
                {"gradient": block.label, "returned": returned, "of": path, "verdict": block.verdict, "ulp": distance}
            )
        return rows

    @property
    def summary(self) -> str:
        """The verdict and what it rests on, in a few lines."""
        lines = [explain(self.comparison)] if self.comparison.verdict != "agree" else [f"{self.name}: right"]
        if not self.is_reproducible:
            lines.append("not reproducible: a second call on the same numbers gave another answer")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])
