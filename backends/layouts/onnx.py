"""ONNX: W, R and B of the operators RNN, LSTM and GRU; gates i o f g, which it calls i o f c, and z r n, as z r h.

B is two biases side by side, which are added; the last third of the GRU's second is b_hn, if
`linear_before_reset` is 1. The weights do not tell whether it is. Two directions are in one array, one after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models import Recurrent
from .gates import cell_of, reordered, require_names, size_of
from .layout import Arrays, Given, Layout

ORDER = {"rnn": ("", ""), "lstm": ("ifgo", "iofg"), "gru": ("rzn", "zrn")}  # of ours, and of theirs


def pack(model: Recurrent, p: Given) -> Arrays:
    ours, theirs = ORDER[model.cell]
    U, W, b = (reordered(p[name], ours, theirs) for name in ("U", "W", "b"))
    second = np.zeros_like(b)
    if "b_hn" in p:
        second[-model.hidden_size :] = p["b_hn"]
    return {"W": U[None], "R": W[None], "B": np.concatenate([b, second])[None]}


def unpack(model: Recurrent, weights: Given) -> Arrays:
    ours, theirs = ORDER[model.cell]
    own = {"U": weights["W"][0], "W": weights["R"][0]}
    b_hn = {}
    if "B" in weights:
        own["b"], second = np.split(weights["B"][0], 2)
        if model.cell == "gru" and model.reset == "after":
            rest, b_hn["b_hn"] = np.split(second, [-model.hidden_size])
            second = np.concatenate([rest, np.zeros_like(b_hn["b_hn"])])
        own["b_h"] = second
    return {name: reordered(array, theirs, ours) for name, array in own.items()} | b_hn


def describe(weights: Given) -> dict[str, Any]:
    require_names(weights, {"W", "R", "B"}, {"W", "R"})
    H = size_of(weights, "R", 2, axes=3)
    cell = cell_of(size_of(weights, "R", 1, axes=3), H, "R")
    sizes = {"input_size": size_of(weights, "W", 2, axes=3), "hidden_size": H}
    return {"cell": cell, **sizes, "bias": "B" in weights}


def unsupported(model: Recurrent) -> str:
    return ""


LAYOUT = Layout(pack, unpack, describe, unsupported, directions_in_one=True)
