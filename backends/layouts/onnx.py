"""ONNX: W, R and B of the operators RNN, LSTM and GRU; gates i o f g, which it calls i o f c, and z r n, as z r h.

B is two biases side by side, which are added; the last third of the GRU's second is b_hn, if
`linear_before_reset` is 1. The weights do not tell whether it is. Two directions are in one array, one after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models import Recurrent
from .layout import ArrayMapping, Arrays, Layout
from .packing import cell_of, reorder_gates, require_names, size_of, split_state_bias, state_bias

ORDER = {"rnn": ("", ""), "lstm": ("ifgo", "iofg"), "gru": ("rzn", "zrn")}  # of ours, and of theirs


def pack(model: Recurrent, p: ArrayMapping) -> Arrays:
    ours, theirs = ORDER[model.cell]
    U, W, b = (reorder_gates(p[name], ours, theirs) for name in ("U", "W", "b"))
    return {"W": U[None], "R": W[None], "B": np.concatenate([b, state_bias(model, p)])[None]}


def unpack(model: Recurrent, weights: ArrayMapping) -> Arrays:
    ours, theirs = ORDER[model.cell]
    params = {"U": weights["W"][0], "W": weights["R"][0]}
    if "B" in weights:
        params["b"], params["b_h"] = np.split(weights["B"][0], 2)
        if model.cell == "gru" and model.reset == "after":
            params |= split_state_bias(model, params["b_h"])
    return {name: array if name == "b_hn" else reorder_gates(array, theirs, ours) for name, array in params.items()}


def model_fields(weights: ArrayMapping) -> dict[str, Any]:
    require_names(weights, {"W", "R", "B"}, {"W", "R"})
    H = size_of(weights, "R", 2, axes=3)
    cell = cell_of(size_of(weights, "R", 1, axes=3), H, "R")
    sizes = {"input_size": size_of(weights, "W", 2, axes=3), "hidden_size": H}
    return {"cell": cell, **sizes, "bias": "B" in weights}


def unsupported(model: Recurrent) -> str:
    return ""


LAYOUT = Layout(pack, unpack, model_fields, unsupported, directions_in_one=True, others=(("P", "peepholes"),))
