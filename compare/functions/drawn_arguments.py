"""What a function is called with, where a file says it: a function that draws, or arrays by name.

    def arguments(rng, T=5, B=2):
        return {"W": rng.standard_normal((3, 3))}, rng.standard_normal((T, B, 3))

A tuple is given by position; a dict with the names of the function's parameters by name; anything else is the one
argument. What has a default beside `rng` is a size, which may be made smaller.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import numpy as np

from ...backends import InvalidProblemError, RequestError
from ...backends.errors import DerivationError, describe_error
from ...backends.npz_files import read_npz
from ..check.loading import notes_of
from .calls import Function, name_of, named_arguments, parameters_of, shown
from .recorded_function import Setting

DRAWS = "arguments"  # the function that draws them, if the file has one of this name


def sizes_of(draw: Function) -> dict[str, int]:
    """The sizes that a function which draws arguments can be called with, and their usual values.

    Example:
        >>> sizes_of(lambda rng, T=5, B=2, gain=0.5: ())
        {'T': 5, 'B': 2}
    """
    parameters = list(signature(draw).parameters.values())[1:]
    return {one.name: one.default for one in parameters if isinstance(one.default, int) and one.default is not True}


def drawn(function: Function, draw: Function, dtype: str = "") -> Callable[[Setting], Mapping[str, Any]]:
    """The arguments that a function draws, by the setting.

    Args:
        function: what is called with them.
        draw: `arguments(rng, **sizes)`.
        dtype: to which floating-point arrays are rounded; empty leaves them.

    Returns:
        A function from a setting to the arguments by name.
    """

    def arguments(setting: Setting) -> Mapping[str, Any]:
        try:
            made = draw(np.random.default_rng(setting.seed), **dict(setting.sizes))
        except Exception as error:
            notes = notes_of(sys.modules.get(draw.__module__)) if isinstance(error, NameError) else ()
            because = "".join(f" ({note})" for note in notes)
            raise DerivationError(f"{name_of(draw)} raised {describe_error(error)}{because}") from error
        return by_name(function, in_dtype(made, dtype) if dtype else made)

    return arguments


def by_name(function: Function, made: Any) -> dict[str, Any]:
    """Arguments by the names of the parameters.

    Args:
        function: what is called with them.
        made: a tuple of them, or a dict by the parameters' names, or the one argument.

    Example:
        >>> by_name(lambda params, x: 0, {"x": 1, "params": 2}), by_name(lambda params: 0, {"W": 1})
        ({'params': 2, 'x': 1}, {'params': {'W': 1}})
    """
    if isinstance(made, (tuple, list)):
        return named_arguments(function, made)
    names = _names(function)
    if isinstance(made, dict) and made and made.keys() <= set(names):
        return {name: made[name] for name in names if name in made}
    return named_arguments(function, [made])


def from_npz(function: Function, path: Path) -> dict[str, Any]:
    """Arguments from a file of arrays; `params.W` is the part W of the argument params.

    Args:
        function: what is called with them.
        path: the .npz.

    Raises:
        RequestError: it cannot be read, or its names are not those of the function's arguments.
    """
    try:
        with open(path, "rb") as file:
            arrays = read_npz(path, file)
    except OSError as error:
        raise InvalidProblemError(f"{path}: cannot be read: {error.strerror or error}") from error
    nested: dict[str, Any] = {}
    for name, array in arrays.items():
        *outer, last = name.split(".")
        place = nested
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = array[()] if array.ndim == 0 else array
    names = _names(function)
    if not nested.keys() <= set(names):
        raise RequestError(f"{path}: it has {', '.join(nested)}, expected {', '.join(names)} of {shown(function)}")
    return {name: nested[name] for name in names if name in nested}


def in_dtype(value: Any, dtype: str) -> Any:
    """A value with its floating-point arrays, in whatever containers, rounded to a dtype.

    Example:
        >>> in_dtype(({"W": np.zeros(1)}, 3), "float32")[0]["W"].dtype
        dtype('float32')
    """
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(dtype)
    if isinstance(value, dict):
        return type(value)({name: in_dtype(one, dtype) for name, one in value.items()})
    if type(value) in (tuple, list):
        return type(value)(in_dtype(one, dtype) for one in value)
    return value


def _names(function: Function) -> list[str]:
    return [
        one.name for one in parameters_of(function) if one.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    ]
