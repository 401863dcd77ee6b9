"""Equinox: `weight_ih` is U, `weight_hh` is W, `bias` is b and `bias_n` is b_hn; gates i f g o and r z n as here."""

from __future__ import annotations

from typing import Any

from ..models import Recurrent
from .gates import cell_of, require_names, reset_refusal, size_of
from .layout import Arrays, Given, Layout

NAMES = {"U": "weight_ih", "W": "weight_hh", "b": "bias", "b_hn": "bias_n"}
WEIGHTS = {"weight_ih", "weight_hh"}


def pack(model: Recurrent, p: Given) -> Arrays:
    return {theirs: p[ours] for ours, theirs in NAMES.items() if ours in p}


def unpack(model: Recurrent, weights: Given) -> Arrays:
    return {ours: weights[theirs] for ours, theirs in NAMES.items() if theirs in weights}


def describe(weights: Given) -> dict[str, Any]:
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
    return reset_refusal("equinox.nn.GRUCell", model, has="after")


LAYOUT = Layout(pack, unpack, describe, unsupported)
