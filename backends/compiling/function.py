"""Compiles the text of a recurrence by Numba, for one dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.np.numpy_support import from_dtype

from .elementary import CONTRACTED, elementary_functions
from .source import CompiledText

WITHOUT_BLOCKS = ("x", "Y", "w", "outputs", "dx", "h0", "c0", "dh0", "dc0")
VECTORS = ("b", "b_hn", "c", "db", "db_hn", "dc")  # by blocks


def compiled(source: CompiledText, dtype: str) -> Callable[..., float]:
    """The function of a recurrence, compiled. Nothing of it is kept on disk: Numba's cache needs a file of its source.

    Args:
        source: its text.
        dtype: `float64` or `float32`, of all its arrays.

    Returns:
        A function of arrays in row-major order, which fills those that it writes to and returns the loss.
    """
    number = np.dtype(dtype).type
    namespace: dict[str, Any] = {name: number(value) for name, value in source.constants.items()}
    namespace |= {"zero": number(0), "one": number(1), "least": number(-np.inf)}
    namespace |= elementary_functions(dtype)
    exec(compile(source.text, "<recurrence>", "exec"), namespace)
    element = from_dtype(np.dtype(dtype))
    axes = dict.fromkeys(source.arguments, 3) | dict.fromkeys((*WITHOUT_BLOCKS, *VECTORS), 2)
    signature = tuple(types.Array(element, axes[name], "C") for name in source.arguments)
    return njit([signature], fastmath=CONTRACTED, error_model="numpy")(namespace["run"])
