"""Flax NNX: all gates side by side, transposed; i f g o and r z n; one bias, the LSTM's on the side of the state.

`nnx.LSTMCell` has a kernel for each gate, as in Flax Linen, the input's of f under the name `if_`; what is written has
those of `nnx.OptimizedLSTMCell`. `nnx.GRUCell` has no b_hn (google/flax#5594): a GRU with one is refused, since its
number would be lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InvalidProblemError
from ..models import Recurrent
from .layout import ArrayMapping, Arrays, Layout
from .packing import cell_of, require_names, require_zero, size_of, unsupported_reset_reason

WITH_B_HN = (  # as google/flax#5595 proposes it, and as it may come
    {"dense_i.kernel", "dense_h.kernel", "dense_i.bias", "hn_bias"},
    {"dense_i.kernel", "dense_h.kernel", "dense_i.bias", "dense_h.bias"},
)
NO_B_HN = "flax.nnx.GRUCell has no b_hn (google/flax#5594)"
NO_B_HN_KNOWN = "that of flax 0.12.8, which is known, has none (google/flax#5594)"
BIASED = {"rnn": "dense_i", "lstm": "dense_h", "gru": "dense_i"}
KERNELS = {"dense_i.kernel", "dense_h.kernel"}
SIDES = {"dense_i": ("ii", "if_", "ig", "io"), "dense_h": ("hi", "hf", "hg", "ho")}  # of nnx.LSTMCell, gate by gate
BY_GATE = tuple(f"{part}.kernel" for parts in SIDES.values() for part in parts) + tuple(
    f"{part}.bias" for part in SIDES["dense_h"]
)


def pack(model: Recurrent, p: ArrayMapping) -> Arrays:
    if "b_hn" in p:
        require_zero(p["b_hn"], f"{NO_B_HN}, and here it is not zero")
    return {"dense_i.kernel": p["U"].T, "dense_h.kernel": p["W"].T, f"{BIASED[model.cell]}.bias": p["b"]}


def unpack(model: Recurrent, weights: ArrayMapping) -> Arrays:
    weights = _side_by_side(weights)
    params = {"U": weights["dense_i.kernel"].T, "W": weights["dense_h.kernel"].T}
    return params | {"b": weights[f"{BIASED[model.cell]}.bias"]}


def model_fields(weights: ArrayMapping) -> dict[str, Any]:
    if "ii.kernel" in weights:
        _require_gates(weights)
        weights = _side_by_side(weights)
    if set(weights) in WITH_B_HN:
        (b_hn,) = set(weights) - KERNELS - {"dense_i.bias"}
        raise InvalidProblemError(
            f"the weights are those of an nnx.GRUCell of another version, with a b_hn as {b_hn}: {NO_B_HN_KNOWN}"
        )
    require_names(weights, *(KERNELS | {f"{side}.bias"} for side in ("dense_h", "dense_i")))
    H = size_of(weights, "dense_h.kernel", 0)
    cell = cell_of(size_of(weights, "dense_h.kernel", 1), H, "dense_h.kernel")
    require_names(weights, KERNELS | {f"{BIASED[cell]}.bias"})
    sizes = {"input_size": size_of(weights, "dense_i.kernel", 0), "hidden_size": H}
    return {"cell": cell, **sizes, "bias": True, "reset": "after"}


def _require_gates(weights: ArrayMapping) -> None:
    """Raises InvalidProblemError unless the weights are those of `nnx.LSTMCell`, with one shape for every gate."""
    require_names(weights, set(BY_GATE))
    D, H = size_of(weights, "ii.kernel", 0), size_of(weights, "ii.kernel", 1)
    for name in BY_GATE:
        expected = (H,) if name.endswith("bias") else (D if name.startswith("i") else H, H)
        if weights[name].shape != expected:
            raise InvalidProblemError(f"{name} has shape {weights[name].shape}, expected {expected}")


def _side_by_side(weights: ArrayMapping) -> ArrayMapping:
    """The weights of `nnx.LSTMCell` as `nnx.OptimizedLSTMCell` has them; others as they are."""
    if "ii.kernel" not in weights:
        return weights
    arrays = {
        f"{side}.kernel": np.concatenate([weights[f"{part}.kernel"] for part in parts], axis=1)
        for side, parts in SIDES.items()
    }
    return arrays | {"dense_h.bias": np.concatenate([weights[f"{part}.bias"] for part in SIDES["dense_h"]])}


def unsupported(model: Recurrent) -> str:
    return unsupported_reset_reason("flax.nnx.GRUCell", model, has="after")


def spelled(name: str) -> str:
    """`dense_i.kernel` of `dense_i.kernel.value`, as a state is called that was saved with its variables."""
    return name.removesuffix(".value").removesuffix(".raw_value")


LAYOUT = Layout(
    *(pack, unpack, model_fields, unsupported),
    directions=("forward_rnn.cell.", "backward_rnn.cell."),
    spelled=spelled,
    other_names=BY_GATE,
    names_of_other_versions=("hn_bias",),
)
