"""Keras 3: its layers on the engine of JAX or of PyTorch.

A process has one engine, which Keras takes when it is imported; a second one is refused. Keras multiplies arrays of
float64 in float32 on both (`keras.backend.result_type("float64", "float64")` is float32), which is left as it is: to
show it is the referee's affair.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import cache, partial
from typing import Any

import numpy as np

from ..errors import InvalidProblemError, UnsupportedProblemError
from ..frameworks import require, require_installed
from ..interface import Evaluation
from ..layouts import get_layout
from ..models import Model, Recurrent
from ..problems import Problem
from .cell_functions import departures_of, function_name, plain_cell_functions
from .half_weights import HALF
from .keras_engine import engine, in_double_precision, keras_on
from .keras_objects import KerasObject, run_object, take_apart
from .supported_networks import layer_sizes, unsupported_network_reason
from .wrapped_layer import BACKWARD, Usage, WrappedLayer, infer_model

LAYOUT = get_layout("keras")


class KerasJaxBackend:
    """Keras's `SimpleRNN`, `LSTM` and `GRU` on JAX."""

    name = "keras-jax"

    def __init__(self) -> None:
        _require(self.name, "jax")

    def supports(self, model: Model, dtype: str) -> str:
        return _unsupported_reason(model, "jax")

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        return _on_jax().evaluate(problem, trace=trace)

    def prepare(self, problem: Problem) -> Callable[[], object]:
        return _on_jax().prepare(problem)


class KerasTorchBackend:
    """Keras's `SimpleRNN`, `LSTM` and `GRU` on PyTorch."""

    name = "keras-torch"

    def __init__(self) -> None:
        _require(self.name, "torch")

    def supports(self, model: Model, dtype: str) -> str:
        return _unsupported_reason(model, "torch")

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        from .layers_on_torch import evaluate_layers

        answer = evaluate_layers(problem, LAYOUT, *_weights_and_network(problem), trace=trace, usage=Usage())
        return answer.evaluation

    def prepare(self, problem: Problem) -> Callable[[], object]:
        from .layers_on_torch import prepared

        return prepared(problem, LAYOUT, *_weights_and_network(problem))


def call(layer: Any, weights: Any, x: Any, states: Any, lengths: Any = None) -> tuple[Any, Any]:
    """h_1 … h_T (T, B, H) of a built layer with other weights, and the states if it returns them.

    Keras wants the batch first.
    """
    keras = sys.modules["keras"]
    # What comes out of a product of float64 is float32, and JAX's scan wants the state to come in as it goes out.
    computed_in = keras.backend.result_type(layer.compute_dtype, layer.compute_dtype)
    sides = layer.trainable_variables, layer.non_trainable_variables  # where the weights are, if the layer is frozen
    variables = [[weights.get(variable.name, variable.value) for variable in side] for side in sides]
    options = {}
    if states is not None:
        options["initial_state"] = [keras.ops.cast(state, computed_in) for state in states]
    if lengths is not None:
        options["mask"] = keras.ops.arange(len(x))[None] < keras.ops.cast(lengths, "int32")[:, None]
    answer, _ = layer.stateless_call(*variables, x.swapaxes(0, 1), **options)
    h, after = (answer[0], tuple(answer[1:])) if layer.return_state else (answer, ())
    return h.swapaxes(0, 1), after


def build(model: Recurrent, weights: Mapping[str, np.ndarray]) -> Any:
    """The layer of a model with these weights, on the engine that Keras has in this process."""
    keras, dtype = keras_on(engine()), weights["kernel"].dtype
    with in_double_precision() if engine() == "jax" and dtype == "float64" else nullcontext():
        layer = layer_for(keras, model, model.input_size, dtype.name)
        layer.set_weights([weights[variable.name] for variable in layer.weights])
    return layer


def wrap(thing: Any, **stated: Any) -> WrappedLayer:
    """A built layer, cell or model of recurrent layers as a backend, on the engine that Keras has in this process.

    Raises:
        RequestError: it is not built, keeps its state, has other cells, or Keras has another engine.
    """
    keras, engine_name = sys.modules["keras"], engine()
    taken = take_apart(keras, thing)
    weights = [
        {variable.name: np.asarray(keras.ops.convert_to_numpy(variable.value)) for variable in cell.weights}
        for cell in taken.cells
    ]
    functions = [_functions(keras, cell) for cell in taken.cells]
    kinds = [(type(cell).__name__, getattr(cell, "reset_after", None)) for cell in taken.cells]
    for what, values in (("cells", kinds), ("functions", functions)):
        if any(value != values[0] for value in values):
            raise InvalidProblemError(f"{taken.shown} has {what} of several kinds: pass its layers one by one")
    cell = taken.cells[0]
    if isinstance(cell, keras.layers.SimpleRNNCell):
        stated["activation"], departures = plain_cell_functions(taken.shown, functions[0]["activation"])
    else:
        departures = departures_of(functions[0])
    if isinstance(cell, keras.layers.GRUCell):
        stated["reset"] = "after" if cell.reset_after else "before"
    stated |= {"num_layers": taken.num_layers, "bidirectional": taken.bidirectional}
    model = infer_model(LAYOUT, weights, **stated)
    name = f"keras-{engine_name} {type(thing).__name__}"
    described: dict[str, Any] = {"departures": departures, "direction": BACKWARD if taken.backward else "forward"}
    described |= {"has_own_state": True, "takes_lengths": taken.takes_lengths, "gives_final_states": taken.gives_states}
    described |= {"remarks": tuple(_remarks(taken))}
    described["precision"] = next((half for half in HALF if half == taken.cells[0].compute_dtype), "")
    network = partial(run_object, keras, taken)
    if engine_name == "torch":
        from .layers_on_torch import wrap_network_on_torch

        return wrap_network_on_torch(name, LAYOUT, model, weights, network, **described)

    from .layers_on_jax import wrap_network_on_jax

    return wrap_network_on_jax(name, LAYOUT, model, weights, network, **described)


