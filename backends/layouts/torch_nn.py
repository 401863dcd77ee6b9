"""PyTorch: `weight_ih` is U, `weight_hh` is W; gates i f g o and r z n as here; two biases, which are added.

The GRU's n has one on either side of the reset gate: b_hn is the last third of `bias_hh`.
"""

from __future__ import annotations

from typing import Any

from ..models import LayerDirection, Recurrent
from .layout import ArrayMapping, Arrays, Layout
from .packing import cell_of, require_names, size_of, split_state_bias, state_bias, unsupported_reset_reason

WEIGHTS = {"weight_ih", "weight_hh"}


def pack(model: Recurrent, p: ArrayMapping) -> Arrays:
    return {"weight_ih": p["U"], "weight_hh": p["W"], "bias_ih": p["b"], "bias_hh": state_bias(model, p)}


def unpack(model: Recurrent, weights: ArrayMapping) -> Arrays:
    params = {"U": weights["weight_ih"], "W": weights["weight_hh"]}
    if "bias_ih" in weights:
        params |= {"b": weights["bias_ih"], "b_h": weights["bias_hh"]}
    if "bias_ih" in weights and model.cell == "gru":
        params |= split_state_bias(model, weights["bias_hh"])
    return params


def model_fields(weights: ArrayMapping) -> dict[str, Any]:
    require_names(weights, WEIGHTS | {"bias_ih", "bias_hh"}, WEIGHTS)
    H = size_of(weights, "weight_hh", 1)
    cell = cell_of(size_of(weights, "weight_hh", 0), H, "weight_hh")
    sizes = {"input_size": size_of(weights, "weight_ih", 1), "hidden_size": H}
    return {"cell": cell, **sizes, "bias": "bias_ih" in weights, "reset": "after"}


def unsupported(model: Recurrent) -> str:
    if model.cell == "rnn" and model.activation not in ("tanh", "relu"):
        return f"torch.nn.RNN has tanh and relu, not {model.activation}"
    return unsupported_reset_reason("torch.nn.GRU", model, has="after")


def placed(place: LayerDirection, name: str) -> str:
    """`weight_ih_l0`, or `weight_ih_l0_reverse`."""
    return f"{name}_l{place.layer or 0}{'_reverse' if place.is_reverse else ''}"


LAYOUT = Layout(pack, unpack, model_fields, unsupported, placed=placed, others=(("weight_hr", "a projection"),))
