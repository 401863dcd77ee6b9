"""What every run shows of a large family, and what a campaign alone does."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest
from hypothesis import settings


def examples(usual: int, *, least: int = 5) -> int:
    """How many random examples to try: as many as usual in a profile of 100, and in others in proportion."""
    return max(least, usual * settings().max_examples // 100)


def case(*values: object, campaign: bool, id: str | None = None) -> Any:
    """A parametrized case, which may be a campaign's alone."""
    return pytest.param(*values, id=id, marks=[pytest.mark.campaign] if campaign else [])


def chequered(*axes: Iterable[object], every: int = 2) -> list[Any]:
    """All combinations. Every run shows the black squares of this chessboard, which are in every row and column.

    Of a larger number than 2 every run shows fewer: one in so many.
    """
    squares = [zip(*square, strict=True) for square in product(*map(enumerate, axes))]
    return [case(*values, campaign=sum(place) % every != 0) for place, values in squares]
