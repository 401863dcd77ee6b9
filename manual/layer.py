"""What the parts of a recurrent layer exchange.

A cell is a module with four functions: `forward` over a whole sequence; `factors`, by which derivatives are multiplied
in the backward pass, for many steps at once; `step_backward`, which takes the total derivatives of the state after a
step to those of the state before it; and `parameter_gradients`, which sums over the steps. `through_time` makes the
backward pass of them, `stack` puts layers on each other.

They write into arrays that they are given: a loop over many short steps has no time to ask for memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from . import affine

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from .buffers import Buffers

State = tuple[np.ndarray, ...]  # (h,), or of the LSTM (h, c)


class LayerGradients(NamedTuple):
    """Total derivatives of the loss with respect to a layer's arguments and inner variables.

    Attributes:
        params: by the parameters' names.
        x: of the inputs; None if they were not asked for.
        initial: of the initial state: (dh_0,), or (dh_0, dc_0).
        adjoints: of every step, by the variable's name: `h` and `a`, and of the LSTM `c`; none if not asked for.
    """

    params: dict[str, np.ndarray]
    x: Float[np.ndarray, "T B D"] | None
    initial: State
    adjoints: dict[str, np.ndarray]


@runtime_checkable
class Cell(Protocol):
    """A module of this form. The cache carries what the other functions need of `forward`."""

    STATES: tuple[str, ...]  # what is carried from step to step: ("h",), or ("h", "c")
    GATES: tuple[int, ...]  # the blocks of H rows of U and W, in the order in which the cell has them beside each other

    def forward(
        self,
        params: Mapping[str, np.ndarray],
        x: Float[np.ndarray, "T B D"],
        initial: State,
        mask: Bool[np.ndarray, "T B"],
        buffers: Buffers | None = None,
        **options: Any,
    ) -> tuple[Float[np.ndarray, "T B H"], Any]:
        """Runs over a whole sequence.

        Args:
            params: by the names of a single layer.
            x: the inputs x_1 … x_T.
            initial: the state before the first step, (B, H) each.
            mask: where a step lies within its sequence's length. Elsewhere the state is carried through unchanged.
            buffers: the memory of the arrays; the next call that is given the same overwrites them.
            options: the cell's own.

        Returns:
            The states h_1 … h_T, and the cache.
        """

    def factors(self, cache: Any, steps: slice) -> Float[np.ndarray, "n steps B H"]:
        """All that `step_backward` multiplies derivatives by, of these steps."""

    def step_backward(
        self,
        cache: Any,
        factors: Float[np.ndarray, "n B H"],
        after: State,
        da: Float[np.ndarray, "gates B H"],
        before: State,
    ) -> None:
        """Back through a step; or through several side by side, as if they were one with a larger batch.

        Args:
            cache: of `forward`.
            factors: of the step.
            after: what the state after it receives from above and from later. What it receives within the step (dc,
                from h = o ⊙ tanh(c)) is added here, so that it is the total derivative in the end.
            da: where dL/da is written, gate by gate in the order of the rows of W.
            before: where to write what the state before the step receives through it.
        """

    def parameter_gradients(self, cache: Any, da: Float[np.ndarray, "gates T B H"]) -> dict[str, np.ndarray]:
        """The parameters' gradients by name."""


def padding_of(mask: Bool[np.ndarray, "T B"]) -> Bool[np.ndarray, "T B 1"] | None:
    """The steps past a length, where the state is carried through unchanged; None if there are none."""
    return None if mask.all() else ~mask[..., None]


def factors_of(cell: Cell, cache: Any, steps: slice) -> Float[np.ndarray, "n steps B H"]:
    """A cell's factors; 0 in the padding, where nothing comes from what the step would have computed."""
    factors = cell.factors(cache, steps)
    if cache.padding is not None:
        np.copyto(factors, 0, where=cache.padding[steps])
    return factors


def carry(cache: Any, at: int | slice, after: State, before: State) -> None:
    """In the padding, what the state receives after the step is what it receives before it."""
    if cache.padding is not None:
        for d_after, d_before in zip(after, before, strict=True):
            np.copyto(d_before, d_after, where=cache.padding[at])  # of (34), (64), (75): past the length


def gather(
    cell: Cell,
    cache: Any,
    da: Float[np.ndarray, "gates T B H"],
    state: State,
    initial: State,
    *,
    params_only: bool = False,
) -> LayerGradients:
    """A layer's gradients, from the derivatives of all its steps.

    Args:
        cell: the cell's module.
        cache: of the cell's `forward`.
        da: the derivatives of the linear states, gate by gate.
        state: those of the states h_1 … h_T, and of the LSTM c_1 … c_T, (T, B, H) each.
        initial: those of the initial state, (B, H) each.
        params_only: whether the derivatives of the inputs and the adjoints are left out.

    Returns:
        All derivatives of the layer.
    """
    params = cell.parameter_gradients(cache, da)
    if params_only:
        return LayerGradients(params, None, initial, {})
    if cache.padding is not None:  # the carried copies past a length are no variables of their own
        state = tuple(np.where(cache.padding, 0, each) for each in state)
    a = affine.side_by_side(da)
    adjoints = dict(zip(cell.STATES, state, strict=True)) | {"a": a}
    return LayerGradients(params, affine.input_gradient(a, cache.params["U"]), initial, adjoints)
