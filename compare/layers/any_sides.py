"""From the objects that are handed in to layers of any cell: which there are, of what size, with what weights."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import FunctionType, MethodType

import numpy as np

from ...backends import Problem, RequestError, UnsupportedProblemError
from ...backends.adapters.sequence_task import SequenceAnswer, SequenceLayer, SequenceTask
from ...backends.adapters.wrapped_layer import Usage, WrappedLayer
from ..differences import rounded_forget_bias
from .any_cells import AnyCells, DefinedLayer
from .cell_definitions import lstm_with_projection
from .other_functions import definition_of
from .own_layer import CELL, OwnLayer, framework_of, sequence_layer
from .own_layer import wrapped as wrapped_layer
from .recorded_definition import Definition

STATE_THE_SIZES = "state them, such as OwnLayer(step, weights, input_size=3, states={'h': 5, 'c': 5})"


def is_of_any_cell(layer: object) -> bool:
    """Whether it is a layer of a cell that no system has: one's own, or an LSTM of PyTorch with a projection."""
    return isinstance(layer, OwnLayer) or _is_function(layer) or _is_projected(layer)


def any_cells(layers: Sequence[object], activation: str | None = None) -> AnyCells:
    """The layers as they are compared.

    Args:
        layers: as for `assert_same_layer`; at least one of them of any cell.
        activation: as for `assert_same_layer`.

    Returns:
        The layers and the definitions. Where no definition in NumPy is among them, that of their cell is added.

    Raises:
        AssertionError: they are of different kinds or sizes, or their weights have other names or shapes.
        RequestError: the sizes or the weights are not told, or an object is no known layer.
        UnsupportedProblemError: there is no definition of their cell.
    """
    own = [OwnLayer(layer) if _is_function(layer) else layer for layer in layers]
    wrapped = {i: wrapped_layer(layer, activation) for i, layer in enumerate(own) if not is_of_any_cell(layer)}
    known: dict[int, SequenceLayer] = {i: as_sequence_layer(layer) for i, layer in wrapped.items()}
    known |= {i: _projected(layer) for i, layer in enumerate(own) if _is_projected(layer)}
    _require_same([(known[i].name, f"is {_description(known[i])}") for i in sorted(known)])
    owned = {i: layer for i, layer in enumerate(own) if isinstance(layer, OwnLayer)}
    sizes = _sizes(list(known.values()), list(owned.values()))
    if not sizes.is_single and any(framework_of(layer) != "numpy" for layer in owned.values()):
        raise UnsupportedProblemError("a layer of one's own in PyTorch or JAX has one layer in one direction")
    for i, layer in owned.items():
        if framework_of(layer) != "numpy":
            known[i] = sequence_layer(layer, sizes.input_size, sizes.state_sizes)
    in_numpy = {i: layer for i, layer in owned.items() if framework_of(layer) == "numpy"}
    weights = _first_weights(known, in_numpy)
    definitions = {
        i: DefinedLayer(Definition(layer.shown_name, layer.function, layer.whole), layer.weights or weights)
        for i, layer in in_numpy.items()
    }
    if not definitions:
        definitions[len(own)] = DefinedLayer(_definition_of(known, wrapped), weights)
    named = _with_different_names(known, definitions)
    held = {name: side.weights for name, side in named.items()}
    if reserved := sorted({"V", "o", "inputs", *(f"{state}0" for state in sizes.state_sizes)} & set(weights)):
        raise RequestError(f"the weights have the name {reserved[0]!r}, which is that of an array of the comparison")
    _require_same([(name, f"has the weights {_listed(of_side)}") for name, of_side in held.items()])
    dtypes = {name: {array.dtype.name for array in of_side.values()} for name, of_side in held.items()}
    _require_same([(name, f"is {' and '.join(sorted(of_side))}") for name, of_side in dtypes.items()])
    (dtype,) = next(iter(dtypes.values())) if len(next(iter(dtypes.values()))) == 1 else ("",)
    if not dtype:
        raise RequestError(f"{next(iter(named))} has weights of several dtypes, expected one")
    cell = next(iter(known.values())).cell if known else CELL
    layers_of = [side for side in named.values() if isinstance(side, SequenceLayer)]
    return replace(
        sizes,
        layers=layers_of,
        definitions=[side for side in named.values() if isinstance(side, DefinedLayer)],
        description=f"{cell} of {sizes.description}",
        dtype=np.dtype(dtype),
    )


def _sizes(known: Sequence[SequenceLayer], owned: Sequence[OwnLayer]) -> AnyCells:
    """D and the sizes of the states: those that a library's layer tells, or that are stated."""
    if known:
        first = known[0]
        found = first.input_size, dict(first.state_sizes)
    else:
        found = next(((one.input_size, dict(one.states)) for one in owned if one.input_size and one.states), (0, {}))
    input_size, states = found
    if not input_size or not states:
        raise RequestError(f"no layer tells the number of inputs and the sizes of the states: {STATE_THE_SIZES}")
    for one in owned:
        stated = {"input_size": one.input_size, "states": one.states and dict(one.states)}
        for what, expected in (("input_size", input_size), ("states", states)):
            if stated[what] is not None and stated[what] != expected:
                raise AssertionError(f"not the same layer: {one.shown_name} has {what}={stated[what]}, not {expected}")
    described = " ".join([f"D={input_size}", *(f"{name}={size}" for name, size in states.items())])
    num_layers, bidirectional = (known[0].num_layers, known[0].bidirectional) if known else (1, False)
    return AnyCells([], [], described, input_size, states, np.dtype("float64"), num_layers, bidirectional)


