"""What the parts of a recurrent layer exchange.

A cell is a module with three functions: `forward` over a whole sequence; `step_backward`, which takes the total
derivatives of the state after a step to those of the state before it; and `parameter_gradients`, which sums over
the steps. `through_time` walks back with them, `stack` puts layers on each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

State = tuple[np.ndarray, ...]  # (h,), or of the LSTM (h, c)


class StepGradients(NamedTuple):
    """The derivatives at one step (B, ·), or at a range of steps (T, B, ·).

    Attributes:
        a: dL/da_t.
        state: the total derivatives of the state after the step: (dh_t,), or (dh_t, dc_t).
        before: what the state before the step receives through it.
    """

    a: np.ndarray
    state: State
    before: State


class Gradients(NamedTuple):
    """Total derivatives of the loss with respect to a layer's arguments and inner variables.

    Attributes:
        params: by the parameters' names.
        x: of the inputs.
        initial: of the initial state: (dh_0,), or (dh_0, dc_0).
        adjoints: of every step, by the variable's name: `h` and `a`, and of the LSTM `c`.
    """

    params: dict[str, np.ndarray]
    x: Float[np.ndarray, "T B D"]
    initial: State
    adjoints: dict[str, np.ndarray]


@runtime_checkable
class Cell(Protocol):
    """A module of this form. The cache carries what the other two functions need of `forward`."""

    STATES: tuple[str, ...]  # what is carried from step to step: ("h",), or ("h", "c")

    def forward(
        self,
        params: Mapping[str, np.ndarray],
        x: Float[np.ndarray, "T B D"],
        initial: State,
        counted: Bool[np.ndarray, "T B"],
        **options: Any,
    ) -> tuple[Float[np.ndarray, "T B H"], Any]:
        """The states h_1 … h_T. Where a step is not counted, the state is carried through unchanged."""

    def step_backward(self, cache: Any, at: int | slice, state: State) -> StepGradients:
        """Back through the step (or steps) `at`, from what the state after it receives from above and from later."""

    def parameter_gradients(self, cache: Any, da: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The parameters' gradients by name, and dx (T, B, D)."""


def gather(cell: Cell, cache: Any, da: np.ndarray, state: State, initial: State) -> Gradients:
    """A layer's gradients, from the derivatives of all its steps (T, B, ·) and of its initial state."""
    params, dx = cell.parameter_gradients(cache, da)
    within = cache.counted[..., None]  # the carried copies past a length are no variables of their own
    adjoints = {name: np.where(within, each, 0) for name, each in zip(cell.STATES, state, strict=True)}
    return Gradients(params, dx, initial, adjoints | {"a": da})
