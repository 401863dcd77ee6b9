"""MLX: `Wx` is U, `Wh` is W; gates i f g o and r z n as here; one bias, and the GRU's b_hn, which it calls `bhn`.

The GRU's bias is called `b`, the others' `bias`; the plain cell has `Wxh` and `Whh`.
Source: `python/mlx/nn/layers/recurrent.py`. Its first versions had the kernels transposed: the shapes tell, and are
refused.
"""

from __future__ import annotations

from typing import Any

from ..models import Recurrent
from .layout import ArrayMapping, Arrays, Layout
from .packing import cell_of, require_names, size_of, unsupported_reset_reason

KERNELS, PLAIN_KERNELS = {"Wx", "Wh"}, {"Wxh", "Whh"}
NAMES = {
    "rnn": {"U": "Wxh", "W": "Whh", "b": "bias"},
    "lstm": {"U": "Wx", "W": "Wh", "b": "bias"},
    "gru": {"U": "Wx", "W": "Wh", "b": "b", "b_hn": "bhn"},
}


def pack(model: Recurrent, p: ArrayMapping) -> Arrays:
    return {theirs: p[ours] for ours, theirs in NAMES[model.cell].items() if ours in p}


def unpack(model: Recurrent, weights: ArrayMapping) -> Arrays:
    return {ours: weights[theirs] for ours, theirs in NAMES[model.cell].items() if theirs in weights}


def model_fields(weights: ArrayMapping) -> dict[str, Any]:
    biases: tuple[set[str], ...] = ({"bias"}, {"b", "bhn"}, set())
    require_names(weights, *(KERNELS | bias for bias in biases), PLAIN_KERNELS | {"bias"}, PLAIN_KERNELS)
    U, W = ("Wx", "Wh") if "Wh" in weights else ("Wxh", "Whh")
    H = size_of(weights, W, 1)
    cell = cell_of(size_of(weights, W, 0), H, W)
    names = NAMES[cell].values()
    with_biases = len(weights) > 2
    require_names(weights, set(names) if with_biases else {U, W})
    return {"cell": cell, "input_size": size_of(weights, U, 1), "hidden_size": H, "bias": with_biases, "reset": "after"}


def unsupported(model: Recurrent) -> str:
    return unsupported_reset_reason("mlx.nn.GRU", model, has="after")


LAYOUT = Layout(pack, unpack, model_fields, unsupported)
