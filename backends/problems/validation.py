"""Checks of a problem's arrays. Each failure names the array, the index and what was expected."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..checks import DTYPES
from ..errors import InvalidProblemError, unknown_name
from ..models import ArraySpec, Model, OrderedSystem, Traced


def leading_sizes(model: Model, inputs: np.ndarray) -> tuple[int, ...]:
    """T and B, or what of them the model has.

    Args:
        model: what is computed.
        inputs: (T, B, D), (B, N0) or (1,), as the model has them.

    Returns:
        The sizes of all axes of the inputs but the last.

    Raises:
        InvalidProblemError: the inputs have other axes, or an empty one.
    """
    letters = tuple(model.LEADING.values())
    if inputs.ndim != len(letters) + 1:
        expected = model.input_spec(*[1] * len(letters)).letters
        raise InvalidProblemError(f"inputs has shape {inputs.shape}, expected {expected}")
    sizes = inputs.shape[:-1]
    for letter, size in zip(letters, sizes, strict=True):
        if size == 0:
            what = "time steps (T)" if letter == "T" else "sequences (B)" if "T" in letters else "samples (B)"
            raise InvalidProblemError(f"inputs has shape {inputs.shape}: it has no {what}, expected at least 1")
    return sizes


def check_problem(
    model: Model,
    params: Mapping[str, np.ndarray],
    batch: Mapping[str, np.ndarray | None],
) -> None:
    """Checks that the arrays fit the model and each other, and are finite.

    Args:
        model: what is computed.
        params: the parameters by name.
        batch: `inputs`, `targets`, `h0`, `c0` and `lengths`; None where there is none.

    Raises:
        InvalidProblemError: they do not; the message names the array, the index and what was expected.
    """
    specs = model.parameter_specs
    for name in params:
        if name not in specs:
            raise InvalidProblemError(f"params: {unknown_name('parameter', name, specs)}")
    for name in specs:
        if name not in params:
            raise InvalidProblemError(f"params has no {name!r}, expected {', '.join(specs)}")

    if isinstance(model, Traced):
        _check_recorded(model, params, batch)
        return
    inputs = batch["inputs"]
    if inputs is None:
        raise InvalidProblemError("inputs is None, expected an array")
    if inputs.dtype.name not in DTYPES:
        raise InvalidProblemError(f"inputs is {inputs.dtype}, expected float64 or float32")
    leading = leading_sizes(model, inputs)
    for name, spec in specs.items():
        _check(f"params[{name!r}]", params[name], spec, inputs.dtype)
    if isinstance(model, OrderedSystem) and not np.array_equal(params["A"], np.array(model.weights, inputs.dtype)):
        raise InvalidProblemError("params['A'] differs from the model's weights, expected the same numbers")

    expected: dict[str, ArraySpec | None] = {"inputs": model.input_spec(*leading), **model.state_specs(*leading)}
    expected["targets"] = model.target_spec(*leading)
    if "T" in model.LEADING.values():
        T, B = leading
        expected["lengths"] = ArraySpec((B,), "(B,)")
    for name, array in batch.items():
        spec_of_array = expected.get(name)
        if array is None and spec_of_array is not None and name != "lengths":
            raise InvalidProblemError(f"there is no {name}, expected {spec_of_array.letters} = {spec_of_array.shape}")
        if array is None:
            continue
        if spec_of_array is None:
            raise InvalidProblemError(f"{name} was given, but the model has none: {model.summary}")
        if name == "lengths":
            _check_integers("lengths", array, spec_of_array, 1, T, "a length")
        else:
            _check(name, array, spec_of_array, inputs.dtype)


def _check_recorded(model: Traced, params: Mapping[str, np.ndarray], batch: Mapping[str, np.ndarray | None]) -> None:
    """A recorded function has its arguments, and nothing beside them."""
    if not model.parameter_specs:
        raise InvalidProblemError(f"{model.summary}: it is differentiated by nothing, expected at least one array")
    for name, array in batch.items():
        if array is not None:
            raise InvalidProblemError(f"{name} was given, but a recorded function has none: {model.summary}")
    for name, spec in model.parameter_specs.items():
        array = params[name]
        if array.dtype != model.dtypes[name]:
            raise InvalidProblemError(f"params[{name!r}] is {array.dtype}, expected {model.dtypes[name]}")
        _check_shape(f"params[{name!r}]", array, spec)
        _raise_where(~np.isfinite(array), f"params[{name!r}]", array, "a finite number")
    _check_shared(model, params)


def _check_shared(model: Traced, params: Mapping[str, np.ndarray]) -> None:
    """Places that share an entry hold one number."""
    rows = {dtype: values.copy() for dtype, values in model.fixed.items()}
    for name, origin in model.differentiated.items():
        rows[model.dtypes[name]][origin - 1] = params[name]
    for name, origin in model.differentiated.items():
        other = rows[model.dtypes[name]][origin - 1] != params[name]
        _raise_where(other, f"params[{name!r}]", params[name], "the number in another place that shares its memory")


def _check(name: str, array: np.ndarray, spec: ArraySpec, dtype: np.dtype) -> None:
    if spec.kind == "label":
        _check_integers(name, array, spec, 0, spec.labels - 1, "a label")
        return
    if array.dtype != dtype:
        raise InvalidProblemError(f"{name} is {array.dtype}, expected {dtype}, the dtype of inputs")
    _check_shape(name, array, spec)
    _raise_where(~np.isfinite(array), name, array, "a finite number")
    if spec.kind == "probability":
        outside = (array < 0) | (array > 1)
        _raise_where(outside, name, array, "a number in [0, 1] for sigmoid_cross_entropy")


def _check_integers(name: str, array: np.ndarray, spec: ArraySpec, low: int, high: int, what: str) -> None:
    if array.dtype.kind not in "iu":
        raise InvalidProblemError(f"{name} is {array.dtype}, expected integers")
    _check_shape(name, array, spec)
    _raise_where((array < low) | (array > high), name, array, f"{what} in {low}..{high}")


def _check_shape(name: str, array: np.ndarray, spec: ArraySpec) -> None:
    if array.shape != spec.shape:
        raise InvalidProblemError(f"{name} has shape {array.shape}, expected {spec.letters} = {spec.shape}")


def _raise_where(wrong: np.ndarray, name: str, array: np.ndarray, expected: str) -> None:
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InvalidProblemError(f"{name}[{', '.join(map(str, index))}] = {array[index]}, expected {expected}")
