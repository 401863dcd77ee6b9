"""How time grows with a size: the exponent of a power law, and how far it is known."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ..bench.changes import standard_error


@dataclass(frozen=True)
class PowerLaw:
    """`time ~ size ** exponent`, fitted to the medians at several sizes.

    Attributes:
        exponent: by least squares between the logarithms.
        error: its standard error: of what the medians are away from the line, or, if that is more, of what the rounds
            are away from their medians; infinite of one round, of which nothing is known.
        last: the exponent between the last two sizes alone, where what a call takes by itself counts least.
        last_error: its standard error, by the rounds.
    """

    exponent: float
    error: float
    last: float
    last_error: float


def fitted(sizes: Sequence[int], rounds: Sequence[Sequence[float]]) -> PowerLaw | None:
    """Fits a power law.

    Args:
        sizes: at least two, different ones.
        rounds: at each size the seconds of a call, of every round.

    Returns:
        The law; None of fewer than two sizes.

    Example:
        >>> law = fitted([10, 100, 1000], [[2e-3, 2e-3], [2e-2, 2e-2], [2e-1, 2e-1]])
        >>> round(law.exponent, 6), round(law.error, 6), round(law.last, 6)
        (1.0, 0.0, 1.0)
    """
    if len(sizes) < 2:
        return None
    x = [math.log(size) for size in sizes]
    y = [math.log(statistics.median(seconds)) for seconds in rounds]
    noise = [standard_error([math.log(second) for second in seconds]) for seconds in rounds]
    center = statistics.fmean(x)
    squares = sum((one - center) ** 2 for one in x)
    slope = sum((one - center) * value for one, value in zip(x, y, strict=True)) / squares
    start = statistics.fmean(y) - slope * center
    of_rounds = math.sqrt(sum(((one - center) * error) ** 2 for one, error in zip(x, noise, strict=True))) / squares
    of_line = 0.0
    if len(sizes) > 2:
        residuals = [value - start - slope * one for one, value in zip(x, y, strict=True)]
        of_line = math.sqrt(sum(residual**2 for residual in residuals) / (len(sizes) - 2) / squares)
    step = x[-1] - x[-2]
    return PowerLaw(slope, max(of_line, of_rounds), (y[-1] - y[-2]) / step, math.hypot(noise[-1], noise[-2]) / step)
