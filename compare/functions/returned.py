"""What a function returned: its loss, and its gradients by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np

from ...backends.errors import DerivationError
from .matching import ALONE


class Returned(NamedTuple):
    """What a function returned.

    Attributes:
        loss: one number; None if the function returned gradients alone.
        gradients: by the names that the function gives them, such as `dW` or `layers[0].W`; in a tuple `[0]`, and
            `gradient` if it is one array.
    """

    loss: Any
    gradients: dict[str, Any]


def read_returned(value: Any, returns: Sequence[str] | None = None, *, needs_loss: bool = True) -> Returned:
    """Takes apart what a function returned.

    Args:
        value: `(loss, gradients)`, which more may follow.
        returns: the names of all that is returned in a row, among them `loss`; None for the usual form.
        needs_loss: whether it has to return a loss; otherwise it may return gradients alone.

    Returns:
        The loss and the gradients.

    Raises:
        DerivationError: it has another form.

    Example:
        >>> read_returned((0.5, {"W": [1.0]}))
        Returned(loss=0.5, gradients={'W': [1.0]})
        >>> read_returned((0.5, [1.0], "log"), returns=("loss", "dW", "_")).gradients
        {'dW': [1.0]}
    """
    if returns is not None:
        return _by_names(value, returns, needs_loss)
    if not needs_loss and not _begins_with_loss(value):
        return _gradients(None, value)
    if not isinstance(value, (tuple, list)) or len(value) < 2:
        raise DerivationError(f"it returned {_kind(value)}, expected (loss, gradients)")
    loss, gradients = value[0], value[1]
    if not _is_array(loss):
        raise DerivationError(f"its first value is {_kind(loss)}, expected the loss: (loss, gradients)")
    if _is_array(gradients) and len(value) > 2 and all(map(_is_array, value[1:])):
        raise DerivationError(
            f"it returned {len(value)} values in a row: say what they are by returns=('loss', 'dW', …)"
        )
    return _gradients(loss, gradients)


def _begins_with_loss(value: Any) -> bool:
    """Whether it is `(loss, gradients)`: a number, and then what is no number."""
    return isinstance(value, (tuple, list)) and len(value) > 1 and _is_number(value[0]) and not _is_number(value[1])


def _is_number(value: Any) -> bool:
    return _is_array(value) and np.ndim(value) == 0


def _gradients(loss: Any, gradients: Any) -> Returned:
    if _is_array(gradients):
        return Returned(loss, {ALONE: gradients})
    flat = _flat(gradients, "")
    if not flat:
        raise DerivationError(
            f"its gradients are {_kind(gradients)}, expected arrays by name, or in the arguments' order"
        )
    return Returned(loss, flat)


def _by_names(value: Any, returns: Sequence[str], needs_loss: bool) -> Returned:
    if not isinstance(value, (tuple, list)) or len(value) < len(returns):
        raise DerivationError(f"it returned {_kind(value)}, expected {len(returns)} values: {', '.join(returns)}")
    if needs_loss and "loss" not in returns:
        raise DerivationError(f"returns = {tuple(returns)}, expected 'loss' among them")
    named = dict(zip(returns, value, strict=False))
    loss = named.pop("loss", None)
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
    loss = None if returned.loss is None else function(returned.loss)
    return Returned(loss, gradients)


def in_numpy(array: Any) -> np.ndarray:
    """An array of any framework, or nested lists of numbers, as a NumPy array of its own.

    Example:
        >>> in_numpy([1.0, 2.0])
        array([1., 2.])
    """
    if hasattr(array, "detach"):  # of PyTorch
        array = array.detach().cpu().numpy()
    return np.array(array)
