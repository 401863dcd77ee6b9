"""The feed-forward network as a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..checks import require_choice, require_integer
from ..errors import InvalidProblemError
from .array_spec import ArraySpec, Variable, target_spec
from .model_options import ACTIVATIONS, LOSSES, REDUCTIONS


@dataclass(frozen=True)
class FeedForward:
    """A feed-forward network: a⁰ = x, z^l = W^l a^{l−1} + b^l, a^l = f(z^l) for l = 1…L.

    The squared error ½‖a^L − y‖² is taken of a^L, as in the documents. The two cross-entropies are taken of z^L,
    since they contain the softmax or the sigmoid of the output themselves: logistic regression is
    `FeedForward((D, 1), loss="sigmoid_cross_entropy")`.

    Source: document 004.

    Attributes:
        sizes: of the layers, from the input's to the output's; at least two.
        activation: f: `tanh`, `relu`, `sigmoid` or `identity`.
        loss: `softmax_cross_entropy`, `sigmoid_cross_entropy` or `squared_error`.
        reduction: `sum` or `mean` over the samples.

    Raises:
        InvalidProblemError: there are fewer than two sizes, or one is below 1.
        UnknownNameError: a choice does not exist.

    Example:
        >>> from gradparity.backends import FeedForward
        >>> FeedForward((4, 8, 3), activation="relu", loss="softmax_cross_entropy").parameter_shapes
        {'W1': (8, 4), 'b1': (8,), 'W2': (3, 8), 'b2': (3,)}
    """

    LEADING: ClassVar[dict[str, str]] = {"batch_size": "B"}

    sizes: tuple[int, ...]
    activation: str = "sigmoid"
    loss: str = "squared_error"
    reduction: str = "sum"

    def __post_init__(self) -> None:
        if not isinstance(self.sizes, Sequence) or isinstance(self.sizes, str) or len(self.sizes) < 2:
            raise InvalidProblemError(f"sizes = {self.sizes!r}, expected at least two, such as (4, 8, 5)")
        sizes = tuple(require_integer(f"sizes[{i}]", size, at_least=1) for i, size in enumerate(self.sizes))
        object.__setattr__(self, "sizes", sizes)
        require_choice("activation", self.activation, ACTIVATIONS)
        require_choice("loss", self.loss, LOSSES)
        require_choice("reduction", self.reduction, REDUCTIONS)

    @property
    def differentiable(self) -> tuple[str, ...]:
        """The arrays of a batch that have a gradient."""
        return ("inputs",)

    @property
    def parameter_specs(self) -> dict[str, ArraySpec]:
        """`W1` (N1, N0), `b1` (N1,), `W2` (N2, N1) …"""
        specs = {}
        for layer in range(1, len(self.sizes)):
            before, after = self.sizes[layer - 1 : layer + 1]
            specs[f"W{layer}"] = ArraySpec((after, before), f"(N{layer}, N{layer - 1})")
            specs[f"b{layer}"] = ArraySpec((after,), f"(N{layer},)")
        return specs

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""
        return {name: spec.shape for name, spec in self.parameter_specs.items()}

    def state_specs(self, B: int) -> dict[str, ArraySpec]:
        """There is no state."""
        return {}

    def input_spec(self, B: int) -> ArraySpec:
        """A sample in each row."""
        return ArraySpec((B, self.sizes[0]), "(B, N0)")

    def target_spec(self, B: int) -> ArraySpec:
        """A label, or K numbers, for each sample."""
        return target_spec(self.loss, (B,), ("B",), self.sizes[-1])

    def output_spec(self, B: int) -> Variable:
        """z^L."""
        return Variable((B, self.sizes[-1]), steps=False)

    def variables(self, B: int) -> dict[str, Variable]:
        """z^1 … z^L, whose adjoints are δ^1 … δ^L."""
        return {f"z{layer}": Variable((B, size), False) for layer, size in enumerate(self.sizes) if layer}

    @property
    def size_summary(self) -> str:
        """The sizes in a few words."""
        return "-".join(map(str, self.sizes))

    @property
    def summary(self) -> str:
        """What distinguishes the model, in a few words."""
        mean = ", mean" if self.reduction == "mean" else ""
        return f"feed-forward ({self.activation}, {self.loss}{mean})"
