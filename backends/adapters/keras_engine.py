"""The engine of Keras 3 in this process: JAX or PyTorch.

A process has one engine, which Keras takes when it is imported; a second one is refused.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..errors import UnsupportedProblemError

ENGINES = ("jax", "torch")


def keras_on(engine: str) -> Any:
    """Keras, loaded with that engine unless it is loaded already.

    Raises:
        UnsupportedProblemError: it is loaded with another engine.
    """
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = engine
    try:
        keras = import_module("keras")
    finally:
        if before is None:
            del os.environ["KERAS_BACKEND"]
        else:
            os.environ["KERAS_BACKEND"] = before
    if keras.config.backend() != engine:
        raise UnsupportedProblemError(
            f"Keras computes on {keras.config.backend()} in this process, and has one engine only: "
            f"keras-{engine} needs another process"
        )
    return keras


def engine() -> str:
    """The one that Keras has in this process; if it is not loaded yet, KERAS_BACKEND, or the first that is installed.

    Raises:
        UnsupportedProblemError: Keras is loaded with another one.
    """
    if "keras" not in sys.modules:
        requested = os.environ.get("KERAS_BACKEND")
        return requested if requested in ENGINES else "jax" if find_spec("jax") or not find_spec("torch") else "torch"
    loaded = str(sys.modules["keras"].config.backend())
    if loaded not in ENGINES:
        raise UnsupportedProblemError(f"Keras computes on {loaded} in this process, expected {' or '.join(ENGINES)}")
    return loaded


def in_double_precision() -> Any:
    import jax

    return jax.enable_x64(True)
