"""Flax NNX: all gates side by side, transposed; i f g o and r z n; one bias, the LSTM's on the side of the state.

`nnx.GRUCell` has no b_hn (google/flax#5594): a GRU with one is refused, since its number would be lost.
"""

from __future__ import annotations

from typing import Any

from ..models import Recurrent
from .layout import ArrayMapping, Arrays, Layout
from .packing import cell_of, require_names, require_zero, size_of, unsupported_reset_reason

NO_B_HN = "flax.nnx.GRUCell has no b_hn (google/flax#5594)"
BIASED = {"rnn": "dense_i", "lstm": "dense_h", "gru": "dense_i"}
KERNELS = {"dense_i.kernel", "dense_h.kernel"}


def pack(model: Recurrent, p: ArrayMapping) -> Arrays:
    if "b_hn" in p:
        require_zero(p["b_hn"], f"{NO_B_HN}, and here it is not zero")
    return {"dense_i.kernel": p["U"].T, "dense_h.kernel": p["W"].T, f"{BIASED[model.cell]}.bias": p["b"]}


def unpack(model: Recurrent, weights: ArrayMapping) -> Arrays:
    params = {"U": weights["dense_i.kernel"].T, "W": weights["dense_h.kernel"].T}
    return params | {"b": weights[f"{BIASED[model.cell]}.bias"]}


def model_fields(weights: ArrayMapping) -> dict[str, Any]:
    require_names(weights, *(KERNELS | {f"{side}.bias"} for side in ("dense_h", "dense_i")))
    H = size_of(weights, "dense_h.kernel", 0)
    cell = cell_of(size_of(weights, "dense_h.kernel", 1), H, "dense_h.kernel")
    require_names(weights, KERNELS | {f"{BIASED[cell]}.bias"})
    sizes = {"input_size": size_of(weights, "dense_i.kernel", 0), "hidden_size": H}
    return {"cell": cell, **sizes, "bias": True, "reset": "after"}


def unsupported(model: Recurrent) -> str:
    return unsupported_reset_reason("flax.nnx.GRUCell", model, has="after")


def spelled(name: str) -> str:
    """`dense_i.kernel` of `dense_i.kernel.value`, as a state is called that was saved with its variables."""
    return name.removesuffix(".value").removesuffix(".raw_value")


LAYOUT = Layout(
    *(pack, unpack, model_fields, unsupported), directions=("forward_rnn.cell.", "backward_rnn.cell."), spelled=spelled
)
