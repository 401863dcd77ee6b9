"""Layers of any cell, also of one that no system has: compared with a definition in NumPy, which says what is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import ClassVar

import numpy as np

from ...backends import Evaluation, Problem, UnsupportedProblemError
from ...backends.adapters.sequence_task import SequenceAnswer, SequenceLayer, SequenceTask, names_after, places_of
from ...backends.adapters.wrapped_layer import Usage
from ...backends.errors import first_line
from ...backends.models import Model
from ..answers import Quantity, QuantityName, quantities
from ..answers.blocks import by_step
from ..differences import WeightDifference, entry_difference
from ..referee import WORST_FIRST, Comparison
from ..referee.gathering import Gathered, gather, reasons_in_one_line
from ..referee.judgement import judge
from ..tolerance import Tolerance
from .final_states import state_quantities, unfit, with_forward_blocks
from .layer_comparison import LayerComparison
from .questions import GIVEN, LENGTHS, OWN, without_final_states, without_gradients
from .recorded_definition import Asked, Definition, RecordedDefinition, Values

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class DefinedLayer:
    """A definition with weights, as a layer that is compared.

    Attributes:
        definition: in NumPy.
        weights: by name.
    """

    definition: Definition
    weights: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class AnyCells:
    """Layers of one kind and size, and the definitions among them; the first definition gives the tolerance.

    Attributes:
        layers: of libraries, or one's own in PyTorch or JAX.
        definitions: with their weights; at least one.
        description: what they are.
        input_size: D.
        state_sizes: of each state, h first.
        dtype: of the weights.
        num_layers: how many are stacked.
        bidirectional: whether each has a second direction.
    """

    layers: Sequence[SequenceLayer]
    definitions: Sequence[DefinedLayer]
    description: str
    input_size: int
    state_sizes: Mapping[str, int]
    dtype: np.dtype
    num_layers: int = 1
    bidirectional: bool = False

    @property
    def is_single(self) -> bool:
        """Whether it is one layer in one direction."""
        return self.num_layers == 1 and not self.bidirectional

    @property
    def names(self) -> list[str]:
        """Of all, those of layers first."""
        return [*(layer.name for layer in self.layers), *(one.definition.name for one in self.definitions)]

    def task(self, seq_len: int, batch_size: int, output_size: int, seed: int) -> SequenceTask:
        """A random sequence with random states, targets and a random read-out."""
        rng = np.random.Generator(np.random.PCG64(seed))
        places = self.num_layers * (1 + self.bidirectional)
        H = next(iter(self.state_sizes.values())) * (1 + self.bidirectional)

        def drawn(*shape: int, scale: float = 1.0) -> np.ndarray:
            return (scale * rng.standard_normal(shape)).astype(self.dtype)

        leading = (batch_size,) if places == 1 else (places, batch_size)
        readout = drawn(output_size, H, scale=H**-0.5)
        states = {f"{name}0": drawn(*leading, size, scale=0.5) for name, size in self.state_sizes.items()}
        inputs = drawn(seq_len, batch_size, self.input_size)
        return SequenceTask(inputs, drawn(seq_len, batch_size, output_size), readout, states)

    def recorded(self, defined: DefinedLayer, task: SequenceTask) -> RecordedDefinition:
        """A definition, run on a task and recorded."""
        asked = Asked(
            defined.weights,
            task.arrays,
            task.targets,
            list(task.states),
            task.lengths,
            self.num_layers,
            self.bidirectional,
        )
        return RecordedDefinition(defined.definition, asked)


def compare_any_cells(cells: AnyCells, task: SequenceTask) -> LayerComparison:
    """Everything that is asked of layers of any cell, in one comparison: it agrees if all of it does.

    Args:
        cells: what is compared.
        task: from given states, without lengths.

    Returns:
        The comparison.

    Raises:
        RequestError: a definition fails, or cannot be recorded.
        UnsupportedProblemError: a layer cannot be asked at all.
    """
    everybody = dict.fromkeys((layer.name for layer in cells.layers), Usage(final_states=True))
    first, skipped = _compare(cells, task, everybody)
    if skipped or first is None:
        raise UnsupportedProblemError(f"not every layer can compute this: {reasons_in_one_line(skipped)}")
    questions, not_asked = {GIVEN: first}, [*without_gradients(first), *without_final_states(cells.layers)]
    handed_over = 0
    T, B = task.targets.shape[:2]
    if not first.failures:
        zeros = replace(task, states={name: np.zeros_like(state) for name, state in task.states.items()})
        handed_over = 0 if cells.bidirectional else T // 2
        own = {
            layer.name: Usage(
                own_state=True, final_states=True, hand_over_after=handed_over if layer.gives_final_states else 0
            )
            for layer in cells.layers
            if layer.has_own_state
        }
        handed_over = max((usage.hand_over_after for usage in own.values()), default=0)
        lengths = np.linspace(T, max(1, T // 2), B).round().astype(int) if B > 1 else np.array([max(1, T // 2)])
        told = dict.fromkeys(
            (layer.name for layer in cells.layers if layer.takes_lengths), Usage(own_lengths=True, final_states=True)
        )
        for title, asked, usages, unable in (
            (OWN, zeros, own, "it has to be given one"),
            (LENGTHS, replace(task, lengths=lengths), told, "it cannot be told lengths"),
        ):
            lines = {layer.name: unable for layer in cells.layers if layer.name not in usages}
            if title == LENGTHS:
                wholes = [one.definition.name for one in cells.definitions if one.definition.is_whole]
                lines |= dict.fromkeys(wholes, unable)
            if len(cells.names) - len(lines) > 1 and usages:
                comparison, reasons = _compare(cells, asked, usages)
                lines |= reasons
                questions |= {title: comparison} if comparison else {}
            not_asked += [f"{title}, {name}: {reason}" for name, reason in lines.items()]
    described = replace(cells, description=f"{cells.description} T={T} B={B}")
    return _whole(described, questions, not_asked, handed_over)


def _whole(
    cells: AnyCells, questions: dict[str, Comparison], not_asked: Sequence[str], handed_over: int
) -> LayerComparison:
    first = questions[GIVEN]
    differences = () if first.failures else _weight_differences(cells)
    verdicts = {comparison.verdict for comparison in questions.values()}
    verdict = next(verdict for verdict in WORST_FIRST if verdict in verdicts)
    of_first = {field.name: getattr(first, field.name) for field in fields(Comparison)}
    bitwise = all(comparison.bitwise for comparison in questions.values())
    return LayerComparison(
        **of_first | {"verdict": "disagree" if differences else verdict, "bitwise": bitwise},
        description=cells.description,
        weight_differences=differences,
        questions=questions,
        handed_over_after=handed_over,
        not_asked=(*not_asked, *(remark for layer in cells.layers for remark in layer.remarks)),
    )


class _Participant:
    """Who answers a task, behind the interface of a backend; the rest of its answer is kept beside."""

    partial: ClassVar[bool] = True

    def __init__(self, name: str, asked: Callable[[], SequenceAnswer], beside: dict[str, SequenceAnswer]) -> None:
        self.name, self._asked, self._beside = name, asked, beside

    def supports(self, model: Model, dtype: str) -> str:
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        answer = self._asked()
        self._beside[self.name] = answer
        return Evaluation(answer.loss, answer.gradients, None)

    def prepare(self, problem: Problem) -> Callable[[], object]:
        return self._asked


def _compare(
    cells: AnyCells, task: SequenceTask, usages: Mapping[str, Usage]
) -> tuple[Comparison | None, dict[str, str]]:
    """The comparison of those who answered, if they are two; and why others did not."""
    wholes_are_able = task.lengths is None
    able = [one for one in cells.definitions if wholes_are_able or not one.definition.is_whole]
    if not able:
        return None, {}
    recorded = {one.definition.name: cells.recorded(one, task) for one in able}
    measured = next(iter(recorded.values()))
    problem = measured.problem
    beside: dict[str, SequenceAnswer] = {}
    asked = {
        layer.name: partial(_asked, layer, task, usages[layer.name]) for layer in cells.layers if layer.name in usages
    }
    own_state = all(usage.own_state for usage in usages.values())
    asked |= {name: partial(_defined, task, one, own_state) for name, one in recorded.items()}
    tolerance = measured.tolerance(partial(_quantities, cells, task, problem))
    gathered = gather(
        problem,
        {name: _Participant(name, call, beside) for name, call in asked.items()},
        overflows=tolerance.overflows,
        trace=False,
        alone_is_enough=True,
    )
    answers = {name: answer for name, answer in gathered.answers.items() if name in asked}
    failures = [failure for failure in gathered.failures if failure.backend in asked]
    for name in list(answers):
        forward = {"outputs": beside[name].outputs, **beside[name].final_states}
        if failure := unfit(name, forward, _shapes(task, forward), problem.dtype):
            failures.append(failure)
            del answers[name]
    if len(answers) + len(failures) < 2:
        return None, gathered.skipped
    comparison = judge(problem, Gathered(answers, tuple(failures), {}), tolerance)
    return _with_forward_values(cells, task, comparison, beside, tolerance), gathered.skipped


def _asked(layer: SequenceLayer, task: SequenceTask, usage: Usage) -> SequenceAnswer:
    try:
        return layer.evaluate(task, usage)
    except UnsupportedProblemError:
        raise
    except TypeError as error:
        if usage.own_state:  # a layer of one's own wants a state
            raise UnsupportedProblemError(f"it raised {first_line(error)}") from error
        raise


def _defined(task: SequenceTask, recorded: RecordedDefinition, own_state: bool) -> SequenceAnswer:
    """What a definition answers; from a state of zero, no gradient of it."""
    values = recorded.values()
    left_out = {"o", *task.states} if own_state else {"o"}
    gradients = {name: array for name, array in values.evaluation.gradients.items() if name not in left_out}
    assert values.evaluation.outputs is not None
    after = dict(zip(names_after(task.states), values.final_states.values(), strict=True))
    return SequenceAnswer(values.evaluation.loss, gradients, values.evaluation.outputs, after)


def _with_forward_values(
    cells: AnyCells,
    task: SequenceTask,
    comparison: Comparison,
    beside: Mapping[str, SequenceAnswer],
    tolerance: Tolerance,
) -> Comparison:
    """The comparison, with the outputs and the final states judged as blocks after the loss."""
    compared = {
        name: _forward(cells, task, beside[name].outputs, beside[name].final_states) for name in comparison.answers
    }
    return with_forward_blocks(comparison, compared, tolerance)


def _quantities(cells: AnyCells, task: SequenceTask, problem: Problem, values: Values) -> dict[str, Quantity]:
    evaluation = values.evaluation
    assert evaluation.outputs is not None
    after = dict(zip(names_after(task.states), values.final_states.values(), strict=True))
    forward = _forward(cells, task, evaluation.outputs, after)
    return forward | quantities(replace(evaluation, outputs=None), problem)


def _forward(
    cells: AnyCells, task: SequenceTask, outputs: np.ndarray, after: Mapping[str, np.ndarray]
) -> dict[str, Quantity]:
    """The outputs by step, and the final states."""
    places = places_of(cells.num_layers, cells.bidirectional)
    states = {name: state.reshape(len(places), task.targets.shape[1], -1) for name, state in after.items()}
    by_name = by_step(QuantityName("o"), outputs)
    return {str(by_name.name): by_name} | state_quantities(places, states)


def _shapes(task: SequenceTask, forward: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    states = dict(zip(names_after(task.states), (state.shape for state in task.states.values()), strict=True))
    return {"outputs": task.targets.shape} | (states if len(forward) > 1 else {})


def _weight_differences(cells: AnyCells) -> tuple[WeightDifference, ...]:
    """Where the weights of the others differ from those of the first, entry by entry."""
    held = [(layer.name, layer.weights, layer.rounded_off) for layer in cells.layers]
    held += [(one.definition.name, one.weights, {}) for one in cells.definitions]
    (first, of_first, rounded_first), *others = held
    return tuple(
        difference
        for other, of_other, rounded in others
        for name, array in of_first.items()
        for difference in entry_difference(
            name, (first, other), (array, of_other[name]), rounded.get(name, 0.0) + rounded_first.get(name, 0.0)
        )
    )
