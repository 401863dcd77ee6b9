"""The functions of a cell that are options in its library: told by their values, since any function can be passed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from math import pi, sqrt
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


def _gelu(a: Any) -> Any:
    erf: Any = import_module("scipy.special").erf
    return a * (1 + erf(a * sqrt(0.5))) / 2


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


# Gates and activations that libraries offer, in NumPy, from their documentation. Keras 3, Flax and PyTorch have one
# hard_sigmoid, Keras 2 and ONNX another. Written without a branch, so that they can be recorded; none overflows.
OTHER_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "hard_sigmoid": lambda a: np.minimum(np.maximum(a + 3, 0), 6) / 6,
    "hard_sigmoid of Keras 2": lambda a: np.minimum(np.maximum(0.2 * a + 0.5, 0), 1),
    "hard_tanh": lambda a: np.minimum(np.maximum(a, -1), 1),
    "hard_silu": lambda a: a * np.minimum(np.maximum(a + 3, 0), 6) / 6,
    "relu6": lambda a: np.minimum(np.maximum(a, 0), 6),
    "leaky_relu with slope 0.01": lambda a: np.maximum(a, 0.01 * a),
    "leaky_relu with slope 0.2": lambda a: np.maximum(a, 0.2 * a),
    "elu": lambda a: np.maximum(a, 0) + np.expm1(np.minimum(a, 0)),
    "selu": lambda a: SELU_SCALE * (np.maximum(a, 0) + SELU_ALPHA * np.expm1(np.minimum(a, 0))),
    "silu": lambda a: a * (np.tanh(a / 2) + 1) / 2,
    "softplus": lambda a: np.logaddexp(a, 0),
    "softsign": lambda a: a / (1 + np.abs(a)),
    "mish": lambda a: a * np.tanh(np.logaddexp(a, 0)),
    "gelu by tanh": lambda a: a * (np.tanh(sqrt(2 / pi) * (a + 0.044715 * a * a * a)) + 1) / 2,
    **({"gelu": _gelu} if find_spec("scipy") else {}),
}
DEFINED_FUNCTIONS = {**FUNCTIONS, **OTHER_FUNCTIONS}
STANDARD = {"gate function": "sigmoid", "activation": "tanh"}  # of an LSTM and a GRU


def function_name(function: Any, apply: Callable[[Any, np.ndarray], Any]) -> str:
    """The name of a function: that of ours which has the same values, or else its own.

    Args:
        function: takes an array of a library, and returns one.
        apply: calls it on an array of NumPy's.

    Returns:
        `tanh`, `relu`, `sigmoid`, `identity`, one of `OTHER_FUNCTIONS`, or what the function is called.

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
    for name, known in DEFINED_FUNCTIONS.items():
        if np.allclose(values, known(ARGUMENTS), rtol=SAME_TO, atol=SAME_TO):
            return name
    return f"another {own_name}" if own_name in DEFINED_FUNCTIONS else own_name


def departures_of(functions: Mapping[str, str]) -> dict[str, str]:
    """The functions of a gated cell that are not those of an LSTM or a GRU.

    Args:
        functions: by what they are, `gate function` or `activation`, their names.

    Example:
        >>> departures_of({"gate function": "hard_sigmoid", "activation": "tanh"})
        {'gate function': 'hard_sigmoid'}
    """
    return {what: name for what, name in functions.items() if name != STANDARD[what]}


def plain_cell_functions(layer: str, activation: object) -> tuple[str, dict[str, str]]:
    """The activation of a plain cell's model, and what the cell has otherwise.

    Args:
        layer: how it is shown.
        activation: that it has, or that is stated for it.

    Returns:
        The activation and no departure; of a function that the models do not have, `tanh` and that function.

    Raises:
        InvalidProblemError: the cell does not tell it, and it is not stated; or there is no such function here.

    Example:
        >>> plain_cell_functions("mine", "relu"), plain_cell_functions("mine", "elu")
        (('relu', {}), ('tanh', {'activation': 'elu'}))
    """
    if activation in OTHER_FUNCTIONS:
        return "tanh", {"activation": str(activation)}
    require_activation(layer, activation)
    return str(activation), {}


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
