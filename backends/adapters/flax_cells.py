"""What Flax's two interfaces share: the options of their cells, and of `RNN` and `Bidirectional`, which run these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ..errors import UnsupportedProblemError
from ..frameworks.jax_isolation import isolated
from ..layouts import Layout
from .cell_functions import departures_of, function_name, plain_cell_functions
from .half_weights import HALF
from .layers_on_jax import States, Weights, wrap_network_on_jax
from .wrapped_layer import BACKWARD, BACKWARD_IN_ORDER, WrappedLayer, infer_model

OPTIONS = {"gate function": "gate_fn", "activation": "activation_fn"}


# What runs an object of Flax with other weights: x as the object takes it, the carry, the lengths; the carry and h.
Run = Callable[[Sequence[Weights], Array, Any, Array | None], tuple[Any, Array]]


def wrap_cells(
    name: str,
    layout: Layout,
    thing: Any,
    cells: Sequence[Any],
    weights: Sequence[Mapping[str, np.ndarray]],
    run: Run,
    stated: dict[str, Any],
) -> WrappedLayer:
    """A cell, an `RNN` over one or a `Bidirectional` over two as a backend, with the functions and options that it has.

    Args:
        name: the library's and the object's.
        layout: the library's.
        thing: the object; its cell, if that is alone.
        cells: one, or one of each direction.
        weights: of each cell.
        run: calls the object.
        stated: fields of the model.

    Returns:
        The backend. An `RNN` that goes backwards is given each sequence reversed.
    """
    functions = [
        {
            what: function_name(getattr(cell, option), _applied)
            for what, option in OPTIONS.items()
            if hasattr(cell, option)
        }
        for cell in cells
    ]
    if any(of_cell != functions[0] for of_cell in functions):
        raise UnsupportedProblemError(f"{name} has other functions in its second direction: pass its cells one by one")
    departures = {}
    if layout.model_fields(weights[0])["cell"] != "rnn":
        departures = departures_of(functions[0])
    else:
        told = functions[0].get("activation", stated.get("activation"))
        activation, departures = plain_cell_functions(name, told)
        stated = stated | {"activation": activation}
    if any(getattr(cell, "residual", False) for cell in cells):
        departures["residual"] = "True"
    model = infer_model(layout, weights, **stated | {"bidirectional": len(cells) > 1})
    described: dict[str, Any] = {"has_own_state": True, "takes_lengths": True, "gives_final_states": True}
    backward = len(cells) == 1 and getattr(thing, "reverse", False)
    if backward:
        described["direction"] = BACKWARD_IN_ORDER if thing.keep_order else BACKWARD
        described["remarks"] = (f"a sequence in its order: {name} goes backwards, and was given it reversed",)
    batch_first = thing is not cells[0] and not thing.time_major

    def network(
        weights: Sequence[Weights], x: Array, states: States | None, lengths: Array | None
    ) -> tuple[Array, States]:
        carries = states and [as_carry(tuple(state[i] for state in states)) for i in range(len(cells))]
        carry = carries and (carries[0] if len(cells) == 1 else tuple(carries))
        backwards = _within_lengths_backwards(len(x), lengths)
        x = jnp.take_along_axis(x, backwards, axis=0) if backward else x
        after, h = run(weights, x.swapaxes(0, 1) if batch_first else x, carry, lengths)
        h = h.swapaxes(0, 1) if batch_first else h
        if backward and thing.keep_order:
            h = jnp.take_along_axis(h, backwards, axis=0)
        by_place = [of_cell[::-1] if isinstance(of_cell, tuple) else (of_cell,) for of_cell in _apart(after, cells)]
        return h, tuple(jnp.stack(state) for state in zip(*by_place, strict=True))

    computed_in = {"" if cell.dtype is None else jnp.dtype(cell.dtype).name for cell in cells}
    described["precision"] = next((half for half in HALF if half in computed_in), "")
    return wrap_network_on_jax(name, layout, model, weights, network, departures=departures, **described)


def _apart(carry: Any, cells: Sequence[Any]) -> Sequence[Any]:
    return [carry] if len(cells) == 1 else carry


def _within_lengths_backwards(seq_len: int, lengths: Array | None) -> Array:
    """Indices (T, B or 1, 1) that reverse each sequence within its length."""
    t = jnp.arange(seq_len)[:, None]
    ends = seq_len if lengths is None else lengths
    return jnp.where(t < ends, ends - 1 - t, t)[..., None]


def by_prefix(flat: Mapping[str, np.ndarray], prefixes: Sequence[str]) -> list[dict[str, np.ndarray]]:
    """The weights of each cell, by what stands before their names; the first one has what no other has."""
    weights: list[dict[str, np.ndarray]] = [{} for _ in prefixes]
    for name, array in flat.items():
        k = next((k for k, prefix in enumerate(prefixes) if name.startswith(prefix)), 0)
        weights[k][name.removeprefix(prefixes[k])] = array
    return weights


def as_carry(states: States | None) -> Any:
    """The state as Flax carries it: (c, h), or h alone; None if there is none."""
    return states[::-1] if states and len(states) > 1 else states and states[0]


def scans_in(name: str, thing: Any, flax: ModuleType, scan_options: tuple[str, ...]) -> list[Any]:
    """The `RNN`s that an object is made of: itself, both of a `Bidirectional`, or none of a cell.

    Args:
        name: of the object, for the message.
        thing: the object.
        flax: `flax.linen` or `flax.nnx`.
        scan_options: of its `RNN`, which have to be as they are by default.

    Returns:
        At most two.

    Raises:
        RequestError: one of them is of a class of one's own, or has options that are not compared.
    """
    scans: list[Any] = [thing] if isinstance(thing, flax.RNN) else []
    if isinstance(thing, flax.Bidirectional):
        _require_own(thing, flax.Bidirectional)
        scans = [thing.forward_rnn, thing.backward_rnn]
    for scan in scans:
        _require_own(scan, flax.RNN)
        _require_plain_scan(scan, flax.RNN(scan.cell), scan_options)
    if len(scans) > 1:
        _require_joined(name, thing.merge_fn, scans)
    return scans


def _require_own(wrapper: Any, flax_class: type) -> None:
    """Raises UnsupportedProblemError unless a wrapper that runs a cell over time is Flax's own."""
    if type(wrapper) is not flax_class:
        room = "nnx" if ".nnx." in flax_class.__module__ else "linen"
        expected = f"flax.{room}.{flax_class.__name__}"
        raise UnsupportedProblemError(f"{type(wrapper).__name__} is no {expected} of Flax's own: pass its cell instead")


