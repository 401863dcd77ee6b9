"""Haiku: transposed; the LSTM's gates i g f o, on [x ; h], with 1 added to f when it runs; the GRU's z r n.

The GRU has its reset before the product, and keeps the new state where ours keeps the old one: h_t = (1−z)h + zn.
So its z is ours with the opposite sign before the σ. The plain cell has relu, and two biases that are added.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models import Recurrent
from .layout import ArrayMapping, Arrays, Layout
from .packing import negate_gate, reorder_gates, require_names, size_of, unsupported_reset_reason

LSTM = {"linear.w", "linear.b"}
GRU = {"w_i", "w_h", "b"}
RNN = {"linear.w", "linear.b", "linear_1.w"}


def pack(model: Recurrent, p: ArrayMapping) -> Arrays:
    match model.cell:
        case "lstm":
            both = np.concatenate([p["U"], p["W"]], axis=1)
            return {
                "linear.w": reorder_gates(both, "ifgo", "igfo").T,
                "linear.b": reorder_gates(p["b"], "ifgo", "igfo"),
            }
        case "gru":
            names = {"w_i": "U", "w_h": "W", "b": "b"}
            return {theirs: negate_gate(reorder_gates(p[ours], "rzn", "zrn"), 0, 3).T for theirs, ours in names.items()}
        case _:
            second_bias = np.zeros_like(p["b"])
            return {"linear.w": p["U"].T, "linear.b": p["b"], "linear_1.w": p["W"].T, "linear_1.b": second_bias}


def unpack(model: Recurrent, weights: ArrayMapping) -> Arrays:
    match model.cell:
        case "lstm":
            both = reorder_gates(weights["linear.w"].T, "igfo", "ifgo")
            U, W = np.split(both, [both.shape[1] - model.hidden_size], axis=1)
            return {"U": U, "W": W, "b": reorder_gates(weights["linear.b"], "igfo", "ifgo")}
        case "gru":
            names = {"U": "w_i", "W": "w_h", "b": "b"}
            return {
                ours: reorder_gates(negate_gate(weights[theirs].T, 0, 3), "zrn", "rzn")
                for ours, theirs in names.items()
            }
        case _:
            params = {"U": weights["linear.w"].T, "W": weights["linear_1.w"].T, "b": weights["linear.b"]}
            return params | ({"b_h": weights["linear_1.b"]} if "linear_1.b" in weights else {})


def model_fields(weights: ArrayMapping) -> dict[str, Any]:
    require_names(weights, LSTM, GRU, RNN, RNN | {"linear_1.b"})
    if set(weights) == GRU:
        sizes = {"input_size": size_of(weights, "w_i", 0), "hidden_size": size_of(weights, "w_h", 0)}
        return {"cell": "gru", **sizes, "bias": True, "reset": "before"}
    if set(weights) == LSTM:
        H = size_of(weights, "linear.b", 0, axes=1) // 4
        return {"cell": "lstm", "input_size": size_of(weights, "linear.w", 0) - H, "hidden_size": H, "bias": True}
    sizes = {"input_size": size_of(weights, "linear.w", 0), "hidden_size": size_of(weights, "linear_1.w", 0)}
    return {"cell": "rnn", **sizes, "bias": True}


def unsupported(model: Recurrent) -> str:
    if model.cell == "rnn" and model.activation != "relu":
        return f"haiku.VanillaRNN has relu, not {model.activation}"
    return unsupported_reset_reason("haiku.GRU", model, has="before")


LAYOUT = Layout(pack, unpack, model_fields, unsupported, added_to_forget_gate=1.0)
