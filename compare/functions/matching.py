"""Which argument each gradient belongs to: by its name as people write it, and by its shape."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from ...backends.errors import DerivationError

Shape = tuple[int, ...]
PREFIXES = ("d", "grad_", "grad", "g_", "dl_d", "dloss_d", "dloss_", "d_", "delta_", "nabla_", "∂", "∇")
IN_A_ROW = re.compile(r"(\[\d+\])+")  # the name of a gradient in a tuple
ALONE = "gradient"  # the name of one that is returned as an array
MOST_SHOWN = 8  # arrays in a message
SUFFIXES = ("_grad", "_gradient", "grad", ".grad", "_bar")


def match(
    gradients: Mapping[str, Shape],
    shapes: Mapping[str, Shape],
    wrt: Mapping[str, str] | None = None,
    *,
    arguments: Sequence[str] = (),
    needed: Collection[str] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Finds for each gradient the array that it is the derivative with respect to.

    A gradient with a name belongs to the array of that name: among several to the one in the arguments, to one on which
    the loss depends, and to one of its shape. Gradients in a row belong to the arguments in their order. A gradient
    that stands alone belongs to the first argument, as with SciPy and JAX.

    Args:
        gradients: the shapes, by the names that the function gives them; of those in a row `[0]` and so on, and
            `gradient` of one that stands alone.
        shapes: of all arrays that the function can reach, by how they are reached.
        wrt: for some gradients, the name or the path of the array.
        arguments: the paths of the arrays among the arguments, in order.
        needed: the paths of the arrays on which the loss depends; None means all.
        aliases: by another way to an array, or to what holds arrays, the first one.

    Returns:
        By the gradient's name, the array's path.

    Raises:
        DerivationError: a gradient belongs to none, or to one of several; the message says to which it may.

    Example:
        >>> match({"dW": (2, 3), "db": (2,)}, {"params['W']": (2, 3), "params['b']": (2,), "x": (3,)})
        {'dW': "params['W']", 'db': "params['b']"}
        >>> match({"[0]": (2,), "[1]": (3,)}, {"w": (2,), "x": (3,), "y": (2,)}, arguments=["w", "x", "y"])
        {'[0]': 'w', '[1]': 'x'}
    """
    needed = shapes.keys() if needed is None else needed
    ways = dict(zip(shapes, shapes, strict=True)) | {
        way: first for way, first in (aliases or {}).items() if first in shapes
    }
    found: dict[str, str] = {}
    for name, target in (wrt or {}).items():
        if name not in gradients:
            raise DerivationError(f"wrt names {name!r}, which is not returned: expected one of {', '.join(gradients)}")
        found[name] = path_of(first_path(target, aliases or {}), shapes)
    left = {name: shape for name, shape in gradients.items() if name not in found}
    in_a_row = {name: shape for name, shape in left.items() if IN_A_ROW.fullmatch(name)}
    for name, shape in left.items():
        if name == ALONE:
            found[name] = _alone(shape, shapes, arguments, needed)
        elif name not in in_a_row:
            found[name] = _by_name(name, shape, shapes, ways, (arguments, needed), found.values())
    if in_a_row:
        found |= _in_order(in_a_row, shapes, [path for path in shapes if path in needed], arguments, found.values())
    return {name: found[name] for name in gradients}


def _by_name(
    name: str,
    shape: Shape,
    shapes: Mapping[str, Shape],
    ways: Mapping[str, str],
    preferred: Sequence[Collection[str]],
    taken: Collection[str],
) -> str:
    """The array of a gradient's name. What is preferred decides among several, and then the shape."""
    fitting = list(dict.fromkeys(path for way, path in ways.items() if is_named_after(name, way)))
    for better in (*preferred, [path for path in shapes if path not in taken and shapes[path] == shape]):
        fitting = [path for path in fitting if path in better] or fitting
    if len(fitting) != 1:
        raise DerivationError(_ambiguous(name, shape, fitting, shapes))
    return fitting[0]


def _alone(shape: Shape, shapes: Mapping[str, Shape], arguments: Sequence[str], needed: Collection[str]) -> str:
    """The first argument, if it has the shape; else the only array of that shape on which the loss depends."""
    if arguments and shapes[arguments[0]] == shape:
        return arguments[0]
    fitting = [path for path in shapes if path in needed and shapes[path] == shape]
    if len(fitting) != 1:
        raise DerivationError(_ambiguous(ALONE, shape, fitting, shapes))
    return fitting[0]