def _require_joined(name: str, merge: Any, wrappers: Sequence[Any]) -> None:
    """Raises UnsupportedProblemError unless there are two directions whose outputs are concatenated."""
    one, other = np.ones((2, 3), "float32"), np.arange(6, dtype="float32").reshape(2, 3)
    try:
        with isolated(one.dtype):
            joins = np.array_equal(np.asarray(merge(one, other)), np.concatenate([one, other], axis=1))
    except Exception:  # whatever a function of one's own raises
        joins = False
    if not joins:
        raise UnsupportedProblemError(
            f"{name} has a merge_fn of its own, expected the default, which concatenates: pass its forward_rnn and "
            "backward_rnn one by one"
        )
    if wrappers[0].cell is wrappers[1].cell:
        raise UnsupportedProblemError(f"{name} has one cell for both directions: pass that cell")


def _require_plain_scan(wrapper: Any, plain: Any, options: tuple[str, ...]) -> None:
    """Raises UnsupportedProblemError if a wrapper treats its cell's variables otherwise than a plain one does."""
    for option in options:
        if getattr(wrapper, option) != getattr(plain, option):
            raise UnsupportedProblemError(f"Flax's RNN has a {option} of its own: pass its cell instead")


def _applied(function: Any, arguments: np.ndarray) -> Any:
    with isolated(arguments.dtype):
        return function(jnp.asarray(arguments))
