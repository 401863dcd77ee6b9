"""Weights from one library's names and order to another's, and the proof that both make the same layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...backends import InvalidProblemError, Recurrent, RequestError, UnsupportedProblemError
from ...backends.adapters import wrap_library_weights
from ...backends.adapters.layout_values import changed_library
from ...backends.adapters.layout_versions import CHECKED, is_checked_version, names_of_changed_layout
from ...backends.adapters.wrapped_layer import infer_model
from ...backends.checks import require_one_dtype
from ...backends.layouts import Layout, get_layout
from ...backends.layouts.find_layer import find_layer
from ...backends.layouts.tf1 import FORGET_BIAS as DEFAULT_FORGET_BIAS
from ...backends.weight_files.weight_file import DEFAULT_FUNCTIONS, LayerInFile
from ..layers.same_layer import compare_wrapped
from ..referee import Comparison
from .peepholes import (
    LIBRARIES_WITH_PEEPHOLES,
    has_peepholes,
    verify_peepholes,
    with_peepholes,
    without_peepholes,
)

Arrays = Mapping[str, np.ndarray]
FORGET_BIAS_STATED = "tf1"  # whose cells add a bias that stands in the program alone
CELL_NAMES = {"rnn": "a plain cell", "lstm": "an LSTM", "gru": "a GRU"}
WITH_OTHER_FUNCTIONS = ("keras", "onnx", "flax-linen", "flax-nnx")  # whose gated cells may be given others
ONE_ACTIVATION = {"haiku": "relu"}  # of the plain cell of libraries that have one


@dataclass(frozen=True)
class Conversion:
    """A layer's weights for two libraries.

    Attributes:
        source: the library that they come from.
        target: the library that they are for.
        model: the layer.
        source_weights: of every layer and direction, by the source's names.
        target_weights: the same, by the target's names.
        forget_bias: what TensorFlow 1 adds to f when it runs, where it is one of the two.
        remarks: what has to be known of the layer beside its weights, in a line each.
    """

    source: str
    target: str
    model: Recurrent
    source_weights: list[dict[str, np.ndarray]]
    target_weights: list[dict[str, np.ndarray]]
    forget_bias: float = 0.0
    remarks: tuple[str, ...] = ()

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The target's weights by their names in a file."""
        return get_layout(self.target).named(self.model, self.target_weights)

    def verify(self, *, seed: int = 0) -> Comparison:
        """Compares new layers of both libraries, with exactly these weights, on a random problem.

        Args:
            seed: of the problem's numbers.

        Returns:
            The comparison of the two libraries; of ONNX, TensorFlow 1, PaddlePaddle and MLX, of outputs alone, the last
            three by their documented equations.

        Raises:
            MissingFrameworkError: a library is not installed.
            UnsupportedProblemError: a library does not compute in the weights' dtype.
        """
        if self.source in LIBRARIES_WITH_PEEPHOLES and has_peepholes(self.source, self.source_weights):
            return verify_peepholes(
                self.model,
                {self.source: self.source_weights, self.target: self.target_weights},
                forget_bias=self.forget_bias,
                seed=seed,
            )
        sides = (self.source, self.source_weights), (self.target, single_or_double(self.target_weights))
        wrapped = [
            wrap_library_weights(library, self.model, weights, forget_bias=self.forget_bias)
            for library, weights in sides
        ]
        if wrapped[0].name == wrapped[1].name:
            written = f"{wrapped[1].name} as written"
            wrapped = [replace(wrapped[0], name=f"{wrapped[0].name} as read"), replace(wrapped[1], name=written)]
        return compare_wrapped(wrapped, seed=seed)

    def changed_libraries(self) -> tuple[str, ...]:
        """What says that an installed library is another one than its layout knows, where the proof fails.

        Returns:
            A line for each of the two libraries that is.
        """
        lines = [changed_library(get_layout(library), self.model) for library in (self.source, self.target)]
        return tuple(dict.fromkeys(line for line in lines if line))


