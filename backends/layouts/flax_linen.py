"""Flax Linen: a kernel for each gate, transposed; gates i f g o and r z n; one bias, and the GRU's b_hn."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models import CELLS, Recurrent
from .layout import ArrayMapping, Arrays, Layout
from .packing import require_names, size_of, unsupported_reset_reason

BIASED = {"rnn": "i", "lstm": "h", "gru": "i"}  # the side on which the bias is


def pack(model: Recurrent, p: ArrayMapping) -> Arrays:
    weights: Arrays = {}
    for side, kernel in (("i", p["U"]), ("h", p["W"])):
        parts = zip(_gates(model.cell), np.split(kernel, len(_gates(model.cell))), strict=True)
        weights |= {f"{side}{gate}.kernel": part.T for gate, part in parts}
    parts = zip(_gates(model.cell), np.split(p["b"], len(_gates(model.cell))), strict=True)
    weights |= {f"{BIASED[model.cell]}{gate}.bias": part for gate, part in parts}
    return weights | ({"hn.bias": p["b_hn"]} if "b_hn" in p else {})


def unpack(model: Recurrent, weights: ArrayMapping) -> Arrays:
    gates = _gates(model.cell)
    params = {
        "U": np.concatenate([weights[f"i{gate}.kernel"].T for gate in gates]),
        "W": np.concatenate([weights[f"h{gate}.kernel"].T for gate in gates]),
        "b": np.concatenate([weights[f"{BIASED[model.cell]}{gate}.bias"] for gate in gates]),
    }
    return params | ({"b_hn": weights["hn.bias"]} if model.cell == "gru" else {})


def model_fields(weights: ArrayMapping) -> dict[str, Any]:
    known = {cell: _weight_names(cell) for cell in CELLS.keys() & BIASED.keys()}
    cell = next((cell for cell, names in known.items() if names == set(weights)), "")
    if not cell:
        require_names(weights, known["lstm"], known["gru"])
    gate = _gates(cell)[0]
    sizes = {
        "input_size": size_of(weights, f"i{gate}.kernel", 0),
        "hidden_size": size_of(weights, f"h{gate}.kernel", 0),
    }
    return {"cell": cell, **sizes, "bias": True, "reset": "after"}


def unsupported(model: Recurrent) -> str:
    return unsupported_reset_reason("flax.linen.GRUCell", model, has="after")


def _gates(cell: str) -> tuple[str, ...]:
    return tuple(CELLS[cell].gates) or ("",)


def _weight_names(cell: str) -> set[str]:
    names = {f"{side}{gate}.kernel" for side in "ih" for gate in _gates(cell)}
    names |= {f"{BIASED[cell]}{gate}.bias" for gate in _gates(cell)}
    return names | ({"hn.bias"} if cell == "gru" else set())


LAYOUT = Layout(*(pack, unpack, model_fields, unsupported), directions=("forward_rnn.cell.", "backward_rnn.cell."))
