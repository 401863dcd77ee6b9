"""What a file of weights holds: its arrays, the recurrent layers among them, and what the file says of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InvalidProblemError
from ..layouts import get_layout
from ..layouts.find_layer import find_layer, is_not_converted

PEEPHOLES = "peepholes"  # in `Layout.others`
WITH_PEEPHOLES = ("onnx", "tf1")
DEFAULT_FUNCTIONS = "sigmoid,tanh"  # of a gated cell: that of the gates, and that of the states


class Statement(NamedTuple):
    """What a file says, and by what: `Statement("after", "linear_before_reset = 1")`."""

    value: str
    how: str


@dataclass(frozen=True)
class LayerInFile:
    """A recurrent layer of a file: one layer or one stack, in one direction or in both.

    Attributes:
        name: its name in the file: a prefix, or that of a node; empty if it has none.
        library: whose names and order its arrays have.
        arrays: by the library's own names, stacks and directions included, as `find_layer` takes them.
        says: what the file tells, by `reset` (`after`, `before`), `activation` (of a plain cell; of a gated one
            `sigmoid,tanh`), `direction` (`forward`, `backward`, `both`), `layout`, `initial state` and `library`.
        cell: `rnn`, `lstm` or `gru`; empty if its weights do not tell.
        input_size: D; 0 if the weights do not tell.
        hidden_size: H; 0 if the weights do not tell.
        num_layers: how many layers are stacked.
        bidirectional: whether it has both directions.
        unsupported: why it cannot be converted; empty if it can be.
        with_peepholes: whether that is for peepholes alone, so that it can be for the libraries that have these.
        remarks: what has to be known of it beside its weights, in a line each.
    """

    name: str
    library: str
    arrays: Mapping[str, np.ndarray]
    says: Mapping[str, Statement] = field(default_factory=dict)
    cell: str = ""
    input_size: int = 0
    hidden_size: int = 0
    num_layers: int = 1
    bidirectional: bool = False
    unsupported: str = ""
    with_peepholes: bool = False
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class WeightFile:
    """A file of weights.

    Attributes:
        path: where it is.
        format: what it is, in words: `ONNX`, `Keras 3`, `a state dictionary of PyTorch`.
        arrays: all arrays by their names in the file.
        layers: the recurrent layers that were found.
        notes: what has to be known of the whole file, in a line each.
    """

    path: Path
    format: str
    arrays: Mapping[str, np.ndarray]
    layers: tuple[LayerInFile, ...]
    notes: tuple[str, ...] = ()


def with_sizes(layer: LayerInFile) -> LayerInFile:
    """The layer with what its weights tell: cell, sizes, layers, directions and, of some GRUs, the reset.

    Args:
        layer: with its arrays, and what the file says.

    Returns:
        The layer; unsupported, for the reason that its weights give, if they are none that its library has.
    """
    layout = get_layout(layer.library)
    beside = dict(layout.others)
    try:
        weights, stack = find_layer(layout, layer.arrays, "", others=PEEPHOLES in beside.values())
        others = {name: beside[name] for of_place in weights for name in of_place if name in beside}
        if name := next((name for name, what in others.items() if what != PEEPHOLES), ""):
            raise InvalidProblemError(is_not_converted(name, others[name]))
        fields = layout.model_fields({name: array for name, array in weights[0].items() if name not in beside})
    except InvalidProblemError as error:
        return replace(layer, unsupported=layer.unsupported or str(error))
    says = dict(layer.says)
    if fields["cell"] == "gru" and "reset" in fields:
        says.setdefault("reset", Statement(str(fields["reset"]), f"the weights of {layer.library}"))
    if others and not layer.unsupported:
        has = f"it has peepholes ({', '.join(others)}), which {' and '.join(WITH_PEEPHOLES)} alone have"
        layer = replace(layer, unsupported=has, with_peepholes=True)
    return replace(
        layer,
        says=says,
        cell=fields["cell"],
        input_size=fields["input_size"],
        hidden_size=fields["hidden_size"],
        num_layers=int(stack["num_layers"]),
        bidirectional=bool(stack["bidirectional"]),
    )
