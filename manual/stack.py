"""Stacks of recurrent layers, in one direction or in both, composed of single layers.

In a stack, the names of layer 0 begin with `layer0.` and so on; those of the second direction end in `.reverse`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import gru, lstm, rnn, through_time
from .layer import Cell, LayerGradients, State

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from .buffers import Buffers

CELLS: dict[str, Cell] = {
    "rnn": rnn,  # type: ignore[dict-item] # a module as a protocol, here and below
    "lstm": lstm,  # type: ignore[dict-item]
    "gru": gru,  # type: ignore[dict-item]
}
PARAMETERS = ("U", "W", "b", "b_hn")


class LayerDirection(NamedTuple):
    """A layer and a direction in the stack, and how its names are made.

    Attributes:
        layer: its number in the stack, from 0; None where there is one layer, whose names have no prefix.
        is_reverse: whether it is the second direction, which reads the steps from the last to the first.
        number: in the order of the initial states: both directions of layer 0, then of layer 1, and so on.
    """

    layer: int | None
    is_reverse: bool
    number: int

    def name(self, name: str) -> str:
        """`layer0.U.reverse` of `U`: the name in the stack of what is called so in a single layer."""
        layer = "" if self.layer is None else f"layer{self.layer}."
        return f"{layer}{name}{'.reverse' if self.is_reverse else ''}"

    def params(self, params: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The parameters of this layer and direction, under the names of a single layer."""
        return {name: params[self.name(name)] for name in PARAMETERS if self.name(name) in params}

    def flip_time(self, array: np.ndarray) -> np.ndarray:
        """From our order of time to that of this direction, or back."""
        return array[::-1] if self.is_reverse else array


def places(num_layers: int, bidirectional: bool) -> list[list[LayerDirection]]:
    """The directions of each layer, from the lowest."""
    directions = (False, True) if bidirectional else (False,)
    return [
        [
            LayerDirection(layer if num_layers > 1 else None, is_reverse, layer * len(directions) + is_reverse)
            for is_reverse in directions
        ]
        for layer in range(num_layers)
    ]


def forward(
    params: Mapping[str, np.ndarray],
    x: Float[np.ndarray, "T B D"],
    initial: State,
    mask: Bool[np.ndarray, "T B"],
    buffers: Buffers,
    *,
    cell: str = "rnn",
    num_layers: int = 1,
    bidirectional: bool = False,
    **options: Any,
) -> tuple[Float[np.ndarray, "T B N"], list[list[Any]]]:
    """The states of the topmost layer, both directions side by side, and the caches of all layers.

    Args:
        params: by the names of the stack.
        x: the inputs.
        initial: (h_0,) or (h_0, c_0), (B, H) each, or (P, B, H) for P layers and directions.
        mask: where a step lies within its sequence's length.
        buffers: the layers' memory.
        cell: `rnn`, `lstm` or `gru`.
        num_layers: how many layers lie on each other.
        bidirectional: whether each has a second direction.
        options: the cell's own.

    Returns:
        The states, and of each layer, from the lowest, the caches of its directions.

    Raises:
        KeyError: there is no such cell, or a layer has no weights.
    """
    caches: list[list[Any]] = []
    for layer in places(num_layers, bidirectional):
        outputs: list[np.ndarray] = []
        caches.append([])
        for place in layer:
            start = tuple(state.reshape(-1, *state.shape[-2:])[place.number] for state in initial)
            turned_x, turned_mask = place.flip_time(x), place.flip_time(mask)
            memory = buffers.part(str(place.number))
            h, cache = CELLS[cell].forward(place.params(params), turned_x, start, turned_mask, memory, **options)
            outputs.append(place.flip_time(h))
            caches[-1].append(cache)
        x = np.concatenate(outputs, axis=-1) if len(outputs) > 1 else outputs[0]  # (79) (T, B, N)
    return x, caches


def backward(
    dh_above: Float[np.ndarray, "T B N"],
    caches: list[list[Any]],
    *,
    cell: str = "rnn",
    truncation: tuple[str, int] | None = None,
    params_only: bool = False,
) -> LayerGradients:
    """All derivatives; what a layer's states receive from above is dx of the next.

    Args:
        dh_above: what the topmost states receive from above.
        caches: of `forward`.
        cell: `rnn`, `lstm` or `gru`.
        truncation: None, or `window`, `chunks` or `last_steps` with its number of steps; see `truncation`.
        params_only: whether the derivatives of the inputs and the adjoints of the lowest layer are left out.

    Returns:
        The derivatives under the names of the stack; those of the initial states are (P, B, H) for P layers and
        directions, or (B, H) for one.
    """
    params: dict[str, np.ndarray] = {}
    adjoints: dict[str, np.ndarray] = {}
    starts: dict[int, State] = {}
    dx: np.ndarray | None = dh_above
    for number, layer in reversed(list(enumerate(places(len(caches), len(caches[0]) > 1)))):
        assert dx is not None
        parts = np.split(dx, len(layer), axis=-1) if len(layer) > 1 else [dx]
        found = {
            place: through_time.backward(
                CELLS[cell], place.flip_time(part), cache, truncation, params_only=params_only and number == 0
            )
            for place, part, cache in zip(layer, parts, caches[number], strict=True)
        }
        for place, of in found.items():
            params |= {place.name(name): gradient for name, gradient in of.params.items()}
            adjoints |= {place.name(name): place.flip_time(adjoint) for name, adjoint in of.adjoints.items()}
            starts[place.number] = of.initial
        from_directions = [place.flip_time(of.x) for place, of in found.items() if of.x is not None]
        dx = sum(from_directions[1:], start=from_directions[0]) if from_directions else None  # (80) (T, B, N)
    if len(starts) == 1:
        return LayerGradients(params, dx, starts[0], adjoints)
    initial = tuple(np.stack(each) for each in zip(*(starts[number] for number in sorted(starts)), strict=True))
    return LayerGradients(params, dx, initial, adjoints)