def _functions(keras: Any, cell: Any) -> dict[str, str]:
    """The names of a cell's functions, by what they are."""
    options = {"gate function": "recurrent_activation", "activation": "activation"}

    def applied(function: Any, arguments: np.ndarray) -> Any:
        return keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(arguments)))

    return {
        what: function_name(getattr(cell, option), applied) for what, option in options.items() if hasattr(cell, option)
    }


def _remarks(taken: KerasObject) -> Iterator[str]:
    """What of an object is not asked, such as what it adds to the loss in training."""
    options = ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer")
    for option in options:
        if any(getattr(holder, option, None) is not None for holder in taken.holders):
            yield f"the {option} of {taken.shown}, which adds to the loss in training"
    if taken.backward:
        yield f"a sequence in its order: {taken.shown} goes backwards, and was given it reversed"
    if taken.last_alone:
        yield f"a whole sequence of outputs: {taken.shown} gives the last one, and was asked on each beginning of it"


def wrap_weights(model: Recurrent, weights: Sequence[Mapping[str, np.ndarray]]) -> WrappedLayer:
    """New layers with these weights as a backend, on the engine that Keras has or will have in this process."""
    if engine() == "jax":
        wrapped: WrappedLayer = _on_jax().wrap_weights(model, weights)
        return wrapped
    return _wrap_on_torch("keras-torch", model, weights, _calls_on_torch(model, weights[0]["kernel"].dtype.name))


def _wrap_on_torch(
    name: str, model: Recurrent, weights: Sequence[Mapping[str, np.ndarray]], calls: Sequence[Any], **described: Any
) -> WrappedLayer:
    from .layers_on_torch import network_of_layers, wrap_on_torch

    return wrap_on_torch(
        name, LAYOUT, model, weights, lambda problem, usage: network_of_layers(problem, calls, usage), **described
    )


def layer_for(keras: Any, model: Recurrent, input_size: int, dtype: str) -> Any:
    """The layer of a model, built, with weights of zero: no random number is drawn."""
    options: dict[str, Any] = {"return_sequences": True, "dtype": dtype, "seed": 0}
    options |= {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}
    match model.cell:
        case "lstm":
            layer = keras.layers.LSTM(model.hidden_size, **options)
        case "gru":
            layer = keras.layers.GRU(model.hidden_size, reset_after=model.reset == "after", **options)
        case _:
            activation = {"identity": "linear"}.get(model.activation, model.activation)
            layer = keras.layers.SimpleRNN(model.hidden_size, activation=activation, **options)
    layer.build((None, None, input_size))
    return layer


def _require(name: str, engine: str) -> None:
    require_installed("keras", needed_by=f"backend {name!r}", extra=f"keras,{engine}")
    require(engine, needed_by=f"backend {name!r}", extra=f"keras,{engine}")


def _unsupported_reason(model: Model, engine: str) -> str:
    try:
        keras_on(engine)
    except UnsupportedProblemError as error:
        return str(error)
    return unsupported_network_reason(model)


@cache
def _on_jax() -> Any:
    """Keras as a library of layers for JAX."""
    import jax

    from .layers_on_jax import JaxLibrary

    keras = keras_on("jax")

    def make(model: Recurrent, input_size: int) -> Any:
        def build_and_call(weights: Any, x: Any, states: Any, lengths: Any = None) -> Any:
            with jax.ensure_compile_time_eval():
                layer = layer_for(keras, model, input_size, x.dtype.name)
            return call(layer, weights, x, states, lengths)

        return build_and_call

    return JaxLibrary("keras-jax", LAYOUT, make)


def _weights_and_network(problem: Problem) -> tuple[Any, Any]:
    from .layers_on_torch import network_of_layers

    model = problem.model
    assert isinstance(model, Recurrent)
    calls = _calls_on_torch(model, problem.dtype.name)
    return LAYOUT.from_params(model, problem.params), network_of_layers(problem, calls, Usage())


def _calls_on_torch(model: Recurrent, dtype: str) -> list[Any]:
    keras = keras_on("torch")
    with keras.device("cpu"):
        return [partial(call, layer_for(keras, model, size, dtype)) for size in layer_sizes(model)]
