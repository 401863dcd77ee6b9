"""The functions of a cell that are options in its library: told by their values, since any function can be passed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import InvalidProblemError

# Far enough out that a function which saturates or is clipped elsewhere is another one.
ARGUMENTS = np.array([*np.linspace(-4, 4, 17), -1000, -50, -7, 7, 50, 1000], "float32")
SAME_TO = 1e-5  # of 1: libraries approximate tanh and σ in float32 to a few units in the last place, 1e-7 each
FUNCTIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": lambda a: (np.tanh(a / 2) + 1) / 2,
    "identity": lambda a: a,
}
STANDARD = {"gate function": "sigmoid", "activation": "tanh"}  # of an LSTM and a GRU


def function_name(function: Any, apply: Callable[[Any, np.ndarray], Any]) -> str:
    """The name of a function: that of ours which has the same values, or else its own.

    Args:
        function: takes an array of a library, and returns one.
        apply: calls it on an array of NumPy's.

    Returns:
        `tanh`, `relu`, `sigmoid`, `identity`, or what the function is called.

    Example:
        >>> function_name(lambda a: 2 * a - a, lambda function, a: function(a))
        'identity'
    """
    own_name = str(getattr(function, "__name__", type(function).__name__))
    try:
        values = np.asarray(apply(function, ARGUMENTS))
    except Exception:  # such as a module that wants to be called in a context of its library
        return own_name
    if values.shape != ARGUMENTS.shape:
        return own_name
    for name, known in FUNCTIONS.items():
        if np.allclose(values, known(ARGUMENTS), rtol=SAME_TO, atol=SAME_TO):
            return name
    return f"another {own_name}" if own_name in FUNCTIONS else own_name


def departures_of(functions: Mapping[str, str]) -> dict[str, str]:
    """The functions of a gated cell that are not those of an LSTM or a GRU.

    Args:
        functions: by what they are, `gate function` or `activation`, their names.

    Example:
        >>> departures_of({"gate function": "hard_sigmoid", "activation": "tanh"})
        {'gate function': 'hard_sigmoid'}
    """
    return {what: name for what, name in functions.items() if name != STANDARD[what]}


def require_activation(layer: str, activation: object) -> None:
    """Checks the activation that a plain cell has, or that is stated for it.

    Raises:
        InvalidProblemError: the cell does not tell it, and it is not stated; or gradparity has no such function.
    """
    if activation is None:
        raise InvalidProblemError(
            f"{layer} is a plain cell that does not tell its activation: state it, such as activation='tanh'"
        )
    if activation not in FUNCTIONS:
        raise InvalidProblemError(
            f"{layer} has the unknown activation {activation!r}: expected one of {', '.join(FUNCTIONS)}"
        )
