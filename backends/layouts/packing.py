"""What the layouts share: gates in another order, a second bias, and what the weights' names and shapes tell."""

from __future__ import annotations

import numpy as np

from ..errors import InvalidProblemError, UnsupportedProblemError
from ..models import Recurrent
from .layout import ArrayMapping, Arrays

CELL_OF_BLOCKS = {1: "rnn", 3: "gru", 4: "lstm"}  # by the number of blocks of H


def reorder_gates(array: np.ndarray, order: str, new_order: str) -> np.ndarray:
    """The rows of the gates in another order; of a cell without gates the array itself."""
    if order == new_order:
        return array
    parts = dict(zip(order, np.split(array, len(order)), strict=True))
    return np.concatenate([parts[gate] for gate in new_order])


def negate_gate(array: np.ndarray, gate: int, gates: int) -> np.ndarray:
    """The array with the opposite sign in the rows of one gate: σ(−a) = 1 − σ(a)."""
    parts = np.split(array, gates)
    parts[gate] = -parts[gate]
    return np.concatenate(parts)


def cell_of(rows: int, H: int, name: str) -> str:
    """The cell, by how many blocks of H the recurrent weights of that name have."""
    if rows % H or rows // H not in CELL_OF_BLOCKS:
        raise InvalidProblemError(f"{name} has {rows} numbers for {H} units, expected 4H (LSTM), 3H (GRU) or H (plain)")
    return CELL_OF_BLOCKS[rows // H]


def unsupported_reset_reason(layer: str, model: Recurrent, *, has: str) -> str:
    """The reason why a library's GRU does not compute the model's; empty if it does, or if the cell is no GRU."""
    if model.cell != "gru" or model.reset == has:
        return ""
    return f"{layer} has its reset gate {has} the product, not {model.reset}"


def size_of(weights: ArrayMapping, name: str, axis: int, *, axes: int = 2) -> int:
    """The size of an array along an axis; raises InvalidProblemError unless it has that many axes and no empty one."""
    shape = weights[name].shape
    if len(shape) != axes or not all(shape):
        raise InvalidProblemError(f"{name} has shape {shape}, expected {axes} axes, none of them empty")
    return shape[axis]


def require_names(weights: ArrayMapping, *known: set[str]) -> None:
    """Raises InvalidProblemError unless the weights are called as one of the known sets."""
    if set(weights) not in known:
        expected = " or ".join(", ".join(sorted(names)) for names in known)
        raise InvalidProblemError(f"the weights are {', '.join(sorted(weights)) or 'none'}, expected {expected}")


def state_bias(model: Recurrent, p: ArrayMapping) -> np.ndarray:
    """The bias on the side of the state: b_hn in the rows of the GRU's n, which are the last, and zero elsewhere."""
    bias = np.zeros_like(p["b"])
    if "b_hn" in p:
        bias[-model.hidden_size :] = p["b_hn"]
    return bias


def split_state_bias(model: Recurrent, bias: np.ndarray) -> Arrays:
    """A GRU's bias on the side of the state as `b_hn` and `b_h`, which is zero in the rows of n."""
    b_h = bias.copy()
    b_h[-model.hidden_size :] = 0
    return {"b_h": b_h, "b_hn": bias[-model.hidden_size :]}


def require_zero(array: np.ndarray, message: str) -> None:
    """Raises UnsupportedProblemError where a number would be lost."""
    if np.any(array):
        raise UnsupportedProblemError(message)
