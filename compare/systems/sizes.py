"""Systems of other sizes.

Example:
    >>> from gradparity.compare import SYSTEMS
    >>> resized(SYSTEMS["lstm"], (20, 2, 3, 5, 4)).problem(seed=0).summary
    'lstm (softmax_cross_entropy), float64, T=20 B=2 D=3 H=5 K=4'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...backends import FeedForward, InvalidProblemError, OrderedSystem
from ...backends.checks import require_integer
from ...backends.models import Traced
from .catalogue import System


def resized(system: System, sizes: Sequence[int]) -> System:
    """The system with other sizes.

    Args:
        system: of any model but an ordered system.
        sizes: T, B, D, H and K; of a feed-forward network B and the sizes of its layers, of which there are two or
            more.

    Returns:
        The system.

    Raises:
        InvalidProblemError: these are not the sizes of its model, or one is below 1.
    """
    model = system.model
    if isinstance(model, OrderedSystem | Traced):
        raise InvalidProblemError(f"sizes: those of {system.name} are its model's, and cannot be changed")
    if isinstance(model, FeedForward):
        if len(sizes) < 3:
            raise InvalidProblemError(f"sizes = {_shown(sizes)}, expected B and the sizes of at least two layers")
        return replace(with_batch_size(system, sizes[0]), model=replace(model, sizes=tuple(sizes[1:])))
    if len(sizes) != 5:
        raise InvalidProblemError(f"sizes = {_shown(sizes)}, expected T, B, D, H and K")
    T, B, D, H, K = sizes
    resized_model = replace(model, input_size=D, hidden_size=H, output_size=K)
    return replace(with_seq_len(with_batch_size(system, B), T), model=resized_model)


def with_seq_len(system: System, seq_len: int) -> System:
    """The system with another T. Unequal lengths keep their shares of it.

    Args:
        system: of a recurrent model.
        seq_len: at least 1.

    Returns:
        The system.

    Raises:
        InvalidProblemError: there is no time, or it is below 1.

    Example:
        >>> from gradparity.compare import SYSTEMS
        >>> with_seq_len(SYSTEMS["elman-lengths"], 60).lengths
        (60, 5, 35)
    """
    T = _require_size("seq_len", seq_len, system, lacks="time")
    lengths = system.lengths and tuple(max(1, length * T // system.seq_len) for length in system.lengths)
    return replace(system, seq_len=T, lengths=lengths)


def with_batch_size(system: System, batch_size: int) -> System:
    """The system with another B. Unequal lengths are repeated, or cut off.

    Args:
        system: of a model with a batch.
        batch_size: at least 1.

    Returns:
        The system.

    Raises:
        InvalidProblemError: there is no batch, or it is below 1.

    Example:
        >>> from gradparity.compare import SYSTEMS
        >>> with_batch_size(SYSTEMS["elman-lengths"], 5).lengths
        (12, 1, 7, 12, 1)
    """
    B = _require_size("batch_size", batch_size, system, lacks="batch")
    lengths = system.lengths and tuple(system.lengths[b % len(system.lengths)] for b in range(B))
    return replace(system, batch_size=B, lengths=lengths)


def _require_size(name: str, size: int, system: System, *, lacks: str) -> int:
    """The size, if it is at least 1 and the system has one of that name."""
    size = require_integer(name, size, at_least=1)
    if name not in system.model.LEADING:
        raise InvalidProblemError(f"{name} = {size} was given, but {system.name} has no {lacks}")
    return size


def _shown(sizes: Sequence[int]) -> str:
    return ",".join(map(str, sizes))
