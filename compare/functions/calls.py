"""A function and what it is called with, by the names of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import Parameter, signature
from typing import Any

import numpy as np

from ...backends.errors import DerivationError

Function = Callable[..., Any]
BY_NAME = "**"  # before the name of an argument that is given by its name
SEED_OF_COTANGENT = 0


def named_arguments(
    function: Function, arguments: Sequence[Any], options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The arguments of a call by the names of the parameters.

    Args:
        function: what is called.
        arguments: those given by position.
        options: those given by name.

    Returns:
        Both; those given by name with two stars before it.

    Raises:
        DerivationError: the function does not take these.

    Example:
        >>> named_arguments(lambda w, *others, x: 0.0, [1, 2, 3], {"x": 4})
        {'w': 1, 'argument1': 2, 'argument2': 3, '**x': 4}
    """
    _require_taken(function, arguments, options or {})
    parameters = [one for one in parameters_of(function) if one.kind is not Parameter.KEYWORD_ONLY]
    named = {}
    for number, value in enumerate(arguments):
        parameter = parameters[number] if number < len(parameters) else None
        is_named = parameter is not None and parameter.kind is not Parameter.VAR_POSITIONAL
        named[parameter.name if is_named and parameter else f"argument{number}"] = value
    return named | {f"{BY_NAME}{name}": value for name, value in (options or {}).items()}


def arguments_for(definition: Function, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a definition is called with: what the function is, as far as it asks for it.

    Args:
        definition: another program that computes the loss.
        given: what the function is called with, by name.

    Returns:
        If the function has arguments of all names that the definition asks for, these; else the first ones, in order.

    Example:
        >>> arguments_for(lambda W, x: 0.0, {"x": 1, "W": 2, "cache": 3})
        {'W': 2, 'x': 1}
        >>> arguments_for(lambda weights, inputs: 0.0, {"W": 1, "x": 2, "cache": 3})
        {'weights': 1, 'inputs': 2}
    """
    by_name = {name.removeprefix(BY_NAME): value for name, value in given.items()}
    parameters = parameters_of(definition)
    if any(parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD) for parameter in parameters):
        return dict(given)
    needed = [parameter.name for parameter in parameters if parameter.default is Parameter.empty]
    if all(name in by_name for name in needed):
        return {parameter.name: by_name[parameter.name] for parameter in parameters if parameter.name in by_name}
    values = list(given.values())
    if len(values) < len(needed):
        raise DerivationError(
            f"{name_of(definition)} takes {', '.join(needed)}, and the function is called with {', '.join(by_name)}"
        )
    return dict(zip([parameter.name for parameter in parameters], values, strict=False))


def loss_by_cotangent(forward: Function, backward: Function) -> Function:
    """A layer as a function of a loss and its gradients: the loss is the sum of its outputs times a cotangent.

    Args:
        forward: gives the outputs, alone or followed by what the backward pass needs.
        backward: gives the gradients from the cotangent and what the forward pass gave after the outputs; or, if that
            gave nothing, and it takes them, from the cotangent and the arguments.

    Returns:
        The function `(*arguments) -> (loss, gradients)`. The cotangent is drawn, and is the same in every call.

    Example:
        >>> layer = loss_by_cotangent(lambda x: (np.tanh(x), np.tanh(x)), lambda dy, y: {"x": dy * (1 - y * y)})
        >>> loss, gradients = layer(np.zeros(2))
        >>> float(loss), gradients["x"].shape
        (0.0, (2,))
    """
    return partial(_with_cotangent, forward, backward)


def _with_cotangent(forward: Function, backward: Function, *arguments: Any, **options: Any) -> tuple[Any, Any]:
    made = forward(*arguments, **options)
    outputs, *kept = made if isinstance(made, tuple) else (made,)
    cotangent = np.random.default_rng(SEED_OF_COTANGENT).standard_normal(outputs.shape).astype(outputs.dtype)
    if not kept and _number_of_parameters(backward) > 1:
        kept = list(arguments)
    return (outputs * cotangent).sum(), backward(cotangent, *kept)


def name_of(function: Function) -> str:
    """A function's name, to be shown.

    Example:
        >>> name_of(np.sum), name_of(loss_by_cotangent(np.tanh, np.cosh))
        ('sum', 'tanh')
    """
    if isinstance(function, partial):
        inner = function.args[0] if function.func is _with_cotangent else function.func
        return name_of(inner)
    return str(getattr(function, "__name__", type(function).__name__))


def shown(function: Function) -> str:
    """A function with its parameters.

    Example:
        >>> shown(arguments_for)
        'arguments_for(definition, given)'
    """
    stars: dict[Any, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
    return f"{name_of(function)}({', '.join(stars.get(one.kind, '') + one.name for one in parameters_of(function))})"


def _require_taken(function: Function, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
    try:
        signature(function).bind(*arguments, **options)
    except ValueError:  # there is no signature, as of some functions that are not in Python
        return
    except TypeError as error:
        number = len(arguments) + len(options)
        given = f"{number} argument{'s' if number != 1 else ''}"
        raise DerivationError(f"{shown(function)} is called with {given}: {error}") from None


def parameters_of(function: Function) -> list[Parameter]:
    """A function's parameters; none where Python does not know them.

    Example:
        >>> [parameter.name for parameter in parameters_of(lambda w, x: 0.0)]
        ['w', 'x']
    """
    if isinstance(function, partial) and function.func is _with_cotangent:
        function = function.args[0]
    try:
        return list(signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _number_of_parameters(function: Function) -> int:
    return sum(parameter.kind is not Parameter.KEYWORD_ONLY for parameter in parameters_of(function))
