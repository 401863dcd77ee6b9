"""PyTorch: `weight_ih` is U, `weight_hh` is W; gates i f g o and r z n as here; two biases, which are added.

The GRU's n has one on either side of the reset gate: b_hn is the last third of `bias_hh`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models import LayerDirection, Recurrent
from .gates import cell_of, require_names, reset_refusal, size_of
from .layout import Arrays, Given, Layout

WEIGHTS = {"weight_ih", "weight_hh"}


def pack(model: Recurrent, p: Given) -> Arrays:
    second = np.zeros_like(p["b"])
    if "b_hn" in p:
        second[-model.hidden_size :] = p["b_hn"]
    return {"weight_ih": p["U"], "weight_hh": p["W"], "bias_ih": p["b"], "bias_hh": second}


def unpack(model: Recurrent, weights: Given) -> Arrays:
    own = {"U": weights["weight_ih"], "W": weights["weight_hh"]}
    if "bias_ih" in weights:
        own |= {"b": weights["bias_ih"], "b_h": weights["bias_hh"]}
    if "bias_ih" in weights and model.cell == "gru":
        own["b_hn"] = weights["bias_hh"][-model.hidden_size :]
        own["b_h"] = np.concatenate([weights["bias_hh"][: -model.hidden_size], np.zeros_like(own["b_hn"])])
    return own


def describe(weights: Given) -> dict[str, Any]:
    require_names(weights, WEIGHTS | {"bias_ih", "bias_hh"}, WEIGHTS)
    H = size_of(weights, "weight_hh", 1)
    cell = cell_of(size_of(weights, "weight_hh", 0), H, "weight_hh")
    sizes = {"input_size": size_of(weights, "weight_ih", 1), "hidden_size": H}
    return {"cell": cell, **sizes, "bias": "bias_ih" in weights, "reset": "after"}


def unsupported(model: Recurrent) -> str:
    if model.cell == "rnn" and model.activation not in ("tanh", "relu"):
        return f"torch.nn.RNN has tanh and relu, not {model.activation}"
    return reset_refusal("torch.nn.GRU", model, has="after")


def placed(place: LayerDirection, name: str) -> str:
    """`weight_ih_l0`, or `weight_ih_l0_reverse`."""
    return f"{name}_l{place.prefix.removeprefix('layer').removesuffix('.') or 0}{place.suffix.replace('.', '_')}"


LAYOUT = Layout(pack, unpack, describe, unsupported, placed=placed)
