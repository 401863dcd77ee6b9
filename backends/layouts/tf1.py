"""TensorFlow 1: one kernel on [x ; h], transposed; the LSTM's gates i g f o, which it calls i j f o; the GRU's r z.

`tf.nn.rnn_cell.LSTMCell` and `BasicLSTMCell` add a forget bias to f when they run, which no file holds: 1 unless the
program said otherwise. `GRUCell` has its reset before the product. Names end in `:0` in some files; the layers of a
`MultiRNNCell` are called `cell_0/lstm_cell`, and the directions of `bidirectional_dynamic_rnn` are `fw` and `bw`.
Source: `tensorflow/python/ops/rnn_cell_impl.py`, since TensorFlow 2 `keras/layers/rnn/legacy_cells.py`.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..errors import InvalidProblemError
from ..models import LayerDirection, Recurrent
from .layout import ArrayMapping, Arrays, Layout
from .packing import reorder_gates, require_names, size_of, unsupported_reset_reason

LSTM = {"kernel", "bias"}
GRU = {f"{part}.{name}" for part in ("gates", "candidate") for name in LSTM}
OTHERS = (*((f"w_{gate}_diag", "peepholes") for gate in "fio"), ("projection.kernel", "a projection"))
PLACED = re.compile(
    r"(^|\.)(fw|bw|cell_\d+)\.[^.]+\.((?:(?:gates|candidate)\.)?(?:kernel|bias)|w_[fio]_diag|projection\.kernel)$"
)
FORGET_BIAS = 1.0  # of cells that were made without the argument


def pack(model: Recurrent, p: ArrayMapping) -> Arrays:
    both = np.concatenate([p["U"], p["W"]], axis=1)
    if model.cell == "lstm":
        return {"kernel": reorder_gates(both, "ifgo", "igfo").T, "bias": reorder_gates(p["b"], "ifgo", "igfo")}
    H = model.hidden_size
    return {
        "gates.kernel": both[: 2 * H].T,
        "gates.bias": p["b"][: 2 * H],
        "candidate.kernel": both[2 * H :].T,
        "candidate.bias": p["b"][2 * H :],
    }


def unpack(model: Recurrent, weights: ArrayMapping) -> Arrays:
    if model.cell == "lstm":
        both = reorder_gates(weights["kernel"].T, "igfo", "ifgo")
        b = reorder_gates(weights["bias"], "igfo", "ifgo")
    else:
        both = np.concatenate([weights["gates.kernel"].T, weights["candidate.kernel"].T])
        b = np.concatenate([weights["gates.bias"], weights["candidate.bias"]])
    U, W = np.split(both, [both.shape[1] - model.hidden_size], axis=1)
    return {"U": U, "W": W, "b": b}


def model_fields(weights: ArrayMapping) -> dict[str, Any]:
    require_names(weights, LSTM, GRU)
    gru = set(weights) == GRU
    kernel, bias, gates = ("candidate.kernel", "candidate.bias", 1) if gru else ("kernel", "bias", 4)
    H, rows = size_of(weights, bias, 0, axes=1) // gates, size_of(weights, kernel, 0)
    if not 0 < H < rows:
        raise InvalidProblemError(
            f"{kernel} has {rows} rows for {H} units, expected the inputs' and the units' together"
        )
    fields = {"cell": "gru" if gru else "lstm", "input_size": rows - H, "hidden_size": H, "bias": True}
    return fields | ({"reset": "before"} if gru else {})


def unsupported(model: Recurrent) -> str:
    if model.cell == "rnn":
        return "of TensorFlow 1, the LSTM's and the GRU's weights are known"
    return unsupported_reset_reason("tf.nn.rnn_cell.GRUCell", model, has="before")


def placed(place: LayerDirection, name: str) -> str:
    """`cell_1.cell.kernel` in a stack, and the second direction's under `bw`."""
    layer = "" if place.layer is None else f"cell_{place.layer}.cell."
    return f"{'bw.cell.' if place.is_reverse else ''}{layer}{name}"


def spelled(name: str) -> str:
    """`fw.cell.kernel` of `fw.lstm_cell.kernel:0`."""
    return PLACED.sub(r"\1\2.cell.\3", name.removesuffix(":0"))


LAYOUT = Layout(
    *(pack, unpack, model_fields, unsupported),
    placed=placed,
    directions=("fw.cell.", "bw.cell."),
    spelled=spelled,
    others=OTHERS,
)
