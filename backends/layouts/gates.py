"""What the layouts share: the order of gates, and what the shapes and names of weights tell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import InvalidProblemError, UnsupportedProblemError
from ..models import Recurrent

CELL_OF_BLOCKS = {1: "rnn", 3: "gru", 4: "lstm"}  # by the number of blocks of H


def reordered(array: np.ndarray, given: str, wanted: str) -> np.ndarray:
    """The rows of the gates in another order; of a cell without gates the array itself."""
    if given == wanted:
        return array
    parts = dict(zip(given, np.split(array, len(given)), strict=True))
    return np.concatenate([parts[gate] for gate in wanted])


def turned(array: np.ndarray, gate: int, gates: int) -> np.ndarray:
    """The array with the opposite sign in the rows of one gate: σ(−a) = 1 − σ(a)."""
    parts = np.split(array, gates)
    parts[gate] = -parts[gate]
    return np.concatenate(parts)


def cell_of(many: int, H: int, name: str) -> str:
    """The cell, by how many blocks of H the recurrent weights of that name have."""
    if many % H or many // H not in CELL_OF_BLOCKS:
        raise InvalidProblemError(f"{name} has {many} numbers for {H} units, expected 4H (LSTM), 3H (GRU) or H (plain)")
    return CELL_OF_BLOCKS[many // H]


def reset_refusal(layer: str, model: Recurrent, *, has: str) -> str:
    """Why a GRU of a library is not this one; empty if it is, or if this is none."""
    if model.cell != "gru" or model.reset == has:
        return ""
    return f"{layer} has its reset gate {has} the product, not {model.reset}"


def size_of(weights: Mapping[str, np.ndarray], name: str, axis: int, *, axes: int = 2) -> int:
    """The size of an array along an axis; raises InvalidProblemError unless it has that many axes and no empty one."""
    shape = weights[name].shape
    if len(shape) != axes or not all(shape):
        raise InvalidProblemError(f"{name} has shape {shape}, expected {axes} axes, none of them empty")
    return shape[axis]


def require_names(weights: Mapping[str, np.ndarray], *known: set[str]) -> None:
    """Raises InvalidProblemError unless the weights are called as one of the known sets."""
    if set(weights) not in known:
        expected = " or ".join(", ".join(sorted(names)) for names in known)
        raise InvalidProblemError(f"the weights are {', '.join(sorted(weights)) or 'none'}, expected {expected}")


def require_zero(array: np.ndarray, message: str) -> None:
    """Raises UnsupportedProblemError where a number would be lost."""
    if np.any(array):
        raise UnsupportedProblemError(message)
