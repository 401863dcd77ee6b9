"""What a layer computes instead of what its weights say: by which convention its outputs come out of them.

A layer of one's own can hold the right weights and use them otherwise: with its reset before the product, with z and
1 − z exchanged, without its initial state. Each of these is computed by the derivation in NumPy, alone and in pairs,
and said only if it gives the layer's outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations, permutations
from typing import Any, NamedTuple

import numpy as np

from ...backends import Problem, Recurrent, get_backend
from ...backends.models import ACTIVATIONS

CLOSE = 1e-4  # of the largest output: outputs that are taken to be the same
SATURATED = 1e4  # before a σ: 1 to rounding
MOST_PAIRS = 2000
Params = dict[str, np.ndarray]


class Behaviour(NamedTuple):
    """Something that a layer may compute.

    Attributes:
        words: what it is, such as `with the reset before the product`.
        kind: of which one at most applies.
        problem: the problem whose outputs these are, of the one that is asked.
        outputs: what the layer makes of them.
    """

    words: str
    kind: str
    problem: Callable[[Problem], Problem]
    outputs: Callable[[np.ndarray], np.ndarray] = np.asarray


def behaviour_of(problem: Problem, outputs: np.ndarray) -> str:
    """What gives these outputs with the weights of a problem.

    Args:
        problem: what was asked, with the layer's weights and the squared error.
        outputs: of the layer, (T, B, K).

    Returns:
        Words, such as `with the reset before the product`; empty if the outputs are those of the problem, or nothing
        that is known gives them.

    Example:
        >>> model = Recurrent("lstm", 3, 4, 2, loss="squared_error")
        >>> problem = Problem.from_seed(model, seed=0, seq_len=5, batch_size=2)
        >>> without_state = replace(problem, h0=np.zeros((2, 4)), c0=np.zeros((2, 4)))
        >>> behaviour_of(problem, get_backend("manual").evaluate(without_state).outputs)
        'with initial states of zero'
    """
    if _gives(problem, outputs):
        return ""
    behaviours = list(_behaviours(problem))
    for behaviour in behaviours:
        if _gives(behaviour.problem(problem), outputs, behaviour.outputs):
            return behaviour.words
    by_kind = sorted(behaviours, key=lambda behaviour: behaviour.kind == "steps")  # which turn the outputs, last
    pairs = [pair for pair in combinations(by_kind, 2) if pair[0].kind != pair[1].kind]
    for one, other in pairs[:MOST_PAIRS]:
        if _gives(other.problem(one.problem(problem)), outputs, other.outputs):
            return f"{one.words}, and {other.words}"
    return ""


def _gives(problem: Problem, outputs: np.ndarray, turned: Callable[[np.ndarray], np.ndarray] = np.asarray) -> bool:
    answer = get_backend("manual").evaluate(problem).outputs
    assert answer is not None
    found = turned(answer)
    if found.shape != outputs.shape:
        return False
    size = float(np.abs(outputs).max())
    return float(np.abs(found - outputs).max()) <= CLOSE * max(size, 1e-30)


def _behaviours(problem: Problem) -> Iterator[Behaviour]:
    model = problem.model
    assert isinstance(model, Recurrent)
    if model.cell == "rnn":
        for activation in ACTIVATIONS:
            if activation != model.activation:
                yield Behaviour(f"with {activation}", "activation", _with_model(activation=activation))
    if model.cell == "gru" and model.bias:
        yield from _of_a_gru(model)
    if model.cell == "lstm":
        yield from _of_an_lstm(model)
    yield from _of_any_cell(problem)


def _of_a_gru(model: Recurrent) -> Iterator[Behaviour]:
    yield Behaviour("with z and 1 − z exchanged", "gates", _in_gate("z", lambda rows: -rows))
    if model.reset == "after":
        yield Behaviour("with the reset before the product", "reset", _reset_before)
        yield Behaviour("without b_hn", "b_hn", _in_arrays("b_hn", np.zeros_like))
        yield Behaviour("with b_hn outside of the reset", "b_hn", _b_hn_outside)
    else:
        yield Behaviour("with the reset after the product", "reset", _with_model(reset="after"))
    yield Behaviour("without a reset, r = 1", "gates", _saturated("r"))


def _of_an_lstm(model: Recurrent) -> Iterator[Behaviour]:
    for number in (1.0, -1.0):
        words = "added to" if number > 0 else "taken from"
        yield Behaviour(f"with 1 {words} b_f", "forget bias", _in_bias("f", number))
    yield Behaviour("with f = 1 − i", "gates", _in_gate("f", lambda rows: -rows, of="i"))
    for gate in "ifo":
        yield Behaviour(f"without {gate}, which is 1", "gates", _saturated(gate))


def _of_any_cell(problem: Problem) -> Iterator[Behaviour]:
    model = problem.model
    assert isinstance(model, Recurrent)
    names = model.state_names
    if any(np.any(state) for state in problem.states.values()):
        yield Behaviour("with initial states of zero", "states", _with_states(np.zeros_like))
        if len(names) > 1:
            yield Behaviour("with h and c exchanged in the initial states", "states", _states_exchanged)
    else:
        yield Behaviour("with initial states of one", "states", _with_states(np.ones_like))
    yield Behaviour("without its biases", "biases", _in_arrays("b", np.zeros_like, "b_hn"))
    words = "with the axis of the steps taken for that of the sequences"
    words += ", from states of zero" if any(np.any(state) for state in problem.states.values()) else ""
    yield Behaviour(words, "steps", _axes_exchanged, lambda outputs: outputs.swapaxes(0, 1))
    words = "from the last step to the first"
    yield Behaviour(f"{words}, its outputs in this order", "steps", _reversed)
    yield Behaviour(words, "steps", _reversed, lambda outputs: outputs[::-1])
    gates = max(1, len(model.gates))
    of_gate = " gate by gate" if gates > 1 else ""
    yield Behaviour(f"with W transposed{of_gate}", "transposed", _in_arrays("W", _transposing(gates)))
    if model.bidirectional:
        yield Behaviour("with the two directions exchanged", "directions", _directions_exchanged)
    for order in permutations(range(len(model.gates))):
        if order != tuple(range(len(model.gates))):
            held = " ".join(model.gates[k] for k in order)
            words = f"with the rows of its gates read in the order {held}, and not {' '.join(model.gates)}"
            yield Behaviour(words, "order", _reordered(order))


def _with_model(**options: Any) -> Callable[[Problem], Problem]:
    """Another option of the model; what its parameters lack is zero."""

    def problem_of(problem: Problem) -> Problem:
        model = replace(problem.model, **options)
        held = {name: problem.params.get(name) for name in model.parameter_shapes}
        zeros = {name: np.zeros(shape, problem.dtype) for name, shape in model.parameter_shapes.items()}
        return replace(problem, model=model, params={name: zeros[name] if a is None else a for name, a in held.items()})

    return problem_of


def _reset_before(problem: Problem) -> Problem:
    """n = tanh(U x + W (r ⊙ h) + b + b_hn): the biases stand beside each other."""
    return _with_model(reset="before")(_b_hn_outside(problem))


def _b_hn_outside(problem: Problem) -> Problem:
    params = dict(problem.params)
    for name in [name for name in params if _kind(name) == "b_hn"]:
        bias = name.replace("b_hn", "b")
        raised = params[bias].copy()
        raised[-len(params[name]) :] += params[name]
        params |= {bias: raised, name: np.zeros_like(params[name])}
    return replace(problem, params=params)


def _in_arrays(kind: str, change: Callable[[np.ndarray], np.ndarray], *more: str) -> Callable[[Problem], Problem]:
    """The arrays of a kind changed, of every layer and direction."""

    def problem_of(problem: Problem) -> Problem:
        kinds = (kind, *more)
        changed = {name: change(array) if _kind(name) in kinds else array for name, array in problem.params.items()}
        return replace(problem, params=changed)

    return problem_of


def _in_gate(gate: str, change: Callable[[np.ndarray], np.ndarray], *, of: str = "") -> Callable[[Problem], Problem]:
    """The rows of a gate in U, W and b changed, perhaps after they are made those of another gate."""

    def problem_of(problem: Problem) -> Problem:
        gates = problem.model.gates  # type: ignore[union-attr]

        def changed(array: np.ndarray) -> np.ndarray:
            parts = np.split(array, len(gates))
            parts[gates.index(gate)] = change(parts[gates.index(of or gate)])
            return np.concatenate(parts)

        return _in_arrays("U", changed, "W", "b")(problem)

    return problem_of


def _in_bias(gate: str, number: float) -> Callable[[Problem], Problem]:
    def problem_of(problem: Problem) -> Problem:
        gates = problem.model.gates  # type: ignore[union-attr]

        def raised(bias: np.ndarray) -> np.ndarray:
            parts = [part.copy() for part in np.split(bias, len(gates))]
            parts[gates.index(gate)] += np.dtype(problem.dtype).type(number)
            return np.concatenate(parts)

        return _in_arrays("b", raised)(problem)

    return problem_of


def _saturated(gate: str) -> Callable[[Problem], Problem]:
    """A gate that is 1 to rounding, whatever it is given."""

    def problem_of(problem: Problem) -> Problem:
        zeros = _in_gate(gate, np.zeros_like)(problem)
        return _in_bias(gate, SATURATED)(zeros)

    return problem_of


def _with_states(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Problem], Problem]:
    def problem_of(problem: Problem) -> Problem:
        return replace(problem, **_states({name: change(state) for name, state in problem.states.items()}))

    return problem_of


def _states_exchanged(problem: Problem) -> Problem:
    h, c = problem.states
    return replace(problem, **_states({h: problem.states[c], c: problem.states[h]}))


def _states(states: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return dict(states)


def _reversed(problem: Problem) -> Problem:
    return replace(problem, inputs=problem.inputs[::-1])


def _axes_exchanged(problem: Problem) -> Problem:
    """The sequences for the steps, and the steps for the sequences, from states of zero."""
    T = problem.leading[0]
    states = {
        name: np.zeros((*state.shape[:-2], T, state.shape[-1]), state.dtype) for name, state in problem.states.items()
    }
    assert problem.targets is not None
    turned: dict[str, Any] = {"inputs": problem.inputs.swapaxes(0, 1), "targets": problem.targets.swapaxes(0, 1)}
    return replace(problem, **turned, **_states(states))


def _directions_exchanged(problem: Problem) -> Problem:
    names = {
        name: name.removesuffix(".reverse") if ".reverse" in name else f"{name}.reverse" for name in problem.params
    }
    return replace(problem, params={name: problem.params.get(names[name], problem.params[name]) for name in names})


def _reordered(order: tuple[int, ...]) -> Callable[[Problem], Problem]:
    def reordered(array: np.ndarray) -> np.ndarray:
        parts = np.split(array, len(order))
        return np.concatenate([parts[k] for k in order])

    return _in_arrays("U", reordered, "W", "b")


def _transposing(gates: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda array: np.concatenate([part.T for part in np.split(array, gates)])


def _kind(name: str) -> str:
    """`W` of `layer1.W.reverse`."""
    return name.removesuffix(".reverse").rsplit(".", 1)[-1]
