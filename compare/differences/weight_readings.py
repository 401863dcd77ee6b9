"""How the weights of a layer and direction come from those of another: the order of the gates, each array's source.

Every block of rows of an array is matched with every block of the other layer's; the simplest reading that explains
most is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from .array_sources import BLOCK_ORDERS, COST_OF_SOURCE, Order, Source, sources, transposed
from .block_matches import COST_OF_NONE, BlockMatch, match_block

COST_OF_ORDER = 3.0
Arrays = Mapping[str, np.ndarray]
Matches = tuple[BlockMatch | None, ...]
Stored = tuple[Order | None, Order | None]


@dataclass(frozen=True, eq=False)
class ArrayReading:
    """How an array of the second layer comes from the first one's.

    Attributes:
        order: for each of its gates, the number of the gate of the first layer whose rows it has.
        words: what was done to the whole array, as in `Source`; empty if nothing.
        block_order: what was done to the rows of every gate, one of `BLOCK_ORDERS`.
        matches: by gate, how its rows come from the first layer's; None where they do not.
        blocks: by gate, the rows of the first layer's; where `matches` has none, those of the same gate.
        held: the second layer's array.
        cost: of all this.
    """

    order: tuple[int, ...]
    words: str
    block_order: str
    matches: Matches
    blocks: tuple[np.ndarray, ...]
    held: np.ndarray
    cost: float

    @property
    def before(self) -> np.ndarray:
        """What the second layer's array would be, with the same numbers everywhere."""
        return np.concatenate([_before(*pair) for pair in zip(self.blocks, self.matches, strict=True)])

    @property
    def is_whole(self) -> bool:
        """Whether every gate is explained, but perhaps for a few entries."""
        return all(match is not None for match in self.matches)

    @property
    def is_rounded(self) -> bool:
        """Whether a gate has the same numbers to rounding, and not to the bit."""
        return any(match is not None and match.kind == "same" and not match.is_exact for match in self.matches)


@dataclass(frozen=True, eq=False)
class Reading:
    """How the weights of a layer and direction come from those of another.

    Attributes:
        order: for each gate of the second layer, the number of the gate of the first one whose rows it has; an array
            may have another one of its own.
        units: for each hidden unit of the second layer, its number in the first; None where they are the same.
        arrays: by `U`, `W`, `b` and `b_hn`, as far as both have them.
        cost: of all this; 0 if they are the same.
    """

    order: tuple[int, ...]
    units: np.ndarray | None
    arrays: Mapping[str, ArrayReading]
    cost: float


def read_weights(one: Arrays, other: Arrays, gates: int, stored: Stored = (None, None)) -> Reading:
    """The simplest reading of the second layer's weights as the first one's.

    Args:
        one: of the first layer, in one direction: U (G, D), W (G, H), b (G,) and perhaps b_hn (H,), and of two biases
            that are added `first bias` and `second bias`.
        other: of the second, with the same shapes.
        gates: how many blocks of H rows there are; 1 for a plain cell.
        stored: as for `sources`.

    Returns:
        The reading, which may leave blocks unexplained.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> one = {"U": rng.random((8, 3)), "W": rng.random((8, 2)), "b": rng.random(8)}
        >>> other = {name: np.concatenate([array[:4], array[6:], array[4:6]]) for name, array in one.items()}
        >>> read_weights(one, other, 4).order
        (0, 1, 3, 2)
    """
    reading = _simplest(one, other, gates, None, stored)
    if reading.cost > COST_OF_NONE:
        units = _units(one, other, gates)
        if units is not None:
            of_units = _simplest(_reordered_units(one, units, gates), other, gates, units, stored)
            reading = min(reading, of_units, key=lambda found: found.cost)
    return reading


def _simplest(one: Arrays, other: Arrays, gates: int, units: np.ndarray | None, stored: Stored) -> Reading:
    names = [name for name in ("U", "W", "b", "b_hn") if name in one and name in other]
    orders = list(permutations(range(gates)))
    by_order: dict[str, dict[tuple[int, ...], ArrayReading]] = {}
    for name in names:
        tables = _tables(name, one, other, gates, stored)
        by_order[name] = {order: min((_in_order(table, order) for table in tables), key=_cost) for order in orders}
    alone = {name: min(readings.values(), key=_cost) for name, readings in by_order.items()}
    best: Reading | None = None
    for order in orders:
        arrays = {
            name: readings[order] if readings[order].cost <= alone[name].cost + COST_OF_ORDER else alone[name]
            for name, readings in by_order.items()
        }
        of_others = sum(COST_OF_ORDER for array in arrays.values() if array.order != order)
        cost = sum(array.cost for array in arrays.values()) + of_others
        cost += COST_OF_ORDER if order != tuple(range(gates)) else 0
        cost += COST_OF_SOURCE if units is not None else 0
        if best is None or cost < best.cost:
            best = Reading(order, units, arrays, cost)
    assert best is not None
    return best


