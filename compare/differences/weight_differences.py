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
            differences += _difference(name, (first, other), (held[0].get(name), other_params.get(name)))
    return tuple(differences)


def _difference(
    name: str, layers: tuple[LayerWithWeights, LayerWithWeights], held: tuple[np.ndarray | None, np.ndarray | None]
) -> list[WeightDifference]:
    shape = next(array.shape for array in held if array is not None)
    one, other = (np.zeros(shape, layers[0].dtype) if array is None else array for array in held)
    with np.errstate(all="ignore"):
        distance = np.abs(one.astype("float64") - other)
        differs = ~((one == other) | (distance <= _rounding(name, layers, one)) | (np.isnan(one) & np.isnan(other)))
    if not differs.any():
        return []
    worst = int(np.argmax(np.where(differs, np.nan_to_num(distance, nan=np.inf), -1)))
    index = tuple(int(i) for i in np.unravel_index(worst, shape))
    values = tuple(None if array is None else array[index] for array in held)
    names = layers[0].name, layers[1].name
    return [WeightDifference(name, names, index, (values[0], values[1]), int(differs.sum()), differs.size)]


def _rounding(name: str, layers: tuple[LayerWithWeights, LayerWithWeights], values: np.ndarray) -> np.ndarray:
    """What a library that adds to the forget gate's bias rounds off; zero for everything else."""
    allowed = np.zeros(values.shape)
    model = layers[0].model
    biases = [place.name("b") for place in model.places]
    if model.cell == "lstm" and name in biases and any(layer.layout.added_to_forget_gate for layer in layers):
        H, k = model.hidden_size, model.gates.index("f")
        gate = slice(H * k, H * (k + 1))
        allowed[gate] = np.finfo(values.dtype).eps * np.maximum(1, np.abs(values[gate]))
    return allowed
