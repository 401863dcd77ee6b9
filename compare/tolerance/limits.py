"""How far two correct answers may differ: the limits that follow from what the probes have measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from .formats import SPREAD_MULTIPLE, Format, format_of, smallest_told_apart, units_in_the_last_place

Cause = Literal["rounding", "kink", "underflow", "cancellation", "own formulas"]
Reason = Literal["", Cause, "overflow"]
Blocks = dict[str, np.ndarray]

FLOOR_ULP = 8.0  # units in the last place of a block's largest entry that are allowed in any case
ZERO_SHARE = 2.0**-40  # of what is allowed: what an exact block of zeros is enclosed in is smaller
ALLOWED_OF_ZEROS = 8.0  # times what is allowed elsewhere: all that is left there are roundings, and each writes its own
MAX_ZERO_TOLERANCE = 2.0**-30  # of the largest exact number, that may be allowed in a block of zeros
MAIN_SHARES: dict[Cause, float] = {
    "kink": 0.5,
    "rounding": 0.1,
    "cancellation": 0.1,
    "own formulas": 0.1,
}  # of a spread that is its reason


class Entries(NamedTuple):
    """How far every entry moves, by the name of the quantity, (blocks, entries).

    Attributes:
        sides: with the sides that are taken at kinks.
        rounded: with everything else.
    """

    sides: Blocks
    rounded: Blocks


class Choice(NamedTuple):
    """A block of which some entries are a choice, as at a kink correct programs may take either side.

    Attributes:
        entries: (entries of the block,), which of them.
        allowed: how far two correct answers may differ in the others.
    """

    entries: np.ndarray
    allowed: float


@dataclass(frozen=True, eq=False)
class Tolerance:
    """What rounding can do to each block of a problem.

    The arrays stand by quantity, such as `loss`, `dW` or `dh_t`, and have one entry for each block. They are in the
    quantity's own units.

    Attributes:
        dtype: the problem's; or the format of half precision in which it is computed.
        scale: the magnitude of the block's largest entry.
        spread: the largest deviation of an entry among the probes.
        allowed: how far two correct answers may differ.
        undecidable: whether rounding dominates the block.
        overflows: whether a number of the computation comes near the dtype's largest.
        spread_by_source: the same as `spread`, of the probes of each source alone.
        entries: how far every entry moves, where there are kinks; None without.
    """

    dtype: np.dtype | Format
    scale: Blocks
    spread: Blocks
    allowed: Blocks
    undecidable: Blocks
    overflows: bool
    spread_by_source: dict[Cause, Blocks]
    entries: Entries | None = None

    def choice(self, name: str, i: int) -> Choice | None:
        """The entries of a block that are a choice at a kink, where the others can be decided.

        Args:
            name: of the quantity.
            i: the number of the block.

        Returns:
            They, and what is allowed in the others; None if none is a choice, or nothing else can be decided.
        """
        if self.entries is None or not self.undecidable[name][i]:
            return None
        sides, scale = self.entries.sides[name][i], self.scale[name][i]
        chosen = ~(SPREAD_MULTIPLE * sides <= format_of(self.dtype).decided * scale)
        if chosen.all() or not chosen.any():
            return None
        spread = np.maximum(sides, self.entries.rounded[name][i])[~chosen].max()
        allowed = _limit(spread, scale, self.dtype)
        return None if _is_dominated(allowed, scale, self.dtype) else Choice(chosen, float(allowed))

    def reason(self, name: str, i: int) -> Reason:
        """What keeps a block from being decided; empty if it can be.

        Args:
            name: of the quantity.
            i: the number of the block.

        Returns:
            `kink` if a relu takes one side or the other, `underflow` if numbers below the normal range are flushed or
            lost in another order, `overflow` if the way back goes beyond the dtype's range, `cancellation` if another
            way to write a formula loses what this one keeps, `own formulas` if a function that is judged writes one
            like that, else `rounding`.
        """
        if not self.undecidable[name][i]:
            return ""
        whole = float(self.spread[name][i])
        if not np.isfinite(whole):  # at a border, a kink has no size
            return "kink" if np.isinf(self.spread_by_source["kink"][name][i]) else "overflow"
        tiny = format_of(self.dtype).tiny
        if SPREAD_MULTIPLE * whole <= FLOOR_ULP * tiny:  # the floor keeps it from being decided
            return "underflow"
        for source, share in MAIN_SHARES.items():
            if self.spread_by_source[source][name][i] >= share * whole:
                return source
        return "underflow"

    def widened(self, spread: Mapping[str, float]) -> Tolerance:
        """With what rounding does in the formulas of a function that is judged.

        Args:
            spread: by quantity, how far it moves what the function answers.

        Returns:
            The tolerance that allows for it, too.
        """
        own = {name: np.full_like(scale, spread.get(name, 0.0)) for name, scale in self.scale.items()}
        entries = self.entries
        if entries is not None:
            entries = entries._replace(
                rounded={name: np.maximum(moved, spread.get(name, 0.0)) for name, moved in entries.rounded.items()}
            )
        by_source = self.spread_by_source | {"own formulas": own}
        return limits_from(self.dtype, self.scale, by_source, self.overflows, entries)

    def at_scale(self, scale: Blocks) -> Tolerance:
        """The same roundings, on a scale that is known better: that of the exact answer.

        Args:
            scale: the magnitude of every block's largest entry.

        Returns:
            The tolerance with these scales, in the quantities that have one. A block whose exact numbers are all 0, as
            that of a bias before a normalization, is decided where rounding moves it by far less than other blocks are
            large: what is not 0 there is wrong.
        """
        tolerance = limits_from(self.dtype, self.scale | scale, self.spread_by_source, self.overflows, self.entries)
        largest = max((float(of_block.max(initial=0)) for of_block in scale.values()), default=0.0)
        for name, of_block in scale.items():
            allowed = ALLOWED_OF_ZEROS * tolerance.allowed[name]
            is_zero = (of_block <= ZERO_SHARE * allowed) & (allowed <= MAX_ZERO_TOLERANCE * largest)
            tolerance.allowed[name] = np.where(is_zero, allowed, tolerance.allowed[name])
            tolerance.undecidable[name] &= ~is_zero
        return tolerance


def limits_from(
    dtype: np.dtype | Format, scale: Blocks, by_source: dict[Cause, Blocks], overflows: bool, entries: Entries | None
) -> Tolerance:
    """The tolerance that follows from spreads.

    Args:
        dtype: of the problem.
        scale: the magnitude of every block's largest entry.
        by_source: how far every block moved, by what moved it.
        overflows: whether a number came near the dtype's largest.
        entries: how far every entry moved, if there are kinks.

    Returns:
        The limit of every block, and whether it can be decided.
    """
    with np.errstate(all="ignore"):
        spread = {name: np.maximum.reduce([blocks[name] for blocks in by_source.values()]) for name in scale}
        allowed = {name: _limit(spread[name], scale[name], dtype) for name in scale}
        dominated = {name: _is_dominated(allowed[name], scale[name], dtype) for name in scale}
        # a block that is exactly zero, whatever is rounded, is decided
        undecidable = {name: dominated[name] & ~((scale[name] == 0) & (spread[name] == 0)) for name in scale}
    return Tolerance(dtype, scale, spread, allowed, undecidable, overflows, by_source, entries)


def _limit(spread: np.ndarray, scale: np.ndarray, dtype: np.dtype | Format) -> np.ndarray:
    known = format_of(dtype)
    return known.multiple * spread + FLOOR_ULP * (units_in_the_last_place(scale, dtype) + smallest_told_apart(dtype))


def _is_dominated(allowed: np.ndarray, scale: np.ndarray, dtype: np.dtype | Format) -> np.ndarray:
    """Negated, so that a NaN dominates."""
    return ~(allowed <= format_of(dtype).decided * scale)
