"""A call of a NumPy function as an implementation takes it, which knows fewer keywords, and by other names."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from inspect import Parameter, signature
from typing import Any

import numpy as np

from .recorder import name_of, refused

# They change how NumPy computes, or what kind of array comes out, and no number.
WITHOUT_EFFECT = ("order", "casting", "subok", "optimize", "kind", "copy", "stable", "like", "device")
BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
OTHERS = "others"  # in the place of the name of what takes all other keywords: an implementation that uses them


def bound(
    function: Any, implementation: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments as an implementation takes them.

    Args:
        function: NumPy's.
        implementation: what stands for it: it takes the same arguments in the same order, some by position alone.
        arguments: those given by position.
        options: those given by name.

    Returns:
        Both, for the implementation.

    Raises:
        NotRecordableError: an option is given that the implementation does not know, and that has an effect.

    Example:
        >>> bound(np.sum, lambda array, axis=None: None, (), {"a": 1, "axis": 0})
        ((1,), {'axis': 0})
    """
    parameters = _parameters(function)
    if not parameters:
        return arguments, options
    taken = _parameters(implementation)
    known = {one.name for one in taken if one.kind is not Parameter.POSITIONAL_ONLY}
    places = sum(one.kind in BY_POSITION for one in taken)
    if any(one.kind is Parameter.VAR_POSITIONAL for one in taken):
        places = max(places, len(parameters), len(arguments))
    positional = list(arguments[:places])
    left = {one.name: value for one, value in zip(parameters[places:], arguments[places:], strict=False)} | options
    for one in parameters[len(positional) : places]:
        if one.kind not in BY_POSITION or one.name not in left or one.name in known:
            break
        positional.append(left.pop(one.name))
    defaults = {one.name: one.default for one in parameters}
    for name in list(left):
        if name in known or OTHERS in known:
            continue
        if name in WITHOUT_EFFECT or left[name] is np._NoValue or (name in defaults and left[name] is defaults[name]):
            del left[name]
        else:
            raise refused(f"{name_of(function)} with {name}= cannot be followed")
    return tuple(positional), left


def without_out(
    function: Any, arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """The arguments of a call without the array that its result is written into, which may be given by position.

    Args:
        function: NumPy's.
        arguments: those given by position.
        options: those given by name.

    Returns:
        Both without `out`, what follows it by name; and `out`, None if there is none.

    Example:
        >>> without_out(np.clip, (2.0, 0.0, 1.0, "here"), {}), without_out(np.sum, (2.0,), {"out": "here"})
        (((2.0, 0.0, 1.0), {}, 'here'), ((2.0,), {}, 'here'))
    """
    names = [one.name for one in _parameters(function) if one.kind in BY_POSITION]
    place = names.index("out") if "out" in names else len(arguments)
    if place >= len(arguments):
        return arguments, {name: value for name, value in options.items() if name != "out"}, options.get("out")
    following = dict(zip(names[place + 1 :], arguments[place + 1 :], strict=False))
    return arguments[:place], options | following, arguments[place]


@lru_cache(maxsize=1024)
def _parameters(function: Any) -> tuple[Parameter, ...]:
    """The parameters; none of a function that has no signature."""
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    named = [one for one in parameters if one.name != "_"]
    return tuple(one.replace(name=OTHERS) if one.kind is Parameter.VAR_KEYWORD else one for one in named)
