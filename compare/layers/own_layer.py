"""A layer of one's own beside a library's: the definition in NumPy, or a module of PyTorch, Flax or JAX."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from ...backends import InvalidProblemError, RequestError
from ...backends.adapters import wrap_layer
from ...backends.adapters.sequence_task import SequenceAnswer, SequenceLayer, SequenceTask
from ...backends.adapters.wrapped_layer import Usage, WrappedLayer

Sizes = Mapping[str, int]
CELL = "own layer"
LIBRARIES = {"torch", "flax", "keras", "equinox", "haiku", "jax", "builtins"}  # whose cells are no one's own


@dataclass(frozen=True, eq=False)
class OwnLayer:
    """A step or a whole layer of one's own, for `assert_same_layer`.

    A step is `step(weights, x, *states) -> states`: x is (B, D), each state (B, ·), and the states after it come back
    in the same order, h first. With `whole` it is `layer(weights, x, *states) -> (h, states)`, of x (T, B, D) and
    h (T, B, ·). In NumPy it is run on arrays that remember what is done to them, and its exact gradients are compared.

    Attributes:
        function: in NumPy; or in PyTorch or JAX, if the weights are of these; or a module, which is called as the
            cells and layers of its library are: `module(x, (h, c))` of PyTorch, of a whole layer with states of
            (1, B, ·); `cell((c, h), x)` of `flax.nnx`, or of `flax.linen`, in a pair `(cell, variables)`.
        weights: by name, arrays of NumPy, PyTorch or JAX; None means those of the layer beside it, or of a module its
            own.
        whole: whether it is a whole layer.
        names: of a module: by the name that each weight has in the layer beside it, the module's own, such as
            `{"U": "x2h.weight"}`; None if they are called alike.
        input_size: D, where no layer beside it tells it.
        states: the size of each state, such as `{"h": 5, "c": 5}`, h first, where no layer beside it tells them.
        name: to be shown; empty means the function's.

    Example:
        >>> import torch
        >>> from gradparity.compare import OwnLayer, assert_same_layer
        >>> def step(weights, x, h):
        ...     return np.tanh(x @ weights["U"].T + h @ weights["W"].T + weights["b"])
        >>> assert_same_layer(torch.nn.RNN(3, 5), OwnLayer(step)).verdict
        'agree'
    """

    function: Any
    weights: Mapping[str, Any] | None = None
    whole: bool = False
    names: Mapping[str, str] | None = None
    input_size: int | None = None
    states: Sizes | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not callable(self.function) and not _is_linen_pair(self.function):
            raise InvalidProblemError(f"OwnLayer got a {type(self.function).__name__}, expected a function or a module")
        if _is_instance(self.function, "torch.jit", "ScriptModule"):
            raise InvalidProblemError("OwnLayer got a scripted module, expected the module that was scripted")
        if self.names is not None and not is_module(self.function):
            raise InvalidProblemError("names of an OwnLayer are for a module: give the weights by their names instead")

    @property
    def shown_name(self) -> str:
        """The name to be shown."""
        function = self.function[0] if _is_linen_pair(self.function) else self.function
        if is_module(self.function):
            return self.name or type(function).__name__
        while isinstance(function, partial):
            function = function.func
        return self.name or str(getattr(function, "__name__", type(function).__name__))


def is_module(function: Any) -> bool:
    """Whether it is a module of PyTorch or of Flax that an `OwnLayer` can hold."""
    return (
        _is_instance(function, "torch.nn", "Module")
        or _is_instance(function, "flax.nnx", "Module")
        or (_is_linen_pair(function))
    )


def wrapped(layer: object, activation: str | None) -> WrappedLayer:
    """A library's layer as a backend; of a cell of one's own it is said that `OwnLayer` takes it.

    Args:
        layer: as for `assert_same_layer`.
        activation: likewise.

    Returns:
        The layer.

    Raises:
        RequestError: it is no layer that is known.
    """
    try:
        return wrap_layer(layer, activation=activation)
    except RequestError as error:
        held = layer[0] if isinstance(layer, tuple) and layer else layer
        module = type(getattr(held, "cell", held)).__module__.partition(".")[0]
        tells_what_to_pass = ": pass the " in str(error)  # of a module that holds a layer of a library
        if module in LIBRARIES or not callable(held) or tells_what_to_pass:
            raise
        hint = "A cell of one's own is given as an OwnLayer, see docs/your-own-layer.md"
        raise type(error)(f"{error}. {hint}") from error


def framework_of(own: OwnLayer) -> str:
    """`torch` or `jax`; or `numpy`.

    Raises:
        InvalidProblemError: its weights are of several, or of another kind.
    """
    if _is_instance(own.function, "torch.nn", "Module"):
        return "torch"
    if is_module(own.function):
        return "jax"
    kinds = {_kind(name, value) for name, value in (own.weights or {}).items()} or {"numpy"}
    if len(kinds) > 1:
        raise InvalidProblemError(f"the weights of {own.shown_name} are of {' and '.join(sorted(kinds))}, expected one")
    return kinds.pop()


def sequence_layer(own: OwnLayer, input_size: int, state_sizes: Sizes) -> SequenceLayer:
    """A layer of one's own in PyTorch or JAX, that answers tasks.

    Args:
        own: in one of these.
        input_size: D.
        state_sizes: of each state.

    Returns:
        The layer, of one direction.

    Raises:
        InvalidProblemError: its weights cannot be read.
    """
    framework = framework_of(own)
    adapter = import_module(f"...backends.adapters.sequences_on_{framework}", __package__)
    function, held, rest = _function_and_weights(own, adapter)
    arrays = adapter.arrays_of(held)
    if framework == "torch":
        call = (adapter.call_of_layer if own.whole else adapter.call_of_step)(function)

        def evaluate(task: SequenceTask, usage: Usage) -> SequenceAnswer:
            answered: SequenceAnswer = adapter.answer(task, arrays, call, usage)
            return answered
    else:

        def evaluate(task: SequenceTask, usage: Usage) -> SequenceAnswer:
            answered: SequenceAnswer = adapter.answer(task, arrays, function, usage, whole=own.whole)
            return answered

    return SequenceLayer(
        own.shown_name,
        CELL,
        arrays,
        input_size,
        state_sizes,
        evaluate,
        takes_lengths=not own.whole,
        gives_final_states=True,
        remarks=tuple(f"the gradient of {name}, which {own.shown_name} has beside the named weights" for name in rest),
    )


def _function_and_weights(
    own: OwnLayer, adapter: ModuleType
) -> tuple[Callable[..., Any], dict[str, Any], dict[str, Any]]:
    """The function, its weights by the names under which they are compared, and those of a module that are not."""
    if not is_module(own.function):
        return own.function, dict(own.weights or {}), {}
    function, held = adapter.function_of_module(own.function, whole=own.whole)
    if own.weights is not None:
        raise InvalidProblemError(f"{own.shown_name} is a module and has its own weights: name them by names={{…}}")
    names = {name: name for name in held} if own.names is None else dict(own.names)
    for name in names.values():
        if name not in held:
            raise InvalidProblemError(f"{own.shown_name} has no weight {name!r}, expected one of {', '.join(held)}")
    rest = {name: value for name, value in held.items() if name not in names.values()}

    def by_names(weights: Mapping[str, Any], *arguments: Any) -> Any:
        return function({**rest, **{own_name: weights[name] for name, own_name in names.items()}}, *arguments)

    return by_names, {name: held[own_name] for name, own_name in names.items()}, rest


def _kind(name: str, value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "numpy"
    if _is_instance(value, "torch", "Tensor"):
        return "torch"
    if _is_instance(value, "jax", "Array"):
        return "jax"
    raise InvalidProblemError(
        f"weight {name!r} is a {type(value).__name__}, expected an array of NumPy, PyTorch or JAX"
    )


def _is_linen_pair(function: Any) -> bool:
    is_pair = isinstance(function, tuple) and len(function) == 2 and isinstance(function[1], Mapping)
    return is_pair and _is_instance(function[0], "flax.linen", "Module")


def _is_instance(value: object, module: str, name: str) -> bool:
    """Whether it is an instance of that class, of a library that is loaded if it is."""
    library_class = getattr(sys.modules.get(module), name, None)
    return isinstance(library_class, type) and isinstance(value, library_class)
