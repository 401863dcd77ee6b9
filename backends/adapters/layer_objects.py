"""Libraries' own layer objects: as backends, and from and to the parameters of a problem."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ..checks import as_array, require_one_dtype
from ..errors import InvalidProblemError, RequestError, UnsupportedProblemError, unknown_name
from ..layouts import get_layout
from ..models import Recurrent
from ..registry import get_backend
from .documented_cells import DOCUMENTED, wrap_documented
from .keras_engine import engine
from .layout_versions import changed_layout, is_checked_version
from .refusals import class_names_in, what_to_give
from .supported_networks import unsupported_network_reason
from .wrapped_layer import WrappedLayer

ADAPTER_MODULES = {
    "torch": "torch_nn",
    "flax-linen": "flax_linen",
    "flax-nnx": "flax_nnx",
    "equinox": "equinox",
    "haiku": "haiku",
    "keras": "keras",
    "onnx": "onnx",
}

KERAS_CELLS = ("SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells")
LIBRARIES = {adapter: library for library, adapter in ADAPTER_MODULES.items()}
CLASSES = (
    ("torch.nn", ("RNNBase", "RNNCellBase"), "torch_nn"),
    ("torch.nn", ("Sequential", "ModuleList"), "torch_nn"),
    ("torch.jit", ("ScriptModule",), "torch_scripted"),
    ("flax.nnx", ("Module",), "flax_nnx"),
    ("equinox.nn", ("LSTMCell", "GRUCell"), "equinox"),
    ("keras.layers", ("RNN", "Bidirectional", *KERAS_CELLS), "keras"),
    ("keras", ("Model",), "keras"),
)
NNX_LAYERS = ("RNN", "Bidirectional", "SimpleCell", "LSTMCell", "OptimizedLSTMCell", "GRUCell")
SUPPORTED_LAYERS = (
    "a torch.nn layer or cell, a flax.nnx cell, RNN or Bidirectional, (flax.linen cell, RNN or Bidirectional, "
    "variables), an equinox cell, (function that makes a haiku core, parameters), or a built keras layer or cell"
)


def to_params(layer: object, **stated: Any) -> dict[str, np.ndarray]:
    """U, W, b and b_hn of a library's layer, by their names in a problem.

    To the bit, but for two biases that become one (their sum), and for the 1 that Haiku adds to the forget gate's.

    Args:
        layer: as for `wrap_layer`.
        **stated: as for `wrap_layer`.

    Returns:
        The parameters: U (G, D), W (G, H), b (G,) and b_hn (H,), with the names of `Recurrent.parameter_shapes`.

    Raises:
        RequestError: as for `wrap_layer`.

    Example:
        >>> import torch
        >>> params = to_params(torch.nn.GRU(input_size=3, hidden_size=5))
        >>> {name: array.shape for name, array in params.items()}
        {'U': (15, 3), 'W': (15, 5), 'b': (15,), 'b_hn': (5,)}
    """
    return wrap_layer(layer, **stated).params


def from_params(library: str, model: Recurrent, params: Mapping[str, np.ndarray]) -> Any:
    """A library's layer that holds the parameters: what `to_params` takes, and its inverse.

    Args:
        library: `torch`, `flax-linen`, `flax-nnx`, `equinox`, `haiku` or `keras`.
        model: what is computed; of one layer in one direction, but for `torch`.
        params: U, W, b and b_hn, as far as the model has them; others are left alone.

    Returns:
        The library's layer, or its pair of layer and variables.

    Raises:
        UnknownNameError: there is no such library here.
        InvalidProblemError: the parameters do not fit the model.
        UnsupportedProblemError: the library has no such layer, or no place for a parameter that is not zero.

    Example:
        >>> from gradparity.backends import Problem, Recurrent
        >>> model = Recurrent("lstm", 3, 5, 4)
        >>> problem = Problem.from_seed(model, seed=0, seq_len=7, batch_size=2)
        >>> from_params("torch", model, problem.params)
        LSTM(3, 5)
    """
    libraries = [name for name in ADAPTER_MODULES if name != "onnx"]  # which has operators, and no layers
    if library not in libraries:
        raise unknown_name("library", library, libraries)
    layout = get_layout(library)
    reason = unsupported_network_reason(model) or layout.unsupported(model)
    if reason:
        raise UnsupportedProblemError(reason)
    weights = layout.from_params(model, _require_fitting(model, params))
    if library == "torch":
        return _adapter("torch_nn").build(model, weights)
    if len(weights) > 1:
        raise UnsupportedProblemError(f"{library} has single layers, expected a model of one layer in one direction")
    return _adapter(ADAPTER_MODULES[library]).build(model, weights[0])


def wrap_library_weights(
    library: str, model: Recurrent, weights: Sequence[Mapping[str, np.ndarray]], *, forget_bias: float = 0.0
) -> WrappedLayer:
    """New layers of a library, with exactly these weights, as a backend.

    Args:
        library: one of those with a layout.
        model: what is computed, of any number of layers and directions.
        weights: of every layer and direction, by the library's names.
        forget_bias: what TensorFlow 1 adds to f when it runs.

    Returns:
        The backend. Of TensorFlow 1, PaddlePaddle and MLX, it computes the documented equations in NumPy.

    Raises:
        UnknownNameError: there is no such library here.
        MissingFrameworkError: the library is not installed.

    Example:
        >>> from gradparity.backends import Recurrent
        >>> from gradparity.backends.layouts import get_layout
        >>> model = Recurrent("rnn", 3, 5, 4)
        >>> wrap_library_weights("torch", model, get_layout("torch").zeros(model)).name
        'torch RNN'
    """
    if library in DOCUMENTED:
        return wrap_documented(library, model, weights, forget_bias=forget_bias)
    backends = {"torch": "torch-nn", "onnx": "onnxruntime", "keras": f"keras-{engine()}"}
    get_backend(backends.get(library, library))  # which says what is missing
    layout = get_layout(library)
    zeros = layout.zeros(model, next(iter(weights[0].values())).dtype.name)
    complete = [
        {**({} if set(layer_weights) <= set(layout.other_names) else layer_zeros), **layer_weights}
        for layer_zeros, layer_weights in zip(zeros, weights, strict=True)
    ]
    wrapped: WrappedLayer = _adapter(ADAPTER_MODULES[library]).wrap_weights(model, complete)
    return wrapped


def wrap_layer(layer: object, **stated: Any) -> WrappedLayer:
    """The object as a backend that answers with the object's own weights.

    Args:
        layer: see `SUPPORTED_LAYERS`.
        **stated: fields of the model that the object does not tell, such as `activation` of a plain cell of Flax.

    Returns:
        The backend. It takes the inputs, the loss and the read-out of a problem, and its own weights.

    Raises:
        RequestError: the object is no layer that is known, or one with options that gradparity does not compare.

    Example:
        >>> import torch
        >>> wrap_layer(torch.nn.LSTM(input_size=3, hidden_size=5)).name
        'torch LSTM'
    """
    if isinstance(layer, tuple) and len(layer) == 2 and isinstance(layer[1], Mapping):
        definition, variables = layer
        if _is_instance(definition, "flax.linen", "Module"):
            return _wrapped("flax_linen", definition, variables, **stated)
        if callable(definition) and not _is_instance(definition, "torch.nn", "Module") and "haiku" in sys.modules:
            return _wrapped("haiku", definition, variables, **stated)
    adapter = _adapter_of(layer)
    if not adapter or (adapter == "flax_nnx" and not _is_layer(layer)):
        instead = what_to_give(layer, _is_layer)
        if instead or not adapter:
            unknown = f"a {type(layer).__name__} is no layer that is known, expected {SUPPORTED_LAYERS}"
            raise RequestError(instead or unknown)
    return _wrapped(adapter, layer, **stated)


def _wrapped(adapter: str, layer: object, *variables: object, **stated: Any) -> WrappedLayer:
    """The layer by its adapter; an error says if the installed library has other weights than its layout knows."""
    try:
        wrapped: WrappedLayer = _adapter(adapter).wrap(layer, *variables, **stated)
    except InvalidProblemError as error:
        library = "torch" if adapter == "torch_scripted" else LIBRARIES[adapter]
        if is_checked_version(library):
            raise
        changed = changed_layout(library, None if library == "haiku" else class_names_in(layer))
        if changed:
            raise InvalidProblemError(changed) from error
        raise
    return wrapped


def _adapter_of(layer: object) -> str:
    """The adapter for an object; empty if there is none."""
    return next(
        (adapter for module, names, adapter in CLASSES if any(_is_instance(layer, module, name) for name in names)), ""
    )


def _is_layer(layer: object) -> bool:
    """Whether an object is a layer or a cell, and no module that may hold some."""
    if _is_instance(layer, "flax.nnx", "Module"):
        return any(_is_instance(layer, "flax.nnx", name) for name in NNX_LAYERS)
    holders = ("torch.nn", "Sequential"), ("torch.nn", "ModuleList"), ("torch.jit", "ScriptModule"), ("keras", "Model")
    return bool(_adapter_of(layer)) and not any(_is_instance(layer, module, name) for module, name in holders)


def _require_fitting(model: Recurrent, params: Mapping[str, object]) -> dict[str, np.ndarray]:
    """The model's parameters but for the read-out's, if they fit it."""
    shapes = {name: shape for name, shape in model.parameter_shapes.items() if name not in ("V", "c")}
    arrays = {}
    for name, shape in shapes.items():
        if name not in params:
            raise InvalidProblemError(f"params has no {name!r}, expected {', '.join(shapes)}")
        arrays[name] = as_array(f"params[{name!r}]", params[name])
        if arrays[name].shape != shape:
            raise InvalidProblemError(f"params[{name!r}] has shape {arrays[name].shape}, expected {shape}")
    require_one_dtype("params", arrays.values())
    return arrays


def _is_instance(layer: object, module: str, name: str) -> bool:
    """Whether it is an instance of that class, of a library that is loaded if it is."""
    library_class = getattr(sys.modules.get(module), name, None)
    return isinstance(library_class, type) and isinstance(layer, library_class)


def _adapter(name: str) -> Any:
    """The module of an adapter, which imports its library."""
    return import_module(f".{name}", __package__)
