"""What layers are asked: from given states, without any, and with lengths; and their states after the last step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ...backends import Evaluation, Problem, Recurrent, UnsupportedProblemError
from ...backends.adapters.sequence_task import SequenceLayer
from ...backends.adapters.wrapped_layer import LayerAnswer, Usage, WrappedLayer
from ...backends.errors import first_line
from ..referee import Comparison, Failure
from ..referee.gathering import Gathered, gather, reasons_in_one_line
from ..referee.judgement import judge
from ..tolerance import Tolerance, measure_definition, measure_tolerance
from .final_states import defined_states, state_quantities, unfit, with_forward_blocks
from .half_precision import half_tolerance, precision_of, rounded_answer
from .other_functions import tolerance_of

GIVEN = "from given initial states"
OWN = "without an initial state"
LENGTHS = "with lengths"
Refusals = tuple[type[Exception], ...]  # the errors by which a layer tells that it cannot be called so


@dataclass(frozen=True, eq=False)
class Asked:
    """What came of a question.

    Attributes:
        comparison: of the layers that could be asked; None where fewer than two could.
        not_asked: what could not be asked, a line each.
        handed_over_after: after how many steps a layer was called again, from the states that it had returned; 0 if
            none was.
    """

    comparison: Comparison | None
    not_asked: tuple[str, ...] = ()
    handed_over_after: int = 0


def ask_from_given_states(
    layers: Sequence[WrappedLayer], problem: Problem, *, final_states: bool = True
) -> tuple[Comparison, tuple[str, ...]]:
    """Outputs, final states and all gradients, from the problem's initial states.

    Args:
        layers: two or more.
        problem: what is computed.
        final_states: whether the states after the last step are compared too.

    Returns:
        The comparison of all layers; and what could not be asked, a line each.

    Raises:
        UnsupportedProblemError: a layer cannot compute the problem.
    """
    usages = dict.fromkeys([layer.name for layer in layers], Usage(final_states=final_states))
    comparison, skipped = _compare(layers, problem, usages)
    if skipped or comparison is None:
        raise UnsupportedProblemError(f"not every layer can compute this: {reasons_in_one_line(skipped)}")
    return comparison, (*without_gradients(comparison), *without_final_states(layers))


def ask_without_states(layers: Sequence[WrappedLayer], problem: Problem) -> Asked:
    """The same with the layers' own initial states; and the states that they return are handed over to a second call.

    So the gradients flow through these states, which is how long sequences are read part by part. A layer that does
    not return its states reads the whole sequence at once, which comes to the same.
    """
    able = [layer for layer in layers if layer.has_own_state]
    zeros: dict[str, Any] = {name: np.zeros_like(state) for name, state in problem.states.items()}
    from_zeros = replace(problem, **zeros)
    # Two parts of a sequence are the whole only where nothing is read from its end.
    first_part = 0 if _model(problem).bidirectional else problem.seq_len // 2
    usages = {
        layer.name: Usage(
            own_state=True, final_states=True, hand_over_after=first_part if layer.gives_final_states else 0
        )
        for layer in able
    }
    # The tolerance is measured from states of zero, with which most layers begin. A layer of one's own tells by a
    # TypeError that it wants a state.
    asked = _ask_able(OWN, layers, able, from_zeros, usages, unable="it has to be given one", refuses_by=(TypeError,))
    if asked.comparison is None:
        return asked
    if any(usage.hand_over_after for usage in usages.values()):
        return replace(asked, handed_over_after=first_part)
    why = "no layer returns them" if first_part else "both directions, or one step, are not read in parts"
    return replace(asked, not_asked=(*asked.not_asked, f"the returned states, handed over to a second call: {why}"))


def ask_with_lengths(layers: Sequence[WrappedLayer], problem: Problem) -> Asked:
    """Sequences of several lengths, told to each layer in its library's way; compared within the lengths."""
    T, B = problem.leading
    if T == 1:
        return Asked(None, (f"{LENGTHS}: there is one step",))
    able = [layer for layer in layers if layer.takes_lengths]
    shortest = max(1, T // 2)
    lengths = np.linspace(T, shortest, B).round().astype(int) if B > 1 else np.array([shortest])
    usages = dict.fromkeys([layer.name for layer in able], Usage(own_lengths=True, final_states=True))
    with_lengths = replace(problem, lengths=lengths)
    # A layer of one's own may take whole sequences only, and tells so by any error.
    return _ask_able(
        LENGTHS, layers, able, with_lengths, usages, unable="it cannot be told lengths", refuses_by=(Exception,)
    )


def _ask_able(
    title: str,
    layers: Sequence[WrappedLayer],
    able: Sequence[WrappedLayer],
    problem: Problem,
    usages: Mapping[str, Usage],
    *,
    unable: str,
    refuses_by: Refusals,
) -> Asked:
    """Asks those who can be asked, if they are two."""
    reasons = {layer.name: unable for layer in layers if layer not in able}
    comparison = None
    if len(able) > 1:
        comparison, skipped = _compare(able, problem, usages, refuses_by)
        reasons |= skipped
    asked = [layer.name for layer in layers if layer.name not in reasons]
    lines = [f"{title}, {name}: {reason}" for name, reason in reasons.items()]
    if comparison is None and asked:
        lines.append(f"{title}: so {asked[0]} has none to be compared with")
    return Asked(comparison, tuple(lines))


def _compare(
    layers: Sequence[WrappedLayer], problem: Problem, usages: Mapping[str, Usage], refuses_by: Refusals = ()
) -> tuple[Comparison | None, dict[str, str]]:
    """The comparison of those who answered, if they are two; and why others did not."""
    precision = precision_of(layers)
    if precision:
        rounded = rounded_answer(layers[0], precision)
        usage = replace(usages[layers[0].name], own_lengths=True, hand_over_after=0)
        layers, usages = [*layers, rounded], {**usages, rounded.name: usage}
    states_after: dict[str, dict[str, np.ndarray]] = {}
    recorders = {
        layer.name: _recorder(layer, problem, usages[layer.name], states_after, refuses_by) for layer in layers
    }
    measure = tolerance_of(layers, problem)  # of functions that the systems do not have
    of_states: Tolerance | None = None
    if precision:
        tolerance, of_states = half_tolerance(problem, precision)
    else:
        tolerance = measure() if measure else measure_tolerance(problem)
        of_states = tolerance if measure else None
    gathered = gather(problem, recorders, overflows=tolerance.overflows, alone_is_enough=True)
    # Where one alone can answer, `gather` asks manual too; but no layer agrees by agreeing with that.
    answers = {name: answer for name, answer in gathered.answers.items() if name in recorders}
    failures = [failure for failure in gathered.failures if failure.backend in recorders]
    states = {name: states_after[name] for name in answers}
    of_states_alone = [failure for name, after in states.items() if (failure := _state_failure(name, problem, after))]
    for failure in of_states_alone:
        del answers[failure.backend], states[failure.backend]
    failures += of_states_alone
    if len(answers) + len(failures) < 2:
        return None, gathered.skipped
    comparison = judge(problem, Gathered(answers, tuple(failures), {}), tolerance)
    return _with_final_states(comparison, states, of_states), gathered.skipped


def _state_failure(name: str, problem: Problem, states: Mapping[str, np.ndarray]) -> Failure | None:
    """The reason to refuse final states before their values are compared; None if they are fit, or there are none."""
    model = _model(problem)
    shape = (len(model.places), problem.batch_size, model.hidden_size)
    return unfit(name, states, {f"{state.removesuffix('0')}_n": shape for state in model.state_names}, problem.dtype)


def _recorder(
    layer: WrappedLayer,
    problem: Problem,
    usage: Usage,
    states_after: dict[str, dict[str, np.ndarray]],
    refuses_by: Refusals,
) -> WrappedLayer:
    """The layer, called in that way, whose final states are kept beside its answers; whatever its functions are."""

    def evaluate(problem: Problem, trace: bool, _: Usage) -> LayerAnswer:
        try:
            answer = layer.evaluator(problem, trace, usage)
        except refuses_by as error:
            raise UnsupportedProblemError(f"it raised {first_line(error)}") from error
        states_after[layer.name] = {name: array.copy() for name, array in answer.final_states.items()}
        return answer

    return replace(layer, model=_model(problem), departures={}, direction="forward", evaluator=evaluate)


def _with_final_states(
    comparison: Comparison, states: Mapping[str, Mapping[str, np.ndarray]], tolerance: Tolerance | None
) -> Comparison:
    """The comparison, with the final states judged as blocks of their own after the outputs."""
    problem = comparison.problem
    if not any(states.values()):
        return replace(comparison, without_reference=True)
    if tolerance is None:
        tolerance = measure_definition(problem.dtype, partial(defined_states, problem))
    quantities = {name: state_quantities(_model(problem).places, of_layer) for name, of_layer in states.items()}
    return with_forward_blocks(comparison, quantities, tolerance)


def without_gradients(comparison: Comparison) -> list[str]:
    """Which layers have no gradient of what others have one of.

    Args:
        comparison: of layers.

    Returns:
        A line for each array of which there is one.
    """
    lines = []
    gradients = {
        name: answer.gradients for name, answer in comparison.answers.items() if isinstance(answer, Evaluation)
    }
    for array in comparison.problem.differentiable:
        missing = [name for name, of_layer in gradients.items() if array not in of_layer]
        if missing and len(missing) < len(gradients):
            lines.append(f"the gradient of {array}: {', '.join(missing)} cannot give it")
    return lines


def without_final_states(layers: Sequence[WrappedLayer] | Sequence[SequenceLayer]) -> list[str]:
    """Which layers do not return the states after the last step.

    Args:
        layers: that are compared.

    Returns:
        A line for each.
    """
    silent = [layer.name for layer in layers if not layer.gives_final_states]
    return [f"the states after the last step: {name} does not return them" for name in silent]


def _model(problem: Problem) -> Recurrent:
    assert isinstance(problem.model, Recurrent)
    return problem.model
