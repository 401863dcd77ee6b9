"""Functions of a test, without the hundreds of others that stand beside them."""

from __future__ import annotations

from types import FunctionType


def alone(function):
    """With names of its own: the lists of its module hold all the others, which would be looked through each time."""
    names = {}

    def renewed(one):
        made = FunctionType(one.__code__, names, one.__name__, one.__defaults__, one.__closure__)
        made.__kwdefaults__ = one.__kwdefaults__
        return made

    for name, value in function.__globals__.items():
        is_of_module = isinstance(value, FunctionType) and value.__globals__ is function.__globals__
        if not isinstance(value, list) and not name.startswith("test_"):
            names[name] = renewed(value) if is_of_module else value
    return renewed(function)
