"""The devices on which a prepared run can compute."""

from __future__ import annotations

from ..checks import require_choice
from ..errors import RequestError

DEVICES = ("cpu", "cuda")


def require_device(backend: str, device: str, *, has_cuda: bool) -> None:
    """Raises RequestError unless the backend can compute on the device here."""
    require_choice("device", device, DEVICES)
    if device == "cuda" and not has_cuda:
        raise RequestError(f"backend {backend!r}: there is no CUDA device")
