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
        given: the weights of every layer and direction, for the source.
        made: the same for the target.
    """

    source: str
    target: str
    model: Recurrent
    given: list[dict[str, np.ndarray]]
    made: list[dict[str, np.ndarray]]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What is to be written: the target's weights by their names in a file."""
        return get_layout(self.target).named(self.model, self.made)

    def verify(self, *, seed: int = 0) -> Comparison:
        """Compares new layers of both libraries, with exactly these weights, on a random problem.

        Raises:
            MissingFrameworkError: a library is not installed.
            UnsupportedProblemError: a library does not compute in the weights' dtype.
        """
        sides = (self.source, self.given), (self.target, self.made)
        return compare_wrapped(
            [wrap_library_weights(library, self.model, weights) for library, weights in sides], seed=seed
        )


def convert(
    arrays: Arrays, source: str, target: str, *, prefix: str | None = None, reset: str | None = None
) -> Conversion:
    """The weights of an LSTM or a GRU for another library.

    Numbers change their place, and some their sign; of two biases that are added the sum is kept, and half precision
    is widened to float32. Haiku's LSTM adds 1 to b_f when it runs, so that its b_f is smaller by 1.

    Args:
        arrays: the source's, by name; of one layer, or of one stack.
        source: a library with a layout.
        target: another.
        prefix: of the layer's names, as for `find_layer`.
        reset: where a GRU's reset gate is, `after` the product or `before` it, if the weights do not tell.

    Raises:
        RequestError: there is no such layer, its arrays have wrong shapes, or the target cannot express it.
    """
    layouts = get_layout(source), get_layout(target)
    if source == target:
        raise RequestError(f"the weights are of {source} already, expected two libraries")
    found, stack = find_layer(layouts[0], arrays, prefix)
    given = _single_or_double(found)
    stated: dict[str, Any] = dict(stack)
    described = layouts[0].model_fields(given[0])
    if described["cell"] == "rnn":
        raise RequestError("a plain cell's weights do not tell its activation: an LSTM or a GRU can be converted")
    if reset and described["cell"] != "gru":
        raise RequestError(f"reset = {reset!r} is for a GRU, and these are weights of an LSTM")
    if described["cell"] == "gru":
        stated["reset"] = _reset(source, described.get("reset"), reset)
    model = infer_model(layouts[0], given, **stated)
    reason = layouts[1].unsupported(model)
    if reason:
        raise UnsupportedProblemError(reason)
    with np.errstate(over="ignore"):  # of two biases that are added
        made = layouts[1].from_params(model, layouts[0].to_params(model, given))
    if not all(np.isfinite(array).all() for held in made for array in held.values()):
        raise InvalidProblemError("two biases add up to more than their dtype can hold")
    return Conversion(source, target, model, given, made)


def _reset(source: str, described: str | None, asked: str | None) -> str:
    if described and asked and described != asked:
        raise RequestError(f"reset = {asked!r}, but these weights of {source} are of a GRU with the reset {described}")
    if not described and not asked:
        raise RequestError(
            f"a GRU's weights of {source} do not tell whether its reset gate is after the product or before it: "
            "add --reset after, or --reset before"
        )
    return str(described or asked)


def _single_or_double(weights: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """The weights in float32 or float64; half precision is widened, which is exact."""
    widened = [{name: a.astype(f"f{max(4, a.dtype.itemsize)}") for name, a in held.items()} for held in weights]
    require_one_dtype("the weights", (array for held in widened for array in held.values()))
    return widened
