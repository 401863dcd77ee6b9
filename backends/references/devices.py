"""The devices on which a prepared run can compute."""

from __future__ import annotations

from ..checks import require_choice
from ..errors import RequestError

DEVICES = ("cpu", "cuda")


def require_device(backend: str, device: str, *, has_cuda: bool) -> None:
    """Checks that a backend can compute on a device here.

    Args:
        backend: its name, for the message.
        device: one of `DEVICES`.
        has_cuda: whether its framework finds a CUDA device.

    Raises:
        UnknownNameError: it is another device.
        RequestError: there is no CUDA device.
    """
    require_choice("device", device, DEVICES)
    if device == "cuda" and not has_cuda:
        raise RequestError(f"backend {backend!r}: there is no CUDA device")
