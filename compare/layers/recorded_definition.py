"""A cell's definition in NumPy, run over a sequence and recorded: what it answers, and what rounding can do to that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ...backends import Evaluation, Problem, RequestError
from ...backends.errors import first_line
from ...backends.models import LayerDirection, Recurrent
from ...backends.models.traced import Operand, Traced
from ...backends.tracing.array import as_recorded
from ...backends.tracing.pruning import pruned
from ...backends.tracing.replay import Replay
from ...backends.tracing.trace import arguments_of, call, traced_call
from ...backends.tracing.verification import verify
from ..answers import Quantity
from ..definitions import Floats
from ..definitions.recorded import differentiate_recorded, outputs_of
from ..tolerance import Tolerance, measure_definition

Arrays = dict[str, np.ndarray]


class Definition(NamedTuple):
    """What a layer computes, in NumPy.

    Attributes:
        name: to be shown.
        function: `step(weights, x, *states) -> states`; or, of a whole layer,
            `layer(weights, x, *states) -> (h_1 … h_T, states after the last step)`.
        is_whole: whether it is a whole layer.
    """

    name: str
    function: Callable[..., Any]
    is_whole: bool = False


@dataclass(frozen=True, eq=False)
class Asked:
    """What a definition is run on: L = ½ Σ (V h_t + c + o_t − y_t)², where o_t is zero, and its gradient dL/do_t.

    Attributes:
        params: the weights of all layers and directions by name.
        arrays: `inputs` (T, B, D), `V` (K, ·), the initial states, and perhaps `c` (K,).
        targets: y_t, (T, B, K).
        state_names: in the order in which the definition takes them, such as `h0`, `c0`.
        lengths: (B,); None where all sequences have T steps.
        num_layers: how many layers are stacked.
        bidirectional: whether each has a second direction.
    """

    params: Mapping[str, np.ndarray]
    arrays: Mapping[str, np.ndarray]
    targets: np.ndarray
    state_names: Sequence[str]
    lengths: np.ndarray | None = None
    num_layers: int = 1
    bidirectional: bool = False

    @property
    def layers(self) -> tuple[tuple[LayerDirection, ...], ...]:
        """The directions of every layer, from the lowest."""
        return Recurrent("rnn", 1, 1, 1, num_layers=self.num_layers, bidirectional=self.bidirectional).layers

    @property
    def is_single(self) -> bool:
        """Whether it is one layer in one direction."""
        return self.num_layers == 1 and not self.bidirectional

    def names_in(self, place: LayerDirection) -> dict[str, str]:
        """The weights of a layer and direction: by its name in a single layer, that in the stack."""
        if self.is_single:
            return {name: name for name in self.params}
        start, end = place.name("*").split("*")
        return {
            name.removeprefix(start).removesuffix(end): name
            for name in self.params
            if name.startswith(start) and name.endswith(".reverse") == place.is_reverse
        }


class Values(NamedTuple):
    """What a definition gives.

    Attributes:
        evaluation: the loss; the gradients by name, among them that with respect to `o`; and V h_t + c, (T, B, K).
        final_states: the states after the last step by the names of the initial ones, of their shapes.
    """

    evaluation: Evaluation
    final_states: Arrays


class RecordedDefinition:
    """A definition that was run on a sequence and recorded.

    Attributes:
        problem: its loss, differentiated by all arrays that it was run on, by their names.

    Example:
        >>> from .cell_definitions import rnn
        >>> w = {"U": np.ones((2, 3)), "W": np.eye(2)}
        >>> arrays = {"inputs": np.ones((4, 1, 3)), "V": np.ones((1, 2)), "h0": np.zeros((1, 2))}
        >>> recorded = RecordedDefinition(Definition("rnn", rnn), Asked(w, arrays, np.ones((4, 1, 1)), ["h0"]))
        >>> recorded.values().evaluation.gradients["W"].shape, recorded.values().final_states["h0"].shape
        ((2, 2), (1, 2))
    """

    def __init__(self, definition: Definition, asked: Asked) -> None:
        """Runs and records it.

        Args:
            definition: in NumPy.
            asked: what it is run on.

        Raises:
            RequestError: it fails, or returns states of other shapes, or does what cannot be recorded.
        """
        offset = np.zeros_like(asked.targets)
        arrays = dict(asked.arrays) | {"o": offset}
        # The function is an argument, so that what it reaches is recorded as it is of any function of one's own.
        arguments = {"weights": dict(asked.params), "arrays": arrays, "function": definition.function}

        def program(weights: Any, arrays: Any, function: Any) -> tuple[Any, Any, list[Any]]:
            return _computed(definition._replace(function=function), asked, weights, arrays)

        try:
            call(program, arguments)
        except RequestError:
            raise
        except Exception as error:
            raise RequestError(
                f"{definition.name} raised {first_line(error)}; {_called_with(definition, asked)}"
            ) from error
        traced = traced_call(program, arguments)
        loss, outputs, final_states = traced.returned
        paths = {name: f"weights[{name!r}]" for name in asked.params}
        paths |= {name: f"arrays[{name!r}]" for name in arrays}
        self._model = traced.model(loss, paths)
        verified = verify(traced, self._model, list(paths.values()), program, arguments, lambda returned: returned[0])
        model = pruned(self._model, verified.fragile, verified.irrelevant)
        self.problem = Problem(replace(model, function=definition.name), {**asked.params, **arrays})
        self._state_names = list(asked.state_names)
        self._operands: list[Operand] = []
        for array in map(as_recorded, (outputs, *final_states)):
            self._operands.append(traced.recording.operand(array.numbers, array.origin))

    def values(self) -> Values:
        """What it gives, differentiated by the rules of the tape."""
        replay, forward = Replay(self._traced), Replay(self._model)
        with np.errstate(all="ignore"):
            replay.forward(arguments_of(self.problem))
            forward.forward(self._model.fixed)
            arrays = [np.array(forward.take(operand)) for operand in self._operands]
            return self._in_parts(float(replay.loss), replay.gradients(), arrays)

    def tolerance(self, quantities: Callable[[Values], dict[str, Quantity]]) -> Tolerance:
        """How far rounding alone moves what it gives.

        Args:
            quantities: what is compared of it.

        Returns:
            The tolerance of every block.
        """

        def computed(floats: Floats) -> list[dict[str, Quantity]]:
            answer = differentiate_recorded(self.problem, floats)
            arrays = outputs_of(self._model, self._operands, floats)
            return [
                quantities(
                    self._in_parts(
                        np.asarray(answer.loss)[place][()],
                        {name: array[place] for name, array in answer.gradients.items()},
                        [array[place] for array in arrays],
                    )
                )
                for place in np.ndindex(floats.leading)
            ]

        return measure_definition(self.problem.dtype, computed)

    @property
    def _traced(self) -> Traced:
        assert isinstance(self.problem.model, Traced)
        return self.problem.model

    def _in_parts(self, loss: Any, gradients: Arrays, arrays: Sequence[np.ndarray]) -> Values:
        outputs, *final_states = arrays
        return Values(Evaluation(loss, gradients, outputs), dict(zip(self._state_names, final_states, strict=True)))


def _computed(definition: Definition, asked: Asked, weights: Any, arrays: Any) -> tuple[Any, Any, list[Any]]:
    """The loss, V h_t + c (T, B, K), and the states after the last step."""
    T, B = asked.targets.shape[:2]
    in_length = np.arange(T)[:, None] < (np.full(B, T) if asked.lengths is None else asked.lengths)
    initial = [arrays[name] for name in asked.state_names]
    h, after = arrays["inputs"], []
    for layer in asked.layers:
        directions = []
        for place in layer:
            of_place = {name: weights[whole] for name, whole in asked.names_in(place).items()}
            states = tuple(state if asked.is_single else state[place.number] for state in initial)
            h_of_direction, after_direction = _one_direction(definition, asked, of_place, h, states, place, in_length)
            directions.append(h_of_direction)
            after.append(after_direction)
        h = np.concatenate(directions, axis=2) if len(directions) > 1 else directions[0]
    outputs = h @ arrays["V"].T + arrays.get("c", 0) + arrays["o"]
    if not in_length.all():
        outputs = np.where(in_length[..., None], outputs, 0)
    error = outputs - np.where(in_length[..., None], asked.targets, 0)
    final_states = [parts[0] if asked.is_single else np.stack(parts) for parts in zip(*after, strict=True)]
    return 0.5 * (error * error).sum(), outputs, final_states


def _one_direction(
    definition: Definition,
    asked: Asked,
    weights: Mapping[str, Any],
    x: Any,
    states: tuple[Any, ...],
    place: LayerDirection,
    in_length: np.ndarray,
) -> tuple[Any, tuple[Any, ...]]:
    """h_1 … h_T (T, B, ·) in the order of time, and the states after the last step of each sequence."""
    T = len(x)
    if definition.is_whole:
        h, after = _pair(definition, definition.function(weights, x[::-1] if place.is_reverse else x, *states))
        _require_shapes(definition, asked, (h[0], *after), (states[0], *states))
        return (h[::-1] if place.is_reverse else h), after
    steps: list[Any] = [None] * T
    for t in reversed(range(T)) if place.is_reverse else range(T):
        new = _as_tuple(definition.function(weights, x[t], *states))
        _require_shapes(definition, asked, new, states)
        steps[t] = new[0]
        if not in_length[t].all():  # past a length the state stays as it is
            new = tuple(np.where(in_length[t][:, None], *pair) for pair in zip(new, states, strict=True))
        states = new
    return np.stack(steps), states


def _pair(definition: Definition, returned: Any) -> tuple[Any, tuple[Any, ...]]:
    if not (isinstance(returned, tuple) and len(returned) == 2):
        raise RequestError(
            f"{definition.name} returned a {type(returned).__name__}, expected (h_1 … h_T, states after the last step)"
        )
    return returned[0], _as_tuple(returned[1])


def _as_tuple(states: Any) -> tuple[Any, ...]:
    return tuple(states) if isinstance(states, (tuple, list)) else (states,)


def _require_shapes(definition: Definition, asked: Asked, new: Sequence[Any], states: Sequence[Any]) -> None:
    actual, expected = [np.shape(state) for state in new], [np.shape(state) for state in states]
    if actual != expected:
        letters = [name.removesuffix("0") for name in asked.state_names]
        wanted = ", ".join(f"{name} {shape}" for name, shape in zip(letters, expected[-len(letters) :], strict=True))
        shown = ", ".join(map(str, actual)) or "nothing"
        raise RequestError(
            f"{definition.name} returned states of {shown}, expected {wanted}: {_called_with(definition, asked)}"
        )


def _called_with(definition: Definition, asked: Asked) -> str:
    """How a definition is called, with the shapes of the weights."""
    names = asked.names_in(asked.layers[0][0])
    weights = ", ".join(f"{name} {asked.params[whole].shape}" for name, whole in names.items())
    states = ", ".join(name.removesuffix("0") for name in asked.state_names)
    return f"it is called with (weights, x, {states}), the weights being {weights or 'none'}"
