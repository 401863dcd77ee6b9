"""What a function returned: its loss, and its gradients by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np

from ...backends.errors import DerivationError


class Returned(NamedTuple):
    """What a function returned.

    Attributes:
        loss: one number.
        gradients: by the names that the function gives them, such as `dW`, `layers[0].W` or, in a tuple, `[0]`.
        is_positional: whether the gradients are in the order of the arguments.
    """

    loss: Any
    gradients: dict[str, Any]
    is_positional: bool = False


def read_returned(value: Any, returns: Sequence[str] | None = None) -> Returned:
    """Takes apart what a function returned.

    Args:
        value: `(loss, gradients)`, which more may follow.
        returns: the names of all that is returned in a row, among them `loss`; None for the usual form.

    Returns:
        The loss and the gradients.

    Raises:
        DerivationError: it has another form.

    Example:
        >>> read_returned((0.5, {"W": [1.0]}))
        Returned(loss=0.5, gradients={'W': [1.0]}, is_positional=False)
        >>> read_returned((0.5, [1.0], "log"), returns=("loss", "dW", "_")).gradients
        {'dW': [1.0]}
    """
    if returns is not None:
        return _by_names(value, returns)
    if not isinstance(value, (tuple, list)) or len(value) < 2:
        raise DerivationError(f"it returned {_kind(value)}, expected (loss, gradients)")
    loss, gradients = value[0], value[1]
    if _is_array(gradients) and len(value) > 2 and all(map(_is_array, value[1:])):
        raise DerivationError(
            f"it returned {len(value)} values in a row: say what they are by returns=('loss', 'dW', …)"
        )
    if _is_array(gradients):
        return Returned(loss, {"[0]": gradients}, is_positional=True)
    flat = _flat(gradients, "")
    if not flat:
        raise DerivationError(
            f"its gradients are {_kind(gradients)}, expected arrays by name, or in the arguments' order"
        )
    return Returned(loss, flat, isinstance(gradients, (tuple, list)))


def _by_names(value: Any, returns: Sequence[str]) -> Returned:
    if not isinstance(value, (tuple, list)) or len(value) < len(returns):
        raise DerivationError(f"it returned {_kind(value)}, expected {len(returns)} values: {', '.join(returns)}")
    if "loss" not in returns:
        raise DerivationError(f"returns = {tuple(returns)}, expected 'loss' among them")
    named = dict(zip(returns, value, strict=False))
    loss = named.pop("loss")
    return Returned(loss, {name: part for name, part in named.items() if not name.startswith("_")})


def _flat(value: Any, path: str) -> dict[str, Any]:
    """All arrays in a nested value, by how they are reached."""
    if _is_array(value):
        return {path: value}
    parts: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        parts = [(f"{path}.{name}" if path else str(name), part) for name, part in value.items()]
    elif isinstance(value, (tuple, list)):
        parts = [(f"{path}[{index}]", part) for index, part in enumerate(value)]
    elif is_dataclass(value):
        parts = [
            (f"{path}.{field.name}" if path else field.name, getattr(value, field.name)) for field in fields(value)
        ]
    return {name: array for path, part in parts for name, array in _flat(part, path).items()}


def _is_array(value: Any) -> bool:
    if isinstance(value, (int, float, np.generic)) or (hasattr(value, "shape") and hasattr(value, "dtype")):
        return not isinstance(value, bool)
    if isinstance(value, list) and value:
        return all(isinstance(part, (int, float)) or (isinstance(part, list) and _is_array(part)) for part in value)
    return False


def _kind(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)} values"
    return f"a {type(value).__name__}"


def mapped(function: Callable[[Any], Any], returned: Returned) -> Returned:
    """The same with a function applied to the loss and to every gradient."""
    gradients = {name: function(array) for name, array in returned.gradients.items()}
    return Returned(function(returned.loss), gradients, returned.is_positional)
