"""The environment of a result, for the record. Imports no framework by itself."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ..jobs import THREAD_VARIABLES

PACKAGES = ("gradparity", "numpy", "torch", "jax", "jaxlib")


def environment() -> dict[str, Any]:
    """Versions, BLAS, threads, processor, and the TF32 and x64 state of loaded frameworks (None of others)."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "versions": {package: installed_version(package) for package in PACKAGES},
        "blas": blas(),
        "threads": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ} | _torch_threads(),
        "tf32": _tf32(),
        "x64": _x64(),
    }


def installed_version(package: str) -> str | None:
    """The version of an installed distribution, without importing it; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def blas() -> str:
    """NumPy's BLAS, and of OpenBLAS the kernel that it took for this processor, which threadpoolctl can tell."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    kernel = blas_kernel()
    return f"{built.get('name', 'unknown')} {built.get('version', '')}{f' ({kernel})' if kernel else ''}".strip()


def blas_kernel() -> str:
    """The kernel of NumPy's OpenBLAS, such as `Zen`; empty of another BLAS, or without threadpoolctl."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return ""
    packages = Path(np.__file__).parent.parent
    folders = [(packages / name).resolve() for name in ("numpy.libs", "numpy/.dylibs")]  # SciPy has one of its own
    for library in threadpool_info():
        if library.get("architecture") and Path(library["filepath"]).resolve().parent in folders:
            return str(library["architecture"])
    return ""


def _torch_threads() -> dict[str, int]:
    torch = sys.modules.get("torch")
    return {} if torch is None else {"torch": torch.get_num_threads()}


def _tf32() -> bool | None:
    torch = sys.modules.get("torch")
    return None if torch is None else bool(torch.backends.cuda.matmul.allow_tf32)


def _x64() -> bool | None:
    jax = sys.modules.get("jax")
    return None if jax is None else bool(jax.config.jax_enable_x64)
