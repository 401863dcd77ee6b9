"""Regimes: a problem with the same model and other numbers, on which mistakes show that ordinary numbers hide.

Each is a pure function of a problem. It returns None where its kind of number means nothing for the model. A right
derivation stays right in every regime, and stays decidable: that is what the factors are chosen for.

Example:
    >>> from gradparity.compare import SYSTEMS
    >>> problem = SYSTEMS["elman-softmax"].problem(seed=0)
    >>> [name for name, regime in REGIMES.items() if regime(problem)]
    ['confident', 'zeros and ties', 'large gradients']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ...backends import OrderedSystem, Problem, Recurrent
from ...backends.errors import InvalidProblemError
from ...backends.references.manual_backend import answer

Regime = Callable[[Problem], Problem | None]

CONFIDENT = 1024.0  # a logit: e^o overflows, and probabilities round to 0 and 1
LARGE = 4096.0  # a power of two: multiplying by it rounds nothing
COPIES = 8  # of the batch: the gradient of a read-out is at most a sum over steps and samples


def confident(problem: Problem) -> Problem | None:
    """The weights of the read-out so large that a cross-entropy meets outputs of 1000, and probabilities of 0 and 1.

    The longest sample is predicted wrongly at every step: the difference p − y of a right prediction is nothing but
    rounding, and a step that had no other could not be decided.

    Args:
        problem: of any model.

    Returns:
        The problem; None where there are no probabilities.
    """
    if not _has_cross_entropy(problem):
        return None
    outputs = answer(problem).outputs
    largest = float(
        outputs.max() if outputs.max() > 0 else -outputs.min()
    )  # it is e^o of a positive one that overflows
    factor = 2.0 ** np.ceil(np.log2(CONFIDENT / largest)) if 0 < largest < CONFIDENT else 1.0
    sure = _changed(problem, params={readout_names(problem)[0]: lambda V: float(factor) * V})
    is_longest = np.arange(problem.batch_size) == np.argmax(problem.sequence_lengths)
    return _with_wrong_targets(sure, is_longest)


def zeros_and_ties(problem: Problem) -> Problem:
    """Inputs, states, weights, outputs and targets that are exactly 0, and outputs that are exactly equal.

    One row of all weights of a layer and every second bias is 0, and so are the inputs and the initial states of the
    first sample: many pre-activations are exactly 0, whatever the order of a sum.

    Args:
        problem: of any model.

    Returns:
        The problem.

    Example:
        >>> from gradparity.compare import SYSTEMS
        >>> problem = zeros_and_ties(SYSTEMS["elman-relu"].problem(seed=0))
        >>> bool(problem.inputs[:, 0].any()), bool(problem.h0[0].any()), problem.params["b"][:4] == 0
        (False, False, array([ True, False,  True, False]))
    """
    if isinstance(problem.model, OrderedSystem):
        return _changed(problem, inputs=np.zeros_like)
    readout = readout_names(problem)
    params: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        name: _every_second_zero if array.ndim == 1 else _first_row_zero
        for name, array in problem.params.items()
        if name not in readout
    }
    params |= dict.fromkeys(readout, _last_row_zero_and_two_equal)
    return _changed(
        problem,
        params=params,
        inputs=_first_sample_zero,
        h0=_first_sample_zero,
        c0=_first_sample_zero,
        targets=_with_exact_targets,
    )


def large_gradients(problem: Problem, copies: int = COPIES) -> Problem:
    """Predictions that are far from their targets, and more samples, so that every gradient is large.

    The targets of a squared error are off by 4096. Of a cross-entropy, the weights of the read-out are 4096 times as
    large, and every prediction is as wrong as it can be; in a single layer the inputs are, since its gradient is a sum
    of these. The batch is repeated. The objective of an ordered system is 4096 times as large.

    Args:
        problem: of any model.
        copies: how often the batch stands in the new one.

    Returns:
        The problem.
    """
    model = problem.model
    if isinstance(model, OrderedSystem):
        return replace(problem, model=replace(model, objective=tuple(LARGE * c for c in model.objective)))
    if not _has_cross_entropy(problem):
        return _batch_repeated(_changed(problem, targets=lambda y: y + y.dtype.type(LARGE)), copies)
    is_single_layer = not isinstance(model, Recurrent) and len(model.sizes) == 2
    changes = {"inputs": _times_large} if is_single_layer else {"params": {readout_names(problem)[0]: _times_large}}
    sure = _changed(problem, **changes)
    return _batch_repeated(_with_wrong_targets(sure, np.ones(problem.batch_size, bool)), copies)


def scaled(problem: Problem, factor: float) -> Problem:
    """All parameters, inputs and initial states times a factor; those targets too that are numbers of any size.

    Args:
        problem: of any model; the weights of an ordered system are its model's, and stay.
        factor: finite and not 0.

    Returns:
        The problem.

    Raises:
        InvalidProblemError: the factor is 0 or not finite, or a number leaves the dtype's range.

    Example:
        >>> from gradparity.compare import SYSTEMS
        >>> scaled(SYSTEMS["lstm"].problem(seed=0), 2.0).summary
        'lstm (softmax_cross_entropy), float64, T=12 B=3 D=4 H=8 K=5'
    """
    if not np.isfinite(factor) or factor == 0:
        raise InvalidProblemError(f"scale = {factor}, expected a finite number other than 0")

    def times(array: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):  # the problem's own check names the number that left the range
            return np.asarray(array * array.dtype.type(factor))

    is_ordered = isinstance(problem.model, OrderedSystem)
    has_plain_numbers = not is_ordered and not _has_cross_entropy(problem)
    return _changed(
        problem,
        params={} if is_ordered else dict.fromkeys(problem.params, times),
        inputs=times,
        h0=times,
        c0=times,
        targets=times if has_plain_numbers else np.array,
    )


REGIMES: Mapping[str, Regime] = MappingProxyType(
    {"confident": confident, "zeros and ties": zeros_and_ties, "large gradients": large_gradients}
)


def _has_cross_entropy(problem: Problem) -> bool:
    return getattr(problem.model, "loss", "").endswith("cross_entropy")


def readout_names(problem: Problem) -> tuple[str, ...]:
    """The names of the read-out's weights and, if it has them, of its biases: V and c, or those of the last layer.

    Args:
        problem: of a recurrent or a feed-forward model.

    Returns:
        One name, or two.

    Example:
        >>> from gradparity.compare import SYSTEMS
        >>> readout_names(SYSTEMS["lstm"].problem(seed=0))
        ('V', 'c')
    """
    if isinstance(problem.model, Recurrent):
        return tuple(name for name in ("V", "c") if name in problem.params)
    last = len(problem.model.sizes) - 1  # type: ignore[union-attr]
    return (f"W{last}", f"b{last}")


def _with_wrong_targets(problem: Problem, samples: np.ndarray) -> Problem:
    """The problem with those targets of a cross-entropy that are furthest from the outputs.

    Args:
        problem: whose outputs the hand derivation computes.
        samples: which ones get them, (B,).
    """
    outputs, targets = answer(problem).outputs, problem.targets
    assert targets is not None
    is_softmax = problem.model.loss == "softmax_cross_entropy"  # type: ignore[union-attr]
    wrong = outputs.argmin(axis=-1) if is_softmax else np.asarray(outputs < 0, dtype=problem.dtype)
    shape = [1] * targets.ndim
    shape[_batch_axis(problem)] = -1
    return replace(problem, targets=np.where(samples.reshape(shape), wrong, targets))


def _batch_axis(problem: Problem) -> int:
    """The axis B of the targets."""
    return len(problem.leading) - 1


def _changed(
    problem: Problem,
    *,
    params: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType({}),
    **batch: Callable[[np.ndarray], np.ndarray],
) -> Problem:
    """The problem with functions of some of its arrays in their place; an array that it has not is left out."""
    arrays: dict[str, Any] = {
        name: change(array) for name, change in batch.items() if (array := getattr(problem, name)) is not None
    }
    changed = {name: params[name](array) if name in params else array for name, array in problem.params.items()}
    return replace(problem, params=changed, **arrays)


def _times_large(array: np.ndarray) -> np.ndarray:
    return LARGE * array


def _first_row_zero(weights: np.ndarray) -> np.ndarray:
    """Zeros in the first row, unless it is the only one."""
    rows = np.arange(len(weights))[:, np.newaxis]
    return np.where((rows == 0) & (len(weights) > 1), weights.dtype.type(0), weights)


def _every_second_zero(biases: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(biases)) % 2 == 0, biases.dtype.type(0), biases)


def _last_row_zero_and_two_equal(readout: np.ndarray) -> np.ndarray:
    """An output that is always 0, and two that are always equal, as far as there are so many."""
    changed = readout.copy()
    if len(changed) > 1:
        changed[-1] = 0
    if len(changed) > 2:
        changed[1] = changed[0]
    return changed


def _first_sample_zero(array: np.ndarray) -> np.ndarray:
    """Of (…, B, size) the first sample."""
    changed = array.copy()
    changed[..., 0, :] = 0
    return changed


def _with_exact_targets(targets: np.ndarray) -> np.ndarray:
    """Every second number of the last output is 0, and every fourth of all others is 1; labels stay."""
    if targets.dtype.kind != "f":
        return targets
    changed = targets.copy()
    changed.reshape(-1)[::4] = 1
    changed.reshape(-1, targets.shape[-1])[::2, -1] = 0
    return changed


def _batch_repeated(problem: Problem, copies: int) -> Problem:
    """The same samples several times: a sum over the batch is so many times as large."""
    axes = {"inputs": -2, "h0": -2, "c0": -2, "lengths": 0, "targets": _batch_axis(problem)}
    arrays = {name: array for name in axes if (array := getattr(problem, name)) is not None}
    repeated: dict[str, Any] = {
        name: np.concatenate([array] * copies, axis=axes[name]) for name, array in arrays.items()
    }
    return replace(problem, **repeated)
