"""Equinox: `weight_ih` is U, `weight_hh` is W, `bias` is b and `bias_n` is b_hn; gates i f g o and r z n as here."""

from __future__ import annotations

from typing import Any

from ..models import Recurrent
from .layout import ArrayMapping, Arrays, Layout
from .packing import cell_of, require_names, size_of, unsupported_reset_reason

NAMES = {"U": "weight_ih", "W": "weight_hh", "b": "bias", "b_hn": "bias_n"}
WEIGHTS = {"weight_ih", "weight_hh"}


def pack(model: Recurrent, p: ArrayMapping) -> Arrays:
    return {theirs: p[ours] for ours, theirs in NAMES.items() if ours in p}


def unpack(model: Recurrent, weights: ArrayMapping) -> Arrays:
    return {ours: weights[theirs] for ours, theirs in NAMES.items() if theirs in weights}


def model_fields(weights: ArrayMapping) -> dict[str, Any]:
    require_names(weights, WEIGHTS | {"bias"}, WEIGHTS | {"bias", "bias_n"}, WEIGHTS)
    H = size_of(weights, "weight_hh", 1)
    cell = cell_of(size_of(weights, "weight_hh", 0), H, "weight_hh")
    if "bias" in weights:
        require_names(weights, WEIGHTS | {"bias"} | ({"bias_n"} if cell == "gru" else set()))
    sizes = {"input_size": size_of(weights, "weight_ih", 1), "hidden_size": H}
    return {"cell": cell, **sizes, "bias": "bias" in weights, "reset": "after"}


def unsupported(model: Recurrent) -> str:
    if model.cell == "rnn":
        return "Equinox has no plain recurrent cell"
    return unsupported_reset_reason("equinox.nn.GRUCell", model, has="after")


LAYOUT = Layout(pack, unpack, model_fields, unsupported)
