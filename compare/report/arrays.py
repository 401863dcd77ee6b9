"""Arrays on a page, as far as they fit: two of them side by side, and a heat map of many numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..answers.digits import digits_apart
from .tables import ArrayDiff, HeatMap

MOST_ROWS, MOST_COLUMNS = 12, 6
MOST_PLACES = 32  # of a heat map, from left to right


def array_diff(
    name: str,
    right: np.ndarray,
    given: np.ndarray,
    allowed: float,
    *,
    unjudged: Sequence[int] = (),
    names: tuple[str, str] = ("right", "given"),
    is_known: bool = True,
) -> ArrayDiff:
    """The part of two arrays around the entry that differs most, the entries marked that differ by more than allowed.

    Args:
        name: of the array.
        right: the right one.
        given: the other, of the same shape.
        allowed: the largest difference that is no error.
        unjudged: the numbers of entries that are not judged.
        names: of the two sides.
        is_known: whether the first is known to be right.

    Returns:
        At most 12 rows and 6 columns; of an array with more axes, the matrix that has the largest difference. The note
        says what is left out, and how many entries are wrong in all.

    Example:
        >>> import numpy as np
        >>> diff = array_diff("dW", np.array([[1.0, 2.0]]), np.array([[1.0, 2.5]]), allowed=1e-9)
        >>> diff.rows, diff.note
        ((('0', ('1', '2'), ('1', '2.5'), (False, True)),), '1 of 2 entries differs by more than is allowed.')
    """
    right, given = np.asarray(right), np.asarray(given)
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.asarray(np.abs(given.astype("f8") - right.astype("f8")))
    distance[np.isnan(distance)] = np.inf
    distance.reshape(-1)[list(unjudged)] = 0
    is_wrong = distance > allowed
    digits = digits_apart(right, given, allowed)
    worst = tuple(map(int, np.unravel_index(int(np.argmax(distance)), right.shape))) if right.size else ()
    leading, place = worst[:-2], (0, 0, *worst)[-2:]
    grids = [np.atleast_2d(array[leading]) for array in (right, given, is_wrong)]
    window = tuple(
        _around(at, most, size) for at, most, size in zip(place, (MOST_ROWS, MOST_COLUMNS), grids[0].shape, strict=True)
    )
    shown_right, shown_given, shown_wrong = (grid[window] for grid in grids)

    def texts(row: np.ndarray) -> tuple[str, ...]:
        return tuple(f"{number:.{digits}g}" for number in row.tolist())

    rows = tuple(
        (str(window[0].start + i), texts(a), texts(b), tuple(bool(entry) for entry in wrong))
        for i, (a, b, wrong) in enumerate(zip(shown_right, shown_given, shown_wrong, strict=True))
    )
    columns = tuple(str(window[1].start + j) for j in range(shown_right.shape[1])) if right.ndim else ("",)
    return ArrayDiff(name, columns, rows, _note(name, right, is_wrong, shown_right.shape, leading), names, is_known)


def _around(at: int, most: int, size: int) -> slice:
    """As many places as are shown, with one of them in the middle where that is possible."""
    start = max(0, min(at - most // 2, size - most))
    return slice(start, min(start + most, size))


def _note(name: str, right: np.ndarray, is_wrong: np.ndarray, shown: tuple[int, ...], leading: tuple[int, ...]) -> str:
    count = int(is_wrong.sum())
    note = f"{count} of {right.size} entries {'differs' if count == 1 else 'differ'} by more than is allowed."
    if shown[0] * shown[1] < right.size:
        of = f" of {name}[{', '.join(map(str, leading))}]" if leading else ""
        note += f" Shown are {shown[0]} × {shown[1]} of them{of}, around the largest difference."
    return note


def heat_map(
    caption: str,
    corner: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[float | str | None]]],
    *,
    fixed: int = 0,
    note: str = "",
) -> HeatMap:
    """A heat map of at most 32 places or so; of more, neighbours are put together, and the largest of each is shown.

    Args:
        caption: what it shows, with the unit.
        corner: what the rows are.
        columns: their headings.
        rows: of each its label and values.
        fixed: how many of the first columns stay as they are.
        note: what is to be said beside it.

    Returns:
        The part; its note says how many places are put together.

    Example:
        >>> short = heat_map("used", "block", [str(t) for t in range(1, 65)], [("o_t", [0.25] * 63 + [2.0])])
        >>> short.columns[:2], short.rows[0][1][-1], short.note
        (('1–2', '3–4'), 2.0, 'Each cell is the largest of 2 neighbours.')
    """
    together = -(-(len(columns) - fixed) // MOST_PLACES)
    if together > 1:
        groups = [slice(start, start + together) for start in range(fixed, len(columns), together)]
        columns = [*columns[:fixed], *(_span(columns[group]) for group in groups)]
        rows = [(label, [*values[:fixed], *(_largest(values[group]) for group in groups)]) for label, values in rows]
        note = f"{note} Each cell is the largest of {together} neighbours.".strip()
    return HeatMap(caption, corner, tuple(columns), tuple((label, tuple(values)) for label, values in rows), note=note)


def _span(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]}–{names[-1]}"


def _largest(values: Sequence[float | str | None]) -> float | str | None:
    numbers = [value for value in values if isinstance(value, int | float)]
    return max(numbers) if numbers else next((value for value in values if value), None)