@dataclass(frozen=True, eq=False)
class _Table:
    """The matches of every block of an array with every block of a source."""

    source: Source
    block_order: str
    cost: float
    blocks: Sequence[np.ndarray]
    matches: Sequence[Matches]  # by block of the second layer, and block of the first


def _tables(name: str, one: Arrays, other: Arrays, gates: int, stored: Stored) -> list[_Table]:
    blocks = 1 if name == "b_hn" else gates
    tables = []
    for source in sources(name, one, other, gates, stored):
        xs, ys = np.split(source.one, blocks), np.split(source.other, blocks)
        square = name != "b_hn" and xs[0].ndim == 2 and xs[0].shape[0] == xs[0].shape[1]
        for block_order in BLOCK_ORDERS if square else BLOCK_ORDERS[:1]:
            turned = [transposed(x, block_order) for x in xs]
            found = [
                tuple(_match(x, y, plain=not source.words, offsets=name in ("b", "b_hn")) for x in turned) for y in ys
            ]
            cost = source.cost + (COST_OF_SOURCE if block_order else 0)
            tables.append(_Table(source, block_order, cost, turned, found))
            if all(match is not None and not match.cost for match in (of[k] for k, of in enumerate(found))):
                return tables  # the same numbers, which nothing else explains better
    return tables


def _match(x: np.ndarray, y: np.ndarray, *, plain: bool, offsets: bool) -> BlockMatch | None:
    """Of a source that is another array already, only the same numbers count."""
    match = match_block(x, y, offsets=offsets and plain)
    return match if plain or match is None or match.kind in ("same", "rounded") else None


def _in_order(table: _Table, order: tuple[int, ...]) -> ArrayReading:
    numbers = order if len(table.matches) == len(order) else (0,)
    matches = tuple(of_block[k] for of_block, k in zip(table.matches, numbers, strict=True))
    blocks = tuple(
        table.blocks[k if match is not None else number]
        for number, (k, match) in enumerate(zip(numbers, matches, strict=True))
    )
    cost = table.cost + sum(COST_OF_NONE if match is None else match.cost for match in matches) / len(matches)
    return ArrayReading(order, table.source.words, table.block_order, matches, blocks, table.source.other, cost)


def _before(block: np.ndarray, match: BlockMatch | None) -> np.ndarray:
    match match.kind if match is not None else "":
        case "times":
            return block * match.number  # type: ignore[union-attr]
        case "plus":
            return block + match.number  # type: ignore[union-attr]
        case "zero":
            return 0 * block
        case _:
            return block


def _cost(array: ArrayReading) -> float:
    return array.cost


def _units(one: Arrays, other: Arrays, gates: int) -> np.ndarray | None:
    """The hidden units of the first layer in the order of the second, by their rows of U; None if they are none."""
    rows = [
        np.concatenate(np.split(arrays["U"], gates), axis=1) if gates > 1 else arrays["U"] for arrays in (one, other)
    ]
    numbers: dict[bytes, int] = {}
    for number, row in enumerate(rows[0]):
        numbers[np.ascontiguousarray(row).tobytes()] = number
    found = [numbers.get(np.ascontiguousarray(row).tobytes(), -1) for row in rows[1]]
    is_order = sorted(found) == list(range(len(found))) and found != list(range(len(found)))
    return np.array(found) if is_order else None


def _reordered_units(one: Arrays, units: np.ndarray, gates: int) -> dict[str, np.ndarray]:
    """The first layer's arrays, with its hidden units in another order."""
    H = len(units)
    rows = np.concatenate([H * k + units for k in range(gates)])
    arrays = {name: array[units if len(array) == H else rows] for name, array in one.items()}
    return arrays | {"W": arrays["W"][:, units]}
