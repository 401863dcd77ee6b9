"""What to give instead of an object that is no layer: the layer that it holds, or the cell that a function runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, MethodType

MOST_HELD = 200  # attributes that are looked through
DEEPEST = 3


def what_to_give(thing: object, is_layer: Callable[[object], bool]) -> str:
    """The line that says what an object is, and what to give instead.

    Args:
        thing: what is no layer.
        is_layer: whether an object is one.

    Returns:
        The line; empty if there is nothing better to say than what is expected.

    Example:
        >>> what_to_give(print, lambda thing: False)[:30]
        'a function is no layer, and ha'
    """
    name = type(thing).__name__
    article = "an" if name[:1] in "AEIOaeio" else "a"
    if isinstance(thing, (FunctionType, MethodType, type(print))):
        return (
            "a function is no layer, and has no weights: pass the cell that it runs; of haiku (function that makes its "
            "core, parameters)"
        )
    if isinstance(thing, tuple) and thing and all(hasattr(thing[0], part) for part in ("init", "apply", "_fields")):
        return "what hk.transform returns is a function of inputs: pass (function that makes its core, parameters)"
    if isinstance(thing, Mapping):
        return f"{article} {name} is weights without a layer: load them into a layer first, or see gradparity convert"
    if isinstance(thing, (list, tuple)) and any(map(is_layer, thing)):
        layers = [type(part).__name__ for part in thing if is_layer(part)]
        return (
            f"{article} {name} is no layer that is known: pass the {' and the '.join(layers)} in it, without the rest"
        )
    held = next(_held(thing, is_layer), None)
    if held:
        path, layer = held
        return f"{article} {name} is no layer that is known: pass the {type(layer).__name__} that it holds, {path}"
    return ""


def class_names_in(thing: object) -> set[str]:
    """The names of the classes of an object and of what it holds; of a TorchScript module that of the original.

    Example:
        >>> class_names_in([1, "one"]) >= {"list", "int", "str"}
        True
    """
    names = {str(getattr(thing, "original_name", type(thing).__name__))}
    return names | {type(inner).__name__ for _, inner in _held(thing, lambda inner: True)}


def _held(thing: object, is_layer: Callable[[object], bool]) -> Iterator[tuple[str, object]]:
    """The layers in an object's attributes, and in the lists and objects in these, nearest first."""
    level, seen = [("", thing)], {id(thing)}
    for _ in range(DEEPEST):
        below = []
        for path, holder in level:
            for name, inner in _parts(holder):
                if id(inner) not in seen and len(seen) < MOST_HELD:
                    seen.add(id(inner))
                    if is_layer(inner):
                        yield f"{path}{name}", inner
                    below.append((f"{path}{name}", inner))
        level = below


def _parts(holder: object) -> Iterator[tuple[str, object]]:
    if isinstance(holder, (list, tuple)):
        yield from ((f"[{i}]", part) for i, part in enumerate(holder))
        return
    modules = getattr(holder, "_modules", None)  # of PyTorch, which keeps them beside the attributes
    attributes = {**getattr(holder, "__dict__", {}), **(modules if isinstance(modules, Mapping) else {})}
    yield from ((f".{name}", part) for name, part in attributes.items() if not name.startswith("_"))
