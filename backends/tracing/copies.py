"""Copies of what a function returned, which nobody else can write to."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def kept(value: Any) -> Any:
    """A value with copies of the arrays in it, also of other frameworks', which nobody else can write to.

    Example:
        >>> buffer = np.zeros(2)
        >>> copy = kept({"dW": [buffer]})
        >>> buffer += 1
        >>> copy
        {'dW': [array([0., 0.])]}
    """
    match value:
        case np.ndarray():
            return value.copy()
        case dict():
            return {name: kept(one) for name, one in value.items()}
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*map(kept, value))
        case tuple() | list():
            return type(value)(map(kept, value)) if type(value) in (tuple, list) else list(map(kept, value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _replaced(value, {field.name: kept(getattr(value, field.name)) for field in fields(value)})
        case _ if hasattr(value, "detach") and hasattr(value, "clone"):  # of PyTorch
            return value.detach().clone()
        case _:
            return value


def _replaced(value: Any, attributes: Mapping[str, Any]) -> Any:
    made = copy(value)
    for name, one in attributes.items():
        object.__setattr__(made, name, one)
    return made
