"""Mistakes that answer another question: other gates, labels, lengths, losses, states or truncations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from ...backends import Chunks, FeedForward, LastSteps, OrderedSystem, Problem, Recurrent, Window
from .execution import run
from .mistake import Form, Mistake, Values, asks, with_model, with_params

GATED = ("U", "W", "b")


def _is_recurrent(problem: Problem) -> bool:
    return isinstance(problem.model, Recurrent)


def _is_network(problem: Problem) -> bool:
    return not isinstance(problem.model, OrderedSystem)


def _own_name(name: str) -> str:
    """`U` of `layer0.U.reverse`."""
    return name.removesuffix(".reverse").rpartition(".")[2]


def _reordered(name: str, array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """The rows of the gates in another order."""
    if _own_name(name) not in GATED:
        return array
    parts = np.split(array, len(order))
    return np.concatenate([parts[number] for number in order])


def _gate_orders(problem: Problem, answered: Values) -> Iterator[Form]:
    gates = getattr(problem.model, "gates", "")
    for order in permutations(range(len(gates))):
        if order == tuple(sorted(order)):
            continue
        back = tuple(int(number) for number in np.argsort(order))

        def question(asked: Problem, order: tuple[int, ...] = order) -> Problem:
            return with_params(asked, lambda name, array: _reordered(name, array, order))

        def restored(values: Values, asked: Problem, back: tuple[int, ...] = back) -> Values:
            return {name: _reordered(name, array, back) for name, array in values.items()}

        words = f"rows read as {' '.join(gates[number] for number in back)}, which are {' '.join(gates)}"
        equations = (54,) if problem.model.cell == "lstm" else (65,)  # type: ignore[union-attr]
        yield Form(words, question=question, answer=restored, equations=equations)
        yield Form(f"gradient returned in the order {' '.join(gates[n] for n in back)}", answer=restored)


def _shifted(problem: Problem, by: int, *, wraps: bool) -> Problem:
    targets = problem.targets
    assert targets is not None
    moved = np.roll(targets, -by, axis=0)
    if not wraps:
        end = slice(-by, None) if by > 0 else slice(None, -by)
        moved[end] = targets[end]
    return problem.with_unchecked(targets=moved)


def _label_shifts(problem: Problem, answered: Values) -> Iterator[Form]:
    if not _is_recurrent(problem) or problem.seq_len == 1:
        return
    for by, words in ((1, "the next step's"), (-1, "the step's before")):
        for wraps in (True, False):
            for keeps_loss in (False, True):

                def question(asked: Problem, by: int = by, wraps: bool = wraps) -> Problem:
                    return _shifted(asked, by, wraps=wraps)

                end = "wrapping round" if wraps else "the one at the end repeated"
                only = ", in the gradient only" if keeps_loss else ""
                yield Form(f"{words}, {end}{only}", question=question, keeps_loss=keeps_loss, equations=(28,))


def _forget_bias(problem: Problem) -> Problem:
    def change(name: str, array: np.ndarray) -> np.ndarray:
        if _own_name(name) != "b":
            return array
        H = len(array) // 4
        return np.concatenate([array[:H], array[H : 2 * H] + 1, array[2 * H :]])

    return with_params(problem, change)


def _zeroed(*names: str) -> Form:
    def question(problem: Problem) -> Problem:
        return problem.with_unchecked(**{name: 0 * problem.states[name] for name in names if name in problem.states})

    return Form(" and ".join(names), question=question, equations=(39,))


def _states_ignored(problem: Problem, answered: Values) -> Iterator[Form]:
    if problem.states:
        yield from map(_zeroed, problem.states)
        if len(problem.states) > 1:
            yield _zeroed(*problem.states)


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


def _other_reduction(problem: Problem) -> Problem:
    return with_model(problem, reduction="sum" if problem.model.reduction == "mean" else "mean")  # type: ignore[union-attr]


def _truncations(problem: Problem, answered: Values) -> Iterator[Form]:
    model = problem.model
    if not isinstance(model, Recurrent) or model.num_layers > 1 or model.bidirectional:
        return
    kinds = {
        Window: ("each loss reaches back over {}", (52,)),
        Chunks: ("stopped every {}", (50,)),
        LastSteps: ("the last {} alone", (51,)),
    }
    for kind, (words, equations) in kinds.items():
        for n in range(1, problem.seq_len):
            if model.truncation != kind(n):

                def question(asked: Problem, truncation: Window | Chunks | LastSteps = kind(n)) -> Problem:
                    return with_model(asked, truncation=truncation, differentiation="reverse")

                steps = f"{n} steps" if n > 1 else "1 step"
                yield Form(words.format(steps), question=question, equations=equations)
    if model.truncation:
        yield Form("not truncated", question=lambda asked: with_model(asked, truncation=None), equations=(50, 51, 52))


def _activations(problem: Problem, answered: Values) -> Iterator[Form]:
    model = problem.model
    if isinstance(model, FeedForward) or (isinstance(model, Recurrent) and model.cell == "rnn"):
        for name in ("tanh", "sigmoid", "relu", "identity"):
            if name != model.activation:

                def question(asked: Problem, name: str = name) -> Problem:
                    changes = {"differentiation": "reverse"} if _is_recurrent(asked) else {}
                    return with_model(asked, activation=name, **changes)

                yield Form(name, question=question, equations=(2, 82))


def _single_precision(problem: Problem, answered: Values) -> Iterator[Form]:
    if problem.dtype == np.float32 or not _is_network(problem):
        return

    def question(asked: Problem) -> Problem:
        arrays = {name: getattr(asked, name) for name in ("inputs", "targets", "h0", "c0")}
        changed = {name: a.astype("f4") for name, a in arrays.items() if a is not None and a.dtype.kind == "f"}
        return with_params(asked, lambda name, array: array.astype("f4")).with_unchecked(**changed)

    yield Form("", question=question)


QUESTIONS = (
    Mistake("gates in another order", "our rows are those of i f g o, and of r z n", _gate_orders),
    Mistake("labels shifted by a step", "y_t belongs to o_t, of the same step", _label_shifts),
    Mistake("initial state ignored", "the first step starts from the state that is given", _states_ignored),
    Mistake(
        "truncated otherwise than asked",
        "look where the walk back starts and stops, and what is detached",
        _truncations,
    ),
    Mistake("another activation", "use the activation that the system has", _activations),
    Mistake(
        "float32 inside",
        "look for arrays made without a dtype, and for constants and casts in float32",
        _single_precision,
    ),
    asks(
        "1 added to the forget gate's bias",
        "some libraries add 1 to it when they draw the weights: here the bias is used as it is",
        _forget_bias,
        where=lambda problem: getattr(problem.model, "cell", "") == "lstm" and getattr(problem.model, "bias", False),
        equations=(54,),
    ),
    asks(
        "state carried over between samples",
        "every sequence starts from its own initial state, not from where the one before it ended",
        _carried_over,
        where=lambda problem: _is_recurrent(problem) and problem.batch_size > 1,
        equations=(39,),
    ),
    asks(
        "sum for mean, or mean for sum",
        "the weight w of every step's loss is 1 for a sum, and one over their number for a mean",
        _other_reduction,
        where=_is_network,
        equations=(22,),
    ),
    asks(
        "sum for mean, or mean for sum, in the gradient only",
        "the weight w belongs into do as it does into the loss",
        _other_reduction,
        where=_is_network,
        equations=(28,),
        keeps_loss=True,
    ),
    asks(
        "padded steps counted",
        "past a sequence's length there is no loss and no step",
        lambda problem: problem.with_unchecked(lengths=None),
        where=lambda problem: problem.lengths is not None,
        equations=(3, 21),
    ),
    asks(
        "last step only: the loss of the last step alone is differentiated",
        "every step has a loss, and all of them are differentiated",
        lambda problem: with_model(problem, loss_at="last_step"),
        where=lambda problem: _is_recurrent(problem) and problem.model.loss_at == "every_step" and problem.seq_len > 1,  # type: ignore[union-attr]
        equations=(28,),
        keeps_loss=True,
    ),
    asks(
        "a loss at every step, where only the last has one",
        "the loss is that of each sequence's last step",
        lambda problem: with_model(problem, loss_at="every_step"),
        where=lambda problem: _is_recurrent(problem) and problem.model.loss_at == "last_step",  # type: ignore[union-attr]
        equations=(21,),
    ),
)
