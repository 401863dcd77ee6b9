"""Drawing a problem's numbers from a seed, always in float64."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..checks import require_integer
from ..errors import InvalidProblemError
from ..models import ArraySpec, Model, OrderedSystem, Recurrent


def generator(seed: int) -> np.random.Generator:
    """The one generator from which all numbers of a problem come."""
    return np.random.Generator(np.random.PCG64(require_integer("seed", seed, at_least=0)))


def leading_sizes_given(model: Model, sizes: Mapping[str, int | None]) -> tuple[int, ...]:
    """T and B, or what of them the model has, out of `seq_len` and `batch_size`."""
    for name, size in sizes.items():
        if size is not None and name not in model.LEADING:
            raise InvalidProblemError(f"{name} = {size!r} was given, but the model has none: {model.summary}")
    return tuple(require_integer(name, sizes[name], at_least=1) for name in model.LEADING)


def draw_parameters(
    model: Model, rng: np.random.Generator, leading: tuple[int, ...]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The parameters, and the initial states."""
    if isinstance(model, OrderedSystem):
        return {"A": np.array(model.weights)}, {}
    params = {}
    for name, shape in model.parameter_shapes.items():
        scale = shape[-1] ** -0.5 if len(shape) == 2 else 0.5
        params[name] = scale * rng.standard_normal(shape)
    specs = model.state_specs(*leading)
    return params, {name: 0.5 * rng.standard_normal(spec.shape) for name, spec in specs.items()}


def draw(rng: np.random.Generator, spec: ArraySpec) -> np.ndarray:
    """An array of the form: standard normal numbers, uniform probabilities, or uniform labels."""
    match spec.kind:
        case "label":
            return rng.integers(0, spec.labels, spec.shape)
        case "probability":
            return rng.random(spec.shape)
        case _:
            return rng.standard_normal(spec.shape)


def multiply_recurrent_weights(model: Model, params: dict[str, np.ndarray], gain: float) -> None:
    """Multiplies every W in place."""
    if not isinstance(model, Recurrent):
        if gain != 1:
            raise InvalidProblemError(f"recurrent_gain = {gain} was given, but the model has none: {model.summary}")
    elif model.concatenated:
        params["Wcat"][:, model.input_size :] *= gain
    else:
        for place in model.places:
            params[place.name("W")] *= gain