def _first_weights(known: Mapping[int, SequenceLayer], in_numpy: Mapping[int, OwnLayer]) -> Mapping[str, np.ndarray]:
    """Those of the first that has any."""
    held = {i: layer.weights for i, layer in known.items()}
    held |= {i: layer.weights for i, layer in in_numpy.items() if layer.weights is not None}
    if not held:
        raise RequestError("no layer has weights: give them to one, such as OwnLayer(step, weights={'U': U, 'W': W})")
    return held[min(held)]


def _definition_of(known: Mapping[int, SequenceLayer], wrapped: Mapping[int, WrappedLayer]) -> Definition:
    """That of the first layer of a library."""
    if wrapped:
        return definition_of(wrapped[min(wrapped)])
    if any(layer.cell != CELL for layer in known.values()):
        return Definition("definition of lstm with a projection", lstm_with_projection)
    raise UnsupportedProblemError(
        "no definition in NumPy is among the layers, by which a tolerance could be measured: add one, such as "
        "lstm_with_peepholes of gradparity.compare.layers.cell_definitions, or your own step"
    )


def _description(layer: SequenceLayer) -> str:
    words = [f"{layer.num_layers} layers"] if layer.num_layers > 1 else []
    words += ["both directions"] if layer.bidirectional else []
    sizes = " ".join([f"D={layer.input_size}", *(f"{name}={size}" for name, size in layer.state_sizes.items())])
    in_brackets = f" ({', '.join(words)})" if words else ""
    return f"{layer.cell}{in_brackets} of {sizes}"


def as_sequence_layer(layer: WrappedLayer) -> SequenceLayer:
    """A layer of a cell that the systems have, as one of any cell.

    Args:
        layer: of rnn, lstm or gru.

    Returns:
        The layer, with U, W, b and b_hn.

    Raises:
        UnsupportedProblemError: it computes in half precision.
    """
    if layer.precision:
        raise UnsupportedProblemError(
            f"{layer.name} computes in {layer.precision}: beside a definition, expected float32 or float64"
        )
    model = replace(layer.model, bias=True, loss="squared_error")
    zeros = {
        name: np.zeros(shape, layer.dtype) for name, shape in model.parameter_shapes.items() if name not in ("V", "c")
    }
    departures = ", ".join(f"{what} {value}" for what, value in layer.departures.items())
    options = [*([f"reset {model.reset}"] if model.cell == "gru" else []), *([departures] if departures else [])]
    options += [f"the direction {layer.direction}"] if layer.direction != "forward" else []

    def evaluate(task: SequenceTask, usage: Usage) -> SequenceAnswer:
        K = task.targets.shape[2]
        params = {**zeros, **layer.params, "V": task.readout, "c": np.zeros(K, task.readout.dtype)}
        problem = Problem(
            replace(model, output_size=K), params, task.inputs, task.targets, **task.states, lengths=task.lengths
        )
        evaluation, after = layer.evaluator(problem, False, usage)
        gradients = {name: array for name, array in evaluation.gradients.items() if name != "c"}
        is_single = len(model.places) == 1
        states = {name: state[0] if is_single else state for name, state in after.items()}
        assert evaluation.outputs is not None
        return SequenceAnswer(evaluation.loss, gradients, evaluation.outputs, states)

    return SequenceLayer(
        layer.name,
        f"{model.cell} with {', '.join(options)}" if options else model.cell,
        zeros | layer.params,
        model.input_size,
        {name.removesuffix("0"): model.hidden_size for name in model.state_names},
        evaluate,
        model.num_layers,
        model.bidirectional,
        layer.has_own_state,
        layer.takes_lengths,
        layer.gives_final_states,
        layer.remarks,
        _rounded_off(layer),
    )


def _rounded_off(layer: WrappedLayer) -> dict[str, np.ndarray | float]:
    """By parameter, what a library rounds off that adds to the forget gate's bias when it runs, as Haiku does."""
    if not layer.layout.added_to_forget_gate:
        return {}
    return {name: rounded_forget_bias(layer.model, name, values) for name, values in layer.params.items()}


def _is_function(layer: object) -> bool:
    return isinstance(layer, (FunctionType, MethodType, partial))


def _is_projected(layer: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(layer, torch.nn.LSTM) and layer.proj_size > 0


def _projected(layer: object) -> SequenceLayer:
    from ...backends.adapters.sequences_on_torch import wrap_projected

    return wrap_projected(layer)  # type: ignore[arg-type] # _is_projected


def _with_different_names(
    known: Mapping[int, SequenceLayer], definitions: Mapping[int, DefinedLayer]
) -> dict[str, SequenceLayer | DefinedLayer]:
    """All in their order, by their names, numbered where several have one name."""
    sides = {**known, **definitions}
    names = {i: known[i].name if i in known else definitions[i].definition.name for i in sorted(sides)}
    several = [name for name in names.values() if [*names.values()].count(name) > 1]
    named: dict[str, SequenceLayer | DefinedLayer] = {}
    for i, name in names.items():
        if name in several:
            name = f"{name} {1 + sum(other == name for j, other in names.items() if j < i)}"
        if i in known:
            named[name] = replace(known[i], name=name)
        else:
            one = definitions[i]
            named[name] = replace(one, definition=one.definition._replace(name=name))
    return named


def _require_same(described: Sequence[tuple[str, str]]) -> None:
    if len({description for _, description in described}) > 1:
        raise AssertionError(f"not the same layer: {'; '.join(' '.join(pair) for pair in described)}")


def _listed(weights: Mapping[str, np.ndarray]) -> str:
    return ", ".join(f"{name} {weights[name].shape}" for name in sorted(weights))
