"""JAX apart from what the host has set: a context that leaves its configuration as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import jax
import numpy as np


@contextmanager
def isolated(dtype: np.dtype, device: str = "cpu") -> Iterator[None]:
    """The dtype on the device, in full precision, whatever the host's configuration is."""
    with ExitStack() as stack:
        for context in (
            jax.enable_x64(dtype == np.float64),
            jax.default_device(jax.devices(device)[0]),
            jax.default_matmul_precision("highest"),
            jax.numpy_rank_promotion("allow"),
            jax.numpy_dtype_promotion("standard"),
            jax.transfer_guard("allow"),
            jax.debug_nans(False),
            jax.debug_infs(False),
            jax.disable_jit(False),
        ):
            stack.enter_context(context)
        yield
