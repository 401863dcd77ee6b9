"""Functions in NumPy, PyTorch and JAX: whose arrays they return, arrays for them, and when their results are there.

This runs in the process of the function. A framework is loaded only where the function's file has loaded it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...backends.errors import DerivationError
from ..functions.returned import Returned

NUMPY, TORCH, JAX = "numpy", "torch", "jax"
FRAMEWORKS = (NUMPY, TORCH, JAX)
OF_MODULE = {"numpy": NUMPY, "builtins": NUMPY, "torch": TORCH, "jax": JAX, "jaxlib": JAX}  # by the type's module
CONVERTED = "fiubc"  # kinds of dtype; others, such as texts, no framework has


def framework_of(returned: Returned) -> str:
    """The framework whose arrays the gradients are.

    Args:
        returned: what a function returned.

    Returns:
        `numpy`, `torch` or `jax`; numbers and lists of Python's are taken for NumPy's.

    Raises:
        DerivationError: they are of another one, or of two.

    Example:
        >>> framework_of(Returned(0.5, {"W": np.zeros(2), "b": 0.0}))
        'numpy'
    """
    modules = {type(array).__module__.partition(".")[0] for array in returned.gradients.values()}
    if unknown := modules - OF_MODULE.keys():
        raise DerivationError(f"its gradients are arrays of {', '.join(sorted(unknown))}, expected NumPy, torch or jax")
    found = {OF_MODULE[module] for module in modules}
    if len(found - {NUMPY}) > 1:
        raise DerivationError("its gradients are arrays of torch and of jax, expected those of one framework")
    return max(found, key=FRAMEWORKS.index)


def loaded_frameworks() -> list[str]:
    """Those that are loaded in this process, NumPy first."""
    return [name for name in FRAMEWORKS if name in sys.modules]


def converted(value: Any, framework: str) -> Any:
    """A value with the arrays in it, in whatever dicts, lists and tuples, as a framework's own on the processor.

    Args:
        value: with arrays of NumPy.
        framework: whose they become. Tensors of PyTorch require no gradient.

    Example:
        >>> converted({"W": np.zeros(2), "steps": 3}, "numpy")
        {'W': array([0., 0.]), 'steps': 3}
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in CONVERTED:
        return _array(value, framework)
    if isinstance(value, dict):
        return type(value)({name: converted(one, framework) for name, one in value.items()})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(converted(one, framework) for one in value))
    if type(value) in (tuple, list):
        return type(value)(converted(one, framework) for one in value)
    return value


def _array(array: np.ndarray, framework: str) -> Any:
    if framework == TORCH:
        import torch

        return torch.from_numpy(np.array(array, array.dtype.newbyteorder("="), order="C"))
    if framework == JAX:
        import jax.numpy

        return jax.numpy.asarray(array)
    return array.copy()


def awaited(framework: str, value: Any) -> Callable[[Any], Any]:
    """A function that waits until a result is there, and returns it.

    PyTorch's results are there when a call returns, but on a GPU, which is waited for. JAX's are waited for by
    `jax.block_until_ready`; it looks into dicts, lists, tuples and registered classes. What it would not look into is
    taken apart here.

    Args:
        framework: of the function.
        value: what it returned once.

    Example:
        >>> awaited("numpy", 0.5)(0.5)
        0.5
    """
    if framework == TORCH:
        import torch

        if torch.cuda.is_initialized():
            return _after_gpu
    elif framework == JAX:
        import jax

        if all(isinstance(leaf, (jax.Array, np.generic, np.ndarray, int, float)) for leaf in jax.tree.leaves(value)):
            return jax.block_until_ready
        return _after_parts
    return _at_once


def _at_once(value: Any) -> Any:
    return value


def _after_gpu(value: Any) -> Any:
    import torch

    torch.cuda.synchronize()
    return value


def _after_parts(value: Any) -> Any:
    """Waits for all arrays in a value, also in attributes of objects that JAX does not know."""
    waiting, seen = [value], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, (str, bytes, type)):
            continue
        seen.add(id(part))
        if hasattr(part, "block_until_ready"):
            part.block_until_ready()
        elif isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, (list, tuple)):
            waiting += part
        elif hasattr(part, "__dict__"):
            waiting += vars(part).values()
    return value


def arrays_in(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The arrays in an argument, by how they are reached.

    Example:
        >>> [path for path, _ in arrays_in({"W": np.zeros(2), "rest": [np.ones(1), 3]}, "params")]
        ["params['W']", "params['rest'][0]"]
    """
    if hasattr(value, "dtype") and hasattr(value, "shape") and not isinstance(value, np.generic):
        yield path, value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from arrays_in(one, f"{path}[{name!r}]")
    elif isinstance(value, (tuple, list)):
        for index, one in enumerate(value):
            yield from arrays_in(one, f"{path}[{index}]")


def fingerprint(array: Any) -> str:
    """A text that changes with the numbers in an array; JAX's arrays cannot change.

    Example:
        >>> fingerprint(np.zeros(2)) == fingerprint(np.zeros(2)), fingerprint(np.zeros(2)) == fingerprint(np.ones(2))
        (True, False)
    """
    if hasattr(array, "detach"):
        array = array.detach().cpu().numpy()
    if not isinstance(array, np.ndarray) or array.dtype.hasobject:
        return ""
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes()).hexdigest()
