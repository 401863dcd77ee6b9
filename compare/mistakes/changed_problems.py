"""Mistakes that answer for a changed problem: other gates, labels, lengths, losses, states or truncations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import permutations, product

import numpy as np

from ...backends import Chunks, FeedForward, LastSteps, OrderedSystem, Problem, Recurrent, Window
from ...backends.models import ACTIVATIONS, Traced, Truncation
from ..answers import GATED_PARAMS, QuantityName, are_singles
from .execution import run
from .mistake import Mistake, Values, Variant, problem_mistake, with_model, with_params

STEPS_AWAY = {1: "the next step's", -1: "the step's before"}
TRUNCATIONS: dict[type[Truncation], tuple[str, int]] = {  # in words, and the equation
    Window: ("each loss reaches back over {}", 52),
    Chunks: ("stopped every {}", 50),
    LastSteps: ("the last {} alone", 51),
}


def _is_recurrent(problem: Problem) -> bool:
    return isinstance(problem.model, Recurrent)


def _is_network(problem: Problem) -> bool:
    return not isinstance(problem.model, OrderedSystem)


def _reordered(name: str, array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """The rows of the gates in another order."""
    if QuantityName.of_array(name).symbol not in GATED_PARAMS:
        return array
    parts = np.split(array, len(order))
    return np.concatenate([parts[number] for number in order])


def _with_gates_reordered(problem: Problem, order: tuple[int, ...]) -> Problem:
    return with_params(problem, lambda name, array: _reordered(name, array, order))


def _with_rows_reordered(values: Values, problem: Problem, order: tuple[int, ...]) -> Values:
    return {name: _reordered(name, array, order) for name, array in values.items()}


def _gate_orders(problem: Problem, answered: Values) -> Iterator[Variant]:
    """Where somebody takes our rows for those of the gates in another order; or hands in the gradient in one."""
    model = problem.model
    if not isinstance(model, Recurrent) or not model.gates:
        return
    ours = tuple(range(len(model.gates)))
    for theirs in permutations(ours):
        if theirs == ours:
            continue
        places = tuple(theirs.index(number) for number in ours)  # of our gates among theirs
        shown = " ".join(model.gates[number] for number in theirs)
        equations = (54,) if model.cell == "lstm" else (65, 67) if model.reset == "after" else (65, 68)
        yield Variant(
            f"rows taken for those of {shown}",
            transform_problem=partial(_with_gates_reordered, order=places),
            answer=partial(_with_rows_reordered, order=theirs),
            equations=equations,
        )
        yield Variant(f"gradient handed in as {shown}", answer=partial(_with_rows_reordered, order=theirs))


def _shifted(problem: Problem, by: int, wraps: bool) -> Problem:
    """Each step with the target of another."""
    targets = problem.targets
    assert targets is not None
    moved = np.roll(targets, -by, axis=0)
    if not wraps:
        end = slice(-by, None) if by > 0 else slice(None, -by)
        moved[end] = targets[end]
    return problem.with_unchecked(targets=moved)


def _label_shifts(problem: Problem, answered: Values) -> Iterator[Variant]:
    if not _is_recurrent(problem) or problem.seq_len == 1:
        return
    ends = {True: "wrapping round", False: "the one at the end repeated"}
    for (by, step), (wraps, end), keeps_loss in product(STEPS_AWAY.items(), ends.items(), (False, True)):
        only = ", in the gradient only" if keeps_loss else ""
        shifted = partial(_shifted, by=by, wraps=wraps)
        yield Variant(f"{step}, {end}{only}", transform_problem=shifted, keeps_loss=keeps_loss, equations=(28,))


def _forget_bias(problem: Problem) -> Problem:
    def change(name: str, array: np.ndarray) -> np.ndarray:
        if QuantityName.of_array(name).symbol != "b":
            return array
        H = len(array) // 4
        return np.concatenate([array[:H], array[H : 2 * H] + 1, array[2 * H :]])

    return with_params(problem, change)


def _from_zero(problem: Problem, names: tuple[str, ...]) -> Problem:
    return problem.with_unchecked(**{name: 0 * problem.states[name] for name in names})


def _states_ignored(problem: Problem, answered: Values) -> Iterator[Variant]:
    names = tuple(problem.states)
    for ignored in dict.fromkeys([*((name,) for name in names), names]) if names else ():
        equations = tuple(number for name in ignored for number in _uses(problem, name))
        yield Variant(" and ".join(ignored), transform_problem=partial(_from_zero, names=ignored), equations=equations)


def _uses(problem: Problem, name: str) -> tuple[int, ...]:
    """Where an initial state enters the first step, of the cells that the derivation has."""
    by_cell = {"rnn": (1,), "lstm": (54,) if name == "h0" else (56,), "gru": (65,)}
    return by_cell.get(getattr(problem.model, "cell", ""), ())


def _carried_over(problem: Problem) -> Problem:
    """Every sample starts from the state in which the one before it ended."""
    states = problem.states
    for _ in range(problem.batch_size - 1):
        ends = run(problem).final
        moved = {
            name: np.concatenate([start[..., :1, :], end.reshape(start.shape)[..., :-1, :]], axis=-2)
            for (name, start), end in zip(states.items(), ends, strict=True)
        }
        problem = problem.with_unchecked(**moved)
    return problem


def _states_carried_over(problem: Problem, answered: Values) -> Iterator[Variant]:
    if _is_recurrent(problem) and problem.batch_size > 1:
        yield Variant("", transform_problem=_carried_over, equations=_uses(problem, "h0"))


def _other_reduction(problem: Problem) -> Problem:
    return with_model(problem, reduction="sum" if problem.model.reduction == "mean" else "mean")  # type: ignore[union-attr]


def _truncated(problem: Problem, truncation: Truncation | None) -> Problem:
    return with_model(problem, truncation=truncation, differentiation="reverse")


def _truncations(problem: Problem, answered: Values) -> Iterator[Variant]:
    model = problem.model
    if not isinstance(model, Recurrent) or model.num_layers > 1 or model.bidirectional:
        return
    for (kind, (words, equation)), n in product(TRUNCATIONS.items(), range(1, problem.seq_len)):
        if model.truncation != kind(n):
            steps = f"{n} steps" if n > 1 else "1 step"
            truncated = partial(_truncated, truncation=kind(n))
            yield Variant(words.format(steps), transform_problem=truncated, equations=(equation,))
            if kind is LastSteps and not model.truncation:
                cut = {"cell": f"dh = dh_above + dh_later * (left <= {n})"}
                yield Variant(f"what comes from later reaches the last {steps} alone", cut)
    if model.truncation:
        equation = TRUNCATIONS[type(model.truncation)][1]
        yield Variant("not truncated", transform_problem=partial(_truncated, truncation=None), equations=(equation,))


def _activated(problem: Problem, activation: str) -> Problem:
    by = {"differentiation": "reverse"} if _is_recurrent(problem) else {}  # the closed form knows one activation
    return with_model(problem, activation=activation, **by)


def _activations(problem: Problem, answered: Values) -> Iterator[Variant]:
    model = problem.model
    if isinstance(model, OrderedSystem | Traced) or (isinstance(model, Recurrent) and model.cell != "rnn"):
        return
    equation = 82 if isinstance(model, FeedForward) else 2
    for name in ACTIVATIONS:
        if name != model.activation:
            yield Variant(name, transform_problem=partial(_activated, activation=name), equations=(equation,))


def _are_singles(answered: Values, problem: Problem) -> bool:
    """Whether every gradient consists of numbers of float32, of which few of float64 are."""
    arrays = [array.ravel() for name, array in answered.items() if name != "loss"]
    return are_singles(np.concatenate(arrays or [np.zeros(0)]))


def _single_precision(problem: Problem, answered: Values) -> Iterator[Variant]:
    if problem.dtype == np.float32 or not _is_network(problem):
        return

    def in_singles(asked: Problem) -> Problem:
        arrays = {name: getattr(asked, name) for name in ("inputs", "targets", "h0", "c0")}
        changed = {name: a.astype("f4") for name, a in arrays.items() if a is not None and a.dtype.kind == "f"}
        return with_params(asked, lambda name, array: array.astype("f4")).with_unchecked(**changed)

    yield Variant("handed in", transform_problem=in_singles, recognizes=_are_singles)
    yield Variant("as large as the error is", transform_problem=in_singles, rounds_more=True)


def _with_loss_at(problem: Problem, loss_at: str) -> Problem:
    return with_model(problem, loss_at=loss_at)


def _last_step_only(problem: Problem, answered: Values) -> Iterator[Variant]:
    model = problem.model
    if not isinstance(model, Recurrent) or problem.seq_len == 1:
        return
    if model.loss_at == "every_step":
        at_last = partial(_with_loss_at, loss_at="last_step")
        yield Variant("only its loss is differentiated", transform_problem=at_last, keeps_loss=True, equations=(21, 28))
        yield Variant("there is no other loss", transform_problem=at_last, equations=(21,))
        yield Variant("the others' losses do not reach their states", {"cell": "dh = dh_above if last else dh_later"})
    else:
        every_step = partial(_with_loss_at, loss_at="every_step")
        yield Variant("forgotten: every step has a loss", transform_problem=every_step, equations=(21,))


CHANGED_PROBLEMS = (
    Mistake("gates in another order", "our rows are those of i f g o, and of r z n", _gate_orders),
    Mistake("last step only", "look which steps have a loss, and that each reaches its own state", _last_step_only),
    Mistake("labels shifted by a step", "y_t belongs to o_t, of the same step", _label_shifts),
    Mistake("initial state ignored", "the first step starts from the state that is given", _states_ignored),
    Mistake(
        "truncated otherwise than asked",
        "look where the backward pass starts and stops, and what is detached",
        _truncations,
    ),
    Mistake("another activation", "use the activation that the system has", _activations),
    Mistake(
        "float32 inside",
        "look for arrays made without a dtype, and for constants and casts in float32",
        _single_precision,
    ),
    problem_mistake(
        "1 added to the forget gate's bias",
        "some libraries add 1 to it when they draw the weights: here the bias is used as it is",
        _forget_bias,
        where=lambda problem: getattr(problem.model, "cell", "") == "lstm" and getattr(problem.model, "bias", False),
        equations=(54,),
    ),
    Mistake(
        "state carried over between samples",
        "every sequence starts from its own initial state, not from where the one before it ended",
        _states_carried_over,
    ),
    problem_mistake(
        "sum for mean, or mean for sum",
        "the weight w of every step's loss is 1 for a sum, and one over their number for a mean",
        _other_reduction,
        where=_is_network,
        equations=(22,),
    ),
    problem_mistake(
        "sum for mean, or mean for sum, in the gradient only",
        "the weight w belongs into do as it does into the loss",
        _other_reduction,
        where=_is_network,
        equations=(28,),
        keeps_loss=True,
    ),
    problem_mistake(
        "padded steps counted",
        "past a sequence's length there is no loss and no step",
        lambda problem: problem.with_unchecked(lengths=None),
        where=lambda problem: problem.lengths is not None,
        equations=(3, 21),
    ),
)
