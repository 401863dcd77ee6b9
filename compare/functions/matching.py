"""Which argument each gradient belongs to: by its name as people write it, and by its shape."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...backends.errors import DerivationError

PREFIXES = ("d", "grad_", "grad", "g_", "dl_d", "dloss_d", "dloss_", "d_", "delta_", "nabla_", "∂", "∇")
NO_NAME = re.compile(r"(\[\d+\])+")  # of a gradient in a tuple
SUFFIXES = ("_grad", "_gradient", "grad", ".grad", "_bar")


def match(
    gradients: Mapping[str, tuple[int, ...]],
    arguments: Mapping[str, tuple[int, ...]],
    wrt: Mapping[str, str] | None = None,
    *,
    positional: Sequence[str] | None = None,
) -> dict[str, str]:
    """Finds for each gradient the argument that it is the derivative with respect to.

    Args:
        gradients: the shapes, by the names that the function gives them.
        arguments: the shapes of all arrays that it can reach, by how they are reached.
        wrt: for some gradients, the name or the path of the argument.
        positional: if the gradients are in the order of the arguments, the paths of these; else None.

    Returns:
        By the gradient's name, the argument's path.

    Raises:
        DerivationError: a gradient belongs to none, or to one of several; the message says to which it may.

    Example:
        >>> match({"dW": (2, 3), "db": (2,)}, {"params['W']": (2, 3), "params['b']": (2,), "x": (3,)})
        {'dW': "params['W']", 'db': "params['b']"}
    """
    wrt = wrt or {}
    for name in wrt:
        if name not in gradients:
            raise DerivationError(f"wrt names {name!r}, which is not returned: expected one of {', '.join(gradients)}")
    found: dict[str, str] = {}
    for name, target in wrt.items():
        found[name] = path_of(target, arguments)
    left = {name: shape for name, shape in gradients.items() if name not in found}
    unnamed = [name for name in left if positional is not None and NO_NAME.fullmatch(name)]
    for name, shape in left.items():
        if name in unnamed:
            continue
        same_name = [path for path in arguments if _same_name(name, path)]
        fitting = [path for path in same_name if arguments[path] == shape] or same_name
        fitting = [path for path in fitting if path not in found.values()] or fitting
        if not fitting:
            fitting = [path for path, other in arguments.items() if other == shape and path not in found.values()]
            if len(fitting) == 1 and sum(other == shape for other in left.values()) > 1:
                fitting = []
        if len(fitting) != 1:
            raise DerivationError(_ambiguous(name, shape, fitting, arguments))
        found[name] = fitting[0]
    if unnamed:
        waiting = {path: arguments[path] for path in positional or () if path not in found.values()}
        found |= _by_position({name: left[name] for name in unnamed}, waiting)
    return {name: found[name] for name in gradients}


def last_name(path: str) -> str:
    """The last name of a path: `W` of `params['W']`, of `self.W` and of `W`; of a list's part with its index.

    Example:
        >>> [last_name(path) for path in ("params['W']", "model.layers[0].W", "W", "Ws[2]")]
        ['W', 'W', 'W', 'Ws[2]']
    """
    parts = re.findall(r"\['([^']*)'\]|([A-Za-z_]\w*(?:\[\d+\])*)", path)
    return next((one or other for one, other in reversed(parts)), path)


def path_of(target: str, arguments: Mapping[str, tuple[int, ...]]) -> str:
    """The argument that is meant by a path, or by its last names.

    Args:
        target: such as `params['W']`, `W` or `model.W`.
        arguments: the shapes of all arrays, by their paths.

    Returns:
        The path.

    Raises:
        DerivationError: there is none, or there are several.

    Example:
        >>> path_of("W", {"params['W']": (2, 3), "x": (3,)})
        "params['W']"
    """
    if target in arguments:
        return target
    fitting = [path for path in arguments if last_name(path) == target or path.endswith(f".{target}")]
    if len(fitting) != 1:
        which = f"it may be {' or '.join(fitting)}" if fitting else f"expected one of {', '.join(arguments)}"
        raise DerivationError(f"wrt names {target!r}: {which}")
    return fitting[0]


def _by_position(gradients: Mapping[str, tuple[int, ...]], arguments: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """All of them in order; of fewer gradients than arguments each to one of its shape, if there is one way only."""
    if len(gradients) == len(arguments):
        return dict(zip(gradients, arguments, strict=True))
    first = _in_order(gradients, arguments)
    last = _in_order(_reversed(gradients), _reversed(arguments))
    for name, shape in gradients.items():
        fitting = list(dict.fromkeys(way[name] for way in (first, last) if name in way))
        if len(fitting) != 1:
            raise DerivationError(_ambiguous(name, shape, fitting, arguments))
    return first


def _reversed(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return dict(reversed(list(shapes.items())))


def _in_order(gradients: Mapping[str, tuple[int, ...]], arguments: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Each to the next argument of its shape; without those for which none is left."""
    found = {}
    waiting = iter(arguments.items())
    for name, shape in gradients.items():
        path = next((path for path, other in waiting if other == shape), None)
        if path is not None:
            found[name] = path
    return found


def _same_name(gradient: str, path: str) -> bool:
    last = gradient.rsplit(".", 1)[-1]
    name = last_name(path)
    if last == name or gradient == path:
        return True
    low, wanted = last.lower(), name.lower()
    if any(low == f"{prefix}{wanted}" for prefix in PREFIXES) or any(low == f"{wanted}{suffix}" for suffix in SUFFIXES):
        return True
    return low.startswith("d") and low[1:].replace("_", "") == wanted.replace("_", "")


def _ambiguous(name: str, shape: tuple[int, ...], fitting: list[str], arguments: Mapping[str, tuple[int, ...]]) -> str:
    what = f"the gradient {name} has shape {shape}"
    if len(fitting) > 1:
        return f"{what}, and may belong to {' or '.join(fitting)}: say which by wrt={{{name!r}: …}}"
    every = ", ".join(f"{path} {other}" for path, other in arguments.items())
    return f"{what}, and belongs to no argument by name or shape: say to which by wrt={{{name!r}: …}}, one of {every}"
