"""Which problems were asked: how their options and sizes are distributed, as a table of a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from ...backends import Problem
from ...backends.models import Traced, describe
from ..report import Column, Table

MOST_VALUES = 8
MOST_CHARACTERS = 80
LEADING = {"T": "T, time steps", "B": "B, batch"}


def distribution(problems: Sequence[Problem]) -> Table:
    """The values of every option and size, and of how many problems each is.

    Args:
        problems: that were asked.

    Returns:
        A row for each option; of many numbers the smallest, the median and the largest.

    Example:
        >>> from gradparity.compare import SYSTEMS
        >>> problems = [SYSTEMS["lstm"].problem(seed=seed) for seed in (0, 1)]
        >>> [row for row in distribution(problems).rows if row[0] in ("cell", "dtype")]
        [('dtype', 'float64'), ('cell', 'lstm')]
    """
    values: dict[str, list[object]] = {}
    for problem in problems:
        for name, value in _options(problem):
            values.setdefault(name, []).append(value)
    rows = tuple((name, counted(of_option, len(problems))) for name, of_option in values.items())
    return Table(
        f"{len(problems)} problem{'s' if len(problems) > 1 else ''}", (Column("option"), Column("values")), rows
    )


def _options(problem: Problem) -> Iterable[tuple[str, object]]:
    yield "dtype", problem.dtype.name
    for letter, size in zip(problem.model.LEADING.values(), problem.leading, strict=True):
        yield LEADING.get(letter, letter), size
    if isinstance(problem.model, Traced):
        yield "recorded function", problem.model.summary
        return
    for name, value in describe(problem.model).items():
        if value is not None:
            yield name.replace("_", " "), value
    if getattr(problem, "lengths", None) is not None:
        yield "lengths", "unequal"


def counted(values: Sequence[object], total: int) -> str:
    """The values, and how many times each is there if they are not all the same.

    Args:
        values: of any kind.
        total: how many there would be if everybody had one.

    Returns:
        The most frequent first; of many numbers their range and their median.

    Example:
        >>> counted(["relu", "tanh", "tanh"], 3), counted([True, True], 2), counted(list(range(20)), 20)
        ('tanh × 2, relu × 1', 'yes', '0 to 19, median 9.5')
    """
    if len(values) == total and all(value == values[0] for value in values):
        return _word(values[0])
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values) and len(set(numbers)) > MOST_VALUES:
        return f"{min(numbers):g} to {max(numbers):g}, median {median(numbers):g}"
    counts = Counter(map(_word, values)).most_common()
    more = f", and {len(counts) - MOST_VALUES} others" if len(counts) > MOST_VALUES else ""
    return ", ".join(f"{word} × {count}" for word, count in counts[:MOST_VALUES]) + more


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    word = ", ".join(f"{name} {of}" for name, of in value.items()) if isinstance(value, dict) else str(value)
    return word if len(word) <= MOST_CHARACTERS else f"{word[:MOST_CHARACTERS]}…"
