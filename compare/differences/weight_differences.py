"""Where the weights of two layers differ, once they have the same names: entry by entry, and exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...backends.layouts import Layout
from ...backends.models import Recurrent


class LayerWithWeights(Protocol):
    """A layer whose weights are known."""

    @property
    def name(self) -> str:
        """What it is called in a sentence."""

    @property
    def layout(self) -> Layout:
        """How its weights are laid out."""

    @property
    def model(self) -> Recurrent:
        """What it computes."""

    @property
    def weights(self) -> Sequence[Mapping[str, np.ndarray]]:
        """Of every layer and direction, by the library's names."""

    @property
    def params(self) -> dict[str, np.ndarray]:
        """U, W, b and b_hn of every layer and direction, by their names in a problem."""

    @property
    def dtype(self) -> str:
        """The dtype of the weights."""


@dataclass(frozen=True)
class WeightDifference:
    """A parameter in which two layers differ.

    Attributes:
        parameter: its name in a problem, such as `W`.
        between: the two layers.
        index: of the entry that differs the most.
        values: what the two have there; None for a layer that has no such parameter, which counts as 0.
        count: how many entries differ.
        size: of how many.
    """

    parameter: str
    between: tuple[str, str]
    index: tuple[int, ...]
    values: tuple[np.floating | None, np.floating | None]
    count: int
    size: int

    @property
    def summary(self) -> str:
        """The difference in one line."""
        one, other = self.values
        by = ""
        if one and other is not None:  # a number other than 0, against which the other is measured
            by = f" by {100 * abs(float(other) - float(one)) / abs(float(one)):.2g} %"
        held = [
            f"{name} has {'none, which counts as 0' if value is None else str(value)}"
            for name, value in zip(self.between, self.values, strict=True)
        ]
        entries = "entry differs" if self.count == 1 else "entries differ"
        return (
            f"{self.parameter}{list(self.index)} differs{by}: {', '.join(held)}; {self.count} {entries} of {self.size}."
        )


def weight_differences(layers: Sequence[LayerWithWeights]) -> tuple[WeightDifference, ...]:
    """The parameters in which layers differ from the first one.

    A bias that a layer has not is one of zero. Of two biases that a library adds, the sum is compared. Haiku adds 1 to
    the forget gate's bias when it runs, so that this one is compared to a unit in the last place of the sum.

    Args:
        layers: of one kind, size and dtype.

    Returns:
        A difference for each parameter and each layer that differs from the first.
    """
    first, *others = layers
    held = [layer.params for layer in layers]
    differences = []
    for name in dict.fromkeys(name for params in held for name in params):
        for other, other_params in zip(others, held[1:], strict=True):
            arrays = held[0].get(name), other_params.get(name)
            is_rounded = any(layer.layout.added_to_forget_gate for layer in (first, other))
            values = np.zeros_like(arrays[1]) if arrays[0] is None else arrays[0]
            allowed = rounded_forget_bias(first.model, name, values) if is_rounded else 0.0
            differences += entry_difference(name, (first.name, other.name), arrays, allowed)
    return tuple(differences)


def entry_difference(
    parameter: str,
    between: tuple[str, str],
    held: tuple[np.ndarray | None, np.ndarray | None],
    allowed: np.ndarray | float = 0.0,
) -> list[WeightDifference]:
    """Where a parameter of two layers differs.

    Args:
        parameter: its name.
        between: the names of the layers.
        held: their arrays; None counts as zeros, and not for both.
        allowed: what rounding may have moved each entry by.

    Returns:
        The difference, or nothing.

    Example:
        >>> (found,) = entry_difference("b", ("A", "B"), (np.array([1.0, 2.0]), np.array([1.0, 2.5])))
        >>> found.index, found.count, found.size
        ((1,), 1, 2)
    """
    shaped = next(array for array in held if array is not None)
    one, other = (np.zeros_like(shaped) if array is None else array for array in held)
    with np.errstate(all="ignore"):
        distance = np.abs(one.astype("float64") - other)
        differs = ~((one == other) | (distance <= allowed) | (np.isnan(one) & np.isnan(other)))
    if not differs.any():
        return []
    worst = int(np.argmax(np.where(differs, np.nan_to_num(distance, nan=np.inf), -1)))
    index = tuple(int(i) for i in np.unravel_index(worst, shaped.shape))
    values = tuple(None if array is None else array[index] for array in held)
    return [WeightDifference(parameter, between, index, (values[0], values[1]), int(differs.sum()), differs.size)]


def rounded_forget_bias(model: Recurrent, name: str, values: np.ndarray) -> np.ndarray | float:
    """What a library rounds off that adds to the forget gate's bias when it runs: a unit in the last place of the sum.

    Args:
        model: of the layer.
        name: of the parameter; of others than an LSTM's b nothing is rounded off.
        values: of the parameter.

    Returns:
        By entry, what may be rounded off.

    Example:
        >>> rounded_forget_bias(Recurrent("lstm", 2, 1, 1), "b", np.zeros(4, "float32"))[1] == 2.0**-23
        np.True_
    """
    if model.cell != "lstm" or name not in [place.name("b") for place in model.places]:
        return 0.0
    H, k = model.hidden_size, model.gates.index("f")
    gate = slice(H * k, H * (k + 1))
    allowed = np.zeros(values.shape)
    allowed[gate] = np.finfo(values.dtype).eps * np.maximum(1, np.abs(values[gate]))
    return allowed