def convert(
    arrays: Arrays,
    source: str,
    target: str,
    *,
    prefix: str | None = None,
    reset: str | None = None,
    activation: str | None = None,
    forget_bias: float | None = None,
) -> Conversion:
    """Converts the weights of a recurrent layer for another library, or for another file of the same one.

    Numbers change their place, and some their sign; of two biases that are added the sum is kept, and half precision
    is widened to float32. Haiku's LSTM adds 1 to b_f when it runs, so that its b_f is smaller by 1. Within a library,
    numbers stay as they are, and names become those that its layers have.

    Args:
        arrays: the source's, by name; of one layer, or of one stack.
        source: a library with a layout.
        target: another, or the same.
        prefix: of the layer's names, as for `find_layer`.
        reset: where a GRU's reset gate is, `after` the product or `before` it, if the weights do not tell.
        activation: of a plain cell, which its weights do not tell; of others `sigmoid,tanh`.
        forget_bias: what an LSTM of TensorFlow 1 adds to its forget gate when it runs.

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
    both_have_peepholes = {source, target} <= LIBRARIES_WITH_PEEPHOLES.keys()
    half_or_more, stack = find_layer(layouts[0], arrays, prefix, others=both_have_peepholes)
    weights = single_or_double(half_or_more)
    peepholes: list[dict[str, np.ndarray]] = []
    if both_have_peepholes and has_peepholes(source, weights):
        weights, peepholes = without_peepholes(source, weights)
    options: dict[str, Any] = dict(stack)
    described = layouts[0].model_fields(weights[0])
    cell = described["cell"]
    if reset and cell != "gru":
        raise RequestError(f"reset = {reset!r} is for a GRU, and these are weights of {CELL_NAMES[cell]}")
    if cell == "gru":
        options["reset"] = _reset(source, described.get("reset"), reset)
    if cell == "rnn":
        options["activation"] = _plain_activation(source, activation)
    elif activation not in (None, DEFAULT_FUNCTIONS):
        raise UnsupportedProblemError(f"of {CELL_NAMES[cell]}, the activations {DEFAULT_FUNCTIONS} are known alone")
    added = _forget_bias((source, target), cell, forget_bias)
    layouts = layout_with(source, added), layout_with(target, added)
    model = infer_model(layouts[0], weights, **options)
    reason = layouts[1].unsupported(model)
    if reason:
        raise UnsupportedProblemError(reason)
    if source == target and not any(set(layer) <= set(layouts[0].other_names) for layer in weights):
        return Conversion(source, target, model, weights, _completed(layouts[0], model, half_or_more), added)
    with np.errstate(over="ignore"):  # of two biases that are added
        converted = layouts[1].from_params(model, layouts[0].to_params(model, weights))
    if not all(np.isfinite(array).all() for layer in converted for array in layer.values()):
        raise InvalidProblemError("two biases add up to more than their dtype can hold")
    if peepholes:
        weights, converted = (with_peepholes(*side, peepholes) for side in ((source, weights), (target, converted)))
    return Conversion(source, target, model, weights, converted, added)


def convert_layer(
    layer: LayerInFile,
    target: str,
    *,
    reset: str | None = None,
    activation: str | None = None,
    forget_bias: float | None = None,
) -> Conversion:
    """Converts a layer of a file for another library. What the file says of it is believed before what is stated.

    Args:
        layer: of a `WeightFile`.
        target: a library with a layout.
        reset: as for `convert`, if the file does not say it.
        activation: as for `convert`, if the file does not say it.
        forget_bias: as for `convert`.

    Returns:
        The layer, with its weights for both libraries.

    Raises:
        RequestError: what is stated contradicts the file, or neither says what the conversion depends on.
        UnsupportedProblemError: the layer, or the target, computes something else.

    Example:
        >>> from gradparity.backends.weight_files.layers_by_name import layers_by_name
        >>> (layer,) = layers_by_name({"weight_ih_l0": np.ones((16, 3)), "weight_hh_l0": np.ones((16, 4))})
        >>> convert_layer(layer, "keras").arrays["kernel"].shape
        (3, 16)
    """
    if layer.unsupported and not (layer.with_peepholes and target in LIBRARIES_WITH_PEEPHOLES):
        may_differ = layer.library in CHECKED and not is_checked_version(layer.library)
        changed = names_of_changed_layout(layer.library, layer.arrays) if may_differ else ""
        raise UnsupportedProblemError(changed or layer.unsupported)
    stated = {"reset": reset, "activation": activation}
    for option, value in stated.items():
        said = layer.says.get(option)
        if said and said.value and value and said.value != value:
            raise RequestError(f"{option} = {value!r}, but the file says {said.value!r} ({said.how})")
        if said and not said.value and not value:
            raise RequestError(f"the file does not tell its {option}: {said.how}: add --{option} {DEFAULT_FUNCTIONS}")
        stated[option] = (said.value if said else "") or value
    conversion = convert(layer.arrays, layer.library, target, prefix="", **stated, forget_bias=forget_bias)
    remarks = layer.remarks
    if layer.cell != "rnn" and not stated["activation"] and layer.library in WITH_OTHER_FUNCTIONS:
        remarks += (f"the file does not tell its activations: those of {layer.library} are taken, {DEFAULT_FUNCTIONS}",)
    return replace(conversion, remarks=remarks)


def layout_with(library: str, forget_bias: float) -> Layout:
    """The layout of a library; that of TensorFlow 1 with the forget bias that its program adds.

    Args:
        library: one with a layout.
        forget_bias: what an LSTM of TensorFlow 1 adds to f when it runs.

    Returns:
        The layout.
    """
    layout = get_layout(library)
    return replace(layout, added_to_forget_gate=forget_bias) if library == FORGET_BIAS_STATED else layout


def _forget_bias(libraries: tuple[str, str], cell: str, stated: float | None) -> float:
    """What TensorFlow 1 adds to f; zero without it."""
    if FORGET_BIAS_STATED not in libraries or cell != "lstm":
        if stated is not None:
            raise RequestError("a forget bias beside the weights is for an LSTM of tf1")
        return 0.0
    if stated is None and libraries[0] == libraries[1]:
        return DEFAULT_FORGET_BIAS  # of the proof alone
    if stated is None:
        raise RequestError(
            "an LSTM of tf1 adds a forget bias when it runs, which its weights do not tell: add --forget-bias 1, the "
            "default of its cells, or what the program states"
        )
    return stated


def _completed(layout: Layout, model: Recurrent, weights: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """The weights as they are, with the biases of zero that a layer has which was made without."""
    zeros = layout.zeros(model)
    return [
        {name: layer.get(name, zero.astype(next(iter(layer.values())).dtype)) for name, zero in of_zeros.items()}
        for of_zeros, layer in zip(zeros, weights, strict=True)
    ]


def _plain_activation(source: str, stated: str | None) -> str:
    known = ONE_ACTIVATION.get(source, "")
    if known and stated and known != stated:
        raise RequestError(f"activation = {stated!r}, but a plain cell of {source} has {known}")
    if not known and not stated:
        raise RequestError("a plain cell's weights do not tell its activation: add --activation tanh, for example")
    return str(known or stated)


def _reset(source: str, described: str | None, stated: str | None) -> str:
    if described and stated and described != stated:
        raise RequestError(f"reset = {stated!r}, but these weights of {source} are of a GRU with the reset {described}")
    if not described and not stated:
        raise RequestError(
            f"a GRU's weights of {source} do not tell whether its reset gate is after the product or before it: "
            "add --reset after, or --reset before"
        )
    return str(described or stated)


def single_or_double(weights: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """The weights in float32 or float64; half precision is widened, which is exact.

    Args:
        weights: of every layer and direction.

    Returns:
        The same, of one dtype.

    Raises:
        InvalidProblemError: they have several dtypes.
    """
    widened = [{name: a.astype(f"f{max(4, a.dtype.itemsize)}") for name, a in layer.items()} for layer in weights]
    require_one_dtype("the weights", (array for layer in widened for array in layer.values()))
    return widened
