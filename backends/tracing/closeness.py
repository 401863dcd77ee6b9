"""Numbers close to others, and whether two values are the same up to rounding."""

from __future__ import annotations

import numpy as np

from ..models.traced import CONSTANT, Traced
from .primitives import PRIMITIVES
from .replay import Floats, Replay

MAX_ROUNDINGS = 2.0**5  # of every number, in units in the last place; some routines round a number that often
LINEAR = ("sum", "cumsum", "matmul")  # whose result may be much smaller than what it was added up from


def moved(values: np.ndarray, step: float, rng: np.random.Generator, *, keeps_form: bool = False) -> np.ndarray:
    """Numbers beside an array's.

    Args:
        values: the array, of a floating-point dtype.
        step: how far they are, as a part of the array's largest magnitude; at least some units in the last place.
        rng: from which the direction is drawn.
        keeps_form: whether zeros stay, signs stay, and a symmetric matrix stays symmetric, for functions that are not
            defined elsewhere.

    Returns:
        An array of the same shape and dtype.

    Example:
        >>> covariance = np.array([[2.0, 0.0], [0.0, 1.0]])
        >>> beside = moved(covariance, 2.0**-20, np.random.default_rng(0), keeps_form=True)
        >>> bool((beside == beside.T).all()), (beside == covariance).tolist()
        (True, [[False, True], [True, False]])
    """
    limits = np.finfo(values.dtype)
    step = max(step, 16 * float(limits.eps))
    noise = np.asarray(rng.standard_normal(values.shape))
    if keeps_form:
        if values.ndim == 2 and np.array_equal(values, values.T):
            noise = (noise + noise.T) / 2
        scale = np.abs(values)
    else:
        largest = np.abs(values).max(initial=0, where=np.isfinite(values)) or 1.0
        scale = max(largest, limits.tiny / step)
    with np.errstate(all="ignore"):
        return np.asarray(values + step * scale * noise).astype(values.dtype)


def differs(model: Traced, replay: Replay, plain: float) -> bool:
    """Whether a function's value is another one than that of its recording, by more than both may have rounded.

    Args:
        model: the recording.
        replay: it, carried out.
        plain: the function's value.

    Returns:
        Whether something else than rounding tells them apart.
    """
    difference = abs(float(replay.loss) - plain)
    if difference <= 4 * np.finfo(model.loss.dtype).eps * abs(plain):  # what needs no bound
        return False
    return not difference <= MAX_ROUNDINGS * rounding_bound(model, replay)


def rounding_bound(model: Traced, replay: Replay) -> float:
    """By how much the loss would change at most if every number were rounded once, to first order.

    Args:
        model: the recording.
        replay: it, carried out.

    Returns:
        The bound. In a loss that is a small difference of large numbers it is far above the loss's own rounding.

    Example:
        >>> from gradparity.backends.tracing.trace import trace
        >>> traced = trace(lambda w: (w + 1e9).sum() - 2e9, {"w": np.ones(2)})
        >>> model = traced.model(traced.returned, {"w": "w"})
        >>> replay = Replay(model)
        >>> replay.forward(traced.rows())
        >>> replay.loss, f"{rounding_bound(model, replay):.0e}"
        (2.0, '1e-06')
    """
    if model.loss.number == CONSTANT:
        return float(np.finfo(model.loss.dtype).eps) * abs(float(replay.loss))
    functions, bound = Floats(), 0.0
    with np.errstate(all="ignore"):
        adjoints = replay.backward(model.loss)
        for dtype, row in replay.rows.items():
            limits = np.finfo(dtype)
            sizes = np.maximum(np.abs(row), limits.tiny).astype("float64")
            bound += float(limits.eps) * _finite_sum(np.abs(adjoints[dtype]) * sizes)
        for operation in model.operations:
            if operation.primitive in LINEAR:
                operands = [np.abs(replay.take(operand)) for operand in operation.operands]
                compute = PRIMITIVES[operation.primitive].compute
                terms = np.reshape(compute(functions, *operands, **operation.parameters), -1).astype("float64")
                slopes = np.abs(adjoints[operation.dtype][operation.start : operation.stop])
                bound += float(np.finfo(operation.dtype).eps) * _finite_sum(slopes * terms)
    return bound


def changed_decisions(model: Traced, replay: Replay) -> set[int]:
    """The numbers, from 0, of the decisions that are others at the replay's numbers."""
    changed = set()
    for number, decision in enumerate(model.decisions):
        with np.errstate(all="ignore"):
            result = decision.function(*[replay.take(operand) for operand in decision.operands], **decision.arguments)
        if not np.array_equal(np.asarray(result), np.asarray(decision.result), equal_nan=False):
            changed.add(number)
    return changed


def _finite_sum(values: np.ndarray) -> float:
    return float(values.sum(where=np.isfinite(values)))
