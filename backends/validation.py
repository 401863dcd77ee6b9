"""Checks of a problem's arrays. Each failure names the array, the index and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np

from .errors import InvalidProblemError, first_line, unknown_name
from .model import Model

DTYPES = ("float64", "float32")


def require_dtype(dtype: object) -> np.dtype:
    """The NumPy dtype, if it is one that problems are stated in."""
    try:
        found = np.dtype(dtype)  # type: ignore[call-overload]
    except TypeError:
        raise unknown_name("dtype", dtype, DTYPES) from None
    if found.name not in DTYPES:
        raise InvalidProblemError(f"dtype is {found}, expected float64 or float32")
    return np.dtype(found.name)  # in this machine's byte order


def require_number(name: str, value: object) -> float:
    """The value as a float, if it is a finite number."""
    if isinstance(value, Real) and np.isfinite(float(value)):
        return float(value)
    raise InvalidProblemError(f"{name} = {value!r}, expected a finite number")


def require_time_batch_size(inputs: np.ndarray) -> None:
    """Raises InvalidProblemError unless there are three axes."""
    if inputs.ndim != 3:
        raise InvalidProblemError(f"inputs has shape {inputs.shape}, expected (T, B, D): time, batch, input_size")


def as_array(name: str, value: object) -> np.ndarray:
    """A copy of the value as an array of numbers, contiguous and in this machine's byte order."""
    try:
        array = np.array(value, order="C")
    except ValueError as error:
        raise InvalidProblemError(f"{name} is no array: {first_line(error)}") from None
    if array.dtype.kind not in "fiub":
        raise InvalidProblemError(f"{name} is {array.dtype}, expected an array of numbers")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def check_problem(
    model: Model,
    params: Mapping[str, np.ndarray],
    inputs: np.ndarray,
    targets: np.ndarray,
    h0: np.ndarray,
    lengths: np.ndarray | None,
) -> None:
    """Raises InvalidProblemError unless the arrays fit the model and each other, and are finite."""
    shapes = model.parameter_shapes
    for name in params:
        if name not in shapes:
            raise InvalidProblemError(f"params: {unknown_name('parameter', name, shapes)}")
    for name in shapes:
        if name not in params:
            raise InvalidProblemError(f"params has no {name!r}, expected {', '.join(shapes)}")

    if inputs.dtype.name not in DTYPES:
        raise InvalidProblemError(f"inputs is {inputs.dtype}, expected float64 or float32")
    require_time_batch_size(inputs)
    T, B, _ = inputs.shape
    if T == 0 or B == 0:
        what = "time steps (T)" if T == 0 else "sequences (B)"
        raise InvalidProblemError(f"inputs has shape {inputs.shape}: it has no {what}, expected at least 1")
    D, H, K = model.input_size, model.hidden_size, model.output_size

    letters = {"U": "(H, D)", "W": "(H, H)", "b": "(H,)", "V": "(K, H)", "c": "(K,)"}
    for name, shape in shapes.items():
        _check_numbers(f"params[{name!r}]", params[name], shape, letters[name], inputs.dtype)
    _check_numbers("inputs", inputs, (T, B, D), "(T, B, D)", inputs.dtype)
    _check_numbers("h0", h0, (B, H), "(B, H)", inputs.dtype)
    if model.has_labels:
        _check_integers("targets", targets, (T, B), "(T, B)", 0, K - 1, "a label")
    else:
        _check_numbers("targets", targets, (T, B, K), "(T, B, K)", inputs.dtype)
    if model.loss == "sigmoid_cross_entropy":
        outside = (targets < 0) | (targets > 1)
        _refuse(outside, "targets", targets, "a number in [0, 1] for sigmoid_cross_entropy")
    if lengths is not None:
        _check_integers("lengths", lengths, (B,), "(B,)", 1, T, "a length")


def _check_numbers(name: str, array: np.ndarray, shape: tuple[int, ...], letters: str, dtype: np.dtype) -> None:
    if array.dtype != dtype:
        raise InvalidProblemError(f"{name} is {array.dtype}, expected {dtype}, the dtype of inputs")
    _check_shape(name, array, shape, letters)
    _refuse(~np.isfinite(array), name, array, "a finite number")


def _check_integers(
    name: str, array: np.ndarray, shape: tuple[int, ...], letters: str, low: int, high: int, what: str
) -> None:
    if array.dtype.kind not in "iu":
        raise InvalidProblemError(f"{name} is {array.dtype}, expected integers")
    _check_shape(name, array, shape, letters)
    _refuse((array < low) | (array > high), name, array, f"{what} in {low}..{high}")


def _check_shape(name: str, array: np.ndarray, shape: tuple[int, ...], letters: str) -> None:
    if array.shape != shape:
        raise InvalidProblemError(f"{name} has shape {array.shape}, expected {letters} = {shape}")


def _refuse(wrong: np.ndarray, name: str, array: np.ndarray, expected: str) -> None:
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InvalidProblemError(f"{name}[{', '.join(map(str, index))}] = {array[index]}, expected {expected}")
