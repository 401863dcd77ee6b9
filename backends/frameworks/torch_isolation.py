"""PyTorch apart from what the host has set: contexts that leave its state as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch


@contextmanager
def isolated(device: str = "cpu") -> Iterator[None]:
    """Autograd in the tensors' own dtype and full precision, whatever modes the host is in."""
    # A default device slows every call down by a few microseconds, so that none is set where none has to be undone.
    is_usual = torch.get_default_device().type == "cpu"
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device, enabled=False),
        nullcontext() if is_usual else torch.device("cpu"),
        nullcontext() if device == "cpu" else without_tf32(),
    ):
        yield


def is_isolated(device: str = "cpu") -> bool:
    """Whether the host has set nothing that `isolated` would change: then a timed run needs no context."""
    return (
        device == "cpu"
        and torch.is_grad_enabled()
        and not torch.is_inference_mode_enabled()
        and not torch.is_autocast_enabled(device)
        and torch.empty(0).device.type == "cpu"  # get_default_device() takes ten times as long
    )


@contextmanager
def in_one_thread() -> Iterator[None]:
    """Whatever runs beside PyTorch has the other cores: its threads spin while they wait for one that has none."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def without_tf32() -> Iterator[None]:
    """Products of float32 on a GPU in float32, and afterwards as the host had them."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    with _in_full_precision(matmul, matmul), _in_full_precision(cudnn, cudnn.rnn):
        yield


@contextmanager
def _in_full_precision(library: Any, operation: Any) -> Iterator[None]:
    """PyTorch refuses to read `allow_tf32` where the host has set its successor, an operation's `fp32_precision`."""
    off: object
    try:
        before, owner, name, off = library.allow_tf32, library, "allow_tf32", False
    except RuntimeError:
        before, owner, name, off = operation.fp32_precision, operation, "fp32_precision", "ieee"
    if before == off:  # to set the one would change the other
        yield
        return
    setattr(owner, name, off)
    try:
        yield
    finally:
        setattr(owner, name, before)
