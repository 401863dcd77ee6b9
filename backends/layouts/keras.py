"""Keras: transposed; gates i f g o, which it calls i f c o, and z r n, which it calls z r h; one bias.

A GRU with `reset_after` has two: a bias (2, 3H) whose second row is on the side of the state, and holds b_hn.
Keras 2 writes `:0` after a name. A `Bidirectional` has a `forward_layer` and a `backward_layer`, which its files call
by the names of the layers: `forward_lstm/lstm_cell/kernel`.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..models import Recurrent
from .layout import ArrayMapping, Arrays, Layout
from .packing import cell_of, reorder_gates, require_names, size_of, split_state_bias, state_bias

KERNELS = {"kernel", "recurrent_kernel"}
IN_A_DIRECTION = re.compile(r"(^|\.)(forward|backward)_[^.]+\.(?:[^.]+\.)?(kernel|recurrent_kernel|bias)$")
ORDER = {"rnn": ("", ""), "lstm": ("ifgo", "ifgo"), "gru": ("rzn", "zrn")}  # of ours, and of theirs


def pack(model: Recurrent, p: ArrayMapping) -> Arrays:
    ours, theirs = ORDER[model.cell]
    U, W, b = (reorder_gates(p[name], ours, theirs) for name in ("U", "W", "b"))
    if "b_hn" in p:
        b = np.stack([b, state_bias(model, p)])
    return {"kernel": U.T, "recurrent_kernel": W.T, "bias": b}


def unpack(model: Recurrent, weights: ArrayMapping) -> Arrays:
    ours, theirs = ORDER[model.cell]
    params = {"U": weights["kernel"].T, "W": weights["recurrent_kernel"].T}
    if "bias" in weights and weights["bias"].ndim == 2:
        bias, bias_of_state = weights["bias"]
        params |= {"b": bias} | split_state_bias(model, bias_of_state)
    elif "bias" in weights:
        params["b"] = weights["bias"]
    return {name: array if name == "b_hn" else reorder_gates(array, theirs, ours) for name, array in params.items()}


def model_fields(weights: ArrayMapping) -> dict[str, Any]:
    require_names(weights, KERNELS | {"bias"}, KERNELS)
    H = size_of(weights, "recurrent_kernel", 0)
    cell = cell_of(size_of(weights, "recurrent_kernel", 1), H, "recurrent_kernel")
    sizes = {"input_size": size_of(weights, "kernel", 0), "hidden_size": H}
    fields = {"cell": cell, **sizes, "bias": "bias" in weights}
    if fields["cell"] == "gru" and "bias" in weights:
        fields["reset"] = "after" if weights["bias"].ndim == 2 else "before"
    return fields


def unsupported(model: Recurrent) -> str:
    return ""


def spelled(name: str) -> str:
    """`bi.forward_layer.cell.kernel` of `bi.forward_lstm.lstm_cell.kernel:0`."""
    return IN_A_DIRECTION.sub(r"\1\2_layer.cell.\3", name.removesuffix(":0"))


LAYOUT = Layout(
    *(pack, unpack, model_fields, unsupported),
    directions=("forward_layer.cell.", "backward_layer.cell."),
    spelled=spelled,
)
