"""Weights from one library's names and order to another's, and the proof that both make the same layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backends import InvalidProblemError, Recurrent, RequestError, UnsupportedProblemError
from ...backends.adapters import wrap_library_weights
from ...backends.adapters.wrapped_layer import infer_model
from ...backends.checks import require_one_dtype
from ...backends.layouts import get_layout
from ...backends.layouts.find_layer import find_layer
from ..referee import Comparison
from .same_layer import compare_wrapped

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Conversion:
    """A layer's weights for two libraries.

    Attributes:
        source: the library that they come from.
        target: the library that they are for.
        model: the layer.
        source_weights: of every layer and direction, by the source's names.
        target_weights: the same, by the target's names.
    """

    source: str
    target: str
    model: Recurrent
    source_weights: list[dict[str, np.ndarray]]
    target_weights: list[dict[str, np.ndarray]]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The target's weights by their names in a file."""
        return get_layout(self.target).named(self.model, self.target_weights)

    def verify(self, *, seed: int = 0) -> Comparison:
        """Compares new layers of both libraries, with exactly these weights, on a random problem.

        Args:
            seed: of the problem's numbers.

        Returns:
            The comparison of the two libraries; of ONNX, of outputs alone.

        Raises:
            MissingFrameworkError: a library is not installed.
            UnsupportedProblemError: a library does not compute in the weights' dtype.
        """
        sides = (self.source, self.source_weights), (self.target, self.target_weights)
        return compare_wrapped(
            [wrap_library_weights(library, self.model, weights) for library, weights in sides], seed=seed
        )


def convert(
    arrays: Arrays, source: str, target: str, *, prefix: str | None = None, reset: str | None = None
) -> Conversion:
    """Converts the weights of an LSTM or a GRU for another library.

    Numbers change their place, and some their sign; of two biases that are added the sum is kept, and half precision
    is widened to float32. Haiku's LSTM adds 1 to b_f when it runs, so that its b_f is smaller by 1.

    Args:
        arrays: the source's, by name; of one layer, or of one stack.
        source: a library with a layout.
        target: another.
        prefix: of the layer's names, as for `find_layer`.
        reset: where a GRU's reset gate is, `after` the product or `before` it, if the weights do not tell.

    Returns:
        The layer, with its weights for both libraries.

    Raises:
        RequestError: there is no such layer, its arrays have wrong shapes, or the weights leave open what is computed.
        UnsupportedProblemError: the target cannot express the layer.
        InvalidProblemError: two biases add up to more than their dtype can hold.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> shapes = {"weight_ih_l0": (20, 4), "weight_hh_l0": (20, 5), "bias_ih_l0": (20,), "bias_hh_l0": (20,)}
        >>> weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
        >>> conversion = convert(weights, "torch", "equinox")
        >>> conversion.model.cell, conversion.model.hidden_size
        ('lstm', 5)
        >>> {name: array.shape for name, array in conversion.arrays.items()}
        {'weight_ih': (20, 4), 'weight_hh': (20, 5), 'bias': (20,)}
    """
    layouts = get_layout(source), get_layout(target)
    if source == target:
        raise RequestError(f"the weights are of {source} already, expected two libraries")
    half_or_more, stack = find_layer(layouts[0], arrays, prefix)
    weights = _single_or_double(half_or_more)
    options: dict[str, Any] = dict(stack)
    described = layouts[0].model_fields(weights[0])
    if described["cell"] == "rnn":
        raise RequestError("a plain cell's weights do not tell its activation: an LSTM or a GRU can be converted")
    if reset and described["cell"] != "gru":
        raise RequestError(f"reset = {reset!r} is for a GRU, and these are weights of an LSTM")
    if described["cell"] == "gru":
        options["reset"] = _reset(source, described.get("reset"), reset)
    model = infer_model(layouts[0], weights, **options)
    reason = layouts[1].unsupported(model)
    if reason:
        raise UnsupportedProblemError(reason)
    with np.errstate(over="ignore"):  # of two biases that are added
        converted = layouts[1].from_params(model, layouts[0].to_params(model, weights))
    if not all(np.isfinite(array).all() for layer in converted for array in layer.values()):
        raise InvalidProblemError("two biases add up to more than their dtype can hold")
    return Conversion(source, target, model, weights, converted)


def _reset(source: str, described: str | None, stated: str | None) -> str:
    if described and stated and described != stated:
        raise RequestError(f"reset = {stated!r}, but these weights of {source} are of a GRU with the reset {described}")
    if not described and not stated:
        raise RequestError(
            f"a GRU's weights of {source} do not tell whether its reset gate is after the product or before it: "
            "add --reset after, or --reset before"
        )
    return str(described or stated)


def _single_or_double(weights: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """The weights in float32 or float64; half precision is widened, which is exact."""
    widened = [{name: a.astype(f"f{max(4, a.dtype.itemsize)}") for name, a in layer.items()} for layer in weights]
    require_one_dtype("the weights", (array for layer in widened for array in layer.values()))
    return widened
