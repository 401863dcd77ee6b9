"""Arrays of one name in two files: the same, transposed, scaled, rounded, or other numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ...backends.errors import printable
from .block_matches import BlockMatch, match_block

MOST_MISSING = 6  # names that are shown


class PlainDifferences(NamedTuple):
    """Arrays of one name in two files.

    Attributes:
        sentences: one for each that differs.
        same: how many are the same.
        missing: what one file alone has, in a sentence for each file.
    """

    sentences: tuple[str, ...]
    same: int
    missing: tuple[str, ...]


def plain_differences(
    one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], names: tuple[str, str]
) -> PlainDifferences:
    """Compares arrays by their names, entry by entry.

    Args:
        one: of the first file.
        other: of the second.
        names: of the files.

    Returns:
        What differs.

    Example:
        >>> weight = np.arange(6.0).reshape(2, 3)
        >>> plain_differences({"fc": weight}, {"fc": weight.T}, ("a.npz", "b.npz")).sentences
        ('fc of b.npz is that of a.npz, transposed.',)
    """
    shared = [name for name in one if name in other]
    if not shared:  # files of two libraries, whose names are not to be compared
        return PlainDifferences((), 0, ())
    sentences = [sentence for name in shared if (sentence := _sentence(name, one[name], other[name], names))]
    missing = []
    for file, held, others in ((names[0], one, other), (names[1], other, one)):
        alone = [repr(printable(name)) for name in held if name not in others]
        if alone:
            more = f" and {len(alone) - MOST_MISSING} more" if len(alone) > MOST_MISSING else ""
            missing.append(f"{file} alone has {', '.join(alone[:MOST_MISSING])}{more}.")
    return PlainDifferences(tuple(sentences), len(shared) - len(sentences), tuple(missing))


def _sentence(name: str, one: np.ndarray, other: np.ndarray, names: tuple[str, str]) -> str:
    """How an array differs; nothing if it does not."""
    label = printable(name)
    if np.array_equal(one, other, equal_nan=one.dtype.kind == other.dtype.kind == "f"):
        return ""
    if one.dtype.kind != "f" or other.dtype.kind != "f":
        return f"{label} differs: {_held(one, names[0])}, and {_held(other, names[1])}."
    that = f"{label} of {names[1]} is that of {names[0]}"
    if one.shape != other.shape:
        if one.ndim == 2 and one.T.shape == other.shape:
            if np.array_equal(one.T, other):
                return f"{that}, transposed."
            if np.array_equal(one.reshape(other.shape), other):
                return f"{that}, reshaped where it has to be transposed."
        return f"{label} has shape {one.shape} in {names[0]}, and {other.shape} in {names[1]}."
    if one.ndim == 2 and one.shape[0] == one.shape[1] and np.array_equal(one.T, other):
        return f"{that}, transposed."
    match = match_block(one, other, offsets=True)
    return _match_sentence(label, that, match, one, other, names)


def _match_sentence(
    label: str, that: str, match: BlockMatch | None, one: np.ndarray, other: np.ndarray, names: tuple[str, str]
) -> str:
    if match is not None and match.differs is None:
        match match.kind:
            case "same":
                return f"{that} to rounding, and not to the bit."
            case "rounded":
                return f"{that}, rounded to {match.rounded_to}."
            case "times":
                return f"{label} of {names[1]} is {match.number:.6g} times that of {names[0]}."
            case "plus":
                return f"{that}, and {match.number:.6g} added to each number."
            case _:
                return f"{label} of {names[1]} is zero, and not that of {names[0]}."
    with np.errstate(all="ignore"):
        distance = np.abs(one.astype("float64") - other)
    count = int(np.count_nonzero(~((one == other) | (np.isnan(one) & np.isnan(other)))))
    worst = np.unravel_index(int(np.argmax(np.nan_to_num(distance, nan=np.inf))), distance.shape)
    index = [int(k) for k in worst]
    entries = "one entry" if count == 1 else f"{count} entries"
    return (
        f"{label} differs in {entries} of {one.size}, {'' if count == 1 else 'the most in '}{label}{index}: "
        f"{one[worst]!s} in {names[0]}, and {other[worst]!s} in {names[1]}."
    )


def _held(array: np.ndarray, name: str) -> str:
    return f"{array.dtype} of shape {array.shape} in {name}"
