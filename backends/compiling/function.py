"""Compiles the text of a recurrence by Numba, for one dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.np.numpy_support import from_dtype

from .elementary import CONTRACTED, elementary_functions
from .source import CompiledText

AXES = {"x": 2, "Y": 2, "w": 2, "outputs": 2, "dx": 2}  # of the arguments that have no blocks; else also the states


def compiled(source: CompiledText, dtype: str) -> Callable[..., float]:
    """The function of a recurrence, compiled.

    Args:
        source: its text.
        dtype: of all its arrays.

    Returns:
        A function of arrays in row-major order, which fills those that it writes to and returns the loss.
    """
    number = np.dtype(dtype).type
    namespace: dict[str, Any] = {name: number(value) for name, value in source.constants.items()}
    namespace |= {"np": np, "zero": number(0), "one": number(1), "least": number(-np.inf)}
    namespace |= elementary_functions(dtype)
    exec(compile(source.text, "<recurrence>", "exec"), namespace)
    matrices = {*AXES, *source.states, *(f"d{name}" for name in source.states)}
    vectors = {name for name in source.params if name.startswith(("b", "c"))}
    matrices |= vectors | {f"d{name}" for name in vectors}
    element = from_dtype(np.dtype(dtype))
    signature = tuple(types.Array(element, 2 if name in matrices else 3, "C") for name in source.arguments)
    return njit([signature], fastmath=CONTRACTED, error_model="numpy")(namespace["run"])
