"""Layers of different libraries that should be the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from operator import attrgetter

import numpy as np

from ...backends import Evaluation, Problem, Recurrent
from ...backends.adapters.layout_values import changed_library
from ...backends.adapters.wrapped_layer import WrappedLayer
from ...backends.errors import RequestError
from ..differences import LayerWithWeights, WeightDifference, convention_differences, weight_differences
from ..referee import WORST_FIRST, Comparison, DisagreementError
from .any_cells import compare_any_cells
from .any_sides import any_cells, is_of_any_cell
from .behaviours import behaviour_of
from .half_precision import RoundedLayer, in_half_precision, precision_of
from .layer_comparison import LayerComparison, report
from .other_functions import defining_layer
from .own_layer import wrapped as wrapped_layer
from .questions import GIVEN, LENGTHS, OWN, Asked, ask_from_given_states, ask_with_lengths, ask_without_states

READOUT_SIZE = 3  # K of the read-out that makes a loss of the states


def assert_same_layer(
    *layers: object, seq_len: int = 7, batch_size: int = 3, seed: int = 0, activation: str | None = None
) -> LayerComparison:
    """Passes if layers of any libraries, with the weights that they hold, have the same outputs and gradients.

    Their functions are compared, and their weights entry by entry (mapped to U, W, b and b_hn). Then each layer
    computes on a random sequence (T, B, D), by its own forward pass and its own autograd: from random initial states;
    without any, and on from the states that it returns; and with lengths. Compared are its states through a random
    read-out, the squared error, the states after the last step, and the gradients of the weights, of the initial
    states and of the inputs. What a layer cannot be asked stands in `not_asked` of the result, and in the report.

    Args:
        layers: two or more objects: a torch.nn layer or cell, scripted ones and an nn.ModuleList of them included; a
            flax.nnx cell, RNN or Bidirectional; one of these of flax.linen as `(object, variables)`; an equinox cell;
            `(function that makes a core or a DeepRNN, parameters)` of haiku; a built keras layer, RNN over cells,
            Bidirectional or cell, or a model of recurrent layers alone; and of cells that no system has, a
            torch.nn.LSTM with a projection, a step in NumPy, or an `OwnLayer`. With these, what defines the cell
            answers, too: the first step in NumPy among them, or else that of `compare.layers.cell_definitions`.
        seq_len: T.
        batch_size: B.
        seed: of the sequence, the states and the read-out.
        activation: of plain cells of one's own, which do not tell theirs; of others it has no effect.

    Returns:
        The comparison, whose verdict is `agree`: that from given states, with the others in `questions`.

    Raises:
        DisagreementError: they differ; with what, where, by how much, and whether their weights differ already.
        AssertionError: they are not layers of one kind, size and dtype.
        UnsupportedProblemError: all have a function that has no definition in NumPy here, or one cannot be computed.
        RequestError: there are fewer than two, or an object is no known layer.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> layer, cell = torch.nn.LSTM(4, 5), torch.nn.LSTMCell(4, 5)
        >>> cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
        <All keys matched successfully>
        >>> comparison = assert_same_layer(layer, cell)
        >>> comparison.verdict, list(comparison.questions)
        ('agree', ['from given initial states', 'without an initial state'])
        >>> comparison.not_asked[0]
        'with lengths, torch LSTMCell: it cannot be told lengths'
    """
    if len(layers) < 2:
        raise RequestError(f"{len(layers)} layers were given, expected at least two")
    if any(map(is_of_any_cell, layers)):
        cells = any_cells(layers, activation)
        return _agreeing(compare_any_cells(cells, cells.task(seq_len, batch_size, READOUT_SIZE, seed)))
    wrapped = _with_different_names([wrapped_layer(layer, activation) for layer in layers])
    for describe in (_description, attrgetter("dtype")):
        descriptions = {layer.name: describe(layer) for layer in wrapped}
        if len(set(descriptions.values())) > 1:
            stated = "; ".join(f"{name} is {description}" for name, description in descriptions.items())
            raise AssertionError(f"not the same layer: {stated}")
    options = {layer.name: _options(layer) for layer in wrapped}
    same_options = all(of_layer == options[wrapped[0].name] for of_layer in options.values())
    if wrapped[0].departures and same_options:  # no system has such a cell: what defines it answers beside the layers
        wrapped.append(defining_layer(wrapped[0]))
    problem = _problem(wrapped, seq_len, batch_size, seed)
    return _agreeing(_compare(wrapped, problem, options, same_options=same_options), wrapped)


def _agreeing(comparison: LayerComparison, wrapped: Sequence[WrappedLayer] = ()) -> LayerComparison:
    if comparison.verdict != "agree":
        changed = dict.fromkeys(changed_library(layer.layout, layer.model, other_version=True) for layer in wrapped)
        conventions = (*comparison.conventions, *filter(None, changed))
        comparison = replace(comparison, conventions=conventions)
        raise DisagreementError(comparison, report=report(comparison))
    return comparison


def compare_wrapped(
    wrapped: Sequence[WrappedLayer], *, seq_len: int = 7, batch_size: int = 3, seed: int = 0
) -> Comparison:
    """Compares the outputs and gradients of layers on a random batch, from given states.

    The tolerance is measured with the weights of the first one.

    Args:
        wrapped: layers of one kind, size and dtype.
        seq_len: T.
        batch_size: B.
        seed: of the sequence, the states and the read-out.

    Raises:
        UnsupportedProblemError: a layer cannot compute this.
    """
    problem = _problem(wrapped, seq_len, batch_size, seed)
    comparison, _ = ask_from_given_states(wrapped, problem, final_states=False)
    return comparison


def _compare(
    wrapped: Sequence[WrappedLayer], problem: Problem, options: dict[str, dict[str, str]], *, same_options: bool
) -> LayerComparison:
    """Everything that is asked of layers, in one comparison: it agrees if all of it does.

    Where a layer fails from given states already, it is asked nothing else.
    """
    first, not_asked = ask_from_given_states(wrapped, problem)
    asked: dict[str, Asked] = {}
    differences: tuple[WeightDifference, ...] = ()
    if not first.failures:
        asked = {OWN: ask_without_states(wrapped, problem), LENGTHS: ask_with_lengths(wrapped, problem)}
        differences = weight_differences(_in_one_precision(wrapped))
    questions = {GIVEN: first} | {title: of.comparison for title, of in asked.items() if of.comparison is not None}
    conventions, explained = _conventions(wrapped, differences)
    verdicts = {comparison.verdict for comparison in questions.values()}
    verdict = next(verdict for verdict in WORST_FIRST if verdict in verdicts)
    if differences or not same_options:
        verdict = "disagree"
    remarks = [remark for layer in wrapped for remark in layer.remarks]
    of_first = {field.name: getattr(first, field.name) for field in fields(Comparison)}
    return LayerComparison(
        **of_first | {"verdict": verdict, "bitwise": all(comparison.bitwise for comparison in questions.values())},
        description=_description(wrapped[0]),
        options=options,
        weight_differences=differences,
        questions=questions,
        handed_over_after=asked[OWN].handed_over_after if OWN in asked else 0,
        conventions=(*conventions, *_behaviours(wrapped, questions)),
        explained=explained,
        not_asked=(*not_asked, *(line for of in asked.values() for line in of.not_asked), *remarks),
    )


def _in_one_precision(wrapped: Sequence[WrappedLayer]) -> Sequence[LayerWithWeights]:
    """The layers, their parameters rounded to the half precision of any of them: of two biases, the sum."""
    precision = precision_of(wrapped)
    return [RoundedLayer(layer, precision) for layer in wrapped] if precision else wrapped


def _conventions(
    wrapped: Sequence[WrappedLayer], differences: Sequence[WeightDifference]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """How the weights differ from the first layer's, in words; and the parameters of which that is all."""
    first, *others = wrapped
    differing = {difference.between[1] for difference in differences}
    found = [convention_differences(first, other) for other in others if other.name in differing]
    explained = [name for name in found[0].explained if all(name in of.explained for of in found)] if found else []
    return tuple(sentence for of in found for sentence in of.sentences), tuple(explained)


