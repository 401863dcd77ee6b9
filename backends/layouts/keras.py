"""Keras 3: transposed; gates i f g o, which it calls i f c o, and z r n, which it calls z r h; one bias.

A GRU with `reset_after` has two: a bias (2, 3H) whose second row is on the side of the state, and holds b_hn.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models import Recurrent
from .gates import cell_of, reordered, require_names, size_of
from .layout import Arrays, Given, Layout

KERNELS = {"kernel", "recurrent_kernel"}
ORDER = {"rnn": ("", ""), "lstm": ("ifgo", "ifgo"), "gru": ("rzn", "zrn")}  # of ours, and of theirs


def pack(model: Recurrent, p: Given) -> Arrays:
    ours, theirs = ORDER[model.cell]
    U, W, b = (reordered(p[name], ours, theirs) for name in ("U", "W", "b"))
    if "b_hn" in p:
        second = np.concatenate([np.zeros_like(b[: -model.hidden_size]), p["b_hn"]])
        b = np.stack([b, second])
    return {"kernel": U.T, "recurrent_kernel": W.T, "bias": b}


def unpack(model: Recurrent, weights: Given) -> Arrays:
    ours, theirs = ORDER[model.cell]
    own = {"U": weights["kernel"].T, "W": weights["recurrent_kernel"].T}
    if "bias" in weights and weights["bias"].ndim == 2:
        own["b"], second = weights["bias"]
        rest, own["b_hn"] = np.split(second, [-model.hidden_size])
        own["b_h"] = np.concatenate([rest, np.zeros_like(own["b_hn"])])
    elif "bias" in weights:
        own["b"] = weights["bias"]
    return {name: array if name == "b_hn" else reordered(array, theirs, ours) for name, array in own.items()}


def describe(weights: Given) -> dict[str, Any]:
    require_names(weights, KERNELS | {"bias"}, KERNELS)
    H = size_of(weights, "recurrent_kernel", 0)
    cell = cell_of(size_of(weights, "recurrent_kernel", 1), H, "recurrent_kernel")
    sizes = {"input_size": size_of(weights, "kernel", 0), "hidden_size": H}
    found = {"cell": cell, **sizes, "bias": "bias" in weights}
    if found["cell"] == "gru" and "bias" in weights:
        found["reset"] = "after" if weights["bias"].ndim == 2 else "before"
    return found


def unsupported(model: Recurrent) -> str:
    return ""


LAYOUT = Layout(pack, unpack, describe, unsupported)
