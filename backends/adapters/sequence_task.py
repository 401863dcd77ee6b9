"""What a layer of any cell is asked, also of one that no system has: a sequence, and a loss of its states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..models import LayerDirection, Recurrent
from .wrapped_layer import Usage


@dataclass(frozen=True, eq=False)
class SequenceTask:
    """L = ½ Σ (V h_t − y_t)² over the steps of a random sequence; what lies past a length does not count.

    Attributes:
        inputs: x_t, (T, B, D).
        targets: y_t, (T, B, K).
        readout: V, (K, ·), on h_t of the topmost layer.
        states: the initial states by name, h0 first: (B, ·), or (P, B, ·) for P layers and directions.
        lengths: (B,); None where all sequences have T steps.
    """

    inputs: np.ndarray
    targets: np.ndarray
    readout: np.ndarray
    states: Mapping[str, np.ndarray]
    lengths: np.ndarray | None = None

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What the loss is differentiated by beside the layer's weights."""
        return {"V": self.readout, **self.states, "inputs": self.inputs}


class SequenceAnswer(NamedTuple):
    """What a layer answers.

    Attributes:
        loss: L.
        gradients: dL/d· of the weights, and of V, the initial states and the inputs, by name.
        outputs: V h_t, (T, B, K), zero past a length.
        final_states: `h_n` and so on, of the shapes of the initial ones; empty if the layer does not give them.
    """

    loss: float
    gradients: dict[str, np.ndarray]
    outputs: np.ndarray
    final_states: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class SequenceLayer:
    """A layer of any cell, which computes with its own weights.

    Attributes:
        name: the library's and the layer's.
        cell: of which kind it is, such as `lstm with a projection`.
        weights: by name; a bias that the layer has not is zero.
        input_size: D.
        state_sizes: of each state, h first: `{"h": 2, "c": 5}`.
        evaluate: answers a task.
        num_layers: how many are stacked.
        bidirectional: whether each has a second direction.
        has_own_state: whether it can be called without an initial state.
        takes_lengths: whether it can be told the sequences' lengths.
        gives_final_states: whether it returns the states after the last step.
        remarks: what of the layer cannot be asked, in a line each.
        rounded_off: by name, by how much reading the weights may have rounded them.
    """

    name: str
    cell: str
    weights: Mapping[str, np.ndarray]
    input_size: int
    state_sizes: Mapping[str, int]
    evaluate: Callable[[SequenceTask, Usage], SequenceAnswer]
    num_layers: int = 1
    bidirectional: bool = False
    has_own_state: bool = False
    takes_lengths: bool = False
    gives_final_states: bool = False
    remarks: tuple[str, ...] = ()
    rounded_off: Mapping[str, np.ndarray | float] = field(default_factory=dict)

    @property
    def places(self) -> tuple[LayerDirection, ...]:
        """The layers and directions."""
        return tuple(places_of(self.num_layers, self.bidirectional))


def places_of(num_layers: int, bidirectional: bool) -> list[LayerDirection]:
    """The layers and directions of a stack, as the places of a model are numbered and named.

    Example:
        >>> [place.name("U") for place in places_of(1, True)]
        ['U', 'U.reverse']
    """
    return list(Recurrent("rnn", 1, 1, 1, num_layers=num_layers, bidirectional=bidirectional).places)


def names_after(states: Mapping[str, np.ndarray]) -> list[str]:
    """`h_n` of `h0`, and so on."""
    return [f"{name.removesuffix('0')}_n" for name in states]
