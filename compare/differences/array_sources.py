"""What an array of a layer's weights may have been made of: the other layer's, transposed, reshaped, or another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from ..tolerance.formats import HALF_FORMATS, rounded_to
from .block_matches import COSTS

Arrays = Mapping[str, np.ndarray]
Order = tuple[int, ...]
COST_OF_SOURCE = 3.0
TRANSPOSED = "transposed gate by gate"
BLOCK_ORDERS = ("", TRANSPOSED)


class Source(NamedTuple):
    """What an array may have been made of.

    Attributes:
        words: what the array is, such as `W of {first}`; or after a comma, what was done to the same one; empty if
            nothing was.
        one: the array of the first layer, after it.
        other: the array of the second.
        cost: against other sources; 0 if nothing was done.
    """

    words: str
    one: np.ndarray
    other: np.ndarray
    cost: float = COST_OF_SOURCE


def sources(
    name: str, one: Arrays, other: Arrays, gates: int, stored: tuple[Order | None, Order | None] = (None, None)
) -> Iterator[Source]:
    """The sources of an array of the second layer, the plain one first.

    Args:
        name: `U`, `W`, `b` or `b_hn`.
        one: the arrays of the first layer, in one direction; of two biases that are added, `first bias` and
            `second bias` beside their sum `b`.
        other: those of the second layer.
        gates: how many blocks of rows there are.
        stored: the numbers of the gates in the order in which the libraries of both have their rows, in which kernels
            are reshaped; None where it is that of `one` and `other`, or there is none.

    Yields:
        Sources whose arrays have one shape.
    """
    x, y = one[name], other[name]
    yield Source("", x, y, 0.0)
    if x.ndim == 2:
        yield from _sources_of_matrix(name, one, y, gates, stored)
    elif name == "b":
        yield from _sources_of_bias(one, other, y)
    else:
        yield Source("b_n of {first}", one["b"][-len(x) :], y)


def transposed(block: np.ndarray, order: str) -> np.ndarray:
    """The block of a gate, in one of `BLOCK_ORDERS`.

    Args:
        block: the rows of a gate.
        order: `transposed gate by gate`, or nothing.

    Returns:
        The block, transposed or as it is.
    """
    return block.T if order == TRANSPOSED else block


def _sources_of_matrix(
    name: str, one: Arrays, y: np.ndarray, gates: int, stored: tuple[Order | None, Order | None]
) -> Iterator[Source]:
    x = one[name]
    rows, columns = x.shape
    if rows > 1 and columns > 1:
        as_stored = _in_blocks(x, stored[0])
        for reshaped in (as_stored.T.reshape(x.shape), as_stored.reshape(x.T.shape).T):
            back = None if stored[1] is None else tuple(int(k) for k in np.argsort(stored[1]))
            yield Source(", reshaped where it has to be transposed", _in_blocks(reshaped, back), y)
    if gates > 1 and rows > gates:
        by_unit = x.reshape(gates, rows // gates, columns).swapaxes(0, 1).reshape(x.shape)
        by_gate = x.reshape(rows // gates, gates, columns).swapaxes(0, 1).reshape(x.shape)
        yield Source(", with its rows unit by unit, and not gate by gate", by_unit, y)
        yield Source(", with its rows gate by gate, and not unit by unit", by_gate, y)
    if columns > 1:
        yield Source(", with its columns in the opposite order", x[:, ::-1], y)
    if columns > 2 and columns % 2 == 0:
        yield Source(", with the two halves of its columns exchanged", np.roll(x, columns // 2, axis=1), y)
    partner = {"U": "W", "W": "U"}[name]
    if one[partner].shape == x.shape:
        yield Source(f"{partner} of {{first}}", one[partner], y)
    D = one["U"].shape[1]
    exchanged = np.concatenate([one["W"], one["U"]], axis=1)  # of which U is wrongly taken to be the first D columns
    yield Source(
        ", cut out of [W U] where the order is [U W]", exchanged[:, :D] if name == "U" else exchanged[:, D:], y
    )


def _in_blocks(array: np.ndarray, order: Order | None) -> np.ndarray:
    """The blocks of rows in another order."""
    if order is None:
        return array
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[k] for k in order])


def _sources_of_bias(one: Arrays, other: Arrays, y: np.ndarray) -> Iterator[Source]:
    """One of two biases without the other one; and those that mix up b_n and b_hn."""
    x = one["b"]
    for kept, dropped in (("first", "second"), ("second", "first")):
        if f"{kept} bias" in one:
            words = f"the {kept} of the two biases of {{first}} alone: the {dropped} one is dropped"
            yield Source(words, one[f"{kept} bias"], y)
        if f"{kept} bias" in other:
            words = f"the sum of two biases, of which {{first}} has the {kept} alone"
            yield Source(words, x, other[f"{kept} bias"])
    if "first bias" in one:
        for precision in HALF_FORMATS:
            both = (rounded_to(one[f"{which} bias"], precision).astype(x.dtype) for which in ("first", "second"))
            yield Source(f", rounded to {precision}", sum(both, np.zeros_like(x)), y, COSTS["rounded"])
    if "b_hn" in one:
        H = len(one["b_hn"])
        folded, swapped = x.copy(), x.copy()
        folded[-H:] += one["b_hn"]
        swapped[-H:] = one["b_hn"]
        yield Source(", with b_hn added to b_n", folded, y)
        yield Source(", with b_hn in the place of b_n", swapped, y)
