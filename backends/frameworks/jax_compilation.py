"""How JAX compiles what runs a few times only."""

from __future__ import annotations

from functools import cache

import jax

# Code that runs a few times takes longer to compile than to run. Like this it compiles in a quarter of the time.
FAST_COMPILE: dict[str, bool | int] = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


@cache
def options_to_compile_quickly() -> dict[str, bool | int]:
    """None where this version of XLA does not know them."""
    try:
        jax.jit(lambda: 0, compiler_options=FAST_COMPILE).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return FAST_COMPILE
