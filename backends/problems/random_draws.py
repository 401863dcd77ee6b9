"""Drawing a problem's numbers from a seed, always in float64, and rounding them to the problem's dtype."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..checks import require_dtype, require_integer
from ..errors import InvalidProblemError
from ..models import ArraySpec, Model, OrderedSystem, Recurrent, Traced
from .validation import leading_sizes


def generator(seed: int) -> np.random.Generator:
    """The one generator from which all numbers of a problem come.

    Args:
        seed: a non-negative integer.

    Returns:
        A generator on PCG64.

    Raises:
        InvalidProblemError: the seed is negative, or no integer.
    """
    return np.random.Generator(np.random.PCG64(require_integer("seed", seed, at_least=0)))


def leading_sizes_given(model: Model, sizes: Mapping[str, int | None]) -> tuple[int, ...]:
    """T and B, or what of them the model has.

    Args:
        model: what is computed.
        sizes: `seq_len` and `batch_size`; None where it was not given.

    Returns:
        The sizes that the model has, in the order of the inputs' axes.

    Raises:
        InvalidProblemError: a size is missing, is below 1, or was given although the model has none.
    """
    for name, size in sizes.items():
        if size is not None and name not in model.LEADING:
            raise InvalidProblemError(f"{name} = {size!r} was given, but the model has none: {model.summary}")
    return tuple(require_integer(name, sizes[name], at_least=1) for name in model.LEADING)


def require_drawable(model: Model) -> None:
    """Checks that a model's numbers can be drawn.

    Args:
        model: what is computed.

    Raises:
        InvalidProblemError: it is a recorded function, which branches as it did on its own arguments.
    """
    if isinstance(model, Traced):
        raise InvalidProblemError(f"{model.summary}: its arguments are not drawn from a seed")


def draw_parameters(
    model: Model, rng: np.random.Generator, leading: tuple[int, ...]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The parameters and the initial states.

    Args:
        model: what is computed.
        rng: the problem's generator.
        leading: T and B, or what of them the model has.

    Returns:
        The parameters by name, with variance 1 / fan-in; and the states by name, with standard deviation ½.
    """
    if isinstance(model, OrderedSystem):
        return {"A": np.array(model.weights)}, {}
    params = {}
    for name, shape in model.parameter_shapes.items():
        scale = shape[-1] ** -0.5 if len(shape) == 2 else 0.5
        params[name] = scale * rng.standard_normal(shape)
    specs = model.state_specs(*leading)
    return params, {name: 0.5 * rng.standard_normal(spec.shape) for name, spec in specs.items()}


def draw(rng: np.random.Generator, spec: ArraySpec) -> np.ndarray:
    """An array: standard normal numbers, uniform probabilities, or uniform labels.

    Args:
        rng: the problem's generator.
        spec: the array's shape, and which of the three it holds.

    Returns:
        The array, of float64 or int64.
    """
    match spec.kind:
        case "label":
            return rng.integers(0, spec.labels, spec.shape)
        case "probability":
            return rng.random(spec.shape)
        case _:
            return rng.standard_normal(spec.shape)


def multiply_recurrent_weights(model: Model, params: dict[str, np.ndarray], gain: float) -> None:
    """Multiplies every W in place.

    Args:
        model: what is computed.
        params: the parameters, which are changed.
        gain: the factor.

    Raises:
        InvalidProblemError: the factor is not 1, and the model has no W.
    """
    if not isinstance(model, Recurrent):
        if gain != 1:
            raise InvalidProblemError(f"recurrent_gain = {gain} was given, but the model has none: {model.summary}")
    elif model.concatenated:
        params["Wcat"][:, model.input_size :] *= gain
    else:
        for place in model.places:
            params[place.name("W")] *= gain


def rounded_arrays(
    model: Model,
    params: Mapping[str, np.ndarray],
    inputs: np.ndarray,
    targets: np.ndarray | None,
    states: Mapping[str, np.ndarray],
    dtype: object,
) -> dict[str, Any]:
    """All arrays of a problem, rounded to its dtype.

    Args:
        model: what is computed.
        params: the parameters by name.
        inputs: as in `Problem`.
        targets: as in `Problem`; labels stay integers.
        states: the initial states by name.
        dtype: float64 or float32.

    Returns:
        The arrays by the names of `Problem`'s fields.

    Raises:
        InvalidProblemError: it is another dtype, or the inputs do not have the model's axes.
    """
    numpy_dtype = require_dtype(dtype)
    spec = model.target_spec(*leading_sizes(model, inputs))
    if targets is not None and not (spec and spec.kind == "label"):
        targets = targets.astype(numpy_dtype)
    return {
        "params": {name: array.astype(numpy_dtype) for name, array in params.items()},
        "inputs": inputs.astype(numpy_dtype),
        "targets": targets,
        **{name: array.astype(numpy_dtype) for name, array in states.items()},
    }
