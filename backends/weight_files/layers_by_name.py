"""The recurrent layers among named arrays, told by the libraries' names for their weights."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from ..layouts import get_layout
from ..layouts.find_layer import prefixes, spelled
from .weight_file import LayerInFile, Statement, with_sizes

# The weights by whose names a library is told, in the order in which the libraries are asked; and a pattern for the
# module in which they stand, if other layers have such weights, too. Where two libraries have the same names, as
# PyTorch and PaddlePaddle have, they mean the same.
TELLING: tuple[tuple[str, frozenset[str], str], ...] = (
    ("paddle", frozenset({"weight_ih", "weight_hh"}), "^cell_(fw|bw)$"),
    ("torch", frozenset({"weight_ih", "weight_hh"}), ""),
    ("equinox", frozenset({"weight_ih", "weight_hh"}), ""),
    ("keras", frozenset({"kernel", "recurrent_kernel"}), ""),
    ("flax-nnx", frozenset({"dense_i.kernel", "dense_h.kernel"}), ""),
    ("flax-nnx", frozenset({"ii.kernel", "if_.kernel"}), ""),
    ("flax-linen", frozenset({"ii.kernel", "hi.kernel"}), ""),
    ("flax-linen", frozenset({"in.kernel", "hn.kernel"}), ""),
    ("flax-linen", frozenset({"i.kernel", "h.kernel"}), ""),
    ("haiku", frozenset({"w_i", "w_h"}), ""),
    ("haiku", frozenset({"linear.w", "linear.b"}), "lstm"),
    ("haiku", frozenset({"linear.w", "linear_1.w"}), "rnn"),
    ("onnx", frozenset({"W", "R"}), ""),
    ("mlx", frozenset({"Wx", "Wh"}), ""),
    ("mlx", frozenset({"Wxh", "Whh"}), ""),
    ("tf1", frozenset({"kernel", "bias"}), "lstm_cell"),
    ("tf1", frozenset({"gates.kernel", "candidate.kernel"}), ""),
)

OF_OPTIMIZERS = {"opt_state", "optimizer", "optimizer_state", "optimizer_states", "optimizer_state_dict"}


def layers_by_name(arrays: Mapping[str, np.ndarray], library: str = "") -> tuple[LayerInFile, ...]:
    """Finds the recurrent layers among named arrays.

    Args:
        arrays: all arrays of a file.
        library: whose names they have; empty if the names are to tell it.

    Returns:
        The layers in the order of the libraries, and of their names in the file. One whose weights do not fit together
        is unsupported.

    Example:
        >>> weights = {"enc.weight_ih_l0": np.ones((16, 3)), "enc.weight_hh_l0": np.ones((16, 4))}
        >>> (layer,) = layers_by_name(weights)
        >>> layer.name, layer.library, layer.cell, layer.hidden_size
        ('enc', 'torch', 'lstm', 4)
    """
    found: dict[str, LayerInFile] = {}
    taken: set[str] = set()
    grouped: dict[str, _Groups] = {}
    for candidate, telling, part in TELLING:
        if library not in ("", candidate):
            continue
        groups = grouped.setdefault(candidate, _Groups(candidate, arrays))
        for prefix, weights in groups.layers.items():
            if not OF_OPTIMIZERS.isdisjoint(prefix.split(".")):
                continue
            is_named = any(re.search(part, _module(full_name, weight)) for full_name, weight in weights.items())
            if not telling <= set(weights.values()) or not (is_named or library):
                continue
            layer = groups.layer(prefix, stated=bool(library))
            if (layer.unsupported and not is_named) or taken >= set(weights):
                continue
            if prefix not in found or (found[prefix].unsupported and not layer.unsupported):
                found[prefix] = layer
                taken |= set() if layer.unsupported else set(weights)
    return tuple(found.values())


def _module(full_name: str, weight: str) -> str:
    """The part of a name right before that of the weight, in small letters."""
    parts = full_name.replace("/", ".").lower().split(".")
    return ".".join(parts[-1 - len(weight.split(".")) : -len(weight.split("."))])


class _Groups:
    """The arrays of a file by the layers to which they may belong, if a library has written their names."""

    def __init__(self, library: str, arrays: Mapping[str, np.ndarray]) -> None:
        self.library, self.arrays = library, arrays
        self.layers = prefixes(get_layout(library), arrays)[0]
        self.names = {full_name: spelled(get_layout(library), full_name) for full_name in arrays}
        self.beside: dict[str, list[str]] = {}
        for full_name, name in self.names.items():
            self.beside.setdefault(name.rpartition(".")[0], []).append(full_name)

    def layer(self, prefix: str, *, stated: bool) -> LayerInFile:
        """The layer with that prefix, and with the arrays that stand directly beside its weights."""
        found: dict[str, np.ndarray] = {}
        twice = ""
        for full_name in dict.fromkeys([*self.layers[prefix], *self.beside.get(prefix, ())]):
            name, array = self.names[full_name].removeprefix(f"{prefix}." if prefix else ""), self.arrays[full_name]
            if name in found and not np.array_equal(found[name], array):
                twice = f"{full_name!r} is a weight that has another value under another name"
            found[name] = array
        says = {"library": Statement(self.library, "as stated" if stated else "the names of its weights")}
        return with_sizes(LayerInFile(prefix, self.library, found, says, unsupported=twice))
