"""Keras's recurrent objects, taken apart: layers, `RNN` over cells, `Bidirectional`, cells alone, models of these only.

Each is a network of its cells that is computed by the object's own forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from ..errors import InvalidProblemError

CELL_CLASSES = ("SimpleRNNCell", "LSTMCell", "GRUCell")


@dataclass(frozen=True)
class KerasObject:
    """An object with its cells.

    Attributes:
        shown: what messages call it, `keras layer lstm`.
        owner: what is called, a layer, a `Bidirectional` or a cell; of a model, the parts are called.
        cells: one for each layer and direction, in the order of `Recurrent.places`.
        num_layers: how many layers are stacked.
        parts: of a model, its layers in their order.
        kind: `layer`, `directions`, `cell` or `model`.
        backward: whether it reads the sequence from its end.
    """

    shown: str
    owner: Any
    cells: tuple[Any, ...]
    num_layers: int
    kind: str
    parts: tuple[KerasObject, ...] = ()
    backward: bool = False

    @property
    def holders(self) -> Iterator[Any]:
        """The layers and cells that may have options."""
        yield from (self.owner, *self.cells)
        if self.kind == "directions":
            yield from (self.owner.forward_layer, self.owner.backward_layer)
        for part in self.parts:
            yield from part.holders

    @property
    def takes_lengths(self) -> bool:
        """Whether it has a mask."""
        return self.kind != "cell"

    @property
    def bidirectional(self) -> bool:
        """Whether it has both directions."""
        return self.kind == "directions" or any(part.bidirectional for part in self.parts)

    @property
    def last_alone(self) -> bool:
        """Whether it gives its last output alone."""
        if self.kind == "model":
            return self.parts[-1].last_alone
        return self.kind != "cell" and not self.owner.return_sequences

    @property
    def gives_states(self) -> bool:
        """Whether it returns its states."""
        if self.kind == "model":
            return all(part.gives_states for part in self.parts)
        return self.kind == "cell" or bool(self.owner.return_state)


def take_apart(keras: Any, thing: Any) -> KerasObject:
    """The object with its cells.

    Args:
        keras: the module, loaded.
        thing: a layer, a cell or a model of Keras.

    Returns:
        The object.

    Raises:
        InvalidProblemError: it is not built, keeps its state, has other cells, layers or merge modes; the message says
            what to give instead.
    """
    if isinstance(thing, keras.Model):
        return _model(keras, thing)
    if isinstance(thing, (keras.layers.StackedRNNCells, *_cell_classes(keras))):
        return _cell(keras, thing)
    if isinstance(thing, keras.layers.Bidirectional):
        return _both_directions(keras, thing)
    return _layer(keras, thing)


def _model(keras: Any, model: Any) -> KerasObject:
    shown = f"keras model {model.name}"
    if not type(model).__module__.startswith("keras."):
        raise InvalidProblemError(f"{shown} is a {type(model).__name__}, with its own call: pass one of its layers")
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    recurrent = (keras.layers.RNN, keras.layers.Bidirectional)
    others = [layer for layer in layers if not isinstance(layer, recurrent)]
    if others or not layers:
        beside = f"a {type(others[0]).__name__}" if others else "no layer"
        raise InvalidProblemError(
            f"{shown} has {beside}, expected recurrent layers alone: pass one of its layers, such as model.layers[0]"
        )
    # A functional model may call a layer twice, or beside another. In a chain, each reads what the one before gave.
    chain = [layers[0].input, *(layer.output for layer in layers)] if _called_once(layers) else []
    follows = chain and all(_is_input(layer, before) for layer, before in zip(layers, chain, strict=False))
    if not follows or len(model.outputs) != 1 or model.outputs[0] is not chain[-1]:
        raise InvalidProblemError(f"{shown} is not one recurrent layer after the other: pass one of its layers")
    parts = tuple(take_apart(keras, layer) for layer in layers)
    if len(parts) == 1:
        return parts[0]
    for part in parts:
        if part.backward or part.kind == "model":
            raise InvalidProblemError(f"{shown} has {part.shown}, which goes backwards: pass its layers one by one")
        if part.bidirectional != parts[0].bidirectional:
            raise InvalidProblemError(f"{shown} has layers in one direction and in both: pass its layers one by one")
    cells, num_layers = reduce(add, (part.cells for part in parts)), sum(part.num_layers for part in parts)
    return KerasObject(shown, model, cells, num_layers, "model", parts)


def _called_once(layers: Sequence[Any]) -> bool:
    """Whether each layer of a model is called once: Keras raises an error where its input is not the only one."""
    try:
        return all(layer.input is not None and layer.output is not None for layer in layers)
    except (AttributeError, ValueError):
        return False


def _is_input(layer: Any, tensor: Any) -> bool:
    return layer.input is tensor


def _cell(keras: Any, cell: Any) -> KerasObject:
    shown = f"keras cell {cell.name}"
    if not cell.built:
        raise InvalidProblemError(f"{shown} is not built, and has no weights: call its build((None, D))")
    cells = _cells_of(keras, shown, cell)
    return KerasObject(shown, cell, cells, len(cells), "cell")


def _layer(keras: Any, layer: Any) -> KerasObject:
    shown = f"keras layer {layer.name}"
    if not layer.built:
        raise InvalidProblemError(f"{shown} is not built, and has no weights: call its build((None, None, D))")
    if layer.stateful:
        raise InvalidProblemError(f"{shown} has stateful=True, expected stateful=False")
    cells = _cells_of(keras, shown, layer.cell)
    return KerasObject(shown, layer, cells, len(cells), "layer", backward=bool(layer.go_backwards))


def _both_directions(keras: Any, layer: Any) -> KerasObject:
    shown = f"keras layer {layer.name}"
    if not layer.built:
        raise InvalidProblemError(f"{shown} is not built, and has no weights: call its build((None, None, D))")
    if layer.merge_mode != "concat":
        raise InvalidProblemError(
            f"{shown} has merge_mode={layer.merge_mode!r}, expected 'concat': pass its forward_layer and its "
            "backward_layer one by one"
        )
    if not layer.return_sequences:
        raise InvalidProblemError(
            f"{shown} gives the last state of each direction, expected return_sequences=True: pass its forward_layer "
            "and backward_layer one by one"
        )
    sides = [_layer(keras, side) for side in (layer.forward_layer, layer.backward_layer)]
    if sides[0].backward:
        raise InvalidProblemError(f"{shown} has a forward_layer that goes backwards: pass its layers one by one")
    if any(side.num_layers > 1 for side in sides):
        raise InvalidProblemError(
            f"{shown} has stacked cells, whose directions meet after the last layer alone, expected single cells: pass "
            "its forward_layer and backward_layer one by one"
        )
    names = [side.owner.cell.units for side in sides], [type(side.owner.cell).__name__ for side in sides]
    if any(len(set(values)) > 1 for values in names):
        raise InvalidProblemError(f"{shown} has two directions that differ in kind or size: pass them one by one")
    return KerasObject(shown, layer, tuple(side.cells[0] for side in sides), 1, "directions")


def _cells_of(keras: Any, shown: str, cell: Any) -> tuple[Any, ...]:
    is_stack = isinstance(cell, keras.layers.StackedRNNCells)
    cells = tuple(cell.cells) if is_stack else (cell,)
    if is_stack and len(cells) == 1:
        raise InvalidProblemError(f"{shown} has a stack of one cell, whose states Keras confuses: pass that cell alone")
    for one in cells:
        if not isinstance(one, _cell_classes(keras)):
            raise InvalidProblemError(
                f"{shown} has a {type(one).__name__}, expected a SimpleRNNCell, LSTMCell or GRUCell"
            )
        for option in ("dropout", "recurrent_dropout"):
            if getattr(one, option):
                raise InvalidProblemError(
                    f"{shown} has {option}={getattr(one, option)}, which changes it in training: expected {option}=0"
                )
    if len({id(one) for one in cells}) < len(cells):
        raise InvalidProblemError(f"{shown} has one cell twice, expected cells with weights of their own")
    return cells


def _cell_classes(keras: Any) -> tuple[type, ...]:
    return tuple(getattr(keras.layers, name) for name in CELL_CLASSES)


def run_object(
    keras: Any, parts: KerasObject, weights: Sequence[Mapping[str, Any]], x: Any, states: Any, lengths: Any = None
) -> tuple[Any, Any]:
    """h_1 … h_T (T, B, ·) of an object with other weights, and the states (P, B, H) if it returns them.

    What goes backwards is given the sequence reversed. What gives its last output alone is asked on every beginning of
    the sequence.

    Args:
        keras: the module.
        parts: the object.
        weights: of each cell, by their names.
        x: (T, B, D).
        states: (h,) or (h, c), (P, B, H) each; None for the object's own.
        lengths: of the sequences, told by a mask; None if they are not told.

    Returns:
        h and the states after the last step; these are empty where the object does not return them.
    """
    if parts.kind == "model":
        return _run_model(keras, parts, weights, x, states, lengths)
    # What comes out of a product of float64 is float32, and JAX's scan wants the state to come in as it goes out.
    policy = parts.owner.compute_dtype
    computed_in = keras.backend.result_type(policy, policy)
    nested = None
    if states is not None:
        nested = [[keras.ops.cast(state[i], computed_in) for state in states] for i in range(len(parts.cells))]
    values = {
        id(variable): weights[i][variable.name]
        for i, cell in enumerate(parts.cells)
        for variable in cell.weights
        if variable.name in weights[i]
    }
    sides = parts.owner.trainable_variables, parts.owner.non_trainable_variables  # where they are, if it is frozen
    variables = [[values.get(id(variable), variable.value) for variable in side] for side in sides]
    if parts.kind == "cell":
        return _run_cell(keras, parts, variables, x, nested)
    if not parts.last_alone:
        return _run_layer(keras, parts, variables, x, nested, lengths)
    runs = [_run_layer(keras, parts, variables, x[: t + 1], nested, lengths) for t in range(len(x))]
    return keras.ops.stack([h for h, _ in runs]), runs[-1][1]


def _run_layer(keras: Any, parts: KerasObject, variables: Any, x: Any, nested: Any, lengths: Any) -> tuple[Any, Any]:
    """h (T, B, ·), or (B, ·) of the last output alone. Keras wants the batch first."""
    options: dict[str, Any] = {}
    if nested is not None:
        stacked = isinstance(getattr(parts.owner, "cell", None), keras.layers.StackedRNNCells)
        sized = [of_cell if len(of_cell) > 1 else of_cell[0] for of_cell in nested]
        options["initial_state"] = sized if stacked else [state for of_cell in nested for state in of_cell]
    ops, T = keras.ops, len(x)
    t, ends = ops.arange(T)[:, None], T
    if lengths is not None:
        ends = ops.minimum(ops.cast(lengths, "int32"), T)
        options["mask"] = ops.swapaxes(t < ends, 0, 1)
    if parts.backward:  # each sequence is reversed within its length
        x = ops.take_along_axis(x, ops.broadcast_to(ops.where(t < ends, ends - 1 - t, t), x.shape[:2])[..., None], 0)
    answer, _ = parts.owner.stateless_call(*variables, ops.swapaxes(x, 0, 1), **options)
    h, after = (answer[0], answer[1:]) if parts.owner.return_state else (answer, ())
    if not parts.last_alone:
        h = ops.swapaxes(h, 0, 1)
        if parts.backward:  # what is masked comes first
            h = ops.take_along_axis(h, ops.broadcast_to((t + T - ends) % T, h.shape[:2])[..., None], 0)
    return h, _by_place(keras, after, len(parts.cells))


def _run_cell(keras: Any, parts: KerasObject, variables: Any, x: Any, nested: Any) -> tuple[Any, Any]:
    """The cell, step by step."""
    stacked = isinstance(parts.owner, keras.layers.StackedRNNCells)
    if nested is None:
        state = parts.owner.get_initial_state(batch_size=x.shape[1])
    else:
        sized = [of_cell if len(of_cell) > 1 or not stacked else of_cell[0] for of_cell in nested]
        state = sized if stacked else sized[0]
    steps = []
    for x_t in x:
        (h, state), _ = parts.owner.stateless_call(*variables, x_t, state)
        steps.append(h)
    return keras.ops.stack(steps), _by_place(keras, state, len(parts.cells))


def _run_model(
    keras: Any, parts: KerasObject, weights: Sequence[Mapping[str, Any]], x: Any, states: Any, lengths: Any
) -> tuple[Any, Any]:
    """The layers of a model, one after the other."""
    first, after = 0, []
    for part in parts.parts:
        places = slice(first, first + len(part.cells))
        of_part = states and tuple(state[places] for state in states)
        x, state = run_object(keras, part, weights[places], x, of_part, lengths)
        first += len(part.cells)
        after.append(state)
    if not all(after):
        return x, ()
    return x, tuple(keras.ops.concatenate(list(state)) for state in zip(*after, strict=True))


def _by_place(keras: Any, states: Any, places: int) -> tuple[Any, ...]:
    """(h,) or (h, c), (P, B, H) each, of states that may be nested by cell."""
    flat = keras.tree.flatten(states)
    each = len(flat) // places
    return tuple(keras.ops.stack(flat[kind::each]) for kind in range(each)) if flat else ()
