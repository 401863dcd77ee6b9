"""The peepholes of an LSTM in the libraries that have them, ONNX and TensorFlow 1, and the proof of a conversion.

ONNX has P (P, 3H) for P directions, of i, o and f in this order; TensorFlow 1 has w_f_diag, w_i_diag and w_o_diag (H,).
Sources: ONNX's `docs/Operators.md`; `tensorflow/python/ops/rnn_cell_impl.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...backends import InvalidProblemError, Recurrent
from ...backends.adapters import wrap_library_weights
from ...backends.layouts import get_layout
from ..layers.any_cells import AnyCells, DefinedLayer, compare_any_cells
from ..layers.any_sides import as_sequence_layer
from ..layers.cell_definitions import lstm_with_peepholes
from ..layers.layer_comparison import LayerComparison
from ..layers.recorded_definition import Definition

Arrays = dict[str, np.ndarray]
LIBRARIES_WITH_PEEPHOLES = {"onnx": ("P",), "tf1": ("w_f_diag", "w_i_diag", "w_o_diag")}
GATES = ("p_i", "p_f", "p_o")


def has_peepholes(library: str, weights: Sequence[Mapping[str, np.ndarray]]) -> bool:
    """Whether any layer or direction has them.

    Args:
        library: one of `LIBRARIES_WITH_PEEPHOLES`.
        weights: of every layer and direction, by its names.
    """
    return any(name in of_place for of_place in weights for name in LIBRARIES_WITH_PEEPHOLES[library])


def without_peepholes(library: str, weights: Sequence[Arrays]) -> tuple[list[Arrays], list[Arrays]]:
    """Takes them out of the weights.

    Args:
        library: one of `LIBRARIES_WITH_PEEPHOLES`.
        weights: of every layer and direction, by its names.

    Returns:
        The other weights; and p_i, p_f and p_o (H,) of every layer and direction.

    Raises:
        InvalidProblemError: one of them is missing, or has another shape.

    Example:
        >>> weights = {"R": np.ones((1, 8, 2)), "P": np.arange(6.0)[None]}
        >>> _, (peepholes,) = without_peepholes("onnx", [weights])
        >>> peepholes["p_o"].tolist(), peepholes["p_f"].tolist()
        ([2.0, 3.0], [4.0, 5.0])
    """
    names, others, peepholes = LIBRARIES_WITH_PEEPHOLES[library], [], []
    for of_place in weights:
        H = of_place["R"].shape[2] if library == "onnx" else of_place["bias"].shape[0] // 4
        expected = (1, 3 * H) if library == "onnx" else (H,)
        for name in names:
            if name not in of_place:
                raise InvalidProblemError(f"{name} is missing among the peepholes, expected {', '.join(names)}")
            if of_place[name].shape != expected:
                raise InvalidProblemError(f"{name} has shape {of_place[name].shape}, expected {expected}")
        if library == "onnx":
            p_i, p_o, p_f = np.split(of_place["P"][0], 3)
        else:
            p_f, p_i, p_o = (of_place[name] for name in names)
        peepholes.append(dict(zip(GATES, (p_i, p_f, p_o), strict=True)))
        others.append({name: array for name, array in of_place.items() if name not in names})
    return others, peepholes


def with_peepholes(library: str, weights: Sequence[Arrays], peepholes: Sequence[Arrays]) -> list[Arrays]:
    """Adds them to the weights: the inverse of `without_peepholes`.

    Args:
        library: one of `LIBRARIES_WITH_PEEPHOLES`.
        weights: of every layer and direction, by its names.
        peepholes: p_i, p_f and p_o likewise.
    """
    added = []
    for of_place, p in zip(weights, peepholes, strict=True):
        if library == "onnx":
            added.append(of_place | {"P": np.concatenate([p["p_i"], p["p_o"], p["p_f"]])[None]})
        else:
            added.append(of_place | {f"w_{gate}_diag": p[f"p_{gate}"] for gate in "fio"})
    return added


def verify_peepholes(
    model: Recurrent, weights: Mapping[str, Sequence[Arrays]], *, forget_bias: float, seed: int
) -> LayerComparison:
    """Compares the outputs of layers with peepholes on a random sequence, and with the definition in NumPy.

    Args:
        model: the LSTM without its peepholes.
        weights: by library, of every layer and direction.
        forget_bias: what TensorFlow 1 adds to f when it runs.
        seed: of the sequence.

    Returns:
        The comparison.

    Raises:
        MissingFrameworkError: a library is not installed.
        UnsupportedProblemError: a library does not compute in the weights' dtype.
    """
    source = next(iter(weights))
    plain, peepholes = without_peepholes(source, weights[source])
    added = forget_bias if source == "tf1" else 0.0
    layout = replace(get_layout(source), added_to_forget_gate=added)
    held = layout.to_params(replace(model, bias=True), plain)
    for place, of_place in zip(model.places, peepholes, strict=True):
        held |= {place.name(name): array for name, array in of_place.items()}
    layers = [
        replace(
            as_sequence_layer(wrap_library_weights(library, model, of_library, forget_bias=forget_bias)), weights=held
        )
        for library, of_library in weights.items()
    ]
    H = model.hidden_size
    cells = AnyCells(
        layers,
        [DefinedLayer(Definition(lstm_with_peepholes.__name__, lstm_with_peepholes), held)],
        f"lstm with peepholes of D={model.input_size} H={H}",
        model.input_size,
        {"h": H, "c": H},
        next(iter(held.values())).dtype,
        model.num_layers,
        model.bidirectional,
    )
    return compare_any_cells(cells, cells.task(seq_len=7, batch_size=3, output_size=3, seed=seed))