def _in_order(
    gradients: Mapping[str, Shape],
    shapes: Mapping[str, Shape],
    needed: Sequence[str],
    arguments: Sequence[str],
    taken: Collection[str],
) -> dict[str, str]:
    """Each in order to an array of its shape, if there is one way only; as many as there are arguments, to these."""
    waiting = [path for path in needed if path not in taken]
    given = [path for path in arguments if path not in taken]
    if len(given) == len(gradients) and set(waiting) <= set(given):
        return dict(zip(gradients, given, strict=True))
    first = _next_of_shape(gradients, shapes, waiting)
    last = _next_of_shape(dict(reversed(list(gradients.items()))), shapes, waiting[::-1])
    for name, shape in gradients.items():
        fitting = list(dict.fromkeys(way[name] for way in (first, last) if name in way))
        if len(fitting) != 1 or name not in first:
            raise DerivationError(_ambiguous(name, shape, fitting, shapes))
    return first


def _next_of_shape(gradients: Mapping[str, Shape], shapes: Mapping[str, Shape], paths: Sequence[str]) -> dict[str, str]:
    """Each to the next array of its shape; without those for which none is left."""
    found = {}
    waiting = iter(paths)
    for name, shape in gradients.items():
        path = next((path for path in waiting if shapes[path] == shape), None)
        if path is not None:
            found[name] = path
    return found


def last_name(path: str) -> str:
    """The last name of a path: `W` of `params['W']`, of `self.W` and of `W`; of a list's part with its index.

    Example:
        >>> [last_name(path) for path in ("params['W']", "model.layers[0].W", "W", "Ws[2]")]
        ['W', 'W', 'W', 'Ws[2]']
    """
    parts = re.findall(r"\['([^']*)'\]|([A-Za-z_]\w*(?:\[\d+\])*)", path)
    return next((one or other for one, other in reversed(parts)), path)


def first_path(target: str, aliases: Mapping[str, str]) -> str:
    """A path as it was found first, where it leads through something that is reached in several ways.

    Example:
        >>> first_path("self.params['W']", {"self.params['W']": "self.layers[0].W"})
        'self.layers[0].W'
        >>> first_path("net.first.W", {"net.first": "net.layers[0]"})
        'net.layers[0].W'
    """
    for _ in range(len(aliases)):
        ends = [end for end in range(len(target), 0, -1) if end == len(target) or target[end] in ".["]
        end = next((end for end in ends if target[:end] in aliases), 0)
        if not end:
            break
        target = aliases[target[:end]] + target[end:]
    return target


def path_of(target: str, arguments: Mapping[str, Shape]) -> str:
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


def is_named_after(gradient: str, path: str) -> bool:
    """Whether a gradient has the name of an array, as people write it.

    Example:
        >>> is_named_after("dW", "params['W']"), is_named_after("grad_b", "b"), is_named_after("dW", "b")
        (True, True, False)
    """
    last = gradient.rsplit(".", 1)[-1]
    name = last_name(path)
    if last == name or gradient == path:
        return True
    low, wanted = last.lower(), name.lower()
    if any(low == f"{prefix}{wanted}" for prefix in PREFIXES) or any(low == f"{wanted}{suffix}" for suffix in SUFFIXES):
        return True
    return low.startswith("d") and low[1:].replace("_", "") == wanted.replace("_", "")


def _ambiguous(name: str, shape: Shape, fitting: Sequence[str], shapes: Mapping[str, Shape]) -> str:
    what = f"the gradient {name} has shape {shape}"
    if len(fitting) > 1:
        return f"{what}, and may belong to {' or '.join(fitting[:MOST_SHOWN])}: say which by wrt={{{name!r}: …}}"
    of_shape = [path for path, other in shapes.items() if other == shape]
    of_shape.sort(key=lambda path: len(_words(path) & _words(name)), reverse=True)
    shown = of_shape or [f"{path} {other}" for path, other in shapes.items()]
    more = f" and {len(shown) - MOST_SHOWN} more" if len(shown) > MOST_SHOWN else ""
    which = f"{'; of that shape are' if of_shape else '; there are'} {', '.join(shown[:MOST_SHOWN])}{more}"
    return f"{what}, and no array has its name: say to which it belongs by wrt={{{name!r}: …}}{which if shown else ''}"


def _words(name: str) -> set[str]:
    """The words of a name or a path, such as `norm1` and `gamma` of `model.norm1.gamma`."""
    return set(re.findall(r"[a-z]+\d*", name.lower()))
