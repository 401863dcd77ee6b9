"""Two arrays side by side, as far as they fit on a page."""

from __future__ import annotations

import numpy as np

from ..answers.digits import digits_apart
from .tables import ArrayDiff

MOST_ROWS, MOST_COLUMNS = 12, 8


def array_diff(name: str, right: np.ndarray, given: np.ndarray, allowed: float) -> ArrayDiff:
    """The part of two arrays around the entry that differs most, the entries marked that differ by more than allowed.

    Args:
        name: of the array.
        right: the right one.
        given: the other, of the same shape.
        allowed: the largest difference that is no error.

    Returns:
        At most 12 rows and 8 columns; of an array with more axes, the matrix that has the largest difference. The note
        says what is left out, and how many entries are wrong in all.

    Example:
        >>> import numpy as np
        >>> diff = array_diff("dW", np.array([[1.0, 2.0]]), np.array([[1.0, 2.5]]), allowed=1e-9)
        >>> diff.rows, diff.note
        ((('0', ('1', '2'), ('1', '2.5'), (False, True)),), '1 of 2 entries is wrong.')
    """
    right, given = np.asarray(right), np.asarray(given)
    with np.errstate(invalid="ignore"):
        distance = np.abs(given.astype("f8") - right.astype("f8"))
    distance[np.isnan(distance)] = np.inf
    is_wrong = distance > allowed
    digits = digits_apart(right, given, allowed)
    worst = np.unravel_index(int(np.argmax(distance)), right.shape) if right.size else ()
    leading = worst[:-2]
    grids = [np.atleast_2d(array[leading]) for array in (right, given, is_wrong)]
    place = (0, 0, *map(int, worst))[-2:] if right.ndim else (0, 0)
    first = [
        max(0, min(at - most // 2, size - most))
        for at, most, size in zip(place, (MOST_ROWS, MOST_COLUMNS), grids[0].shape, strict=True)
    ]
    window = tuple(slice(start, start + most) for start, most in zip(first, (MOST_ROWS, MOST_COLUMNS), strict=True))
    shown_right, shown_given, shown_wrong = (grid[window] for grid in grids)

    def texts(row: np.ndarray) -> tuple[str, ...]:
        return tuple(f"{number:.{digits}g}" for number in row.tolist())

    rows = tuple(
        (str(first[0] + i), texts(a), texts(b), tuple(bool(entry) for entry in wrong))
        for i, (a, b, wrong) in enumerate(zip(shown_right, shown_given, shown_wrong, strict=True))
    )
    columns = tuple(str(first[1] + j) for j in range(shown_right.shape[1])) if right.ndim else ("",)
    count = int(is_wrong.sum())
    note = f"{count} of {right.size} entries {'is' if count == 1 else 'are'} wrong."
    if shown_right.size < right.size:
        at = f" of {name}[{', '.join(map(str, leading))}]" if leading else ""
        note += (
            f" Shown are {shown_right.shape[0]} rows and {shown_right.shape[1]} columns{at} around the largest error."
        )
    return ArrayDiff(name, columns, rows, note)
