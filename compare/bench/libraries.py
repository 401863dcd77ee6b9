"""Which library multiplies matrices for a framework, and what memory of a device it took.

Asked of the process in which a backend has computed: the library, and its kernel, are chosen where it runs.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from ..output import blas, installed_version


def products_by(loss: Any) -> str:
    """The library that multiplies for the framework of a loss, and as far as it says so the kernel for this processor.

    Args:
        loss: that a run returned; None of the floor, which is NumPy's.

    Returns:
        Such as `scipy-openblas 0.3.31 (SkylakeX)`, `XLA 0.10.2`, or `MKL 2024.2, PyTorch's own kernels AVX512`: which
        of its own MKL takes it does not tell.

    Example:
        >>> import numpy as np
        >>> from gradparity.compare.output import blas
        >>> products_by(np.float64(1)) == blas()
        True
    """
    match _framework(loss):
        case "torch":
            return _of_torch(sys.modules["torch"], loss)
        case "jax":
            return f"XLA {installed_version('jaxlib')}"
        case _:
            return blas()


def peak_device_memory(loss: Any, device: str) -> int | None:
    """The most bytes of a device that the framework of a loss had allocated; None on the processor, or if unknown.

    Args:
        loss: that a run returned.
        device: on which it was computed.
    """
    if device == "cpu":
        return None
    match _framework(loss):
        case "torch":
            return int(sys.modules["torch"].cuda.max_memory_allocated())
        case "jax":
            (place,) = loss.devices()
            peak = (place.memory_stats() or {}).get("peak_bytes_in_use")
            return None if peak is None else int(peak)
        case _:
            return None


def _framework(loss: Any) -> str:
    module = type(loss).__module__.partition(".")[0]
    return {"torch": "torch", "jaxlib": "jax", "jax": "jax"}.get(module, "")


def _of_torch(torch: Any, loss: Any) -> str:
    if loss.device.type == "cuda":
        return f"cuBLAS {torch.version.cuda} ({torch.cuda.get_device_name(loss.device)})"
    configuration = torch.__config__.show()
    found = re.search(r"Math Kernel Library Version ([\d.]+)", configuration)
    named = re.search(r"BLAS_INFO=(\w+)", configuration)
    library = f"MKL {found[1]}" if found else named[1] if named else "an unknown BLAS"
    return f"{library}, PyTorch's own kernels {torch.backends.cpu.get_cpu_capability()}"