def _behaviours(wrapped: Sequence[WrappedLayer], questions: Mapping[str, Comparison]) -> list[str]:
    """What layers compute otherwise than their weights say, where their outputs differ."""
    failed = next((title for title in (GIVEN, OWN) if title in questions and questions[title].verdict != "agree"), "")
    if not failed:
        return []
    lines = []
    for layer in wrapped:
        answer = questions[failed].answers.get(layer.name)
        if isinstance(answer, Evaluation) and answer.outputs is not None and not layer.departures:
            words = behaviour_of(_of_layer(questions[failed].problem, layer), answer.outputs)
            if words:
                lines.append(f"The outputs of {layer.name} are what its weights give {words}.")
    return lines


def _of_layer(problem: Problem, layer: WrappedLayer) -> Problem:
    """The problem with a layer's own weights and activation."""
    assert isinstance(problem.model, Recurrent)
    model = replace(problem.model, activation=layer.model.activation)
    zeros = {name: np.zeros_like(array) for name, array in problem.params.items() if array.ndim == 1}
    readout = {name: problem.params[name] for name in ("V", "c") if name in problem.params}
    return replace(problem, model=model, params=zeros | layer.params | readout)


def _problem(wrapped: Sequence[WrappedLayer], seq_len: int, batch_size: int, seed: int) -> Problem:
    """A random batch, with the weights of the first layer and a random read-out."""
    first = wrapped[0]
    model = replace(first.model, bias=any(layer.model.bias for layer in wrapped), output_size=READOUT_SIZE)
    drawn = Problem.from_seed(model, seq_len=seq_len, batch_size=batch_size, seed=seed, dtype=first.dtype)
    zeros = {name: np.zeros_like(array) for name, array in drawn.params.items() if array.ndim == 1}
    readout = {name: array for name, array in drawn.params.items() if name in ("V", "c")}
    problem = replace(drawn, params=zeros | first.params | readout)
    precision = precision_of(wrapped)
    return in_half_precision(problem, precision) if precision else problem


def _description(layer: WrappedLayer) -> str:
    model = layer.model
    options = [f"reset {model.reset}"] if model.cell == "gru" else []
    options += [f"{model.num_layers} layers"] if model.num_layers > 1 else []
    options += ["both directions"] if model.bidirectional else []
    words = f"{model.cell} ({', '.join(options)})" if options else model.cell
    return f"{words} of D={model.input_size} H={model.hidden_size}"


def _options(layer: WrappedLayer) -> dict[str, str]:
    """What a layer computes with."""
    activation = {"activation": layer.model.activation} if layer.model.cell == "rnn" else {}
    direction = {} if layer.direction == "forward" else {"direction": layer.direction}
    return activation | direction | dict(layer.departures)


def _with_different_names(wrapped: Sequence[WrappedLayer]) -> list[WrappedLayer]:
    """The layers, numbered where several have one name."""
    names = [layer.name for layer in wrapped]
    numbers = [names[: i + 1].count(name) for i, name in enumerate(names)]
    return [
        replace(layer, name=f"{layer.name} {number}") if names.count(layer.name) > 1 else layer
        for layer, number in zip(wrapped, numbers, strict=True)
    ]
