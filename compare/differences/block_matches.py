"""Whether one block of numbers is another: itself, times a number, plus a number, rounded, or but for a few entries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..tolerance.formats import HALF_FORMATS, rounded_to

SAMPLE = 64  # entries that are looked at before all of them
MOSTLY = 0.9  # of the entries that are not zero: so many agree where a block is another one but for a few entries
LARGE, FEW_OF_MANY = 4096, 512  # entries of a block; and those of a larger one that are looked at first
FEW = 10  # entries, below which all of them have to agree
COSTS = {"same": 0.0, "rounded": 1.0, "times": 2.0, "plus": 2.5, "zero": 4.0}
COST_OF_EXCEPTIONS = 1.0
COST_OF_NONE = 12.0


@dataclass(frozen=True, eq=False)
class BlockMatch:
    """How a block of numbers comes from another one.

    Attributes:
        kind: `same`, `rounded` (to half precision), `times` a number, `plus` a number, or `zero`.
        number: the number of `times` and `plus`; otherwise 0.
        rounded_to: the half precision of `rounded`.
        differs: where the block has another number nevertheless; None where it has none.
        is_exact: whether it is to the bit, or to rounding.
    """

    kind: str
    number: float = 0.0
    rounded_to: str = ""
    differs: np.ndarray | None = None
    is_exact: bool = True

    @property
    def cost(self) -> float:
        """What the match costs: a simple one less than one that says more."""
        return COSTS[self.kind] + (COST_OF_EXCEPTIONS if self.differs is not None else 0)


def match_block(one: np.ndarray, other: np.ndarray, *, offsets: bool = False) -> BlockMatch | None:
    """The simplest way in which a block comes from another one of the same shape.

    Args:
        one: the first, of any shape.
        other: the second.
        offsets: whether a number may have been added, as to a bias.

    Returns:
        The match; None if there is none.

    Example:
        >>> match_block(np.array([0.5, -2.0, 1.0]), np.array([1.5, -1.0, 2.0]), offsets=True)
        BlockMatch(kind='plus', number=1.0, rounded_to='', differs=None, is_exact=True)
    """
    if one.shape != other.shape:
        return None
    if one.size > LARGE:  # most blocks are told from each other by a few entries
        step = one.size // FEW_OF_MANY
        if match_block(one.flat[::step], other.flat[::step], offsets=offsets) is None:
            return None
    x, y = one.astype("float64", copy=False), other.astype("float64", copy=False)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    unit = max(float(np.finfo(array.dtype).eps) for array in (one, other))
    found = _agreement("same", x, y, unit)
    if found is not None and found.differs is None:
        return found
    return (
        _rounded(one, y)
        or _scaled(x, y, unit)
        or (_raised(one, x, y, unit) if offsets else None)
        or found
        or _zero(x, y)
    )


def _agreement(kind: str, x: np.ndarray, y: np.ndarray, unit: float, number: float = 0.0) -> BlockMatch | None:
    """The match if y is x to rounding, perhaps but for a few entries."""
    allowed = 2 * unit
    sample = slice(0, SAMPLE)
    first_x, first_y = x.reshape(-1)[sample], y.reshape(-1)[sample]
    if np.count_nonzero(_apart(first_x, first_y, allowed)) > len(first_x) // 2:
        return None
    differs = _apart(x, y, allowed)
    count = int(np.count_nonzero(differs))
    if not count:
        return BlockMatch(kind, number, is_exact=bool(np.array_equal(x, y)))
    others = int(np.count_nonzero((x != 0) | (y != 0)))
    if others < FEW or count > (1 - MOSTLY) * others:
        return None
    return BlockMatch(kind, number, differs=differs, is_exact=bool(np.array_equal(x[~differs], y[~differs])))


def _apart(x: np.ndarray, y: np.ndarray, allowed: float) -> np.ndarray:
    return np.abs(x - y) > allowed * np.maximum(np.abs(x), np.abs(y))


def _rounded(one: np.ndarray, y: np.ndarray) -> BlockMatch | None:
    """The match if y is the block in half precision."""
    for name in HALF_FORMATS:
        if np.array_equal(rounded_to(one, name), y):
            return BlockMatch("rounded", rounded_to=name)
    return None


def _scaled(x: np.ndarray, y: np.ndarray, unit: float) -> BlockMatch | None:
    """The match if y is x times a number other than 0 and 1."""
    nonzero = (x != 0) & (y != 0)
    if np.count_nonzero(nonzero) < 2:
        return None
    factor = float(np.median(y[nonzero][:SAMPLE] / x[nonzero][:SAMPLE]))
    factor = float(np.round(factor, 12 if unit < 1e-10 else 5)) or factor
    match = _agreement("times", factor * x, y, 2 * unit, factor)
    return match if match is not None and np.isfinite(factor) and factor != 1 else None


def _raised(one: np.ndarray, x: np.ndarray, y: np.ndarray, unit: float) -> BlockMatch | None:
    """The match if y is x and a number other than 0; of a single entry only if the number is 1 or −1."""
    number = float(np.round(np.median(y - x), 12 if unit < 1e-10 else 5))
    if not number or not np.isfinite(number) or (x.size < 2 and abs(number) != 1):
        return None
    allowed = 2 * unit * np.maximum(np.maximum(np.abs(x), np.abs(y)), abs(number))
    if np.any(np.abs(y - x - number) > allowed):
        return None
    return BlockMatch("plus", number, is_exact=bool(np.array_equal((x + number).astype(one.dtype), y)))


def _zero(x: np.ndarray, y: np.ndarray) -> BlockMatch | None:
    return BlockMatch("zero") if np.any(x) and not np.any(y) else None
